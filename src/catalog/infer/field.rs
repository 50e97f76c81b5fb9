//! One field: what it is taken for, from the values that were seen.
//!
//! Not whose data it is (see `class`). Invariant: the example is of the drafted kind and within the drafted bounds.

use serde_json::{Value, json};

use super::class::{Naming, Values};
use super::draft::{Bounds, InferredField, KindSeen, Known, texts};
use super::naming::{titles, unit};
use super::seen::{Seen, Shape};
use super::tree::Node;
use crate::catalog::check::is_path;
use crate::catalog::{Catalog, Class, Field, Kind, Status};

/// Drafts the field of a node.
pub(super) fn inferred_field(catalog: &Catalog, path: &str, node: &Node) -> InferredField {
    let seen = &node.seen;
    let known = catalog.field(path);
    let naming = Naming::of(path);
    let (mut kind, class) = kind_and_class(node, &naming);
    let mut values = Vec::new();
    let mut rare_values = 0;
    if kind == "string"
        && let Some(words) = enum_values(node, &naming)
    {
        kind = "enum";
        (values, rare_values) = words;
    }
    let is_number = matches!(kind, "integer" | "number");
    let unit = unit(path).filter(|_| is_number);
    let (least, greatest) = unit_bounds(unit, seen.bounds);
    let class = if kind == "enum" { naming.class(Values::Enum) } else { class };
    let (en, fr) = texts(titles(path));
    InferredField {
        path: path.to_owned(),
        is_legal: is_path(path),
        known: known.map(|field| Known { kind: kind_name(&field.kind), is_as_seen: is_as_seen(field, seen) }),
        events: node.events,
        seen: kinds_seen(seen),
        nulls: seen.nulls,
        empty_lists: seen.empty_lists,
        hidden_members: node.hidden,
        bounds: seen.bounds.and_then(|(least, greatest)| outwards(least, greatest)),
        kind,
        example: example(kind, seen, &values),
        values,
        rare_values,
        unit,
        least,
        greatest,
        class: known.map_or(class, |field| field.class),
        status: known.map_or(Status::Proposed, |field| field.status),
        en: known.map_or(en, |field| field.en.clone()),
        fr: known.map_or(fr, |field| field.fr.clone()),
    }
}

/// Returns the kind to draft, an enum apart, and the class of such values.
fn kind_and_class(node: &Node, naming: &Naming) -> (&'static str, Class) {
    let seen = &node.seen;
    let is_there = |shape: Shape| seen.alone.contains_key(&shape) || seen.listed.contains_key(&shape);
    let is_mixed = kinds_seen(seen).len() > 1;
    if node.is_object() {
        let is_listed = !seen.alone.contains_key(&Shape::Object) && !seen.has_scalars();
        (if is_listed { "objects" } else { "object" }, Class::Content)
    } else if seen.has_texts() {
        let is_alone = seen.alone.contains_key(&Shape::String) || seen.alone.contains_key(&Shape::Instant);
        let is_text_only = kinds_seen(seen).iter().all(|seen| matches!(seen.kind, "string" | "strings" | "instant"));
        let is_instant = is_alone && !is_mixed && !is_there(Shape::String);
        match (is_instant, is_alone) {
            (true, _) => ("instant", naming.class(Values::Instants)),
            (false, true) if is_text_only => ("string", naming.class(Values::Texts(seen))),
            (false, true) => ("string", naming.class(Values::Anything)),
            (false, false) if is_text_only => ("strings", naming.class(Values::Texts(seen))),
            (false, false) => ("strings", naming.class(Values::Anything)),
        }
    } else if is_there(Shape::Number) {
        ("number", naming.class(Values::Plain(seen)))
    } else if is_there(Shape::Integer) {
        ("integer", naming.class(Values::Plain(seen)))
    } else if is_there(Shape::Boolean) {
        ("boolean", naming.class(Values::Plain(seen)))
    } else {
        (if seen.empty_lists > 0 { "strings" } else { "string" }, Class::Content)
    }
}

/// Returns the values that may be shown, and how many more there are, where a field is an enum.
fn enum_values(node: &Node, naming: &Naming) -> Option<(Vec<String>, usize)> {
    if node.events < ENUM_EVENTS_MIN || naming.is_personal() || kinds_seen(&node.seen).len() > 1 {
        return None;
    }
    let words: Vec<(&str, u64)> = node.seen.words()?.collect();
    let shown: Vec<String> =
        words.iter().filter(|(_, events)| *events >= VALUE_EVENTS_MIN).map(|(word, _)| (*word).to_owned()).collect();
    let rare = words.len() - shown.len();
    // Words of which most are rare are names in capitals; one word alone may be the name of the only person there was.
    let is_enum = words.len() <= ENUM_VALUES_MAX && shown.len() >= SHOWN_VALUES_MIN && shown.len() > rare;
    is_enum.then_some((shown, rare))
}

fn kinds_seen(seen: &Seen) -> Vec<KindSeen> {
    let alone = seen.alone.iter().map(|(shape, values)| (shape_name(*shape), false, *values));
    let listed = seen.listed.iter().map(|(shape, values)| {
        let kind = match shape {
            Shape::String | Shape::Instant => "strings",
            Shape::Object => "objects",
            Shape::Integer | Shape::Number | Shape::Boolean => shape_name(*shape),
        };
        (kind, true, *values)
    });
    let mut kinds: Vec<KindSeen> = Vec::new();
    for (kind, is_listed, values) in alone.chain(listed) {
        match kinds.iter_mut().find(|seen| seen.kind == kind && seen.is_listed == is_listed) {
            Some(seen) => seen.values += values,
            None => kinds.push(KindSeen { kind, is_listed, values }),
        }
    }
    kinds
}

const fn shape_name(shape: Shape) -> &'static str {
    match shape {
        Shape::String => "string",
        Shape::Instant => "instant",
        Shape::Integer => "integer",
        Shape::Number => "number",
        Shape::Boolean => "boolean",
        Shape::Object => "object",
    }
}

const fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Integer { .. } => "integer",
        Kind::Number { .. } => "number",
        Kind::Boolean => "boolean",
        Kind::Instant => "instant",
        Kind::Enum(_) => "enum",
        Kind::Strings => "strings",
        Kind::Object => "object",
        Kind::Objects => "objects",
    }
}

fn is_as_seen(field: &Field, seen: &Seen) -> bool {
    let is_all = |kinds: &[&str]| kinds_seen(seen).iter().all(|seen| !seen.is_listed && kinds.contains(&seen.kind));
    let is_all_listed = |kind: &str| kinds_seen(seen).iter().all(|seen| seen.is_listed && seen.kind == kind);
    let has_empty_lists = seen.empty_lists > 0;
    match &field.kind {
        Kind::Strings => is_all_listed("strings"),
        Kind::Objects => is_all_listed("objects"),
        _ if has_empty_lists => false,
        Kind::String => is_all(&["string", "instant"]),
        Kind::Integer { .. } => is_all(&["integer"]),
        Kind::Number { .. } => is_all(&["integer", "number"]),
        Kind::Boolean => is_all(&["boolean"]),
        Kind::Instant => is_all(&["instant"]),
        Kind::Object => is_all(&["object"]),
        Kind::Enum(values) => {
            let mut words = seen.words().into_iter().flatten();
            is_all(&["string"])
                && seen.words().is_some()
                && words.all(|(word, _)| values.iter().any(|value| value == word))
        }
    }
}

/// Returns the bounds that a unit gives, where all numbers keep to them.
fn unit_bounds(unit: Option<&str>, bounds: Option<(f64, f64)>) -> (Option<i64>, Option<i64>) {
    match (unit, bounds) {
        (Some("%"), Some((least, greatest))) if least >= 0.0 && greatest <= 100.0 => (Some(0), Some(100)),
        (Some("ms" | "s" | "min" | "h" | "d" | "bytes" | "characters"), Some((least, _))) if least >= 0.0 => {
            (Some(0), None)
        }
        (Some(_) | None, _) => (None, None),
    }
}

/// Returns bounds that tell only how many digits the numbers have.
fn outwards(least: f64, greatest: f64) -> Option<Bounds> {
    let above = |number: f64| power_of_ten(|power| power >= number);
    let below = |number: f64| power_of_ten(|power| power * 10.0 > number);
    Some(Bounds {
        least: if least < 0.0 {
            -above(-least)?
        } else if least < 1.0 {
            0
        } else {
            below(least)?
        },
        greatest: if greatest < 0.0 {
            if greatest > -1.0 { 0 } else { -below(-greatest)? }
        } else if greatest > 0.0 {
            above(greatest)?
        } else {
            0
        },
    })
}

/// Returns the least power of ten, from 1 to 10^18, of which something is true.
fn power_of_ten(is_enough: impl Fn(f64) -> bool) -> Option<i64> {
    let (mut whole, mut power) = (1_i64, 1.0_f64);
    while !is_enough(power) {
        whole = whole.checked_mul(10)?;
        power *= 10.0;
    }
    Some(whole)
}

fn example(kind: &str, seen: &Seen, values: &[String]) -> Value {
    let text = || match &seen.blanked {
        Some(blanked) => blanked.clone(),
        None if seen.has_texts() => INSTANT.to_owned(),
        None => String::new(),
    };
    match kind {
        "integer" => json!(0),
        "number" => json!(0.0),
        "boolean" => json!(false),
        "instant" => json!(INSTANT),
        "enum" => json!(values.first()),
        "strings" if seen.has_texts() => json!([text()]),
        "strings" | "objects" => json!([]),
        "object" => json!({}),
        _ => json!(text()),
    }
}

const INSTANT: &str = "2026-01-01T00:00:00.000Z";
/// Fewer events do not make an enum.
const ENUM_EVENTS_MIN: u64 = 20;
/// A value that fewer events had is not shown.
const VALUE_EVENTS_MIN: u64 = 3;
const ENUM_VALUES_MAX: usize = 16;
const SHOWN_VALUES_MIN: usize = 2;
