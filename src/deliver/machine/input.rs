//! What an endpoint's machine is told.
//!
//! Not what it does about it: that is `action`. Every input is a fact that has already happened or a wish
//! that has already been recorded; the machine never refuses one, it ignores what no longer fits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;

use super::aside::AsideEvent;
use crate::model::{Aside, Offset, Timestamp};
use crate::runtime::Monotonic;

/// One moment, on both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall time, for what is written down.
    pub wall: Timestamp,
    /// The monotonic time, for what is waited for.
    pub monotonic: Monotonic,
}

/// Which replay: the number of its job, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayId(pub u64);

/// Which of the two ways through the log something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CourseId {
    /// What comes in, in order, for ever.
    Live,
    /// A fixed stretch of the past, once more.
    Replay(ReplayId),
}

/// What the machine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Nothing new but the time: a wake-up that was asked for.
    Wake,
    /// The last event of the account is now this one.
    Head(Offset),
    /// Live events, decided. Taken only from the next one that was not read yet, and only while there is
    /// room; whatever is not taken moves the head and is read by account later.
    Offered {
        /// The offset of the first decision; the others follow without a hole.
        from: Offset,
        /// One decision for each event.
        decisions: Vec<Decision>,
    },
    /// The answer to an `Action::Read`. It may be shorter than asked for; with nothing in it the read is
    /// tried again a second later.
    Decided {
        /// For which course it was read.
        course: CourseId,
        /// The offset that was asked for, and of the first decision; the others follow without a hole.
        from: Offset,
        /// One decision for each event.
        decisions: Vec<Decision>,
    },
    /// An attempt has ended.
    AttemptEnded {
        /// To which course it belonged.
        course: CourseId,
        /// The event.
        offset: Offset,
        /// How it ended.
        result: AttemptResult,
    },
    /// What an `Action::Write` asked for is in the page cache, or on disk where it asked for a sync.
    Written {
        /// The ticket of that action.
        ticket: u64,
    },
    /// The endpoint's settings have changed.
    PolicyChanged(Policy),
    /// The endpoint was switched on.
    Enabled,
    /// The endpoint was switched off.
    Disabled,
    /// The endpoint was told to stand still.
    Paused,
    /// The endpoint was told to go on from where it stands.
    Resumed,
    /// Send one request now, whatever is waited for.
    Retry,
    /// Go on at another place. Ignored where it was done already.
    Move(Move),
    /// Deliver events after all that were given up.
    Redeliver(Vec<Letter>),
    /// Try an event at once that waits for its next try.
    TryNow(Offset),
    /// Give an event up. Ignored where it is being sent, or was not read yet.
    Discard {
        /// The event.
        offset: Offset,
        /// What is kept of it, where it is a dead letter.
        letter: Option<AsideEvent>,
        /// Who said so.
        who: ByteString,
    },
    /// The chain has changed: what it could not answer is asked again.
    RightsChanged,
    /// Deliver a stretch of the past again, or go on with it so. Ignored while another replay is known.
    Replay {
        /// The replay's job.
        replay: ReplayId,
        /// The first event of the stretch.
        from: Offset,
        /// The first event after the stretch; at most one above the head.
        to: Offset,
        /// How it is to go on.
        pacing: Pacing,
    },
    /// Forget a replay: it was cancelled, or its end is on record.
    StopReplay(ReplayId),
    /// So many of what is in flight still wait for a place and have not begun. Told before an attempt that ended.
    Waiting(usize),
    /// The process ends: finish what is in flight, write down where things stand, begin nothing.
    Draining,
}

/// How a replay goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pacing {
    /// Requests a second at most, spaced evenly; no limit of its own where there is none.
    pub rate_per_second: Option<NonZeroU32>,
    /// Whether nothing of it is to begin.
    pub is_paused: bool,
}

/// A person says where an endpoint is to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The how-manyth move of the endpoint this is, from 1.
    pub number: u64,
    /// Where it goes on.
    pub target: Target,
    /// Who said so.
    pub who: ByteString,
}

/// Where an endpoint goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Behind this event: what waits up to it is passed over, the ledger goes on.
    Past(Offset),
    /// At this event, whatever became of those from there on: the ledger begins anew, and they get new numbers.
    /// What waits below is passed over.
    Anew {
        /// The first event; at most one above the head.
        first: Offset,
        /// When that was decided.
        at: Timestamp,
    },
}

impl Target {
    /// Returns the last event that lies behind the endpoint then.
    #[must_use]
    pub const fn last_behind(self) -> Offset {
        match self {
            Self::Past(last) => last,
            Self::Anew { first, .. } => first.previous(),
        }
    }
}

/// An event that was given up, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The event.
    pub offset: Offset,
    /// Whether it is a dead letter or was discarded.
    pub aside: Aside,
    /// What is kept of it.
    pub event: AsideEvent,
}

/// What the chain says of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The hash of the event's key; `None` where it has no key, and so no order.
    pub lane: Option<u64>,
    /// What is to become of it.
    pub outcome: Outcome,
}

/// What the chain makes of an event, as of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is to be delivered.
    Pass,
    /// It is withheld by rights or dropped by a filter.
    Filtered(FilteredBy),
    /// The chain did not answer properly: the event waits until it does.
    Fault,
    /// Retention took it before it could be delivered.
    Gone,
    /// It is older than the endpoint wants to be told of.
    TooOld,
    /// It is of a type that was not asked for.
    OtherType,
}

/// What keeps an event from an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilteredBy {
    /// Rights or a custom filter.
    Chain,
    /// The catalogue that the rights were decided on does not know the event's type.
    Catalog,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver took it.
    Delivered {
        /// How long its body was.
        bytes: u64,
    },
    /// The endpoint is at fault: no answer, or one that speaks of the endpoint and not of this event.
    Trouble {
        /// The receiver's own wish, if it gave one.
        retry_after: Option<Duration>,
    },
    /// The receiver refused this event.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The receiver's own wish, if it gave one.
        retry_after: Option<Duration>,
    },
    /// The receiver said that it never wants this event.
    Aborted {
        /// The HTTP status.
        status: Option<u16>,
    },
    /// The receiver wants nothing any more (410, or it said so).
    Unwanted,
    /// We ended it ourselves, or never began it: nobody's fault, not counted.
    Cancelled,
    /// No request was made: asked for its body, the chain now filters the event.
    Filtered(FilteredBy),
    /// No request was made: asked for its body, the chain did not answer properly.
    Fault,
    /// No request was made: there is no body at this moment, ask again soon.
    Later,
    /// No request was made: retention took the event.
    Gone,
    /// No request was made: it is older by now than the endpoint wants to be told of.
    TooOld,
}

/// How the deliveries of an endpoint keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Events of one key stay in order; events without a key have none.
    ByKey,
    /// All events stay in order.
    Strict,
    /// No event waits for another.
    None,
}

/// What of an endpoint's settings decides when it is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What keeps its order.
    pub order: Order,
    /// Requests at the same time at most; 0 is taken as 1.
    pub in_flight_max: u32,
    /// Requests a second at most, spaced evenly; no limit where there is none.
    pub rate_per_second: Option<NonZeroU32>,
    /// How many different events refused in a row, with no success between, are the endpoint's trouble.
    pub refusals_in_a_row_max: u32,
    /// How long to wait after the first, second, … refusal of an event; after the last try it is given up.
    pub retry_schedule: Arc<[Duration]>,
    /// How long the lane of a refused event waits for it.
    pub lane_hold: Duration,
    /// Whether events that a filter does not answer for are given up, instead of waiting until it does.
    pub gives_up_faults: bool,
}
