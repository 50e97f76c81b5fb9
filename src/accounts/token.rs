//! API tokens: what a command keeps of them. Never the token itself, only its hash.

use serde::{Deserialize, Serialize};

use super::Error;
use crate::model::{Permissions, Timestamp};
use crate::security::TokenHash;

/// A token as kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenSettings {
    /// What a person calls it.
    pub name: String,
    /// What it may do; an operator's token may do all.
    pub permissions: Permissions,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; none where it does not expire.
    pub expires_at: Option<Timestamp>,
    /// The hash of the token.
    pub hash: TokenHash,
}

/// What may be written of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenDraft {
    /// What a person calls it: 1 to 128 bytes.
    pub name: String,
    /// What it may do; an operator's token takes none: it may do all.
    #[serde(default)]
    pub permissions: Permissions,
    /// From when on it is refused; none where it does not expire.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl TokenDraft {
    pub(super) fn check(&self, is_operator: bool, now: Timestamp) -> Result<(), Error> {
        if self.name.trim().is_empty() || self.name.len() > 128 {
            return Err(Error::invalid("/name", "a token's name has 1 to 128 bytes".to_owned()));
        }
        if is_operator && !self.permissions.is_empty() {
            let detail = "an operator's token may do everything: leave permissions out".to_owned();
            return Err(Error::invalid("/permissions", detail));
        }
        if !is_operator && self.permissions.is_empty() {
            let detail = "a token without permissions can do nothing: name at least one".to_owned();
            return Err(Error::invalid("/permissions", detail));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid("/expiresAt", "this instant is past".to_owned()));
        }
        Ok(())
    }
}
