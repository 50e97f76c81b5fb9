//! How long to wait: between probes, between the tries of a refused event, and at a receiver's own wish.
//!
//! Pure arithmetic on durations; who waits and for what is decided elsewhere. Every wait that we choose is
//! spread by 20 % either way, so that endpoints which fell together do not rise together.

use std::time::Duration;

use crate::runtime::Random;

/// Returns the wait before the next probe, after so many that failed: 1 s, doubling to 60 s.
pub(super) fn before_probe(failures: u32, random: &mut Random) -> Duration {
    let doubled = PROBE_FIRST.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
    spread(doubled.min(PROBE_LAST), random)
}

/// Returns the wait before a refused event is tried again, after so many refusals (from 1).
///
/// The receiver's own wish wins over the schedule, within bounds that keep it from being a tight loop or for
/// ever.
pub(super) fn before_retry(
    refusals: u32,
    retry_after: Option<Duration>,
    schedule: &[Duration],
    random: &mut Random,
) -> Duration {
    if let Some(wish) = retry_after {
        return wish.clamp(WISH_OF_EVENT_MIN, RETRY_WAIT_MAX);
    }
    let step = usize::try_from(refusals.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = schedule.get(step).or_else(|| schedule.last()).copied().unwrap_or(RETRY_WAIT_MAX);
    spread(wait, random).min(RETRY_WAIT_MAX)
}

/// Returns the wait before an event without a body is asked for again.
pub(super) fn before_asking_again(random: &mut Random) -> Duration {
    spread(ASK_AGAIN, random)
}

/// Returns how much of the receiver's wish for the whole endpoint is honoured.
pub(super) fn bounded_wish(retry_after: Option<Duration>) -> Duration {
    retry_after.map_or(Duration::ZERO, |wish| wish.min(WISH_OF_ENDPOINT_MAX))
}

/// The longest that any event waits for its next try; a due time read from disk is clamped to it.
pub(super) const RETRY_WAIT_MAX: Duration = Duration::from_secs(29 * 3600);

fn spread(wait: Duration, random: &mut Random) -> Duration {
    wait.mul_f64(0.8 + 0.4 * random.fraction())
}

const PROBE_FIRST: Duration = Duration::from_secs(1);
const PROBE_LAST: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A `Retry-After` of zero on a refusal must not become a tight loop.
const WISH_OF_EVENT_MIN: Duration = Duration::from_secs(5);
/// A receiver that asks for days is most likely wrong about its units; an hour costs it little.
const WISH_OF_ENDPOINT_MAX: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_double_from_one_second_to_one_minute() {
        let mut random = Random::from_seed(1);
        for (failures, seconds) in [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (31, 60), (32, 60), (u32::MAX, 60)] {
            for _ in 0..100 {
                let wait = before_probe(failures, &mut random).as_millis();
                assert!((seconds * 800..=seconds * 1200).contains(&wait), "{failures}: {wait}");
            }
        }
    }

    #[test]
    fn the_schedule_is_followed_and_its_last_step_repeated() {
        let mut random = Random::from_seed(2);
        let schedule = [5, 300, 1800].map(Duration::from_secs);
        for (refusals, seconds) in [(1, 5), (2, 300), (3, 1800), (4, 1800), (u32::MAX, 1800)] {
            let wait = before_retry(refusals, None, &schedule, &mut random).as_secs_f64();
            assert!((f64::from(seconds) * 0.8..=f64::from(seconds) * 1.2).contains(&wait), "{refusals}: {wait}");
        }
        assert!(before_retry(1, None, &[], &mut random) >= Duration::from_secs(23 * 3600));
    }

    #[test]
    fn retry_after_wins_over_the_schedule_within_bounds() {
        let mut random = Random::from_seed(3);
        let schedule = [Duration::from_secs(300)];
        for (wish, expected) in [(0, 5), (7, 7), (86_400, 86_400), (u64::MAX, 29 * 3600)] {
            let wait = before_retry(1, Some(Duration::from_secs(wish)), &schedule, &mut random);
            assert_eq!(wait, Duration::from_secs(expected));
        }
        assert_eq!(bounded_wish(None), Duration::ZERO);
        assert_eq!(bounded_wish(Some(Duration::from_secs(9))), Duration::from_secs(9));
        assert_eq!(bounded_wish(Some(Duration::MAX)), Duration::from_secs(3600));
    }
}
