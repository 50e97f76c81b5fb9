//! Replays: a stretch of the past delivered to an endpoint again, as a job.
//!
//! Not the delivering. How far the running one has got is what delivery says; of one that is over, what its
//! attempts say, as long as they are kept.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::{Created, Read};
use super::body::{Json, Optional};
use super::call::Call;
use super::conduct::{Nothing, named};
use super::delivering::{AttemptRecord, ReplayProgress};
use super::failure::{invalid, of_log, ours};
use super::job::{Done, JobKind, JobProblem, JobView, Place, not_cancellable};
use super::query::{List, Page, Point};
use super::stretch::Stretch;
use crate::accounts::{Account, JobState, ReplayDraft, ReplaySettings, Revised};
use crate::log::{Course, Handle};
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{AccountId, EndpointName, Offset};
use crate::web::{Code, Input, Problem};

/// A replay to be made.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ReplayRequest")]
pub(super) struct Request {
    /// To which endpoint.
    endpoint: EndpointName,
    /// Where it begins; this is included.
    from: Point,
    /// Where it ends; this is not included. The head where nothing is said.
    to: Option<Point>,
    /// Requests a second at most, spaced evenly; no limit of its own where nothing is said.
    #[serde(rename = "ratePerSecond")]
    rate_per_second: Option<u32>,
}

impl Input for Request {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

/// A replay as it is read: a job.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Replay")]
pub(super) struct View {
    #[serde(flatten)]
    job: JobView<Counts>,
    /// To which endpoint.
    endpoint: EndpointName,
    /// The first offset.
    from: Place,
    /// The offset behind the last.
    to: Place,
    /// Requests a second at most; null where it has no limit of its own.
    rate_per_second: Option<u32>,
}

/// What became of a replay's events. Numbers that are no longer known are null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ReplayCounts")]
struct Counts {
    /// Events of the stretch.
    matched: u64,
    /// Taken by the receiver.
    delivered: Option<u64>,
    /// Given up after three tries.
    given_up: Option<u64>,
    /// Gone from the log before they could be delivered.
    expired: Option<u64>,
    /// Not settled yet, and never to be where the replay is over.
    remaining: Option<u64>,
}

impl From<ReplayProgress> for Counts {
    fn from(progress: ReplayProgress) -> Self {
        Self {
            matched: progress.matched,
            delivered: Some(progress.delivered),
            given_up: Some(progress.given_up),
            expired: Some(progress.expired),
            remaining: Some(progress.remaining),
        }
    }
}

impl View {
    fn of(settings: &ReplaySettings, counts: Counts, eta_ms: Option<u64>) -> Self {
        let left = counts.remaining.unwrap_or(counts.matched);
        let done = Done { done: counts.matched.saturating_sub(left), all: counts.matched };
        let (code, title) = JobKind::Replay.failed();
        Self {
            job: JobView {
                id: settings.id.to_string(),
                kind: JobKind::Replay,
                state: settings.state,
                progress: done.share(settings.state),
                counts,
                created_by: settings.created_by.clone(),
                created_at: settings.created_at,
                eta_ms: eta_ms.filter(|_| settings.state == JobState::Running),
                problem: settings.problem.clone().map(|detail| JobProblem { code, title, detail }),
            },
            endpoint: settings.endpoint_name.clone(),
            from: Place { offset: settings.from },
            to: Place { offset: settings.to },
            rate_per_second: settings.rate_per_second.map(NonZeroU32::get),
        }
    }
}

pub(super) async fn create(call: Call, Json(request): Json<Request>) -> Result<Created<View>, Problem> {
    let account = call.account()?;
    named(&account, &request.endpoint)?;
    for (pointer, point) in [("/from", Some(request.from)), ("/to", request.to)] {
        if point == Some(Point::Offset(Offset(0))) {
            return Err(invalid(&format!("{pointer}/offset"), "offsets begin with 1"));
        }
    }
    if request.rate_per_second == Some(0) {
        return Err(invalid("/ratePerSecond", "is at least 1; leave it out for none, or pause the replay"));
    }
    let (id, from, to) = (account.id, request.from, request.to);
    let stretch = call.look_up(move |log| Stretch::resolve(log, id, Some(from), to)).await?;
    let (endpoint, rate_per_second) = (request.endpoint, request.rate_per_second.and_then(NonZeroU32::new));
    let draft = ReplayDraft { endpoint, from: stretch.from, to: stretch.to, rate_per_second };
    let replay = call.api.accounts.create_replay(&account.name, draft, &call.who()?).await;
    let replay = replay.map_err(|error| call.refused(error))?;
    let location = format!("/api/v1/accounts/{}/replays/{}", account.name, replay.value.id);
    let value = view(&call, &account, &replay, &mut { ROWS_OF_ONE_MAX }).await?;
    Ok(Created { location, value })
}

pub(super) async fn list(call: Call, (page,): (Page,)) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    let before = page.read_after(|after| after.parse::<u64>().ok())?.unwrap_or(u64::MAX);
    let replays = account.replays.range(..before).rev().map(|(_, replay)| replay);
    let mut items = Vec::new();
    let mut budget = PAGE_ROWS_MAX;
    for replay in replays.take(page.limit() + 1) {
        items.push(view(&call, &account, replay, &mut budget).await?);
    }
    Ok(Read(List::cut(items, page.limit(), |last: &View| last.job.id.clone())))
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let replay = replay(&call, &account)?;
    view(&call, &account, &replay, &mut { ROWS_OF_ONE_MAX }).await.map(Read)
}

pub(super) async fn cancel(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let present = replay(&call, &account)?;
    if present.value.state.is_over() {
        return Err(not_cancellable(present.value.state));
    }
    set(&call, &account, present.value.id, JobState::Cancelled).await
}

/// Lets nothing of a replay begin any more; what is on its way ends.
pub(super) async fn pause(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let present = replay(&call, &account)?;
    set(&call, &account, present.value.id, JobState::Paused).await
}

/// Goes on with a replay that was paused; one that was not stays as it is.
pub(super) async fn resume(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let present = replay(&call, &account)?;
    set(&call, &account, present.value.id, JobState::Queued).await
}

async fn set(call: &Call, account: &Arc<Account>, id: u64, state: JobState) -> Result<Read<View>, Problem> {
    let set = call.api.accounts.set_replay_state(account.id, id, state, None, &call.who()?).await;
    let replay = set.map_err(|error| call.refused(error))?;
    // It may have come to its end while this request was on its way.
    if replay.value.state.is_over() && replay.value.state != state {
        return Err(not_cancellable(replay.value.state));
    }
    view(call, account, &replay, &mut { ROWS_OF_ONE_MAX }).await.map(Read)
}

fn replay(call: &Call, account: &Account) -> Result<Revised<ReplaySettings>, Problem> {
    let id = call.segment("id").parse::<u64>().ok();
    let replay = id.and_then(|id| account.replays.get(&id)).cloned();
    replay.ok_or_else(|| Problem::new(Code::JobNotFound))
}

/// Puts the view of a replay together; `budget` bounds the rows that are read for it.
async fn view(
    call: &Call,
    account: &Arc<Account>,
    replay: &Revised<ReplaySettings>,
    budget: &mut usize,
) -> Result<View, Problem> {
    let settings = &replay.value;
    let progress = running(call, settings).await;
    let eta_ms = progress.and_then(|progress| progress.eta_ms);
    let counts = match progress {
        Some(progress) => progress.into(),
        None if !settings.state.is_over() => Counts {
            matched: length(settings),
            delivered: Some(0),
            given_up: Some(0),
            expired: Some(0),
            remaining: Some(length(settings)),
        },
        None => ended(call, account.id, settings.clone(), budget).await?,
    };
    Ok(View::of(settings, counts, eta_ms))
}

/// Asks delivery how far a replay has got; nothing where it does not run.
async fn running(call: &Call, settings: &ReplaySettings) -> Option<ReplayProgress> {
    if settings.state.is_over() {
        return None;
    }
    let progress = call.api.deliver.status(settings.endpoint).await?.replay?;
    (progress.id == settings.id).then_some(progress)
}

/// Counts what became of the events of a replay that is over, where all of it is kept and not too much to read.
async fn ended(
    call: &Call,
    account: AccountId,
    settings: ReplaySettings,
    budget: &mut usize,
) -> Result<Counts, Problem> {
    let matched = length(&settings);
    let unknown = Counts { matched, delivered: None, given_up: None, expired: None, remaining: None };
    let rows = usize::try_from(matched).unwrap_or(usize::MAX);
    let Some(left) = budget.checked_sub(rows) else { return Ok(unknown) };
    *budget = left;
    call.look_up(move |log| {
        if log.oldest_offset(account).map_err(of_log)? > settings.from {
            return Ok(unknown);
        }
        let (mut delivered, mut given_up) = (0, 0);
        for offset in settings.from.0..settings.to.0 {
            match is_delivered(log, &settings, Offset(offset))? {
                Some(true) => delivered += 1,
                Some(false) => given_up += 1,
                None => {}
            }
        }
        let remaining = Some(matched - delivered - given_up);
        Ok(Counts { matched, delivered: Some(delivered), given_up: Some(given_up), expired: Some(0), remaining })
    })
    .await
}

/// Returns whether a replay has delivered an event; nothing where it has not tried.
fn is_delivered(log: &Handle, settings: &ReplaySettings, offset: Offset) -> Result<Option<bool>, Problem> {
    let rows = log.attempts(settings.endpoint, offset, ATTEMPTS_MAX).map_err(of_log)?;
    let last = rows.into_iter().rfind(|(course, ..)| *course == Course::Replay(settings.id));
    let record = last.map(|(.., bytes)| AttemptRecord::decode(bytes)).transpose().map_err(|error| ours(&error))?;
    Ok(record.map(|record| record.error.is_none()))
}

/// Returns how many offsets a replay covers.
const fn length(settings: &ReplaySettings) -> u64 {
    settings.to.0.saturating_sub(settings.from.0)
}

/// Rows that are read for one replay that is over: about a second's worth.
const ROWS_OF_ONE_MAX: usize = 100_000;
const ATTEMPTS_MAX: usize = 1_000;
