//! What the standard rules make of foreign bodies.

use super::*;
use crate::model::limits::KEY_BYTES_MAX;

fn map(text: &str, account: Option<&str>) -> Result<Mapped, Unmapped> {
    let mapping = Mapping::new(&Rules::standard()).expect("the standard rules are sound");
    let body = Bytes::from(text.to_owned());
    let receipt = Receipt { received_at: Timestamp(7), traceparent: Some("00-ab-cd-01".into()) };
    let account = account.map(|name| AccountName::parse(name).expect("the case has a sound name"));
    let mut cursor = Cursor::new(&body);
    let found = mapping.find(&mut cursor).expect("the case is sound JSON");
    let request = Request { body: &body, receipt: &receipt, account: account.as_ref() };
    mapping.map(&found, request, || EventId::made(Timestamp(7), [0; 10]))
}

fn attribute<'m>(mapped: &'m Mapped, name: &str) -> Option<&'m str> {
    mapped.draft.attributes.iter().find(|(given, _)| *given == name).map(|(_, value)| &**value)
}

#[test]
fn the_fields_of_an_event_are_found_at_their_usual_places() {
    let text = r#"{"id":"e1","type":"AGENT_LOGIN","occurredAt":"2026-03-02T09:14:07Z","accountId":"acme","key":12,
        "actor":{"kind":"USER"},"data":{"x":1.50},"sequence":3}"#;
    let mapped = map(text, None).expect("this is an event");
    assert_eq!(mapped.account.as_str(), "acme");
    let draft = &mapped.draft;
    assert_eq!((draft.id.as_str(), draft.id_is_made, &draft.source_id), ("e1", false, &None));
    assert_eq!((draft.event_type.as_str(), draft.version), ("AGENT_LOGIN", 1));
    assert_eq!(draft.occurred_at, Timestamp::parse("2026-03-02T09:14:07Z").ok());
    assert_eq!(draft.key.as_deref(), Some("12"));
    assert_eq!(draft.actor.as_deref(), Some(br#"{"kind":"USER"}"#.as_slice()));
    assert_eq!(&draft.data[..], br#"{"x":1.50}"#);
    assert_eq!(attribute(&mapped, "extra"), Some(r#"{"sequence":3}"#));
    assert_eq!(attribute(&mapped, "traceparent"), Some("00-ab-cd-01"));
}

#[test]
fn without_data_the_whole_body_is_the_data() {
    for text in [
        r#"{"type":"a","interaction":{"id":"i_1"},"agent":{"id":5}}"#,
        r#"{"type":"a","data":null,"interaction":{"id":"i_1"}}"#,
    ] {
        let mapped = map(text, Some("acme")).expect("this is an event");
        assert_eq!(&mapped.draft.data[..], text.as_bytes());
        assert_eq!(mapped.draft.key.as_deref(), Some("i_1"));
        assert_eq!(attribute(&mapped, "extra"), None);
        assert!(mapped.draft.id_is_made && mapped.draft.id.as_str().starts_with("evt_"));
    }
}

#[test]
fn what_no_field_is_made_of_is_kept_beside_the_data() {
    let text = r#"{"type":"a","accountId":"other","data":{},"interaction":{"id":"i_1"},"\u0078" : [ 1.0 ]}"#;
    let mapped = map(text, Some("acme")).expect("this is an event");
    assert_eq!(mapped.account.as_str(), "acme");
    let extra = r#"{"accountId":"other","interaction":{"id":"i_1"},"\u0078" : [ 1.0 ]}"#;
    assert_eq!(attribute(&mapped, "extra"), Some(extra));
    assert_eq!(mapped.draft.key, None);
}

#[test]
fn the_key_is_the_given_one_else_the_interaction_else_the_agent() {
    let check = |members: &str, expected: Option<&str>| {
        let mapped = map(&format!(r#"{{"type":"a",{members}}}"#), Some("acme")).expect("this is an event");
        assert_eq!(mapped.draft.key.as_deref(), expected, "{members}");
    };
    let ids = r#""data":{"agent":{"id":"u"},"interaction":{"id":"i"}}"#;
    check(&format!(r#""key":"k",{ids}"#), Some("k"));
    check(&format!(r#""key":"",{ids}"#), None);
    check(&format!(r#""key":null,{ids}"#), Some("i"));
    check(ids, Some("i"));
    check(r#""data":{"agent":{"id":-3},"interaction":{"id":[]}}"#, Some("-3"));
    check(r#""data":{"agent":{"id":"u"},"interaction":{"id":""}}"#, Some("u"));
    check(r#""data":{"agent":{"id":1.5},"interaction":"i"}"#, None);
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    check(&format!(r#""data":{{"agent":{{"id":"u"}},"interaction":{{"id":"{long}"}}}}"#), None);
    check(&format!(r#""data":{{"interaction":{{"id":"{}"}}}}"#, &long[1..]), Some(&long[1..]));
}

#[test]
fn an_id_of_another_form_is_kept_and_a_fixed_one_derived() {
    for (given, said) in [(r#""a/b""#, "a/b"), (r#""\u00e9""#, "é"), (r#""a b""#, "a b")] {
        let draft = map(&format!(r#"{{"type":"a","id":{given}}}"#), Some("acme")).expect("this is an event").draft;
        assert_eq!((draft.id, draft.id_is_made), (EventId::derived("", said), false));
        assert_eq!(draft.source_id.as_deref(), Some(said));
    }
    let draft = map(r#"{"type":"a","id":4711}"#, Some("acme")).expect("this is an event").draft;
    assert_eq!((draft.id.as_str(), draft.source_id), ("4711", None));
}

#[test]
fn what_the_rules_do_not_understand_says_why_and_where() {
    let check = |text: &str, account: Option<&str>, reason: CaptureReason, detail: &str| {
        let unmapped = map(text, account).expect_err(text);
        assert_eq!(unmapped.reason, reason, "{text}: {}", unmapped.detail);
        assert!(unmapped.detail.starts_with(detail), "{text}: {}", unmapped.detail);
    };
    let acme = Some("acme");
    check("7", acme, CaptureReason::NotAnObject, "an event must be an object, not a whole number");
    check("[]", acme, CaptureReason::NotAnObject, "an event must be an object, not an array");
    check(r#"{"type":"a"}"#, None, CaptureReason::NoAccount, "nothing at /accountId");
    check(
        r#"{"type":"a","accountId":"_x"}"#,
        None,
        CaptureReason::InvalidField,
        "/accountId: an account's name must be",
    );
    check(r#"{"type":"a","accountId":true}"#, None, CaptureReason::InvalidField, "/accountId: must be a string");
    check("{}", acme, CaptureReason::NoType, "nothing at /type");
    check(r#"{"type":null}"#, acme, CaptureReason::NoType, "nothing at /type");
    check(r#"{"type":7}"#, acme, CaptureReason::NoType, "/type: must be a string, not a whole number");
    check(r#"{"type":"a b"}"#, acme, CaptureReason::NoType, "/type: an event's type must be");
    check(r#"{"type":"a","id":""}"#, acme, CaptureReason::InvalidField, "/id: must not be empty");
    check(r#"{"type":"a","id":{}}"#, acme, CaptureReason::InvalidField, "/id: must be a string or a whole number");
    check(r#"{"type":"a","occurredAt":"now"}"#, acme, CaptureReason::InvalidField, "/occurredAt: an instant must be");
    check(r#"{"type":"a","key":[]}"#, acme, CaptureReason::InvalidField, "/key: must be");
    check(r#"{"type":"a","actor":"me"}"#, acme, CaptureReason::InvalidField, "/actor: must be an object, not a string");
    check(r#"{"type":"a","data":"x"}"#, acme, CaptureReason::InvalidField, "/data: must be an object, not a string");
}

#[test]
fn the_first_of_several_places_counts_and_a_bad_pointer_is_refused() {
    let rules = Rules { id: Rule(vec!["/meta/uuid".into(), "/nr".into()]), ..Rules::standard() };
    let mapping = Mapping::new(&rules).expect("the rules are sound");
    let receipt = Receipt { received_at: Timestamp(7), traceparent: None };
    let account = AccountName::parse("acme").expect("this is a name");
    for (text, id) in [
        (r#"{"nr":1,"meta":{"uuid":"u"},"type":"a","data":{}}"#, "u"),
        (r#"{"nr":1,"meta":{"uuid":null},"type":"a","data":{}}"#, "1"),
        (r#"{"nr":1,"meta":[],"type":"a","data":{}}"#, "1"),
    ] {
        let body = Bytes::from_static(text.as_bytes());
        let found = mapping.find(&mut Cursor::new(&body)).expect("the case is sound JSON");
        let request = Request { body: &body, receipt: &receipt, account: Some(&account) };
        let mapped = mapping.map(&found, request, || unreachable!("an id is given")).expect("this is an event");
        assert_eq!(mapped.draft.id.as_str(), id, "{text}");
    }
    assert!(Mapping::new(&Rules { key: Rule(vec!["key".into()]), ..Rules::standard() }).is_err());
}
