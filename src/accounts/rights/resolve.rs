//! From rights and a catalogue to decisions for every type and field.
//!
//! The longer path wins; at equal path an exact type beats a pattern, a longer pattern a shorter one, any of them none.
//! What no name covers takes the preset, and only as far as the catalogue knows it. For what joins events the strictest
//! there is, is to pseudonymise it.

use std::collections::{BTreeMap, BTreeSet};

use super::decisions::{Decisions, Mark, Rule, Section, Selector};
use super::name::{FieldName, TypeName};
use super::{Defaults, Preset, RightsSettings, Treatment};
use crate::catalog::{Catalog, Category, Field, Kind};

impl Decisions {
    /// Resolves rights with the catalogue that they were decided on.
    #[must_use]
    pub fn resolve(rights: &RightsSettings, catalog: &Catalog) -> Self {
        let (types, other_types) = marks(rights, catalog);
        let named = rights.fields.keys().filter_map(FieldName::of_type).map(selector);
        let selectors: BTreeSet<Selector> = named.chain([Selector::All]).collect();
        let sections = selectors
            .into_iter()
            .map(|selector| {
                let section = section(&selector, rights, catalog);
                (selector, section)
            })
            .collect();
        let twins = catalog
            .fields()
            .filter_map(|(path, field)| field.twin.as_ref().map(|twin| (path.to_owned(), twin.clone())))
            .filter(|(path, twin)| path < twin)
            .collect();
        Self { types, other_types, sections, twins }
    }

    /// Returns decisions that let through these types, known or not, as they are, and no others.
    #[must_use]
    pub fn of_types(types: &BTreeSet<TypeName>) -> Self {
        let is_all = types.iter().any(TypeName::is_star);
        let named = types.iter().filter(|name| !name.is_star()).map(|name| (selector(name), Mark::Wanted));
        let section = Section { rest: Treatment::Keep, rules: BTreeMap::new() };
        Self {
            types: named.collect(),
            other_types: if is_all { Mark::Wanted } else { Mark::Withheld },
            sections: BTreeMap::from([(Selector::All, section)]),
            twins: BTreeSet::new(),
        }
    }
}

impl RightsSettings {
    /// Returns whether events of a type are sent, by these rights alone.
    #[must_use]
    pub fn mark(&self, catalog: &Catalog, event_type: &str) -> Mark {
        let (types, other_types) = marks(self, catalog);
        Decisions { types, other_types, sections: BTreeMap::new(), twins: BTreeSet::new() }.mark(event_type)
    }

    /// Returns how many sections of fields come of them: one for each type or pattern that fields are named for, and
    /// one for all.
    #[must_use]
    pub(in crate::accounts) fn sections(&self) -> usize {
        1 + self.fields.keys().filter_map(FieldName::of_type).collect::<BTreeSet<_>>().len()
    }

    /// Returns the name that means a type, the nearest of several.
    #[must_use]
    pub fn name_of(&self, event_type: &str) -> Option<&TypeName> {
        let matching = self.types.keys().filter(|name| name.matches(event_type));
        matching.max_by_key(|name| name.weight())
    }
}

fn marks(rights: &RightsSettings, catalog: &Catalog) -> (BTreeMap<Selector, Mark>, Mark) {
    let preset = rights.default.map(|defaults| defaults.types);
    let named = |event_type: &str| rights.name_of(event_type).and_then(|name| rights.types.get(name)).copied();
    let mark = |is_wanted: bool| if is_wanted { Mark::Wanted } else { Mark::Withheld };
    let mut types = BTreeMap::new();
    for (name, entry) in catalog.types() {
        let is_wanted = match preset {
            // hooklog's own go to an account whatever its rights.
            _ if entry.category == Category::System => true,
            None | Some(Preset::All | Preset::Recommended) => named(name.as_str()).unwrap_or(true),
            Some(Preset::None) => named(name.as_str()).unwrap_or(false),
        };
        types.insert(Selector::Exact(name.to_string()), mark(is_wanted));
    }
    // What the catalogue does not know has to be named: itself, or everything. A pattern withholds it, too.
    let star = rights.types.iter().find(|(name, _)| name.is_star()).map(|(_, is_wanted)| *is_wanted);
    let other_types = match (star, preset) {
        (Some(is_wanted), _) => mark(is_wanted),
        (None, None) => Mark::Wanted,
        (None, Some(_)) => Mark::Unknown,
    };
    for (name, is_wanted) in rights.types.iter().filter(|(name, _)| !name.is_star()) {
        let (selector, mark) = match (selector(name), is_wanted) {
            (selector @ Selector::Exact(_), is_wanted) => (selector, mark(*is_wanted)),
            (selector, false) => (selector, Mark::Withheld),
            (selector, true) if other_types == Mark::Wanted => (selector, Mark::Wanted),
            (selector, true) => (selector, Mark::Unknown),
        };
        types.entry(selector).or_insert(mark);
    }
    (types, other_types)
}

fn selector(name: &TypeName) -> Selector {
    if name.is_star() {
        Selector::All
    } else if name.is_exact() {
        Selector::Exact(name.as_str().to_owned())
    } else {
        Selector::Prefix(name.as_str().trim_end_matches('*').to_owned())
    }
}

fn section(selector: &Selector, rights: &RightsSettings, catalog: &Catalog) -> Section {
    // Of the names with a type those hold that mean every type of the selector.
    let is_meant = |of_type: &TypeName| match selector {
        Selector::All => of_type.is_star(),
        Selector::Exact(name) => of_type.matches(name),
        Selector::Prefix(prefix) => !of_type.is_exact() && of_type.matches(prefix),
    };
    let names: Vec<(&FieldName, Treatment)> = rights
        .fields
        .iter()
        .filter(|(name, _)| name.of_type().is_none_or(is_meant))
        .map(|(name, treatment)| (name, *treatment))
        .collect();
    let named = |path: &str| {
        let covering = names.iter().filter(|(name, _)| name.covers(path));
        covering.max_by_key(|(name, _)| name.weight()).map(|(_, treatment)| *treatment)
    };
    let star = names.iter().filter(|(name, _)| name.is_star()).max_by_key(|(name, _)| name.weight());
    let rest = match (star, rights.default) {
        (Some((_, treatment)), _) => *treatment,
        (None, None) => Treatment::Keep,
        (None, Some(_)) => Treatment::Remove,
    };
    let mut rules = BTreeMap::new();
    for (name, _) in names.iter().filter(|(name, _)| !name.is_star()) {
        if let Some(treatment) = named(name.path()) {
            rules.insert(name.path().to_owned(), Rule::all(treatment));
        }
    }
    for (path, field) in catalog.fields() {
        let rule = match named(path) {
            Some(treatment) => Rule::all(treatment),
            None => preset(rights.default, field),
        };
        rules.insert(path.to_owned(), if field.is_join { joining(rule) } else { rule });
    }
    Section { rest, rules }
}

/// Returns what holds for a field that no name covers.
fn preset(defaults: Option<Defaults>, field: &Field) -> Rule {
    let Some(defaults) = defaults else { return Rule::all(Treatment::Keep) };
    let own = match defaults.fields {
        Preset::All => Treatment::Keep,
        Preset::Recommended if field.class.is_recommended() => Treatment::Keep,
        Preset::Recommended | Preset::None => Treatment::Remove,
    };
    match field.kind {
        // Whatever is in it is what the catalogue speaks of.
        Kind::Object | Kind::Objects => Rule::all(own),
        Kind::String
        | Kind::Integer { .. }
        | Kind::Number { .. }
        | Kind::Boolean
        | Kind::Instant
        | Kind::Enum(_)
        | Kind::Strings => Rule { own, below: Treatment::Remove },
    }
}

/// What joins events may be pseudonymised, not removed: that is the strictest there is for it.
fn joining(rule: Rule) -> Rule {
    let own = match rule.own {
        Treatment::Keep => Treatment::Keep,
        Treatment::Mask | Treatment::Pseudonymize | Treatment::Remove => Treatment::Pseudonymize,
    };
    Rule { own, below: rule.below }
}
