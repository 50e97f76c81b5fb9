//! How many at once, and how fast.

use std::num::NonZeroU32;

use super::super::Share;
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
    (8..=15).for_each(|offset| rig.end(offset, AttemptResult::Delivered));
    rig.seconds(60);
    rig.offer(&many(8));
    assert_eq!(shares(&mut rig), [Share::Silent]);
    rig.end(16, AttemptResult::Delivered);
    assert_eq!(shares(&mut rig), [Share::Answering; 2], "and doubles again from there");
}

#[test]
fn one_request_that_takes_long_does_not_narrow_the_others() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&many(8));
    rig.actions.clear();
    (8..=14).for_each(|offset| rig.end(offset, AttemptResult::Delivered));
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
    rig.end(1, AttemptResult::Delivered);
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
            rig.end(offset, if offset == 3 && !sent.contains(&3) { REFUSED } else { AttemptResult::Delivered });
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
