//! The traffic as a whole: that it repeats, that its order makes sense, that it can be sent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use crate::model::{AccountName, EventId, EventType, Timestamp};

use super::{Accounts, CallCentre, Simulated};

fn names(names: &[&str]) -> Vec<AccountName> {
    names.iter().map(|name| AccountName::parse(name).unwrap()).collect()
}

fn traffic(seed: u64, accounts: &[&str], agents: u32, count: usize) -> Vec<(Simulated, Vec<u8>)> {
    let mut centre = CallCentre::new(seed, &names(accounts), agents);
    let mut one = || {
        let mut out = Vec::new();
        (centre.next_event(&mut out), out)
    };
    (0..count).map(|_| one()).collect()
}

fn parsed(events: &[(Simulated, Vec<u8>)]) -> Vec<Value> {
    events.iter().map(|(_, json)| serde_json::from_slice(json).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_other_ids() {
    let first = traffic(1, &["acme", "globex"], 20, 3_000);
    assert_eq!(first, traffic(1, &["acme", "globex"], 20, 3_000));
    let ids = |events: &[(Simulated, Vec<u8>)]| {
        parsed(events).iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let known = ids(&first);
    assert_eq!(known.len(), 3_000, "ids are unique");
    assert!(known.is_disjoint(&ids(&traffic(2, &["acme", "globex"], 20, 3_000))));
    assert!(known.is_disjoint(&ids(&traffic(1, &["acme", "globex"], 21, 3_000))));
}

#[test]
fn what_other_accounts_there_are_changes_nothing_in_one() {
    let alone: Vec<_> = traffic(1, &["acme"], 20, 500).into_iter().map(|(_, json)| json).collect();
    let among = traffic(1, &["globex", "acme", "initech"], 20, 3_000);
    let among: Vec<_> = among.into_iter().filter(|(event, _)| event.account == 1).map(|(_, json)| json).collect();
    assert!(among.len() > 500);
    assert_eq!(alone, among[..500]);
}

#[test]
fn an_event_is_what_ingest_takes() {
    let events = traffic(3, &["acme"], 20, 20_000);
    let mut bytes = 0;
    for ((simulated, json), event) in events.iter().zip(parsed(&events)) {
        bytes += json.len();
        assert!(!json.contains(&b'\n'));
        assert!(EventId::parse(event["id"].as_str().unwrap()).is_ok(), "{event}");
        assert_eq!(EventType::parse(simulated.kind).unwrap().as_str(), event["type"]);
        assert_eq!(Timestamp::parse(event["occurredAt"].as_str().unwrap()), Ok(simulated.occurred_at));
        assert!(event["actor"]["kind"].is_string(), "{event}");
        let key = event["data"].pointer("/interaction/id").or_else(|| event["data"].pointer("/agent/id"));
        assert!(key.is_some_and(Value::is_string), "every event has a lane: {event}");
        assert_eq!(
            simulated.interaction.map(|number| format!("i_{number}")).as_deref(),
            event["data"].pointer("/interaction/id").and_then(Value::as_str)
        );
        let again = serde_json::from_slice::<BTreeMap<String, Value>>(json).unwrap();
        assert_eq!(again.keys().collect::<Vec<_>>(), ["actor", "data", "id", "occurredAt", "type", "version"]);
    }
    let mean = bytes / events.len();
    assert!((550..=900).contains(&mean), "an event has about 700 bytes, here {mean}");
}

#[test]
fn a_day_has_all_that_a_day_has() {
    let kinds: BTreeSet<_> = traffic(1, &["acme"], 20, 30_000).iter().map(|(event, _)| event.kind).collect();
    assert_eq!(kinds.len(), 31, "{kinds:?}");
    let mut calls = BTreeMap::new();
    for (event, _) in traffic(1, &["acme"], 20, 30_000) {
        *calls.entry(event.kind).or_insert(0) += 1;
    }
    assert!(calls["call.answered"] > calls["call.declined"] * 5, "{calls:?}");
    assert!(calls["call.answered"] > calls["call.abandoned"], "{calls:?}");
    assert!(calls["call.abandoned"] > 0 && calls["call.overflowed"] > 0, "{calls:?}");
}

#[test]
fn days_follow_each_other() {
    let events = traffic(1, &["acme"], 3, 10_000);
    let last = events.last().unwrap().0.occurred_at;
    assert!(last.since(super::START).as_secs() > 3 * 86_400, "{last}");
}

#[test]
fn an_unknown_shape_has_other_names_and_the_same_ids() {
    let mut centre = CallCentre::new(1, &names(&["acme"]), 20);
    let mut known = CallCentre::new(1, &names(&["acme"]), 20);
    for _ in 0..1_000 {
        let (mut hook, mut event) = (Vec::new(), Vec::new());
        assert_eq!(centre.next_hook(&mut hook), known.next_event(&mut event));
        let (hook, event) = (parse(&hook), parse(&event));
        assert_eq!(
            (&hook["eventId"], &hook["client"], &hook["content"]),
            (&event["id"], &"acme".into(), &event["data"])
        );
        assert_eq!(
            hook["eventName"].as_str().unwrap(),
            event["type"].as_str().unwrap().replace('.', "_").to_uppercase()
        );
        assert!(hook.get("type").is_none() && hook.get("data").is_none() && hook.get("accountId").is_none());
    }
}

fn parse(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

#[test]
fn accounts_are_named_or_counted() {
    let read = |text: &str| text.parse::<Accounts>().map(|accounts| accounts.0);
    assert_eq!(read("acme,globex").unwrap(), names(&["acme", "globex"]));
    assert_eq!(read("3").unwrap(), names(&["account-1", "account-2", "account-3"]));
    for bad in ["", "acme,", "acme,acme", "0", "100001", "_operator"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

/// What may come first in an interaction, and what may follow its end.
fn check_course(course: &[&str]) {
    let first = course[0];
    assert!(matches!(first, "call.started" | "messaging.started" | "email.received"), "{course:?}");
    let starts = course.iter().filter(|kind| **kind == first).count();
    assert_eq!(starts, 1, "{course:?}");
    let ends = ["call.ended", "messaging.ended", "messaging.archived", "email.sent", "email.archived"];
    if let Some(end) = course.iter().position(|kind| ends.contains(kind)) {
        let after = &course[end + 1..];
        assert!(
            after.iter().all(|kind| kind.starts_with("post_interaction.") || *kind == "qualification.saved"),
            "{course:?}"
        );
    }
    for pair in course.windows(2) {
        let allowed = match pair[1] {
            "call.presented" => ["call.queued", "call.declined", "call.missed"].contains(&pair[0]),
            "call.answered" => ["call.presented", "call.started"].contains(&pair[0]),
            "call.declined" | "call.missed" => pair[0] == "call.presented",
            "call.held" => ["call.answered", "call.resumed"].contains(&pair[0]),
            "call.resumed" => pair[0] == "call.held",
            "call.transferred" => ["call.answered", "call.resumed"].contains(&pair[0]),
            "call.abandoned" => ["call.queued", "call.declined", "call.missed"].contains(&pair[0]),
            "post_interaction.started" => pair[0] == "call.ended",
            "post_interaction.ended" => ["post_interaction.started", "qualification.saved"].contains(&pair[0]),
            "messaging.message_sent" => ["messaging.picked_up", "messaging.message_received"].contains(&pair[0]),
            "email.sent" => ["email.picked_up", "email.review_requested"].contains(&pair[0]),
            _ => true,
        };
        assert!(allowed, "{} after {}: {course:?}", pair[1], pair[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_events_makes_sense(seed: u64, agents in 1_u32..30) {
        let events = traffic(seed, &["acme", "globex"], agents, 4_000);
        let mut courses: BTreeMap<(usize, u64), (Vec<&str>, i64)> = BTreeMap::new();
        let mut busy: BTreeMap<(usize, String), u64> = BTreeMap::new();
        let mut now = Timestamp(0);
        for ((event, _), json) in events.iter().zip(parsed(&events)) {
            prop_assert!(event.occurred_at >= now, "time never goes back");
            now = event.occurred_at;
            let Some(interaction) = event.interaction else { continue };
            let (course, last_ms) = courses.entry((event.account, interaction)).or_default();
            prop_assert!(course.is_empty() || event.occurred_at.0 > *last_ms, "no two at once");
            course.push(event.kind);
            *last_ms = event.occurred_at.0;
            if let Some(agent) = json["data"].pointer("/agent/id").and_then(Value::as_str) {
                let agent = (event.account, agent.to_owned());
                let with = *busy.entry(agent.clone()).or_insert(interaction);
                prop_assert_eq!(with, interaction, "an agent has one customer at a time");
                let frees = ["call.declined", "call.missed", "call.transferred", "post_interaction.ended", "email.sent",
                    "email.archived", "email.transferred", "messaging.archived", "messaging.transferred"];
                let ends = frees.contains(&event.kind)
                    || event.kind == "messaging.ended"
                    || (event.kind == "qualification.saved" && course[0] != "call.started");
                if ends {
                    busy.remove(&agent);
                }
            }
        }
        for (course, _) in courses.values() {
            check_course(course);
        }
    }
}
