//! An event as filters see it, and what became of it.
//!
//! Not the event of the log: the filters before this one may have rewritten its payload, and rights have
//! taken from it what the account may not see.

use bytestring::ByteString;

use crate::model::{AccountName, EventId, EventType, Timestamp};

use super::fault::Fault;
use super::verdict::Verdict;

/// An event on its way through a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's id.
    pub id: EventId,
    /// The event's type.
    pub event_type: EventType,
    /// The schema version of the type.
    pub version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Whose event it is.
    pub account: AccountName,
    /// The JSON text `{"actor": {…}, "data": {…}}`.
    pub payload: ByteString,
    /// Names and values that are a function of the event.
    pub attributes: Vec<(ByteString, ByteString)>,
}

/// What a filter came to about one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The verdict, or why there is none.
    pub result: Result<Verdict, Fault>,
    /// The fuel that it used; zero where the filter did not get to the event.
    pub fuel: u64,
    /// What the filter logged, up to 4 KiB.
    pub log: Vec<String>,
}

impl Evaluated {
    /// Makes the answer of a filter that never got to the event.
    pub(super) const fn never(fault: Fault) -> Self {
        Self { result: Err(fault), fuel: 0, log: Vec::new() }
    }

    /// Returns the word by which evaluations are counted.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match &self.result {
            Ok(verdict) => verdict.word(),
            Err(fault) => fault.code(),
        }
    }
}
