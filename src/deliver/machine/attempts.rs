//! What an ended attempt means: for the event, for its lane, and for the endpoint.
//!
//! Not how an answer is classified: that was done by whoever made the request. Who is to blame decides:
//! the endpoint's trouble costs an event nothing but time, a refusal uses up the event's schedule, and what is
//! our own doing counts for nobody.

use std::time::Duration;

use crate::model::Offset;
use crate::runtime::Monotonic;

use super::Machine;
use super::action::{Action, GivenUp};
use super::aside;
use super::backoff;
use super::circuit::{Cause, Trouble};
use super::course::{Course, Flight};
use super::input::{AttemptResult, CourseId, Now};
use super::lanes::{EntryId, Reason, Standing};
use super::ledger::Settlement;
use super::parking::End;
use super::replaying::Replaying;

impl Machine {
    pub(super) fn attempt_ended(
        &mut self,
        course: CourseId,
        offset: Offset,
        result: AttemptResult,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let is_probe = self.circuit.is_probe(course, offset);
        let flight = match self.course_mut(course) {
            Some(course) => course.arrive(offset),
            None => None,
        };
        if flight.is_none() {
            let Some(orphan) = self.orphans.iter().position(|orphan| *orphan == (course, offset)) else { return };
            self.orphans.swap_remove(orphan);
        }
        let ended = Ended { course, flight, is_probe };
        match result {
            AttemptResult::Delivered { bytes } => {
                actions.extend(self.circuit.success(now.monotonic).map(Action::Recovered));
                self.delivered(ended, bytes, now.monotonic);
            }
            AttemptResult::Trouble { retry_after } => self.trouble(ended, retry_after, now),
            AttemptResult::Refused { status, retry_after } => self.refused(ended, status, retry_after, now),
            AttemptResult::Aborted { status } => self.aborted(ended, status, now),
            AttemptResult::Unwanted => self.unwanted(ended, actions),
            AttemptResult::Cancelled
            | AttemptResult::Filtered(_)
            | AttemptResult::Fault
            | AttemptResult::Later
            | AttemptResult::TooOld
            | AttemptResult::Gone => self.not_sent(ended, result, now),
        }
    }

    fn delivered(&mut self, ended: Ended, bytes: u64, now: Monotonic) {
        self.is_probe_asked = false;
        self.window.succeeded(now);
        self.refused_in_row.clear();
        self.replay.iter_mut().for_each(Replaying::has_taken);
        self.successes += 1;
        if let Some((course, flight)) = self.landed(ended) {
            course.fault_row.body_was_made();
            course.settle_entry(flight.entry, Settlement::Delivered { bytes });
        }
    }

    fn trouble(&mut self, ended: Ended, retry_after: Option<Duration>, now: Now) {
        // What still waits for a place was not asked of the receiver.
        let in_flight = self.in_flight().saturating_sub(self.waiting);
        let trouble = Trouble { is_probe: ended.is_probe, is_alone: in_flight == 0, retry_after };
        if self.circuit.trouble(trouble, now.monotonic, &mut self.random) {
            self.opened();
        }
        let (is_open, successes) = (self.circuit.is_open(), self.successes);
        let Some((course, flight)) = self.landed(ended) else { return };
        course.fault_row.body_was_made();
        let trial = course.trial_mut(flight.entry);
        if trial.is_to_blame(successes, u64::try_from(in_flight).unwrap_or(0)) {
            trial.refusals += 1;
            let refusals = trial.refusals;
            self.wait_or_give_up(ended.course, flight.entry, Refusal { refusals, retry_after, status: None }, now);
        } else if is_open {
            course.lanes.set(flight.entry, Standing::Queued);
        } else {
            let troubles = trial.troubles();
            let wait = backoff::before_probe(troubles.saturating_sub(1), &mut self.random);
            let until = now.monotonic.plus(wait.max(backoff::bounded_wish(retry_after)));
            if let Some((course, flight)) = self.landed(ended) {
                course.lanes.set(flight.entry, Standing::Waiting(until, Reason::Trouble));
            }
        }
    }

    fn refused(&mut self, ended: Ended, status: u16, retry_after: Option<Duration>, now: Now) {
        self.circuit.refusal(ended.is_probe, now.monotonic, &mut self.random);
        let is_open = self.circuit.is_open();
        let replay = self.replay.as_mut().filter(|replaying| replaying.course.id == ended.course);
        let stands_still = replay.is_some_and(|replay| replay.is_refused_again(now.monotonic, &mut self.random));
        let Some((course, flight)) = self.landed(ended) else { return };
        course.fault_row.body_was_made();
        let is_full = ended.course == CourseId::Live && course.is_full_for(flight.entry);
        let trial = course.trial_mut(flight.entry);
        trial.attempts += 1;
        if is_open || is_full || stands_still {
            // Event after event is refused: it is the endpoint's, and costs this one nothing.
            course.lanes.set(flight.entry, Standing::Queued);
            if is_full && !is_open {
                self.circuit.open(Cause::Refusals, 1, now.monotonic, &mut self.random);
                self.opened();
            }
            return;
        }
        let (before, was_in_row) = (trial.refusals, trial.was_in_row);
        trial.refusals += 1;
        let refusals = trial.refusals;
        let offset = course.lanes.entry(flight.entry).offset;
        self.wait_or_give_up(ended.course, flight.entry, Refusal { refusals, retry_after, status: Some(status) }, now);
        let is_new =
            !self.refused_in_row.iter().any(|(course, refused, _)| (*course, *refused) == (ended.course, offset));
        if is_new && !was_in_row {
            self.refused_in_row.push((ended.course, offset, before));
            let in_row = self.refused_in_row.iter().filter(|(course, ..)| *course == ended.course).count();
            if in_row >= self.policy.refusals_in_a_row_max.max(1) as usize {
                match ended.course {
                    CourseId::Live => self.put_row_down_to_endpoint(now),
                    CourseId::Replay(_) => self.put_row_down_to_replay(ended.course, now),
                }
            }
        }
    }

    /// Lets a replay stand still because event after event of it was refused, and takes their refusals back. What it
    /// sends is the past: that says nothing of what comes now, and live work goes first.
    fn put_row_down_to_replay(&mut self, id: CourseId, now: Now) {
        let row = self.refused_in_row.extract_if(.., |(course, ..)| *course == id);
        let row: Vec<_> = row.map(|(_, offset, before)| (offset, before)).collect();
        if let Some(replaying) = &mut self.replay {
            replaying.stand_still(now.monotonic, &mut self.random);
            replaying.course.pardon(&row);
        }
    }

    /// Opens the circuit because event after event was refused, and takes their refusals back.
    fn put_row_down_to_endpoint(&mut self, now: Now) {
        let row = std::mem::take(&mut self.refused_in_row);
        let refused = u32::try_from(row.len()).unwrap_or(u32::MAX);
        self.circuit.open(Cause::Refusals, refused, now.monotonic, &mut self.random);
        self.opened();
        for course in self.courses_mut() {
            let id = course.id;
            let refused = row.iter().filter(|(course, ..)| *course == id);
            let refused: Vec<_> = refused.map(|(_, offset, before)| (*offset, *before)).collect();
            course.pardon(&refused);
        }
    }

    /// The receiver never wants this event.
    fn aborted(&mut self, ended: Ended, status: Option<u16>, now: Now) {
        self.circuit.refusal(ended.is_probe, now.monotonic, &mut self.random);
        let Some((course, flight)) = self.landed(ended) else { return };
        course.fault_row.body_was_made();
        course.trial_mut(flight.entry).attempts += 1;
        self.give_up(ended.course, flight.entry, End::dead_letter(aside::Cause::Aborted, status, now.wall));
    }

    /// Lets a refused event wait for its next try, or gives it up after the last.
    fn wait_or_give_up(&mut self, id: CourseId, entry: EntryId, refusal: Refusal, now: Now) {
        let Refusal { refusals, retry_after, status } = refusal;
        let tries_max = match id {
            CourseId::Live => self.policy.retry_schedule.len() + 1,
            CourseId::Replay(_) => REPLAY_TRIES_MAX,
        };
        if refusals as usize >= tries_max {
            self.give_up(id, entry, End::dead_letter(aside::Cause::Refused, status, now.wall));
            return;
        }
        let wait = backoff::before_retry(refusals, retry_after, &self.policy.retry_schedule, &mut self.random);
        if let Some(course) = self.course_mut(id) {
            course.wait_for_next_try(entry, now.monotonic.plus(wait), now.monotonic);
        }
    }

    /// Gives an event up: a dead letter of the endpoint, or one line in the list of a replay.
    fn give_up(&mut self, id: CourseId, entry: EntryId, end: End) {
        let Some(course) = self.course_mut(id) else { return };
        let offset = course.lanes.entry(entry).offset;
        match id {
            CourseId::Live => course.end_entry(entry, end),
            CourseId::Replay(replay) => {
                course.settle_entry(entry, Settlement::GivenUp);
                self.writing.given_up.push(GivenUp { replay, offset, status: end.status });
            }
        }
    }

    fn unwanted(&mut self, ended: Ended, actions: &mut Vec<Action>) {
        self.probe_told_nothing(ended);
        if let Some((course, flight)) = self.landed(ended) {
            course.trial_mut(flight.entry).attempts += 1;
            course.lanes.set(flight.entry, Standing::Queued);
        }
        self.recall();
        if std::mem::replace(&mut self.is_enabled, false) {
            actions.push(Action::Disable);
        }
    }

    /// An attempt of which the receiver has seen nothing that counts.
    fn not_sent(&mut self, ended: Ended, result: AttemptResult, now: Now) {
        self.probe_told_nothing(ended);
        let wait = backoff::before_asking_again(&mut self.random);
        let rights = self.rights;
        let Some((course, flight)) = self.landed(ended) else { return };
        match result {
            AttemptResult::Filtered(by) => course.settle_entry(flight.entry, Settlement::Filtered(by)),
            AttemptResult::Gone => course.settle_entry(flight.entry, Settlement::Expired),
            AttemptResult::TooOld if ended.course == CourseId::Live => {
                course.end_entry(flight.entry, End::too_old(now.wall));
            }
            AttemptResult::TooOld => course.settle_entry(flight.entry, Settlement::Expired),
            AttemptResult::Later => {
                course.lanes.set(flight.entry, Standing::Waiting(now.monotonic.plus(wait), Reason::NoBody));
            }
            AttemptResult::Fault => course.fault(flight.entry, now, flight.rights != rights),
            AttemptResult::Cancelled
            | AttemptResult::Delivered { .. }
            | AttemptResult::Trouble { .. }
            | AttemptResult::Refused { .. }
            | AttemptResult::Aborted { .. }
            | AttemptResult::Unwanted => course.lanes.put_back_first(flight.entry),
        }
    }

    /// The endpoint is in trouble from now on: what waits because of its trouble waits for the probe instead.
    fn opened(&mut self) {
        self.window.close();
        self.recall();
        self.writing.is_dirty = true;
        self.courses_mut().for_each(|course| course.lanes.wake_where(|_, reason| reason == Reason::Trouble));
    }

    /// Takes back what was asked for and has not begun.
    pub(super) fn recall(&mut self) {
        self.is_recalling = self.in_flight() > 0;
    }

    fn probe_told_nothing(&mut self, ended: Ended) {
        if ended.is_probe {
            self.circuit.probe_told_nothing();
        }
    }

    /// The course and the flight of an attempt, unless it belonged to a replay that is gone.
    fn landed(&mut self, ended: Ended) -> Option<(&mut Course, Flight)> {
        let flight = ended.flight?;
        self.course_mut(ended.course).map(|course| (course, flight))
    }
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    course: CourseId,
    flight: Option<Flight>,
    is_probe: bool,
}

/// A refusal that counts.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    refusals: u32,
    retry_after: Option<Duration>,
    status: Option<u16>,
}

/// How often a replay tries an event that is refused.
const REPLAY_TRIES_MAX: usize = 3;
