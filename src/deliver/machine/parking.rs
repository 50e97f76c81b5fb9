//! Events outside their lanes: how they get there, what is written of them, and how a person moves them.
//!
//! Not when they are tried again: that is the schedule's. For the cursor they are behind it, so that an event
//! which is refused for days holds up neither the reading nor the others; each has a row of its own instead.
//! What was given up is only a row: it is not in memory, and whoever wants it back brings the row along.

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;

use crate::model::{Aside, Offset, Sequence, Timestamp};
use crate::runtime::Monotonic;

use super::Machine;
use super::aside::{AsideChange, AsideEvent, Cause};
use super::backoff;
use super::course::Course;
use super::input::{Letter, Now, Order};
use super::lanes::{Entry, EntryId, Reason, Standing};
use super::ledger::Settlement;
use super::trial::Trial;

/// What of a course is outside the lanes.
#[derive(Debug, Default)]
pub(super) struct Parking {
    events: BTreeMap<Offset, Parked>,
    /// Those of which the row is not as they are.
    changed: BTreeSet<Offset>,
    /// Rows of what ended, and of what began again, since the last write.
    ends: Vec<AsideChange>,
    /// From where rows of what was set aside before are to go, in the next write.
    pub(super) anew_from: Option<Offset>,
}

#[derive(Debug, Clone, Copy)]
struct Parked {
    entry: EntryId,
    is_late: bool,
}

/// How an event that is not delivered comes to its end.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) aside: Aside,
    pub(super) cause: Cause,
    pub(super) status: Option<u16>,
    pub(super) at: Timestamp,
    pub(super) who: ByteString,
}

impl End {
    /// The end of an event that is given up without a person.
    pub(super) const fn dead_letter(cause: Cause, status: Option<u16>, at: Timestamp) -> Self {
        Self { aside: Aside::DeadLetter, cause, status, at, who: ByteString::from_static("") }
    }

    /// The end of an event that was too old when its turn came.
    pub(super) const fn too_old(at: Timestamp) -> Self {
        let who = ByteString::from_static("");
        Self { aside: Aside::Expired, cause: Cause::TooOld, status: None, at, who }
    }

    const fn settlement(&self) -> Settlement {
        match self.aside {
            Aside::Expired => Settlement::Expired,
            Aside::Skipped => Settlement::Skipped,
            Aside::Parked | Aside::DeadLetter | Aside::Discarded => Settlement::GivenUp,
        }
    }
}

impl Parking {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Returns how many rows of what ended wait to be written.
    pub(super) const fn unwritten_ends(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether rows of what ended are not as they are to be.
    pub(super) const fn has_unwritten_ends(&self) -> bool {
        !self.ends.is_empty() || self.anew_from.is_some()
    }

    /// Returns the lowest of them.
    pub(super) fn first(&self) -> Option<Offset> {
        self.events.first_key_value().map(|(first, _)| *first)
    }

    pub(super) fn contains(&self, offset: Offset) -> bool {
        !self.events.is_empty() && self.events.contains_key(&offset)
    }

    pub(super) fn entry(&self, offset: Offset) -> Option<EntryId> {
        self.events.get(&offset).map(|parked| parked.entry)
    }

    /// Whether its lane went on without an event.
    pub(super) fn is_late(&self, offset: Offset) -> bool {
        !self.events.is_empty() && self.events.get(&offset).is_some_and(|parked| parked.is_late)
    }

    /// Returns how many of them lie below an offset.
    pub(super) fn count_below(&self, offset: Offset) -> usize {
        self.events.range(..offset).count()
    }

    /// Forgets what was set aside from an offset on; the rows go with the next write.
    pub(super) fn begin_anew(&mut self, first: Offset) {
        self.events.split_off(&first);
        self.changed.split_off(&first);
        self.ends.retain(|end| end.offset < first);
        self.anew_from = Some(self.anew_from.map_or(first, |before| before.min(first)));
    }

    /// Hears that what is kept of a parked event is another thing now.
    pub(super) fn changed(&mut self, offset: Offset) {
        if self.contains(offset) {
            self.changed.insert(offset);
        }
    }

    /// Forgets a parked event and returns whether there was one.
    pub(super) fn remove(&mut self, offset: Offset) -> bool {
        let was_parked = !self.events.is_empty() && self.events.remove(&offset).is_some();
        if was_parked {
            self.changed.insert(offset);
        }
        was_parked
    }

    /// Adds a row of what ended.
    pub(super) fn add_end(&mut self, end: AsideChange) {
        self.ends.push(end);
    }

    /// What events are set aside as whose rows are not written yet.
    pub(super) fn ends(&self) -> impl Iterator<Item = (Offset, Option<Aside>)> {
        self.ends.iter().map(AsideChange::in_short)
    }

    #[cfg(test)]
    pub(super) fn offsets(&self) -> impl Iterator<Item = Offset> {
        self.events.keys().copied()
    }

    /// The rows that are not written yet.
    #[cfg(test)]
    pub(super) fn pending(&self) -> &[AsideChange] {
        &self.ends
    }
}

impl Course {
    /// Takes back the events that were parked when the course was written down.
    pub(super) fn restore_parked(&mut self, parked: Vec<(Offset, AsideEvent)>, now: Now) {
        for (offset, event) in parked {
            let AsideEvent { sequence, attempts, refusals, at, is_late, is_redelivery, .. } = event;
            // Wall time may have been set back since: nothing waits longer than it ever would have.
            let due = now.monotonic.plus(at.since(now.wall).min(backoff::RETRY_WAIT_MAX));
            let mut trial = Trial::go_on(attempts, refusals, Some(due));
            trial.is_asked = is_redelivery;
            self.trials.insert(offset, trial);
            let entry = self.lanes.push_parked(offset, sequence, Standing::Waiting(due, Reason::Refused));
            self.parking.events.insert(offset, Parked { entry, is_late });
        }
    }

    /// Counts as expired what was parked and whose row retention has taken: the cursor has passed it.
    pub(super) fn expire_lost(&mut self, since: Offset) {
        let passed = self.cursor.low().0.saturating_sub(since.0) + u64::from(self.cursor.settled_above());
        let known = self.tally().settled() + u64::try_from(self.parking.len()).unwrap_or(0);
        let lost = passed.saturating_sub(known);
        self.tally_mut().expire(lost);
        self.is_dirty |= lost > 0;
    }

    /// Lets an event's lane go on without it. Its cursor may pass over it from now on.
    pub(super) fn park(&mut self, id: EntryId, standing: Standing) {
        let Entry { offset, sequence, .. } = *self.lanes.entry(id);
        let is_late = self.lanes.is_in_lane(id);
        self.lanes.remove(id);
        assert!(self.cursor.settle(offset), "event {offset} is parked twice");
        let entry = self.lanes.push_parked(offset, sequence, standing);
        self.parking.events.insert(offset, Parked { entry, is_late });
        self.parking.changed.insert(offset);
        self.is_dirty = true;
    }

    /// Whether there is no room outside the lanes for an event that would need it.
    pub(super) fn is_full_for(&self, id: EntryId) -> bool {
        let needs_room = !self.lanes.entry(id).is_parked && self.lanes.order() != Order::Strict;
        needs_room && self.parking.len() >= PARKED_MAX
    }

    /// Ends an event that is in a lane or parked, and keeps why.
    pub(super) fn end_entry(&mut self, id: EntryId, end: End) {
        let Entry { offset, sequence, .. } = *self.lanes.entry(id);
        let is_late = self.parking.is_late(offset) || self.lanes.is_in_lane(id);
        let settlement = end.settlement();
        let End { aside, cause, status, at, who } = end;
        let kept = AsideEvent { sequence, status, is_late, who, ..AsideEvent::new(at, cause) };
        let event = self.with_tries(offset, kept);
        self.parking.ends.push(AsideChange { offset, aside, event: Some(event) });
        self.settle_entry(id, settlement);
    }

    /// Ends an event that never got into a lane because it is too old.
    pub(super) fn end_unread(&mut self, offset: Offset, at: Timestamp) {
        let event = AsideEvent::new(at, Cause::TooOld);
        self.parking.ends.push(AsideChange { offset, aside: Aside::Expired, event: Some(event) });
        self.settle(offset, Settlement::Expired);
    }

    /// Adds what is known of an event's tries to what is kept of it.
    fn with_tries(&self, offset: Offset, kept: AsideEvent) -> AsideEvent {
        let Some(Trial { attempts, refusals, is_asked, .. }) = self.trials.get(&offset) else { return kept };
        AsideEvent { attempts: *attempts, refusals: *refusals, is_redelivery: *is_asked, ..kept }
    }

    /// Takes an event back that was given up; its row says what is known of it.
    fn take_back(&mut self, letter: Letter, now: Monotonic) {
        let Letter { offset, aside, event } = letter;
        if self.parking.contains(offset) {
            return;
        }
        self.tally_mut().take_back();
        let sequence = if event.sequence == Sequence::default() { self.number(offset) } else { event.sequence };
        let mut trial = Trial::go_on(event.attempts, 0, Some(now));
        trial.is_asked = true;
        self.trials.insert(offset, trial);
        let standing = self.standing_of(offset, sequence, now);
        let entry = self.lanes.push_parked(offset, sequence, standing);
        self.await_written(entry);
        self.parking.events.insert(offset, Parked { entry, is_late: event.is_late });
        self.parking.changed.insert(offset);
        self.parking.ends.push(AsideChange { offset, aside, event: None });
        self.is_dirty = true;
    }

    /// Takes the parked events up to an offset out, with their numbers.
    pub(super) fn unpark_to(&mut self, to: Offset) -> Vec<(Offset, Sequence)> {
        let parked: Vec<(Offset, EntryId)> =
            self.parking.events.range(..=to).map(|(offset, parked)| (*offset, parked.entry)).collect();
        let mut taken = Vec::with_capacity(parked.len());
        for (offset, entry) in parked {
            taken.push((offset, self.lanes.entry(entry).sequence));
            self.lanes.remove(entry);
            self.parking.remove(offset);
            self.trials.remove(&offset);
        }
        taken
    }

    /// Takes what is to be written of events that were set aside.
    pub(super) fn take_asides(&mut self, now: Now) -> Vec<AsideChange> {
        let mut changes = std::mem::take(&mut self.parking.ends);
        let changed = std::mem::take(&mut self.parking.changed);
        changes.extend(changed.into_iter().map(|offset| AsideChange {
            offset,
            aside: Aside::Parked,
            event: self.parked_event(offset, now),
        }));
        changes
    }

    fn parked_event(&self, offset: Offset, now: Now) -> Option<AsideEvent> {
        let Parked { entry, is_late } = *self.parking.events.get(&offset)?;
        let trial = self.trials.get(&offset);
        let due = trial.and_then(|trial| trial.due).unwrap_or(now.monotonic);
        let at = now.wall.plus(due.since(now.monotonic));
        let cause = if trial.is_some_and(|trial| trial.is_asked) { Cause::Person } else { Cause::Refused };
        let sequence = self.lanes.entry(entry).sequence;
        Some(self.with_tries(offset, AsideEvent { sequence, is_late, ..AsideEvent::new(at, cause) }))
    }

    /// Puts the parked events into new lanes, as they stood in the old ones. Nothing may be in flight.
    pub(super) fn park_anew(&mut self, old: &super::lanes::Lanes) {
        for parked in self.parking.events.values_mut() {
            let Entry { offset, sequence, standing, .. } = *old.entry(parked.entry);
            let is_written = self.sequences.as_ref().is_none_or(|sequences| sequences.is_written(sequence));
            let standing = match standing {
                Standing::Waiting(..) => standing,
                _ if !is_written => Standing::Unwritten,
                Standing::Unwritten | Standing::Queued | Standing::InFlight | Standing::Faulted => Standing::Queued,
            };
            parked.entry = self.lanes.push_parked(offset, sequence, standing);
            if let Some(sequences) = self.sequences.as_mut().filter(|_| standing == Standing::Unwritten) {
                sequences.await_written(sequence, parked.entry);
            }
        }
    }
}

impl Machine {
    /// Returns how many more events can be taken back: half of the room is for what is refused afresh.
    #[must_use]
    pub fn room_for_parked(&self) -> usize {
        (PARKED_MAX / 2).saturating_sub(self.live.parking.len())
    }

    /// Returns whether an event can be discarded now: it is not being sent, and nobody waits for its number.
    #[must_use]
    pub fn is_discardable(&self, offset: Offset) -> bool {
        self.live.entry_at(offset).is_some_and(|entry| match self.live.lanes.entry(entry).standing {
            Standing::InFlight | Standing::Unwritten => false,
            Standing::Queued | Standing::Waiting(..) | Standing::Faulted => true,
        })
    }

    /// Takes events back that were given up, to be tried at once.
    pub(super) fn redeliver(&mut self, letters: Vec<Letter>, now: Now) {
        for letter in letters {
            self.live.take_back(letter, now.monotonic);
        }
        self.writing.is_urgent = true;
    }

    /// Tries an event at once that waits for its next try.
    pub(super) fn try_now(&mut self, offset: Offset) {
        let Some(entry) = self.live.entry_at(offset) else { return };
        if let Standing::Waiting(..) = self.live.lanes.entry(entry).standing {
            let trial = self.live.trial_mut(entry);
            trial.due = None;
            trial.is_asked = true;
            self.live.lanes.set(entry, Standing::Queued);
        }
        self.writing.is_urgent = true;
    }

    /// Gives events up because a person said so: of those that were given up already the row becomes another.
    pub(super) fn discard(&mut self, offset: Offset, letter: Option<AsideEvent>, who: &ByteString, now: Now) {
        self.writing.is_urgent = true;
        let (aside, cause, at) = (Aside::Discarded, Cause::Person, now.wall);
        if let Some(event) = letter {
            let event = AsideEvent { at, cause, who: who.clone(), ..event };
            let gone = AsideChange { offset, aside: Aside::DeadLetter, event: None };
            self.live.parking.ends.extend([gone, AsideChange { offset, aside, event: Some(event) }]);
            self.live.is_dirty = true;
            return;
        }
        if let Some(entry) = self.live.entry_at(offset).filter(|_| self.is_discardable(offset)) {
            self.live.end_entry(entry, End { aside, cause, status: None, at, who: who.clone() });
        }
    }
}

/// Events of one endpoint that wait outside their lanes; with more of them it is the endpoint that is in trouble.
pub(super) const PARKED_MAX: usize = 10_000;
