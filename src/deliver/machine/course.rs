//! One way through the log: what was read, what is settled, what waits where.
//!
//! Not the endpoint: circuit, window and policy are shared by the courses and stand in the machine. The same
//! type is the live course, which has numbers and never ends, and a replay, which has neither. Every event
//! between the start and the end is at any moment settled, in a lane, or unread.

use std::collections::BTreeMap;

use crate::model::{Attempt, Offset, Sequence};
use crate::runtime::Monotonic;

use super::backoff;
use super::cursor::Cursor;
use super::input::{CourseId, Decision, Now, Order, Outcome};
use super::lanes::{Entry, EntryId, Lanes, Reason, Standing};
use super::ledger::{Ledger, Settlement, Tally, Waiting};
use super::number_map::NumberMap;
use super::reading::Reading;
use super::saved::{RETRIES_MAX, SavedCourse, SavedRetry};
use super::sequence::Sequences;
use super::trial::Trial;

/// One way through the log.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) id: CourseId,
    /// The last offset before the first event.
    start: Offset,
    /// The last event there is: the account's head, or the end of the stretch.
    pub(super) end: Offset,
    pub(super) cursor: Cursor,
    /// Everything up to here was decided, and is settled or in a lane.
    pub(super) read_to: Offset,
    /// How many events above `read_to` were settled before a restart.
    pub(super) settled_ahead: u64,
    tally: Tally,
    pub(super) lanes: Lanes,
    pub(super) sequences: Option<Sequences>,
    trials: BTreeMap<Offset, Trial>,
    flights: NumberMap<Flight>,
    pub(super) faults: BTreeMap<Offset, EntryId>,
    pub(super) fault_row: FaultRow,
    pub(super) reading: Reading,
    /// Whether something that is written down has changed since it was.
    pub(super) is_dirty: bool,
}

/// A request that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) entry: EntryId,
    /// How many changes of rights there had been when its body was asked for.
    pub(super) rights: u64,
}

/// A request that is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Departure {
    pub(super) offset: Offset,
    pub(super) attempt: Attempt,
    pub(super) sequence: Option<Sequence>,
}

/// How many faults there were in a row: a chain that answers nothing holds the whole course.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct FaultRow {
    /// Among decisions.
    decided: u32,
    /// Among bodies.
    late: u32,
}

/// Where a course begins and ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// The last offset before the first event.
    pub(super) start: Offset,
    /// The last event.
    pub(super) end: Offset,
}

impl Course {
    /// Goes on where a course stood.
    pub(super) fn start(id: CourseId, stretch: Stretch, saved: SavedCourse, order: Order, now: Now) -> Self {
        let SavedCourse { cursor, tally, retries } = saved;
        let trials = retries.into_iter().map(|retry| {
            // Wall time may have been set back since: nothing waits longer than it ever would have.
            let due = retry.due.map(|due| now.monotonic.plus(due.since(now.wall).min(backoff::RETRY_WAIT_MAX)));
            (retry.offset, Trial::go_on(retry.attempts, retry.refusals, due))
        });
        Self {
            id,
            start: stretch.start,
            end: stretch.end.max(cursor.highest()),
            read_to: cursor.low(),
            settled_ahead: u64::from(cursor.settled_above()),
            trials: trials.filter(|(offset, _)| !cursor.is_settled(*offset)).collect(),
            cursor,
            tally,
            lanes: Lanes::new(order),
            sequences: None,
            flights: NumberMap::default(),
            faults: BTreeMap::new(),
            fault_row: FaultRow::default(),
            reading: Reading::default(),
            is_dirty: false,
        }
    }

    pub(super) fn saved(&self, now: Now) -> SavedCourse {
        let retries = self.trials.iter().take(RETRIES_MAX).map(|(offset, trial)| SavedRetry {
            offset: *offset,
            attempts: trial.attempts,
            refusals: trial.refusals,
            due: trial.due.map(|due| now.wall.plus(due.since(now.monotonic))),
        });
        SavedCourse { cursor: self.cursor.clone(), tally: self.tally, retries: retries.collect() }
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn ledger(&self) -> Ledger {
        let waiting = Waiting { unread: self.unread(), ..self.lanes.waiting() };
        Ledger { accepted: self.end.0.saturating_sub(self.start.0), tally: self.tally, waiting }
    }

    /// Returns how many events were not looked at yet.
    pub(super) const fn unread(&self) -> u64 {
        self.end.0 - self.read_to.0 - self.settled_ahead
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    pub(super) fn flights(&self) -> impl Iterator<Item = Offset> {
        self.flights.keys().copied().map(Offset)
    }

    /// Whether all of a stretch is settled.
    pub(super) const fn is_finished(&self) -> bool {
        self.cursor.low().0 >= self.end.0
    }

    /// Whether so many faults came in a row that the chain must be mended first.
    pub(super) const fn is_held(&self) -> bool {
        self.fault_row.decided >= FAULTS_IN_A_ROW_MAX || self.fault_row.late >= FAULTS_IN_A_ROW_MAX
    }

    /// Takes decisions in: of new events, and again of those that are faulted.
    pub(super) fn take(&mut self, from: Offset, decisions: &[Decision], now: Monotonic) {
        for (offset, decision) in (from.0..).map(Offset).zip(decisions) {
            if offset <= self.read_to {
                self.decide_again(offset, decision.outcome, now);
            } else if offset == self.read_to.next() && offset <= self.cursor.limit().min(self.end) {
                self.decide(offset, *decision, now);
            } else {
                return;
            }
        }
    }

    fn decide(&mut self, offset: Offset, decision: Decision, now: Monotonic) {
        self.read_to = offset;
        if self.settled_ahead > 0 && self.cursor.is_settled(offset) {
            self.settled_ahead -= 1;
            return;
        }
        match decision.outcome {
            Outcome::Pass => {
                self.fault_row.decided = 0;
                self.admit(offset, decision.lane, now);
            }
            Outcome::Filtered(by) => {
                self.fault_row.decided = 0;
                self.settle(offset, Settlement::Filtered(by));
            }
            Outcome::Gone => self.settle(offset, Settlement::Expired),
            Outcome::Fault => {
                self.fault_row.decided += 1;
                let known = self.sequences.as_mut().and_then(|sequences| sequences.take_known(offset));
                let entry = self.push(offset, known.unwrap_or_default(), decision.lane, Standing::Faulted);
                self.faults.insert(offset, entry);
            }
        }
    }

    fn decide_again(&mut self, offset: Offset, outcome: Outcome, now: Monotonic) {
        let Some(entry) = self.faults.get(&offset).copied() else { return };
        match outcome {
            Outcome::Fault => {
                self.fault_row.decided += 1;
                return;
            }
            Outcome::Pass => {
                self.fault_row.decided = 0;
                self.pass_at_last(entry, now);
            }
            Outcome::Filtered(by) => {
                self.fault_row.decided = 0;
                self.settle_entry(entry, Settlement::Filtered(by));
            }
            Outcome::Gone => self.settle_entry(entry, Settlement::Expired),
        }
        self.faults.remove(&offset);
    }

    /// Gives a new event its number and its place at the end of its lane.
    fn admit(&mut self, offset: Offset, key: Option<u64>, now: Monotonic) {
        let sequence = self.number(offset);
        let entry = self.push(offset, sequence, key, self.standing_of(offset, sequence, now));
        self.await_written(entry);
    }

    /// Gives an event that was faulted the number it lacks; its place it has kept.
    fn pass_at_last(&mut self, id: EntryId, now: Monotonic) {
        let Entry { offset, mut sequence, .. } = *self.lanes.entry(id);
        if sequence == Sequence::default() {
            sequence = self.number(offset);
            self.lanes.give_number(id, sequence);
        }
        self.lanes.set(id, self.standing_of(offset, sequence, now));
        self.await_written(id);
    }

    fn push(&mut self, offset: Offset, sequence: Sequence, key: Option<u64>, standing: Standing) -> EntryId {
        let entry = self.lanes.push(offset, sequence, key, standing);
        if !self.trials.is_empty() && self.trials.contains_key(&offset) {
            self.lanes.mark_tried(entry);
        }
        entry
    }

    fn number(&mut self, offset: Offset) -> Sequence {
        self.sequences.as_mut().map_or_else(Sequence::default, |sequences| sequences.number(offset))
    }

    /// How an event that passes stands: it may have to wait for its number, or for its next try.
    fn standing_of(&self, offset: Offset, sequence: Sequence, now: Monotonic) -> Standing {
        if self.sequences.as_ref().is_some_and(|sequences| !sequences.is_written(sequence)) {
            return Standing::Unwritten;
        }
        let trial = if self.trials.is_empty() { None } else { self.trials.get(&offset) };
        match trial.and_then(|trial| trial.due) {
            Some(due) if due > now => Standing::Waiting(due, Reason::Refused),
            Some(_) | None => Standing::Queued,
        }
    }

    fn await_written(&mut self, id: EntryId) {
        let entry = self.lanes.entry(id);
        if entry.standing == Standing::Unwritten
            && let Some(sequences) = &mut self.sequences
        {
            sequences.await_written(entry.sequence, id);
        }
    }

    /// Hears that numbers up to this one are written: their events may go.
    pub(super) fn written(&mut self, to: Sequence) {
        let Some(sequences) = &mut self.sequences else { return };
        sequences.written(to);
        while let Some(entry) = sequences.next_written() {
            self.lanes.set(entry, Standing::Queued);
        }
    }

    /// Takes the event whose turn it is and notes that it leaves.
    pub(super) fn depart(&mut self, entry: EntryId, rights: u64) -> Departure {
        let Entry { offset, sequence, was_tried, .. } = *self.lanes.entry(entry);
        self.flights.insert(offset.0, Flight { entry, rights });
        let before = if was_tried { self.trials.get(&offset).map_or(0, |trial| trial.attempts) } else { 0 };
        let sequence = self.sequences.is_some().then_some(sequence);
        Departure { offset, attempt: Attempt(before).next(), sequence }
    }

    /// Takes back the note of a request that has ended.
    pub(super) fn arrive(&mut self, offset: Offset) -> Option<Flight> {
        self.flights.remove(&offset.0)
    }

    pub(super) fn trial_mut(&mut self, entry: EntryId) -> &mut Trial {
        self.is_dirty = true;
        self.lanes.mark_tried(entry);
        self.trials.entry(self.lanes.entry(entry).offset).or_default()
    }

    /// Holds an event's lane until it is to be tried again.
    pub(super) fn hold(&mut self, entry: EntryId, until: Monotonic) {
        self.trial_mut(entry).due = Some(until);
        self.lanes.set(entry, Standing::Waiting(until, Reason::Refused));
    }

    /// Holds the lane of an event whose body could not be made.
    pub(super) fn fault(&mut self, entry: EntryId) {
        self.fault_row.late += 1;
        self.faults.insert(self.lanes.entry(entry).offset, entry);
        self.lanes.set(entry, Standing::Faulted);
    }

    /// Takes back refusals that were the endpoint's: the events go back to their lanes, in order.
    pub(super) fn pardon(&mut self, refused: &[(Offset, u32)]) {
        for (offset, refusals_before) in refused {
            if let Some(trial) = self.trials.get_mut(offset) {
                trial.refusals = *refusals_before;
                trial.due = None;
                trial.was_in_row = true;
            }
        }
        let is_meant = |offset| refused.iter().any(|(refused, _)| *refused == offset);
        self.lanes.wake_where(|entry, reason| reason == Reason::Refused && is_meant(entry.offset));
    }

    pub(super) fn settle_entry(&mut self, entry: EntryId, settlement: Settlement) {
        let offset = self.lanes.entry(entry).offset;
        self.lanes.remove(entry);
        self.settle(offset, settlement);
    }

    fn settle(&mut self, offset: Offset, settlement: Settlement) {
        let is_new = self.cursor.settle(offset);
        assert!(is_new, "event {offset} is settled twice");
        self.tally.count(settlement);
        self.is_dirty = true;
        if !self.trials.is_empty() {
            self.trials.remove(&offset);
        }
        if let Some(sequences) = &mut self.sequences {
            sequences.take_known(offset);
        }
    }

    /// Puts everything that is not settled back to unread, for lanes of another order.
    ///
    /// Nothing may be in flight. Numbers and tries are kept.
    pub(super) fn read_anew(&mut self, order: Order) {
        assert!(self.flights.is_empty(), "lanes are made anew only when nothing is in flight");
        let lanes = std::mem::replace(&mut self.lanes, Lanes::new(order));
        if let Some(sequences) = &mut self.sequences {
            sequences.forget_entries();
            let numbered = lanes.entries().filter(|entry| entry.sequence != Sequence::default());
            numbered.for_each(|entry| sequences.keep(entry.offset, entry.sequence));
        }
        self.faults.clear();
        self.fault_row = FaultRow::default();
        self.read_to = self.cursor.low();
        self.settled_ahead = u64::from(self.cursor.settled_above());
    }

    /// Gives back memory that a long queue has left.
    pub(super) fn trim(&mut self) {
        self.lanes.trim();
        self.cursor.trim();
        self.flights.shrink_to_fit();
        if let Some(sequences) = &mut self.sequences {
            sequences.trim();
        }
    }
}

#[cfg(test)]
impl Course {
    /// Looks for every event between the start and the end, and expects it in exactly one place.
    pub(super) fn audit(&self) {
        self.lanes.audit();
        let mut offsets: Vec<_> = self.lanes.entries().map(|entry| entry.offset).collect();
        offsets.sort_unstable();
        let unsettled = (self.cursor.low().0 + 1..=self.read_to.0).map(Offset);
        let unsettled: Vec<_> = unsettled.filter(|offset| !self.cursor.is_settled(*offset)).collect();
        assert_eq!(offsets, unsettled, "what was read and is not settled is in a lane, once");
        let ahead = (self.read_to.0 + 1..=self.end.0).map(Offset).filter(|offset| self.cursor.is_settled(*offset));
        assert_eq!(self.settled_ahead, ahead.count() as u64, "what is settled ahead is known");
        let standing = |is_meant: fn(&Standing) -> bool| -> std::collections::BTreeSet<_> {
            self.lanes.entries().filter(|entry| is_meant(&entry.standing)).map(|entry| entry.offset).collect()
        };
        assert_eq!(self.flights().collect::<std::collections::BTreeSet<_>>(), standing(|it| *it == Standing::InFlight));
        assert_eq!(
            self.faults.keys().copied().collect::<std::collections::BTreeSet<_>>(),
            standing(|it| *it == Standing::Faulted)
        );
        let is_known = |offset: &Offset| !self.cursor.is_settled(*offset);
        assert!(self.trials.keys().all(is_known), "tries of settled events are forgotten");
        self.ledger().check().expect("the ledger adds up");
    }
}

impl FaultRow {
    /// A request was made, so the chain has answered.
    pub(super) const fn body_was_made(&mut self) {
        self.late = 0;
    }

    /// Takes back what was counted since.
    pub(super) fn at_most(self, before: Self) -> Self {
        Self { decided: self.decided.min(before.decided), late: self.late }
    }

    /// The chain was changed: all is open again.
    pub(super) const fn chain_changed(&mut self) {
        self.decided = 0;
        self.late = 0;
    }
}

const FAULTS_IN_A_ROW_MAX: u32 = 10;
