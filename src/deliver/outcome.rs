//! How one request ended, whose fault it was, and what that says of the event and of its endpoint.
//!
//! Not what happens next: the machine decides that from a [`Verdict`]. Nothing here does IO. Every way to end
//! has exactly one name, and that name is what History, metrics and the API show.

#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

/// Why a request brought no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptError {
    /// The receiver's name gave no address.
    DnsError,
    /// Nobody listens there.
    ConnectionRefused,
    /// The connection ended before there was a whole answer.
    ConnectionReset,
    /// No way leads there, or none leads out of the machine hooklog runs on.
    NetworkUnreachable,
    /// It took too long.
    Timeout,
    /// No safe channel to whom the address names could be made.
    TlsError,
    /// The receiver answered with a status that is no success.
    HttpStatus,
    /// The receiver wants the request sent elsewhere, which is never done.
    Redirect,
    /// The address is one that no request may go to.
    ForbiddenAddress,
    /// The receiver answered with something that is not HTTP/1.
    InvalidAnswer,
    /// hooklog itself ended the request.
    Cancelled,
    /// The endpoint's settings cannot be used: a secret is missing, or a header cannot be sent.
    InvalidSettings,
}

/// Who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// hooklog.
    Ours,
    /// Whoever runs the receiver, or wrote down its address.
    Endpoint,
    /// Whoever runs what lies between.
    Network,
}

/// What a request says of its event and of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The receiver took the event.
    Delivered,
    /// Not the event is at fault: any other would have fared the same.
    EndpointInTrouble,
    /// The receiver refused this event.
    EventRefused,
    /// The receiver said that it never wants this event.
    EventAborted,
    /// The receiver wants nothing any more: it answered 410, or said so.
    Unwanted,
    /// Nobody is at fault, and nothing is counted.
    Cancelled,
}

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver answered with success.
    Delivered {
        /// The status, 200 to 299.
        status: u16,
    },
    /// It did not, or there was no answer.
    Failed(Failure),
}

/// What is known of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub error: AttemptError,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// One sentence for people. Holds no secret: no query, no header, no body.
    pub detail: String,
    /// The receiver's own wish when to be asked again, at most [`RETRY_AFTER_MAX`].
    pub retry_after: Option<Duration>,
    /// What the receiver wants beyond its status.
    pub instruction: Option<Instruction>,
    /// How the answer's body begins, at most [`ANSWER_START_BYTES_MAX`].
    pub answer_start: Bytes,
}

/// What a receiver may want beyond its status: it says so in the header `webhook-delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// Give this event up now.
    Abort,
    /// Send nothing any more.
    Disable,
}

impl AttemptError {
    /// All of them, in the order of their numbers on disk.
    pub const ALL: [Self; 12] = [
        Self::DnsError,
        Self::ConnectionRefused,
        Self::ConnectionReset,
        Self::NetworkUnreachable,
        Self::Timeout,
        Self::TlsError,
        Self::HttpStatus,
        Self::Redirect,
        Self::ForbiddenAddress,
        Self::InvalidAnswer,
        Self::Cancelled,
        Self::InvalidSettings,
    ];

    /// Returns the name by which the outside knows it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::DnsError => "dns_error",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionReset => "connection_reset",
            Self::NetworkUnreachable => "network_unreachable",
            Self::Timeout => "timeout",
            Self::TlsError => "tls_error",
            Self::HttpStatus => "http_status",
            Self::Redirect => "redirect",
            Self::ForbiddenAddress => "forbidden_address",
            Self::InvalidAnswer => "invalid_answer",
            Self::Cancelled => "cancelled",
            Self::InvalidSettings => "invalid_settings",
        }
    }

    /// Returns the one of this name.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.code() == code)
    }

    /// Returns what it is in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::DnsError => "The name has no address",
            Self::ConnectionRefused => "Connection refused",
            Self::ConnectionReset => "The connection was cut",
            Self::NetworkUnreachable => "No way leads there",
            Self::Timeout => "It took too long",
            Self::TlsError => "No safe channel",
            Self::HttpStatus => "Not accepted",
            Self::Redirect => "Redirects are not followed",
            Self::ForbiddenAddress => "An address hooklog does not send to",
            Self::InvalidAnswer => "The answer is not HTTP",
            Self::Cancelled => "Ended by hooklog",
            Self::InvalidSettings => "Settings that cannot be used",
        }
    }

    /// Returns who has to do something about it.
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::Cancelled | Self::InvalidSettings => Fault::Ours,
            Self::DnsError | Self::NetworkUnreachable => Fault::Network,
            Self::ConnectionRefused
            | Self::ConnectionReset
            | Self::Timeout
            | Self::TlsError
            | Self::HttpStatus
            | Self::Redirect
            | Self::ForbiddenAddress
            | Self::InvalidAnswer => Fault::Endpoint,
        }
    }
}

impl fmt::Display for AttemptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl Failure {
    /// Makes the failure of a request that got no answer.
    #[must_use]
    pub fn without_answer(error: AttemptError, detail: impl Into<String>) -> Self {
        Self {
            error,
            status: None,
            detail: detail.into(),
            retry_after: None,
            instruction: None,
            answer_start: Bytes::new(),
        }
    }

    fn verdict(&self) -> Verdict {
        match self.instruction {
            Some(Instruction::Abort) => return Verdict::EventAborted,
            Some(Instruction::Disable) => return Verdict::Unwanted,
            None => {}
        }
        match self.error {
            AttemptError::Cancelled => Verdict::Cancelled,
            AttemptError::HttpStatus => self.status.map_or(Verdict::EndpointInTrouble, Verdict::of_status),
            // A redirect is a route that moved: every other event would have been sent away, too.
            AttemptError::Redirect
            | AttemptError::DnsError
            | AttemptError::ConnectionRefused
            | AttemptError::ConnectionReset
            | AttemptError::NetworkUnreachable
            | AttemptError::Timeout
            | AttemptError::TlsError
            | AttemptError::ForbiddenAddress
            | AttemptError::InvalidAnswer
            | AttemptError::InvalidSettings => Verdict::EndpointInTrouble,
        }
    }
}

impl Verdict {
    /// Judges an answer by its status.
    ///
    /// Statuses that HTTP does not know, or that are no final answer, are the endpoint's trouble.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Unwanted,
            // Who may come, where the route is, how often to ask: nothing of it concerns this event.
            401 | 403 | 404 | 405 | 407 | 408 | 421 | 425 | 426 | 429 => Self::EndpointInTrouble,
            400..=499 => Self::EventRefused,
            _ => Self::EndpointInTrouble,
        }
    }
}

impl AttemptOutcome {
    /// Returns what the request says of its event and of its endpoint.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Delivered { .. } => Verdict::Delivered,
            Self::Failed(failure) => failure.verdict(),
        }
    }

    /// Returns what went wrong, if anything did.
    #[must_use]
    pub const fn error(&self) -> Option<AttemptError> {
        match self {
            Self::Delivered { .. } => None,
            Self::Failed(failure) => Some(failure.error),
        }
    }

    /// Returns the status, where there was an answer.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Delivered { status } => Some(*status),
            Self::Failed(failure) => failure.status,
        }
    }

    /// Returns the word under which metrics count it.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => DELIVERED,
            Self::Failed(failure) => failure.error.code(),
        }
    }
}

/// The word of metrics for success.
pub const DELIVERED: &str = "delivered";
/// How much of an answer's body is kept of a failure.
pub const ANSWER_START_BYTES_MAX: usize = 1024;
/// The longest wish of a receiver that is followed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::{AttemptError, AttemptOutcome, Failure, Verdict};

    fn answered(status: u16) -> Verdict {
        let error = if (300..400).contains(&status) { AttemptError::Redirect } else { AttemptError::HttpStatus };
        let failure = Failure { status: Some(status), ..Failure::without_answer(error, "") };
        AttemptOutcome::Failed(failure).verdict()
    }

    #[test]
    fn only_a_2xx_is_success() {
        for status in 100..=999 {
            assert_eq!(Verdict::of_status(status) == Verdict::Delivered, (200..300).contains(&status), "{status}");
        }
        assert_eq!(AttemptOutcome::Delivered { status: 204 }.verdict(), Verdict::Delivered);
    }

    #[test]
    fn what_speaks_of_the_endpoint_is_its_trouble_and_another_4xx_is_the_events() {
        let trouble = [401, 403, 404, 405, 407, 408, 421, 425, 426, 429];
        for status in 400..=499 {
            let expected = match status {
                410 => Verdict::Unwanted,
                _ if trouble.contains(&status) => Verdict::EndpointInTrouble,
                _ => Verdict::EventRefused,
            };
            assert_eq!(answered(status), expected, "{status}");
        }
        for status in (100..200).chain(300..400).chain(500..=999) {
            assert_eq!(answered(status), Verdict::EndpointInTrouble, "{status}");
        }
    }

    #[test]
    fn no_answer_is_trouble_and_our_own_end_is_nobodys() {
        for error in AttemptError::ALL {
            let expected =
                if error == AttemptError::Cancelled { Verdict::Cancelled } else { Verdict::EndpointInTrouble };
            assert_eq!(AttemptOutcome::Failed(Failure::without_answer(error, "")).verdict(), expected, "{error}");
        }
    }

    #[test]
    fn every_error_has_one_name_that_json_and_people_see() {
        for error in AttemptError::ALL {
            assert_eq!(serde_json::to_string(&error).unwrap(), format!("{:?}", error.code()));
            assert_eq!(AttemptError::of_code(error.code()), Some(error));
            assert!(error.title().len() > 5);
        }
        assert_eq!(AttemptError::of_code("nothing"), None);
    }
}
