//! `history_page_ms`: how long a page of a history of ten million events takes, whatever it is asked for by.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Rounds, directory, milliseconds, post, runtime};
use crate::events::{ACCOUNT, Events};
use crate::receiver::Receiver;
use crate::report::{Figure, Goal, median};
use crate::server::Server;

/// Asks for pages by type, key, time and outcome: of what there is much of, and of what is rare.
pub(super) fn page(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(EVENTS);
    let directory = directory()?;
    let runtime = runtime()?;
    let receiver = runtime.block_on(Receiver::start())?;
    let server = Server::start(directory.path())?;
    server.make_account()?;
    server.set_rights(&json!({ "types": { RARE_TYPE: true } }))?;
    // One event in many is for it: the runs of what is delivered and what is not are short.
    server.make_endpoint_with(&json!({ "url": receiver.url(), "maxInFlight": 64, "types": SENT_TYPES }))?;
    let mut made = Events::new();
    let parts = events / PART_EVENTS;
    for part in 0..parts {
        post(&server, &mut made, PART_EVENTS)?;
        let rare = (0..RARE_EVENTS.div_ceil(parts)).map(|number| rare_event(part * RARE_EVENTS + number).into());
        let rare = Arc::new(rare.collect::<Vec<_>>());
        let (_, taken) = runtime.block_on(server.load("application/json", 1).closed(&rare))?;
        ensure!(taken == rare.len(), "rare events were not taken");
        if part % 10 == 9 {
            eprintln!("   {} of {events} events", (part + 1) * PART_EVENTS);
        }
    }
    server.wait_until_settled()?;
    let middle = server.get(&format!("/api/v1/accounts/{ACCOUNT}/events/@{}", events / 2))?;
    let middle = middle.pointer("/recordedAt").and_then(Value::as_str).context("an event says when it came")?;
    let reader = server.make_reader()?;
    let questions = [
        ("events", "events?".to_owned()),
        ("events of a frequent type", "events?type=call.ended".to_owned()),
        ("events of a family", "events?type=agent.*&direction=oldest".to_owned()),
        ("events of a rare type", format!("events?type={RARE_TYPE}")),
        ("events of a key", format!("events?key={RARE_KEY}&direction=oldest")),
        ("events of a key and a type", format!("events?key={RARE_KEY}&type={RARE_TYPE}")),
        (OF_READER, format!("events?key={RARE_KEY}")),
        ("events up to a time", format!("events?toTime={middle}")),
        ("deliveries", "deliveries?".to_owned()),
        ("deliveries delivered", "deliveries?outcome=delivered".to_owned()),
        ("deliveries filtered", "deliveries?outcome=filtered".to_owned()),
        ("deliveries delivered up to a time", format!("deliveries?outcome=delivered&toTime={middle}")),
        (
            "deliveries filtered from a time on",
            format!("deliveries?outcome=filtered&direction=oldest&fromTime={middle}"),
        ),
    ];
    let mut values = Vec::new();
    for round in 0..rounds.count.max(3) {
        let mut slowest = (0.0, "");
        for (name, question) in &questions {
            let mut times = Vec::with_capacity(ASKED);
            for _ in 0..ASKED {
                let started = Instant::now();
                let path = format!("/api/v1/accounts/{ACCOUNT}/{question}");
                let page = if *name == OF_READER { server.get_as(&reader, &path) } else { server.get(&path) }?;
                times.push(milliseconds(started.elapsed()));
                let items = page.get("items").and_then(Value::as_array).map_or(0, Vec::len);
                ensure!(items == PAGE_ITEMS, "a page of {name} has {items} items");
            }
            let median = median(&times).context("each is asked")?;
            eprintln!("   {round}: {name}: {median:.2} ms");
            if median > slowest.0 {
                slowest = (median, name);
            }
        }
        eprintln!("   {round}: slowest: {} {:.2} ms", slowest.1, slowest.0);
        values.push(slowest.0);
    }
    server.stop()?;
    let goal = Goal::AtMost(50.0);
    Ok(vec![Figure { name: "history_page_ms", unit: "ms", values, ceilings: Vec::new(), goal }])
}

fn rare_event(number: usize) -> String {
    format!(
        "{{\"type\":\"{RARE_TYPE}\",\"key\":\"{RARE_KEY}\",\"data\":{{\"interaction\":{{\"id\":\"{RARE_KEY}\"}},\"queue\":{{\"id\":\"q_{number}\"}},\"number\":{number}}}}}"
    )
}

const EVENTS: usize = 10_000_000;
const PART_EVENTS: usize = 50_000;
/// Over the whole history.
const RARE_EVENTS: usize = 400;
const RARE_TYPE: &str = "queue.created";
const RARE_KEY: &str = "rare";
/// The question that is asked with a token that sees what rights show, and nothing else.
const OF_READER: &str = "events of a key, by who has no raw";
const SENT_TYPES: [&str; 1] = ["agent.logged_in"];
/// How often each question is asked in a round.
const ASKED: usize = 7;
/// The page that is answered where nothing is said.
const PAGE_ITEMS: usize = 100;
