//! `GET /me`: who a token is.

use serde::Serialize;

use super::answer::Read;
use super::call::Call;
use crate::model::{AccountName, Permission, Permissions, Timestamp, Who};
use crate::web::{Identity, Problem};

/// Who asks, and what they may do.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Me {
    /// Who it is.
    who: Who,
    /// Whether this is an operator, who may do everything on every account.
    operator: bool,
    /// The account that the token is for; null for an operator.
    account: Option<AccountName>,
    /// What it may do there.
    permissions: Permissions,
    /// When the token ends; null where it does not.
    expires_at: Option<Timestamp>,
}

pub(super) async fn get(call: Call, (): ()) -> Result<Read<Me>, Problem> {
    let identity = call.identity()?;
    let who = identity.who();
    Ok(Read(match identity {
        Identity::Operator(info) => Me {
            who,
            operator: true,
            account: None,
            permissions: Permission::ALL.into_iter().collect(),
            expires_at: info.as_ref().and_then(|info| info.expires_at),
        },
        Identity::Account(token) => Me {
            who,
            operator: false,
            account: Some(token.account_name.clone()),
            permissions: token.permissions.clone(),
            expires_at: token.info.expires_at,
        },
    }))
}
