//! Explain: which endpoint got an event, which did not, and why.
//!
//! Nothing of it is written down when it happens: it is told from the log, the settings of then and what delivery
//! keeps. A withheld value is in none of it, and of what rights touched only the names that the catalogue knows.

mod reason;
mod search;

use std::sync::Arc;

use serde::Serialize;

use self::reason::{Reason, Reasons};
use super::answer::Read;
use super::call::Call;
use super::delivery::{AttemptView, Outcome, PATIENCE, Pair, look_at_one};
use super::event::{Head, Taken, named};
use super::pairs::Cursor;
use super::sent_body::table_as_of;
use crate::accounts::{Endpoint, Table, Treatment};
use crate::dispatch::{Answer, Left, Touched};
use crate::model::{EndpointName, Permission, Position, Sequence};
use crate::web::Problem;

pub(super) use self::search::search;

/// What became of an event, and why.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "EventExplained")]
pub(super) struct Explained {
    #[serde(flatten)]
    event: Head,
    /// Every endpoint of the account, by name.
    endpoints: Vec<EndpointExplained>,
}

/// What became of an event at an endpoint, and why.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EndpointExplained {
    /// The endpoint.
    endpoint: EndpointName,
    /// What became of it; null where it was never to be sent there, or that is no longer known.
    outcome: Option<Outcome>,
    /// Why.
    reason: Reason,
    /// The event's number at the endpoint; null where it has none.
    sequence: Option<Sequence>,
    /// The revision of the account's rights by which that was decided, or the last body was made.
    rights: Option<String>,
    /// What those rights did not leave as it came, by the names that the catalogue knows.
    fields: Vec<TouchedField>,
    /// How many more they touched, which the catalogue does not know.
    unknown_fields: usize,
    /// Every request, in the order of their numbers; behind them those of replays, and those since a move.
    attempts: Vec<AttemptView>,
}

/// A field that rights touched.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct TouchedField {
    /// Its path.
    path: String,
    /// What was done with it.
    treatment: Treatment,
}

pub(super) async fn one(call: Call, (): ()) -> Result<Read<Explained>, Problem> {
    let account = call.account()?;
    let taken = named(&call, &account).await?;
    let mut reasons = Reasons::new(&call);
    let mut endpoints = Vec::with_capacity(account.endpoints.len());
    for endpoint in account.endpoints.values() {
        endpoints.push(explain(&call, &mut reasons, endpoint, &taken).await?);
    }
    Ok(Read(Explained { event: taken.head(), endpoints }))
}

async fn explain(
    call: &Call,
    reasons: &mut Reasons<'_>,
    endpoint: &Arc<Endpoint>,
    taken: &Taken,
) -> Result<EndpointExplained, Problem> {
    let offset = taken.record.header.offset;
    if offset <= endpoint.settings.value.after {
        return Ok(EndpointExplained {
            endpoint: endpoint.name.clone(),
            outcome: None,
            reason: Reason::before(endpoint),
            sequence: None,
            rights: None,
            fields: Vec::new(),
            unknown_fields: 0,
            attempts: Vec::new(),
        });
    }
    let cursor = Cursor { offset, endpoint: Arc::clone(endpoint) };
    let (pair, outcome) = look_at_one(call, cursor, &mut { PATIENCE }).await?;
    let view = outcome.map(|outcome| pair.view(outcome));
    let mut reason = reasons.of(endpoint, &taken.event_type, offset, view.as_ref()).await?;
    let (at, rights_touch_it) = match outcome {
        Some(Outcome::Filtered) => (reasons.decided_as_of(endpoint, offset).await?, false),
        _ => (last_as_of(&pair), outcome.is_some()),
    };
    let (revision, table) = table_as_of(call, endpoint, at, None).await?;
    let answer = if rights_touch_it { answer(call, taken, &table).await? } else { None };
    let (mut fields, mut unknown_fields) = (Vec::new(), 0);
    match answer {
        Some(Answer::Left(left)) => (fields, unknown_fields) = touched_fields(call, taken, &left)?,
        Some(Answer::Fault(fault)) if outcome == Some(Outcome::Held) && reason.is_fault() => {
            reason = Reason::fault(Some(&fault));
        }
        Some(Answer::Withheld | Answer::Unknown | Answer::Fault(_)) | None => {}
    }
    Ok(EndpointExplained {
        endpoint: endpoint.name.clone(),
        outcome,
        reason,
        sequence: view.and_then(|view| view.sequence),
        rights: Some(call.api.accounts.revision(revision)),
        fields,
        unknown_fields,
        attempts: AttemptView::all(call, &pair).await?,
    })
}

/// Returns by which settings the last request was made; those of now where there was none.
fn last_as_of(pair: &Pair) -> Position {
    pair.last().and_then(|last| last.as_of).map_or(Position(u64::MAX), |as_of| as_of.settings)
}

/// Asks what a table leaves of an event.
async fn answer(call: &Call, taken: &Taken, table: &Arc<Table>) -> Result<Option<Answer>, Problem> {
    let events = [(taken.event_type.clone(), taken.event.clone())];
    Ok(call.api.dispatch.preview(&*call.account()?, table, &events).await.pop())
}

/// Says what is not left of an event as it came: what the catalogue knows by name, the rest as a count.
fn touched_fields(call: &Call, taken: &Taken, left: &Left) -> Result<(Vec<TouchedField>, usize), Problem> {
    let catalog = call.api.accounts.catalog().map_err(|error| call.refused(error))?.catalog;
    let sees_raw = call.also_may(Permission::Raw);
    // The name of an unknown member may be as telling as its value.
    let is_shown = |path: &str| sees_raw || catalog.field(path).is_some();
    let (shown, hidden): (Vec<_>, Vec<_>) =
        left.touched(&taken.event).into_iter().partition(|touched| is_shown(&touched.path));
    let fields = shown.into_iter().map(|Touched { path, treatment }| TouchedField { path, treatment }).collect();
    Ok((fields, hidden.len()))
}
