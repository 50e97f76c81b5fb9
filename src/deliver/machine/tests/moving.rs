//! A person moves the endpoint, one rule at a time.

use super::super::{Cause, Move, Outlook, Tally, Target};
use super::*;

fn skip(number: u64, to: u64) -> Input {
    Input::Move(Move { number, target: Target::Past(Offset(to)), who: "user:1".into() })
}

fn rows(rig: &Rig) -> Vec<(Aside, u64, u64)> {
    rig.asides.iter().map(|((aside, offset), row)| (*aside, *offset, row.first.0)).collect()
}

#[test]
fn everything_up_to_an_offset_is_passed_over_and_told() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    // One parked, one in its lane, one filtered between, and more in the log.
    rig.offer(&[decided(Outcome::Pass), passes(1), decided(Outcome::Filtered(FilteredBy::Chain)), passes(1)]);
    rig.sent();
    rig.end(8, REFUSED);
    rig.end(9, REFUSED);
    rig.tell(Input::Paused);
    rig.tell(Input::Head(Offset(20)));
    rig.tell(skip(1, 20));
    assert_eq!(
        rows(&rig),
        [(Aside::Skipped, 8, 0), (Aside::Skipped, 9, 0), (Aside::Skipped, 11, 0), (Aside::Skipped, 20, 12)]
    );
    let row = &rig.asides[&(Aside::Skipped, 9)];
    assert_eq!((row.cause, &row.who[..], row.sequence), (Cause::Person, "user:1", Sequence(9)));
    let ledger = rig.machine.ledger();
    assert_eq!((ledger.tally.skipped, ledger.tally.filtered, ledger.waiting.total()), (12, 1, 0));
    assert_eq!((rig.saved.moves, rig.saved.live.cursor.low()), (1, Offset(20)));
    rig.tell(Input::Resumed);
    rig.head = 20;
    rig.offer(&[passes(1)]);
    assert_eq!(rig.sent(), [21]);
    rig.tell(skip(1, 21));
    assert_eq!(rig.machine.ledger().tally.skipped, 12, "the same skip is not done twice");
}

#[test]
fn a_skip_waits_for_what_is_being_sent() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1), passes(2)]);
    assert_eq!(rig.sent(), [8, 10]);
    rig.tell(skip(1, 10));
    rig.end(8, DELIVERED);
    assert_eq!((rig.sent(), rig.machine.ledger().tally.skipped), (vec![], 0));
    rig.end(10, TROUBLE);
    let tally = rig.machine.ledger().tally;
    assert_eq!((tally.delivered, tally.skipped), (8, 2));
    rig.offer(&[passes(1)]);
    rig.seconds(5);
    assert_eq!(rig.sent(), [11]);
}

#[test]
fn a_skip_that_was_not_written_is_done_after_a_crash() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.seconds(1);
    let before = rig.saved.clone();
    let mut second = Rig::start(before, rig.rows.clone(), 0, 30, policy(Order::ByKey, 8));
    second.tell(skip(1, 29));
    let ledger = second.machine.ledger();
    assert_eq!((ledger.tally.skipped, ledger.waiting.total(), second.saved.moves), (22, 1, 1));
}

fn seek(number: u64, first: u64) -> Input {
    let target = Target::Anew { first: Offset(first), at: Timestamp(7_000) };
    Input::Move(Move { number, target, who: "user:1".into() })
}

#[test]
fn a_seek_back_delivers_again_with_new_numbers_and_a_new_ledger() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(2)]);
    rig.sent();
    rig.end(8, REFUSED);
    rig.tell(Input::Paused);
    rig.end(9, DELIVERED);
    assert_eq!(rig.machine.outlook(Offset(6)), Outlook { again: 3, passed_over: 0 });
    rig.tell(seek(1, 6));
    let ledger = rig.machine.ledger();
    assert_eq!((ledger.accepted, ledger.tally, ledger.waiting.unread), (4, Tally::default(), 4));
    assert_eq!(rig.saved.since, Since { offset: Offset(5), time: Timestamp(7_000), sequence: Sequence(10) });
    assert_eq!((rig.saved.moves, rig.anew_from), (1, Some(Offset(6))));
    rig.tell(Input::Resumed);
    rig.decide(&[passes(1), passes(2), passes(3), passes(4)]);
    assert_eq!(rig.sent(), [6, 7, 8, 9]);
    assert_eq!(rig.rows.iter().rev().take(4).map(|(number, _)| number.0).min(), Some(10));
    rig.tell(seek(1, 1));
    assert_eq!(rig.machine.since().offset, Offset(5), "the same seek is not made twice");
}

#[test]
fn a_seek_forward_passes_over_what_waits_and_says_so() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1)]);
    rig.sent();
    rig.end(8, REFUSED);
    rig.tell(Input::Head(Offset(30)));
    assert_eq!(rig.machine.outlook(Offset(21)), Outlook { again: 0, passed_over: 13 });
    rig.tell(seek(1, 21));
    assert_eq!(rows(&rig), [(Aside::Skipped, 8, 0), (Aside::Skipped, 9, 0), (Aside::Skipped, 20, 10)]);
    let ledger = rig.machine.ledger();
    assert_eq!((ledger.accepted, ledger.tally.settled(), ledger.waiting.total()), (10, 0, 10));
}

#[test]
fn a_seek_waits_for_what_is_being_sent_and_survives_a_crash() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(2)]);
    assert_eq!(rig.sent(), [8, 9]);
    rig.tell(seek(1, 3));
    rig.end(8, DELIVERED);
    assert_eq!(rig.machine.since().offset, Offset(0));
    let before = rig.saved.clone();
    rig.end(9, DELIVERED);
    assert_eq!(rig.machine.since().offset, Offset(2));
    let mut second = Rig::start(before, rig.rows.clone(), 0, 9, policy(Order::ByKey, 8));
    second.tell(seek(1, 3));
    assert_eq!((second.machine.since().offset, second.machine.ledger().waiting.unread), (Offset(2), 7));
    // What was numbered before gets another number, also after one more start.
    let mut third = Rig::start(second.saved.clone(), rig.rows.clone(), 0, 9, policy(Order::ByKey, 8));
    third.tell(seek(1, 3));
    third.decide(&[passes(1), passes(2), passes(3), passes(4), passes(5), passes(6), passes(7)]);
    assert_eq!(third.sent(), [3]);
    let numbered: Vec<_> = third.rows[9..].iter().map(|(_, offset)| offset.0).collect();
    assert_eq!(numbered, [3, 4, 5, 6, 7, 8, 9]);
    assert!(third.rows[9..].iter().all(|(number, _)| number.0 > 9));
}
