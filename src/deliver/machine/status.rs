//! What a person is told of an endpoint.
//!
//! Only read-outs: nothing here changes anything. Names of errors and times of the last success are the
//! shell's, which has seen the answers.

use crate::model::{Aside, Offset, Timestamp};
use crate::runtime::Monotonic;

use super::Machine;
use super::action::State;
use super::input::{CourseId, Now, Order, ReplayId};
use super::lanes::{Entry, Standing};
use super::ledger::{Ledger, LedgerMismatch, Since};
use super::runs::Run;

/// How an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// In one word.
    pub state: State,
    /// Since when, of this start.
    pub since: Option<Timestamp>,
    /// All events up to this one are settled.
    pub cursor: Offset,
    /// The account's last event.
    pub head: Offset,
    /// When the next request goes by itself, if all requests wait for a moment.
    pub next_attempt_at: Option<Timestamp>,
    /// Requests under way, of replays too.
    pub in_flight: u32,
    /// Requests that may be under way now.
    pub window: u32,
    /// Events that wait because a fault has to be mended, of those that are held.
    pub faulted: usize,
    /// From where the ledger counts.
    pub ledger_since: Since,
    /// What became of the endpoint's events.
    pub ledger: Ledger,
}

/// What an endpoint knows of its events that is not on disk, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InHand {
    /// The events that were read and are not settled, lowest first.
    pub open: Vec<(Offset, Whereabouts)>,
    /// Above this one nothing was read.
    pub read_to: Offset,
    /// Runs that may not be written yet.
    pub runs: Vec<Run>,
    /// What events are set aside as whose rows may not say so yet; none where they are so no more.
    pub asides: Vec<(Offset, Option<Aside>)>,
    /// From which event on runs say how each was settled.
    pub listed_from: Offset,
}

/// Where one event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Settled, one way or another.
    Settled,
    /// In the log, not looked at yet.
    Unread,
    /// In a lane, free to go when its turn comes.
    Queued,
    /// Being sent.
    InFlight,
    /// Waiting in its lane for its next try.
    Waiting,
    /// Waiting outside its lane for its next try.
    Parked,
    /// Waiting for a fault to be mended.
    Faulted,
}

impl Whereabouts {
    const fn of(entry: &Entry) -> Self {
        match entry.standing {
            Standing::Unwritten | Standing::Queued | Standing::Waiting(..) if entry.is_parked => Self::Parked,
            Standing::Unwritten | Standing::Queued => Self::Queued,
            Standing::InFlight => Self::InFlight,
            Standing::Waiting(..) => Self::Waiting,
            Standing::Faulted => Self::Faulted,
        }
    }
}

impl Machine {
    /// Returns how the endpoint does.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let is_waiting = self.is_moving() && self.in_flight() == 0;
        let next = is_waiting.then(|| self.next_attempt()).flatten();
        Status {
            state: self.state(),
            since: self.told.map(|(_, since)| since),
            cursor: self.live.cursor.low(),
            head: self.live.end,
            next_attempt_at: next.map(|at| now.wall.plus(at.since(now.monotonic))),
            in_flight: u32::try_from(self.in_flight()).unwrap_or(u32::MAX),
            window: self.window.size(),
            faulted: self.live.faults.len(),
            ledger_since: self.since,
            ledger: self.live.ledger(),
        }
    }

    /// Returns what became of the endpoint's events.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.live.ledger()
    }

    /// Returns the replay that runs, or whose end is not on record, and what became of its events.
    #[must_use]
    pub fn replay_ledger(&self) -> Option<(ReplayId, Ledger)> {
        self.replay.as_ref().map(|replaying| (replaying.replay, replaying.course.ledger()))
    }

    /// Returns the lowest offset that this endpoint still needs from the log.
    #[must_use]
    pub fn needs_from(&self) -> Offset {
        let replay = self.replay.as_ref().map(|replaying| &replaying.course).filter(|course| !course.is_finished());
        let live = self.waits_from();
        replay.map_or(live, |course| course.cursor.low().next().min(live))
    }

    /// Returns an offset below which no live event waits.
    #[must_use]
    pub fn waits_from(&self) -> Offset {
        let next = self.live.cursor.low().next();
        self.live.parking.first().map_or(next, |parked| parked.min(next))
    }

    /// Returns the last live event whose decision was taken in.
    #[must_use]
    pub fn read_to(&self) -> Offset {
        Offset(self.live.end.0.saturating_sub(self.live.unread()))
    }

    /// Compares, for each course, what was accepted with what is settled and what waits.
    ///
    /// # Errors
    /// Where they differ, which is a bug in hooklog.
    pub fn check_ledger(&self) -> Result<(), LedgerMismatch> {
        self.courses().try_for_each(|course| course.ledger().check())
    }

    /// Returns where an event is, of the live course or of the replay that runs.
    #[must_use]
    pub fn whereabouts(&self, course: CourseId, offset: Offset) -> Option<Whereabouts> {
        let course = self.courses().find(|known| known.id == course)?;
        if course.cursor.is_settled(offset) && !course.parking.contains(offset) {
            return Some(Whereabouts::Settled);
        }
        if offset > course.read_to && !course.parking.contains(offset) {
            return Some(Whereabouts::Unread);
        }
        let entry = course.entry_at(offset).map(|id| course.lanes.entry(id));
        Some(entry.map_or(Whereabouts::Unread, Whereabouts::of))
    }

    /// Returns what is known of the live course's events and is not on disk, or is about to be.
    #[must_use]
    pub fn in_hand(&self) -> InHand {
        let entries = self.live.lanes.entries();
        let mut open: Vec<_> = entries.map(|entry| (entry.offset, Whereabouts::of(entry))).collect();
        open.sort_unstable_by_key(|(offset, _)| *offset);
        InHand {
            open,
            read_to: self.live.read_to,
            runs: self.live.runs.unwritten().collect(),
            asides: self.unwritten_asides().collect(),
            listed_from: self.listed_from,
        }
    }

    pub(super) fn state(&self) -> State {
        if !self.is_enabled {
            State::Disabled
        } else if self.is_paused {
            State::Paused
        } else if self.circuit.is_open() {
            State::BackingOff
        } else if self.live.is_held() || self.is_stuck() {
            State::Held
        } else if self.is_catching_up {
            State::CatchingUp
        } else {
            State::Live
        }
    }

    /// Whether the one lane of a strict endpoint is blocked.
    fn is_stuck(&self) -> bool {
        let lanes = &self.live.lanes;
        lanes.order() == Order::Strict && lanes.active() == 0 && lanes.waiting().held > 0
    }

    fn next_attempt(&self) -> Option<Monotonic> {
        if self.circuit.is_open() {
            return self.circuit.probe_at();
        }
        self.courses().filter_map(|course| course.lanes.next_timer()).min()
    }
}
