//! The variables of the environment that begin with `HOOKLOG_`.
//!
//! Not the environment itself: `Sources::from_process` reads that. A wrong value of a known name is an
//! error; an unknown name is only a warning, because orchestrators inject names such as `HOOKLOG_PORT`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::error::{Error, Origin, Problem, Warning};
use super::nearest::nearest;
use super::raw::{KEYS, Key, VARIABLE_PREFIX};
use super::sources::Found;

/// The API that commands speak to.
pub(super) const URL: &str = "HOOKLOG_URL";
/// The token that commands show to that API.
pub(super) const TOKEN: &str = "HOOKLOG_TOKEN";
/// The ingest listener that commands post to.
pub(super) const INGEST_URL: &str = "HOOKLOG_INGEST_URL";
/// The token that commands show to it.
pub(super) const INGEST_TOKEN: &str = "HOOKLOG_INGEST_TOKEN";
/// The operator's token, given instead of made.
pub(super) const OPERATOR_TOKEN: &str = "HOOKLOG_OPERATOR_TOKEN";
/// The key that seals the keystore, given instead of kept in a file.
pub(super) const MASTER_KEY: &str = "HOOKLOG_MASTER_KEY";

/// Names that begin like settings and are none: they are secrets, or belong to commands.
pub(super) const OTHER_NAMES: [&str; 6] = [URL, TOKEN, INGEST_URL, INGEST_TOKEN, OPERATOR_TOKEN, MASTER_KEY];

/// Returns the variables that begin like ours.
///
/// # Errors
/// `NotText` where one that hooklog would read is not UTF-8.
pub(super) fn collect(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut collected = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        if !name.starts_with(VARIABLE_PREFIX) {
            continue;
        }
        match value.into_string() {
            Ok(value) => drop(collected.insert(name, value)),
            Err(_) if is_known(&name) => problems.push(Problem::NotText { origin: Origin::Variable(name) }),
            Err(_) => drop(collected.insert(name, String::new())),
        }
    }
    if problems.is_empty() { Ok(collected) } else { Err(Error { problems, warnings: Vec::new() }) }
}

/// Reads the settings among the variables.
pub(super) fn read(variables: &BTreeMap<String, String>) -> (Vec<Found>, Vec<Problem>, Vec<Warning>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    for (name, text) in variables.iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)) {
        let origin = Origin::Variable(name.clone());
        match key_of(name) {
            Some(key) => match key.kind.read_text(text) {
                Ok(value) => found.push(Found { key, value, origin }),
                Err(fault) => problems.push(Problem::Value { origin, key: key.path, reason: fault.to_string() }),
            },
            None if OTHER_NAMES.contains(&name.as_str()) => {}
            None => warnings.push(Warning::UnknownVariable { name: name.clone(), nearest: nearest_name(name) }),
        }
    }
    (found, problems, warnings)
}

fn is_known(name: &str) -> bool {
    key_of(name).is_some() || OTHER_NAMES.contains(&name)
}

fn key_of(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.variable() == name)
}

/// Compares as paths, so that `HOOKLOG_INGEST_LISTEN` is one letter away from what was meant.
fn nearest_name(name: &str) -> String {
    let path_of = |name: &str| name.trim_start_matches(VARIABLE_PREFIX).replace("__", ".").to_ascii_lowercase();
    let others = OTHER_NAMES.map(path_of);
    let known = KEYS.iter().map(|key| key.path).chain(others.iter().map(String::as_str));
    let nearest = nearest(&path_of(name), known);
    format!("{VARIABLE_PREFIX}{}", nearest.replace('.', "__").to_ascii_uppercase())
}
