//! What an endpoint's machine asks the shell around it to do.
//!
//! Not done here: nothing in this folder sends, reads or writes. Actions are to be done in the order in
//! which they come; each of `Read`, `Attempt` and `Write` is answered by one input.

use crate::model::{Attempt, Offset, Sequence};

use super::aside::AsideChange;
use super::circuit::Outage;
use super::input::{CourseId, ReplayId};
use super::ledger::Ledger;
use super::runs::Run;
use super::saved::Saved;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Decide events by account and answer with `Input::Decided`. At most one at a time for each course.
    Read {
        /// For which course.
        course: CourseId,
        /// The first event.
        from: Offset,
        /// How many at most; never beyond the account's head as the machine knows it.
        limit: u32,
    },
    /// Make a request and answer with `Input::AttemptEnded`.
    Attempt {
        /// For which course.
        course: CourseId,
        /// The event.
        offset: Offset,
        /// Which request of this event it is.
        attempt: Attempt,
        /// The event's number; none in a replay.
        sequence: Option<Sequence>,
        /// Whether its lane went on without it.
        is_late: bool,
        /// Whether a person has asked for it after it was given up.
        is_redelivery: bool,
        /// Out of which share of all places it goes.
        share: Share,
    },
    /// End with `AttemptResult::Cancelled` whatever was asked for and has not begun: the endpoint is in trouble.
    Recall,
    /// Write down where things stand, all in one batch, and answer with `Input::Written`. At most one at a
    /// time.
    Write {
        /// What the answer names.
        ticket: u64,
        /// The whole state, in place of the last one.
        saved: Box<Saved>,
        /// Rows of `sequences`, to be added.
        sequences: Vec<(Sequence, Offset)>,
        /// The event at which the endpoint begins anew: rows that set it or a later one aside go first.
        anew_from: Option<Offset>,
        /// Rows of live events that were set aside, or are so no more.
        asides: Vec<AsideChange>,
        /// Rows of live events that were settled and not set aside.
        runs: Vec<Run>,
        /// Events that a replay has given up, to be added to its list.
        given_up: Vec<GivenUp>,
        /// Whether the batch must be on disk before it is answered: it reserves numbers ahead.
        is_sync: bool,
    },
    /// The endpoint's state is now another.
    Changed(State),
    /// The receiver wants nothing any more: switch the endpoint off by a command. The machine has already
    /// stopped.
    Disable,
    /// The receiver takes events again, after a minute or more in which it took none.
    Recovered(Outage),
    /// A replay has come to its end and this is written down: record it, then tell `Input::StopReplay`.
    ReplayEnded {
        /// The replay.
        replay: ReplayId,
        /// What became of its events.
        ledger: Ledger,
    },
}

/// What is known of a receiver, and so how much of all that may be in flight it may take up with others like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// It has taken something within the last minute.
    Answering,
    /// It has not: there was nothing to send, or it did not answer.
    Silent,
    /// It is in trouble, or was when the process before this one ended: this is the one request by which it is tried.
    /// One that a person has asked for goes as if it were silent.
    InTrouble,
}

/// An event that a replay has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// The replay.
    pub replay: ReplayId,
    /// The event.
    pub offset: Offset,
    /// The last HTTP status; `None` where it failed for the endpoint's reasons while others succeeded.
    pub status: Option<u16>,
}

/// How an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It gets what comes in.
    Live,
    /// It gets what has piled up.
    CatchingUp,
    /// It is in trouble and is probed.
    BackingOff,
    /// Nothing moves until a fault is mended, or the first event of a strict endpoint is taken.
    Held,
    /// A person has paused it.
    Paused,
    /// It is switched off.
    Disabled,
}
