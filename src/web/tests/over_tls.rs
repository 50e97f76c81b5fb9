//! The same listener with TLS.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;

use super::{Options, Running, answers, options, start_with};
use crate::web::TlsConfig;

async fn start(options: Options) -> (Running, ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let running = start_with(options, Some(TlsConfig::from_files(&certificate, &key).unwrap())).await;

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (running, client)
}

#[tokio::test]
async fn requests_and_refusals_go_through_tls() {
    let (running, client) = start(options()).await;
    let connector = TlsConnector::from(Arc::new(client));
    let exchange = async |request: &str| {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, running.connect().await).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
        stream.write_all(request.as_bytes()).await.unwrap();
        answers(&mut stream).await
    };
    let request = "POST /tls HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    assert_eq!(exchange(request).await[0].body, "POST /tls hi");
    let garbage = exchange("garbage\r\n\r\n").await;
    assert_eq!((garbage[0].status, garbage[0].code().as_str()), (400, "bad_request"));
    running.end().await.unwrap();
}

#[tokio::test]
async fn who_speaks_no_tls_or_nothing_is_dropped() {
    let (running, client) = start(Options { head_timeout: Duration::from_millis(100), ..options() }).await;
    let mut silent = running.connect().await;
    assert_eq!(answers(&mut silent).await, []);
    let mut plain = running.connect().await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    // An alert and the end, or a reset; never an answer.
    tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut bytes).await.ok();
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    drop((silent, plain));

    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(name, running.connect().await).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(answers(&mut stream).await[0].status, 200);
    drop(stream);
    assert_eq!(running.tasks.panicked(), 0);
    running.end().await.unwrap();
}
