//! The events that were read and are not settled, each in its lane.
//!
//! Not a policy: it does not know why an event waits, nor for how long it should. Within a lane nobody
//! overtakes; of each lane only the first event is ever ready or in flight; a lane whose first event waits or
//! is faulted is blocked and holds up no other. What is parked has left its lane; it goes when nothing else
//! does, and now and then before. All steps are constant time but those of timers and faults.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;

use crate::model::{Offset, Sequence};
use crate::runtime::Monotonic;

use super::input::Order;
use super::ledger::Waiting;
use super::number_map::NumberMap;

/// The handle of an entry, valid until it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EntryId(NonZeroU32);

/// All lanes of one course.
#[derive(Debug)]
pub(super) struct Lanes {
    order: Order,
    entries: Vec<Slot>,
    first_free: Option<EntryId>,
    lanes: Vec<Lane>,
    free_lanes: Vec<LaneId>,
    by_key: NumberMap<LaneId>,
    ready: VecDeque<EntryId>,
    /// The parked ones that are ready.
    ready_parked: VecDeque<EntryId>,
    fresh_in_a_row: u32,
    timers: BTreeSet<(Monotonic, EntryId)>,
    counts: Counts,
    /// What `weight` adds up to.
    active: u64,
}

/// One event that is not settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) offset: Offset,
    /// Its number; 0 where it has none.
    pub(super) sequence: Sequence,
    pub(super) standing: Standing,
    /// Whether a request of it has failed before.
    pub(super) was_tried: bool,
    /// Whether it is outside the lanes.
    pub(super) is_parked: bool,
    lane: Option<LaneId>,
    next: Option<EntryId>,
}

/// How an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its number is not written yet.
    Unwritten,
    /// It goes when its turn comes.
    Queued,
    /// A request of it is under way.
    InFlight,
    /// It waits for a moment.
    Waiting(Monotonic, Reason),
    /// It waits for the chain to be mended.
    Faulted,
}

/// What an entry waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The endpoint failed on it while others are under way.
    Trouble,
    /// It was refused and follows its schedule.
    Refused,
    /// It was refused and its next try is far off: until then its lane waits with it.
    LaneHold,
    /// It has no body at this moment.
    NoBody,
}

#[derive(Debug)]
enum Slot {
    Taken(Entry),
    Free(Option<EntryId>),
}

#[derive(Debug, Clone, Copy)]
struct LaneId(NonZeroU32);

#[derive(Debug)]
struct Lane {
    key: u64,
    first: Option<EntryId>,
    last: Option<EntryId>,
    length: u64,
    weight: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    queued: u64,
    in_flight: u64,
    held: u64,
    parked: u64,
}

impl Lanes {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            entries: Vec::new(),
            first_free: None,
            lanes: Vec::new(),
            free_lanes: Vec::new(),
            by_key: NumberMap::default(),
            ready: VecDeque::new(),
            ready_parked: VecDeque::new(),
            fresh_in_a_row: 0,
            timers: BTreeSet::new(),
            counts: Counts::default(),
            active: 0,
        }
    }

    pub(super) const fn order(&self) -> Order {
        self.order
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.counts.queued + self.counts.in_flight + self.counts.held + self.counts.parked == 0
    }

    /// Returns how much work there is that need not wait for anything but its turn.
    ///
    /// Of one lane only the first few count, of a blocked lane none, and nothing that is parked: so one busy or
    /// blocked key does not keep the course from reading on for the others.
    pub(super) const fn active(&self) -> u64 {
        self.active
    }

    /// Returns where the entries are; none of them is unread.
    pub(super) const fn waiting(&self) -> Waiting {
        let Counts { queued, in_flight, held, parked } = self.counts;
        Waiting { unread: 0, queued, in_flight, held, parked }
    }

    pub(super) fn entry(&self, id: EntryId) -> &Entry {
        match self.entries.get(id.index()) {
            Some(Slot::Taken(entry)) => entry,
            Some(Slot::Free(_)) | None => unreachable!("an entry's id is dropped where the entry is removed"),
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter_map(|slot| match slot {
            Slot::Taken(entry) => Some(entry),
            Slot::Free(_) => None,
        })
    }

    /// Looks for an event in all lanes.
    pub(super) fn find(&self, offset: Offset) -> Option<EntryId> {
        let is_meant = |slot: &Slot| matches!(slot, Slot::Taken(entry) if entry.offset == offset);
        let index = self.entries.iter().position(is_meant)?;
        Some(EntryId(number_of_last(index + 1)))
    }

    /// Adds an event at the end of its lane.
    pub(super) fn push(&mut self, offset: Offset, sequence: Sequence, key: Option<u64>, standing: Standing) -> EntryId {
        let lane = match self.order {
            Order::ByKey => key.map(|key| self.lane_of(key)),
            Order::Strict => Some(self.lane_of(0)),
            Order::None => None,
        };
        let new = Entry { offset, sequence, standing, was_tried: false, is_parked: false, lane, next: None };
        let id = self.take_slot(new);
        if let Some(lane) = lane {
            let last = self.lane_mut(lane).last.replace(id);
            self.lane_mut(lane).length += 1;
            match last {
                Some(last) => self.entry_mut(last).next = Some(id),
                None => self.lane_mut(lane).first = Some(id),
            }
        }
        self.enter(id);
        id
    }

    /// Adds an event outside the lanes; it was tried before.
    pub(super) fn push_parked(&mut self, offset: Offset, sequence: Sequence, standing: Standing) -> EntryId {
        let new = Entry { offset, sequence, standing, was_tried: true, is_parked: true, lane: None, next: None };
        let id = self.take_slot(new);
        self.enter(id);
        id
    }

    /// Returns whether an entry has a place in the order of others.
    pub(super) fn is_in_lane(&self, id: EntryId) -> bool {
        self.entry(id).lane.is_some()
    }

    /// Changes how an entry stands.
    pub(super) fn set(&mut self, id: EntryId, standing: Standing) {
        self.leave(id);
        self.entry_mut(id).standing = standing;
        self.enter(id);
    }

    /// Puts an entry that was in flight back to the front of those that are ready.
    pub(super) fn put_back_first(&mut self, id: EntryId) {
        self.set(id, Standing::Queued);
        if self.is_first(id) {
            let ready = if self.entry(id).is_parked { &mut self.ready_parked } else { &mut self.ready };
            ready.pop_back();
            ready.push_front(id);
        }
    }

    pub(super) fn mark_tried(&mut self, id: EntryId) {
        self.entry_mut(id).was_tried = true;
    }

    pub(super) fn give_number(&mut self, id: EntryId, sequence: Sequence) {
        self.entry_mut(id).sequence = sequence;
    }

    /// Removes an entry: its event is settled. The next one of its lane may be ready then.
    pub(super) fn remove(&mut self, id: EntryId) {
        self.leave(id);
        let entry = *self.entry(id);
        let was_first = self.is_first(id);
        if entry.standing == Standing::Queued && was_first {
            // Only what a person gives up is removed before its turn.
            let ready = if entry.is_parked { &mut self.ready_parked } else { &mut self.ready };
            ready.retain(|ready| *ready != id);
        }
        if let Some(lane) = entry.lane {
            self.unlink(lane, id, entry.next);
        }
        if let Some(slot) = self.entries.get_mut(id.index()) {
            *slot = Slot::Free(self.first_free.replace(id));
        }
        let Some(lane) = entry.lane else { return };
        match self.lane(lane).first {
            Some(first) => {
                if was_first && self.entry(first).standing == Standing::Queued {
                    self.ready.push_back(first);
                }
                self.reweigh(lane);
            }
            None => self.free_lane(lane),
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !(self.ready.is_empty() && self.ready_parked.is_empty())
    }

    /// Takes the entry whose turn it is and sets it in flight: fresh ones before parked ones, but of ten one is parked.
    pub(super) fn start_next(&mut self) -> Option<EntryId> {
        let is_fresh = !self.ready.is_empty() && self.fresh_in_a_row < FRESH_IN_A_ROW_MAX;
        let id = if is_fresh || self.ready_parked.is_empty() {
            self.fresh_in_a_row = if self.ready_parked.is_empty() { 0 } else { self.fresh_in_a_row + 1 };
            self.ready.pop_front()?
        } else {
            self.fresh_in_a_row = 0;
            self.ready_parked.pop_front()?
        };
        self.set(id, Standing::InFlight);
        Some(id)
    }

    pub(super) fn has_untried_ready(&self) -> bool {
        self.ready.iter().any(|id| !self.entry(*id).was_tried)
    }

    /// Takes an entry to probe with: one that never failed if there is one, or else the one whose turn it is.
    pub(super) fn start_probe(&mut self) -> Option<EntryId> {
        let untried = self.ready.iter().position(|id| !self.entry(*id).was_tried);
        let Some(id) = untried.and_then(|untried| self.ready.remove(untried)) else { return self.start_next() };
        self.set(id, Standing::InFlight);
        Some(id)
    }

    pub(super) fn next_timer(&self) -> Option<Monotonic> {
        self.timers.first().map(|(until, _)| *until)
    }

    /// Returns the entry that has waited longest past its moment, and what it has waited for.
    pub(super) fn first_due(&self, now: Monotonic) -> Option<(EntryId, Reason)> {
        let (_, id) = *self.timers.first().filter(|(until, _)| *until <= now)?;
        let Standing::Waiting(_, reason) = self.entry(id).standing else { unreachable!("who has a timer waits") };
        Some((id, reason))
    }

    /// Queues the entry that waits for the nearest moment; returns whether there was one.
    pub(super) fn wake_first(&mut self) -> bool {
        let first = self.timers.first().map(|(_, id)| *id);
        first.inspect(|id| self.set(*id, Standing::Queued)).is_some()
    }

    /// Queues those of the waiting entries that are meant, in the order of their offsets.
    pub(super) fn wake_where(&mut self, is_meant: impl Fn(&Entry, Reason) -> bool) {
        let waiting = self.timers.iter().map(|(_, id)| (self.entry(*id), *id));
        let mut meant: Vec<_> = waiting
            .filter(|(entry, _)| match entry.standing {
                Standing::Waiting(_, reason) => is_meant(entry, reason),
                Standing::Unwritten | Standing::Queued | Standing::InFlight | Standing::Faulted => false,
            })
            .map(|(entry, id)| (entry.offset, id))
            .collect();
        meant.sort_unstable();
        meant.into_iter().for_each(|(_, id)| self.set(id, Standing::Queued));
    }

    pub(super) const fn holds_memory(&self) -> bool {
        self.entries.capacity() > 0
    }

    /// Gives back memory that a long queue has left.
    pub(super) fn trim(&mut self) {
        if self.is_empty() {
            *self = Self::new(self.order);
        }
    }

    /// Whether an entry is the first of its lane, or has no lane.
    fn is_first(&self, id: EntryId) -> bool {
        self.entry(id).lane.is_none_or(|lane| self.lane(lane).first == Some(id))
    }

    /// Counts an entry in, by how it stands.
    fn enter(&mut self, id: EntryId) {
        let Entry { standing, lane, is_parked, .. } = *self.entry(id);
        *self.counts.of(standing, is_parked) += 1;
        if let Standing::Waiting(until, _) = standing {
            self.timers.insert((until, id));
        }
        if standing == Standing::Queued && self.is_first(id) {
            let ready = if is_parked { &mut self.ready_parked } else { &mut self.ready };
            ready.push_back(id);
        }
        match lane {
            Some(lane) => self.reweigh(lane),
            None => self.active += u64::from(!is_parked && !standing.is_blocking()),
        }
    }

    /// Counts an entry out.
    fn leave(&mut self, id: EntryId) {
        let Entry { standing, lane, is_parked, .. } = *self.entry(id);
        *self.counts.of(standing, is_parked) -= 1;
        if let Standing::Waiting(until, _) = standing {
            self.timers.remove(&(until, id));
        }
        if lane.is_none() {
            self.active -= u64::from(!is_parked && !standing.is_blocking());
        }
    }

    fn reweigh(&mut self, id: LaneId) {
        let lane = self.lane(id);
        let is_blocked = lane.first.is_some_and(|first| self.entry(first).standing.is_blocking());
        let depth = if self.order == Order::Strict { u64::MAX } else { LANE_DEPTH };
        let weight = if is_blocked { 0 } else { lane.length.min(depth) };
        self.active = self.active - lane.weight + weight;
        self.lane_mut(id).weight = weight;
    }

    fn unlink(&mut self, lane: LaneId, id: EntryId, next: Option<EntryId>) {
        // Only faulted events are ever settled out of turn; for them the lane is walked.
        let mut before = None;
        let mut at = self.lane(lane).first;
        while let Some(here) = at.filter(|here| *here != id) {
            before = Some(here);
            at = self.entry(here).next;
        }
        match before {
            Some(before) => self.entry_mut(before).next = next,
            None => self.lane_mut(lane).first = next,
        }
        let lane = self.lane_mut(lane);
        lane.length -= 1;
        if lane.last == Some(id) {
            lane.last = before;
        }
    }

    fn lane_of(&mut self, key: u64) -> LaneId {
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        let lane = Lane { key, first: None, last: None, length: 0, weight: 0 };
        let id = self.free_lanes.pop().unwrap_or_else(|| {
            self.lanes.push(Lane { key, first: None, last: None, length: 0, weight: 0 });
            LaneId(number_of_last(self.lanes.len()))
        });
        *self.lane_mut(id) = lane;
        self.by_key.insert(key, id);
        id
    }

    fn free_lane(&mut self, id: LaneId) {
        let (key, weight) = (self.lane(id).key, self.lane(id).weight);
        self.active -= weight;
        self.by_key.remove(&key);
        self.free_lanes.push(id);
    }

    fn take_slot(&mut self, entry: Entry) -> EntryId {
        if let Some(id) = self.first_free {
            let slot = self.entries.get_mut(id.index()).expect("the free list holds slots of this table");
            match std::mem::replace(slot, Slot::Taken(entry)) {
                Slot::Free(next) => self.first_free = next,
                Slot::Taken(_) => unreachable!("the free list holds free slots"),
            }
            return id;
        }
        self.entries.push(Slot::Taken(entry));
        EntryId(number_of_last(self.entries.len()))
    }

    fn entry_mut(&mut self, id: EntryId) -> &mut Entry {
        match self.entries.get_mut(id.index()) {
            Some(Slot::Taken(entry)) => entry,
            Some(Slot::Free(_)) | None => unreachable!("an entry's id is dropped where the entry is removed"),
        }
    }

    fn lane(&self, id: LaneId) -> &Lane {
        self.lanes.get(id.index()).expect("a lane's id is made with the lane")
    }

    fn lane_mut(&mut self, id: LaneId) -> &mut Lane {
        self.lanes.get_mut(id.index()).expect("a lane's id is made with the lane")
    }
}

impl Counts {
    /// Where an entry counts that stands so.
    const fn of(&mut self, standing: Standing, is_parked: bool) -> &mut u64 {
        match standing {
            Standing::InFlight => &mut self.in_flight,
            Standing::Faulted => &mut self.held,
            Standing::Unwritten | Standing::Queued | Standing::Waiting(..) if is_parked => &mut self.parked,
            Standing::Unwritten | Standing::Queued => &mut self.queued,
            Standing::Waiting(..) => &mut self.held,
        }
    }
}

impl EntryId {
    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl LaneId {
    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The number of a table's last row, from 1, so that an absent one takes no room.
fn number_of_last(rows: usize) -> NonZeroU32 {
    u32::try_from(rows).ok().and_then(NonZeroU32::new).expect("the cursor's span bounds the entries")
}

#[cfg(test)]
impl Lanes {
    /// Counts everything anew and compares it with what is kept.
    pub(super) fn audit(&self) {
        let (mut waiting, mut active, mut ready, mut timers) =
            (Waiting::default(), 0, BTreeSet::new(), BTreeSet::new());
        let ids = (1..=self.entries.len()).map(|number| EntryId(number_of_last(number)));
        for id in ids.filter(|id| matches!(self.entries[id.index()], Slot::Taken(_))) {
            let entry = self.entry(id);
            match entry.standing {
                Standing::InFlight => waiting.in_flight += 1,
                Standing::Faulted => waiting.held += 1,
                Standing::Unwritten | Standing::Queued | Standing::Waiting(..) if entry.is_parked => {
                    waiting.parked += 1;
                }
                Standing::Unwritten | Standing::Queued => waiting.queued += 1,
                Standing::Waiting(..) => waiting.held += 1,
            }
            assert!(!entry.is_parked || entry.lane.is_none(), "what is parked has left its lane");
            if let Standing::Waiting(until, _) = entry.standing {
                timers.insert((until, id));
            }
            if entry.standing == Standing::Queued && self.is_first(id) {
                ready.insert(id);
            }
            assert!(entry.standing != Standing::InFlight || self.is_first(id), "only the first of a lane is in flight");
            active += u64::from(entry.lane.is_none() && !entry.is_parked && !entry.standing.is_blocking());
        }
        let mut in_lanes = 0;
        for lane in self.by_key.values() {
            let lane = self.lane(*lane);
            let chain = std::iter::successors(lane.first, |id| self.entry(*id).next);
            let offsets: Vec<_> = chain.map(|id| self.entry(id).offset).collect();
            assert!(offsets.is_sorted() && !offsets.is_empty(), "a lane is in order and not empty: {offsets:?}");
            assert_eq!(lane.length, offsets.len() as u64, "a lane knows its length");
            assert_eq!(lane.last.map(|id| self.entry(id).offset), offsets.last().copied(), "a lane knows its end");
            active += lane.weight;
            in_lanes += offsets.len();
        }
        assert_eq!(in_lanes, self.entries().filter(|entry| entry.lane.is_some()).count(), "every entry is in its lane");
        assert_eq!(self.waiting(), waiting, "the counts are the queues'");
        assert_eq!(self.active, active, "the work at hand is the lanes'");
        assert_eq!(self.timers, timers, "who waits has a timer");
        let listed = || self.ready.iter().chain(&self.ready_parked).copied();
        assert_eq!(listed().count(), ready.len(), "who is ready is ready once");
        assert_eq!(listed().collect::<BTreeSet<_>>(), ready, "who is ready is the first of its lane");
        assert!(self.ready_parked.iter().all(|id| self.entry(*id).is_parked), "fresh ones and parked ones are apart");
    }
}

impl Standing {
    /// Whether the lane behind such an event stands still.
    const fn is_blocking(self) -> bool {
        match self {
            Self::Waiting(..) | Self::Faulted => true,
            Self::Unwritten | Self::Queued | Self::InFlight => false,
        }
    }
}

/// How many events of one lane count as work at hand. More than one, so that a lane need not wait for a read
/// after each event; few, so that a busy key does not fill the queue.
const LANE_DEPTH: u64 = 4;
/// Nine fresh events for each parked one: what comes in goes first, and yet the old ones get their turn.
const FRESH_IN_A_ROW_MAX: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(order: Order, keys: &[Option<u64>]) -> Lanes {
        let mut lanes = Lanes::new(order);
        for (offset, key) in (1..).zip(keys) {
            lanes.push(Offset(offset), Sequence(0), *key, Standing::Queued);
        }
        lanes
    }

    /// The offsets that can go at once, each staying in flight.
    fn ready(lanes: &mut Lanes) -> Vec<u64> {
        std::iter::from_fn(|| lanes.start_next().map(|id| lanes.entry(id).offset.0)).collect()
    }

    fn find(lanes: &Lanes, offset: u64) -> EntryId {
        lanes.find(Offset(offset)).expect("the offset is in a lane")
    }

    #[test]
    fn the_order_says_which_events_may_go_together() {
        let keys = [Some(7), Some(7), None, None, Some(8)];
        for (order, expected) in
            [(Order::ByKey, vec![1, 3, 4, 5]), (Order::Strict, vec![1]), (Order::None, vec![1, 2, 3, 4, 5])]
        {
            assert_eq!(ready(&mut pushed(order, &keys)), expected, "{order:?}");
        }
    }

    #[test]
    fn the_next_of_a_lane_goes_when_the_first_is_settled() {
        let mut lanes = pushed(Order::ByKey, &[Some(7), Some(7), Some(7)]);
        for offset in 1..=3 {
            assert_eq!(ready(&mut lanes), [offset]);
            lanes.remove(find(&lanes, offset));
        }
        assert!(lanes.is_empty() && lanes.active() == 0 && lanes.by_key.is_empty());
    }

    #[test]
    fn a_blocked_lane_blocks_no_other_and_wakes_at_its_moment() {
        let mut lanes = pushed(Order::ByKey, &[Some(7), Some(7), Some(8)]);
        assert_eq!(ready(&mut lanes), [1, 3]);
        lanes.set(find(&lanes, 1), Standing::Waiting(Monotonic(10), Reason::Refused));
        assert_eq!((lanes.active(), lanes.waiting().held), (1, 1));
        assert!(lanes.first_due(Monotonic(9)).is_none() && ready(&mut lanes).is_empty());
        assert_eq!(lanes.next_timer(), Some(Monotonic(10)));
        assert_eq!(lanes.first_due(Monotonic(10)), Some((find(&lanes, 1), Reason::Refused)));
        lanes.set(find(&lanes, 1), Standing::Queued);
        assert_eq!(ready(&mut lanes), [1]);
        assert_eq!((lanes.active(), lanes.next_timer()), (3, None));
    }

    #[test]
    fn a_fault_in_the_middle_can_be_settled_out_of_turn() {
        let mut lanes = pushed(Order::ByKey, &[Some(7), Some(7), Some(7)]);
        lanes.set(find(&lanes, 2), Standing::Faulted);
        lanes.remove(find(&lanes, 2));
        assert_eq!(ready(&mut lanes), [1]);
        lanes.remove(find(&lanes, 1));
        assert_eq!(ready(&mut lanes), [3]);
        lanes.push(Offset(4), Sequence(0), Some(7), Standing::Queued);
        lanes.set(find(&lanes, 4), Standing::Faulted);
        lanes.remove(find(&lanes, 4));
        lanes.push(Offset(5), Sequence(0), Some(7), Standing::Queued);
        lanes.remove(find(&lanes, 3));
        assert_eq!(ready(&mut lanes), [5]);
    }

    #[test]
    fn probes_take_turns_and_prefer_what_never_failed() {
        let mut lanes = pushed(Order::ByKey, &[Some(1), Some(2), Some(3)]);
        let mut probed = Vec::new();
        for _ in 0..6 {
            let id = lanes.start_probe().expect("three lanes are ready");
            probed.push(lanes.entry(id).offset.0);
            lanes.mark_tried(id);
            lanes.set(id, Standing::Queued);
        }
        assert_eq!(probed, [1, 2, 3, 1, 2, 3]);
        lanes.push(Offset(4), Sequence(0), Some(4), Standing::Queued);
        assert_eq!(lanes.start_probe(), Some(find(&lanes, 4)));
    }

    #[test]
    fn parked_events_go_after_the_fresh_ones_and_yet_get_their_turn() {
        let mut lanes = pushed(Order::None, &[None; 30]);
        for offset in 101..=103 {
            lanes.push_parked(Offset(offset), Sequence(0), Standing::Queued);
        }
        assert_eq!((lanes.active(), lanes.waiting().parked), (30, 3));
        let order = ready(&mut lanes);
        let places: Vec<usize> = (101..=103).filter_map(|parked| order.iter().position(|it| *it == parked)).collect();
        assert_eq!(places, [9, 19, 29]);
        assert_eq!((order.len(), lanes.waiting().in_flight), (33, 33));
        lanes.audit();
    }

    #[test]
    fn a_busy_key_does_not_count_as_much_work() {
        let lanes = pushed(Order::ByKey, &[Some(7); 100]);
        assert_eq!((lanes.active(), lanes.waiting().queued), (LANE_DEPTH, 100));
        assert_eq!(pushed(Order::Strict, &[Some(7); 100]).active(), 100);
        assert_eq!(pushed(Order::None, &[Some(7); 100]).active(), 100);
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Slot>() <= 48, "{} bytes", size_of::<Slot>());
    }

    #[test]
    fn slots_are_used_again() {
        let mut lanes = Lanes::new(Order::ByKey);
        for offset in 1..=1000 {
            let id = lanes.push(Offset(offset), Sequence(0), Some(offset), Standing::Queued);
            assert_eq!(lanes.start_next(), Some(id));
            lanes.remove(id);
        }
        assert_eq!((lanes.entries.len(), lanes.lanes.len()), (1, 1));
    }
}
