//! Which sequence numbers of one endpoint have arrived: pure.
//!
//! Not in their order: lanes run in parallel, so the next number may be any of some dozens. Kept are the
//! runs of numbers that follow each other, so memory grows with the holes and not with the numbers.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The numbers that have arrived.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    /// First number of a run to its last. Runs neither overlap nor touch.
    runs: BTreeMap<u64, u64>,
}

impl Sequences {
    /// Begins before this number, so that its absence is a gap.
    pub(super) fn expecting(first: u64) -> Self {
        let before = first.saturating_sub(1);
        Self { runs: BTreeMap::from([(before, before)]) }
    }

    /// Notes an arrival, and returns whether it is the first of its number.
    pub(super) fn note(&mut self, number: u64) -> bool {
        if let Some(mut newest) = self.runs.last_entry()
            && newest.get().checked_add(1) == Some(number)
        {
            *newest.get_mut() = number;
            return true;
        }
        let before = self.runs.range_mut(..=number).next_back();
        let first = match before {
            Some((_, last)) if *last >= number => return false,
            Some((first, last)) if *last + 1 == number => {
                *last = number;
                *first
            }
            Some(_) | None => {
                self.runs.insert(number, number);
                number
            }
        };
        if let Some(next) = number.checked_add(1)
            && let Some(last) = self.runs.remove(&next)
        {
            self.runs.insert(first, last);
        }
        true
    }

    /// Returns the numbers between the least and the greatest that have not arrived.
    pub(super) fn missing(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        let after = self.runs.values();
        let before = self.runs.keys().skip(1);
        // Runs do not touch, so there is a number after one and before the next.
        after.zip(before).map(|(last, first)| last.saturating_add(1)..=first.saturating_sub(1))
    }

    /// Returns the greatest number that has arrived.
    pub(super) fn newest(&self) -> Option<u64> {
        self.runs.last_key_value().map(|(_, last)| *last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Sequences;

    fn noted(mut sequences: Sequences, numbers: &[u64]) -> (Vec<bool>, Vec<(u64, u64)>) {
        let first_times = numbers.iter().map(|number| sequences.note(*number)).collect();
        (first_times, sequences.missing().map(|range| (*range.start(), *range.end())).collect())
    }

    #[test]
    fn numbers_may_arrive_out_of_turn() {
        assert_eq!(noted(Sequences::default(), &[1, 2, 3]), (vec![true; 3], vec![]));
        assert_eq!(noted(Sequences::default(), &[7, 5, 6, 9, 8]), (vec![true; 5], vec![]));
        assert_eq!(noted(Sequences::default(), &[5, 9, 7]), (vec![true; 3], vec![(6, 6), (8, 8)]));
        assert_eq!(noted(Sequences::default(), &[5, 5, 6, 5]), (vec![true, false, true, false], vec![]));
        assert_eq!(noted(Sequences::default(), &[u64::MAX, u64::MAX - 1, u64::MAX]), (vec![true, true, false], vec![]));
    }

    #[test]
    fn a_missing_beginning_is_a_gap_only_where_it_was_expected() {
        assert_eq!(noted(Sequences::default(), &[4]).1, []);
        assert_eq!(noted(Sequences::expecting(1), &[4]).1, [(1, 3)]);
        assert_eq!(noted(Sequences::expecting(1), &[4, 2, 1, 3]).1, []);
    }

    proptest! {
        #[test]
        fn it_says_what_a_set_would_say(numbers in proptest::collection::vec(1_u64..40, 0..80)) {
            let mut sequences = Sequences::default();
            let mut set = BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(sequences.note(number), set.insert(number));
                let (Some(first), Some(last)) = (set.first(), set.last()) else { continue };
                let missing: Vec<_> = (*first..=*last).filter(|number| !set.contains(number)).collect();
                prop_assert_eq!(sequences.missing().flatten().collect::<Vec<_>>(), missing);
                prop_assert_eq!(sequences.newest(), Some(*last));
            }
        }
    }
}
