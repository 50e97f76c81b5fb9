//! Rights: four fields taken out of events in the sandbox, beside a native program that builds a tree to do the same.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use hooklog::accounts::{Decisions, KeyedTable, RightsSettings, Table};
use hooklog::catalog::Catalog;
use hooklog::filter::{BUILT_IN_RIGHTS, Event, Host, Limits, Options, Verdict};
use hooklog::model::{AccountName, EventId, EventType, Position, Timestamp};
use hooklog::runtime::Clock;
use hooklog::security::Secret;
use hooklog::telemetry::Metrics;
use serde_json::Value;

use super::{Rounds, per_second};
use crate::events::Events;
use crate::report::{Figure, Goal};

/// Batches of 64, the accounts taking turns; one thread on either side.
pub(crate) fn rights(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let host = Host::start(options(), Clock::system(), Metrics::new().filter)?;
    let filter = host.load_blocking(Bytes::from_static(BUILT_IN_RIGHTS)).context("the rights component is loaded")?;
    let decisions = Decisions::resolve(&RightsSettings::recommended(Position(1)), &Catalog::built_in());
    let table = Arc::new(Table::new(decisions)?);
    let configurations: Vec<Arc<str>> = (0..ACCOUNTS)
        .map(|account| KeyedTable::new(Arc::clone(&table), Secret::new([account; 32])).configuration().into())
        .collect();
    let events = events(rounds.events(BATCHES) * BATCH)?;
    let batches: Vec<Vec<Event>> = events.chunks(BATCH).map(<[Event]>::to_vec).collect();
    let (mut values, mut ceilings) = (Vec::new(), Vec::new());
    for _ in 0..rounds.count {
        let begun = Instant::now();
        for event in &events {
            std::hint::black_box(natively(&event.payload)?);
        }
        ceilings.push(per_second(events.len(), begun.elapsed()));
        let (work, mut answers) = (batches.clone(), Vec::with_capacity(events.len()));
        let begun = Instant::now();
        for (batch, configuration) in work.into_iter().zip(configurations.iter().cycle()) {
            answers.extend(host.evaluate_blocking(&filter, Arc::clone(configuration), batch));
        }
        values.push(per_second(events.len(), begun.elapsed()));
        // The books of this row: both have taken out the same.
        for (event, answer) in events.iter().zip(&answers) {
            let Ok(Verdict::Rewrite(left)) = &answer.result else { anyhow::bail!("no answer: {:?}", answer.result) };
            let same = serde_json::from_str::<Value>(left.text())?
                == serde_json::from_str::<Value>(&natively(&event.payload)?)?;
            anyhow::ensure!(same, "the sandbox left {}", left.text());
        }
    }
    // Sandboxed, and twice as fast.
    let goal = Goal::ShareOfCeiling(2.0);
    Ok(vec![Figure { name: "filter_rights", unit: "events/s", values, ceilings, goal }])
}

/// Parses into a tree, removes four fields, writes the tree.
fn natively(payload: &str) -> anyhow::Result<String> {
    let mut tree: Value = serde_json::from_str(payload)?;
    for (place, field) in [("/data/agent", "login"), ("/data/agent", "extension"), ("/data/customer", "number")] {
        if let Some(members) = tree.pointer_mut(place).and_then(Value::as_object_mut) {
            members.remove(field);
        }
    }
    if let Some(members) = tree.pointer_mut("/data").and_then(Value::as_object_mut) {
        members.remove("comment");
    }
    Ok(serde_json::to_string(&tree)?)
}

/// Events of the usual size, of types that are wanted, as filters see them.
fn events(count: usize) -> anyhow::Result<Vec<Event>> {
    let mut source = Events::new();
    let account = AccountName::parse("acme")?;
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        let mut text = Vec::new();
        source.next(&mut text);
        let whole: Value = serde_json::from_slice(&text)?;
        let (Some(data), Some(actor), Some(id)) = (whole.get("data"), whole.get("actor"), whole.get("id")) else {
            anyhow::bail!("an event has id, actor and data")
        };
        // Those with a customer have all four fields.
        if data.get("customer").is_none() {
            continue;
        }
        events.push(Event {
            id: EventId::parse(id.as_str().unwrap_or_default())?,
            event_type: EventType::parse("call.ended")?,
            version: 1,
            occurred_at: Timestamp(0),
            account: account.clone(),
            payload: format!("{{\"actor\":{actor},\"data\":{data}}}").into(),
            attributes: Vec::new(),
        });
    }
    Ok(events)
}

fn options() -> Options {
    Options {
        limits: Limits {
            fuel_per_event: 100_000_000,
            fuel_per_byte: 10_000,
            memory_bytes_max: 64 << 20,
            output_bytes_max: 4 << 20,
            component_bytes_max: 16 << 20,
            configuration_bytes_max: 1 << 20,
            wall_per_call: std::time::Duration::from_secs(5),
        },
        threads: 1,
        cache_directory: None,
        cache_key: Secret::new([0; 32]),
    }
}

const ACCOUNTS: u8 = 50;
const BATCH: usize = 64;
const BATCHES: usize = 2_000;
