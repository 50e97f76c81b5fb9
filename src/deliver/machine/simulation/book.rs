//! What the simulation knows by itself, and what it expects of every request because of it.
//!
//! Not the machine's own counts: everything here is learned from what went in and what came out.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Aside, Offset, Sequence};

use super::super::{
    Action, AsideChange, AttemptResult, CourseId, FilteredBy, Input, Machine, Move, Order, Outcome, Policy, Saved,
    Share, State, Tally,
};
use super::disk::{Asides, Disk, Found};
use super::log::Log;
use super::traffic::Traffic;
use crate::runtime::Monotonic;

#[derive(Debug)]
pub(super) struct Book {
    /// What the machine was told of the endpoint.
    policy: Policy,
    /// Whether events have kept their order by key since the beginning.
    is_by_key: bool,
    pub(super) is_enabled: bool,
    pub(super) is_paused: bool,
    pub(super) is_draining: bool,
    head: Offset,
    /// The last event that the ledger does not count.
    since: Offset,
    tally: Tally,
    /// What the receiver has taken, ever.
    pub(super) taken: BTreeSet<(CourseId, Offset)>,
    /// What this machine was told that the receiver has taken.
    known_taken: BTreeSet<(CourseId, Offset)>,
    pub(super) in_flight: BTreeSet<(CourseId, Offset)>,
    probe: Option<(CourseId, Offset)>,
    attempts: BTreeMap<(CourseId, Offset), u32>,
    events_by_number: BTreeMap<Sequence, Offset>,
    numbers: BTreeMap<Offset, Sequence>,
    /// The number that the next row must have; `None` where a boot has just begun.
    next_row: Option<Sequence>,
    state: Option<State>,
    traffic: Traffic,
    /// What goes out of a replay, and whether it was told to stand still.
    replay_traffic: Traffic,
    is_replay_paused: bool,
}

impl Book {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            is_by_key: policy.order == Order::ByKey,
            traffic: Traffic::new(policy.rate_per_second),
            policy,
            is_enabled: true,
            is_paused: false,
            is_draining: false,
            head: Offset(0),
            since: Offset(0),
            tally: Tally::default(),
            taken: BTreeSet::new(),
            known_taken: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            probe: None,
            attempts: BTreeMap::new(),
            events_by_number: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next_row: None,
            state: None,
            replay_traffic: Traffic::new(None),
            is_replay_paused: false,
        }
    }

    /// The machine is told of the endpoint's settings.
    pub(super) fn set_policy(&mut self, policy: &Policy) {
        self.is_by_key &= policy.order == Order::ByKey;
        self.traffic.set_rate(policy.rate_per_second);
        self.policy = policy.clone();
    }

    /// A machine is started from what was found.
    pub(super) fn started(&mut self, found: &Found, head: Offset, is_clean: bool, is_same_boot: bool) {
        let Found { saved, parked, gone_to, .. } = found;
        let above = (saved.since.offset.0 + 1..=head.0).map(Offset);
        let settled = above.filter(|offset| saved.live.cursor.is_settled(*offset)).count();
        let counted = usize::try_from(saved.live.tally.settled()).expect("few") + parked.len();
        // What was parked and is gone was not counted yet, unless a machine before has found that out.
        let lost = settled.checked_sub(counted).expect("what is written down as settled is counted once") as u64;
        assert!(lost <= gone_to.0, "{lost} settled events are nowhere, {gone_to} are gone");
        self.head = head;
        self.since = saved.since.offset;
        self.tally = saved.live.tally;
        self.tally.expired += lost;
        self.is_draining = false;
        if is_clean {
            assert!(self.in_flight.is_empty(), "a clean end waits for what is in flight");
        } else {
            self.known_taken.clear();
        }
        self.in_flight.clear();
        self.probe = None;
        self.state = None;
        self.traffic.began(saved);
        // Until it is told how to go on, a replay stands still.
        self.replay_traffic = Traffic::new(None);
        self.is_replay_paused = true;
        let replay = saved.replay.iter().map(|replay| (CourseId::Replay(replay.replay), &replay.course));
        let courses = [(CourseId::Live, &saved.live)].into_iter().chain(replay);
        self.attempts = courses
            .flat_map(|(id, course)| course.retries.iter().map(move |retry| ((id, retry.offset), retry.attempts)))
            .chain(parked.iter().map(|(offset, event)| ((CourseId::Live, *offset), event.attempts)))
            .collect();
        if !is_same_boot {
            self.next_row = None;
            self.numbers.clear();
        }
    }

    /// Takes note of an input that was handled, and of how the machine stood before it.
    pub(super) fn told(
        &mut self,
        input: &Input,
        was_settled: impl Fn(Offset) -> bool,
        machine: &Machine,
        now: Monotonic,
    ) {
        match input {
            Input::Redeliver(letters) => {
                for letter in letters {
                    self.tally.given_up -= 1;
                    self.attempts.insert((CourseId::Live, letter.offset), letter.event.attempts);
                }
            }
            Input::Offered { from, decisions } => {
                self.head = self.head.max(Offset((from.0 + decisions.len() as u64).saturating_sub(1)));
                self.decided(*from, decisions.iter().map(|decision| decision.outcome), was_settled, machine);
            }
            Input::Decided { course: CourseId::Live, from, decisions } => {
                self.decided(*from, decisions.iter().map(|decision| decision.outcome), was_settled, machine);
            }
            Input::Move(Move { target, .. }) => {
                self.head = self.head.max(target.last_behind());
            }
            Input::Head(head) => self.head = self.head.max(*head),
            Input::AttemptEnded { course, offset, result } => {
                if matches!(result, AttemptResult::Delivered { .. }) {
                    self.traffic.succeeded(now);
                }
                self.ended(*course, *offset, *result);
            }
            Input::PolicyChanged(policy) => self.set_policy(policy),
            Input::Enabled => self.is_enabled = true,
            Input::Disabled => self.is_enabled = false,
            Input::Paused => self.is_paused = true,
            Input::Resumed => self.is_paused = false,
            Input::Draining => self.is_draining = true,
            Input::Retry => self.traffic.is_probe_asked = true,
            Input::Wake
            | Input::Waiting(_)
            | Input::Decided { .. }
            | Input::Written { .. }
            | Input::TryNow(_)
            | Input::Discard { .. }
            | Input::RightsChanged
            | Input::StopReplay(_) => {}
            Input::Replay { replay, pacing, .. } => {
                if machine.replay.as_ref().is_some_and(|known| known.replay == *replay) {
                    self.replay_traffic.set_rate(pacing.rate_per_second);
                    self.is_replay_paused = pacing.is_paused;
                }
            }
        }
    }

    /// What was given up by this input has its row in the next write, and only then.
    ///
    /// What is given up and when is the machine's to decide; that it is counted once, and kept, is looked at here.
    pub(super) fn gave_up(&mut self, ends_before: usize, machine: &Machine, actions: &[Action]) {
        let written = actions.iter().find_map(|action| match action {
            Action::Write { asides, .. } => Some(asides.as_slice()),
            _ => None,
        });
        let pending = written.unwrap_or_else(|| machine.live.parking.pending());
        let ends: Vec<_> = pending.iter().filter(|change| change.aside != Aside::Parked).skip(ends_before).collect();
        for AsideChange { offset, aside, event } in &ends {
            let was_letter = ends.iter().any(|end| end.offset == *offset && end.event.is_none());
            if !matches!(aside, Aside::Expired | Aside::Skipped) && event.is_some() && !was_letter {
                self.tally.given_up += 1;
                self.attempts.remove(&(CourseId::Live, *offset));
            }
        }
    }

    /// What was waiting up to an offset was passed over: its rows say how much, see the disk.
    pub(super) fn skipped(&mut self, to: Offset, machine: &Machine) {
        self.tally.skipped = machine.live.tally().skipped;
        self.attempts.retain(|(course, offset), _| *course != CourseId::Live || *offset > to);
    }

    /// The endpoint begins anew: what the receiver has taken from there on, it is to take again.
    pub(super) fn began_anew(&mut self, first: Offset) {
        self.since = first.previous();
        self.tally = Tally::default();
        self.attempts.retain(|(course, _), _| *course != CourseId::Live);
        let is_behind = |(course, offset): &(CourseId, Offset)| *course != CourseId::Live || *offset < first;
        self.taken.retain(is_behind);
        self.known_taken.retain(is_behind);
        self.numbers.clear();
    }

    fn decided(
        &mut self,
        from: Offset,
        outcomes: impl Iterator<Item = Outcome>,
        was_settled: impl Fn(Offset) -> bool,
        machine: &Machine,
    ) {
        for (offset, outcome) in (from.0..).map(Offset).zip(outcomes) {
            let is_settled = machine.live.cursor.is_settled(offset) && !machine.live.parking.contains(offset);
            if was_settled(offset) || !is_settled {
                continue;
            }
            match outcome {
                Outcome::Filtered(by) => self.count_filtered(by),
                Outcome::Gone | Outcome::TooOld => self.tally.expired += 1,
                Outcome::Fault if machine.policy.gives_up_faults => {}
                Outcome::Pass | Outcome::Fault | Outcome::OtherType => {
                    panic!("{offset} is settled by the decision {outcome:?}")
                }
            }
        }
    }

    const fn count_filtered(&mut self, by: FilteredBy) {
        self.tally.filtered += 1;
        if matches!(by, FilteredBy::Catalog) {
            self.tally.withheld_unknown += 1;
        }
    }

    fn ended(&mut self, course: CourseId, offset: Offset, result: AttemptResult) {
        assert!(self.in_flight.remove(&(course, offset)), "the simulation ends what is in flight");
        if self.probe == Some((course, offset)) {
            self.probe = None;
        }
        let is_live = course == CourseId::Live;
        let is_over = matches!(result, AttemptResult::Delivered { .. } | AttemptResult::Gone);
        if is_over || matches!(result, AttemptResult::Filtered(_) | AttemptResult::TooOld) {
            self.attempts.remove(&(course, offset));
        }
        match result {
            AttemptResult::Delivered { bytes } => {
                self.tally.delivered += u64::from(is_live);
                self.tally.delivered_bytes += if is_live { bytes } else { 0 };
                self.known_taken.insert((course, offset));
            }
            AttemptResult::Filtered(by) if is_live => self.count_filtered(by),
            AttemptResult::Filtered(_) => {}
            AttemptResult::Gone | AttemptResult::TooOld => self.tally.expired += u64::from(is_live),
            AttemptResult::Trouble { .. }
            | AttemptResult::Refused { .. }
            | AttemptResult::Aborted { .. }
            | AttemptResult::Unwanted => {
                *self.attempts.entry((course, offset)).or_default() += 1;
            }
            AttemptResult::Cancelled | AttemptResult::Fault | AttemptResult::Later => {}
        }
    }

    /// Looks at the actions that came out of one input.
    pub(super) fn asked(&mut self, actions: &[Action], machine: &Machine, log: &Log, disk: &Disk, now: Monotonic) {
        self.traffic.check(actions, self.in_flight.len(), machine.circuit.is_open(), now);
        let is_of_replay = |action: &&Action| matches!(action, Action::Attempt { course: CourseId::Replay(_), .. });
        let of_replay = actions.iter().filter(is_of_replay).count();
        assert!(!self.is_replay_paused || of_replay == 0, "a paused replay goes on");
        self.replay_traffic.count(of_replay, now);
        if !machine.circuit.is_open() {
            // What was a probe is one request among others, now that all may flow.
            self.probe = None;
        }
        for action in actions {
            match action {
                Action::Attempt { course, offset, attempt, sequence, is_late, share, .. } => {
                    self.check_attempt(*course, *offset, *is_late, machine, log);
                    let before = self.attempts.get(&(*course, *offset)).copied().unwrap_or(0);
                    assert_eq!(attempt.0, before + 1, "attempts of {offset} are counted");
                    assert_eq!(sequence.is_some(), *course == CourseId::Live, "live events have numbers");
                    if let Some(sequence) = sequence {
                        assert!(*sequence >= machine.since.sequence, "{offset} keeps number {sequence} over a seek");
                        self.check_number(*sequence, *offset, disk);
                    }
                    let is_probe = *share == Share::InTrouble || machine.circuit.is_open();
                    if is_probe {
                        assert_eq!(self.probe.replace((*course, *offset)), None, "one probe at a time");
                    }
                }
                Action::Write { sequences, saved, asides, .. } => {
                    self.check_rows(sequences);
                    self.check_retries(saved, asides, &disk.asides);
                }
                Action::Changed(state) => self.state = Some(*state),
                Action::Disable => self.is_enabled = false,
                Action::Recall | Action::Recovered(_) | Action::Read { .. } | Action::ReplayEnded { .. } => {}
            }
        }
    }

    fn check_attempt(&mut self, course: CourseId, offset: Offset, is_late: bool, machine: &Machine, log: &Log) {
        assert!(self.is_enabled && !self.is_paused && !self.is_draining, "nothing is sent while it stands still");
        assert!(!self.known_taken.contains(&(course, offset)), "{offset} was taken and is sent again");
        assert!(self.in_flight.insert((course, offset)), "{offset} is sent while it is in flight");
        let limit = self.policy.in_flight_max.max(1) as usize;
        assert!(self.in_flight.len() <= limit, "{} requests, {limit} allowed", self.in_flight.len());
        let known = machine.courses().find(|known| known.id == course).expect("a course that is known");
        let is_parked = known.parking.contains(offset);
        assert!(is_parked || !is_late, "only what is parked is late");
        if is_parked {
            let has_lane = self.is_by_key && log.key(offset).is_some();
            assert!(is_late || !has_lane, "{offset} has left its lane and is not marked late");
            assert!(
                is_late || self.policy.order != Order::Strict,
                "{offset} has lost its place and is not marked late"
            );
            return;
        }
        for earlier in (known.cursor.low().0 + 1..offset.0).map(Offset) {
            let is_same_lane = match self.policy.order {
                Order::ByKey => log.key(offset).is_some() && log.key(earlier) == log.key(offset),
                Order::Strict => true,
                Order::None => false,
            };
            assert!(!is_same_lane || known.cursor.is_settled(earlier), "{offset} has overtaken {earlier}");
        }
    }

    fn check_number(&mut self, sequence: Sequence, offset: Offset, disk: &Disk) {
        assert_eq!(disk.row(sequence), Some(offset), "number {sequence} is written before it leaves");
        assert!(sequence <= disk.synced_ceiling, "number {sequence} is below a synced ceiling");
        let known = *self.events_by_number.entry(sequence).or_insert(offset);
        assert_eq!(known, offset, "number {sequence} names two events");
        let known = *self.numbers.entry(offset).or_insert(sequence);
        assert_eq!(known, sequence, "event {offset} has two numbers");
    }

    /// What was tried in vain is written down with its count.
    fn check_retries(&self, saved: &Saved, changes: &[AsideChange], asides: &Asides) {
        let mut retries: BTreeMap<_, _> =
            saved.live.retries.iter().map(|retry| (retry.offset, retry.attempts)).collect();
        let parked = asides.iter().filter(|((aside, _), _)| *aside == Aside::Parked);
        let parked = parked.map(|((_, offset), event)| (*offset, event));
        let changed = changes.iter().filter(|change| change.aside == Aside::Parked);
        let changed = changed.filter_map(|change| Some((change.offset, change.event.as_ref()?)));
        retries.extend(parked.chain(changed).map(|(offset, event)| (offset, event.attempts)));
        let is_parked = |offset: &Offset| {
            let change = changes.iter().find(|change| change.aside == Aside::Parked && change.offset == *offset);
            change.map_or_else(|| asides.contains_key(&(Aside::Parked, *offset)), |change| change.event.is_some())
        };
        let tried = self.attempts.iter().filter(|((course, _), _)| *course == CourseId::Live);
        let is_open = |offset: &Offset| !saved.live.cursor.is_settled(*offset) || is_parked(offset);
        for ((_, offset), attempts) in tried.filter(|((_, offset), _)| is_open(offset)) {
            assert_eq!(retries.get(offset), Some(attempts), "attempts of {offset} are written down");
        }
    }

    fn check_rows(&mut self, rows: &[(Sequence, Offset)]) {
        for (sequence, _) in rows {
            assert!(self.next_row.is_none_or(|next| next == *sequence), "numbers have no hole: {sequence}");
            self.next_row = Some(sequence.next());
        }
    }

    /// A row that was on its way when the process was killed may be given anew.
    pub(super) fn killed(&mut self, highest_row: Option<Sequence>) {
        self.next_row = self.next_row.and_then(|_| highest_row.map(Sequence::next));
    }

    /// Compares the machine's account with what is known here.
    pub(super) fn check(&self, machine: &Machine) {
        machine.check_ledger().expect("the ledger adds up");
        let ledger = machine.ledger();
        assert_eq!(ledger.tally, self.tally, "what became of the events");
        assert_eq!(ledger.accepted, self.head.0 - self.since.0, "the head is what was told");
        assert_eq!(ledger.waiting.total(), ledger.accepted - self.tally.settled(), "what waits");
    }
}
