//! A replay beside the live course: how it begins, how it ends, how it is forgotten.
//!
//! Not its lanes and cursor: those are a course like the live one. Its end is announced only once it is
//! written down, and it is kept until somebody says that the end is on record; so a crash at any moment
//! neither loses the end nor begins the replay again.

use crate::model::Offset;

use super::Machine;
use super::action::Action;
use super::course::{Course, Stretch};
use super::input::{CourseId, Now, Order, ReplayId};
use super::saved::{SavedCourse, SavedReplay};

/// A replay that runs, or whose end is not on record yet.
#[derive(Debug)]
pub(super) struct Replaying {
    pub(super) replay: ReplayId,
    from: Offset,
    to: Offset,
    pub(super) course: Course,
    pub(super) ending: Ending,
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
    /// Goes on with a replay that was written down.
    pub(super) fn go_on(saved: SavedReplay, order: Order, now: Now) -> Self {
        let SavedReplay { replay, from, to, course } = saved;
        let stretch = Stretch { start: from.previous(), end: to.previous() };
        let course = Course::start(CourseId::Replay(replay), stretch, course, order, now);
        let ending = if course.is_finished() { Ending::Written } else { Ending::Open };
        Self { replay, from, to, course, ending }
    }

    pub(super) fn saved(&self, now: Now) -> SavedReplay {
        SavedReplay { replay: self.replay, from: self.from, to: self.to, course: self.course.saved(now) }
    }
}

impl Machine {
    pub(super) fn start_replay(&mut self, replay: ReplayId, from: Offset, to: Offset, now: Now) {
        if self.replay.is_some() {
            return;
        }
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

    pub(super) fn announce_replay(&mut self, actions: &mut Vec<Action>) {
        if let Some(replaying) = &mut self.replay
            && replaying.ending == Ending::Written
        {
            replaying.ending = Ending::Announced;
            actions.push(Action::ReplayEnded { replay: replaying.replay, tally: replaying.course.tally() });
        }
    }
}
