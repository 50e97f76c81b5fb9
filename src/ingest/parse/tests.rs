//! Bodies of `/v1` and `/hooks`: what becomes of sound ones, and what is said of the others.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::mapping::{Mapping, Receipt, Rules};
use crate::model::limits::{
    EVENTS_PER_REQUEST_MAX, KEY_BYTES_MAX, KEYS_PER_EVENT_MAX, NESTING_MAX, SOURCE_ID_BYTES_MAX,
};
use crate::model::{AccountName, CaptureReason, EventDraft, EventId, Timestamp};
use crate::runtime::Random;

const EVENT_BYTES_MAX: usize = 4096;

fn receipt() -> Receipt {
    Receipt { received_at: Timestamp(7), traceparent: None }
}

fn parse_bytes(body: &Bytes, form: Form<'_>) -> Result<Batch, Refusal> {
    let parser = Parser::new(Options { event_bytes_max: EVENT_BYTES_MAX });
    parser.parse(body, form, &receipt(), &mut Random::from_seed(1))
}

fn parse(text: impl AsRef<[u8]>, form: Form<'_>) -> Result<Batch, Refusal> {
    parse_bytes(&Bytes::copy_from_slice(text.as_ref()), form)
}

fn one(text: impl AsRef<[u8]>) -> EventDraft {
    let shown = String::from_utf8_lossy(text.as_ref()).into_owned();
    let mut batch = parse(text, Form::Json).unwrap_or_else(|refusal| panic!("{shown}: {refusal:?}"));
    assert_eq!(batch.drafts.len(), 1);
    batch.drafts.pop().expect("there is one")
}

/// Checks that a body is refused, with exactly these places and beginnings of details.
fn check_refused(text: impl AsRef<[u8]>, form: Form<'_>, kind: RefusalKind, issues: &[(Option<usize>, &str, &str)]) {
    let shown = String::from_utf8_lossy(text.as_ref()).chars().take(200).collect::<String>();
    let refusal = parse(text, form).expect_err(&shown);
    // What the scanner finds wrong is told with its line and column; what an event lacks is not.
    let is_text = refusal.issues.first().is_some_and(|issue| issue.detail.contains("(line "));
    let kind = if kind == RefusalKind::Malformed && is_text { RefusalKind::NotJson } else { kind };
    let found: Vec<_> =
        refusal.issues.iter().map(|issue| (issue.line, issue.pointer.as_str(), issue.detail.as_str())).collect();
    assert_eq!((refusal.kind, found.len()), (kind, issues.len()), "{shown}: {found:?}");
    for (found, expected) in found.iter().zip(issues) {
        assert_eq!((found.0, found.1), (expected.0, expected.1), "{shown}: {found:?}");
        assert!(found.2.starts_with(expected.2), "{shown}: {found:?}, not {:?}", expected.2);
    }
}

fn check_malformed(text: impl AsRef<[u8]>, pointer: &str, detail: &str) {
    check_refused(text, Form::Json, RefusalKind::Malformed, &[(None, pointer, detail)]);
}

#[test]
fn an_event_has_its_fields_as_the_sender_gave_them() {
    let text = r#" {"id":"evt_01JNB4Z6Q8", "type":"call.declined", "version":2,
        "occurredAt":"2026-03-02T10:14:07.5129+01:00", "key":"i_1", "actor":{ "kind" : "USER" },
        "data":{ "n" : 1e999999, "é":"\u00e9" }, "new":[1.0], "ne\u0077er": null}
"#;
    let body = Bytes::from(text);
    let batch = parse_bytes(&body, Form::Json).expect("this is an event");
    assert_eq!(batch.unknown_keys, 2);
    let [draft] = &batch.drafts[..] else { panic!("there is one event") };
    assert_eq!((draft.id.as_str(), draft.id_is_made, &draft.source_id), ("evt_01JNB4Z6Q8", false, &None));
    assert_eq!((draft.event_type.as_str(), draft.version), ("call.declined", 2));
    assert_eq!(draft.occurred_at, Timestamp::parse("2026-03-02T09:14:07.512Z").ok());
    assert_eq!(draft.received_at, Timestamp(7));
    assert_eq!(draft.key.as_deref(), Some("i_1"));
    assert_eq!(draft.actor.as_deref(), Some(br#"{ "kind" : "USER" }"#.as_slice()));
    assert_eq!(draft.data, r#"{ "n" : 1e999999, "é":"\u00e9" }"#.as_bytes());
    assert_eq!(draft.attributes, [("extra".into(), r#"{"new":[1.0],"ne\u0077er": null}"#.into())]);
    // Nothing is copied: what the draft keeps lies within the body.
    let shares = |part: &[u8]| body.as_ptr_range().contains(&part.as_ptr());
    assert!(
        shares(&draft.data) && shares(draft.id.as_str().as_bytes()) && shares(draft.event_type.as_str().as_bytes())
    );
    assert!(shares(draft.actor.as_ref().expect("there is an actor")));
    assert!(shares(draft.key.as_ref().expect("there is a key").as_bytes()));
}

#[test]
fn what_is_absent_or_null_takes_its_default() {
    for text in [
        r#"{"type":"a","data":{}}"#,
        r#"{"type":"a","data":{},"id":null,"version":null,"occurredAt":null,"key":null,"actor":null}"#,
    ] {
        let draft = one(text);
        assert!(draft.id_is_made && draft.id.as_str().starts_with("evt_00000000-0007-7"), "{}", draft.id);
        assert_eq!((draft.version, draft.occurred_at, draft.key, draft.actor), (1, None, None, None));
        assert!(draft.attributes.is_empty());
    }
    let body = Bytes::from_static(br#"[{"type":"a","data":{}},{"type":"a","data":{}}]"#);
    let batch = parse_bytes(&body, Form::Json).expect("these are events");
    assert_ne!(batch.drafts[0].id, batch.drafts[1].id);
}

#[test]
fn known_keys_are_known_however_they_are_spelled() {
    let draft = one(r#"{"t\u0079pe":"\u0061.b","\u0064ata":{"\u0061gent":{"i\u0064":"\u00e9"}},"id":"\u0061"}"#);
    assert_eq!((draft.event_type.as_str(), draft.id.as_str(), draft.key.as_deref()), ("a.b", "a", Some("é")));
    assert!(draft.attributes.is_empty());
    check_malformed(r#"{"type":"a","data":{},"d\u0061ta":{}}"#, "/data", "this key stands twice");
}

#[test]
fn an_id_of_another_form_is_kept_and_a_fixed_one_derived() {
    for (spelled, said) in
        [("a/b", "a/b"), ("\\u00e9", "é"), ("é", "é"), (" ", " "), (&"x".repeat(129), &"x".repeat(129))]
    {
        let draft = one(format!(r#"{{"type":"a","data":{{}},"id":"{spelled}"}}"#));
        assert_eq!((draft.id, draft.id_is_made), (EventId::derived("", said), false));
        assert_eq!(draft.source_id.as_deref(), Some(said));
    }
}

#[test]
fn the_key_is_the_given_one_else_the_interaction_else_the_agent() {
    let check = |members: &str, expected: Option<&str>| {
        assert_eq!(one(format!(r#"{{"type":"a",{members}}}"#)).key.as_deref(), expected, "{members}");
    };
    let ids = r#""data":{"agent":{"id":"u"},"interaction":{"x":{"id":0},"id":"i"}}"#;
    check(&format!(r#""key":"k",{ids}"#), Some("k"));
    check(&format!(r#""key":12345678901234567890,{ids}"#), Some("12345678901234567890"));
    check(&format!(r#""key":"",{ids}"#), None);
    check(&format!(r#""key":null,{ids}"#), Some("i"));
    check(ids, Some("i"));
    check(r#""data":{"agent":{"id":-3},"interaction":{"id":null}}"#, Some("-3"));
    check(r#""data":{"agent":{"id":"u"},"interaction":{"id":""}}"#, Some("u"));
    check(r#""data":{"agent":{"id":1.5},"interaction":"i"}"#, None);
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    check(&format!(r#""data":{{"agent":{{"id":"u"}},"interaction":{{"id":"{long}"}}}}"#), None);
    check(&format!(r#""key":"{}","data":{{}}"#, &long[1..]), Some(&long[1..]));
    check_malformed(
        format!(r#"{{"type":"a","data":{{}},"key":"{long}"}}"#),
        "/key",
        "must have at most 256 bytes, has 257",
    );
}

#[test]
fn the_trace_context_is_kept_with_every_event() {
    let body = Bytes::from_static(br#"[{"type":"a","data":{},"x":1},{"type":"a","data":{}}]"#);
    let receipt = Receipt { traceparent: Some("00-ab-cd-01".into()), ..receipt() };
    let parser = Parser::new(Options { event_bytes_max: EVENT_BYTES_MAX });
    let batch = parser.parse(&body, Form::Json, &receipt, &mut Random::from_seed(1)).expect("these are events");
    let trace = ("traceparent".into(), "00-ab-cd-01".into());
    assert_eq!(batch.drafts[0].attributes, [trace.clone(), ("extra".into(), r#"{"x":1}"#.into())]);
    assert_eq!(batch.drafts[1].attributes, [trace]);
}

#[test]
fn fields_of_the_wrong_form_are_refused_each_with_its_place() {
    let check = |member: &str, detail: &str| {
        let name = member.split('"').nth(1).expect("a member begins with its name");
        let mut members = vec![member];
        members.extend(
            [r#""type":"a""#, r#""data":{}"#].into_iter().filter(|other| !other.starts_with(&format!("\"{name}\""))),
        );
        check_malformed(format!("{{{}}}", members.join(",")), &format!("/{name}"), detail);
    };
    for value in ["1", "null", "[]", "{}", "true", r#""""#, r#""a b""#, r#""a/b""#, r#""\u0000""#] {
        check(&format!(r#""type":{value}"#), if value == "null" { "is required" } else { "" });
    }
    for value in ["1", "null", "[]", "[{}]", "true", r#""{}""#] {
        check(&format!(r#""data":{value}"#), if value == "null" { "is required" } else { "must be an object, not a" });
    }
    for value in ["1", "{}", "false"] {
        check(&format!(r#""id":{value}"#), "must be a string, not a");
    }
    check(r#""id":"""#, "must not be empty");
    check(&format!(r#""id":"{}""#, "x".repeat(SOURCE_ID_BYTES_MAX + 1)), "must have at most 1024 bytes, has 1025");
    for value in ["0", "-1", "1.0", "1e0", "4294967296", r#""1""#, "true", "[]"] {
        check(&format!(r#""version":{value}"#), "must be a whole number from 1 to 4294967295");
    }
    for value in [r#""2026-03-02""#, r#""now""#, r#""""#] {
        check(&format!(r#""occurredAt":{value}"#), "an instant must be RFC 3339");
    }
    check(r#""occurredAt":1772442847512"#, "must be a string, not a whole number");
    for value in ["1.5", "1e3", "true", "[]", "{}"] {
        check(&format!(r#""key":{value}"#), "must be a string or a whole number, not a");
    }
    for value in [r#""me""#, "[]", "1"] {
        check(&format!(r#""actor":{value}"#), "must be an object, not a");
    }
    for text in ["1", "null", r#""x""#, "true"] {
        check_malformed(text, "", "an event must be an object, not ");
    }
    check_refused(
        r#"{"id":1,"version":0,"key":[],"actor":2}"#,
        Form::Json,
        RefusalKind::Malformed,
        &[
            (None, "/type", "is required"),
            (None, "/data", "is required"),
            (None, "/id", "must"),
            (None, "/version", "must"),
            (None, "/key", "must"),
            (None, "/actor", "must"),
        ],
    );
}

#[test]
fn texts_that_are_no_json_are_refused_with_their_place() {
    let inside = |value: &str| format!(r#"{{"type":"a","data":{{"x":[{value}]}}}}"#);
    for (value, detail) in [
        ("NaN", "expected a value, found N"),
        ("-Infinity", "this is no number"),
        ("1,", "expected a value, found ]"),
        ("// no", "expected a value, found /"),
        ("'a'", "expected a value, found '"),
        ("01", "this is no number"),
        ("\"a\nb\"", "a control character"),
        (r#""\x""#, "this is no escape"),
        (r#""\ud800""#, "half of a surrogate pair"),
    ] {
        let at = usize::from(value == "1,");
        check_malformed(inside(value), &format!("/data/x/{at}"), detail);
    }
    check_malformed(r#"{"type":"a","data":{},}"#, "", "expected a key");
    check_malformed("\u{feff}{}", "", "the text begins with a byte order mark");
    check_malformed("", "", "expected a value, found the end");
    check_malformed(r#"{"type":"a","data":{}} {}"#, "", "expected nothing after the value, found {");
    check_malformed(
        b"{\"type\":\"a\",\"data\":{\"x\":\"\xc3\x28\"}}",
        "/data/x",
        "the string is not valid UTF-8 (line 1, column 26)",
    );
    check_malformed(r#"{"type":"a","data":{"a":1,"\u0061":2}}"#, "/data/a", "this key stands twice");
    let nested = |levels: usize| inside(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    assert_eq!(one(nested(NESTING_MAX - 3)).data.len(), 6 + 2 * (NESTING_MAX - 3) + 2);
    check_malformed(
        nested(NESTING_MAX - 2),
        &format!("/data/x{}", "/0".repeat(NESTING_MAX - 2)),
        "nested deeper than 64",
    );
    check_malformed(
        inside(&"[".repeat(100_000)),
        &format!("/data/x{}", "/0".repeat(NESTING_MAX - 2)),
        "nested deeper than 64",
    );
    let numbers = format!("1e999999,-1E-999999,{},0.{}", "9".repeat(400), "1".repeat(400));
    assert!(one(inside(&numbers)).data.windows(400).any(|window| window == "9".repeat(400).as_bytes()));
}

#[test]
fn a_text_cut_off_anywhere_is_refused() {
    let event =
        r#"{"id":"é\u00e9","type":"a.b","version":12,"key":-7,"actor":{},"data":{"a":[true,null,1.5e-3],"b":"\n"}}"#;
    for (whole, form) in
        [(event.to_owned(), Form::Json), (format!("[{event},{event}]"), Form::Json), (event.to_owned(), Form::Lines)]
    {
        assert!(parse(&whole, form).is_ok());
        for end in 0..whole.len() {
            let answer = parse(&whole.as_bytes()[..end], form);
            // Nothing at all is no line, and so no event.
            assert!(answer.is_err() || (matches!(form, Form::Lines) && end == 0), "{end} of {whole}");
        }
    }
}

#[test]
fn an_array_is_taken_whole_or_not_at_all() {
    let sound = r#"{"type":"a","data":{"n":1}}"#;
    assert!(parse("[]", Form::Json).expect("an empty array is sound").drafts.is_empty());
    assert_eq!(parse(format!(" [ {sound} , {sound} ] "), Form::Json).expect("these are events").drafts.len(), 2);
    check_refused(
        format!(
            r#"[{sound},{{"type":"a"}},7,{sound},[],{{"type":"a","data":{{"b":1,"b":2}}}},{{"type":"","data":1}}]"#
        ),
        Form::Json,
        RefusalKind::Malformed,
        &[
            (None, "/1/data", "is required"),
            (None, "/2", "an event must be an object, not a whole number"),
            (None, "/4", "an event must be an object, not an array"),
            (None, "/5/data/b", "this key stands twice in one object (line 1, column 103)"),
            (None, "/6/type", "an event's type must be"),
            (None, "/6/data", "must be an object"),
        ],
    );
    check_refused(
        r#"[{"type":"a"},{"type" "a"},{}]"#,
        Form::Json,
        RefusalKind::Malformed,
        &[(None, "/0/data", "is required"), (None, "/1", "expected a colon")],
    );
    check_malformed(format!("[{sound}] x"), "", "expected nothing after");
    check_malformed(format!("[{sound},]"), "/1", "expected a value");
    check_malformed(format!("[{sound} {sound}]"), "/0", "expected a comma or ]");
}

#[test]
fn lines_are_taken_whole_or_not_at_all() {
    let sound = r#"{"type":"a","data":{"n":1}}"#;
    for text in ["", "\n", " \r\n\n"] {
        assert!(parse(text, Form::Lines).expect("no line is sound").drafts.is_empty());
    }
    for text in
        [format!("{sound}\n{sound}"), format!("{sound}\r\n\r\n \t\n{sound}\r\n"), format!("\n{sound}\n\n{sound}\n")]
    {
        let batch = parse(&text, Form::Lines).expect("these are events");
        assert_eq!(batch.drafts.len(), 2);
        assert!(batch.drafts.iter().all(|draft| draft.data == br#"{"n":1}"#.as_slice()));
    }
    check_refused(
        format!(
            "{sound}\n\n{{\"type\":\"a\"}}\n{{\"type\":\n\"a\"}}\n{sound} x\n[{sound}]\r\n{{\"type\":\"a\",\"data\":{{\"x\":[0,\"\x01\"]}}}}\n{sound}"
        ),
        Form::Lines,
        RefusalKind::Malformed,
        &[
            (Some(3), "/data", "is required"),
            (Some(4), "/type", "expected a value, found the end of the line (line 4, column 9)"),
            (Some(5), "", "an event must be an object, not a string"),
            (Some(5), "", "expected nothing after the value, found } (line 5, column 4)"),
            (Some(6), "", "expected nothing after the value, found x"),
            (Some(7), "", "an event must be an object, not an array"),
            (Some(8), "/data/x/1", "a control character in a string must be escaped (line 8, column 29)"),
        ],
    );
}

#[test]
fn sizes_and_counts_are_bounded() {
    let sized = |bytes: usize| {
        let frame = r#"{"type":"a","data":{"x":""}}"#.len();
        format!(r#"{{"type":"a","data":{{"x":"{}"}}}}"#, "y".repeat(bytes - frame))
    };
    assert_eq!(one(sized(EVENT_BYTES_MAX)).data.len(), EVENT_BYTES_MAX - 20);
    let too_large = sized(EVENT_BYTES_MAX + 1);
    let detail = "an event may have 4096 bytes, this one has 4097";
    check_refused(&too_large, Form::Json, RefusalKind::TooLarge, &[(None, "", detail)]);
    check_refused(
        format!("[{{\"type\":\"a\",\"data\":{{}}}},{too_large}]"),
        Form::Json,
        RefusalKind::TooLarge,
        &[(None, "/1", detail)],
    );
    check_refused(format!("\n{too_large}\n"), Form::Lines, RefusalKind::TooLarge, &[(Some(2), "", detail)]);

    let event = r#"{"type":"a","data":{}}"#;
    for (count, form, text) in [EVENTS_PER_REQUEST_MAX, EVENTS_PER_REQUEST_MAX + 1].into_iter().flat_map(|count| {
        let events = vec![event; count];
        [(count, Form::Json, format!("[{}]", events.join(","))), (count, Form::Lines, events.join("\n"))]
    }) {
        if count == EVENTS_PER_REQUEST_MAX {
            assert_eq!(parse(text, form).expect("these are not too many").drafts.len(), count);
        } else {
            check_refused(text, form, RefusalKind::TooMany, &[(None, "", "a request may have 10000 events")]);
        }
    }
    let keys = |count: usize| (0..count).map(|at| format!("\"{at}\":0")).collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"type":"a","data":{{{}}}}}"#, keys(KEYS_PER_EVENT_MAX));
    check_malformed(text, "/data", "more than 10000 keys");
}

#[test]
fn issues_are_listed_up_to_a_bound() {
    for (form, between) in [(Form::Json, ","), (Form::Lines, "\n")] {
        let text = vec![r#"{"type":"a"}"#; 500].join(between);
        let text = if matches!(form, Form::Json) { format!("[{text}]") } else { text };
        assert_eq!(parse(text, form).expect_err("no event has data").issues.len(), Refusal::ISSUES_MAX);
    }
}

fn hook(text: impl AsRef<[u8]>, account: Option<&str>) -> Vec<Hooked> {
    let body = Bytes::copy_from_slice(text.as_ref());
    let mapping = Mapping::new(&Rules::standard()).expect("the standard rules are sound");
    let account = account.map(|name| AccountName::parse(name).expect("the case has a sound name"));
    let options = Options { event_bytes_max: EVENT_BYTES_MAX };
    let hook = Hook { mapping: &mapping, options, receipt: &receipt(), account: account.as_ref() };
    hook.parse(&body, &mut Random::from_seed(1))
}

fn check_captured(text: impl AsRef<[u8]>, expected: CaptureReason, place: &str) {
    let shown = String::from_utf8_lossy(text.as_ref()).chars().take(200).collect::<String>();
    let hooked = hook(text.as_ref(), Some("acme"));
    let [Hooked::Captured { reason, detail, body }] = &hooked[..] else { panic!("{shown}: {hooked:?}") };
    assert_eq!((*reason, &body[..]), (expected, text.as_ref()), "{shown}: {detail}");
    assert!(detail.starts_with(place) && detail.len() <= 1024, "{shown}: {detail}");
}

#[test]
fn a_hook_that_is_no_event_is_captured_whole() {
    check_captured("", CaptureReason::NotJson, "expected a value");
    check_captured("hello", CaptureReason::NotJson, "expected a value");
    check_captured(b"\xff\x00", CaptureReason::NotJson, "expected a value");
    check_captured("a=1&b=2", CaptureReason::NotJson, "expected a value");
    check_captured(r#"{"type":"a"} x"#, CaptureReason::NotJson, "expected nothing after");
    check_captured(r#"[{"type":"a"},{"type":}]"#, CaptureReason::NotJson, "/1/type: expected a value");
    check_captured("7", CaptureReason::NotAnObject, "an event must be an object");
    check_captured(r#"{"type":7}"#, CaptureReason::NoType, "/type: must be a string");
    check_captured(r#"{"type":"a","x":{"b":1,"b":2}}"#, CaptureReason::InvalidField, "/x/b: this key stands twice");
    check_captured(
        format!(r#"{{"type":"a","x":"{}"}}"#, "y".repeat(EVENT_BYTES_MAX)),
        CaptureReason::InvalidField,
        "an event may have",
    );
    let many = format!("[{}]", vec!["{}"; EVENTS_PER_REQUEST_MAX + 1].join(","));
    check_captured(many, CaptureReason::InvalidField, "a request may have 10000 events");
    check_captured(format!(r#"{{"{}":[x"#, "k".repeat(2000)), CaptureReason::NotJson, "/kkk");
}

#[test]
fn items_of_a_hook_are_taken_or_captured_one_by_one() {
    assert!(hook("[]", Some("acme")).is_empty());
    let deep = format!("{}{}", "[".repeat(80), "]".repeat(80));
    let items = [r#"{"type":"a"}"#, "7", r#"{"b":1,"b":"]}"}"#, r#""\ud800""#, &deep, r#"{"id":"e","type":"b"}"#, "{}"];
    let hooked = hook(format!("[ {} ]", items.join(" , ")), Some("acme"));
    let expected = [
        None,
        Some(CaptureReason::NotAnObject),
        Some(CaptureReason::InvalidField),
        Some(CaptureReason::InvalidField),
        Some(CaptureReason::InvalidField),
        None,
        Some(CaptureReason::NoType),
    ];
    assert_eq!(hooked.len(), items.len());
    for ((hooked, expected), item) in hooked.iter().zip(expected).zip(items) {
        match hooked {
            Hooked::Event { mapped, .. } => {
                assert_eq!(expected, None, "{item}");
                assert_eq!((mapped.account.as_str(), &mapped.draft.data[..]), ("acme", item.as_bytes()));
            }
            Hooked::Captured { reason, body, .. } => {
                assert_eq!((Some(*reason), &body[..]), (expected, item.as_bytes()))
            }
        }
    }
    let hooked = hook(r#"[{"type":"a","accountId":"acme"},{"type":"a"}]"#, None);
    assert!(matches!(&hooked[0], Hooked::Event { mapped, .. } if mapped.account.as_str() == "acme"));
    assert!(matches!(&hooked[1], Hooked::Captured { reason: CaptureReason::NoAccount, .. }));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "\\PC{0,10}".prop_map(Value::from),
        "[\"\\\\\u{0}-\u{1f}é😀a]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("\\PC{0,8}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Events with every optional field there or not, and now and then a key that nobody knows.
fn any_event() -> impl Strategy<Value = Value> {
    let object = || proptest::collection::btree_map("\\PC{0,8}", any_value(), 0..6);
    let optional = (
        proptest::option::of("[A-Za-z0-9_:~-]{1,40}"),
        proptest::option::of(1_u32..),
        proptest::option::of(Timestamp::MIN.0..Timestamp::MAX.0),
        proptest::option::of("\\PC{1,20}"),
        proptest::option::of(object()),
        proptest::option::of(any_value()),
    );
    ("[A-Za-z0-9_.:-]{1,40}", object(), optional).prop_map(
        |(event_type, data, (id, version, at, key, actor, other))| {
            let mut event = json!({ "type": event_type, "data": data });
            let members = event.as_object_mut().expect("an event is an object");
            members.extend(id.map(|id| ("id".into(), id.into())));
            members.extend(version.map(|version| ("version".into(), version.into())));
            members.extend(at.map(|at| ("occurredAt".into(), Timestamp(at).to_string().into())));
            members.extend(key.map(|key| ("key".into(), key.into())));
            members.extend(actor.map(|actor| ("actor".into(), json!(actor))));
            members.extend(other.map(|other| ("ÿ other".into(), other)));
            event
        },
    )
}

fn check_same(draft: &EventDraft, text: &str) {
    let event: Value = serde_json::from_str(text).expect("an event is JSON");
    assert_eq!(event["type"], draft.event_type.as_str());
    assert_eq!(draft.id_is_made, event.get("id").is_none());
    if let Some(id) = event.get("id") {
        assert_eq!(id, draft.id.as_str());
    }
    assert_eq!(Some(u64::from(draft.version)), event.get("version").map_or(Some(1), Value::as_u64));
    let at = event.get("occurredAt").map(|at| Timestamp::parse(at.as_str().expect("text")).expect("an instant"));
    assert_eq!(draft.occurred_at, at);
    let usual =
        ["/data/interaction/id", "/data/agent/id"].into_iter().find_map(|pointer| event.pointer(pointer)?.as_str());
    assert_eq!(draft.key.as_deref(), event.get("key").and_then(Value::as_str).or(usual));
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("what is kept is JSON");
    assert_eq!(json(&draft.data), event["data"]);
    assert_eq!(draft.actor.as_deref().map(json).as_ref(), event.get("actor"));
    let extra = draft.attributes.iter().find(|(name, _)| name == "extra").map(|(_, value)| json(value.as_bytes()));
    assert_eq!(extra, event.get("ÿ other").map(|other| json!({ "ÿ other": other })));
}

proptest! {
    #[test]
    fn any_event_is_what_serde_json_reads(event in any_event(), is_pretty: bool) {
        let text = if is_pretty { format!("{event:#}") } else { event.to_string() };
        check_same(&one(&text), &text);
    }

    #[test]
    fn a_batch_of_n_gives_n_in_order(events in proptest::collection::vec(any_event(), 0..12), is_array: bool) {
        let texts: Vec<String> = events.iter().map(Value::to_string).collect();
        let (text, form) =
            if is_array { (format!("[{}]", texts.join(" , ")), Form::Json) } else { (texts.join("\r\n"), Form::Lines) };
        let batch = parse(&text, form).expect("these are events");
        prop_assert_eq!(batch.drafts.len(), events.len());
        prop_assert_eq!(batch.unknown_keys, events.iter().filter(|event| event.get("ÿ other").is_some()).count());
        for (draft, text) in batch.drafts.iter().zip(&texts) {
            check_same(draft, text);
        }
    }

    #[test]
    fn data_is_kept_byte_by_byte(data in any_value().prop_map(|value| json!({ "x": value })), is_pretty: bool) {
        let data = if is_pretty { format!("{data:#}") } else { data.to_string() };
        prop_assert_eq!(&one(format!(r#"{{"data" : {data} ,"type":"a"}}"#)).data[..], data.as_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic_and_no_hook_is_lost(
        body in prop_oneof![any::<Vec<u8>>(), "[\\[\\]{}\",:0-9a-z\\\\ \n-]{0,60}".prop_map(String::into_bytes)],
        event in any_event(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut damaged = event.to_string().into_bytes();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        for body in [body, damaged] {
            for form in [Form::Json, Form::Lines] {
                if let Err(refusal) = parse(&body, form) {
                    prop_assert!(!refusal.issues.is_empty());
                }
            }
            let is_empty_array = serde_json::from_slice::<Vec<Value>>(&body).is_ok_and(|items| items.is_empty());
            prop_assert_eq!(hook(&body, Some("acme")).is_empty(), is_empty_array);
        }
    }
}
