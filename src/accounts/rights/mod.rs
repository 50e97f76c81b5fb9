//! Rights: which types of events and which of their fields an account receives, and how.
//!
//! What people write ([`RightsDraft`]) is pinned to the catalogue it was decided on ([`RightsSettings`]) and resolved
//! with it to decisions for every type and field ([`Decisions`]). Several rights that meet are merged to the stricter.
//! Pure: no log, no clock. Not applied here: a table of the decisions is what the sandboxed component is given.
//!
//! ```text
//! draft ─▶ settings + catalogue ─▶ resolve ─▶ Decisions ─┐
//!                          ceiling ─▶ resolve ─▶ Decisions ─┼─▶ merge ─▶ twins ─▶ Table
//!                  endpoint's own ─▶ resolve ─▶ Decisions ─┘
//! ```

mod decisions;
mod name;
mod pending;
mod resolve;
mod table;
mod warning;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::catalog::Catalog;
use crate::model::Position;
use crate::model::limits::RIGHTS_ENTRIES_MAX;

pub use self::decisions::{Decisions, Mark, Rule};
use self::name::FieldName;
pub use self::name::{TypeName, TypeSelection};
pub use self::pending::{PendingItem, pending};
pub use self::table::{KeyedTable, Table};
pub use self::warning::Warning;

/// How a field is treated, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// It is sent as it is.
    Keep,
    /// Its digits become `*` but for the last two, an e-mail address keeps its domain, other text becomes `***`.
    Mask,
    /// A keyed hash takes its place: the same for the same value, so that it still joins.
    Pseudonymize,
    /// It is not sent.
    Remove,
}

/// What holds for what no name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// What the catalogue recommends.
    Recommended,
    /// All that the catalogue knows.
    All,
    /// Nothing.
    None,
}

/// What holds for what no name says: of types and fields alike, or of each apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum DefaultDraft {
    /// Of both.
    Both(Preset),
    /// Of each apart; `recommended` where one is left out.
    Apart(Defaults),
}

/// What holds for types and for fields that no name says anything about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// For types.
    #[serde(default = "recommended")]
    pub types: Preset,
    /// For fields.
    #[serde(default = "recommended")]
    pub fields: Preset,
}

/// Rights as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RightsDraft {
    /// What holds for what no name says. Left out: `recommended` in an account's rights, no limit in a ceiling and in
    /// an endpoint's rights.
    #[serde(default)]
    pub default: Option<DefaultDraft>,
    /// The revision of the catalogue that was decided on; the present one where it is left out.
    #[serde(default)]
    pub catalog: Option<String>,
    /// Types by name or pattern (`call.*`, `*`): whether they are sent.
    #[serde(default)]
    pub types: BTreeMap<String, bool>,
    /// Fields by path, also of one type (`call.ended/customer.email`): how they are treated.
    #[serde(default)]
    pub fields: BTreeMap<String, Treatment>,
}

/// Rights as they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RightsSettings {
    /// What holds for what no name says; none where that is no limit.
    pub default: Option<Defaults>,
    /// The revision of the catalogue that was decided on.
    pub catalog: Position,
    /// Types by name or pattern.
    pub types: BTreeMap<TypeName, bool>,
    /// Fields by name.
    pub fields: BTreeMap<FieldName, Treatment>,
}

/// Whose rights are written: it says what holds for what nobody says, and what may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// An account's own.
    Account,
    /// A ceiling or an endpoint's: it can only narrow, so what it does not say is no limit.
    Narrowing,
}

impl Defaults {
    /// The same for types and fields.
    #[must_use]
    pub const fn both(preset: Preset) -> Self {
        Self { types: preset, fields: preset }
    }
}

impl RightsSettings {
    /// The rights of an account for which nobody has decided anything.
    #[must_use]
    pub const fn recommended(catalog: Position) -> Self {
        let default = Some(Defaults::both(Preset::Recommended));
        Self { default, catalog, types: BTreeMap::new(), fields: BTreeMap::new() }
    }
}

impl RightsSettings {
    /// Returns the names that say something else than before; none of both says nothing of all of them.
    #[must_use]
    pub fn differences(before: Option<&Self>, after: Option<&Self>) -> Vec<String> {
        let nothing = Self { default: None, catalog: Position(0), types: BTreeMap::new(), fields: BTreeMap::new() };
        let (before, after) = (before.unwrap_or(&nothing), after.unwrap_or(&nothing));
        let default = (before.default != after.default).then(|| "default".to_owned());
        let catalog = (before.catalog != after.catalog).then(|| "catalog".to_owned());
        let types = before.types.keys().chain(after.types.keys());
        let types = types.filter(|name| before.types.get(name) != after.types.get(name));
        let fields = before.fields.keys().chain(after.fields.keys());
        let fields = fields.filter(|name| before.fields.get(name) != after.fields.get(name));
        let names: BTreeSet<String> =
            types.map(|name| name.as_str().to_owned()).chain(fields.map(ToString::to_string)).collect();
        default.into_iter().chain(catalog).chain(names).collect()
    }
}

impl RightsDraft {
    /// Checks the draft and pins it to a catalogue.
    ///
    /// # Errors
    /// `Invalid` at the first place that is wrong; `Limit` where there are too many names.
    pub(super) fn check(&self, layer: Layer, position: Position, catalog: &Catalog) -> Result<RightsSettings, Error> {
        if self.types.len() + self.fields.len() > RIGHTS_ENTRIES_MAX {
            return Err(Error::Limit { what: "names in rights", limit: RIGHTS_ENTRIES_MAX });
        }
        let default = match (self.default, layer) {
            (Some(DefaultDraft::Both(preset)), _) => Some(Defaults::both(preset)),
            (Some(DefaultDraft::Apart(apart)), _) => Some(apart),
            (None, Layer::Account) => Some(Defaults::both(Preset::Recommended)),
            (None, Layer::Narrowing) => None,
        };
        let types = self
            .types
            .iter()
            .map(|(name, is_wanted)| match TypeName::parse(name) {
                Ok(name) => Ok((name, *is_wanted)),
                Err(wrong) => Err(Error::invalid(&pointer("types", name), wrong.to_string())),
            })
            .collect::<Result<_, _>>()?;
        let fields = self
            .fields
            .iter()
            .map(|(name, treatment)| {
                let at = pointer("fields", name);
                let parsed = FieldName::parse(name).map_err(|wrong| Error::invalid(&at, wrong.to_string()))?;
                let is_join = catalog.field(parsed.path()).is_some_and(|field| field.is_join);
                if is_join && matches!(treatment, Treatment::Remove | Treatment::Mask) {
                    let detail = format!(
                        "{} joins events: without it the stream is of no use, so it may be kept or pseudonymized",
                        parsed.path()
                    );
                    return Err(Error::invalid(&at, detail));
                }
                Ok((parsed, *treatment))
            })
            .collect::<Result<_, _>>()?;
        Ok(RightsSettings { default, catalog: position, types, fields })
    }
}

/// Writes where below a member a name stands, as a JSON pointer.
pub(super) fn pointer(member: &str, name: &str) -> String {
    format!("/{member}/{}", name.replace('~', "~0").replace('/', "~1"))
}

const fn recommended() -> Preset {
    Preset::Recommended
}
