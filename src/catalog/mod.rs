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
mod entry;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::EventType;

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
        Self::of(&BUILT_IN).expect("the files that are built in are without mistakes")
    }

    /// Returns the built-in catalogue with an operator's files on top: an entry of a known name takes its place.
    ///
    /// # Errors
    /// Every mistake in the files.
    pub fn with_files(files: &[File<'_>]) -> Result<Self, Vec<Mistake>> {
        let all: Vec<File<'_>> = BUILT_IN.iter().chain(files).copied().collect();
        Self::of(&all)
    }

    fn of(files: &[File<'_>]) -> Result<Self, Vec<Mistake>> {
        let drafted = read::read(files)?;
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

const BUILT_IN: [File<'static>; 2] = [
    File { name: "fields.toml", text: include_str!("data/fields.toml") },
    File { name: "types.toml", text: include_str!("data/types.toml") },
];

#[cfg(test)]
mod tests;
