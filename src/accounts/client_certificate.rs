//! The client certificate of an endpoint: checked with its key when it is saved, tested or used.
//!
//! The certificate is a setting that anybody may read who reads settings; its key is a secret in the keystore. A key
//! that is left out stays, as long as it belongs to the certificate.

use super::auth::KeptCertificate;
use super::endpoint::{EndpointDraft, EndpointSettings};
use super::{Accounts, Error, KeyId};
use crate::security::{ClientCertificate, InvalidCertificate, Scheme, Secret};

/// A certificate as a draft asks for it, checked.
pub(super) struct AskedCertificate {
    pub(super) certificate: ClientCertificate,
    key: Secret<String>,
    /// Where the key is, if it is the one that was there.
    kept: Option<KeyId>,
}

impl AskedCertificate {
    /// Returns what is to be kept, putting a key that was given into its place.
    pub(super) fn keep(
        self,
        keep_secret: impl FnOnce(Vec<u8>) -> Result<KeyId, Error>,
    ) -> Result<KeptCertificate, Error> {
        let key = match self.kept {
            Some(id) => id,
            None => keep_secret(self.key.into_exposed().into_bytes())?,
        };
        Ok(KeptCertificate { chain: self.certificate.chain(), key })
    }
}

impl Accounts {
    /// Returns the certificate by which an endpoint's receiver knows us, if there is one.
    ///
    /// # Errors
    /// `NotFound` where the keystore does not have what the settings name.
    pub fn client_certificate(&self, settings: &EndpointSettings) -> Result<Option<ClientCertificate>, Error> {
        let Some(KeptCertificate { chain, key }) = &settings.certificate else { return Ok(None) };
        let read = ClientCertificate::parse(chain, self.secret_text(*key)?.expose());
        read.map(Some).map_err(|_| super::missing(*key))
    }

    /// Checks the certificate that a draft asks for, with the key it brings or the one that was there.
    ///
    /// # Errors
    /// `Invalid` with the place; `Forbidden` where a kept key would go to another receiver.
    pub(super) fn asked_certificate(
        &self,
        draft: &EndpointDraft,
        kept: Option<&EndpointSettings>,
        may_move_secrets: bool,
    ) -> Result<Option<AskedCertificate>, Error> {
        let Some((pointer, asked)) = draft.auth.certificate() else { return Ok(None) };
        if self.check_url(&draft.url)?.scheme() != Scheme::Https {
            let detail = "a client certificate is shown over https alone, and the address is http".to_owned();
            return Err(Error::invalid(&format!("{pointer}/certificate"), detail));
        }
        if asked.certificate.len() > CERTIFICATE_BYTES_MAX {
            let detail = format!("is longer than {CERTIFICATE_BYTES_MAX} bytes");
            return Err(Error::invalid(&format!("{pointer}/certificate"), detail));
        }
        if asked.key.as_ref().is_some_and(|key| key.expose().len() > KEY_BYTES_MAX) {
            return Err(Error::invalid(&format!("{pointer}/key"), format!("is longer than {KEY_BYTES_MAX} bytes")));
        }
        let stays = kept.and_then(|kept| Some((kept, kept.certificate.as_ref()?)));
        let (key, kept) = match (&asked.key, stays) {
            (Some(given), _) => (given.clone(), None),
            (None, Some((kept, certificate))) => {
                let detail = "a key is not used with another scheme, host or port by itself: give it anew, or ask \
                              somebody with the permission secrets";
                self.check_stays(kept, draft, may_move_secrets, detail)?;
                (self.secret_text(certificate.key)?, Some(certificate.key))
            }
            (None, None) => {
                let detail = "the key is missing, and there is none to stay".to_owned();
                return Err(Error::invalid(&format!("{pointer}/key"), detail));
            }
        };
        let certificate = ClientCertificate::parse(&asked.certificate, key.expose()).map_err(|problem| {
            let member = match problem {
                InvalidCertificate::Certificate | InvalidCertificate::Other => "certificate",
                InvalidCertificate::Key | InvalidCertificate::Mismatch => "key",
            };
            Error::invalid(&format!("{pointer}/{member}"), problem.to_string())
        })?;
        Ok(Some(AskedCertificate { certificate, key, kept }))
    }
}

/// Four certificates of the longest usual kind.
const CERTIFICATE_BYTES_MAX: usize = 16 << 10;
/// An RSA key of 8,192 bits has 6,500.
const KEY_BYTES_MAX: usize = 8 << 10;
