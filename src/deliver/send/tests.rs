//! Sending to real sockets: what each way of failing is called, and that no address is connected to unchecked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::accounts::RightsStamp;
use crate::deliver::outcome::{AttemptError, AttemptOutcome, Verdict};
use crate::model::{AccountName, Attempt, EndpointName, EventId, EventType, Offset, Timestamp};
use crate::runtime::shutdown;
use crate::security::ClientCertificate;
use crate::telemetry::Metrics;

/// A receiver that reads a request and then says `answer`, on every connection anew.
struct Receiver {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
enum Then {
    /// Says so and waits for the next request.
    Stay(&'static str),
    /// Says so and closes.
    Close(&'static str),
    /// Says nothing.
    Hang,
    /// Never stops.
    Endless,
}

async fn receiver(then: Then) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(AtomicUsize::new(0));
    let (counted, read) = (Arc::clone(&connections), Arc::clone(&requests));
    Tasks::new().spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::AcqRel);
            Tasks::new().spawn(converse(stream, then, Arc::clone(&read)));
        }
    });
    Receiver { address, connections, requests }
}

async fn converse(mut stream: TcpStream, then: Then, read: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&bytes[..count]),
        }
        if !request.ends_with(b"{}") {
            continue;
        }
        request.clear();
        read.fetch_add(1, Ordering::AcqRel);
        // Whoever sends may be gone: that is the sender's affair.
        match then {
            Then::Stay(answer) => drop(stream.write_all(answer.as_bytes()).await),
            Then::Close(answer) => return drop(stream.write_all(answer.as_bytes()).await),
            Then::Hang => std::future::pending().await,
            Then::Endless => {
                drop(stream.write_all(b"HTTP/1.1 500 x\r\ncontent-length: 99999999\r\n\r\n").await);
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
        }
    }
}

fn sender(allow: &[&str], trust: Trust) -> Sender {
    let rules = AddressRules::new(allow.iter().map(|range| range.parse().unwrap()).collect());
    let options = Options {
        rules,
        trust,
        connect_timeout: Duration::from_secs(2),
        idle: IdleLimits { max: 16, sockets_max: 64, age_max: Duration::from_secs(20) },
    };
    let (trigger, stop) = shutdown();
    // Nobody ends these tests early.
    std::mem::forget(trigger);
    Sender::start(options, Clock::system(), &Metrics::new().deliver, &Tasks::new(), stop)
}

fn route(sender: &Sender, url: &str) -> Route {
    route_showing(sender, url, None)
}

fn route_showing(sender: &Sender, url: &str, certificate: Option<ClientCertificate>) -> Route {
    // Saved when loopback was allowed; whether it may be connected to is judged anew by the sender's rules.
    let lenient = AddressRules::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let settings = RouteSettings {
        account: AccountName::parse("acme").unwrap(),
        endpoint: EndpointName::parse("crm").unwrap(),
        target: lenient.check_url(url, false).unwrap(),
        credentials: Credentials::None,
        headers: BTreeMap::new(),
        content_type: "application/json",
        signing: Vec::new(),
        certificate,
        timeout: Duration::from_millis(700),
        connections_max: 4,
    };
    sender.route(settings).unwrap()
}

fn message() -> Message {
    Message {
        id: EventId::parse("evt_1").unwrap(),
        event_type: EventType::parse("call.ended").unwrap(),
        version: 1,
        occurred_at: Timestamp(0),
        offset: Some(Offset(1)),
        sequence: None,
        attempt: Attempt(1),
        key: None,
        traceparent: None,
        rights: None,
        stamp: RightsStamp::of_nothing(),
        is_test: false,
        is_late: false,
        is_redelivery: false,
        replay: None,
        body: Bytes::from_static(b"{}"),
    }
}

async fn check(then: Then, error: Option<AttemptError>, status: Option<u16>, verdict: Verdict) -> AttemptOutcome {
    let receiver = receiver(then).await;
    let sender = sender(&["127.0.0.0/8"], Trust::of([]));
    let outcome = route(&sender, &format!("http://{}/in", receiver.address)).send(&message()).await.outcome;
    assert_eq!((outcome.error(), outcome.status(), outcome.verdict()), (error, status, verdict), "{outcome:?}");
    outcome
}

#[tokio::test]
async fn every_end_has_its_name() {
    use AttemptError as E;
    use Verdict as V;
    check(Then::Stay("HTTP/1.1 204 x\r\n\r\n"), None, Some(204), V::Delivered).await;
    check(Then::Close("HTTP/1.1 200 x\r\nconnection: close\r\n\r\n"), None, Some(200), V::Delivered).await;
    let moved = "HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    check(Then::Stay(moved), Some(E::Redirect), Some(302), V::EndpointInTrouble).await;
    check(Then::Stay("HTTP/1.1 410 x\r\ncontent-length: 0\r\n\r\n"), Some(E::HttpStatus), Some(410), V::Unwanted).await;
    check(Then::Stay("HTTP/1.1 422 x\r\ncontent-length: 0\r\n\r\n"), Some(E::HttpStatus), Some(422), V::EventRefused)
        .await;
    check(Then::Close("this is not HTTP\r\n\r\n"), Some(E::InvalidAnswer), None, V::EndpointInTrouble).await;
    check(Then::Close(""), Some(E::ConnectionReset), None, V::EndpointInTrouble).await;
    check(Then::Hang, Some(E::Timeout), None, V::EndpointInTrouble).await;
}

#[tokio::test]
async fn a_failure_keeps_the_start_of_the_answer_and_the_wish_to_wait() {
    let busy = "HTTP/1.1 429 x\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\nslow down";
    let outcome = check(Then::Stay(busy), Some(AttemptError::HttpStatus), Some(429), Verdict::EndpointInTrouble).await;
    let AttemptOutcome::Failed(failure) = outcome else { panic!("it failed") };
    assert_eq!((failure.retry_after, &failure.answer_start[..]), (Some(Duration::from_secs(7)), &b"slow down"[..]));

    let endless = check(Then::Endless, Some(AttemptError::HttpStatus), Some(500), Verdict::EndpointInTrouble).await;
    let AttemptOutcome::Failed(failure) = endless else { panic!("it failed") };
    assert_eq!(failure.answer_start.len(), 1024, "an answer without end is read to a bound");
}

#[tokio::test]
async fn an_address_is_judged_when_it_is_connected_to() {
    let receiver = receiver(Then::Stay("HTTP/1.1 204 x\r\n\r\n")).await;
    let port = receiver.address.port();
    let strict = sender(&[], Trust::of([]));
    for host in ["127.0.0.1", "127.9.9.9", "localhost", "2130706433"] {
        let outcome = route(&strict, &format!("http://{host}:{port}/in")).send(&message()).await.outcome;
        assert_eq!(outcome.error(), Some(AttemptError::ForbiddenAddress), "{host}: {outcome:?}");
    }
    assert_eq!(receiver.connections.load(Ordering::Acquire), 0, "not even a connection was made");
    let allowed = sender(&["127.0.0.0/8"], Trust::of([]));
    let outcome = route(&allowed, &format!("http://localhost:{port}/in")).send(&message()).await.outcome;
    assert_eq!(outcome.verdict(), Verdict::Delivered, "{outcome:?}");
}

#[tokio::test]
async fn nobody_listening_is_refused_and_connections_are_used_again() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let sender = sender(&["127.0.0.0/8"], Trust::of([]));
    let outcome = route(&sender, &format!("http://{gone}/in")).send(&message()).await.outcome;
    assert_eq!(outcome.error(), Some(AttemptError::ConnectionRefused), "{outcome:?}");

    let stays = receiver(Then::Stay("HTTP/1.1 204 x\r\n\r\n")).await;
    let route = route(&sender, &format!("http://{}/in", stays.address));
    for _ in 0..5 {
        assert_eq!(route.send(&message()).await.outcome.verdict(), Verdict::Delivered);
    }
    assert_eq!(stays.connections.load(Ordering::Acquire), 1);
}

/// The connection is kept: the message that is made anew goes over the very same.
#[tokio::test]
async fn what_was_made_under_rights_that_have_changed_is_not_sent() {
    let receiver = receiver(Then::Stay("HTTP/1.1 204 x\r\n\r\n")).await;
    let sender = sender(&["127.0.0.0/8"], Trust::of([]));
    let route = route(&sender, &format!("http://{}/in", receiver.address));
    let outcome = route.send(&Message { stamp: RightsStamp::outdated(), ..message() }).await.outcome;
    assert_eq!((outcome.error(), outcome.status()), (Some(AttemptError::Cancelled), None), "{outcome:?}");
    assert_eq!(route.send(&message()).await.outcome.status(), Some(204));
    let counts = [&receiver.connections, &receiver.requests].map(|count| count.load(Ordering::Acquire));
    assert_eq!(counts, [1, 1], "connections and requests");
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced_and_not_counted() {
    // Promises to stay and closes all the same.
    let liar = receiver(Then::Close("HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n")).await;
    let sender = sender(&["127.0.0.0/8"], Trust::of([]));
    let route = route(&sender, &format!("http://{}/in", liar.address));
    for _ in 0..5 {
        let outcome = route.send(&message()).await.outcome;
        assert_eq!(outcome.verdict(), Verdict::Delivered, "{outcome:?}");
    }
    assert_eq!(liar.connections.load(Ordering::Acquire), 5);
}

/// Starts a receiver that speaks TLS with this certificate; returns its port.
async fn tls_receiver(certificate: rustls::pki_types::CertificateDer<'static>, key: Vec<u8>) -> u16 {
    tls_receiver_of(certificate, key, None, &[&rustls::version::TLS13, &rustls::version::TLS12]).await
}

/// A receiver that lets in only who shows a certificate by this authority, where there is one.
async fn tls_receiver_of(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: Vec<u8>,
    authority: Option<rustls::pki_types::CertificateDer<'static>>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> u16 {
    let key = rustls::pki_types::PrivateKeyDer::try_from(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let builder = match authority {
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(vec![certificate], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Tasks::new().spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut bytes = [0; 4096];
            if stream.read(&mut bytes).await.is_ok() {
                drop(stream.write_all(b"HTTP/1.1 204 x\r\n\r\n").await);
            }
        }
    });
    port
}

#[tokio::test]
async fn a_certificate_must_be_believed_and_fit_the_name() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let port = tls_receiver(certificate.clone(), made.signing_key.serialize_der()).await;
    let believed = sender(&["127.0.0.0/8"], Trust::of([certificate]));
    let stranger = sender(&["127.0.0.0/8"], Trust::of([]));
    let outcome = async |sender: &Sender, host: &str| {
        route(sender, &format!("https://{host}:{port}/in")).send(&message()).await.outcome
    };
    assert_eq!(outcome(&believed, "localhost").await.verdict(), Verdict::Delivered);
    let unknown = outcome(&stranger, "localhost").await;
    assert_eq!(unknown.error(), Some(AttemptError::TlsError), "{unknown:?}");
    let other_name = outcome(&believed, "127.0.0.1").await;
    assert_eq!(other_name.error(), Some(AttemptError::TlsError), "{other_name:?}");
}

#[tokio::test]
async fn a_certificate_of_the_end_of_time_is_told_like_any_other() {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(9999, 12, 31);
    parameters.not_after = rcgen::date_time_ymd(9999, 12, 31);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    let port = tls_receiver(certificate.clone(), key.serialize_der()).await;
    let sender = sender(&["127.0.0.0/8"], Trust::of([certificate]));
    let outcome = route(&sender, &format!("https://localhost:{port}/in")).send(&message()).await.outcome;
    assert_eq!(outcome.error(), Some(AttemptError::TlsError), "{outcome:?}");
}

#[tokio::test]
async fn a_receiver_that_asks_who_we_are_is_shown_the_certificate_of_its_endpoint() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let server = made.cert.der().clone();
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
    let authority = rcgen::CertifiedIssuer::self_signed(parameters, authority_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["hooklog.example".to_owned()]).unwrap();
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = parameters.signed_by(&key, &authority).unwrap();
    let ours = ClientCertificate::parse(&certificate.pem(), &key.serialize_pem()).unwrap();
    let stranger = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).unwrap();
    let stranger = ClientCertificate::parse(&stranger.cert.pem(), &stranger.signing_key.serialize_pem()).unwrap();

    let sender = sender(&["127.0.0.0/8"], Trust::of([server.clone()]));
    // In TLS 1.3 the refusal comes after the handshake, in 1.2 within it.
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = authority.der().clone();
        let port = tls_receiver_of(server.clone(), made.signing_key.serialize_der(), Some(authority), &[version]).await;
        let url = format!("https://localhost:{port}/in");
        let outcome = async |shown: Option<&ClientCertificate>| {
            route_showing(&sender, &url, shown.cloned()).send(&message()).await.outcome
        };
        assert_eq!(outcome(Some(&ours)).await.verdict(), Verdict::Delivered, "{version:?}");
        for (shown, expected) in [(None, "client certificate"), (Some(&stranger), "does not accept")] {
            let refused = outcome(shown).await;
            assert_eq!(refused.verdict(), Verdict::EndpointInTrouble, "{version:?}: {refused:?}");
            let AttemptOutcome::Failed(failure) = refused else { panic!("{version:?}") };
            assert_eq!(failure.error, AttemptError::TlsError, "{version:?}: {}", failure.detail);
            assert!(failure.detail.contains(expected), "{version:?}: {}", failure.detail);
        }
        // Whoever has no certificate to show is not known by another's session.
        assert_eq!(outcome(Some(&ours)).await.verdict(), Verdict::Delivered);
        assert_ne!(outcome(None).await.verdict(), Verdict::Delivered);
    }
}
