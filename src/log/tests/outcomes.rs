//! Captures, and the rows that say how delivery goes: written in one batch, read back after a kill.

use super::*;

#[tokio::test]
async fn captures_and_outcomes_are_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    let capture = Capture {
        reason: CaptureReason::NoType,
        detail: "nothing at /type".into(),
        path: "/hooks".into(),
        headers: Vec::new(),
        body: Bytes::from_static(b"{}"),
    };
    let reservation = log.handle.reserve(10).unwrap();
    log.handle.append_captures(vec![(AccountId::SYSTEM, capture.clone())], &mut log.random, reservation).await.unwrap();
    let record = log.handle.record(Position(1)).unwrap().unwrap();
    assert_eq!(record.header.kind, Kind::Capture);
    assert_eq!(Capture::decode(record.payload), Ok(capture));

    let endpoint = EndpointId(3);
    let value = Bytes::from_static(b"what happened");
    let attempt = OutcomeRow::Attempt {
        endpoint,
        offset: Offset(4),
        course: Course::Replay(8),
        attempt: Attempt(2),
        position: Position(1),
        value: value.clone(),
    };
    let sequence = OutcomeRow::Sequence { endpoint, sequence: Sequence(6), position: Position(1), offset: Offset(4) };
    let cursor = OutcomeRow::Cursor { endpoint, course: Course::Live, value: value.clone() };
    let decided = |change, to| OutcomeRow::Decided { endpoint, change: Position(change), to: Offset(to) };
    let other = OutcomeRow::Decided { endpoint: EndpointId(4), change: Position(1), to: Offset(1) };
    let rows = vec![attempt, sequence, cursor, decided(7, 4), decided(300, 9), other];
    log.handle.write_outcomes(&Arc::new(rows), true).await.unwrap();
    log.kill();
    let log = open(directory.path());
    assert_eq!(log.handle.cursor(endpoint, Course::Live).unwrap(), Some(value.clone()));
    assert_eq!(log.handle.cursor(endpoint, Course::Replay(1)).unwrap(), None);
    let expected = [(Position(7), Offset(4)), (Position(300), Offset(9))];
    assert_eq!(log.handle.decided(endpoint).unwrap(), expected);
    assert_eq!(log.handle.sequences(endpoint, Sequence(1), 9).unwrap(), [(Sequence(6), Position(1), Offset(4))]);
    assert_eq!(log.handle.attempts(endpoint, Offset(4), 9).unwrap(), [(Course::Replay(8), Attempt(2), value)]);
    assert_eq!(log.handle.attempts(endpoint, Offset(5), 9).unwrap(), []);
    log.close().await;
}

#[tokio::test]
async fn what_became_of_an_event_is_listed_by_what_it_was_until_it_is_that_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let endpoint = EndpointId(3);
    let row = |endpoint, aside, offset| OutcomeRow::Aside {
        endpoint,
        aside,
        offset: Offset(offset),
        position: Position(offset + 100),
        value: Bytes::from(offset.to_string()),
    };
    let mut rows: Vec<OutcomeRow> = (1..=9).map(|offset| row(endpoint, Aside::DeadLetter, offset)).collect();
    rows.extend([row(endpoint, Aside::Parked, 4), row(EndpointId(4), Aside::DeadLetter, 5)]);
    rows.push(OutcomeRow::NotAside { endpoint, aside: Aside::DeadLetter, offset: Offset(6) });
    log.handle.write_outcomes(&Arc::new(rows), true).await.unwrap();
    log.kill();
    let log = open(directory.path());
    let listed = |aside, offsets: Range<u64>, limit| -> Vec<u64> {
        let rows = log.handle.asides(endpoint, aside, Offset(offsets.start)..Offset(offsets.end), limit).unwrap();
        for row in &rows {
            assert_eq!(
                (row.position, &row.value[..]),
                (Position(row.offset.0 + 100), row.offset.to_string().as_bytes())
            );
        }
        rows.into_iter().map(|row| row.offset.0).collect()
    };
    assert_eq!(listed(Aside::DeadLetter, 2..8, 10), [2, 3, 4, 5, 7]);
    assert_eq!(listed(Aside::DeadLetter, 0..u64::MAX, 3), [1, 2, 3]);
    assert_eq!(listed(Aside::Parked, 0..u64::MAX, 10), [4]);
    assert_eq!(listed(Aside::Expired, 0..u64::MAX, 10), [0; 0]);
    let one = |offset| log.handle.aside(endpoint, Offset(offset)).unwrap().map(|(aside, row)| (aside, row.offset.0));
    assert_eq!((one(9), one(4), one(6)), (Some((Aside::DeadLetter, 9)), Some((Aside::Parked, 4)), None));
    log.close().await;
}
