//! How endpoints do: asked of one or of all, paused, resumed, tried again.
//!
//! Not their settings. What is answered is what delivery says at this moment; nothing is kept here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::Read;
use super::body::{Json, Optional};
use super::call::Call;
use super::delivering::{EndpointState, EndpointStatus, Outlook, RIGHTS_FAULT};
use super::endpoint::first_at;
use super::failure::of_log;
use super::health::Trouble;
use super::query::{List, Page, Parameters};
use super::{Api, failure};
use crate::accounts::{Account, Endpoint, Halt, ResumeFrom, StartAt};
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{AccountName, EndpointName, Offset, Permission, Timestamp};
use crate::web::{Code, Input, Problem};

/// An empty object, or nothing.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Empty")]
pub(super) struct Nothing {}

impl Input for Nothing {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

/// From where a paused endpoint goes on.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Resume")]
pub(super) struct ResumeRequest {
    /// It must be said where something has waited for more than an hour; else it goes on from where it stands.
    #[serde(default)]
    from: Option<ResumeFrom>,
}

impl Input for ResumeRequest {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

/// Where an endpoint is to begin anew.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Seek")]
pub(super) struct SeekRequest {
    /// The first event that is delivered, whatever became of it before.
    to: StartAt,
    /// Only say what it would do.
    #[serde(default)]
    dry_run: bool,
}

impl Input for SeekRequest {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

/// What a seek does.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SeekResult")]
pub(super) struct Sought {
    /// The first event that is delivered; one above the head where that is the next to come.
    offset: Offset,
    /// When it was taken in; null where it is still to come.
    recorded_at: Option<Timestamp>,
    /// How many events there are from it on.
    events: u64,
    /// Of these, those that were settled before: they are delivered again, with new numbers, where rights allow.
    again: u64,
    /// How many waited before it, and are passed over: they count as `skipped`.
    skipped: u64,
    /// Whether nothing was done.
    dry_run: bool,
}

/// How an endpoint does after it was told something.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "EndpointConducted")]
pub(super) enum Conducted {
    /// Everything, for who may read History.
    Whole(Box<EndpointStatus>),
    /// Its state alone, for who may only change settings.
    State {
        /// How it does, in one word.
        state: EndpointState,
    },
}

/// An endpoint of any account, and how it does.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EndpointWithStatus")]
pub(super) struct Listed {
    /// Whose it is.
    account: AccountName,
    /// Its name.
    endpoint: EndpointName,
    #[serde(flatten)]
    status: EndpointStatus,
}

/// Which endpoints of all accounts, and in which order.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(super) struct Filter {
    /// Only those in this state.
    state: Option<EndpointState>,
    /// `lag`: those with the most events waiting first; else by account and name.
    sort: Option<Sort>,
}

impl Parameters for Filter {}

/// An order of endpoints.
#[derive(Debug, Clone, Copy, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "EndpointSort")]
enum Sort {
    /// The most events waiting first.
    Lag,
}

pub(super) async fn status(call: Call, (): ()) -> Result<Read<EndpointStatus>, Problem> {
    let endpoint = call.endpoint()?;
    status_of(&call, &endpoint).await
}

pub(super) async fn pause(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<Conducted>, Problem> {
    let endpoint = call.endpoint()?;
    let (account, name) = (&endpoint.account_name, &endpoint.name);
    let halted = call.api.accounts.halt_endpoint(account, name, Halt::Paused, &call.who()?).await;
    conducted(&call, &*halted.map_err(|error| call.refused(error))?).await
}

pub(super) async fn resume(
    call: Call,
    Optional(ResumeRequest { from }): Optional<ResumeRequest>,
) -> Result<Read<Conducted>, Problem> {
    let endpoint = call.endpoint()?;
    // Not a way to undo a 410: that takes somebody who enables the endpoint again.
    let endpoint = match endpoint.settings.value.halt {
        Some((Halt::Paused, _)) => {
            let from = chosen(&call, &endpoint, from).await?;
            let (account, name) = (&endpoint.account_name, &endpoint.name);
            let resumed = call.api.accounts.resume_endpoint(account, name, from, &call.who()?).await;
            resumed.map_err(|error| call.refused(error))?
        }
        Some((Halt::Gone, _)) | None => endpoint,
    };
    conducted(&call, &endpoint).await
}

/// Says from where an endpoint goes on: it must be said where much waits.
pub(super) async fn chosen(call: &Call, endpoint: &Endpoint, from: Option<ResumeFrom>) -> Result<ResumeFrom, Problem> {
    if let Some(from) = from {
        return Ok(from);
    }
    let Read(status) = status_of(call, endpoint).await?;
    // What is parked waits by itself, whether the endpoint stood still or not.
    let events = status.lag.events.saturating_sub(status.parked);
    let (account, next) = (endpoint.account, status.cursor.next());
    let since = call.look_up(move |log| log.recorded_at(account, next).map_err(of_log)).await?;
    let is_long = since.is_some_and(|since| call.now().since(since) > WAITED_MAX);
    if events == 0 || !is_long {
        return Ok(ResumeFrom::Cursor);
    }
    let since = since.map(|since| format!(", the oldest since {since}")).unwrap_or_default();
    let problem = Problem::new(Code::ResumeChoiceNeeded).detail(format!("{events} events wait{since}"));
    Err(problem.with("waiting", events))
}

pub(super) async fn seek(call: Call, Json(request): Json<SeekRequest>) -> Result<Read<Sought>, Problem> {
    let (account, endpoint) = (call.account()?, call.endpoint()?);
    let SeekRequest { to, dry_run } = request;
    let first = first_at(&call, &account, &to, "/to").await?;
    let outlook = call.api.deliver.outlook(endpoint.id, first).await;
    let outlook = outlook.ok_or_else(|| Problem::new(Code::ShuttingDown))?;
    let id = account.id;
    let recorded_at = call.look_up(move |log| log.recorded_at(id, first).map_err(of_log)).await?;
    if !dry_run {
        let sought = call.api.accounts.seek_endpoint(&endpoint.account_name, &endpoint.name, first, &call.who()?).await;
        sought.map_err(|error| call.refused(error))?;
    }
    let events = call.api.log.account_head(id).next().0.saturating_sub(first.0);
    let Outlook { again, passed_over: skipped } = outlook;
    Ok(Read(Sought { offset: first, recorded_at, events, again, skipped, dry_run }))
}

pub(super) async fn retry(call: Call, Optional(Nothing {}): Optional<Nothing>) -> Result<Read<Conducted>, Problem> {
    let endpoint = call.endpoint()?;
    call.api.deliver.retry(endpoint.id).await;
    conducted(&call, &endpoint).await
}

/// Says how an endpoint does after it was told something, as far as the caller may know.
async fn conducted(call: &Call, endpoint: &Endpoint) -> Result<Read<Conducted>, Problem> {
    let Read(status) = status_of(call, endpoint).await?;
    Ok(Read(match call.also_may(Permission::History) {
        true => Conducted::Whole(Box::new(status)),
        false => Conducted::State { state: status.state },
    }))
}

pub(super) async fn status_of(call: &Call, endpoint: &Endpoint) -> Result<Read<EndpointStatus>, Problem> {
    // Every endpoint is loaded from its command on until the process ends.
    call.api.deliver.status(endpoint.id).await.map(Read).ok_or_else(|| Problem::new(Code::ShuttingDown))
}

pub(super) async fn list(call: Call, (filter, page): (Filter, Page)) -> Result<Read<List<Listed>>, Problem> {
    match filter.sort {
        None => by_name(&call.api, filter.state, &page).await,
        Some(Sort::Lag) => by_lag(&call.api, filter.state, &page).await,
    }
}

async fn by_name(api: &Api, state: Option<EndpointState>, page: &Page) -> Result<Read<List<Listed>>, Problem> {
    let mut walk = Endpoints::new(api, page.read_after(read_name)?);
    let mut items: Vec<Listed> = Vec::new();
    let mut looked_at = 0;
    while let Some(endpoint) = walk.next() {
        if items.len() == page.limit() || looked_at == PAGE_ROWS_MAX {
            return Ok(Read(List { items, next: walk.before_this }));
        }
        looked_at += 1;
        items.extend(listed(api, &endpoint, state).await);
    }
    Ok(Read(List { items, next: None }))
}

async fn by_lag(api: &Api, state: Option<EndpointState>, page: &Page) -> Result<Read<List<Listed>>, Problem> {
    let after = page.read_after(|after| {
        let (lag, name) = after.split_once('/')?;
        Some((lag.parse::<u64>().ok()?, read_name(name)?))
    })?;
    let mut walk = Endpoints::new(api, None);
    let mut items = Vec::new();
    while let Some(endpoint) = walk.next() {
        items.extend(listed(api, &endpoint, state).await);
    }
    let place =
        |item: &Listed| (std::cmp::Reverse(item.status.lag.events), (item.account.clone(), item.endpoint.clone()));
    items.sort_by_cached_key(place);
    if let Some((lag, name)) = after {
        let seen = items.partition_point(|item| place(item) <= (std::cmp::Reverse(lag), name.clone()));
        items.drain(..seen);
    }
    let cursor = |item: &Listed| format!("{}/{}/{}", item.status.lag.events, item.account, item.endpoint);
    Ok(Read(List::cut(items, page.limit(), cursor)))
}

async fn listed(api: &Api, endpoint: &Endpoint, state: Option<EndpointState>) -> Option<Listed> {
    // One that is just being deleted is not loaded any more.
    let status = api.deliver.status(endpoint.id).await?;
    let is_asked_for = state.is_none_or(|state| status.state == state);
    is_asked_for.then(|| Listed { account: endpoint.account_name.clone(), endpoint: endpoint.name.clone(), status })
}

/// All endpoints, by account and name.
struct Endpoints<'a> {
    api: &'a Api,
    after: Option<AccountName>,
    read: std::collections::VecDeque<Arc<Endpoint>>,
    /// The cursor of the endpoint before the one that was given last.
    before_this: Option<String>,
    given: Option<String>,
}

impl<'a> Endpoints<'a> {
    fn new(api: &'a Api, after: Option<(AccountName, EndpointName)>) -> Self {
        let mut read = std::collections::VecDeque::new();
        let given = after.as_ref().map(|(account, endpoint)| format!("{account}/{endpoint}"));
        let (account, endpoint) = after.unzip();
        if let (Some(account), Some(endpoint)) = (&account, &endpoint)
            && let Some(account) = api.accounts.account(account)
        {
            read.extend(account.endpoints.values().filter(|one| one.name > *endpoint).map(Arc::clone));
        }
        Self { api, after: account, read, before_this: None, given }
    }

    fn next(&mut self) -> Option<Arc<Endpoint>> {
        while self.read.is_empty() {
            let accounts = self.api.accounts.accounts("", self.after.as_ref(), ACCOUNTS_AT_ONCE);
            self.after = Some(accounts.last()?.name.clone());
            self.read.extend(accounts.iter().flat_map(|account| account.endpoints.values()).map(Arc::clone));
        }
        let endpoint = self.read.pop_front()?;
        self.before_this = self.given.replace(format!("{}/{}", endpoint.account_name, endpoint.name));
        Some(endpoint)
    }
}

fn read_name(text: &str) -> Option<(AccountName, EndpointName)> {
    let (account, endpoint) = text.split_once('/')?;
    Some((AccountName::parse(account).ok()?, EndpointName::parse(endpoint).ok()?))
}

/// How all endpoints do, in numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    pub(super) by_state: BTreeMap<EndpointState, u64>,
    /// Events that endpoints did not get because the catalogue does not know their type.
    pub(super) withheld_unknown: u64,
    /// Endpoints in trouble.
    pub(super) troubled: u64,
    /// The first of them.
    pub(super) troubles: Vec<Trouble>,
}

/// Asks every endpoint how it does.
pub(super) async fn census(api: &Api) -> Census {
    let mut census = Census::default();
    let mut walk = Endpoints::new(api, None);
    while let Some(endpoint) = walk.next() {
        let Some(status) = api.deliver.status(endpoint.id).await else { continue };
        *census.by_state.entry(status.state).or_default() += 1;
        census.withheld_unknown += status.ledger.withheld_unknown;
        let in_trouble = is_trouble(&status).then(|| trouble(&endpoint, &status));
        census.troubled += u64::from(in_trouble.is_some());
        let told = [in_trouble, expiring(api, &endpoint, &status)].into_iter().flatten();
        census.troubles.extend(told.take(TROUBLES_MAX.saturating_sub(census.troubles.len())));
    }
    census
}

/// Says that what waits will soon be too old to be kept, whyever it waits.
fn expiring(api: &Api, endpoint: &Endpoint, status: &EndpointStatus) -> Option<Trouble> {
    let max_age = api.log.max_age();
    let gone_at = status.lag.oldest_at?.plus(max_age);
    let announced_before = ANNOUNCED_BEFORE.min(max_age / 4);
    if gone_at.minus(announced_before) > Timestamp(api.clock.wall_ms()) {
        return None;
    }
    let name = format!("{}/{}", endpoint.account_name, endpoint.name);
    Some(Trouble {
        code: EVENTS_EXPIRE.to_owned(),
        title: format!("what waits for {name} will soon be gone: {} events wait", status.lag.events),
        detail: format!(
            "retention takes the oldest of them at {gone_at}, delivered or not; see why it waits, or raise \
             log.retention.max_age"
        ),
        account: Some(endpoint.account_name.to_string()),
        endpoint: Some(endpoint.name.to_string()),
    })
}

/// Whether somebody ought to look at it: what a person paused or switched off is as it should be.
fn is_trouble(status: &EndpointStatus) -> bool {
    match status.state {
        EndpointState::BackingOff | EndpointState::Held => true,
        EndpointState::Disabled => status.problem.as_ref().is_some_and(|problem| problem.code == RECEIVER_GONE),
        EndpointState::Live | EndpointState::CatchingUp => has_faults(status),
        EndpointState::Paused => false,
    }
}

/// Whether rights cannot be applied to some of its events.
fn has_faults(status: &EndpointStatus) -> bool {
    status.problem.as_ref().is_some_and(|problem| problem.code == RIGHTS_FAULT)
}

fn trouble(endpoint: &Endpoint, status: &EndpointStatus) -> Trouble {
    let told = status.problem.as_ref();
    let detail = told.map(|problem| format!("{}: {}", problem.title, problem.detail)).unwrap_or_default();
    Trouble {
        code: told.map_or("endpoint_in_trouble", |problem| problem.code).to_owned(),
        title: if has_faults(status) {
            format!("{}/{} does not get some of its events", endpoint.account_name, endpoint.name)
        } else {
            format!("{}/{} does not take its events: {} wait", endpoint.account_name, endpoint.name, status.lag.events)
        },
        detail,
        account: Some(endpoint.account_name.to_string()),
        endpoint: Some(endpoint.name.to_string()),
    }
}

/// Returns whether an account's endpoint is of this name, for lists that name one.
pub(super) fn named(account: &Account, name: &EndpointName) -> Result<Arc<Endpoint>, Problem> {
    let endpoint = account.endpoints.get(name).map(Arc::clone);
    endpoint.ok_or_else(|| failure::endpoint_not_found(name))
}

/// Returns the endpoint of that name alone, or all of the account by their names where none is named.
pub(super) fn named_or_all(account: &Account, name: Option<&EndpointName>) -> Result<Vec<Arc<Endpoint>>, Problem> {
    match name {
        Some(name) => Ok(vec![named(account, name)?]),
        None => Ok(account.endpoints.values().map(Arc::clone).collect()),
    }
}

/// What waits longer than this is not sent by surprise.
const WAITED_MAX: Duration = Duration::from_secs(60 * 60);
const ACCOUNTS_AT_ONCE: usize = 1_000;
const TROUBLES_MAX: usize = 20;
const RECEIVER_GONE: &str = "receiver_gone";
const EVENTS_EXPIRE: &str = "events_expire_soon";
/// A day is time to do something about it, whatever the time of day.
const ANNOUNCED_BEFORE: Duration = Duration::from_secs(24 * 60 * 60);
