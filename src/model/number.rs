//! Numbers that must not be mixed up.
//!
//! Fixed width, as on disk. Not arithmetic types: only the steps that hooklog really takes are offered.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[derive(Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl $name {
            /// Returns the next number, staying at the greatest.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// Returns the number before, staying at zero.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }
    };
}

number!(
    /// An account's number: given once to a name, never used again. 0 is hooklog itself.
    AccountId, u32
);
number!(
    /// An endpoint's number: unique in the installation, never used again.
    EndpointId, u32
);
number!(
    /// An event's place in its account's log: 1, 2, 3 … without holes. 0 is "before the first".
    Offset, u64
);
number!(
    /// A record's place in the whole log: 1, 2, 3 … 0 is "before the first". Internal.
    Position, u64
);
number!(
    /// The number of an (endpoint, event) pair in the order in which the chain first said pass.
    Sequence, u64
);
number!(
    /// Which request of an event this is, from 1.
    Attempt, u32
);
number!(
    /// The number of an event type's name; 0 where the name is spelled out in the record.
    TypeNumber, u16
);

impl AccountId {
    /// The number under which hooklog's own settings are kept.
    pub const SYSTEM: Self = Self(0);
}
