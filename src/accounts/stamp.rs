//! A stamp of the rights that something was made under: it tells whether they still hold.
//!
//! Not the rights. Every change of an account's rights, its ceiling or one of its endpoints moves the stamp on, under
//! the same lock and before the change is acknowledged; so whoever asks right before a request begins cannot be late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::Position;

/// Which rights something was made under.
#[derive(Debug, Clone, Default)]
pub struct RightsStamp {
    /// The revision of the newest change, shared by all stamps of an account.
    newest: Arc<AtomicU64>,
    made_under: u64,
}

impl RightsStamp {
    /// A stamp that always holds, for what depends on no rights.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self::default()
    }

    /// Returns whether nothing has changed since.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.newest.load(Ordering::Acquire) == self.made_under
    }

    /// Returns the position of the newest change that it knows.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position(self.made_under)
    }

    /// A stamp of rights that have changed since.
    #[cfg(test)]
    pub(crate) fn outdated() -> Self {
        let mut account = Self::default();
        let before = account.clone();
        account.move_to(Position(1));
        before
    }

    /// Moves on to a change: stamps given out before no longer hold.
    pub(super) fn move_to(&mut self, revision: Position) {
        self.made_under = revision.0;
        self.newest.store(revision.0, Ordering::Release);
    }
}

/// Two that tell the same are the same.
impl PartialEq for RightsStamp {
    fn eq(&self, other: &Self) -> bool {
        self.made_under == other.made_under
    }
}

impl Eq for RightsStamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_before_a_change_no_longer_holds() {
        let mut account = RightsStamp::default();
        let before = account.clone();
        assert!(before.holds());
        account.move_to(Position(7));
        let after = account.clone();
        assert!(!before.holds() && after.holds());
        account.move_to(Position(9));
        assert!(!before.holds() && !after.holds() && account.holds());
    }
}
