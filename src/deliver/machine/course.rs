//! One way through the log: what was read, what is settled, what waits where.
//!
//! Not the endpoint: circuit, window and policy are shared by the courses and stand in the machine. The same
//! type is the live course, which has numbers and never ends, and a replay, which has neither. Every event
//! between the start and the end is at any moment settled, in a lane, or unread.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Attempt, Offset, Sequence, Settled};
use crate::runtime::Monotonic;

use super::aside::Cause;
use super::backoff;
use super::cursor::Cursor;
use super::input::{CourseId, Decision, Now, Order, Outcome};
use super::lanes::{Entry, EntryId, Lanes, Reason, Standing};
use super::ledger::{Ledger, Settlement, Tally, Waiting};
use super::number_map::NumberMap;
use super::parking::{End, PARKED_MAX, Parking};
use super::reading::Reading;
use super::runs::{Run, Runs};
use super::saved::{RETRIES_MAX, SavedCourse, SavedRetry};
use super::sequence::Sequences;
use super::trial::Trial;

/// One way through the log.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) id: CourseId,
    /// The last offset before the first event.
    pub(super) start: Offset,
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
    pub(super) trials: BTreeMap<Offset, Trial>,
    pub(super) parking: Parking,
    /// How events were settled that were not set aside; of live work alone.
    pub(super) runs: Runs,
    flights: NumberMap<Flight>,
    pub(super) faults: BTreeMap<Offset, EntryId>,
    pub(super) fault_row: FaultRow,
    pub(super) reading: Reading,
    /// Whether events that a filter does not answer for are given up.
    pub(super) gives_up_faults: bool,
    /// How long the lane of a refused event waits for it.
    pub(super) lane_hold: Duration,
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
    pub(super) is_late: bool,
    pub(super) is_redelivery: bool,
}

/// How many faults there were in a row: a chain that answers nothing holds the whole course.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct FaultRow {
    /// Among decisions.
    decided: u32,
    /// Among bodies.
    late: u32,
}

/// How decisions are taken in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taking {
    pub(super) now: Now,
    /// Whether the chain has changed since they were asked for.
    pub(super) is_stale: bool,
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
            parking: Parking::default(),
            runs: Runs::default(),
            flights: NumberMap::default(),
            faults: BTreeMap::new(),
            fault_row: FaultRow::default(),
            reading: Reading::default(),
            gives_up_faults: false,
            lane_hold: Duration::ZERO,
            is_dirty: false,
        }
    }

    pub(super) fn saved(&self, now: Now) -> SavedCourse {
        // Those of parked events are in their rows.
        let in_lanes = self.trials.iter().filter(|(offset, _)| !self.parking.contains(**offset));
        let retries = in_lanes.take(RETRIES_MAX).map(|(offset, trial)| SavedRetry {
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

    pub(super) const fn tally_mut(&mut self) -> &mut Tally {
        &mut self.tally
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
        let FaultRow { decided, late } = self.fault_row;
        !self.gives_up_faults && (decided >= FAULTS_IN_A_ROW_MAX || late >= FAULTS_IN_A_ROW_MAX)
    }

    /// Takes decisions in: of new events, and again of those that are faulted.
    pub(super) fn take(&mut self, from: Offset, decisions: &[Decision], taking: Taking) {
        for (offset, decision) in (from.0..).map(Offset).zip(decisions) {
            let mut decision = *decision;
            if taking.is_stale && decision.outcome == Outcome::TooOld {
                // How old it may be has perhaps been changed since: that is looked at again when its body is made.
                decision.outcome = Outcome::Pass;
            }
            // Of what is parked some may lie above what was read since a start.
            self.decide_again(offset, decision.outcome, taking);
            if offset == self.read_to.next() && offset <= self.cursor.limit().min(self.end) {
                self.decide(offset, decision, taking.now);
            }
        }
    }

    fn decide(&mut self, offset: Offset, decision: Decision, now: Now) {
        self.read_to = offset;
        if self.settled_ahead > 0 && self.cursor.is_settled(offset) {
            self.settled_ahead -= 1;
            return;
        }
        match decision.outcome {
            Outcome::Pass => {
                self.fault_row.decided = 0;
                self.admit(offset, decision.lane, now.monotonic);
            }
            Outcome::Filtered(by) => {
                self.fault_row.decided = 0;
                self.settle(offset, Settlement::Filtered(by));
            }
            Outcome::Gone => self.settle(offset, Settlement::Expired),
            Outcome::OtherType => self.settle(offset, Settlement::Skipped),
            Outcome::TooOld => self.end_unread(offset, now.wall),
            Outcome::Fault => {
                self.fault_row.decided += 1;
                let known = self.sequences.as_mut().and_then(|sequences| sequences.take_known(offset));
                let entry = self.push(offset, known.unwrap_or_default(), decision.lane, Standing::Faulted);
                self.faults.insert(offset, entry);
                if self.gives_up_faults {
                    // Once more, so that it is surely the present chain that does not answer.
                    self.reading.ask_faults_from(offset);
                }
            }
        }
    }

    fn decide_again(&mut self, offset: Offset, outcome: Outcome, taking: Taking) {
        if self.faults.is_empty() {
            return;
        }
        let Some(entry) = self.faults.get(&offset).copied() else { return };
        let is_asked_for = || self.trials.get(&offset).is_some_and(|trial| trial.is_asked);
        match if outcome == Outcome::TooOld && is_asked_for() { Outcome::Pass } else { outcome } {
            Outcome::Fault if self.gives_up_faults && !taking.is_stale => {
                self.give_up_fault(entry, taking.now);
            }
            Outcome::Fault => {
                self.fault_row.decided += 1;
                return;
            }
            Outcome::Pass => {
                self.fault_row.decided = 0;
                self.pass_at_last(entry, taking.now.monotonic);
            }
            Outcome::Filtered(by) => {
                self.fault_row.decided = 0;
                self.settle_entry(entry, Settlement::Filtered(by));
            }
            Outcome::Gone => self.settle_entry(entry, Settlement::Expired),
            Outcome::OtherType => self.settle_entry(entry, Settlement::Skipped),
            Outcome::TooOld => self.end_entry(entry, End::too_old(taking.now.wall)),
        }
        self.faults.remove(&offset);
    }

    /// Gives an event up that a filter did not answer for.
    fn give_up_fault(&mut self, entry: EntryId, now: Now) {
        self.end_entry(entry, End::dead_letter(Cause::FilterFault, None, now.wall));
    }

    /// Gives a new event its number and its place at the end of its lane.
    fn admit(&mut self, offset: Offset, key: Option<u64>, now: Monotonic) {
        let sequence = self.number(offset);
        let entry = self.push(offset, sequence, key, self.standing_of(offset, sequence, now));
        self.await_written(entry);
        self.wait_on(entry, now);
    }

    /// Goes on with the waiting of an event that was refused before it got into this lane.
    fn wait_on(&mut self, entry: EntryId, now: Monotonic) {
        if let Standing::Waiting(due, Reason::Refused) = self.lanes.entry(entry).standing {
            self.wait_for_next_try(entry, due, now);
        }
    }

    /// Gives an event that was faulted the number it lacks; its place it has kept.
    fn pass_at_last(&mut self, id: EntryId, now: Monotonic) {
        let Entry { offset, mut sequence, is_parked, .. } = *self.lanes.entry(id);
        if sequence == Sequence::default() {
            sequence = self.number(offset);
            self.lanes.give_number(id, sequence);
        }
        // A parked one that waited for the chain has waited long enough.
        let standing = if is_parked { Standing::Queued } else { self.standing_of(offset, sequence, now) };
        self.lanes.set(id, standing);
        self.await_written(id);
        if !is_parked {
            self.wait_on(id, now);
        }
    }

    fn push(&mut self, offset: Offset, sequence: Sequence, key: Option<u64>, standing: Standing) -> EntryId {
        let entry = self.lanes.push(offset, sequence, key, standing);
        if !self.trials.is_empty() && self.trials.contains_key(&offset) {
            self.lanes.mark_tried(entry);
        }
        entry
    }

    pub(super) fn number(&mut self, offset: Offset) -> Sequence {
        self.sequences.as_mut().map_or_else(Sequence::default, |sequences| sequences.number(offset))
    }

    /// How an event that passes stands: it may have to wait for its number, or for its next try.
    pub(super) fn standing_of(&self, offset: Offset, sequence: Sequence, now: Monotonic) -> Standing {
        if self.sequences.as_ref().is_some_and(|sequences| !sequences.is_written(sequence)) {
            return Standing::Unwritten;
        }
        let trial = if self.trials.is_empty() { None } else { self.trials.get(&offset) };
        match trial.and_then(|trial| trial.due) {
            Some(due) if due > now => Standing::Waiting(due, Reason::Refused),
            Some(_) | None => Standing::Queued,
        }
    }

    pub(super) fn await_written(&mut self, id: EntryId) {
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
        let Entry { offset, sequence, was_tried, is_parked, .. } = *self.lanes.entry(entry);
        self.flights.insert(offset.0, Flight { entry, rights });
        let trial = if was_tried { self.trials.get(&offset) } else { None };
        let (before, is_redelivery) = trial.map_or((0, false), |trial| (trial.attempts, trial.is_asked));
        let sequence = self.sequences.is_some().then_some(sequence);
        // Under strict order every event has its place, also one that had none when it was parked.
        let is_late = self.parking.is_late(offset) || is_parked && self.lanes.order() == Order::Strict;
        Departure { offset, attempt: Attempt(before).next(), sequence, is_late, is_redelivery }
    }

    /// Takes back the note of a request that has ended.
    pub(super) fn arrive(&mut self, offset: Offset) -> Option<Flight> {
        self.flights.remove(&offset.0)
    }

    pub(super) fn trial_mut(&mut self, entry: EntryId) -> &mut Trial {
        self.is_dirty = true;
        self.lanes.mark_tried(entry);
        let offset = self.lanes.entry(entry).offset;
        self.parking.changed(offset);
        self.trials.entry(offset).or_default()
    }

    /// Lets a refused event wait until it is to be tried again: its lane with it for so long, and then outside it.
    pub(super) fn wait_for_next_try(&mut self, entry: EntryId, due: Monotonic, now: Monotonic) {
        let lane_hold = self.lane_hold;
        let (is_parked, is_in_lane) = (self.lanes.entry(entry).is_parked, self.lanes.is_in_lane(entry));
        let trial = self.trial_mut(entry);
        trial.due = Some(due);
        let hold_until = *trial.hold_until.get_or_insert_with(|| now.plus(lane_hold));
        let waiting = Standing::Waiting(due, Reason::Refused);
        let keeps_place = self.lanes.order() == Order::Strict || matches!(self.id, CourseId::Replay(_));
        if is_parked || keeps_place || (is_in_lane && due <= hold_until) {
            self.lanes.set(entry, waiting);
        } else if is_in_lane && hold_until > now {
            self.lanes.set(entry, Standing::Waiting(hold_until, Reason::LaneHold));
        } else {
            self.park(entry, waiting);
        }
    }

    /// Goes on with what has waited long enough; returns whether there was anything.
    pub(super) fn wake_due(&mut self, now: Monotonic) -> bool {
        let Some((entry, reason)) = self.lanes.first_due(now) else { return false };
        if reason == Reason::LaneHold && self.parking.len() < PARKED_MAX {
            let due = self.trials.get(&self.lanes.entry(entry).offset).and_then(|trial| trial.due).unwrap_or(now);
            self.park(entry, Standing::Waiting(due, Reason::Refused));
        } else {
            self.lanes.set(entry, Standing::Queued);
        }
        true
    }

    /// Holds the lane of an event whose body could not be made.
    pub(super) fn fault(&mut self, entry: EntryId, now: Now, is_stale: bool) {
        if self.gives_up_faults && !is_stale {
            self.give_up_fault(entry, now);
            return;
        }
        self.fault_row.late += 1;
        let offset = self.lanes.entry(entry).offset;
        self.faults.insert(offset, entry);
        self.lanes.set(entry, Standing::Faulted);
        if is_stale {
            // Its body was asked for before the chain was changed: perhaps that has mended it.
            self.reading.ask_faults_from(offset);
        }
    }

    /// Hears whether events that a filter does not answer for are given up.
    pub(super) fn give_up_faults(&mut self, gives_up: bool) {
        if gives_up && !self.gives_up_faults {
            self.reading.ask_faults_from(Offset::default());
        }
        self.gives_up_faults = gives_up;
    }

    /// Takes back refusals that were the endpoint's: the events go back to their lanes, in order.
    pub(super) fn pardon(&mut self, refused: &[(Offset, u32)]) {
        for (offset, refusals_before) in refused {
            if let Some(trial) = self.trials.get_mut(offset) {
                trial.refusals = *refusals_before;
                trial.due = None;
                trial.hold_until = None;
                trial.was_in_row = true;
                self.parking.changed(*offset);
                self.is_dirty = true;
            }
        }
        let is_meant = |offset| refused.iter().any(|(refused, _)| *refused == offset);
        self.lanes.wake_where(|entry, reason| match reason {
            Reason::Refused | Reason::LaneHold => is_meant(entry.offset),
            Reason::Trouble | Reason::NoBody => false,
        });
    }

    pub(super) fn settle_entry(&mut self, entry: EntryId, settlement: Settlement) {
        let offset = self.lanes.entry(entry).offset;
        self.lanes.remove(entry);
        if !self.faults.is_empty() {
            self.faults.remove(&offset);
        }
        self.settle(offset, settlement);
    }

    pub(super) fn settle(&mut self, offset: Offset, settlement: Settlement) {
        let is_new = self.parking.remove(offset) || self.cursor.settle(offset);
        assert!(is_new, "event {offset} is settled twice");
        self.tally.count(settlement);
        self.is_dirty = true;
        self.note_settled(offset, settlement);
        if !self.trials.is_empty() {
            self.trials.remove(&offset);
        }
        if let Some(sequences) = &mut self.sequences {
            sequences.take_known(offset);
        }
    }

    /// Notes how an event was settled, where it is to be listed by that and has no row of its own.
    fn note_settled(&mut self, offset: Offset, settlement: Settlement) {
        if self.id != CourseId::Live {
            return;
        }
        let settled = match settlement {
            Settlement::Delivered { .. } => Settled::Delivered,
            Settlement::Filtered(_) if !self.trials.is_empty() && self.trials.contains_key(&offset) => {
                Settled::FilteredAfterAttempt
            }
            Settlement::Filtered(_) => Settled::Filtered,
            Settlement::GivenUp | Settlement::Expired | Settlement::Skipped => return,
        };
        self.runs.add(Run { settled, first: offset, last: offset });
    }

    /// Puts everything that is not settled back to unread, for lanes of another order.
    ///
    /// Nothing may be in flight. Numbers and tries are kept.
    pub(super) fn read_anew(&mut self, order: Order) {
        assert!(self.flights.is_empty(), "lanes are made anew only when nothing is in flight");
        let lanes = std::mem::replace(&mut self.lanes, Lanes::new(order));
        if let Some(sequences) = &mut self.sequences {
            sequences.forget_entries();
            let numbered = lanes.entries().filter(|entry| entry.sequence != Sequence::default() && !entry.is_parked);
            numbered.for_each(|entry| sequences.keep(entry.offset, entry.sequence));
        }
        self.park_anew(&lanes);
        self.faults.clear();
        self.fault_row = FaultRow::default();
        self.read_to = self.cursor.low();
        self.settled_ahead = u64::from(self.cursor.settled_above());
    }

    /// Begins anew behind an offset, and returns the first number that an event can get.
    ///
    /// Nothing may be in flight, and nothing may wait up to there.
    pub(super) fn begin_anew(&mut self, before: Offset) -> Sequence {
        assert!(self.flights.is_empty(), "a course begins anew only when nothing is in flight");
        self.lanes = Lanes::new(self.lanes.order());
        self.parking.begin_anew(before.next());
        self.runs.begin_anew(before.next());
        self.trials.clear();
        self.faults.clear();
        self.fault_row = FaultRow::default();
        self.tally = Tally::default();
        self.start = before;
        self.cursor = Cursor::at(before);
        self.read_to = before;
        self.settled_ahead = 0;
        self.is_dirty = true;
        self.sequences.as_mut().map_or(Sequence(1), Sequences::begin_anew)
    }

    /// Where an event is in its lane, or outside it.
    pub(super) fn entry_at(&self, offset: Offset) -> Option<EntryId> {
        self.parking.entry(offset).or_else(|| self.lanes.find(offset))
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
        let in_lanes = self.lanes.entries().filter(|entry| !entry.is_parked);
        let mut offsets: Vec<_> = in_lanes.map(|entry| entry.offset).collect();
        offsets.sort_unstable();
        let unsettled = (self.cursor.low().0 + 1..=self.read_to.0).map(Offset);
        let unsettled: Vec<_> = unsettled.filter(|offset| !self.cursor.is_settled(*offset)).collect();
        assert_eq!(offsets, unsettled, "what was read and is not settled is in a lane, once");
        let ahead = (self.read_to.0 + 1..=self.end.0).map(Offset).filter(|offset| self.cursor.is_settled(*offset));
        assert_eq!(self.settled_ahead, ahead.count() as u64, "what is settled ahead is known");
        let mut parked: Vec<_> =
            self.lanes.entries().filter(|entry| entry.is_parked).map(|entry| entry.offset).collect();
        parked.sort_unstable();
        assert_eq!(self.parking.offsets().collect::<Vec<_>>(), parked, "what is parked is known, once");
        assert!(parked.iter().all(|offset| self.cursor.is_settled(*offset)), "the cursor passes over what is parked");
        let standing = |is_meant: fn(&Standing) -> bool| -> std::collections::BTreeSet<_> {
            self.lanes.entries().filter(|entry| is_meant(&entry.standing)).map(|entry| entry.offset).collect()
        };
        assert_eq!(self.flights().collect::<std::collections::BTreeSet<_>>(), standing(|it| *it == Standing::InFlight));
        assert_eq!(
            self.faults.keys().copied().collect::<std::collections::BTreeSet<_>>(),
            standing(|it| *it == Standing::Faulted)
        );
        let is_known = |offset: &Offset| !self.cursor.is_settled(*offset) || self.parking.contains(*offset);
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
