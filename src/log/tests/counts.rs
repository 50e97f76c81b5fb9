//! How many events of each type there were: kept across starts and kills.

use super::*;

#[tokio::test]
async fn events_are_counted_by_type_across_starts_and_kills() {
    let directory = tempfile::tempdir().unwrap();
    let counts = |log: &Opened| {
        let counts = log.handle.type_counts();
        let count =
            |(name, count): &(EventType, TypeCount)| (name.to_string(), count.count, count.first_at.0, count.last_at.0);
        counts.iter().map(count).collect::<Vec<_>>()
    };
    let clock = Clock::manual(1_000);
    let mut log = try_open(&options(directory.path()), &clock).unwrap();
    log.append(ACME, &drafts(1, 2)).await;
    clock.advance(Duration::from_millis(500));
    let other = EventDraft { event_type: EventType::parse("call.queued").unwrap(), ..draft("q1", "{}") };
    log.append(OTHER, &[draft("e1", "{}"), other]).await;
    log.append(ACME, &drafts(1, 2)).await;
    let expected = [("call.ended".to_owned(), 3, 1_000, 1_500), ("call.queued".to_owned(), 1, 1_500, 1_500)];
    assert_eq!(counts(&log), expected, "repeats are not counted");
    log.close().await;
    let mut log = try_open(&options(directory.path()), &clock).unwrap();
    assert_eq!(counts(&log), expected, "they are written down at a close");
    log.append(ACME, &drafts(3, 1)).await;
    log.kill();
    let log = try_open(&options(directory.path()), &clock).unwrap();
    assert_eq!(counts(&log)[0].1, 4, "what came since is counted at a start");
    log.close().await;
}
