//! The rules of delivery, one by one, on a machine whose clock is moved by hand.

mod faults;
mod pacing;
mod parking;
mod moving;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Aside, Offset, Sequence, Timestamp};
use crate::runtime::{Monotonic, Random};

use super::{
    Action, AsideEvent, AttemptResult, Boot, CourseId, Decision, FilteredBy, Input, Machine, Now, Order, Outcome,
    Pacing, Policy, ReplayId, SPAN, Saved, SavedCourse, SavedRetry, Since, Start, State, Whereabouts,
};

/// A machine, its clock, and a shell that writes at once.
struct Rig {
    machine: Machine,
    at: Duration,
    /// What came out since it was last looked at, but for writes.
    actions: Vec<Action>,
    saved: Saved,
    rows: Vec<(Sequence, Offset)>,
    asides: BTreeMap<(Aside, u64), AsideEvent>,
    /// From where an endpoint has begun anew last.
    anew_from: Option<Offset>,
    head: u64,
}

const DELIVERED: AttemptResult = AttemptResult::Delivered { bytes: 100 };
const TROUBLE: AttemptResult = AttemptResult::Trouble { retry_after: None };
const REFUSED: AttemptResult = AttemptResult::Refused { status: 422, retry_after: None };
const SINCE: Since = Since::beginning(Offset(0), Timestamp(0));

fn policy(order: Order, in_flight_max: u32) -> Policy {
    let schedule = [5, 300, 1_800].map(Duration::from_secs);
    Policy {
        order,
        in_flight_max,
        rate_per_second: None,
        refusals_in_a_row_max: 10,
        retry_schedule: Arc::from(schedule),
        lane_hold: Duration::from_secs(30),
        gives_up_faults: false,
    }
}

fn passes(key: u64) -> Decision {
    Decision { lane: Some(key), outcome: Outcome::Pass }
}

fn decided(outcome: Outcome) -> Decision {
    Decision { lane: None, outcome }
}

impl Rig {
    fn new(order: Order, in_flight_max: u32) -> Self {
        Self::start(Saved::new(Boot([0; 16]), SINCE), Vec::new(), 0, 0, policy(order, in_flight_max))
    }

    fn start(saved: Saved, rows: Vec<(Sequence, Offset)>, boot: u8, head: u64, policy: Policy) -> Self {
        Self::start_with(saved, rows, BTreeMap::new(), boot, head, policy)
    }

    fn start_with(
        saved: Saved,
        rows: Vec<(Sequence, Offset)>,
        asides: BTreeMap<(Aside, u64), AsideEvent>,
        boot: u8,
        head: u64,
        policy: Policy,
    ) -> Self {
        let parked = asides.iter().filter(|((aside, _), _)| *aside == Aside::Parked);
        let start = Start {
            parked: parked.map(|((_, offset), event)| (Offset(*offset), event.clone())).collect(),
            saved: saved.clone(),
            sequences: rows.iter().filter(|(sequence, _)| *sequence > saved.sequences.floor).copied().collect(),
            boot: Boot([boot; 16]),
            head: Offset(head),
            policy,
            is_enabled: true,
            is_paused: false,
            random: Random::from_seed(1),
        };
        let now = Now { wall: Timestamp(0), monotonic: Monotonic(0) };
        let machine = Machine::start(start, now);
        let mut rig =
            Self { machine, at: Duration::ZERO, actions: Vec::new(), saved, rows, asides, anew_from: None, head };
        rig.tell(Input::Wake);
        rig
    }

    fn now(&self) -> Now {
        let wall = Timestamp(0).plus(self.at);
        Now { wall, monotonic: Monotonic(0).plus(self.at) }
    }

    fn tell(&mut self, input: Input) {
        let mut actions = Vec::new();
        let now = self.now();
        self.machine.handle(input, now, &mut actions);
        // Counting everything anew costs as much as a hundred steps where much waits.
        if self.machine.ledger().waiting.total() < 1_000 {
            self.machine.audit();
        }
        for action in actions {
            match action {
                Action::Write { ticket, saved, sequences, anew_from, asides, .. } => {
                    self.saved = *saved;
                    if let Some(first) = anew_from {
                        self.asides.retain(|(_, offset), _| *offset < first.0);
                        self.anew_from = anew_from;
                    }
                    for change in asides {
                        let key = (change.aside, change.offset.0);
                        match change.event {
                            Some(event) => self.asides.insert(key, event),
                            None => self.asides.remove(&key),
                        };
                    }
                    self.rows.extend(sequences);
                    self.tell(Input::Written { ticket });
                }
                Action::Recall
                | Action::Read { .. }
                | Action::Attempt { .. }
                | Action::Changed(_)
                | Action::Disable
                | Action::Recovered(_)
                | Action::ReplayEnded { .. } => self.actions.push(action),
            }
        }
    }

    fn offer(&mut self, decisions: &[Decision]) {
        let from = Offset(self.head + 1);
        self.head += decisions.len() as u64;
        self.tell(Input::Offered { from, decisions: decisions.to_vec() });
    }

    /// Answers the read that was asked for last.
    fn decide(&mut self, decisions: &[Decision]) {
        let asked = self.actions.iter().rev().find_map(|action| match action {
            Action::Read { from, .. } => Some(*from),
            _ => None,
        });
        let from = asked.expect("something is read");
        self.tell(Input::Decided { course: CourseId::Live, from, decisions: decisions.to_vec() });
    }

    fn end(&mut self, offset: u64, result: AttemptResult) {
        self.tell(Input::AttemptEnded { course: CourseId::Live, offset: Offset(offset), result });
    }

    /// The events of the attempts since the last look.
    fn sent(&mut self) -> Vec<u64> {
        let actions = std::mem::take(&mut self.actions);
        let offsets = actions.iter().filter_map(|action| match action {
            Action::Attempt { offset, .. } => Some(offset.0),
            _ => None,
        });
        offsets.collect()
    }

    /// Lets time pass, waking the machine as it asks for it.
    fn pass(&mut self, time: Duration) {
        let end = self.at + time;
        while let Some(wakeup) = self.machine.next_wakeup().map(|at| Duration::from_nanos(at.0)).filter(|at| *at <= end)
        {
            self.at = self.at.max(wakeup);
            self.tell(Input::Wake);
        }
        self.at = end;
    }

    fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// Opens the window with so many successes of events without a key.
    fn warm_up(&mut self, successes: u64) {
        for _ in 0..successes {
            self.offer(&[decided(Outcome::Pass)]);
            self.end(self.head, DELIVERED);
        }
        self.actions.clear();
    }

    fn states(&mut self) -> Vec<State> {
        let actions = std::mem::take(&mut self.actions);
        let states = actions.iter().filter_map(|action| match action {
            Action::Changed(state) => Some(*state),
            _ => None,
        });
        states.collect()
    }
}

#[test]
fn a_number_is_written_before_its_event_leaves() {
    let mut rig = Rig::new(Order::ByKey, 4);
    let mut actions = Vec::new();
    let offered = Input::Offered { from: Offset(1), decisions: vec![passes(1)] };
    rig.machine.handle(offered, rig.now(), &mut actions);
    let [Action::Write { ticket, sequences, is_sync: true, saved, .. }] = actions.as_slice() else {
        panic!("only a synced write, for the first number: {actions:?}")
    };
    assert_eq!(sequences.as_slice(), [(Sequence(1), Offset(1))]);
    assert!(saved.sequences.ceiling > Sequence(1_000));
    let ticket = *ticket;
    actions.clear();
    rig.machine.handle(Input::Written { ticket: ticket + 1 }, rig.now(), &mut actions);
    assert_eq!(actions, []);
    rig.machine.handle(Input::Written { ticket }, rig.now(), &mut actions);
    assert!(matches!(actions.as_slice(), [Action::Attempt { sequence: Some(Sequence(1)), .. }]), "{actions:?}");
}

#[test]
fn numbers_skip_what_is_filtered_and_a_sync_comes_once_for_thousands() {
    let mut rig = Rig::new(Order::None, 8);
    let mut syncs = 0;
    for _ in 0..20_000 {
        let mut actions = Vec::new();
        let from = Offset(rig.head + 1);
        rig.head += 2;
        let decisions = vec![decided(Outcome::Filtered(FilteredBy::Chain)), decided(Outcome::Pass)];
        rig.machine.handle(Input::Offered { from, decisions }, rig.now(), &mut actions);
        for action in actions {
            if let Action::Write { ticket, sequences, is_sync, .. } = action {
                syncs += u32::from(is_sync);
                assert_eq!(sequences, [(Sequence(rig.head / 2), Offset(rig.head))]);
                rig.tell(Input::Written { ticket });
            }
        }
        rig.end(rig.head, DELIVERED);
    }
    assert_eq!(syncs, 4);
    assert_eq!(rig.machine.ledger().tally.filtered, 20_000);
}

#[test]
fn an_offer_is_taken_only_from_the_next_event_on() {
    let mut rig = Rig::new(Order::ByKey, 4);
    rig.tell(Input::Offered { from: Offset(3), decisions: vec![passes(1)] });
    let reads: Vec<_> = rig.actions.drain(..).filter(|action| matches!(action, Action::Read { .. })).collect();
    assert_eq!(reads, [Action::Read { course: CourseId::Live, from: Offset(1), limit: 3 }]);
    rig.tell(Input::Offered { from: Offset(1), decisions: vec![passes(1), passes(2)] });
    assert_eq!(rig.sent(), [1]);
    // The answer overlaps what was offered meanwhile: only what is new is taken.
    rig.tell(Input::Decided {
        course: CourseId::Live,
        from: Offset(1),
        decisions: vec![passes(1), passes(2), passes(3)],
    });
    assert_eq!(rig.machine.ledger().waiting.total(), 3);
    for offset in 1..=3 {
        rig.end(offset, DELIVERED);
    }
    assert_eq!(rig.machine.ledger().tally.delivered, 3);
}

#[test]
fn an_empty_answer_is_asked_again_a_second_later() {
    let mut rig = Rig::new(Order::ByKey, 4);
    rig.tell(Input::Head(Offset(5)));
    rig.actions.clear();
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(1), decisions: Vec::new() });
    assert_eq!(rig.actions, []);
    rig.pass(Duration::from_millis(999));
    assert_eq!(rig.actions, []);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.actions, [Action::Read { course: CourseId::Live, from: Offset(1), limit: 5 }]);
}

#[test]
fn each_order_holds_up_what_it_must() {
    for (order, expected) in [(Order::ByKey, vec![2, 3]), (Order::Strict, vec![]), (Order::None, vec![2, 3, 4])] {
        let mut rig = Rig::new(order, 16);
        rig.warm_up(15);
        rig.offer(&[passes(1), passes(2), decided(Outcome::Pass), passes(1)]);
        let sent: Vec<_> = rig.sent().into_iter().map(|offset| offset - 15).collect();
        assert_eq!(sent.first(), Some(&1));
        assert_eq!(sent[1..], expected, "{order:?}");
    }
}

#[test]
fn nothing_is_sent_while_it_stands_still_and_all_goes_on_from_there() {
    for (stop, go, state) in
        [(Input::Paused, Input::Resumed, State::Paused), (Input::Disabled, Input::Enabled, State::Disabled)]
    {
        let mut rig = Rig::new(Order::ByKey, 4);
        rig.tell(stop);
        assert_eq!(rig.states(), [State::Live, state]);
        rig.offer(&[passes(1), passes(2)]);
        rig.seconds(100_000);
        assert_eq!(rig.actions, []);
        assert_eq!(rig.machine.ledger().waiting.unread, 2);
        assert_eq!(rig.machine.next_wakeup(), None);
        rig.tell(go);
        assert!(rig.actions.contains(&Action::Read { course: CourseId::Live, from: Offset(1), limit: 2 }));
    }
}

#[test]
fn an_outage_costs_no_event_its_schedule() {
    let mut rig = Rig::new(Order::ByKey, 4);
    rig.offer(&[passes(1), passes(2)]);
    assert_eq!(rig.sent(), [1]);
    rig.end(1, TROUBLE);
    assert_eq!(rig.states(), [State::BackingOff]);
    let mut turns = Vec::new();
    for _ in 0..500 {
        rig.seconds(72);
        let sent = rig.sent();
        turns.extend(sent.iter().copied());
        for offset in sent {
            rig.end(offset, TROUBLE);
        }
    }
    assert!((499..=600).contains(&turns.len()), "{} probes", turns.len());
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "heads of different lanes take turns");
    assert!(rig.saved.live.retries.iter().all(|retry| retry.refusals == 0 && retry.attempts > 200));
    rig.seconds(72);
    let probe = rig.sent();
    rig.end(probe[0], DELIVERED);
    assert_eq!(rig.sent(), [3 - probe[0]]);
    assert_eq!(rig.machine.status(rig.now()).state, State::Live);
}

#[test]
fn five_troubles_in_a_row_open_and_a_success_between_does_not() {
    let mut rig = Rig::new(Order::None, 8);
    rig.warm_up(7);
    rig.offer(&[decided(Outcome::Pass); 8]);
    assert_eq!(rig.sent().len(), 8);
    for offset in 8..12 {
        rig.end(offset, TROUBLE);
    }
    assert_eq!(rig.states(), []);
    assert_eq!(rig.machine.ledger().waiting.held, 4, "each waits a moment before it is sent again");
    rig.end(12, TROUBLE);
    assert_eq!(rig.states(), [State::BackingOff]);
    assert_eq!(rig.machine.ledger().waiting.held, 0, "all wait for the probe instead");
    rig.end(13, DELIVERED);
    assert_eq!(rig.states(), [State::Live]);
}

#[test]
fn the_window_starts_anew_after_trouble() {
    let mut rig = Rig::new(Order::None, 16);
    rig.warm_up(15);
    rig.offer(&[decided(Outcome::Pass); 40]);
    assert_eq!(rig.sent().len(), 16);
    (16..=20).for_each(|offset| rig.end(offset, TROUBLE));
    assert_eq!(rig.sent(), [32, 33, 34, 35], "four were sent before the fifth trouble");
    (21..=35).for_each(|offset| rig.end(offset, TROUBLE));
    rig.seconds(2);
    let [probe] = rig.sent()[..] else { panic!("one probe") };
    rig.end(probe, DELIVERED);
    assert_eq!(rig.sent().len(), 2);
}

#[test]
fn an_event_that_fails_while_others_pass_is_to_blame_itself() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    let mut failures = 0;
    rig.offer(&[passes(1)]);
    for _ in 0..600 {
        rig.seconds(1);
        rig.offer(&[passes(2)]);
        for offset in rig.sent() {
            failures += u32::from(offset == 8);
            rig.end(offset, if offset == 8 { TROUBLE } else { DELIVERED });
        }
    }
    assert_eq!(rig.machine.whereabouts(CourseId::Live, Offset(8)), Some(Whereabouts::Parked));
    assert!((5..20).contains(&failures), "{failures} failures in ten minutes");
    assert_eq!(rig.machine.ledger().waiting.total(), 1);
}

#[test]
fn ten_different_events_refused_in_a_row_are_the_endpoints_trouble() {
    let mut rig = Rig::new(Order::ByKey, 16);
    rig.warm_up(15);
    let decisions: Vec<_> = (0..12).map(passes).collect();
    rig.offer(&decisions);
    let sent = rig.sent();
    assert_eq!(sent.len(), 12);
    sent[..9].iter().for_each(|offset| rig.end(*offset, REFUSED));
    assert_eq!(rig.states(), []);
    rig.end(sent[9], REFUSED);
    assert_eq!(rig.states(), [State::BackingOff]);
    assert_eq!(rig.machine.ledger().waiting.held, 0, "they are back in their lanes");
    rig.seconds(2);
    let [probe] = rig.sent()[..] else { panic!("one probe") };
    rig.end(probe, REFUSED);
    assert_eq!(rig.machine.status(rig.now()).state, State::BackingOff);
    rig.end(sent[10], DELIVERED);
    assert_eq!(rig.machine.status(rig.now()).state, State::Live);
    // Others have succeeded since: refused again, the same ten are to blame themselves.
    for _ in 0..100 {
        rig.sent().into_iter().for_each(|offset| rig.end(offset, REFUSED));
    }
    assert_eq!(rig.machine.status(rig.now()).state, State::Live);
    assert_eq!(rig.machine.ledger().waiting.held, 10);
}

#[test]
fn an_order_that_waits_for_requests_in_flight_asks_for_no_wakeup() {
    let mut rig = Rig::new(Order::None, 8);
    rig.warm_up(7);
    rig.offer(&[decided(Outcome::Pass); 8]);
    (8..=12).for_each(|offset| rig.end(offset, TROUBLE));
    rig.tell(Input::PolicyChanged(policy(Order::Strict, 8)));
    rig.seconds(20);
    rig.tell(Input::Retry);
    assert!(rig.machine.next_wakeup().is_none_or(|at| at > rig.now().monotonic));
}

#[test]
fn the_course_reads_no_further_than_its_cursor_can_remember() {
    let mut rig = Rig::new(Order::ByKey, 64);
    let total = SPAN + 5_000;
    rig.tell(Input::Head(Offset(total)));
    // The first event is refused for ever; all others are taken.
    loop {
        let actions = std::mem::take(&mut rig.actions);
        if actions.is_empty() {
            break;
        }
        for action in actions {
            match action {
                Action::Read { from, limit, .. } => {
                    let decisions = (from.0..).take(limit as usize).map(passes).collect();
                    rig.machine.handle(
                        Input::Decided { course: CourseId::Live, from, decisions },
                        rig.now(),
                        &mut rig.actions,
                    );
                }
                Action::Attempt { offset, .. } => {
                    let result = if offset == Offset(1) { REFUSED } else { DELIVERED };
                    let ended = Input::AttemptEnded { course: CourseId::Live, offset, result };
                    rig.machine.handle(ended, rig.now(), &mut rig.actions);
                }
                Action::Write { ticket, .. } => {
                    rig.machine.handle(Input::Written { ticket }, rig.now(), &mut rig.actions);
                }
                _ => {}
            }
        }
    }
    let ledger = rig.machine.ledger();
    assert_eq!(ledger.waiting.unread, total - SPAN);
    assert_eq!((ledger.waiting.held, ledger.tally.delivered), (1, SPAN - 1));
    rig.seconds(7);
    rig.actions.clear();
    rig.end(1, DELIVERED);
    assert_eq!(rig.machine.status(rig.now()).cursor, Offset(SPAN));
    assert!(matches!(rig.actions[..], [Action::Read { from: Offset(from), .. }] if from == SPAN + 1));
}

#[test]
fn a_receiver_that_wants_nothing_more_is_switched_off() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.offer(&[passes(1)]);
    rig.actions.clear();
    rig.end(1, AttemptResult::Unwanted);
    assert_eq!(rig.actions, [Action::Disable, Action::Changed(State::Disabled)]);
    rig.tell(Input::Disabled);
    rig.seconds(1_000_000);
    assert!(rig.sent().is_empty());
    rig.tell(Input::Enabled);
    assert_eq!(rig.sent(), [1]);
}

#[test]
fn what_is_our_own_doing_counts_for_nobody() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.offer(&[passes(1)]);
    for _ in 0..100 {
        let attempts: Vec<_> =
            rig.actions.drain(..).filter(|action| matches!(action, Action::Attempt { .. })).collect();
        assert!(matches!(attempts[..], [Action::Attempt { attempt, .. }] if attempt.0 == 1), "{attempts:?}");
        rig.end(1, AttemptResult::Cancelled);
    }
    rig.actions.clear();
    rig.end(1, AttemptResult::Later);
    assert!(rig.sent().is_empty());
    rig.seconds(2);
    assert_eq!(rig.sent(), [1]);
    rig.end(1, AttemptResult::Gone);
    assert_eq!(rig.machine.ledger().tally.expired, 1);
}

#[test]
fn retry_sends_one_probe_at_once() {
    let mut rig = Rig::new(Order::None, 8);
    rig.offer(&[decided(Outcome::Pass); 3]);
    rig.end(1, AttemptResult::Trouble { retry_after: Some(Duration::from_secs(1_000)) });
    rig.actions.clear();
    rig.seconds(999);
    assert!(rig.sent().is_empty());
    rig.tell(Input::Retry);
    rig.tell(Input::Retry);
    assert_eq!(rig.sent().len(), 1);
}

fn numbered(action: &Action) -> Option<(u64, u32, u64)> {
    match action {
        Action::Attempt { offset, attempt, sequence, .. } => Some((offset.0, attempt.0, sequence.map_or(0, |it| it.0))),
        _ => None,
    }
}

#[test]
fn a_start_goes_on_where_it_stood() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(2), passes(1)]);
    rig.end(8, REFUSED);
    rig.end(9, DELIVERED);
    rig.pass(Duration::from_millis(200));
    for (boot, next) in [(0, 11), (1, 10_002)] {
        let saved = Saved::decode(rig.saved.encode()).expect("it was just written");
        let mut second = Rig::start(saved, rig.rows.clone(), boot, 12, policy(Order::ByKey, 8));
        let ledger = second.machine.ledger();
        assert_eq!((ledger.tally.delivered, ledger.waiting.unread), (8, 4));
        second.actions.clear();
        let answer = vec![passes(1), passes(2), passes(1), passes(3), passes(4)];
        second.tell(Input::Decided { course: CourseId::Live, from: Offset(8), decisions: answer });
        second.seconds(10);
        second.end(11, DELIVERED);
        let attempts: Vec<_> = second.actions.iter().filter_map(numbered).collect();
        // The refused event waits for its due time, keeps its number and its count.
        assert!(attempts.contains(&(11, 1, next)), "{attempts:?}");
        assert!(attempts.contains(&(8, 2, 8)), "{attempts:?}");
    }
}

#[test]
fn an_order_is_changed_between_two_requests() {
    let mut rig = Rig::new(Order::None, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1), passes(1)]);
    assert_eq!(rig.sent(), [8, 9, 10]);
    rig.end(8, TROUBLE);
    rig.tell(Input::PolicyChanged(policy(Order::ByKey, 8)));
    rig.seconds(5);
    assert!(rig.sent().is_empty(), "two are in flight in the old order");
    rig.end(9, DELIVERED);
    rig.end(10, TROUBLE);
    rig.tell(Input::Decided { course: CourseId::Live, from: Offset(8), decisions: vec![passes(1); 3] });
    rig.seconds(5);
    assert_eq!(rig.sent(), [8]);
    rig.end(8, DELIVERED);
    assert_eq!(rig.sent(), [10]);
}

fn replay(rig: &mut Rig, offset: u64, result: AttemptResult) {
    let course = CourseId::Replay(ReplayId(7));
    rig.tell(Input::AttemptEnded { course, offset: Offset(offset), result });
}

#[test]
fn a_replay_gives_up_after_three_refusals_and_leaves_the_ledger_alone() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    let before = rig.machine.ledger();
    rig.tell(Input::Replay { replay: ReplayId(7), from: Offset(2), to: Offset(4), pacing: Pacing::default() });
    let course = CourseId::Replay(ReplayId(7));
    assert_eq!(rig.actions, [Action::Read { course, from: Offset(2), limit: 2 }]);
    rig.tell(Input::Decided { course, from: Offset(2), decisions: vec![passes(1), passes(2)] });
    replay(&mut rig, 2, DELIVERED);
    replay(&mut rig, 3, REFUSED);
    rig.seconds(10);
    replay(&mut rig, 3, REFUSED);
    rig.seconds(400);
    rig.actions.clear();
    replay(&mut rig, 3, REFUSED);
    rig.pass(Duration::from_millis(200));
    let [Action::ReplayEnded { replay: ReplayId(7), ledger }] = rig.actions[..] else { panic!("{:?}", rig.actions) };
    assert_eq!((ledger.tally.delivered, ledger.tally.delivered_bytes, ledger.tally.given_up), (1, 100, 1));
    assert_eq!(rig.machine.ledger(), before);
    // Until somebody has recorded the end, a start announces it again.
    let mut second = Rig::start(rig.saved.clone(), rig.rows.clone(), 0, 7, policy(Order::ByKey, 8));
    assert!(second.actions.contains(&rig.actions[0]));
    second.tell(Input::StopReplay(ReplayId(7)));
    second.pass(Duration::from_millis(200));
    assert_eq!(second.saved.replay, None);
}

#[test]
fn a_replay_passes_over_what_it_is_not_for() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.tell(Input::Replay { replay: ReplayId(7), from: Offset(2), to: Offset(6), pacing: Pacing::default() });
    let course = CourseId::Replay(ReplayId(7));
    let other = decided(Outcome::OtherType);
    rig.tell(Input::Decided { course, from: Offset(2), decisions: vec![other, passes(1), other, other] });
    let ledger = rig.machine.replay_ledger().unwrap().1;
    assert_eq!((ledger.accepted, ledger.tally.skipped, ledger.waiting.total()), (4, 3, 1));
    replay(&mut rig, 3, DELIVERED);
    rig.pass(Duration::from_millis(200));
    let [.., Action::ReplayEnded { ledger, .. }] = rig.actions[..] else { panic!("{:?}", rig.actions) };
    assert_eq!((ledger.tally.delivered, ledger.tally.skipped), (1, 3));
}

#[test]
fn a_cancelled_replay_still_counts_in_flight() {
    let mut rig = Rig::new(Order::None, 1);
    rig.warm_up(3);
    rig.tell(Input::Replay { replay: ReplayId(7), from: Offset(1), to: Offset(3), pacing: Pacing::default() });
    let course = CourseId::Replay(ReplayId(7));
    rig.tell(Input::Decided { course, from: Offset(1), decisions: vec![passes(1), passes(2)] });
    assert_eq!(rig.sent(), [1]);
    rig.tell(Input::StopReplay(ReplayId(7)));
    rig.offer(&[passes(1)]);
    assert!(rig.sent().is_empty());
    replay(&mut rig, 1, DELIVERED);
    assert_eq!(rig.sent(), [4]);
}

#[test]
fn an_idle_machine_asks_for_nothing_and_holds_nothing() {
    let mut rig = Rig::new(Order::ByKey, 8);
    assert_eq!(rig.machine.next_wakeup(), None);
    rig.warm_up(100);
    rig.seconds(30);
    assert_eq!(rig.machine.next_wakeup(), None);
    assert!(rig.machine.is_written() && !rig.machine.live.lanes.holds_memory());
    assert_eq!(rig.saved.live.cursor, SavedCourse::at(Offset(100)).cursor);
}

#[test]
fn a_drain_finishes_what_is_in_flight_and_writes_it_down() {
    let mut rig = Rig::new(Order::ByKey, 8);
    rig.warm_up(7);
    rig.offer(&[passes(1), passes(1)]);
    rig.tell(Input::Draining);
    rig.end(8, DELIVERED);
    assert_eq!(rig.sent(), [8]);
    assert!(rig.machine.is_written());
    assert_eq!(rig.saved.live.cursor.low(), Offset(8));
}
