//! Events as they were taken in: listed, and one looked at.
//!
//! There are no rights yet: whoever has `history` sees every field of every event of the account. The bytes of
//! `actor` and `data` are answered as they were received.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Read;
use super::call::Call;
use super::failure::{invalid_parameter, of_log, ours};
use super::query::{Direction, List, Order, Page, Parameters, Range};
use super::stretch::{Stretch, Walk, expired};
use crate::log::{Handle, IndexRow};
use crate::model::limits::{OFFSET_MAX, PAGE_ROWS_MAX};
use crate::model::{AccountId, AccountName, Event, EventId, EventType, Offset, Record, Timestamp};
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
    /// Its type.
    #[serde(rename = "type")]
    event_type: EventType,
    /// The version of its type's schema.
    version: u32,
    /// When it happened.
    occurred_at: Timestamp,
    /// The account that it belongs to.
    account_id: AccountName,
    /// What it keeps its order by; null where it has none.
    key: Option<String>,
    /// Who did it; null where that was not said.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    actor: Option<Box<RawValue>>,
    /// What happened.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    data: Box<RawValue>,
    /// Its place in the account's log.
    offset: Offset,
    /// When hooklog took it in.
    recorded_at: Timestamp,
}

impl View {
    fn of(account: &AccountName, record: &Record, event_type: EventType, event: Event) -> Result<Self, Problem> {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).map_err(|error| ours(&error));
        Ok(Self {
            id: event.id,
            source_id: event.source_id.map(|id| id.to_string()),
            event_type,
            version: event.version,
            occurred_at: event.occurred_at,
            account_id: account.clone(),
            key: event.key.map(|key| key.to_string()),
            actor: event.actor.as_deref().map(raw).transpose()?,
            data: raw(&event.data)?,
            offset: record.header.offset,
            recorded_at: record.header.recorded_at,
        })
    }
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
    name: AccountName,
    types: Types,
    key: Option<String>,
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
    let types = Types::parse(filter.event_type.as_deref())?;
    let (from, to) = (range.from()?, range.to()?);
    call.look_up(move |log| {
        let stretch = Stretch::resolve(log, account.id, from, to)?;
        Question {
            account: account.id,
            name: account.name.clone(),
            types,
            key: filter.key,
            stretch,
            direction: order.direction(),
            after,
            limit: page.limit(),
        }
        .answer(log)
    })
    .await
    .map(Read)
}

impl Question {
    fn answer(&self, log: &Handle) -> Result<List<View>, Problem> {
        match &self.key {
            None => self.walk(log),
            Some(key) => match self.rows_of_key(log, key)? {
                Some(rows) => self.collect(log, &mut rows.into_iter().map(Ok), || false),
                None => self.walk(log),
            },
        }
    }

    fn walk(&self, log: &Handle) -> Result<List<View>, Problem> {
        let walk = Walk::new(log, self.account, self.stretch, self.direction, self.after);
        let walk = std::cell::RefCell::new(walk);
        let mut rows = std::iter::from_fn(|| walk.borrow_mut().next().transpose());
        self.collect(log, &mut rows, || walk.borrow().is_tired())
    }

    /// Returns the rows of a key in the order of the page; none where there are too many to sort.
    fn rows_of_key(&self, log: &Handle, key: &str) -> Result<Option<Vec<IndexRow>>, Problem> {
        let mut offsets = log.by_key(self.account, key, self.stretch.from, PAGE_ROWS_MAX).map_err(of_log)?;
        if offsets.len() == PAGE_ROWS_MAX {
            return Ok(None);
        }
        if self.direction == Direction::Newest {
            offsets.reverse();
        }
        let is_ahead = |offset: &Offset| match (self.direction, self.after) {
            (_, None) => true,
            (Direction::Newest, Some(after)) => *offset < after,
            (Direction::Oldest, Some(after)) => *offset > after,
        };
        let asked_for = offsets.into_iter().filter(|offset| *offset < self.stretch.to && is_ahead(offset));
        let rows = asked_for.filter_map(|offset| log.index_at(self.account, offset).transpose());
        rows.collect::<Result<_, _>>().map(Some).map_err(of_log)
    }

    /// Puts a page together until it is full, has looked at enough, or there is nothing more.
    fn collect(
        &self,
        log: &Handle,
        rows: &mut dyn Iterator<Item = Result<IndexRow, Problem>>,
        is_tired: impl Fn() -> bool,
    ) -> Result<List<View>, Problem> {
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut last = None;
        while let Some(row) = rows.next().transpose()? {
            if items.len() == self.limit || bytes >= PAGE_BYTES_MAX {
                return Ok(List { items, next: last.map(|offset: Offset| offset.to_string()) });
            }
            last = Some(row.offset);
            if let Some(view) = self.view(log, row, &mut bytes)? {
                items.push(view);
            }
            if is_tired() {
                return Ok(List { items, next: Some(row.offset.to_string()) });
            }
        }
        Ok(List { items, next: None })
    }

    /// Reads an event, if it is one that was asked for.
    fn view(&self, log: &Handle, row: IndexRow, bytes: &mut usize) -> Result<Option<View>, Problem> {
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
        View::of(&self.name, &record, event_type, event).map(Some)
    }
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let asked = call.segment("id").to_owned();
    call.look_up(move |log| {
        let offset = match asked.strip_prefix('@') {
            Some(offset) => read_offset(offset).ok_or_else(not_found)?,
            None => find(log, account.id, &EventId::parse(&asked).map_err(|_| not_found())?)?.ok_or_else(not_found)?,
        };
        let record = record_at(log, account.id, offset)?;
        let (event_type, event) = log.event(&record).map_err(of_log)?;
        View::of(&account.name, &record, event_type, event)
    })
    .await
    .map(Read)
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
    if let Some(offset) = log.find_event(account, "", id.as_str()).map_err(of_log)? {
        return Ok(Some(offset));
    }
    made_at(id).map_or(Ok(None), |made_at| find_made(log, account, id, made_at))
}

/// Finds an event whose id hooklog made: no index has it, but it says when it was made.
fn find_made(log: &Handle, account: AccountId, id: &EventId, made_at: Timestamp) -> Result<Option<Offset>, Problem> {
    let from = log.offset_at(account, made_at).map_err(of_log)?;
    let stretch = Stretch { from, to: log.account_head(account).next() };
    let mut walk = Walk::new(log, account, stretch, Direction::Oldest, None);
    while let Some(row) = walk.next()? {
        let Some(record) = log.record(row.position).map_err(of_log)? else { continue };
        if record.header.recorded_at.since(made_at) > TAKING_IN_MAX || walk.is_tired() {
            return Ok(None);
        }
        if log.event(&record).map_err(of_log)?.1.id == *id {
            return Ok(Some(row.offset));
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
