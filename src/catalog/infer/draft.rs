//! Drafts: what was learned, as entries somebody may take into a catalogue.
//!
//! Not their text (see `write`), nor what a field is taken for (see `field`). Invariant: every path that is legal and
//! every type is drafted in a way that the catalogue's check takes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::field::inferred_field;
use super::naming::type_title;
use super::tree::Node;
use super::{Inference, LeftOut};
use crate::catalog::{Catalog, Category, Class, Status, Text, TypeEntry};
use crate::model::EventType;

/// What was learned from events.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drafts {
    /// How many events were read.
    pub events: u64,
    /// How many were no events.
    pub malformed: u64,
    /// What was met and not learned.
    pub left_out: LeftOut,
    /// The types, by name.
    pub types: Vec<InferredType>,
    /// The fields of all types, by path.
    pub fields: Vec<InferredField>,
}

/// A type that events had.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferredType {
    /// Its name.
    pub name: EventType,
    /// How many events had it.
    pub events: u64,
    /// Whether the catalogue has it.
    pub is_known: bool,
    /// What it is about: of an unknown type a guess.
    pub category: Category,
    /// How much is known of it.
    pub status: Status,
    /// The fields that its events had, by path.
    pub seen: Vec<TypeField>,
    /// Paths that its events had and the catalogue does not list for it; only legal ones.
    pub added: Vec<String>,
    /// The paths of its entry: those of the catalogue, and what is added.
    pub fields: Vec<String>,
    /// In English.
    pub en: Text,
    /// In French.
    pub fr: Text,
}

/// A field that events of a type had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeField {
    /// Its path.
    pub path: String,
    /// In how many events of the type it was.
    pub events: u64,
}

/// A field that events had.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferredField {
    /// Its path.
    pub path: String,
    /// Whether a catalogue may have such a path.
    pub is_legal: bool,
    /// The entry of the catalogue, where it has one.
    pub known: Option<Known>,
    /// In how many events it was.
    pub events: u64,
    /// What its values were, with how many of each. More than one is a mixture.
    pub seen: Vec<KindSeen>,
    /// How many values were `null`.
    pub nulls: u64,
    /// How many values were lists without items.
    pub empty_lists: u64,
    /// How many members were met whose keys look like data.
    pub hidden_members: u64,
    /// Bounds of its numbers, outwards to a power of ten: the numbers themselves may be somebody's.
    pub bounds: Option<Bounds>,
    /// The kind to draft.
    pub kind: &'static str,
    /// Of an enum, the values that several events had.
    pub values: Vec<String>,
    /// Of an enum, how many more values there were.
    pub rare_values: usize,
    /// The unit that its name speaks of.
    pub unit: Option<&'static str>,
    /// The least value that its unit allows.
    pub least: Option<i64>,
    /// The greatest value that its unit allows.
    pub greatest: Option<i64>,
    /// Whose data it may be.
    pub class: Class,
    /// How much is known of it.
    pub status: Status,
    /// A value of the same form, without anybody's data.
    pub example: Value,
    /// In English.
    pub en: Text,
    /// In French.
    pub fr: Text,
}

/// What the catalogue says of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// Its kind.
    pub kind: &'static str,
    /// Whether all values were of this kind; of an enum, among its values.
    pub is_as_seen: bool,
}

/// A kind of values, and how many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KindSeen {
    /// The kind, in the catalogue's words.
    pub kind: &'static str,
    /// Whether they stood in lists.
    pub is_listed: bool,
    /// How many.
    pub values: u64,
}

/// The least and the greatest of numbers, outwards to a power of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Not more than the least.
    pub least: i64,
    /// Not less than the greatest.
    pub greatest: i64,
}

/// Drafts what was learned.
pub(super) fn draft(inference: &Inference) -> Drafts {
    let Inference { catalog, events, malformed, types, data, actor, left_out, room: _ } = inference;
    let mut gathered = Gathered { catalog, fields: Vec::new(), of_types: BTreeMap::new() };
    gathered.members(data, "");
    gathered.members(actor, "actor");
    let Gathered { mut fields, mut of_types, .. } = gathered;
    fields.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let legal: BTreeSet<&str> = fields.iter().filter(|field| field.is_legal).map(|field| field.path.as_str()).collect();
    let types = types.iter().map(|(name, seen)| {
        let of_type = of_types.remove(&seen.number).unwrap_or_default();
        inferred_type(catalog, name, seen.events, of_type, &legal)
    });
    Drafts { events: *events, malformed: *malformed, left_out: *left_out, types: types.collect(), fields }
}

struct Gathered<'a> {
    catalog: &'a Catalog,
    fields: Vec<InferredField>,
    of_types: BTreeMap<usize, Vec<TypeField>>,
}

impl Gathered<'_> {
    fn members(&mut self, node: &Node, path: &str) {
        let is_opaque = node.is_opaque();
        for (name, member) in &node.members {
            if is_opaque && !(member.is_known || member.is_vouched_for) {
                continue;
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if member.is_field() {
                for (number, events) in &member.types {
                    let field = TypeField { path: path.clone(), events: *events };
                    self.of_types.entry(*number).or_default().push(field);
                }
                self.fields.push(inferred_field(self.catalog, &path, member));
            }
            self.members(member, &path);
        }
    }
}

fn inferred_type(
    catalog: &Catalog,
    name: &EventType,
    events: u64,
    mut seen: Vec<TypeField>,
    legal: &BTreeSet<&str>,
) -> InferredType {
    seen.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let entry = catalog.event_type(name);
    let listed: &[String] = entry.map_or(&[], |entry| &entry.fields);
    // Every type has the actor's fields.
    let is_new =
        |path: &str| legal.contains(path) && !path.starts_with("actor.") && !listed.iter().any(|old| old == path);
    let added: Vec<String> = seen.iter().filter(|field| is_new(&field.path)).map(|field| field.path.clone()).collect();
    let title = type_title(name.as_str());
    let (en, fr) = texts((title.clone(), title));
    InferredType {
        name: name.clone(),
        events,
        is_known: entry.is_some(),
        category: entry.map_or_else(|| category(catalog, name), |entry| entry.category),
        status: entry.map_or(Status::Proposed, |entry| entry.status),
        seen,
        fields: listed.iter().chain(&added).cloned().collect(),
        added,
        en: entry.map_or(en, |entry| entry.en.clone()),
        fr: entry.map_or(fr, |entry| entry.fr.clone()),
    }
}

/// Guesses what a type is about: what most types are whose names begin the same way.
///
/// Never `system`: such a type would go to an account whatever its rights.
fn category(catalog: &Catalog, name: &EventType) -> Category {
    let family = |name: &EventType| name.as_str().split('.').next().unwrap_or_default().to_owned();
    let is_akin =
        |(other, entry): &(&EventType, &TypeEntry)| entry.category != Category::System && family(other) == family(name);
    let mut counts: BTreeMap<Category, usize> = BTreeMap::new();
    for (_, entry) in catalog.types().filter(is_akin) {
        *counts.entry(entry.category).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(Category::Administration, |(category, _)| category)
}

/// Makes texts for somebody to write anew.
pub(super) fn texts((en, fr): (String, String)) -> (Text, Text) {
    (
        Text { name: en, text: "Draft: say what this is.".to_owned() },
        Text { name: fr, text: "Brouillon : à décrire.".to_owned() },
    )
}
