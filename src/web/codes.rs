//! The one table of problem codes: what can go wrong, why, and what to do about it.
//!
//! Not the problem of one request, which is [`super::Problem`]. A code is stable text: it may be added, never
//! renamed and never given another meaning. Every code has a cause and a remedy, written for the person who
//! meets it.

use std::fmt;

use http::StatusCode;

macro_rules! codes {
    ($($name:ident, $text:literal, $status:ident, $title:literal, $cause:literal, $remedy:literal;)+) => {
        /// What went wrong, as programs see it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code, in the order of the documentation: by status.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        text: $text,
                        status: StatusCode::$status,
                        title: $title,
                        cause: $cause,
                        remedy: $remedy,
                    },)+
                }
            }
        }
    };
}

struct Row {
    text: &'static str,
    status: StatusCode,
    title: &'static str,
    cause: &'static str,
    remedy: &'static str,
}

impl Code {
    /// Returns the code as text, such as `range_expired`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().text
    }

    /// Returns the status that this code is answered with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// Returns the short sentence that is the same for every problem of this code.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// Returns why this happens: a paragraph for a person.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        self.row().cause
    }

    /// Returns what to do about it: a paragraph for a person.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.row().remedy
    }

    /// Finds a code by its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// Returns the code for an error status that came without one.
    ///
    /// For what a framework answered by itself: it knows a status and nothing more.
    #[must_use]
    pub const fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::URI_TOO_LONG => Self::UriTooLong,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::InvalidRequest,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeaderFieldsTooLarge,
            other if other.as_u16() < 500 => Self::BadRequest,
            _ => Self::InternalError,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

codes! {
    BadRequest, "bad_request", BAD_REQUEST, "The request was not understood",
    "What arrived is not HTTP that hooklog can read: a broken request line or header, a body that ends before its \
     announced length, a chunk of the wrong form. Often a proxy or a hand-written client is in between.",
    "Read `detail`: it says which part was not understood. Send the same request with a common client (curl, or the \
     HTTP library of your language) and compare.";

    MalformedJson, "malformed_json", BAD_REQUEST, "The body is not JSON",
    "The body is not valid JSON, or breaks one of the limits on JSON: nesting of 64, 10,000 keys in an event, no key \
     twice in one object, valid UTF-8 without escaped lone surrogates.",
    "Go to the place that `errors` or `detail` names. Bodies that were put together as text instead of written by a \
     JSON library are the usual reason: quotes and line breaks in values must be escaped.";

    InvalidEvent, "invalid_event", BAD_REQUEST, "An event does not have the form of an event",
    "The JSON was read, but an event in it lacks `type` or `data`, or one of its members has another form than the \
     documentation says. Nothing of the request was taken: a batch is taken whole or not at all.",
    "`errors` lists each event at fault by its place in the array or its line, and what was expected. Correct those \
     and send the whole request again; events already taken by an earlier request are recognised by their id.";

    UnknownParameter, "unknown_parameter", BAD_REQUEST, "A query parameter is not known",
    "The address carries a query parameter that this route does not have. It is refused rather than ignored, because \
     an ignored filter would answer more than was asked for.",
    "`detail` names the parameter and those that the route knows. Look for a typing error, or for a parameter of a \
     newer version than the one that is running.";

    InvalidParameter, "invalid_parameter", BAD_REQUEST, "A query parameter has a value of the wrong form",
    "A query parameter is known, but its value is not of the form it takes, is outside its range, or was given twice.",
    "`errors` names the parameter and the form that is asked for. Remember to percent-encode `+`, `&` and `%` in \
     values: an unescaped `+` in an instant is read as a space.";

    Unauthorized, "unauthorized", UNAUTHORIZED, "A valid token is needed",
    "The request carries no token, or one that hooklog does not know: mistyped, expired, or removed.",
    "Send the header `authorization: Bearer TOKEN`. The operator's token is in `operator.token` in the data directory \
     unless it was set otherwise; tokens of an account are made under Access. A token is shown once, when it is made.";

    Forbidden, "forbidden", FORBIDDEN, "The token may not do this",
    "The token is valid and belongs to this account, but lacks the permission that this route needs.",
    "`missing` names the permission. Ask whoever may manage tokens of the account for a token that has it.";

    NotFound, "not_found", NOT_FOUND, "There is nothing at this address",
    "The path is not one of hooklog's, or the thing it names does not exist for this token.",
    "Compare the path with `GET /api/v1/openapi.json`. Mind that events are sent to the ingest listener and \
     everything else is asked of the admin listener: they are two ports.";

    AccountNotFound, "account_not_found", NOT_FOUND, "There is no such account",
    "No account has this name, or it is not the account that the token is for: the two are not told apart.",
    "Names are compared exactly, capitals included. Create the account with `PUT /api/v1/accounts/{account}` or \
     `hooklog account set` before events are sent for it.";

    EndpointNotFound, "endpoint_not_found", NOT_FOUND, "There is no such endpoint",
    "The account has no endpoint of this name, or it has been deleted.",
    "List the account's endpoints with `GET /api/v1/accounts/{account}/endpoints` or `hooklog endpoint list`.";

    EventNotFound, "event_not_found", NOT_FOUND, "There is no such event",
    "The account's log has no event with this id or offset: it never came in, or retention has removed it since.",
    "Search by time or type with `GET /api/v1/accounts/{account}/events`. An offset is written with an at sign in \
     front of it, such as `@41`; without it the text is taken for an id.";

    DeliveryNotFound, "delivery_not_found", NOT_FOUND, "There is no such delivery",
    "The endpoint has nothing to tell about this offset: the event came in before the endpoint existed, does not \
     exist, or is older than what is kept.",
    "Ask `GET /api/v1/accounts/{account}/events/{id}/explain`: it says for every endpoint what became of an event.";

    TokenNotFound, "token_not_found", NOT_FOUND, "There is no such token",
    "No token has this id here; it may have been removed already.",
    "List the tokens first. A token's id is not the token itself: the list shows ids and names, never tokens.";

    JobNotFound, "job_not_found", NOT_FOUND, "There is no such job",
    "No replay, backtest or other job has this id in this account. Backtests are forgotten when the process ends.",
    "List the account's jobs. The id is in the answer that created the job, and in its `location` header.";

    MethodNotAllowed, "method_not_allowed", METHOD_NOT_ALLOWED, "This address does not take this method",
    "The path exists, but not with the method that was used.",
    "The header `allow` lists the methods that the path takes.";

    NotAcceptable, "not_acceptable", NOT_ACCEPTABLE, "No form that is accepted can be given",
    "The header `accept` names forms only that this route does not have.",
    "`detail` names the forms that there are. Ask for one of them, or leave the header out.";

    RequestTimeout, "request_timeout", REQUEST_TIMEOUT, "The request did not arrive in time",
    "The head or the body of the request came too slowly, or stopped coming. The connection is closed, so that slow \
     senders cannot take the place of others.",
    "Nothing was taken: send the request again on a new connection. If it happens often, send smaller requests, or \
     look for a network or proxy that holds bodies back.";

    EventConflict, "event_conflict", CONFLICT, "An event's id is already taken by other content",
    "An event with this id is already in the account's log, or earlier in the same request, and its type, occurredAt \
     or data is different. The same event sent again is a duplicate and no problem; two different events under one id \
     are, and hooklog swallows neither. Nothing of the request was taken.",
    "`errors` lists every such event. Give different events different ids. If the first one is to stand and the rest \
     of the request to be taken, send it again with `?onConflict=keep_first`.";

    NameTaken, "name_taken", CONFLICT, "The name is already in use",
    "Something of this kind has this name already, and the request was to create a new one.",
    "Choose another name, or change what exists: `PUT` with `if-match` replaces it, `PATCH` changes parts of it.";

    LimitReached, "limit_reached", CONFLICT, "No more of these are possible",
    "The account, or the installation, already has as many of these as there may be. The limits stand in one table in \
     the documentation.",
    "Remove what is no longer used, then try again. `detail` names the limit.";

    ResumeChoiceNeeded, "resume_choice_needed", CONFLICT, "Say where to go on",
    "The endpoint has much waiting from the time it was off or paused. Switching it on would send all of that at \
     once, which may or may not be what its receiver expects.",
    "Say which: `cursor` delivers everything that waits, in order; `now` skips it and counts it as skipped. Resuming \
     takes it as `{\"from\": \"now\"}`, switching on as `\"resumeFrom\": \"now\"` beside the settings. `detail` says how \
     much is waiting.";

    ConfirmationNeeded, "confirmation_needed", CONFLICT, "This needs a confirmation",
    "What was asked for destroys something that cannot be brought back, and the request does not confirm it.",
    "Send it again with the query parameter that `detail` names, whose value is the name of what will be destroyed.";

    NotRedeliverable, "not_redeliverable", CONFLICT, "It cannot be redelivered",
    "Only what was given up can be delivered after all, and what waits for its next try can be tried at once. `detail` \
     says what the event is.",
    "To send an event again that was delivered, start a replay from its offset up to the next one.";

    NotDiscardable, "not_discardable", CONFLICT, "It cannot be discarded",
    "Only a dead letter can be discarded, and an event that waits for its turn or is held. `detail` says what the event \
     is.",
    "Where it is being sent, try again in a while. What was delivered cannot be taken back.";

    JobNotCancellable, "job_not_cancellable", CONFLICT, "The job has ended and stays as it is",
    "The job has ended already: it is completed, cancelled or failed.",
    "Read the job to see how it ended. What a replay has delivered cannot be taken back.";

    RangeExpired, "range_expired", GONE, "This part of the past is no longer kept",
    "The range begins before the oldest event that is kept. Retention removes events by age and by size; what it \
     removed cannot be read, explained or replayed.",
    "Begin at `oldestOffset` or later. To keep more, raise `log.retention.max_age` or `log.retention.max_bytes`; that \
     holds for what comes in from then on.";

    PreconditionFailed, "precondition_failed", PRECONDITION_FAILED, "It has changed since you read it",
    "The request carries `if-match` with a revision that is no longer the current one: someone changed the thing in \
     between. Nothing was written.",
    "Read it again, look at what changed (`detail` says by whom), and send your change with the new revision.";

    PayloadTooLarge, "payload_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
    "The body, or one event in it, has more bytes than are taken here. The limits are `ingest.max_body_bytes` for a \
     request and `ingest.max_event_bytes` for an event.",
    "Split a batch into smaller requests: `detail` says the limit. An event that is too large by itself usually \
     carries a document that should be a link; an operator can raise the limit.";

    UriTooLong, "uri_too_long", URI_TOO_LONG, "The address is too long",
    "The path with its query has more bytes than any of hooklog's routes needs.",
    "Put long values into the body where the route takes one, and ask for fewer things at a time.";

    UnsupportedMediaType, "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "This content type is not taken here",
    "The header `content-type` is missing or names a format that this route does not read.",
    "`detail` names the formats that are read. With curl add `-H 'content-type: application/json'`: without it curl \
     says that the body is a form.";

    InvalidRequest, "invalid_request", UNPROCESSABLE_ENTITY, "The request was understood but is wrong",
    "The JSON was read, but a member is missing, unknown, of the wrong type, or has a value that cannot be.",
    "`errors` has a JSON pointer to each place and what is expected there. Members that hooklog does not know are \
     refused, because a mistyped setting that is silently ignored does harm later.";

    InvalidUrl, "invalid_url", UNPROCESSABLE_ENTITY, "This is no address to deliver to",
    "The URL cannot be read, has another scheme than https (or http where the operator allows it), carries a user or \
     a fragment, or is too long.",
    "Give an absolute URL such as `https://hooks.example.com/ino`. User and password belong into `auth`. Plain http \
     needs the operator's setting `deliver.https_only = false`.";

    ForbiddenAddress, "forbidden_address", UNPROCESSABLE_ENTITY, "Deliveries do not go to this address",
    "The URL leads to an address inside the machine or its networks: loopback, private, link-local, a cloud's \
     metadata, or a form that hides one of these. Such requests would let a customer reach what only hooklog can reach.",
    "Use a publicly reachable address. If the receiver is inside your own network on purpose, an operator can allow \
     its range with `deliver.allow_addresses`.";

    RateLimited, "rate_limited", TOO_MANY_REQUESTS, "Too many requests",
    "The account has sent more than its agreed rate. Nothing of this request was taken.",
    "Wait as long as `retry-after` says and send the same request again, with the same ids. Batches cost one request \
     for many events. An operator can raise `ratePerSecond` of the account.";

    HeaderFieldsTooLarge, "header_fields_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large",
    "The request line and headers together have more bytes than are taken, or there are more than a hundred headers.",
    "Look for cookies or tracing headers that a proxy adds without bound, and remove them on the way to hooklog.";

    InternalError, "internal_error", INTERNAL_SERVER_ERROR, "hooklog failed",
    "Something went wrong inside hooklog that is no fault of the request. The log of the process has the reason under \
     the request id that is in `instance`.",
    "Try once more. If it stays, give an operator the request id. An event that was not answered with 202 or 200 is \
     not acknowledged: send it again with the same id, and it is kept once.";

    QueueFull, "queue_full", SERVICE_UNAVAILABLE, "More comes in than can be written",
    "More bytes wait to be written to the log than it may hold in memory. Nothing of this request was taken.",
    "Wait as long as `retry-after` says and send the same request again, with the same ids. If it stays, the disk is \
     too slow for the load: see `GET /api/v1/status`.";

    DiskFull, "disk_full", SERVICE_UNAVAILABLE, "The disk is nearly full",
    "The disk of the data directory has less room than hooklog reserves, or the log has reached its limit. New events \
     are refused before it is really full; deliveries and settings go on.",
    "Make room, enlarge the volume, or lower `log.retention.max_age` or `log.retention.max_bytes`. hooklog takes \
     events again by itself as soon as there is room; a restart is not needed.";

    ShuttingDown, "shutting_down", SERVICE_UNAVAILABLE, "hooklog is stopping",
    "The process was told to stop. It finishes what is in flight and takes nothing new.",
    "Send the request again in a few seconds: to the process that takes over, or to this one after its restart. \
     Nothing that was acknowledged is lost.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::StatusCode;

    use super::Code;

    #[test]
    fn every_code_is_unique_lower_snake_and_found_by_its_text() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
        assert_eq!(Code::parse("no_such_code"), None);
    }

    #[test]
    fn every_code_has_an_error_status_a_title_a_cause_and_a_remedy() {
        let titles: BTreeSet<&str> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!(titles.len(), Code::ALL.len(), "two codes with one title cannot be told apart by a person");
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code}");
            assert!(!code.title().ends_with('.'), "{code}: a title has no full stop");
            for paragraph in [code.cause(), code.remedy()] {
                assert!(paragraph.len() > 40 && paragraph.ends_with('.'), "{code}: {paragraph}");
                assert!(!paragraph.contains("  ") && !paragraph.contains('\n'), "{code}: {paragraph}");
            }
        }
    }

    #[test]
    fn codes_stand_in_the_order_of_their_status() {
        assert!(Code::ALL.is_sorted_by_key(|code| code.status().as_u16()));
    }

    #[test]
    fn a_bare_status_finds_a_code_of_the_same_status_or_the_general_one() {
        for number in 400..600 {
            let status = StatusCode::from_u16(number).unwrap();
            let found = Code::of_status(status);
            let general = if number < 500 { Code::BadRequest } else { Code::InternalError };
            assert!(found.status() == status || found == general, "{number}");
        }
        assert_eq!(Code::of_status(StatusCode::METHOD_NOT_ALLOWED), Code::MethodNotAllowed);
    }
}
