//! One endpoint's loop around its machine: wait, ask, act.
//!
//! Not a decider: what to send when is the machine's. The loop owns the machine, the route to the receiver,
//! the requests under way and the rows that wait to be written; nothing is shared, nothing is locked. It
//! asks one question at a time of the log and one of the source, and as many of the receiver as it may.

mod rows;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::activity::{Activity, Counting, minute_of};
use super::anew;
use super::attempt::AttemptRecord;
use super::desk::{self, Desk, Looked, Orders, Wanted};
use super::line::{Attempted, Errand, Failed, Line};
use super::machine::{
    Action, AsideEvent, AttemptResult, Boot, CourseId, Decision, InHand, Input, Machine, Move, Now, Order, Outlook,
    Pacing, Policy, ReplayId, Saved, Since, Start, State, Target, Whereabouts,
};
use super::positions::Positions;
use super::registry::{Mailbox, Shared};
use super::source::{DecidedEvent, Occasion, Undecided};
use super::status::{EndpointStatus, Lag, LedgerView, RIGHTS_FAULT, ReplayProgress, StatusProblem, replay_counts};
use crate::accounts::{self, Endpoint, Halt, JobState, OnFilterError, ReplayScope, ReplayStanding, Skipped, Sought};
use crate::log::{self, Course, OutcomeRow};
use crate::model::{Aside, Attempt, Offset, Position, Sequence, Timestamp};
use crate::runtime::{Crew, Random, blocking};

/// What a loop is told. Small: a mailbox takes memory for 32 at a time, also of an endpoint that has nothing to do.
pub(super) enum Message {
    /// Live events, decided.
    Offered { from: Offset, events: Arc<[(Position, Decision)]> },
    /// The endpoint's settings have changed.
    Settings { endpoint: Arc<Endpoint>, nod: oneshot::Sender<()> },
    /// The account's settings have changed.
    AccountChanged { nod: oneshot::Sender<()> },
    /// The account's rights are others than before.
    RightsChanged { nod: oneshot::Sender<()> },
    /// A replay was asked for.
    Replays { nod: oneshot::Sender<()> },
    /// A replay is over.
    StopReplay { id: u64, nod: oneshot::Sender<()> },
    /// Send one request now.
    Retry,
    /// Deliver events after all, or give them up.
    Wish(Box<Wanted>),
    /// Say how the endpoint does.
    Status(oneshot::Sender<EndpointStatus>),
    /// Say where events are, in their order.
    Whereabouts { offsets: Vec<Offset>, reply: oneshot::Sender<Vec<Whereabouts>> },
    /// Say what of all events is not on disk, or is about to be.
    InHand(oneshot::Sender<InHand>),
    /// Say what a seek to an event would do.
    Outlook { first: Offset, reply: oneshot::Sender<Outlook> },
    /// A test has ended; History is to have it.
    Tested(Box<AttemptRecord>),
    /// The endpoint was deleted.
    Stop { nod: oneshot::Sender<()> },
}

const _: () = assert!(size_of::<Message>() <= 32);

/// An endpoint with everything its loop owns.
pub(super) struct Loaded {
    shared: Arc<Shared>,
    endpoint: Arc<Endpoint>,
    machine: Machine,
    line: Arc<Line>,
    live: Positions,
    /// Where the records are of parked events, which the cursor has passed.
    parked: Positions,
    replay: Positions,
    desk: Desk,
    rows: Vec<OutcomeRow>,
    /// Rows of live requests: written with what became of their events, so that a crash leaves both or neither.
    with_cursor: Vec<OutcomeRow>,
    last_success_at: Option<Timestamp>,
    /// Boxed: of ten thousand endpoints few have one.
    last_failure: Option<Box<Failed>>,
    /// The HTTP status of the last request that spoke of trouble of the endpoint.
    trouble_status: Option<u16>,
    replay_asked: Option<u64>,
    /// What the replay is for that the machine knows.
    replay_scope: Arc<ReplayScope>,
    /// The number of the last test.
    tests: Attempt,
    counting: Counting,
}

type Ended = (CourseId, Offset, Attempted);
type Read = (CourseId, Offset, Result<Vec<DecidedEvent>, Undecided>);
type Written = (Option<u64>, Result<(), log::Error>);
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the loop waits for besides its mailbox and the clock.
struct Waits {
    /// Tasks of their own: requests of one endpoint share all processors.
    attempts: Crew<Ended>,
    /// At most one read for each of the two courses.
    reads: FuturesUnordered<Boxed<Read>>,
    /// The rows of events that somebody has a wish for.
    look: Option<Boxed<Looked>>,
    write: Option<Boxed<Written>>,
}

impl Loaded {
    /// Reads how far an endpoint has got. Blocks.
    pub(super) fn new(shared: Arc<Shared>, endpoint: Arc<Endpoint>, random: Random) -> Result<Self, log::Error> {
        let log = &shared.parts.log;
        let now = shared.now();
        let boot = Boot(shared.boot);
        let settings = &endpoint.settings.value;
        let saved = match log.cursor(endpoint.id, Course::Live)? {
            Some(bytes) => Saved::decode(bytes).map_err(|problem| unreadable(&endpoint, &problem))?,
            None => Saved::new(boot, Since::beginning(settings.after, endpoint.settings.at)),
        };
        // What was decided and not written down is decided once more, by what holds now.
        let settled = saved.live.cursor.highest();
        let decided = log.decided(endpoint.id)?.into_iter().filter(|(_, to)| *to > settled);
        let decided = decided.map(|(change, _)| OutcomeRow::Decided { endpoint: endpoint.id, change, to: settled });
        let decided: Vec<OutcomeRow> = decided.collect();
        let (mut parked, mut parked_at) = (Vec::new(), Positions::default());
        for row in log.asides(endpoint.id, Aside::Parked, Offset(0)..Offset(u64::MAX), usize::MAX)? {
            let event = AsideEvent::decode(row.value).map_err(|problem| unreadable(&endpoint, &problem))?;
            parked.push((row.offset, event));
            parked_at.add([(row.offset, row.position)].into_iter());
        }
        let rows = log.sequences(endpoint.id, saved.sequences.floor.next(), usize::MAX)?;
        let mut live = Positions::default();
        live.add(rows.iter().map(|(_, position, offset)| (*offset, *position)));
        let sequences: Vec<(Sequence, Offset)> = rows.into_iter().map(|(number, _, offset)| (number, offset)).collect();
        let start = Start {
            saved,
            sequences,
            parked,
            boot,
            head: log.account_head(endpoint.account),
            policy: shared.policy(&endpoint),
            is_enabled: shared.is_enabled(&endpoint),
            is_paused: is_paused(&endpoint),
            random,
        };
        let machine = Machine::start(start, now);
        let minute = minute_of(now.wall);
        let known = match log.rollups(endpoint.id, minute..minute + 1)?.pop() {
            Some((_, value)) => Activity::decode(value).map_err(|problem| unreadable(&endpoint, &problem))?,
            None => Activity::default(),
        };
        let counting = Counting::go_on(minute, known, machine.ledger().tally);
        let tests = log.tests(endpoint.id, Attempt(u32::MAX), 1)?.first().map_or(Attempt(0), |(number, _)| *number);
        let line = Arc::new(Line::new(&shared, &endpoint));
        Ok(Self {
            shared,
            endpoint,
            machine,
            line,
            live,
            parked: parked_at,
            replay: Positions::default(),
            desk: Desk::default(),
            rows: decided,
            with_cursor: Vec::new(),
            last_success_at: None,
            last_failure: None,
            trouble_status: None,
            replay_asked: None,
            replay_scope: Arc::default(),
            tests,
            counting,
        })
    }

    /// The first offset that retention is to leave; one that is switched off holds nothing up.
    pub(super) fn needs_from(&self) -> Offset {
        if self.shared.is_enabled(&self.endpoint) { self.machine.needs_from() } else { Offset(u64::MAX) }
    }
}

/// Runs until the endpoint is deleted or the process ends.
pub(super) async fn run(mut loaded: Box<Loaded>, mailbox: Arc<Mailbox>, mut messages: mpsc::Receiver<Message>) {
    let mut shutdown = loaded.shared.parts.shutdown.clone();
    let mut waits = Waits { attempts: Crew::new(), reads: FuturesUnordered::new(), look: None, write: None };
    let mut actions = Vec::new();
    let mut is_draining = false;
    loaded.make_moves(&mut actions);
    loaded.take(Input::Wake, &mut actions);
    loaded.start_replay(&mut actions);
    loop {
        loaded.act(&mut actions, &mut waits);
        mailbox.needs_from.store(loaded.needs_from().0, Ordering::Release);
        if is_draining && waits.attempts.is_idle() && waits.write.is_none() {
            return;
        }
        let sleep = loaded.sleep();
        tokio::select! {
            biased;
            ended = waits.attempts.ended(), if !waits.attempts.is_idle() => {
                loaded.ended(ended, &mut actions);
                // Whatever else has ended meanwhile shares the same write.
                while let Some(ended) = waits.attempts.ended_already() {
                    loaded.ended(ended, &mut actions);
                }
            }
            Some(read) = waits.reads.next(), if !waits.reads.is_empty() => loaded.read(read, &mut actions),
            looked = wait(&mut waits.look), if waits.look.is_some() => {
                waits.look = None;
                loaded.looked(looked, &mut actions);
            }
            written = wait(&mut waits.write), if waits.write.is_some() => {
                waits.write = None;
                if !loaded.written(written, &mut actions) {
                    return;
                }
            }
            message = messages.recv() => match message {
                Some(Message::Stop { nod }) => {
                    // Requests in flight end with the loop; the endpoint's rows age with their events.
                    drop(waits);
                    answer(nod, ());
                    return;
                }
                Some(message) => loaded.message(message, &mut actions),
                None => return,
            },
            () = mailbox.head_moved.notified() => {
                let head = Offset(mailbox.head.load(Ordering::Acquire));
                loaded.take(Input::Head(head), &mut actions);
            }
            () = sleep => loaded.take(Input::Wake, &mut actions),
            () = shutdown.given(), if !is_draining => {
                is_draining = true;
                loaded.take(Input::Draining, &mut actions);
            }
        }
    }
}

impl Loaded {
    fn take(&mut self, input: Input, actions: &mut Vec<Action>) {
        self.machine.handle(input, self.shared.now(), actions);
    }

    fn sleep(&self) -> impl Future<Output = ()> + use<> {
        let now = self.shared.parts.clock.monotonic();
        let wakeup = self.machine.next_wakeup().map(|at| at.since(now));
        async move {
            match wakeup {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Does what the machine asks for.
    fn act(&mut self, actions: &mut Vec<Action>, waits: &mut Waits) {
        for action in actions.drain(..) {
            match action {
                Action::Read { course, from, limit } => {
                    let (source, endpoint) = (Arc::clone(&self.shared.parts.source), Arc::clone(&self.endpoint));
                    let occasion = self.occasion(course, false);
                    let readers = Arc::clone(&self.shared.readers);
                    waits.reads.push(Box::pin(async move {
                        let _turn = readers.acquire_owned().await;
                        let answer = blocking(move || source.decide(&endpoint, from, limit, &occasion)).await;
                        (course, from, answer)
                    }));
                }
                Action::Attempt { course, offset, attempt, sequence, is_late, is_redelivery, share } => {
                    let line = Arc::clone(&self.line);
                    let recalls = line.recalls();
                    let errand = Errand { course, offset, attempt, sequence, is_late, is_redelivery, share, recalls };
                    let occasion = self.occasion(course, is_redelivery);
                    waits.attempts.start(async move {
                        let attempted = line.attempt(errand, occasion).await;
                        (course, offset, attempted)
                    });
                }
                Action::Recall => self.line.recall(),
                Action::Write { ticket, saved, sequences, anew_from, asides, runs, given_up: _, is_sync } => {
                    self.counting.stands(self.shared.now().wall, &saved.live.tally);
                    let mut rows = self.progress_rows(&saved, sequences);
                    if let Some(first) = anew_from {
                        self.parked.forget_from(first);
                        anew::hold_back(&mut rows, first);
                    }
                    self.add_runs(&runs, &mut rows);
                    self.add_asides(asides, &mut rows);
                    self.forget_settled(&saved);
                    let next = match anew_from {
                        Some(first) => self.write_anew(ticket, first, rows),
                        None => self.write(Some(ticket), rows, is_sync),
                    };
                    // Rows by themselves may be on their way, or not even have begun: they go first.
                    waits.write = Some(match waits.write.take() {
                        Some(before) => Box::pin(one_by_one(before, next)),
                        None => next,
                    });
                }
                Action::Changed(state) => {
                    tracing::debug!(account = %self.endpoint.account_name, endpoint = %self.endpoint.name, ?state, "endpoint state");
                }
                Action::Disable => self.shared.switch_off(&self.endpoint),
                Action::Recovered(outage) => {
                    self.shared.tell_suspended(&self.endpoint, outage, self.trouble_status);
                }
                Action::ReplayEnded { replay, ledger } => {
                    let counts = replay_counts(&ledger);
                    tracing::info!(account = %self.endpoint.account_name, replay = replay.0, ?counts, "replay ended");
                    let ended = ReplayStanding { counts: Some(counts), ..JobState::Completed.into() };
                    self.shared.record_replay(self.endpoint.account, replay.0, ended);
                }
            }
        }
        if waits.look.is_none()
            && let Some(wanted) = self.desk.next(&self.machine)
        {
            let (log, endpoint) = (self.shared.parts.log.clone(), self.endpoint.id);
            waits.look = Some(Box::pin(blocking(move || desk::look(&log, endpoint, wanted))));
        }
        if waits.write.is_none() && !self.rows.is_empty() {
            self.add_rollups();
            let rows = std::mem::take(&mut self.rows);
            waits.write = Some(self.write(None, rows, false));
        }
    }

    fn write(&self, ticket: Option<u64>, rows: Vec<OutcomeRow>, is_sync: bool) -> Boxed<Written> {
        Box::pin(write(self.shared.parts.log.clone(), ticket, rows, is_sync))
    }

    /// Writes after the rows are gone that spoke of events from an offset on as they were before a move.
    fn write_anew(&self, ticket: u64, first: Offset, rows: Vec<OutcomeRow>) -> Boxed<Written> {
        let (log, endpoint) = (self.shared.parts.log.clone(), self.endpoint.id);
        Box::pin(async move {
            let cleared = {
                let log = log.clone();
                blocking(move || anew::clear(&log, endpoint, first)).await
            };
            match cleared {
                Ok(mut all) => {
                    all.extend(rows);
                    write(log, Some(ticket), all, true).await
                }
                Err(problem) => (Some(ticket), Err(problem)),
            }
        })
    }

    /// On what occasion events of a course are wanted.
    fn occasion(&self, course: CourseId, is_redelivery: bool) -> Occasion {
        match course {
            CourseId::Live if is_redelivery => Occasion::Asked,
            CourseId::Live => Occasion::InTurn,
            CourseId::Replay(_) => Occasion::Replay(Arc::clone(&self.replay_scope)),
        }
    }

    fn looked(&mut self, looked: Looked, actions: &mut Vec<Action>) {
        let Orders { inputs, positions } = self.desk.looked(looked, &self.machine);
        self.parked.add(positions.into_iter());
        if !inputs.is_empty() {
            inputs.into_iter().for_each(|input| self.take(input, actions));
            self.desk.told(&self.machine);
        }
    }

    fn read(&mut self, (course, from, answer): Read, actions: &mut Vec<Action>) {
        let events = answer.unwrap_or_else(|problem| {
            tracing::error!(account = %self.endpoint.account_name, %from, %problem, "events cannot be read");
            Vec::new()
        });
        let positions = events.iter().zip(from.0..).map(|(event, offset)| (Offset(offset), event.position));
        match course {
            CourseId::Live => self.live.add(positions),
            CourseId::Replay(_) => self.replay.add(positions),
        }
        let decisions = events.into_iter().map(|event| event.decision).collect();
        self.take(Input::Decided { course, from, decisions }, actions);
    }

    /// Takes the end of a write in; false where the log has failed and everything ends.
    fn written(&mut self, (ticket, answer): Written, actions: &mut Vec<Action>) -> bool {
        if let Err(problem) = answer {
            tracing::error!(account = %self.endpoint.account_name, %problem, "progress cannot be written");
            return false;
        }
        if let Some(ticket) = ticket {
            self.take(Input::Written { ticket }, actions);
            self.desk.written(ticket);
        }
        true
    }

    fn ended(&mut self, (course, offset, attempted): Ended, actions: &mut Vec<Action>) {
        let Attempted { result, row, failure, took } = attempted;
        if row.is_some() {
            self.counting.requested(self.shared.now().wall, took, failure.is_some());
        }
        match failure {
            Some(failed) => {
                if matches!(result, AttemptResult::Trouble { .. }) {
                    self.trouble_status = failed.last.status;
                }
                self.last_failure = Some(Box::new(failed));
            }
            None if row.is_some() => self.last_success_at = Some(self.shared.now().wall),
            None => {}
        }
        match course {
            CourseId::Live => self.with_cursor.extend(row),
            CourseId::Replay(_) => self.rows.extend(row),
        }
        if matches!(result, AttemptResult::Trouble { .. }) {
            self.take(Input::Waiting(self.line.waiting()), actions);
        }
        self.take(Input::AttemptEnded { course, offset, result }, actions);
    }

    fn message(&mut self, message: Message, actions: &mut Vec<Action>) {
        match message {
            Message::Offered { from, events } => {
                let decisions = events.iter().map(|(_, decision)| *decision).collect();
                let before = self.machine.read_to();
                self.take(Input::Offered { from, decisions }, actions);
                // Only what was taken is remembered: an endpoint that stands still is offered without end.
                let taken = before.next()..=self.machine.read_to();
                let positions = events.iter().zip(from.0..).map(|((position, _), offset)| (Offset(offset), *position));
                self.live.add(positions.filter(|(offset, _)| taken.contains(offset)));
            }
            Message::Settings { endpoint, nod } => {
                self.settings_changed(endpoint, actions);
                answer(nod, ());
            }
            Message::AccountChanged { nod } => {
                self.switch(actions);
                answer(nod, ());
            }
            Message::RightsChanged { nod } => {
                self.note_decided();
                self.take(Input::RightsChanged, actions);
                answer(nod, ());
            }
            Message::Replays { nod } => {
                self.start_replay(actions);
                answer(nod, ());
            }
            Message::StopReplay { id, nod } => {
                self.take(Input::StopReplay(ReplayId(id)), actions);
                self.replay_asked = None;
                self.start_replay(actions);
                answer(nod, ());
            }
            Message::Retry => self.take(Input::Retry, actions),
            Message::Wish(wanted) => self.desk.push(*wanted),
            Message::Status(reply) => answer(reply, self.status()),
            Message::Whereabouts { offsets, reply } => {
                let whereabouts = offsets.iter().filter_map(|at| self.machine.whereabouts(CourseId::Live, *at));
                answer(reply, whereabouts.collect());
            }
            Message::InHand(reply) => answer(reply, self.machine.in_hand()),
            Message::Outlook { first, reply } => answer(reply, self.machine.outlook(first)),
            Message::Tested(record) => {
                self.tests = Attempt(self.tests.0.saturating_add(1));
                self.rows.push(OutcomeRow::Test {
                    endpoint: self.endpoint.id,
                    number: self.tests,
                    position: self.shared.parts.log.head(),
                    value: record.encode(),
                });
            }
            Message::Stop { nod } => answer(nod, ()),
        }
    }

    /// Writes down how far everything was decided before a change.
    fn note_decided(&mut self) {
        let Some(account) = self.shared.parts.accounts.account_by_id(self.endpoint.account) else { return };
        let (endpoint, change) = (self.endpoint.id, account.stamp.position());
        self.rows.push(OutcomeRow::Decided { endpoint, change, to: self.machine.read_to() });
    }

    fn settings_changed(&mut self, endpoint: Arc<Endpoint>, actions: &mut Vec<Action>) {
        self.note_decided();
        self.endpoint = endpoint;
        self.take(Input::PolicyChanged(self.shared.policy(&self.endpoint)), actions);
        // Before anything goes on: what is passed over is not sent first.
        self.make_moves(actions);
        self.switch(actions);
    }

    /// Makes the moves that a person has asked for, unless they were made already.
    fn make_moves(&mut self, actions: &mut Vec<Action>) {
        let settings = &self.endpoint.settings.value;
        let skip = settings.skip.clone().map(|Skipped { number, to, position, who }| {
            let who = who.into();
            (Some((to, position)), Move { number, target: Target::Past(to), who })
        });
        let seek = settings.seek.clone().map(|Sought { number, first, before, at, who }| {
            let who = who.into();
            (before.map(|before| (first.previous(), before)), Move { number, target: Target::Anew { first, at }, who })
        });
        let mut moves: Vec<_> = skip.into_iter().chain(seek).collect();
        moves.retain(|(_, one)| one.number > self.machine.moves());
        moves.sort_by_key(|(_, one)| one.number);
        for (position, one) in moves {
            self.parked.add(position.into_iter());
            self.take(Input::Move(one), actions);
        }
    }

    /// Takes over what the settings say, and lets nothing begin any more by what they said before.
    fn switch(&mut self, actions: &mut Vec<Action>) {
        self.line.recall();
        self.line = Arc::new(Line::new(&self.shared, &self.endpoint));
        let enabled = if self.shared.is_enabled(&self.endpoint) { Input::Enabled } else { Input::Disabled };
        let paused = if is_paused(&self.endpoint) { Input::Paused } else { Input::Resumed };
        self.take(enabled, actions);
        self.take(paused, actions);
    }

    /// Starts the next replay in the queue; the machine ignores it while another is known.
    fn start_replay(&mut self, actions: &mut Vec<Action>) {
        // One that was cancelled when the process before this one ended is known to the machine still.
        let known = self.machine.replay_ledger().map(|(known, _)| known);
        if let Some(known) = known.filter(|known| !self.shared.is_replay_open(&self.endpoint, known.0)) {
            self.take(Input::StopReplay(known), actions);
        }
        let Some(replay) = self.shared.next_replay(&self.endpoint) else { return };
        let (from, to, is_paused) = (replay.from, replay.to, replay.standing.state == JobState::Paused);
        let pacing = Pacing { rate_per_second: replay.rate_per_second, is_paused };
        self.replay_scope = Arc::new(replay.scope);
        self.take(Input::Replay { replay: ReplayId(replay.id), from, to, pacing }, actions);
        if is_paused {
            self.replay_asked = None;
        }
        if replay.standing.state == JobState::Queued && self.replay_asked != Some(replay.id) {
            self.replay_asked = Some(replay.id);
            self.shared.record_replay(self.endpoint.account, replay.id, JobState::Running.into());
        }
    }

    fn status(&self) -> EndpointStatus {
        let status = self.machine.status(self.shared.now());
        if let Err(mismatch) = self.machine.check_ledger() {
            self.shared.parts.metrics.ledger_mismatches.inc();
            tracing::error!(account = %self.endpoint.account_name, endpoint = %self.endpoint.name, %mismatch, "ledger");
        }
        let replay = self.machine.replay_ledger();
        let rest = self.machine.replay_rest(self.shared.now().monotonic);
        EndpointStatus {
            state: status.state.into(),
            since: status.since,
            problem: match status.state {
                State::Live | State::CatchingUp | State::Held if status.faulted > 0 => Some(fault(status.faulted)),
                state => self.problem(state),
            },
            last_success_at: self.last_success_at,
            last_failure: self.last_failure.as_ref().map(|failed| failed.last.clone()),
            next_attempt_at: status.next_attempt_at,
            cursor: status.cursor,
            lag: Lag { events: status.ledger.waiting.total(), ms: 0, oldest_at: None },
            in_flight: status.in_flight,
            held: status.ledger.waiting.held,
            parked: status.ledger.waiting.parked,
            ledger: LedgerView::new(status.ledger_since, &status.ledger),
            replay: replay.map(|(id, ledger)| ReplayProgress::new(id.0, &ledger, rest)),
            first_sequence: self.machine.since().sequence,
            waits_from: self.machine.waits_from(),
        }
    }

    /// When its receiver said that it wants nothing any more, where that is why it is off.
    fn gone_at(&self) -> Option<Timestamp> {
        match &self.endpoint.settings.value.halt {
            Some((Halt::Gone, at)) => Some(*at),
            // The machine stands still from the answer on; that it is switched off is just being written down.
            Some((Halt::Paused, _)) | None if self.shared.is_enabled(&self.endpoint) => {
                self.last_failure.as_ref().map(|failed| failed.last.at)
            }
            Some((Halt::Paused, _)) | None => None,
        }
    }

    fn problem(&self, state: State) -> Option<StatusProblem> {
        let told = |code, title: &str, detail: String| Some(StatusProblem { code, title: title.to_owned(), detail });
        match state {
            State::Live | State::CatchingUp => None,
            State::Paused => {
                told("paused", "paused by a person", "resume it and it goes on from where it stands".to_owned())
            }
            State::Disabled => match self.gone_at() {
                Some(at) => {
                    let detail =
                        format!("the receiver said at {at} that it wants nothing any more; enable it to go on");
                    told("receiver_gone", "switched off by its receiver", detail)
                }
                None => told(
                    "disabled",
                    "switched off",
                    "enable it, and its account, and it goes on from where it stands".to_owned(),
                ),
            },
            State::BackingOff | State::Held => {
                let Failed { last, detail } = self.last_failure.as_deref()?;
                told(last.error, &last.error.replace('_', " "), detail.clone())
            }
        }
    }
}

/// Says that rights cannot be applied to events, whatever else the endpoint does.
fn fault(events: usize) -> StatusProblem {
    StatusProblem {
        code: RIGHTS_FAULT,
        title: "rights could not be applied".to_owned(),
        detail: format!(
            "{events} events and what is behind them in their lanes wait until rights are changed or the events \
             discarded; `hooklog event explain` says of each what went wrong"
        ),
    }
}

impl Shared {
    pub(super) fn now(&self) -> Now {
        let clock = &self.parts.clock;
        Now { wall: Timestamp(clock.wall_ms()), monotonic: clock.monotonic() }
    }

    fn policy(&self, endpoint: &Endpoint) -> Policy {
        let settings = &endpoint.settings.value;
        Policy {
            order: match settings.order {
                accounts::Order::ByKey => Order::ByKey,
                accounts::Order::Strict => Order::Strict,
                accounts::Order::None => Order::None,
            },
            in_flight_max: settings.max_in_flight,
            rate_per_second: settings.rate_per_second,
            refusals_in_a_row_max: self.options.refusals_in_a_row_max,
            retry_schedule: Arc::clone(&self.options.retry_schedule),
            lane_hold: self.options.lane_hold,
            gives_up_faults: settings.on_filter_error == OnFilterError::DeadLetter,
        }
    }

    /// Whether anything may be sent: the endpoint and its account are switched on.
    fn is_enabled(&self, endpoint: &Endpoint) -> bool {
        let account = self.parts.accounts.account_by_id(endpoint.account);
        endpoint.settings.value.enabled && account.is_some_and(|account| account.settings.value.enabled)
    }
}

fn is_paused(endpoint: &Endpoint) -> bool {
    matches!(endpoint.settings.value.halt, Some((Halt::Paused, _)))
}

fn unreadable(endpoint: &Endpoint, problem: &dyn std::fmt::Display) -> log::Error {
    log::Error::Inconsistent(format!(
        "endpoint {}/{} cannot be loaded: {problem}",
        endpoint.account_name, endpoint.name
    ))
}

/// Answers whoever asked; one that has gone away does not mind.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value));
}

async fn wait<T>(waited: &mut Option<Boxed<T>>) -> T {
    match waited {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Ends with the second write, or with the first where that failed.
async fn one_by_one(first: Boxed<Written>, second: Boxed<Written>) -> Written {
    let (ticket, answer) = first.await;
    if answer.is_err() { (ticket, answer) } else { second.await }
}

async fn write(log: log::Handle, ticket: Option<u64>, rows: Vec<OutcomeRow>, is_sync: bool) -> Written {
    let rows = Arc::new(rows);
    loop {
        match log.write_outcomes(&rows, is_sync).await {
            // Progress has a reserve of its own on the disk; when that is full too it waits for room.
            Err(log::Error::DiskFull { .. }) => tokio::time::sleep(DISK_FULL_WAIT).await,
            answer => return (ticket, answer),
        }
    }
}

const DISK_FULL_WAIT: Duration = Duration::from_secs(1);
