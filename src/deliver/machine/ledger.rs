//! What became of every event of a course, so that nothing is lost unnoticed.
//!
//! Not a remainder: `accepted` is a subtraction of offsets, `waiting` is counted from the queues, and that the
//! rest makes up the difference is checked, not assumed.

use super::input::FilteredBy;
use crate::model::codec::{Reader, Writer};
use crate::model::{CodecError, Offset, Sequence, Timestamp};

/// How the settled events of a course were settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Taken by the receiver.
    pub delivered: u64,
    /// How long the bodies of these were, taken together.
    pub delivered_bytes: u64,
    /// Withheld by rights or dropped by a filter.
    pub filtered: u64,
    /// Of these, those whose type the catalogue does not know.
    pub withheld_unknown: u64,
    /// Given up, by us or by a person.
    pub given_up: u64,
    /// Taken by retention before they could be delivered.
    pub expired: u64,
    /// Passed over by a person, or of types that were not asked for.
    pub skipped: u64,
}

/// How one event was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settlement {
    Delivered { bytes: u64 },
    Filtered(FilteredBy),
    GivenUp,
    Expired,
    Skipped,
}

impl Tally {
    /// Nothing is settled yet.
    pub const NONE: Self = Self {
        delivered: 0,
        delivered_bytes: 0,
        filtered: 0,
        withheld_unknown: 0,
        given_up: 0,
        expired: 0,
        skipped: 0,
    };

    /// Returns how many events are settled.
    #[must_use]
    pub const fn settled(&self) -> u64 {
        self.delivered + self.filtered + self.given_up + self.expired + self.skipped
    }

    pub(super) const fn count(&mut self, settlement: Settlement) {
        match settlement {
            Settlement::Delivered { bytes } => {
                self.delivered += 1;
                self.delivered_bytes += bytes;
            }
            Settlement::Filtered(by) => {
                self.filtered += 1;
                if matches!(by, FilteredBy::Catalog) {
                    self.withheld_unknown += 1;
                }
            }
            Settlement::GivenUp => self.given_up += 1,
            Settlement::Expired => self.expired += 1,
            Settlement::Skipped => self.skipped += 1,
        }
    }

    /// So many events are gone.
    pub(super) const fn expire(&mut self, events: u64) {
        self.expired += events;
    }

    /// So many events were passed over.
    pub(super) const fn skip(&mut self, events: u64) {
        self.skipped += events;
    }

    /// An event that was given up waits again.
    pub(super) const fn take_back(&mut self) {
        self.given_up -= 1;
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let Self { delivered, filtered, given_up, expired, skipped, withheld_unknown, delivered_bytes } = *self;
        for count in [delivered, filtered, given_up, expired, skipped, withheld_unknown, delivered_bytes] {
            writer.fixed(count.to_be_bytes());
        }
    }

    /// Reads what [`Tally::encode`] has written, or what was written when there were fewer counts.
    pub(super) fn decode(reader: &mut Reader, counts: usize) -> Result<Self, CodecError> {
        let mut left = counts;
        let mut count = || {
            let is_there = left > 0;
            left = left.saturating_sub(1);
            if is_there { reader.fixed().map(u64::from_be_bytes) } else { Ok(0) }
        };
        Ok(Self {
            delivered: count()?,
            filtered: count()?,
            given_up: count()?,
            expired: count()?,
            skipped: count()?,
            withheld_unknown: count()?,
            delivered_bytes: count()?,
        })
    }
}

/// From where a ledger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The last event before the first that counts.
    pub offset: Offset,
    /// When that was decided.
    pub time: Timestamp,
    /// The first number that an event can have got since.
    pub sequence: Sequence,
}

impl Since {
    /// The ledger of an endpoint that has got nothing yet.
    #[must_use]
    pub const fn beginning(offset: Offset, time: Timestamp) -> Self {
        Self { offset, time, sequence: Sequence(1) }
    }
}

/// Where the events that wait are waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// In the log, not looked at yet.
    pub unread: u64,
    /// In a lane, free to go when their turn comes.
    pub queued: u64,
    /// Being sent.
    pub in_flight: u64,
    /// In a lane, until a due time or until a fault is mended.
    pub held: u64,
    /// Outside its lane, until its next try.
    pub parked: u64,
}

impl Waiting {
    /// Returns how many events wait.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.unread + self.queued + self.in_flight + self.held + self.parked
    }
}

/// A course's account of all its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ledger {
    /// How many events there are: the head, or the stretch's end, less the start.
    pub accepted: u64,
    /// What became of those that are settled.
    pub tally: Tally,
    /// Where the others are.
    pub waiting: Waiting,
}

/// A ledger that does not add up: events are lost or counted twice, which is a bug in hooklog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger does not add up: {accepted} accepted, {settled} settled, {waiting} waiting")]
pub struct LedgerMismatch {
    /// How many events there are.
    pub accepted: u64,
    /// How many are settled.
    pub settled: u64,
    /// How many wait.
    pub waiting: u64,
}

impl Ledger {
    /// Compares what was accepted with what is settled and what waits.
    ///
    /// # Errors
    /// Where they differ.
    pub const fn check(&self) -> Result<(), LedgerMismatch> {
        let (settled, waiting) = (self.tally.settled(), self.waiting.total());
        if self.accepted == settled + waiting {
            return Ok(());
        }
        Err(LedgerMismatch { accepted: self.accepted, settled, waiting })
    }
}
