//! What the scanner takes and refuses, held against a table of cases and against `serde_json`.

use std::collections::HashSet;
use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::*;
use crate::model::limits::{KEYS_PER_EVENT_MAX, NESTING_MAX};

fn scan(text: &[u8]) -> Result<Value, Box<Error>> {
    let mut cursor = Cursor::new(text);
    let value = cursor.value()?;
    cursor.finish()?;
    Ok(value)
}

fn check_refused(text: impl AsRef<[u8]>, fault: Fault, offset: usize, pointer: &str) {
    let text = text.as_ref();
    let error = scan(text).expect_err(&String::from_utf8_lossy(text));
    let shown = String::from_utf8_lossy(text.get(..200).unwrap_or(text)).into_owned();
    assert_eq!((error.fault, error.offset, error.pointer.as_str()), (fault, offset, pointer), "{shown}: {error}");
}

#[test]
fn what_rfc_8259_allows_is_taken() {
    let long_number = "9".repeat(400);
    for text in [
        "{}",
        "[]",
        "0",
        "-0",
        "1.5e-3",
        "1E+2",
        "1e999999",
        &long_number,
        "\"\"",
        "true",
        "false",
        "null",
        " \t\r\n[ 1 , {\"a\" : [ ] } ]\n",
        r#""\"\\\/\b\f\n\r\té😀""#,
        "\"é😀\u{7f}\u{fffd}\"",
        r#"{"":{"":""}}"#,
    ] {
        let value = scan(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.raw(text.as_bytes()), text.trim().as_bytes());
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    check_refused("", Fault::ExpectedValue, 0, "");
    check_refused("  ", Fault::ExpectedValue, 2, "");
    check_refused("\u{feff}{}", Fault::ByteOrderMark, 0, "");
    check_refused("{} x", Fault::ExpectedEnd, 3, "");
    check_refused("{}{}", Fault::ExpectedEnd, 2, "");
    check_refused(r#"{"a":1,}"#, Fault::ExpectedKey, 7, "");
    check_refused("[1,]", Fault::ExpectedValue, 3, "/1");
    check_refused("[,1]", Fault::ExpectedValue, 1, "/0");
    check_refused("[1 2]", Fault::ExpectedCommaOrBracket, 3, "/0");
    check_refused(r#"{"a":{"b":1 "c":2}}"#, Fault::ExpectedCommaOrBrace, 12, "/a");
    check_refused(r#"{"a":[0,{"b" 1}]}"#, Fault::ExpectedColon, 13, "/a/1");
    check_refused("{a:1}", Fault::ExpectedKey, 1, "");
    check_refused("{'a':1}", Fault::ExpectedKey, 1, "");
    check_refused("{1:1}", Fault::ExpectedKey, 1, "");
    check_refused(r#"{"a":}"#, Fault::ExpectedValue, 5, "/a");
    check_refused(
        r#"{"a" // what
:1}"#,
        Fault::ExpectedColon,
        5,
        "",
    );
    check_refused("/* a */ {}", Fault::ExpectedValue, 0, "");
    check_refused("[1}", Fault::ExpectedCommaOrBracket, 2, "/0");
    check_refused(r#"{"a":1]"#, Fault::ExpectedCommaOrBrace, 6, "");
    check_refused("]", Fault::ExpectedValue, 0, "");
    for word in ["NaN", "Infinity", "-Infinity", "nul", "True", "undefined", "tru", "truth"] {
        let text = format!(r#"{{"a":[{word}]}}"#);
        let fault = if word == "-Infinity" { Fault::Number } else { Fault::ExpectedValue };
        let offset = if word == "-Infinity" { 7 } else { 6 };
        check_refused(text, fault, offset, "/a/0");
    }
    for (number, at) in
        [("-", 1), ("+1", 0), ("01", 1), ("-01", 2), ("1.", 2), (".5", 0), ("1.e1", 2), ("1e", 2), ("1e+", 3)]
    {
        let fault = if matches!(number, "+1" | ".5") { Fault::ExpectedValue } else { Fault::Number };
        check_refused(number, fault, at, "");
    }
    check_refused("0x10", Fault::ExpectedEnd, 1, "");
    check_refused("1_000", Fault::ExpectedEnd, 1, "");
}

#[test]
fn unsound_strings_are_refused_with_their_place() {
    check_refused("\"", Fault::OpenString, 1, "");
    check_refused("\"abcdefgh", Fault::OpenString, 9, "");
    check_refused("\"\\", Fault::OpenString, 2, "");
    check_refused("\"a\nb\"", Fault::ControlCharacter, 2, "");
    check_refused("{\"a\":\"long enough for words\u{0}, I think\"}", Fault::ControlCharacter, 27, "/a");
    for escape in [r"\x41", r"\u12", r"\u12g4", r"\u+123", r"\'", r"\ "] {
        check_refused(format!("[\"{escape}\"]"), Fault::Escape, 2, "/0");
    }
    for surrogate in [r"\ud800", r"\udc00", r"\ud800A", r"\ud800\ud800", r"\uDBFFx", r"\ud83d\n"] {
        check_refused(format!("[\"{surrogate}\"]"), Fault::LoneSurrogate, 2, "/0");
    }
    for bytes in [
        b"\x80".as_slice(),
        b"\xff",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xc3",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
    ] {
        for filler in ["", "0123456", "0123456789"] {
            let text = [b"[\"", filler.as_bytes(), bytes, filler.as_bytes(), b"\"]"].concat();
            check_refused(text, Fault::Utf8, 2 + filler.len(), "/0");
            let key = [b"{\"", filler.as_bytes(), bytes, b"\":1}"].concat();
            check_refused(key, Fault::Utf8, 2 + filler.len(), "");
        }
    }
    check_refused(b"[\xc3\xa9]", Fault::ExpectedValue, 1, "/0");
}

#[test]
fn a_key_twice_in_one_object_is_refused_however_it_is_spelled() {
    check_refused(r#"{"a":1,"a":2}"#, Fault::DuplicateKey, 8, "/a");
    check_refused(r#"{"a":1,"\u0061":2}"#, Fault::DuplicateKey, 8, "/a");
    check_refused(r#"{"\u0061bcdefghijkl":1,"abcdefghi\u006akl":2}"#, Fault::DuplicateKey, 24, "/abcdefghijkl");
    check_refused(r#"{"x":[{"é":1,"b":2,"\u00e9":3}]}"#, Fault::DuplicateKey, 21, "/x/0/é");
    check_refused(r#"{"a/b~":1,"a/b~":2}"#, Fault::DuplicateKey, 11, "/a~1b~0");
    for text in [
        r#"{"a":1,"A":2,"b":{"a":1},"c":[{"a":1},{"a":2}]}"#,
        r#"{"a":1,"a\u0000":2,"a ":3,"":4,"\u0000":5}"#,
        r#"{"12345678":1,"123456789":2,"12345678a":3}"#,
    ] {
        assert_eq!(scan(text.as_bytes()).map(|value| value.end), Ok(text.len()), "{text}");
    }
    // Beyond so many keys another way of finding them is used.
    for keys in [15_usize, 16, 17, 18, 40, 1000] {
        for (first, second) in [(0, keys - 1), (0, keys / 2), (keys - 2, keys - 1)] {
            let names = |twice: bool| {
                let name = |at: usize| if twice && at == second { first } else { at };
                (0..keys).map(|at| format!(r#""the same beginning {:04}":{{"a":{at}}}"#, name(at))).collect::<Vec<_>>()
            };
            let sound = format!("{{{}}}", names(false).join(","));
            assert!(scan(sound.as_bytes()).is_ok());
            let text = format!("{{{}}}", names(true).join(","));
            let error = scan(text.as_bytes()).expect_err("a key stands twice");
            assert_eq!((error.fault, error.pointer), (Fault::DuplicateKey, format!("/the same beginning {first:04}")));
            assert_eq!(
                text.match_indices(&format!("beginning {first:04}")).nth(1).map(|(at, _)| at - 9),
                Some(error.offset)
            );
        }
    }
}

#[test]
fn depth_and_keys_are_bounded() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = |depth: usize| {
            format!("{}{}{}", open.repeat(depth), if open == "[" { "" } else { "1" }, close.repeat(depth))
        };
        assert!(scan(nested(NESTING_MAX).as_bytes()).is_ok());
        let error = scan(nested(NESTING_MAX + 1).as_bytes()).expect_err("this is too deep");
        assert_eq!((error.fault, error.offset), (Fault::Nesting, open.len() * NESTING_MAX));
        let error = scan(open.repeat(1_000_000).as_bytes()).expect_err("this is far too deep");
        assert_eq!(error.fault, Fault::Nesting);
    }
    let keys =
        |count: usize| format!("{{{}}}", (0..count).map(|at| format!("\"{at}\":0")).collect::<Vec<_>>().join(","));
    assert!(scan(keys(KEYS_PER_EVENT_MAX).as_bytes()).is_ok());
    let error = scan(keys(KEYS_PER_EVENT_MAX + 1).as_bytes()).expect_err("there are too many keys");
    assert_eq!((error.fault, error.pointer.as_str()), (Fault::Keys, ""));
    let spread = format!("[{}]", vec![r#"{"a":0}"#; KEYS_PER_EVENT_MAX + 1].join(","));
    assert_eq!(scan(spread.as_bytes()).map_err(|error| error.fault), Err(Fault::Keys));
}

#[test]
fn an_error_says_where_in_words() {
    let check = |text: &str, sentence: &str| {
        assert_eq!(scan(text.as_bytes()).expect_err(text).to_string(), sentence);
    };
    check("{\n  \"é\": 1,\n  \"ü\" 2}", "expected a colon, found 2 (line 3, column 7)");
    check("[1", "expected a comma or ], found the end of the text (line 1, column 3)");
    check("[\x01", "expected a value, found the byte 0x01 (line 1, column 2)");
    check("\u{feff}1", "the text begins with a byte order mark: send UTF-8 without it (line 1, column 1)");
    let long = format!(r#"{{"{}":[x]}}"#, "é".repeat(600));
    let error = scan(long.as_bytes()).expect_err("x is no value");
    assert!(error.pointer.len() < 520 && error.pointer.ends_with("é…"), "{}", error.pointer);
}

#[test]
fn pointers_find_what_they_name_in_one_walk() {
    let check = |text: &str, pointer: &str, expected: Option<&str>| {
        let mut pointers = Pointers::new();
        assert_eq!(pointers.add("/not/there"), Ok(0));
        let slot = pointers.add(pointer).expect("the case has a sound pointer");
        assert_eq!(pointers.add(pointer), Ok(slot));
        let mut found = vec![None; pointers.slots()];
        let whole = Cursor::new(text.as_bytes()).find(&pointers, &mut found, |_, _, _| ()).expect("the case is sound");
        assert_eq!(whole.raw(text.as_bytes()), text.as_bytes());
        let raw = found[slot].map(|value| value.raw(text.as_bytes()));
        assert_eq!(raw, expected.map(str::as_bytes), "{pointer} in {text}");
        // The same answer from a reader that builds the tree.
        let tree: serde_json::Value = serde_json::from_str(text).expect("the case is sound");
        let raw = raw.map(|raw| serde_json::from_slice(raw).expect("a part of sound JSON is sound"));
        assert_eq!(tree.pointer(pointer).cloned(), raw);
    };
    let text = r#"{"a":{"b":[10,{"c":"d"},[]],"b/c":1,"":{"":2}},"~":true,"\u0065":{"f":null},"0":{"1":1}}"#;
    check(text, "", Some(text));
    check(text, "/a/b", Some(r#"[10,{"c":"d"},[]]"#));
    check(text, "/a/b/0", Some("10"));
    check(text, "/a/b/1/c", Some(r#""d""#));
    check(text, "/a/b/2", Some("[]"));
    check(text, "/a/b~1c", Some("1"));
    check(text, "/a//", Some("2"));
    check(text, "/~0", Some("true"));
    check(text, "/e/f", Some("null"));
    check(text, "/0/1", Some("1"));
    for absent in ["/a/b/3", "/a/b/01", "/a/b/-", "/a/b/1/c/0", "/f", "/a/b/c", "/A"] {
        check(text, absent, None);
    }
    check("[1,[2,3]]", "/1/0", Some("2"));
    check("7", "", Some("7"));
    check("7", "/a", None);
    for bad in ["a", "a/b", "/~", "/~2", "/a~", &"/x".repeat(65)] {
        assert_eq!(Pointers::new().add(bad), Err(InvalidPointer), "{bad}");
    }
}

#[test]
fn every_member_is_told_and_whether_a_pointer_names_it() {
    let text = r#"{"a":{"x":1,"y":2},"b":[3],"c":"d","\u0064":0}"#;
    let mut pointers = Pointers::new();
    pointers.add("/a/x").expect("this is a pointer");
    pointers.add("/d").expect("this is a pointer");
    let mut members = Vec::new();
    Cursor::new(text.as_bytes())
        .find(&pointers, &mut [None; 2], |key, value, is_named| members.push((&text[key.start..value.end], is_named)))
        .expect("the text is sound");
    let expected =
        [(r#""a":{"x":1,"y":2}"#, false), (r#""b":[3]"#, false), (r#""c":"d""#, false), (r#""\u0064":0"#, true)];
    assert_eq!(members, expected);
}

#[test]
fn strings_say_what_serde_json_reads() {
    proptest!(|(text in "\\PC{0,40}", choices in proptest::collection::vec(0_u8..4, 40))| {
        let written = spell(&text, &choices);
        let value = scan(written.as_bytes()).expect("the spelling is sound");
        prop_assert_eq!(&*value.text(written.as_bytes()), text.as_str());
        let body = Bytes::from(written.clone());
        prop_assert_eq!(&*value.shared_text(&body), text.as_str());
        let read: String = serde_json::from_str(&written).expect("the spelling is sound");
        prop_assert_eq!(read, text);
    });
}

#[test]
fn lines_are_walked_one_by_one_and_a_broken_one_is_left_behind() {
    let text = b"\n{\"a\":1}\r\n  \n[1,\n2]\n\"x\" y\n7";
    let mut cursor = Cursor::of_lines(text);
    assert_eq!(cursor.next_line(), Some(2));
    assert_eq!(cursor.value().map(|value| (value.start, value.end)), Ok((1, 8)));
    assert_eq!(cursor.finish(), Ok(()));
    assert_eq!(cursor.next_line(), Some(4));
    let error = cursor.value().expect_err("a value ends with its line");
    assert_eq!((error.fault, error.line, error.column, error.pointer.as_str()), (Fault::ExpectedValue, 4, 4, "/1"));
    cursor.give_up_line();
    assert_eq!(cursor.next_line(), Some(5));
    assert!(cursor.value().is_ok() && cursor.finish().is_err());
    cursor.give_up_line();
    assert_eq!(cursor.next_line(), Some(6));
    assert!(cursor.value().is_ok());
    let error = cursor.finish().expect_err("y follows");
    assert_eq!((error.fault, error.line, error.column), (Fault::ExpectedEnd, 6, 5));
    cursor.give_up_line();
    assert_eq!(cursor.next_line(), Some(7));
    assert!(cursor.value().is_ok() && cursor.finish().is_ok());
    assert_eq!((cursor.next_line(), cursor.next_line()), (None, None));
}

#[test]
fn events_of_an_array_have_limits_of_their_own_and_a_broken_one_can_be_left_behind() {
    let deepest = format!("{}{}", "[".repeat(NESTING_MAX), "]".repeat(NESTING_MAX));
    let text = format!(r#"[{deepest}, {{"a":1,"a":"]}}"}}, [{deepest}] ,{{"b":[2,x]}}]"#);
    let mut cursor = Cursor::new(text.as_bytes());
    assert!(cursor.is_array());
    cursor.begin_events().expect("an array begins");
    assert_eq!(cursor.next_item(), Ok(Item::Next));
    assert!(cursor.value().is_ok());
    for (fault, pointer) in
        [(Fault::DuplicateKey, "/1/a".to_owned()), (Fault::Nesting, format!("/2{}", "/0".repeat(64)))]
    {
        assert_eq!(cursor.next_item(), Ok(Item::Next));
        let start = cursor.place();
        let error = cursor.value().expect_err("the item breaks a limit");
        assert_eq!((error.fault, error.pointer), (fault, pointer));
        assert!(error.fault.is_limit());
        cursor.give_up_item(start).expect("the item ends");
    }
    assert_eq!(cursor.next_item(), Ok(Item::Next));
    assert_eq!(cursor.value().map_err(|error| error.pointer), Err("/3/b/1".to_owned()));

    let full = format!("{{{}}}", (0..KEYS_PER_EVENT_MAX).map(|at| format!("\"{at}\":0")).collect::<Vec<_>>().join(","));
    let text = format!("[{full},{full}]");
    let mut cursor = Cursor::new(text.as_bytes());
    cursor.begin_events().expect("an array begins");
    for _ in 0..2 {
        assert_eq!(cursor.next_item(), Ok(Item::Next));
        assert!(cursor.value().is_ok());
    }
    assert_eq!(cursor.next_item().map(|item| matches!(item, Item::End(_))), Ok(true));
    assert_eq!(cursor.finish(), Ok(()));
}

#[test]
fn no_bytes_make_it_panic_and_every_error_has_a_place() {
    proptest!(|(text in prop_oneof![any::<Vec<u8>>(), "[\\[\\]{}\",:0-9a-z\\\\ \n-]{0,60}".prop_map(String::into_bytes)])| {
        for mut cursor in [Cursor::new(&text), Cursor::of_lines(&text)] {
            while cursor.next_line().is_some() {
                if let Err(error) = cursor.value().and_then(|_| cursor.finish()) {
                    prop_assert!(error.offset <= text.len());
                    cursor.give_up_line();
                }
            }
        }
        drop(scan(&text));
    });
}

#[test]
fn it_agrees_with_serde_json_on_sound_and_damaged_texts() {
    let config = ProptestConfig { cases: 3000, ..ProptestConfig::default() };
    proptest!(config, |(text in any_json(), damage in proptest::collection::vec(any_damage(), 0..3))| {
        let mut text = text.into_bytes();
        damage.into_iter().for_each(|one| one.apply(&mut text));
        let ours = scan(&text);
        let grammar = std::str::from_utf8(&text).is_ok() && serde_json::from_slice::<IgnoredAny>(&text).is_ok();
        match (&ours, reference(&text)) {
            (Ok(_), expected) => prop_assert!(grammar && expected != Some(false), "taken: {}", String::from_utf8_lossy(&text)),
            (Err(error), expected) => {
                prop_assert!(expected != Some(true), "refused: {error}: {}", String::from_utf8_lossy(&text));
                // A limit is named only where nothing before it breaks the grammar.
                prop_assert!(error.fault.is_limit() || !grammar, "{error}: {}", String::from_utf8_lossy(&text));
            }
        }
    });
}

/// What `serde_json` says of a text under hooklog's stricter rules: no key twice, no lone surrogate, depth,
/// number of keys. None where a number is greater than it can hold.
fn reference(text: &[u8]) -> Option<bool> {
    if std::str::from_utf8(text).is_err() {
        return Some(false);
    }
    KEYS.set(0);
    match serde_json::from_slice::<Strict>(text) {
        Ok(strict) => Some(strict.0 <= NESTING_MAX && KEYS.get() <= KEYS_PER_EVENT_MAX),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(_) => Some(false),
    }
}

thread_local!(static KEYS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

/// The depth of a value without a key twice.
struct Strict(usize);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Depth;
        impl<'de> Visitor<'de> for Depth {
            type Value = Strict;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
                Ok(Strict(0))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
                Ok(Strict(0))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
                Ok(Strict(0))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
                Ok(Strict(0))
            }
            fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
                Ok(Strict(0))
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(0))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
                let mut depth = 0;
                while let Some(item) = items.next_element::<Strict>()? {
                    depth = depth.max(item.0);
                }
                Ok(Strict(depth + 1))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
                let mut keys = HashSet::new();
                let mut depth = 0;
                while let Some((key, value)) = members.next_entry::<String, Strict>()? {
                    KEYS.set(KEYS.get() + 1);
                    if !keys.insert(key) {
                        return Err(serde::de::Error::custom("a key twice"));
                    }
                    depth = depth.max(value.0);
                }
                Ok(Strict(depth + 1))
            }
        }
        deserializer.deserialize_any(Depth)
    }
}

/// Writes a string of JSON with escapes where `choices` say so.
fn spell(text: &str, choices: &[u8]) -> String {
    let mut written = String::from('"');
    for (character, choice) in text.chars().zip(choices.iter().cycle()) {
        match (character, choice) {
            ('"' | '\\' | '/', 0 | 1) => written.extend(['\\', character]),
            ('"' | '\\', _) | (_, 0) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    written.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => written.push(character),
        }
    }
    written.push('"');
    written
}

/// Texts of JSON, with white space, escapes, and now and then a key twice.
fn any_json() -> impl Strategy<Value = String> {
    let string =
        ("\\PC{0,12}", proptest::collection::vec(0_u8..6, 12)).prop_map(|(text, choices)| spell(&text, &choices));
    let key = prop_oneof![
        string.clone(),
        "[a-c]{1,2}".prop_map(|name| format!("\"{name}\"")),
        "[a-z]{7,10}".prop_map(|name| format!("\"{name}\""))
    ];
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?"
    ];
    let word = prop_oneof![Just("true".to_owned()), Just("false".to_owned()), Just("null".to_owned())];
    let blank = "[ \t\r\n]{0,2}";
    let leaf = prop_oneof![string, number, word];
    leaf.prop_recursive(6, 100, 24, move |inner| {
        let items = proptest::collection::vec((blank, inner.clone()), 0..6)
            .prop_map(|items| {
                items.into_iter().map(|(blank, item)| format!("{blank}{item}{blank}")).collect::<Vec<_>>().join(",")
            })
            .prop_map(|items| format!("[{items}]"));
        let members = proptest::collection::vec((key.clone(), blank, inner), 0..24)
            .prop_map(|members| {
                members
                    .into_iter()
                    .map(|(key, blank, value)| format!("{blank}{key}{blank}:{blank}{value}"))
                    .collect::<Vec<_>>()
            })
            .prop_map(|members| format!("{{{}}}", members.join(",")));
        prop_oneof![items, members]
    })
}

/// One change of a text.
#[derive(Debug, Clone)]
enum Damage {
    Cut(prop::sample::Index),
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

impl Damage {
    fn apply(self, text: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match self {
            Self::Cut(at) => text.truncate(at.index(text.len())),
            Self::Set(at, byte) => {
                let at = at.index(text.len());
                text[at] = byte;
            }
            Self::Insert(at, byte) => text.insert(at.index(text.len()), byte),
            Self::Remove(at) => {
                text.remove(at.index(text.len()));
            }
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(text.len()), to.index(text.len()));
                let part = text[from.min(to)..from.max(to)].to_vec();
                text.splice(to..to, part);
            }
        }
    }
}

fn any_damage() -> impl Strategy<Value = Damage> {
    let byte = || {
        prop_oneof![prop::sample::select(&b"{}[]\",:\\u0d8e.-+1 \n\t\x00\x1f\x7f\x80\xbf\xc3\xed\xf0"[..]), any::<u8>()]
    };
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Damage::Cut),
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<prop::sample::Index>().prop_map(Damage::Remove),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}
