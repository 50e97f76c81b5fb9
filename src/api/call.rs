//! One request on its way through a route: who asks, about what.
//!
//! Not its query or body: a handler is given those in types of their own.

use std::sync::Arc;

use http::HeaderMap;

use super::Api;
use super::failure;
use crate::accounts::{Account, Endpoint};
use crate::model::{AccountName, EndpointName, Permission, Timestamp, Who};
use crate::runtime::blocking;
use crate::web::{Code, Identity, Problem};
use crate::{accounts, log};

/// One request that may be answered.
pub(super) struct Call {
    pub(super) api: Arc<Api>,
    pub(super) identity: Option<Identity>,
    pub(super) headers: HeaderMap,
    path: Vec<(String, String)>,
}

impl Call {
    pub(super) const fn new(
        api: Arc<Api>,
        identity: Option<Identity>,
        path: Vec<(String, String)>,
        headers: HeaderMap,
    ) -> Self {
        Self { api, identity, headers, path }
    }

    /// Returns what stands in a place of the path.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns what stands in a place that the route's path has.
    pub(super) fn segment(&self, name: &str) -> &str {
        self.parameter(name).unwrap_or_default()
    }

    /// Returns who asks; a route that needs no token does not ask for it.
    pub(super) fn identity(&self) -> Result<&Identity, Problem> {
        self.identity.as_ref().ok_or_else(|| Problem::new(Code::Unauthorized))
    }

    /// Returns the author that a command of this request has.
    pub(super) fn who(&self) -> Result<Who, Problem> {
        self.identity().map(Identity::who)
    }

    /// Returns whether the caller also has another permission than the one the route needs.
    pub(super) fn also_may(&self, permission: Permission) -> bool {
        match &self.identity {
            Some(Identity::Operator(_)) => true,
            Some(Identity::Account(token)) => token.permissions.contains(&permission),
            None => false,
        }
    }

    /// Returns the account's name; one of the wrong form names no account.
    pub(super) fn account_name(&self) -> Result<AccountName, Problem> {
        AccountName::parse(self.segment("account")).map_err(|_| Problem::new(Code::AccountNotFound))
    }

    /// Returns the account that the path names.
    pub(super) fn account(&self) -> Result<Arc<Account>, Problem> {
        let account = self.api.accounts.account(&self.account_name()?);
        let account = account.ok_or_else(|| Problem::new(Code::AccountNotFound))?;
        self.identity()?.require_account(account.id)?;
        Ok(account)
    }

    /// Returns the endpoint's name; one of the wrong form names no endpoint.
    pub(super) fn endpoint_name(&self) -> Result<EndpointName, Problem> {
        EndpointName::parse(self.segment("endpoint")).map_err(|_| Problem::new(Code::EndpointNotFound))
    }

    /// Returns the endpoint that the path names.
    pub(super) fn endpoint(&self) -> Result<Arc<Endpoint>, Problem> {
        let (account, name) = (self.account()?, self.endpoint_name()?);
        account.endpoints.get(&name).map(Arc::clone).ok_or_else(|| Problem::new(Code::EndpointNotFound))
    }

    /// Returns the present instant.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.api.clock.wall_ms())
    }

    /// Turns a failed command into a problem.
    pub(super) fn refused(&self, error: accounts::Error) -> Problem {
        failure::of_accounts(&self.api.accounts, error)
    }

    /// Looks something up in the log, on a thread that may wait for the disk.
    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce(&log::Handle) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let log = self.api.log.clone();
        blocking(move || look(&log)).await
    }
}
