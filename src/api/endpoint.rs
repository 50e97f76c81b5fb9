//! Endpoints: where an account's events are sent to.
//!
//! Not how that goes (see `conduct`) nor what requests are signed with (see `secret`). Secrets are never read
//! back: where one is kept, `passwordSet`, `tokenSet` or `valueSet` says so, and a write that leaves it out
//! keeps it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::answer::{Changed, Current, Read, Removed, Written};
use super::body::{Json, Patch};
use super::call::Call;
use super::changed::{Revision, Setting, condition};
use super::conduct::{chosen, status_of};
use super::delivering::{AttemptError, Failure};
use super::failure::{invalid, of_log, ours};
use super::query::{List, Page, Point};
use super::rights;
use super::stretch::Stretch;
use crate::accounts::{
    Account, Accounts, Auth, Condition, Endpoint, EndpointDraft, EndpointSettings, Error, Format, May, OnFilterError,
    Order, Signing, StartAt,
};
use crate::model::{AccountName, EndpointName, Offset, Permission, SettingKind};
use crate::web::json::{from_value, merge};
use crate::web::{Code, FieldError, Input, Problem};

impl Input for EndpointDraft {
    const ADDED_ON_READING: &'static [&'static str] = &["/name", "/revision", "/updatedAt", "/updatedBy", "/warnings"];
}

/// An endpoint as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Endpoint")]
pub(super) struct View {
    /// Its name.
    name: EndpointName,
    #[serde(flatten)]
    settings: Shown,
    #[serde(flatten)]
    revision: Revision,
    /// What was saved and does not work at present; only in the answer to a write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldError>,
}

/// The settings of an endpoint as they are read, without any secret.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EndpointSettings")]
pub(super) struct Shown {
    /// Where requests go.
    url: String,
    /// Whether anything is sent; events wait meanwhile.
    enabled: bool,
    /// How hooklog shows a receiver who it is.
    auth: ShownAuth,
    /// How requests are signed.
    signing: Signing,
    /// Which deliveries keep their order.
    order: Order,
    /// What the body of a request looks like.
    format: Format,
    /// Requests under way at once, at most.
    max_in_flight: u32,
    /// Requests a second, at most; null where there is no limit.
    rate_per_second: Option<u32>,
    /// How long a receiver may take to answer; null where the operator's setting holds.
    timeout_ms: Option<u64>,
    /// Headers sent with every request beside hooklog's own.
    headers: BTreeMap<String, String>,
    /// The types it asks for, by name or pattern; null where that is all that its account receives.
    types: Option<Vec<String>>,
    /// What the endpoint receives less than its account; null where it is the same.
    rights: Option<rights::Shown>,
    /// What is older than this when its turn comes is not sent; null where any that is kept is.
    max_age_ms: Option<u64>,
    /// The same for single types, by name or pattern.
    max_age_by_type: BTreeMap<String, u64>,
    /// What becomes of an event that a filter does not answer properly for.
    on_filter_error: OnFilterError,
}

/// How hooklog shows a receiver who it is, as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "type")]
#[schemars(rename = "Auth")]
pub(super) enum ShownAuth {
    /// Not at all.
    None,
    /// `Authorization: Basic`.
    Basic {
        /// The login.
        username: String,
        /// A password is kept.
        password_set: bool,
        /// A certificate shown beside it.
        #[serde(skip_serializing_if = "Option::is_none")]
        certificate: Option<ShownCertificate>,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// A token is kept.
        token_set: bool,
        /// A certificate shown beside it.
        #[serde(skip_serializing_if = "Option::is_none")]
        certificate: Option<ShownCertificate>,
    },
    /// A header of the receiver's choice.
    Header {
        /// Its name.
        name: String,
        /// A value is kept.
        value_set: bool,
        /// A certificate shown beside it.
        #[serde(skip_serializing_if = "Option::is_none")]
        certificate: Option<ShownCertificate>,
    },
    /// A client certificate in the TLS handshake.
    Certificate(ShownCertificate),
}

/// A client certificate, as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClientCertificate")]
pub(super) struct ShownCertificate {
    /// In PEM, the own one first.
    certificate: String,
    /// A key is kept.
    key_set: bool,
}

impl ShownAuth {
    fn of(settings: &EndpointSettings) -> Self {
        let certificate = settings.certificate.as_ref();
        let certificate = certificate.map(|kept| ShownCertificate { certificate: kept.chain.clone(), key_set: true });
        match (&settings.auth, certificate) {
            (Auth::None, None) => Self::None,
            (Auth::None, Some(certificate)) => Self::Certificate(certificate),
            (Auth::Basic { username, .. }, certificate) => {
                Self::Basic { username: username.clone(), password_set: true, certificate }
            }
            (Auth::Bearer { .. }, certificate) => Self::Bearer { token_set: true, certificate },
            (Auth::Header { name, .. }, certificate) => {
                Self::Header { name: name.clone(), value_set: true, certificate }
            }
        }
    }
}

impl Shown {
    pub(super) fn of(accounts: &Accounts, settings: &EndpointSettings) -> Self {
        Self {
            url: settings.url.clone(),
            enabled: settings.enabled,
            auth: ShownAuth::of(settings),
            signing: settings.signing,
            order: settings.order,
            format: settings.format,
            max_in_flight: settings.max_in_flight,
            rate_per_second: settings.rate_per_second.map(NonZeroU32::get),
            timeout_ms: settings.timeout_ms,
            headers: settings.headers.clone(),
            types: settings.types.as_ref().map(|types| types.iter().map(|name| name.as_str().to_owned()).collect()),
            rights: settings.rights.as_ref().map(|rights| rights::Shown::of(accounts, rights)),
            max_age_ms: settings.max_age_ms,
            max_age_by_type: settings
                .max_age_by_type
                .iter()
                .map(|(name, ms)| (name.as_str().to_owned(), *ms))
                .collect(),
            on_filter_error: settings.on_filter_error,
        }
    }

    /// Merges a change into the settings as they are read. `auth` of another type takes the place of the
    /// present one: its members say nothing about the other's.
    pub(super) fn changed(&self, mut change: Value) -> Result<Value, Problem> {
        let mut value = serde_json::to_value(self).map_err(|error| ours(&error))?;
        let asked = change.pointer("/auth/type").filter(|asked| Some(*asked) != value.pointer("/auth/type"));
        if asked.is_some()
            && let (Some(members), Some(auth)) = (value.as_object_mut(), change.get_mut("auth"))
        {
            members.insert("auth".to_owned(), auth.take());
            if let Some(change) = change.as_object_mut() {
                change.remove("auth");
            }
        }
        merge(&mut value, change);
        Ok(value)
    }
}

impl View {
    fn of(accounts: &Accounts, endpoint: &Endpoint) -> Self {
        Self {
            name: endpoint.name.clone(),
            settings: Shown::of(accounts, &endpoint.settings.value),
            revision: Revision::of(accounts, &endpoint.settings),
            warnings: Vec::new(),
        }
    }
}

pub(super) async fn list(call: Call, (page,): (Page,)) -> Result<Read<List<View>>, Problem> {
    let account = call.account()?;
    let after = page.read_after(|after| EndpointName::parse(after).ok())?;
    let rest = account.endpoints.values().filter(|endpoint| after.as_ref().is_none_or(|after| endpoint.name > *after));
    let items = rest.take(page.limit() + 1).map(|endpoint| View::of(&call.api.accounts, endpoint)).collect();
    Ok(Read(List::cut(items, page.limit(), |last: &View| last.name.to_string())))
}

pub(super) async fn get(call: Call, (): ()) -> Result<Current<View>, Problem> {
    let value = View::of(&call.api.accounts, &*call.endpoint()?);
    Ok(Current { revision: value.revision.revision.clone(), value })
}

pub(super) async fn put(call: Call, Json(mut draft): Json<EndpointDraft>) -> Result<Written<View>, Problem> {
    let account = call.account()?;
    let name = EndpointName::parse(call.segment("endpoint")).map_err(|problem| invalid("", &problem.to_string()))?;
    let present = account.endpoints.get(&name).map(|endpoint| &**endpoint);
    let condition = wanted(&call, &name, present).await?;
    let warnings = judge(&call, &draft.url, present).await?;
    if let Some(present) = present.filter(|present| draft.enabled && !present.settings.value.enabled) {
        draft.resume_from = Some(chosen(&call, present, draft.resume_from).await?);
    }
    if present.is_none() {
        draft.after = start_after(&call, &account, draft.start_at.as_ref()).await?;
    }
    let (endpoint, is_new) =
        write(&call, &account.name, &name, draft, condition).await?.map_err(|error| call.refused(error))?;
    let value = View { warnings, ..View::of(&call.api.accounts, &endpoint) };
    let made_at = is_new.then(|| format!("/api/v1/accounts/{}/endpoints/{name}", account.name));
    Ok(Written { made_at, revision: value.revision.revision.clone(), value })
}

pub(super) async fn patch(call: Call, patch: Patch<EndpointDraft>) -> Result<Changed<View>, Problem> {
    loop {
        let endpoint = call.endpoint()?;
        let asked = wanted(&call, &endpoint.name, Some(&endpoint)).await?;
        let value = Shown::of(&call.api.accounts, &endpoint.settings.value).changed(patch.change.clone())?;
        let mut draft: EndpointDraft = from_value(value)?;
        if draft.enabled && !endpoint.settings.value.enabled {
            draft.resume_from = Some(chosen(&call, &endpoint, draft.resume_from).await?);
        }
        let warnings = judge(&call, &draft.url, Some(&endpoint)).await?;
        // What was merged holds for what was read, whatever the writer asked for.
        let at = Condition::At(endpoint.settings.revision);
        match write(&call, &endpoint.account_name, &endpoint.name, draft, at).await? {
            Ok((endpoint, _)) => {
                let value = View { warnings, ..View::of(&call.api.accounts, &endpoint) };
                return Ok(Changed { revision: value.revision.revision.clone(), value });
            }
            Err(Error::Changed { .. }) if asked == Condition::None => {}
            Err(error) => return Err(call.refused(error)),
        }
    }
}

pub(super) async fn delete(call: Call, (): ()) -> Result<Removed, Problem> {
    let endpoint = call.endpoint()?;
    let condition = wanted(&call, &endpoint.name, Some(&endpoint)).await?;
    let accounts = &call.api.accounts;
    let deleted = accounts.delete_endpoint(&endpoint.account_name, &endpoint.name, condition, &call.who()?).await;
    deleted.map(|()| Removed).map_err(|error| call.refused(error))
}

async fn write(
    call: &Call,
    account: &AccountName,
    name: &EndpointName,
    draft: EndpointDraft,
    condition: Condition,
) -> Result<Result<(Arc<Endpoint>, bool), Error>, Problem> {
    let who = call.who()?;
    let may =
        May { move_secrets: call.also_may(Permission::Secrets), change_rights: call.also_may(Permission::Rights) };
    Ok(call.api.accounts.put_endpoint(account, name, draft, condition, &who, may).await)
}

/// Finds the last event before the first of a new endpoint; none where that is the head when it is made.
async fn start_after(call: &Call, account: &Account, start: Option<&StartAt>) -> Result<Option<Offset>, Problem> {
    let Some(start) = start.filter(|start| **start != StartAt::Now) else { return Ok(None) };
    first_at(call, account, start, "/startAt").await.map(|first| Some(first.previous()))
}

/// Finds the event at which an endpoint begins; `pointer` is where the place stands in the request.
pub(super) async fn first_at(
    call: &Call,
    account: &Account,
    start: &StartAt,
    pointer: &str,
) -> Result<Offset, Problem> {
    let id = account.id;
    Ok(match start {
        StartAt::Now => call.api.log.account_head(id).next(),
        StartAt::Earliest => call.look_up(move |log| log.oldest_offset(id).map_err(of_log)).await?,
        StartAt::Offset(offset) => {
            let offset = *offset;
            if offset == Offset(0) || offset > call.api.log.account_head(id).next() {
                let detail = format!("must be 1 to {}, which is the next event", call.api.log.account_head(id).next());
                return Err(invalid(&format!("{pointer}/offset"), &detail));
            }
            let stretch = call.look_up(move |log| Stretch::resolve(log, id, Some(Point::Offset(offset)), None)).await?;
            stretch.from
        }
        StartAt::Time(time) => {
            let time = *time;
            call.look_up(move |log| Stretch::resolve(log, id, Some(Point::Time(time)), None)).await?.from
        }
        StartAt::Endpoint(other) => {
            let other = account
                .endpoints
                .get(other)
                .ok_or_else(|| invalid(&format!("{pointer}/endpoint"), "names no endpoint of this account"))?;
            let Read(status) = status_of(call, other).await?;
            status.cursor.next()
        }
    })
}

/// Looks where a new URL leads at present: nowhere that may be sent to is refused, nowhere at all is a warning.
async fn judge(call: &Call, url: &str, present: Option<&Endpoint>) -> Result<Vec<FieldError>, Problem> {
    if present.is_some_and(|endpoint| endpoint.settings.value.url == url) {
        return Ok(Vec::new());
    }
    // What is wrong with the text itself is said by the write.
    let Ok(target) = call.api.accounts.check_url(url) else { return Ok(Vec::new()) };
    match call.api.deliver.judge(target).await {
        Ok(()) => Ok(Vec::new()),
        Err(Failure { error: AttemptError::ForbiddenAddress, detail, .. }) => {
            let place = FieldError::new("/url", detail.clone());
            Err(Problem::new(Code::ForbiddenAddress).detail(detail).error(place))
        }
        Err(Failure { detail, .. }) => Ok(vec![FieldError::new("/url", detail)]),
    }
}

async fn wanted(call: &Call, name: &EndpointName, present: Option<&Endpoint>) -> Result<Condition, Problem> {
    let revision = present.map(|endpoint| endpoint.settings.revision);
    let wanted = condition(&call.headers, &call.api.accounts, revision)?;
    let account = present.map(|endpoint| endpoint.account);
    let setting = Setting { account, kind: SettingKind::Endpoint, name: name.as_str(), revision };
    wanted.settle(call, &setting, present.map(|endpoint| &endpoint.settings)).await
}
