//! The fold: what all commands together say, in memory.
//!
//! Not a cache: it is built from the newest row of every setting at start and changed by each command after
//! it is on disk, by the same function. Numbers that were ever given stay known, so that none is given twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::account::{AccountSettings, StoredAccount};
use super::build::Build;
use super::catalogs::StoredCatalog;
use super::endpoint::{EndpointSettings, StoredEndpoint};
use super::replay::ReplaySettings;
use super::rights::RightsSettings;
use super::stamp::RightsStamp;
use super::token::TokenSettings;
use crate::log::{Error, SettingRow};
use crate::model::{AccountId, AccountName, Command, EndpointId, EndpointName, Position, SettingKind, Timestamp, Who};
use crate::security::{TokenHash, TokenId};

/// A setting, and the command that made it what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revised<T> {
    /// The setting.
    pub value: T,
    /// The position of the command.
    pub revision: Position,
    /// When the command was taken in.
    pub at: Timestamp,
    /// Who gave it.
    pub by: Who,
}

impl<T> Revised<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Revised<U> {
        Revised { value: change(self.value), revision: self.revision, at: self.at, by: self.by }
    }
}

/// An account with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: AccountName,
    /// Its settings.
    pub settings: Revised<AccountSettings>,
    /// Its endpoints by name.
    pub endpoints: BTreeMap<EndpointName, Arc<Endpoint>>,
    /// Its tokens.
    pub tokens: BTreeMap<TokenId, Revised<TokenSettings>>,
    /// Its replays by number.
    pub replays: BTreeMap<u64, Revised<ReplaySettings>>,
    /// What it receives; none only between the command that makes the account and the next one.
    pub rights: Option<Revised<RightsSettings>>,
    /// What INO's contract with it allows, where there is a limit.
    pub ceiling: Option<Revised<RightsSettings>>,
    /// Tells whether what was made under its rights is still so.
    pub stamp: RightsStamp,
}

/// An endpoint with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its number.
    pub id: EndpointId,
    /// Its name.
    pub name: EndpointName,
    /// Whose it is.
    pub account: AccountId,
    /// The account's name.
    pub account_name: AccountName,
    /// Its settings.
    pub settings: Revised<EndpointSettings>,
}

/// Who a token is.
#[derive(Debug, Clone)]
pub(super) struct TokenOwner {
    pub(super) account: Option<AccountId>,
    pub(super) id: TokenId,
}

/// Everything that the commands say.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) names: BTreeMap<AccountName, AccountId>,
    pub(super) accounts: HashMap<AccountId, Arc<Account>>,
    pub(super) operator_tokens: BTreeMap<TokenId, Revised<TokenSettings>>,
    pub(super) tokens_by_hash: HashMap<TokenHash, TokenOwner>,
    pub(super) catalog: Option<Revised<StoredCatalog>>,
    pub(super) build: Option<Revised<Build>>,
    account_last: AccountId,
    endpoint_last: EndpointId,
}

impl State {
    /// Builds the state from the newest row of every setting.
    pub(super) fn fold(rows: &[SettingRow]) -> Result<Self, Error> {
        let mut state = Self::default();
        for row in rows {
            state.apply(row)?;
        }
        Ok(state)
    }

    pub(super) fn next_account(&self) -> AccountId {
        self.account_last.next()
    }

    pub(super) fn next_endpoint(&self) -> EndpointId {
        self.endpoint_last.next()
    }

    pub(super) fn account(&self, name: &AccountName) -> Option<&Arc<Account>> {
        self.accounts.get(self.names.get(name)?)
    }

    /// Takes one command in. Rows come in the order of account, kind and name at start, and in the order of
    /// the log afterwards; an account's own row comes first either way.
    pub(super) fn apply(&mut self, row: &SettingRow) -> Result<(), Error> {
        let command = command(row)?;
        let revised = Revised { value: (), revision: row.revision, at: row.recorded_at, by: command.by.clone() };
        match row.kind {
            SettingKind::Account => self.apply_account(row, revised.map(|()| value(row, &command)).transpose()?),
            SettingKind::Endpoint => self.apply_endpoint(row, revised.map(|()| value(row, &command)).transpose()?)?,
            SettingKind::Token => self.apply_token(row, revised.map(|()| optional(row, &command)).transpose()?)?,
            SettingKind::Job => self.apply_job(row, revised.map(|()| value(row, &command)).transpose()?)?,
            SettingKind::Build => self.build = Some(revised.map(|()| value(row, &command)).transpose()?),
            SettingKind::Rights => {
                let rights = revised.map(|()| value(row, &command)).transpose()?;
                let account = self.account_of(row)?;
                account.rights = Some(rights);
                account.stamp.move_to(row.revision);
            }
            SettingKind::Ceiling => {
                let Revised { value, revision, at, by } = revised.map(|()| optional(row, &command)).transpose()?;
                let account = self.account_of(row)?;
                account.ceiling = value.map(|value| Revised { value, revision, at, by });
                account.stamp.move_to(row.revision);
            }
            SettingKind::Catalog => self.catalog = Some(revised.map(|()| value(row, &command)).transpose()?),
        }
        Ok(())
    }

    fn apply_account(&mut self, row: &SettingRow, stored: Revised<StoredAccount>) {
        self.account_last = self.account_last.max(row.account);
        let name = stored.value.name.clone();
        self.names.insert(name.clone(), row.account);
        let settings = stored.map(|stored| stored.settings);
        match self.accounts.get_mut(&row.account) {
            Some(account) => Arc::make_mut(account).settings = settings,
            None => {
                let account = Account {
                    id: row.account,
                    name,
                    settings,
                    endpoints: BTreeMap::new(),
                    tokens: BTreeMap::new(),
                    replays: BTreeMap::new(),
                    rights: None,
                    ceiling: None,
                    stamp: RightsStamp::default(),
                };
                self.accounts.insert(row.account, Arc::new(account));
            }
        }
    }

    fn apply_endpoint(&mut self, row: &SettingRow, stored: Revised<StoredEndpoint>) -> Result<(), Error> {
        self.endpoint_last = self.endpoint_last.max(stored.value.id);
        let name = EndpointName::parse(&row.name).map_err(|problem| unreadable(row, &problem))?;
        let account = self.account_of(row)?;
        account.stamp.move_to(row.revision);
        let id = stored.value.id;
        let (settings, rest) = (stored.value.settings.clone(), stored.map(|_| ()));
        match settings {
            None => drop(account.endpoints.remove(&name)),
            Some(settings) => {
                let endpoint = Endpoint {
                    id,
                    name: name.clone(),
                    account: account.id,
                    account_name: account.name.clone(),
                    settings: rest.map(|()| settings),
                };
                account.endpoints.insert(name, Arc::new(endpoint));
            }
        }
        Ok(())
    }

    fn apply_token(&mut self, row: &SettingRow, stored: Revised<Option<TokenSettings>>) -> Result<(), Error> {
        let id = TokenId::parse(&row.name).map_err(|problem| unreadable(row, &problem))?;
        let account = (row.account != AccountId::SYSTEM).then_some(row.account);
        let tokens = match account {
            None => &mut self.operator_tokens,
            Some(account) => {
                let account = self.accounts.get_mut(&account);
                &mut Arc::make_mut(account.ok_or_else(|| unreadable(row, &"its account is missing"))?).tokens
            }
        };
        let before = tokens.remove(&id);
        if let Some(before) = before {
            self.tokens_by_hash.remove(&before.value.hash);
        }
        if let Some(settings) = stored.value.clone() {
            self.tokens_by_hash.insert(settings.hash, TokenOwner { account, id });
            tokens.insert(id, stored.map(|_| settings));
        }
        Ok(())
    }

    fn apply_job(&mut self, row: &SettingRow, stored: Revised<ReplaySettings>) -> Result<(), Error> {
        self.account_of(row)?.replays.insert(stored.value.id, stored);
        Ok(())
    }

    fn account_of(&mut self, row: &SettingRow) -> Result<&mut Account, Error> {
        let account = self.accounts.get_mut(&row.account);
        account.map(Arc::make_mut).ok_or_else(|| unreadable(row, &"its account is missing"))
    }
}

impl<T> Revised<Result<T, Error>> {
    fn transpose(self) -> Result<Revised<T>, Error> {
        Ok(Revised { value: self.value?, revision: self.revision, at: self.at, by: self.by })
    }
}

impl<T: DeserializeOwned> Revised<Option<T>> {
    /// Reads the setting that a row carries, if it carries one.
    pub(super) fn read_optional(row: &SettingRow) -> Result<Self, Error> {
        let command = command(row)?;
        let value = optional(row, &command)?;
        Ok(Self { value, revision: row.revision, at: row.recorded_at, by: command.by })
    }
}

impl<T: DeserializeOwned> Revised<T> {
    /// Reads the setting that a row carries.
    pub(super) fn read(row: &SettingRow) -> Result<Self, Error> {
        let command = command(row)?;
        let value = value(row, &command)?;
        Ok(Self { value, revision: row.revision, at: row.recorded_at, by: command.by })
    }
}

fn command(row: &SettingRow) -> Result<Command, Error> {
    let command: Command = serde_json::from_slice(&row.command).map_err(|problem| unreadable(row, &problem))?;
    if command.version > COMMAND_VERSION {
        return Err(unreadable(row, &format!("its version is {}; use a newer hooklog", command.version)));
    }
    Ok(command)
}

fn value<T: DeserializeOwned>(row: &SettingRow, command: &Command) -> Result<T, Error> {
    optional(row, command)?.ok_or_else(|| unreadable(row, &"it has no value"))
}

fn optional<T: DeserializeOwned>(row: &SettingRow, command: &Command) -> Result<Option<T>, Error> {
    command
        .value
        .as_ref()
        .map(|value| serde_json::from_str(value.get()))
        .transpose()
        .map_err(|problem| unreadable(row, &problem))
}

fn unreadable(row: &SettingRow, problem: &dyn std::fmt::Display) -> Error {
    Error::Inconsistent(format!(
        "the command at position {} ({:?} {:?} of account {}) cannot be read: {problem}",
        row.revision, row.kind, row.name, row.account
    ))
}

/// The version of commands that this program writes.
pub(super) const COMMAND_VERSION: u16 = 1;
