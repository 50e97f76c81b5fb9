//! The RocksDB database: how it is opened, and the few calls that the rest of the log makes.
//!
//! Not the meaning of rows: `keys` knows. One database, one write-buffer budget and one small block cache
//! over all families; one compression for all levels, because only then are files of a rising key moved
//! instead of rewritten.
//!
//! # Source
//! RocksDB 11.8 `db/compaction/compaction.cc` (trivial moves), `db/log_reader.cc` (recovery modes).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, CompactionDecision, DB,
    DBCompactionStyle, DBCompressionType, DBPinnableSlice, DBRecoveryMode, Direction, Env, IteratorMode, ReadOptions,
    UniversalCompactOptions, WriteBatch, WriteBufferManager, WriteOptions,
};

use super::keys::{self, Family};
use super::{Error, Options};
use crate::model::Position;

/// Tells a tail that was cut off from damage: the default of a start, and what `repair` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Accepts a cut-off last record and nothing else.
    Strict,
    /// Ends the log before the first damaged record. On a copy, or where a shorter log is no refusal.
    UpToDamage,
}

/// An open database.
pub(super) struct Store {
    db: DB,
    low_water_mark: Arc<AtomicU64>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    pub(super) fn open(options: &Options, recovery: Recovery) -> Result<Self, Error> {
        let path = options.directory.join(STORE_FOLDER);
        std::fs::create_dir_all(&path).map_err(|problem| Error::store("making its directory", &problem))?;
        let low_water_mark = Arc::new(AtomicU64::new(0));
        let cache = Cache::new_hyper_clock_cache(options.cache_bytes, 0);
        let families = Family::ALL
            .map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(family, &cache, &low_water_mark)));
        // RocksDB insists on a family named `default`; nothing is ever kept in it.
        let default = ColumnFamilyDescriptor::new("default", rocksdb::Options::default());
        let db = DB::open_cf_descriptors(
            &database_options(options, recovery)?,
            &path,
            families.into_iter().chain(std::iter::once(default)),
        )
        .map_err(|problem| open_error(&problem, &options.directory))?;
        let store = Self { db, low_water_mark };
        let mark =
            store.get(Family::Meta, keys::meta::LOW_WATER_MARK)?.and_then(|value| keys::leading_position(&value));
        store.set_low_water_mark(mark.unwrap_or_default());
        Ok(store)
    }

    /// The oldest position that is kept; whatever is below it is absent.
    pub(super) fn low_water_mark(&self) -> Position {
        Position(self.low_water_mark.load(Ordering::Acquire))
    }

    /// Moves the mark in memory, once it is on disk.
    pub(super) fn set_low_water_mark(&self, mark: Position) {
        self.low_water_mark.fetch_max(mark.0, Ordering::AcqRel);
    }

    pub(super) fn get(&self, family: Family, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, Error> {
        self.db.get_pinned_cf(self.family(family), key).map_err(|problem| Error::store("reading a row", &problem))
    }

    /// Reads many rows at once, in the order of the keys given.
    pub(super) fn get_many<K: AsRef<[u8]>>(
        &self,
        family: Family,
        keys: &[K],
        is_sorted: bool,
    ) -> Result<Vec<Option<DBPinnableSlice<'_>>>, Error> {
        self.db
            .batched_multi_get_cf(self.family(family), keys.iter().map(AsRef::as_ref), is_sorted)
            .into_iter()
            .map(|row| row.map_err(|problem| Error::store("reading rows", &problem)))
            .collect()
    }

    /// Walks over rows from `from` upwards, up to but without `to`.
    ///
    /// What a scan reads is not kept in the cache: it would push out what is read again.
    pub(super) fn scan(&self, family: Family, from: &[u8], to: Option<&[u8]>) -> Rows<'_> {
        let mut options = scan_options();
        if let Some(to) = to {
            options.set_iterate_upper_bound(to.to_vec());
        }
        Rows(self.db.iterator_cf_opt(self.family(family), options, IteratorMode::From(from, Direction::Forward)))
    }

    /// Walks over rows from `from` downwards.
    pub(super) fn scan_back(&self, family: Family, from: &[u8]) -> Rows<'_> {
        let mode = IteratorMode::From(from, Direction::Reverse);
        Rows(self.db.iterator_cf_opt(self.family(family), scan_options(), mode))
    }

    /// Walks over all rows of a family from its end.
    pub(super) fn scan_from_end(&self, family: Family) -> Rows<'_> {
        Rows(self.db.iterator_cf_opt(self.family(family), scan_options(), IteratorMode::End))
    }

    /// Makes ready to look for rows whose keys begin alike.
    pub(super) fn cursor(&self, family: Family, prefix: &[u8]) -> Cursor<'_> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_iterate_range(rocksdb::PrefixRange(prefix));
        Cursor { rows: self.db.raw_iterator_cf_opt(self.family(family), options), key: prefix.to_vec() }
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { store: self, rows: WriteBatch::new() }
    }

    /// Writes a batch into the log of the database, and waits for the disk where `sync` is set.
    pub(super) fn write(&self, batch: Batch<'_>, sync: bool) -> Result<(), Error> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(batch.rows, &options).map_err(|problem| Error::store("writing a batch", &problem))
    }

    /// Writes what is in memory into files, so that the next start has nothing to replay.
    pub(super) fn flush(&self) -> Result<(), Error> {
        let families: Vec<&ColumnFamily> = Family::ALL.into_iter().map(|family| self.family(family)).collect();
        self.db
            .flush_cfs_opt(&families, &rocksdb::FlushOptions::default())
            .map_err(|problem| Error::store("flushing", &problem))
    }

    /// Writes what one family has in memory into a file.
    pub(super) fn flush_family(&self, family: Family) -> Result<(), Error> {
        self.db.flush_cf(self.family(family)).map_err(|problem| Error::store("flushing", &problem))
    }

    /// Removes whole files of records below `mark`.
    pub(super) fn drop_below(&self, mark: Position) -> Result<(), Error> {
        let (from, to) = (keys::record(Position(0)), keys::record(mark.previous()));
        self.db
            .delete_file_in_range_cf(self.family(Family::Records), from, to)
            .map_err(|problem| Error::store("removing old files", &problem))
    }

    /// Rewrites the files of a family between two keys, both included, or all of them: rows that are gone leave
    /// the disk.
    pub(super) fn compact(&self, family: Family, range: Option<([u8; 8], [u8; 8])>) {
        let (from, to) = range.unzip();
        self.db.compact_range_cf(self.family(family), from, to);
    }

    /// The files of a family: first key, last key and bytes, oldest key first.
    pub(super) fn files(&self, family: Family) -> Result<Vec<StoredFile>, Error> {
        let mut files: Vec<StoredFile> = self
            .db
            .live_files()
            .map_err(|problem| Error::store("listing files", &problem))?
            .into_iter()
            .filter(|file| file.column_family_name == family.name())
            .map(|file| StoredFile {
                last_key: file.end_key.unwrap_or_default(),
                bytes: u64::try_from(file.size).unwrap_or(u64::MAX),
            })
            .collect();
        files.sort_by(|one, other| one.last_key.cmp(&other.last_key));
        Ok(files)
    }

    /// Bytes of disk that merges of rows may take for a while, on top of what the rows take: all of them, at worst.
    pub(super) fn merge_bytes(&self) -> u64 {
        let of = |family| self.property(family, "rocksdb.total-sst-files-size");
        Family::ALL.into_iter().filter(|family| family.is_scattered()).map(of).sum()
    }

    /// Lets rows be merged when there is something to merge, or leaves their files as they are.
    pub(super) fn set_merging(&self, is_merging: bool) -> Result<(), Error> {
        let value = if is_merging { "false" } else { "true" };
        for family in Family::ALL.into_iter().filter(|family| family.is_scattered()) {
            self.db
                .set_options_cf(self.family(family), &[("disable_auto_compactions", value)])
                .map_err(|problem| Error::store("setting an option", &problem))?;
        }
        Ok(())
    }

    /// A number that RocksDB knows of a family, zero where it does not.
    pub(super) fn property(&self, family: Family, name: &str) -> u64 {
        self.db.property_int_value_cf(self.family(family), name).ok().flatten().unwrap_or(0)
    }

    fn family(&self, family: Family) -> &ColumnFamily {
        self.db.cf_handle(family.name()).expect("every family is opened at start")
    }
}

/// A file of a family.
#[derive(Debug, Clone)]
pub(super) struct StoredFile {
    pub(super) last_key: Vec<u8>,
    pub(super) bytes: u64,
}

/// Key and value.
pub(super) type Row = (Box<[u8]>, Box<[u8]>);

/// Rows of one walk; the first error ends it.
pub(super) struct Rows<'a>(rocksdb::DBIteratorWithThreadMode<'a, DB>);

impl Iterator for Rows<'_> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|row| row.map_err(|problem| Error::store("reading rows", &problem)))
    }
}

/// A place among rows whose keys begin alike, which can be moved.
pub(super) struct Cursor<'a> {
    rows: rocksdb::DBRawIteratorWithThreadMode<'a, DB>,
    /// How keys begin; what is looked for stands behind it for a moment.
    key: Vec<u8>,
}

impl Cursor<'_> {
    /// Goes to the first row whose key ends with this or more.
    pub(super) fn seek(&mut self, rest: &[u8]) -> Result<(), Error> {
        self.with_key(rest, |rows, key| rows.seek(key))
    }

    /// Goes to the last row whose key ends with this or less.
    pub(super) fn seek_back(&mut self, rest: &[u8]) -> Result<(), Error> {
        self.with_key(rest, |rows, key| rows.seek_for_prev(key))
    }

    /// Goes to the row behind this one.
    pub(super) fn next(&mut self) -> Result<(), Error> {
        self.rows.next();
        self.check()
    }

    /// Goes to the row before this one.
    pub(super) fn previous(&mut self) -> Result<(), Error> {
        self.rows.prev();
        self.check()
    }

    /// Returns key and value of the row it stands at; none behind the last and before the first.
    pub(super) fn row(&self) -> Option<(&[u8], &[u8])> {
        self.rows.item()
    }

    fn with_key(
        &mut self,
        rest: &[u8],
        go: impl FnOnce(&mut rocksdb::DBRawIteratorWithThreadMode<'_, DB>, &[u8]),
    ) -> Result<(), Error> {
        let prefix_bytes = self.key.len();
        self.key.extend_from_slice(rest);
        go(&mut self.rows, &self.key);
        self.key.truncate(prefix_bytes);
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        self.rows.status().map_err(|problem| Error::store("reading rows", &problem))
    }
}

/// Rows that are written together or not at all.
pub(super) struct Batch<'a> {
    store: &'a Store,
    rows: WriteBatch,
}

impl Batch<'_> {
    pub(super) fn put(&mut self, family: Family, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.rows.put_cf(self.store.family(family), key, value);
    }

    pub(super) fn delete(&mut self, family: Family, key: impl AsRef<[u8]>) {
        self.rows.delete_cf(self.store.family(family), key);
    }

    /// Deletes from a key, included, to another, excluded.
    pub(super) fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.rows.delete_range_cf(self.store.family(family), from, to);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.size_in_bytes()
    }
}

fn database_options(options: &Options, recovery: Recovery) -> Result<rocksdb::Options, Error> {
    let mut database = rocksdb::Options::default();
    database.create_if_missing(true);
    database.create_missing_column_families(true);
    // Acknowledged records are never silently lost: a damaged one refuses to open, in words (see `repair`).
    database.set_wal_recovery_mode(match recovery {
        Recovery::Strict => DBRecoveryMode::TolerateCorruptedTailRecords,
        Recovery::UpToDamage => DBRecoveryMode::PointInTime,
    });
    database.set_paranoid_checks(true);
    // The manager flushes the largest write buffer at the budget; the budget is not charged to the cache,
    // because a strict cache and a charged budget have crashed (facebook/rocksdb#6247).
    database.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(options.write_buffer_bytes, false));
    // A quiet family must not keep old write-ahead logs alive for ever.
    database.set_max_total_wal_size(u64::try_from(options.write_buffer_bytes).unwrap_or(u64::MAX).saturating_mul(4));
    // One thread writes: what helps many writers only costs it.
    database.set_allow_concurrent_memtable_write(false);
    database.set_enable_write_thread_adaptive_yield(false);
    // One writes buffers out, three merge, and another is there for the merges that take all rows of a family and long.
    database.set_max_background_jobs(4);
    let mut threads = Env::new().map_err(|problem| Error::store("starting threads", &problem))?;
    threads.set_bottom_priority_background_threads(1);
    database.set_env(&threads);
    database.set_max_open_files(512);
    database.set_skip_stats_update_on_db_open(true);
    database.set_keep_log_file_num(4);
    database.set_max_log_file_size(4 << 20);
    // Smooths the writing of table files, so that a sync of the log does not wait for theirs.
    database.set_bytes_per_sync(1 << 20);
    Ok(database)
}

fn family_options(family: Family, cache: &Cache, low_water_mark: &Arc<AtomicU64>) -> rocksdb::Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(if family.is_looked_up() { 4 << 10 } else { 16 << 10 });
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    blocks.set_format_version(6);
    if family.is_looked_up() {
        blocks.set_bloom_filter(10.0, false);
        // In parts: as a whole, the filters of many ids do not fit into the cache, and each look-up reads one anew.
        blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        blocks.set_partition_filters(true);
        blocks.set_metadata_block_size(4 << 10);
        blocks.set_pin_top_level_index_and_filter(true);
    }
    let mut options = rocksdb::Options::default();
    if family.is_looked_up() {
        // Nearly every id is new, and a walk down the list in memory to learn it misses the processor's caches.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.05);
    }
    options.set_block_based_table_factory(&blocks);
    // Hashes do not become smaller.
    options.set_compression_type(if family.is_looked_up() { DBCompressionType::None } else { DBCompressionType::Lz4 });
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_level_zero_file_num_compaction_trigger(8);
    if family.is_scattered() {
        // Merged into levels, each new row makes fifty old ones be written anew; merged with files of their own size,
        // a few.
        let mut merging = UniversalCompactOptions::default();
        merging.set_min_merge_width(4);
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_universal_compaction_options(&merging);
    }
    // While a large merge takes long, writing goes on: more files are looked into, and nothing stands still.
    options.set_level_zero_slowdown_writes_trigger(48);
    options.set_level_zero_stop_writes_trigger(96);
    if family.ages() {
        let mark = Arc::clone(low_water_mark);
        options.set_compaction_filter("below-low-water-mark", move |_level, _key, value: &[u8]| {
            let is_old =
                keys::leading_position(value).is_some_and(|position| position.0 < mark.load(Ordering::Acquire));
            if is_old { CompactionDecision::Remove } else { CompactionDecision::Keep }
        });
    }
    options
}

fn scan_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_readahead_size(256 << 10);
    options
}

fn open_error(problem: &rocksdb::Error, directory: &Path) -> Error {
    let text = problem.to_string();
    let is_held = text.contains("/LOCK") || text.contains("lock hold by current process");
    if is_held {
        Error::Locked { directory: directory.to_owned() }
    } else {
        Error::store("opening; `hooklog log repair` shows what can be done", &text)
    }
}

/// The folder of the database below the data directory.
pub(super) const STORE_FOLDER: &str = "log";

/// Bytes after which one family's write buffer is written out.
const WRITE_BUFFER_BYTES: usize = 16 << 20;
