//! The floor of one account's call centre: agents, queues, and a day that repeats.
//!
//! Not the merging of several accounts, and not the writing of events. Time goes from step to step; each
//! step brings about one event at most, so events leave in the order of their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::Timestamp;
use crate::runtime::Random;

use super::interaction::{Flow, Interaction, Next, between};
use super::kind::Kind;
use super::people::{AVAILABLE, AWAY, Activity, Agent, Duty, OVERFLOW_QUEUE, pick};

/// One account's call centre.
#[derive(Debug)]
pub(super) struct Floor {
    pub(super) agents: Vec<Agent>,
    pub(super) interactions: Vec<Interaction>,
    random: Random,
    start_ms: i64,
    steps: BinaryHeap<Reverse<(i64, u64, Step)>>,
    /// Gives steps of the same millisecond an order.
    steps_planned: u64,
    /// Rooms of interactions that are over.
    vacant: Vec<u32>,
    next_number: u64,
    waiting: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    LogIn { agent: u32 },
    LogOut { agent: u32 },
    ChangeActivity { agent: u32, session: u32 },
    Arrive(Flow),
    GoOn { interaction: u32 },
}

/// What has happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happened {
    pub(super) at_ms: i64,
    pub(super) kind: Kind,
    pub(super) agent: Option<u32>,
    pub(super) interaction: Option<u32>,
    /// What the agent did before, and for how long.
    pub(super) before: Option<(&'static Activity, i64)>,
}

impl Floor {
    /// Makes the floor in the moment before its first day begins.
    pub(super) fn new(account: &str, agents: u32, start: Timestamp, first_number: u64, mut random: Random) -> Self {
        let staff = (0..agents).map(|number| Agent::new(number, account, &mut random)).collect();
        let mut floor = Self {
            agents: staff,
            interactions: Vec::new(),
            random,
            start_ms: start.0,
            steps: BinaryHeap::new(),
            steps_planned: 0,
            vacant: Vec::new(),
            next_number: first_number,
            waiting: 0,
        };
        for agent in 0..agents {
            let after = between(&mut floor.random, 0, LOG_IN_WITHIN_MS);
            floor.plan(start.0 + after, Step::LogIn { agent });
        }
        for flow in [Flow::Voice, Flow::Messaging, Flow::Email] {
            let after = floor.until_next(flow, start.0);
            floor.plan(start.0 + after, Step::Arrive(flow));
        }
        floor
    }

    /// Returns when the next step is due. There always is one: agents come back, customers call again.
    pub(super) fn next_ms(&self) -> i64 {
        self.steps.peek().map_or(i64::MAX, |Reverse((at_ms, _, _))| *at_ms)
    }

    /// Takes the next step, and returns what it brought about.
    ///
    /// # Shape
    /// An interaction that is over keeps its room until [`Floor::leave`] is called.
    pub(super) fn step(&mut self) -> Option<Happened> {
        let Reverse((at_ms, _, step)) = self.steps.pop()?;
        match step {
            Step::LogIn { agent } => Some(self.log_in(agent, at_ms)),
            Step::LogOut { agent } => self.log_out(agent, at_ms),
            Step::ChangeActivity { agent, session } => self.change_activity(agent, session, at_ms),
            Step::Arrive(flow) => self.arrive(flow, at_ms),
            Step::GoOn { interaction } => self.go_on(interaction, at_ms),
        }
    }

    /// Lets go of an interaction that is over, once its last event is written.
    pub(super) fn leave(&mut self, happened: &Happened) {
        let Some(slot) = happened.interaction else { return };
        let interaction = interaction_of(&mut self.interactions, slot);
        let is_over = interaction.next == Next::Over;
        let is_freed =
            is_over || matches!(happened.kind, Kind::CallDeclined | Kind::CallMissed) || is_transfer(happened.kind);
        if is_freed && let Some(agent) = interaction.agent.take() {
            self.agent(agent).duty = Duty::Ready;
        }
        if is_over {
            self.vacant.push(slot);
        }
    }

    fn plan(&mut self, at_ms: i64, step: Step) {
        self.steps_planned += 1;
        self.steps.push(Reverse((at_ms, self.steps_planned, step)));
    }

    fn agent(&mut self, agent: u32) -> &mut Agent {
        let index = usize::try_from(agent).expect("an agent's number is an index");
        self.agents.get_mut(index).expect("agents come and go, and are never removed")
    }

    fn log_in(&mut self, agent: u32, at_ms: i64) -> Happened {
        let who = self.agent(agent);
        who.sessions += 1;
        (who.duty, who.activity) = (Duty::Ready, &AVAILABLE);
        (who.session_since_ms, who.activity_since_ms) = (at_ms, at_ms);
        let session = who.sessions;
        let day_ends = self.start_ms + self.day(at_ms) * DAY_MS + OPEN_MS;
        let leaves = day_ends + between(&mut self.random, 0, LOG_OUT_WITHIN_MS);
        self.plan(leaves, Step::LogOut { agent });
        let changes = at_ms + between(&mut self.random, 30 * 60_000, 150 * 60_000);
        self.plan(changes, Step::ChangeActivity { agent, session });
        Happened { at_ms, kind: Kind::LoggedIn, agent: Some(agent), interaction: None, before: None }
    }

    fn log_out(&mut self, agent: u32, at_ms: i64) -> Option<Happened> {
        if self.agent(agent).duty == Duty::Busy {
            let later = at_ms + between(&mut self.random, 20_000, 90_000);
            self.plan(later, Step::LogOut { agent });
            return None;
        }
        self.agent(agent).duty = Duty::Off;
        let tomorrow = self.start_ms + (self.day(at_ms) + 1) * DAY_MS;
        let returns = tomorrow + between(&mut self.random, 0, LOG_IN_WITHIN_MS);
        self.plan(returns, Step::LogIn { agent });
        Some(Happened { at_ms, kind: Kind::LoggedOut, agent: Some(agent), interaction: None, before: None })
    }

    fn change_activity(&mut self, agent: u32, session: u32, at_ms: i64) -> Option<Happened> {
        let who = self.agent(agent);
        if who.sessions != session {
            return None;
        }
        let activity = match who.duty {
            Duty::Off => return None,
            Duty::Busy => {
                let later = at_ms + between(&mut self.random, 30_000, 180_000);
                self.plan(later, Step::ChangeActivity { agent, session });
                return None;
            }
            Duty::Ready => pick(&AWAY, &mut self.random),
            Duty::Away => &AVAILABLE,
        };
        let lasts = if activity == &AVAILABLE {
            between(&mut self.random, 30 * 60_000, 150 * 60_000)
        } else {
            let (least, more) = activity.minutes;
            between(&mut self.random, least * 60_000, (least + more) * 60_000)
        };
        self.plan(at_ms + lasts, Step::ChangeActivity { agent, session });
        let who = self.agent(agent);
        let before = Some((who.activity, at_ms - who.activity_since_ms));
        who.duty = if activity == &AVAILABLE { Duty::Ready } else { Duty::Away };
        (who.activity, who.activity_since_ms) = (activity, at_ms);
        Some(Happened { at_ms, kind: Kind::ActivityChanged, agent: Some(agent), interaction: None, before })
    }

    fn arrive(&mut self, flow: Flow, at_ms: i64) -> Option<Happened> {
        let after = self.until_next(flow, at_ms);
        self.plan(at_ms + after, Step::Arrive(flow));
        let is_outgoing = flow == Flow::Voice && self.random.chance(0.2);
        let caller = if is_outgoing { Some(self.take_free_agent()?) } else { None };
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.interactions.push(Interaction::empty());
            u32::try_from(self.interactions.len() - 1).expect("there are fewer interactions than 2^32")
        });
        self.next_number += 1;
        let interaction = interaction_of(&mut self.interactions, slot);
        interaction.begin(self.next_number, flow, caller, Timestamp(at_ms), &mut self.random);
        self.go_on(slot, at_ms)
    }

    fn go_on(&mut self, slot: u32, at_ms: i64) -> Option<Happened> {
        match interaction_of(&mut self.interactions, slot).next {
            Next::Happen(kind) => Some(self.happen(slot, kind, at_ms)),
            Next::Offer => self.offer(slot, at_ms),
            Next::Over => None,
        }
    }

    fn happen(&mut self, slot: u32, kind: Kind, at_ms: i64) -> Happened {
        let interaction = interaction_of(&mut self.interactions, slot);
        match kind {
            Kind::CallQueued => {
                self.waiting += 1;
                interaction.position = self.waiting;
            }
            Kind::CallResumed => interaction.hold_ms += at_ms - interaction.held_ms,
            Kind::PostEnded => interaction.post_ms = at_ms - interaction.held_ms,
            Kind::CallAbandoned | Kind::CallOverflowed => {
                self.waiting = self.waiting.saturating_sub(1);
                interaction.wait_ms = at_ms - interaction.queued_ms;
            }
            _ => {}
        }
        // What a transfer or the end of ringing says of the agent is still about the one who had it.
        let agent = interaction.agent;
        let after = interaction.follow(kind, at_ms, &mut self.random);
        if interaction.next != Next::Over {
            self.plan(at_ms + after, Step::GoOn { interaction: slot });
        }
        Happened { at_ms, kind, agent, interaction: Some(slot), before: None }
    }

    /// Looks for somebody who is free.
    fn offer(&mut self, slot: u32, at_ms: i64) -> Option<Happened> {
        let flow = interaction_of(&mut self.interactions, slot).flow;
        let Some(agent) = self.take_free_agent() else { return self.wait_longer(slot, flow, at_ms) };
        let interaction = interaction_of(&mut self.interactions, slot);
        interaction.agent = Some(agent);
        interaction.wait_ms = at_ms - interaction.queued_ms;
        interaction.presentations += 1;
        let kind = match flow {
            Flow::Voice => Kind::CallPresented,
            Flow::Messaging => Kind::MessagingPickedUp,
            Flow::Email => Kind::EmailPickedUp,
        };
        if flow == Flow::Voice {
            self.waiting = self.waiting.saturating_sub(1);
        }
        Some(self.happen(slot, kind, at_ms))
    }

    fn wait_longer(&mut self, slot: u32, flow: Flow, at_ms: i64) -> Option<Happened> {
        let interaction = interaction_of(&mut self.interactions, slot);
        let waited_ms = at_ms - interaction.queued_ms;
        if flow == Flow::Voice && waited_ms >= interaction.patience_ms {
            return Some(self.happen(slot, Kind::CallAbandoned, at_ms));
        }
        let may_overflow = !interaction.is_overflowed && interaction.queue != OVERFLOW_QUEUE;
        if flow == Flow::Voice && may_overflow && waited_ms >= OVERFLOW_AFTER_MS {
            return Some(self.happen(slot, Kind::CallOverflowed, at_ms));
        }
        let later = match flow {
            Flow::Voice => at_ms + between(&mut self.random, 2_000, 6_000),
            Flow::Messaging | Flow::Email if self.is_open(at_ms) => at_ms + between(&mut self.random, 20_000, 60_000),
            // Nobody is there at night: what was written waits for the morning.
            Flow::Messaging | Flow::Email => {
                self.start_ms + (self.day(at_ms) + 1) * DAY_MS + between(&mut self.random, 60_000, 1_800_000)
            }
        };
        self.plan(later, Step::GoOn { interaction: slot });
        None
    }

    /// Finds somebody who is ready, beginning anywhere, and makes them busy.
    fn take_free_agent(&mut self) -> Option<u32> {
        let count = self.agents.len();
        let first = usize::try_from(self.random.below(u64::try_from(count).unwrap_or(0))).unwrap_or(0);
        let (before, after) = self.agents.split_at_mut(first.min(count));
        let mut all = after.iter_mut().zip(first..).chain(before.iter_mut().zip(0..));
        let (agent, index) = all.find(|(agent, _)| agent.duty == Duty::Ready)?;
        agent.duty = Duty::Busy;
        u32::try_from(index).ok()
    }

    /// Returns how long until the next customer of this kind.
    fn until_next(&mut self, flow: Flow, at_ms: i64) -> i64 {
        let per_agent_and_day: u64 = match flow {
            Flow::Voice => 60,
            Flow::Messaging => 15,
            Flow::Email => 10,
        };
        let into_day = at_ms.saturating_sub(self.start_ms).rem_euclid(DAY_MS);
        let hour = usize::try_from(into_day / 3_600_000).unwrap_or(0);
        let Some(load_pct) = LOAD_PCT.get(hour) else {
            let morning = DAY_MS - into_day;
            return morning + between(&mut self.random, 0, 600_000);
        };
        let agents = u64::try_from(self.agents.len()).unwrap_or(1).max(1);
        let open_ms = u64::try_from(OPEN_MS).unwrap_or(1);
        let mean_ms = open_ms * 100 / (agents * per_agent_and_day * load_pct);
        between(&mut self.random, mean_ms / 5, mean_ms * 9 / 5 + 1)
    }

    fn day(&self, at_ms: i64) -> i64 {
        at_ms.saturating_sub(self.start_ms).div_euclid(DAY_MS)
    }

    fn is_open(&self, at_ms: i64) -> bool {
        at_ms.saturating_sub(self.start_ms).rem_euclid(DAY_MS) < OPEN_MS
    }
}

fn interaction_of(interactions: &mut [Interaction], slot: u32) -> &mut Interaction {
    let index = usize::try_from(slot).expect("a room's number is an index");
    interactions.get_mut(index).expect("rooms are reused, and never removed")
}

/// Returns whether the agent who had it is free again.
const fn is_transfer(kind: Kind) -> bool {
    matches!(kind, Kind::CallTransferred | Kind::MessagingTransferred | Kind::EmailTransferred)
}

const DAY_MS: i64 = 24 * 3_600_000;
const OPEN_MS: i64 = 10 * 3_600_000;
const LOG_IN_WITHIN_MS: u64 = 20 * 60_000;
const LOG_OUT_WITHIN_MS: u64 = 15 * 60_000;
const OVERFLOW_AFTER_MS: i64 = 90_000;
/// How busy each hour of the day is, in per cent of the mean.
const LOAD_PCT: [u64; 10] = [60, 100, 130, 120, 70, 80, 120, 130, 110, 80];
