//! Events as they were taken in: listed, and one looked at.
//!
//! Whoever has `raw` sees all of them; others see what the account's rights leave, and of an event that is withheld as
//! a whole that it is there. A search by key finds only what would show that key. What is left untouched is answered
//! byte by byte as it was received.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Read;
use super::call::Call;
use super::failure::{invalid_parameter, of_log, ours};
use super::query::{Direction, List, Order, Page, Parameters, Range};
use super::stretch::{Stretch, expired, names_of_types, of_types};
use crate::accounts::{Account, Mark, Table};
use crate::dispatch::Answer;
use crate::log::{Handle, IndexRow, Set};
use crate::model::limits::{OFFSET_MAX, PAGE_ITEMS_MAX, PAGE_ROWS_MAX};
use crate::model::{
    AccountId, AccountName, Event, EventId, EventType, KeyField, Offset, Permission, Record, Timestamp,
};
use crate::web::{Code, Problem};

/// An event as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Event")]
pub(super) struct View {
    /// Its id.
    id: EventId,
    /// The id as the sender gave it, where its form differs from ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<String>,
    /// Where it comes from, as a CloudEvent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    event_type: EventType,
    /// The version of its type's schema.
    version: u32,
    /// When it happened.
    occurred_at: Timestamp,
    /// The account that it belongs to.
    account_id: AccountName,
    /// What it keeps its order by; null where it has none, or rights withhold the field it came from.
    key: Option<String>,
    /// Who did it; null where that was not said, or rights withhold it.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    actor: Option<Box<RawValue>>,
    /// What happened; null where rights withhold the event.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    data: Option<Box<RawValue>>,
    /// What the sender gave beside the fields of an event; it is never sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    extra: Option<Box<RawValue>>,
    /// Why nothing of it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<Withheld>,
    /// Its place in the account's log.
    offset: Offset,
    /// When hooklog took it in.
    recorded_at: Timestamp,
}

/// Why nothing of an event is shown.
#[derive(Debug, Clone, Copy, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Withheld {
    /// Rights withhold its type.
    #[serde(rename = "type_withheld")]
    Type,
    /// The catalogue that the rights were decided on does not know its type.
    #[serde(rename = "type_unknown")]
    Unknown,
    /// Rights could not be applied to it.
    Fault,
}

/// An event on its way to who asked for it.
pub(super) struct Taken {
    pub(super) record: Record,
    pub(super) event_type: EventType,
    pub(super) event: Event,
}

/// Which event it is, and when it came.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EventHead")]
pub(super) struct Head {
    /// Its place in the account's log.
    pub(super) offset: Offset,
    /// Its id.
    pub(super) id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub(super) event_type: EventType,
    /// When it happened.
    pub(super) occurred_at: Timestamp,
    /// When hooklog took it in.
    pub(super) recorded_at: Timestamp,
}

impl View {
    /// Returns which event it is.
    pub(super) fn head(&self) -> Head {
        Head {
            offset: self.offset,
            id: self.id.clone(),
            event_type: self.event_type.clone(),
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
        }
    }
}

impl Taken {
    /// Reads the event at an offset.
    ///
    /// # Errors
    /// As for [`record_at`].
    pub(super) fn at(log: &Handle, account: AccountId, offset: Offset) -> Result<Self, Problem> {
        let record = record_at(log, account, offset)?;
        let (event_type, event) = log.event(&record).map_err(of_log)?;
        Ok(Self { record, event_type, event })
    }

    /// Returns which event it is.
    pub(super) fn head(&self) -> Head {
        Head {
            offset: self.record.header.offset,
            id: self.event.id.clone(),
            event_type: self.event_type.clone(),
            occurred_at: self.event.occurred_at,
            recorded_at: self.record.header.recorded_at,
        }
    }

    /// Shows what there is to show of it.
    fn show(self, account: &AccountName, shown: Shown) -> Result<View, Problem> {
        let Self { record, event_type, event } = self;
        let raw = |text: &str| RawValue::from_string(text.to_owned()).map_err(|error| ours(&error));
        let attribute = |name: &str| match &shown {
            Shown::All => event.attributes.iter().find(|(given, _)| &**given == name).map(|(_, value)| &**value),
            Shown::As(_) => None,
        };
        let source = attribute("source").map(str::to_owned);
        let extra = attribute("extra").map(raw).transpose()?;
        let (left, withheld, source_id) = match shown {
            Shown::All => (Some((event.actor, event.data, event.key)), None, event.source_id),
            Shown::As(Answer::Left(left)) => (Some((left.actor, left.data, left.key)), None, None),
            Shown::As(Answer::Withheld) => (None, Some(Withheld::Type), None),
            Shown::As(Answer::Unknown) => (None, Some(Withheld::Unknown), None),
            Shown::As(Answer::Fault(_)) => (None, Some(Withheld::Fault), None),
        };
        let (actor, data, key) = match left {
            Some((actor, data, key)) => (actor, Some(data), key),
            None => (None, None, None),
        };
        Ok(View {
            id: event.id,
            source_id: source_id.map(|id| id.to_string()),
            source,
            event_type,
            version: event.version,
            occurred_at: event.occurred_at,
            account_id: account.clone(),
            key: key.map(|key| key.to_string()),
            actor: actor.as_deref().map(raw).transpose()?,
            data: data.as_deref().map(raw).transpose()?,
            extra,
            withheld,
            offset: record.header.offset,
            recorded_at: record.header.recorded_at,
        })
    }
}

/// How much of an event is shown.
enum Shown {
    /// All of it.
    All,
    /// As much as rights leave.
    As(Answer),
}

/// Shows events to whoever asks: all of them with `raw`, else what rights leave.
async fn show(call: &Call, account: &Account, taken: Vec<Taken>) -> Result<Vec<View>, Problem> {
    if call.also_may(Permission::Raw) {
        return taken.into_iter().map(|taken| taken.show(&account.name, Shown::All)).collect();
    }
    let events: Vec<_> = taken.iter().map(|taken| (taken.event_type.clone(), taken.event.clone())).collect();
    let answers = call.api.dispatch.view(account, &events).await.map_err(|error| call.refused(error))?;
    taken.into_iter().zip(answers).map(|(taken, answer)| taken.show(&account.name, Shown::As(answer))).collect()
}

/// Which events.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(super) struct Filter {
    /// Only events of this type; `call.*` for all whose type begins with `call.`.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only events with this key.
    key: Option<String>,
}

impl Parameters for Filter {}

/// One type, or all of a family.
pub(super) enum Types {
    All,
    One(EventType),
    Family(String),
}

impl Types {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text.filter(|text| *text != "*") else { return Ok(Self::All) };
        let wrong = || invalid_parameter("type", "must be a type such as call.ended, or a family such as call.*");
        match text.strip_suffix('*') {
            Some(family) if family.ends_with('.') && EventType::parse(family).is_ok() => {
                Ok(Self::Family(family.to_owned()))
            }
            Some(_) => Err(wrong()),
            None => EventType::parse(text).map(Self::One).map_err(|_| wrong()),
        }
    }

    fn contains(&self, event_type: &EventType) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == event_type,
            Self::Family(family) => event_type.as_str().starts_with(family.as_str()),
        }
    }
}

/// What is asked for, on its way to a thread that may wait for the disk.
struct Question {
    account: AccountId,
    types: Types,
    key: Option<String>,
    told: Option<Told>,
    stretch: Stretch,
    direction: Direction,
    after: Option<Offset>,
    limit: usize,
}

pub(super) async fn list(
    call: Call,
    (filter, range, order, page): (Filter, Range, Order, Page),
) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    let after = page.read_after(read_offset)?;
    let (from, to) = (range.from()?, range.to()?);
    let stretch = call.look_up(move |log| Stretch::resolve(log, account.id, from, to)).await?;
    search(&call, &filter, stretch, order.direction(), after, page.limit()).await.map(Read)
}

/// Returns the events of a stretch that were asked for, as the caller may see them, page by page.
pub(super) async fn search(
    call: &Call,
    filter: &Filter,
    stretch: Stretch,
    direction: Direction,
    after: Option<Offset>,
    limit: usize,
) -> Result<List<View>, Problem> {
    let account = call.account()?;
    let types = Types::parse(filter.event_type.as_deref())?;
    // Whom rights do not show a key, no search by it answers either, and none takes longer for what it hides.
    let sees_raw = call.also_may(Permission::Raw);
    let (key, shown_key) = if sees_raw { (filter.key.clone(), None) } else { (None, filter.key.clone()) };
    let told = match &shown_key {
        Some(key) => {
            let effective = call.api.accounts.effective(account.id).map_err(|error| call.refused(error))?;
            Some(Told { key: key.clone(), table: effective.table })
        }
        None => None,
    };
    let question = Question { account: account.id, types, key, told, stretch, direction, after, limit };
    let List { items, mut next } = call.look_up(move |log| question.answer(log)).await?;
    let mut items = show(call, &account, items).await?;
    if shown_key.is_some() {
        items.retain(|item| item.key == shown_key);
    }
    if items.len() > limit {
        items.truncate(limit);
        next = items.last().map(|last| last.offset.to_string());
    }
    Ok(List { items, next })
}

/// A key that is searched for by whom rights show some of the fields that tell it.
struct Told {
    key: String,
    table: Arc<Table>,
}

impl Told {
    /// Where the events are that show the key: of which types, and by which field, rights say. What they hide is not
    /// even walked over. None where that cannot be said beforehand.
    fn sets(&self, log: &Handle, account: AccountId, types: &Types) -> Option<Vec<Set>> {
        let mut sets = Vec::new();
        for event_type in names_of_types(log, |event_type| types.contains(event_type))? {
            let name = event_type.as_str();
            if self.table.mark(name) != Mark::Wanted {
                continue;
            }
            if self.table.keeps_unknown(name) {
                // Then a key may be told that is in no field, if nothing of the event is withheld.
                return None;
            }
            let told = KeyField::ALL.into_iter().filter(|field| self.table.keeps(name, field.path()));
            sets.extend(told.map(|field| Set::Key(account, log.told_key_hash(account, field, &event_type, &self.key))));
        }
        Some(sets)
    }
}

impl Question {
    /// Puts a page together until it is full, has looked at enough, or there is nothing more.
    fn answer(&self, log: &Handle) -> Result<List<Taken>, Problem> {
        let Stretch { from, to } = match (self.after, self.direction) {
            (None, _) => self.stretch,
            (Some(after), Direction::Newest) => Stretch { to: self.stretch.to.min(after), ..self.stretch },
            (Some(after), Direction::Oldest) => Stretch { from: self.stretch.from.max(after.next()), ..self.stretch },
        };
        let (groups, is_exact) = self.groups(log, from)?;
        let limit = if is_exact { self.limit } else { PAGE_ITEMS_MAX };
        let mut offsets = log.offsets(groups, from..to, self.direction.of_log(), PAGE_ROWS_MAX);
        let (mut items, mut bytes, mut looked_at, mut last) = (Vec::new(), 0, 0, None);
        while let Some(offset) = offsets.next_offset().map_err(of_log)? {
            if items.len() == limit || bytes >= PAGE_BYTES_MAX || looked_at == PAGE_LOOKS_MAX {
                return Ok(List { items, next: last.map(|offset: Offset| offset.to_string()) });
            }
            last = Some(offset);
            looked_at += 1;
            if let Some(row) = log.index_at(self.account, offset).map_err(of_log)?
                && let Some(taken) = self.take(log, row, &mut bytes)?
            {
                items.push(taken);
            }
        }
        Ok(List { items, next: offsets.is_tired().then(|| offsets.passed().to_string()) })
    }

    /// Where the events are that may be asked for, from an offset on, and whether they are those that were.
    fn groups(&self, log: &Handle, from: Offset) -> Result<(Vec<Vec<Set>>, bool), Problem> {
        let told = self.told.as_ref();
        if let Some(sets) = told.and_then(|told| told.sets(log, self.account, &self.types)) {
            // Of what an older hooklog has taken in, which of it shows the key is found out by looking.
            let old = log.told_from(self.account).map_err(of_log)?.previous();
            let is_exact = old < from;
            let old = (!is_exact).then(|| Set::Listed(vec![(Offset(1), old)]));
            return Ok((vec![sets.into_iter().chain(old).collect()], is_exact));
        }
        let of_key = self.key.as_deref().map(|key| vec![Set::Key(self.account, log.key_hash(self.account, key))]);
        let of_types = match &self.types {
            Types::All => None,
            types => of_types(log, self.account, |event_type| types.contains(event_type)),
        };
        let groups: Vec<_> = of_key.into_iter().chain(of_types).collect();
        let groups = if groups.is_empty() { vec![vec![Set::All(self.account)]] } else { groups };
        Ok((groups, told.is_none()))
    }

    /// Reads an event, if it is one that was asked for.
    fn take(&self, log: &Handle, row: IndexRow, bytes: &mut usize) -> Result<Option<Taken>, Problem> {
        // The number of a type is in the index: most of what is not asked for is never read.
        if log.type_name(row.event_type).is_some_and(|event_type| !self.types.contains(&event_type)) {
            return Ok(None);
        }
        let Some(record) = log.record(row.position).map_err(of_log)? else { return Ok(None) };
        let (event_type, event) = log.event(&record).map_err(of_log)?;
        let is_of_key = self.key.as_deref().is_none_or(|key| event.key.as_deref() == Some(key));
        if !is_of_key || !self.types.contains(&event_type) {
            return Ok(None);
        }
        *bytes += record.payload.len();
        Ok(Some(Taken { record, event_type, event }))
    }
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let taken = named(&call, &account).await?;
    let shown = show(&call, &account, vec![taken]).await?.pop();
    shown.map(Read).ok_or_else(not_found)
}

/// Reads the event that the path names, by its id or its offset.
pub(super) async fn named(call: &Call, account: &Account) -> Result<Taken, Problem> {
    let (asked, id) = (call.segment("id").to_owned(), account.id);
    call.look_up(move |log| {
        let offset = match asked.strip_prefix('@') {
            Some(offset) => read_offset(offset).ok_or_else(not_found)?,
            None => find(log, id, &EventId::parse(&asked).map_err(|_| not_found())?)?.ok_or_else(not_found)?,
        };
        Taken::at(log, id, offset)
    })
    .await
}

/// Reads the record of an offset.
///
/// # Errors
/// `range_expired` below the oldest kept, `event_not_found` above the head.
pub(super) fn record_at(log: &Handle, account: AccountId, offset: Offset) -> Result<Record, Problem> {
    let row = log.index_at(account, offset).map_err(of_log)?;
    if let Some(record) = row.map(|row| log.record(row.position)).transpose().map_err(of_log)?.flatten() {
        return Ok(record);
    }
    let oldest = log.oldest_offset(account).map_err(of_log)?;
    Err(if offset < oldest { expired(offset, oldest) } else { not_found() })
}

/// Finds the offset of an event by its id.
fn find(log: &Handle, account: AccountId, id: &EventId) -> Result<Option<Offset>, Problem> {
    if let Some(offset) = log.find_event(account, id.as_str()).map_err(of_log)? {
        return Ok(Some(offset));
    }
    made_at(id).map_or(Ok(None), |made_at| find_made(log, account, id, made_at))
}

/// Finds an event whose id hooklog made: no index has it, but it says when it was made.
fn find_made(log: &Handle, account: AccountId, id: &EventId, made_at: Timestamp) -> Result<Option<Offset>, Problem> {
    let from = log.offset_at(account, made_at).map_err(of_log)?;
    let stretch = Stretch { from, to: log.account_head(account).next() };
    let Stretch { from, to } = stretch;
    let groups = vec![vec![Set::All(account)]];
    let mut offsets = log.offsets(groups, from..to, Direction::Oldest.of_log(), PAGE_ROWS_MAX);
    while let Some(offset) = offsets.next_offset().map_err(of_log)? {
        let row = log.index_at(account, offset).map_err(of_log)?;
        let Some(record) = row.map(|row| log.record(row.position)).transpose().map_err(of_log)?.flatten() else {
            continue;
        };
        if record.header.recorded_at.since(made_at) > TAKING_IN_MAX {
            return Ok(None);
        }
        if log.event(&record).map_err(of_log)?.1.id == *id {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

/// Returns when an id was made, where hooklog made it: `evt_` and a UUID of version 7.
fn made_at(id: &EventId) -> Option<Timestamp> {
    let uuid = uuid::Uuid::try_parse(id.as_str().strip_prefix("evt_")?).ok()?;
    let (seconds, nanoseconds) = uuid.get_timestamp().filter(|_| uuid.get_version_num() == 7)?.to_unix();
    let ms = i64::try_from(seconds).ok()?.checked_mul(1_000)?.checked_add(i64::from(nanoseconds / 1_000_000))?;
    Some(Timestamp(ms))
}

/// Reads an offset as paths and cursors have it.
pub(super) fn read_offset(text: &str) -> Option<Offset> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let offset = text.parse().ok().filter(|offset| is_number && (1..=OFFSET_MAX).contains(offset))?;
    Some(Offset(offset))
}

fn not_found() -> Problem {
    Problem::new(Code::EventNotFound)
}

/// Events that a page looks at and does not show: their key has the same hash, or their type has no number of its own.
const PAGE_LOOKS_MAX: usize = PAGE_ITEMS_MAX + 1;
/// Bytes of events after which a page ends.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// From the making of an id until its event is on disk.
const TAKING_IN_MAX: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::{EventId, EventType, Offset, Timestamp, Types, made_at, read_offset};

    #[test]
    fn a_type_or_a_family_is_asked_for() {
        let check = |asked: Option<&str>, event_type: &str, expected: Option<bool>| {
            let event_type = EventType::parse(event_type).unwrap();
            assert_eq!(Types::parse(asked).ok().map(|types| types.contains(&event_type)), expected, "{asked:?}");
        };
        check(None, "call.ended", Some(true));
        check(Some("*"), "call.ended", Some(true));
        check(Some("call.ended"), "call.ended", Some(true));
        check(Some("call.ended"), "call.ended.x", Some(false));
        check(Some("call.*"), "call.ended", Some(true));
        check(Some("call.*"), "caller.ended", Some(false));
        for wrong in ["", "call*", "*.ended", "call.**", ".*x", "a b"] {
            check(Some(wrong), "call.ended", None);
        }
    }

    #[test]
    fn a_made_id_says_when_it_was_made() {
        let at = Timestamp(1_772_442_847_512);
        assert_eq!(made_at(&EventId::made(at, [0xab; 10])), Some(at));
        for other in
            ["evt_01JNB4Z6Q8", "evt_550e8400-e29b-41d4-a716-446655440000", "019cade1-ed18-7fff-bfff-ffffffffffff"]
        {
            assert_eq!(made_at(&EventId::parse(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn an_offset_is_a_number_from_1() {
        assert_eq!(read_offset("41"), Some(Offset(41)));
        for wrong in ["", "0", "-1", "+1", "1.0", "9007199254740992"] {
            assert_eq!(read_offset(wrong), None, "{wrong}");
        }
    }
}
