//! The keys that an endpoint's requests are signed with: shown, rotated, taken back.
//!
//! The only place of the API that answers with a secret which is kept; nobody on the way may keep the answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::{Read, Removed};
use super::body::Optional;
use super::call::Call;
use super::failure::invalid;
use crate::accounts::{Endpoint, KeyId, Signing};
use crate::model::Timestamp;
use crate::security::{Secret, SigningSecret};
use crate::web::{Code, Input, Problem};

/// The keys of an endpoint, newest first.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SigningKeys")]
pub(super) struct Keys {
    /// Those that are valid now.
    keys: Vec<Key>,
}

/// One key.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SigningKey")]
struct Key {
    /// Its id.
    id: String,
    /// The scheme of its signatures.
    scheme: Scheme,
    /// The secret, for the receiver.
    secret: String,
    /// Since when requests are signed with it.
    created_at: Timestamp,
    /// Until when they are, beside a newer one; null for the newest.
    valid_until: Option<Timestamp>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A scheme of signatures.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SignatureScheme")]
enum Scheme {
    /// HMAC-SHA256, as Standard Webhooks has it.
    V1,
}

/// How keys are rotated.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "KeyRotation")]
pub(super) struct Rotation {
    /// How long the keys before sign beside the new one: 24 h where nothing is said, 0 ends them at once.
    overlap_ms: Option<u64>,
    /// The new secret, `whsec_…`; made where it is left out.
    secret: Option<Secret<String>>,
}

impl Input for Rotation {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<Keys>, Problem> {
    let endpoint = call.endpoint()?;
    keys(&call, &endpoint)
}

pub(super) async fn rotate(call: Call, Optional(rotation): Optional<Rotation>) -> Result<Read<Keys>, Problem> {
    let endpoint = call.endpoint()?;
    if endpoint.settings.value.signing == Signing::None {
        let detail = "requests of this endpoint are not signed: set its signing to v1 first";
        return Err(Problem::new(Code::InvalidRequest).detail(detail));
    }
    let overlap_ms = rotation.overlap_ms.unwrap_or(OVERLAP_MS_DEFAULT);
    if overlap_ms > OVERLAP_MS_MAX {
        return Err(invalid("/overlapMs", &format!("is at most {OVERLAP_MS_MAX}, which is a year")));
    }
    let secret = rotation.secret.map(|secret| SigningSecret::parse(secret.expose())).transpose();
    let secret = secret.map_err(|problem| invalid("/secret", &problem.to_string()))?;
    let (account, name) = (&endpoint.account_name, &endpoint.name);
    let rotated =
        call.api.accounts.rotate_key(account, name, Duration::from_millis(overlap_ms), secret, &call.who()?).await;
    keys(&call, &*rotated.map_err(|error| call.refused(error))?)
}

pub(super) async fn delete(call: Call, (): ()) -> Result<Removed, Problem> {
    let endpoint = call.endpoint()?;
    let missing = || Problem::new(Code::NotFound).detail("the endpoint has no signing key of this id");
    let id = KeyId::parse(call.segment("id")).ok_or_else(missing)?;
    let deleted = call.api.accounts.delete_key(&endpoint.account_name, &endpoint.name, id, &call.who()?).await;
    deleted.map(|()| Removed).map_err(|error| call.refused(error))
}

fn keys(call: &Call, endpoint: &Endpoint) -> Result<Read<Keys>, Problem> {
    let secrets = call.api.accounts.signing_secrets(&endpoint.settings.value, call.now());
    let secrets = secrets.map_err(|error| call.refused(error))?;
    let key = |(key, secret): (crate::accounts::SigningKey, SigningSecret)| Key {
        id: key.id.to_string(),
        scheme: Scheme::V1,
        secret: secret.expose(),
        created_at: key.created_at,
        valid_until: key.valid_until,
    };
    Ok(Read(Keys { keys: secrets.into_iter().map(key).collect() }))
}

const OVERLAP_MS_DEFAULT: u64 = 24 * 60 * 60 * 1_000;
const OVERLAP_MS_MAX: u64 = 365 * OVERLAP_MS_DEFAULT;
