//! A replay beside the live course: how it begins, how it ends, how it is forgotten.
//!
//! Not its lanes and cursor: those are a course like the live one. Its end is announced only once it is
//! written down, and it is kept until somebody says that the end is on record; so a crash at any moment
//! neither loses the end nor begins the replay again.

use std::time::Duration;

use crate::model::Offset;

use super::Machine;
use super::action::Action;
use super::backoff;
use super::course::{Course, Stretch};
use super::input::{CourseId, Now, Order, Pacing, ReplayId};
use super::pace::Pace;
use super::saved::{SavedCourse, SavedReplay};
use crate::runtime::{Monotonic, Random};

/// A replay that runs, or whose end is not on record yet.
#[derive(Debug)]
pub(super) struct Replaying {
    pub(super) replay: ReplayId,
    from: Offset,
    to: Offset,
    pub(super) course: Course,
    pub(super) pace: Pace,
    /// Since when it goes on without a pause, and how much was settled by then; none while it is paused.
    going_since: Option<(Monotonic, u64)>,
    /// That event after event of it was refused, and since then none taken.
    refused: Option<StandsStill>,
    pub(super) ending: Ending,
}

/// A replay of which nothing is sent for a while: what it sends is refused, and live work may well be taken.
#[derive(Debug)]
struct StandsStill {
    until: Monotonic,
    /// How often it was tried again in vain.
    failures: u32,
}

/// How far the end of a replay has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Something is left to do, or the end is not written down.
    Open,
    /// The end is on its way to the disk, under this ticket.
    Writing(u64),
    /// The end is written down.
    Written,
    /// The shell was told.
    Announced,
}

impl Replaying {
    /// Goes on with a replay that was written down: how, is said by whoever knows what was asked for, until when it
    /// stands still.
    pub(super) fn go_on(saved: SavedReplay, order: Order, now: Now) -> Self {
        let SavedReplay { replay, from, to, course } = saved;
        let stretch = Stretch { start: from.previous(), end: to.previous() };
        let course = Course::start(CourseId::Replay(replay), stretch, course, order, now);
        let ending = if course.is_finished() { Ending::Written } else { Ending::Open };
        Self { replay, from, to, course, pace: Pace::new(None), going_since: None, refused: None, ending }
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.going_since.is_none()
    }

    /// Whether it has something to send at this moment, but for the endpoint's own state.
    pub(super) fn is_ready(&self, now: Monotonic) -> bool {
        self.ready_from().is_some_and(|from| from <= now)
    }

    /// From when on it may send what is ready; none where nothing is.
    pub(super) fn ready_from(&self) -> Option<Monotonic> {
        let until = self.refused.as_ref().map_or(Monotonic(0), |refused| refused.until);
        (!self.is_paused() && self.course.lanes.has_ready()).then(|| self.pace.free_from().max(until))
    }

    /// Stands still: event after event of it was refused.
    pub(super) fn stand_still(&mut self, now: Monotonic, random: &mut Random) {
        self.refused = Some(StandsStill { until: now.plus(backoff::before_probe(0, random)), failures: 0 });
    }

    /// Hears of a refusal; returns whether it stands still, so that this costs the event nothing.
    pub(super) fn is_refused_again(&mut self, now: Monotonic, random: &mut Random) -> bool {
        let Some(refused) = &mut self.refused else { return false };
        // Of several that were sent at once the first one counts.
        if refused.until <= now {
            refused.failures = refused.failures.saturating_add(1);
            refused.until = now.plus(backoff::before_probe(refused.failures, random));
        }
        true
    }

    /// Hears that the endpoint has taken an event.
    pub(super) fn has_taken(&mut self) {
        self.refused = None;
    }

    /// How long the rest will take if it goes on as it has since it was begun or resumed.
    fn rest(&self, now: Monotonic) -> Option<Duration> {
        let (since, settled_then) = self.going_since?;
        let settled = self.course.tally().settled().saturating_sub(settled_then);
        let remaining = u32::try_from(self.course.ledger().waiting.total()).unwrap_or(u32::MAX);
        let each = now.since(since).checked_div(u32::try_from(settled).unwrap_or(u32::MAX))?;
        Some(each.saturating_mul(remaining))
    }

    pub(super) fn saved(&self, now: Now) -> SavedReplay {
        SavedReplay { replay: self.replay, from: self.from, to: self.to, course: self.course.saved(now) }
    }
}

impl Machine {
    pub(super) fn replay(&mut self, replay: ReplayId, from: Offset, to: Offset, pacing: Pacing, now: Now) {
        if self.replay.is_none() {
            self.start_replay(replay, from, to, now);
        }
        if let Some(known) = self.replay.as_mut().filter(|known| known.replay == replay) {
            known.pace.change(pacing.rate_per_second);
            let begins = (now.monotonic, known.course.tally().settled());
            known.going_since = (!pacing.is_paused).then(|| known.going_since.unwrap_or(begins));
        }
    }

    fn start_replay(&mut self, replay: ReplayId, from: Offset, to: Offset, now: Now) {
        let from = from.max(Offset(1));
        let to = to.max(from);
        let course = SavedCourse::at(from.previous());
        let order = self.live.lanes.order();
        let replaying = Replaying::go_on(SavedReplay { replay, from, to, course }, order, now);
        self.replay = Some(Replaying { ending: Ending::Open, ..replaying });
        self.writing.is_dirty = true;
    }

    pub(super) fn stop_replay(&mut self, replay: ReplayId) {
        if let Some(stopped) = self.replay.take_if(|replaying| replaying.replay == replay) {
            let id = stopped.course.id;
            self.orphans.extend(stopped.course.flights().map(|offset| (id, offset)));
            self.refused_in_row.retain(|(course, ..)| *course != id);
            self.writing.is_dirty = true;
        }
    }

    /// Returns how long the replay that runs will still take, where that can be said.
    #[must_use]
    pub fn replay_rest(&self, now: Monotonic) -> Option<Duration> {
        self.replay.as_ref()?.rest(now)
    }

    pub(super) fn announce_replay(&mut self, actions: &mut Vec<Action>) {
        if let Some(replaying) = &mut self.replay
            && replaying.ending == Ending::Written
        {
            replaying.ending = Ending::Announced;
            actions.push(Action::ReplayEnded { replay: replaying.replay, ledger: replaying.course.ledger() });
        }
    }
}
