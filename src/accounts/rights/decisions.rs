//! Decisions: what rights say of every type and field, ready to be looked up, merged and written as a table.
//!
//! Nothing is left open in here: presets, patterns and the catalogue are resolved. A section holds all fields for the
//! types of one selector, complete in itself; which section holds for a type is a question of its name alone.

use std::collections::{BTreeMap, BTreeSet};

use super::Treatment;

/// Whether events of a type are sent, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// They are.
    Wanted,
    /// They are not, because the catalogue that was decided on does not know the type.
    Unknown,
    /// They are not: rights say so.
    Withheld,
}

/// How a field is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    /// A plain value that stands exactly at the path.
    pub own: Treatment,
    /// Everything below the path that no rule of its own covers.
    pub below: Treatment,
}

impl Rule {
    /// The same for the field itself and all below it.
    #[must_use]
    pub const fn all(treatment: Treatment) -> Self {
        Self { own: treatment, below: treatment }
    }

    fn stricter(self, other: Self) -> Self {
        Self { own: self.own.max(other.own), below: self.below.max(other.below) }
    }
}

/// Which types a section holds for: all, those of a prefix (`call.`), or one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Selector {
    /// All that no other selector means.
    All,
    /// Those whose names begin with this, which ends in a dot.
    Prefix(String),
    /// This one.
    Exact(String),
}

impl Selector {
    /// Returns whether the section of this selector may hold for what another selector means.
    fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Prefix(prefix), Self::Prefix(name) | Self::Exact(name)) => name.starts_with(prefix),
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Prefix(_), Self::All) | (Self::Exact(_), Self::All | Self::Prefix(_)) => false,
        }
    }

    fn weight(&self) -> (u8, usize) {
        match self {
            Self::All => (0, 0),
            Self::Prefix(prefix) => (1, prefix.len()),
            Self::Exact(_) => (2, 0),
        }
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => formatter.write_str("*"),
            Self::Prefix(prefix) => write!(formatter, "{prefix}*"),
            Self::Exact(name) => formatter.write_str(name),
        }
    }
}

/// All fields for the types of one selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// What no rule covers.
    pub(super) rest: Treatment,
    pub(super) rules: BTreeMap<String, Rule>,
}

impl Section {
    /// Returns the rule for a path: its own, or what is said below the nearest path above it.
    pub(super) fn rule(&self, path: &str) -> Rule {
        self.rules.get(path).copied().unwrap_or_else(|| self.inherited(path))
    }

    /// Returns the rules that say something else than what holds without them, in the order of their paths.
    pub(super) fn needed(&self) -> impl Iterator<Item = (&String, &Rule)> {
        self.rules.iter().filter(|(path, rule)| **rule != self.inherited(path))
    }

    /// Returns what holds at a path that has no rule of its own.
    fn inherited(&self, path: &str) -> Rule {
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('.') {
            if let Some(rule) = self.rules.get(parent) {
                return Rule::all(rule.below);
            }
            above = parent;
        }
        Rule::all(self.rest)
    }

    fn stricter(&self, other: &Self) -> Self {
        let paths: BTreeSet<&String> = self.rules.keys().chain(other.rules.keys()).collect();
        let rules = paths.into_iter().map(|path| (path.clone(), self.rule(path).stricter(other.rule(path)))).collect();
        Self { rest: self.rest.max(other.rest), rules }
    }

    /// Gives both of two fields that may hold the same value the stricter treatment.
    fn join_twins(&mut self, twins: &BTreeSet<(String, String)>) {
        // A treatment only ever rises, so this ends; chains of twins are as short as the catalogue makes them.
        loop {
            let mut is_settled = true;
            for (one, other) in twins {
                let (before_one, before_other) = (self.rule(one), self.rule(other));
                let both = before_one.stricter(before_other);
                if before_one != both {
                    self.rules.insert(one.clone(), both);
                    is_settled = false;
                }
                if before_other != both {
                    self.rules.insert(other.clone(), both);
                    is_settled = false;
                }
            }
            if is_settled {
                return;
            }
        }
    }
}

/// What rights say of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisions {
    pub(super) types: BTreeMap<Selector, Mark>,
    /// The mark of types that no selector means.
    pub(super) other_types: Mark,
    /// There is always one for [`Selector::All`].
    pub(super) sections: BTreeMap<Selector, Section>,
    /// Pairs of fields that may hold the same value, as the catalogues name them.
    pub(super) twins: BTreeSet<(String, String)>,
}

impl Decisions {
    /// Returns whether events of a type are sent.
    #[must_use]
    pub fn mark(&self, event_type: &str) -> Mark {
        self.mark_of(&Selector::Exact(event_type.to_owned()))
    }

    fn mark_of(&self, wanted: &Selector) -> Mark {
        let holding = self.types.iter().filter(|(selector, _)| selector.includes(wanted));
        let nearest = holding.max_by_key(|(selector, _)| selector.weight());
        nearest.map_or(self.other_types, |(_, mark)| *mark)
    }

    /// Returns how a field of a type is treated.
    #[must_use]
    pub fn rule(&self, event_type: &str, path: &str) -> Rule {
        self.section(&Selector::Exact(event_type.to_owned())).rule(path)
    }

    /// Merges two rights to the stricter decision of each type and field.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let names: BTreeSet<&Selector> = self.types.keys().chain(other.types.keys()).collect();
        let types = names.into_iter().map(|name| (name.clone(), self.mark_of(name).max(other.mark_of(name)))).collect();
        let selectors: BTreeSet<&Selector> = self.sections.keys().chain(other.sections.keys()).collect();
        let sections = selectors
            .into_iter()
            .map(|selector| (selector.clone(), self.section(selector).stricter(other.section(selector))))
            .collect();
        let twins = self.twins.union(&other.twins).cloned().collect();
        Self { types, other_types: self.other_types.max(other.other_types), sections, twins }
    }

    /// Gives twins the stricter of their treatments: the last step, after everything was merged.
    #[must_use]
    pub fn with_twins_joined(mut self) -> Self {
        for section in self.sections.values_mut() {
            section.join_twins(&self.twins);
        }
        self
    }

    /// Returns the section that holds for what a selector means.
    fn section(&self, wanted: &Selector) -> &Section {
        let holding = self.sections.iter().filter(|(selector, _)| selector.includes(wanted));
        let nearest = holding.max_by_key(|(selector, _)| selector.weight());
        nearest.map(|(_, section)| section).expect("there is a section for all types")
    }
}
