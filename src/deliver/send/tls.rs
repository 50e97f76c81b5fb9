//! Whose certificates are believed, and what is said when one is not.
//!
//! Not a choice of protocols: TLS 1.2 and 1.3 with what rustls holds to be safe. Nobody can switch the
//! check of a certificate off; who has authorities of their own gives them to the machine (`SSL_CERT_FILE`).

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::deliver::outcome::{AttemptError, Failure};
use crate::model::Timestamp;
use crate::security::ClientCertificate;

/// The authorities whose certificates are believed.
#[derive(Clone)]
pub struct Trust(Arc<RootCertStore>);

impl Trust {
    /// Believes whom this machine believes (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured), or Mozilla's
    /// list where the machine has none, as in an empty container.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let trust = Self::of(rustls_native_certs::load_native_certs().certs);
        if trust.0.is_empty() {
            let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
            return Self(Arc::new(roots));
        }
        trust
    }

    /// Believes these authorities and no others.
    #[must_use]
    pub fn of(authorities: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        // What cannot be read is left out: a machine's list often has an old certificate or two.
        roots.add_parsable_certificates(authorities);
        Self(Arc::new(roots))
    }

    /// Returns what TLS connections are made with: one for all that show no certificate, one for each that does.
    pub(super) fn client_config(&self, certificate: Option<&ClientCertificate>) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("ring has suites for both versions")
            .with_root_certificates(Arc::clone(&self.0));
        let mut config = match certificate {
            Some(certificate) => {
                let shown = SingleCertAndKey::from(certificate.certified_key());
                let mut config = builder.with_client_cert_resolver(Arc::new(shown));
                // It leads to one receiver.
                config.resumption = Resumption::in_memory_sessions(SESSIONS_OF_ONE);
                config
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Trust({} authorities)", self.0.len())
    }
}

/// Makes a connection safe.
///
/// # Errors
/// `tls_error` and why, or `connection_reset`.
pub(super) async fn handshake(
    config: &Arc<ClientConfig>,
    name: &ServerName<'static>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Failure> {
    let connected = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await;
    connected.map_err(|problem| {
        let name = name.to_str();
        match cause(&problem) {
            Some(cause) => Failure::without_answer(AttemptError::TlsError, in_words(cause, &name)),
            None if problem.kind() == io::ErrorKind::UnexpectedEof => {
                let detail = format!("{name} closed the connection during the TLS handshake");
                Failure::without_answer(AttemptError::TlsError, detail)
            }
            None => {
                let detail = format!("the connection was cut during the TLS handshake: {problem}");
                Failure::without_answer(AttemptError::ConnectionReset, detail)
            }
        }
    })
}

/// Returns the TLS error that an IO error carries.
pub(super) fn cause(problem: &io::Error) -> Option<&rustls::Error> {
    problem.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Says what went wrong in words that whoever runs the receiver can act on.
pub(super) fn in_words(problem: &rustls::Error, name: &str) -> String {
    match problem {
        rustls::Error::InvalidCertificate(problem) => of_certificate(problem, name),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("{name} does not speak TLS on this port: is it http:// or another port?")
        }
        rustls::Error::PeerIncompatible(what) => {
            format!("{name} and hooklog have no TLS version or cipher in common ({what:?}): TLS 1.2 or 1.3 is needed")
        }
        rustls::Error::AlertReceived(alert) => of_alert(*alert, name),
        rustls::Error::NoCertificatesPresented => format!("{name} showed no certificate"),
        // The list is open, and what is left of it are details of the protocol.
        other => format!("the TLS handshake with {name} failed: {other}"),
    }
}

/// Says why the receiver has refused us.
fn of_alert(alert: AlertDescription, name: &str) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            format!(
                "{name} asks for a client certificate, and the endpoint shows none that it can use: give its auth one"
            )
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            format!("{name} does not accept the client certificate that the endpoint shows, or misses one ({alert:?})")
        }
        // The list is open, and what is left of it are details of the protocol.
        other => format!("{name} refused the TLS handshake ({other:?})"),
    }
}

fn of_certificate(problem: &CertificateError, name: &str) -> String {
    match problem {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate of {name} has expired on {}", day(*not_after))
        }
        CertificateError::Expired => format!("the certificate of {name} has expired"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate of {name} is not valid before {}", day(*not_before))
        }
        CertificateError::NotValidYet => format!("the certificate of {name} is not valid yet"),
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            format!("the certificate that {name} shows is for {}", names(presented))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate that {name} shows is for another name")
        }
        CertificateError::UnknownIssuer => format!(
            "the certificate of {name} is signed by nobody this machine trusts: it is self-signed, or the server \
             does not send the intermediate certificate"
        ),
        CertificateError::Revoked => format!("the certificate of {name} has been revoked"),
        // The list is open; rustls says the rest in words of its own.
        other => format!("the certificate of {name} is not valid: {other}"),
    }
}

/// A few of the names that a certificate is for.
fn names(presented: &[String]) -> String {
    // rustls writes `DnsName("example.com")`.
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    let mut few: Vec<_> = presented.iter().take(NAMES_MAX).map(bare).collect();
    if presented.len() > NAMES_MAX {
        few.push(format!("{} others", presented.len() - NAMES_MAX));
    }
    few.join(", ")
}

fn day(time: UnixTime) -> String {
    let ms = i64::try_from(time.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX);
    Timestamp(ms).to_string().chars().take("2026-03-02".len()).collect()
}

const NAMES_MAX: usize = 3;
const SESSIONS_OF_ONE: usize = 4;
