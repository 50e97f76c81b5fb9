//! What of an endpoint is written down, as rows of the log.

use super::super::machine::{AsideChange, Run, Saved};
use super::super::positions::Positions;
use super::Loaded;
use crate::log::{Course, OutcomeRow};
use crate::model::{Aside, Offset, Position, Sequence};
use crate::telemetry::OutcomeLabel;

impl Loaded {
    pub(super) fn progress_rows(&mut self, saved: &Saved, sequences: Vec<(Sequence, Offset)>) -> Vec<OutcomeRow> {
        self.add_rollups();
        let mut rows = std::mem::take(&mut self.rows);
        rows.append(&mut self.with_cursor);
        let endpoint = self.endpoint.id;
        rows.extend(sequences.into_iter().map(|(sequence, offset)| OutcomeRow::Sequence {
            endpoint,
            sequence,
            position: self.position_of(offset),
            offset,
        }));
        rows.push(OutcomeRow::Cursor { endpoint, course: Course::Live, value: saved.encode() });
        rows
    }

    /// Adds the rows of events that were settled and not set aside.
    pub(super) fn add_runs(&self, runs: &[Run], rows: &mut Vec<OutcomeRow>) {
        let endpoint = self.endpoint.id;
        rows.extend(runs.iter().map(|&Run { settled, first, last }| OutcomeRow::Settled {
            endpoint,
            settled,
            first,
            last,
            position: self.position_of(last),
        }));
    }

    /// Adds the rows of events that were set aside, or are so no more.
    pub(super) fn add_asides(&mut self, changes: Vec<AsideChange>, rows: &mut Vec<OutcomeRow>) {
        let endpoint = self.endpoint.id;
        for AsideChange { offset, aside, event } in changes {
            let Some(event) = event else {
                rows.push(OutcomeRow::NotAside { endpoint, aside, offset });
                if aside == Aside::Parked {
                    self.parked.forget(offset);
                }
                continue;
            };
            // The row of a parked event is written anew at every try.
            if aside != Aside::Parked || self.parked.known(offset).is_none() {
                let outcome = OutcomeLabel { outcome: aside.word() };
                self.shared.parts.metrics.set_aside.get_or_create(&outcome).inc_by(event.count(offset));
            }
            let position = self.position_of(offset);
            rows.push(OutcomeRow::Aside { endpoint, aside, offset, position, value: event.encode() });
            match aside {
                Aside::Parked => self.parked.add([(offset, position)].into_iter()),
                Aside::DeadLetter | Aside::Discarded | Aside::Expired | Aside::Skipped => self.parked.forget(offset),
            }
        }
    }

    pub(super) fn forget_settled(&mut self, saved: &Saved) {
        self.live.forget_to(saved.live.cursor.low());
        match &saved.replay {
            Some(replay) => self.replay.forget_to(replay.course.cursor.low()),
            None => self.replay = Positions::default(),
        }
    }

    /// Adds the rows of what happened minute by minute, where there is more than was written.
    pub(super) fn add_rollups(&mut self) {
        let (endpoint, position) = (self.endpoint.id, self.shared.parts.log.head());
        let rows = self.counting.take().into_iter();
        self.rows.extend(rows.map(|(minute, activity)| OutcomeRow::Rollup {
            endpoint,
            minute,
            position,
            value: activity.encode(),
        }));
    }

    /// Where the record of an event is: a parked one's is known for as long as it is parked.
    fn position_of(&self, offset: Offset) -> Position {
        self.parked.known(offset).unwrap_or_else(|| self.live.of(offset))
    }
}
