//! A preview: what rights, saved or not, would leave of an event, real or made up.
//!
//! By the same component as a delivery. Nothing is saved and nothing is sent. Who may not see raw events sees of a real
//! one what kinds of values it has, and those values that the rights that hold leave as well: rights that are only
//! tried show nobody what saved ones withhold.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::Read;
use super::body::Json;
use super::call::Call;
use super::event::record_at;
use super::failure::{invalid, of_log, ours};
use super::rights::ADDED_TO_RIGHTS;
use crate::accounts::{Layer, RightsDraft};
use crate::dispatch::Answer;
use crate::model::limits::OFFSET_MAX;
use crate::model::{Event, EventId, EventType, Offset, Permission};
use crate::web::{Input, Problem};

/// What is to be looked at.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Preview {
    /// The rights to look through; those that hold where they are left out.
    #[serde(default)]
    rights: Option<RightsDraft>,
    /// An event of one's own; either this or `offset`.
    #[serde(default)]
    event: Option<OwnEvent>,
    /// An event of the log.
    #[serde(default)]
    offset: Option<u64>,
}

impl Input for Preview {
    const ADDED_ON_READING: &'static [&'static str] = ADDED_TO_RIGHTS;
}

/// An event that somebody made up.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnEvent {
    /// Its type.
    #[serde(rename = "type")]
    event_type: String,
    /// Who did it.
    #[serde(default)]
    actor: Option<Map<String, Value>>,
    /// What happened.
    data: Map<String, Value>,
}

/// Who did what.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Payload {
    /// Who did it; null where that is not said, or nothing of it is left.
    actor: Option<Map<String, Value>>,
    /// What happened.
    data: Map<String, Value>,
}

/// What rights make of an event.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Previewed {
    /// The event's type.
    #[serde(rename = "type")]
    event_type: EventType,
    /// What becomes of it.
    outcome: PreviewOutcome,
    /// Why the component did not answer; null where it did.
    fault: Option<String>,
    /// The event as it came; of a real one only the kinds of its values, where the caller may not see it raw.
    before: Payload,
    /// What is left of it; null where it is not sent. Of a real event the kinds of those values that the rights that
    /// hold withhold, where the caller may not see it raw.
    after: Option<Payload>,
    /// The paths of what is not sent, or not as it came.
    touched: Vec<String>,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PreviewOutcome {
    /// It is sent.
    Sent,
    /// Rights withhold its type.
    TypeWithheld,
    /// The catalogue that the rights were decided on does not know its type.
    TypeUnknown,
    /// The component did not answer properly: the event would wait.
    Fault,
}

pub(super) async fn preview(call: Call, Json(asked): Json<Preview>) -> Result<Read<Previewed>, Problem> {
    let account = call.account()?;
    let accounts = &call.api.accounts;
    let table = match &asked.rights {
        None => accounts.effective(account.id).map(|effective| effective.table),
        Some(draft) => {
            accounts.check_rights(draft, Layer::Account).and_then(|rights| accounts.effective_with(&account, rights))
        }
    };
    let table = table.map_err(|error| call.refused(error.below("/rights")))?;
    let is_own = asked.event.is_some();
    let (event_type, event) = match (asked.event, asked.offset) {
        (Some(own), None) => own.into_event()?,
        (None, Some(offset)) if (1..=OFFSET_MAX).contains(&offset) => {
            let id = account.id;
            call.look_up(move |log| log.event(&record_at(log, id, Offset(offset))?).map_err(of_log)).await?
        }
        _ => return Err(invalid("", "give either an event of your own, or the offset of one in the log")),
    };
    let events = [(event_type.clone(), event.clone())];
    let answers = if is_own {
        call.api.dispatch.rehearse(&account, &table, &events).await
    } else {
        call.api.dispatch.preview(&account, &table, &events).await
    };
    let answer = answers.into_iter().next().ok_or_else(|| ours(&"a preview has no answer"))?;
    let before = payload(event.actor.as_deref(), &event.data)?;
    let mut touched = Vec::new();
    let (outcome, fault, after) = match answer {
        Answer::Left(left) => {
            touched = left.touched(&event).into_iter().map(|field| field.path).collect();
            (PreviewOutcome::Sent, None, Some(payload(left.actor.as_deref(), &left.data)?))
        }
        Answer::Withheld => (PreviewOutcome::TypeWithheld, None, None),
        Answer::Unknown => (PreviewOutcome::TypeUnknown, None, None),
        Answer::Fault(fault) => (PreviewOutcome::Fault, Some(fault.to_string()), None),
    };
    let is_shown = is_own || call.also_may(Permission::Raw);
    let (before, after) = if is_shown {
        (before, after)
    } else {
        let events = [(event_type.clone(), event)];
        let held = call.api.dispatch.view(&account, &events).await.map_err(|error| call.refused(error))?.pop();
        let held = match held {
            Some(Answer::Left(left)) => Some(payload(left.actor.as_deref(), &left.data)?),
            Some(Answer::Withheld | Answer::Unknown | Answer::Fault(_)) | None => None,
        };
        // Of what is not sent not even the names of members are shown.
        let before = if after.is_some() { kinds(before) } else { Payload { actor: None, data: Map::new() } };
        (before, after.map(|after| veiled(after, held.as_ref())))
    };
    Ok(Read(Previewed { event_type, outcome, fault, before, after, touched }))
}

impl OwnEvent {
    fn into_event(self) -> Result<(EventType, Event), Problem> {
        let wrong = |problem: &dyn std::fmt::Display| invalid("/event/type", &problem.to_string());
        let event_type = EventType::parse(&self.event_type).map_err(|problem| wrong(&problem))?;
        let text = |members: &Map<String, Value>| serde_json::to_string(members).map_err(|error| ours(&error));
        let event = Event {
            id: EventId::parse("preview").map_err(|error| ours(&error))?,
            spelled_type: None,
            source_id: None,
            version: 1,
            occurred_at: crate::model::Timestamp(0),
            key: None,
            actor: self.actor.as_ref().map(text).transpose()?.map(Into::into),
            attributes: Vec::new(),
            data: text(&self.data)?.into(),
        };
        Ok((event_type, event))
    }
}

fn payload(actor: Option<&str>, data: &str) -> Result<Payload, Problem> {
    let read = |text: &str| serde_json::from_str(text).map_err(|error| ours(&error));
    Ok(Payload { actor: actor.map(read).transpose()?, data: read(data)? })
}

/// Puts its kind in the place of every value.
fn kinds(payload: Payload) -> Payload {
    veiled(payload, None)
}

/// Puts its kind in the place of every value but those that stand at the same place in what may be seen.
fn veiled(Payload { actor, data }: Payload, seen: Option<&Payload>) -> Payload {
    let seen_actor = seen.and_then(|seen| seen.actor.as_ref());
    Payload {
        actor: actor.map(|actor| veiled_members(actor, seen_actor)),
        data: veiled_members(data, seen.map(|seen| &seen.data)),
    }
}

fn veiled_members(members: Map<String, Value>, seen: Option<&Map<String, Value>>) -> Map<String, Value> {
    let veil = |(name, value): (String, Value)| {
        let seen = seen.and_then(|seen| seen.get(&name));
        (name, veiled_value(value, seen))
    };
    members.into_iter().map(veil).collect()
}

fn veiled_value(value: Value, seen: Option<&Value>) -> Value {
    if seen == Some(&value) {
        return value;
    }
    match value {
        Value::Object(members) => Value::Object(veiled_members(members, seen.and_then(Value::as_object))),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| veiled_value(item, None)).collect()),
        Value::String(_) => Value::from("string"),
        Value::Number(_) => Value::from("number"),
        Value::Bool(_) => Value::from("boolean"),
        Value::Null => Value::from("null"),
    }
}
