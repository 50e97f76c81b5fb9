//! The numbers that a receiver counts by: one for each (endpoint, event), in the order of the first pass.
//!
//! Not offsets: what is filtered gets none. No number ever names two events: a number leaves only after its
//! row was handed to the disk, and lies below a ceiling that was synced before. So a restart of the same boot
//! goes on without a hole, because the page cache survived, and one of another boot goes on at the ceiling.

use std::collections::VecDeque;

use crate::model::{Offset, Sequence};

use super::lanes::EntryId;
use super::number_map::NumberMap;

/// Gives numbers and knows which of them may leave.
#[derive(Debug)]
pub(super) struct Sequences {
    next: u64,
    ceiling: u64,
    /// Numbers up to this one have left for the disk.
    written_to: u64,
    /// Rows that wait for the next write.
    rows: Vec<(Sequence, Offset)>,
    /// Entries whose number is not written yet, in the order in which they came.
    unwritten: VecDeque<(u64, EntryId)>,
    /// Numbers of events that are not settled and not in a lane, by offset.
    known: NumberMap<u64>,
    /// Every number that an unsettled event keeps is above this one.
    floor: u64,
    /// The number at which it is worth looking for a higher floor.
    raise_floor_at: u64,
}

/// What is written down of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedSequences {
    /// The number that is given next.
    pub next: Sequence,
    /// No number above this one was ever given.
    pub ceiling: Sequence,
    /// Rows up to this number speak of settled events, or of those that get another; a start reads those above.
    pub floor: Sequence,
}

impl SavedSequences {
    /// No number given yet.
    pub const NONE: Self = Self { next: Sequence(1), ceiling: Sequence(0), floor: Sequence(0) };
}

/// What one write carries of the numbers.
#[derive(Debug)]
pub(super) struct SequenceWrite {
    pub(super) saved: SavedSequences,
    pub(super) rows: Vec<(Sequence, Offset)>,
    pub(super) is_sync: bool,
}

impl Sequences {
    /// Goes on after a start, with the rows above the saved floor.
    ///
    /// `is_settled` says which events need their number no more.
    pub(super) fn start(
        saved: SavedSequences,
        rows: &[(Sequence, Offset)],
        is_same_boot: bool,
        is_settled: impl Fn(Offset) -> bool,
    ) -> Self {
        let highest = rows.iter().map(|(sequence, _)| sequence.0).max().unwrap_or(0);
        let after_rows = saved.next.0.max(highest + 1);
        let next = if is_same_boot { after_rows } else { after_rows.max(saved.ceiling.0 + 1) };
        let unsettled = rows.iter().filter(|(_, offset)| !is_settled(*offset));
        Self {
            next,
            ceiling: saved.ceiling.0,
            written_to: next - 1,
            rows: Vec::new(),
            unwritten: VecDeque::new(),
            known: unsettled.map(|(sequence, offset)| (offset.0, sequence.0)).collect(),
            floor: saved.floor.0,
            raise_floor_at: next,
        }
    }

    /// Returns an event's number, the one it has or a new one.
    pub(super) fn number(&mut self, offset: Offset) -> Sequence {
        if let Some(known) = self.take_known(offset) {
            return known;
        }
        let sequence = Sequence(self.next);
        self.next += 1;
        self.rows.push((sequence, offset));
        sequence
    }

    /// Returns the number that an event has already, and leaves it to the caller.
    pub(super) fn take_known(&mut self, offset: Offset) -> Option<Sequence> {
        if self.known.is_empty() { None } else { self.known.remove(&offset.0).map(Sequence) }
    }

    /// Forgets the numbers of events up to an offset: they are settled.
    pub(super) fn forget_to(&mut self, to: Offset) {
        self.known.retain(|offset, _| *offset > to.0);
    }

    /// Keeps the number of an event that leaves its lane unsettled.
    pub(super) fn keep(&mut self, offset: Offset, sequence: Sequence) {
        self.known.insert(offset.0, sequence.0);
    }

    /// Gives every event a new number from now on, and returns the first of them.
    pub(super) fn begin_anew(&mut self) -> Sequence {
        self.known.clear();
        self.unwritten.clear();
        self.floor = self.next - 1;
        Sequence(self.next)
    }

    pub(super) const fn is_written(&self, sequence: Sequence) -> bool {
        sequence.0 <= self.written_to
    }

    /// Remembers an entry until its number is written.
    pub(super) fn await_written(&mut self, sequence: Sequence, entry: EntryId) {
        self.unwritten.push_back((sequence.0, entry));
    }

    /// Returns the next entry whose number is written by now.
    pub(super) fn next_written(&mut self) -> Option<EntryId> {
        let (sequence, entry) = *self.unwritten.front()?;
        if sequence > self.written_to {
            return None;
        }
        self.unwritten.pop_front();
        Some(entry)
    }

    /// Forgets the entries that were to be told; their events' numbers are kept elsewhere.
    pub(super) fn forget_entries(&mut self) {
        self.unwritten.clear();
    }

    pub(super) const fn has_rows(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Takes what is to be written; `in_lanes` are the numbers of the events in lanes.
    pub(super) fn take_write(&mut self, in_lanes: impl Iterator<Item = Sequence>) -> SequenceWrite {
        self.raise_floor(in_lanes);
        // Well before the numbers end, so that nobody waits for a sync of its own; and a batch that itself
        // goes above the ceiling is synced together with the ceiling that covers it.
        let is_sync = self.has_rows() && self.next - 1 + BLOCK / 2 > self.ceiling;
        if is_sync {
            self.ceiling = self.next - 1 + BLOCK;
        }
        assert!(!self.has_rows() || self.next - 1 <= self.ceiling, "no number leaves above the ceiling");
        SequenceWrite { saved: self.saved(), rows: std::mem::take(&mut self.rows), is_sync }
    }

    pub(super) const fn saved(&self) -> SavedSequences {
        SavedSequences { next: Sequence(self.next), ceiling: Sequence(self.ceiling), floor: Sequence(self.floor) }
    }

    /// Hears that the rows up to this number are written.
    pub(super) const fn written(&mut self, to: Sequence) {
        self.written_to = to.0;
    }

    /// Looks for a higher floor once enough numbers were given to pay for the look.
    fn raise_floor(&mut self, in_lanes: impl Iterator<Item = Sequence>) {
        if self.next < self.raise_floor_at {
            return;
        }
        let mut looked_at = 0;
        let mut lowest = self.next;
        for sequence in in_lanes.map(|sequence| sequence.0).chain(self.known.values().copied()) {
            looked_at += 1;
            lowest = lowest.min(sequence);
        }
        self.floor = lowest - 1;
        self.raise_floor_at = self.next + FLOOR_STEP.max(looked_at);
    }

    /// Gives back memory that a long queue has left.
    pub(super) fn trim(&mut self) {
        self.unwritten.shrink_to_fit();
        self.known.shrink_to_fit();
    }
}

/// Numbers are reserved in blocks: one sync for so many events, and at most so large a hole after a power cut.
const BLOCK: u64 = 10_000;
const FLOOR_STEP: u64 = 1_024;
