//! Documents and tables of every kind, with a canary in each value that could be withheld.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{Model, Section};

/// A JSON value with the text it is written as.
#[derive(Debug, Clone)]
pub(crate) enum Document {
    /// A string, number, boolean or null.
    Scalar(Scalar),
    /// The members, each with its key and the key as it is written, and the white space between all tokens.
    Object(Vec<(String, String, Self)>, &'static str),
    /// The items, and the white space between all tokens.
    Array(Vec<Self>, &'static str),
}

/// A scalar: as it is written, and the part of it that must not be seen where it is withheld.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    kind: Kind,
    escapes: u64,
    pub(crate) written: String,
    pub(crate) canary: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Address,
    Telephone,
    Number,
    /// One that is the same everywhere, and so has no canary.
    Common(&'static str),
}

/// A payload.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    pub(crate) actor: Option<Document>,
    pub(crate) data: Document,
    blank: &'static str,
}

impl Document {
    /// Returns the text of the document.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Scalar(scalar) => scalar.written.clone(),
            Self::Object(members, blank) => {
                let members = members.iter().map(|(_, key, value)| format!("{key}{blank}:{blank}{}", value.text()));
                enclose("{", members.collect(), "}", blank)
            }
            Self::Array(items, blank) => enclose("[", items.iter().map(Self::text).collect(), "]", blank),
        }
    }

    /// Gives each scalar a canary of its own.
    fn number(&mut self, next: &mut u32) {
        match self {
            Self::Scalar(scalar) => scalar.number(next),
            Self::Object(members, _) => members.iter_mut().for_each(|(_, _, value)| value.number(next)),
            Self::Array(items, _) => items.iter_mut().for_each(|item| item.number(next)),
        }
    }
}

impl Payload {
    /// Returns the text of the payload.
    pub(crate) fn text(&self) -> String {
        let blank = self.blank;
        let actor = self.actor.iter().map(|actor| format!("\"actor\"{blank}:{}", actor.text()));
        let members = actor.chain([format!("\"data\":{blank}{}", self.data.text())]);
        enclose("{", members.collect(), "}", blank)
    }
}

impl Scalar {
    fn number(&mut self, next: &mut u32) {
        *next += 1;
        let (canary, said) = match self.kind {
            Kind::Text => (format!("canary{next:06}x"), format!("says/\u{e9} \"canary{next:06}x\" \u{1f426}\n")),
            Kind::Address => (format!("canary{next:06}x"), format!("canary{next:06}x@ex\u{e4}mple.org")),
            Kind::Telephone => (format!("7{next:06}"), format!("+49 (7{next:06})-./1 2")),
            Kind::Number => {
                let forms =
                    [format!("8{next:06}"), format!("-8{next:06}.250e+9"), format!("98765432109876543218{next:06}e-3")];
                self.written =
                    forms.into_iter().cycle().nth(usize::from(self.escapes.to_le_bytes()[0])).unwrap_or_default();
                self.canary = Some(format!("8{next:06}"));
                return;
            }
            Kind::Common(written) => {
                written.clone_into(&mut self.written);
                return;
            }
        };
        self.written = write(&said, self.escapes);
        self.canary = Some(canary);
    }
}

fn enclose(begin: &str, parts: Vec<String>, end: &str, blank: &str) -> String {
    format!("{begin}{blank}{}{blank}{end}", parts.join(&format!("{blank},{blank}")))
}

/// Writes a text as a string; a bit of `escapes` says for each character whether it is escaped without need.
pub(crate) fn write(text: &str, escapes: u64) -> String {
    let mut written = "\"".to_owned();
    for (letter, at) in text.chars().zip((0..64).cycle()) {
        match letter {
            '/' if escapes >> at & 1 == 1 => written += "\\/",
            '\n' if escapes >> at & 1 == 1 => written += "\\n",
            _ if escapes >> at & 1 == 1 || matches!(letter, '"' | '\\' | '\0'..='\x1f') => {
                let mut units = [0; 2];
                letter.encode_utf16(&mut units).iter().for_each(|unit| written += &format!("\\u{unit:04x}"));
            }
            _ => written.push(letter),
        }
    }
    written + "\""
}

/// Steps of paths. The first stand in tables; the others only in documents, or as several steps in one key.
const STEPS: &[&str] = &[
    "a",
    "b",
    "a-b",
    "id",
    "actor",
    "customer",
    "number",
    "",
    "\u{e9}t\u{e9}",
    "quote\"\\",
    "an_interaction",
    "startedAtMilliseconds",
    "startedAtMulliseconds",
];
const KEYS: &[&str] = &["a.b", "customer.number", ".", "a.", "actor.id", "number kk", "b ", "unheard.of", "\n", "x"];
const BLANKS: &[&str] = &["", "", " ", "\n\t", " \r\n"];
const COMMON: &[&str] = &[
    "true",
    "false",
    "null",
    "0",
    "-0.0",
    "\"\"",
    "\"***\"",
    "\"\\u002a**\"",
    "\"***@x\"",
    "\"a@b@c\"",
    "\"a @b\"",
    "\"a@\\u2003b\"",
    "\"@\"",
    "\"123\"",
    "\"12-34\"",
    "\"\\u0031234\"",
];

/// Any payload that hooklog takes in, as long as it is not large.
pub(crate) fn payload() -> impl Strategy<Value = Payload> {
    let actor = proptest::option::weighted(0.7, prop_oneof![4 => object(), 1 => value()]);
    (actor, object(), 0..=56_usize, any::<bool>(), select(BLANKS)).prop_map(|(actor, data, levels, is_deep, blank)| {
        let data = if is_deep { deepened(data, levels) } else { data };
        let mut payload = Payload { actor, data, blank };
        let mut next = 0;
        payload.actor.iter_mut().for_each(|actor| actor.number(&mut next));
        payload.data.number(&mut next);
        payload
    })
}

/// Puts an object so many levels down in another.
fn deepened(object: Document, levels: usize) -> Document {
    let deep = (0..levels.saturating_sub(1)).fold(object, |inner, level| match level % 3 {
        0 => Document::Array(vec![inner], ""),
        1 => Document::Object(vec![("a".to_owned(), "\"a\"".to_owned(), inner)], " "),
        _ => Document::Object(vec![("customer".to_owned(), "\"customer\"".to_owned(), inner)], ""),
    });
    Document::Object(vec![("customer".to_owned(), "\"customer\"".to_owned(), deep)], "")
}

fn object() -> impl Strategy<Value = Document> {
    members(value())
}

fn value() -> impl Strategy<Value = Document> {
    scalar().prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            3 => members(inner.clone()),
            1 => (vec(inner, 0..4), select(BLANKS)).prop_map(|(items, blank)| Document::Array(items, blank)),
        ]
    })
}

fn members(value: impl Strategy<Value = Document>) -> impl Strategy<Value = Document> {
    let key = prop_oneof![5 => select(STEPS), 1 => select(KEYS)];
    let escapes = prop_oneof![3 => Just(0), 1 => any::<u64>()];
    (btree_map(key, (escapes, value), 0..6), select(BLANKS), any::<bool>()).prop_map(|(members, blank, is_reversed)| {
        let written = |(key, (escapes, value)): (&str, (u64, Document))| (key.to_owned(), write(key, escapes), value);
        let mut members: Vec<_> = members.into_iter().map(written).collect();
        if is_reversed {
            members.reverse();
        }
        Document::Object(members, blank)
    })
}

fn scalar() -> impl Strategy<Value = Document> {
    let kind = prop_oneof![
        3 => Just(Kind::Text),
        1 => Just(Kind::Address),
        1 => Just(Kind::Telephone),
        2 => Just(Kind::Number),
        2 => select(COMMON).prop_map(Kind::Common),
    ];
    let escapes = prop_oneof![2 => Just(0), 1 => any::<u64>()];
    (kind, escapes)
        .prop_map(|(kind, escapes)| Document::Scalar(Scalar { kind, escapes, written: String::new(), canary: None }))
}

/// Any table whose treatments are among these.
pub(crate) fn table(treatments: &'static [char]) -> impl Strategy<Value = Model> {
    let types = btree_map(
        select([TYPES, &["call.*", "call.transfer.*", "c.*"]].concat()),
        select(&['+', '+', '+', '-', '?'][..]),
        0..5,
    );
    let sections = btree_map(select(SELECTORS), section(treatments), 0..5);
    (any::<[u8; 32]>(), types, select(&['+', '+', '+', '-', '?'][..]), section(treatments), sections).prop_map(
        |(key, types, other_types, general, sections)| {
            let sections = sections.into_iter().chain([("*", general)]);
            Model { key, types: owned(types), other_types, sections: owned(sections) }
        },
    )
}

fn section(treatments: &'static [char]) -> impl Strategy<Value = Section> {
    let path = vec(select(STEPS), 1..4).prop_map(|steps| steps.join("."));
    let line = (select(treatments), select(treatments));
    (select(treatments), btree_map(path, line, 0..24)).prop_map(|(rest, lines)| Section { rest, lines })
}

fn owned<T>(named: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Types of events.
pub(crate) const TYPES: &[&str] = &["call.ended", "call.transfer.done", "call", "agent.logged_in", "c", "call.", "zz"];
const SELECTORS: &[&str] =
    &["call.*", "call.ended", "call.transfer.*", "c.*", "agent.logged_in", "call", "zz.*", "call.ended.*"];
