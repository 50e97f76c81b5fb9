//! What becomes of events that are not simply delivered.
//!
//! Not how it came to that: `deliver` keeps it with each of them. The numbers are on disk.

/// What became of an event that was not simply delivered; those of one kind can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aside {
    /// It waits for its next attempt outside its lane.
    Parked,
    /// It was given up.
    DeadLetter,
    /// A person has given it up.
    Discarded,
    /// It was too old when its turn came.
    Expired,
    /// A person has passed over it, and over those before it; there is a row of the last of them.
    Skipped,
}

impl Aside {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Parked, Self::DeadLetter, Self::Discarded, Self::Expired, Self::Skipped];

    /// Returns the word under which metrics count it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::DeadLetter => "dead_letter",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Skipped => "skipped",
        }
    }

    /// Returns the number on disk.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Parked => 1,
            Self::DeadLetter => 2,
            Self::Discarded => 3,
            Self::Expired => 4,
            Self::Skipped => 5,
        }
    }
}

/// How an event was settled that has no row of its own for it; those of one kind can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Settled {
    /// The receiver took it.
    Delivered,
    /// It was not to be sent, and never was.
    Filtered,
    /// It was sent and not taken, and then it was not to be sent any more.
    FilteredAfterAttempt,
    /// A person has passed over it.
    Skipped,
}

impl Settled {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Filtered, Self::FilteredAfterAttempt, Self::Skipped];

    /// Returns the number on disk.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Delivered => 1,
            Self::Filtered => 2,
            Self::FilteredAfterAttempt => 3,
            Self::Skipped => 4,
        }
    }
}
