//! What is remembered of an event that was tried in vain.
//!
//! Not of one that was never tried: there is nothing to remember, and nothing is kept. The number of
//! requests goes on across restarts; what was seen of others meanwhile does not.

use crate::runtime::Monotonic;

/// The tries of one event.
#[derive(Debug, Default, Clone)]
pub(super) struct Trial {
    /// Requests that have ended.
    pub(super) attempts: u32,
    /// Steps of the schedule that are used up.
    pub(super) refusals: u32,
    /// How often the endpoint failed on it.
    troubles: u32,
    /// The count of successes from which on a success is surely one of a request sent after the first trouble.
    successes_from: u64,
    /// When it is to be tried again, if it was refused.
    pub(super) due: Option<Monotonic>,
    /// Until when its lane waits with it, once it was refused.
    pub(super) hold_until: Option<Monotonic>,
    /// Whether a person has asked for its next try.
    pub(super) is_asked: bool,
    /// Whether it was one of a row of refusals that was put down to the endpoint. It is not, a second time:
    /// others have succeeded since.
    pub(super) was_in_row: bool,
}

impl Trial {
    /// Goes on after a restart.
    pub(super) fn go_on(attempts: u32, refusals: u32, due: Option<Monotonic>) -> Self {
        Self { attempts, refusals, due, ..Self::default() }
    }

    /// Counts a request on which the endpoint failed and returns whether the event is to blame after all: it
    /// failed so many times while others, sent later, succeeded.
    pub(super) const fn is_to_blame(&mut self, successes: u64, in_flight: u64) -> bool {
        self.attempts += 1;
        if self.troubles == 0 {
            // What is in flight now was sent before; all of it may still succeed.
            self.successes_from = successes + in_flight;
        }
        self.troubles += 1;
        let is_to_blame = self.troubles >= TROUBLES_MAX && successes >= self.successes_from + LATER_SUCCESSES_MIN;
        if is_to_blame {
            self.troubles = 0;
        }
        is_to_blame
    }

    pub(super) const fn troubles(&self) -> u32 {
        self.troubles
    }
}

const TROUBLES_MAX: u32 = 5;
const LATER_SUCCESSES_MIN: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_to_blame_when_it_fails_five_times_while_five_sent_later_succeed() {
        for (successes_at_end, in_flight, expected) in [(10, 0, false), (15, 0, true), (15, 1, false), (16, 1, true)] {
            let mut trial = Trial::default();
            for _ in 0..4 {
                assert!(!trial.is_to_blame(10, in_flight));
            }
            assert_eq!(trial.is_to_blame(successes_at_end, 99), expected);
            assert_eq!(trial.attempts, 5);
        }
    }

    #[test]
    fn four_failures_are_not_enough() {
        let mut trial = Trial::default();
        assert!((0..4_u64).all(|n| !trial.is_to_blame(1000 * n, 0)));
        assert!(trial.is_to_blame(4000, 0));
        assert_eq!(trial.troubles(), 0);
    }
}
