//! The catalogue: which types of events there are, which fields they have, and whose data a field is.
//!
//! Data files, not code: the ones in `data/` are built in, an operator's own extend or replace their entries by name.
//! Pure: text in, a checked catalogue or a list of mistakes out. Not known here: what an account receives; the
//! catalogue only recommends. What real events have and the catalogue lacks, [`infer`] drafts.
//!
//! ```text
//! data/fields.toml ─┐
//! data/types.toml ──┼─▶ read (TOML) ─▶ check (names, twins, examples, both languages) ─▶ Catalog
//! operator's files ─┘
//! ```

pub mod infer;

mod check;
mod draft;
mod entry;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::EventType;

pub use self::draft::{CalledField, FieldDraft, TypeCall, TypeDraft};
pub use self::entry::{Category, Class, Field, Kind, Status, Text, TypeEntry};

/// A checked catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    fields: BTreeMap<String, Field>,
    types: BTreeMap<EventType, TypeEntry>,
}

/// Something that a catalogue's file says wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}: {what}")]
pub struct Mistake {
    /// The name of the file.
    pub file: String,
    /// The entry, or the line and column.
    pub place: String,
    /// What is wrong, and what was expected.
    pub what: String,
}

/// A file of a catalogue: its name, for mistakes, and what stands in it.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// What people call it.
    pub name: &'a str,
    /// TOML with `[[field]]`, `[[type]]` and `[groups]`.
    pub text: &'a str,
}

impl Catalog {
    /// Returns the catalogue that comes with the program.
    ///
    /// # Panics
    /// Never: a test reads the same files.
    #[must_use]
    pub fn built_in() -> Self {
        Self::with_files(&[]).expect("the files that are built in are without mistakes")
    }

    /// Returns the built-in catalogue with an operator's files on top: an entry of a known name takes its place.
    ///
    /// # Errors
    /// Every mistake in the files.
    pub fn with_files(files: &[File<'_>]) -> Result<Self, Vec<Mistake>> {
        Self::with_files_and_calls(files, &BTreeMap::new())
    }

    /// Returns the built-in catalogue with an operator's files on top, and on top of them what calls have given.
    ///
    /// # Errors
    /// Every mistake in the files and calls; of a call the file is called [`CALL`].
    pub fn with_files_and_calls(
        files: &[File<'_>],
        calls: &BTreeMap<EventType, TypeCall>,
    ) -> Result<Self, Vec<Mistake>> {
        let all: Vec<File<'_>> = BUILT_IN.iter().chain(files).copied().collect();
        let mut drafted = read::read(&all)?;
        for (name, call) in calls {
            let described = call.fields.iter().filter_map(|field| match field {
                CalledField::Described(field) => Some(field),
                CalledField::Named(_) => None,
            });
            for field in described {
                drafted.fields.insert(field.path.clone(), (CALL.to_owned(), (**field).clone()));
            }
            let draft = TypeDraft::of_call(name.as_str(), call);
            drafted.types.insert(name.to_string(), (CALL.to_owned(), draft));
        }
        check::check(drafted)
    }

    /// Writes the whole catalogue as the text that the log keeps: the same catalogue, the same bytes.
    ///
    /// # Panics
    /// Never: all keys are text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let whole = Whole {
            field: self.fields.iter().map(|(path, field)| FieldDraft::of(path, field)).collect(),
            types: self.types.iter().map(|(name, entry)| TypeDraft::of(name, entry)).collect(),
        };
        serde_json::to_string(&whole).expect("a catalogue has text keys and nothing else that can fail")
    }

    /// Reads what [`Catalog::to_text`] wrote.
    ///
    /// # Errors
    /// Where the text is something else.
    pub fn from_text(text: &str) -> Result<Self, Vec<Mistake>> {
        let mistake = |what: String| Mistake { file: "the log".to_owned(), place: "catalogue".to_owned(), what };
        let whole: Whole = serde_json::from_str(text).map_err(|problem| vec![mistake(problem.to_string())])?;
        let mut drafted = read::Drafted::default();
        drafted.fields.extend(whole.field.into_iter().map(|field| (field.path.clone(), (String::new(), field))));
        drafted.types.extend(whole.types.into_iter().map(|entry| (entry.name.clone(), (String::new(), entry))));
        check::check(drafted)
    }

    /// Returns a type, where the catalogue knows it.
    #[must_use]
    pub fn event_type(&self, name: &EventType) -> Option<&TypeEntry> {
        self.types.get(name)
    }

    /// Returns a field by its path, where the catalogue knows it.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<&Field> {
        self.fields.get(path)
    }

    /// Returns all types, by name.
    pub fn types(&self) -> impl Iterator<Item = (&EventType, &TypeEntry)> {
        self.types.iter()
    }

    /// Returns all fields, by path.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.fields.iter().map(|(path, field)| (path.as_str(), field))
    }

    /// Returns the fields that a type may have, `actor.kind` and `actor.userId` included.
    #[must_use]
    pub fn fields_of(&self, name: &EventType) -> BTreeSet<&str> {
        let own = self.types.get(name).into_iter().flat_map(|entry| &entry.fields).map(String::as_str);
        own.chain(self.fields.keys().map(String::as_str).filter(|path| path.starts_with("actor."))).collect()
    }
}

/// A catalogue as one text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    field: Vec<FieldDraft>,
    #[serde(rename = "type")]
    types: Vec<TypeDraft>,
}

/// What a mistake calls the file where it is in no file but in a call.
pub const CALL: &str = "call";

const BUILT_IN: [File<'static>; 2] = [
    File { name: "fields.toml", text: include_str!("data/fields.toml") },
    File { name: "types.toml", text: include_str!("data/types.toml") },
];

#[cfg(test)]
mod tests;
