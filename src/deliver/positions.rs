//! Where the records of an endpoint's events are: rows about an event age with its record.

use std::collections::BTreeMap;

use crate::model::{Offset, Position};

/// Where the records of events are that were read and are not settled.
#[derive(Debug, Default)]
pub(super) struct Positions(BTreeMap<Offset, Position>);

impl Positions {
    pub(super) fn add(&mut self, positions: impl Iterator<Item = (Offset, Position)>) {
        self.0.extend(positions);
    }

    /// Returns where a record is; what is not known any more never ages, which is the safe side.
    pub(super) fn of(&self, offset: Offset) -> Position {
        self.known(offset).unwrap_or(Position(u64::MAX))
    }

    pub(super) fn known(&self, offset: Offset) -> Option<Position> {
        self.0.get(&offset).copied()
    }

    pub(super) fn forget(&mut self, offset: Offset) {
        self.0.remove(&offset);
    }

    pub(super) fn forget_from(&mut self, first: Offset) {
        self.0.split_off(&first);
    }

    pub(super) fn forget_to(&mut self, low: Offset) {
        if self.0.first_key_value().is_some_and(|(first, _)| *first <= low) {
            self.0 = self.0.split_off(&low.next());
        }
    }
}
