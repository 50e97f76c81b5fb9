//! The stream: pull instead of push.
//!
//! Not what is in it. An answer goes on until its reader leaves, or ends at a limit or a time, with where to go on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use futures_util::stream;
use http::header::ACCEPT;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Going;
use super::call::Call;
use super::conduct::named;
use super::failure::{invalid_parameter, of_log};
use super::feed::{Feed, Form, State};
use super::query::{Parameters, Point};
use super::stretch::{Stretch, expired, type_names};
use crate::model::limits::OFFSET_MAX;
use crate::model::{AccountId, EndpointName, Offset, Timestamp};
use crate::runtime::Shutdown;
use crate::telemetry::ApiMetrics;
use crate::web::{Code, Problem, bearer_token};

/// The streams that are open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Streams(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<Semaphore>,
    by_account: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
    shutdown: Shutdown,
    metrics: ApiMetrics,
}

/// Room for one stream, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _taken: [OwnedSemaphorePermit; 2],
    metrics: ApiMetrics,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.streams.dec();
    }
}

impl Streams {
    /// Makes the place for streams, which end when the signal is given and take so many connections at most.
    #[must_use]
    pub fn new(shutdown: Shutdown, metrics: ApiMetrics, connections_max: u32) -> Self {
        let streams_max = usize::try_from(connections_max).unwrap_or(usize::MAX).clamp(1, STREAMS_MAX);
        let all = Arc::new(Semaphore::new(streams_max));
        Self(Arc::new(Inner { all, by_account: Mutex::default(), shutdown, metrics }))
    }

    /// Takes room for one more.
    fn take(&self, account: AccountId) -> Result<Place, Problem> {
        let of_account = {
            let mut by_account = self.0.by_account.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(STREAMS_OF_ACCOUNT_MAX));
            Arc::clone(by_account.entry(account).or_insert_with(new))
        };
        let take = |of: Arc<Semaphore>, whose: &str| {
            let full =
                || format!("no more streams {whose} may be open at once: end one, or try again when one has ended");
            let refused = |_| Problem::new(Code::RateLimited).detail(full()).retry_after(AGAIN_AFTER);
            of.try_acquire_owned().map_err(refused)
        };
        let taken = [take(of_account, "of the account")?, take(Arc::clone(&self.0.all), "of all accounts")?];
        let metrics = self.0.metrics.clone();
        metrics.streams.inc();
        Ok(Place { _taken: taken, metrics })
    }
}

/// What is to be streamed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    /// As this endpoint would get it: its own rights and types narrow the account's.
    endpoint: Option<EndpointName>,
    /// The first offset, `earliest` or `now`; `now` where nothing is said. A `last-event-id` wins over it.
    from: Option<From>,
    /// From this `recordedAt` on, instead of `from`.
    from_time: Option<Timestamp>,
    /// Only events of these types, by name or pattern, separated by commas: `call.*,agent.login`.
    types: Option<String>,
    /// How many events at most; 1,000 lines of JSON where nothing is said.
    limit: Option<u64>,
    /// How long to wait for more than there is, in milliseconds, at most 300,000; no time for lines of JSON where
    /// nothing is said.
    wait_ms: Option<u64>,
    /// The form of bodies: `envelope`, or `endpoint` for the endpoint's own.
    format: Option<Bodies>,
}

impl Parameters for Asked {}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Offset(Offset),
    Time(Timestamp),
    Earliest,
    Now,
}

impl JsonSchema for From {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StreamFrom".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "oneOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "enum": ["earliest", "now"] }]
        })
    }
}

impl<'de> Deserialize<'de> for From {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match (text.as_str(), text.parse::<u64>()) {
            ("earliest", _) => Ok(Self::Earliest),
            ("now", _) => Ok(Self::Now),
            (_, Ok(offset)) if (1..=OFFSET_MAX).contains(&offset) => Ok(Self::Offset(Offset(offset))),
            _ => Err(serde::de::Error::custom("must be an offset from 1 on, earliest or now")),
        }
    }
}

/// The form of bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Bodies {
    #[default]
    Envelope,
    Endpoint,
}

pub(super) async fn open(call: Call, (asked,): (Asked,)) -> Result<Going, Problem> {
    let account = call.account()?;
    let form = form(&call)?;
    let endpoint = asked.endpoint.as_ref().map(|name| named(&account, name)).transpose()?;
    let is_as_sent = asked.format.unwrap_or_default() == Bodies::Endpoint;
    if is_as_sent && endpoint.is_none() {
        return Err(invalid_parameter("format", "endpoint is the form of an endpoint: say which with endpoint="));
    }
    let wait = asked.wait_ms.or_else(|| (form == Form::Lines).then_some(0)).map(Duration::from_millis);
    if wait.is_some_and(|wait| wait > WAIT_MAX) {
        return Err(invalid_parameter("waitMs", &format!("is at most {}", WAIT_MAX.as_millis())));
    }
    let wanted = asked.limit.or_else(|| (form == Form::Lines).then_some(LINES_DEFAULT));
    if wanted.is_some_and(|wanted| !(1..=EVENTS_MAX).contains(&wanted)) {
        return Err(invalid_parameter("limit", &format!("is 1 to {EVENTS_MAX}")));
    }
    let types: Vec<String> = asked.types.iter().flat_map(|types| types.split(',')).map(str::to_owned).collect();
    let types = type_names(&types, "types")?;
    if asked.from.is_some() && asked.from_time.is_some() {
        return Err(invalid_parameter("fromTime", "say where it begins once: from or fromTime"));
    }
    let from = last_event(&call)?.or(asked.from).or_else(|| asked.from_time.map(From::Time)).unwrap_or(From::Now);
    let id = account.id;
    let next = call.look_up(move |log| {
        let (oldest, end) = (log.oldest_offset(id).map_err(of_log)?, log.account_head(id).next());
        match from {
            From::Time(time) => {
                let stretch = Stretch::resolve(log, id, Some(Point::Time(time)), None)?;
                Ok(stretch.from.min(end))
            }
            From::Now => Ok(end),
            From::Earliest => Ok(oldest.min(end)),
            From::Offset(offset) if offset < oldest => Err(expired(offset, oldest)),
            From::Offset(offset) if offset > end => {
                let detail = format!("offset {offset} is not there yet: the next one is {end}");
                Err(invalid_parameter("from", &detail))
            }
            From::Offset(offset) => Ok(offset),
        }
    });
    let next = next.await?;
    let api = Arc::clone(&call.api);
    let feed = Feed {
        token: bearer_token(&call.headers)?.to_owned(),
        account: account.id,
        endpoint: endpoint.map(|endpoint| endpoint.id),
        types,
        is_as_sent,
        form,
        next,
        wanted,
        until: wait.map(|wait| api.clock.monotonic().plus(wait)),
        head: api.log.follow(),
        shutdown: api.streams.0.shutdown.clone(),
        state: State::New,
        looked_at: 0,
        _place: api.streams.take(account.id)?,
        api,
    };
    let pieces = stream::unfold(feed, |mut feed| async move {
        let piece = feed.next_piece().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), feed))
    });
    let media_type = match form {
        Form::Events => EVENT_STREAM,
        Form::Lines => NDJSON,
    };
    Ok(Going { media_type, body: Body::from_stream(pieces) })
}

/// Finds the form that is accepted: lines of JSON, where anything is.
fn form(call: &Call) -> Result<Form, Problem> {
    let accepted = call.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<&str> =
        accepted.flat_map(|text| text.split(',')).filter_map(|one| one.split(';').next()).collect();
    let has = |media_types: &[&str]| accepted.iter().any(|one| media_types.contains(&one.trim()));
    if has(&[EVENT_STREAM, "text/*"]) {
        Ok(Form::Events)
    } else if accepted.is_empty() || has(&[NDJSON, "application/*", "*/*"]) {
        Ok(Form::Lines)
    } else {
        Err(Problem::new(Code::NotAcceptable).detail(format!("a stream is {EVENT_STREAM} or {NDJSON}")))
    }
}

/// Returns where to go on after the last event that a reader has had.
fn last_event(call: &Call) -> Result<Option<From>, Problem> {
    let Some(value) = call.headers.get("last-event-id") else { return Ok(None) };
    let offset = value.to_str().ok().and_then(|text| text.parse::<u64>().ok()).filter(|offset| *offset < OFFSET_MAX);
    let offset = offset.ok_or_else(|| {
        Problem::new(Code::BadRequest).detail("the header last-event-id is no offset: give back the last id as it came")
    })?;
    Ok(Some(From::Offset(Offset(offset + 1))))
}

const EVENT_STREAM: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";
const STREAMS_MAX: usize = 512;
/// A connection whose reader has left is noticed sooner or later.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
const STREAMS_OF_ACCOUNT_MAX: usize = 32;
const WAIT_MAX: Duration = Duration::from_mins(5);
const LINES_DEFAULT: u64 = 1_000;
const EVENTS_MAX: u64 = 1_000_000;
