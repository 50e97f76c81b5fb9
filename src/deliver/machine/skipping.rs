//! A person passes over what waits: it counts as skipped, and the endpoint goes on behind it.
//!
//! Not while a request is under way: nothing new begins, and when the last one has ended what is left is passed over.
//! Each skip has a number that is written down with the cursor, so a crash neither forgets one nor does it twice.

use bytestring::ByteString;

use crate::model::{Aside, Offset, Sequence, Timestamp};

use super::Machine;
use super::aside::{AsideChange, AsideEvent, Cause};
use super::course::Course;
use super::input::{Now, Skip};

impl Machine {
    /// Returns how often a person has passed over what waited.
    #[must_use]
    pub const fn skips(&self) -> u64 {
        self.skips
    }

    /// Takes a skip in, unless it was carried out already.
    pub(super) fn ask_to_skip(&mut self, skip: Skip) {
        self.live.head_moved(skip.to);
        let newest = self.skip.as_ref().map_or(self.skips, |pending| pending.number);
        if skip.number > newest {
            self.skip = Some(skip);
        }
    }

    /// Carries a skip out as soon as nothing is in flight.
    pub(super) fn skip_if_asked(&mut self, now: Now) {
        if self.live.in_flight() > 0 {
            return;
        }
        let Some(Skip { number, to, who }) = self.skip.take() else { return };
        self.live.skip_to(to, &who, now.wall);
        self.refused_in_row.retain(|(course, offset, _)| *course != self.live.id || *offset > to);
        self.skips = number;
        self.writing.is_urgent = true;
    }
}

impl Course {
    fn skip_to(&mut self, to: Offset, who: &ByteString, at: Timestamp) {
        let order = self.lanes.order();
        // How far anything may be settled: above it one row tells of all.
        let looked_at = self.read_to.max(self.cursor.highest()).min(to);
        // Before the lanes are made anew: nobody waits for the numbers of these any more.
        let parked = self.unpark_to(to);
        self.read_anew(order);
        let event =
            |sequence, first| AsideEvent { sequence, first, who: who.clone(), ..AsideEvent::new(at, Cause::Person) };
        for (offset, sequence) in parked {
            self.skip(offset, event(sequence, Offset(0)));
            self.tally_mut().skip(1);
        }
        let low = self.cursor.low();
        for offset in (low.0 + 1..=looked_at.0).map(Offset) {
            if self.cursor.is_settled(offset) {
                continue;
            }
            let sequence = self.sequences.as_mut().and_then(|sequences| sequences.take_known(offset));
            self.skip(offset, event(sequence.unwrap_or_default(), Offset(0)));
        }
        self.trials = self.trials.split_off(&to.next());
        if let Some(sequences) = &mut self.sequences {
            sequences.forget_to(to);
        }
        if to > looked_at.max(low) {
            self.skip(to, event(Sequence::default(), looked_at.max(low).next()));
        }
        let skipped = self.cursor.settle_to(to);
        self.tally_mut().skip(skipped);
        self.read_to = self.cursor.low();
        self.settled_ahead = u64::from(self.cursor.settled_above());
        self.is_dirty = true;
    }

    fn skip(&mut self, offset: Offset, event: AsideEvent) {
        self.parking.add_end(AsideChange { offset, aside: Aside::Skipped, event: Some(event) });
    }
}
