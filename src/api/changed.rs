//! Conditions of writes, and what has changed since the revision that a writer has seen.
//!
//! Not the check itself: `accounts` makes it in the writer's turn. What changed is read from the settings kept
//! as of that revision, so it is told even when the one who changed it is long gone.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::IF_NONE_MATCH;
use serde::Serialize;
use serde_json::Value;

use super::call::Call;
use crate::accounts::{Accounts, Condition, Revised};
use crate::log;
use crate::model::{AccountId, Position, SettingKind, Timestamp};
use crate::web::respond::Expected;
use crate::web::{Code, Problem};

/// What hooklog adds to everything that is read.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revision {
    /// The revision, as in the `etag`.
    pub(super) revision: String,
    /// When it became what it is.
    pub(super) updated_at: Timestamp,
    /// Who made it so.
    pub(super) updated_by: String,
}

impl Revision {
    pub(super) fn of<T>(accounts: &Accounts, setting: &Revised<T>) -> Self {
        Self { revision: accounts.revision(setting.revision), updated_at: setting.at, updated_by: setting.by.label() }
    }
}

/// A setting that may be written under a condition.
pub(super) struct Setting<'a> {
    pub(super) account: Option<AccountId>,
    pub(super) kind: SettingKind,
    pub(super) name: &'a str,
    /// The present revision.
    pub(super) revision: Option<Position>,
}

/// Reads what must be so for a write to be taken.
pub(super) fn condition(
    headers: &HeaderMap,
    accounts: &Accounts,
    present: Option<Position>,
) -> Result<Wanted, Problem> {
    let expected = Expected::read(headers)?;
    let must_be_absent = read_if_none_match(headers)?;
    let revision = present.map(|position| accounts.revision(position));
    Ok(match expected {
        Expected::Anything if must_be_absent => Wanted::Condition(Condition::Absent),
        _ if must_be_absent => {
            let detail = "if-match and if-none-match: * cannot both hold: send one of them";
            return Err(Problem::new(Code::BadRequest).detail(detail));
        }
        Expected::Anything => Wanted::Condition(Condition::None),
        Expected::Something => Wanted::Condition(Condition::Present),
        Expected::OneOf(_) if expected.holds_for(revision.as_deref()) => {
            Wanted::Condition(present.map_or(Condition::Absent, Condition::At))
        }
        Expected::OneOf(seen) => Wanted::Another(seen.iter().find_map(|text| accounts.read_revision(text).ok())),
    })
}

/// What a writer wants to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What this says.
    Condition(Condition),
    /// Another revision than the present one.
    Another(Option<Position>),
}

impl Wanted {
    /// Returns the condition, or says what has changed since.
    pub(super) async fn settle<T>(
        self,
        call: &Call,
        setting: &Setting<'_>,
        present: Option<&Revised<T>>,
    ) -> Result<Condition, Problem>
    where
        T: Sync,
    {
        let seen = match self {
            Self::Condition(condition) => return Ok(condition),
            Self::Another(seen) => seen,
        };
        let Some(present) = present else {
            let detail = "there is nothing here that could have this revision";
            return Err(Problem::new(Code::PreconditionFailed).detail(detail));
        };
        let (at, by) = (present.at, present.by.label());
        let mut problem = Problem::new(Code::PreconditionFailed)
            .with("revision", call.api.accounts.revision(present.revision))
            .with("updatedAt", at.to_string())
            .with("updatedBy", by.clone());
        let changed = match (seen, setting.account, setting.revision) {
            (Some(seen), Some(account), Some(now)) => changed_since(call, account, setting, seen, now).await?,
            _ => None,
        };
        let what = changed.as_ref().filter(|names| !names.is_empty()).map(|names| names.join(", "));
        problem = problem.detail(match &what {
            Some(what) => format!("it was changed meanwhile ({what}), by {by} at {at}"),
            None => format!("it was changed meanwhile, by {by} at {at}"),
        });
        Err(match changed {
            Some(changed) => problem.with("changed", changed),
            None => problem,
        })
    }
}

/// Returns the members that differ between a revision and the present one; none where that one never was.
async fn changed_since(
    call: &Call,
    account: AccountId,
    setting: &Setting<'_>,
    seen: Position,
    now: Position,
) -> Result<Option<Vec<String>>, Problem> {
    let (kind, name) = (setting.kind, setting.name.to_owned());
    call.look_up(move |log| {
        let as_of = |position| log.setting_as_of(account, kind, &name, position).map_err(super::failure::of_log);
        let before = as_of(seen)?.filter(|row| row.revision == seen);
        let Some((before, after)) = before.zip(as_of(now)?) else { return Ok(None) };
        Ok(Some(differences(&members(&before), &members(&after))))
    })
    .await
}

/// Returns the members of the settings that a command carries.
fn members(row: &log::SettingRow) -> BTreeMap<String, Value> {
    let command: Value = serde_json::from_slice(&row.command).unwrap_or_default();
    match command.pointer("/value/settings") {
        Some(Value::Object(members)) => members.clone().into_iter().collect(),
        Some(_) | None => BTreeMap::new(),
    }
}

fn differences(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let changed = names.filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| told(name).to_owned()).collect()
}

/// What people call a member that is not written by them.
fn told(member: &str) -> &str {
    match member {
        "keys" => "signing keys",
        "halt" => "paused",
        other => other,
    }
}

/// Reads `if-none-match`, of which a write knows only the star.
fn read_if_none_match(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut values = headers.get_all(IF_NONE_MATCH).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(false),
        (Some(value), None) if value.as_bytes().trim_ascii() == b"*" => Ok(true),
        _ => Err(Problem::new(Code::BadRequest).detail("the header if-none-match of a write must be *")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::differences;

    #[test]
    fn what_differs_is_named_as_people_call_it() {
        let members = |value: Value| -> BTreeMap<String, Value> { serde_json::from_value(value).unwrap() };
        let before = members(json!({"url": "a", "order": "strict", "keys": [1], "gone": 1}));
        let after = members(json!({"url": "b", "order": "strict", "keys": [2], "halt": null}));
        assert_eq!(differences(&before, &after), ["gone", "signing keys", "url", "paused"]);
        assert!(differences(&before, &before).is_empty());
    }
}
