//! The route to one endpoint: its address, its headers, its connections.
//!
//! Not its settings: those that change make a new route, and the old one's connections end with it. One
//! deadline covers a whole request, whatever it is spent on.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::sleep;

use super::message::{Credentials, Message, SigningKey};
use super::pool::Pool;
use super::request::Template;
use super::road::in_words;
use super::{Answer, Connection, Road, Shared};
use crate::deliver::outcome::{AttemptError, AttemptOutcome, DELIVERED, Failure};
use crate::model::{AccountName, EndpointName, Timestamp};
use crate::security::{ClientCertificate, Target};
use crate::telemetry::{DeliverMetrics, OutcomeLabel};

/// Everything of an endpoint's settings that its requests depend on.
#[derive(Debug, Clone)]
pub struct RouteSettings {
    /// The account's name.
    pub account: AccountName,
    /// The endpoint's name.
    pub endpoint: EndpointName,
    /// Where requests go.
    pub target: Target,
    /// How hooklog shows the receiver who it is.
    pub credentials: Credentials,
    /// The certificate shown in the TLS handshake.
    pub certificate: Option<ClientCertificate>,
    /// Headers sent with every request beside hooklog's own.
    pub headers: BTreeMap<String, String>,
    /// The media type of the bodies.
    pub content_type: &'static str,
    /// The keys that requests are signed with; none, and they are not signed.
    pub signing: Vec<SigningKey>,
    /// How long a whole request may take, from the first question to DNS to the last byte of the answer.
    pub timeout: Duration,
    /// How many idle connections are kept at most: as many as requests are under way at once.
    pub connections_max: usize,
}

/// Why settings make no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// A header cannot be sent: its name or value is none, or it says how a request is framed.
    #[error("the header {name:?} cannot be sent")]
    Header {
        /// Its name.
        name: String,
    },
    /// The address has a path that HTTP cannot write.
    #[error("the path of the address cannot be sent")]
    Path,
}

impl InvalidRoute {
    pub(super) fn header(name: &str) -> Self {
        Self::Header { name: name.to_owned() }
    }
}

/// The route to one endpoint; cheap to clone.
#[derive(Debug, Clone)]
pub struct Route(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    road: Road,
    template: Template,
    pool: Pool,
    timeout: Duration,
}

/// A request that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// When it began: its `webhook-timestamp`, to the millisecond.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

impl Route {
    pub(super) fn new(shared: Arc<Shared>, settings: RouteSettings) -> Result<Self, InvalidRoute> {
        let template = Template::new(&settings)?;
        let pool = shared.idle.pool(settings.connections_max);
        let tls = match &settings.certificate {
            Some(certificate) => shared.options.trust.client_config(Some(certificate)),
            None => Arc::clone(&shared.tls),
        };
        let road = Road::new(Arc::clone(&shared), settings.target, tls);
        Ok(Self(Arc::new(Inner { shared, road, template, pool, timeout: settings.timeout })))
    }

    /// Sends a message and says how that ended; dropped before its end, it closes its connection.
    ///
    /// A connection that was idle and turns out to be dead is replaced once, at once, and not counted.
    pub async fn send(&self, message: &Message) -> Attempted {
        let Shared { clock, metrics, stop, .. } = &*self.0.shared;
        let (at, begun) = (Timestamp(clock.wall_ms()), clock.monotonic());
        let under_way = UnderWay::new(&metrics.in_flight);
        let (stage, mut stop) = (Stage::default(), stop.clone());
        // Pinned first: what is handed on by value is copied, and this is the largest part of a request.
        let mut sending = pin!(self.send_once_alive(message, at, &stage));
        let outcome = tokio::select! {
            biased;
            outcome = &mut sending => outcome.unwrap_or_else(AttemptOutcome::Failed),
            () = sleep(self.0.timeout) => AttemptOutcome::Failed(stage.too_late(self.0.timeout)),
            () = stop.given() => cancelled(),
        };
        drop(under_way);
        let duration = clock.monotonic().since(begun);
        metrics.count(&outcome, duration);
        Attempted { at, duration, outcome }
    }

    /// Sends on a connection that was idle, and on a new one where there is none or it turns out to be dead.
    async fn send_once_alive(
        &self,
        message: &Message,
        at: Timestamp,
        stage: &Stage,
    ) -> Result<AttemptOutcome, Failure> {
        let clock = &self.0.shared.clock;
        let mut used = self.0.pool.take().await;
        let _in_use = self.0.pool.use_sockets(1);
        loop {
            let is_used = used.is_some();
            let mut connection = match used.take() {
                Some(connection) => connection,
                // Boxed: what is rare must not make every request's future large.
                None => Box::pin(self.connect(stage)).await?,
            };
            // Rights may have changed while it waited for a connection: then the body is made anew.
            if !message.stamp.holds() {
                self.0.pool.keep(connection).await;
                return Err(outdated());
            }
            stage.reach(Stage::ANSWER);
            let begun = clock.monotonic();
            match connection.send(self.request(message, at)).await {
                Ok(response) => {
                    let answer = Answer::read(&mut connection, response, at).await;
                    if answer.is_whole {
                        self.0.pool.keep(connection).await;
                    }
                    return Ok(answer.outcome);
                }
                Err(broken) => {
                    let is_dead = is_used && broken.is_unanswered_end();
                    if !is_dead || clock.monotonic().since(begun) >= AT_ONCE {
                        return Err(broken.explain());
                    }
                }
            }
        }
    }

    async fn connect(&self, stage: &Stage) -> Result<Connection, Failure> {
        let road = &self.0.road;
        stage.reach(Stage::RESOLVE);
        let addresses = road.resolve().await?;
        let candidates = road.admit(&addresses)?;
        // All but one of those that are raced: one was counted from the request's beginning.
        let _raced = self.0.pool.use_sockets(candidates.len() - 1);
        stage.reach(Stage::CONNECT);
        let stream = road.connect(&candidates).await?;
        stage.reach(Stage::SECURE);
        let stream = road.secure(stream).await?;
        Connection::open(stream, self.0.shared.clock.monotonic()).await
    }

    /// Returns the way to the receiver, for who wants to watch every step of it.
    pub(in crate::deliver) fn road(&self) -> &Road {
        &self.0.road
    }

    /// Makes the request that carries a message.
    pub(in crate::deliver) fn request(&self, message: &Message, at: Timestamp) -> Request<Full<Bytes>> {
        self.0.template.request(message, at)
    }
}

/// What a request is spending its time on.
#[derive(Debug, Default)]
struct Stage(AtomicU8);

impl Stage {
    const RESOLVE: u8 = 0;
    const CONNECT: u8 = 1;
    const SECURE: u8 = 2;
    const ANSWER: u8 = 3;

    fn reach(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    fn too_late(&self, after: Duration) -> Failure {
        let what = match self.0.load(Ordering::Relaxed) {
            Self::RESOLVE => "the name servers gave no answer",
            Self::CONNECT => "there was no connection",
            Self::SECURE => "the TLS handshake was not finished",
            _ => "there was no answer",
        };
        Failure::without_answer(AttemptError::Timeout, format!("{what} within {}", in_words(after)))
    }
}

fn outdated() -> Failure {
    let detail = "hooklog did not begin the request because rights had changed meanwhile";
    Failure::without_answer(AttemptError::Cancelled, detail)
}

fn cancelled() -> AttemptOutcome {
    let detail = "hooklog ended the request because it is ending itself";
    AttemptOutcome::Failed(Failure::without_answer(AttemptError::Cancelled, detail))
}

/// The counters of requests, found once.
pub(super) struct AttemptMetrics {
    in_flight: Gauge,
    seconds: Histogram,
    delivered: Counter,
    failed: [(AttemptError, Counter); AttemptError::ALL.len()],
}

impl AttemptMetrics {
    pub(super) fn new(metrics: &DeliverMetrics) -> Self {
        let counter = |label| metrics.attempts.get_or_create(&OutcomeLabel::new(label)).clone();
        Self {
            in_flight: metrics.in_flight.clone(),
            seconds: metrics.seconds.clone(),
            delivered: counter(DELIVERED),
            failed: AttemptError::ALL.map(|error| (error, counter(error.code()))),
        }
    }

    fn count(&self, outcome: &AttemptOutcome, duration: Duration) {
        self.seconds.observe(duration.as_secs_f64());
        let error = outcome.error();
        let counter = self.failed.iter().find(|(failed, _)| Some(*failed) == error).map(|(_, counter)| counter);
        counter.unwrap_or(&self.delivered).inc();
    }
}

/// Counts a request as under way until it ends or is dropped.
struct UnderWay<'a>(&'a Gauge);

impl<'a> UnderWay<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A dead connection shows at once. What takes longer may be a receiver that ended over this very event.
const AT_ONCE: Duration = Duration::from_secs(1);
