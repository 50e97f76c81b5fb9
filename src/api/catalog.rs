//! The catalogue: what there is to receive, in two languages, and what of it was ever seen.
//!
//! Not what an account receives: that is in its rights. Operators extend it by calls; files of theirs come with a
//! start.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::{Read, Removed, Written};
use super::body::Json;
use super::call::Call;
use super::changed::{Revision, Setting, condition};
use super::failure::invalid;
use crate::accounts::{Condition, CurrentCatalog};
use crate::catalog::infer::{Drafts, Inference};
use crate::catalog::{Category, FieldDraft, Status, Text, TypeCall, TypeEntry};
use crate::log::TypeCount;
use crate::model::{AccountId, EventType, Kind, Position, SettingKind, Timestamp};
use crate::web::{Input, Problem};

impl Input for TypeCall {
    const ADDED_ON_READING: &'static [&'static str] =
        &["/name", "/origin", "/count", "/firstSeenAt", "/lastSeenAt", "/revision", "/updatedAt", "/updatedBy"];
}

/// The whole catalogue.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Catalog")]
pub(super) struct View {
    #[serde(flatten)]
    revision: Revision,
    /// The types of events, by name.
    types: Vec<TypeView>,
    /// The fields of events, by path.
    fields: Vec<FieldView>,
    /// Types that were seen and that the catalogue does not know: nobody gets them who did not name them.
    unknown: Vec<UnknownType>,
}

/// Where an entry of the catalogue comes from.
#[derive(Debug, Clone, Copy, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    /// It is built in, or from a file of the operator's.
    File,
    /// A call has given it.
    Call,
}

/// A type of event.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CatalogType")]
pub(super) struct TypeView {
    /// Its name.
    name: EventType,
    /// What it is about.
    category: Category,
    /// How much is known of it.
    status: Status,
    /// The paths of the fields that it may have.
    fields: Vec<String>,
    /// In English.
    en: Text,
    /// In French.
    fr: Text,
    /// Where the entry comes from.
    origin: Origin,
    /// What of it was seen.
    #[serde(flatten)]
    seen: Seen,
}

impl TypeView {
    fn of(name: &EventType, entry: &TypeEntry, origin: Origin, count: Option<&TypeCount>) -> Self {
        let TypeEntry { category, status, fields, en, fr } = entry.clone();
        let seen = count.map(Seen::from).unwrap_or_default();
        Self { name: name.clone(), category, status, fields, en, fr, origin, seen }
    }
}

/// What was seen of a type.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Seen {
    /// How many events there were, those that retention took included.
    count: u64,
    /// When the first was taken in; null where none ever was.
    first_seen_at: Option<Timestamp>,
    /// When the last was taken in.
    last_seen_at: Option<Timestamp>,
}

impl From<&TypeCount> for Seen {
    fn from(count: &TypeCount) -> Self {
        Self { count: count.count, first_seen_at: Some(count.first_at), last_seen_at: Some(count.last_at) }
    }
}

/// A field of events.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CatalogField")]
pub(super) struct FieldView {
    #[serde(flatten)]
    field: FieldDraft,
    /// Whether rights that say nothing of it let it through.
    recommended: bool,
}

/// A type that the catalogue does not know.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UnknownType {
    /// Its name.
    name: EventType,
    #[serde(flatten)]
    seen: Seen,
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<View>, Problem> {
    let current = call.api.accounts.catalog().map_err(|error| call.refused(error))?;
    let counts: BTreeMap<EventType, TypeCount> = call.api.log.type_counts().into_iter().collect();
    Ok(Read(View::of(&call, &current, &counts)))
}

/// For an account: the same catalogue, with what was seen of the account's own events.
pub(super) async fn get_of_account(call: Call, (): ()) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let current = call.api.accounts.catalog().map_err(|error| call.refused(error))?;
    let counts = call
        .look_up(move |log| log.type_counts_of(account.id, ROWS_MAX).map_err(super::failure::of_log))
        .await?
        .into_iter()
        .collect();
    Ok(Read(View::of(&call, &current, &counts)))
}

impl View {
    fn of(call: &Call, current: &CurrentCatalog, counts: &BTreeMap<EventType, TypeCount>) -> Self {
        let CurrentCatalog { catalog, called, revised } = current;
        let revision = Revision::of(&call.api.accounts, revised);
        let types = catalog
            .types()
            .map(|(name, entry)| {
                let origin = if called.contains(name) { Origin::Call } else { Origin::File };
                TypeView::of(name, entry, origin, counts.get(name))
            })
            .collect();
        let fields = catalog
            .fields()
            .map(|(path, field)| FieldView {
                recommended: field.class.is_recommended(),
                field: FieldDraft::of(path, field),
            })
            .collect();
        let unknown = counts
            .iter()
            .filter(|(name, _)| catalog.event_type(name).is_none())
            .map(|(name, count)| UnknownType { name: name.clone(), seen: Seen::from(count) })
            .collect();
        Self { revision, types, fields, unknown }
    }
}

/// What events have that the catalogue lacks.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inferred {
    #[serde(flatten)]
    drafts: Drafts,
    /// A file for `catalog.files` with a draft of every entry that is lacking, for somebody to read first.
    toml: String,
}

/// Learns from the newest events of all accounts. Nothing of their values is in the drafts.
pub(super) async fn inferred(call: Call, (): ()) -> Result<Read<Inferred>, Problem> {
    let catalog = call.api.accounts.catalog().map_err(|error| call.refused(error))?.catalog;
    call.look_up(move |log| {
        let mut inference = Inference::new(&catalog);
        let head = log.head();
        let mut next = Position(head.0.saturating_sub(INFERRED_RECORDS_MAX)).next();
        while next <= head {
            let records = log.read(next, INFERRED_BYTES).map_err(super::failure::of_log)?;
            let Some(last) = records.last() else { break };
            next = last.position.next();
            for record in records.iter().filter(|record| record.header.kind == Kind::Event) {
                let (event_type, event) = log.event(record).map_err(super::failure::of_log)?;
                inference.observe(&event_type, event.actor.as_deref(), &event.data);
            }
        }
        let drafts = inference.drafts();
        Ok(Inferred { toml: drafts.to_toml(), drafts })
    })
    .await
    .map(Read)
}

/// A type as a call gave it, in the catalogue that came of it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CalledType {
    #[serde(flatten)]
    entry: TypeView,
    #[serde(flatten)]
    revision: Revision,
}

pub(super) async fn put_type(call: Call, Json(given): Json<TypeCall>) -> Result<Written<CalledType>, Problem> {
    let name = type_name(&call)?;
    let condition = wanted(&call).await?;
    let is_new = call
        .api
        .accounts
        .put_catalog_type(&name, given, condition, &call.who()?)
        .await
        .map_err(|error| call.refused(error))?;
    let current = call.api.accounts.catalog().map_err(|error| call.refused(error))?;
    let entry = current.catalog.event_type(&name);
    let entry = entry.ok_or_else(|| super::failure::ours(&"a type that was just saved is missing"))?;
    let counts = call.api.log.type_counts();
    let count = counts.iter().find(|(seen, _)| *seen == name).map(|(_, count)| count);
    let entry = TypeView::of(&name, entry, Origin::Call, count);
    let made_at = is_new.then(|| format!("/api/v1/catalog/types/{name}"));
    let revision = Revision::of(&call.api.accounts, &current.revised);
    Ok(Written { made_at, revision: revision.revision.clone(), value: CalledType { entry, revision } })
}

pub(super) async fn delete_type(call: Call, (): ()) -> Result<Removed, Problem> {
    let name = type_name(&call)?;
    let condition = wanted(&call).await?;
    let deleted = call.api.accounts.delete_catalog_type(&name, condition, &call.who()?).await;
    deleted.map(|()| Removed).map_err(|error| call.refused(error))
}

fn type_name(call: &Call) -> Result<EventType, Problem> {
    EventType::parse(call.segment("type")).map_err(|problem| invalid("", &problem.to_string()))
}

async fn wanted(call: &Call) -> Result<Condition, Problem> {
    let present = call.api.accounts.catalog().map_err(|error| call.refused(error))?.revised;
    let wanted = condition(&call.headers, &call.api.accounts, Some(present.revision))?;
    let (account, revision) = (Some(AccountId::SYSTEM), Some(present.revision));
    let setting = Setting { account, kind: SettingKind::Catalog, name: "", revision };
    wanted.settle(call, &setting, Some(&present)).await
}

/// Events of an account that are looked at, the newest.
const ROWS_MAX: usize = crate::model::limits::PAGE_ROWS_MAX;
/// Records of the log that drafts are made from, the newest.
const INFERRED_RECORDS_MAX: u64 = 10_000;
/// Bytes of records that are looked at in one go.
const INFERRED_BYTES: usize = 4 << 20;
