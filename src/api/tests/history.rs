//! Events, deliveries and captures: found, paged, and gone when retention took them.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Receiver, draft, start, until};
use crate::model::{AccountId, Capture, CaptureReason, EventId, Timestamp};
use crate::runtime::Random;

const EVENTS: &str = "/api/v1/accounts/acme/events";
const DELIVERIES: &str = "/api/v1/accounts/acme/deliveries";
const CRM: &str = "/api/v1/accounts/acme/endpoints/crm";

fn numbers(items: &[Value]) -> Vec<u64> {
    items.iter().map(|item| item["offset"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn an_event_is_answered_as_it_was_received() {
    let mut server = start().await;
    let mut acme = server.account("acme", &["history"]).await;
    server.append("acme", "call.ended", 1).await;
    let answer = acme.get(&format!("{EVENTS}/e1")).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains(r#""data":{"n": 1, "big": 12345678901234567890.50}"#), "byte by byte: {text}");
    assert!(text.contains(r#""actor":{"kind":"USER", "userId":"u_1"}"#), "{text}");
    let event = answer.expect(200);
    assert_eq!((&event["id"], &event["type"], &event["version"]), (&json!("e1"), &json!("call.ended"), &json!(1)));
    assert_eq!((&event["offset"], &event["key"], &event["accountId"]), (&json!(1), &json!("k1"), &json!("acme")));
    assert_eq!(event["occurredAt"], "2026-03-02T09:14:07.512Z");
    assert!(event["recordedAt"].is_string() && event.get("sourceId").is_none());
    assert_eq!(acme.get(&format!("{EVENTS}/@1")).await.expect(200), event);
    for missing in ["@2", "@0", "@x", "e2", "1", "a%20b"] {
        acme.get(&format!("{EVENTS}/{missing}")).await.refused(404, "event_not_found");
    }
}

#[tokio::test]
async fn an_id_that_hooklog_made_is_found_too() {
    let mut server = start().await;
    let mut acme = server.account("acme", &["history"]).await;
    server.append("acme", "a.b", 3).await;
    // As ingest makes it: the id says when, and no index has it.
    let now = Timestamp(crate::runtime::Clock::system().wall_ms());
    let id = EventId::made(now, Random::from_seed(5).bytes());
    let made = super::EventDraft { id: id.clone(), id_is_made: true, ..draft("x", "a.b", None, 4) };
    server.append_draft("acme", made).await;
    server.append("acme", "a.b", 2).await;
    assert_eq!(acme.get(&format!("{EVENTS}/{id}")).await.expect(200)["offset"], 4);
    let other = EventId::made(now, [0; 10]);
    acme.get(&format!("{EVENTS}/{other}")).await.refused(404, "event_not_found");
}

#[tokio::test]
async fn events_are_listed_by_type_key_and_range_in_either_direction() {
    let mut server = start().await;
    let mut acme = server.account("acme", &["history"]).await;
    server.append("acme", "call.presented", 4).await;
    server.append("acme", "call.ended", 4).await;
    server.append("acme", "agent.logged_in", 4).await;
    let check = async |client: &mut super::Client, query: &str, expected: &[u64]| {
        for limit in [1, 2, 5, 1000] {
            assert_eq!(numbers(&client.list(&format!("{EVENTS}?{query}"), limit).await), expected, "{query} {limit}");
        }
    };
    let acme = &mut acme;
    check(acme, "", &[12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).await;
    check(acme, "direction=oldest", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).await;
    check(acme, "type=call.*", &[8, 7, 6, 5, 4, 3, 2, 1]).await;
    check(acme, "type=call.ended&direction=oldest", &[5, 6, 7, 8]).await;
    check(acme, "type=nothing.known", &[]).await;
    check(acme, "key=k1", &[10, 7, 4, 1]).await;
    check(acme, "key=k1&direction=oldest&type=call.*", &[1, 4, 7]).await;
    check(acme, "key=nobody", &[]).await;
    check(acme, "fromOffset=3&toOffset=6", &[5, 4, 3]).await;
    check(acme, "fromOffset=3&toOffset=6&key=k1", &[4]).await;
    check(acme, "fromOffset=13", &[]).await;
    check(acme, "toOffset=9007199254740991&fromOffset=12", &[12]).await;
    check(acme, "fromTime=2000-01-01T00:00:00Z&toOffset=3", &[2, 1]).await;
    check(acme, "fromTime=2999-01-01T00:00:00Z", &[]).await;
    check(acme, "toTime=2000-01-01T00:00:00Z", &[]).await;
    for wrong in [
        "type=call*",
        "fromOffset=0",
        "fromOffset=1&fromTime=2000-01-01T00:00:00Z",
        "fromTime=now",
        "direction=up",
        "after=x",
    ] {
        acme.get(&format!("{EVENTS}?{wrong}")).await.refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn a_page_is_full_however_few_of_many_are_asked_for() {
    let mut server = start().await;
    let mut acme = server.account("acme", &["history"]).await;
    server.append("acme", "rare.one", 1).await;
    let id = server.accounts.account(&super::AccountName::parse("acme").unwrap()).unwrap().id;
    let log = server.log.handle();
    for thousand in 0..12_u64 {
        let event = |n: u64| {
            log.prepare(
                id,
                &draft(&format!("x{}", thousand * 1000 + n), "common.one", None, n),
                &mut Random::from_seed(n),
            )
        };
        let events = (0..1000).map(event).collect();
        log.append(id, events, crate::log::OnConflict::Refuse, log.reserve(1 << 20).unwrap()).await.unwrap();
    }
    server.append("acme", "rare.two", 1).await;
    let first = acme.get(&format!("{EVENTS}?type=rare.*")).await.expect(200);
    assert_eq!((numbers(first["items"].as_array().unwrap()), &first["next"]), (vec![12_002, 1], &json!(null)));
    let first = acme.get(&format!("{EVENTS}?type=rare.*&limit=1")).await.expect(200);
    assert_eq!((numbers(first["items"].as_array().unwrap()), &first["next"]), (vec![12_002], &json!("12002")));
    let second = acme.get(&format!("{EVENTS}?type=rare.*&after=12002")).await.expect(200);
    assert_eq!((numbers(second["items"].as_array().unwrap()), &second["next"]), (vec![1], &json!(null)));
}

/// Whatever rights an account has: a search by key finds the events that show the key, and no others.
#[tokio::test]
async fn a_search_by_key_finds_what_shows_the_key() {
    let mut server = start().await;
    let mut acme = server.account_as_made("acme", &["history", "rights"]).await;
    let mut operator = server.operator().await;
    let data = |n: u64| match n % 5 {
        0 => format!(r#"{{"interaction":{{"id":"k{}"}},"agent":{{"id":"u_1"}}}}"#, n % 3),
        1 => format!(r#"{{"agent":{{"id":"k{}"}},"interaction":{{"id":"other"}}}}"#, n % 3),
        2 => format!(r#"{{"interaction":{{"id":"k{0}"}},"agent":{{"id":"k{0}"}}}}"#, n % 3),
        3 => r#"{"interaction":{"id":"other"}}"#.to_owned(),
        _ => format!(r#"{{"customer":{{"number":"k{}"}}}}"#, n % 3),
    };
    let types = ["call.ended", "call.presented", "agent.logged_in", "call.unheard_of"];
    for (n, event_type) in (1..=60).zip(types.into_iter().cycle()) {
        let data = Bytes::from(data(n));
        let event = super::EventDraft { data, ..draft(&format!("e{n}"), event_type, Some(&format!("k{}", n % 3)), n) };
        server.append_draft("acme", event).await;
    }
    let mut counts = Vec::new();
    for rights in [
        json!({ "default": "all" }),
        json!({ "default": "recommended" }),
        json!({ "default": "all", "types": { "agent.*": false } }),
        json!({ "default": "all", "fields": { "interaction.id": "pseudonymize" } }),
        json!({ "default": "all", "fields": { "interaction.id": "pseudonymize", "call.ended/interaction.id": "keep" } }),
        json!({ "default": "all", "fields": { "agent.id": "pseudonymize", "call.ended/interaction.id": "pseudonymize" } }),
        json!({ "default": "none" }),
        json!({ "types": { "*": true }, "fields": { "*": "keep" } }),
    ] {
        acme.put("/api/v1/accounts/acme/rights", rights.clone()).await.expect(200);
        let all = acme.list(EVENTS, 1000).await;
        let of_key = |key: &str, event_type: &str| -> Vec<u64> {
            let is_wanted =
                |item: &&Value| item["key"] == key && item["type"].as_str().unwrap().starts_with(event_type);
            all.iter().filter(is_wanted).map(|item| item["offset"].as_u64().unwrap()).collect()
        };
        for (key, event_type, filter) in [
            ("k0", "", ""),
            ("k1", "", ""),
            ("k2", "call.", "&type=call.*"),
            ("k2", "call.ended", "&type=call.ended"),
            ("other", "", ""),
            ("nobody", "", ""),
        ] {
            let expected = of_key(key, event_type);
            for limit in [1, 4, 1000] {
                let found = acme.list(&format!("{EVENTS}?key={key}{filter}"), limit).await;
                assert_eq!(numbers(&found), expected, "{rights} {key} {filter} {limit}");
                let mut found = acme.list(&format!("{EVENTS}?key={key}{filter}&direction=oldest"), limit).await;
                found.reverse();
                assert_eq!(numbers(&found), expected, "{rights} {key} {filter} {limit} oldest");
            }
        }
        counts.push(of_key("k1", "").len());
        let raw = operator.list(&format!("{EVENTS}?key=k1"), 1000).await;
        assert_eq!(raw.len(), 20, "who sees all finds all");
    }
    assert_eq!((counts[6], counts[7]), (0, 20), "{counts:?}");
    assert!(counts[..6].iter().all(|count| (1..20).contains(count)), "rights show some and hide some: {counts:?}");
}

#[tokio::test]
async fn a_page_by_key_is_full_and_looks_at_no_other_events() {
    let server = start().await;
    let mut acme = server.account_as_made("acme", &["history", "rights"]).await;
    acme.put("/api/v1/accounts/acme/rights", json!({ "default": "all" })).await.expect(200);
    let id = server.accounts.account(&super::AccountName::parse("acme").unwrap()).unwrap().id;
    let log = server.log.handle();
    for thousand in 0..3_u64 {
        let event = |n: u64| {
            let key = if n % 500 == 7 { "rare" } else { "common" };
            let data = Bytes::from(format!(r#"{{"interaction":{{"id":"{key}"}}}}"#));
            let one = super::EventDraft { data, ..draft(&format!("x{thousand}-{n}"), "call.ended", Some(key), n) };
            log.prepare(id, &one, &mut Random::from_seed(n))
        };
        let events = (0..1000).map(event).collect();
        log.append(id, events, crate::log::OnConflict::Refuse, log.reserve(1 << 20).unwrap()).await.unwrap();
    }
    let page = acme.get(&format!("{EVENTS}?key=rare&limit=4")).await.expect(200);
    assert_eq!(
        (numbers(page["items"].as_array().unwrap()), &page["next"]),
        (vec![2508, 2008, 1508, 1008], &json!("1008")),
        "one page, though thousands are between"
    );
    let rest = acme.get(&format!("{EVENTS}?key=rare&limit=4&after=1008")).await.expect(200);
    assert_eq!((numbers(rest["items"].as_array().unwrap()), &rest["next"]), (vec![508, 8], &json!(null)));
    // Nor at those that have the key and hide it: of so many a page would not come to the end.
    let hidden = json!({ "default": "all", "fields": { "interaction.id": "pseudonymize" } });
    acme.put("/api/v1/accounts/acme/rights", hidden).await.expect(200);
    let nothing = acme.get(&format!("{EVENTS}?key=common")).await.expect(200);
    assert_eq!((&nothing["items"], &nothing["next"]), (&json!([]), &json!(null)));
}

#[tokio::test]
async fn what_retention_took_is_gone_and_says_so() {
    let mut server = start().await;
    let mut acme = server.account("acme", &["history", "settings", "replay"]).await;
    acme.put(CRM, json!({ "url": "https://127.0.0.1:9/", "enabled": false })).await.expect(201);
    server.append("acme", "a.b", 6).await;
    let hour = 3_600_000;
    let log = server.log.handle();
    let fourth = log.record(log.index_at(AccountId(1), offset(4)).unwrap().unwrap().position).unwrap();
    let at = fourth.unwrap().header.recorded_at;
    // Everything before the fourth is too old, however close in time the others are.
    log.retain(Timestamp(at.0 + hour)).await.unwrap();
    let oldest = log.oldest_offset(AccountId(1)).unwrap().0;
    assert!((1..=4).contains(&oldest), "{oldest}");
    // All have been taken in within a few milliseconds: make sure that some are gone.
    log.retain(Timestamp(at.0 + hour + 60_000)).await.unwrap();
    let oldest = log.oldest_offset(AccountId(1)).unwrap().0;
    assert_eq!(oldest, 6, "the newest record always stays");
    for path in [
        format!("{EVENTS}?fromOffset=5"),
        format!("{EVENTS}?fromTime=2000-01-01T00:00:00Z"),
        format!("{EVENTS}/@5"),
        format!("{DELIVERIES}?fromOffset=1"),
    ] {
        assert_eq!(acme.get(&path).await.refused(410, "range_expired")["oldestOffset"], oldest, "{path}");
    }
    assert_eq!(numbers(&acme.list(EVENTS, 10).await), [6]);
    acme.get(&format!("{EVENTS}/e5")).await.refused(404, "event_not_found");
    let replay = json!({ "endpoint": "crm", "from": { "offset": 1 } });
    let replay = acme.post("/api/v1/accounts/acme/replays", replay).await.refused(410, "range_expired");
    assert_eq!(replay["oldestOffset"], oldest);
    // It waited for an endpoint that is off, so it went undelivered.
    let gone = acme.get(&format!("{DELIVERIES}/crm/5")).await.expect(200);
    assert_eq!((&gone["outcome"], &gone["id"], &gone["attempts"]), (&json!("expired"), &json!(null), &json!([])));
}

#[tokio::test]
async fn deliveries_tell_what_became_of_each_event() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["history", "settings"]).await;
    server.append("acme", "a.b", 2).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 4).await;
    let status = format!("{CRM}/status");
    until(&mut acme, &status, |status| status["ledger"]["delivered"] == 4).await;
    let one = acme.get(&format!("{DELIVERIES}/crm/4")).await.expect(200);
    assert_eq!((&one["outcome"], &one["id"], &one["attemptCount"]), (&json!("delivered"), &json!("e4"), &json!(1)));
    assert_eq!((&one["sequence"], &one["error"], &one["status"]), (&json!(2), &json!(null), &json!(200)));
    let attempt = &one["attempts"][0];
    assert_eq!((&attempt["attempt"], &attempt["status"], &attempt["replay"]), (&json!(1), &json!(200), &json!(null)));
    assert!(attempt["durationMs"].is_u64() && attempt["at"].is_string());
    for missing in ["1", "2", "7", "0", "x"] {
        acme.get(&format!("{DELIVERIES}/crm/{missing}")).await.refused(404, "delivery_not_found");
    }
    acme.get(&format!("{DELIVERIES}/nobody/4")).await.refused(404, "endpoint_not_found");

    receiver.answer(503);
    acme.put("/api/v1/accounts/acme/endpoints/second", json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 1).await;
    until(&mut acme, &status, |status| status["state"] == "backing_off").await;
    // An attempt is written down soon after its end, not at it.
    let refused = until(&mut acme, &format!("{DELIVERIES}/crm/7"), |delivery| delivery["error"] != json!(null)).await;
    assert_eq!(
        (&refused["outcome"], &refused["error"], &refused["status"]),
        (&json!("waiting"), &json!("http_status"), &json!(503))
    );
    assert_eq!(refused["attempts"][0]["answer"], "no thanks");

    let pairs = |items: &[Value]| -> Vec<String> {
        let pair = |item: &Value| format!("{}/{}", item["offset"], item["endpoint"].as_str().unwrap());
        items.iter().map(pair).collect()
    };
    let newest = ["7/crm", "7/second", "6/crm", "5/crm", "4/crm", "3/crm"];
    let oldest = ["3/crm", "4/crm", "5/crm", "6/crm", "7/crm", "7/second"];
    for limit in [1, 2, 3, 100] {
        assert_eq!(pairs(&acme.list(DELIVERIES, limit).await), newest, "{limit}");
        assert_eq!(pairs(&acme.list(&format!("{DELIVERIES}?direction=oldest"), limit).await), oldest, "{limit}");
        let delivered = acme.list(&format!("{DELIVERIES}?outcome=delivered&endpoint=crm"), limit).await;
        assert_eq!(numbers(&delivered), [6, 5, 4, 3], "{limit}");
    }
    assert_eq!(numbers(&acme.list(&format!("{DELIVERIES}?error=http_status&endpoint=crm"), 10).await), [7]);
    assert_eq!(numbers(&acme.list(&format!("{DELIVERIES}?error=timeout"), 10).await), [] as [u64; 0]);
    assert_eq!(pairs(&acme.list(&format!("{DELIVERIES}?fromOffset=5&toOffset=7"), 10).await), ["6/crm", "5/crm"]);
    acme.get(&format!("{DELIVERIES}?endpoint=nobody")).await.refused(404, "endpoint_not_found");
    acme.get(&format!("{DELIVERIES}?outcome=lost")).await.refused(400, "invalid_parameter");
    acme.get(&format!("{DELIVERIES}?error=lost")).await.refused(400, "invalid_parameter");
}

#[tokio::test]
async fn every_sequence_number_is_answered() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["history", "settings"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 5).await;
    until(&mut acme, &format!("{CRM}/status"), |status| status["ledger"]["delivered"] == 5).await;
    // Numbers that were reserved and never used, as after a crash of the machine.
    let endpoint = server.accounts.account(&super::AccountName::parse("acme").unwrap()).unwrap();
    let endpoint = endpoint.endpoints.values().next().unwrap().id;
    let log = server.log.handle();
    let last = log.index_at(AccountId(1), offset(5)).unwrap().unwrap();
    let row = crate::log::OutcomeRow::Sequence {
        endpoint,
        sequence: crate::model::Sequence(9),
        position: last.position,
        offset: last.offset,
    };
    log.write_outcomes(&Arc::new(vec![row]), false).await.unwrap();
    let shown = |items: &[Value]| -> Vec<(u64, String)> {
        items
            .iter()
            .map(|item| (item["sequence"].as_u64().unwrap(), item["outcome"].as_str().unwrap().to_owned()))
            .collect()
    };
    let of = |numbers: &[(u64, &str)]| {
        numbers.iter().map(|(number, outcome)| (*number, (*outcome).to_owned())).collect::<Vec<_>>()
    };
    let path = format!("{DELIVERIES}?endpoint=crm");
    for limit in [1, 2, 100] {
        let newest = acme.list(&format!("{path}&fromSequence=5"), limit).await;
        let expected = [(9, "delivered"), (8, "unused"), (7, "unused"), (6, "unused"), (5, "delivered")];
        assert_eq!(shown(&newest), of(&expected), "{limit}");
        let oldest = acme.list(&format!("{path}&fromSequence=4&toSequence=7&direction=oldest"), limit).await;
        assert_eq!(shown(&oldest), of(&[(4, "delivered"), (5, "delivered"), (6, "unused")]), "{limit}");
        assert_eq!(acme.list(&format!("{path}&fromSequence=1&outcome=unused"), limit).await.len(), 3);
    }
    assert_eq!(acme.list(&format!("{path}&fromSequence=10"), 10).await.len(), 0);
    acme.get(&format!("{DELIVERIES}?fromSequence=1")).await.refused(400, "invalid_parameter");
    acme.get(&format!("{path}&fromSequence=1&fromOffset=1")).await.refused(400, "invalid_parameter");
}

#[tokio::test]
async fn captures_are_shown_to_operators_as_they_came() {
    let mut server = start().await;
    server.account("acme", &["history"]).await;
    let log = server.log.handle();
    for number in 0..3 {
        server.append("acme", "a.b", 2).await;
        let capture = Capture {
            reason: CaptureReason::NoType,
            detail: "at /type".into(),
            path: format!("/hooks/{number}").as_str().into(),
            headers: vec![("content-type".into(), "text/plain".into())],
            body: Bytes::from_static(b"\xff not text"),
        };
        let reservation = log.reserve(1000).unwrap();
        log.append_captures(vec![(AccountId(0), capture)], &mut server.random, reservation).await.unwrap();
    }
    let mut operator = server.operator().await;
    let paths =
        |items: Vec<Value>| items.iter().map(|item| item["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for limit in [1, 2, 10] {
        assert_eq!(paths(operator.list("/api/v1/captures", limit).await), ["/hooks/2", "/hooks/1", "/hooks/0"]);
        let oldest = operator.list("/api/v1/captures?direction=oldest", limit).await;
        assert_eq!(paths(oldest), ["/hooks/0", "/hooks/1", "/hooks/2"]);
    }
    let first = operator.get("/api/v1/captures?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!((&first["reason"], &first["bytes"], &first["account"]), (&json!("no_type"), &json!(10), &json!(null)));
    assert_eq!(first["headers"], json!([{ "name": "content-type", "value": "text/plain" }]));
    assert_eq!(first["body"], "\u{fffd} not text");
}

fn offset(number: u64) -> crate::model::Offset {
    crate::model::Offset(number)
}
