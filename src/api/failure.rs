//! From what a part could not do to what the caller is told.
//!
//! Two faces: the caller sees a code and what can be put right; what is hooklog's own fault goes to the log
//! of the process and the caller is told no more than that.

use crate::accounts::{self, Accounts};
use crate::catalog::Mistake;
use crate::log;
use crate::model::{EndpointName, Position};
use crate::security::UrlError;
use crate::web::{Code, FieldError, Problem};

/// Says why a command was not taken.
pub(super) fn of_accounts(accounts: &Accounts, error: accounts::Error) -> Problem {
    use accounts::Error;
    let told = |code: Code| Problem::new(code).detail(error.to_string());
    match &error {
        Error::AccountNotFound(_) => told(Code::AccountNotFound),
        Error::EndpointNotFound(_) => told(Code::EndpointNotFound),
        Error::NotFound { what: "token", .. } => told(Code::TokenNotFound),
        Error::NotFound { what: "replay", .. } => told(Code::JobNotFound),
        Error::NotFound { what: "signing key" | "type given by a call" | "revision of these rights", .. } => {
            told(Code::NotFound)
        }
        Error::NotFound { .. } => ours(&error),
        Error::Changed { revision: Position(0), .. } => {
            Problem::new(Code::PreconditionFailed).detail("there is nothing here that could have this revision")
        }
        Error::Changed { revision, at, by } => told(Code::PreconditionFailed)
            .with("revision", accounts.revision(*revision))
            .with("updatedAt", at.to_string())
            .with("updatedBy", by.label()),
        Error::Invalid { pointer, detail } => invalid(pointer, detail),
        Error::Url(problem) => of_url(problem).error(FieldError::new("/url", problem.to_string())),
        Error::Limit { .. } => told(Code::LimitReached),
        Error::Forbidden { missing, detail } => forbidden(missing.as_str(), detail),
        Error::NotNow(detail) => Problem::new(Code::InvalidRequest).detail(detail.clone()),
        Error::Catalog(mistakes) => of_catalog(mistakes),
        Error::Keystore(_) => ours(&error),
        Error::Log(problem) => of_log(problem.clone()),
    }
}

/// Says what is wrong with entries of a catalogue.
fn of_catalog(mistakes: &[Mistake]) -> Problem {
    let told = |mistake: &Mistake| format!("{}: {}", mistake.place, mistake.what);
    let problem = Problem::new(Code::InvalidRequest).detail(mistakes.first().map(told).unwrap_or_default());
    mistakes.iter().fold(problem, |problem, mistake| problem.error(FieldError::new("", told(mistake))))
}

/// Says why the log did not answer.
pub(super) fn of_log(error: log::Error) -> Problem {
    use log::Error;
    match &error {
        Error::QueueFull { .. } => Problem::new(Code::QueueFull).detail(error.to_string()),
        Error::DiskFull { .. } => Problem::new(Code::DiskFull).detail(error.to_string()),
        Error::Closed => Problem::new(Code::ShuttingDown),
        Error::Expired { oldest, .. } => {
            Problem::new(Code::RangeExpired).detail(error.to_string()).with("oldestOffset", oldest.0)
        }
        Error::Poisoned { .. }
        | Error::Locked { .. }
        | Error::LostRecords { .. }
        | Error::OtherLog { .. }
        | Error::NewerFormat { .. }
        | Error::Corrupt { .. }
        | Error::Inconsistent(_)
        | Error::Store { .. } => ours(&error),
    }
}

/// Says that a member of the body is wrong.
pub(super) fn invalid(pointer: &str, detail: &str) -> Problem {
    Problem::new(Code::InvalidRequest).detail(format!("{pointer}: {detail}")).error(FieldError::new(pointer, detail))
}

/// Says that a query parameter is wrong.
pub(super) fn invalid_parameter(name: &str, detail: &str) -> Problem {
    Problem::new(Code::InvalidParameter)
        .detail(format!("{name}: {detail}"))
        .error(FieldError::new(format!("?{name}"), detail))
}

/// Says which permission is missing, and why it is needed.
pub(super) fn forbidden(missing: &'static str, detail: &str) -> Problem {
    Problem::new(Code::Forbidden).detail(detail.to_owned()).with("missing", missing)
}

/// Says that an account has no endpoint of this name.
pub(super) fn endpoint_not_found(name: &EndpointName) -> Problem {
    Problem::new(Code::EndpointNotFound).detail(format!("there is no endpoint {:?}", name.as_str()))
}

/// Tells an address that is forbidden from one that is none.
pub(super) fn of_url(problem: &UrlError) -> Problem {
    let code = match problem {
        UrlError::Address(_) | UrlError::Localhost { .. } => Code::ForbiddenAddress,
        _ => Code::InvalidUrl,
    };
    Problem::new(code).detail(problem.to_string())
}

/// Notes a failure of hooklog's own and tells the caller no more than that.
pub(super) fn ours(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a request of the API failed");
    Problem::new(Code::InternalError)
}
