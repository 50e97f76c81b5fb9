//! One HTTP/1.1 connection to one server, opened when needed and kept.
//!
//! Not a pool and not a retry policy: a request goes out once, except that a kept connection found dead
//! before the request left is opened anew. Answers are read to a bound, everything has a deadline.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::runtime::Tasks;

/// A server's address, and the connection to it.
pub(crate) struct Http {
    host: Host,
    port: u16,
    authority: String,
    prefix: String,
    tls: Option<Arc<rustls::ClientConfig>>,
    tasks: Tasks,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// An answer that is read line by line, while it comes.
pub(crate) struct Lines {
    at: String,
    body: Incoming,
    buffer: BytesMut,
    /// How much of the buffer has no line break.
    searched: usize,
    _connection: SendRequest<Full<Bytes>>,
}

impl Lines {
    /// Returns the next line, without its break; none at the end. What was read is kept where this is not waited for.
    ///
    /// # Errors
    /// Where the connection breaks, or a line has no end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(at) = self.buffer.iter().skip(self.searched).position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(self.searched + at + 1);
                line.truncate(line.len() - 1);
                self.searched = 0;
                return Ok(Some(line.freeze()));
            }
            self.searched = self.buffer.len();
            if self.searched > ANSWER_BYTES_MAX {
                return Err(Error::TooLarge { at: self.at.clone(), bytes_max: ANSWER_BYTES_MAX });
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|reason| Error::Broken { at: self.at.clone(), reason })?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

/// What a server answers to somebody who wants lines.
pub(crate) enum Opened {
    /// These.
    Lines(Lines),
    /// Something else, which is no success.
    Refused(Answer),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody listens there.
    #[error("nothing listens on {at}")]
    Refused { at: String },
    /// There is no way to it, or no such name.
    #[error("cannot connect to {at}")]
    Unreachable {
        at: String,
        #[source]
        reason: io::Error,
    },
    /// The certificate, or the handshake.
    #[error("cannot agree on TLS with {at}")]
    Tls {
        at: String,
        #[source]
        reason: io::Error,
    },
    /// It ended before there was an answer.
    #[error("the connection to {at} broke before the answer was there")]
    Broken {
        at: String,
        #[source]
        reason: hyper::Error,
    },
    /// It took too long.
    #[error("{at} did not answer within {} s", after.as_secs())]
    Slow { at: String, after: Duration },
    /// The answer is longer than any answer of hooklog.
    #[error("the answer of {at} has more than {bytes_max} bytes")]
    TooLarge { at: String, bytes_max: usize },
}

impl Http {
    /// Makes a client of the server that a URL names; connects when the first request is sent.
    ///
    /// # Errors
    /// A sentence where the URL is none of http or https, or has a query.
    pub(crate) fn new(url: &Url, tasks: Tasks) -> Result<Self, String> {
        let is_https = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(format!("{url} must begin with http:// or https://, not {other}:")),
        };
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(format!("{url} must have no user, query or fragment: only where the server is"));
        }
        let host = url.host().ok_or_else(|| format!("{url} names no host"))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| format!("{url} names no port"))?;
        let authority = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let prefix = url.path().trim_end_matches('/').to_owned();
        let tls = is_https.then(tls_config);
        Ok(Self { host, port, authority, prefix, tls, tasks, connection: None })
    }

    /// Returns where the server is, for messages.
    pub(crate) fn at(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Makes the target of a request to a path.
    ///
    /// # Shape
    /// `path` begins with a slash and may carry a query; whatever stood in the URL comes before it.
    pub(crate) fn target(&self, path: &str) -> Result<Uri, String> {
        format!("{}{path}", self.prefix).parse().map_err(|_| format!("{path} cannot be asked for"))
    }

    /// Returns the value of the header `host`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// Where there is no answer; the connection is then thrown away.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        answer_within: Duration,
    ) -> Result<Answer, Error> {
        let sent = timeout(answer_within, self.send_unhurried(request)).await;
        let answer = sent.unwrap_or_else(|_| Err(Error::Slow { at: self.at(), after: answer_within }));
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    /// Sends a request whose answer goes on; its connection is not used for another.
    ///
    /// # Errors
    /// Where there is no answer.
    pub(crate) async fn open(
        &mut self,
        request: Request<Full<Bytes>>,
        answer_within: Duration,
    ) -> Result<Opened, Error> {
        let opened = timeout(answer_within, async {
            let (response, connection) = self.respond(request).await?;
            if !response.status().is_success() {
                return self.read(response, connection).await.map(Opened::Refused);
            }
            let (at, body) = (self.at(), response.into_body());
            Ok(Opened::Lines(Lines { at, body, buffer: BytesMut::new(), searched: 0, _connection: connection }))
        });
        opened.await.unwrap_or_else(|_| Err(Error::Slow { at: self.at(), after: answer_within }))
    }

    /// Sends a request of whose answer the status is all that is wanted.
    ///
    /// # Errors
    /// Where there is no answer. What follows its head is nobody's concern: an answer without end is an answer.
    pub(crate) async fn status(
        &mut self,
        request: Request<Full<Bytes>>,
        answer_within: Duration,
    ) -> Result<StatusCode, Error> {
        let responded = timeout(answer_within, self.respond(request)).await;
        let responded = responded.unwrap_or_else(|_| Err(Error::Slow { at: self.at(), after: answer_within }));
        let (response, connection) = responded?;
        let (head, body) = response.into_parts();
        if let Ok(Ok(_)) = timeout(REST_WITHIN, read_body(body, REST_BYTES_MAX)).await {
            self.connection = Some(connection);
        }
        Ok(head.status)
    }

    async fn send_unhurried(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let (response, connection) = self.respond(request).await?;
        self.read(response, connection).await
    }

    /// Sends a request and waits for the head of the answer.
    async fn respond(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(http::Response<Incoming>, SendRequest<Full<Bytes>>), Error> {
        if let Some(mut kept) = self.kept().await {
            match kept.try_send_request(request).await {
                Ok(response) => return Ok((response, kept)),
                Err(mut refused) => match refused.take_message() {
                    // The server closed it while it was idle: the request never left.
                    Some(unsent) => request = unsent,
                    None => return Err(Error::Broken { at: self.at(), reason: refused.into_error() }),
                },
            }
        }
        let mut fresh = self.connect().await?;
        let response = fresh.send_request(request).await;
        let response = response.map_err(|reason| Error::Broken { at: self.at(), reason })?;
        Ok((response, fresh))
    }

    async fn kept(&mut self) -> Option<SendRequest<Full<Bytes>>> {
        let mut kept = self.connection.take()?;
        kept.ready().await.ok().map(|()| kept)
    }

    async fn read(
        &mut self,
        response: http::Response<Incoming>,
        connection: SendRequest<Full<Bytes>>,
    ) -> Result<Answer, Error> {
        let (head, body) = response.into_parts();
        let body = read_body(body, ANSWER_BYTES_MAX).await.map_err(|failure| match failure {
            BodyError::Broken(reason) => Error::Broken { at: self.at(), reason },
            BodyError::TooLarge => Error::TooLarge { at: self.at(), bytes_max: ANSWER_BYTES_MAX },
        })?;
        self.connection = Some(connection);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let stream = timeout(CONNECT_WITHIN, self.dial())
            .await
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
            .map_err(|reason| match reason.kind() {
                io::ErrorKind::ConnectionRefused => Error::Refused { at: self.at() },
                _ => Error::Unreachable { at: self.at(), reason },
            })?;
        let Some(config) = &self.tls else { return self.shake_hands(stream).await };
        let tls_failed = |reason| Error::Tls { at: self.at(), reason };
        let name = self.server_name().map_err(|reason| tls_failed(io::Error::other(reason)))?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(tls_failed)?;
        self.shake_hands(stream).await
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = match &self.host {
            Host::Domain(name) => TcpStream::connect((name.as_str(), self.port)).await?,
            Host::Ipv4(address) => TcpStream::connect((*address, self.port)).await?,
            Host::Ipv6(address) => TcpStream::connect((*address, self.port)).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn server_name(&self) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
        match &self.host {
            Host::Domain(name) => ServerName::try_from(name.clone()),
            Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::V4(*address))),
            Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::V6(*address))),
        }
    }

    async fn shake_hands<S>(&self, stream: S) -> Result<SendRequest<Full<Bytes>>, Error>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|reason| Error::Broken { at: self.at(), reason })?;
        // What breaks the connection is told to whoever waits for an answer.
        self.tasks.spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The connection ended in the middle of it.
    Broken(hyper::Error),
    /// It is longer than the bound.
    TooLarge,
}

/// Reads a body to a bound. One that arrives in one piece is not copied.
pub(crate) async fn read_body(mut body: Incoming, bytes_max: usize) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge);
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        if first.len() + whole.len() + data.len() > bytes_max {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Trusts what the machine trusts, and what browsers trust.
fn tls_config() -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // A root of the machine that cannot be read is one fewer to trust, no reason to stop.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has every cipher suite of the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Bytes of an answer: a page of a thousand events of the largest kind is cut into smaller pages by the server.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What is read of an answer whose status is all that is wanted, so that its connection can be kept.
const REST_BYTES_MAX: usize = 64 * 1024;
const REST_WITHIN: Duration = Duration::from_secs(1);
/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use url::Url;

    use crate::runtime::Tasks;

    use super::Http;

    #[test]
    fn a_base_url_may_have_a_path_and_nothing_else() {
        let http = |text: &str| Http::new(&Url::parse(text).unwrap(), Tasks::new());
        let behind = http("http://gateway.example:8080/hooklog/").unwrap();
        assert_eq!(behind.target("/api/v1/me?x=1").unwrap().to_string(), "/hooklog/api/v1/me?x=1");
        assert_eq!((behind.authority(), behind.at().as_str()), ("gateway.example:8080", "gateway.example:8080"));
        assert_eq!(http("http://[::1]:7071").unwrap().at(), "[::1]:7071");
        assert_eq!(http("http://hooklog.example").unwrap().authority(), "hooklog.example");
        for bad in ["ftp://a", "http://a/?q", "http://a/#f", "http://user@a/", "unix:/run/x"] {
            assert!(http(bad).is_err(), "{bad}");
        }
    }
}
