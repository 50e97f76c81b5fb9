//! Accounts: listed, made, changed.
//!
//! Not deleted yet. A token of the account with `settings` may change what is the account's own; its rate and
//! its labels are what the operator agreed with it.

use serde::{Deserialize, Serialize};

use super::answer::{Changed, Current, Read, Written};
use super::body::{Json, Patch};
use super::call::Call;
use super::changed::{Revision, Setting, condition};
use super::failure::{forbidden, invalid};
use super::query::{List, Page, Parameters};
use crate::accounts::{Account, AccountSettings, Accounts, Condition, Error};
use crate::model::{AccountName, SettingKind};
use crate::web::json::{from_value, merge};
use crate::web::{Code, Input, Problem};

impl Input for AccountSettings {
    const ADDED_ON_READING: &'static [&'static str] = &["/name", "/revision", "/updatedAt", "/updatedBy"];
}

/// An account as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Account")]
pub(super) struct View {
    /// Its name.
    name: AccountName,
    #[serde(flatten)]
    settings: AccountSettings,
    #[serde(flatten)]
    revision: Revision,
}

impl View {
    fn of(accounts: &Accounts, account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            settings: account.settings.value.clone(),
            revision: Revision::of(accounts, &account.settings),
        }
    }
}

/// Which accounts.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(super) struct Search {
    /// Only accounts whose name has this text in it.
    q: Option<String>,
}

impl Parameters for Search {}

pub(super) async fn list(call: Call, (search, page): (Search, Page)) -> Result<Read<List<View>>, Problem> {
    let after = page.read_after(|after| AccountName::parse(after).ok())?;
    let limit = page.limit();
    let accounts = &call.api.accounts;
    let found = accounts.accounts(search.q.as_deref().unwrap_or_default(), after.as_ref(), limit + 1);
    let items = found.iter().map(|account| View::of(accounts, account)).collect();
    Ok(Read(List::cut(items, limit, |last: &View| last.name.to_string())))
}

pub(super) async fn get(call: Call, (): ()) -> Result<Current<View>, Problem> {
    let value = View::of(&call.api.accounts, &*call.account()?);
    Ok(Current { revision: value.revision.revision.clone(), value })
}

pub(super) async fn put(call: Call, Json(settings): Json<AccountSettings>) -> Result<Written<View>, Problem> {
    let name = AccountName::parse(call.segment("account")).map_err(|problem| invalid("", &problem.to_string()))?;
    let (account, is_new) = loop {
        let present = call.api.accounts.account(&name);
        check_agreed(&call, present.as_deref().map(|account| &account.settings.value), &settings)?;
        let asked = wanted(&call, present.as_deref()).await?;
        // What was checked holds for what was read: an operator may change it at the same moment.
        let condition = match &present {
            Some(present) if !call.identity()?.is_operator() => Condition::At(present.settings.revision),
            Some(_) | None => asked,
        };
        match call.api.accounts.put_account(&name, settings.clone(), condition, &call.who()?).await {
            Ok(done) => break done,
            Err(Error::Changed { .. }) if asked == Condition::None && condition != asked => {}
            Err(error) => return Err(call.refused(error)),
        }
    };
    let value = View::of(&call.api.accounts, &account);
    let made_at = is_new.then(|| format!("/api/v1/accounts/{name}"));
    Ok(Written { made_at, revision: value.revision.revision.clone(), value })
}

pub(super) async fn patch(call: Call, patch: Patch<AccountSettings>) -> Result<Changed<View>, Problem> {
    let who = call.who()?;
    loop {
        let account = call.account()?;
        let asked = wanted(&call, Some(&account)).await?;
        let mut value = serde_json::to_value(&account.settings.value).map_err(|error| super::failure::ours(&error))?;
        merge(&mut value, patch.change.clone());
        let settings: AccountSettings = from_value(value)?;
        check_agreed(&call, Some(&account.settings.value), &settings)?;
        // What was merged holds for what was read, whatever the writer asked for.
        let at = Condition::At(account.settings.revision);
        match call.api.accounts.put_account(&account.name, settings, at, &who).await {
            Ok((account, _)) => {
                let value = View::of(&call.api.accounts, &account);
                return Ok(Changed { revision: value.revision.revision.clone(), value });
            }
            Err(Error::Changed { .. }) if asked == Condition::None => {}
            Err(error) => return Err(call.refused(error)),
        }
    }
}

async fn wanted(call: &Call, present: Option<&Account>) -> Result<Condition, Problem> {
    let revision = present.map(|account| account.settings.revision);
    let wanted = condition(&call.headers, &call.api.accounts, revision)?;
    let account = present.map(|account| account.id);
    let setting = Setting { account, kind: SettingKind::Account, name: "", revision };
    wanted.settle(call, &setting, present.map(|account| &account.settings)).await
}

/// Checks that what the operator agreed with an account is changed by an operator only.
fn check_agreed(call: &Call, present: Option<&AccountSettings>, new: &AccountSettings) -> Result<(), Problem> {
    if call.identity()?.is_operator() {
        return Ok(());
    }
    let present = present.ok_or_else(|| Problem::new(Code::AccountNotFound))?;
    if present.rate_per_second != new.rate_per_second || present.labels != new.labels {
        let detail = "ratePerSecond and labels are the operator's: send them as they are read, or ask an operator";
        return Err(forbidden("operator", detail));
    }
    Ok(())
}
