//! What a course reads next, and how far ahead.
//!
//! Not the reading itself: it says which stretch to decide. One stretch at a time is asked for; new events
//! only while there is room for them, in the queue and below the cursor's limit; faulted ones again when the
//! chain has changed since they were decided.

use std::time::Duration;

use crate::model::Offset;
use crate::runtime::Monotonic;

use super::course::{Course, Taking};
use super::input::{Decision, Now};

/// The state of a course's reading.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The stretch that is asked for.
    asked: Option<Asked>,
    /// From which offset on faulted events are to be asked for again.
    faults_from: Option<Offset>,
    /// When to try again, after an answer with nothing in it.
    again_at: Option<Monotonic>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    from: Offset,
    length: u64,
    purpose: Purpose,
    /// Whether the chain has changed since it was asked for.
    is_stale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Events that were not looked at yet.
    Fresh,
    /// Events that were faulted.
    Faults,
}

impl Reading {
    /// Returns when to try again, if the last answer had nothing in it.
    pub(super) const fn again_at(&self) -> Option<Monotonic> {
        self.again_at
    }

    /// Returns whether a stretch is asked for and not answered.
    pub(super) const fn is_under_way(&self) -> bool {
        self.asked.is_some()
    }

    /// Returns whether nothing is asked for or about to be.
    #[cfg(test)]
    pub(super) const fn is_at_rest(&self) -> bool {
        self.asked.is_none() && self.again_at.is_none() && self.faults_from.is_none()
    }

    /// Hears that the endpoint's settings have changed since what is asked for was asked.
    pub(super) const fn settings_changed(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.is_stale = true;
        }
    }

    pub(super) fn ask_faults_from(&mut self, offset: Offset) {
        self.faults_from = Some(self.faults_from.map_or(offset, |from| from.min(offset)));
    }
}

impl Course {
    /// Hears that the account's last event is this one; a head never goes back.
    pub(super) fn head_moved(&mut self, head: Offset) {
        self.end = self.end.max(head);
    }

    /// Takes live events in, as far as they are the next ones and there is room.
    pub(super) fn offer(&mut self, from: Offset, decisions: &[Decision], queue_max: u64, now: Now) {
        let Some(last) = u64::try_from(decisions.len()).ok().filter(|count| *count > 0).map(|count| from.0 + count - 1)
        else {
            return;
        };
        self.head_moved(Offset(last));
        let next = self.read_to.next();
        let Some(known) = next.0.checked_sub(from.0).and_then(|known| usize::try_from(known).ok()) else { return };
        let room = usize::try_from(self.room(queue_max)).unwrap_or(usize::MAX);
        let fresh = decisions.get(known..).unwrap_or_default();
        let faults_before = self.faults.len();
        let row_before = self.fault_row;
        let taking = Taking { now, is_stale: true };
        self.take(next, fresh.get(..room).unwrap_or(fresh), taking);
        if self.faults.len() > faults_before {
            // An offer may have been decided before the last change of the chain: its faults are asked for once
            // more, and counted then.
            self.fault_row = self.fault_row.at_most(row_before);
            self.reading.ask_faults_from(next);
        }
    }

    /// Takes the answer to a read in; what was not asked for is ignored.
    pub(super) fn answered(&mut self, from: Offset, decisions: &[Decision], now: Now) {
        let Some(asked) = self.reading.asked.take_if(|asked| asked.from == from) else { return };
        let length = u64::try_from(decisions.len()).unwrap_or(u64::MAX);
        if asked.purpose == Purpose::Faults && length < asked.length {
            self.reading.ask_faults_from(Offset(from.0 + length));
        }
        if decisions.is_empty() {
            self.reading.again_at = Some(now.monotonic.plus(AGAIN_AFTER));
        }
        self.take(from, decisions, Taking { now, is_stale: asked.is_stale });
    }

    /// Hears that the chain has changed: what it could not answer is asked again.
    pub(super) fn rights_changed(&mut self) {
        self.fault_row.chain_changed();
        // What is asked for at this moment may still be of the old chain; its faults are included, because this
        // is looked at only when the answer is in.
        self.reading.ask_faults_from(Offset::default());
        if let Some(asked) = &mut self.reading.asked {
            asked.is_stale = true;
        }
    }

    /// Returns the stretch to be read now, its first offset and its length, and notes that it is asked for.
    pub(super) fn next_read(&mut self, queue_max: u64, now: Monotonic) -> Option<(Offset, u32)> {
        if self.reading.is_under_way() || self.reading.again_at.is_some_and(|at| at > now) {
            return None;
        }
        self.reading.again_at = None;
        let asked = self.faults_to_ask().or_else(|| self.fresh_to_read(queue_max))?;
        self.reading.asked = Some(asked);
        Some((asked.from, u32::try_from(asked.length).unwrap_or(u32::MAX)))
    }

    fn faults_to_ask(&mut self) -> Option<Asked> {
        let from = self.reading.faults_from.take()?;
        let first = self.faults.range(from..).next().map(|(first, _)| *first)?;
        let reach = first..Offset(first.0 + FAULTS_ASKED_MAX);
        let last = self.faults.range(reach).next_back().map_or(first, |(last, _)| *last);
        self.reading.faults_from = Some(last.next());
        Some(Asked { from: first, length: last.0 - first.0 + 1, purpose: Purpose::Faults, is_stale: false })
    }

    fn fresh_to_read(&mut self, queue_max: u64) -> Option<Asked> {
        // What was settled before a restart need not be decided again.
        while self.settled_ahead > 0 && self.cursor.is_settled(self.read_to.next()) {
            self.read_to = self.read_to.next();
            self.settled_ahead -= 1;
        }
        // What a read settles at once has rows that wait for the disk: it is not outrun.
        if self.parking.unwritten_ends() > UNWRITTEN_ENDS_MAX {
            return None;
        }
        // Half a queue at a time: reads are for many events, and the other half keeps the lanes busy.
        if self.lanes.active() > queue_max / 2 {
            return None;
        }
        let length = self.room(queue_max).min(self.end.0 - self.read_to.0);
        (length > 0).then(|| Asked { from: self.read_to.next(), length, purpose: Purpose::Fresh, is_stale: false })
    }

    /// How many more events may be taken in now.
    fn room(&self, queue_max: u64) -> u64 {
        if self.is_held() {
            return 0;
        }
        let below_limit = self.cursor.limit().0 - self.read_to.0;
        queue_max.saturating_sub(self.lanes.active()).min(below_limit)
    }
}

const UNWRITTEN_ENDS_MAX: usize = 4_096;
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Over how many offsets one read looks for faulted events.
const FAULTS_ASKED_MAX: u64 = 256;
