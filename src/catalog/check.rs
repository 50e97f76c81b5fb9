//! From drafts to a catalogue: every name resolves, twins agree, examples are what they stand for.
//!
//! All mistakes are told at once, each with its file and its entry.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::{FieldDraft, TypeDraft};
use super::entry::{Class, Field, Kind, Text, TypeEntry};
use super::read::Drafted;
use super::{Catalog, Mistake};
use crate::model::{EventType, Timestamp};

/// Checks everything that files say.
pub(super) fn check(drafted: Drafted) -> Result<Catalog, Vec<Mistake>> {
    let Drafted { groups, fields: field_drafts, types: type_drafts } = drafted;
    let mut mistakes = Vec::new();
    let mut files = BTreeMap::new();
    let mut fields = BTreeMap::new();
    for (path, (file, draft)) in field_drafts {
        let complain = |what: String| Mistake { file: file.clone(), place: path.clone(), what };
        match field(&path, draft) {
            Ok(field) => drop(fields.insert(path.clone(), field)),
            Err(wrong) => mistakes.extend(wrong.into_iter().map(complain)),
        }
        files.insert(path, file);
    }
    for (path, field) in &fields {
        let Some(twin) = &field.twin else { continue };
        let answers = fields.get(twin).and_then(|twin| twin.twin.as_ref());
        if answers != Some(path) {
            let file = files.get(path).cloned().unwrap_or_default();
            let what = format!("its twin {twin} does not name it as its own");
            mistakes.push(Mistake { file, place: path.clone(), what });
        }
    }
    let mut types = BTreeMap::new();
    for (name, (file, draft)) in type_drafts {
        let complain = |what: String| Mistake { file: file.clone(), place: name.clone(), what };
        match event_type(&name, draft, &groups, &fields) {
            Ok((name, entry)) => drop(types.insert(name, entry)),
            Err(wrong) => mistakes.extend(wrong.into_iter().map(complain)),
        }
    }
    if mistakes.is_empty() { Ok(Catalog { fields, types }) } else { Err(mistakes) }
}

fn field(path: &str, draft: FieldDraft) -> Result<Field, Vec<String>> {
    let mut wrong = Vec::new();
    if !is_path(path) {
        wrong
            .push("a path is names with dots between them, each a small letter and then letters and digits".to_owned());
    }
    wrong.extend(texts(&draft.en, &draft.fr));
    let kind = kind(&draft).map_err(|what| wrong.push(what)).ok();
    if let Some(kind) = &kind
        && !fits(kind, &draft.example)
    {
        wrong.push(format!("the example {} is no such value", draft.example));
    }
    if draft.join && !draft.class.is_recommended() {
        wrong.push("what joins events is an id, not identity or content".to_owned());
    }
    if draft.class == Class::None && draft.twin.is_some() {
        wrong.push("a twin may hold the same personal data, and this field has none".to_owned());
    }
    let Some(kind) = kind.filter(|_| wrong.is_empty()) else { return Err(wrong) };
    let FieldDraft { unit, class, status, example, join, twin, en, fr, .. } = draft;
    Ok(Field { kind, unit, class, status, example, is_join: join, twin, en, fr })
}

fn kind(draft: &FieldDraft) -> Result<Kind, String> {
    let FieldDraft { kind, values, least, greatest, unit, .. } = draft;
    let (least, greatest) = (*least, *greatest);
    let is_number = matches!(kind.as_str(), "integer" | "number");
    if !is_number && (least.is_some() || greatest.is_some() || unit.is_some()) {
        return Err("least, greatest and unit are for numbers".to_owned());
    }
    if kind != "enum" && values.is_some() {
        return Err("values are for an enum".to_owned());
    }
    if let (Some(least), Some(greatest)) = (least, greatest)
        && least > greatest
    {
        return Err(format!("the least, {least}, is greater than the greatest, {greatest}"));
    }
    Ok(match kind.as_str() {
        "string" => Kind::String,
        "integer" => Kind::Integer { least, greatest },
        "number" => Kind::Number { least, greatest },
        "boolean" => Kind::Boolean,
        "instant" => Kind::Instant,
        "strings" => Kind::Strings,
        "object" => Kind::Object,
        "objects" => Kind::Objects,
        "enum" => match values {
            Some(values) if !values.is_empty() => Kind::Enum(values.clone()),
            Some(_) | None => return Err("an enum has values".to_owned()),
        },
        other => {
            return Err(format!(
                "{other:?} is no kind: string, integer, number, boolean, instant, enum, strings, object, objects"
            ));
        }
    })
}

/// Returns whether a value is one of a kind.
fn fits(kind: &Kind, value: &Value) -> bool {
    let is_within = |number: f64, least: Option<i64>, greatest: Option<i64>| {
        #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
        let (least, greatest) = (least.map(|least| least as f64), greatest.map(|greatest| greatest as f64));
        least.is_none_or(|least| number >= least) && greatest.is_none_or(|greatest| number <= greatest)
    };
    match kind {
        Kind::String => value.is_string(),
        Kind::Integer { least, greatest } => {
            (value.is_i64() || value.is_u64())
                && value.as_f64().is_some_and(|number| is_within(number, *least, *greatest))
        }
        Kind::Number { least, greatest } => value.as_f64().is_some_and(|number| is_within(number, *least, *greatest)),
        Kind::Boolean => value.is_boolean(),
        Kind::Instant => value.as_str().is_some_and(|text| Timestamp::parse(text).is_ok()),
        Kind::Enum(values) => value.as_str().is_some_and(|text| values.iter().any(|value| value == text)),
        Kind::Strings => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        Kind::Object => value.is_object(),
        Kind::Objects => value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
    }
}

fn event_type(
    name: &str,
    draft: TypeDraft,
    groups: &BTreeMap<String, Vec<String>>,
    fields: &BTreeMap<String, Field>,
) -> Result<(EventType, TypeEntry), Vec<String>> {
    let mut wrong = texts(&draft.en, &draft.fr);
    let parsed = EventType::parse(name).map_err(|problem| wrong.push(problem.to_string())).ok();
    let mut paths: Vec<String> = Vec::new();
    for listed in &draft.fields {
        let members = match listed.strip_prefix('@') {
            None => std::slice::from_ref(listed),
            Some(group) => match groups.get(group) {
                Some(members) => members.as_slice(),
                None => {
                    wrong.push(format!("there is no group {group:?}"));
                    continue;
                }
            },
        };
        for member in members {
            let found = expand(member, fields);
            if found.is_empty() {
                wrong.push(format!("there is no field {member:?}"));
            }
            paths.extend(found);
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    let Some(parsed) = parsed.filter(|_| wrong.is_empty()) else { return Err(wrong) };
    let TypeDraft { category, status, en, fr, .. } = draft;
    Ok((parsed, TypeEntry { category, status, fields: paths, en, fr }))
}

/// Returns the paths that a name in a list of fields stands for.
fn expand(name: &str, fields: &BTreeMap<String, Field>) -> Vec<String> {
    match name.strip_suffix('*') {
        Some(prefix) if prefix.ends_with('.') => {
            fields.keys().filter(|path| path.starts_with(prefix)).cloned().collect()
        }
        Some(_) | None => fields.contains_key(name).then(|| name.to_owned()).into_iter().collect(),
    }
}

fn texts(en: &Text, fr: &Text) -> Vec<String> {
    let mut wrong = Vec::new();
    for (language, Text { name, text }) in [("en", en), ("fr", fr)] {
        if name.trim().is_empty() {
            wrong.push(format!("it has no name in {language}"));
        }
        if !text.ends_with('.') {
            wrong.push(format!("its text in {language} is a sentence, with a full stop"));
        }
    }
    wrong
}

/// Returns whether a path has the form that paths of a catalogue have.
pub(super) fn is_path(path: &str) -> bool {
    path.split('.').all(|name| {
        name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}
