//! Reading: stretches of the whole log, of one account, single records, and the rows beside them.
//!
//! All calls may touch the disk and block; those that a live reader makes are answered from memory. Rows
//! below the low-water mark are absent, whether they were removed already or not.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::append::{Course, SettingRow};
use super::keys::{self, Family};
use super::shared::Shared;
use super::start::{FIRST, decode_record};
use super::store::{Row, Rows};
use super::type_counts::TypeCount;
use super::{Error, settings};
use crate::model::{
    AccountId, Aside, Attempt, EndpointId, Event, EventType, Offset, Position, Record, Sequence, SettingKind, Settled,
    Timestamp, TypeNumber,
};

/// A stretch of an account's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStretch {
    /// The records, in the order of their offsets, without holes.
    pub records: Vec<Record>,
    /// The oldest offset that is kept; what was asked for below it is gone.
    pub oldest: Offset,
}

/// A line of an account's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexRow {
    /// The event's place in its account.
    pub offset: Offset,
    /// Its place in the whole log.
    pub position: Position,
    /// Its type.
    pub event_type: TypeNumber,
}

/// What became of one event that was not simply delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideRow {
    /// The event's place in its account.
    pub offset: Offset,
    /// Its place in the whole log.
    pub position: Position,
    /// How it came to that, as `deliver` wrote it.
    pub value: Bytes,
}

/// Events that were settled alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRow {
    /// The first of them.
    pub first: Offset,
    /// The last of them.
    pub last: Offset,
    /// Where the last of them is in the whole log.
    pub position: Position,
}

impl Shared {
    /// The oldest position that is kept.
    pub(super) fn oldest(&self) -> Position {
        self.store.low_water_mark().max(FIRST)
    }

    /// Returns records from `from` on; at least one where there is one.
    pub(super) fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Record>, Error> {
        let from = from.max(self.oldest());
        if from > *self.head.borrow() {
            return Ok(Vec::new());
        }
        if let Some(records) = self.tail.read(from, bytes_max) {
            return Ok(records);
        }
        // Not beyond the head: a batch that is being written is in the store before its types are known.
        self.read_from_disk(from, Some(self.head.borrow().next()), bytes_max)
    }

    fn read_from_disk(&self, from: Position, to: Option<Position>, bytes_max: usize) -> Result<Vec<Record>, Error> {
        let to = to.map(keys::record);
        let mut records = Vec::new();
        let mut bytes = 0;
        for row in self.store.scan(Family::Records, &keys::record(from), to.as_ref().map(<[u8; 8]>::as_slice)) {
            let (key, value) = row?;
            bytes += value.len();
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            records.push(decode_record(&key, Vec::from(value))?);
        }
        Ok(records)
    }

    /// Returns captures taken in since an instant, from a position on, the oldest first.
    pub(super) fn captures(&self, from: Position, since: Timestamp, limit: usize) -> Result<Vec<Record>, Error> {
        let from = keys::record(from.max(self.oldest()));
        self.captures_at(self.store.scan(Family::Captures, &from, None), since, limit)
    }

    /// Returns captures taken in since an instant, from a position downwards, the newest first.
    pub(super) fn captures_back(&self, from: Position, since: Timestamp, limit: usize) -> Result<Vec<Record>, Error> {
        self.captures_at(self.store.scan_back(Family::Captures, &keys::record(from)), since, limit)
    }

    fn captures_at(&self, rows: Rows<'_>, since: Timestamp, limit: usize) -> Result<Vec<Record>, Error> {
        // Below the low-water mark there is no record, whether its row here is gone already or not.
        let record = |row: Result<Row, Error>| {
            let (key, _) = row?;
            self.record(keys::position_of_record(&key).unwrap_or_default())
        };
        let is_shown = |record: &Record| record.header.recorded_at >= since && !record.header.is_erased();
        let is_shown = |record: &Result<Record, Error>| record.as_ref().map_or(true, is_shown);
        rows.map(record).filter_map(Result::transpose).filter(is_shown).take(limit).collect()
    }

    /// Returns where captures are that were taken in before an instant, the oldest first.
    pub(super) fn captures_before(&self, instant: Timestamp, bytes_max: usize) -> Result<Vec<Position>, Error> {
        let (mut positions, mut bytes) = (Vec::new(), 0);
        for row in self.store.scan(Family::Captures, &keys::record(self.oldest()), None) {
            let position = keys::position_of_record(&row?.0).unwrap_or_default();
            // A row without a record is left over; nothing is to be read for it.
            let Some(record) = self.record(position)? else { continue };
            // Time in the log never goes back.
            if bytes > bytes_max || record.header.recorded_at >= instant {
                break;
            }
            bytes += record.payload.len() + ROW_BYTES;
            positions.push(position);
        }
        Ok(positions)
    }

    /// Returns an account's events from `from` on: at most `count_max`, about `bytes_max` bytes, at least one
    /// where there is one.
    pub(super) fn read_account(
        &self,
        account: AccountId,
        from: Offset,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<AccountStretch, Error> {
        let oldest = self.oldest_offset(account)?;
        let from = from.max(oldest);
        let index = self.index(account, from, None, count_max)?;
        let records = self.records_at(&index, bytes_max)?;
        debug_assert!(records.iter().all(|record| record.header.account == account));
        Ok(AccountStretch { records, oldest })
    }

    /// Reads the records that index rows point to, in their order.
    fn records_at(&self, index: &[IndexRow], bytes_max: usize) -> Result<Vec<Record>, Error> {
        let (Some(first), Some(last)) = (index.first(), index.last()) else { return Ok(Vec::new()) };
        let span = last.position.0.saturating_sub(first.position.0).saturating_add(1);
        let is_dense = span <= 2 * u64::try_from(index.len()).unwrap_or(u64::MAX);
        if is_dense && self.tail.get(first.position).is_none() {
            // Neighbours in the account are neighbours in the log: one walk is cheaper than many look-ups.
            let mut found = self.read_from_disk(first.position, Some(last.position.next()), bytes_max)?.into_iter();
            let mut records = Vec::with_capacity(index.len());
            for row in index {
                match found.find(|record| record.position >= row.position) {
                    Some(record) if record.position == row.position => records.push(record),
                    // Retention was faster; what was read before it is right.
                    Some(_) | None => break,
                }
            }
            if records.is_empty() {
                return Err(Error::Inconsistent(format!(
                    "no record at position {}, where an index points",
                    first.position
                )));
            }
            return Ok(records);
        }
        let mut records = Vec::with_capacity(index.len());
        let mut bytes = 0;
        for row in index {
            let Some(record) = self.record(row.position)? else {
                return Err(Error::Inconsistent(format!(
                    "no record at position {}, where an index points",
                    row.position
                )));
            };
            bytes += record.payload.len();
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Returns the record at a position, where it is kept.
    pub(super) fn record(&self, position: Position) -> Result<Option<Record>, Error> {
        if position < self.oldest() {
            return Ok(None);
        }
        if let Some(record) = self.tail.get(position) {
            return Ok(Some(record));
        }
        let key = keys::record(position);
        let row = self.store.get(Family::Records, &key)?;
        row.map(|value| decode_record(&key, Bytes::copy_from_slice(&value))).transpose()
    }

    /// Returns index rows of an account from `from` up to but without `to`, at most `limit`.
    pub(super) fn index(
        &self,
        account: AccountId,
        from: Offset,
        to: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<IndexRow>, Error> {
        let from = keys::by_account(account, from);
        let to = keys::by_account(account, to.unwrap_or(Offset(u64::MAX)));
        let oldest = self.oldest();
        self.store
            .scan(Family::ByAccount, &from, Some(&to))
            .map(|row| row.and_then(|(key, value)| index_row(&key, &value)))
            .filter(|row| row.as_ref().map_or(true, |row| row.position >= oldest))
            .take(limit)
            .collect()
    }

    /// Returns index rows of an account from `from` downwards, at most `limit`.
    pub(super) fn index_back(&self, account: AccountId, from: Offset, limit: usize) -> Result<Vec<IndexRow>, Error> {
        let prefix = account.0.to_be_bytes();
        let oldest = self.oldest();
        self.store
            .scan_back(Family::ByAccount, &keys::by_account(account, from))
            .take_while(|row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
            .map(|row| row.and_then(|(key, value)| index_row(&key, &value)))
            .take_while(|row| row.as_ref().map_or(true, |row| row.position >= oldest))
            .take(limit)
            .collect()
    }

    /// Counts an account's newest events by type.
    pub(super) fn type_counts_of(
        &self,
        account: AccountId,
        rows_max: usize,
    ) -> Result<Vec<(EventType, TypeCount)>, Error> {
        let mut stretches: BTreeMap<TypeNumber, (u64, Position, Position)> = BTreeMap::new();
        for row in self.index_back(account, Offset(u64::MAX), rows_max)? {
            let (count, first, _) = stretches.entry(row.event_type).or_insert((0, row.position, row.position));
            *count += 1;
            *first = row.position;
        }
        let mut counts = Vec::with_capacity(stretches.len());
        for (number, (count, first, last)) in stretches {
            // Retention may have taken the oldest meanwhile.
            let at = |record: Option<Record>| record.map(|record| record.header.recorded_at);
            let (first_at, last_at) = (at(self.record(first)?), at(self.record(last)?));
            let Some((name, last_at)) = self.type_name(number).zip(last_at) else { continue };
            counts.push((name, TypeCount { count, first_at: first_at.unwrap_or(last_at), last_at }));
        }
        Ok(counts)
    }

    /// Returns the index row of one event.
    pub(super) fn index_at(&self, account: AccountId, offset: Offset) -> Result<Option<IndexRow>, Error> {
        let row = self.store.get(Family::ByAccount, &keys::by_account(account, offset))?;
        let row = row.map(|value| index_row(&keys::by_account(account, offset), &value)).transpose()?;
        Ok(row.filter(|row| row.position >= self.oldest()))
    }

    /// Returns where an event id was first seen, where that is kept.
    pub(super) fn find_event(&self, account: AccountId, id: &str) -> Result<Option<Offset>, Error> {
        let row = self.store.get(Family::EventIds, &self.hash_key.of_id(account, id))?;
        let seen = row.and_then(|value| keys::Seen::decode(&value));
        Ok(seen.filter(|seen| seen.position >= self.oldest()).map(|seen| seen.offset))
    }

    /// Returns the oldest offset of an account that is kept; the one after its head where none is.
    pub(super) fn oldest_offset(&self, account: AccountId) -> Result<Offset, Error> {
        let oldest = self.oldest();
        if oldest == FIRST {
            return Ok(Offset(1));
        }
        let head = self.account_head(account);
        if head.position < oldest {
            return Ok(head.offset.next());
        }
        // Positions rise with offsets; rows below the mark may be there or not, and behind a cut there is a hole.
        self.first_offset(account, Offset(1), |row| Ok(row.position >= oldest))
    }

    /// Returns the first position that was taken in at or after an instant; the one after the head where none was.
    pub(super) fn position_at(&self, instant: Timestamp) -> Result<Position, Error> {
        let head = *self.head.borrow();
        let oldest = self.oldest();
        if head < oldest {
            return Ok(oldest);
        }
        Ok(Position(first_true(oldest.0, head.0.saturating_add(1), |position| {
            let record = self.first_record(Position(position), head)?;
            Ok(record.is_none_or(|record| record.header.recorded_at >= instant))
        })?))
    }

    /// Returns the first record from a position on: behind a cut there may be a hole at the position itself.
    fn first_record(&self, position: Position, head: Position) -> Result<Option<Record>, Error> {
        if position > head {
            return Ok(None);
        }
        if let Some(record) = self.record(position)? {
            return Ok(Some(record));
        }
        let mut rows = self.store.scan(Family::Records, &keys::record(position), Some(&keys::record(head.next())));
        rows.next().map(|row| row.and_then(|(key, value)| decode_record(&key, value))).transpose()
    }

    /// Returns the first row of an account's index from an offset on, whether retention has let go of it or not.
    fn first_row(&self, account: AccountId, offset: Offset) -> Result<Option<IndexRow>, Error> {
        let (from, to) = (keys::by_account(account, offset), keys::by_account(account, Offset(u64::MAX)));
        let mut rows = self.store.scan(Family::ByAccount, &from, Some(&to));
        rows.next().map(|row| row.and_then(|(key, value)| index_row(&key, &value))).transpose()
    }

    /// Returns the offset of the first row that is as wanted; the one after the head where none is. Rows are first all
    /// not and then all as wanted.
    fn first_offset(
        &self,
        account: AccountId,
        from: Offset,
        is_wanted: impl Fn(&IndexRow) -> Result<bool, Error>,
    ) -> Result<Offset, Error> {
        let head = self.account_head(account).offset;
        let found = first_true(from.0, head.0.saturating_add(1), |offset| {
            self.first_row(account, Offset(offset))?.map_or(Ok(true), |row| is_wanted(&row))
        })?;
        Ok(self.first_row(account, Offset(found))?.map_or_else(|| head.next(), |row| row.offset))
    }

    /// Returns an account's first offset that was taken in at or after an instant; the one after its head
    /// where none was.
    pub(super) fn offset_at(&self, account: AccountId, instant: Timestamp) -> Result<Offset, Error> {
        let oldest = self.oldest_offset(account)?;
        self.first_offset(account, oldest, |row| {
            let record = self.record(row.position)?;
            Ok(record.is_some_and(|record| record.header.recorded_at >= instant))
        })
    }

    /// Returns an account's first offset from which on events are found by the field that tells their key.
    pub(super) fn told_from(&self, account: AccountId) -> Result<Offset, Error> {
        if self.told_from <= self.oldest() {
            return Ok(Offset(1));
        }
        self.first_offset(account, Offset(1), |row| Ok(row.position >= self.told_from))
    }

    /// Reads a record's event and the name of its type.
    pub(super) fn event(&self, record: &Record) -> Result<(EventType, Event), Error> {
        let damaged = |problem: &dyn std::fmt::Display| {
            Error::Inconsistent(format!("the event at position {} cannot be read: {problem}", record.position))
        };
        let event = Event::decode(record.payload.clone()).map_err(|problem| damaged(&problem))?;
        let event_type = event
            .spelled_type
            .clone()
            .or_else(|| self.type_name(record.header.type_number))
            .ok_or_else(|| damaged(&"its type has no name"))?;
        Ok((event_type, event))
    }

    /// Returns when an event was taken in, or the oldest kept one above it.
    pub(super) fn recorded_at(&self, account: AccountId, offset: Offset) -> Result<Option<Timestamp>, Error> {
        let from = offset.max(self.oldest_offset(account)?);
        let Some(row) = self.index_at(account, from)? else { return Ok(None) };
        Ok(self.record(row.position)?.map(|record| record.header.recorded_at))
    }

    pub(super) fn cursor(&self, endpoint: EndpointId, course: Course) -> Result<Option<Bytes>, Error> {
        let row = self.store.get(Family::Cursors, &keys::cursor(endpoint, course.number()))?;
        Ok(row.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Returns how far an endpoint had decided at each change of its settings, the first change first.
    pub(super) fn decided(&self, endpoint: EndpointId) -> Result<Vec<(Position, Offset)>, Error> {
        let (first, last) = (keys::decided(endpoint, Position(0)), keys::decided(endpoint, Position(u64::MAX)));
        let wrong = || Error::Inconsistent(format!("a row about endpoint {endpoint} has an unknown form"));
        self.store
            .scan(Family::Cursors, &first, Some(&last))
            .map(|row| row.and_then(|(key, value)| keys::decided_row(&key, &value).ok_or_else(wrong)))
            .collect()
    }

    /// Returns which events an endpoint's sequence numbers from `from` on were given to, at most `limit`.
    pub(super) fn sequences(
        &self,
        endpoint: EndpointId,
        from: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Position, Offset)>, Error> {
        let (first, last) = (keys::sequence(endpoint, from), keys::sequence(endpoint, Sequence(u64::MAX)));
        self.store
            .scan(Family::Sequences, &first, Some(&last))
            .take(limit)
            .map(|row| {
                let (key, value) = row?;
                keys::sequence_row(&key, &value)
                    .ok_or_else(|| Error::Inconsistent("a sequence row has an unknown form".to_owned()))
            })
            .collect()
    }

    /// Returns what happened to an event at an endpoint, attempt by attempt.
    pub(super) fn attempts(
        &self,
        endpoint: EndpointId,
        offset: Offset,
        limit: usize,
    ) -> Result<Vec<(Course, Attempt, Bytes)>, Error> {
        let first = keys::attempt(endpoint, offset, 0, Attempt(0));
        let last = keys::attempt(endpoint, offset.next(), 0, Attempt(0));
        let oldest = self.oldest();
        self.store
            .scan(Family::Attempts, &first, Some(&last))
            .filter(|row| row.as_ref().map_or(true, |(_, value)| keys::leading_position(value) >= Some(oldest)))
            .take(limit)
            .map(|row| {
                let (key, value) = row?;
                let parts = keys::attempt_parts(&key).zip(value.get(8..));
                let ((_, course, attempt), value) =
                    parts.ok_or_else(|| Error::Inconsistent("an attempt's row has an unknown form".to_owned()))?;
                Ok((Course::from_number(course), attempt, Bytes::copy_from_slice(value)))
            })
            .collect()
    }

    /// Returns what became of an event that was set aside; none where it was not.
    pub(super) fn aside(&self, endpoint: EndpointId, offset: Offset) -> Result<Option<(Aside, AsideRow)>, Error> {
        let oldest = self.oldest();
        for aside in Aside::ALL {
            let key = keys::outcome(endpoint, aside.code(), offset);
            let row =
                self.store.get(Family::Outcomes, &key)?.map(|value| aside_row(endpoint, &key, &value)).transpose()?;
            if let Some(row) = row.filter(|row| row.position >= oldest) {
                return Ok(Some((aside, row)));
            }
        }
        Ok(None)
    }

    /// Returns the rows of the events that became one thing at an endpoint, the oldest first, at most `limit`.
    pub(super) fn asides(
        &self,
        endpoint: EndpointId,
        aside: Aside,
        offsets: Range<Offset>,
        limit: usize,
    ) -> Result<Vec<AsideRow>, Error> {
        let key = |offset| keys::outcome(endpoint, aside.code(), offset);
        let oldest = self.oldest();
        self.store
            .scan(Family::Outcomes, &key(offsets.start), Some(&key(offsets.end)))
            .filter(|row| row.as_ref().map_or(true, |(_, value)| keys::leading_position(value) >= Some(oldest)))
            .take(limit)
            .map(|row| row.and_then(|(key, value)| aside_row(endpoint, &key, &value)))
            .collect()
    }

    /// Returns the run that an event is in, where it was settled so.
    pub(super) fn run_over(
        &self,
        endpoint: EndpointId,
        settled: Settled,
        offset: Offset,
    ) -> Result<Option<RunRow>, Error> {
        let mut cursor = self.store.cursor(Family::Settled, &keys::outcomes_of(endpoint, settled.code()));
        cursor.seek_back(&offset.0.to_be_bytes())?;
        let Some((key, value)) = cursor.row() else { return Ok(None) };
        let parts = keys::trailing_offset(key).zip(keys::run_end(value)).zip(keys::leading_position(value));
        let wrong = || Error::Inconsistent(format!("a run of endpoint {endpoint} has an unknown form"));
        let ((first, last), position) = parts.ok_or_else(wrong)?;
        Ok((offset <= last && position >= self.oldest()).then_some(RunRow { first, last, position }))
    }

    /// Returns what happened at an endpoint in some minutes, the oldest first; nothing of those without a row.
    pub(super) fn rollups(&self, endpoint: EndpointId, minutes: Range<u32>) -> Result<Vec<(u32, Bytes)>, Error> {
        let (first, last) = (keys::rollup(endpoint, minutes.start), keys::rollup(endpoint, minutes.end));
        let oldest = self.oldest();
        self.store
            .scan(Family::Rollups, &first, Some(&last))
            .filter(|row| row.as_ref().map_or(true, |(_, value)| keys::leading_position(value) >= Some(oldest)))
            .map(|row| {
                let (key, value) = row?;
                let wrong = || Error::Inconsistent(format!("a rollup of endpoint {endpoint} has an unknown form"));
                let (minute, value) = keys::rollup_minute(&key).zip(value.get(8..)).ok_or_else(wrong)?;
                Ok((minute, Bytes::copy_from_slice(value)))
            })
            .collect()
    }

    /// Returns the tests of an endpoint below a number, the newest first.
    pub(super) fn tests(
        &self,
        endpoint: EndpointId,
        before: Attempt,
        limit: usize,
    ) -> Result<Vec<(Attempt, Bytes)>, Error> {
        let Some(newest) = before.0.checked_sub(1) else { return Ok(Vec::new()) };
        let from = keys::attempt(endpoint, keys::TESTS, 0, Attempt(newest));
        let prefix = keys::attempts_of(endpoint, keys::TESTS);
        let oldest = self.oldest();
        self.store
            .scan_back(Family::Attempts, &from)
            .take_while(|row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
            .take_while(|row| row.as_ref().map_or(true, |(_, value)| keys::leading_position(value) >= Some(oldest)))
            .take(limit)
            .map(|row| {
                let (key, value) = row?;
                let parts = keys::attempt_parts(&key).zip(value.get(8..));
                let ((.., number), value) =
                    parts.ok_or_else(|| Error::Inconsistent("a test's row has an unknown form".to_owned()))?;
                Ok((number, Bytes::copy_from_slice(value)))
            })
            .collect()
    }

    pub(super) fn settings(&self) -> Result<Vec<SettingRow>, Error> {
        settings::newest(&self.store)
    }

    pub(super) fn setting_history(
        &self,
        account: AccountId,
        kind: SettingKind,
        name: &str,
        limit: usize,
    ) -> Result<Vec<SettingRow>, Error> {
        settings::history(&self.store, account, kind, name, limit)
    }

    pub(super) fn setting_as_of(
        &self,
        account: AccountId,
        kind: SettingKind,
        name: &str,
        position: Position,
    ) -> Result<Option<SettingRow>, Error> {
        settings::as_of(&self.store, account, kind, name, position)
    }

    pub(super) fn blob(&self, digest: &[u8; 32]) -> Result<Option<Bytes>, Error> {
        Ok(self.store.get(Family::Blobs, digest)?.map(|value| Bytes::copy_from_slice(&value)))
    }
}

/// What a capture counts beside its payload.
const ROW_BYTES: usize = 512;

fn aside_row(endpoint: EndpointId, key: &[u8], value: &[u8]) -> Result<AsideRow, Error> {
    let parts = keys::trailing_offset(key).zip(value.split_first_chunk::<8>());
    let (offset, (position, value)) = parts.ok_or_else(|| {
        Error::Inconsistent(format!("a row of what became of an event at endpoint {endpoint} has an unknown form"))
    })?;
    let position = Position(u64::from_be_bytes(*position));
    Ok(AsideRow { offset, position, value: Bytes::copy_from_slice(value) })
}

pub(super) fn index_row(key: &[u8], value: &[u8]) -> Result<IndexRow, Error> {
    let parts = keys::by_account_parts(key).zip(keys::by_account_value_parts(value));
    let ((_, offset), (position, event_type)) =
        parts.ok_or_else(|| Error::Inconsistent(format!("an index row has an unknown form: {key:02x?}")))?;
    Ok(IndexRow { offset, position, event_type })
}

/// Returns the first number from `from` to `to` for which the answer is yes, where the answers are first all
/// no and then all yes; `to` where none before it is.
fn first_true(from: u64, to: u64, mut is_true: impl FnMut(u64) -> Result<bool, Error>) -> Result<u64, Error> {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_true(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::first_true;

    #[test]
    fn the_first_true_is_found_wherever_it_is() {
        for border in 1..=9 {
            assert_eq!(first_true(1, 9, |number| Ok(number >= border)), Ok(border));
        }
        assert_eq!(first_true(1, 9, |_| Ok(false)), Ok(9));
        assert_eq!(first_true(5, 5, |_| Ok(false)), Ok(5));
    }
}
