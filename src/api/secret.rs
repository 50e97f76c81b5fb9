//! The keys that an endpoint's requests are signed with: shown, rotated, taken back.
//!
//! The only place of the API that answers with a secret which is kept; nobody on the way may keep the answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::{Read, Removed};
use super::body::Optional;
use super::call::Call;
use super::failure::invalid;
use crate::accounts::{Endpoint, EndpointSettings, KeyId, NewKey, SigningKey};
use crate::model::Timestamp;
use crate::security::{Secret, SignatureScheme, Signer};
use crate::web::{Code, Input, Problem};

/// The keys that an endpoint's requests are signed with.
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
    scheme: SignatureScheme,
    /// The secret of `v1`, for the receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The public key of `v1a`, for the receiver; the private one is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// Since when requests are signed with it.
    created_at: Timestamp,
    /// Until when they are, beside a newer one of the same scheme; null for the newest.
    valid_until: Option<Timestamp>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How keys are rotated.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "KeyRotation")]
pub(super) struct Rotation {
    /// How long the keys before sign beside the new one: 24 h where nothing is said, 0 ends them at once.
    overlap_ms: Option<u64>,
    /// Whose key is rotated, where requests are signed with both schemes.
    scheme: Option<SignatureScheme>,
    /// The new secret, `whsec_…`, or the new pair of keys, `whsk_…`; made where it is left out.
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
    let overlap_ms = rotation.overlap_ms.unwrap_or(OVERLAP_MS_DEFAULT);
    if overlap_ms > OVERLAP_MS_MAX {
        return Err(invalid("/overlapMs", &format!("is at most {OVERLAP_MS_MAX}, which is a year")));
    }
    let given = rotation.secret.map(|secret| Signer::parse(secret.expose())).transpose();
    let given = given.map_err(|problem| invalid("/secret", &problem.to_string()))?;
    let scheme = scheme(&endpoint.settings.value, rotation.scheme, given.as_ref())?;
    let new = given.map_or(NewKey::Made(scheme), NewKey::Given);
    let (account, name) = (&endpoint.account_name, &endpoint.name);
    let rotated =
        call.api.accounts.rotate_key(account, name, Duration::from_millis(overlap_ms), new, &call.who()?).await;
    keys(&call, &*rotated.map_err(|error| call.refused(error))?)
}

/// Finds out whose key is to be rotated: one that requests are signed with, or that is kept for when they are again.
fn scheme(
    settings: &EndpointSettings,
    asked: Option<SignatureScheme>,
    given: Option<&Signer>,
) -> Result<SignatureScheme, Problem> {
    let schemes = settings.signing.schemes();
    let is_kept = |scheme| settings.keys.iter().any(|key| key.scheme == scheme && key.valid_until.is_none());
    let pointer = if asked.is_some() { "/scheme" } else { "/secret" };
    let scheme = match (schemes, asked.or_else(|| given.map(Signer::scheme))) {
        (_, Some(scheme)) if schemes.contains(&scheme) || is_kept(scheme) => scheme,
        (_, Some(SignatureScheme::V1)) => return Err(unused(pointer, "v1")),
        (_, Some(SignatureScheme::V1a)) => return Err(unused(pointer, "v1a")),
        ([], None) => {
            let detail = "requests of this endpoint are not signed: set its signing to v1, v1a or both first";
            return Err(Problem::new(Code::InvalidRequest).detail(detail));
        }
        ([scheme], None) => *scheme,
        (_, None) => {
            return Err(invalid("/scheme", "is needed, because requests are signed with both: v1 or v1a"));
        }
    };
    if given.is_some_and(|signer| signer.scheme() != scheme) {
        return Err(invalid("/secret", "is a key of the other scheme: v1 has whsec_, v1a has whsk_"));
    }
    Ok(scheme)
}

fn unused(pointer: &str, scheme: &str) -> Problem {
    let detail =
        format!("requests of this endpoint are not signed with {scheme}: set its signing to that or both first");
    invalid(pointer, &detail)
}

pub(super) async fn delete(call: Call, (): ()) -> Result<Removed, Problem> {
    let endpoint = call.endpoint()?;
    let missing = || Problem::new(Code::NotFound).detail("the endpoint has no signing key of this id");
    let id = KeyId::parse(call.segment("id")).ok_or_else(missing)?;
    let deleted = call.api.accounts.delete_key(&endpoint.account_name, &endpoint.name, id, &call.who()?).await;
    deleted.map(|()| Removed).map_err(|error| call.refused(error))
}

fn keys(call: &Call, endpoint: &Endpoint) -> Result<Read<Keys>, Problem> {
    let signers = call.api.accounts.signers(&endpoint.settings.value, call.now());
    let signers = signers.map_err(|error| call.refused(error))?;
    let key = |(key, signer): (SigningKey, Signer)| {
        let (secret, public_key) = match signer {
            Signer::Secret(secret) => (Some(secret.expose()), None),
            Signer::KeyPair(pair) => (None, Some(pair.public_key().to_string())),
        };
        let SigningKey { id, scheme, created_at, valid_until } = key;
        Key { id: id.to_string(), scheme, secret, public_key, created_at, valid_until }
    };
    Ok(Read(Keys { keys: signers.into_iter().map(key).collect() }))
}

const OVERLAP_MS_DEFAULT: u64 = 24 * 60 * 60 * 1_000;
const OVERLAP_MS_MAX: u64 = 365 * OVERLAP_MS_DEFAULT;
