//! What became of events at endpoints, put together from where an event is now and from its attempts.
//!
//! No rows of their own: an endpoint says whether an event is settled, the log has every request of it. A page
//! looks at a bounded number of (event, endpoint) pairs, whatever the filters leave of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::Read;
use super::call::Call;
use super::conduct::named;
use super::delivering::{AttemptError, AttemptRecord, Whereabouts};
use super::event::{read_offset, record_at};
use super::failure::{invalid_parameter, of_log, ours};
use super::query::{Direction, List, Order, Page, Parameters, Range};
use super::stretch::{Stretch, Walk, expired};
use crate::accounts::{Account, Endpoint};
use crate::log::{Course, Handle, IndexRow};
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{Attempt, EndpointName, EventId, EventType, Offset, Sequence, Timestamp};
use crate::runtime::blocking;
use crate::web::{Code, Problem};

/// What became of an event at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It was not to be sent.
    Filtered,
    /// Its turn has not come.
    Waiting,
    /// It is being sent.
    InFlight,
    /// It was refused and waits for its next try, or a fault has to be mended; its lane waits with it.
    Held,
    /// Retention took it before it could be delivered.
    Expired,
    /// A sequence number that no event got.
    Unused,
}

/// A delivery as it is listed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Delivery")]
pub(super) struct View {
    /// To which endpoint.
    endpoint: EndpointName,
    /// The event's place in the account's log; null for a sequence number that no event got.
    offset: Option<Offset>,
    /// The event's number at the endpoint; null until it is given.
    sequence: Option<Sequence>,
    /// The event's id; null where the event is gone.
    id: Option<EventId>,
    /// The event's type; null where the event is gone.
    #[serde(rename = "type")]
    event_type: Option<EventType>,
    /// What became of it.
    outcome: Outcome,
    /// How many requests of it have ended, without those of replays.
    attempt_count: usize,
    /// Why the last of them failed; null where it did not.
    error: Option<AttemptError>,
    /// The HTTP status of the last of them; null where there was no answer.
    status: Option<u16>,
    /// When the last of them began.
    last_attempt_at: Option<Timestamp>,
}

/// A delivery with every request of it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole {
    #[serde(flatten)]
    view: View,
    /// Every request, in the order of their numbers, those of replays last.
    attempts: Vec<AttemptView>,
}

/// One request.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Attempt")]
struct AttemptView {
    /// Which request of the event it was, from 1.
    attempt: Attempt,
    /// The replay that made it; null for live delivery.
    replay: Option<String>,
    /// When it began.
    at: Timestamp,
    /// How long it took.
    duration_ms: u32,
    /// Why it failed; null where the receiver took the event.
    error: Option<AttemptError>,
    /// The HTTP status; null where there was no answer.
    status: Option<u16>,
    /// What went wrong, in a sentence; null where nothing did.
    detail: Option<String>,
    /// How the answer's body begins; kept of failures only.
    answer: Option<String>,
}

impl AttemptView {
    fn of(course: Course, record: &AttemptRecord) -> Self {
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            attempt: record.attempt,
            replay: match course {
                Course::Live => None,
                Course::Replay(job) => Some(job.to_string()),
            },
            at: record.at,
            duration_ms: record.duration_ms,
            error: record.error,
            status: record.status,
            detail: text(record.detail.to_string()),
            answer: text(String::from_utf8_lossy(&record.answer_start).into_owned()),
        }
    }
}

/// Which deliveries.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    /// Only those to this endpoint.
    endpoint: Option<EndpointName>,
    /// Only those with this outcome.
    outcome: Option<Outcome>,
    /// Only those whose last request failed with this.
    error: Option<AttemptError>,
    /// From this sequence number of the endpoint on.
    from_sequence: Option<Sequence>,
    /// Up to this sequence number, not included.
    to_sequence: Option<Sequence>,
}

impl Parameters for Filter {}

/// One event for one endpoint, as far as the log knows.
struct Pair {
    endpoint: Arc<Endpoint>,
    offset: Offset,
    is_kept: bool,
    id: Option<EventId>,
    event_type: Option<EventType>,
    attempts: Vec<(Course, AttemptRecord)>,
}

impl Pair {
    /// Reads what the log has of a pair. Blocks.
    fn read(log: &Handle, endpoint: &Arc<Endpoint>, offset: Offset, row: Option<IndexRow>) -> Result<Self, Problem> {
        let record = row.map(|row| log.record(row.position)).transpose().map_err(of_log)?.flatten();
        let event = record.as_ref().map(|record| log.event(record)).transpose().map_err(of_log)?;
        let (event_type, id) = event.map(|(event_type, event)| (event_type, event.id)).unzip();
        let rows = log.attempts(endpoint.id, offset, ATTEMPTS_MAX).map_err(of_log)?;
        let attempts = rows.into_iter().map(|(course, _, bytes)| {
            AttemptRecord::decode(bytes).map(|record| (course, record)).map_err(|error| ours(&error))
        });
        let attempts = attempts.collect::<Result<_, _>>()?;
        Ok(Self { endpoint: Arc::clone(endpoint), offset, is_kept: record.is_some(), id, event_type, attempts })
    }

    fn last(&self) -> Option<&AttemptRecord> {
        self.live().last()
    }

    fn live(&self) -> impl Iterator<Item = &AttemptRecord> {
        self.attempts.iter().filter(|(course, _)| *course == Course::Live).map(|(_, record)| record)
    }

    /// Says what became of it; none where that is no longer known.
    fn outcome(&self, whereabouts: Whereabouts) -> Option<Outcome> {
        match whereabouts {
            Whereabouts::InFlight => Some(Outcome::InFlight),
            Whereabouts::Unread | Whereabouts::Queued if self.is_kept => Some(Outcome::Waiting),
            Whereabouts::Waiting | Whereabouts::Faulted if self.is_kept => Some(Outcome::Held),
            Whereabouts::Unread | Whereabouts::Queued | Whereabouts::Waiting | Whereabouts::Faulted => {
                Some(Outcome::Expired)
            }
            Whereabouts::Settled => match self.last() {
                Some(last) if last.error.is_none() => Some(Outcome::Delivered),
                Some(_) => Some(Outcome::Expired),
                None if self.is_kept => Some(Outcome::Filtered),
                None => None,
            },
        }
    }

    fn view(&self, outcome: Outcome) -> View {
        let last = self.last();
        View {
            endpoint: self.endpoint.name.clone(),
            offset: Some(self.offset),
            sequence: self.live().find_map(|record| record.sequence),
            id: self.id.clone(),
            event_type: self.event_type.clone(),
            outcome,
            attempt_count: self.live().count(),
            error: last.and_then(|last| last.error),
            status: last.and_then(|last| last.status),
            last_attempt_at: last.map(|last| last.at),
        }
    }
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<Whole>, Problem> {
    let (account, endpoint) = (call.account()?, call.endpoint()?);
    let offset = read_offset(call.segment("offset")).ok_or_else(not_found)?;
    let is_of_endpoint = offset > endpoint.settings.value.after && offset <= call.api.log.account_head(account.id);
    if !is_of_endpoint {
        return Err(not_found());
    }
    // Asked first: what is settled meanwhile has its rows on disk when they are read.
    let whereabouts = whereabouts(&call, &endpoint, offset).await?;
    let (pair, oldest) = call
        .look_up(move |log| {
            let row = log.index_at(account.id, offset).map_err(of_log)?;
            let oldest = log.oldest_offset(account.id).map_err(of_log)?;
            Ok((Pair::read(log, &endpoint, offset, row)?, oldest))
        })
        .await?;
    let outcome = pair.outcome(whereabouts).ok_or_else(|| expired(offset, oldest))?;
    let attempts = pair.attempts.iter().map(|(course, record)| AttemptView::of(*course, record)).collect();
    Ok(Read(Whole { view: pair.view(outcome), attempts }))
}

pub(super) async fn list(
    call: Call,
    (filter, range, order, page): (Filter, Range, Order, Page),
) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    let endpoint = filter.endpoint.as_ref().map(|name| named(&account, name)).transpose()?;
    if filter.from_sequence.is_none() && filter.to_sequence.is_none() {
        let endpoints = endpoint.map_or_else(|| account.endpoints.values().map(Arc::clone).collect(), |one| vec![one]);
        return by_offset(&call, &account, endpoints, &filter, &range, order.direction(), &page).await.map(Read);
    }
    let Some(endpoint) = endpoint else {
        return Err(invalid_parameter("endpoint", "is required with a range of sequence numbers: each endpoint has its own"));
    };
    if !range.is_open() {
        return Err(invalid_parameter("fromSequence", "cannot be combined with a range of offsets or times"));
    }
    by_sequence(&call, &endpoint, &filter, order.direction(), &page).await.map(Read)
}

/// Where a page of deliveries ended: an event, and the endpoint's name where the event has more than one.
struct Cursor {
    offset: Offset,
    endpoint: EndpointName,
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let (offset, endpoint) = text.split_once('/')?;
        Some(Self { offset: read_offset(offset)?, endpoint: EndpointName::parse(endpoint).ok()? })
    }

    fn of(pair: &Pair) -> String {
        format!("{}/{}", pair.offset, pair.endpoint.name)
    }
}

async fn by_offset(
    call: &Call,
    account: &Account,
    endpoints: Vec<Arc<Endpoint>>,
    filter: &Filter,
    range: &Range,
    direction: Direction,
    page: &Page,
) -> Result<List<View>, Problem> {
    let after = page.read_after(Cursor::read)?;
    let (id, from, to) = (account.id, range.from()?, range.to()?);
    let stretch = call.look_up(move |log| Stretch::resolve(log, id, from, to)).await?;
    let mut items = Vec::new();
    let mut last: Option<String> = page.after.clone();
    let mut looked_at = 0;
    // The event at which the page before ended may have more endpoints: the walk begins with it once more.
    let mut behind = after.as_ref().map(|after| match direction {
        Direction::Newest => after.offset.next(),
        Direction::Oldest => after.offset.previous(),
    });
    loop {
        let endpoints = endpoints.clone();
        let rows = call
            .look_up(move |log| {
                let mut walk = Walk::new(log, id, stretch, direction, behind);
                let mut pairs = Vec::new();
                while pairs.len() < PAIRS_AT_ONCE
                    && let Some(row) = walk.next()?
                {
                    let of_row = endpoints.iter().filter(|one| row.offset > one.settings.value.after);
                    pairs.extend(of_row.map(|endpoint| (Arc::clone(endpoint), row)));
                    behind = Some(row.offset);
                    if walk.is_tired() {
                        break;
                    }
                }
                Ok((pairs, behind, walk.is_tired()))
            })
            .await?;
        let (pairs, reached, is_tired) = rows;
        let is_end = reached == behind && !is_tired;
        for (endpoint, row) in pairs {
            let is_seen = after.as_ref().is_some_and(|after| after.offset == row.offset && endpoint.name <= after.endpoint);
            if is_seen {
                continue;
            }
            if items.len() == page.limit() || looked_at == PAGE_ROWS_MAX {
                return Ok(List { items, next: last });
            }
            looked_at += 1;
            let pair = look_at(call, endpoint, row).await?;
            last = Some(Cursor::of(&pair.0));
            items.extend(wanted(filter, &pair));
        }
        if is_end {
            return Ok(List { items, next: None });
        }
        behind = reached;
    }
}
