//! Tokens: listed, made, taken back. A token itself is seen once, in the answer that made it.
//!
//! Whoever has `access` gives out every permission of the account: it is the account's administrator.

use serde::Serialize;

use super::answer::{Created, Read, Removed};
use super::body::Json;
use super::call::Call;
use super::query::{List, Page};
use crate::accounts::{Revised, TokenDraft, TokenSettings};
use crate::model::{AccountName, Permissions, Timestamp};
use crate::security::TokenId;
use crate::web::{Code, Identity, Input, Problem};

impl Input for TokenDraft {
    const ADDED_ON_READING: &'static [&'static str] = &["/id", "/createdAt", "/createdBy"];
}

/// A token as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Token")]
pub(super) struct View {
    /// Its id, which is not the token itself.
    id: String,
    /// What a person calls it.
    name: String,
    /// What it may do; an operator's may do everything and names nothing.
    permissions: Permissions,
    /// When it was made.
    created_at: Timestamp,
    /// By whom.
    created_by: String,
    /// When it ends; null where it does not.
    expires_at: Option<Timestamp>,
}

/// A token that was just made.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewToken {
    #[serde(flatten)]
    view: View,
    /// The token: shown this once and never again.
    token: String,
}

impl View {
    fn of(id: TokenId, settings: &TokenSettings, created_by: String) -> Self {
        Self {
            id: id.to_string(),
            name: settings.name.clone(),
            permissions: settings.permissions.clone(),
            created_at: settings.created_at,
            created_by,
            expires_at: settings.expires_at,
        }
    }
}

pub(super) async fn list_of_operator(call: Call, (page,): (Page,)) -> Result<Read<List<View>>, Problem> {
    page_of(call.api.accounts.operator_tokens().iter().map(|(id, token)| (*id, token)), &page)
}

pub(super) async fn list_of_account(call: Call, (page,): (Page,)) -> Result<Read<List<View>>, Problem> {
    page_of(call.account()?.tokens.iter().map(|(id, token)| (*id, token)), &page)
}

fn page_of<'a>(
    tokens: impl Iterator<Item = (TokenId, &'a Revised<TokenSettings>)>,
    page: &Page,
) -> Result<Read<List<View>>, Problem> {
    let after = page.read_after(|after| TokenId::parse(after).ok())?;
    let rest = tokens.filter(|(id, _)| after.is_none_or(|after| *id > after)).take(page.limit() + 1);
    let items = rest.map(|(id, token)| View::of(id, &token.value, token.by.label())).collect();
    Ok(Read(List::cut(items, page.limit(), |last: &View| last.id.clone())))
}

pub(super) async fn create_for_operator(
    call: Call,
    Json(draft): Json<TokenDraft>,
) -> Result<Created<NewToken>, Problem> {
    create(&call, None, draft).await
}

pub(super) async fn create_for_account(
    call: Call,
    Json(draft): Json<TokenDraft>,
) -> Result<Created<NewToken>, Problem> {
    let account = call.account()?;
    create(&call, Some(&account.name), draft).await
}

async fn create(call: &Call, account: Option<&AccountName>, draft: TokenDraft) -> Result<Created<NewToken>, Problem> {
    let who = call.who()?;
    let made = call.api.accounts.create_token(account, draft, &who).await.map_err(|error| call.refused(error))?;
    let view = View::of(made.id, &made.settings, who.label());
    let location = match account {
        Some(account) => format!("/api/v1/accounts/{account}/tokens/{}", view.id),
        None => format!("/api/v1/tokens/{}", view.id),
    };
    Ok(Created { location, value: NewToken { view, token: made.token.expose().to_owned() } })
}

pub(super) async fn delete_of_account(call: Call, (): ()) -> Result<Removed, Problem> {
    let account = call.account()?;
    delete(&call, Some(&account.name)).await
}

/// Takes a token back wherever it belongs to, as far as the caller may: the id alone says which it is.
pub(super) async fn delete_anywhere(call: Call, (): ()) -> Result<Removed, Problem> {
    let id = id(&call)?;
    if let Identity::Account(token) = call.identity()? {
        let account = token.account_name.clone();
        return delete(&call, Some(&account)).await;
    }
    let accounts = &call.api.accounts;
    if accounts.operator_tokens().iter().any(|(known, _)| *known == id) {
        return delete(&call, None).await;
    }
    let mut after = None;
    loop {
        let some = accounts.accounts("", after.as_ref(), ACCOUNTS_AT_ONCE);
        if let Some(owner) = some.iter().find(|account| account.tokens.contains_key(&id)) {
            return delete(&call, Some(&owner.name)).await;
        }
        after = Some(some.last().ok_or_else(|| Problem::new(Code::TokenNotFound))?.name.clone());
    }
}

async fn delete(call: &Call, account: Option<&AccountName>) -> Result<Removed, Problem> {
    let deleted = call.api.accounts.delete_token(account, id(call)?, &call.who()?).await;
    deleted.map(|()| Removed).map_err(|error| call.refused(error))
}

fn id(call: &Call) -> Result<TokenId, Problem> {
    TokenId::parse(call.segment("id")).map_err(|_| Problem::new(Code::TokenNotFound))
}

const ACCOUNTS_AT_ONCE: usize = 1_000;
