//! Runs of events that were settled alike: by them events are listed by what became of them.
//!
//! Not what was set aside: that has a row for each event. A run is written with the cursor that passes over it; one
//! that goes on where the last one written ended takes its place, so a receiver that takes everything costs one row.

use crate::model::{Offset, Settled};

/// Events from the first to the last that were settled alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// How.
    pub settled: Settled,
    /// The first of them.
    pub first: Offset,
    /// The last of them.
    pub last: Offset,
}

/// The runs that wait to be written, those on their way, and where the last ones ended.
#[derive(Debug, Default)]
pub(super) struct Runs {
    waiting: Vec<Run>,
    on_the_way: Vec<Run>,
    /// The highest that were written, one of each kind at most.
    ends: Vec<Run>,
}

impl Runs {
    /// Hears how events were settled.
    pub(super) fn add(&mut self, run: Run) {
        match self.waiting.last_mut() {
            Some(last) if last.settled == run.settled && last.last.next() == run.first => last.last = run.last,
            Some(_) | None => self.waiting.push(run),
        }
    }

    /// Takes what is to be written: no two of these touch, and none touches one that was written before.
    pub(super) fn take(&mut self) -> Vec<Run> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable();
        let mut runs: Vec<Run> = Vec::with_capacity(waiting.len());
        for run in waiting {
            match runs.last_mut() {
                Some(last) if last.settled == run.settled && last.last.next() == run.first => last.last = run.last,
                Some(_) | None => runs.push(self.joined(run)),
            }
        }
        for run in &runs {
            match self.ends.iter_mut().find(|end| end.settled == run.settled) {
                Some(end) if end.last < run.last => *end = *run,
                Some(_) => {}
                None => self.ends.push(*run),
            }
        }
        self.on_the_way.clone_from(&runs);
        runs
    }

    /// Lets a run begin where the one before it begins that was written already.
    fn joined(&self, run: Run) -> Run {
        let before = self.ends.iter().find(|end| end.settled == run.settled && end.last.next() == run.first);
        before.map_or(run, |before| Run { first: before.first, ..run })
    }

    /// Hears that what was taken last is written.
    pub(super) fn written(&mut self) {
        self.on_the_way.clear();
    }

    /// Returns what may not be on disk yet.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = Run> {
        self.on_the_way.iter().chain(&self.waiting).copied()
    }

    /// Forgets how events from an offset on were settled: they are looked at again.
    pub(super) fn begin_anew(&mut self, first: Offset) {
        self.ends.clear();
        for runs in [&mut self.waiting, &mut self.on_the_way] {
            runs.retain(|run| run.first < first);
            runs.iter_mut().for_each(|run| run.last = run.last.min(first.previous()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn run(settled: Settled, first: u64, last: u64) -> Run {
        Run { settled, first: Offset(first), last: Offset(last) }
    }

    #[test]
    fn a_run_goes_on_where_the_last_one_written_ended() {
        let mut runs = Runs::default();
        for offset in [1, 3, 2] {
            runs.add(run(Settled::Delivered, offset, offset));
        }
        runs.add(run(Settled::Filtered, 4, 6));
        assert_eq!(runs.take(), [run(Settled::Delivered, 1, 3), run(Settled::Filtered, 4, 6)]);
        assert_eq!(runs.unwritten().count(), 2);
        runs.written();
        runs.add(run(Settled::Filtered, 7, 7));
        runs.add(run(Settled::Delivered, 8, 8));
        assert_eq!(runs.take(), [run(Settled::Delivered, 8, 8), run(Settled::Filtered, 4, 7)]);
        runs.begin_anew(Offset(6));
        assert_eq!(runs.unwritten().collect::<Vec<_>>(), [run(Settled::Filtered, 4, 5)]);
        runs.add(run(Settled::Filtered, 8, 8));
        assert_eq!(runs.take(), [run(Settled::Filtered, 8, 8)], "what was written before is not what holds now");
    }

    proptest! {
        #[test]
        fn what_was_written_says_of_every_event_how_it_was_settled(
            kinds in prop::collection::vec(0..Settled::ALL.len(), 1..60),
            order in any::<prop::sample::Index>(),
            pieces in 1..6_usize,
        ) {
            let mut offsets: Vec<u64> = (1..=u64::try_from(kinds.len()).unwrap()).collect();
            let middle = order.index(offsets.len());
            offsets.rotate_left(middle);
            let kind = |offset: u64| Settled::ALL[kinds[usize::try_from(offset).unwrap() - 1]];
            let (mut runs, mut disk) = (Runs::default(), BTreeMap::new());
            for piece in offsets.chunks(kinds.len().div_ceil(pieces)) {
                piece.iter().for_each(|offset| runs.add(run(kind(*offset), *offset, *offset)));
                disk.extend(runs.take().into_iter().map(|run| ((run.settled, run.first), run.last)));
            }
            for offset in offsets {
                let of: Vec<Settled> = disk
                    .iter()
                    .filter(|((_, first), last)| (*first..=**last).contains(&Offset(offset)))
                    .map(|((settled, _), _)| *settled)
                    .collect();
                prop_assert_eq!(of, [kind(offset)]);
            }
        }
    }
}
