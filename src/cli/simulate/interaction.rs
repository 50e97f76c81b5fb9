//! One contact with a customer: what it is, where it stands, and what comes next.
//!
//! Not the floor: who is free is decided there. Each interaction waits for exactly one next step, so its
//! events follow each other as they must: nothing before it started, nothing after it ended but the
//! agent's work on it.

use std::fmt::Write;

use crate::model::Timestamp;
use crate::runtime::Random;

use super::kind::Kind;
use super::people::{LAST_NAMES, OVERFLOW_QUEUE, QUEUES, pick};

/// Which family of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flow {
    Voice,
    Messaging,
    Email,
}

/// What an interaction does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This happens.
    Happen(Kind),
    /// Somebody is looked for.
    Offer,
    /// Nothing more.
    Over,
}

/// A contact with a customer.
#[derive(Debug)]
pub(super) struct Interaction {
    pub(super) number: u64,
    pub(super) flow: Flow,
    pub(super) is_incoming: bool,
    /// The field group `interaction`, `customer`, `lineNumber`, `card` and `case`, as JSON, written once.
    pub(super) json: String,
    pub(super) next: Next,
    pub(super) agent: Option<u32>,
    pub(super) queue: usize,
    /// The queues it went through, in their order.
    pub(super) queues: Vec<usize>,
    pub(super) queued_ms: i64,
    pub(super) answered_ms: i64,
    pub(super) held_ms: i64,
    pub(super) wait_ms: i64,
    pub(super) ring_ms: i64,
    pub(super) hold_ms: i64,
    pub(super) post_ms: i64,
    pub(super) hold_count: u32,
    pub(super) presentations: u32,
    pub(super) position: u64,
    pub(super) patience_ms: i64,
    pub(super) exchanges_left: u64,
    pub(super) is_transferred: bool,
    pub(super) is_transferred_out: bool,
    pub(super) is_overflowed: bool,
    pub(super) outcome: &'static str,
    pub(super) ended_by: &'static str,
    /// Which of the tables' texts it uses.
    pub(super) flavour: u64,
}

impl Interaction {
    /// Makes an interaction that has not started; [`Interaction::begin`] fills it.
    pub(super) fn empty() -> Self {
        Self {
            number: 0,
            flow: Flow::Voice,
            is_incoming: true,
            json: String::new(),
            next: Next::Over,
            agent: None,
            queue: 0,
            queues: Vec::new(),
            queued_ms: 0,
            answered_ms: 0,
            held_ms: 0,
            wait_ms: 0,
            ring_ms: 0,
            hold_ms: 0,
            post_ms: 0,
            hold_count: 0,
            presentations: 0,
            position: 0,
            patience_ms: 0,
            exchanges_left: 0,
            is_transferred: false,
            is_transferred_out: false,
            is_overflowed: false,
            outcome: "HANDLED",
            ended_by: "CUSTOMER",
            flavour: 0,
        }
    }

    /// Begins anew, in the room of one that is over.
    pub(super) fn begin(&mut self, number: u64, flow: Flow, caller: Option<u32>, at: Timestamp, random: &mut Random) {
        let mut json = std::mem::take(&mut self.json);
        let mut queues = std::mem::take(&mut self.queues);
        json.clear();
        queues.clear();
        let queue = usize::try_from(random.below(4)).unwrap_or(0);
        *self = Self {
            number,
            flow,
            is_incoming: caller.is_none(),
            agent: caller,
            queue,
            queued_ms: at.0,
            answered_ms: at.0,
            patience_ms: 60_000 + between(random, 0, 240_000),
            exchanges_left: 1 + random.below(4),
            ended_by: if random.chance(0.6) { "CUSTOMER" } else { "AGENT" },
            flavour: random.below(1 << 32),
            next: Next::Happen(match flow {
                Flow::Voice => Kind::CallStarted,
                Flow::Messaging => Kind::MessagingStarted,
                Flow::Email => Kind::EmailReceived,
            }),
            ..Self::empty()
        };
        self.describe(&mut json, at, random);
        (self.json, self.queues) = (json, queues);
    }

    /// Returns the queue it is or was in.
    pub(super) fn queue(&self) -> &'static super::people::Queue {
        QUEUES.get(self.queue).expect("a queue is chosen from the table")
    }

    /// Decides what follows what has just happened, and how long it takes.
    ///
    /// # Units
    /// Milliseconds, at least 1: two events of one interaction never happen at once.
    pub(super) fn follow(&mut self, kind: Kind, at_ms: i64, random: &mut Random) -> i64 {
        let (next, after_ms) = match self.flow {
            Flow::Voice => self.follow_call(kind, at_ms, random),
            Flow::Messaging => self.follow_messaging(kind, at_ms, random),
            Flow::Email => self.follow_email(kind, at_ms, random),
        };
        self.next = next;
        after_ms
    }

    fn follow_call(&mut self, kind: Kind, at_ms: i64, random: &mut Random) -> (Next, i64) {
        match kind {
            Kind::CallStarted if self.is_incoming => (Next::Happen(Kind::CallQueued), between(random, 3_000, 20_000)),
            Kind::CallStarted => self.dial(random),
            Kind::CallQueued => {
                self.queues.push(self.queue);
                self.queued_ms = at_ms;
                (Next::Offer, between(random, 500, 3_000))
            }
            Kind::CallPresented => self.ring(random),
            Kind::CallDeclined | Kind::CallMissed => (Next::Offer, between(random, 500, 2_000)),
            Kind::CallAnswered => {
                self.answered_ms = at_ms;
                match random.below(100) {
                    0..22 => (Next::Happen(Kind::CallHeld), between(random, 20_000, 120_000)),
                    22..31 if !self.is_transferred => self.transfer(random),
                    _ => (Next::Happen(Kind::CallEnded), between(random, 30_000, 420_000)),
                }
            }
            Kind::CallHeld => {
                self.held_ms = at_ms;
                self.hold_count += 1;
                (Next::Happen(Kind::CallResumed), between(random, 5_000, 60_000))
            }
            Kind::CallResumed => match random.below(100) {
                0..10 if !self.is_transferred => self.transfer(random),
                10..18 => (Next::Happen(Kind::CallHeld), between(random, 20_000, 120_000)),
                _ => (Next::Happen(Kind::CallEnded), between(random, 10_000, 200_000)),
            },
            Kind::CallTransferred if self.is_transferred_out => {
                (Next::Happen(Kind::CallEnded), between(random, 30_000, 300_000))
            }
            Kind::CallTransferred => (Next::Happen(Kind::CallQueued), between(random, 500, 2_000)),
            Kind::CallOverflowed => {
                (self.is_overflowed, self.queue) = (true, OVERFLOW_QUEUE);
                (Next::Happen(Kind::CallQueued), between(random, 500, 2_000))
            }
            Kind::CallAbandoned => {
                (self.outcome, self.ended_by) = ("ABANDONED", "CUSTOMER");
                (Next::Happen(Kind::CallEnded), between(random, 10, 80))
            }
            Kind::CallEnded if self.agent.is_some() => (Next::Happen(Kind::PostStarted), between(random, 10, 80)),
            Kind::PostStarted => {
                self.held_ms = at_ms;
                if random.chance(0.75) {
                    (Next::Happen(Kind::Qualified), between(random, 4_000, 60_000))
                } else {
                    (Next::Happen(Kind::PostEnded), between(random, 3_000, 30_000))
                }
            }
            Kind::Qualified => (Next::Happen(Kind::PostEnded), between(random, 500, 5_000)),
            _ => (Next::Over, 1),
        }
    }

    fn dial(&mut self, random: &mut Random) -> (Next, i64) {
        let ring_ms = between(random, 4_000, 20_000);
        (self.ring_ms, self.wait_ms) = (ring_ms, ring_ms);
        if random.chance(0.75) {
            return (Next::Happen(Kind::CallAnswered), ring_ms);
        }
        (self.outcome, self.ended_by) = ("FAILED", "SYSTEM");
        (Next::Happen(Kind::CallEnded), ring_ms)
    }

    fn ring(&mut self, random: &mut Random) -> (Next, i64) {
        let (kind, ring_ms) = match random.below(100) {
            0..6 => (Kind::CallDeclined, between(random, 1_500, 9_500)),
            6..14 => (Kind::CallMissed, 20_000),
            _ => (Kind::CallAnswered, between(random, 1_500, 12_000)),
        };
        self.ring_ms = ring_ms;
        if kind == Kind::CallAnswered {
            self.wait_ms += ring_ms;
        }
        (Next::Happen(kind), ring_ms)
    }

    fn transfer(&mut self, random: &mut Random) -> (Next, i64) {
        self.is_transferred = true;
        self.is_transferred_out = random.chance(0.3);
        if !self.is_transferred_out {
            self.queue = (self.queue + 1) % OVERFLOW_QUEUE;
        }
        (Next::Happen(Kind::CallTransferred), between(random, 20_000, 180_000))
    }

    fn follow_messaging(&mut self, kind: Kind, at_ms: i64, random: &mut Random) -> (Next, i64) {
        match kind {
            Kind::MessagingStarted => (Next::Happen(Kind::MessageReceived), between(random, 20, 200)),
            Kind::MessageReceived if self.agent.is_none() => {
                self.queues.push(self.queue);
                (Next::Offer, between(random, 5_000, 60_000))
            }
            Kind::MessageReceived => (Next::Happen(Kind::MessageSent), between(random, 10_000, 60_000)),
            Kind::MessagingPickedUp => {
                self.answered_ms = at_ms;
                (Next::Happen(Kind::MessageSent), between(random, 5_000, 45_000))
            }
            Kind::MessageSent if self.exchanges_left > 0 => {
                self.exchanges_left -= 1;
                (Next::Happen(Kind::MessageReceived), between(random, 10_000, 90_000))
            }
            Kind::MessageSent => match random.below(100) {
                0..6 if !self.is_transferred => {
                    (self.is_transferred, self.exchanges_left) = (true, 1);
                    self.queue = (self.queue + 1) % OVERFLOW_QUEUE;
                    (Next::Happen(Kind::MessagingTransferred), between(random, 5_000, 30_000))
                }
                6..20 => (Next::Happen(Kind::MessagingArchived), between(random, 5_000, 120_000)),
                _ => (Next::Happen(Kind::MessagingEnded), between(random, 5_000, 120_000)),
            },
            Kind::MessagingTransferred => {
                self.queued_ms = at_ms;
                self.queues.push(self.queue);
                (Next::Offer, between(random, 5_000, 60_000))
            }
            Kind::MessagingEnded if random.chance(0.4) => {
                (Next::Happen(Kind::Qualified), between(random, 3_000, 20_000))
            }
            _ => (Next::Over, 1),
        }
    }

    fn follow_email(&mut self, kind: Kind, at_ms: i64, random: &mut Random) -> (Next, i64) {
        match kind {
            Kind::EmailReceived | Kind::EmailTransferred => {
                self.queued_ms = at_ms;
                self.queues.push(self.queue);
                (Next::Offer, between(random, 30_000, 600_000))
            }
            Kind::EmailPickedUp => {
                self.answered_ms = at_ms;
                match random.below(100) {
                    0..8 => (Next::Happen(Kind::EmailReviewRequested), between(random, 60_000, 300_000)),
                    8..13 if !self.is_transferred => {
                        self.is_transferred = true;
                        self.queue = (self.queue + 1) % OVERFLOW_QUEUE;
                        (Next::Happen(Kind::EmailTransferred), between(random, 10_000, 60_000))
                    }
                    13..25 => (Next::Happen(Kind::EmailArchived), between(random, 5_000, 60_000)),
                    _ => (Next::Happen(Kind::EmailSent), between(random, 60_000, 400_000)),
                }
            }
            Kind::EmailReviewRequested => (Next::Happen(Kind::EmailSent), between(random, 60_000, 300_000)),
            _ => (Next::Over, 1),
        }
    }

    /// Writes the field groups that stay the same as long as it lasts.
    fn describe(&self, json: &mut String, at: Timestamp, random: &mut Random) {
        let (flow, channel) = match self.flow {
            Flow::Voice => ("VOICE", "VOICE"),
            Flow::Email => ("EMAIL", "EMAIL"),
            Flow::Messaging => ("MESSAGING", *pick(&["WHATSAPP", "CHAT", "SMS", "MESSENGER", "TELEGRAM"], random)),
        };
        let direction = if self.is_incoming { "INCOMING" } else { "OUTGOING" };
        let routing = if self.is_incoming { "SMART" } else { "DIRECT" };
        let (number, customer) = (self.number, random.below(1_000_000));
        let last = pick(&LAST_NAMES, random).login;
        // Numbers that the French regulator keeps for films: they belong to nobody.
        let phone = format!("+336399{:05}", 8_000 + customer % 2_000);
        let mut members =
            |arguments: std::fmt::Arguments<'_>| json.write_fmt(arguments).expect("a String takes all text");
        members(format_args!(
            "\"interaction\":{{\"id\":\"i_{number}\",\"flow\":\"{flow}\",\"channel\":\"{channel}\",\
             \"direction\":\"{direction}\",\"originalRouting\":\"{routing}\",\"currentRouting\":\"{routing}\",\
             \"startedAt\":\"{at}\"}},\"customer\":{{"
        ));
        match self.flow {
            Flow::Voice => members(format_args!("\"number\":\"{phone}\",\"country\":\"FR\"")),
            Flow::Messaging => {
                members(format_args!("\"handle\":\"wa:{}\",\"country\":\"FR\"", &phone.trim_start_matches('+')))
            }
            Flow::Email => members(format_args!("\"email\":\"{last}.{customer}@example.com\",\"country\":\"FR\"")),
        }
        members(format_args!(
            "}},\"lineNumber\":\"+3319900{:04}\",\"card\":{{\"id\":\"c_{customer}\"}}",
            100 + self.queue
        ));
        if customer % 3 == 0 {
            members(format_args!(",\"case\":{{\"id\":\"k_{}\"}}", customer / 3));
        }
    }
}

/// Returns a number of milliseconds from `least` to below `most`.
pub(super) fn between(random: &mut Random, least: u64, most: u64) -> i64 {
    i64::try_from(least + random.below(most.saturating_sub(least))).unwrap_or(i64::MAX).max(1)
}
