//! HTTP in: events for `/v1`, whatever comes for `/hooks`, and captures for what is not understood.
//!
//! Plain hyper: this is the hot path. Nothing is acknowledged before the log has it on disk. Room in the
//! queue is reserved before a body is read, so memory is bounded whatever is sent.
//!
//! ```text
//! path, token, account ─▶ room ─▶ body ─▶ parse (one pass) ─▶ prepare ─▶ log ─▶ answer
//! ```

mod answer;
mod hooks;
pub mod parse;
mod rate;
mod v1;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use self::parse::Parser;
use self::rate::Rates;
use crate::accounts::{Account, Accounts};
use crate::log;
use crate::mapping::{Mapping, Receipt, Rules, field};
use crate::model::{AccountName, Timestamp};
use crate::runtime::{Clock, Random};
use crate::telemetry::{CodeLabel, IngestMetrics};
use crate::web::{BodyLimits, Code, Problem, bearer_token, read_body};

/// The checked values that ingest runs with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of a request's body at most.
    pub body_bytes_max: usize,
    /// Bytes of one event at most.
    pub event_bytes_max: usize,
    /// How long a body may take to come.
    pub body_timeout: Duration,
}

/// Says which tokens may post events; asked for every request where it is there.
pub trait Admit: Send + Sync {
    /// Returns whether whoever shows this token may post events.
    fn admits(&self, token: &str) -> bool;
}

/// Hears of what a sender ought to put right although everything was taken.
pub trait Report: Send + Sync {
    /// Hears that an id came again with other content, and was taken under one of its own.
    fn id_conflict(&self, account: &AccountName, id: &str);
}

/// What ingest is made of.
#[derive(Clone)]
pub struct Parts {
    /// Where events go.
    pub log: log::Handle,
    /// Whose events.
    pub accounts: Accounts,
    /// What time it is.
    pub clock: Clock,
    /// What is counted.
    pub metrics: IngestMetrics,
    /// Who may post events; everybody where there is none.
    pub admission: Option<Arc<dyn Admit>>,
    /// Who hears of what is not as it should be.
    pub report: Arc<dyn Report>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ingest::Parts").finish_non_exhaustive()
    }
}

/// The service on the ingest listener. A clone has randomness of its own.
#[derive(Debug)]
pub struct Ingest {
    shared: Arc<Shared>,
    random: Arc<Mutex<Random>>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    parts: Parts,
    parser: Parser,
    mapping: Mapping,
    rates: Rates,
}

impl Clone for Ingest {
    fn clone(&self) -> Self {
        let random = self.random.lock().unwrap_or_else(PoisonError::into_inner).split();
        Self { shared: Arc::clone(&self.shared), random: Arc::new(Mutex::new(random)) }
    }
}

impl Ingest {
    /// Makes the service.
    ///
    /// # Panics
    /// Never: the rules of the default mapping are sound.
    #[must_use]
    pub fn new(options: Options, parts: Parts, random: Random) -> Self {
        let parser = Parser::new(parse::Options { event_bytes_max: options.event_bytes_max });
        let mapping = Mapping::new(&Rules::standard()).expect("the rules of the default mapping are sound");
        let shared = Shared { options, parts, parser, mapping, rates: Rates::default() };
        Self { shared: Arc::new(shared), random: Arc::new(Mutex::new(random)) }
    }
}

impl hyper::service::Service<Request<Incoming>> for Ingest {
    type Response = Response<Full<Bytes>>;
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Problem>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (shared, random) = (Arc::clone(&self.shared), Arc::clone(&self.random));
        Box::pin(async move {
            let answer = shared.route(request, &random).await;
            if let Err(problem) = &answer {
                let code = problem.code().as_str();
                shared.parts.metrics.refused.get_or_create(&CodeLabel { code }).inc();
            }
            answer
        })
    }
}

impl Shared {
    async fn route(
        &self,
        request: Request<Incoming>,
        random: &Mutex<Random>,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let path = request.uri().path().to_owned();
        let mut parts = path.split('/').skip(1);
        let route = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        match route {
            (Some("v1"), Some("accounts"), Some(account), Some("events"), None) => {
                require_post(&request)?;
                self.require_token(request.headers())?;
                let account = self.account(account)?;
                self.events(&account, request, random).await
            }
            (Some("hooks"), None, ..) => {
                require_post(&request)?;
                self.require_token(request.headers())?;
                self.hooks(None, request, random).await
            }
            (Some("hooks"), Some(account), None, ..) => {
                require_post(&request)?;
                self.require_token(request.headers())?;
                self.hooks(Some(account), request, random).await
            }
            _ => Err(Problem::new(Code::NotFound)
                .detail("events go to POST /v1/accounts/{account}/events, anything else to POST /hooks/{account}")),
        }
    }

    fn account(&self, name: &str) -> Result<Arc<Account>, Problem> {
        let known = AccountName::parse(name).ok().and_then(|name| self.parts.accounts.account(&name));
        known.ok_or_else(|| {
            Problem::new(Code::AccountNotFound)
                .detail(format!("there is no account {name:?}: make it with PUT /api/v1/accounts/{name}"))
        })
    }

    /// Reserves room in the queue and reads the body into it.
    async fn body(&self, body: Incoming) -> Result<(Bytes, log::Reservation), Problem> {
        let limits = BodyLimits { bytes_max: self.options.body_bytes_max, timeout: self.options.body_timeout };
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        // A body that does not say how long it is may become as long as any.
        let bytes = announced.unwrap_or(limits.bytes_max).min(limits.bytes_max);
        let reservation = self.parts.log.reserve(bytes).map_err(|problem| log_problem(&problem))?;
        Ok((read_body(body, limits).await?, reservation))
    }

    fn receipt(&self, headers: &HeaderMap) -> Receipt {
        let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
        Receipt {
            received_at: Timestamp(self.parts.clock.wall_ms()),
            traceparent: traceparent.and_then(field::traceparent),
        }
    }

    fn require_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(admission) = &self.parts.admission else {
            // Any page that is open on this machine can post here; what it cannot do is hide where it is from.
            return match headers.contains_key(header::ORIGIN) {
                true => Err(Problem::new(Code::Unauthorized)
                    .detail("a browser's page may not post events here: set ingest.tokens to let it show one")),
                false => Ok(()),
            };
        };
        if admission.admits(bearer_token(headers)?) {
            return Ok(());
        }
        Err(Problem::new(Code::Unauthorized).detail("this token may not post events"))
    }
}

fn require_post(request: &Request<Incoming>) -> Result<(), Problem> {
    if request.method() == Method::POST {
        return Ok(());
    }
    Err(Problem::new(Code::MethodNotAllowed).allow(http::HeaderValue::from_static("POST")))
}

/// What a sender is told of a failure of the log.
fn log_problem(problem: &log::Error) -> Problem {
    match problem {
        log::Error::QueueFull { .. } => Problem::new(Code::QueueFull)
            .detail("more is waiting for the disk than may wait: send the same again")
            .retry_after(RETRY_AFTER),
        log::Error::DiskFull { .. } => Problem::new(Code::DiskFull)
            .detail("the disk is filled up to its reserve: send the same again once there is room")
            .retry_after(DISK_RETRY_AFTER),
        log::Error::Closed | log::Error::Poisoned { .. } => Problem::new(Code::ShuttingDown)
            .detail("nothing is taken in any more: send the same again to the next start")
            .retry_after(RETRY_AFTER),
        other => {
            tracing::error!(problem = %other, "events could not be taken in");
            Problem::new(Code::InternalError)
        }
    }
}

/// Whether a content type is this one, whatever its parameters.
fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
}

const RETRY_AFTER: Duration = Duration::from_secs(1);
const DISK_RETRY_AFTER: Duration = Duration::from_secs(10);
