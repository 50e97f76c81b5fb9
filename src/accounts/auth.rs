//! How hooklog shows a receiver who it is: as it is written, and as it is kept.
//!
//! Not the secrets: they are in the keystore, and what is kept here names them.

use serde::{Deserialize, Serialize};

use super::Error;
use super::endpoint::{check_header_name, is_header_text};
use super::keystore::KeyId;
use crate::security::Secret;

/// How hooklog shows a receiver who it is, as written: a secret that is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "type", deny_unknown_fields)]
pub enum AuthDraft {
    /// Not at all.
    None {},
    /// `Authorization: Basic`.
    Basic {
        /// The login.
        username: String,
        /// The password; stays where it is left out.
        password: Option<Secret<String>>,
        /// Added on reading, ignored on writing.
        #[serde(default, rename = "passwordSet")]
        _password_set: Option<bool>,
        /// A certificate shown beside it, over `https`.
        certificate: Option<CertificateDraft>,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token; stays where it is left out.
        token: Option<Secret<String>>,
        /// Added on reading, ignored on writing.
        #[serde(default, rename = "tokenSet")]
        _token_set: Option<bool>,
        /// A certificate shown beside it, over `https`.
        certificate: Option<CertificateDraft>,
    },
    /// A header of the receiver's choice.
    Header {
        /// Its name.
        name: String,
        /// Its value; stays where it is left out.
        value: Option<Secret<String>>,
        /// Added on reading, ignored on writing.
        #[serde(default, rename = "valueSet")]
        _value_set: Option<bool>,
        /// A certificate shown beside it, over `https`.
        certificate: Option<CertificateDraft>,
    },
    /// A client certificate in the TLS handshake, over `https`.
    Certificate(CertificateDraft),
}

/// A client certificate, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ClientCertificateDraft")]
pub struct CertificateDraft {
    /// In PEM: the own certificate, and behind it those that lead to its authority.
    pub certificate: String,
    /// Its private key in PEM, without a passphrase; stays where it is left out.
    pub key: Option<Secret<String>>,
    /// Added on reading, ignored on writing.
    #[serde(default, rename = "keySet")]
    _key_set: Option<bool>,
}

impl Default for AuthDraft {
    fn default() -> Self {
        Self::None {}
    }
}

/// How hooklog shows a receiver who it is, as kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "type")]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Basic`.
    Basic {
        /// The login.
        username: String,
        /// Where the password is.
        password: KeyId,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// Where the token is.
        token: KeyId,
    },
    /// A header of the receiver's choice.
    Header {
        /// Its name.
        name: String,
        /// Where its value is.
        value: KeyId,
    },
}

impl Auth {
    /// Returns where the secret part is.
    #[must_use]
    pub const fn secret(&self) -> Option<KeyId> {
        match self {
            Self::None => None,
            Self::Basic { password: id, .. } | Self::Bearer { token: id } | Self::Header { value: id, .. } => Some(*id),
        }
    }
}

/// A client certificate, as kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptCertificate {
    /// In PEM, the own one first.
    pub chain: String,
    /// Where its private key is.
    pub key: KeyId,
}

impl AuthDraft {
    /// Checks what the types do not, all but a certificate.
    ///
    /// # Errors
    /// `Invalid` with the place.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            // Certificates are checked with their keys, of which one may be kept.
            Self::None {} | Self::Certificate(_) => Ok(()),
            Self::Basic { username, password, .. } => {
                if username.contains(':') || !is_header_text(username) {
                    let detail = "a user name has no colon and no control characters".to_owned();
                    return Err(Error::invalid("/auth/username", detail));
                }
                check_secret("/auth/password", password.as_ref())
            }
            Self::Bearer { token, .. } => check_secret("/auth/token", token.as_ref()),
            Self::Header { name, value, .. } => {
                check_header_name("/auth/name", name)?;
                check_secret("/auth/value", value.as_ref())
            }
        }
    }

    /// Returns the secret that the draft brings.
    pub(super) const fn secret(&self) -> Option<&Secret<String>> {
        match self {
            Self::None {} | Self::Certificate(_) => None,
            Self::Basic { password: secret, .. }
            | Self::Bearer { token: secret, .. }
            | Self::Header { value: secret, .. } => secret.as_ref(),
        }
    }

    /// Returns whether there is a secret part beside a certificate's key.
    pub(super) const fn has_secret(&self) -> bool {
        !matches!(self, Self::None {} | Self::Certificate(_))
    }

    /// Returns the client certificate, and the place it has in the document.
    pub(super) const fn certificate(&self) -> Option<(&'static str, &CertificateDraft)> {
        match self {
            Self::None {} => None,
            Self::Certificate(certificate) => Some(("/auth", certificate)),
            Self::Basic { certificate, .. } | Self::Bearer { certificate, .. } | Self::Header { certificate, .. } => {
                match certificate {
                    Some(certificate) => Some(("/auth/certificate", certificate)),
                    None => None,
                }
            }
        }
    }

    /// Returns whether a kept secret can stay: the same kind of authentication for the same name.
    pub(super) fn continues(&self, kept: &Auth) -> bool {
        match (self, kept) {
            (Self::Basic { username, .. }, Auth::Basic { username: kept, .. }) => username == kept,
            (Self::Bearer { .. }, Auth::Bearer { .. }) => true,
            (Self::Header { name, .. }, Auth::Header { name: kept, .. }) => name.eq_ignore_ascii_case(kept),
            (
                Self::None {} | Self::Basic { .. } | Self::Bearer { .. } | Self::Header { .. } | Self::Certificate(_),
                _,
            ) => false,
        }
    }

    /// Returns what is kept, with the secret's place.
    pub(super) fn keep(&self, secret: KeyId) -> Auth {
        match self {
            Self::None {} | Self::Certificate(_) => Auth::None,
            Self::Basic { username, .. } => Auth::Basic { username: username.clone(), password: secret },
            Self::Bearer { .. } => Auth::Bearer { token: secret },
            Self::Header { name, .. } => Auth::Header { name: name.clone(), value: secret },
        }
    }

    /// Returns the place of the secret in the document.
    pub(super) const fn pointer(&self) -> &'static str {
        match self {
            Self::None {} | Self::Certificate(_) => "/auth",
            Self::Basic { .. } => "/auth/password",
            Self::Bearer { .. } => "/auth/token",
            Self::Header { .. } => "/auth/value",
        }
    }
}

fn check_secret(pointer: &str, secret: Option<&Secret<String>>) -> Result<(), Error> {
    match secret {
        Some(secret) if secret.expose().is_empty() || !is_header_text(secret.expose()) => {
            Err(Error::invalid(pointer, "a secret is visible text and not empty".to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}
