//! A replay that somebody has asked for.

use crate::model::Offset;

use super::super::{Pacing, ReplayId};

#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) replay: ReplayId,
    pub(super) from: Offset,
    pub(super) to: Offset,
    /// Every so many-th event is of a type that it is not for; none where it is 0.
    pub(super) every: u64,
    pub(super) is_recorded: bool,
    pub(super) pacing: Pacing,
}

impl Job {
    pub(super) const fn is_of_other_type(&self, offset: Offset) -> bool {
        self.every > 0 && offset.0.is_multiple_of(self.every)
    }
}
