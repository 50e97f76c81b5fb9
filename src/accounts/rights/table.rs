//! The decision table: decisions as the text that the rights component is configured with.
//!
//! Sorted lines, which the component's own crate checks and gives an index; it says there how they are read. The
//! account's pseudonym key stands in the first line alone, so accounts with the same decisions share the rest.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Treatment;
use super::decisions::{Decisions, Mark, Selector};
use crate::security::{Hex, Secret};

/// Decisions ready for the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    decisions: Decisions,
    /// The marks of single types, and of prefixes, the longest first: what is asked for every event.
    types: HashMap<String, Mark>,
    prefixes: Vec<(String, Mark)>,
    /// What the component is configured with, with no account's key.
    prepared: String,
    digest: [u8; 32],
}

/// A table with an account's key: all that the component is configured with.
#[derive(Debug, Clone)]
pub struct KeyedTable {
    table: Arc<Table>,
    key: Secret<[u8; 32]>,
}

/// More than the component is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these rights make a table of more than {max} bytes: name fields for fewer single types")]
pub struct TableTooLarge {
    /// The limit.
    pub max: usize,
}

impl Table {
    /// Writes decisions as a table.
    ///
    /// # Errors
    /// Where names of fields for many single types make it too large.
    pub fn new(decisions: Decisions) -> Result<Self, TableTooLarge> {
        let too_large = TableTooLarge { max: BYTES_MAX };
        let lines = lines(&decisions).ok_or(too_large)?;
        // Lines are written in their order: their number is all that could be wrong with them.
        let prepared = hooklog_rights::prepare(&lines).map_err(|_| too_large)?;
        let digest = Sha256::digest(&prepared).into();
        let (mut types, mut prefixes) = (HashMap::new(), Vec::new());
        for (selector, mark) in &decisions.types {
            match selector {
                Selector::Exact(name) => drop(types.insert(name.clone(), *mark)),
                Selector::Prefix(prefix) => prefixes.push((prefix.clone(), *mark)),
                Selector::All => {}
            }
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(Self { decisions, types, prefixes, prepared, digest })
    }

    /// Returns whether events of a type are sent; the same as [`Decisions::mark`], without a search.
    #[must_use]
    pub fn mark(&self, event_type: &str) -> Mark {
        let of_prefix = || self.prefixes.iter().find(|(prefix, _)| event_type.starts_with(prefix));
        match self.types.get(event_type) {
            Some(mark) => *mark,
            None => of_prefix().map_or(self.decisions.other_types, |(_, mark)| *mark),
        }
    }

    /// Returns whether what the catalogue does not know of an event of this type is kept.
    #[must_use]
    pub fn keeps_unknown(&self, event_type: &str) -> bool {
        self.keeps(event_type, NO_FIELD)
    }

    /// Returns whether a field of an event of this type is kept as it came, where the type is sent at all.
    #[must_use]
    pub fn keeps(&self, event_type: &str, path: &str) -> bool {
        self.decisions.rule(event_type, path).own == Treatment::Keep
    }

    /// Returns what the table decides.
    #[must_use]
    pub const fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Returns the SHA-256 of the table without its key: two tables of the same digest decide the same.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl KeyedTable {
    /// Joins a table and an account's pseudonym key.
    #[must_use]
    pub const fn new(table: Arc<Table>, key: Secret<[u8; 32]>) -> Self {
        Self { table, key }
    }

    /// Writes the text that the component is configured with.
    #[must_use]
    pub fn configuration(&self) -> String {
        let (form, rest) = self.table.prepared.split_at(FORM_BYTES);
        let behind_key = rest.get(KEY_DIGITS..).unwrap_or_default();
        [form, &Hex(self.key.expose()).to_string(), behind_key].concat()
    }
}

/// Writes the lines of decisions, with a key of zeros; none where they become too many, which is seen before they are.
pub(super) fn lines(decisions: &Decisions) -> Option<String> {
    let mut text = String::with_capacity(8 * 1024);
    let mut put = |arguments: std::fmt::Arguments<'_>| {
        text.write_fmt(arguments).expect("a text takes what is written to it");
        (text.len() <= BYTES_MAX).then_some(())
    };
    put(format_args!("rights/1 {}\n", Hex(&[0; KEY_DIGITS / 2])))?;
    put(format_args!("types {} {}\n", decisions.types.len(), mark(decisions.other_types)))?;
    for (selector, of_type) in by_name(&decisions.types) {
        put(format_args!("{selector} {}\n", mark(*of_type)))?;
    }
    for (selector, section) in by_name(&decisions.sections) {
        // What follows from another line is not said again.
        put(format_args!("fields {selector} {} {}\n", section.needed().count(), letter(section.rest)))?;
        for (path, rule) in section.needed() {
            put(format_args!("{path} {}{}\n", letter(rule.own), letter(rule.below)))?;
        }
    }
    Some(text)
}

/// Returns what selectors hold, in the order of the bytes that they are written with; `*` is before every name.
fn by_name<T>(by_selector: &BTreeMap<Selector, T>) -> BTreeMap<String, &T> {
    by_selector.iter().map(|(selector, held)| (selector.to_string(), held)).collect()
}

const fn mark(mark: Mark) -> char {
    match mark {
        Mark::Wanted => '+',
        Mark::Withheld => '-',
        Mark::Unknown => '?',
    }
}

const fn letter(treatment: Treatment) -> char {
    match treatment {
        Treatment::Keep => 'k',
        Treatment::Mask => 'm',
        Treatment::Pseudonymize => 'p',
        Treatment::Remove => 'r',
    }
}

/// No field has this path.
const NO_FIELD: &str = "";
/// What stands before the key: the form and a space.
const FORM_BYTES: usize = 9;
/// What the key takes.
const KEY_DIGITS: usize = 64;
/// Of the lines. About sixty sections of their own: every type of the catalogue may have one. With the index of the
/// shortest names it is four times as much that the component is given.
const BYTES_MAX: usize = 512 * 1024;
