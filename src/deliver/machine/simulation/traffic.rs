//! When requests went out, and whether that is as fast and as many as was allowed.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use crate::runtime::Monotonic;

use super::super::{Action, SavedCourse, Share};

#[derive(Debug, Default)]
pub(super) struct Traffic {
    last_success: Option<Monotonic>,
    /// Requests of the last second, since the rate was changed last.
    sent: VecDeque<Monotonic>,
    rate: Option<NonZeroU32>,
    /// Whether the process began with an event on which the receiver had failed.
    was_in_trouble: bool,
}

impl Traffic {
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        Self { rate, ..Self::default() }
    }

    /// A process begins: nothing is known but what was written down.
    pub(super) fn began(&mut self, saved: &SavedCourse) {
        let was_in_trouble = saved.retries.iter().any(|retry| retry.attempts > 0 && retry.refusals == 0);
        *self = Self { was_in_trouble, ..Self::new(self.rate) };
    }

    pub(super) fn set_rate(&mut self, rate: Option<NonZeroU32>) {
        if rate != self.rate {
            self.sent.clear();
        }
        self.rate = rate;
    }

    pub(super) const fn succeeded(&mut self, now: Monotonic) {
        self.last_success = Some(now);
    }

    /// Looks at what goes out now, beside so many that are in flight already.
    pub(super) fn check(&mut self, actions: &[Action], in_flight: usize, is_in_trouble: bool, now: Monotonic) {
        let is_silent = self.last_success.is_none_or(|at| now.since(at).as_secs() >= 60);
        let is_in_trouble = is_in_trouble || self.was_in_trouble && self.last_success.is_none();
        let expected = match (is_in_trouble, is_silent) {
            (true, _) => Share::InTrouble,
            (false, true) => Share::Silent,
            (false, false) => Share::Answering,
        };
        let shares = actions.iter().filter_map(|action| match action {
            Action::Attempt { share, .. } => Some(*share),
            _ => None,
        });
        let shares: Vec<Share> = shares.collect();
        assert!(shares.iter().all(|share| *share == expected), "{shares:?} where {expected:?} was expected");
        let is_known = expected == Share::Answering || in_flight > 0;
        assert!(is_known || shares.len() <= 1, "{} at once to a receiver of which nothing is known", shares.len());
        self.sent.extend(shares.iter().map(|_| now));
        while self.sent.front().is_some_and(|at| now.since(*at).as_secs() >= 1) {
            self.sent.pop_front();
        }
        let allowed = self.rate.map_or(usize::MAX, |rate| 1 + rate.get() as usize + rate.get() as usize / 100);
        assert!(self.sent.len() <= allowed, "{} requests within a second, {allowed} allowed", self.sent.len());
    }
}
