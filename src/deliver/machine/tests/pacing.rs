//! How many at once, and how fast.

use std::num::NonZeroU32;

use super::super::{Pacing, Share};
use super::*;

/// The shares of the requests since the last look.
fn shares(rig: &mut Rig) -> Vec<Share> {
    let actions = std::mem::take(&mut rig.actions);
    let shares = actions.iter().filter_map(|action| match action {
        Action::Attempt { share, .. } => Some(*share),
        _ => None,
    });
    shares.collect()
}

fn many(count: u64) -> Vec<Decision> {
    (1..=count).map(passes).collect()
}

#[test]
fn an_endpoint_that_was_quiet_for_a_minute_is_asked_with_one_request_first() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&many(8));
    assert_eq!(shares(&mut rig), [Share::Answering; 8]);
    (8..=15).for_each(|offset| rig.end(offset, DELIVERED));
    rig.seconds(60);
    rig.offer(&many(8));
    assert_eq!(shares(&mut rig), [Share::Silent]);
    rig.end(16, DELIVERED);
    assert_eq!(shares(&mut rig), [Share::Answering; 2], "and doubles again from there");
}

#[test]
fn one_request_that_takes_long_does_not_narrow_the_others() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&many(8));
    rig.actions.clear();
    (8..=14).for_each(|offset| rig.end(offset, DELIVERED));
    rig.seconds(60);
    rig.offer(&many(20));
    assert_eq!(shares(&mut rig), [Share::Silent; 7], "what is in flight says that it still listens");
}

#[test]
fn a_probe_goes_out_of_the_share_of_those_in_trouble() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.offer(&many(2));
    assert_eq!(shares(&mut rig), [Share::Silent]);
    rig.end(1, TROUBLE);
    rig.seconds(2);
    assert_eq!(shares(&mut rig), [Share::InTrouble]);
}

#[test]
fn whoever_has_not_answered_yet_reads_no_further_than_it_can_try() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.offer(&many(1_000));
    assert_eq!(rig.machine.live.lanes.waiting().total(), 32);
    rig.end(1, DELIVERED);
    let reads = |rig: &Rig| rig.actions.iter().filter(|action| matches!(action, Action::Read { .. })).count();
    assert_eq!(reads(&rig), 1, "from its first answer on it reads as much as any");
    assert!(rig.actions.contains(&Action::Read { course: CourseId::Live, from: Offset(33), limit: 481 }));
    // Of one lane only a few count: what comes behind a busy key is reached.
    let mut rig = Rig::new(Order::ByKey, 8);
    let mut decisions = vec![passes(1); 200];
    decisions.extend(many(100));
    rig.tell(Input::Head(Offset(300)));
    for _ in 0..30 {
        let read_to = rig.machine.read_to().0;
        let Some(next) = decisions.get(usize::try_from(read_to).expect("few")..).filter(|next| !next.is_empty()) else {
            break;
        };
        rig.tell(Input::Decided { course: CourseId::Live, from: Offset(read_to + 1), decisions: next.to_vec() });
    }
    assert!(rig.machine.read_to() > Offset(200), "{}", rig.machine.read_to());
}

#[test]
fn a_rate_spaces_all_requests_and_nobody_is_woken_for_less() {
    let mut policy = policy(Order::ByKey, 64);
    policy.rate_per_second = NonZeroU32::new(4);
    let mut rig = Rig::start(Saved::new(Boot([0; 16]), SINCE), Vec::new(), 0, 0, policy.clone());
    rig.offer(&many(30));
    let (mut times, mut sent) = (Vec::new(), Vec::new());
    while sent.len() < 31 {
        for offset in rig.sent() {
            times.push(rig.at.as_millis());
            rig.end(offset, if offset == 3 && !sent.contains(&3) { REFUSED } else { DELIVERED });
            sent.push(offset);
        }
        rig.pass(Duration::from_millis(50));
    }
    assert_eq!(sent.last(), Some(&3), "a retry is one among them");
    assert_eq!(times, (0..31).map(|n| n * 250).collect::<Vec<u128>>());
    // Its setting taken back, nothing waits any more.
    policy.rate_per_second = None;
    rig.tell(Input::PolicyChanged(policy));
    rig.offer(&many(9));
    assert_eq!(rig.sent().len(), 9);
}

const REPLAY: CourseId = CourseId::Replay(ReplayId(7));

/// Replays the first eight events of an endpoint that has taken them, in so many lanes.
fn replaying(pacing: Pacing) -> Rig {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(8);
    rig.tell(Input::Replay { replay: ReplayId(7), from: Offset(1), to: Offset(9), pacing });
    rig
}

#[test]
fn a_replay_has_a_rate_of_its_own_and_live_work_does_not_wait_for_it() {
    let mut rig = replaying(Pacing { rate_per_second: NonZeroU32::new(2), is_paused: false });
    rig.tell(Input::Decided { course: REPLAY, from: Offset(1), decisions: many(8) });
    let mut times = Vec::new();
    for step in 0..80 {
        for offset in rig.sent() {
            assert!(offset <= 8 || times.len() < 8, "live work is sent at once");
            let course = if offset <= 8 { REPLAY } else { CourseId::Live };
            rig.tell(Input::AttemptEnded { course, offset: Offset(offset), result: DELIVERED });
            if course == REPLAY {
                times.push(rig.at.as_millis());
            }
        }
        if step == 20 {
            rig.offer(&[passes(1), passes(2)]);
            assert_eq!(rig.sent(), [9, 10], "beside the replay, at once");
            [9, 10].into_iter().for_each(|offset| rig.end(offset, DELIVERED));
        }
        rig.pass(Duration::from_millis(50));
    }
    assert_eq!(times, (0..8).map(|n| n * 500).collect::<Vec<u128>>());
}

#[test]
fn a_paused_replay_reads_and_sends_nothing_and_wakes_nobody_until_it_is_resumed() {
    let paused = Pacing { rate_per_second: None, is_paused: true };
    let mut rig = replaying(paused);
    assert_eq!(rig.actions, [], "nothing is read");
    let go_on = |pacing| Input::Replay { replay: ReplayId(7), from: Offset(1), to: Offset(9), pacing };
    rig.tell(go_on(Pacing::default()));
    assert_eq!(rig.actions, [Action::Read { course: REPLAY, from: Offset(1), limit: 8 }]);
    rig.tell(Input::Decided { course: REPLAY, from: Offset(1), decisions: Vec::new() });
    rig.tell(go_on(paused));
    rig.seconds(100);
    assert_eq!(rig.machine.next_wakeup(), None, "not even for what it wanted to ask again");
    rig.tell(go_on(Pacing::default()));
    rig.tell(Input::Decided { course: REPLAY, from: Offset(1), decisions: many(8) });
    let first = rig.sent();
    assert!(!first.is_empty());
    rig.tell(go_on(paused));
    for offset in first {
        rig.tell(Input::AttemptEnded { course: REPLAY, offset: Offset(offset), result: DELIVERED });
    }
    assert_eq!(rig.sent(), [] as [u64; 0]);
    rig.offer(&[passes(1)]);
    assert_eq!(rig.sent(), [9], "live work goes on");
    rig.end(9, DELIVERED);
    rig.seconds(1);
    // A start does not end the pause: what is to become of the replay is said anew.
    let mut second = Rig::start(rig.saved.clone(), rig.rows.clone(), 0, 9, policy(Order::ByKey, 8));
    second.seconds(100);
    assert_eq!(second.sent(), [] as [u64; 0]);
    assert_eq!(second.machine.replay_rest(second.now().monotonic), None);
    second.tell(go_on(Pacing::default()));
    assert!(second.actions.iter().any(|action| matches!(action, Action::Read { course: REPLAY, .. })));
}

#[test]
fn the_rest_of_a_replay_takes_as_long_as_it_has_taken_since_it_was_resumed() {
    let mut rig = replaying(Pacing { rate_per_second: NonZeroU32::new(1), is_paused: false });
    rig.tell(Input::Decided { course: REPLAY, from: Offset(1), decisions: many(8) });
    assert_eq!(rig.machine.replay_rest(rig.now().monotonic), None, "nothing is known yet");
    for _ in 0..4 {
        for offset in rig.sent() {
            rig.tell(Input::AttemptEnded { course: REPLAY, offset: Offset(offset), result: DELIVERED });
        }
        rig.seconds(1);
    }
    let rest = rig.machine.replay_rest(rig.now().monotonic).expect("four have gone");
    assert_eq!(rest, Duration::from_secs(4));
}

#[test]
fn what_has_not_begun_is_taken_back_when_the_endpoint_falls_into_trouble_and_at_the_end() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&many(4));
    assert_eq!(rig.sent().len(), 4);
    // Three of the four wait for a place: so the one that failed was all that the receiver was asked.
    rig.tell(Input::Waiting(3));
    rig.end(8, TROUBLE);
    assert!(rig.actions.contains(&Action::Recall), "{:?}", rig.actions);
    assert_eq!(rig.machine.status(rig.now()).state, State::BackingOff, "there is no one else to ask");
    (9..=11).for_each(|offset| rig.end(offset, AttemptResult::Cancelled));
    rig.pass(Duration::from_millis(200));
    assert!(rig.saved.is_in_trouble, "a restart knows it");
    rig.seconds(2);
    let probe = rig.sent();
    assert_eq!(probe.len(), 1);
    rig.end(probe[0], DELIVERED);
    rig.seconds(1);
    assert!(!rig.saved.is_in_trouble);
    rig.actions.clear();
    rig.tell(Input::Draining);
    assert!(rig.actions.contains(&Action::Recall), "{:?}", rig.actions);
    // Where none waits, one failure among several says nothing yet.
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&many(4));
    rig.end(8, TROUBLE);
    assert!(!rig.actions.contains(&Action::Recall));
}

#[test]
fn a_receiver_that_wants_nothing_any_more_is_not_asked_by_those_that_still_wait() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&many(3));
    rig.end(8, AttemptResult::Unwanted);
    assert!(rig.actions.contains(&Action::Recall), "{:?}", rig.actions);
}

#[test]
fn a_probe_that_a_person_asks_for_does_not_wait_with_those_in_trouble() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.offer(&many(2));
    rig.end(1, TROUBLE);
    rig.seconds(2);
    assert_eq!(shares(&mut rig), [Share::Silent, Share::InTrouble], "the first request and the first probe");
    // That one still waits for a place when somebody asks.
    rig.tell(Input::Retry);
    assert!(rig.actions.contains(&Action::Recall), "{:?}", rig.actions);
    rig.end(2, AttemptResult::Cancelled);
    assert_eq!(shares(&mut rig), [Share::Silent], "it goes at once, and with those of whom nothing is known");
    rig.end(2, TROUBLE);
    rig.seconds(60);
    assert_eq!(shares(&mut rig), [Share::InTrouble], "and the next one by itself as ever");
}

#[test]
fn a_replay_that_is_refused_event_after_event_stands_still_and_live_work_does_not() {
    let mut rig = replaying(Pacing::default());
    let mut policy = policy(Order::ByKey, 8);
    policy.refusals_in_a_row_max = 4;
    rig.tell(Input::PolicyChanged(policy));
    rig.tell(Input::Decided { course: REPLAY, from: Offset(1), decisions: many(8) });
    let end = |rig: &mut Rig, offset, result| {
        rig.tell(Input::AttemptEnded { course: REPLAY, offset: Offset(offset), result });
    };
    let sent = rig.sent();
    assert_eq!(sent.len(), 8);
    sent.into_iter().for_each(|offset| end(&mut rig, offset, REFUSED));
    assert_eq!((rig.sent(), rig.machine.status(rig.now()).state), (vec![], State::Live));
    rig.offer(&[passes(1), passes(2)]);
    assert_eq!(rig.sent(), [9, 10], "live work goes on");
    // Tried again in vain it waits longer, and nothing of that counts for the events.
    rig.seconds(2);
    rig.sent().into_iter().for_each(|offset| end(&mut rig, offset, REFUSED));
    rig.seconds(1);
    assert_eq!(rig.sent(), Vec::<u64>::new());
    rig.seconds(2);
    let again = rig.sent();
    assert!(!again.is_empty());
    again.into_iter().for_each(|offset| end(&mut rig, offset, DELIVERED));
    // One that was taken lets the others go on at once.
    for _ in 0..8 {
        rig.sent().into_iter().for_each(|offset| end(&mut rig, offset, DELIVERED));
    }
    let (_, ledger) = rig.machine.replay_ledger().unwrap();
    assert_eq!((ledger.tally.delivered, ledger.tally.given_up), (8, 0));
}
