//! The table of routes: everything that the API can do, each with what it needs.
//!
//! Nothing is routed that is not in here, and nothing is in here that is not built. `A` below stands for
//! `/accounts/{account}`, `E` for an endpoint of it, as in the contract.

use http::Method;

use super::route::{Needs, Route};
use super::{
    Options, account, activity, backtest, capture, catalog, conduct, dead_letter, delivery, endpoint, endpoint_test,
    event, explain, me, preview, process, replay, rights, secret, stream, token,
};
use crate::model::Permission;
use crate::web::Code;

macro_rules! at {
    () => {
        "/api/v1"
    };
    ($path:literal) => {
        concat!(at!(), $path)
    };
    (A $path:literal) => {
        concat!(at!(), "/accounts/{account}", $path)
    };
    (E $path:literal) => {
        concat!(at!(), "/accounts/{account}/endpoints/{endpoint}", $path)
    };
}

/// Returns every route, in the order of the document.
pub(super) fn table(options: &Options) -> Vec<Route> {
    [
        process_routes(options),
        account_routes(),
        token_routes(),
        endpoint_routes(),
        rights_routes(),
        catalog_routes(),
        history_routes(),
        dead_letter_routes(),
        replay_routes(),
        stream_routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const SETTINGS: Needs = Needs::Permission(Permission::Settings);
const ACCESS: Needs = Needs::Permission(Permission::Access);
const RIGHTS: Needs = Needs::Permission(Permission::Rights);
const DOCUMENTATION: Needs = Needs::Permission(Permission::Documentation);
const SECRETS: Needs = Needs::Permission(Permission::Secrets);
const HISTORY: Needs = Needs::Permission(Permission::History);
const REPLAY: Needs = Needs::Permission(Permission::Replay);
const LISTEN: Needs = Needs::Permission(Permission::Listen);

fn process_routes(options: &Options) -> Vec<Route> {
    let metrics_need = if options.metrics_need_token { Needs::Operator } else { Needs::Nothing };
    vec![
        Route::reads(at!("/me"), Needs::AnyToken, "Say who a token is", me::get),
        Route::reads(at!("/status"), Needs::Operator, "Say how everything does", process::status),
        Route::reads(at!("/problems"), Needs::AnyToken, "List all problem codes", process::codes),
        Route::reads(at!("/captures"), Needs::Operator, "List what the mapping did not understand", capture::list).says(
            "Requests to `/hooks` that could not be made events, as they came. A page looks at 10,000 records of the \
             log and may be empty with a `next`.",
        ),
        Route::reads(at!("/openapi.json"), Needs::Nothing, "Return this document", process::openapi),
        Route::reads("/livez", Needs::Nothing, "Say that the process lives", process::livez),
        Route::reads("/readyz", Needs::Nothing, "Say whether the process is ready", process::readyz).says(
            "503 before the first readiness and while draining. A receiver in trouble or a full disk is `degraded` and \
             still 200, unless `strict=1` asks for more.",
        ),
        Route::reads("/metrics", metrics_need, "Return the metrics", process::metrics)
            .says("In the OpenMetrics text format. On a listener outside loopback an operator's token is needed."),
        Route::reads("/problems/{code}", Needs::Nothing, "Explain a problem code", process::code)
            .says("A page with cause and remedy; JSON for who prefers it."),
    ]
}

fn account_routes() -> Vec<Route> {
    vec![
        Route::reads(at!("/accounts"), Needs::Operator, "List accounts by name", account::list),
        Route::writes(Method::PUT, at!(A ""), SETTINGS, "Make an account or replace its settings", account::put)
            .says(
                "Only an operator makes accounts, and only an operator changes `ratePerSecond` and `labels`. What is \
                 left out takes its default.",
            )
            .fails_with(&[Code::PreconditionFailed, Code::LimitReached]),
        Route::reads(at!(A ""), SETTINGS, "Return an account's settings", account::get),
        Route::writes(Method::PATCH, at!(A ""), SETTINGS, "Change an account's settings", account::patch)
            .fails_with(&[Code::PreconditionFailed]),
    ]
}

fn token_routes() -> Vec<Route> {
    vec![
        Route::reads(at!("/tokens"), Needs::Operator, "List the operator's tokens", token::list_of_operator),
        Route::writes(Method::POST, at!("/tokens"), Needs::Operator, "Make an operator's token", token::create_for_operator)
            .says("The token is in the answer, this once. It may do everything on every account.")
            .fails_with(&[Code::LimitReached]),
        Route::writes(Method::DELETE, at!("/tokens/{id}"), ACCESS, "Take a token back", token::delete_anywhere)
            .says("Any token for an operator; one of the own account for others.")
            .fails_with(&[Code::TokenNotFound]),
        Route::reads(at!(A "/tokens"), ACCESS, "List an account's tokens", token::list_of_account),
        Route::writes(Method::POST, at!(A "/tokens"), ACCESS, "Make a token of an account", token::create_for_account)
            .says(
                "The token is in the answer, this once. Whoever has `access` gives out every permission of the account.",
            )
            .fails_with(&[Code::LimitReached]),
        Route::writes(Method::DELETE, at!(A "/tokens/{id}"), ACCESS, "Take a token of an account back", token::delete_of_account)
            .fails_with(&[Code::TokenNotFound]),
    ]
}

fn endpoint_routes() -> Vec<Route> {
    vec![
        Route::reads(at!("/endpoints"), Needs::Operator, "List the endpoints of all accounts and how they do", conduct::list),
        Route::reads(at!(A "/endpoints"), SETTINGS, "List an account's endpoints", endpoint::list),
        Route::writes(Method::PUT, at!(E ""), SETTINGS, "Make an endpoint or replace its settings", endpoint::put)
            .says(
                "A new endpoint gets what comes in from now on. What is left out takes its default, secrets excepted: \
                 they stay. A kept secret goes to another scheme, host or port only with the permission `secrets`.",
            )
            .fails_with(&[Code::PreconditionFailed, Code::LimitReached, Code::InvalidUrl, Code::ForbiddenAddress]),
        Route::reads(at!(E ""), SETTINGS, "Return an endpoint's settings", endpoint::get)
            .says("Secrets are never shown: `passwordSet`, `tokenSet` and `valueSet` say that there is one."),
        Route::writes(Method::PATCH, at!(E ""), SETTINGS, "Change an endpoint's settings", endpoint::patch)
            .says("`auth` of another type takes the place of the present one as a whole.")
            .fails_with(&[Code::PreconditionFailed, Code::InvalidUrl, Code::ForbiddenAddress]),
        Route::writes(Method::DELETE, at!(E ""), SETTINGS, "Delete an endpoint", endpoint::delete)
            .says("Requests in flight end, and what waits is not sent. A new one of the same name shares nothing with it.")
            .fails_with(&[Code::PreconditionFailed]),
        Route::writes(Method::POST, at!(A "/endpoints/test"), SETTINGS, "Test settings that are not saved", endpoint_test::of_account)
            .says(
                "One request takes the true road: resolve, guard, connect, TLS, authenticate, send. 200 also where the \
                 receiver failed; answers within 8 seconds. `type` is the event's type, else `webhook.test`.",
            )
            .fails_with(&[Code::InvalidUrl, Code::ForbiddenAddress]),
        Route::writes(Method::POST, at!(E "/test"), SETTINGS, "Test an endpoint", endpoint_test::of_endpoint)
            .says(
                "`endpoint` changes its settings for this one request, as a merge patch would; a kept secret goes to \
                 another scheme, host or port only with the permission `secrets`. A test is no delivery: it is in no \
                 lane and no ledger, and carries no sequence number.",
            )
            .fails_with(&[Code::InvalidUrl, Code::ForbiddenAddress]),
        Route::reads(at!(E "/tests"), HISTORY, "List an endpoint's tests, the newest first", endpoint_test::list),
        Route::reads(at!(E "/status"), HISTORY, "Say how an endpoint does", conduct::status)
            .says("`accepted = delivered + filtered + waiting + givenUp + expired + skipped`."),
        Route::writes(Method::POST, at!(E "/pause"), SETTINGS, "Stop sending to an endpoint", conduct::pause)
            .says("Events wait; nothing is lost."),
        Route::writes(Method::POST, at!(E "/resume"), SETTINGS, "Go on sending to an endpoint", conduct::resume)
            .says("From where it stands: everything that waits is delivered, in order."),
        Route::writes(Method::POST, at!(E "/seek"), SETTINGS, "Move an endpoint to another place", conduct::seek)
            .says(
                "From there on everything is delivered, also what was delivered before: as soon as nothing is in \
                 flight, with new sequence numbers and a ledger that begins anew. What waited below is skipped.",
            )
            .fails_with(&[Code::RangeExpired, Code::InvalidRequest]),
        Route::writes(Method::POST, at!(E "/retry"), SETTINGS, "Send one request at once", conduct::retry)
            .says("For an endpoint in trouble, whose next probe would come later."),
        Route::reads(at!(E "/secret"), SECRETS, "Return the keys that requests are signed with", secret::get),
        Route::writes(Method::POST, at!(E "/secret/rotate"), SECRETS, "Make a new key", secret::rotate)
            .says("Keys before it sign too until the overlap ends.")
            .fails_with(&[Code::LimitReached]),
        Route::writes(Method::DELETE, at!(E "/secret/{id}"), SECRETS, "Take a key back", secret::delete)
            .says("One that signs beside a newer one; the newest is rotated instead.")
            .fails_with(&[Code::InvalidRequest]),
    ]
}

fn rights_routes() -> Vec<Route> {
    vec![
        Route::reads(at!(A "/rights"), RIGHTS, "Return an account's rights", rights::get)
            .says("Which types of events and which of their fields the account receives, and how."),
        Route::writes(Method::PUT, at!(A "/rights"), RIGHTS, "Save an account's rights", rights::put)
            .says(
                "They hold from the moment of the answer, also for what already waits. They are decided on the catalogue \
                 that `catalog` names, or the present one: what a later catalogue adds stays withheld until rights are \
                 saved on it. What has no effect, or another one than it seems, is answered in `warnings`.",
            )
            .fails_with(&[Code::PreconditionFailed, Code::LimitReached]),
        Route::writes(Method::PATCH, at!(A "/rights"), RIGHTS, "Change an account's rights", rights::patch)
            .says("They stay decided on the catalogue they were, unless `catalog` is null or names another.")
            .fails_with(&[Code::PreconditionFailed, Code::LimitReached]),
        Route::reads(at!(A "/rights/effective"), RIGHTS, "Say what an account receives", rights::effective)
            .says("Rights, ceiling and, if asked, an endpoint's own, merged to the stricter and told for every type and field.")
            .fails_with(&[Code::EndpointNotFound]),
        Route::reads(at!(A "/rights/pending"), RIGHTS, "Say what a newer catalogue would change", rights::list_pending)
            .says("Nothing of it happens until the rights are saved on the newer catalogue."),
        Route::reads(at!(A "/rights/history"), RIGHTS, "List an account's rights as they once were", rights::history)
            .says("The newest first, with who saved them and what differs from the ones before."),
        Route::writes(Method::POST, at!(A "/rights/restore"), RIGHTS, "Save earlier rights again", rights::restore)
            .says("As they were, on the catalogue they were decided on.")
            .fails_with(&[Code::PreconditionFailed]),
        Route::writes(Method::POST, at!(A "/rights/preview"), RIGHTS, "Say what rights would leave of an event", preview::preview)
            .says(
                "With `rights`, by those instead of the saved ones; of `event`, or of the one in the log at `offset`. The \
                 same component answers as for a delivery. `before` shows of a real event only the kinds of its values, \
                 unless the caller has `raw`.",
            )
            .fails_with(&[Code::EventNotFound, Code::RangeExpired, Code::LimitReached]),
        Route::writes(Method::POST, at!(A "/backtests"), RIGHTS, "Try rights over a stretch of the past", backtest::create)
            .says(
                "A job that compares what `rights` would leave of each event with what the saved ones leave. Nothing is \
                 saved and nothing is sent; no value of an event is in the result. Without `from`, the newest events. \
                 One runs at a time; it is kept until the process ends.",
            )
            .fails_with(&[Code::RangeExpired, Code::LimitReached]),
        Route::reads(at!(A "/backtests"), RIGHTS, "List backtests, the newest first", backtest::list),
        Route::reads(at!(A "/backtests/{id}"), RIGHTS, "Return a backtest", backtest::get)
            .says("With what it has found so far.")
            .fails_with(&[Code::JobNotFound]),
        Route::writes(Method::POST, at!(A "/backtests/{id}/cancel"), RIGHTS, "End a backtest", backtest::cancel)
            .says("What it has found stays.")
            .fails_with(&[Code::JobNotFound, Code::JobNotCancellable]),
        Route::reads(at!(A "/rights/ceiling"), Needs::Operator, "Return an account's ceiling", rights::get_ceiling)
            .says("What INO's contract with the account allows. What it does not name is no limit."),
        Route::writes(Method::PUT, at!(A "/rights/ceiling"), Needs::Operator, "Set an account's ceiling", rights::put_ceiling)
            .says("The account's rights are merged with it to the stricter. `{}` takes it away.")
            .fails_with(&[Code::PreconditionFailed, Code::LimitReached]),
    ]
}

fn catalog_routes() -> Vec<Route> {
    vec![
        Route::reads(at!("/catalog"), Needs::Operator, "Return the catalogue of types and fields", catalog::get)
            .says("With what was ever seen of each type, and the types that were seen and are not in it."),
        Route::reads(at!("/catalog/inferred"), Needs::Operator, "Draft what the catalogue lacks", catalog::inferred)
            .says(
                "From the newest 10,000 records of the log: types, fields, kinds of values, a suggested class of personal \
                 data. Examples are blanked: no value of an event is shown.",
            ),
        Route::writes(
            Method::PUT,
            at!("/catalog/types/{type}"),
            Needs::Operator,
            "Give the catalogue a type",
            catalog::put_type,
        )
        .says(
            "Or take the place of the one of that name. `fields` names known ones (`customer.*` for all in an object) \
                 or describes new ones. Accounts get nothing new of it until they save their rights on it.",
        )
        .fails_with(&[Code::PreconditionFailed]),
        Route::writes(
            Method::DELETE,
            at!("/catalog/types/{type}"),
            Needs::Operator,
            "Take a type back",
            catalog::delete_type,
        )
        .says("One that a call has given; one of the same name in a file shows again.")
        .fails_with(&[Code::PreconditionFailed, Code::NotFound]),
        Route::reads(at!(A "/catalog"), DOCUMENTATION, "Return the catalogue for an account", catalog::get_of_account)
            .says("With what was seen among the account's newest 10,000 events."),
    ]
}

fn history_routes() -> Vec<Route> {
    vec![
        Route::reads(at!(A "/events"), HISTORY, "List events", event::list)
            .says(
                "As the account's rights leave them; with `raw`, all of them. A page is full where there is that much; where \
                 a key and a type seldom meet it may have fewer items with a `next`. Without `raw` a search by key looks at 1,000 events a page and finds those that show that key.",
            )
            .fails_with(&[Code::RangeExpired]),
        Route::reads(at!(A "/events/{id}"), HISTORY, "Return an event", event::get)
            .says("By its id, or by its offset: `@41`. As the account's rights leave it; with `raw`, all of it.")
            .fails_with(&[Code::EventNotFound, Code::RangeExpired]),
        Route::reads(at!(A "/events/{id}/explain"), HISTORY, "Explain what became of an event", explain::one)
            .says(
                "For every endpoint: what became of it and why, by which rights, what they removed, and every request. \
                 With `payloads`, the bodies as they were sent.",
            )
            .fails_with(&[Code::EventNotFound, Code::RangeExpired]),
        Route::reads(at!(A "/explain"), HISTORY, "Explain what became of the events of a stretch", explain::search)
            .says(
                "Counted by endpoint, outcome and reason, and the first 100 one by one; where there are none, whether \
                 anything came from INO at all. Times are those of recording. It looks at 10,000 deliveries.",
            )
            .fails_with(&[Code::RangeExpired]),
        Route::reads(at!(A "/activity"), HISTORY, "Count what happened, step by step", activity::count)
            .says(
                "For charts: how many events came and what became of events, minute by minute or in longer steps. Events \
                 that came are counted from the log; the rest is what happened in that time, so what was given up and \
                 redelivered later is in both. What retention has taken is counted no more.",
            )
            .fails_with(&[Code::EndpointNotFound]),
        Route::reads(at!(A "/deliveries"), HISTORY, "List what became of events at endpoints", delivery::list)
            .says(
                "A page is full where there is that much, whatever `outcome` is asked for. Of one `error`, and of numbers, it \
                 looks at a bounded number and may have fewer items with a `next`. With `fromSequence` or \
                 `toSequence`, which need `endpoint`, every number is answered: those that no event got as `unused`.",
            )
            .fails_with(&[Code::EndpointNotFound, Code::RangeExpired]),
        Route::reads(at!(A "/deliveries/{endpoint}/{offset}"), HISTORY, "Return a delivery with its attempts", delivery::get)
            .fails_with(&[Code::DeliveryNotFound, Code::RangeExpired]),
    ]
}

fn dead_letter_routes() -> Vec<Route> {
    vec![
        Route::writes(
            Method::POST,
            at!(A "/deliveries/{endpoint}/{offset}/redeliver"),
            REPLAY,
            "Deliver an event after all",
            dead_letter::redeliver,
        )
        .says(
            "What was given up waits again, with its schedule anew and its own sequence number, and carries \
                 `hooklog-redelivery`; what waits for its next try is tried at once. Answered once it is on disk.",
        )
        .fails_with(&[Code::DeliveryNotFound, Code::NotRedeliverable, Code::LimitReached]),
        Route::writes(
            Method::POST,
            at!(A "/deliveries/{endpoint}/{offset}/discard"),
            REPLAY,
            "Give an event up",
            dead_letter::discard,
        )
        .says("A dead letter, or an event that waits or is held: its lane goes on. It can be redelivered later.")
        .fails_with(&[Code::DeliveryNotFound, Code::NotDiscardable]),
        Route::reads(at!(A "/dead-letters"), REPLAY, "List what was given up, the oldest first", dead_letter::list)
            .says("What was discarded is not among them. Of one `error` a page may have fewer items with a `next`.")
            .fails_with(&[Code::EndpointNotFound, Code::RangeExpired]),
        Route::writes(
            Method::POST,
            at!(A "/dead-letters/redeliver"),
            REPLAY,
            "Redeliver dead letters",
            dead_letter::redeliver_all,
        )
        .says("A job. It is forgotten when the process ends; what it has done stays done.")
        .fails_with(&[Code::EndpointNotFound, Code::RangeExpired, Code::LimitReached]),
        Route::writes(
            Method::POST,
            at!(A "/dead-letters/discard"),
            REPLAY,
            "Discard dead letters",
            dead_letter::discard_all,
        )
        .says("A job. It is forgotten when the process ends; what it has done stays done.")
        .fails_with(&[Code::EndpointNotFound, Code::RangeExpired, Code::LimitReached]),
        Route::reads(at!(A "/dead-letters/jobs"), REPLAY, "List such jobs, the newest first", dead_letter::list_jobs),
        Route::reads(at!(A "/dead-letters/jobs/{id}"), REPLAY, "Return such a job", dead_letter::get_job)
            .fails_with(&[Code::JobNotFound]),
        Route::writes(
            Method::POST,
            at!(A "/dead-letters/jobs/{id}/cancel"),
            REPLAY,
            "End such a job",
            dead_letter::cancel_job,
        )
        .says("What it has done stays done.")
        .fails_with(&[Code::JobNotFound, Code::JobNotCancellable]),
    ]
}

fn stream_routes() -> Vec<Route> {
    vec![
        Route::reads(at!(A "/stream"), LISTEN, "Stream events, after rights", stream::open)
            .says(
                "As `text/event-stream` it goes on until its reader leaves: `id` is the offset, `event` the type, `data` \
                 the body, with a comment at least every 15 s, and `last-event-id` goes on behind an event. Who must not \
                 miss one before the first begins with an offset. As `application/x-ndjson` it ends at `limit`, or at `waitMs` once all that is there was \
                 given; the last line says where to go on. Where rights cannot be asked, or the account is switched \
                 off, it stands still. It ends when the token does, and where retention has overtaken it.",
            )
            .fails_with(&[Code::EndpointNotFound, Code::RangeExpired, Code::NotAcceptable, Code::RateLimited]),
    ]
}

fn replay_routes() -> Vec<Route> {
    vec![
        Route::writes(Method::POST, at!(A "/replays"), REPLAY, "Deliver a stretch of the past again", replay::create)
            .says(
                "A job of its own: it touches neither the ledger nor the sequence numbers, and its requests carry \
                 `hooklog-replay`. One runs per endpoint, others queue.",
            )
            .fails_with(&[Code::EndpointNotFound, Code::RangeExpired]),
        Route::reads(at!(A "/replays"), REPLAY, "List replays, the newest first", replay::list),
        Route::reads(at!(A "/replays/{id}"), REPLAY, "Return a replay", replay::get).fails_with(&[Code::JobNotFound]),
        Route::writes(Method::POST, at!(A "/replays/{id}/pause"), REPLAY, "Pause a replay", replay::pause)
            .says("Nothing of it begins any more until it is resumed; others of its endpoint wait behind it.")
            .fails_with(&[Code::JobNotFound, Code::JobNotCancellable]),
        Route::writes(
            Method::POST,
            at!(A "/replays/{id}/resume"),
            REPLAY,
            "Go on with a paused replay",
            replay::resume,
        )
        .says("It goes on where it stands.")
        .fails_with(&[Code::JobNotFound, Code::JobNotCancellable]),
        Route::writes(Method::POST, at!(A "/replays/{id}/cancel"), REPLAY, "End a replay", replay::cancel)
            .says("What it has delivered stays delivered.")
            .fails_with(&[Code::JobNotFound, Code::JobNotCancellable]),
    ]
}
