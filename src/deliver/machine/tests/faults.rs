//! What a filter does not answer for, one rule at a time.

use super::*;

#[test]
fn a_fault_holds_its_lane_until_the_chain_is_mended() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    let fault = Decision { lane: Some(1), outcome: Outcome::Fault };
    rig.offer(&[fault, passes(1), passes(2)]);
    // What was offered is asked for once more, for it may have been decided before the last change.
    let ask = Action::Read { course: CourseId::Live, from: Offset(8), limit: 1 };
    assert!(rig.actions.contains(&ask));
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(8), decisions: vec![fault] });
    assert_eq!(rig.sent(), [10]);
    rig.end(10, DELIVERED);
    rig.seconds(1_000_000);
    assert!(rig.sent().is_empty());
    rig.tell(Input::RightsChanged);
    assert_eq!(rig.actions, [ask]);
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(8), decisions: vec![passes(1)] });
    assert_eq!(rig.sent(), [8]);
    assert_eq!(rig.machine.status(rig.now()).faulted, 0);
    rig.end(8, AttemptResult::Fault);
    assert_eq!(rig.machine.whereabouts(CourseId::Live, Offset(8)), Some(Whereabouts::Faulted));
    assert_eq!(rig.machine.status(rig.now()).faulted, 1);
    rig.tell(Input::RightsChanged);
    rig.tell(Input::Decided {
        course: CourseId::Live,
        from: Offset(8),
        decisions: vec![decided(Outcome::Filtered(FilteredBy::Chain))],
    });
    assert_eq!(rig.sent(), [9]);
}

#[test]
fn a_fault_of_the_old_chain_is_asked_for_again() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.offer(&[passes(1)]);
    rig.tell(Input::RightsChanged);
    rig.actions.clear();
    rig.end(1, AttemptResult::Fault);
    assert_eq!(rig.actions, [Action::Read { course: CourseId::Live, from: Offset(1), limit: 1 }]);
    rig.tell(Input::RightsChanged);
    rig.actions.clear();
    let fault = Decision { lane: Some(1), outcome: Outcome::Fault };
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: vec![fault] });
    assert_eq!(rig.actions, [Action::Read { course: CourseId::Live, from: Offset(1), limit: 1 }]);
}

#[test]
fn a_fault_of_the_old_chain_is_asked_for_again_after_a_change_of_order_too() {
    let mut rig = Rig::new(Order::ByKey, 8);
    let fault = Decision { lane: Some(1), outcome: Outcome::Fault };
    rig.offer(&[fault]);
    rig.tell(Input::RightsChanged);
    rig.tell(Input::PolicyChanged(policy(Order::Strict, 8)));
    rig.actions.clear();
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: vec![fault] });
    assert!(rig.actions.contains(&Action::Read { course: CourseId::Live, from: Offset(1), limit: 1 }));
}

#[test]
fn a_fault_found_at_a_start_keeps_the_count_of_its_attempts() {
    let mut saved = Saved::new(Boot([0; 16]), SINCE);
    saved.live.retries.push(SavedRetry { offset: Offset(1), attempts: 3, refusals: 1, due: None });
    let mut rig = Rig::start(saved, Vec::new(), 0, 1, policy(Order::ByKey, 8));
    for outcome in [Outcome::Fault, Outcome::Pass] {
        let decisions = vec![Decision { lane: Some(1), outcome }];
        rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions });
        rig.tell(Input::RightsChanged);
    }
    let attempts: Vec<_> = rig.actions.iter().filter_map(numbered).collect();
    assert_eq!(attempts, [(1, 4, 1)]);
}

#[test]
fn ten_faults_in_a_row_hold_the_endpoint() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.tell(Input::Head(Offset(2_000)));
    let fault = Decision { lane: None, outcome: Outcome::Fault };
    rig.actions.clear();
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: vec![fault; 512] });
    assert_eq!(rig.actions, [Action::Changed(State::Held)], "nothing more is read");
    rig.actions.clear();
    rig.tell(Input::RightsChanged);
    assert!(rig.actions.contains(&Action::Read { course: CourseId::Live, from: Offset(1), limit: 256 }));
}
