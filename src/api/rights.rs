//! Rights: read, written, explained, compared with a newer catalogue, taken back to an earlier form.
//!
//! An account's own, and the ceiling that INO's contract with it sets. Not how a field is treated in one event: that is
//! shown by a preview.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::{Changed, Current, Read};
use super::body::{Json, Patch};
use super::call::Call;
use super::changed::{Revision, Setting, condition};
use super::failure::{invalid, ours};
use super::query::{List, Page, Parameters};
use crate::accounts::{
    Account, Accounts, Condition, Defaults, Error, Mark, PendingItem, Preset, Revised, RightsDraft, RightsSettings,
    Table, Treatment, Warning, pending,
};
use crate::catalog::Catalog;
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{EndpointName, Position, SettingKind, Timestamp};
use crate::runtime::blocking;
use crate::web::json::{from_value, merge};
use crate::web::{Code, Input, Problem};

/// What is added to rights on reading, where they are a member `rights` of something: so read ones can be tried.
pub(super) const ADDED_TO_RIGHTS: &[&str] =
    &["/rights/revision", "/rights/updatedAt", "/rights/updatedBy", "/rights/warnings"];

impl Input for RightsDraft {
    const ADDED_ON_READING: &'static [&'static str] = &["/revision", "/updatedAt", "/updatedBy", "/warnings"];
}

/// What rights say, as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RightsSettings")]
pub(super) struct Shown {
    /// What holds for what no name says; left out where that is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<ShownDefaults>,
    /// The revision of the catalogue that was decided on.
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog: Option<String>,
    /// Types by name or pattern: whether they are sent.
    types: BTreeMap<String, bool>,
    /// Fields by path, also of one type: how they are treated.
    fields: BTreeMap<String, Treatment>,
}

/// What holds for what no name says, as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RightsDefaults")]
struct ShownDefaults {
    /// For types.
    types: Preset,
    /// For fields.
    fields: Preset,
}

impl Shown {
    pub(super) fn of(accounts: &Accounts, rights: &RightsSettings) -> Self {
        let RightsSettings { default, catalog, types, fields } = rights;
        Self {
            default: default.map(|Defaults { types, fields }| ShownDefaults { types, fields }),
            catalog: Some(accounts.revision(*catalog)),
            types: types.iter().map(|(name, is_wanted)| (name.as_str().to_owned(), *is_wanted)).collect(),
            fields: fields.iter().map(|(name, treatment)| (name.to_string(), *treatment)).collect(),
        }
    }

    const fn nothing() -> Self {
        Self { default: None, catalog: None, types: BTreeMap::new(), fields: BTreeMap::new() }
    }
}

/// Rights as they are read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Rights")]
pub(super) struct View {
    #[serde(flatten)]
    rights: Shown,
    #[serde(flatten)]
    revision: Revision,
    /// What has no effect, or another one than it seems.
    warnings: Vec<Warning>,
}

impl View {
    fn of(call: &Call, rights: &Revised<RightsSettings>) -> Result<Self, Problem> {
        let accounts = &call.api.accounts;
        let catalog = accounts.catalog_of_rights(&rights.value).map_err(|error| call.refused(error))?;
        Ok(Self {
            rights: Shown::of(accounts, &rights.value),
            revision: Revision::of(accounts, rights),
            warnings: Warning::all(&rights.value, &catalog),
        })
    }
}

/// The ceiling as it is read; without a revision where none was ever set.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Ceiling")]
pub(super) struct CeilingView {
    #[serde(flatten)]
    rights: Shown,
    #[serde(flatten)]
    revision: Option<Revision>,
    /// What has no effect, or another one than it seems.
    warnings: Vec<Warning>,
}

impl CeilingView {
    fn of(call: &Call, ceiling: Option<&Revised<RightsSettings>>) -> Result<Self, Problem> {
        Ok(match ceiling.map(|ceiling| View::of(call, ceiling)).transpose()? {
            Some(View { rights, revision, warnings }) => Self { rights, revision: Some(revision), warnings },
            None => Self { rights: Shown::nothing(), revision: None, warnings: Vec::new() },
        })
    }
}

/// Returns an account's rights. They are missing only while the command that makes the account is being written.
fn rights_of(account: &Account) -> Result<&Revised<RightsSettings>, Problem> {
    account.rights.as_ref().ok_or_else(|| Problem::new(Code::AccountNotFound))
}

pub(super) async fn get(call: Call, (): ()) -> Result<Current<View>, Problem> {
    let account = call.account()?;
    let value = View::of(&call, rights_of(&account)?)?;
    Ok(Current { revision: value.revision.revision.clone(), value })
}

pub(super) async fn put(call: Call, Json(draft): Json<RightsDraft>) -> Result<Changed<View>, Problem> {
    let account = call.account()?;
    let condition = wanted(&call, &account, SettingKind::Rights, account.rights.as_ref()).await?;
    save(&call, &account, &draft, condition).await
}

pub(super) async fn patch(call: Call, patch: Patch<RightsDraft>) -> Result<Changed<View>, Problem> {
    loop {
        let account = call.account()?;
        let present = rights_of(&account)?;
        let asked = wanted(&call, &account, SettingKind::Rights, Some(present)).await?;
        let mut value =
            serde_json::to_value(Shown::of(&call.api.accounts, &present.value)).map_err(|error| ours(&error))?;
        merge(&mut value, patch.change.clone());
        let draft: RightsDraft = from_value(value)?;
        // What was merged holds for what was read, whatever the writer asked for.
        let at = Condition::At(present.revision);
        match call.api.accounts.put_rights(&account.name, &draft, at, &call.who()?).await {
            Ok(rights) => return changed(&call, &rights),
            Err(Error::Changed { .. }) if asked == Condition::None => {}
            Err(error) => return Err(call.refused(error)),
        }
    }
}

async fn save(
    call: &Call,
    account: &Account,
    draft: &RightsDraft,
    condition: Condition,
) -> Result<Changed<View>, Problem> {
    let saved = call.api.accounts.put_rights(&account.name, draft, condition, &call.who()?).await;
    changed(call, &saved.map_err(|error| call.refused(error))?)
}

fn changed(call: &Call, rights: &Revised<RightsSettings>) -> Result<Changed<View>, Problem> {
    let value = View::of(call, rights)?;
    Ok(Changed { revision: value.revision.revision.clone(), value })
}

pub(super) async fn get_ceiling(call: Call, (): ()) -> Result<Read<CeilingView>, Problem> {
    let account = call.account()?;
    CeilingView::of(&call, account.ceiling.as_ref()).map(Read)
}

pub(super) async fn put_ceiling(call: Call, Json(draft): Json<RightsDraft>) -> Result<Read<CeilingView>, Problem> {
    let account = call.account()?;
    let condition = wanted(&call, &account, SettingKind::Ceiling, account.ceiling.as_ref()).await?;
    // A ceiling that says nothing is none.
    let draft =
        Some(&draft).filter(|draft| RightsDraft { catalog: None, ..(**draft).clone() } != RightsDraft::default());
    let saved = call.api.accounts.put_ceiling(&account.name, draft, condition, &call.who()?).await;
    CeilingView::of(&call, saved.map_err(|error| call.refused(error))?.as_ref()).map(Read)
}

async fn wanted(
    call: &Call,
    account: &Account,
    kind: SettingKind,
    present: Option<&Revised<RightsSettings>>,
) -> Result<Condition, Problem> {
    let revision = present.map(|present| present.revision);
    let wanted = condition(&call.headers, &call.api.accounts, revision)?;
    let setting = Setting { account: Some(account.id), kind, name: "", revision };
    wanted.settle(call, &setting, present).await
}

/// Which endpoint's.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(super) struct OfEndpoint {
    /// The endpoint whose own rights are merged in; none for the account alone.
    endpoint: Option<String>,
}

impl Parameters for OfEndpoint {}

/// What an account receives: rights, ceiling and an endpoint's own, merged and resolved.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EffectiveRights {
    /// The revision of the account's rights.
    revision: String,
    /// Every type of the catalogue that was decided on: whether it is sent.
    types: BTreeMap<String, bool>,
    /// Every field of it: how it is treated in types that `byType` does not name.
    fields: BTreeMap<String, Treatment>,
    /// Per type of it, fields that are treated otherwise there.
    by_type: BTreeMap<String, BTreeMap<String, Treatment>>,
    /// What the catalogue does not know.
    unknown: UnknownRights,
}

/// How what the catalogue does not know is treated.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct UnknownRights {
    /// Whether such types are sent.
    types: bool,
    /// How such fields are treated.
    fields: Treatment,
}

pub(super) async fn effective(call: Call, (of,): (OfEndpoint,)) -> Result<Read<EffectiveRights>, Problem> {
    let account = call.account()?;
    let accounts = &call.api.accounts;
    let effective = match &of.endpoint {
        None => accounts.effective(account.id),
        Some(name) => {
            let name = EndpointName::parse(name).map_err(|_| Problem::new(Code::EndpointNotFound))?;
            let endpoint = account.endpoints.get(&name).ok_or_else(|| Problem::new(Code::EndpointNotFound))?;
            accounts.effective_for(endpoint)
        }
    };
    let effective = effective.map_err(|error| call.refused(error))?;
    let decided_on = accounts.catalog_of_rights(&rights_of(&account)?.value).map_err(|error| call.refused(error))?;
    Ok(Read(EffectiveRights::of(accounts, effective.revision, &effective.table, &decided_on)))
}

impl EffectiveRights {
    fn of(accounts: &Accounts, revision: Position, table: &Table, catalog: &Catalog) -> Self {
        let decisions = table.decisions();
        let treated = |event_type: &str, path: &str| decisions.rule(event_type, path).own;
        let fields: BTreeMap<String, Treatment> =
            catalog.fields().map(|(path, _)| (path.to_owned(), treated(NO_TYPE, path))).collect();
        let of_type = |event_type: &str| -> BTreeMap<String, Treatment> {
            let others = fields.iter().map(|(path, usual)| (path, treated(event_type, path), usual));
            others.filter(|(_, own, usual)| own != *usual).map(|(path, own, _)| (path.clone(), own)).collect()
        };
        Self {
            revision: accounts.revision(revision),
            types: catalog
                .types()
                .map(|(name, _)| (name.to_string(), table.mark(name.as_str()) == Mark::Wanted))
                .collect(),
            by_type: catalog
                .types()
                .map(|(name, _)| (name.to_string(), of_type(name.as_str())))
                .filter(|(_, fields)| !fields.is_empty())
                .collect(),
            unknown: UnknownRights { types: table.mark(NO_TYPE) == Mark::Wanted, fields: treated(NO_TYPE, NO_FIELD) },
            fields,
        }
    }
}

/// What a newer catalogue would change.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PendingRights {
    /// The catalogue that was decided on.
    decided_on: String,
    /// The present one; saving the rights on it decides on what is listed.
    catalog: String,
    /// What is new, gone or recommended otherwise, types first.
    items: Vec<PendingItem>,
}

pub(super) async fn list_pending(call: Call, (): ()) -> Result<Read<PendingRights>, Problem> {
    let account = call.account()?;
    let rights = &rights_of(&account)?.value;
    let accounts = &call.api.accounts;
    let decided_on = accounts.catalog_of_rights(rights).map_err(|error| call.refused(error))?;
    let present = accounts.catalog().map_err(|error| call.refused(error))?;
    Ok(Read(PendingRights {
        decided_on: accounts.revision(rights.catalog),
        catalog: accounts.revision(present.revised.revision),
        items: pending(rights, &decided_on, &present.catalog),
    }))
}

/// Rights as they once were.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PastRights {
    /// The revision: give it to a restore.
    revision: String,
    /// Since when they held.
    updated_at: Timestamp,
    /// Who saved them.
    updated_by: String,
    /// The names that differ from the revision before.
    changed: Vec<String>,
    /// The rights.
    rights: Shown,
}

pub(super) async fn history(call: Call, (page,): (Page,)) -> Result<Read<List<PastRights>>, Problem> {
    let account = call.account()?;
    let after = page.read_after(|after| call.api.accounts.read_revision(after).ok())?;
    let past = past(&call, &account).await?;
    let limit = page.limit();
    let pairs = past.iter().zip(past.iter().skip(1).map(Some).chain([None]));
    let rest = pairs.filter(|(rights, _)| after.is_none_or(|after| rights.revision < after)).take(limit + 1);
    let accounts = &call.api.accounts;
    let items = rest
        .map(|(rights, before)| PastRights {
            revision: accounts.revision(rights.revision),
            updated_at: rights.at,
            updated_by: rights.by.label(),
            changed: before
                .map(|before| RightsSettings::differences(Some(&before.value), Some(&rights.value)))
                .unwrap_or_default(),
            rights: Shown::of(accounts, &rights.value),
        })
        .collect();
    Ok(Read(List::cut(items, limit, |last: &PastRights| last.revision.clone())))
}

/// Returns all revisions of an account's rights, the newest first.
async fn past(call: &Call, account: &Account) -> Result<Vec<Revised<RightsSettings>>, Problem> {
    let (accounts, id) = (call.api.accounts.clone(), account.id);
    let past = blocking(move || accounts.rights_history(id, PAGE_ROWS_MAX)).await;
    past.map_err(|error| call.refused(error))
}

/// Which rights to restore.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    /// A revision of the account's rights.
    revision: String,
}

impl Input for Restore {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

pub(super) async fn restore(call: Call, Json(restore): Json<Restore>) -> Result<Changed<View>, Problem> {
    let account = call.account()?;
    let accounts = &call.api.accounts;
    let unknown = || invalid("/revision", "is no revision of these rights: GET …/rights/history lists them");
    let revision = accounts.read_revision(&restore.revision).map_err(|_| unknown())?;
    let past = past(&call, &account).await?;
    let wanted = past.into_iter().find(|rights| rights.revision == revision).ok_or_else(unknown)?;
    let condition = self::wanted(&call, &account, SettingKind::Rights, account.rights.as_ref()).await?;
    // On the catalogue that they were decided on: what is new since stays withheld.
    save(&call, &account, &accounts.rights_draft(&wanted.value), condition).await
}

/// No type has this name.
const NO_TYPE: &str = "";
/// No field has this path.
const NO_FIELD: &str = "";
