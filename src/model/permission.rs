//! What a token may do.
//!
//! Not who it is, nor on which account: `accounts` knows. Every route of the API names one permission.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that a token may be allowed to do on an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Read and change the account's and its endpoints' settings; send a test.
    Settings,
    /// Read and change webhook rights.
    Rights,
    /// See events as rights leave them, deliveries and their state.
    History,
    /// See bodies as they were sent.
    Payloads,
    /// See also what rights withhold; every read is audited.
    Raw,
    /// Read the documentation of types and fields.
    Documentation,
    /// Send again: replays, redeliveries, discards.
    Replay,
    /// Upload and use custom filters.
    Filters,
    /// See and rotate signing keys.
    Secrets,
    /// Make and remove tokens, read the audit.
    Access,
    /// Pull events instead of having them pushed.
    Listen,
}

impl Permission {
    /// Every permission, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Settings,
        Self::Rights,
        Self::History,
        Self::Payloads,
        Self::Raw,
        Self::Documentation,
        Self::Replay,
        Self::Filters,
        Self::Secrets,
        Self::Access,
        Self::Listen,
    ];

    /// Returns the word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Rights => "rights",
            Self::History => "history",
            Self::Payloads => "payloads",
            Self::Raw => "raw",
            Self::Documentation => "documentation",
            Self::Replay => "replay",
            Self::Filters => "filters",
            Self::Secrets => "secrets",
            Self::Access => "access",
            Self::Listen => "listen",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The permissions of one token, sorted.
pub type Permissions = BTreeSet<Permission>;
