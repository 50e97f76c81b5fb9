//! The one thread that writes: acknowledged means on disk.
//!
//! It takes what has queued up, removes duplicates, gives positions and offsets, writes one batch with one
//! sync, moves the head, answers every waiter. There is no timer: what arrives during a sync is the next
//! batch. A batch without records is not synced. After a failed write nothing is acknowledged any more.
//!
//! ```text
//! queue ─▶ plan (look up ids, give numbers) ─▶ write + sync ─▶ side file ─▶ tail, heads, head ─▶ answers
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::acknowledged::{Acknowledged, End};
use super::append::{Appended, NewCommand, NewEvent, OnConflict, Outcome, OutcomeRow, Place, Request, Reservation};
use super::disk::Wants;
use super::keys::{self, Family, Seen};
use super::shared::{AccountHead, Shared};
use super::store::Batch;
use super::{Durability, Error, settings};
use crate::model::{
    AccountId, Aside, Capture, EventType, Header, Kind, Offset, Position, Record, Settled, Timestamp, TypeNumber,
    commitment, spell_type,
};
use crate::runtime::{Clock, Monotonic};
use crate::telemetry::LogMetrics;

/// Owns the write path of one log.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) acknowledged: Acknowledged,
    pub(super) end: End,
    pub(super) recorded_at: Timestamp,
    pub(super) clock: Clock,
    pub(super) metrics: LogMetrics,
    pub(super) durability: Durability,
}

impl Writer {
    /// Works until the log is closed or a write fails.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(REQUESTS_MAX);
        let _guard = PanicGuard(Arc::clone(&self.shared));
        while queue.blocking_recv_many(&mut requests, REQUESTS_MAX) > 0 {
            match self.handle(&mut requests) {
                Ok(None) => {}
                Ok(Some(closed)) => {
                    answer(closed, self.close());
                    return;
                }
                Err(problem) => {
                    // The outcome of a failed write is unknown: the next start reads the end back.
                    self.shared.poisoned.send_replace(Some(problem.clone()));
                    drop(requests);
                    refuse_for_good(&mut queue, &problem);
                    return;
                }
            }
        }
    }

    /// Does one round; an error means that a write failed and every waiter of it was told.
    fn handle(&mut self, requests: &mut Vec<Request>) -> Result<Option<oneshot::Sender<Result<(), Error>>>, Error> {
        let shared = Arc::clone(&self.shared);
        let mut plan = Plan::new(&shared, self.end, self.recorded_at.max(Timestamp(self.clock.wall_ms())));
        let seen = plan.look_up(requests);
        let mut seen = match seen {
            Ok(seen) => seen.into_iter(),
            Err(problem) => {
                requests.drain(..).for_each(|request| request.refuse(&problem));
                return Err(problem);
            }
        };
        let (mut closed, mut erasures) = (None, Vec::new());
        for request in requests.drain(..) {
            match request {
                Request::Close { reply } => closed = Some(reply),
                Request::Erase { positions, reply } => erasures.push((positions, reply)),
                other => plan.add(other, &mut seen),
            }
        }
        self.commit(plan)?;
        for (positions, reply) in erasures {
            let erased = self.erase(&positions);
            let problem = erased.as_ref().err().cloned();
            answer(reply, erased);
            if let Some(problem) = problem {
                return Err(problem);
            }
        }
        Ok(closed)
    }

    /// Takes the payloads of old captures away, in a file of their own.
    ///
    /// In one file with new records they would span the whole log, and the next compaction would rewrite all of it.
    fn erase(&self, positions: &[Position]) -> Result<(), Error> {
        let store = &self.shared.store;
        let mut batch = store.batch();
        let mut erased = Vec::with_capacity(positions.len());
        for position in positions {
            let Some(record) = self.shared.record(*position)?.filter(|record| record.header.kind == Kind::Capture)
            else {
                continue;
            };
            let record = record.erased();
            let mut row = Vec::with_capacity(Header::BYTES);
            record.header.encode(*position, &record.payload, &mut row);
            batch.put(Family::Records, keys::record(*position), row);
            erased.push(record);
        }
        store.flush_family(Family::Records)?;
        store.write(batch, self.durability == Durability::Fsync)?;
        erased.into_iter().for_each(|record| self.shared.tail.replace(record));
        store.flush_family(Family::Records)
    }

    fn commit(&mut self, mut plan: Plan<'_>) -> Result<(), Error> {
        for (account, head) in &plan.heads {
            plan.batch.put(Family::Meta, keys::head(*account), keys::head_value(head.offset, head.position));
        }
        if !plan.records.is_empty() {
            plan.batch.put(Family::Meta, keys::meta::TOLD_TO, keys::position_value(plan.end.position));
            self.shared.with_type_counts(|counts| counts.write_if_due(&mut plan.batch));
        }
        let Plan { batch, records, end, recorded_at, heads, new_types, waiters, must_sync, low_water_mark, .. } = plan;
        let result = if batch.is_empty() { Ok(()) } else { self.write(batch, &records, end, must_sync) };
        if result.is_ok() {
            self.recorded_at = recorded_at;
            if !new_types.is_empty() {
                self.shared.add_types(new_types.into_iter());
            }
            if let Some(mark) = low_water_mark {
                self.shared.store.set_low_water_mark(mark);
            }
            if !records.is_empty() {
                self.shared.move_account_heads(heads.into_iter());
                self.shared.with_type_counts(|counts| records.iter().for_each(|record| counts.add(record)));
                self.shared.tail.push(records.into_iter());
                self.shared.head.send_replace(end.position);
            }
        }
        for waiter in waiters {
            waiter.tell(result.as_ref().err());
        }
        result
    }

    fn write(&mut self, batch: Batch<'_>, records: &[Record], end: End, must_sync: bool) -> Result<(), Error> {
        let started = self.clock.monotonic();
        let bytes = batch.bytes();
        let sync = must_sync || (!records.is_empty() && self.durability == Durability::Fsync);
        self.shared.store.write(batch, sync)?;
        self.measure(started, sync, records.len(), bytes);
        if !records.is_empty() {
            self.end = end;
            self.acknowledged.remember(end).map_err(|problem| Error::store("writing the side file", &problem))?;
        }
        Ok(())
    }

    fn measure(&self, started: Monotonic, sync: bool, records: usize, bytes: usize) {
        if sync {
            self.metrics.sync_seconds.observe(self.clock.monotonic().since(started).as_secs_f64());
        }
        self.metrics.records.inc_by(u64::try_from(records).unwrap_or(u64::MAX));
        self.metrics.bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn close(&mut self) -> Result<(), Error> {
        let mut batch = self.shared.store.batch();
        self.shared.with_type_counts(|counts| counts.write(&mut batch));
        batch.put(Family::Meta, keys::meta::BY_TYPE_TO, keys::position_value(self.end.position));
        self.shared.store.write(batch, false)?;
        self.shared.store.flush()?;
        self.acknowledged.remember_and_sync(self.end).map_err(|problem| Error::store("writing the side file", &problem))
    }
}

/// What one round is going to write, and who waits for it.
struct Plan<'a> {
    shared: &'a Shared,
    batch: Batch<'a>,
    records: Vec<Record>,
    end: End,
    recorded_at: Timestamp,
    heads: HashMap<AccountId, AccountHead>,
    /// Ids that this round has already given a place.
    pending: HashMap<[u8; 16], Seen>,
    new_types: Vec<EventType>,
    waiters: Vec<Waiter>,
    must_sync: bool,
    low_water_mark: Option<Position>,
    free_bytes: u64,
    row: Vec<u8>,
}

impl<'a> Plan<'a> {
    fn new(shared: &'a Shared, end: End, recorded_at: Timestamp) -> Self {
        Self {
            shared,
            batch: shared.store.batch(),
            records: Vec::new(),
            end,
            recorded_at,
            heads: HashMap::new(),
            pending: HashMap::new(),
            new_types: Vec::new(),
            waiters: Vec::new(),
            must_sync: false,
            low_water_mark: None,
            free_bytes: shared.disk.free_bytes(),
            row: Vec::new(),
        }
    }

    /// Reads, for every event of the round whose id somebody gave, where the id was seen before.
    fn look_up(&self, requests: &[Request]) -> Result<Vec<Option<Seen>>, Error> {
        let ids: Vec<[u8; 16]> = requests.iter().flat_map(Request::ids_to_look_up).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mark = self.shared.store.low_water_mark();
        let rows = self.shared.store.get_many(Family::EventIds, &ids, false)?;
        Ok(rows
            .into_iter()
            .map(|row| row.and_then(|value| Seen::decode(&value)).filter(|seen| seen.position >= mark))
            .collect())
    }

    fn add(&mut self, request: Request, seen: &mut impl Iterator<Item = Option<Seen>>) {
        match request {
            Request::Events { account, events, on_conflict, reply, _reservation } => {
                let seen: Vec<Option<Seen>> =
                    events.iter().map(|event| if event.is_looked_up { seen.next().flatten() } else { None }).collect();
                let bytes = events.iter().map(|event| event.payload.len() + ROW_OVERHEAD_BYTES).sum();
                match self.room(Wants::Intake, bytes) {
                    Err(problem) => answer(reply, Err(problem)),
                    Ok(()) => {
                        let outcome = self.add_events(account, &events, on_conflict, &seen);
                        self.waiters.push(Waiter::Events { reply, outcome, _reservation });
                    }
                }
            }
            Request::Captures { captures, reply, _reservation } => {
                let bytes = captures.iter().map(|(_, capture, _)| capture.body.len() + ROW_OVERHEAD_BYTES).sum();
                match self.room(Wants::Intake, bytes) {
                    Err(problem) => answer(reply, Err(problem)),
                    Ok(()) => {
                        captures.iter().for_each(|(account, capture, salt)| self.add_capture(*account, capture, *salt));
                        self.waiters.push(Waiter::Done { reply, _reservation: Some(_reservation) });
                    }
                }
            }
            Request::Command { command, salt, reply } => match self.room(Wants::Upkeep, bytes_of(&command)) {
                Err(problem) => answer(reply, Err(problem)),
                Ok(()) => {
                    let place = self.add_command(&command, salt);
                    self.waiters.push(Waiter::Command { reply, place });
                }
            },
            Request::Outcomes { rows, sync, reply } => {
                match self.room(Wants::Upkeep, rows.len() * ROW_OVERHEAD_BYTES) {
                    Err(problem) => answer(reply, Err(problem)),
                    Ok(()) => {
                        rows.iter().for_each(|row| self.add_outcome(row));
                        self.must_sync |= sync;
                        self.waiters.push(Waiter::Done { reply, _reservation: None });
                    }
                }
            }
            Request::Retain { mark, reply } => {
                let mark = mark.min(self.end.position);
                self.batch.put(Family::Meta, keys::meta::LOW_WATER_MARK, keys::position_value(mark));
                self.low_water_mark = Some(mark);
                self.must_sync = true;
                self.waiters.push(Waiter::Done { reply, _reservation: None });
            }
            Request::Erased { positions, reply } => {
                positions.iter().for_each(|position| self.batch.delete(Family::Captures, keys::record(*position)));
                self.waiters.push(Waiter::Done { reply, _reservation: None });
            }
            // Both are done when the round is on disk.
            Request::Erase { reply, .. } | Request::Close { reply } => answer(reply, Ok(())),
        }
    }

    /// Checks that the disk takes `bytes` more on top of what the round writes already.
    fn room(&self, wants: Wants, bytes: usize) -> Result<(), Error> {
        self.shared.disk.check(wants, self.batch.bytes() + bytes, self.free_bytes)
    }

    fn add_events(
        &mut self,
        account: AccountId,
        events: &[NewEvent],
        on_conflict: OnConflict,
        seen: &[Option<Seen>],
    ) -> Outcome {
        // A dry walk first: a batch is taken whole or not at all.
        if on_conflict == OnConflict::Refuse
            && let Some(conflicts) = self.conflicts(account, events, seen)
        {
            return Outcome { events: conflicts, is_refused: true };
        }
        let events = events
            .iter()
            .zip(seen)
            .map(|(event, seen)| match self.first(event, *seen) {
                Some(first) if first.digest == event.digest => Appended::Duplicate(first.offset),
                Some(first) => Appended::Conflict(first.offset),
                None => Appended::Accepted(self.add_event(account, event)),
            })
            .collect();
        Outcome { events, is_refused: false }
    }

    /// Says what would become of each event, where at least one is in conflict.
    fn conflicts(&self, account: AccountId, events: &[NewEvent], seen: &[Option<Seen>]) -> Option<Vec<Appended>> {
        let mut within: HashMap<[u8; 16], Seen> = HashMap::new();
        let mut next = self.head(account).offset;
        let mut has_conflict = false;
        let answers = events
            .iter()
            .zip(seen)
            .map(|(event, seen)| {
                let first = self.first(event, *seen).or_else(|| within.get(&event.id_hash).copied());
                match first {
                    Some(first) if first.digest == event.digest => Appended::Duplicate(first.offset),
                    Some(first) => {
                        has_conflict = true;
                        Appended::Conflict(first.offset)
                    }
                    None => {
                        next = next.next();
                        let seen = Seen { position: Position(0), offset: next, digest: event.digest };
                        within.insert(event.id_hash, seen);
                        Appended::Accepted(next)
                    }
                }
            })
            .collect();
        has_conflict.then_some(answers)
    }

    fn first(&self, event: &NewEvent, seen: Option<Seen>) -> Option<Seen> {
        if !event.is_looked_up {
            return None;
        }
        seen.or_else(|| self.pending.get(&event.id_hash).copied())
    }

    fn add_event(&mut self, account: AccountId, event: &NewEvent) -> Offset {
        let offset = self.head(account).offset.next();
        let type_number = self.type_number(&event.event_type);
        let (payload, commitment) = if type_number == TypeNumber(0) {
            let spelled = spell_type(&event.payload, &event.event_type).expect("the payload was made by `prepare`");
            let commitment = commitment(&spelled);
            (spelled, commitment)
        } else {
            (event.payload.clone(), event.commitment)
        };
        let position = self.add_record(Kind::Event, account, offset, type_number, payload, commitment);
        self.heads.insert(account, AccountHead { offset, position });
        self.batch.put(
            Family::ByAccount,
            keys::by_account(account, offset),
            keys::by_account_value(position, type_number),
        );
        self.batch.put(Family::ByType, keys::by_type(account, type_number, offset), keys::position_value(position));
        for key_hash in event.key_hash.into_iter().chain(event.told_hashes.into_iter().flatten()) {
            self.batch.put(Family::ByKey, keys::by_key(account, key_hash, offset), keys::position_value(position));
        }
        let seen = Seen { position, offset, digest: event.digest };
        self.batch.put(Family::EventIds, event.id_hash, seen.encode());
        if event.is_looked_up {
            self.pending.insert(event.id_hash, seen);
        }
        offset
    }

    fn add_capture(&mut self, account: AccountId, capture: &Capture, salt: [u8; 16]) {
        let payload = capture.encode(salt);
        let commitment = commitment(&payload);
        let position = self.add_record(Kind::Capture, account, Offset(0), TypeNumber(0), payload, commitment);
        self.batch.put(Family::Captures, keys::record(position), keys::position_value(position));
    }

    fn add_command(&mut self, new: &NewCommand, salt: [u8; 16]) -> Place {
        let payload = new.command.encode(salt);
        let commitment = commitment(&payload);
        let position = self.add_record(Kind::Command, new.account, Offset(0), TypeNumber(0), payload, commitment);
        self.batch.put(
            Family::Settings,
            keys::setting(new.account, new.command.kind, &new.command.name, position),
            settings::encode(self.recorded_at, &new.command),
        );
        for (digest, blob) in &new.blobs {
            self.batch.put(Family::Blobs, digest, blob);
        }
        Place { position, recorded_at: self.recorded_at }
    }

    fn add_outcome(&mut self, row: &OutcomeRow) {
        match *row {
            OutcomeRow::Cursor { endpoint, course, ref value } => {
                self.batch.put(Family::Cursors, keys::cursor(endpoint, course.number()), value);
            }
            OutcomeRow::Decided { endpoint, change, to } => {
                self.batch.put(Family::Cursors, keys::decided(endpoint, change), to.0.to_be_bytes());
            }
            OutcomeRow::Sequence { endpoint, sequence, position, offset } => {
                let value = keys::sequence_value(position, offset);
                self.batch.put(Family::Sequences, keys::sequence(endpoint, sequence), value);
            }
            OutcomeRow::Test { endpoint, number, position, ref value } => {
                self.add_ageing(Family::Attempts, keys::attempt(endpoint, keys::TESTS, 0, number), position, value);
            }
            OutcomeRow::Attempt { endpoint, offset, course, attempt, position, ref value } => {
                let key = keys::attempt(endpoint, offset, course.number(), attempt);
                self.add_ageing(Family::Attempts, key, position, value);
            }
            OutcomeRow::Aside { endpoint, aside, offset, position, ref value } => {
                let key = keys::outcome(endpoint, aside.code(), offset);
                self.add_ageing(Family::Outcomes, key, position, value);
            }
            OutcomeRow::Settled { endpoint, settled, first, last, position } => {
                let key = keys::outcome(endpoint, settled.code(), first);
                self.batch.put(Family::Settled, key, keys::run_value(position, last));
            }
            OutcomeRow::Rollup { endpoint, minute, position, ref value } => {
                self.add_ageing(Family::Rollups, keys::rollup(endpoint, minute), position, value);
            }
            OutcomeRow::NotAside { endpoint, aside, offset } => {
                self.batch.delete(Family::Outcomes, keys::outcome(endpoint, aside.code(), offset));
            }
            OutcomeRow::AnewFrom { endpoint, first } => {
                let mut delete = |family, code| {
                    let key = |offset| keys::outcome(endpoint, code, offset);
                    self.batch.delete_range(family, &key(first), &key(Offset(u64::MAX)));
                };
                Aside::ALL.into_iter().for_each(|aside| delete(Family::Outcomes, aside.code()));
                Settled::ALL.into_iter().for_each(|settled| delete(Family::Settled, settled.code()));
            }
        }
    }

    fn add_ageing(&mut self, family: Family, key: impl AsRef<[u8]>, position: Position, value: &[u8]) {
        self.row.clear();
        self.row.extend_from_slice(&keys::position_value(position));
        self.row.extend_from_slice(value);
        self.batch.put(family, key, &self.row);
    }

    fn add_record(
        &mut self,
        kind: Kind,
        account: AccountId,
        offset: Offset,
        type_number: TypeNumber,
        payload: Bytes,
        commitment: [u8; 32],
    ) -> Position {
        let header = Header {
            kind,
            flags: 0,
            partition: 0,
            type_number,
            account,
            key_id: 0,
            offset,
            recorded_at: self.recorded_at,
            commitment,
            previous: self.end.chain,
        };
        let position = self.end.position.next();
        self.row.clear();
        header.encode(position, &payload, &mut self.row);
        self.batch.put(Family::Records, keys::record(position), &self.row);
        self.end = End { position, chain: header.chain_hash() };
        self.records.push(Record { position, header, payload });
        position
    }

    fn head(&self, account: AccountId) -> AccountHead {
        self.heads.get(&account).copied().unwrap_or_else(|| self.shared.account_head(account))
    }

    fn type_number(&mut self, name: &EventType) -> TypeNumber {
        if let Some(number) = self.shared.type_number(name) {
            return number;
        }
        let known = self.shared.types_count();
        let index = self.new_types.iter().position(|new| new == name).unwrap_or(self.new_types.len());
        let Ok(number) = u16::try_from(known + index + 1) else {
            return TypeNumber(0);
        };
        if index == self.new_types.len() {
            self.new_types.push(name.clone());
            self.batch.put(Family::Types, keys::event_type(TypeNumber(number)), name.as_str());
        }
        TypeNumber(number)
    }
}

impl Request {
    fn ids_to_look_up(&self) -> impl Iterator<Item = [u8; 16]> + '_ {
        let events = match self {
            Self::Events { events, .. } => events.as_slice(),
            Self::Captures { .. }
            | Self::Command { .. }
            | Self::Outcomes { .. }
            | Self::Erase { .. }
            | Self::Erased { .. }
            | Self::Retain { .. }
            | Self::Close { .. } => &[],
        };
        events.iter().filter(|event| event.is_looked_up).map(|event| event.id_hash)
    }

    fn refuse(self, problem: &Error) {
        let problem = problem.clone();
        match self {
            Self::Events { reply, .. } => answer(reply, Err(problem)),
            Self::Command { reply, .. } => answer(reply, Err(problem)),
            Self::Captures { reply, .. }
            | Self::Outcomes { reply, .. }
            | Self::Erase { reply, .. }
            | Self::Erased { reply, .. }
            | Self::Retain { reply, .. }
            | Self::Close { reply } => answer(reply, Err(problem)),
        }
    }
}

/// Somebody who waits for the round to be on disk; the room in the queue is theirs until then.
enum Waiter {
    Events { reply: oneshot::Sender<Result<Outcome, Error>>, outcome: Outcome, _reservation: Reservation },
    Command { reply: oneshot::Sender<Result<Place, Error>>, place: Place },
    Done { reply: oneshot::Sender<Result<(), Error>>, _reservation: Option<Reservation> },
}

impl Waiter {
    fn tell(self, problem: Option<&Error>) {
        let failed = problem.map(|problem| Error::Poisoned { problem: problem.to_string() });
        match self {
            Self::Events { reply, outcome, .. } => answer(reply, failed.map_or(Ok(outcome), Err)),
            Self::Command { reply, place } => answer(reply, failed.map_or(Ok(place), Err)),
            Self::Done { reply, .. } => answer(reply, failed.map_or(Ok(()), Err)),
        }
    }
}

/// Answers a waiter; one that has gone away does not mind.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value));
}

/// Tells everybody where the writer ends by a panic, a bug: nothing is acknowledged any more.
struct PanicGuard(Arc<Shared>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.send_replace(Some(Error::Poisoned { problem: "the writer has panicked".to_owned() }));
        }
    }
}

/// Bytes of a command on disk: as a record, as a row of settings, and what it refers to.
fn bytes_of(new: &NewCommand) -> usize {
    let value = new.command.value.as_ref().map_or(0, |value| value.get().len());
    let blobs: usize = new.blobs.iter().map(|(_, blob)| blob.len()).sum();
    2 * value + blobs + ROW_OVERHEAD_BYTES
}

fn refuse_for_good(queue: &mut mpsc::Receiver<Request>, problem: &Error) {
    queue.close();
    let poisoned = Error::Poisoned { problem: problem.to_string() };
    while let Some(request) = queue.blocking_recv() {
        request.refuse(&poisoned);
    }
}

/// Requests of one round at most. Their bytes are bounded by the queue's budget.
const REQUESTS_MAX: usize = 4_096;
/// What a row costs beside its payload, for the disk's watermark: header, indexes, write-ahead log.
const ROW_OVERHEAD_BYTES: usize = 512;
