//! The log: append, read, follow, hold, retention, verify, repair. The only place that names RocksDB.
//!
//! **Acknowledged means on disk**: an append answers after its batch was synced. Offsets and positions have
//! no holes and are never used twice, across crashes too. Whoever follows is woken, never polls, and reads
//! the newest from memory. Not known here: what an event says, what a setting means, who is sent what.

mod acknowledged;
mod append;
mod disk;
mod error;
mod keys;
mod offsets;
mod options;
mod read;
mod repair;
mod retention;
mod settings;
mod shared;
mod start;
mod store;
mod tail;
mod type_counts;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use self::append::Request;
use self::shared::Shared;
use crate::model::{
    AccountId, Aside, Attempt, Capture, EndpointId, Event, EventDraft, EventType, KeyField, Offset, Position, Record,
    Sequence, SettingKind, Settled, Timestamp, TypeNumber,
};
use crate::runtime::{Clock, Random, blocking};
use crate::telemetry::LogMetrics;

pub use self::append::{
    Appended, Course, NewCommand, NewEvent, OnConflict, Outcome, OutcomeRow, Place, Reservation, SettingRow,
};
pub use self::error::Error;
pub use self::offsets::{Direction, Offsets, Set};
pub use self::options::{Durability, Options, Retention};
pub use self::read::{AccountStretch, AsideRow, IndexRow, RunRow};
pub use self::repair::{Findings, Repair};
pub use self::type_counts::TypeCount;
pub use self::verify::{Damage, Stats, Verified};

/// An open log, whose writer runs on a thread of its own until [`Log::close`].
#[derive(Debug)]
pub struct Log {
    handle: Handle,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl Log {
    /// Opens the log of a data directory, making a new one where there is none.
    ///
    /// # Errors
    /// `Locked` where another process has it; `LostRecords` and `OtherLog` where what was acknowledged is not
    /// there; `NewerFormat`, `Corrupt` and `Inconsistent` where it cannot be understood; `Store` for the rest.
    pub fn open(options: &Options, clock: Clock, random: &mut Random, metrics: LogMetrics) -> Result<Self, Error> {
        let (shared, writer) = start::open(options, clock, random, metrics)?;
        let (sender, receiver) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let thread = std::thread::Builder::new()
            .name("hooklog-log".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(|problem| Error::store("starting the writer", &problem))?;
        let handle = Handle {
            shared,
            queue: sender,
            room: Arc::new(Semaphore::new(options.queue_bytes_max)),
            queue_bytes_max: options.queue_bytes_max,
            retention: options.retention,
        };
        Ok(Self { handle, writer: Some(thread) })
    }

    /// Returns a handle: cheap to clone, usable from everywhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Writes what is in memory into files and ends the writer; later appends answer `Closed`.
    ///
    /// # Errors
    /// `Poisoned` where a write failed before, `Store` where this one does.
    pub async fn close(mut self) -> Result<(), Error> {
        let closed = self.handle.ask(|reply| Request::Close { reply }).await;
        if let Some(thread) = self.writer.take() {
            // The thread has answered and is about to end; a panic in it was already printed.
            drop(thread.join());
        }
        closed
    }
}

impl Drop for Log {
    /// Ends the writer where nobody has closed the log: a process must not end while the store works.
    fn drop(&mut self) {
        let Some(thread) = self.writer.take() else { return };
        let (reply, _nobody_waits) = oneshot::channel();
        // Where the queue is closed the thread has ended, and where it is full a crash is nearer than an end.
        if self.handle.queue.try_send(Request::Close { reply }).is_ok() || thread.is_finished() {
            drop(thread.join());
        }
    }
}

/// A handle on an open log.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    queue_bytes_max: usize,
    retention: Retention,
}

impl Handle {
    // --- Appending -------------------------------------------------------------------------------

    /// Reserves room in the queue for `bytes`, before they are even read.
    ///
    /// # Errors
    /// `QueueFull` where so much does not fit now: memory is bounded, the sender tries again.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, Error> {
        let full = || Error::QueueFull { asked_bytes: bytes, limit_bytes: self.queue_bytes_max };
        let permits = u32::try_from(bytes.max(1)).map_err(|_| full())?;
        let permit = Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| full())?;
        Ok(Reservation(permit))
    }

    /// Makes an event ready for the writer, in the caller's thread.
    #[must_use]
    pub fn prepare(&self, account: AccountId, draft: &EventDraft, random: &mut Random) -> NewEvent {
        NewEvent::prepare(self.shared.hash_key, account, draft, random.bytes())
    }

    /// Appends events of one account and returns once they are on disk.
    ///
    /// # Shape
    /// One answer an event, in their order. All are taken or, where `on_conflict` refuses, none.
    /// # Errors
    /// `DiskFull` at the reserve (try later); `Poisoned` after a failed write (the process must end).
    pub async fn append(
        &self,
        account: AccountId,
        events: Vec<NewEvent>,
        on_conflict: OnConflict,
        reservation: Reservation,
    ) -> Result<Outcome, Error> {
        self.ask(|reply| Request::Events { account, events, on_conflict, _reservation: reservation, reply }).await
    }

    /// Appends requests that were not understood and returns once they are on disk.
    ///
    /// # Errors
    /// As [`Handle::append`].
    pub async fn append_captures(
        &self,
        captures: Vec<(AccountId, Capture)>,
        random: &mut Random,
        reservation: Reservation,
    ) -> Result<(), Error> {
        let captures = captures.into_iter().map(|(account, capture)| (account, capture, random.bytes())).collect();
        self.ask(|reply| Request::Captures { captures, _reservation: reservation, reply }).await
    }

    /// Appends a command with its row of settings and its blobs, and returns once they are on disk.
    ///
    /// # Errors
    /// As [`Handle::append`]; commands have a reserve of their own on the disk.
    pub async fn append_command(&self, command: NewCommand, salt: [u8; 16]) -> Result<Place, Error> {
        self.ask(|reply| Request::Command { command, salt, reply }).await
    }

    /// Writes rows that say how delivery goes; returns once they have reached the operating system, or the
    /// disk where `sync` is set. Shared, so that whoever meets a full disk still has them.
    ///
    /// # Errors
    /// As [`Handle::append`]; progress has a reserve of its own on the disk.
    pub async fn write_outcomes(&self, rows: &Arc<Vec<OutcomeRow>>, sync: bool) -> Result<(), Error> {
        self.ask(|reply| Request::Outcomes { rows: Arc::clone(rows), sync, reply }).await
    }

    // --- Following -------------------------------------------------------------------------------

    /// Returns the newest position, and wakes whoever waits for it to change.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Position> {
        self.shared.head.subscribe()
    }

    /// Returns the newest position.
    #[must_use]
    pub fn head(&self) -> Position {
        *self.shared.head.borrow()
    }

    /// Returns the newest offset of an account; 0 where it has none.
    #[must_use]
    pub fn account_head(&self, account: AccountId) -> Offset {
        self.shared.account_head(account).offset
    }

    /// Waits until a write has failed, after which nothing is acknowledged any more.
    pub async fn failed(&self) -> Error {
        let mut poisoned = self.shared.poisoned.subscribe();
        loop {
            if let Some(problem) = poisoned.borrow_and_update().clone() {
                return problem;
            }
            if poisoned.changed().await.is_err() {
                return Error::Closed;
            }
        }
    }

    // --- Reading ---------------------------------------------------------------------------------

    /// Returns the oldest position that is kept.
    #[must_use]
    pub fn oldest(&self) -> Position {
        self.shared.oldest()
    }

    /// Returns records from a position on, without holes, at least one where there is one.
    ///
    /// # Units
    /// `bytes_max` bounds the bytes of the rows read.
    /// # Errors
    /// `Corrupt` where a record is not what was written; `Store` where the store fails.
    pub fn read(&self, from: Position, bytes_max: usize) -> Result<Vec<Record>, Error> {
        self.shared.read(from, bytes_max)
    }

    /// Returns records from a position on, where all of them are in memory: never blocks.
    #[must_use]
    pub fn read_tail(&self, from: Position, bytes_max: usize) -> Option<Vec<Record>> {
        self.shared.tail.read(from, bytes_max)
    }

    /// Returns an account's events from an offset on, at least one where there is one.
    ///
    /// # Errors
    /// As [`Handle::read`]; `Inconsistent` where the index points to nothing.
    pub fn read_account(
        &self,
        account: AccountId,
        from: Offset,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<AccountStretch, Error> {
        self.shared.read_account(account, from, count_max, bytes_max)
    }

    /// Returns the record at a position, where it is kept.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn record(&self, position: Position) -> Result<Option<Record>, Error> {
        self.shared.record(position)
    }

    /// Reads a record's event and the name of its type.
    ///
    /// # Errors
    /// `Inconsistent` where the payload has an unknown form.
    pub fn event(&self, record: &Record) -> Result<(EventType, Event), Error> {
        self.shared.event(record)
    }

    /// Returns how many events of every type there were, and when; of those beyond the last number nothing.
    #[must_use]
    pub fn type_counts(&self) -> Vec<(EventType, TypeCount)> {
        self.shared.type_counts()
    }

    /// Returns the name of a type's number.
    #[must_use]
    pub fn type_name(&self, number: TypeNumber) -> Option<EventType> {
        self.shared.type_name(number)
    }

    /// Returns the captures taken in since an instant, from a position on, the oldest first.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn captures(&self, from: Position, since: Timestamp, limit: usize) -> Result<Vec<Record>, Error> {
        self.shared.captures(from, since, limit)
    }

    /// Returns the captures taken in since an instant, from a position downwards, the newest first.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn captures_back(&self, from: Position, since: Timestamp, limit: usize) -> Result<Vec<Record>, Error> {
        self.shared.captures_back(from, since, limit)
    }

    /// Returns the same of an account's newest events, of which it looks at `rows_max`.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn type_counts_of(&self, account: AccountId, rows_max: usize) -> Result<Vec<(EventType, TypeCount)>, Error> {
        self.shared.type_counts_of(account, rows_max)
    }

    /// Returns the number that stands for a lane's key of an account.
    #[must_use]
    pub fn key_hash(&self, account: AccountId, key: &str) -> u64 {
        self.shared.hash_key.of_key(account, key)
    }

    /// Returns the number for [`Set::Key`] of the events of one type in which one field tells their key.
    #[must_use]
    pub fn told_key_hash(&self, account: AccountId, field: KeyField, event_type: &EventType, key: &str) -> u64 {
        self.shared.hash_key.of_told_key(account, field, event_type, key)
    }

    /// Returns the first offset of an account from which on [`Handle::told_key_hash`] finds events; those before it
    /// were taken in by an older hooklog.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn told_from(&self, account: AccountId) -> Result<Offset, Error> {
        self.shared.told_from(account)
    }

    /// Returns index rows of an account from `from` up to but without `to`, oldest first.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn index(
        &self,
        account: AccountId,
        from: Offset,
        to: Option<Offset>,
        limit: usize,
    ) -> Result<Vec<IndexRow>, Error> {
        self.shared.index(account, from, to, limit)
    }

    /// Returns index rows of an account from `from` downwards, newest first.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn index_back(&self, account: AccountId, from: Offset, limit: usize) -> Result<Vec<IndexRow>, Error> {
        self.shared.index_back(account, from, limit)
    }

    /// Returns when an event was taken in, or, where it is gone, the oldest one that is kept.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn recorded_at(&self, account: AccountId, offset: Offset) -> Result<Option<Timestamp>, Error> {
        self.shared.recorded_at(account, offset)
    }

    /// Returns the index row of one event.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn index_at(&self, account: AccountId, offset: Offset) -> Result<Option<IndexRow>, Error> {
        self.shared.index_at(account, offset)
    }

    /// Walks over the offsets of a range that are in one set of each group, in the order of the direction.
    ///
    /// # Units
    /// `steps_max` bounds the rows it looks at: about a microsecond each, ten where the disk is asked.
    #[must_use]
    pub fn offsets(
        &self,
        groups: Vec<Vec<Set>>,
        range: Range<Offset>,
        direction: Direction,
        steps_max: usize,
    ) -> Offsets<'_> {
        Offsets::new(&self.shared, groups, range, direction, steps_max)
    }

    /// Returns the numbers of the types whose names are as wanted; 0, which stands for all beyond the last number, is
    /// among them where there are such.
    #[must_use]
    pub fn types(&self, is_wanted: impl Fn(&EventType) -> bool) -> Vec<TypeNumber> {
        self.shared.types(is_wanted)
    }

    /// Returns the offset of the event with an id.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn find_event(&self, account: AccountId, id: &str) -> Result<Option<Offset>, Error> {
        self.shared.find_event(account, id)
    }

    /// Returns the oldest offset of an account that is kept; the one after its head where none is.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn oldest_offset(&self, account: AccountId) -> Result<Offset, Error> {
        self.shared.oldest_offset(account)
    }

    /// Returns an account's first offset taken in at or after an instant; the one after its head where none was.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn offset_at(&self, account: AccountId, instant: Timestamp) -> Result<Offset, Error> {
        self.shared.offset_at(account, instant)
    }

    /// Returns the newest row of every setting, in the order of account, kind and name.
    ///
    /// # Errors
    /// `Inconsistent` where a row is of a kind that this program does not know.
    pub fn settings(&self) -> Result<Vec<SettingRow>, Error> {
        self.shared.settings()
    }

    /// Returns the revisions of one setting, newest first.
    ///
    /// # Errors
    /// As [`Handle::settings`].
    pub fn setting_history(
        &self,
        account: AccountId,
        kind: SettingKind,
        name: &str,
        limit: usize,
    ) -> Result<Vec<SettingRow>, Error> {
        self.shared.setting_history(account, kind, name, limit)
    }

    /// Returns a setting as it was at a position.
    ///
    /// # Errors
    /// As [`Handle::settings`].
    pub fn setting_as_of(
        &self,
        account: AccountId,
        kind: SettingKind,
        name: &str,
        position: Position,
    ) -> Result<Option<SettingRow>, Error> {
        self.shared.setting_as_of(account, kind, name, position)
    }

    /// Returns bytes by their digest.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn blob(&self, digest: &[u8; 32]) -> Result<Option<Bytes>, Error> {
        self.shared.blob(digest)
    }

    /// Returns where an endpoint's work stands.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn cursor(&self, endpoint: EndpointId, course: Course) -> Result<Option<Bytes>, Error> {
        self.shared.cursor(endpoint, course)
    }

    /// Returns how far an endpoint had decided at each change of its settings: position and last offset.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn decided(&self, endpoint: EndpointId) -> Result<Vec<(Position, Offset)>, Error> {
        self.shared.decided(endpoint)
    }

    /// Returns which events an endpoint's sequence numbers from `from` on were given to.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn sequences(
        &self,
        endpoint: EndpointId,
        from: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Position, Offset)>, Error> {
        self.shared.sequences(endpoint, from, limit)
    }

    /// Returns what happened to an event at an endpoint, attempt by attempt.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn attempts(
        &self,
        endpoint: EndpointId,
        offset: Offset,
        limit: usize,
    ) -> Result<Vec<(Course, Attempt, Bytes)>, Error> {
        self.shared.attempts(endpoint, offset, limit)
    }

    /// Returns what became of an event that was set aside at an endpoint; none where it was not.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn aside(&self, endpoint: EndpointId, offset: Offset) -> Result<Option<(Aside, AsideRow)>, Error> {
        self.shared.aside(endpoint, offset)
    }

    /// Returns the rows of the events that became one thing at an endpoint, in a range of offsets.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn asides(
        &self,
        endpoint: EndpointId,
        aside: Aside,
        offsets: Range<Offset>,
        limit: usize,
    ) -> Result<Vec<AsideRow>, Error> {
        self.shared.asides(endpoint, aside, offsets, limit)
    }

    /// Returns the run of events that were settled alike at an endpoint which an event is in.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn run_over(&self, endpoint: EndpointId, settled: Settled, offset: Offset) -> Result<Option<RunRow>, Error> {
        self.shared.run_over(endpoint, settled, offset)
    }

    /// Returns what happened at an endpoint in some minutes, the oldest first; nothing of those without a row.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn rollups(&self, endpoint: EndpointId, minutes: Range<u32>) -> Result<Vec<(u32, Bytes)>, Error> {
        self.shared.rollups(endpoint, minutes)
    }

    /// Returns the tests of an endpoint whose numbers are below `before`, the newest first.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn tests(&self, endpoint: EndpointId, before: Attempt, limit: usize) -> Result<Vec<(Attempt, Bytes)>, Error> {
        self.shared.tests(endpoint, before, limit)
    }

    /// Returns how old an event may get before it is let go.
    #[must_use]
    pub const fn max_age(&self) -> Duration {
        self.retention.max_age
    }

    // --- Retention -------------------------------------------------------------------------------

    /// Tells retention the lowest position that somebody still needs; none where nobody does.
    pub fn hold(&self, lowest: Option<Position>) {
        self.shared.set_hold(lowest);
    }

    /// Lets go what is too old or too much, and returns the oldest position that is kept now.
    ///
    /// The mark is on disk before a file goes; readers are told `Expired` from then on.
    /// # Errors
    /// As [`Handle::append`].
    pub async fn retain(&self, now: Timestamp) -> Result<Position, Error> {
        let (shared, retention) = (Arc::clone(&self.shared), self.retention);
        let mark = blocking(move || {
            shared.mind_room()?;
            retention::mark(&shared, retention, now)
        })
        .await?;
        if mark > self.shared.oldest() {
            self.ask(|reply| Request::Retain { mark, reply }).await?;
            let shared = Arc::clone(&self.shared);
            blocking(move || retention::carry_out(&shared, mark)).await?;
        }
        Ok(self.shared.oldest())
    }

    /// Takes the payloads of captures away that were taken in before an instant, and returns how many there were.
    ///
    /// # Errors
    /// As [`Handle::append`].
    pub async fn expire_captures(&self, before: Timestamp) -> Result<usize, Error> {
        let mut count = 0;
        loop {
            let shared = Arc::clone(&self.shared);
            let positions = blocking(move || shared.captures_before(before, ERASED_BYTES_AT_ONCE)).await?;
            let (Some(first), Some(last)) = (positions.first(), positions.last()) else { return Ok(count) };
            let range = (keys::record(*first), keys::record(*last));
            count += positions.len();
            self.ask(|reply| Request::Erase { positions: positions.clone(), reply }).await?;
            let shared = Arc::clone(&self.shared);
            blocking(move || shared.store.compact(keys::Family::Records, Some(range))).await;
            // Only now: a crash before this does all of it again.
            self.ask(|reply| Request::Erased { positions, reply }).await?;
        }
    }

    /// Returns figures for a person: heads, bytes, files, the disk.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub fn stats(&self) -> Result<Stats, Error> {
        verify::stats(&self.shared)
    }

    /// Reads everything that is kept and says what is not as it was written.
    ///
    /// `progress` is told the share done, 0 to 1, now and then; it ends the walk by answering false.
    /// # Errors
    /// `Store` where the store fails; damage is no error but the answer.
    pub fn verify(&self, progress: &mut dyn FnMut(f64) -> bool) -> Result<Verified, Error> {
        verify::verify(&self.shared, progress)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        if self.queue.send(request(reply)).await.is_err() {
            return Err(self.why_closed());
        }
        answer.await.unwrap_or_else(|_| Err(self.why_closed()))
    }

    fn why_closed(&self) -> Error {
        let poisoned = self.shared.poisoned.borrow();
        poisoned.as_ref().map_or(Error::Closed, |problem| Error::Poisoned { problem: problem.to_string() })
    }
}

/// Requests that may wait for the writer; their bytes are bounded apart from this.
const QUEUE_REQUESTS_MAX: usize = 65_536;
/// Bytes of captures that are taken away in one go: the writer waits for it.
const ERASED_BYTES_AT_ONCE: usize = 4 << 20;
