//! A person passes over what waits, one rule at a time.

use super::super::{Cause, Skip};
use super::*;

fn skip(number: u64, to: u64) -> Input {
    Input::Skip(Skip { number, to: Offset(to), who: "user:1".into() })
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
    assert_eq!((rig.saved.skips, rig.saved.live.cursor.low()), (1, Offset(20)));
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
    rig.end(8, AttemptResult::Delivered);
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
    assert_eq!((ledger.tally.skipped, ledger.waiting.total(), second.saved.skips), (22, 1, 1));
}
