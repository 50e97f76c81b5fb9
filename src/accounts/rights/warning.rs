//! What rights say that has no effect, or another one than it seems: taken all the same, and told.

use serde::Serialize;

use super::decisions::{Decisions, Mark};
use super::{RightsSettings, Treatment, pointer};
use crate::catalog::{Catalog, Kind};

/// Something in rights that their author should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Warning {
    /// Where it stands, as a JSON pointer.
    pub pointer: String,
    /// What is so.
    pub detail: String,
}

impl Warning {
    /// Returns what there is to say of rights that were decided on a catalogue.
    #[must_use]
    pub fn all(rights: &RightsSettings, catalog: &Catalog) -> Vec<Self> {
        let decisions = Decisions::resolve(rights, catalog).with_twins_joined();
        let mut warnings = Vec::new();
        of_types(rights, catalog, &mut warnings);
        of_fields(rights, catalog, &decisions, &mut warnings);
        warnings
    }
}

fn of_types(rights: &RightsSettings, catalog: &Catalog, warnings: &mut Vec<Warning>) {
    for name in rights.types.keys().filter(|name| !name.is_star()) {
        if catalog.types().any(|(known, _)| name.matches(known.as_str())) {
            continue;
        }
        let hint = nearest(name.as_str(), catalog.types().map(|(known, _)| known.as_str()));
        let what = if name.is_exact() { "knows no such type" } else { "knows no type of that pattern" };
        warnings
            .push(Warning { pointer: pointer("types", name.as_str()), detail: format!("the catalogue {what}{hint}") });
    }
}

fn of_fields(rights: &RightsSettings, catalog: &Catalog, decisions: &Decisions, warnings: &mut Vec<Warning>) {
    for (name, treatment) in rights.fields.iter().filter(|(name, _)| !name.is_star()) {
        let mut warn = |detail: String| {
            warnings.push(Warning { pointer: pointer("fields", &name.to_string()), detail });
        };
        if !is_known(name.path(), catalog) {
            let hint = nearest(name.path(), catalog.fields().map(|(path, _)| path));
            warn(format!("the catalogue knows no such field{hint}"));
            continue;
        }
        if let Some(of_type) = name.of_type() {
            let mut meant = catalog.types().filter(|(known, _)| of_type.matches(known.as_str())).peekable();
            if meant.peek().is_none() {
                warn("the catalogue knows no such type".to_owned());
            } else if meant.all(|(known, _)| decisions.mark(known.as_str()) != Mark::Wanted) {
                warn("it has no effect: no event of that type is sent".to_owned());
            }
        }
        let event_type = match name.of_type() {
            Some(of_type) if of_type.is_exact() => of_type.as_str(),
            Some(_) | None => "",
        };
        for (path, field) in catalog.fields().filter(|(path, _)| name.covers(path)) {
            let holds = decisions.rule(event_type, path).own;
            if path == name.path() && holds > *treatment {
                let twin = field.twin.as_deref().unwrap_or_default();
                let what = words(holds);
                warn(format!("it is {what} all the same, like {twin}, which may hold the same value"));
            } else if field.is_join && *treatment > holds {
                warn(format!("{path} joins events, so it is {} and not {}", words(holds), words(*treatment)));
            }
        }
    }
}

/// Returns whether a path means something that the catalogue speaks of.
fn is_known(path: &str, catalog: &Catalog) -> bool {
    let is_below =
        |whole: &str, part: &str| part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    catalog.fields().any(|(known, field)| {
        is_below(path, known) || (matches!(field.kind, Kind::Object | Kind::Objects) && is_below(known, path))
    })
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let rated = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(rate, _)| *rate > 0.85).map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default()
}

const fn words(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Keep => "kept",
        Treatment::Mask => "masked",
        Treatment::Pseudonymize => "pseudonymized",
        Treatment::Remove => "removed",
    }
}
