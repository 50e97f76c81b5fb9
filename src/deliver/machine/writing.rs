//! When the machine's state is written down, and what goes into one write.
//!
//! Not the writing: one write is handed out at a time, and what happens meanwhile goes into the next. Numbers
//! are written at once, because requests wait for them; progress rides along, or goes by itself a little
//! later, because all that its loss costs is that something is sent twice.

use std::time::Duration;

use crate::model::{Aside, Offset, Sequence};
use crate::runtime::Monotonic;

use super::Machine;
use super::action::{Action, GivenUp};
use super::aside::AsideChange;
use super::course::Course;
use super::input::Now;
use super::replaying::Ending;
use super::saved::Saved;

/// What waits to be written, and what is on its way.
#[derive(Debug, Default)]
pub(super) struct Writing {
    under_way: Option<UnderWay>,
    last_ticket: u64,
    /// Before which progress is not written by itself.
    not_before: Monotonic,
    pub(super) is_dirty: bool,
    /// Whether somebody waits until what has changed is on disk.
    pub(super) is_urgent: bool,
    pub(super) given_up: Vec<GivenUp>,
}

#[derive(Debug)]
struct UnderWay {
    ticket: u64,
    /// The highest number of the batch, where it has rows.
    numbers_to: Option<Sequence>,
    /// Whether it says of events that they ended without being delivered, or began again.
    has_ends: bool,
    /// The events that it says were set aside, or are so no more.
    asides: Vec<(Offset, Option<Aside>)>,
}

impl Machine {
    /// Whether nothing is left to write down: the process may end.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.writing.under_way.is_none() && !self.has_progress() && !self.has_rows()
    }

    /// Returns whether rows of given up events are not as the events are.
    #[must_use]
    pub fn has_unwritten_ends(&self) -> bool {
        self.live.parking.has_unwritten_ends()
            || self.writing.under_way.as_ref().is_some_and(|under_way| under_way.has_ends)
    }

    /// Returns the ticket of the write that has everything which has changed so far.
    #[must_use]
    pub fn covering_ticket(&self) -> u64 {
        self.writing.last_ticket + u64::from(self.has_progress() || self.has_rows())
    }

    /// Returns what events are set aside as whose rows may not say so yet; none where they are so no more.
    pub(super) fn unwritten_asides(&self) -> impl Iterator<Item = (Offset, Option<Aside>)> {
        let under_way = self.writing.under_way.iter().flat_map(|under_way| &under_way.asides);
        under_way.copied().chain(self.live.parking.ends())
    }

    /// When progress is to be written, if there is any and nothing else brings it along.
    pub(super) fn write_due(&self) -> Option<Monotonic> {
        let is_waiting = self.writing.under_way.is_none() && self.has_progress();
        is_waiting.then_some(self.writing.not_before)
    }

    pub(super) fn write(&mut self, now: Now, actions: &mut Vec<Action>) {
        // Whoever reads that an event was given up finds its row a moment later.
        let is_urgent = self.writing.is_urgent || self.live.parking.has_unwritten_ends();
        let is_due = self.is_draining || is_urgent || now.monotonic >= self.writing.not_before;
        if self.writing.under_way.is_some() || !(self.has_rows() || self.has_progress() && is_due) {
            return;
        }
        let ticket = self.writing.last_ticket + 1;
        if let Some(replaying) = &mut self.replay
            && replaying.ending == Ending::Open
            && replaying.course.is_finished()
        {
            replaying.ending = Ending::Writing(ticket);
        }
        let numbers = {
            let Course { sequences, lanes, .. } = &mut self.live;
            let in_lanes = lanes.entries().filter(|entry| entry.sequence.0 > 0 && !entry.is_parked);
            let in_lanes = in_lanes.map(|entry| entry.sequence);
            sequences.as_mut().expect("the live course has numbers").take_write(in_lanes)
        };
        let saved = Saved {
            boot: self.boot,
            since: self.since,
            sequences: numbers.saved,
            moves: self.moves,
            is_in_trouble: self.is_in_trouble(),
            listed_from: self.listed_from,
            live: self.live.saved(now),
            replay: self.replay.as_ref().map(|replaying| replaying.saved(now)),
        };
        let has_ends = self.live.parking.has_unwritten_ends();
        let anew_from = self.live.parking.anew_from.take();
        let asides = self.live.take_asides(now);
        let runs = self.live.runs.take();
        self.courses_mut().for_each(|course| course.is_dirty = false);
        let given_up = std::mem::take(&mut self.writing.given_up);
        let is_sync = numbers.is_sync || self.writing.is_urgent;
        self.writing = Writing {
            under_way: Some(UnderWay {
                ticket,
                numbers_to: numbers.rows.last().map(|(sequence, _)| *sequence),
                has_ends,
                asides: asides.iter().map(AsideChange::in_short).collect(),
            }),
            last_ticket: ticket,
            not_before: now.monotonic.plus(PROGRESS_EVERY),
            is_dirty: false,
            is_urgent: false,
            given_up: Vec::new(),
        };
        actions.push(Action::Write {
            ticket,
            saved: Box::new(saved),
            sequences: numbers.rows,
            anew_from,
            asides,
            runs,
            given_up,
            is_sync,
        });
    }

    pub(super) fn written(&mut self, ticket: u64) {
        let Some(under_way) = self.writing.under_way.take_if(|under_way| under_way.ticket == ticket) else { return };
        self.live.runs.written();
        if let Some(numbers_to) = under_way.numbers_to {
            self.live.written(numbers_to);
        }
        if let Some(replaying) = &mut self.replay
            && replaying.ending == Ending::Writing(ticket)
        {
            replaying.ending = Ending::Written;
        }
    }

    fn has_rows(&self) -> bool {
        self.live.sequences.as_ref().is_some_and(super::Sequences::has_rows)
    }

    fn has_progress(&self) -> bool {
        self.writing.is_dirty || self.writing.is_urgent || self.courses().any(|course| course.is_dirty)
    }
}

/// Often enough that a kill sends little twice; seldom enough that a busy endpoint does not write for each
/// answer.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
