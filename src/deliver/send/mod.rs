//! One request to one receiver: resolve, guard, connect, TLS, sign, send, read the answer, name the end.
//!
//! Not when or how often: the machine says that. An HTTP/1.1 client of our own over hyper's connection, because
//! two promises need it: the address that is connected to is the one that was checked, and no two endpoints
//! ever share a connection. Redirects are not followed, nothing is decompressed, and everything a receiver can
//! make large or slow has a limit.
//!
//! ```text
//! Route::send ─▶ Pool ── a live one ────────────────────────────▶ Connection ─▶ Answer ─▶ AttemptOutcome
//!                  └─▶ Road: resolve ─▶ admit ─▶ connect ─▶ secure ───▲                └─▶ Pool
//! ```
//!
//! Whoever sends also drives the connection: no task is spawned for it, dropping the request closes it, and
//! one request wakes one task.

mod message;
mod request;
mod route;
mod road;
mod resolve;
mod connect;
mod tls;
mod stream;
mod connection;
mod answer;
mod pool;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::outcome::{AttemptError, Failure};
use crate::runtime::{Clock, Shutdown, Tasks};
use crate::security::{AddressRules, Target};
use crate::telemetry::DeliverMetrics;

use pool::IdleConnections;
use resolve::Resolver;

pub use message::{Credentials, Message, SigningKey};
pub use pool::IdleLimits;
pub use route::{Attempted, InvalidRoute, Route, RouteSettings};
pub use tls::Trust;

pub(in crate::deliver) use answer::Answer;
pub(in crate::deliver) use connection::Connection;
pub(in crate::deliver) use road::Road;
pub(in crate::deliver) use stream::Stream;

/// What holds for the requests of all endpoints.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which addresses may be connected to.
    pub rules: AddressRules,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// How long making a connection may take, all addresses of a name together.
    pub connect_timeout: Duration,
    /// How many connections are kept when nothing is sent on them.
    pub idle: IdleLimits,
}

/// Makes the routes to endpoints; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sender(Arc<Shared>);

/// What all routes share.
pub(in crate::deliver) struct Shared {
    pub(in crate::deliver) clock: Clock,
    options: Options,
    resolver: Resolver,
    tls: Arc<rustls::ClientConfig>,
    idle: IdleConnections,
    stop: Shutdown,
    metrics: route::AttemptMetrics,
}

impl Sender {
    /// Gets ready to send, and starts the one task that closes idle connections.
    ///
    /// `stop` is the last moment: requests under way end as cancelled, idle connections are closed.
    #[must_use]
    pub fn start(options: Options, clock: Clock, metrics: &DeliverMetrics, tasks: &Tasks, stop: Shutdown) -> Self {
        let idle = IdleConnections::new(options.idle, clock.clone());
        tasks.spawn(idle.clone().close_when_old(stop.clone()));
        let tls = options.trust.client_config(None);
        let metrics = route::AttemptMetrics::new(metrics);
        Self(Arc::new(Shared { clock, resolver: Resolver::of_this_machine(), tls, options, idle, stop, metrics }))
    }

    /// Makes the route to an endpoint. Its connections end with it: settings that change get a new route.
    ///
    /// # Errors
    /// Where a name or value of a header is none.
    pub fn route(&self, settings: RouteSettings) -> Result<Route, InvalidRoute> {
        Route::new(Arc::clone(&self.0), settings)
    }

    /// Looks where requests to a receiver would go now: whether its name has an address that may be sent to.
    ///
    /// # Errors
    /// `forbidden_address` where every present address is refused; `dns_error` or `timeout` where there is none now.
    pub async fn judge(&self, target: Target) -> Result<(), Failure> {
        let road = Road::new(Arc::clone(&self.0), target, Arc::clone(&self.0.tls));
        let Ok(addresses) = tokio::time::timeout(JUDGE_WITHIN, road.resolve_anew()).await else {
            let detail = format!("the name servers gave no answer about {}", road.target().authority());
            return Err(Failure::without_answer(AttemptError::Timeout, detail));
        };
        road.admit(&addresses?).map(drop)
    }

    /// Returns how many idle connections are kept.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.0.idle.count()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whoever saves an address waits for this; a name that is slower is found out when it is sent to.
const JUDGE_WITHIN: Duration = Duration::from_millis(1_500);
