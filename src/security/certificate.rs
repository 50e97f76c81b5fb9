//! The certificate by which a receiver knows us during the TLS handshake.
//!
//! Not a check of who signed it or how long it is valid: that is the receiver's. What is looked at is that it can be
//! read and that the key belongs to it, so that a wrong paste is found when it is saved.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A certificate with those that lead to its authority, and its private key.
#[derive(Clone)]
pub struct ClientCertificate(Arc<CertifiedKey>);

/// Why texts are no certificate with its key. Says nothing of what is in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificate {
    /// There is no certificate, or what is there is none.
    #[error("is no certificate in PEM: it begins with -----BEGIN CERTIFICATE-----, the intermediate ones follow it")]
    Certificate,
    /// There is something beside certificates.
    #[error(
        "holds more than certificates: take the private key and whatever else out of it, the key has its own place"
    )]
    Other,
    /// There is no private key, or none that signs.
    #[error("is no private key in PEM that can be used: RSA, ECDSA or Ed25519, not encrypted with a passphrase")]
    Key,
    /// The key is another certificate's.
    #[error("does not belong to the certificate: the first one must be the key's own, before the intermediate ones")]
    Mismatch,
}

impl ClientCertificate {
    /// Reads a chain of certificates, the own one first, and the key.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub fn parse(chain: &str, key: &str) -> Result<Self, InvalidCertificate> {
        // Whoever may read the settings reads the certificates: a key has no place among them.
        let begins = chain.lines().filter(|line| line.contains("-----BEGIN"));
        if begins.into_iter().any(|line| line.trim() != "-----BEGIN CERTIFICATE-----") {
            return Err(InvalidCertificate::Other);
        }
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(InvalidCertificate::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| InvalidCertificate::Key)?;
        let certified = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider());
        certified.map(|certified| Self(Arc::new(certified))).map_err(|problem| match problem {
            rustls::Error::InconsistentKeys(_) => InvalidCertificate::Mismatch,
            rustls::Error::InvalidCertificate(_) => InvalidCertificate::Certificate,
            _ => InvalidCertificate::Key,
        })
    }

    /// Writes the certificates anew in PEM, and nothing else that their text may have held.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = String::new();
        for certificate in &self.0.cert {
            let encoded = STANDARD.encode(certificate);
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            for line in encoded.as_bytes().chunks(PEM_COLUMNS).filter_map(|line| std::str::from_utf8(line).ok()) {
                text.push_str(line);
                text.push('\n');
            }
            text.push_str("-----END CERTIFICATE-----\n");
        }
        text
    }

    /// Returns what TLS shows and signs with.
    #[must_use]
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientCertificate(…)")
    }
}

/// As RFC 7468 has it.
const PEM_COLUMNS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["hooklog".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_is_read_with_its_own_key_and_no_other() {
        let ((certificate, key), (other, _)) = (made(), made());
        let parse = |chain: &str, key: &str| ClientCertificate::parse(chain, key).map(|read| read.0.cert.len()).ok();
        assert_eq!(parse(&certificate, &key), Some(1));
        assert_eq!(parse(&format!("{certificate}{other}"), &key), Some(2));
        let refused = |chain: &str, key: &str| ClientCertificate::parse(chain, key).err();
        assert_eq!(refused(&format!("{other}{certificate}"), &key), Some(InvalidCertificate::Mismatch));
        assert_eq!(refused(&key, &key), Some(InvalidCertificate::Other));
        assert_eq!(
            refused(&format!("{certificate}{key}"), &key),
            Some(InvalidCertificate::Other),
            "one file with both"
        );
        assert_eq!(refused(&format!("{certificate}\n {key}"), &key), Some(InvalidCertificate::Other));
        assert_eq!(refused("", &key), Some(InvalidCertificate::Certificate));
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(refused(nonsense, &key), Some(InvalidCertificate::Certificate));
        assert_eq!(refused(&certificate, &certificate), Some(InvalidCertificate::Key));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(refused(&certificate, encrypted), Some(InvalidCertificate::Key));
        let noisy = format!("subject=x\r\n{}sixty lines of something\n", certificate.replace('\n', "\r\n"));
        assert_eq!(ClientCertificate::parse(&noisy, &key).unwrap().chain(), certificate, "only certificates are kept");
        let shown = format!("{:?}", ClientCertificate::parse(&certificate, &key).unwrap());
        assert_eq!(shown, "ClientCertificate(…)");
    }
}
