//! The log as its users see it: a real database in a temporary directory, opened, closed, cut and damaged.

mod counts;
mod offsets;
mod outcomes;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::*;
use crate::model::{CaptureReason, Command, EventId, Kind, Who};
use crate::telemetry::Metrics;

const ACME: AccountId = AccountId(1);
const OTHER: AccountId = AccountId(2);

fn options(directory: &Path) -> Options {
    Options {
        directory: directory.to_owned(),
        durability: Durability::Fsync,
        queue_bytes_max: 1 << 20,
        tail_bytes_max: 1 << 20,
        write_buffer_bytes: 8 << 20,
        cache_bytes: 1 << 20,
        disk_reserve_bytes: 0,
        retention: Retention { max_age: Duration::from_secs(3600), max_bytes: None, hard_max_bytes: None },
    }
}

struct Opened {
    log: Option<Log>,
    handle: Handle,
    clock: Clock,
    random: Random,
}

fn try_open(options: &Options, clock: &Clock) -> Result<Opened, Error> {
    let mut random = Random::from_seed(5);
    let log = Log::open(options, clock.clone(), &mut random, Metrics::new().log)?;
    Ok(Opened { handle: log.handle(), log: Some(log), clock: clock.clone(), random })
}

fn open(directory: &Path) -> Opened {
    try_open(&options(directory), &Clock::manual(1_000_000)).expect("the log opens")
}

impl Opened {
    async fn append(&mut self, account: AccountId, drafts: &[EventDraft]) -> Outcome {
        self.try_append(account, drafts, OnConflict::Refuse).await.expect("the log takes it")
    }

    async fn try_append(
        &mut self,
        account: AccountId,
        drafts: &[EventDraft],
        on_conflict: OnConflict,
    ) -> Result<Outcome, Error> {
        let bytes = drafts.iter().map(|draft| draft.data.len()).sum();
        let reservation = self.handle.reserve(bytes)?;
        let events = drafts.iter().map(|draft| self.handle.prepare(account, draft, &mut self.random)).collect();
        self.handle.append(account, events, on_conflict, reservation).await
    }

    async fn close(mut self) {
        self.log.take().expect("a log is closed once").close().await.expect("the log closes");
    }

    /// What a kill leaves: the writer ends without a word.
    fn kill(mut self) {
        let mut log = self.log.take().expect("a log is closed once");
        drop(self.handle);
        let writer = log.writer.take();
        drop(log);
        writer.expect("the writer runs").join().expect("the writer does not panic");
    }
}

fn draft(id: &str, data: &str) -> EventDraft {
    EventDraft {
        id: EventId::parse(id).expect("tests give good ids"),
        id_is_made: false,
        source_id: None,
        event_type: EventType::parse("call.ended").expect("this is a type"),
        version: 1,
        occurred_at: None,
        received_at: Timestamp(7),
        key: Some("i_1".into()),
        actor: None,
        attributes: Vec::new(),
        data: Bytes::copy_from_slice(data.as_bytes()),
    }
}

fn drafts(from: u64, count: u64) -> Vec<EventDraft> {
    (from..from + count).map(|number| draft(&format!("e{number}"), &format!("{{\"n\":{number}}}"))).collect()
}

fn accepted(offsets: impl IntoIterator<Item = u64>) -> Vec<Appended> {
    offsets.into_iter().map(|offset| Appended::Accepted(Offset(offset))).collect()
}

#[tokio::test]
async fn offsets_are_dense_per_account_and_positions_over_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    assert_eq!(log.append(ACME, &drafts(1, 2)).await.events, accepted([1, 2]));
    assert_eq!(log.append(OTHER, &drafts(1, 1)).await.events, accepted([1]));
    assert_eq!(log.append(ACME, &drafts(3, 1)).await.events, accepted([3]));
    assert_eq!((log.handle.head(), log.handle.account_head(ACME)), (Position(4), Offset(3)));
    let stretch = log.handle.read_account(ACME, Offset(0), 10, 1 << 20).unwrap();
    let offsets: Vec<u64> = stretch.records.iter().map(|record| record.header.offset.0).collect();
    assert_eq!(offsets, [1, 2, 3]);
    let (event_type, event) = log.handle.event(&stretch.records[2]).unwrap();
    assert_eq!((event_type.as_str(), event.id.as_str(), &*event.data), ("call.ended", "e3", "{\"n\":3}"));
    assert_eq!(log.handle.find_event(ACME, "e2").unwrap(), Some(Offset(2)));
    assert_eq!(log.handle.find_event(OTHER, "e2").unwrap(), None);
    let of_key = vec![vec![Set::Key(ACME, log.handle.key_hash(ACME, "i_1"))]];
    let range = Offset(2)..Offset(u64::MAX);
    assert_eq!(offsets::all(&log.handle, &of_key, range, Direction::Up), [2, 3]);
    log.close().await;
}

#[tokio::test]
async fn a_repeat_is_a_duplicate_and_other_content_a_conflict() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    log.append(ACME, &drafts(1, 3)).await;
    let repeat = log.append(ACME, &[draft("e2", "{\"n\":2}"), draft("e4", "{}"), draft("e4", "{}")]).await;
    let expected = [Appended::Duplicate(Offset(2)), Appended::Accepted(Offset(4)), Appended::Duplicate(Offset(4))];
    assert_eq!(repeat.events, expected, "within the log and within the batch");

    let mixed = [draft("e5", "{}"), draft("e1", "{\"n\":99}"), draft("e5", "{\"x\":1}")];
    let refused = log.append(ACME, &mixed).await;
    assert!(refused.is_refused);
    assert_eq!(refused.events[1..], [Appended::Conflict(Offset(1)), Appended::Conflict(Offset(5))]);
    assert_eq!(log.handle.account_head(ACME), Offset(4), "a refused batch leaves nothing");

    let kept = log.try_append(ACME, &mixed, OnConflict::KeepFirst).await.unwrap();
    assert!(!kept.is_refused);
    assert_eq!(
        kept.events,
        [Appended::Accepted(Offset(5)), Appended::Conflict(Offset(1)), Appended::Conflict(Offset(5))]
    );
    log.close().await;
}

#[tokio::test]
async fn rows_are_merged_only_where_the_disk_has_room_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    log.append(ACME, &drafts(1, 500)).await;
    assert!(log.handle.shared.mind_room().unwrap());
    log.close().await;
    let tight = Options { disk_reserve_bytes: u64::MAX / 2, ..options(directory.path()) };
    let log = try_open(&tight, &Clock::manual(1_000_000)).unwrap();
    assert!(!log.handle.shared.mind_room().unwrap());
    let head = log.handle.head();
    log.handle.hold(None);
    let now = Timestamp(1_000_000 + 3 * 3_600_000);
    assert_eq!(log.handle.retain(now).await.unwrap(), head, "what is old goes all the same");
    log.close().await;
    let log = open(directory.path());
    assert!(log.handle.shared.mind_room().unwrap());
    log.close().await;
}

#[tokio::test]
async fn made_ids_are_nobodys_duplicates_but_can_be_found() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    let made = EventDraft { id_is_made: true, ..draft("evt_1", "{}") };
    assert_eq!(log.append(ACME, &[made.clone(), made]).await.events, accepted([1, 2]));
    assert!(log.handle.find_event(ACME, "evt_1").unwrap().is_some());
    log.close().await;
}

#[tokio::test]
async fn everything_is_there_after_a_kill_and_after_a_clean_stop() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    log.append(ACME, &drafts(1, 50)).await;
    log.kill();
    let mut log = open(directory.path());
    assert_eq!(
        log.append(ACME, &drafts(50, 2)).await.events,
        [Appended::Duplicate(Offset(50)), Appended::Accepted(Offset(51))]
    );
    log.close().await;
    let mut log = open(directory.path());
    assert_eq!(log.append(ACME, &drafts(52, 1)).await.events, accepted([52]));
    let all = log.handle.read_account(ACME, Offset(1), 1000, 1 << 20).unwrap().records;
    assert_eq!(all.len(), 52);
    assert!(all.windows(2).all(|pair| pair[1].header.previous == pair[0].header.chain_hash()));
    let verified = log.handle.verify(&mut |_| true).unwrap();
    assert_eq!(
        (verified.records, verified.events, verified.damage.as_slice(), verified.is_complete),
        (52, 52, &[][..], true)
    );
    log.close().await;
}

#[tokio::test]
async fn time_in_the_log_never_goes_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = try_open(&options(directory.path()), &Clock::manual(5_000)).unwrap();
    log.append(ACME, &drafts(1, 1)).await;
    log.clock.advance(Duration::from_secs(1));
    log.append(ACME, &drafts(2, 1)).await;
    log.close().await;
    let mut log = try_open(&options(directory.path()), &Clock::manual(1_000)).unwrap();
    log.append(ACME, &drafts(3, 1)).await;
    let records = log.handle.read_account(ACME, Offset(1), 10, 1 << 20).unwrap().records;
    let times: Vec<i64> = records.iter().map(|record| record.header.recorded_at.0).collect();
    assert_eq!(times, [5_000, 6_000, 6_000]);
    for (instant, offset) in [(0, 1), (5_000, 1), (5_001, 2), (6_000, 2), (6_001, 4)] {
        assert_eq!(log.handle.offset_at(ACME, Timestamp(instant)).unwrap(), Offset(offset), "{instant}");
    }
    log.close().await;
}

#[tokio::test]
async fn readers_of_the_past_and_of_the_tail_see_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let small_tail = Options { tail_bytes_max: 2_000, ..options(directory.path()) };
    let mut log = try_open(&small_tail, &Clock::manual(1)).unwrap();
    for number in 0..20 {
        log.append(ACME, &drafts(number * 10, 10)).await;
        log.append(OTHER, &drafts(number * 10, 3)).await;
    }
    let mut from = Position(1);
    let mut positions = Vec::new();
    loop {
        let records = log.handle.read(from, 1_500).unwrap();
        let Some(last) = records.last() else { break };
        from = last.position.next();
        positions.extend(records.iter().map(|record| record.position.0));
    }
    assert_eq!(positions, (1..=260).collect::<Vec<u64>>());
    let mut offsets = Vec::new();
    while let Some(last) = {
        let next = Offset(offsets.last().copied().unwrap_or(0) + 1);
        let records = log.handle.read_account(OTHER, next, 7, 1 << 20).unwrap().records;
        offsets.extend(records.iter().map(|record| record.header.offset.0));
        records.last().cloned()
    } {
        assert_eq!(last.header.account, OTHER);
    }
    assert_eq!(offsets, (1..=60).collect::<Vec<u64>>());
    let back = log.handle.index_back(ACME, Offset(150), 3).unwrap();
    assert_eq!(back.iter().map(|row| row.offset.0).collect::<Vec<_>>(), [150, 149, 148]);
    log.close().await;
}

#[tokio::test]
async fn followers_are_woken_after_the_disk_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    let mut head = log.handle.follow();
    assert_eq!(*head.borrow_and_update(), Position(0));
    log.append(ACME, &drafts(1, 5)).await;
    head.changed().await.unwrap();
    assert_eq!(*head.borrow_and_update(), Position(5));
    log.close().await;
}

#[tokio::test]
async fn settings_keep_every_revision() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut places = Vec::new();
    for (name, value) in [("crm", "1"), ("bi", "2"), ("crm", "3")] {
        let value = RawValue::from_string(value.to_owned()).unwrap();
        let command = Command {
            version: 1,
            kind: SettingKind::Endpoint,
            name: name.to_owned(),
            by: Who::Operator,
            value: Some(value),
        };
        let new = NewCommand { account: ACME, command, blobs: vec![([9; 32], Bytes::from_static(b"blob"))] };
        places.push(log.handle.append_command(new, [0; 16]).await.unwrap());
    }
    let value = |row: &SettingRow| {
        let command: Command = serde_json::from_slice(&row.command).unwrap();
        command.value.unwrap().get().to_owned()
    };
    let newest = log.handle.settings().unwrap();
    let seen: Vec<(String, String)> = newest.iter().map(|row| (row.name.clone(), value(row))).collect();
    assert_eq!(seen, [("bi".to_owned(), "2".to_owned()), ("crm".to_owned(), "3".to_owned())]);
    let history = log.handle.setting_history(ACME, SettingKind::Endpoint, "crm", 10).unwrap();
    assert_eq!(history.iter().map(value).collect::<Vec<_>>(), ["3", "1"]);
    let as_of = |position| log.handle.setting_as_of(ACME, SettingKind::Endpoint, "crm", position).unwrap();
    assert_eq!(as_of(places[1].position).as_ref().map(value).as_deref(), Some("1"));
    assert_eq!(as_of(Position(0)), None);
    assert_eq!(log.handle.setting_as_of(OTHER, SettingKind::Endpoint, "crm", Position(9)).unwrap(), None);
    assert_eq!(log.handle.blob(&[9; 32]).unwrap().as_deref(), Some(&b"blob"[..]));
    log.close().await;
}

#[tokio::test]
async fn captures_are_listed_without_a_walk_and_erased_when_they_are_old() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    let capture = |body: &'static [u8]| Capture {
        reason: CaptureReason::NoType,
        detail: "nothing at /type".into(),
        path: "/hooks".into(),
        headers: Vec::new(),
        body: Bytes::from_static(body),
    };
    for body in [b"a secret of last week", b"another of last week!"] {
        let reservation = log.handle.reserve(10).unwrap();
        let one = vec![(AccountId::SYSTEM, capture(body))];
        log.handle.append_captures(one, &mut log.random, reservation).await.unwrap();
        log.append(ACME, &drafts(log.handle.head().0, 3)).await;
    }
    log.clock.advance(Duration::from_secs(100));
    let reservation = log.handle.reserve(10).unwrap();
    log.handle
        .append_captures(vec![(AccountId::SYSTEM, capture(b"of today"))], &mut log.random, reservation)
        .await
        .unwrap();
    let (ever, now) = (Timestamp(0), Timestamp(log.clock.wall_ms()));
    let listed = |records: Vec<Record>| records.iter().map(|record| record.position.0).collect::<Vec<_>>();
    assert_eq!(listed(log.handle.captures(Position(1), ever, 9).unwrap()), [1, 5, 9]);
    assert_eq!(listed(log.handle.captures(Position(2), ever, 1).unwrap()), [5]);
    assert_eq!(listed(log.handle.captures_back(Position(8), ever, 9).unwrap()), [5, 1]);
    assert_eq!(listed(log.handle.captures_back(Position(99), now, 9).unwrap()), [9], "what is too old is hidden");

    assert_eq!(log.handle.expire_captures(now).await.unwrap(), 2);
    assert_eq!(log.handle.expire_captures(now).await.unwrap(), 0);
    let check = |handle: &Handle| {
        assert_eq!(listed(handle.captures(Position(1), ever, 9).unwrap()), [9]);
        let erased = handle.record(Position(5)).unwrap().unwrap();
        assert!(erased.header.is_erased() && erased.payload.is_empty());
        assert!(handle.verify(&mut |_| true).unwrap().damage.is_empty(), "place, chain and counts stay");
        assert_eq!(handle.read(Position(1), 1 << 20).unwrap().len(), 9);
    };
    check(&log.handle);
    log.close().await;
    // Nothing of it is left in any file.
    for file in std::fs::read_dir(directory.path().join("log")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(14).any(|window| window == b"secret of last"), "the payload is off the disk");
    }
    let log = open(directory.path());
    check(&log.handle);
    log.close().await;
}

#[tokio::test]
async fn age_takes_events_and_leaves_offsets_ids_and_settings_right() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    log.append(ACME, &drafts(1, 10)).await;
    log.append(OTHER, &drafts(1, 5)).await;
    log.clock.advance(Duration::from_secs(3000));
    log.append(ACME, &drafts(11, 10)).await;
    log.handle.hold(Some(Position(2)));
    log.clock.advance(Duration::from_secs(1000));
    let now = Timestamp(log.clock.wall_ms());
    assert_eq!(log.handle.retain(now).await.unwrap(), Position(16), "age is a promise: nobody holds it up");

    let check = |handle: &Handle| {
        assert_eq!(handle.oldest_offset(ACME).unwrap(), Offset(11));
        assert_eq!(handle.oldest_offset(OTHER).unwrap(), Offset(6));
        let stretch = handle.read_account(ACME, Offset(1), 100, 1 << 20).unwrap();
        assert_eq!((stretch.oldest, stretch.records.len()), (Offset(11), 10));
        assert_eq!(handle.find_event(ACME, "e5").unwrap(), None);
        let of_key = vec![vec![Set::Key(ACME, handle.key_hash(ACME, "i_1"))]];
        assert_eq!(offsets::all(handle, &of_key, Offset(11)..Offset(100), Direction::Down).len(), 10);
        assert_eq!(handle.record(Position(15)).unwrap(), None);
        assert_eq!(
            handle.read(Position(1), 1 << 20).unwrap().first().map(|record| record.position),
            Some(Position(16))
        );
    };
    check(&log.handle);
    log.kill();
    let mut log = open(directory.path());
    check(&log.handle);
    assert_eq!(log.append(OTHER, &drafts(1, 1)).await.events, accepted([6]), "offsets are never used twice");
    assert!(log.handle.verify(&mut |_| true).unwrap().damage.is_empty());
    log.clock.advance(Duration::from_secs(100_000));
    let now = Timestamp(log.clock.wall_ms());
    assert_eq!(log.handle.retain(now).await.unwrap(), log.handle.head(), "the newest record always stays");
    log.close().await;
}

#[tokio::test]
async fn bytes_take_the_oldest_files_unless_somebody_needs_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = options(directory.path());
    opened.retention =
        Retention { max_age: Duration::from_secs(1 << 30), max_bytes: Some(60_000), hard_max_bytes: None };
    let fill = async |opened: &Options, from: u64| {
        let mut log = try_open(opened, &Clock::manual(1)).unwrap();
        let filler: String =
            Random::from_seed(from).bytes::<4000>().iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        for number in from..from + 20 {
            log.append(ACME, &[draft(&format!("e{number}"), &format!("{{\"f\":\"{filler}\"}}"))]).await;
        }
        log.close().await; // Writes a file.
    };
    for round in 0..4 {
        fill(&opened, round * 20).await;
    }
    let log = try_open(&opened, &Clock::manual(1)).unwrap();
    log.handle.hold(Some(Position(5)));
    assert_eq!(log.handle.retain(Timestamp(1)).await.unwrap(), Position(5), "undelivered events are waited for");
    log.handle.hold(None);
    let oldest = log.handle.retain(Timestamp(1)).await.unwrap();
    assert!(oldest > Position(20), "{oldest}");
    log.close().await;
    opened.retention.max_bytes = None;
    opened.retention.hard_max_bytes = Some(30_000);
    let log = try_open(&opened, &Clock::manual(1)).unwrap();
    log.handle.hold(Some(oldest));
    assert!(log.handle.retain(Timestamp(1)).await.unwrap() > oldest, "the hard cap waits for nobody");
    log.close().await;
}

#[tokio::test]
async fn a_full_queue_and_a_full_disk_refuse_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut full = options(directory.path());
    full.queue_bytes_max = 100;
    let log = try_open(&full, &Clock::manual(1)).unwrap();
    let held = log.handle.reserve(60).unwrap();
    assert_eq!(log.handle.reserve(60).err(), Some(Error::QueueFull { asked_bytes: 60, limit_bytes: 100 }));
    drop(held);
    assert!(log.handle.reserve(60).is_ok());
    log.close().await;

    full.queue_bytes_max = 1 << 20;
    full.disk_reserve_bytes = u64::MAX;
    let mut log = try_open(&full, &Clock::manual(1)).unwrap();
    let refused = log.try_append(ACME, &drafts(1, 1), OnConflict::Refuse).await;
    assert!(matches!(refused, Err(Error::DiskFull { .. })), "{refused:?}");
    assert_eq!(log.handle.head(), Position(0));
    log.close().await;
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let second = try_open(&options(directory.path()), &Clock::manual(1)).err();
    assert_eq!(second, Some(Error::Locked { directory: directory.path().to_owned() }));
    log.close().await;
}

/// Cuts the newest records off the write-ahead log, as a lying disk would.
fn lose_the_end(directory: &Path, bytes: u64) {
    let mut logs: Vec<_> = std::fs::read_dir(directory.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    let newest = OpenOptions::new().write(true).open(logs.last().unwrap()).unwrap();
    let length = newest.metadata().unwrap().len();
    newest.set_len(length.saturating_sub(bytes)).unwrap();
}

#[tokio::test]
async fn lost_records_refuse_a_start_and_a_repair_names_the_hole() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    for number in 1..=10 {
        log.append(ACME, &drafts(number, 1)).await;
    }
    log.kill();
    lose_the_end(directory.path(), 1_500);
    let refused = try_open(&options(directory.path()), &Clock::manual(1)).err();
    let Some(Error::LostRecords { acknowledged, found }) = refused else { panic!("{refused:?}") };
    assert_eq!(acknowledged, Position(10));
    assert!(found < acknowledged && found > Position(0), "{found}");

    let copy = directory.path().join("copy");
    let repair = Repair::copy(&options(directory.path()), &copy);
    assert!(repair.is_err(), "a copy into itself would never end");
    let target = tempfile::tempdir().unwrap();
    let copy = target.path().join("copy");
    let repair = Repair::copy(&options(directory.path()), &copy).unwrap();
    assert_eq!(repair.findings(), Findings { end: found, acknowledged, lost: acknowledged.0 - found.0 });
    repair.apply(Timestamp(2_000_000), &mut Random::from_seed(1)).unwrap();
    assert!(try_open(&options(directory.path()), &Clock::manual(1)).is_err(), "the original is not touched");

    let mut log = open(&copy);
    let next = log.append(ACME, &drafts(100, 1)).await.events[0].offset();
    assert_eq!(next, acknowledged_offset(), "no offset is used twice, whoever's the lost ones were");
    assert_eq!(log.handle.head(), Position(12), "the cut stands at 11");
    let kept = log.handle.read_account(ACME, Offset(1), 100, 1 << 20).unwrap().records;
    assert_eq!(kept.len() as u64, found.0 + 1);
    let verified = log.handle.verify(&mut |_| true).unwrap();
    assert_eq!(verified.damage, []);
    log.close().await;
}

const fn acknowledged_offset() -> Offset {
    Offset(11)
}

#[tokio::test]
async fn under_os_durability_a_start_goes_on_behind_a_cut() {
    let directory = tempfile::tempdir().unwrap();
    let os = Options { durability: Durability::Os, ..options(directory.path()) };
    let mut log = try_open(&os, &Clock::manual(1)).unwrap();
    for number in 1..=10 {
        log.append(ACME, &drafts(number, 1)).await;
    }
    log.kill();
    lose_the_end(directory.path(), 1_500);
    let mut log = try_open(&os, &Clock::manual(1)).unwrap();
    assert_eq!(log.handle.head(), Position(11));
    assert_eq!(log.append(ACME, &drafts(50, 1)).await.events, accepted([11]));
    assert_eq!(log.handle.verify(&mut |_| true).unwrap().damage, []);
    log.close().await;
}

#[tokio::test]
async fn a_hole_behind_a_cut_hides_nothing_that_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let os = Options { durability: Durability::Os, ..options(directory.path()) };
    let clock = Clock::manual(1_000_000);
    let mut log = try_open(&os, &clock).unwrap();
    // Ten that survive, and a hole that is much larger than they are.
    for number in 1..=200 {
        log.append(ACME, &drafts(number, 1)).await;
        if number == 10 {
            log.handle.write_outcomes(&Arc::default(), true).await.unwrap();
        }
    }
    let bytes = {
        let mut files = std::fs::read_dir(directory.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
        let newest = files.find(|path| path.extension().is_some_and(|extension| extension == "log")).unwrap();
        std::fs::metadata(newest).unwrap().len()
    };
    log.kill();
    lose_the_end(directory.path(), bytes * 9 / 10);
    let mut log = try_open(&os, &clock).unwrap();
    let head = log.handle.account_head(ACME);
    let kept = log.handle.read_account(ACME, Offset(1), 1_000, 1 << 20).unwrap();
    let last = kept.records.last().unwrap().header.offset;
    assert!(last.0 > 5 && last.0 < 50 && head.0 >= 200, "{last} of {head}");

    // Nothing is old yet, so nothing goes, wherever a search may look first.
    let now = Timestamp(log.clock.wall_ms());
    assert_eq!(log.handle.retain(now).await.unwrap(), Position(1));
    assert_eq!(log.handle.offset_at(ACME, Timestamp(0)).unwrap(), Offset(1));
    assert_eq!(log.handle.offset_at(ACME, Timestamp(i64::MAX)).unwrap(), head.next());
    let next = log.append(ACME, &drafts(500, 1)).await.events[0].offset();
    assert_eq!(next, head.next());
    assert_eq!(log.handle.offset_at(ACME, Timestamp(1_000_001)).unwrap(), next.next(), "all are of one moment");

    // Later all but the newest is old, the hole with it.
    log.clock.advance(Duration::from_secs(100_000));
    log.append(ACME, &drafts(501, 1)).await;
    let now = Timestamp(log.clock.wall_ms());
    log.handle.retain(now).await.unwrap();
    assert_eq!(log.handle.oldest_offset(ACME).unwrap(), next.next());
    assert_eq!(log.append(OTHER, &drafts(1, 1)).await.events, accepted([1]));
    log.close().await;
}

#[tokio::test]
async fn another_log_behind_the_side_file_is_refused() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for directory in [one.path(), other.path()] {
        let mut log = open(directory);
        let seed = u64::from(directory == one.path());
        log.random = Random::from_seed(seed);
        log.append(ACME, &drafts(1, 5)).await;
        log.close().await;
    }
    std::fs::copy(one.path().join("acknowledged"), other.path().join("acknowledged")).unwrap();
    let refused = try_open(&options(other.path()), &Clock::manual(1)).err();
    assert_eq!(refused, Some(Error::OtherLog { at: Position(5) }));
}

#[tokio::test]
async fn verify_finds_a_changed_byte() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    log.append(ACME, &drafts(1, 50)).await;
    log.close().await;
    // The store's own checksums guard its files, so the damage is done through the store itself.
    let store = store::Store::open(&options(directory.path()), store::Recovery::Strict).unwrap();
    let key = keys::record(Position(20));
    let mut row = store.get(keys::Family::Records, &key).unwrap().unwrap().to_vec();
    *row.last_mut().unwrap() ^= 1;
    let mut batch = store.batch();
    batch.put(keys::Family::Records, key, row);
    store.write(batch, true).unwrap();
    drop(store);
    let log = open(directory.path());
    let verified = log.handle.verify(&mut |_| true).unwrap();
    assert_eq!(verified.damage.first().map(|damage| damage.position), Some(Position(20)), "{:?}", verified.damage);
    assert!(matches!(log.handle.record(Position(20)), Err(Error::Corrupt { .. })));
    log.close().await;
}

#[tokio::test]
async fn a_damaged_write_ahead_log_is_refused_and_repaired_up_to_the_damage() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    for number in 1..=10 {
        log.append(ACME, &drafts(number, 1)).await;
    }
    log.kill();
    let wal = std::fs::read_dir(directory.path().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "log"))
        .unwrap();
    let file = OpenOptions::new().write(true).open(&wal).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    file.write_all_at(&[0xAA; 64], middle).unwrap();
    let refused = try_open(&options(directory.path()), &Clock::manual(1)).err();
    assert!(matches!(&refused, Some(Error::Store { .. })), "{refused:?}");
    let target = tempfile::tempdir().unwrap();
    let copy = target.path().join("copy");
    let repair = Repair::copy(&options(directory.path()), &copy).unwrap();
    let findings = repair.findings();
    assert!(findings.lost > 0 && findings.end > Position(0), "{findings:?}");
    repair.apply(Timestamp(2_000_000), &mut Random::from_seed(1)).unwrap();
    let log = open(&copy);
    assert_eq!(log.handle.verify(&mut |_| true).unwrap().damage, []);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_batches_and_keep_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16_u32 {
        let handle = log.handle.clone();
        writers.spawn(async move {
            let account = AccountId(1 + writer % 4);
            let mut random = Random::from_seed(u64::from(writer));
            let mut last = Offset(0);
            for number in 0..100 {
                let draft = draft(&format!("w{writer}-{number}"), "{}");
                let event = handle.prepare(account, &draft, &mut random);
                let room = handle.reserve(100).unwrap();
                let outcome = handle.append(account, vec![event], OnConflict::Refuse, room).await.unwrap();
                let offset = outcome.events[0].offset();
                assert!(offset > last, "one sender's events keep their order");
                last = offset;
            }
        });
    }
    writers.join_all().await;
    for account in 1..=4 {
        assert_eq!(log.handle.account_head(AccountId(account)), Offset(400));
    }
    assert_eq!(log.handle.verify(&mut |_| true).unwrap().damage, []);
    log.close().await;
}
