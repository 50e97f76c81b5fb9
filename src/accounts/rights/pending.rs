//! What a newer catalogue would change: nothing does, until someone saves the rights on it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::decisions::{Decisions, Mark};
use super::{RightsSettings, Treatment};
use crate::catalog::Catalog;

/// What is new or has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PendingChange {
    /// The newer catalogue knows it, the older did not.
    New,
    /// The older catalogue knew it, the newer does not.
    Gone,
    /// Both know it, and what is recommended has changed.
    Changed,
}

/// A type or field for which saving on the newer catalogue would change something, or that is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PendingItem {
    /// A type.
    Type {
        /// Its name.
        name: String,
        /// What is new or has changed.
        change: PendingChange,
        /// Whether it is sent now.
        now: bool,
        /// Whether it would be sent.
        after: bool,
    },
    /// A field.
    Field {
        /// Its path.
        name: String,
        /// What is new or has changed.
        change: PendingChange,
        /// How it is treated now.
        now: Treatment,
        /// How it would be treated.
        after: Treatment,
    },
}

/// Compares what rights mean on the catalogue they were decided on with what they would mean on a newer one.
#[must_use]
pub fn pending(rights: &RightsSettings, decided_on: &Catalog, newer: &Catalog) -> Vec<PendingItem> {
    let resolved = |catalog| Decisions::resolve(rights, catalog).with_twins_joined();
    let (present, future) = (resolved(decided_on), resolved(newer));
    let change = |was_known, is_known| match (was_known, is_known) {
        (false, true) => PendingChange::New,
        (true, false) => PendingChange::Gone,
        (true, true) | (false, false) => PendingChange::Changed,
    };
    let mut items = Vec::new();
    let types: BTreeSet<_> = decided_on.types().chain(newer.types()).map(|(name, _)| name).collect();
    for name in types {
        let is_sent = |decisions: &Decisions| decisions.mark(name.as_str()) == Mark::Wanted;
        let (now, after) = (is_sent(&present), is_sent(&future));
        let change = change(decided_on.event_type(name).is_some(), newer.event_type(name).is_some());
        if now != after || change != PendingChange::Changed {
            items.push(PendingItem::Type { name: name.to_string(), change, now, after });
        }
    }
    let fields: BTreeSet<_> = decided_on.fields().chain(newer.fields()).map(|(path, _)| path).collect();
    for path in fields {
        let treated = |decisions: &Decisions| decisions.rule("", path).own;
        let (now, after) = (treated(&present), treated(&future));
        let change = change(decided_on.field(path).is_some(), newer.field(path).is_some());
        if now != after || change != PendingChange::Changed {
            items.push(PendingItem::Field { name: path.to_owned(), change, now, after });
        }
    }
    items
}
