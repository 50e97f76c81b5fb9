//! What becomes of a refused event, one rule at a time.

use super::super::lanes::Standing;
use super::super::{Cause, Letter};
use super::*;

const ABORTED: AttemptResult = AttemptResult::Aborted { status: Some(422) };

fn whereabouts(rig: &Rig, offset: u64) -> Whereabouts {
    rig.machine.whereabouts(CourseId::Live, Offset(offset)).expect("the live course is known")
}

/// The requests since the last look: which event, which attempt of it, late or not, asked for or not.
fn requests(rig: &mut Rig) -> Vec<(u64, u32, bool, bool)> {
    let actions = std::mem::take(&mut rig.actions);
    let requests = actions.iter().filter_map(|action| match action {
        Action::Attempt { offset, attempt, is_late, is_redelivery, .. } => {
            Some((offset.0, attempt.0, *is_late, *is_redelivery))
        }
        _ => None,
    });
    requests.collect()
}

/// Refuses an event until it is given up, letting others pass.
fn give_up(rig: &mut Rig, offset: u64) {
    for _ in 0..4 {
        rig.end(offset, REFUSED);
        let_pass(rig, offset);
        rig.pass(Duration::from_secs(3_000));
    }
}

/// Lets everything that is in flight be taken but one event.
fn let_pass(rig: &mut Rig, but: u64) {
    let in_flight = rig.machine.live.lanes.entries().filter(|entry| entry.standing == Standing::InFlight);
    let others: Vec<u64> = in_flight.map(|entry| entry.offset.0).filter(|offset| *offset != but).collect();
    others.into_iter().for_each(|offset| rig.end(offset, DELIVERED));
}

/// The row of an event, as a person's wish brings it.
fn letter(rig: &Rig, aside: Aside, offset: u64) -> Letter {
    Letter { offset: Offset(offset), aside, event: rig.asides[&(aside, offset)].clone() }
}

#[test]
fn a_refused_event_holds_its_lane_for_a_while_and_is_parked_then() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1), passes(2)]);
    assert_eq!(rig.sent(), [8, 10]);
    rig.end(8, REFUSED);
    rig.end(10, DELIVERED);
    assert_eq!(whereabouts(&rig, 8), Whereabouts::Waiting);
    rig.seconds(7);
    assert_eq!(requests(&mut rig), [(8, 2, false, false)], "the first pause is shorter than the hold");
    rig.end(8, REFUSED);
    rig.seconds(22);
    assert_eq!((rig.sent(), whereabouts(&rig, 8)), (vec![], Whereabouts::Waiting));
    rig.seconds(2);
    assert_eq!((requests(&mut rig), whereabouts(&rig, 8)), (vec![(9, 1, false, false)], Whereabouts::Parked));
    rig.end(9, DELIVERED);
    let status = rig.machine.status(rig.now());
    assert_eq!((status.cursor, status.ledger.waiting.parked, status.state), (Offset(10), 1, State::Live));
    assert_eq!(rig.machine.needs_from(), Offset(8), "retention waits for what is parked");
    rig.seconds(400);
    assert_eq!(requests(&mut rig), [(8, 3, true, false)]);
    rig.end(8, DELIVERED);
    rig.seconds(1);
    let ledger = rig.machine.ledger();
    assert_eq!((ledger.tally.delivered, ledger.waiting.total(), rig.asides.len()), (10, 0, 0));
}

#[test]
fn after_its_last_try_an_event_is_a_dead_letter_and_its_row_says_why() {
    for order in [Order::ByKey, Order::Strict, Order::None] {
        let mut rig = Rig::new(order, 8);
        rig.warm_up(7);
        rig.offer(&[passes(1), passes(1)]);
        rig.sent();
        for step in 1..=4 {
            assert_eq!(whereabouts(&rig, 8), Whereabouts::InFlight, "{order:?}: try {step}");
            rig.end(8, REFUSED);
            let_pass(&mut rig, 8);
            rig.pass(Duration::from_secs(3_000));
        }
        assert_eq!(whereabouts(&rig, 8), Whereabouts::Settled);
        let event = &rig.asides[&(Aside::DeadLetter, 8)];
        let expected = (Sequence(8), 4, Cause::Refused, Some(422));
        assert_eq!((event.sequence, event.attempts, event.cause, event.status), expected, "{order:?}");
        assert_eq!((rig.asides.len(), rig.machine.ledger().tally.given_up), (1, 1));
        assert_eq!(whereabouts(&rig, 9), Whereabouts::Settled, "{order:?}: the next one has gone");
    }
}

#[test]
fn under_strict_order_nothing_is_parked() {
    let mut rig = Rig::new(Order::Strict, 8);
    rig.offer(&[passes(1), passes(2)]);
    for _ in 0..3 {
        rig.end(1, REFUSED);
        assert_eq!(rig.machine.status(rig.now()).state, State::Held);
        rig.pass(Duration::from_secs(3_000));
        assert_eq!(rig.sent().last(), Some(&1));
    }
    assert!(rig.asides.is_empty());
}

#[test]
fn an_event_without_a_lane_holds_nothing_up_and_is_never_late() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[decided(Outcome::Pass)]);
    rig.sent();
    rig.end(8, REFUSED);
    assert_eq!(whereabouts(&rig, 8), Whereabouts::Parked);
    rig.seconds(7);
    assert_eq!(requests(&mut rig), [(8, 2, false, false)]);
}

#[test]
fn a_receiver_gives_an_event_up_by_saying_so() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1)]);
    rig.sent();
    rig.end(8, ABORTED);
    assert_eq!(rig.sent(), [9]);
    rig.seconds(1);
    let event = &rig.asides[&(Aside::DeadLetter, 8)];
    assert_eq!((event.cause, event.attempts, event.status), (Cause::Aborted, 1, Some(422)));
}

#[test]
fn a_rate_limit_and_a_lost_password_and_a_vanished_route_cost_no_event_anything() {
    // 429, 401 and 404 speak of the endpoint: whoever made the request has said so.
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1), passes(2)]);
    let mut sent = rig.sent();
    for _ in 0..200 {
        sent.drain(..).for_each(|offset| rig.end(offset, TROUBLE));
        rig.seconds(75);
        sent = rig.sent();
    }
    assert_eq!(rig.machine.status(rig.now()).state, State::BackingOff);
    assert_eq!((rig.asides.len(), rig.machine.ledger().waiting.total()), (0, 3));
    for _ in 0..3 {
        sent.drain(..).for_each(|offset| rig.end(offset, DELIVERED));
        rig.seconds(75);
        sent = rig.sent();
    }
    assert_eq!(rig.machine.ledger().tally.delivered, 10);
}

#[test]
fn a_start_finds_what_is_parked_with_its_count_its_number_and_its_moment() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1)]);
    rig.sent();
    rig.end(8, REFUSED);
    rig.seconds(7);
    rig.end(8, REFUSED);
    rig.seconds(40);
    rig.end(9, DELIVERED);
    rig.seconds(1);
    let (saved, rows, asides) = (rig.saved.clone(), rig.rows.clone(), rig.asides.clone());
    let mut second = Rig::start_with(saved, rows, asides, 0, 9, policy(Order::ByKey, 8));
    let ledger = second.machine.ledger();
    assert_eq!((ledger.tally.delivered, ledger.waiting.parked, ledger.waiting.unread), (8, 1, 0));
    second.seconds(100);
    assert_eq!(second.sent(), [0; 0]);
    second.seconds(400);
    let attempts: Vec<_> = second.actions.iter().filter_map(numbered).collect();
    assert_eq!((attempts, requests(&mut second)), (vec![(8, 3, 8)], vec![(8, 3, true, false)]));
}

#[test]
fn what_retention_took_of_the_parked_is_counted_as_expired_at_the_next_start() {
    let mut rig = Rig::new(Order::None, 8);
    rig.warm_up(7);
    rig.offer(&[decided(Outcome::Pass), decided(Outcome::Pass)]);
    rig.sent();
    rig.end(8, REFUSED);
    rig.end(9, REFUSED);
    rig.seconds(1);
    let mut asides = rig.asides.clone();
    asides.remove(&(Aside::Parked, 8));
    let second = Rig::start_with(rig.saved.clone(), rig.rows.clone(), asides, 0, 9, policy(Order::None, 8));
    let ledger = second.machine.ledger();
    assert_eq!((ledger.tally.expired, ledger.waiting.parked, ledger.check()), (1, 1, Ok(())));
}

#[test]
fn a_lane_that_is_held_goes_on_after_a_start_too() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1)]);
    rig.sent();
    rig.end(8, AttemptResult::Refused { status: 422, retry_after: Some(Duration::from_secs(80_000)) });
    rig.seconds(1);
    let (saved, rows) = (rig.saved.clone(), rig.rows.clone());
    let mut second = Rig::start(saved, rows, 0, 9, policy(Order::ByKey, 8));
    second.tell(Input::Decided { course: CourseId::Live, from: Offset(8), decisions: vec![passes(1), passes(1)] });
    second.seconds(29);
    assert_eq!(second.sent(), [0; 0]);
    second.seconds(2);
    assert_eq!((second.sent(), whereabouts(&second, 8)), (vec![9], Whereabouts::Parked));
}

#[test]
fn what_was_too_old_by_settings_that_have_changed_is_asked_again() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.tell(Input::Head(Offset(2)));
    rig.tell(Input::PolicyChanged(policy(Order::ByKey, 8)));
    let answer = vec![decided(Outcome::TooOld), decided(Outcome::TooOld)];
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: answer });
    assert_eq!((rig.sent(), rig.machine.ledger().tally.expired), (vec![1], 0));
}

#[test]
fn a_person_has_what_was_given_up_delivered_after_all() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1)]);
    rig.sent();
    give_up(&mut rig, 8);
    rig.end(9, DELIVERED);
    rig.actions.clear();
    let wish = Input::Redeliver(vec![letter(&rig, Aside::DeadLetter, 8)]);
    rig.tell(wish.clone());
    assert_eq!(requests(&mut rig), [(8, 5, true, true)]);
    assert!(rig.asides.contains_key(&(Aside::Parked, 8)) && rig.asides.len() == 1, "{:?}", rig.asides);
    rig.tell(wish);
    assert_eq!(rig.machine.ledger().waiting.total(), 1, "twice is once");
    // A crash does not forget the wish.
    let (saved, rows, asides) = (rig.saved.clone(), rig.rows.clone(), rig.asides.clone());
    let mut second = Rig::start_with(saved, rows, asides, 0, 9, policy(Order::ByKey, 8));
    let wished_at = rig.at;
    second.pass(wished_at);
    assert_eq!(requests(&mut second), [(8, 5, true, true)]);
    second.end(8, REFUSED);
    second.seconds(7);
    assert_eq!(requests(&mut second), [(8, 6, true, true)], "its schedule begins anew");
    second.end(8, DELIVERED);
    second.seconds(1);
    let tally = second.machine.ledger().tally;
    assert_eq!((tally.delivered, tally.given_up, second.asides.len()), (9, 0, 0));
}

#[test]
fn a_person_discards_what_waits_and_what_was_given_up() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1), passes(2), Decision { lane: Some(3), outcome: Outcome::Fault }, passes(3)]);
    rig.sent();
    let discard = |offset, letter| Input::Discard { offset: Offset(offset), letter, who: "user:1".into() };
    rig.tell(discard(8, None));
    assert_eq!(whereabouts(&rig, 8), Whereabouts::InFlight, "what is being sent is not to be taken back");
    rig.end(8, REFUSED);
    rig.tell(discard(8, None));
    assert_eq!(rig.sent(), [9]);
    rig.tell(discard(11, None));
    assert_eq!(rig.sent(), [12], "a fault that nobody mends is discarded");
    rig.end(10, ABORTED);
    rig.seconds(1);
    let event = rig.asides[&(Aside::DeadLetter, 10)].clone();
    rig.tell(discard(10, Some(event)));
    assert_eq!(
        rig.asides.keys().map(|(aside, offset)| (*aside, *offset)).collect::<Vec<_>>(),
        [(Aside::Discarded, 8), (Aside::Discarded, 10), (Aside::Discarded, 11),]
    );
    let row = &rig.asides[&(Aside::Discarded, 10)];
    assert_eq!((row.cause, &row.who[..], row.attempts), (Cause::Person, "user:1", 1));
    assert_eq!(rig.machine.ledger().tally.given_up, 3);
    // A faulted event has no number yet; taken back it gets one, and the chain is asked.
    let wish = Input::Redeliver(vec![letter(&rig, Aside::Discarded, 11)]);
    rig.tell(wish);
    let attempts: Vec<_> = rig.actions.iter().filter_map(numbered).collect();
    assert_eq!(attempts, [(11, 1, 12)]);
}

#[test]
fn a_person_has_what_waits_tried_at_once() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), decided(Outcome::Pass)]);
    rig.sent();
    rig.end(8, REFUSED);
    rig.end(9, REFUSED);
    rig.tell(Input::TryNow(Offset(8)));
    rig.tell(Input::TryNow(Offset(9)));
    assert_eq!(requests(&mut rig), [(8, 2, false, true), (9, 2, false, true)]);
}

#[test]
fn what_a_filter_does_not_answer_for_is_given_up_where_the_endpoint_says_so() {
    let mut rig = Rig::start(
        Saved::new(Boot([0; 16]), SINCE),
        Vec::new(),
        0,
        0,
        Policy { gives_up_faults: true, ..policy(Order::ByKey, 8) },
    );
    let fault = Decision { lane: Some(1), outcome: Outcome::Fault };
    rig.offer(&[fault, passes(1), passes(2)]);
    // The offer may be of the old chain: it is asked once more.
    assert!(rig.actions.iter().any(|action| matches!(action, Action::Read { from: Offset(1), limit: 1, .. })));
    rig.tell(Input::RightsChanged);
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: vec![fault] });
    assert_eq!(whereabouts(&rig, 1), Whereabouts::Faulted, "the chain has changed since that was asked");
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: vec![fault] });
    rig.seconds(1);
    assert_eq!(rig.asides[&(Aside::DeadLetter, 1)].cause, Cause::FilterFault);
    rig.end(3, DELIVERED);
    assert_eq!(rig.sent(), [3, 2]);
    rig.end(2, AttemptResult::Fault);
    rig.seconds(1);
    assert_eq!((rig.asides.len(), rig.machine.ledger().tally.given_up), (2, 2));
    for _ in 0..20 {
        rig.offer(&[fault]);
        let from = Offset(rig.head);
        rig.tell(Input::Decided { course: CourseId::Live, from, decisions: vec![fault] });
    }
    assert_eq!(rig.machine.ledger().tally.given_up, 22, "a chain that answers nothing holds nothing up");
}

#[test]
fn what_is_too_old_is_expired_and_its_row_says_so() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.tell(Input::Head(Offset(3)));
    let answer = vec![passes(1), decided(Outcome::TooOld), passes(1)];
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: answer });
    rig.end(1, AttemptResult::TooOld);
    rig.end(3, DELIVERED);
    rig.seconds(1);
    let rows: Vec<_> = rig.asides.iter().map(|((aside, offset), row)| (*aside, *offset, row.cause)).collect();
    assert_eq!(rows, [(Aside::Expired, 1, Cause::TooOld), (Aside::Expired, 2, Cause::TooOld)]);
    assert_eq!((rig.machine.ledger().tally.expired, rig.machine.ledger().tally.delivered), (2, 1));
}

#[test]
fn with_too_many_parked_the_endpoint_is_in_trouble() {
    let mut rig = Rig::new(Order::None, 8);
    rig.warm_up(7);
    for _ in 0..10_000 {
        rig.offer(&[decided(Outcome::Pass), decided(Outcome::Pass)]);
        for offset in rig.sent() {
            rig.end(offset, if offset % 2 == 0 { REFUSED } else { DELIVERED });
        }
    }
    let status = rig.machine.status(rig.now());
    assert_eq!((status.ledger.waiting.parked, status.state), (10_000, State::Live));
    assert_eq!(rig.machine.room_for_parked(), 0);
    rig.offer(&[decided(Outcome::Pass)]);
    let [last] = rig.sent()[..] else { panic!("one request") };
    rig.end(last, REFUSED);
    assert_eq!(rig.machine.status(rig.now()).state, State::BackingOff);
    assert_eq!(whereabouts(&rig, last), Whereabouts::Queued);
}
