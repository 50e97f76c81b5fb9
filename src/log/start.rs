//! Opening a log: what is checked before anything is taken in.
//!
//! A start reads the log's end back and compares it with the side file: a log that ends below what was
//! acknowledged, or has another record there, is refused in words. Nothing is mended here: `repair` does,
//! on a copy.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::acknowledged::{Acknowledged, End};
use super::append::HashKey;
use super::disk::Disk;
use super::keys::{self, Family};
use super::read::{IndexRow, index_row};
use super::shared::{AccountHead, Past, Shared, Types};
use super::store::{Recovery, Store};
use super::tail::Tail;
use super::type_counts::TypeCounts;
use super::writer::Writer;
use super::{Durability, Error, Options, repair};
use crate::model::{AccountId, EventType, Position, Record, Timestamp};
use crate::runtime::{Clock, Random};
use crate::telemetry::LogMetrics;

/// A log that was opened and checked, and whose writer does not run yet.
pub(super) fn open(
    options: &Options,
    clock: Clock,
    random: &mut Random,
    metrics: LogMetrics,
) -> Result<(Arc<Shared>, Writer), Error> {
    make_directory(options)?;
    let (acknowledged, remembered) =
        Acknowledged::open(&options.directory).map_err(|problem| Error::store("opening the side file", &problem))?;
    // What this durability may lose is found out by the side file; a write-ahead log is then read up to the damage,
    // because in the strict mode a hole in the middle would go unnoticed (RocksDB `db/log_reader.cc`).
    let recovery = match options.durability {
        Durability::Fsync => Recovery::Strict,
        Durability::Os => Recovery::UpToDamage,
    };
    let store = Store::open(options, recovery)?;
    let hash_key = check_format(&store, random)?;
    let last = last_record(&store)?;
    let (last, end) = match check_end(&store, last.as_ref(), remembered) {
        Err(Error::LostRecords { found, acknowledged }) if options.durability == Durability::Os => {
            // What this durability allows, and says: the machine went down before the disk had it.
            tracing::warn!(%found, %acknowledged, "acknowledged records are lost; the log goes on behind a cut");
            let recorded_at = last.as_ref().map_or(Timestamp(0), |record| record.header.recorded_at);
            let now = Timestamp(clock.wall_ms()).max(recorded_at);
            let end = last.as_ref().map_or_else(End::default, end_of);
            let end = repair::cut(&store, end, acknowledged, now, random)?;
            (last_record(&store)?, end)
        }
        checked => (last, checked?),
    };
    let heads = read_heads(&store)?;
    complete_types(&store, &heads)?;
    let told_from = told_from(&store, end.position)?;
    let types = read_types(&store)?;
    let type_counts = TypeCounts::open(&store)?;
    let tail = Tail::new(options.tail_bytes_max);
    let recorded_at = last.as_ref().map_or(Timestamp(0), |record| record.header.recorded_at);
    tail.push(last.into_iter());
    let shared = Arc::new(Shared::new(
        store,
        tail,
        Disk::new(options.directory.clone(), options.disk_reserve_bytes),
        hash_key,
        end.position,
        Past { heads, types, type_counts, told_from },
    ));
    shared.mind_room()?;
    let durability = options.durability;
    let writer = Writer { shared: Arc::clone(&shared), acknowledged, end, recorded_at, clock, metrics, durability };
    Ok((shared, writer))
}

fn make_directory(options: &Options) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&options.directory)
        .map_err(|problem| Error::store("making the data directory", &problem))
}

/// Reads the format of the store, or writes it into a new one.
fn check_format(store: &Store, random: &mut Random) -> Result<HashKey, Error> {
    let found = store.get(Family::Meta, keys::meta::FORMAT)?.map(|value| value.to_vec());
    let Some(found) = found else {
        let hash_key = random.bytes();
        let mut batch = store.batch();
        batch.put(Family::Meta, keys::meta::FORMAT, format_value());
        batch.put(Family::Meta, keys::meta::HASH_KEY, hash_key);
        store.write(batch, true)?;
        return Ok(HashKey(hash_key));
    };
    let least_reader = found.get(4..8).and_then(<[u8]>::first_chunk::<4>).map_or(u32::MAX, |n| u32::from_be_bytes(*n));
    if least_reader > FORMAT {
        return Err(Error::NewerFormat { found: least_reader, known: FORMAT });
    }
    let hash_key = store
        .get(Family::Meta, keys::meta::HASH_KEY)?
        .and_then(|value| value.first_chunk::<16>().copied())
        .ok_or_else(|| Error::Inconsistent("the key of the hashes is missing".to_owned()))?;
    Ok(HashKey(hash_key))
}

/// Format of the store, the least format a reader must know, and the version that wrote it.
fn format_value() -> Vec<u8> {
    let mut value = FORMAT.to_be_bytes().to_vec();
    value.extend_from_slice(&FORMAT.to_be_bytes());
    value.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    value
}

pub(super) fn last_record(store: &Store) -> Result<Option<Record>, Error> {
    store.scan_from_end(Family::Records).next().transpose()?.map(|(key, value)| decode_record(&key, value)).transpose()
}

pub(super) fn decode_record(key: &[u8], value: impl Into<Bytes>) -> Result<Record, Error> {
    let position = keys::position_of_record(key)
        .ok_or_else(|| Error::Inconsistent(format!("a record's key has an unknown form: {key:02x?}")))?;
    Record::decode(position, value.into()).map_err(|problem| Error::Corrupt { at: position, problem })
}

/// The end of a log whose last record this is.
pub(super) fn end_of(last: &Record) -> End {
    End { position: last.position, chain: last.header.chain_hash() }
}

/// Compares the end of the log with what was acknowledged.
fn check_end(store: &Store, last: Option<&Record>, remembered: End) -> Result<End, Error> {
    let end = last.map_or_else(End::default, end_of);
    if end.position < remembered.position {
        return Err(Error::LostRecords { acknowledged: remembered.position, found: end.position });
    }
    let at_remembered = if end.position == remembered.position {
        Some(end.chain)
    } else {
        let row = store.get(Family::Records, &keys::record(remembered.position))?;
        row.map(|value| decode_record(&keys::record(remembered.position), Bytes::copy_from_slice(&value)))
            .transpose()?
            .map(|record| record.header.chain_hash())
    };
    match at_remembered {
        Some(chain) if chain != remembered.chain => Err(Error::OtherLog { at: remembered.position }),
        Some(_) | None => Ok(end),
    }
}

pub(super) fn read_heads(store: &Store) -> Result<HashMap<AccountId, AccountHead>, Error> {
    let mut heads = HashMap::new();
    for row in store.scan(Family::Meta, keys::meta::HEAD_PREFIX, None) {
        let (key, value) = row?;
        let Some(account) = keys::account_of_head(&key) else { break };
        let (offset, position) = keys::head_value_parts(&value)
            .ok_or_else(|| Error::Inconsistent(format!("the head of account {account} has an unknown form")))?;
        heads.insert(account, AccountHead { offset, position });
    }
    Ok(heads)
}

/// Writes the rows by type that an older program has not written: those of each account's newest events, or of all.
///
/// From the oldest missing one on, so that one that is cut short is taken up again. An account that had no event since
/// the last start is not looked at.
fn complete_types(store: &Store, heads: &HashMap<AccountId, AccountHead>) -> Result<(), Error> {
    let mark = store.low_water_mark();
    let done_to = store.get(Family::Meta, keys::meta::BY_TYPE_TO)?.and_then(|value| keys::leading_position(&value));
    let newest = heads.values().map(|head| head.position).max().unwrap_or_default();
    let missing = |row: &IndexRow, account| -> Result<bool, Error> {
        let key = keys::by_type(account, row.event_type, row.offset);
        Ok(row.position >= mark && store.get(Family::ByType, &key)?.is_none())
    };
    for (account, head) in heads.iter().filter(|(_, head)| Some(head.position) > done_to) {
        let mut from = None;
        for row in store.scan_back(Family::ByAccount, &keys::by_account(*account, head.offset)) {
            let (key, value) = row?;
            if !key.starts_with(&keys::of_account(*account)) {
                break;
            }
            let row = index_row(&key, &value)?;
            if !missing(&row, *account)? {
                break;
            }
            from = Some(row.offset);
        }
        let Some(from) = from else { continue };
        tracing::info!(%account, %from, to = %head.offset, "the index by type is completed");
        let end = keys::by_account(*account, head.offset.next());
        let mut rows = store.scan(Family::ByAccount, &keys::by_account(*account, from), Some(&end)).peekable();
        while rows.peek().is_some() {
            let mut batch = store.batch();
            for row in rows.by_ref().take(ROWS_AT_ONCE) {
                let (key, value) = row?;
                let IndexRow { offset, position, event_type } = index_row(&key, &value)?;
                let key = keys::by_type(*account, event_type, offset);
                batch.put(Family::ByType, key, keys::position_value(position));
            }
            store.write(batch, false)?;
        }
    }
    let mut batch = store.batch();
    batch.put(Family::Meta, keys::meta::BY_TYPE_TO, keys::position_value(newest));
    store.write(batch, false)
}

/// Returns the position from which on events are found by the field that tells their key: an older program does not
/// write such rows, nor how far they have been written.
fn told_from(store: &Store, end: Position) -> Result<Position, Error> {
    let position_at = |key| -> Result<Position, Error> {
        Ok(store.get(Family::Meta, key)?.and_then(|value| keys::leading_position(&value)).unwrap_or_default())
    };
    if position_at(keys::meta::TOLD_TO)? == end {
        return position_at(keys::meta::TOLD_FROM);
    }
    let mut batch = store.batch();
    batch.put(Family::Meta, keys::meta::TOLD_FROM, keys::position_value(end.next()));
    store.write(batch, false)?;
    Ok(end.next())
}

fn read_types(store: &Store) -> Result<Types, Error> {
    let mut types = Types::default();
    for row in store.scan(Family::Types, &[], None) {
        let (key, value) = row?;
        let name = std::str::from_utf8(&value).ok().and_then(|name| EventType::parse(name).ok());
        let added = name.and_then(|name| types.add(name));
        if added.is_none() || added != keys::number_of_event_type(&key) {
            return Err(Error::Inconsistent(format!("the name of event type {key:02x?} is missing or damaged")));
        }
    }
    Ok(types)
}

const ROWS_AT_ONCE: usize = 10_000;

/// The format of the store that this program writes.
const FORMAT: u32 = 1;

/// The first position of a log.
pub(super) const FIRST: Position = Position(1);
