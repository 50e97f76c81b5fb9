//! The Test: one request on the true road, told stage by stage.
//!
//! Not a delivery: it has no lane, no number and no place in the ledger, and is never tried again. Its steps are
//! those of every delivery (the same resolver, guard, handshake, template and signature), only the clock is looked
//! at in between; the settings may be ones that are not saved. Whatever happens is told in words: a receiver that
//! fails is an answer, not an error.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::timeout;

use super::attempt::{AttemptRecord, Sent};
use super::format::Content;
use super::outcome::{AttemptError, AttemptOutcome, Failure};
use super::send::{Answer, Connection, InvalidRoute, Message, Road, RouteSettings, Sender, SigningKey, Stream};
use crate::accounts::{Format, Rehearsal, RightsStamp};
use crate::model::{AccountName, Attempt, EndpointName, EventId, EventType, Timestamp, body_hash};
use crate::runtime::{Clock, Monotonic};
use crate::security::{Host, Scheme};

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EndpointTestReport")]
pub struct TestReport {
    /// Whether the receiver took the test.
    pub ok: bool,
    /// The HTTP status; null where there was no answer.
    pub status: Option<u16>,
    /// How long all of it took.
    pub duration_ms: u64,
    /// The stages that were entered, in their order; the last one is where it ended.
    pub stages: Vec<TestStage>,
    /// How the answer's body begins; null where there is none, or the receiver took the test.
    pub answer: Option<String>,
}

/// One stage of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "EndpointTestStage")]
pub struct TestStage {
    /// Which one.
    pub name: StageName,
    /// How long it took.
    pub ms: u64,
    /// Whether it went well.
    pub ok: bool,
    /// What went wrong, as stable text for programs; null where nothing did.
    pub code: Option<AttemptError>,
    /// What happened, in a few words.
    pub title: String,
    /// What exactly.
    pub detail: String,
}

/// The stages of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// From the name to addresses.
    Resolve,
    /// Whether one of them may be sent to.
    Address,
    /// The TCP connection.
    Connect,
    /// The TLS handshake; not there where the URL begins with `http:`.
    Tls,
    /// Until the whole request has left this machine.
    Send,
    /// Until the answer is read.
    Answer,
}

/// What is tested, for whom.
#[derive(Debug)]
pub struct TestRequest {
    /// Whose test.
    pub account: AccountName,
    /// What the receiver is told the endpoint is called.
    pub endpoint: EndpointName,
    /// Where to, with which secrets.
    pub rehearsal: Rehearsal,
    /// The type that the event has.
    pub event_type: EventType,
}

/// Why there was no test.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// So many run already that this one would have to wait.
    #[error("too many tests run at once")]
    Busy,
    /// A header or the path cannot be sent at all.
    #[error(transparent)]
    Route(#[from] InvalidRoute),
}

/// A test that has ended: what is told, and what History keeps.
pub(super) struct Tested {
    pub(super) report: TestReport,
    pub(super) record: AttemptRecord,
}

/// Sends a test and watches it, for at most [`TEST_WITHIN`].
///
/// # Errors
/// Where a header or the path cannot be sent at all.
pub(super) async fn run(
    sender: &Sender,
    clock: &Clock,
    request: TestRequest,
    id: EventId,
    timeout_default: Duration,
) -> Result<Tested, InvalidRoute> {
    let TestRequest { account, endpoint, rehearsal, event_type } = request;
    let within = rehearsal.timeout_ms.map_or(timeout_default, Duration::from_millis).min(TEST_WITHIN);
    let at = Timestamp(clock.wall_ms());
    let signing = rehearsal.signing.into_iter().map(|signer| SigningKey { signer, valid_until: None }).collect();
    let is_signed = !Vec::is_empty(&signing);
    let format = rehearsal.format;
    let route = sender.route(RouteSettings {
        account: account.clone(),
        endpoint,
        target: rehearsal.target,
        credentials: rehearsal.credentials.into(),
        certificate: rehearsal.certificate,
        headers: rehearsal.headers,
        content_type: format.content_type(),
        signing,
        timeout: within,
        connections_max: 0,
    })?;
    let body = body(format, &id, &event_type, at, &account);
    let sent = Sent { attempt: Attempt(1), sequence: None, format, body_hash: body_hash(&body), as_of: None };
    let told = format!("{} bytes, {}", body.len(), if is_signed { "signed" } else { "not signed" });
    let request = route.request(&message(id, event_type, at, body), at);
    let mut walk = Walk { clock, begun: clock.monotonic(), within, stages: Vec::new() };
    let outcome = match walk.reach(route.road()).await {
        Ok(connection) => walk.exchange(connection, request, told, at).await,
        Err(failure) => AttemptOutcome::Failed(failure),
    };
    let duration = walk.spent();
    let report = TestReport {
        ok: outcome.error().is_none(),
        status: outcome.status(),
        duration_ms: ms(duration),
        stages: walk.stages,
        answer: answer_start(&outcome),
    };
    Ok(Tested { report, record: AttemptRecord::new(at, duration, sent, outcome) })
}

/// A test on its way.
struct Walk<'a> {
    clock: &'a Clock,
    begun: Monotonic,
    within: Duration,
    stages: Vec<TestStage>,
}

impl Walk<'_> {
    /// Goes as far as a connection that a request can be sent on.
    async fn reach(&mut self, road: &Road) -> Result<Connection, Failure> {
        let addresses = self.step(StageName::Resolve, road.resolve_anew(), |found| resolved(road, found)).await?;
        let admitted = async { road.admit(&addresses) };
        let candidates = self.step(StageName::Address, admitted, |admitted| listed("May be sent to", admitted)).await?;
        let connected = self.step(StageName::Connect, road.connect(&candidates), |stream| {
            let peer = stream.peer_addr().map_or_else(|_| String::new(), |peer| peer.to_string());
            ("Connected".to_owned(), peer)
        });
        let stream = connected.await?;
        let stream = match road.target().scheme() {
            Scheme::Http => road.secure(stream).await?,
            Scheme::Https => self.step(StageName::Tls, road.secure(stream), secured).await?,
        };
        Connection::open(stream, self.clock.monotonic()).await
    }

    /// Sends the request and reads the answer.
    async fn exchange(
        &mut self,
        mut connection: Connection,
        request: http::Request<http_body_util::Full<Bytes>>,
        told: String,
        at: Timestamp,
    ) -> AttemptOutcome {
        let begun = self.clock.monotonic();
        let left = self.left();
        let (is_sent, clock) = (connection.is_sent(), self.clock);
        let mut sent_at = None;
        let response = {
            let mut sending = pin!(connection.send(request));
            let watched = poll_fn(|ctx| {
                let polled = sending.as_mut().poll(ctx);
                if sent_at.is_none() && is_sent() {
                    sent_at = Some(clock.monotonic());
                }
                polled
            });
            timeout(left, watched).await
        };
        let Some(sent_at) = sent_at else {
            let failure = match response {
                Ok(Err(broken)) => broken.explain(),
                Ok(Ok(_)) | Err(_) => self.too_late("the receiver did not read the whole request"),
            };
            self.failed(StageName::Send, begun, &failure);
            return AttemptOutcome::Failed(failure);
        };
        self.stage(StageName::Send, sent_at.since(begun), ("Sent".to_owned(), told));
        let outcome = match response {
            Ok(Ok(response)) => self.read(&mut connection, response, at).await,
            Ok(Err(broken)) => AttemptOutcome::Failed(broken.explain()),
            Err(_) => AttemptOutcome::Failed(self.too_late("there was no answer")),
        };
        match &outcome {
            AttemptOutcome::Delivered { status } => {
                let told = ("The receiver took it".to_owned(), format!("it answered {status}"));
                self.stage(StageName::Answer, self.clock.monotonic().since(sent_at), told);
            }
            AttemptOutcome::Failed(failure) => self.failed(StageName::Answer, sent_at, failure),
        }
        outcome
    }

    async fn read(&self, connection: &mut Connection, response: Response<Incoming>, at: Timestamp) -> AttemptOutcome {
        let reading = Answer::read(connection, response, at);
        match timeout(self.left(), reading).await {
            Ok(answer) => answer.outcome,
            Err(_) => AttemptOutcome::Failed(self.too_late("the answer did not end")),
        }
    }

    /// Does one stage and tells how it went.
    async fn step<T>(
        &mut self,
        name: StageName,
        work: impl Future<Output = Result<T, Failure>>,
        told: impl FnOnce(&T) -> (String, String),
    ) -> Result<T, Failure> {
        let begun = self.clock.monotonic();
        let ended = match timeout(self.left(), work).await {
            Ok(ended) => ended,
            Err(_) => Err(self.too_late("it was not done")),
        };
        match &ended {
            Ok(done) => self.stage(name, self.clock.monotonic().since(begun), told(done)),
            Err(failure) => self.failed(name, begun, failure),
        }
        ended
    }

    fn stage(&mut self, name: StageName, took: Duration, (title, detail): (String, String)) {
        self.stages.push(TestStage { name, ms: ms(took), ok: true, code: None, title, detail });
    }

    fn failed(&mut self, name: StageName, begun: Monotonic, failure: &Failure) {
        let took = self.clock.monotonic().since(begun);
        let title = failure.error.title().to_owned();
        let (code, detail) = (Some(failure.error), failure.detail.clone());
        self.stages.push(TestStage { name, ms: ms(took), ok: false, code, title, detail });
    }

    fn spent(&self) -> Duration {
        self.clock.monotonic().since(self.begun)
    }

    fn left(&self) -> Duration {
        self.within.saturating_sub(self.spent())
    }

    fn too_late(&self, what: &str) -> Failure {
        Failure::without_answer(AttemptError::Timeout, format!("{what} within {} ms", self.within.as_millis()))
    }
}

fn resolved(road: &Road, addresses: &[IpAddr]) -> (String, String) {
    match road.target().host() {
        Host::Address(address) => ("The URL has an address and no name".to_owned(), address.to_string()),
        Host::Name(name) => {
            // Only what may be sent to is told: names also lead inside.
            let admitted = road.admit(addresses).unwrap_or_default();
            let (title, found) = listed("The name has addresses", &admitted);
            (title, if found.is_empty() { format!("{name} has addresses") } else { format!("{name} is {found}") })
        }
    }
}

fn listed<T: ToString>(title: &str, items: &[T]) -> (String, String) {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    (title.to_owned(), items.join(", "))
}

fn secured(_: &Stream) -> (String, String) {
    ("The channel is safe".to_owned(), "the certificate is for this name and is trusted".to_owned())
}

fn body(format: Format, id: &EventId, event_type: &EventType, at: Timestamp, account: &AccountName) -> Bytes {
    format.body(&Content {
        id,
        event_type,
        version: 1,
        occurred_at: at,
        account,
        actor: None,
        is_test: true,
        offset: None,
        key: None,
        data: r#"{"message":"This is a test from hooklog. Nothing has happened."}"#,
    })
}

fn message(id: EventId, event_type: EventType, at: Timestamp, body: Bytes) -> Message {
    Message {
        id,
        event_type,
        version: 1,
        occurred_at: at,
        offset: None,
        sequence: None,
        attempt: Attempt(1),
        key: None,
        traceparent: None,
        rights: None,
        stamp: RightsStamp::of_nothing(),
        is_test: true,
        is_late: false,
        is_redelivery: false,
        replay: None,
        body,
    }
}

fn answer_start(outcome: &AttemptOutcome) -> Option<String> {
    match outcome {
        AttemptOutcome::Failed(failure) if !failure.answer_start.is_empty() => {
            Some(String::from_utf8_lossy(&failure.answer_start).into_owned())
        }
        AttemptOutcome::Failed(_) | AttemptOutcome::Delivered { .. } => None,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A test answers within 8 s, the way to who asked and back included.
pub(super) const TEST_WITHIN: Duration = Duration::from_millis(7_500);
