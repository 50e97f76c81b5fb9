//! The road to one receiver, step by step: resolve, admit, connect, secure.
//!
//! Not the request. Each step says itself what went wrong, so that a delivery and the Test tell the same
//! story; the Test only looks at the clock in between.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::stream::Stream;
use super::{Shared, connect, tls};
use crate::deliver::outcome::{AttemptError, Failure};
use crate::security::{Host, Scheme, Target};

/// The road to one receiver.
#[derive(Debug)]
pub(in crate::deliver) struct Road {
    shared: Arc<Shared>,
    target: Target,
    tls: Arc<ClientConfig>,
}

impl Road {
    pub(super) const fn new(shared: Arc<Shared>, target: Target, tls: Arc<ClientConfig>) -> Self {
        Self { shared, target, tls }
    }

    /// Returns where it leads.
    pub(in crate::deliver) const fn target(&self) -> &Target {
        &self.target
    }

    /// Finds the addresses of the receiver anew, whatever was known of its name.
    pub(in crate::deliver) async fn resolve_anew(&self) -> Result<Vec<IpAddr>, Failure> {
        if let Host::Name(name) = self.target.host() {
            self.shared.resolver.forget(name);
        }
        self.resolve().await
    }

    /// Finds the addresses of the receiver.
    pub(in crate::deliver) async fn resolve(&self) -> Result<Vec<IpAddr>, Failure> {
        match self.target.host() {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name) => self.shared.resolver.resolve(name).await,
        }
    }

    /// Keeps those addresses that may be connected to.
    ///
    /// # Errors
    /// `forbidden_address` where there is none. What a name leads to inside a network is told to nobody: whoever may
    /// save an endpoint could ask for any name.
    pub(in crate::deliver) fn admit(&self, addresses: &[IpAddr]) -> Result<Vec<SocketAddr>, Failure> {
        let admitted = connect::admit(addresses, self.target.port(), &self.shared.options.rules);
        admitted.map_err(|failure| match self.target.host() {
            Host::Address(_) => failure,
            Host::Name(name) => {
                tracing::debug!(%name, detail = failure.detail, "no address of a receiver may be sent to");
                let detail = format!(
                    "{name} leads to no address that hooklog may send to: give a public one, or have the operator add \
                     its range to deliver.allow_addresses"
                );
                Failure { detail, ..failure }
            }
        })
    }

    /// Connects to one of them.
    pub(in crate::deliver) async fn connect(&self, candidates: &[SocketAddr]) -> Result<TcpStream, Failure> {
        let options = &self.shared.options;
        connect::connect(candidates, &options.rules, options.connect_timeout).await
    }

    /// Makes the connection safe, where the address says so.
    pub(in crate::deliver) async fn secure(&self, stream: TcpStream) -> Result<Stream, Failure> {
        match self.target.scheme() {
            Scheme::Http => Ok(Stream::plain(stream)),
            Scheme::Https => {
                let stream = tls::handshake(&self.tls, &self.server_name()?, stream).await?;
                Ok(Stream::tls(stream))
            }
        }
    }

    /// The name that the certificate has to be for: the one in the address, whatever it resolved to.
    fn server_name(&self) -> Result<ServerName<'static>, Failure> {
        match self.target.host() {
            Host::Address(address) => Ok(ServerName::from(*address)),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| {
                let detail = format!("{name} is no name that a certificate can be for");
                Failure::without_answer(AttemptError::TlsError, detail)
            }),
        }
    }
}

/// Writes a time as people say it.
pub(super) fn in_words(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}
