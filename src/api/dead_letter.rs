//! Dead letters: what was given up, delivered after all or discarded, one by one or many at once.
//!
//! Not how that is done: an endpoint does it and answers once it is on disk. What was delivered is not delivered
//! again here: that is a replay.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::{Created, Read};
use super::body::Optional;
use super::call::Call;
use super::candidates::sets_of;
use super::conduct::{Nothing, named_or_all};
use super::delivering::{AttemptError, Granted, Wish};
use super::delivery::{Outcome, PATIENCE, View, error_of_code, look_at_one};
use super::job::{Done, JobKind, JobView, not_cancellable, page_of, too_many};
use super::pairs::{Cursor, Pairs, Sought};
use super::query::{Direction, List, Page, Parameters, Point, Range};
use super::stretch::{Stretch, of_types, type_names};
use crate::accounts::Account;
use crate::model::{EndpointName, Timestamp};
use crate::replay::{Cleared, Clearing, ClearingPlan, Letters};
use crate::web::{Code, Input, Problem};

/// Which dead letters are listed.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetterFilter")]
pub(super) struct Filter {
    /// Only those of this endpoint.
    endpoint: Option<EndpointName>,
    /// Only those of this type; `call.*` for all whose type begins with `call.`.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only those whose last request failed with this.
    #[serde(default, deserialize_with = "error_of_code")]
    error: Option<AttemptError>,
}

impl Parameters for Filter {}

/// Which dead letters are redelivered or discarded: all, but for what is said here.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "ClearingRequest")]
pub(super) struct Request {
    /// Only those of this endpoint.
    endpoint: Option<EndpointName>,
    /// Only those of these types, by name or pattern (`call.*`).
    types: Vec<String>,
    /// Only those whose last request failed with this.
    #[serde(deserialize_with = "error_of_code")]
    error: Option<AttemptError>,
    /// From here on; this is included.
    from: Option<Point>,
    /// Up to here; this is not included. The head where nothing is said.
    to: Option<Point>,
    /// Whether they are only to be counted.
    dry_run: bool,
}

impl Input for Request {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

/// Dead letters that are redelivered or discarded: a job.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Clearing")]
pub(super) struct JobOf {
    #[serde(flatten)]
    job: JobView<Counts>,
    /// Whether they are only counted.
    dry_run: bool,
}

/// What became of the dead letters.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClearingCounts")]
struct Counts {
    /// Dead letters that are meant.
    matched: u64,
    /// Redelivered or discarded: redelivered ones wait for their request.
    done: u64,
    /// No dead letters any more when their turn came.
    passed_over: u64,
}

impl JobOf {
    fn of(job: &Clearing, now: Timestamp) -> Self {
        let progress = job.progress();
        let Cleared { matched, done, passed_over } = progress.result;
        let kind = match job.plan.wish {
            Wish::Redeliver => JobKind::Redelivery,
            Wish::Discard(_) => JobKind::Discard,
        };
        let share = Done { done: done + passed_over, all: matched };
        let counts = Counts { matched, done, passed_over };
        Self { job: JobView::of(job, &progress, kind, counts, share, now), dry_run: job.plan.is_dry }
    }
}

/// Delivers one event after all.
pub(super) async fn redeliver(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    settle(call, Wish::Redeliver, Code::NotRedeliverable).await
}

/// Gives one event up.
pub(super) async fn discard(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let wish = Wish::Discard(call.who()?.label().into());
    settle(call, wish, Code::NotDiscardable).await
}

async fn settle(call: Call, wish: Wish, otherwise: Code) -> Result<Read<View>, Problem> {
    let (endpoint, offset) = super::delivery::addressed(&call)?;
    let granted = call.api.deliver.wish(endpoint.id, wish, vec![offset]).await;
    let granted = granted.and_then(|granted| granted.first().copied());
    let granted = granted.ok_or_else(|| Problem::new(Code::ShuttingDown))?;
    let (pair, outcome) = look_at_one(&call, Cursor { offset, endpoint }, &mut { PATIENCE }).await?;
    let view = outcome.map(|outcome| pair.view(outcome));
    match granted {
        Granted::Done | Granted::Already => {
            view.map(Read).ok_or_else(|| Problem::new(Code::RangeExpired).detail("the event is no longer kept"))
        }
        Granted::NoRoom => {
            let detail = "5,000 events of the endpoint wait outside their lanes: wait until some have been delivered";
            Err(Problem::new(Code::LimitReached).detail(detail))
        }
        Granted::InFlight => {
            Err(Problem::new(otherwise).detail("it is being sent at this moment: try again in a while"))
        }
        Granted::Unread => {
            Err(Problem::new(otherwise).detail("its turn has not come, and nobody knows yet what becomes of it"))
        }
        Granted::BeforeBeginning => {
            let detail = "it lies before the offset that the endpoint was moved to: a replay from its offset to the \
                          next sends it again";
            Err(Problem::new(otherwise).detail(detail))
        }
        Granted::NotGivenUp => {
            let is_now = view.map_or("no longer kept", |view| view.outcome.word());
            let told = match otherwise {
                Code::NotRedeliverable => {
                    format!("it is {is_now}: a replay from its offset to the next sends it again")
                }
                _ => format!("it is {is_now}"),
            };
            Err(Problem::new(otherwise).detail(told))
        }
    }
}

/// Lists dead letters, the oldest first: it is the next to be gone.
pub(super) async fn list(
    call: Call,
    (filter, range, page): (Filter, Range, Page),
) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    let Filter { endpoint, event_type, error } = filter;
    let (from, to) = (range.from()?, range.to()?);
    let types: Vec<String> = event_type.into_iter().collect();
    let asked = Asked { endpoint, types: &types, types_at: "type", error, from, to };
    let Letters { endpoints, types, error, from, to } = letters(&call, &account, asked).await?;
    let after = page.read_after(Cursor::read)?;
    let (id, wanted) = (account.id, types.clone());
    let of_types = call.look_up(move |log| {
        let of_types = || of_types(log, id, |event_type| wanted.contains(event_type));
        Ok(if wanted.is_all() { None } else { of_types() })
    });
    let of_types = of_types.await?;
    let mut sought = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let letters = sets_of(&call, &endpoint, Some(Outcome::DeadLetter)).await?;
        sought.push(Sought { endpoint, groups: [letters].into_iter().chain(of_types.clone()).collect() });
    }
    let pairs = Pairs { sought, stretch: Stretch { from, to }, direction: Direction::Oldest, after };
    let is_wanted = |view: &View| {
        view.outcome == Outcome::DeadLetter
            && error.is_none_or(|error| view.error == Some(error))
            && (types.is_all() || view.event_type.as_ref().is_some_and(|one| types.contains(one)))
    };
    super::delivery::page_of(&call, pairs, page.limit(), is_wanted).await.map(Read)
}

/// Redelivers dead letters.
pub(super) async fn redeliver_all(call: Call, Optional(request): Optional<Request>) -> Result<Created<JobOf>, Problem> {
    start(call, Wish::Redeliver, request).await
}

/// Discards dead letters.
pub(super) async fn discard_all(call: Call, Optional(request): Optional<Request>) -> Result<Created<JobOf>, Problem> {
    let wish = Wish::Discard(call.who()?.label().into());
    start(call, wish, request).await
}

async fn start(call: Call, wish: Wish, request: Request) -> Result<Created<JobOf>, Problem> {
    let account = call.account()?;
    let Request { endpoint, types, error, from, to, dry_run } = request;
    let letters =
        letters(&call, &account, Asked { endpoint, types: &types, types_at: "/types", error, from, to }).await?;
    let plan = ClearingPlan { wish, letters, is_dry: dry_run };
    let job = call.api.clearings.start(account.id, plan, call.who()?).map_err(too_many)?;
    let location = format!("/api/v1/accounts/{}/dead-letters/jobs/{}", account.name, job.id);
    Ok(Created { location, value: JobOf::of(&job, call.now()) })
}

/// Lists the jobs, the newest first.
pub(super) async fn list_jobs(call: Call, (page,): (Page,)) -> Result<Read<List<JobOf>>, Problem> {
    let account = call.account()?;
    let jobs = call.api.clearings.list(account.id);
    page_of(&jobs, &page, |job| JobOf::of(job, call.now())).map(Read)
}

/// Returns one job.
pub(super) async fn get_job(call: Call, (): ()) -> Result<Read<JobOf>, Problem> {
    let job = job(&call)?;
    Ok(Read(JobOf::of(&job, call.now())))
}

/// Ends one job.
pub(super) async fn cancel_job(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<JobOf>, Problem> {
    let job = job(&call)?;
    if !job.cancel() {
        return Err(not_cancellable(job.progress().state));
    }
    Ok(Read(JobOf::of(&job, call.now())))
}

fn job(call: &Call) -> Result<Arc<Clearing>, Problem> {
    let job = call.api.clearings.get(call.account()?.id, call.segment("id"));
    job.ok_or_else(|| Problem::new(Code::JobNotFound))
}

/// Which dead letters were asked for.
struct Asked<'a> {
    endpoint: Option<EndpointName>,
    types: &'a [String],
    types_at: &'a str,
    error: Option<AttemptError>,
    from: Option<Point>,
    to: Option<Point>,
}

async fn letters(call: &Call, account: &Arc<Account>, asked: Asked<'_>) -> Result<Letters, Problem> {
    let Asked { endpoint, types, types_at, error, from, to } = asked;
    let endpoints = named_or_all(account, endpoint.as_ref())?;
    let types = type_names(types, types_at)?;
    let id = account.id;
    let Stretch { from, to } = call.look_up(move |log| Stretch::resolve(log, id, from, to)).await?;
    Ok(Letters { endpoints, types, error, from, to })
}
