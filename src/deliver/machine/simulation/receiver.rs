//! An invented receiver: what it answers, when, and what it has really taken.

use std::time::Duration;

use crate::model::Offset;
use crate::runtime::Random;

use super::super::AttemptResult;

/// How the receiver behaves at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Healthy,
    /// Takes everything, in its own time.
    Slow,
    /// Does not answer.
    Dead,
    /// Answers 5xx.
    Failing,
    /// Answers 429 and asks for quiet.
    Limiting(Duration),
    /// Resets some connections, sometimes after it has taken the event.
    Resetting,
    /// Refuses everything.
    Refusing,
    /// Wants nothing any more.
    Unwilling,
}

#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) mood: Mood,
    /// Keys of which it refuses every event.
    pub(super) poison_keys: Vec<u64>,
    /// Events on which it breaks: one in so many.
    pub(super) breaks_on_every: Option<u64>,
    /// Events that it never wants, as it says: one in so many.
    pub(super) aborts_every: Option<u64>,
}

/// What came of a request at the receiver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) is_taken: bool,
    pub(super) result: AttemptResult,
    pub(super) after: Duration,
}

impl Receiver {
    pub(super) const fn healthy() -> Self {
        Self { mood: Mood::Healthy, poison_keys: Vec::new(), breaks_on_every: None, aborts_every: None }
    }

    pub(super) fn change_mood(&mut self, random: &mut Random) {
        self.mood = match random.below(14) {
            0..=4 => Mood::Healthy,
            5 => Mood::Slow,
            6 => Mood::Dead,
            7 | 8 => Mood::Failing,
            9 => Mood::Limiting(Duration::from_secs(random.below(200))),
            10 | 11 => Mood::Resetting,
            12 => Mood::Refusing,
            _ => Mood::Unwilling,
        };
    }

    pub(super) fn answer(&self, offset: Offset, key: Option<u64>, random: &mut Random) -> Answer {
        let soon = Duration::from_millis(1 + random.below(40));
        let failed = AttemptResult::Trouble { retry_after: None };
        let (is_taken, result, after) = match self.mood {
            Mood::Dead => (false, failed, Duration::from_secs(15)),
            Mood::Failing => (false, failed, soon),
            Mood::Limiting(wish) => (false, AttemptResult::Trouble { retry_after: Some(wish) }, soon),
            Mood::Resetting if random.chance(0.4) => (random.chance(0.3), failed, soon),
            Mood::Refusing => (false, AttemptResult::Refused { status: 400, retry_after: None }, soon),
            Mood::Unwilling => (false, AttemptResult::Unwanted, soon),
            Mood::Healthy | Mood::Slow | Mood::Resetting => {
                let after = if self.mood == Mood::Slow { soon * 200 } else { soon };
                if key.is_some_and(|key| self.poison_keys.contains(&key)) {
                    let retry_after = random.chance(0.2).then(|| Duration::from_secs(random.below(100)));
                    (false, AttemptResult::Refused { status: 422, retry_after }, after)
                } else if self.aborts_every.is_some_and(|every| offset.0.is_multiple_of(every)) {
                    (false, AttemptResult::Aborted { status: Some(422) }, after)
                } else if self.breaks_on_every.is_some_and(|every| offset.0.is_multiple_of(every)) {
                    (false, failed, after)
                } else {
                    (true, AttemptResult::Delivered { bytes: offset.0 }, after)
                }
            }
        };
        Answer { is_taken, result, after }
    }
}
