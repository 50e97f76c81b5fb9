//! When requests went out, and whether that is as fast and as many as was allowed.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use crate::runtime::Monotonic;

use super::super::{Action, Saved, Share};

#[derive(Debug, Default)]
pub(super) struct Traffic {
    last_success: Option<Monotonic>,
    /// Requests of the last second, since the rate was changed last.
    sent: VecDeque<Monotonic>,
    rate: Option<NonZeroU32>,
    /// Whether a person has asked for a probe.
    pub(super) is_probe_asked: bool,
    /// Whether the process began with an endpoint that was written down as in trouble.
    was_in_trouble: bool,
}

impl Traffic {
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        Self { rate, ..Self::default() }
    }

    /// A process begins: nothing is known but what was written down.
    pub(super) fn began(&mut self, saved: &Saved) {
        *self = Self { was_in_trouble: saved.is_in_trouble, ..Self::new(self.rate) };
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
        let is_asked = is_in_trouble && self.is_probe_asked && shares == [Share::Silent];
        self.is_probe_asked &= shares.is_empty();
        let is_expected = shares.iter().all(|share| *share == expected);
        assert!(is_asked || is_expected, "{shares:?} where {expected:?} was expected");
        let is_known = expected == Share::Answering || in_flight > 0;
        assert!(is_known || shares.len() <= 1, "{} at once to a receiver of which nothing is known", shares.len());
        self.count(shares.len(), now);
    }

    /// So many more go out now.
    pub(super) fn count(&mut self, requests: usize, now: Monotonic) {
        self.sent.extend(std::iter::repeat_n(now, requests));
        while self.sent.front().is_some_and(|at| now.since(*at).as_secs() >= 1) {
            self.sent.pop_front();
        }
        let allowed = self.rate.map_or(usize::MAX, |rate| 1 + rate.get() as usize + rate.get() as usize / 100);
        assert!(self.sent.len() <= allowed, "{} requests within a second, {allowed} allowed", self.sent.len());
    }
}
