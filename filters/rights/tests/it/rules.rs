//! One case, at least, for each rule of the table.

use hooklog_rights::{Table, Verdict};

/// A key: the bytes 0 to 31.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Makes a table with one section; the lines may come in any order.
pub(crate) fn table(rest: &str, lines: &[&str]) -> Table {
    let mut sorted: Vec<_> = lines.iter().map(|line| line.rsplit_once(' ').expect("a line has two words")).collect();
    sorted.sort_unstable();
    let lines: String = sorted.iter().map(|(path, treatments)| format!("{path} {treatments}\n")).collect();
    let text = format!("rights/1 {KEY}\ntypes 0 +\nfields * {} {rest}\n{lines}", sorted.len());
    crate::table(&text).expect("a table")
}

fn check_payload(rest: &str, lines: &[&str], payload: &str, expected: &str) {
    let verdict = if payload == expected { Verdict::Pass } else { Verdict::Rewrite(expected.to_owned()) };
    assert_eq!(table(rest, lines).evaluate("call.ended", payload), Ok(verdict), "{payload} with {lines:?}");
}

/// Holds the data that is left against what is expected.
fn check(rest: &str, lines: &[&str], data: &str, expected: &str) {
    check_payload(rest, lines, &format!(r#"{{"data":{data}}}"#), &format!(r#"{{"data":{expected}}}"#));
}

#[test]
fn a_line_decides_what_stands_exactly_there_and_what_is_below() {
    check("k", &["a rk"], r#"{"a":1,"b":2}"#, r#"{"b":2}"#);
    check("k", &["a rk"], r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#);
    check("k", &["a kr"], r#"{"a":{"b":1},"c":2}"#, r#"{"c":2}"#);
    check("k", &["a kr"], r#"{"a":1}"#, r#"{"a":1}"#);
    check("r", &["a.b kk"], r#"{"a":{"b":1,"c":2},"b":3}"#, r#"{"a":{"b":1}}"#);
}

#[test]
fn what_has_no_line_gets_what_is_below_the_nearest_line_above() {
    let lines = ["a kr", "a.b rk", "a.b.c.d rr"];
    check("r", &lines, r#"{"a":{"b":{"c":{"d":1,"e":2},"f":3},"g":4},"h":5}"#, r#"{"a":{"b":{"c":{"e":2},"f":3}}}"#);
    check("k", &[], r#"{"a":1}"#, r#"{"a":1}"#);
    check("r", &[], r#"{"a":1}"#, "{}");
    check("m", &[], r#"{"a":"x"}"#, r#"{"a":"***"}"#);
}

#[test]
fn a_path_that_only_begins_like_another_is_another() {
    let lines = ["a rr", "a-b kk", "a.b kk", "ab kk"];
    check("r", &lines, r#"{"a":{"b":1,"c":2},"a-b":3,"ab":4,"a-":5,"abc":6}"#, r#"{"a":{"b":1},"a-b":3,"ab":4}"#);
    let long = ["startedAtMilliseconds kk", "startedAtMulliseconds rr", "a_name_of_16_by_ kk"];
    check(
        "r",
        &long,
        r#"{"startedAtMilliseconds":1,"startedAtMulliseconds":2,"a_name_of_16_by_":3}"#,
        r#"{"startedAtMilliseconds":1,"a_name_of_16_by_":3}"#,
    );
}

#[test]
fn keys_are_compared_unescaped() {
    check(
        "k",
        &["customer rr", "\u{e9}\u{1f426} rr"],
        r#"{"\u0063ustomer":1,"\u00e9\ud83d\udc26":2,"c":3}"#,
        r#"{"c":3}"#,
    );
    check("k", &["a/b\"\\ rr"], r#"{"a\/b\"\\":1,"c":3}"#, r#"{"c":3}"#);
}

#[test]
fn a_key_with_a_dot_counts_as_levels() {
    let lines = ["customer kr", "customer.number kk", "x rr", "x.y.z kk"];
    check(
        "k",
        &lines,
        r#"{"customer.number":1,"customer.name":2,"customer.number.x":3}"#,
        r#"{"customer.number":1,"customer.number.x":3}"#,
    );
    check(
        "k",
        &lines,
        r#"{"x":{"y.z":1,"y":{"z":2,"q":3},"q.z":4},"x.y":{"z":5}}"#,
        r#"{"x":{"y.z":1,"y":{"z":2}},"x.y":{"z":5}}"#,
    );
    check("k", &lines, r#"{"customer\u002ename":1,"other.name":2}"#, r#"{"other.name":2}"#);
    check("k", &[". rr", "a..b rr"], r#"{"":{"":1,"x":2},"a":{"":{"b":3}},"a.":{"b":4}}"#, r#"{"":{"x":2}}"#);
}

#[test]
fn a_key_with_a_space_is_never_taken_for_a_line() {
    check("k", &["a rr"], r#"{"a rr":1,"a ":2,"a":3,"a rr\na":4}"#, r#"{"a rr":1,"a ":2,"a rr\na":4}"#);
}

#[test]
fn arrays_are_transparent() {
    check("k", &["a rk", "a.b rr"], r#"{"a":[1,{"b":2,"c":3},[4,{"b":5,"c":6}]]}"#, r#"{"a":[{"c":3},[{"c":6}]]}"#);
    check("r", &["a kr"], r#"{"a":[1,{"b":2},[],[[3]],4]}"#, r#"{"a":[1,[],[[3]],4]}"#);
    check("k", &["a rk"], r#"{"a":[1,{},[],{"b":[]}]}"#, r#"{"a":[{},{"b":[]}]}"#);
    check("r", &["a kr", "b rr", "c mm"], r#"{"a":[],"b":[],"c":[]}"#, r#"{"a":[]}"#);
}

#[test]
fn the_actor_and_a_member_actor_of_data_have_the_same_lines() {
    let payload = r#"{"actor":{"kind":"USER","userId":"u"},"data":{"actor":{"kind":"USER","userId":"u"}}}"#;
    let left = r#"{"actor":{"kind":"USER"},"data":{"actor":{"kind":"USER"}}}"#;
    check_payload("k", &["actor.userId rr"], payload, left);
    check_payload("k", &["actor rr"], payload, r#"{"data":{}}"#);
    check_payload("r", &["actor.kind kk"], payload, left);
}

#[test]
fn data_is_always_there_and_an_actor_only_with_something_in_it() {
    check_payload("r", &[], r#"{"actor":{"a":1},"data":{"b":2}}"#, r#"{"data":{}}"#);
    check_payload("r", &[], r#"{ "data" : { } }"#, r#"{ "data" : { } }"#);
    check_payload("r", &[], r#"{"data":{"a":1},"actor":{"b":2}}"#, r#"{"data":{}}"#);
    check_payload("k", &["actor.x rr"], r#"{"actor":{},"data":{}}"#, r#"{"data":{}}"#);
    check_payload("k", &["x rr"], r#"{"actor":{},"data":{}}"#, r#"{"actor":{},"data":{}}"#);
    check_payload("k", &["actor rk"], r#"{"actor":"somebody","data":{}}"#, r#"{"data":{}}"#);
    check_payload("k", &[], r#"{"\u0061ctor":null,"dat\u0061":{}}"#, r#"{"\u0061ctor":null,"dat\u0061":{}}"#);
}

#[test]
fn an_object_or_array_in_which_nothing_is_left_is_absent() {
    check("k", &["a.b rr"], r#"{"a":{"b":1},"c":2}"#, r#"{"c":2}"#);
    check("k", &["a.b.c rr"], r#"{"x":0,"a":[{"b":{"c":1}},{"b":[{"c":2}]}]}"#, r#"{"x":0}"#);
    check("k", &["a.b rr"], r#"{"a":{},"c":{}}"#, r#"{"c":{}}"#);
    check("k", &["a rr"], r#"{"a":[],"c":[]}"#, r#"{"c":[]}"#);
    check("k", &["a mm"], r#"{"a":[{}],"c":1}"#, r#"{"c":1}"#);
    check("r", &["a.b kk"], r#"{"a":{"b":{},"c":{}}}"#, r#"{"a":{"b":{}}}"#);
}

#[test]
fn commas_and_white_space_stay_sound_wherever_something_is_taken_out() {
    let lines = ["a rr", "b rr"];
    check("k", &lines, r#"{"a":1,"b":2,"c":3}"#, r#"{"c":3}"#);
    check("k", &lines, r#"{"a":1,"c":3,"b":2}"#, r#"{"c":3}"#);
    check("k", &lines, r#"{"c":3,"a":1,"b":2}"#, r#"{"c":3}"#);
    check("k", &lines, r#"{"c":3,"a":1,"d":4,"b":2,"e":5}"#, r#"{"c":3,"d":4,"e":5}"#);
    check("k", &lines, r#"{"x":{"a":1},"c":3,"y":{"b":{}}}"#, r#"{"x":{"a":1},"c":3,"y":{"b":{}}}"#);
    check(
        "k",
        &["x.a rr"],
        "{ \"x\" : { \"a\" : 1 , \"c\" :  [ 1 ,\n2 ] } , \"d\" : 4 }",
        "{ \"x\" : {\"c\" :  [ 1 ,\n2 ] } , \"d\" : 4 }",
    );
    check("k", &["x rk", "x.a rr"], "{\"x\":[ 1 , {\"a\":2} , { \"c\" : 3 } , 4 ]}", "{\"x\":[{ \"c\" : 3 } ]}");
}

#[test]
fn what_is_kept_stays_as_it_was_written() {
    let kept = r#"{"a":1.0E+2,"b":"\u0041\/\ud83d\ude00","c":[ 1 , {"d" : -0} ],"e":123456789012345678901234567890}"#;
    check("k", &["x rr"], &kept.replacen('{', r#"{"x":0,"#, 1), kept);
}

#[test]
fn mask_keeps_the_domain_of_an_address() {
    let mask = |value: &str, expected: &str| {
        check("k", &["a mm"], &format!(r#"{{"a":{value}}}"#), &format!(r#"{{"a":{expected}}}"#))
    };
    mask(r#""jo.doe@example.org""#, r#""***@example.org""#);
    mask(r#""j\u0040example.org""#, r#""***@example.org""#);
    mask(r#""jo@\u00e9-1.org""#, r#""***@é-1.org""#);
    for other in [
        r#""a@b@c.org""#,
        r#""a@b""#,
        r#""sip@+33612345678""#,
        r#""whatsapp@33612345678""#,
        r#""a@10.0.0.1""#,
        r#""a@b..org""#,
        r#""a@\"b\".org""#,
        r#""@b""#,
        r#""a@""#,
        r#""a b@c.org""#,
        r#""a@b c.org""#,
        r#""a@b.org\n""#,
        "\"a@b\u{2003}c.org\"",
        r#""@""#,
        r#""""#,
    ] {
        mask(other, r#""***""#);
    }
    mask(r#""***""#, r#""***""#);
    mask(r#""***@x.org""#, r#""***@x.org""#);
}

#[test]
fn mask_keeps_the_last_two_digits_of_a_number_of_four_or_more() {
    let mask = |value: &str, expected: &str| {
        check("k", &["a mm"], &format!(r#"{{"a":{value}}}"#), &format!(r#"{{"a":{expected}}}"#))
    };
    mask(r#""+49 (170) 123-45.6/7""#, r#""+** (***) ***-**.6/7""#);
    mask(r#""1234""#, r#""**34""#);
    mask(r#""123""#, r#""***""#);
    mask(r#""\u0031234""#, r#""**34""#);
    mask(r#""12-3\/4""#, r#""**-3/4""#);
    mask(r#""1234x""#, r#""***""#);
    mask("\"\u{661}\u{662}\u{663}\u{664}\"", r#""***""#);
    mask("\"1234\u{a0}5\"", r#""***""#);
}

#[test]
fn mask_and_pseudonym_remove_what_they_cannot_hide() {
    check("k", &["a mm"], r#"{"a":[1,-2.5,true,false,null,"x"]}"#, r#"{"a":["***"]}"#);
    check("k", &["a mm"], r#"{"a":12345,"b":1}"#, r#"{"b":1}"#);
    check("k", &["a pp"], r#"{"a":true,"b":1}"#, r#"{"b":1}"#);
    check("k", &["a pp"], r#"{"a":[null,{"c":false}],"b":1}"#, r#"{"b":1}"#);
}

#[test]
fn a_pseudonym_is_the_hmac_of_what_the_value_says() {
    // printf u_4821 | openssl dgst -sha256 -mac HMAC -macopt hexkey:$KEY -binary | head -c 16 | basenc --base64url
    let name = r#""psn_FicWGuBycBh4zhJO4Q1U8w""#;
    check("k", &["a pp"], r#"{"a":"u_4821"}"#, &format!(r#"{{"a":{name}}}"#));
    check(
        "k",
        &["a pp", "b pp"],
        r#"{"a":"u\u005f4821","b":{"x":["u_4821"]}}"#,
        &format!(r#"{{"a":{name},"b":{{"x":[{name}]}}}}"#),
    );
    // printf 1.50E+3 | the same
    let number = r#""psn_dgCJZHAULeBtdDVn8wdDPA""#;
    check("k", &["a pp"], r#"{"a":1.50E+3,"b":7}"#, &format!(r#"{{"a":{number},"b":7}}"#));
    check("k", &["a pp"], r#"{"a":"1.50E+3","b":7}"#, &format!(r#"{{"a":{number},"b":7}}"#));
}

#[test]
fn a_key_that_stands_twice_is_withheld_twice() {
    check("k", &["a rr"], r#"{"a":1,"b":2,"a":3,"\u0061":4}"#, r#"{"b":2}"#);
}
