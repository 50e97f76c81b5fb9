//! Payloads that are none: an error each, never a panic, and never an answer.

use hooklog_rights::{Error, Fault};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::document;
use crate::model::Model;
use crate::rules::table;

fn check(payload: &str, fault: Fault, at: usize) {
    // Whether a value is walked or passed as a whole, the answer is the same.
    for lines in [&["a.x.y rk"][..], &[]] {
        for rest in ["k", "r", "m"] {
            let answer = table(rest, lines).evaluate("call.ended", payload);
            assert_eq!(answer, Err(Error::Payload { at, fault }), "{payload} with {lines:?} and {rest}");
        }
    }
}

#[test]
fn what_is_no_payload_is_an_error_with_its_place() {
    check("", Fault::Object, 0);
    check("[]", Fault::Object, 0);
    check("{}", Fault::Member, 2);
    check(r#"{"actor":{}}"#, Fault::Member, 12);
    check(r#"{"data":[]}"#, Fault::Object, 8);
    check(r#"{"data":{},"data":{}}"#, Fault::Member, 18);
    check(r#"{"actor":{},"actor":{},"data":{}}"#, Fault::Member, 20);
    check(r#"{"data":{},"more":{}}"#, Fault::Member, 18);
    check(r#"{"data":{}} {}"#, Fault::End, 12);
    check(r#"{"data":{}"#, Fault::CommaOrEnd, 10);
    check(r#"{"data":{},}"#, Fault::Key, 11);
    check("\u{feff}{\"data\":{}}", Fault::Object, 0);
}

#[test]
fn what_is_no_json_is_an_error_with_its_place() {
    let check_in = |value: &str, fault, at: usize| check(&format!(r#"{{"data":{{"a":{value}}}}}"#), fault, 13 + at);
    check_in("", Fault::Value, 0);
    check_in("{\"x\" 1}", Fault::Colon, 5);
    check_in("{x:1}", Fault::Key, 1);
    check_in("{,}", Fault::Key, 1);
    check_in("{\"x\":1,}", Fault::Key, 7);
    check_in("[1 2]", Fault::CommaOrEnd, 3);
    check_in("[1}", Fault::CommaOrEnd, 2);
    check_in("[1,]", Fault::Value, 3);
    check_in("[,1]", Fault::Value, 1);
    check_in("{\"x\":1]", Fault::CommaOrEnd, 6);
    check_in("tru", Fault::Value, 0);
    check_in("nulL", Fault::Value, 0);
    check_in("\"\u{1}\"", Fault::OpenString, 0);
    for number in ["01", "-", "1.", ".5", "1e", "1e+", "-.1"] {
        let fault = if number == ".5" { Fault::Value } else { Fault::Number };
        check_in(number, fault, 0);
    }
    for escape in [r"\x", r"\u12", r"\u12g4", r"\ud800", r"\ud800\n", r"\ud800\u0041", r"\udc00", r"\u+123"] {
        check_in(&format!("\"{escape} and more than a word\""), Fault::Escape, 0);
    }
}

#[test]
fn nesting_is_bounded_and_the_bound_is_above_what_ingest_takes() {
    let nested = |levels: usize| format!(r#"{{"data":{{"a":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels));
    for rest in ["k", "m", "r"] {
        assert!(table(rest, &[]).evaluate("call.ended", &nested(70)).is_ok());
        let deep = table(rest, &[]).evaluate("call.ended", &nested(100_000));
        assert_eq!(deep, Err(Error::Payload { at: 83, fault: Fault::Nesting }));
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn a_broken_payload_is_refused_where_serde_json_refuses_it(
        model in document::table(&['k', 'm', 'p', 'r']),
        payload in document::payload(),
        edits in vec((any::<Index>(), 0..3_u8, select(&b"{}[]\",:\\u0123e-.tfn \x07x"[..])), 1..4),
    ) {
        let mut bytes = payload.text().into_bytes();
        for (index, edit, byte) in edits {
            let at = index.index(bytes.len());
            match edit {
                0 => _ = bytes.remove(at),
                1 => bytes.insert(at, byte),
                _ => bytes.splice(at..=at, [byte]).for_each(drop),
            }
        }
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        let model = Model { types: [].into(), other_types: '+', ..model };
        let table = crate::table(&model.text()).expect("the model writes tables");
        let answer = table.evaluate("call.ended", &text);
        prop_assert_eq!(answer.is_ok(), is_payload(&text), "{:?}: {}", answer, text);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), table_text in any::<String>()) {
        prop_assert!(table("k", &["a rr"]).evaluate("call.ended", &text).is_err());
        prop_assert!(crate::table(&table_text).is_err());
    }
}

fn is_payload(text: &str) -> bool {
    let Ok(Value::Object(members)) = serde_json::from_str(text) else { return false };
    members.get("data").is_some_and(Value::is_object) && members.keys().all(|key| key == "data" || key == "actor")
}
