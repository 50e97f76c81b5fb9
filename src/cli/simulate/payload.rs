//! What stands in the events of a simulated call centre: the envelope, the field groups, the facts.
//!
//! Not what happens when (see `floor`). Field names and values are those of INO's catalogue as proposed;
//! about 700 bytes an event.

use crate::model::Timestamp;

use super::floor::{Floor, Happened};
use super::interaction::{Flow, Interaction};
use super::kind::Kind;
use super::people::{
    AGENT_WORDS, Activity, Agent, COMMENTS, CUSTOMER_WORDS, DECLINE_REASONS, QUALIFICATIONS, QUEUES, SUBJECTS,
};
use super::write::Object;

/// Who an event is of, and what is known of it beside the floor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'a> {
    /// The event's id, such as `evt_01JNB4Z6Q8`.
    pub(super) id: &'a str,
    /// The account.
    pub(super) account: &'a str,
}

/// An event with what it is about at hand.
struct Scene<'a> {
    happened: &'a Happened,
    kind: Kind,
    at_ms: i64,
    agent: Option<&'a Agent>,
    interaction: Option<&'a Interaction>,
}

/// Writes an event as hooklog takes it.
pub(super) fn write_event(out: &mut Vec<u8>, envelope: Envelope<'_>, floor: &Floor, happened: &Happened) {
    let scene = Scene::of(floor, happened);
    Object::write(out, |event| {
        event.text("id", envelope.id);
        event.text("type", scene.kind.as_str());
        event.number("version", 1);
        event.display("occurredAt", Timestamp(scene.at_ms));
        event.object("actor", |actor| scene.actor(actor));
        event.object("data", |data| scene.data(data, envelope.account));
    });
}

/// Writes the same in a shape of another platform: other names, types in capitals, the time as a number.
pub(super) fn write_hook(out: &mut Vec<u8>, envelope: Envelope<'_>, floor: &Floor, happened: &Happened) {
    let scene = Scene::of(floor, happened);
    Object::write(out, |hook| {
        hook.display("eventName", Shouted(scene.kind.as_str()));
        hook.text("eventId", envelope.id);
        hook.text("client", envelope.account);
        hook.number("emittedAt", scene.at_ms);
        hook.object("by", |actor| scene.actor(actor));
        hook.object("content", |data| scene.data(data, envelope.account));
    });
}

/// A type the way another platform writes it: `CALL_DECLINED`.
struct Shouted(&'static str);

impl std::fmt::Display for Shouted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write;
        let mut letters = self.0.chars().map(|letter| if letter == '.' { '_' } else { letter.to_ascii_uppercase() });
        letters.try_for_each(|letter| formatter.write_char(letter))
    }
}

impl<'a> Scene<'a> {
    fn of(floor: &'a Floor, happened: &'a Happened) -> Self {
        let agent = happened.agent.and_then(|agent| floor.agents.get(usize::try_from(agent).ok()?));
        let interaction = happened.interaction.and_then(|slot| floor.interactions.get(usize::try_from(slot).ok()?));
        Self { happened, kind: happened.kind, at_ms: happened.at_ms, agent, interaction }
    }

    fn actor(&self, actor: &mut Object<'_>) {
        let by_customer = match self.kind {
            Kind::CallStarted => self.interaction.is_none_or(|interaction| interaction.is_incoming),
            Kind::CallEnded | Kind::MessagingEnded => {
                self.agent.is_none() || self.interaction.is_some_and(|interaction| interaction.ended_by == "CUSTOMER")
            }
            Kind::MessagingStarted | Kind::MessageReceived | Kind::EmailReceived | Kind::CallAbandoned => true,
            _ => false,
        };
        let by_system =
            matches!(self.kind, Kind::CallQueued | Kind::CallPresented | Kind::CallMissed | Kind::CallOverflowed);
        match self.agent {
            _ if by_customer => actor.text("kind", "CUSTOMER"),
            Some(agent) if !by_system => {
                actor.text("kind", "USER");
                actor.text("userId", &agent.id);
            }
            Some(_) | None => actor.text("kind", "SYSTEM"),
        }
    }

    fn data(&self, data: &mut Object<'_>, account: &str) {
        if let Some(agent) = self.agent {
            data.object("agent", |members| members.members(&agent.json));
        }
        match (self.interaction, self.agent) {
            (Some(interaction), _) => {
                data.members(&interaction.json);
                data.object("queue", |queue| {
                    queue.text("ref", interaction.queue().reference);
                    queue.text("name", interaction.queue().name);
                });
                match interaction.flow {
                    Flow::Voice => self.call(data, interaction),
                    Flow::Messaging => self.messaging(data, interaction),
                    Flow::Email => self.email(data, interaction, account),
                }
            }
            (None, Some(agent)) => self.session(data, agent),
            (None, None) => {}
        }
    }

    fn session(&self, data: &mut Object<'_>, agent: &Agent) {
        data.display("sessionId", format_args!("s_{}_{}", agent.id, agent.sessions));
        match self.kind {
            Kind::LoggedIn => {
                data.text("application", "BANNER");
                data.text("method", if agent.id.ends_with('7') { "PASSWORD" } else { "SAML_V2" });
                data.text("ip", "203.0.113.9");
                data.object("activity", |members| describe(members, agent.activity));
            }
            Kind::LoggedOut => {
                data.text("application", "BANNER");
                data.text("logoutReason", "USER");
                data.number("sessionDurationMs", self.at_ms - agent.session_since_ms);
            }
            _ => {
                data.object("activity", |members| describe(members, agent.activity));
                if let Some((activity, lasted_ms)) = self.happened.before {
                    data.object("previousActivity", |members| describe(members, activity));
                    data.number("previousDurationMs", lasted_ms);
                }
                data.text("origin", "AGENT");
            }
        }
    }

    fn call(&self, data: &mut Object<'_>, call: &Interaction) {
        match self.kind {
            Kind::CallQueued => {
                queues(data, call);
                data.number("positionInQueue", call.position);
            }
            Kind::CallPresented => {
                data.number("presentationNo", call.presentations);
                data.number("waitMs", call.wait_ms);
            }
            Kind::CallAnswered => {
                data.number("waitMs", call.wait_ms);
                data.number("ringMs", call.ring_ms);
            }
            Kind::CallDeclined | Kind::CallMissed => {
                data.number("ringMs", call.ring_ms);
                data.number("presentationNo", call.presentations);
                if self.kind == Kind::CallDeclined {
                    data.text("declineReason", choose(&DECLINE_REASONS, call.flavour));
                }
            }
            Kind::CallAbandoned => {
                data.number("waitMs", call.wait_ms);
                queues(data, call);
            }
            Kind::CallOverflowed => {
                data.text("overflowReason", "NO_AGENT");
                data.number("waitMs", call.wait_ms);
            }
            Kind::CallResumed => data.number("holdMs", call.hold_ms),
            Kind::CallTransferred => self.transfer(data, call),
            Kind::CallEnded => {
                data.text("outcome", call.outcome);
                data.text("endedBy", call.ended_by);
                data.number("waitMs", call.wait_ms);
                data.number("processingMs", if call.outcome == "HANDLED" { self.at_ms - call.answered_ms } else { 0 });
                data.number("holdMs", call.hold_ms);
                data.number("holdCount", call.hold_count);
                queues(data, call);
            }
            Kind::PostEnded => data.number("postInteractionMs", call.post_ms),
            Kind::Qualified => qualification(data, call),
            _ => {}
        }
    }

    fn messaging(&self, data: &mut Object<'_>, contact: &Interaction) {
        match self.kind {
            Kind::MessagingPickedUp => {
                data.number("waitMs", contact.wait_ms);
                data.flag("forwarded", contact.is_transferred);
            }
            Kind::MessageReceived | Kind::MessageSent => {
                let is_sent = self.kind == Kind::MessageSent;
                let turn = contact.flavour.wrapping_add(contact.exchanges_left);
                let words = if is_sent { choose(&AGENT_WORDS, turn) } else { choose(&CUSTOMER_WORDS, turn) };
                message(data, contact, if is_sent { "AGENT" } else { "CUSTOMER" }, words);
                data.text("pool", if is_sent { "PENDING_CUSTOMER" } else { "PENDING" });
            }
            Kind::MessagingTransferred => self.transfer(data, contact),
            Kind::MessagingEnded => {
                data.text("endedBy", contact.ended_by);
                data.text("outcome", contact.outcome);
                data.number("waitMs", contact.wait_ms);
                data.number("processingMs", self.at_ms - contact.answered_ms);
            }
            Kind::Qualified => qualification(data, contact),
            _ => {}
        }
    }

    fn email(&self, data: &mut Object<'_>, contact: &Interaction, account: &str) {
        match self.kind {
            Kind::EmailReceived | Kind::EmailSent => {
                let is_sent = self.kind == Kind::EmailSent;
                data.display("mailbox", format_args!("support@{account}.example"));
                let words = if is_sent {
                    choose(&AGENT_WORDS, contact.flavour)
                } else {
                    choose(&CUSTOMER_WORDS, contact.flavour)
                };
                message(data, contact, if is_sent { "AGENT" } else { "CUSTOMER" }, words);
                data.object("email", |email| email.text("subject", choose(&SUBJECTS, contact.flavour)));
            }
            Kind::EmailPickedUp => data.number("waitMs", contact.wait_ms),
            Kind::EmailReviewRequested => data.object("review", |review| review.text("reviewerId", "u_1010")),
            Kind::EmailTransferred => self.transfer(data, contact),
            _ => {}
        }
    }

    fn transfer(&self, data: &mut Object<'_>, contact: &Interaction) {
        data.object("transfer", |transfer| {
            if contact.is_transferred_out {
                transfer.text("kind", "NUMBER");
                transfer.text("targetNumber", "+33199000555");
                transfer.text("mode", "ATTENDED");
            } else {
                transfer.text("kind", "QUEUE");
                transfer.text("targetRef", contact.queue().reference);
                transfer.text("mode", "BLIND");
            }
        });
        data.number("processingMs", self.at_ms - contact.answered_ms);
    }
}

fn describe(members: &mut Object<'_>, activity: &Activity) {
    members.text("ref", activity.reference);
    members.text("name", activity.name);
    members.text("category", activity.category);
    members.text("categoryType", activity.category_type);
}

fn queues(data: &mut Object<'_>, contact: &Interaction) {
    let crossed = contact.queues.iter().filter_map(|queue| QUEUES.get(*queue));
    data.texts("queueRefs", crossed.map(|queue| queue.reference));
}

fn message(data: &mut Object<'_>, contact: &Interaction, author: &str, words: &str) {
    data.object("message", |message| {
        message.display("id", format_args!("m_{}_{}", contact.number, contact.exchanges_left));
        message.text("author", author);
        message.number("length", i64::try_from(words.chars().count()).unwrap_or(0));
        message.number("attachments", i64::from(contact.flavour.is_multiple_of(7)));
        message.text("text", words);
    });
}

fn qualification(data: &mut Object<'_>, contact: &Interaction) {
    let (reference, label) = choose(&QUALIFICATIONS, contact.flavour);
    data.object("qualification", |members| {
        members.text("ref", reference);
        members.text("label", label);
        members.text("comment", choose(&COMMENTS, contact.flavour));
    });
}

/// Chooses from a table what this interaction always chooses.
fn choose<T: Copy>(several: &[T], flavour: u64) -> T {
    let count = u64::try_from(several.len()).unwrap_or(1).max(1);
    *several.get(usize::try_from(flavour % count).unwrap_or(0)).expect("tables have at least one entry")
}
