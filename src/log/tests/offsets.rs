//! Walks over offsets: what they find is what a look at every event would find, in the same order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Walks to the end.
pub(super) fn all(handle: &Handle, groups: &[Vec<Set>], range: Range<Offset>, direction: Direction) -> Vec<u64> {
    let mut walk = handle.offsets(groups.to_vec(), range, direction, usize::MAX);
    let mut found = Vec::new();
    while let Some(offset) = walk.next_offset().unwrap() {
        found.push(offset.0);
    }
    found
}

/// A log with events of three types and four keys of two accounts, in no order, and how each was settled.
struct World {
    log: Opened,
    events: Vec<(AccountId, usize, usize)>,
    settled: Vec<Settled>,
}

const TYPES: [&str; 3] = ["call.ended", "call.presented", "agent.login"];
const ENDPOINT: EndpointId = EndpointId(7);

impl World {
    async fn make(directory: &Path, events: Vec<(bool, usize, usize)>, kinds: &[usize]) -> Self {
        let mut log = open(directory);
        let mut made = Vec::new();
        for (index, (is_other, kind, key)) in events.into_iter().enumerate() {
            let account = if is_other { OTHER } else { ACME };
            let event_type = EventType::parse(TYPES[kind]).unwrap();
            let draft =
                EventDraft { event_type, key: Some(key.to_string().into()), ..draft(&format!("e{index}"), "{}") };
            log.append(account, &[draft]).await;
            made.push((account, kind, key));
        }
        let count = made.iter().filter(|(account, ..)| *account == ACME).count();
        let settled: Vec<_> = (0..count).map(|index| Settled::ALL[kinds[index % kinds.len()]]).collect();
        let mut rows: Vec<OutcomeRow> = Vec::new();
        for (offset, settled) in (1..).map(Offset).zip(&settled) {
            match rows.last_mut() {
                Some(OutcomeRow::Settled { settled: before, last, .. }) if before == settled => *last = offset,
                _ => rows.push(OutcomeRow::Settled {
                    endpoint: ENDPOINT,
                    settled: *settled,
                    first: offset,
                    last: offset,
                    position: Position(u64::MAX),
                }),
            }
        }
        log.handle.write_outcomes(&Arc::new(rows), true).await.unwrap();
        Self { log, events: made, settled }
    }

    /// The offsets of the first account's events that are as wanted, looked at one by one.
    fn expected(&self, is_wanted: impl Fn(usize, usize, Settled) -> bool) -> BTreeSet<u64> {
        let of_account = self.events.iter().filter(|(account, ..)| *account == ACME).zip(&self.settled);
        let numbered = (1..).zip(of_account);
        let wanted = numbered.filter(|(_, ((_, kind, key), settled))| is_wanted(*kind, *key, **settled));
        wanted.map(|(offset, _)| offset).collect()
    }

    fn of_type(&self, kind: usize) -> Vec<Set> {
        let numbers = self.log.handle.types(|name| name.as_str() == TYPES[kind]);
        numbers.into_iter().map(|number| Set::Type(ACME, number)).collect()
    }

    fn check(&self, groups: &[Vec<Set>], range: Range<u64>, expected: &BTreeSet<u64>) {
        let bounds = Offset(range.start)..Offset(range.end);
        let expected: Vec<u64> = expected.iter().copied().filter(|offset| range.contains(offset)).collect();
        assert_eq!(all(&self.log.handle, groups, bounds.clone(), Direction::Up), expected, "{groups:?} {range:?}");
        let mut back = all(&self.log.handle, groups, bounds.clone(), Direction::Down);
        back.reverse();
        assert_eq!(back, expected, "{groups:?} {range:?} from its end");
        // In pieces: a tired walk goes on where it stopped, and misses nothing.
        for direction in [Direction::Up, Direction::Down] {
            let (mut left, mut found) = (bounds.clone(), Vec::new());
            loop {
                let mut walk = self.log.handle.offsets(groups.to_vec(), left.clone(), direction, 2);
                while let Some(offset) = walk.next_offset().unwrap() {
                    found.push(offset.0);
                }
                if !walk.is_tired() {
                    break;
                }
                match direction {
                    Direction::Up => left.start = walk.passed().next(),
                    Direction::Down => left.end = walk.passed(),
                }
            }
            found.sort_unstable();
            assert_eq!(found, expected, "{groups:?} {range:?} in pieces, {direction:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn walks_find_what_a_look_at_every_event_finds(
        events in prop::collection::vec((prop::bool::weighted(0.3), 0..3_usize, 0..4_usize), 1..60),
        kinds in prop::collection::vec(0..Settled::ALL.len(), 1..12),
        listed in prop::collection::btree_set(1..60_u64, 0..8),
        (from, length) in (0..20_u64, 0..70_u64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let world = runtime.block_on(World::make(directory.path(), events, &kinds));
        let range = from..from + length;
        let key = |key: usize| vec![Set::Key(ACME, world.log.handle.key_hash(ACME, &key.to_string()))];
        let settled = |kinds: &[Settled]| kinds.iter().map(|kind| Set::Settled(ENDPOINT, *kind)).collect::<Vec<_>>();
        let is_listed = |offset: &u64| listed.contains(offset);
        world.check(&[vec![Set::All(ACME)]], range.clone(), &world.expected(|_, _, _| true));
        world.check(&[world.of_type(0)], range.clone(), &world.expected(|kind, _, _| kind == 0));
        let calls = [world.of_type(0), world.of_type(1)].concat();
        world.check(std::slice::from_ref(&calls), range.clone(), &world.expected(|kind, _, _| kind < 2));
        world.check(&[key(1)], range.clone(), &world.expected(|_, key, _| key == 1));
        world.check(&[key(2), calls], range.clone(), &world.expected(|kind, key, _| key == 2 && kind < 2));
        let [delivered, _, _, skipped] = Settled::ALL;
        world.check(&[settled(&[skipped])], range.clone(), &world.expected(|_, _, how| how == skipped));
        let ended = settled(&[skipped, delivered]);
        let is_either = |_, _, how| [skipped, delivered].contains(&how);
        world.check(std::slice::from_ref(&ended), range.clone(), &world.expected(is_either));
        let both = |kind, _, how| kind == 2 && [skipped, delivered].contains(&how);
        world.check(&[ended, world.of_type(2)], range.clone(), &world.expected(both));
        let spans: Vec<_> = listed.iter().map(|offset| (Offset(*offset), Offset(*offset))).collect();
        let among: BTreeSet<u64> = world.expected(|kind, _, _| kind == 1).into_iter().filter(is_listed).collect();
        world.check(&[world.of_type(1), vec![Set::Listed(spans)]], range, &among);
        runtime.block_on(world.log.close());
    }
}

#[tokio::test]
async fn events_are_found_by_the_field_that_tells_their_key_since_a_start_that_knew_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let keyed = |id: &str, event_type: &str, data: &str| EventDraft {
        event_type: EventType::parse(event_type).unwrap(),
        ..draft(id, data)
    };
    let events = |from: u64| {
        [
            keyed(&format!("a{from}"), "call.ended", r#"{"interaction":{"id":"i_1"}}"#),
            keyed(&format!("b{from}"), "call.ended", r#"{"agent":{"id":"i_1"},"interaction":{"id":"x"}}"#),
            keyed(&format!("c{from}"), "agent.login", r#"{"agent":{"id":"i_1"},"interaction":{"id":"i_1"}}"#),
            keyed(&format!("d{from}"), "call.ended", "{}"),
        ]
    };
    let found = |log: &Opened, field, event_type: &str| {
        let hash = log.handle.told_key_hash(ACME, field, &EventType::parse(event_type).unwrap(), "i_1");
        all(&log.handle, &[vec![Set::Key(ACME, hash)]], Offset(1)..Offset(99), Direction::Up)
    };
    let mut log = open(directory.path());
    log.append(ACME, &events(1)).await;
    log.append(OTHER, &events(1)).await;
    assert_eq!(found(&log, KeyField::Interaction, "call.ended"), [1]);
    assert_eq!(found(&log, KeyField::Agent, "call.ended"), [2]);
    assert_eq!(found(&log, KeyField::Interaction, "agent.login"), [3]);
    assert_eq!(found(&log, KeyField::Agent, "agent.login"), [3]);
    assert_eq!(found(&log, KeyField::Agent, "call.presented"), [] as [u64; 0]);
    let by_key = vec![vec![Set::Key(ACME, log.handle.key_hash(ACME, "i_1"))]];
    assert_eq!(all(&log.handle, &by_key, Offset(1)..Offset(99), Direction::Down), [4, 3, 2, 1]);
    assert_eq!(log.handle.told_from(ACME).unwrap(), Offset(1));

    // As one finds a log that an older program has written, or written to in between.
    for (known, expected) in [(None, Offset(5)), (Some(Position(11)), Offset(9))] {
        let store = &log.handle.shared.store;
        let mut batch = store.batch();
        match known {
            None => batch.delete(keys::Family::Meta, keys::meta::TOLD_TO),
            Some(to) => batch.put(keys::Family::Meta, keys::meta::TOLD_TO, keys::position_value(to)),
        }
        store.write(batch, true).unwrap();
        log.kill();
        log = open(directory.path());
        assert_eq!(log.handle.told_from(ACME).unwrap(), expected);
        log.append(ACME, &events(expected.0)).await;
        log.kill();
        log = open(directory.path());
        assert_eq!((log.handle.told_from(ACME).unwrap(), log.handle.told_from(OTHER).unwrap()), (expected, Offset(5)));
        assert!(found(&log, KeyField::Agent, "call.ended").contains(&(expected.0 + 1)));
    }
    log.close().await;
}

#[tokio::test]
async fn what_an_older_program_did_not_index_by_type_is_found_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    log.append(ACME, &drafts(1, 30)).await;
    log.append(OTHER, &drafts(1, 3)).await;
    let number = log.handle.types(|name| name.as_str() == "call.ended")[0];
    let lose = |log: &Opened, from: u64| {
        let store = &log.handle.shared.store;
        let mut batch = store.batch();
        let key = |offset| keys::by_type(ACME, number, Offset(offset));
        batch.delete_range(keys::Family::ByType, &key(from), &key(u64::MAX));
        // As one finds it that an older program has appended to.
        batch.delete(keys::Family::Meta, keys::meta::BY_TYPE_TO);
        store.write(batch, true).unwrap();
        assert_eq!(
            all(&log.handle, &[vec![Set::Type(ACME, number)]], Offset(1)..Offset(99), Direction::Up).len(),
            usize::try_from(from - 1).unwrap()
        );
    };
    for from in [1, 12, 30] {
        lose(&log, from);
        log.kill();
        log = open(directory.path());
        let found = all(&log.handle, &[vec![Set::Type(ACME, number)]], Offset(1)..Offset(99), Direction::Up);
        assert_eq!(found, (1..=30).collect::<Vec<_>>(), "without those from {from} on");
    }
    log.close().await;
}
