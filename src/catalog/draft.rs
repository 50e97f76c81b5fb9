//! Entries as they are written: in files, in calls, and in the text that the log keeps of a whole catalogue.
//!
//! Not checked yet: `check` makes entries of them. Each entry can be written back as the draft it came from.

use serde::{Deserialize, Serialize};

use super::entry::{Category, Class, Field, Kind, Status, Text, TypeEntry};
use crate::model::EventType;

/// A field as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldDraft {
    /// Its path: under `data`, or beginning with `actor.`.
    pub path: String,
    /// What values it has: string, integer, number, boolean, instant, enum, strings, object, objects.
    pub kind: String,
    /// The values of an enum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// The least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<i64>,
    /// The greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greatest: Option<i64>,
    /// The unit of a number, such as `ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whose data it is.
    pub class: Class,
    /// How much is known of it.
    pub status: Status,
    /// A value.
    pub example: serde_json::Value,
    /// Whether it joins events: then it may be pseudonymised, not removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub join: bool,
    /// Another field that may hold the same value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<String>,
    /// In English.
    pub en: Text,
    /// In French.
    pub fr: Text,
}

/// A type as it is written in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDraft {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub category: Category,
    /// How much is known of it.
    pub status: Status,
    /// The fields that it may have: paths, `customer.*` for all below, `@agent` for a group.
    pub fields: Vec<String>,
    /// In English.
    pub en: Text,
    /// In French.
    pub fr: Text,
}

/// A type as an operator's call gives it: its fields are named, or described where the catalogue lacks them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeCall {
    /// What it is about.
    pub category: Category,
    /// How much is known of it; `proposed` where nobody says.
    #[serde(default = "proposed")]
    pub status: Status,
    /// The fields that it may have.
    #[serde(default)]
    pub fields: Vec<CalledField>,
    /// In English.
    pub en: Text,
    /// In French.
    pub fr: Text,
}

/// A field in a call: the path of a known one (or `customer.*` for all below), or the description of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum CalledField {
    /// A known one.
    Named(String),
    /// A new one, or a known one that is described anew.
    Described(Box<FieldDraft>),
}

impl CalledField {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Named(path) => path,
            Self::Described(field) => &field.path,
        }
    }
}

impl FieldDraft {
    /// Writes an entry back.
    #[must_use]
    pub fn of(path: &str, field: &Field) -> Self {
        let Field { kind, unit, class, status, example, is_join, twin, en, fr } = field.clone();
        let (kind, values, least, greatest) = match kind {
            Kind::String => ("string", None, None, None),
            Kind::Integer { least, greatest } => ("integer", None, least, greatest),
            Kind::Number { least, greatest } => ("number", None, least, greatest),
            Kind::Boolean => ("boolean", None, None, None),
            Kind::Instant => ("instant", None, None, None),
            Kind::Enum(values) => ("enum", Some(values), None, None),
            Kind::Strings => ("strings", None, None, None),
            Kind::Object => ("object", None, None, None),
            Kind::Objects => ("objects", None, None, None),
        };
        let kind = kind.to_owned();
        Self {
            path: path.to_owned(),
            kind,
            values,
            least,
            greatest,
            unit,
            class,
            status,
            example,
            join: is_join,
            twin,
            en,
            fr,
        }
    }
}

impl TypeDraft {
    /// Writes an entry back.
    pub(super) fn of(name: &EventType, entry: &TypeEntry) -> Self {
        let TypeEntry { category, status, fields, en, fr } = entry.clone();
        Self { name: name.to_string(), category, status, fields, en, fr }
    }

    pub(super) fn of_call(name: &str, call: &TypeCall) -> Self {
        let TypeCall { category, status, fields, en, fr } = call.clone();
        let fields = fields.iter().map(|field| field.path().to_owned()).collect();
        Self { name: name.to_owned(), category, status, fields, en, fr }
    }
}

const fn proposed() -> Status {
    Status::Proposed
}
