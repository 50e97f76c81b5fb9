//! How fast an endpoint is sent to, where its settings say so.
//!
//! Not how many at once: that is the window's. Requests are spaced evenly (the generic cell rate algorithm of
//! ITU-T I.371); whoever is woken a little late makes up for it, by no more than a hundredth of a second.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::runtime::Monotonic;

/// The spacing of requests.
#[derive(Debug)]
pub(super) struct Pace {
    /// From one request to the next; none where there is no limit.
    interval: Option<Duration>,
    /// When the next request would go if all were spaced evenly.
    even: Monotonic,
}

impl Pace {
    pub(super) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self { interval: per_second.map(|rate| Duration::from_secs(1) / rate.get()), even: Monotonic(0) }
    }

    /// Changes the rate; what the last request has taken up of the old one is kept.
    pub(super) fn change(&mut self, per_second: Option<NonZeroU32>) {
        *self = Self { even: self.even, ..Self::new(per_second) };
    }

    /// Returns from when on a request may go.
    pub(super) fn free_from(&self) -> Monotonic {
        self.interval.map_or(Monotonic(0), |_| self.even)
    }

    /// Takes note of a request that goes now.
    pub(super) fn went(&mut self, now: Monotonic) {
        if let Some(interval) = self.interval {
            let caught_up_from = Monotonic(now.0.saturating_sub(LATENESS_NS));
            self.even = self.even.max(caught_up_from).plus(interval);
        }
    }
}

/// What a timer may be late by and is made up for.
const LATENESS_NS: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_within(pace: &mut Pace, from_ms: u64, to_ms: u64) -> usize {
        let times = (from_ms..to_ms).map(|ms| Monotonic(ms * 1_000_000));
        times.map(|now| std::iter::from_fn(|| (pace.free_from() <= now).then(|| pace.went(now))).count()).sum()
    }

    #[test]
    fn requests_are_spaced_evenly_and_time_without_any_is_not_saved_up() {
        let mut pace = Pace::new(NonZeroU32::new(5));
        for start in [0, 60_000] {
            assert_eq!(sent_within(&mut pace, start, start + 1), 1);
            assert_eq!(sent_within(&mut pace, start + 1, start + 190), 0);
            assert_eq!(sent_within(&mut pace, start + 190, start + 990), 4);
        }
    }

    #[test]
    fn a_rate_finer_than_a_timer_is_kept_over_a_second() {
        let mut pace = Pace::new(NonZeroU32::new(20_000));
        let sent = sent_within(&mut pace, 0, 1_000);
        assert!((19_900..=20_300).contains(&sent), "{sent}");
    }

    #[test]
    fn a_new_rate_holds_from_the_next_request_on_and_none_is_no_limit() {
        let mut pace = Pace::new(None);
        (0..100).for_each(|_| pace.went(Monotonic(0)));
        assert_eq!(pace.free_from(), Monotonic(0));
        pace.change(NonZeroU32::new(1));
        pace.went(Monotonic(0));
        assert_eq!(pace.free_from(), Monotonic(1_000_000_000));
        pace.change(NonZeroU32::new(1_000));
        assert_eq!(pace.free_from(), Monotonic(1_000_000_000), "the last one has taken its second");
        pace.change(None);
        assert_eq!(pace.free_from(), Monotonic(0));
    }
}
