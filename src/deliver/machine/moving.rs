//! A person moves the endpoint: over what waits, or to where it is to begin anew.
//!
//! Not while a request is under way: nothing new begins, and when the last one has ended the move is made.
//! Each has a number that is written down with the cursor, so a crash neither forgets one nor does it twice.

use bytestring::ByteString;

use crate::model::{Aside, Offset, Sequence, Settled, Timestamp};

use super::Machine;
use super::aside::{AsideChange, AsideEvent, Cause};
use super::course::Course;
use super::input::{Move, Now, Target};
use super::ledger::Since;
use super::runs::Run;

/// What a seek would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// How many events were settled and would be looked at again.
    pub again: u64,
    /// How many events wait and would be passed over.
    pub passed_over: u64,
}

impl Machine {
    /// Returns the number of the last move that was made.
    #[must_use]
    pub const fn moves(&self) -> u64 {
        self.moves
    }

    /// Returns from where the ledger counts.
    #[must_use]
    pub const fn since(&self) -> Since {
        self.since
    }

    /// Returns what a seek to an event would do now.
    #[must_use]
    pub fn outlook(&self, first: Offset) -> Outlook {
        self.live.outlook(first)
    }

    /// Takes a move in, unless it was made already.
    pub(super) fn ask_to_move(&mut self, asked: Move) {
        self.live.head_moved(asked.target.last_behind());
        let newest = self.moves_asked.back().map_or(self.moves, |pending| pending.number);
        if asked.number > newest {
            self.moves_asked.push_back(asked);
        }
    }

    /// Makes the moves that were asked for as soon as nothing is in flight.
    pub(super) fn move_if_asked(&mut self, now: Now) {
        while self.live.in_flight() == 0
            && let Some(Move { number, target, who }) = self.moves_asked.pop_front()
        {
            let (to, begins_anew) = (target.last_behind(), matches!(target, Target::Anew { .. }));
            self.live.skip_to(to, &who, now.wall);
            if let Target::Anew { at, .. } = target {
                self.since = Since { offset: to, time: at, sequence: self.live.begin_anew(to) };
                self.listed_from = self.listed_from.min(to.next());
            }
            let is_over = |offset| begins_anew || offset <= to;
            self.refused_in_row.retain(|(course, offset, _)| *course != self.live.id || !is_over(*offset));
            self.moves = number;
            self.writing.is_urgent = true;
        }
    }
}

impl Course {
    fn outlook(&self, first: Offset) -> Outlook {
        let highest = self.cursor.highest().max(first);
        let from = first.max(self.cursor.low().next());
        let settled_above = (from.0..=highest.0).filter(|offset| self.cursor.is_settled(Offset(*offset))).count();
        let below_mark = (self.cursor.low().0 + 1).saturating_sub(first.max(self.start.next()).0);
        let (parked_below, parked) = (self.parking.count_below(first), self.parking.len());
        let is_open = |offset: &u64| !self.cursor.is_settled(Offset(*offset));
        let looked_at = first.0.min(highest.0 + 1);
        let open = (self.cursor.low().0 + 1..looked_at).filter(is_open).count();
        let unread = first.0.saturating_sub(looked_at);
        let few = |count: usize| u64::try_from(count).unwrap_or(0);
        Outlook {
            again: below_mark + few(settled_above) - few(parked - parked_below),
            passed_over: few(open + parked_below) + unread,
        }
    }

    fn skip_to(&mut self, to: Offset, who: &ByteString, at: Timestamp) {
        let order = self.lanes.order();
        // How far anything may be settled or was tried, also before a start: above it one row tells of all.
        let tried = self.trials.last_key_value().map_or(Offset(0), |(offset, _)| *offset);
        let looked_at = self.read_to.max(self.cursor.highest()).max(tried).min(to);
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
        let first = if event.first == Offset(0) { offset } else { event.first };
        self.runs.add(Run { settled: Settled::Skipped, first, last: offset });
        self.parking.add_end(AsideChange { offset, aside: Aside::Skipped, event: Some(event) });
    }
}
