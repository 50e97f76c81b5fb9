//! How the process does: is it alive, is it ready, what is not well, what was counted.
//!
//! `readyz` is asked by whoever routes to the process and names no account; `status` is for operators and names
//! all. A receiver in trouble or a full disk makes it degraded, never unready: INO would lose its hooklog over
//! somebody else's outage.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::answer::{Page, Read, Text, Verdict};
use super::call::Call;
use super::conduct::{Census, census};
use super::delivering::EndpointState;
use super::failure::of_log;
use super::health::{Phase, Trouble};
use super::openapi::document_text_for;
use super::query::Parameters;
use crate::log::Stats;
use crate::model::{Position, Timestamp};
use crate::web::{Code, CodeDescription, Problem, code_descriptions, code_page};

/// What the process says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ProcessState {
    /// All is well.
    Ok,
    /// It works, and something is not well.
    Degraded,
    /// It is not ready yet.
    Starting,
    /// It is about to end.
    Draining,
}

/// Whether the process lives.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Liveness {
    state: ProcessState,
}

pub(super) async fn livez(_: Call, (): ()) -> Result<Read<Liveness>, Problem> {
    Ok(Read(Liveness { state: ProcessState::Ok }))
}

/// Whether the process is ready.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Readiness {
    /// How it does.
    state: ProcessState,
    /// What is not well, without names of accounts.
    problems: Vec<Trouble>,
}

/// How strictly to judge.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(super) struct Strictness {
    /// With 1, a degraded process is answered with 503 too.
    strict: Option<Flag>,
}

impl Parameters for Strictness {}

/// 1 or `true`, 0 or `false`.
#[derive(Debug, Clone, Copy)]
struct Flag(bool);

impl schemars::JsonSchema for Flag {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Flag".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "enum": [0, 1] })
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "1" | "true" => Ok(Self(true)),
            "0" | "false" => Ok(Self(false)),
            _ => Err(serde::de::Error::custom("must be 1 or 0")),
        }
    }
}

pub(super) async fn readyz(call: Call, (strictness,): (Strictness,)) -> Result<Verdict<Readiness>, Problem> {
    let state = match call.api.health.phase() {
        Phase::Starting => Some(ProcessState::Starting),
        Phase::Draining => Some(ProcessState::Draining),
        Phase::Ready => None,
    };
    if let Some(state) = state {
        return Ok(Verdict { is_well: false, value: Readiness { state, problems: Vec::new() } });
    }
    let problems = nameless(known_troubles(&call).await?, &call.api.health.census(&call.api).await);
    let state = if problems.is_empty() { ProcessState::Ok } else { ProcessState::Degraded };
    let is_strict = strictness.strict.is_some_and(|strict| strict.0);
    Ok(Verdict { is_well: state == ProcessState::Ok || !is_strict, value: Readiness { state, problems } })
}

/// Tells of troubles without saying whose they are, each kind once.
fn nameless(troubles: Vec<Trouble>, census: &Census) -> Vec<Trouble> {
    let mut kinds: BTreeMap<String, Trouble> = BTreeMap::new();
    for trouble in troubles {
        let Trouble { code, title, detail, account, .. } = trouble;
        let detail = if account.is_none() { detail } else { "GET /api/v1/status says more to an operator".to_owned() };
        let nameless = Trouble { code: code.clone(), title, detail, account: None, endpoint: None };
        kinds.entry(code).or_insert(nameless);
    }
    if census.troubled > 0 {
        let code = "endpoints_in_trouble".to_owned();
        let title = "Endpoints do not take their events".to_owned();
        let detail = format!("{} of them; GET /api/v1/endpoints says which to an operator", census.troubled);
        kinds.insert(code.clone(), Trouble { code, title, detail, account: None, endpoint: None });
    }
    kinds.into_values().collect()
}

/// Returns what parts have told, and what the disk says.
async fn known_troubles(call: &Call) -> Result<Vec<Trouble>, Problem> {
    let stats = stats(call).await?;
    let mut troubles = call.api.health.troubles(call.api.clock.monotonic());
    troubles.extend(disk_trouble(&stats));
    Ok(troubles)
}

fn disk_trouble(stats: &Stats) -> Option<Trouble> {
    (stats.disk_free_bytes < stats.disk_reserve_bytes).then(|| Trouble {
        code: Code::DiskFull.as_str().to_owned(),
        title: Code::DiskFull.title().to_owned(),
        detail: format!(
            "{} bytes are free and {} are kept in reserve: new events are refused until there is room",
            stats.disk_free_bytes, stats.disk_reserve_bytes
        ),
        account: None,
        endpoint: None,
    })
}

/// Says which types nobody gets because the catalogue does not know them.
fn unknown_types(call: &Call, withheld: u64) -> Option<Trouble> {
    if withheld == 0 {
        return None;
    }
    let catalog = call.api.accounts.catalog().ok()?.catalog;
    let counts = call.api.log.type_counts();
    let unknown = counts.iter().filter(|(name, _)| catalog.event_type(name).is_none());
    let named: Vec<String> = unknown.map(|(name, count)| format!("{name} ({})", count.count)).collect();
    let shown = named.iter().take(UNKNOWN_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = named.len().saturating_sub(UNKNOWN_SHOWN_MAX);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    Some(Trouble {
        code: "unknown_types".to_owned(),
        title: "Events were withheld because the catalogue does not know their type".to_owned(),
        detail: format!(
            "{withheld} so far; types that are not in it: {shown}{rest}. `hooklog catalog infer --recent` drafts entries \
             for them, and accounts get them once they save their rights on the newer catalogue"
        ),
        account: None,
        endpoint: None,
    })
}

async fn stats(call: &Call) -> Result<Stats, Problem> {
    call.look_up(|log| log.stats().map_err(of_log)).await
}

/// How everything does.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// In one word.
    state: ProcessState,
    /// The newest position of the log.
    head: Position,
    /// The oldest position that is kept.
    oldest: Position,
    /// When that record was taken in.
    oldest_at: Option<Timestamp>,
    /// Bytes of the log on disk.
    bytes: u64,
    /// The disk of the data directory.
    disk: Disk,
    /// Accounts that have events.
    accounts: usize,
    /// Endpoints by state.
    endpoints: BTreeMap<EndpointState, u64>,
    /// Events that endpoints did not get because the catalogue does not know their type.
    withheld_unknown: u64,
    /// What is not well; of endpoints the first twenty.
    problems: Vec<Trouble>,
    /// What runs.
    versions: Versions,
}

/// The disk of the data directory.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Disk {
    /// Bytes that the log uses.
    used_bytes: u64,
    /// Bytes that are free.
    free_bytes: u64,
    /// Bytes that are kept free: below them events are refused.
    reserve_bytes: u64,
}

/// What runs.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Versions {
    /// This program.
    hooklog: &'static str,
}

pub(super) async fn status(call: Call, (): ()) -> Result<Read<Status>, Problem> {
    let stats = stats(&call).await?;
    let Census { by_state, troubles, withheld_unknown, .. } = census(&call.api).await;
    let mut problems = call.api.health.troubles(call.api.clock.monotonic());
    problems.extend(disk_trouble(&stats));
    problems.extend(unknown_types(&call, withheld_unknown));
    problems.extend(troubles);
    let bytes = stats.family_bytes.values().sum();
    Ok(Read(Status {
        state: match call.api.health.phase() {
            Phase::Starting => ProcessState::Starting,
            Phase::Draining => ProcessState::Draining,
            Phase::Ready if problems.is_empty() => ProcessState::Ok,
            Phase::Ready => ProcessState::Degraded,
        },
        head: stats.head,
        oldest: stats.oldest,
        oldest_at: stats.oldest_at,
        bytes,
        disk: Disk { used_bytes: bytes, free_bytes: stats.disk_free_bytes, reserve_bytes: stats.disk_reserve_bytes },
        accounts: stats.accounts,
        endpoints: by_state,
        withheld_unknown,
        problems,
        versions: Versions { hooklog: env!("CARGO_PKG_VERSION") },
    }))
}

pub(super) async fn metrics(call: Call, (): ()) -> Result<Text, Problem> {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(Text { media_type, text: call.api.metrics.render().into() })
}

/// Every problem code.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ProblemCodes")]
pub(super) struct Codes {
    /// In the order of their status.
    items: Vec<CodeDescription>,
    /// All codes are one page: null.
    next: Option<String>,
}

pub(super) async fn codes(_: Call, (): ()) -> Result<Read<Codes>, Problem> {
    Ok(Read(Codes { items: code_descriptions(), next: None }))
}

pub(super) async fn code(call: Call, (): ()) -> Result<Page, Problem> {
    code_page(call.segment("code"), &call.headers).map(Page)
}

pub(super) async fn openapi(call: Call, (): ()) -> Result<Text, Problem> {
    let text = document_text_for(&call.api.options);
    Ok(Text { media_type: "application/json", text })
}

/// Unknown types that are named.
const UNKNOWN_SHOWN_MAX: usize = 10;
