//! An account's settings: what its command carries, and what may be written into it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::model::AccountName;

/// The language of texts made for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// What may be written of an account; what is left out takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountSettings {
    /// Whether anything is sent; events are recorded all the same.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Words of the operator's own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The language of texts made for the account.
    #[serde(default)]
    pub language: Language,
    /// The account's time zone, such as `Europe/Paris`, for whoever shows times.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Events taken in a second at most; none where there is no bound.
    #[serde(default)]
    pub rate_per_second: Option<u32>,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self { enabled: true, labels: BTreeMap::new(), language: Language::En, time_zone: utc(), rate_per_second: None }
    }
}

impl AccountSettings {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// `Invalid` with the place.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.labels.len() > LABELS_MAX {
            return Err(Error::invalid("/labels", format!("an account has at most {LABELS_MAX} labels")));
        }
        let is_long = |text: &str| text.is_empty() || text.len() > LABEL_BYTES_MAX;
        if let Some((name, _)) = self.labels.iter().find(|(name, value)| is_long(name) || value.len() > LABEL_BYTES_MAX)
        {
            let detail = format!("the label {name:?} or its value is empty or longer than {LABEL_BYTES_MAX} bytes");
            return Err(Error::invalid("/labels", detail));
        }
        let is_zone = !self.time_zone.is_empty()
            && self.time_zone.len() <= 64
            && self.time_zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
        if !is_zone {
            return Err(Error::invalid("/timeZone", "a time zone is an IANA name such as Europe/Paris".to_owned()));
        }
        if self.rate_per_second == Some(0) {
            let detail = "a rate is at least 1; leave it out for none, or switch the account off".to_owned();
            return Err(Error::invalid("/ratePerSecond", detail));
        }
        Ok(())
    }
}

/// What the command of an account carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredAccount {
    pub(super) name: AccountName,
    pub(super) settings: AccountSettings,
}

const fn yes() -> bool {
    true
}

fn utc() -> String {
    "UTC".to_owned()
}

const LABELS_MAX: usize = 64;
const LABEL_BYTES_MAX: usize = 256;
