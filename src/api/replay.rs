//! Replays: a stretch of the past delivered to an endpoint again, as a job.
//!
//! Not the delivering. How far the running one has got is what delivery says, or whoever tries what would be sent; of
//! one that is over, what was kept with its end.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::{Created, Read};
use super::body::{Json, Optional};
use super::call::Call;
use super::conduct::{Nothing, named};
use super::failure::invalid;
use super::job::{Done, JobKind, JobProblem, JobView, Place, not_cancellable};
use super::query::{List, Page, Point};
use super::stretch::{Stretch, type_names};
use crate::accounts::{
    Account, FoundType, JobState, ReplayCounts, ReplayDraft, ReplayScope, ReplaySettings, ReplayStanding, Revised,
    RightsAsOf,
};
use crate::model::{EndpointName, Offset};
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
    /// Only events of these types, by name or pattern (`call.*`); all where nothing is said.
    #[serde(default)]
    types: Vec<String>,
    /// By which rights: those of `now`, or the `original` ones, of which the stricter of then and now decides.
    #[serde(rename = "asOf", default)]
    as_of: RightsAsOf,
    /// Whether nothing is sent, and only told what would be.
    #[serde(rename = "dryRun", default)]
    dry_run: bool,
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
    /// The types of its events, by name or pattern; all where there are none.
    types: Vec<String>,
    /// By which rights it decides.
    as_of: RightsAsOf,
    /// Whether nothing is sent.
    dry_run: bool,
    /// What a dry run has found so far, by type; null where it is none.
    found: Option<Vec<FoundType>>,
}

/// What became of a replay's events. Numbers that are not known are null: of those that ended with their endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ReplayCounts")]
struct Counts {
    /// Events of the stretch that are of the types asked for; what was not read yet counts as if it were. They are the
    /// sum of the next five. Where types are named, those that rights withhold are not among them.
    matched: u64,
    /// Taken by the receiver; of a dry run those that would be sent.
    delivered: Option<u64>,
    /// Withheld by rights.
    filtered: Option<u64>,
    /// Given up after three tries.
    given_up: Option<u64>,
    /// Gone from the log before they could be delivered.
    expired: Option<u64>,
    /// Not settled yet, and never to be where the replay is over.
    remaining: Option<u64>,
    /// How long the bodies of those that were delivered are, taken together.
    bytes: Option<u64>,
}

impl From<ReplayCounts> for Counts {
    fn from(counts: ReplayCounts) -> Self {
        let ReplayCounts { matched, delivered, filtered, given_up, expired, remaining, bytes } = counts;
        Self {
            matched,
            delivered: Some(delivered),
            filtered: Some(filtered),
            given_up: Some(given_up),
            expired: Some(expired),
            remaining: Some(remaining),
            bytes: Some(bytes),
        }
    }
}

impl Counts {
    /// Nothing is known but how many offsets there are.
    const fn unknown(matched: u64) -> Self {
        Self { matched, delivered: None, filtered: None, given_up: None, expired: None, remaining: None, bytes: None }
    }
}

/// How far a replay has got.
struct Got {
    /// None where that is not known.
    counts: Option<ReplayCounts>,
    /// How much of its stretch was gone through.
    done: Done,
    eta_ms: Option<u64>,
    found: Vec<FoundType>,
}

impl View {
    fn of(settings: &ReplaySettings, got: Got) -> Self {
        let Got { counts, done, eta_ms, found } = got;
        let counts = counts.map_or_else(|| Counts::unknown(length(settings)), Counts::from);
        let ReplayStanding { state, problem, .. } = &settings.standing;
        let (code, title) = JobKind::Replay.failed();
        Self {
            job: JobView {
                id: settings.id.to_string(),
                kind: JobKind::Replay,
                state: *state,
                progress: done.share(*state),
                counts,
                created_by: settings.created_by.clone(),
                created_at: settings.created_at,
                eta_ms: eta_ms.filter(|_| *state == JobState::Running),
                problem: problem.clone().map(|detail| JobProblem { code, title, detail }),
            },
            endpoint: settings.endpoint_name.clone(),
            from: Place { offset: settings.from },
            to: Place { offset: settings.to },
            rate_per_second: settings.rate_per_second.map(NonZeroU32::get),
            types: settings.scope.types.0.iter().map(|name| name.as_str().to_owned()).collect(),
            as_of: settings.scope.as_of,
            dry_run: settings.is_dry_run,
            found: settings.is_dry_run.then_some(found),
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
    if request.dry_run && request.rate_per_second.is_some() {
        return Err(invalid("/ratePerSecond", "a dry run sends nothing: leave out one of the two"));
    }
    let scope = ReplayScope { types: type_names(&request.types, "/types")?, as_of: request.as_of };
    let (id, from, to) = (account.id, request.from, request.to);
    let stretch = call.look_up(move |log| Stretch::resolve(log, id, Some(from), to)).await?;
    let (endpoint, rate_per_second) = (request.endpoint, request.rate_per_second.and_then(NonZeroU32::new));
    let draft = ReplayDraft {
        endpoint,
        from: stretch.from,
        to: stretch.to,
        scope,
        rate_per_second,
        is_dry_run: request.dry_run,
    };
    let replay = call.api.accounts.create_replay(&account.name, draft, &call.who()?).await;
    let replay = replay.map_err(|error| call.refused(error))?;
    if replay.value.is_dry_run {
        call.api.dry_runs.look_at(account.id, replay.value.id);
    }
    let location = format!("/api/v1/accounts/{}/replays/{}", account.name, replay.value.id);
    let value = view(&call, &account, &replay).await;
    Ok(Created { location, value })
}

pub(super) async fn list(call: Call, (page,): (Page,)) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    let before = page.read_after(|after| after.parse::<u64>().ok())?.unwrap_or(u64::MAX);
    let replays = account.replays.range(..before).rev().map(|(_, replay)| replay);
    let mut items = Vec::new();
    for replay in replays.take(page.limit() + 1) {
        items.push(view(&call, &account, replay).await);
    }
    Ok(Read(List::cut(items, page.limit(), |last: &View| last.job.id.clone())))
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let replay = replay(&call, &account)?;
    Ok(Read(view(&call, &account, &replay).await))
}

pub(super) async fn cancel(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let present = replay(&call, &account)?.value;
    if present.standing.state.is_over() {
        return Err(not_cancellable(present.standing.state));
    }
    // What is on its way at this moment counts as remaining.
    let Got { counts, found, .. } = got(&call, &account, &present).await;
    let standing = ReplayStanding { counts, found, ..JobState::Cancelled.into() };
    set(&call, &account, present.id, standing).await
}

/// Lets nothing of a replay begin any more; what is on its way ends.
pub(super) async fn pause(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let present = replay(&call, &account)?;
    set(&call, &account, present.value.id, JobState::Paused.into()).await
}

/// Goes on with a replay that was paused; one that was not stays as it is.
pub(super) async fn resume(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let present = replay(&call, &account)?;
    set(&call, &account, present.value.id, JobState::Queued.into()).await
}

async fn set(call: &Call, account: &Arc<Account>, id: u64, standing: ReplayStanding) -> Result<Read<View>, Problem> {
    let state = standing.state;
    let set = call.api.accounts.set_replay(account.id, id, standing, &call.who()?).await;
    let replay = set.map_err(|error| call.refused(error))?;
    if replay.value.is_dry_run {
        call.api.dry_runs.look_at(account.id, id);
    }
    // It may have come to its end while this request was on its way.
    let now = replay.value.standing.state;
    if now.is_over() && now != state {
        return Err(not_cancellable(now));
    }
    Ok(Read(view(call, account, &replay).await))
}

fn replay(call: &Call, account: &Account) -> Result<Revised<ReplaySettings>, Problem> {
    let id = call.segment("id").parse::<u64>().ok();
    let replay = id.and_then(|id| account.replays.get(&id)).cloned();
    replay.ok_or_else(|| Problem::new(Code::JobNotFound))
}

async fn view(call: &Call, account: &Account, replay: &Revised<ReplaySettings>) -> View {
    View::of(&replay.value, got(call, account, &replay.value).await)
}

/// Finds out how far a replay has got: from whoever runs it, or from what was kept with its end.
async fn got(call: &Call, account: &Account, settings: &ReplaySettings) -> Got {
    if let Some(running) = running(call, account, settings).await {
        return running;
    }
    let standing = &settings.standing;
    let counts = if standing.state.is_over() { standing.counts } else { Some(not_begun(settings)) };
    let all = counts.map_or_else(|| length(settings), |counts| counts.matched);
    let remaining = counts.map_or(all, |counts| counts.remaining);
    let done = Done { done: all.saturating_sub(remaining), all };
    Got { counts, done, eta_ms: None, found: standing.found.clone() }
}

/// Asks how far a replay has got; none where it does not run.
async fn running(call: &Call, account: &Account, settings: &ReplaySettings) -> Option<Got> {
    if settings.standing.state.is_over() {
        return None;
    }
    let all = length(settings);
    if settings.is_dry_run {
        let progress = call.api.dry_runs.progress(account.id, settings.id)?;
        let eta_ms = progress.going_since.and_then(|(since, done_then)| {
            let done = Done { done: progress.done - done_then, all: all - done_then };
            done.eta_ms(call.now().since(since))
        });
        let (counts, done) = (Some(progress.counts), Done { done: progress.done, all });
        return Some(Got { counts, done, eta_ms, found: progress.found.into_values().collect() });
    }
    let progress = call.api.deliver.status(settings.endpoint).await?.replay?;
    (progress.id == settings.id).then(|| {
        let done = Done { done: all.saturating_sub(progress.counts.remaining), all };
        Got { counts: Some(progress.counts), done, eta_ms: progress.eta_ms, found: Vec::new() }
    })
}

/// What became of the events of a replay that has not begun.
fn not_begun(settings: &ReplaySettings) -> ReplayCounts {
    let all = length(settings);
    ReplayCounts { matched: all, remaining: all, ..ReplayCounts::default() }
}

/// Returns how many offsets a replay covers.
const fn length(settings: &ReplaySettings) -> u64 {
    settings.to.0.saturating_sub(settings.from.0)
}
