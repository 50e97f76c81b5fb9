//! One endpoint's machine: what to send when, and what to write down of it.
//!
//! Pure: it does no IO, asks no clock and logs nothing. The shell around it waits for an input or for
//! [`Machine::next_wakeup`], hands it to [`Machine::handle`] together with the time, and does the actions that
//! come out. What the events say is unknown here; they are offsets and hashes of keys.
//!
//! ```text
//!   Offered, Decided ─▶ lanes ─▶ Attempt ─▶ AttemptEnded ─▶ cursor and tally ─▶ Write ─▶ Written
//!        ▲                ▲                       │                               │
//!        └─── Read        └── circuit, window ◀───┘          numbers may leave ◀──┘
//! ```
//!
//! Promises: every event is settled once and counted once; of one lane one request at a time, in order; no
//! number names two events; nothing moves while the endpoint is off, paused or in trouble, and all of it goes
//! on from there, a crash included.

mod input;
mod action;
mod saved;
mod ledger;
mod status;
mod course;
mod reading;
mod cursor;
mod lanes;
mod trial;
mod aside;
mod parking;
mod runs;
mod moving;
mod sequence;
mod circuit;
mod window;
mod pace;
mod backoff;
mod attempts;
mod writing;
mod replaying;
mod number_map;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod simulation;

use std::collections::VecDeque;

use crate::model::{Offset, Sequence, Timestamp};
use crate::runtime::{Monotonic, Random};

use circuit::Circuit;
use course::{Course, Stretch};
use pace::Pace;
use replaying::Replaying;
use sequence::Sequences;
use window::{Turn, Window};
use writing::Writing;

pub use action::{Action, GivenUp, Share, State};
pub use aside::{AsideChange, AsideEvent, Cause};
pub use circuit::Outage;
pub use cursor::{Cursor, SPAN};
pub use input::{
    AttemptResult, CourseId, Decision, FilteredBy, Input, Letter, Move, Now, Order, Outcome, Pacing, Policy, ReplayId,
    Target,
};
pub use ledger::{Ledger, LedgerMismatch, Since, Tally, Waiting};
pub use moving::Outlook;
pub use runs::Run;
pub use saved::{Boot, RETRIES_MAX, Saved, SavedCourse, SavedReplay, SavedRetry};
pub use sequence::SavedSequences;
pub use status::{InHand, Status, Whereabouts};

/// What to send when, for one endpoint.
#[derive(Debug)]
pub struct Machine {
    boot: Boot,
    since: Since,
    policy: Policy,
    is_enabled: bool,
    is_paused: bool,
    is_draining: bool,
    live: Course,
    replay: Option<Replaying>,
    /// Requests under way of a replay that is gone.
    orphans: Vec<(CourseId, Offset)>,
    circuit: Circuit,
    window: Window,
    /// Whether the endpoint was in trouble when the process before this one ended.
    was_in_trouble: bool,
    /// From which event on runs say how each was settled.
    listed_from: Offset,
    pace: Pace,
    /// Whether what was asked for and has not begun is to be taken back.
    is_recalling: bool,
    /// Whether a person waits for the next probe.
    is_probe_asked: bool,
    /// How many of those in flight have not begun, as it was told last.
    waiting: usize,
    /// The number of the last move that a person has made, and those that wait for requests under way.
    moves: u64,
    moves_asked: VecDeque<Move>,
    /// Different events refused since the last success, each with the steps it had used up before.
    refused_in_row: Vec<(CourseId, Offset, u32)>,
    /// How many requests have succeeded since the start.
    successes: u64,
    /// How often the chain has changed since the start.
    rights: u64,
    writing: Writing,
    /// The state that was last told, and since when.
    told: Option<(State, Timestamp)>,
    is_catching_up: bool,
    /// When to give back the memory that a full queue has left.
    trim_at: Option<Monotonic>,
    random: Random,
}

/// All that a machine starts from.
#[derive(Debug)]
pub struct Start {
    /// What was written down last, or [`Saved::new`] for a new endpoint.
    pub saved: Saved,
    /// The endpoint's sequence rows above `saved.sequences.floor`.
    pub sequences: Vec<(Sequence, Offset)>,
    /// The endpoint's parked events.
    pub parked: Vec<(Offset, AsideEvent)>,
    /// The boot we are in.
    pub boot: Boot,
    /// The account's last event.
    pub head: Offset,
    /// What of the endpoint's settings matters here.
    pub policy: Policy,
    /// Whether the endpoint is switched on.
    pub is_enabled: bool,
    /// Whether the endpoint is paused.
    pub is_paused: bool,
    /// Where jitter comes from.
    pub random: Random,
}

impl Machine {
    /// Goes on where the endpoint stood. The first input tells it to begin: `Input::Wake` will do.
    #[must_use]
    pub fn start(start: Start, now: Now) -> Self {
        let Start { saved, sequences, parked, boot, head, policy, is_enabled, is_paused, random } = start;
        let stretch = Stretch { start: saved.since.offset, end: head };
        let was_in_trouble = saved.is_in_trouble;
        let mut live = Course::start(CourseId::Live, stretch, saved.live, policy.order, now);
        let is_settled = |offset| live.cursor.is_settled(offset);
        live.sequences = Some(Sequences::start(saved.sequences, &sequences, saved.boot == boot, is_settled));
        live.restore_parked(parked, now);
        live.expire_lost(saved.since.offset);
        live.gives_up_faults = policy.gives_up_faults;
        live.lane_hold = policy.lane_hold;
        Self {
            boot,
            since: saved.since,
            is_enabled,
            is_paused,
            is_draining: false,
            live,
            replay: saved.replay.map(|replay| Replaying::go_on(replay, policy.order, now)),
            orphans: Vec::new(),
            circuit: Circuit::default(),
            window: Window::new(policy.in_flight_max),
            was_in_trouble,
            listed_from: saved.listed_from,
            pace: Pace::new(policy.rate_per_second),
            is_recalling: false,
            is_probe_asked: false,
            waiting: 0,
            moves: saved.moves,
            moves_asked: VecDeque::new(),
            refused_in_row: Vec::new(),
            successes: 0,
            rights: 0,
            writing: Writing::default(),
            told: None,
            is_catching_up: false,
            trim_at: None,
            policy,
            random,
        }
    }

    /// Takes an input in and appends what is to be done to `actions`.
    pub fn handle(&mut self, input: Input, now: Now, actions: &mut Vec<Action>) {
        match input {
            Input::Wake => {}
            Input::Head(head) => self.live.head_moved(head),
            Input::Offered { from, decisions } if self.is_moving() => {
                self.live.offer(from, &decisions, self.queue_max(now.monotonic), now);
            }
            Input::Offered { from, decisions } => {
                let count = u64::try_from(decisions.len()).unwrap_or(0);
                self.live.head_moved(Offset((from.0 + count).saturating_sub(1)));
            }
            Input::Decided { course, from, decisions } => {
                if let Some(course) = self.course_mut(course) {
                    course.answered(from, &decisions, now);
                }
            }
            Input::AttemptEnded { course, offset, result } => self.attempt_ended(course, offset, result, now, actions),
            Input::Written { ticket } => self.written(ticket),
            Input::PolicyChanged(policy) => {
                self.window.resize(policy.in_flight_max);
                self.pace.change(policy.rate_per_second);
                // A replay waits: whoever looks after it can mend the chain, or cancel.
                self.live.give_up_faults(policy.gives_up_faults);
                self.live.lane_hold = policy.lane_hold;
                self.courses_mut().for_each(|course| course.reading.settings_changed());
                self.policy = policy;
            }
            Input::Enabled => self.is_enabled = true,
            Input::Disabled => self.is_enabled = false,
            Input::Paused => self.is_paused = true,
            Input::Resumed => self.is_paused = false,
            Input::Retry => self.retry(now.monotonic),
            Input::Move(asked) => self.ask_to_move(asked),
            Input::Redeliver(letters) => self.redeliver(letters, now),
            Input::TryNow(offset) => self.try_now(offset),
            Input::Discard { offset, letter, who } => self.discard(offset, letter, &who, now),
            Input::RightsChanged => {
                self.rights += 1;
                self.courses_mut().for_each(Course::rights_changed);
            }
            Input::Replay { replay, from, to, pacing } => self.replay(replay, from, to, pacing, now),
            Input::StopReplay(replay) => self.stop_replay(replay),
            Input::Waiting(waiting) => self.waiting = waiting,
            Input::Draining => {
                self.is_draining = true;
                self.recall();
            }
        }
        self.go_on(now, actions);
    }

    /// Returns when to call again with `Input::Wake`, if nothing else happens first.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Monotonic> {
        let write = self.write_due();
        let moving = self.is_moving().then(|| self.next_move()).flatten();
        [write, moving, self.trim_at].into_iter().flatten().min()
    }

    /// Does whatever can be done now. Every input ends here, so that no order of inputs leaves work undone.
    fn go_on(&mut self, now: Now, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.is_recalling) {
            actions.push(Action::Recall);
        }
        self.move_if_asked(now);
        if self.is_moving() {
            self.change_order();
            self.wake_due(now.monotonic);
            self.send(now.monotonic, actions);
            self.read(now.monotonic, actions);
        }
        self.write(now, actions);
        self.announce_replay(actions);
        self.tell_state(now, actions);
        self.trim(now.monotonic);
    }

    /// Whether anything may begin.
    const fn is_moving(&self) -> bool {
        self.is_enabled && !self.is_paused && !self.is_draining
    }

    /// Gives the lanes another order, as soon as nothing of the old one is in flight.
    fn change_order(&mut self) {
        let order = self.policy.order;
        if self.is_between_orders() && self.in_flight() == 0 {
            self.refused_in_row.clear();
            self.courses_mut().for_each(|course| course.read_anew(order));
        }
    }

    /// Whether the lanes are to get another order: nothing is sent until nothing is in flight.
    fn is_between_orders(&self) -> bool {
        self.live.lanes.order() != self.policy.order
    }

    fn wake_due(&mut self, now: Monotonic) {
        for course in self.courses_mut() {
            while course.wake_due(now) {}
        }
    }

    fn send(&mut self, now: Monotonic, actions: &mut Vec<Action>) {
        if self.is_between_orders() || !self.moves_asked.is_empty() {
            return;
        }
        let (mut in_flight, rights) = (self.in_flight(), self.rights);
        let is_probe = self.circuit.is_open();
        let share = self.share(now);
        if share == Share::Silent && in_flight == 0 {
            // What it could bear before it fell silent says nothing of now.
            self.window.close();
        }
        while let Some(turn) = self.next_turn(in_flight, now) {
            let course = match (turn, &mut self.replay) {
                (Turn::Replay, Some(replaying)) => {
                    replaying.pace.went(now);
                    &mut replaying.course
                }
                (Turn::Replay | Turn::Live, _) => &mut self.live,
            };
            let entry = if is_probe { course.lanes.start_probe() } else { course.lanes.start_next() };
            let departure = course.depart(entry.expect("whose turn it is has something ready"), rights);
            let course = course.id;
            if is_probe {
                self.circuit.probing(course, departure.offset);
            }
            let share = if is_probe && std::mem::take(&mut self.is_probe_asked) { Share::Silent } else { share };
            in_flight += 1;
            self.pace.went(now);
            let course::Departure { offset, attempt, sequence, is_late, is_redelivery } = departure;
            actions.push(Action::Attempt { course, offset, attempt, sequence, is_late, is_redelivery, share });
        }
    }

    /// Says which course sends the next request, if one may be sent.
    fn next_turn(&mut self, in_flight: usize, now: Monotonic) -> Option<Turn> {
        if self.pace.free_from() > now {
            return None;
        }
        let live = self.live.lanes.has_ready();
        let replay = self.replay.as_ref().is_some_and(|replaying| replaying.is_ready(now));
        if !self.circuit.is_open() {
            let has_room = in_flight < self.window.size() as usize;
            return if has_room { self.window.turn(live, replay) } else { None };
        }
        let may_probe = in_flight < self.window.max() as usize && self.circuit.probe_at().is_some_and(|at| at <= now);
        if !may_probe || !(live || replay) {
            return None;
        }
        let untried = |course: &Course| course.lanes.has_untried_ready();
        let replay_is_better = replay && self.replay.as_ref().is_some_and(|replaying| untried(&replaying.course));
        let is_live = live && (untried(&self.live) || !replay_is_better);
        Some(if is_live { Turn::Live } else { Turn::Replay })
    }

    fn read(&mut self, now: Monotonic, actions: &mut Vec<Action>) {
        let queue_max = self.queue_max(now);
        for course in self.moving_courses_mut() {
            if let Some((from, limit)) = course.next_read(queue_max, now) {
                actions.push(Action::Read { course: course.id, from, limit });
            }
        }
    }

    /// Sends one request as soon as there is room, whatever is waited for.
    fn retry(&mut self, now: Monotonic) {
        if self.circuit.is_open() {
            self.circuit.probe_now(now);
            // Whatever else waits with those in trouble: somebody looks on.
            self.is_probe_asked = true;
            self.recall();
        } else if !self.live.lanes.wake_first()
            && let Some(replaying) = &mut self.replay
        {
            replaying.course.lanes.wake_first();
        }
    }

    fn tell_state(&mut self, now: Now, actions: &mut Vec<Action>) {
        let unread = self.live.unread();
        self.is_catching_up = unread > if self.is_catching_up { 0 } else { self.queue_proven() };
        let state = self.state();
        if self.told.is_none_or(|(told, _)| told != state) {
            self.told = Some((state, now.wall));
            actions.push(Action::Changed(state));
        }
    }

    /// Gives memory back some time after the last event has left its lane.
    fn trim(&mut self, now: Monotonic) {
        let is_idle = self.courses().all(|course| course.lanes.is_empty());
        match self.trim_at {
            None if is_idle && self.courses().any(|course| course.lanes.holds_memory()) => {
                self.trim_at = Some(now.plus(TRIM_AFTER));
            }
            Some(at) if at <= now => {
                self.trim_at = None;
                if is_idle {
                    self.courses_mut().for_each(Course::trim);
                }
            }
            None | Some(_) => {}
        }
    }

    /// The next moment at which something begins by itself.
    fn next_move(&self) -> Option<Monotonic> {
        let live_from = self.live.lanes.has_ready().then_some(Monotonic(0));
        let replay = self.replay.as_ref().filter(|replaying| !replaying.is_paused());
        let ready_from = [live_from, replay.and_then(Replaying::ready_from)].into_iter().flatten().min();
        let waits = self.is_between_orders() || !self.moves_asked.is_empty();
        let (is_open, in_flight) = (self.circuit.is_open(), self.in_flight());
        let places = if is_open { self.window.max() } else { self.window.size() };
        let may_send = !waits && in_flight < places as usize;
        let sends_from = if is_open { self.circuit.probe_at() } else { Some(Monotonic(0)) };
        // With the circuit closed, whoever is ready and has a place is sent at once but for the pace.
        let sends_at = ready_from.zip(sends_from).filter(|_| may_send);
        let sends_at = sends_at.map(|(ready, from)| ready.max(from).max(self.pace.free_from()));
        let courses = [&self.live].into_iter().chain(replay.map(|replaying| &replaying.course));
        let timers = courses.flat_map(|course| [course.lanes.next_timer(), course.reading.again_at()]);
        timers.chain([sends_at]).flatten().min()
    }

    /// Whether it is in trouble, or was when the process before this one ended and has taken nothing since.
    const fn is_in_trouble(&self) -> bool {
        self.circuit.is_open() || self.was_in_trouble && self.window.is_new()
    }

    /// What is known of the receiver.
    fn share(&self, now: Monotonic) -> Share {
        if self.is_in_trouble() {
            Share::InTrouble
        } else if self.window.is_silent(now) {
            Share::Silent
        } else {
            Share::Answering
        }
    }

    /// How many events may wait in lanes that are free to go.
    ///
    /// Whoever is sent one request at a time, and may not take even that, reads no further than it needs to try
    /// several lanes.
    fn queue_max(&self, now: Monotonic) -> u64 {
        match self.share(now) {
            Share::Answering => self.queue_proven(),
            Share::Silent | Share::InTrouble => QUEUE_UNPROVEN,
        }
    }

    /// A few windows' worth.
    fn queue_proven(&self) -> u64 {
        (u64::from(self.window.max()) * QUEUE_WINDOWS).max(QUEUE_MIN)
    }

    fn in_flight(&self) -> usize {
        self.courses().map(Course::in_flight).sum::<usize>() + self.orphans.len()
    }

    fn courses(&self) -> impl Iterator<Item = &Course> {
        [&self.live].into_iter().chain(self.replay.as_ref().map(|replaying| &replaying.course))
    }

    fn courses_mut(&mut self) -> impl Iterator<Item = &mut Course> {
        [&mut self.live].into_iter().chain(self.replay.as_mut().map(|replaying| &mut replaying.course))
    }

    /// The courses that read on.
    fn moving_courses_mut(&mut self) -> impl Iterator<Item = &mut Course> {
        let replay = self.replay.as_mut().filter(|replaying| !replaying.is_paused());
        [&mut self.live].into_iter().chain(replay.map(|replaying| &mut replaying.course))
    }

    fn course_mut(&mut self, id: CourseId) -> Option<&mut Course> {
        self.courses_mut().find(|course| course.id == id)
    }
}

#[cfg(test)]
impl Machine {
    /// Counts everything anew and compares it with what is kept.
    fn audit(&self) {
        self.courses().for_each(Course::audit);
    }
}

const QUEUE_WINDOWS: u64 = 4;
/// Enough for one read to be worth its trouble, where the window is small.
const QUEUE_MIN: u64 = 512;
/// The heads of eight lanes at least, because of each lane only its first four count.
const QUEUE_UNPROVEN: u64 = 32;
const TRIM_AFTER: std::time::Duration = std::time::Duration::from_secs(10);
