//! Bare RocksDB: one thread commits the rows of events with sync.
//!
//! The same families, rows, sizes and options as those of the log, and nothing of its work: no look-up of ids,
//! no hashes, no side file, nobody who waits for an answer. What cannot be compressed in the log (commitment,
//! chain, salt, hashed ids) is random here too.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hooklog::runtime::Random;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompactionStyle, DBCompressionType,
    Options, UniversalCompactOptions, WriteBatch, WriteBufferManager, WriteOptions,
};

use super::say;
use crate::events::{Events, id};

/// A bare store, open.
pub(super) struct Store(DB);

/// The rows of one event.
struct Rows {
    record: Vec<u8>,
    /// About sixty of them, none more frequent than others.
    event_type: [u8; 2],
    key_hash: [u8; 8],
    told_hash: [u8; 8],
    id_hash: [u8; 16],
    digest: [u8; 16],
}

/// Commits the rows of events in batches, and says how many events a second it was.
pub(super) fn commit(directory: &Path, events: usize, batch: usize) -> anyhow::Result<()> {
    let store = Store::open(directory)?;
    let mut random = Random::from_seed(1);
    let rows: Vec<Rows> = Events::new().singles(events).iter().map(|event| Rows::of(event, &mut random)).collect();
    let started = Instant::now();
    let mut position = 0;
    for batch in rows.chunks(batch) {
        position = store.write(batch, position)?;
    }
    let rate = f64::from(u32::try_from(events)?) / started.elapsed().as_secs_f64();
    say(&rate.to_string())
}

/// Commits the rows of events, and then reads all records; says how many events a second it read.
pub(super) fn scan(directory: &Path, events: usize) -> anyhow::Result<()> {
    let store = Store::open(directory)?;
    let (mut random, mut source, mut position) = (Random::from_seed(1), Events::new(), 0);
    for first in (0..events).step_by(BATCH) {
        let batch = source.singles(BATCH.min(events - first));
        let rows: Vec<Rows> = batch.iter().map(|event| Rows::of(event, &mut random)).collect();
        position = store.write(&rows, position)?;
    }
    let records = store.0.cf_handle("records").context("every family is opened at start")?;
    let (mut read, mut bytes) = (0, 0);
    let started = Instant::now();
    for row in store.0.iterator_cf(records, rocksdb::IteratorMode::Start) {
        let (_, value) = row?;
        (read, bytes) = (read + 1, bytes + value.len());
    }
    let took = started.elapsed();
    anyhow::ensure!(read == events && bytes > 0, "{events} records were written and {read} read");
    say(&(f64::from(u32::try_from(events)?) / took.as_secs_f64()).to_string())
}

/// Commits one event a time, one a millisecond, and says how many nanoseconds each commit took.
pub(super) fn commit_slowly(directory: &Path, count: usize) -> anyhow::Result<()> {
    let store = Store::open(directory)?;
    let mut random = Random::from_seed(1);
    let rows: Vec<Rows> = Events::new().singles(count).iter().map(|event| Rows::of(event, &mut random)).collect();
    let mut times = Vec::with_capacity(count);
    let mut position = 0;
    for row in rows.chunks(1) {
        let started = Instant::now();
        position = store.write(row, position)?;
        let took = started.elapsed();
        times.push(took.as_nanos().to_string());
        std::thread::sleep(Duration::from_millis(1).saturating_sub(took));
    }
    say(&times.join(" "))
}

impl Store {
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        let cache = Cache::new_hyper_clock_cache(32 << 20, 0);
        let families = FAMILIES.map(|name| ColumnFamilyDescriptor::new(name, family_options(&cache, name)));
        Ok(Self(DB::open_cf_descriptors(&database_options(), directory, families)?))
    }

    /// Writes the rows of some events as one batch with sync; returns the position of the last.
    fn write(&self, rows: &[Rows], mut position: u64) -> anyhow::Result<u64> {
        let family = |name: &str| self.0.cf_handle(name).context("every family is opened at start");
        let (records, by_account) = (family("records")?, family("by_account")?);
        let (by_key, by_type, event_ids) = (family("by_key")?, family("by_type")?, family("event_ids")?);
        let mut batch = WriteBatch::new();
        for row in rows {
            position += 1;
            let number = position.to_be_bytes();
            let account = [0, 0, 0, 1];
            batch.put_cf(records, number, &row.record);
            batch.put_cf(by_account, [account.as_slice(), &number].concat(), [number.as_slice(), &[0, 1]].concat());
            batch.put_cf(by_type, [account.as_slice(), &row.event_type, &number].concat(), number);
            for key_hash in [row.key_hash, row.told_hash] {
                batch.put_cf(by_key, [account.as_slice(), &key_hash, &number].concat(), number);
            }
            batch.put_cf(event_ids, row.id_hash, [number.as_slice(), &number, &row.digest].concat());
        }
        batch.put_cf(family("meta")?, b"head/0001", position.to_be_bytes().repeat(2));
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.0.write_opt(batch, &options)?;
        Ok(position)
    }
}

impl Rows {
    fn of(event: &Bytes, random: &mut Random) -> Self {
        // Header, salt, layout and version and time; then the id, and the event from its actor on.
        let actor = event.windows(ACTOR.len()).position(|window| window == ACTOR).unwrap_or(0);
        let mut record = Vec::with_capacity(event.len() + 160);
        record.extend_from_slice(&[0; 40]);
        record.extend_from_slice(&random.bytes::<32>());
        record.extend_from_slice(&random.bytes::<32>());
        record.extend_from_slice(&random.bytes::<16>());
        record.extend_from_slice(&[0; 14]);
        record.extend_from_slice(id(event).as_bytes());
        record.extend_from_slice(event.get(actor..).unwrap_or_default());
        let event_type = [0, random.bytes::<1>()[0] % 61];
        let (key_hash, told_hash) = (random.bytes(), random.bytes());
        Self { record, event_type, key_hash, told_hash, id_hash: random.bytes(), digest: random.bytes() }
    }
}

fn database_options() -> Options {
    let mut database = Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    database.set_paranoid_checks(true);
    database.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(32 << 20, false));
    database.set_max_total_wal_size(128 << 20);
    database.set_allow_concurrent_memtable_write(false);
    database.set_enable_write_thread_adaptive_yield(false);
    database.set_max_background_jobs(4);
    database.set_max_open_files(512);
    database.set_bytes_per_sync(1 << 20);
    database
}

fn family_options(cache: &Cache, name: &str) -> Options {
    let is_looked_up = name == "event_ids";
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(if is_looked_up { 4 << 10 } else { 16 << 10 });
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    blocks.set_format_version(6);
    if is_looked_up {
        blocks.set_bloom_filter(10.0, false);
        blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        blocks.set_partition_filters(true);
        blocks.set_metadata_block_size(4 << 10);
        blocks.set_pin_top_level_index_and_filter(true);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(if is_looked_up { DBCompressionType::None } else { DBCompressionType::Lz4 });
    if ["by_account", "by_key", "by_type", "event_ids"].contains(&name) {
        let mut merging = UniversalCompactOptions::default();
        merging.set_min_merge_width(4);
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_universal_compaction_options(&merging);
    }
    options.set_write_buffer_size(16 << 20);
    options.set_level_zero_file_num_compaction_trigger(8);
    options
}

const FAMILIES: [&str; 7] = ["default", "records", "by_account", "by_key", "by_type", "event_ids", "meta"];
/// Rows of one commit.
const BATCH: usize = 1_000;
const ACTOR: &[u8] = b"\"actor\":";
