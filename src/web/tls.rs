//! A listener's certificate and key, from PEM files.
//!
//! Not a client's TLS: deliveries have their own. TLS 1.2 and 1.3 with the cipher suites that rustls considers safe,
//! HTTP/1.1 only. Whatever is wrong with the files is named before anything listens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate and key that belong together, ready for a listener.
#[derive(Debug, Clone)]
pub struct TlsConfig(Arc<ServerConfig>);

/// Why a listener cannot speak TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} from {path}: {reason}")]
    Read {
        /// The certificate or the key.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        reason: std::io::Error,
    },
    /// A file is not PEM.
    #[error("cannot read {what} from {path}: it is not PEM: {reason}")]
    NotPem {
        /// The certificate or the key.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Where it goes wrong.
        reason: String,
    },
    /// A file is PEM, but what is wanted is not in it.
    #[error("{path} has no {what} in it")]
    Missing {
        /// The certificate or the key.
        what: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// The two are fine by themselves and do not belong together.
    #[error("the key in {key} is not the key of the certificate in {certificate}")]
    NotAPair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// They were read and cannot be used.
    #[error("cannot use the certificate in {certificate} with the key in {key}: {reason}")]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with them.
        reason: rustls::Error,
    },
}

impl TlsConfig {
    /// Reads a certificate with its chain, and the key that belongs to it.
    ///
    /// # Errors
    /// Each says which file is at fault and how.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> =
            read(CERTIFICATE, certificate, |text| CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>())?;
        if chain.is_empty() {
            return Err(TlsError::Missing { what: CERTIFICATE, path: certificate.to_owned() });
        }
        let private_key = read(KEY, key, PrivateKeyDer::from_pem_slice)?;
        Self::new(chain, private_key).map_err(|reason| match reason {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::NotAPair { certificate: certificate.to_owned(), key: key.to_owned() }
            }
            reason => TlsError::Unusable { certificate: certificate.to_owned(), key: key.to_owned(), reason },
        })
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, rustls::Error> {
        // Named rather than taken from the process, so that nothing else can exchange it.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn into_acceptor(self) -> TlsAcceptor {
        TlsAcceptor::from(self.0)
    }
}

fn read<T>(what: &'static str, path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, pem::Error>) -> Result<T, TlsError> {
    let text = std::fs::read(path).map_err(|reason| TlsError::Read { what, path: path.to_owned(), reason })?;
    parse(&text).map_err(|reason| match reason {
        pem::Error::NoItemsFound => TlsError::Missing { what, path: path.to_owned() },
        reason => TlsError::NotPem { what, path: path.to_owned(), reason: reason.to_string() },
    })
}

const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

#[cfg(test)]
mod tests {
    use super::TlsConfig;

    fn message(certificate: Option<&str>, key: Option<&str>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: Option<&str>| {
            let path = folder.path().join(name);
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            path
        };
        let result = TlsConfig::from_files(&path("certificate.pem", certificate), &path("key.pem", key));
        result
            .map_or_else(|error| error.to_string(), |_| "fine".to_owned())
            .replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn what_is_wrong_with_the_files_is_named() {
        let first = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let second = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (first.cert.pem(), first.signing_key.serialize_pem());
        let other_key = second.signing_key.serialize_pem();
        let check = |certificate: Option<&str>, key: Option<&str>, expected: &str| {
            let message = message(certificate, key);
            assert!(message.starts_with(expected), "{message}");
        };
        check(Some(&certificate), Some(&key), "fine");
        check(Some(&format!("{certificate}{key}")), Some(&key), "fine");
        check(None, Some(&key), "cannot read certificate from certificate.pem: No such file");
        check(Some(&certificate), None, "cannot read private key from key.pem: No such file");
        check(Some(""), Some(&key), "certificate.pem has no certificate in it");
        check(Some(&key), Some(&key), "certificate.pem has no certificate in it");
        check(Some(&certificate), Some(&certificate), "key.pem has no private key in it");
        check(
            Some("-----BEGIN CERTIFICATE-----\n"),
            Some(&key),
            "cannot read certificate from certificate.pem: it is not PEM",
        );
        check(
            Some(&certificate),
            Some(&other_key),
            "the key in key.pem is not the key of the certificate in certificate.pem",
        );
    }
}
