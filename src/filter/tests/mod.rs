//! The host with real components: what behaves, what misbehaves, what is no filter, and the cache.

mod cache;
mod guest;
mod load;
mod misbehaviour;
mod repeatable;
mod rights;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use crate::model::{AccountName, EventId, EventType, Payload, Timestamp};
use crate::runtime::{Clock, shutdown};
use crate::security::Secret;
use crate::telemetry::{FilterMetrics, Metrics, OutcomeLabel};

use super::{Evaluated, Event, Fault, Filter, Host, Limits, LoadError, Options, Verdict};
use guest::{ECHO, Guest, PASSING};

fn limits() -> Limits {
    Limits {
        fuel_per_event: 1_000_000,
        fuel_per_byte: 1_000,
        memory_bytes_max: 16 << 20,
        output_bytes_max: 1 << 20,
        component_bytes_max: 32 << 20,
        configuration_bytes_max: 1 << 20,
        wall_per_call: Duration::from_secs(60),
    }
}

fn options() -> Options {
    Options { limits: limits(), threads: 2, cache_directory: None, cache_key: Secret::new([7; 32]) }
}

fn start_with(options: Options) -> (Host, FilterMetrics) {
    let metrics = Metrics::new().filter;
    (Host::start(options, Clock::system(), metrics.clone()).unwrap(), metrics)
}

fn start() -> Host {
    start_with(options()).0
}

fn event(payload: impl Into<ByteString>) -> Event {
    Event {
        id: EventId::parse("call-1").unwrap(),
        event_type: EventType::parse("call.ended").unwrap(),
        version: 1,
        occurred_at: Timestamp(1_700_000_000_000),
        account: AccountName::parse("acme").unwrap(),
        payload: payload.into(),
        attributes: vec![("key".into(), "call-1".into())],
    }
}

fn rewrite(payload: &str) -> Verdict {
    Verdict::Rewrite(Payload::read(payload.into()).unwrap())
}

fn load(host: &Host, guest: Guest<'_>) -> Result<Arc<Filter>, LoadError> {
    host.load_blocking(Bytes::from(guest.bytes()))
}

fn ask(host: &Host, filter: &Arc<Filter>, payloads: &[&str]) -> Vec<Evaluated> {
    let events = payloads.iter().map(|payload| event(*payload)).collect();
    host.evaluate_blocking(filter, "", events)
}

fn counted(metrics: &FilterMetrics, outcome: &'static str) -> u64 {
    metrics.components.get_or_create(&OutcomeLabel::new(outcome)).get()
}

const PAYLOAD: &str = r#"{"actor":{"userId":"7"},"data":{"number":"+33 1 23"}}"#;

#[test]
fn a_filter_passes_drops_and_rewrites() {
    let host = start();
    let check = |evaluate: &str, definitions: &str, expected: Verdict| {
        let filter = load(&host, Guest { evaluate, definitions, ..PASSING }).unwrap();
        let answers = ask(&host, &filter, &[PAYLOAD, PAYLOAD]);
        assert_eq!(answers.len(), 2);
        for answer in answers {
            assert_eq!(answer.result, Ok(expected.clone()), "{evaluate}");
            assert!(answer.fuel > 0 && answer.log.is_empty());
        }
    };
    check(PASSING.evaluate, "", Verdict::Pass);
    check(ECHO, "", rewrite(PAYLOAD));
    let drop = |text: &str| format!("(data (i32.const 2048) \"{text}\")");
    let reason = |bytes: usize| format!("(call $answer (i32.const 1) (i32.const 2048) (i32.const {bytes}))");
    check(&reason(9), &drop("too_short"), Verdict::Drop { reason: "too_short".into(), words: String::new() });
    check(
        &reason(23),
        &drop("too_short: only\\09 1 s…"),
        Verdict::Drop { reason: "too_short".into(), words: "only  1 s…".into() },
    );
}

#[test]
fn what_a_filter_says_of_itself_is_kept() {
    let host = start();
    let filter = load(&host, PASSING).unwrap();
    assert_eq!((&*filter.about.name, &*filter.about.version, &*filter.about.config_schema), ("name", "1.0.0", ""));
    assert!(host.description().starts_with("wasmtime 48."), "{}", host.description());
}

#[test]
fn log_is_kept_up_to_its_limit_and_changes_nothing() {
    let host = start();
    let line = "(call $log (i32.const 1024) (i32.const 9))";
    let loud = Guest { evaluate: &format!("{line} {line} {}", PASSING.evaluate), ..PASSING };
    let filter = load(&host, loud).unwrap();
    for answer in ask(&host, &filter, &[PAYLOAD, PAYLOAD]) {
        assert_eq!((answer.result, answer.log), (Ok(Verdict::Pass), vec!["name1.0.0".to_owned(); 2]));
    }
    let louder = format!(
        "(local $i i32) (loop $more {line}
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $i) (i32.const 2000)))) {}",
        PASSING.evaluate
    );
    let filter = load(&host, Guest { evaluate: &louder, ..PASSING }).unwrap();
    for answer in ask(&host, &filter, &[PAYLOAD, PAYLOAD]) {
        assert_eq!(answer.result, Ok(Verdict::Pass));
        // 409 lines of 9 bytes and their ends, and what is left.
        assert_eq!((answer.log.len(), answer.log.last().map(String::len)), (410, Some(5)));
    }
}

#[tokio::test]
async fn the_threads_end_at_the_signal_and_what_comes_later_is_our_fault() {
    let host = start();
    let filter = host.load(Bytes::from(PASSING.bytes())).await.unwrap();
    let (trigger, signal) = shutdown();
    let ended = host.clone().run(signal);
    trigger.give();
    ended.await;
    let answers = host.evaluate(&filter, "", vec![event(PAYLOAD); 3]).await;
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|answer| answer.result.as_ref().is_err_and(Fault::is_ours)), "{answers:?}");
    let refused = host.load(Bytes::from(PASSING.bytes())).await.unwrap_err();
    assert_eq!(refused.code(), "host");
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_leaves_the_thread_to_others() {
    let (host, metrics) = start_with(Options { threads: 1, ..options() });
    let filter = host.load(Bytes::from(PASSING.bytes())).await.unwrap();
    let mut forgotten = Box::pin(host.evaluate(&filter, "", vec![event(PAYLOAD); 100_000]));
    tokio::select! {
        biased;
        _ = &mut forgotten => panic!("it takes a while"),
        () = std::future::ready(()) => {}
    }
    drop(forgotten);
    let answers = host.evaluate(&filter, "", vec![event(PAYLOAD)]).await;
    assert_eq!(answers.first().map(|answer| &answer.result), Some(&Ok(Verdict::Pass)));
    assert!(metrics.evaluations.get_or_create(&OutcomeLabel::new("pass")).get() < 100_001);
}
