//! Whether an endpoint is in trouble, and when it is probed.
//!
//! Not which event is the probe, nor what becomes of it. Closed, everything flows; open, one request at a
//! time is tried, after 1 s, then doubling to 60 s, until one succeeds. Trouble opens it at the fifth time in
//! a row, or at the first when nothing else of the endpoint is in flight: then there is no one to ask.

use std::time::Duration;

use crate::model::Offset;
use crate::runtime::{Monotonic, Random};

use super::backoff;
use super::input::CourseId;

/// The state of the endpoint as its answers tell it.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    open: Option<Open>,
    troubles_in_a_row: u32,
    /// Until when the receiver itself has asked to be left alone.
    quiet_until: Monotonic,
    /// What has failed since it last took an event, if that has opened the circuit.
    outage: Option<Outage>,
    /// When an outage was last told.
    told_at: Option<Monotonic>,
}

#[derive(Debug)]
struct Open {
    cause: Cause,
    failures: u32,
    probe_at: Monotonic,
    probe: Option<(CourseId, Offset)>,
}

/// A time in which an endpoint took nothing, though it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When it began.
    pub since: Monotonic,
    /// When a request failed last. What came after it, such as a pause, is not the receiver's.
    pub last_failure_at: Monotonic,
    /// How many requests failed.
    pub requests: u32,
}

/// Why the circuit is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// No answer, or one that speaks of the endpoint.
    Trouble,
    /// Event after event was refused.
    Refusals,
}

/// An answer that puts the endpoint at fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    pub(super) is_probe: bool,
    /// Whether nothing else of the endpoint is in flight.
    pub(super) is_alone: bool,
    pub(super) retry_after: Option<Duration>,
}

impl Circuit {
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn is_probe(&self, course: CourseId, offset: Offset) -> bool {
        self.open.as_ref().is_some_and(|open| open.probe == Some((course, offset)))
    }

    /// Returns when the next probe may go; `None` where the circuit is closed or one is under way.
    pub(super) fn probe_at(&self) -> Option<Monotonic> {
        self.open.as_ref().filter(|open| open.probe.is_none()).map(|open| open.probe_at)
    }

    /// Takes note of the probe that goes now.
    pub(super) fn probing(&mut self, course: CourseId, offset: Offset) {
        if let Some(open) = &mut self.open {
            open.probe = Some((course, offset));
        }
    }

    /// Lets the next probe go at once, if none is under way.
    pub(super) const fn probe_now(&mut self, now: Monotonic) {
        if let Some(open) = &mut self.open {
            open.probe_at = now;
        }
    }

    /// Takes back a probe that told nothing of the endpoint; another may go at once.
    pub(super) const fn probe_told_nothing(&mut self) {
        if let Some(open) = &mut self.open {
            open.probe = None;
        }
    }

    /// Hears of a success: closes, and tells of the outage that is over, if it was long.
    ///
    /// Seldom: what is told is sent to this endpoint too, and must not be what keeps it in trouble.
    pub(super) fn success(&mut self, now: Monotonic) -> Option<Outage> {
        let Self { outage, told_at, .. } = std::mem::take(self);
        let is_long = |outage: &Outage| outage.last_failure_at.since(outage.since) >= TOLD_FROM;
        let told = outage.filter(is_long).filter(|_| told_at.is_none_or(|at| now.since(at) >= TOLD_EVERY));
        self.told_at = if told.is_some() { Some(now) } else { told_at };
        told
    }

    /// Hears of trouble; returns whether this has opened the circuit.
    pub(super) fn trouble(&mut self, trouble: Trouble, now: Monotonic, random: &mut Random) -> bool {
        self.quiet_until = self.quiet_until.max(now.plus(backoff::bounded_wish(trouble.retry_after)));
        self.troubles_in_a_row += 1;
        match self.open {
            Some(_) if trouble.is_probe => self.probe_failed(now, random),
            Some(_) => {}
            None if trouble.is_alone || self.troubles_in_a_row >= TROUBLES_IN_A_ROW_MAX => {
                self.open(Cause::Trouble, self.troubles_in_a_row, now, random);
                return true;
            }
            None => return false,
        }
        self.respect_quiet();
        false
    }

    /// Hears that an event was refused: an endpoint that answers a probe so is not in the trouble of not answering.
    ///
    /// An older request says nothing of how the endpoint does since.
    pub(super) fn refusal(&mut self, is_probe: bool, now: Monotonic, random: &mut Random) {
        self.troubles_in_a_row = 0;
        match self.open {
            Some(Open { cause: Cause::Trouble, .. }) if is_probe => self.open = None,
            Some(_) if is_probe => self.probe_failed(now, random),
            Some(_) | None => {}
        }
    }

    /// Opens, for a reason, after so many requests have failed.
    pub(super) fn open(&mut self, cause: Cause, requests: u32, now: Monotonic, random: &mut Random) {
        let probe_at = now.plus(backoff::before_probe(0, random));
        self.open = Some(Open { cause, failures: 0, probe_at, probe: None });
        self.count_failed(requests, now);
        self.respect_quiet();
    }

    fn probe_failed(&mut self, now: Monotonic, random: &mut Random) {
        if let Some(open) = &mut self.open {
            open.failed(now, random);
        }
        self.count_failed(1, now);
    }

    fn count_failed(&mut self, requests: u32, now: Monotonic) {
        let outage = self.outage.get_or_insert(Outage { since: now, last_failure_at: now, requests: 0 });
        outage.last_failure_at = now;
        outage.requests = outage.requests.saturating_add(requests);
    }

    fn respect_quiet(&mut self) {
        if let Some(open) = &mut self.open {
            open.probe_at = open.probe_at.max(self.quiet_until);
        }
    }
}

impl Open {
    fn failed(&mut self, now: Monotonic, random: &mut Random) {
        self.probe = None;
        self.failures = self.failures.saturating_add(1);
        self.probe_at = now.plus(backoff::before_probe(self.failures, random));
    }
}

const TROUBLES_IN_A_ROW_MAX: u32 = 5;
/// What was shorter is a restart or a lost packet, of which nobody needs to be told.
const TOLD_FROM: Duration = Duration::from_secs(60);
/// What takes one request a minute would else be told of each, and be busy with that for ever.
const TOLD_EVERY: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn answer(is_probe: bool, is_alone: bool) -> Trouble {
        Trouble { is_probe, is_alone, retry_after: None }
    }

    #[test]
    fn the_fifth_trouble_in_a_row_opens_and_a_success_between_starts_anew() {
        let mut random = Random::from_seed(1);
        let mut circuit = Circuit::default();
        let opened: Vec<_> = (0..5).map(|_| circuit.trouble(answer(false, false), Monotonic(0), &mut random)).collect();
        assert_eq!(opened, [false, false, false, false, true]);
        assert_eq!(circuit.success(Monotonic(0)), None);
        assert!(!circuit.is_open());
        for _ in 0..4 {
            assert!(!circuit.trouble(answer(false, false), Monotonic(0), &mut random));
        }
        assert_eq!(circuit.success(Monotonic(0)), None);
        assert!(!circuit.trouble(answer(false, false), Monotonic(0), &mut random));
    }

    #[test]
    fn the_first_trouble_opens_when_nothing_else_is_in_flight() {
        assert!(Circuit::default().trouble(answer(false, true), Monotonic(0), &mut Random::from_seed(1)));
    }

    #[test]
    fn probes_are_spaced_and_only_a_failed_probe_makes_the_next_one_later() {
        let mut random = Random::from_seed(1);
        let mut circuit = Circuit::default();
        circuit.trouble(answer(false, true), Monotonic(0), &mut random);
        let mut now = Monotonic(0);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let at = circuit.probe_at().expect("no probe is under way");
            let wait_ms = at.since(now).as_millis();
            assert!((seconds * 800..=seconds * 1200).contains(&wait_ms), "{wait_ms} for {seconds}");
            now = at;
            circuit.probing(CourseId::Live, Offset(1));
            assert_eq!(circuit.probe_at(), None);
            circuit.trouble(answer(false, false), now, &mut random);
            assert_eq!(circuit.probe_at(), None, "an older request does not free the probe");
            circuit.trouble(answer(true, true), now, &mut random);
        }
    }

    #[test]
    fn a_receiver_that_asks_for_quiet_is_given_it() {
        let mut random = Random::from_seed(1);
        let mut circuit = Circuit::default();
        let wish = Trouble { is_probe: false, is_alone: false, retry_after: Some(Duration::from_secs(100)) };
        assert!(!circuit.trouble(wish, Monotonic(0), &mut random));
        assert!(circuit.trouble(answer(false, true), Monotonic(5 * SECOND), &mut random));
        assert_eq!(circuit.probe_at(), Some(Monotonic(100 * SECOND)));
        circuit.probe_now(Monotonic(6 * SECOND));
        assert_eq!(circuit.probe_at(), Some(Monotonic(6 * SECOND)));
    }

    #[test]
    fn a_refusal_ends_trouble_but_not_a_row_of_refusals() {
        let mut random = Random::from_seed(1);
        let mut circuit = Circuit::default();
        circuit.trouble(answer(false, true), Monotonic(0), &mut random);
        circuit.refusal(false, Monotonic(0), &mut random);
        assert!(circuit.is_open(), "an older request says nothing of now");
        circuit.refusal(true, Monotonic(0), &mut random);
        assert!(!circuit.is_open());
        circuit.open(Cause::Refusals, 10, Monotonic(0), &mut random);
        circuit.probing(CourseId::Live, Offset(1));
        circuit.refusal(true, Monotonic(SECOND), &mut random);
        assert!(circuit.probe_at().is_some_and(|at| at >= Monotonic(SECOND + SECOND)));
    }

    #[test]
    fn what_lasted_a_minute_is_told_once_it_is_over() {
        let mut random = Random::from_seed(1);
        let (second, minute) = (Monotonic(SECOND), 60 * SECOND);
        let outage = |since, last, requests| {
            Some(Outage { since: Monotonic(since), last_failure_at: Monotonic(last), requests })
        };
        let mut circuit = Circuit::default();
        for _ in 0..5 {
            circuit.trouble(answer(false, false), second, &mut random);
        }
        circuit.trouble(answer(true, true), Monotonic(SECOND + minute), &mut random);
        assert_eq!(circuit.success(Monotonic(2 * minute)), outage(SECOND, SECOND + minute, 6));
        assert_eq!(circuit.success(Monotonic(3 * minute)), None, "once");
        // A pause is not the receiver's: nothing failed in it.
        let mut circuit = Circuit::default();
        circuit.trouble(answer(false, true), second, &mut random);
        assert_eq!(circuit.success(Monotonic(100 * minute)), None);
        // What refuses an event answers, but the outage goes on until one is taken.
        let mut circuit = Circuit::default();
        circuit.trouble(answer(false, true), Monotonic(0), &mut random);
        circuit.trouble(answer(true, true), Monotonic(2 * minute), &mut random);
        circuit.refusal(true, Monotonic(3 * minute), &mut random);
        circuit.trouble(answer(false, true), Monotonic(4 * minute), &mut random);
        assert_eq!(circuit.success(Monotonic(5 * minute)), outage(0, 4 * minute, 3));
    }

    #[test]
    fn what_is_told_does_not_keep_itself_going() {
        let mut random = Random::from_seed(1);
        let mut circuit = Circuit::default();
        let mut told = Vec::new();
        // One request a minute is taken, and two in between are refused for a minute: for three hours.
        for minute in (0..180).step_by(3) {
            let at = |after: u64| Monotonic((minute + after) * 60 * SECOND);
            circuit.trouble(answer(false, true), at(0), &mut random);
            circuit.trouble(answer(true, true), at(1), &mut random);
            told.extend(circuit.success(at(2)).map(|_| minute));
        }
        assert_eq!(told, [0, 60, 120]);
    }
}
