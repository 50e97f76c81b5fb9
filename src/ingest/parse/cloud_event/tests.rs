//! CloudEvents of all three modes: what becomes of sound ones, and what is said of the others.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::super::{Batch, Form, Issue, Options, Parser, Refusal, RefusalKind};
use crate::mapping::Receipt;
use crate::model::{EventDraft, EventId, Timestamp};
use crate::runtime::Random;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn parse(body: &str, form: Form<'_>) -> Result<Batch, Refusal> {
    let parser = Parser::new(Options { event_bytes_max: 4096 });
    let receipt = Receipt { received_at: Timestamp(7), traceparent: Some("of the request".into()) };
    parser.parse(&Bytes::copy_from_slice(body.as_bytes()), form, &receipt, &mut Random::from_seed(1))
}

fn one(body: &str, form: Form<'_>) -> EventDraft {
    let mut batch = parse(body, form).unwrap_or_else(|refusal| panic!("{body}: {refusal:?}"));
    assert_eq!(batch.drafts.len(), 1);
    batch.drafts.pop().expect("there is one")
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn event() -> Value {
    json!({
        "specversion": "1.0", "id": "c-1", "source": "/ino/routing", "type": "call.declined", "subject": "i_7 é",
        "time": "2026-03-02T10:14:07.512+01:00", "datacontenttype": "application/json; charset=utf-8",
        "dataschema": "https://example.com/call", "actorkind": "USER", "actoruserid": "u_1", "version": 3,
        "traceparent": TRACE, "data": { "agent": { "id": "a_1" } },
    })
}

/// The event above with a member of it replaced, or taken away where it becomes `null`.
fn with(name: &str, value: Value) -> String {
    let mut event = event();
    event[name] = value;
    event.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    event.to_string()
}

fn check_drafted(draft: &EventDraft, extra: &str) {
    assert_eq!((draft.id.as_str(), draft.event_type.as_str(), draft.version), ("c-1", "call.declined", 3));
    assert_eq!(draft.occurred_at, Timestamp::parse("2026-03-02T09:14:07.512Z").ok());
    assert_eq!(draft.key.as_deref(), Some("i_7 é"));
    assert_eq!(draft.actor.as_deref(), Some(br#"{"kind":"USER","userId":"u_1"}"#.as_slice()));
    let expected = [("traceparent", TRACE), ("extra", extra), ("source", "/ino/routing")];
    assert_eq!(draft.attributes, expected.map(|(name, value)| (name.into(), value.into())));
    assert_eq!(draft.data, r#"{"agent":{"id":"a_1"}}"#.as_bytes());
    assert!(!draft.id_is_made);
}

#[test]
fn a_structured_event_has_its_attributes_as_fields() {
    let extra = r#"{"dataschema":"https://example.com/call"}"#;
    check_drafted(&one(&event().to_string(), Form::CloudEvent), extra);
    let batch = parse(&json!([event(), event()]).to_string(), Form::CloudEvents).unwrap();
    assert_eq!((batch.drafts.len(), batch.unknown_keys), (2, 2));
    batch.drafts.iter().for_each(|draft| check_drafted(draft, extra));
    assert_eq!(parse("[]", Form::CloudEvents).unwrap().drafts, []);
}

#[test]
fn a_binary_event_has_its_attributes_in_headers() {
    let given = headers(&[
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "c-1"),
        ("ce-source", "/ino/routing"),
        ("ce-type", r#""call\.declined""#),
        ("ce-subject", "i_7%20%C3%A9"),
        ("ce-time", "2026-03-02T09:14:07.512Z"),
        ("ce-actorkind", "USER"),
        ("ce-actoruserid", "u_1"),
        ("ce-version", "3"),
        ("ce-traceparent", TRACE),
        ("ce-myext", "50% %22é"),
    ]);
    check_drafted(&one(r#"{"agent":{"id":"a_1"}}"#, Form::Binary(&given)), r#"{"myext":"50% \"é"}"#);
}

#[test]
fn what_is_absent_takes_its_default() {
    let text = r#"{"specversion":"1.0","id":"a","source":"s","type":"t","subject":null,"data":{"agent":{"id":5}}}"#;
    let draft = one(text, Form::CloudEvent);
    assert_eq!((draft.key.as_deref(), draft.version, draft.occurred_at, draft.actor), (Some("5"), 1, None, None));
    assert_eq!(
        draft.attributes,
        [("traceparent", "of the request"), ("source", "s")].map(|(n, v)| (n.into(), v.into()))
    );
    // What only looks like an extension of ours belongs to somebody else.
    let draft = one(&with("version", json!("2.3.1")), Form::CloudEvent);
    assert_eq!(draft.version, 1);
    let extra = draft.attributes.iter().find(|(name, _)| &**name == "extra").expect("it is kept");
    assert!(extra.1.contains(r#""version":"2.3.1""#), "{extra:?}");
    let draft = one(&with("traceparent", json!("no trace")), Form::CloudEvent);
    assert_eq!(&*draft.attributes[0].1, "of the request");
}

#[test]
fn an_id_of_another_form_is_derived_from_source_and_id() {
    let draft = one(&with("id", json!("a/b")), Form::CloudEvent);
    assert_eq!((draft.id, draft.source_id.as_deref()), (EventId::derived("/ino/routing", "a/b"), Some("a/b")));
    // Receivers know an event by its id alone: one of our form is kept whatever the source.
    let draft = one(&with("source", json!("/other")), Form::CloudEvent);
    assert_eq!((draft.id.as_str(), draft.source_id), ("c-1", None));
}

#[test]
fn data_may_be_encoded() {
    let encoded = |text: &str| {
        use base64::Engine as _;
        let mut event = event();
        event["data_base64"] = json!(base64::prelude::BASE64_STANDARD.encode(text));
        event.as_object_mut().unwrap().remove("data");
        event["subject"] = Value::Null;
        event.to_string()
    };
    let draft = one(&encoded(r#" {"interaction":{"id":"i_1"},"n":1.50}"#), Form::CloudEvent);
    assert_eq!(
        (draft.data.as_ref(), draft.key.as_deref()),
        (br#"{"interaction":{"id":"i_1"},"n":1.50}"#.as_slice(), Some("i_1"))
    );
    check_refused(&encoded("[1]"), Form::CloudEvent, &[("/data_base64", "must be an object, not an array")]);
    check_refused(&encoded(r#"{"a":1,"a":2}"#), Form::CloudEvent, &[("/data_base64", "this key stands twice")]);
    check_refused(&with("data_base64", json!("e30=")), Form::CloudEvent, &[("/data_base64", "stands beside data")]);
    let text = r#"{"specversion":"1.0","id":"a","source":"s","type":"t","data_base64":"%"}"#;
    check_refused(text, Form::CloudEvent, &[("/data_base64", "Invalid symbol")]);
}

/// Checks that a body is refused, with exactly these places (a header's name, or a pointer) and beginnings of details.
fn check_refused(body: &str, form: Form<'_>, expected: &[(&str, &str)]) {
    let refusal = parse(body, form).expect_err(body);
    assert_eq!(refusal.kind, RefusalKind::Malformed, "{body}: {refusal:?}");
    let place = |issue: &Issue| issue.header.clone().unwrap_or_else(|| issue.pointer.clone());
    let found: Vec<_> = refusal.issues.iter().map(|issue| (place(issue), issue.detail.as_str())).collect();
    assert_eq!(found.len(), expected.len(), "{body}: {found:?}");
    for ((place, detail), expected) in found.iter().zip(expected) {
        assert_eq!(place, expected.0, "{body}: {found:?}");
        assert!(detail.starts_with(expected.1), "{body}: {found:?}");
    }
}

#[test]
fn what_is_wrong_is_told_attribute_by_attribute() {
    for (name, value, detail) in [
        ("specversion", json!("0.3"), "must be \"1.0\""),
        ("specversion", json!(1.0), "must be a string, not a number"),
        ("specversion", Value::Null, "is required"),
        ("id", Value::Null, "is required"),
        ("id", json!(""), "must not be empty"),
        ("id", json!(7), "must be a string, not a whole number"),
        ("source", Value::Null, "is required"),
        ("source", json!(""), "must not be empty"),
        ("type", Value::Null, "is required"),
        ("type", json!("a b"), ""),
        ("subject", json!("x".repeat(257)), "must have at most 256 bytes, has 257"),
        ("time", json!("yesterday"), ""),
        ("datacontenttype", json!("text/xml"), "must be JSON"),
        ("version", json!([1]), "must be a string or a whole number, not an array"),
        ("actorkind", json!({}), "must be a string, not an object"),
        ("data", Value::Null, "is required"),
        ("data", json!("text"), "must be an object, not a string"),
    ] {
        let expected = [(&*format!("/{name}"), detail)];
        if value == json!(1.0) || ["actorkind", "version"].contains(&name) || value == json!(7) {
            // An attribute that cannot be read is told beside what lacks because of it.
            let refusal = parse(&with(name, value), Form::CloudEvent).expect_err(name);
            assert!(refusal.issues[0].pointer == expected[0].0 && refusal.issues[0].detail.starts_with(detail));
        } else {
            check_refused(&with(name, value), Form::CloudEvent, &expected);
        }
    }
    let all = ["/data", "/specversion", "/source", "/id", "/type"].map(|place| (place, "is required"));
    check_refused("{}", Form::CloudEvent, &all);
    check_refused("[]", Form::CloudEvent, &[("", "an event must be an object, not an array")]);
    check_refused("[1]", Form::CloudEvents, &[("/0", "an event must be an object, not a whole number")]);
    let second = format!("[{},{}]", event(), with("time", json!("now")));
    check_refused(&second, Form::CloudEvents, &[("/1/time", "")]);
    assert_eq!(parse("{}", Form::CloudEvents).expect_err("{}").kind, RefusalKind::NotJson);
}

#[test]
fn of_a_binary_event_the_header_at_fault_is_named() {
    let all = ["ce-specversion", "ce-source", "ce-id", "ce-type"].map(|place| (place, "is required"));
    check_refused("{}", Form::Binary(&headers(&[("ce-subject", "a")])), &all);
    let sound = [("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-source", "s"), ("ce-type", "t")];
    let beside = |more: &[(&'static str, &str)]| headers(&[&sound, more].concat());
    check_refused(
        "{}",
        Form::Binary(&beside(&[("ce-id", "b")])),
        &[("ce-id", "stands more than once"), ("ce-id", "is required")],
    );
    check_refused("{}", Form::Binary(&beside(&[("ce-subject", "%ff")])), &[("ce-subject", "invalid utf-8")]);
    check_refused("{}", Form::Binary(&beside(&[("ce-time", "late")])), &[("ce-time", "")]);
    check_refused("[]", Form::Binary(&beside(&[])), &[("", "an event must be an object, not an array")]);
    let too_long = format!(r#"{{"a":"{}"}}"#, "x".repeat(4096));
    assert_eq!(parse(&too_long, Form::Binary(&beside(&[]))).expect_err("too long").kind, RefusalKind::TooLarge);
    let refusal = parse(r#"{"a":1,"a":2}"#, Form::Binary(&beside(&[]))).expect_err("a key twice");
    assert_eq!((refusal.kind, refusal.issues[0].pointer.as_str()), (RefusalKind::NotJson, "/a"));
}
