//! Everything around one machine: its shell, its log, its disk, its receiver, and bad luck.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Aside, Offset, Timestamp};
use crate::runtime::{Monotonic, Random};

use super::super::{
    Action, AttemptResult, Boot, CourseId, Decision, Input, Letter, Machine, Move, Now, Order, Outcome, Pacing, Policy,
    ReplayId, Saved, Since, Start, Tally, Target,
};
use super::book::Book;
use super::disk::Disk;
use super::job::Job;
use super::log::Log;
use super::receiver::{Mood, Receiver};

/// The last steps of a run, if somebody wants to see them.
pub(super) type Trace = Option<Rc<RefCell<VecDeque<String>>>>;

pub(super) struct World {
    random: Random,
    trace: Trace,
    /// Nanoseconds since the simulation began.
    at: u64,
    /// What the wall clock is off by.
    drift_ms: i64,
    /// When the machine's process began, and the how-manyth it is.
    began_at: u64,
    process: u64,
    boot: u8,
    log: Log,
    disk: Disk,
    receiver: Receiver,
    machine: Machine,
    book: Book,
    agenda: BTreeMap<(u64, u64), Happening>,
    serial: u64,
    /// What the commands say.
    is_enabled: bool,
    is_paused: bool,
    policy: Policy,
    /// The moves that were commanded; after a start only the last of each kind is known.
    moves: Vec<Move>,
    job: Option<Job>,
    last_job: u64,
    /// How many more outside events there are before everything is mended.
    trials_left: u64,
    /// The chain's revision when the machine was last told of a change.
    told_revision: u64,
    is_mended: bool,
    pub(super) steps: u64,
}

#[derive(Debug)]
enum Happening {
    /// Something reaches the machine's mailbox.
    Tell(u64, Input),
    /// A batch is written.
    Written(u64, u64),
    /// An attempt asks for its body.
    Body(u64, CourseId, Offset),
    /// A request reaches the receiver.
    Arrive(u64, CourseId, Offset),
    /// New events are accepted.
    Append,
    /// Something happens to somebody.
    Trial,
    /// The chain changes once more.
    Change,
    /// Everything is put right.
    Mend,
    /// The endpoint is switched on, whatever was done with it before.
    SwitchOn,
}

impl World {
    pub(super) fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random::from_seed(seed);
        let policy = any_policy(&mut random);
        let log = Log::new(&mut random);
        let boot = Boot([0; 16]);
        let since = Since::beginning(Offset(0), Timestamp(0));
        let machine = Machine::start(
            Start {
                saved: Saved::new(boot, since),
                sequences: Vec::new(),
                parked: Vec::new(),
                boot,
                head: Offset(0),
                policy: policy.clone(),
                is_enabled: true,
                is_paused: false,
                random: random.split(),
            },
            Now { wall: Timestamp(0), monotonic: Monotonic(0) },
        );
        let mut world = Self {
            trace,
            at: 0,
            drift_ms: 1_700_000_000_000,
            began_at: 0,
            process: 0,
            boot: 0,
            log,
            disk: Disk::default(),
            receiver: Receiver::healthy(),
            machine,
            book: Book::new(policy.clone()),
            agenda: BTreeMap::new(),
            serial: 0,
            is_enabled: true,
            is_paused: false,
            policy,
            moves: Vec::new(),
            job: None,
            last_job: 0,
            trials_left: 5 + random.below(80),
            told_revision: 1,
            is_mended: false,
            steps: 0,
            random,
        };
        if world.random.chance(0.2) {
            world.receiver.poison_keys.push(1);
        }
        if world.random.chance(0.1) {
            world.receiver.breaks_on_every = Some(7);
        }
        if world.random.chance(0.1) {
            world.receiver.aborts_every = Some(11);
        }
        world.soon(0, Happening::Tell(0, Input::Wake));
        world.soon(1, Happening::Append);
        world.soon(1, Happening::Trial);
        world
    }

    /// Runs until nothing is left to happen, and looks whether everything has come to its end.
    pub(super) fn run(&mut self) {
        let mut steps = 0;
        let mut run_out = |world: &mut Self| {
            while world.step() {
                steps += 1;
                world.steps = steps;
                assert!(steps < 300_000, "this does not come to an end");
            }
        };
        run_out(self);
        assert!(self.is_mended, "the end is after the mending");
        if self.random.chance(0.5) {
            self.want(true);
            run_out(self);
            assert_eq!(
                self.machine.ledger().tally.given_up,
                0,
                "what was given up arrives, or is withheld, or is gone"
            );
        }
        let ledger = self.machine.ledger();
        assert_eq!(ledger.waiting.total(), 0, "all is healthy, nothing happens any more, and something still waits");
        for offset in (1..=self.log.head().0).map(Offset) {
            let is_taken = self.book.taken.contains(&(CourseId::Live, offset));
            let may_miss = self.log.was_filtered(offset) || offset <= self.log.gone_to;
            let has_row = |aside| self.disk.asides.contains_key(&(aside, offset));
            let is_given_up = has_row(Aside::DeadLetter) || has_row(Aside::Discarded);
            let is_expired = has_row(Aside::Expired) && self.log.is_too_old(offset);
            let is_skipped = self.disk.is_skipped(offset);
            assert!(is_taken || may_miss || is_given_up || is_expired || is_skipped, "event {offset} is lost");
        }
        assert!(self.disk.asides.keys().all(|(aside, _)| *aside != Aside::Parked), "nothing is parked any more");
        assert!(self.job.is_none(), "a replay has not come to its end");
        assert!(self.machine.is_written(), "something is not written down");
    }

    fn step(&mut self) -> bool {
        let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let wakeup = self.machine.next_wakeup().map(|at| (self.began_at + at.0).max(self.at));
        match (next, wakeup) {
            (None, None) => return false,
            (next, Some(wakeup)) if next.is_none_or(|next| wakeup < next) => {
                self.at = wakeup;
                self.tell(Input::Wake);
                let again = self.machine.next_wakeup().map(|at| self.began_at + at.0);
                assert!(again.is_none_or(|again| again > self.at), "it asks to be woken for nothing, again and again");
            }
            (_, _) => {
                let ((at, _), happening) = self.agenda.pop_first().expect("something is next");
                self.at = at;
                self.happen(happening);
            }
        }
        if self.book.is_draining && self.machine.is_written() && self.book.in_flight.is_empty() {
            self.restart(Ending::Clean);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Tell(process, input) if process == self.process => {
                if matches!(input, Input::AttemptEnded { result: AttemptResult::Trouble { .. }, .. }) {
                    let waits = |happening: &&Happening| matches!(happening, Happening::Body(of, ..) if *of == process);
                    let waiting = self.agenda.values().filter(waits).count();
                    self.tell(Input::Waiting(waiting));
                }
                self.tell(input);
            }
            Happening::Written(process, ticket) if process == self.process => {
                self.disk.written(ticket);
                self.tell(Input::Written { ticket });
            }
            Happening::Body(process, course, offset) if process == self.process => self.make_body(course, offset),
            Happening::Arrive(process, course, offset) => self.arrive(process, course, offset),
            Happening::Tell(..) | Happening::Written(..) | Happening::Body(..) => {}
            Happening::Append => self.append(),
            Happening::Trial => self.suffer(),
            Happening::Change => self.change_chain(),
            Happening::Mend => self.mend(),
            Happening::SwitchOn => {
                self.set_enabled(true);
                self.set_paused(false);
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let now = self.now();
        let cursor = self.machine.live.cursor.clone();
        let parked: BTreeSet<Offset> = self.machine.live.parking.offsets().collect();
        let ends = self.machine.live.parking.pending().len();
        let moves = self.machine.moves;
        self.log.now = self.at;
        let mut actions = Vec::new();
        let told = input.clone();
        self.machine.handle(input, now, &mut actions);
        if let Some(trace) = &self.trace {
            let mut trace = trace.borrow_mut();
            trace.push_back(format!("{:>12.3} {told:?}\n             → {actions:?}", self.at as f64 / 1e9));
            if trace.len() > 40 {
                trace.pop_front();
            }
        }
        let was_settled = |offset| cursor.is_settled(offset) && !parked.contains(&offset);
        self.book.told(&told, was_settled, &self.machine, now.monotonic);
        let made = self.moves.iter().filter(|one| one.number > moves && one.number <= self.machine.moves);
        let mut began_anew = false;
        for Move { target, .. } in made {
            match target {
                Target::Past(last) => self.book.skipped(*last, &self.machine),
                Target::Anew { first, .. } => {
                    self.book.began_anew(*first);
                    began_anew = true;
                }
            }
        }
        if !began_anew {
            self.book.gave_up(ends, &self.machine, &actions);
        }
        self.book.asked(&actions, &self.machine, &self.log, &self.disk, now.monotonic);
        self.book.check(&self.machine);
        // Counting everything anew costs as much as a hundred steps where much waits.
        let is_small = self.machine.live.lanes.waiting().total() < 20;
        if is_small || self.steps.is_multiple_of(16) {
            self.machine.audit();
        }
        if told == Input::RightsChanged {
            self.told_revision = self.log.revision;
        }
        self.check_faults();
        if let Input::StopReplay(stopped) = told {
            self.job = self.job.filter(|job| job.replay != stopped);
        }
        actions.into_iter().for_each(|action| self.act(action));
    }

    /// Nothing is held for a fault that the chain, as the machine knows it, does not make any more.
    fn check_faults(&self) {
        let is_settled = self.machine.is_moving() && self.told_revision == self.log.revision;
        for course in self.machine.courses().filter(|course| is_settled && course.reading.is_at_rest()) {
            for offset in course.faults.keys() {
                let outcome = self.log.decide(*offset).outcome;
                let is_over = matches!(outcome, Outcome::Gone | Outcome::TooOld);
                assert!(is_over || outcome == Outcome::Fault, "{offset} is held, but is {outcome:?}");
            }
        }
    }

    fn act(&mut self, action: Action) {
        let process = self.process;
        match action {
            Action::Read { course, from, limit } => {
                assert!(limit > 0, "a read asks for something");
                let answered = if self.random.chance(0.03) { 0 } else { 1 + self.random.below(u64::from(limit) * 2) };
                let decisions =
                    (from.0..).map(Offset).take(usize::try_from(answered.min(u64::from(limit))).expect("few"));
                let decisions =
                    decisions.inspect(|offset| assert!(*offset <= self.log.head(), "reads end at the head"));
                let decisions = decisions.map(|offset| self.decide(course, offset)).collect();
                let after = self.random.below(30);
                self.soon(after, Happening::Tell(process, Input::Decided { course, from, decisions }));
            }
            Action::Attempt { course, offset, .. } => {
                // Now and then a place is long in coming.
                let after = if self.random.chance(0.05) { self.random.below(20_000) } else { self.random.below(5) };
                self.soon(after, Happening::Body(process, course, offset));
            }
            Action::Write { ticket, is_sync, .. } => {
                self.disk.hand_over(action);
                let after = self.random.below(if is_sync { 20 } else { 3 });
                self.soon(after, Happening::Written(process, ticket));
            }
            Action::Changed(_) | Action::Recovered(_) => {}
            Action::Recall => self.recall(),
            Action::Disable => {
                self.is_enabled = false;
                let after = self.random.below(100);
                self.soon(after, Happening::Tell(process, Input::Disabled));
            }
            Action::ReplayEnded { replay, ledger } => self.replay_ended(replay, ledger.tally),
        }
    }

    /// Whatever has not begun is told to come again, but for what is just beginning.
    fn recall(&mut self) {
        let waiting = self.agenda.iter().filter_map(|(at, happening)| match happening {
            Happening::Body(process, course, offset) if *process == self.process => Some((*at, *course, *offset)),
            _ => None,
        });
        for (at, course, offset) in waiting.collect::<Vec<_>>() {
            if self.random.chance(0.8) {
                self.agenda.remove(&at);
                self.command(Input::AttemptEnded { course, offset, result: AttemptResult::Cancelled });
            }
        }
    }

    fn make_body(&mut self, course: CourseId, offset: Offset) {
        let process = self.process;
        let result = match self.decide(course, offset).outcome {
            Outcome::Pass if self.random.chance(0.02) && !self.is_mended => Some(AttemptResult::Later),
            Outcome::Pass if self.random.chance(0.02) && !self.is_mended => Some(AttemptResult::Cancelled),
            Outcome::Pass => None,
            Outcome::Filtered(by) => Some(AttemptResult::Filtered(by)),
            Outcome::Fault => Some(AttemptResult::Fault),
            Outcome::Gone => Some(AttemptResult::Gone),
            Outcome::TooOld => Some(AttemptResult::TooOld),
            Outcome::OtherType => panic!("{offset} is of a type that the replay is not for"),
        };
        let after = self.random.below(10);
        match result {
            Some(result) => self.soon(after, Happening::Tell(process, Input::AttemptEnded { course, offset, result })),
            None => self.soon(after, Happening::Arrive(process, course, offset)),
        }
    }

    fn arrive(&mut self, process: u64, course: CourseId, offset: Offset) {
        if process != self.process && self.random.chance(0.5) {
            return;
        }
        let answer = self.receiver.answer(offset, self.log.key(offset), &mut self.random);
        if answer.is_taken {
            self.book.taken.insert((course, offset));
        }
        let ended = Input::AttemptEnded { course, offset, result: answer.result };
        self.at_later(answer.after, Happening::Tell(process, ended));
    }

    fn append(&mut self) {
        let count = if self.random.chance(0.01) { 600 } else { 1 + self.random.below(20) };
        let from = self.log.head().next();
        (0..count).for_each(|_| self.log.append(&mut self.random));
        let input = if self.random.chance(0.8) {
            let decisions: Vec<Decision> =
                (from.0..=self.log.head().0).map(|offset| self.log.decide(Offset(offset))).collect();
            Input::Offered { from, decisions }
        } else {
            Input::Head(self.log.head())
        };
        let after = self.random.below(10);
        self.soon(after, Happening::Tell(self.process, input));
        if self.trials_left > 0 && self.log.head().0 < 1_500 {
            let pause = self.any_pause();
            self.soon(pause, Happening::Append);
        }
    }

    /// One thing happens that nobody has asked for.
    fn suffer(&mut self) {
        match self.random.below(28) {
            0..=4 => self.receiver.change_mood(&mut self.random),
            5 => self.restart(Ending::Kill),
            6 => self.restart(Ending::PowerCut),
            7 => self.command(Input::Draining),
            8 | 9 => {
                self.change_chain();
                if self.random.chance(0.5) {
                    let after = self.random.below(8);
                    self.soon(after, Happening::Change);
                }
            }
            10 => self.set_paused(true),
            11 | 12 => self.set_paused(false),
            13 => self.set_enabled(false),
            14 | 15 => self.set_enabled(true),
            16 => self.retain(),
            17 | 18 => self.start_replay(),
            19 => self.cancel_replay(),
            20 => self.command(Input::Retry),
            21 => {
                self.policy = any_policy(&mut self.random);
                self.command(Input::PolicyChanged(self.policy.clone()));
            }
            23 | 24 => self.want(true),
            25 => self.want(false),
            26 if self.random.chance(0.3) => {
                let number = self.moves.last().map_or(0, |last| last.number) + 1;
                let head = self.log.head();
                let target = if self.random.chance(0.4) {
                    Target::Past(head)
                } else {
                    Target::Anew { first: Offset(1 + self.random.below(head.0 + 1)), at: self.now().wall }
                };
                let one = Move { number, target, who: "someone".into() };
                self.moves.push(one.clone());
                self.command(Input::Move(one));
            }
            22 => self.drift_ms += i64::try_from(self.random.below(7_200_000)).expect("hours") - 3_600_000,
            _ => {}
        }
        self.trials_left -= 1;
        let (pause, next) =
            if self.trials_left > 0 { (self.any_pause(), Happening::Trial) } else { (100, Happening::Mend) };
        self.soon(pause, next);
    }

    /// A person wishes something for an event: as in the shell, while nothing is being written.
    fn want(&mut self, is_redelivery: bool) {
        let head = self.log.head().0;
        if head == 0 || self.machine.has_unwritten_ends() {
            return;
        }
        let letters = self.disk.asides.iter().filter(|((aside, _), _)| match aside {
            Aside::DeadLetter => true,
            Aside::Discarded => is_redelivery,
            Aside::Parked | Aside::Expired | Aside::Skipped => false,
        });
        let letters: Vec<Letter> = letters
            .filter(|((_, offset), _)| *offset > self.machine.since.offset)
            .map(|((aside, offset), event)| Letter { offset: *offset, aside: *aside, event: event.clone() })
            .collect();
        let any = Offset(1 + self.random.below(head));
        let input = match (is_redelivery, letters.is_empty()) {
            (true, true) => Input::TryNow(any),
            (true, false) => Input::Redeliver(letters),
            (false, true) => Input::Discard { offset: any, letter: None, who: "someone".into() },
            (false, false) => {
                let chosen = usize::try_from(self.random.below(letters.len() as u64)).expect("few");
                let Letter { offset, event, .. } = letters[chosen].clone();
                Input::Discard { offset, letter: Some(event), who: "someone".into() }
            }
        };
        self.tell(input);
    }

    fn change_chain(&mut self) {
        self.log.revision += 1;
        self.log.is_broken = self.random.chance(0.2);
        self.command(Input::RightsChanged);
    }

    fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        self.command(if is_paused { Input::Paused } else { Input::Resumed });
    }

    fn set_enabled(&mut self, is_enabled: bool) {
        self.is_enabled = is_enabled;
        self.command(if is_enabled { Input::Enabled } else { Input::Disabled });
    }

    fn retain(&mut self) {
        let span = self.log.head().0 - self.log.gone_to.0;
        self.log.gone_to = Offset(self.log.gone_to.0 + self.random.below(span / 4 + 1));
    }

    /// What is to become of an event on a course: a replay may be for some types alone.
    fn decide(&self, course: CourseId, offset: Offset) -> Decision {
        let decision = self.log.decide(offset);
        let job = self.job.as_ref().filter(|job| course == CourseId::Replay(job.replay));
        match job.is_some_and(|job| job.is_of_other_type(offset)) && decision.outcome != Outcome::Gone {
            true => Decision { outcome: Outcome::OtherType, ..decision },
            false => decision,
        }
    }

    fn start_replay(&mut self) {
        if self.job.is_some() {
            self.change_pacing();
            return;
        }
        self.last_job += 1;
        let from = Offset(1 + self.random.below(self.log.head().0));
        let to = Offset(from.0 + self.random.below(self.log.head().0 + 2 - from.0));
        let replay = ReplayId(self.last_job);
        let every = [0, 0, 1, 2, 3][usize::try_from(self.random.below(5)).expect("five")];
        let job = Job { replay, from, to, every, is_recorded: false, pacing: Pacing::default() };
        self.job = Some(job);
        self.change_pacing();
    }

    /// A person says how the replay is to go on; in the end that it is to. Of one whose end is on record nobody asks
    /// that any more.
    fn change_pacing(&mut self) {
        let rate = [0, 0, 2, 40][usize::try_from(self.random.below(4)).expect("four")];
        let is_paused = self.random.chance(0.3) && !self.is_mended;
        let Some(job) = self.job.as_mut().filter(|job| !job.is_recorded) else { return };
        job.pacing = Pacing { rate_per_second: NonZeroU32::new(rate), is_paused };
        let Job { replay, from, to, pacing, .. } = *job;
        self.command(Input::Replay { replay, from, to, pacing });
    }

    fn cancel_replay(&mut self) {
        if let Some(job) = self.job.take() {
            self.command(Input::StopReplay(job.replay));
        }
    }

    fn replay_ended(&mut self, replay: ReplayId, tally: Tally) {
        // A machine that was written down earlier may not know that this end is on record already.
        let Some(job) = self.job.as_mut().filter(|job| job.replay == replay) else { return };
        assert_eq!(tally.settled(), job.to.0 - job.from.0, "a replay ends when all of its stretch is settled");
        job.is_recorded = true;
        let job = *job;
        let offsets = || (job.from.0..job.to.0).map(Offset);
        let others = offsets().filter(|offset| job.is_of_other_type(*offset)).count();
        assert!(tally.skipped <= others as u64, "{} of {others} are of other types", tally.skipped);
        for offset in offsets() {
            let is_given_up =
                self.disk.given_up().any(|given_up| (given_up.replay, given_up.offset) == (replay, offset));
            let is_taken = self.book.taken.contains(&(CourseId::Replay(replay), offset));
            let is_gone = offset <= self.log.gone_to || self.log.is_too_old(offset);
            let is_of_other_type = job.is_of_other_type(offset);
            assert!(!is_taken || !is_of_other_type, "event {offset} was not asked for");
            let may_miss = self.log.was_filtered(offset) || is_gone || is_of_other_type;
            assert!(is_taken || is_given_up || may_miss, "event {offset} is lost in the replay");
        }
        let after = self.random.below(50);
        self.soon(after, Happening::Tell(self.process, Input::StopReplay(replay)));
    }

    fn restart(&mut self, ending: Ending) {
        match ending {
            Ending::Clean => {}
            Ending::Kill => self.disk.kill(&mut self.random),
            Ending::PowerCut => {
                self.disk.cut_power(&mut self.random);
                self.boot += 1;
            }
        }
        self.process += 1;
        self.began_at = self.at;
        let boot = Boot([self.boot; 16]);
        let found = self.disk.find(boot, Since::beginning(Offset(0), Timestamp(0)), self.log.gone_to);
        let is_same_boot = found.saved.boot == boot;
        self.book.killed(self.disk.highest_row(boot));
        self.book.started(&found, self.log.head(), matches!(ending, Ending::Clean), is_same_boot);
        (self.book.is_enabled, self.book.is_paused) = (self.is_enabled, self.is_paused);
        self.book.set_policy(&self.policy);
        let start = Start {
            saved: found.saved,
            sequences: found.rows,
            parked: found.parked,
            boot,
            head: self.log.head(),
            policy: self.policy.clone(),
            is_enabled: self.is_enabled,
            is_paused: self.is_paused,
            random: self.random.split(),
        };
        self.machine = Machine::start(start, self.now());
        self.told_revision = self.log.revision;
        if let Some(trace) = &self.trace {
            trace.borrow_mut().push_back(format!("{:>12.3} {ending:?}", self.at as f64 / 1e9));
        }
        let is_anew = |one: &Move| matches!(one.target, Target::Anew { .. });
        let last_of = |kind| self.moves.iter().rev().find(|one| is_anew(one) == kind).map(|last| last.number);
        let kept = [last_of(false), last_of(true)];
        self.moves.retain(|one| kept.contains(&Some(one.number)));
        for one in self.moves.clone() {
            self.tell(Input::Move(one));
        }
        self.tell(Input::Wake);
        self.job = self.job.filter(|job| !job.is_recorded);
        let known = self.machine.replay_ledger().map(|(known, _)| known);
        if self.job.map(|job| job.replay) != known {
            self.forget_replay();
        }
        if let Some(Job { replay, from, to, pacing, .. }) = self.job {
            self.command(Input::Replay { replay, from, to, pacing });
        }
    }

    /// Tells the machine to stop a replay whose cancelling it does not remember.
    fn forget_replay(&mut self) {
        if let Some((known, _)) = self.machine.replay_ledger() {
            self.command(Input::StopReplay(known));
        }
    }

    fn mend(&mut self) {
        self.is_mended = true;
        self.receiver = Receiver::healthy();
        self.receiver.mood = Mood::Healthy;
        self.log.mend();
        self.command(Input::RightsChanged);
        self.change_pacing();
        // By then the last answer of the old receiver has come, and whatever it was has been done.
        self.soon(30_000, Happening::SwitchOn);
    }

    fn command(&mut self, input: Input) {
        self.soon(0, Happening::Tell(self.process, input));
    }

    fn soon(&mut self, after_ms: u64, happening: Happening) {
        self.at_later(Duration::from_millis(after_ms), happening);
    }

    fn at_later(&mut self, after: Duration, happening: Happening) {
        self.serial += 1;
        let at = self.at + u64::try_from(after.as_nanos()).expect("a simulation is short");
        self.agenda.insert((at, self.serial), happening);
    }

    /// Mostly short, sometimes so long that a schedule runs out.
    fn any_pause(&mut self) -> u64 {
        match self.random.below(20) {
            0..=11 => self.random.below(30),
            12..=16 => self.random.below(2_000),
            17 | 18 => self.random.below(120_000),
            _ => self.random.below(40_000_000),
        }
    }

    fn now(&self) -> Now {
        let wall = Timestamp(self.drift_ms + i64::try_from(self.at / 1_000_000).expect("a simulation is short"));
        Now { wall, monotonic: Monotonic(self.at - self.began_at) }
    }
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Clean,
    Kill,
    PowerCut,
}

fn any_policy(random: &mut Random) -> Policy {
    let order = match random.below(4) {
        0 | 1 => Order::ByKey,
        2 => Order::Strict,
        _ => Order::None,
    };
    Policy {
        order,
        in_flight_max: u32::try_from(random.below(12)).expect("few"),
        rate_per_second: match random.below(16) {
            0 => NonZeroU32::new(1),
            1 => NonZeroU32::new(50),
            2 => NonZeroU32::new(2_000),
            _ => None,
        },
        refusals_in_a_row_max: 3 + u32::try_from(random.below(8)).expect("few"),
        retry_schedule: Arc::from([5, 300, 1_800, 7_200].map(Duration::from_secs)),
        lane_hold: Duration::from_secs(random.below(60)),
        gives_up_faults: random.chance(0.3),
    }
}
