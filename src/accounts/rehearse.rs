//! Settings that are not saved: made ready for a test, by the same rules as if they were.
//!
//! Nothing is kept and nothing enters the log. A secret that a draft leaves out stays, but does not follow to
//! another scheme, host or port: a test is a request like any other.

use std::sync::Arc;

use super::auth::Auth;
use super::endpoint::{EndpointDraft, Format};
use super::{Accounts, Credentials, Endpoint, Error};
use crate::model::Timestamp;
use crate::security::{ClientCertificate, Secret, Signer, Target};

/// What a test request depends on.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// Where it goes.
    pub target: Target,
    /// How hooklog shows the receiver who it is.
    pub credentials: Credentials,
    /// The certificate shown in the TLS handshake.
    pub certificate: Option<ClientCertificate>,
    /// What the body looks like.
    pub format: Format,
    /// Headers sent beside hooklog's own.
    pub headers: std::collections::BTreeMap<String, String>,
    /// The keys it is signed with; none where it is not signed, or the endpoint has none yet.
    pub signing: Vec<Signer>,
    /// How long the receiver may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

impl Accounts {
    /// Makes saved settings ready for a test.
    ///
    /// # Errors
    /// `Url` where the operator's rules forbid the address by now; `NotFound` where a secret is missing.
    pub fn rehearse_saved(&self, endpoint: &Endpoint, now: Timestamp) -> Result<Rehearsal, Error> {
        let settings = &endpoint.settings.value;
        let signers = self.signers(settings, now)?;
        Ok(Rehearsal {
            target: self.check_url(&settings.url)?,
            credentials: self.credentials(settings)?,
            certificate: self.client_certificate(settings)?,
            format: settings.format,
            headers: settings.headers.clone(),
            signing: signers.into_iter().map(|(_, signer)| signer).collect(),
            timeout_ms: settings.timeout_ms,
        })
    }

    /// Makes unsaved settings ready for a test, with the secrets of the endpoint they are meant for.
    ///
    /// # Errors
    /// As saving them would.
    pub fn rehearse(
        &self,
        endpoint: Option<&Arc<Endpoint>>,
        draft: &EndpointDraft,
        now: Timestamp,
        may_move_secrets: bool,
    ) -> Result<Rehearsal, Error> {
        draft.check()?;
        let target = self.check_url(&draft.url)?;
        let kept = endpoint.map(|endpoint| &endpoint.settings.value);
        let credentials = match draft.auth.secret() {
            Some(secret) => with_secret(draft, secret.clone()),
            None if !draft.auth.has_secret() => Credentials::None,
            None => {
                let stays = kept.filter(|kept| draft.auth.continues(&kept.auth));
                let Some(kept) = stays else {
                    let detail = "the secret part is missing, and there is none to stay".to_owned();
                    return Err(Error::invalid(draft.auth.pointer(), detail));
                };
                let detail = "a secret is not sent to another scheme, host or port by itself: give it anew";
                self.check_stays(kept, draft, may_move_secrets, detail)?;
                self.credentials(kept)?
            }
        };
        let keys = kept.map(|kept| kept.keys.as_slice()).unwrap_or_default();
        let signers = self.signers_for(draft.signing, keys, now)?;
        let certificate = self.asked_certificate(draft, kept, may_move_secrets)?;
        Ok(Rehearsal {
            target,
            credentials,
            certificate: certificate.map(|asked| asked.certificate),
            format: draft.format,
            headers: draft.headers.clone(),
            signing: signers.into_iter().map(|(_, signer)| signer).collect(),
            timeout_ms: draft.timeout_ms,
        })
    }
}

fn with_secret(draft: &EndpointDraft, secret: Secret<String>) -> Credentials {
    match draft.auth.keep(super::KeyId(0)) {
        Auth::None => Credentials::None,
        Auth::Basic { username, .. } => Credentials::Basic { username, password: secret },
        Auth::Bearer { .. } => Credentials::Bearer { token: secret },
        Auth::Header { name, .. } => Credentials::Header { name, value: secret },
    }
}
