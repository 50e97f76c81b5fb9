//! Backtests: what candidate rights would change over a stretch of the past, as a job.
//!
//! Not the comparing. Nothing is saved and nothing is sent, and no value of an event is in a result.

use serde::{Deserialize, Serialize};

use super::answer::{Created, Read};
use super::body::{Json, Optional};
use super::call::Call;
use super::conduct::Nothing;
use super::failure::invalid;
use super::job::{Done, JobKind, JobView, Place, not_cancellable, page_of, too_many};
use super::query::{List, Page, Point};
use super::rights::ADDED_TO_RIGHTS;
use super::stretch::Stretch;
use crate::accounts::{Layer, RightsDraft, Treatment};
use crate::model::{EventId, EventType, Offset, Timestamp};
use crate::replay::{Backtest, ComparedSoFar, Comparison, FieldChange, Plan};
use crate::web::{Code, Input, Problem};

/// A backtest to be made.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BacktestRequest")]
pub(super) struct Request {
    /// The rights to try.
    rights: RightsDraft,
    /// Where it begins; this is included. As far back as `limit` goes where nothing is said.
    #[serde(default)]
    from: Option<Point>,
    /// Where it ends; this is not included. The head where nothing is said.
    #[serde(default)]
    to: Option<Point>,
    /// How many events are looked at, at most; 100,000 where nothing is said.
    #[serde(default)]
    limit: Option<u64>,
}

impl Input for Request {
    const ADDED_ON_READING: &'static [&'static str] = ADDED_TO_RIGHTS;
}

/// A backtest as it is read: a job, and what it has found so far.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Backtest")]
pub(super) struct View {
    #[serde(flatten)]
    job: JobView<Counts>,
    /// The first offset.
    from: Place,
    /// The offset behind the last.
    to: Place,
    /// What would change in the events of each type.
    types: Vec<OfType>,
    /// Fields that would be treated otherwise, the most frequent first.
    fields: Vec<OfField>,
    /// In how many events a field that the catalogue does not know would be treated otherwise.
    unknown_fields: u64,
    /// The first events of each type that would change.
    samples: Vec<SampleView>,
}

/// What became of a backtest's events: all that were compared are the sum of the others.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BacktestCounts")]
struct Counts {
    /// Events of the stretch.
    matched: u64,
    /// Compared so far.
    compared: u64,
    /// Sent now as then, and the same.
    unchanged: u64,
    /// Sent now as then, and not the same.
    changed: u64,
    /// Withheld now, and sent then.
    appearing: u64,
    /// Sent now, and withheld then.
    disappearing: u64,
    /// Withheld now as then.
    withheld: u64,
    /// To which rights could not be applied.
    faults: u64,
}

/// What would change in the events of a type.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BacktestType")]
struct OfType {
    /// The type.
    #[serde(rename = "type")]
    event_type: EventType,
    /// How many there were.
    events: u64,
    /// How many are sent by the rights that hold.
    sent_before: u64,
    /// How many would be.
    sent_after: u64,
    /// How many would be sent as before, and not be the same.
    changed: u64,
}

/// A field that would be treated otherwise.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "BacktestField")]
struct OfField {
    #[serde(flatten)]
    change: Change,
    /// In how many events.
    events: u64,
}

/// How a field is and would be treated.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "BacktestFieldChange")]
struct Change {
    /// Its path.
    path: String,
    /// By the rights that hold.
    before: Treatment,
    /// By those that are tried.
    after: Treatment,
}

impl From<&FieldChange> for Change {
    fn from(change: &FieldChange) -> Self {
        Self { path: change.path.clone(), before: change.before, after: change.after }
    }
}

/// An event that would change.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BacktestSample")]
struct SampleView {
    /// Its place in the account's log.
    offset: Offset,
    /// Its id.
    id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    event_type: EventType,
    /// Whether it is sent.
    sent_before: bool,
    /// Whether it would be.
    sent_after: bool,
    /// Its fields that would be treated otherwise; a preview shows more.
    fields: Vec<Change>,
}

impl View {
    fn of(job: &Backtest, now: Timestamp) -> Self {
        let progress = job.progress();
        let ComparedSoFar { done, comparison } = &progress.result;
        let (from, to) = (job.plan.from, job.plan.to);
        let matched = to.0.saturating_sub(from.0);
        let done = Done { done: *done, all: matched };
        let mut fields: Vec<OfField> = comparison
            .fields
            .iter()
            .map(|(change, events)| OfField { change: change.into(), events: *events })
            .collect();
        fields.sort_by_key(|field| std::cmp::Reverse(field.events));
        Self {
            job: JobView::of(job, &progress, JobKind::Backtest, Counts::of(matched, comparison), done, now),
            from: Place { offset: from },
            to: Place { offset: to },
            types: comparison
                .types
                .iter()
                .map(|(event_type, counts)| OfType {
                    event_type: event_type.clone(),
                    events: counts.events,
                    sent_before: counts.sent_before,
                    sent_after: counts.sent_after,
                    changed: counts.changed,
                })
                .collect(),
            fields,
            unknown_fields: comparison.unknown_fields,
            samples: comparison
                .samples
                .iter()
                .map(|sample| SampleView {
                    offset: sample.offset,
                    id: sample.id.clone(),
                    event_type: sample.event_type.clone(),
                    sent_before: sample.sent_before,
                    sent_after: sample.sent_after,
                    fields: sample.fields.iter().map(Change::from).collect(),
                })
                .collect(),
        }
    }
}

impl Counts {
    const fn of(matched: u64, comparison: &Comparison) -> Self {
        Self {
            matched,
            compared: comparison.compared,
            unchanged: comparison.unchanged,
            changed: comparison.changed,
            appearing: comparison.appearing,
            disappearing: comparison.disappearing,
            withheld: comparison.withheld,
            faults: comparison.faults,
        }
    }
}

pub(super) async fn create(call: Call, Json(request): Json<Request>) -> Result<Created<View>, Problem> {
    let account = call.account()?;
    let limit = request.limit.unwrap_or(EVENTS_DEFAULT);
    if !(1..=EVENTS_MAX).contains(&limit) {
        return Err(invalid("/limit", &format!("must be 1 to {EVENTS_MAX}")));
    }
    let accounts = &call.api.accounts;
    let rights = accounts.check_rights(&request.rights, Layer::Account);
    let after = rights.and_then(|rights| accounts.effective_with(&account, rights));
    let after = after.map_err(|error| call.refused(error.below("/rights")))?;
    let before = accounts.effective(account.id).map_err(|error| call.refused(error))?.table;
    let catalog = accounts.catalog().map_err(|error| call.refused(error))?.catalog;
    let known_fields = catalog.fields().map(|(path, _)| path.to_owned()).collect();
    let (id, from, to) = (account.id, request.from, request.to);
    let stretch = call.look_up(move |log| Stretch::resolve(log, id, from, to)).await?;
    let (from, to) = match request.from {
        Some(_) => (stretch.from, stretch.to.min(Offset(stretch.from.0.saturating_add(limit)))),
        // The newest tell most of what is to come.
        None => (stretch.from.max(Offset(stretch.to.0.saturating_sub(limit))), stretch.to),
    };
    let plan = Plan { account: account.clone(), before, after, known_fields, from, to: to.max(from) };
    let job = call.api.backtests.start(plan, call.who()?).map_err(too_many)?;
    let location = format!("/api/v1/accounts/{}/backtests/{}", account.name, job.id);
    Ok(Created { location, value: View::of(&job, call.now()) })
}

pub(super) async fn list(call: Call, (page,): (Page,)) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    let jobs = call.api.backtests.list(account.id);
    page_of(&jobs, &page, |job| View::of(job, call.now())).map(Read)
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<View>, Problem> {
    let job = backtest(&call)?;
    Ok(Read(View::of(&job, call.now())))
}

pub(super) async fn cancel(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<View>, Problem> {
    let job = backtest(&call)?;
    if !job.cancel() {
        return Err(not_cancellable(job.progress().state));
    }
    Ok(Read(View::of(&job, call.now())))
}

fn backtest(call: &Call) -> Result<std::sync::Arc<Backtest>, Problem> {
    let job = call.api.backtests.get(call.account()?.id, call.segment("id"));
    job.ok_or_else(|| Problem::new(Code::JobNotFound))
}

const EVENTS_DEFAULT: u64 = 100_000;
const EVENTS_MAX: u64 = 10_000_000;
