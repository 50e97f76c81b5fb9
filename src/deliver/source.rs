//! The one port of delivery: who decides what becomes of an event, and makes its body.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::machine::{Decision, FilteredBy};
use crate::accounts::{AsOf, Endpoint, ReplayScope, RightsStamp};
use crate::model::{EventId, EventType, Offset, Position, Timestamp};
use crate::{accounts, log};

/// What is to become of one event, and where its record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecidedEvent {
    /// The position of its record, by which rows about it age; 0 where it is gone.
    pub position: Position,
    /// Its lane, and what is to become of it.
    pub decision: Decision,
}

/// An event made ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The position of its record.
    pub position: Position,
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// The version of its type.
    pub version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Its key.
    pub key: Option<ByteString>,
    /// The trace it belongs to.
    pub traceparent: Option<ByteString>,
    /// The body of the request.
    pub body: Bytes,
    /// The revision of the rights it was made under, as it is seen outside.
    pub rights: ByteString,
    /// By which settings and by which program.
    pub as_of: AsOf,
    /// Whether those rights still hold: no request begins with a body that was made under others.
    pub stamp: RightsStamp,
}

/// What there is to send of an event, at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// This.
    Ready(Box<Made>),
    /// Nothing: rights or a filter withhold it.
    Filtered(FilteredBy),
    /// Nothing: the chain did not answer properly.
    Fault,
    /// Nothing at this moment; ask again soon.
    Later,
    /// Nothing: retention took it.
    Gone,
    /// Nothing: it is older than the endpoint wants to be told of.
    TooOld,
}

/// On what occasion events are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// Their turn has come: what is older by then than the endpoint wants is not sent.
    InTurn,
    /// Somebody has asked for this one, however old it is.
    Asked,
    /// Somebody has asked for a stretch of the past, however old it is.
    Replay(Arc<ReplayScope>),
}

/// Decides and makes bodies.
pub trait Source: Send + Sync {
    /// Says what is to become of an endpoint's events from `from` on: at most `limit`, one decision an event,
    /// without a hole; those that retention took are `Gone`. May block for a read of the disk.
    ///
    /// # Errors
    /// Where the log or the rights cannot be read; it is asked again later.
    fn decide(
        &self,
        endpoint: &Endpoint,
        from: Offset,
        limit: u32,
        occasion: &Occasion,
    ) -> Result<Vec<DecidedEvent>, Undecided>;

    /// Makes the body of an event for an endpoint, by what holds now.
    fn body<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        offset: Offset,
        occasion: &'a Occasion,
    ) -> Pin<Box<dyn Future<Output = Body> + Send + 'a>>;
}

/// Why nothing can be decided at this moment.
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// What the account receives cannot be told.
    #[error(transparent)]
    Rights(#[from] accounts::Error),
}
