//! Why a command was not taken, or a setting not found.

use super::KeystoreError;
use crate::catalog::Mistake;
use crate::log;
use crate::model::{Permission, Position, Timestamp, Who};
use crate::security::UrlError;

/// Why a command was not taken, or a setting not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No account of this name.
    #[error("there is no account {0:?}")]
    AccountNotFound(String),
    /// No endpoint of this name.
    #[error("there is no endpoint {0:?}")]
    EndpointNotFound(String),
    /// No such token, signing key or job.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Under which id.
        id: String,
    },
    /// The setting is not at the revision that the writer has seen.
    #[error("the setting was changed meanwhile, by {} at {at}", .by.label())]
    Changed {
        /// The revision it is at; 0 where it is not there.
        revision: Position,
        /// When it was changed.
        at: Timestamp,
        /// By whom.
        by: Who,
    },
    /// A value is understood but wrong.
    #[error("{pointer}: {detail}")]
    Invalid {
        /// Where in the document.
        pointer: String,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// The address is not one that requests may go to.
    #[error("the address cannot be used: {0}")]
    Url(#[from] UrlError),
    /// A limit of the contract is reached.
    #[error("there are {limit} {what} already: that is the limit")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The change needs a permission beyond the one of its route.
    #[error("{detail}")]
    Forbidden {
        /// The permission.
        missing: Permission,
        /// Why it is needed, and what else would do.
        detail: String,
    },
    /// What was asked for cannot be done in the state that things are in.
    #[error("{0}")]
    NotNow(String),
    /// The catalogue's entries are wrong.
    #[error("the catalogue cannot be put together: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Catalog(Vec<Mistake>),
    /// The keystore failed.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] log::Error),
}

impl Error {
    pub(super) fn invalid(pointer: &str, detail: String) -> Self {
        Self::Invalid { pointer: pointer.to_owned(), detail }
    }

    /// Says of what stands in a member of a document where it is in the whole of it.
    #[must_use]
    pub fn below(self, member: &str) -> Self {
        match self {
            Self::Invalid { pointer, detail } => Self::Invalid { pointer: format!("{member}{pointer}"), detail },
            other => other,
        }
    }
}
