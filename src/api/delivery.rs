//! What became of events at endpoints, put together from where an event is now and from its attempts.
//!
//! No rows of their own: an endpoint says whether an event is settled, the log has every request of it. Those of one
//! outcome are found by the log's indexes and by what the endpoint has in hand, and then looked at like all others: an
//! index may say too much, never too little.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::answer::Read;
use super::call::Call;
use super::candidates::{outcome_in_hand, sets_of};
use super::conduct::{named, named_or_all, status_of};
use super::delivering::{AsideEvent, AttemptError, AttemptRecord, Whereabouts};
use super::event::read_offset;
use super::failure::{invalid_parameter, of_log, ours};
use super::pairs::{Cursor, Found, Pairs, Sought};
use super::query::{Direction, List, Order, Page, Parameters, Range};
use super::sent_body::SentBodies;
use super::sent_request::SentRequest;
use super::sequences::Numbers;
use super::stretch::{Stretch, expired};
use crate::accounts::{Account, Endpoint, Format};
use crate::log::{Course, Handle, Set};
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{
    Aside, Attempt, EndpointId, EndpointName, EventId, EventType, Offset, Permission, Position, Sequence, Settled,
    Timestamp,
};
use crate::security::Hex;
use crate::web::{Code, Problem};

/// What became of an event at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// It was refused and waits for its next try; its lane has gone on.
    Parked,
    /// It was given up; it can be redelivered as long as it is kept.
    DeadLetter,
    /// A person has given it up.
    Discarded,
    /// It was too old when its turn came, or retention took it before it could be delivered.
    Expired,
    /// A person has passed over it.
    Skipped,
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
    pub(super) sequence: Option<Sequence>,
    /// The event's id; null where the event is gone.
    id: Option<EventId>,
    /// The event's type; null where the event is gone.
    #[serde(rename = "type")]
    pub(super) event_type: Option<EventType>,
    /// What became of it.
    pub(super) outcome: Outcome,
    /// How many requests of it have ended, without those of replays.
    pub(super) attempt_count: usize,
    /// Why the last of them failed; null where it did not.
    pub(super) error: Option<AttemptError>,
    /// The HTTP status of the last of them; null where there was no answer.
    pub(super) status: Option<u16>,
    /// When the last of them began.
    pub(super) last_attempt_at: Option<Timestamp>,
    /// When it is tried next, of a parked one; null of all others.
    pub(super) next_attempt_at: Option<Timestamp>,
}

/// A delivery with every request of it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeliveryWithAttempts")]
pub(super) struct Whole {
    #[serde(flatten)]
    view: View,
    /// Every request, in the order of their numbers; behind them those of replays, and those since a move.
    attempts: Vec<AttemptView>,
}

/// One request.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeliveryAttempt")]
pub(super) struct AttemptView {
    /// Which request of the event it was, from 1.
    attempt: Attempt,
    /// The replay that made it; null for live delivery.
    replay: Option<String>,
    #[serde(flatten)]
    request: SentRequest,
    /// The revision of the account's rights that it was made under; null where an older hooklog did not note it.
    rights: Option<String>,
    /// The format of its body.
    format: Format,
    /// The first half of the SHA-256 of its body, in hex.
    body_hash: String,
    /// The body, byte by byte as it was sent: made again from the log by the settings of then, and shown only where it
    /// has the hash. Left out for who may not see payloads; null where it cannot be made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    body: Option<Option<String>>,
    /// Why there is no body to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_problem: Option<&'static str>,
}

impl Outcome {
    /// Returns it in words, as in "it is delivered".
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Filtered => "filtered",
            Self::Waiting => "waiting",
            Self::InFlight => "in flight",
            Self::Held => "held",
            Self::Parked => "parked",
            Self::DeadLetter => "a dead letter",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Skipped => "skipped",
            Self::Unused => "unused",
        }
    }
}

impl AttemptView {
    /// Shows all requests of a pair.
    pub(super) async fn all(call: &Call, pair: &Pair) -> Result<Vec<Self>, Problem> {
        let mut bodies = SentBodies::new(call, &pair.endpoint, pair.offset, pair.position);
        let sees_bodies = call.also_may(Permission::Payloads);
        let mut views = Vec::with_capacity(pair.attempts.len());
        for (course, record) in &pair.attempts {
            let body = if sees_bodies { Some(bodies.body_of(*course, record).await?) } else { None };
            views.push(Self {
                attempt: record.attempt,
                replay: match course {
                    Course::Live | Course::Sought(_) => None,
                    Course::Replay(job) => Some(job.to_string()),
                },
                request: SentRequest::of(record),
                rights: bodies.rights_of(record).await?,
                format: record.format,
                body_hash: Hex(&record.body_hash).to_string(),
                body_problem: body.as_ref().and_then(|body| body.as_ref().err().copied()),
                body: body.map(Result::ok),
            });
        }
        Ok(views)
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
    #[serde(default, deserialize_with = "error_of_code")]
    error: Option<AttemptError>,
    /// From this sequence number of the endpoint on.
    from_sequence: Option<Sequence>,
    /// Up to this sequence number, not included.
    to_sequence: Option<Sequence>,
}

impl Parameters for Filter {}

pub(super) fn error_of_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AttemptError>, D::Error> {
    let wrong = || {
        let codes: Vec<&str> = AttemptError::ALL.iter().map(|error| error.code()).collect();
        serde::de::Error::custom(format_args!("must be one of {}", codes.join(", ")))
    };
    let code = Option::<String>::deserialize(deserializer)?;
    code.map(|code| AttemptError::of_code(&code).ok_or_else(wrong)).transpose()
}

/// One event for one endpoint, as far as the log knows.
pub(super) struct Pair {
    endpoint: Arc<Endpoint>,
    offset: Offset,
    /// Where the event's record is; none where that is no longer kept.
    position: Option<Position>,
    id: Option<EventId>,
    event_type: Option<EventType>,
    attempts: Vec<(Course, AttemptRecord)>,
    /// What it was set aside as, if it was not simply delivered.
    aside: Option<(Aside, AsideEvent)>,
    /// Whether it is on record that it was not to be sent.
    is_filtered: bool,
}

impl Pair {
    /// Reads what the log has of a pair. Blocks.
    fn read(log: &Handle, endpoint: &Arc<Endpoint>, offset: Offset) -> Result<Self, Problem> {
        let row = log.index_at(endpoint.account, offset).map_err(of_log)?;
        let record = row.map(|row| log.record(row.position)).transpose().map_err(of_log)?.flatten();
        let event = record.as_ref().map(|record| log.event(record)).transpose().map_err(of_log)?;
        let (event_type, id) = event.map(|(event_type, event)| (event_type, event.id)).unzip();
        let rows = log.attempts(endpoint.id, offset, ATTEMPTS_MAX).map_err(of_log)?;
        let attempts = rows.into_iter().map(|(course, _, bytes)| {
            AttemptRecord::decode(bytes).map(|record| (course, record)).map_err(|error| ours(&error))
        });
        let attempts = attempts.collect::<Result<_, _>>()?;
        let aside = aside_of(log, endpoint.id, offset)?;
        let position = record.as_ref().map(|record| record.position);
        let mut pair = Self {
            endpoint: Arc::clone(endpoint),
            offset,
            position,
            id,
            event_type,
            attempts,
            aside,
            is_filtered: false,
        };
        if !pair.was_taken() && pair.aside.is_none() {
            for settled in [Settled::Filtered, Settled::FilteredAfterAttempt] {
                pair.is_filtered |= log.run_over(endpoint.id, settled, offset).map_err(of_log)?.is_some();
            }
        }
        Ok(pair)
    }

    const fn is_kept(&self) -> bool {
        self.position.is_some()
    }

    /// Whether a request of it is on disk that was answered well.
    fn was_taken(&self) -> bool {
        self.last().is_some_and(|last| last.error.is_none())
    }

    pub(super) fn last(&self) -> Option<&AttemptRecord> {
        self.live().last()
    }

    /// The requests of the live work that count: those before the endpoint was moved back over it do not.
    fn live(&self) -> impl Iterator<Item = &AttemptRecord> {
        let seek = self.endpoint.settings.value.seek.as_ref().filter(|seek| seek.first <= self.offset);
        let counts = move |course: &Course| match (course, seek) {
            (Course::Live, None) | (Course::Sought(_), None) => true,
            (Course::Sought(number), Some(seek)) => *number == seek.number,
            (Course::Live, Some(_)) | (Course::Replay(_), _) => false,
        };
        self.attempts.iter().filter(move |(course, _)| counts(course)).map(|(_, record)| record)
    }

    /// How it stands under a number that it had before the endpoint was moved back over it.
    fn view_of_old(&self, sequence: Sequence) -> View {
        let of_number = self.attempts.iter().map(|(_, record)| record).filter(|it| it.sequence == Some(sequence));
        let of_number: Vec<_> = of_number.collect();
        let Some(taken) = of_number.iter().rfind(|record| record.error.is_none()) else {
            return View::unused(&self.endpoint, sequence);
        };
        View {
            sequence: Some(sequence),
            attempt_count: of_number.len(),
            error: None,
            status: taken.status,
            last_attempt_at: Some(taken.at),
            next_attempt_at: None,
            ..self.view(Outcome::Delivered)
        }
    }

    /// Says what became of it; none where that is no longer known.
    fn outcome(&self, whereabouts: Whereabouts) -> Option<Outcome> {
        match whereabouts {
            Whereabouts::InFlight => Some(Outcome::InFlight),
            Whereabouts::Unread | Whereabouts::Queued if self.is_kept() => Some(Outcome::Waiting),
            Whereabouts::Waiting | Whereabouts::Faulted if self.is_kept() => Some(Outcome::Held),
            Whereabouts::Parked if self.is_kept() => Some(Outcome::Parked),
            Whereabouts::Unread
            | Whereabouts::Queued
            | Whereabouts::Waiting
            | Whereabouts::Parked
            | Whereabouts::Faulted => Some(Outcome::Expired),
            Whereabouts::Settled => match (&self.aside, self.last()) {
                (_, Some(last)) if last.error.is_none() => Some(Outcome::Delivered),
                (Some((Aside::DeadLetter, _)), _) => Some(Outcome::DeadLetter),
                (Some((Aside::Discarded, _)), _) => Some(Outcome::Discarded),
                (Some((Aside::Skipped, _)), _) => Some(Outcome::Skipped),
                (Some((Aside::Expired, _)), _) => Some(Outcome::Expired),
                // Rights were changed after it was tried, or it never was to be sent.
                (Some((Aside::Parked, _)) | None, _) if self.is_kept() => Some(Outcome::Filtered),
                (Some((Aside::Parked, _)) | None, Some(_)) => Some(Outcome::Expired),
                (Some((Aside::Parked, _)) | None, None) => None,
            },
        }
    }

    fn kept_sequence(&self) -> Option<Sequence> {
        self.aside.as_ref().map(|(_, event)| event.sequence).filter(|sequence| *sequence != Sequence::default())
    }

    /// Whether it is settled, or was refused, and that is not on disk: the endpoint's next write has it.
    fn is_half_written(&self, whereabouts: Whereabouts) -> bool {
        if matches!(whereabouts, Whereabouts::Waiting | Whereabouts::Parked) {
            return self.is_kept() && self.last().is_none();
        }
        let is_ended = self.aside.as_ref().is_some_and(|(aside, _)| *aside != Aside::Parked);
        let is_told = self.was_taken() || is_ended || self.is_filtered;
        whereabouts == Whereabouts::Settled && self.is_kept() && !is_told
    }

    pub(super) fn view(&self, outcome: Outcome) -> View {
        let last = self.last();
        View {
            endpoint: self.endpoint.name.clone(),
            offset: Some(self.offset),
            sequence: self.live().find_map(|record| record.sequence).or_else(|| self.kept_sequence()),
            id: self.id.clone(),
            event_type: self.event_type.clone(),
            outcome,
            attempt_count: self.live().count(),
            error: last.and_then(|last| last.error),
            status: last.and_then(|last| last.status),
            last_attempt_at: last.map(|last| last.at),
            next_attempt_at: self.aside.as_ref().filter(|_| outcome == Outcome::Parked).map(|(_, event)| event.at),
        }
    }
}

/// Returns what an event was set aside as; one row may tell of many that a person has passed over. Blocks.
pub(super) fn aside_of(
    log: &Handle,
    endpoint: EndpointId,
    offset: Offset,
) -> Result<Option<(Aside, AsideEvent)>, Problem> {
    let found = match log.aside(endpoint, offset).map_err(of_log)? {
        Some(found) => Some(found),
        None => {
            let next = log.asides(endpoint, Aside::Skipped, offset..Offset(u64::MAX), 1).map_err(of_log)?;
            next.into_iter().next().map(|row| (Aside::Skipped, row))
        }
    };
    let Some((aside, row)) = found else { return Ok(None) };
    let event = AsideEvent::decode(row.value).map_err(|error| ours(&error))?;
    Ok(event.tells_of(row.offset, offset).then_some((aside, event)))
}

/// Returns the endpoint and the offset that the path names.
pub(super) fn addressed(call: &Call) -> Result<(Arc<Endpoint>, Offset), Problem> {
    let (account, endpoint) = (call.account()?, call.endpoint()?);
    let offset = read_offset(call.segment("offset")).ok_or_else(not_found)?;
    let is_of_endpoint = offset > endpoint.settings.value.after && offset <= call.api.log.account_head(account.id);
    if is_of_endpoint { Ok((endpoint, offset)) } else { Err(not_found()) }
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<Whole>, Problem> {
    let account = call.account()?;
    let (endpoint, offset) = addressed(&call)?;
    let (pair, outcome) = look_at_one(&call, Cursor { offset, endpoint }, &mut { PATIENCE }).await?;
    let Some(outcome) = outcome else {
        let oldest = call.look_up(move |log| log.oldest_offset(account.id).map_err(of_log)).await?;
        return Err(expired(offset, oldest));
    };
    let attempts = AttemptView::all(&call, &pair).await?;
    Ok(Read(Whole { view: pair.view(outcome), attempts }))
}

pub(super) async fn list(
    call: Call,
    (filter, range, order, page): (Filter, Range, Order, Page),
) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    if filter.from_sequence.is_none() && filter.to_sequence.is_none() {
        let endpoints = named_or_all(&account, filter.endpoint.as_ref())?;
        return by_offset(&call, &account, endpoints, &filter, &range, order.direction(), &page).await.map(Read);
    }
    let Some(name) = &filter.endpoint else {
        return Err(invalid_parameter(
            "endpoint",
            "is required with a range of sequence numbers: each endpoint has its own",
        ));
    };
    let endpoint = named(&account, name)?;
    if !range.is_open() {
        return Err(invalid_parameter("fromSequence", "cannot be combined with a range of offsets or times"));
    }
    by_sequence(&call, &endpoint, &filter, order.direction(), &page).await.map(Read)
}

/// Lists by the account's offsets, for one endpoint or several.
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
    let mut sought = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let groups = vec![filter.sets(call, &endpoint).await?];
        sought.push(Sought { endpoint, groups });
    }
    let pairs = Pairs { sought, stretch, direction, after };
    page_of(call, pairs, page.limit(), |view| filter.wants(view)).await
}

/// Puts a page of pairs together whose views are wanted, until it is full, has looked at enough, or there is no more.
pub(super) async fn page_of(
    call: &Call,
    mut pairs: Pairs,
    limit: usize,
    is_wanted: impl Fn(&View) -> bool,
) -> Result<List<View>, Problem> {
    let (mut items, mut last, mut patience, mut looked_at, mut tired) = (Vec::new(), None, PATIENCE, 0, 0);
    let looks_max = PAGE_LOOKS_MAX.max(limit + 1);
    loop {
        let (asked, count_max) = (pairs.clone(), (limit + 1 - items.len()).max(PAIRS_AT_ONCE));
        let Found { pairs: found, next, is_tired } = call.look_up(move |log| asked.read(log, count_max)).await?;
        looked_at += found.len();
        tired += usize::from(is_tired);
        for some in found.chunks(PAIRS_AT_ONCE) {
            for (cursor, view) in look_at(call, some, &mut patience).await? {
                if items.len() == limit {
                    return Ok(List { items, next: last });
                }
                last = Some(cursor.to_string());
                items.extend(view.filter(&is_wanted));
            }
        }
        let Some(next) = next else { return Ok(List { items, next: None }) };
        if items.len() == limit || looked_at >= looks_max || tired == TIRED_READS_MAX {
            return Ok(List { items, next: Some(next.to_string()) });
        }
        pairs.after = Some(next.into());
    }
}

/// Lists by the sequence numbers of one endpoint: every number is answered, those that no event got too.
async fn by_sequence(
    call: &Call,
    endpoint: &Arc<Endpoint>,
    filter: &Filter,
    direction: Direction,
    page: &Page,
) -> Result<List<View>, Problem> {
    let after = page.read_after(|after| after.parse().ok().map(Sequence))?;
    let (from, to) = (filter.from_sequence, filter.to_sequence);
    let (count_max, of) = (filter.looks_at(page), Arc::clone(endpoint));
    let numbers = call.look_up(move |log| Numbers::read(log, &of, from, to, direction, after, count_max)).await?;
    let Read(status) = status_of(call, endpoint).await?;
    // What had such a number has got another since the endpoint was moved back over it.
    let is_old = |sequence, offset| sequence < status.first_sequence && offset > status.ledger.since.offset;
    let (mut items, mut last, mut patience) = (Vec::new(), None, PATIENCE);
    for some in numbers.items.chunks(PAIRS_AT_ONCE) {
        let given = some.iter().filter_map(|(sequence, offset)| Some((*sequence, (*offset)?)));
        let (old, present): (Vec<_>, Vec<_>) = given.partition(|(sequence, offset)| is_old(*sequence, *offset));
        let cursor = |(_, offset)| Cursor { offset, endpoint: Arc::clone(endpoint) };
        let pairs: Vec<Cursor> = present.into_iter().map(cursor).collect();
        let mut views = look_at(call, &pairs, &mut patience).await?.into_iter();
        let mut old_views = views_of_old(call, endpoint, old).await?.into_iter();
        for (sequence, offset) in some {
            let view = match offset {
                Some(offset) if is_old(*sequence, *offset) => old_views.next(),
                Some(_) => views.next().and_then(|(_, view)| view),
                None => Some(View::unused(endpoint, *sequence)),
            };
            if items.len() == page.limit() {
                return Ok(List { items, next: last });
            }
            last = Some(sequence.to_string());
            let numbered = view.map(|view| View { sequence: Some(*sequence), ..view });
            items.extend(numbered.filter(|view| filter.wants(view)));
        }
    }
    Ok(List { items, next: last.filter(|_| numbers.has_more) })
}

/// Says how events stand under numbers that they have no more.
async fn views_of_old(
    call: &Call,
    endpoint: &Arc<Endpoint>,
    old: Vec<(Sequence, Offset)>,
) -> Result<Vec<View>, Problem> {
    if old.is_empty() {
        return Ok(Vec::new());
    }
    let of = Arc::clone(endpoint);
    let view = move |log: &Handle, (sequence, offset)| Ok(Pair::read(log, &of, offset)?.view_of_old(sequence));
    call.look_up(move |log| old.into_iter().map(|pair| view(log, pair)).collect()).await
}

/// Finds out what became of some pairs; nothing of those that are no longer known.
pub(super) async fn look_at(
    call: &Call,
    pairs: &[Cursor],
    patience: &mut u32,
) -> Result<Vec<(Cursor, Option<View>)>, Problem> {
    let asked: Vec<_> = pairs.iter().cloned().zip(whereabouts(call, pairs).await?).collect();
    let look = |log: &Handle, (cursor, whereabouts): (Cursor, Whereabouts)| {
        Ok((Pair::read(log, &cursor.endpoint, cursor.offset)?, cursor, whereabouts))
    };
    let read = move |log: &Handle| asked.into_iter().map(|asked| look(log, asked)).collect::<Result<Vec<_>, _>>();
    let mut views = Vec::with_capacity(pairs.len());
    for (pair, cursor, whereabouts) in call.look_up(read).await? {
        let (pair, outcome) = if pair.is_half_written(whereabouts) {
            look_at_one(call, cursor.clone(), patience).await?
        } else {
            let outcome = pair.outcome(whereabouts);
            (pair, outcome)
        };
        views.push((cursor, outcome.map(|outcome| pair.view(outcome))));
    }
    Ok(views)
}

/// Finds out what became of one pair, waiting a moment where that is just being written down.
pub(super) async fn look_at_one(
    call: &Call,
    cursor: Cursor,
    patience: &mut u32,
) -> Result<(Pair, Option<Outcome>), Problem> {
    let known = whereabouts(call, std::slice::from_ref(&cursor)).await?;
    let whereabouts = known.first().copied().unwrap_or(Whereabouts::Settled);
    loop {
        let Cursor { offset, endpoint } = cursor.clone();
        let pair = call.look_up(move |log| Pair::read(log, &endpoint, offset)).await?;
        let is_half_written = pair.is_half_written(whereabouts);
        if is_half_written && *patience == 0 {
            // The disk is slow: the endpoint knows what it is about to write.
            let in_hand = call.api.deliver.in_hand(pair.endpoint.id).await;
            let told = in_hand.and_then(|in_hand| outcome_in_hand(&in_hand, pair.offset));
            let outcome = told.or_else(|| pair.outcome(whereabouts));
            return Ok((pair, outcome));
        }
        if !is_half_written {
            let outcome = pair.outcome(whereabouts);
            return Ok((pair, outcome));
        }
        *patience -= 1;
        tokio::time::sleep(WRITTEN_AGAIN_AFTER).await;
    }
}

/// Asks endpoints where events are, each endpoint once; in the order of the pairs.
async fn whereabouts(call: &Call, pairs: &[Cursor]) -> Result<Vec<Whereabouts>, Problem> {
    let mut by_endpoint: BTreeMap<EndpointId, Vec<Offset>> = BTreeMap::new();
    for pair in pairs {
        by_endpoint.entry(pair.endpoint.id).or_default().push(pair.offset);
    }
    let mut answers = BTreeMap::new();
    for (endpoint, offsets) in by_endpoint {
        let known = call.api.deliver.whereabouts(endpoint, offsets).await;
        // Every endpoint is loaded from its command on until the process ends.
        answers.insert(endpoint, known.ok_or_else(|| Problem::new(Code::ShuttingDown))?.into_iter());
    }
    Ok(pairs.iter().filter_map(|pair| answers.get_mut(&pair.endpoint.id)?.next()).collect())
}

impl Filter {
    fn wants(&self, view: &View) -> bool {
        self.outcome.is_none_or(|outcome| view.outcome == outcome)
            && self.error.is_none_or(|error| view.error == Some(error))
    }

    /// Returns where the events of an endpoint are that may be wanted.
    async fn sets(&self, call: &Call, endpoint: &Endpoint) -> Result<Vec<Set>, Problem> {
        if self.outcome.is_none() && self.error.is_none() {
            return Ok(vec![Set::All(endpoint.account)]);
        }
        sets_of(call, endpoint, self.outcome).await
    }

    /// Returns how many numbers a page looks at: one more than it shows, or as many as it may where some are left out.
    fn looks_at(&self, page: &Page) -> usize {
        let leaves_out = self.outcome.is_some() || self.error.is_some();
        if leaves_out { PAGE_ROWS_MAX } else { page.limit() + 1 }
    }
}

impl View {
    fn unused(endpoint: &Endpoint, sequence: Sequence) -> Self {
        Self {
            endpoint: endpoint.name.clone(),
            offset: None,
            sequence: Some(sequence),
            id: None,
            event_type: None,
            outcome: Outcome::Unused,
            attempt_count: 0,
            error: None,
            status: None,
            last_attempt_at: None,
            next_attempt_at: None,
        }
    }
}

fn not_found() -> Problem {
    Problem::new(Code::DeliveryNotFound)
}

/// How often one request waits for rows that are being written.
pub(super) const PATIENCE: u32 = 10;
const WRITTEN_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// Pairs that a page looks at where few of them are wanted: about fifty microseconds each.
const PAGE_LOOKS_MAX: usize = 1_000;
/// How often a page looks at as many rows as it may at once, where little of them is wanted.
const TIRED_READS_MAX: usize = 3;
/// Pairs whose rows are read in one go.
pub(super) const PAIRS_AT_ONCE: usize = 64;
/// Requests of one event that are shown: an outage of days makes no more, because only probes go out then.
const ATTEMPTS_MAX: usize = 1_000;
