//! The built-in rights as the component that is shipped: held against its own cases, and against the same
//! source compiled for this machine.

use std::fs;
use std::path::Path;

use hooklog_rights::{Table, Verdict as Native, prepare};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::*;
use crate::filter::BUILT_IN_RIGHTS;

fn rights(host: &Host) -> Arc<Filter> {
    host.load_blocking(Bytes::from_static(BUILT_IN_RIGHTS)).unwrap()
}

fn event_of(event_type: &str, payload: &str) -> Event {
    Event { event_type: EventType::parse(event_type).unwrap(), ..event(payload) }
}

/// What the native core says, as the host would.
fn native(table: &Table, event: &Event) -> Result<Verdict, String> {
    match table.evaluate(event.event_type.as_str(), &event.payload) {
        Ok(Native::Pass) => Ok(Verdict::Pass),
        Ok(Native::Drop(reason)) => Ok(Verdict::Drop { reason: reason.to_owned(), words: String::new() }),
        Ok(Native::Rewrite(payload)) => Ok(rewrite(&payload)),
        Err(problem) => Err(problem.to_string()),
    }
}

/// Prepares a table as the server does.
fn prepared(lines: &str) -> Arc<str> {
    prepare(lines).expect("a table").into()
}

const TABLE: &str = "rights/1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\
    types 3 ?\nagent.logged_in -\ncall.declined +\ncall.ended +\nfields * 6 k\nactor.userId pp\n\
    customer.email mm\ncustomer.name rr\ncustomer.number mm\ninteraction.notes rr\nrecordingUrl rr\n";

#[test]
fn the_component_says_what_it_is() {
    let filter = rights(&start());
    assert_eq!(filter.about.name, "rights");
    assert!(!BUILT_IN_RIGHTS.windows(6).any(|window| window == b"/home/" || window == b"/root/"), "a path got in");
}

#[test]
fn every_case_of_the_crate_comes_out_of_the_component() {
    let host = start();
    let filter = rights(&host);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("filters/rights/cases");
    let mut count = 0;
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let read = |name: &str| fs::read_to_string(case.join(name)).unwrap();
        let member = |text: &str, name: &str| {
            let members: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap();
            members.get(name).map(|value| value.get().to_owned())
        };
        let (given, expected) = (read("event.json"), read("expected.json"));
        let text = |value: String| serde_json::from_str::<String>(&value).unwrap();
        let event = event_of(&text(member(&given, "type").unwrap()), &member(&given, "payload").unwrap());
        let answers = host.evaluate_blocking(&filter, prepared(&read("table.txt")), vec![event]);
        let expected = match &*text(member(&expected, "verdict").unwrap()) {
            "pass" => Verdict::Pass,
            "rewrite" => rewrite(&member(&expected, "payload").unwrap()),
            _ => Verdict::Drop { reason: text(member(&expected, "reason").unwrap()), words: String::new() },
        };
        assert_eq!(answers.first().map(|answer| &answer.result), Some(&Ok(expected)), "{case:?}");
        count += 1;
    }
    assert!(count >= 5, "only {count} cases were found");
}

#[test]
fn a_table_that_is_none_and_a_payload_that_is_none_are_faults() {
    let host = start();
    let filter = rights(&host);
    let word = |table: &str, payload: &str| {
        let answers = host.evaluate_blocking(&filter, Arc::<str>::from(table), vec![event(payload); 2]);
        answers.iter().map(Evaluated::word).collect::<Vec<_>>()
    };
    assert_eq!(word("", PAYLOAD), ["configure_refused"; 2]);
    assert_eq!(word("rights/2 00\n", PAYLOAD), ["configure_refused"; 2]);
    assert_eq!(word(TABLE, PAYLOAD), ["configure_refused"; 2], "it is not prepared");
    assert_eq!(word(&prepared(TABLE), "no JSON"), ["trap"; 2]);
    assert_eq!(word(&prepared(TABLE), PAYLOAD), ["rewrite"; 2]);
}

fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        select(&["+49 170 1234567", "zoe@example.org", "Zoë \"D\"\n", "", "\u{1f426}"][..]).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let scalar =
        prop_oneof![text, any::<i64>().prop_map(Value::from), any::<bool>().prop_map(Value::from), Just(Value::Null),];
    let key = select(
        &["customer", "number", "email", "name", "userId", "actor", "notes", "interaction", "recordingUrl", "x.y", "é"]
            [..],
    );
    scalar.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            3 => proptest::collection::btree_map(key.clone(), inner.clone(), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
            1 => proptest::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    json().prop_map(|value| match value {
        Value::Object(members) => members,
        other => Map::from_iter([("customer".to_owned(), other)]),
    })
}

fn payload() -> impl Strategy<Value = String> {
    (proptest::option::of(object()), object()).prop_map(|(actor, data)| {
        let actor = actor.map(|actor| ("actor".to_owned(), Value::Object(actor)));
        let members = actor.into_iter().chain([("data".to_owned(), Value::Object(data))]);
        Value::Object(members.collect()).to_string()
    })
}

fn table() -> impl Strategy<Value = String> {
    let paths = &["actor", "actor.userId", "customer", "customer.email", "customer.number", "interaction", "x.y", "é"];
    let treatment = || select(&['k', 'k', 'm', 'p', 'r'][..]);
    let lines = proptest::collection::btree_map(select(&paths[..]), (treatment(), treatment()), 0..8);
    (any::<[u8; 32]>(), treatment(), lines, select(&['+', '+', '+', '-', '?'][..])).prop_map(
        |(key, rest, lines, mark)| {
            let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let count = lines.len();
            let lines: String = lines.iter().map(|(path, (own, below))| format!("{path} {own}{below}\n")).collect();
            format!("rights/1 {key}\ntypes 1 {mark}\ncall.ended +\nfields * {count} {rest}\n{lines}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_component_agrees_with_the_same_source_on_this_machine(
        table in table(),
        payloads in proptest::collection::vec((select(&["call.ended", "call.other"][..]), payload()), 1..6),
    ) {
        thread_local! {
            static SHIPPED: (Host, Arc<Filter>) = {
                let host = start();
                let filter = rights(&host);
                (host, filter)
            };
        }
        let native_table = Table::parse(&*prepared(&table)).expect("what is prepared is taken");
        let events: Vec<Event> = payloads.iter().map(|(kind, payload)| event_of(kind, payload)).collect();
        let answers =
            SHIPPED.with(|(host, filter)| host.evaluate_blocking(filter, prepared(&table), events.clone()));
        for (event, answer) in events.iter().zip(answers) {
            prop_assert_eq!(answer.result.map_err(|fault| fault.to_string()), native(&native_table, event));
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "with --nocapture the figures are worth a look")]
fn rights_take_a_small_part_of_the_fuel_of_an_event() {
    let host = start();
    let filter = rights(&host);
    let customer = r#""customer":{"name":"Zoe","email":"zoe@example.org","number":"+49 170 1234567"}"#;
    let small = format!(r#"{{"actor":{{"userId":"u_4821"}},"data":{{{customer},"direction":"INBOUND"}}}}"#);
    let filler = |bytes: usize| format!(r#"{{"data":{{{customer},"filler":"{}"}}}}"#, "x".repeat(bytes));
    let wide: Vec<String> = (0..500).map(|number| format!(r#""field{number}":{number}"#)).collect();
    let wide = format!(r#"{{"data":{{{customer},{}}}}}"#, wide.join(","));
    for payload in [small, wide, filler(64 << 10), filler(1 << 19)] {
        let answers = host.evaluate_blocking(&filter, prepared(TABLE), vec![event(&*payload); 3]);
        let fuel: Vec<u64> = answers.iter().map(|answer| answer.fuel).collect();
        let given = limits().fuel(payload.len());
        println!("{} bytes: fuel {fuel:?} of {given}", payload.len());
        for answer in answers {
            assert_eq!(answer.word(), "rewrite", "{answer:?}");
            assert!(answer.fuel * 4 < given, "{} of {given}", answer.fuel);
        }
    }
}
