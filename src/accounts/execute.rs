//! Commands: the only way a setting changes.
//!
//! One at a time: validate against the state, keep secrets, append, fold, tell the observer and wait for its
//! nod, acknowledge. Not a queue: whoever asks waits for the turn, and for the disk.

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::account::{AccountSettings, StoredAccount};
use super::auth::Auth;
use super::endpoint::{
    EndpointDraft, EndpointSettings, Halt, NewKey, ResumeFrom, SigningKey, Skipped, Sought, StoredEndpoint,
};
use super::state::{Account, COMMAND_VERSION, Endpoint, Revised};
use super::tables::Narrowing;
use super::token::{TokenDraft, TokenSettings};
use super::{Accounts, Change, Error, KeyId};
use crate::log::{NewCommand, SettingRow};
use crate::model::limits::{ACCOUNTS_MAX, ENDPOINTS_PER_ACCOUNT_MAX, TOKENS_PER_ACCOUNT_MAX};
use crate::model::{
    AccountId, AccountName, Command, EndpointId, EndpointName, Offset, Permission, Position, SettingKind, Timestamp,
    Who,
};
use crate::runtime::Random;
use crate::security::{ApiToken, Secret, Signer, TokenId, TokenKind};

/// What must be so for a write to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// The setting is at this revision.
    At(Position),
    /// The setting is there, whatever its revision.
    Present,
    /// The setting is not there.
    Absent,
}

/// A token that was just made: the only time it is seen.
#[derive(Debug)]
pub struct NewToken {
    /// Its id.
    pub id: TokenId,
    /// What is kept of it.
    pub settings: TokenSettings,
    /// The token itself.
    pub token: ApiToken,
}

/// What the writer of an endpoint may do beyond writing settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct May {
    /// Let a kept secret follow to another scheme, host or port.
    pub move_secrets: bool,
    /// Change or lift what narrows the endpoint.
    pub change_rights: bool,
}

/// Whoever holds this may execute.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) random: Random,
}

/// What a command makes of a setting.
pub(super) struct NewSetting<'a, T> {
    account: AccountId,
    kind: SettingKind,
    name: &'a str,
    /// The whole new value; none where the setting is deleted.
    value: Option<&'a T>,
    /// What the value names by its digest.
    blobs: Vec<([u8; 32], Bytes)>,
}

impl<'a, T> NewSetting<'a, T> {
    pub(super) const fn new(account: AccountId, kind: SettingKind, name: &'a str, value: Option<&'a T>) -> Self {
        Self { account, kind, name, value, blobs: Vec::new() }
    }

    pub(super) fn with_blob(mut self, blob: ([u8; 32], Bytes)) -> Self {
        self.blobs.push(blob);
        self
    }
}

impl Accounts {
    // --- Accounts --------------------------------------------------------------------------------

    /// Makes an account or replaces its settings; says whether it was made.
    ///
    /// # Errors
    /// `Invalid`, `Changed`, `Limit`; `Log` where it could not be kept.
    pub async fn put_account(
        &self,
        name: &AccountName,
        settings: AccountSettings,
        condition: Condition,
        who: &Who,
    ) -> Result<(Arc<Account>, bool), Error> {
        settings.check()?;
        let mut turn = self.0.turn.lock().await;
        let present = self.account(name);
        check(condition, present.as_ref().map(|account| &account.settings))?;
        let id = match &present {
            Some(account) => account.id,
            None => self.read(|state| {
                let count = state.names.len();
                if count >= ACCOUNTS_MAX {
                    Err(Error::Limit { what: "accounts", limit: ACCOUNTS_MAX })
                } else {
                    Ok(state.next_account())
                }
            })?,
        };
        if let Some(present) = present.as_ref().filter(|account| account.settings.value == settings) {
            return Ok((Arc::clone(present), false));
        }
        let stored = StoredAccount { name: name.clone(), settings };
        let setting = NewSetting::new(id, SettingKind::Account, "", Some(&stored));
        self.execute(&mut turn, setting, who, Change::Account(id)).await?;
        if present.is_none() {
            // Decided on the catalogue of this moment: what a later one recommends stays withheld.
            self.give_first_rights(&mut turn, id, who).await?;
        }
        let account = self.account_by_id(id).ok_or_else(|| Error::AccountNotFound(name.to_string()))?;
        Ok((account, present.is_none()))
    }

    // --- Endpoints -------------------------------------------------------------------------------

    /// Makes an endpoint or replaces its settings; says whether it was made.
    ///
    /// A new endpoint receives what comes from now on, and gets a key to sign with.
    /// # Errors
    /// `Invalid`, `Url`, `Changed`, `Limit`, `Forbidden`; `Log` and `Keystore` where it could not be kept.
    pub async fn put_endpoint(
        &self,
        account: &AccountName,
        name: &EndpointName,
        draft: EndpointDraft,
        condition: Condition,
        who: &Who,
        may: May,
    ) -> Result<(Arc<Endpoint>, bool), Error> {
        draft.check()?;
        self.check_url(&draft.url)?;
        let mut turn = self.0.turn.lock().await;
        let account = self.account(account).ok_or_else(|| Error::AccountNotFound(account.to_string()))?;
        let present = account.endpoints.get(name).map(Arc::clone);
        check(condition, present.as_ref().map(|endpoint| &endpoint.settings))?;
        if present.is_none() && account.endpoints.len() >= ENDPOINTS_PER_ACCOUNT_MAX {
            return Err(Error::Limit { what: "endpoints", limit: ENDPOINTS_PER_ACCOUNT_MAX });
        }
        let kept = present.as_ref().map(|endpoint| &endpoint.settings.value);
        let rights = draft.rights.as_ref().map(|rights| self.check_narrowing(rights)).transpose()?;
        let (types, max_age_by_type) = (draft.check_types()?, draft.check_ages()?);
        if kept.is_some_and(|kept| kept.rights.is_some() && kept.rights != rights) && !may.change_rights {
            let detail = "the endpoint has rights of its own, which this would change: send them as they are read";
            return Err(Error::Forbidden { missing: Permission::Rights, detail: detail.to_owned() });
        }
        let own = Narrowing { rights: rights.as_ref(), types: types.as_ref() };
        if let Some(account_rights) = account.rights.as_ref().filter(|_| own.narrows()) {
            let ceiling = account.ceiling.as_ref().map(|ceiling| &ceiling.value);
            self.check_fit(&account_rights.value, ceiling, own).map_err(|problem| problem.below("/rights"))?;
        }
        let certificate = self.asked_certificate(&draft, kept, may.move_secrets)?;
        let auth = self.keep_auth(&mut turn, &draft, kept, may.move_secrets)?;
        let certificate = certificate.map(|asked| asked.keep(|key| self.keep_secret(&mut turn, key))).transpose()?;
        let mut keys = kept.map(|kept| kept.keys.clone()).unwrap_or_default();
        for scheme in draft.signing.schemes() {
            if !keys.iter().any(|key| key.scheme == *scheme && key.valid_until.is_none()) {
                let signer = Signer::make(*scheme, &mut turn.random);
                keys.push(self.keep_key(&mut turn, &signer)?);
            }
        }
        // Enabling by hand is a person's word against whatever halted the endpoint but a pause.
        let halt = kept.and_then(|kept| kept.halt.clone()).filter(|(halt, _)| *halt == Halt::Paused || !draft.enabled);
        let settings = EndpointSettings {
            url: draft.url,
            enabled: draft.enabled,
            auth,
            certificate,
            signing: draft.signing,
            order: draft.order,
            format: draft.format,
            max_in_flight: draft.max_in_flight,
            rate_per_second: draft.rate_per_second.and_then(NonZeroU32::new),
            timeout_ms: draft.timeout_ms,
            headers: draft.headers,
            after: kept.map(|kept| kept.after).or(draft.after).unwrap_or_else(|| self.0.log.account_head(account.id)),
            keys,
            halt,
            types,
            rights,
            max_age_ms: draft.max_age_ms,
            max_age_by_type,
            on_filter_error: draft.on_filter_error,
            skip: match kept {
                Some(kept) if !kept.enabled && draft.enabled && draft.resume_from == Some(ResumeFrom::Now) => {
                    self.skip_to_head(account.id, kept, who)?.or_else(|| kept.skip.clone())
                }
                Some(kept) => kept.skip.clone(),
                None => None,
            },
            seek: kept.and_then(|kept| kept.seek.clone()),
        };
        if let Some(present) = present.as_ref().filter(|endpoint| endpoint.settings.value == settings) {
            return Ok((Arc::clone(present), false));
        }
        let id = present.as_ref().map_or_else(|| self.read(|state| state.next_endpoint()), |endpoint| endpoint.id);
        let endpoint = self.store_endpoint(&mut turn, account.id, name, id, settings, who).await?;
        Ok((endpoint, present.is_none()))
    }

    /// Deletes an endpoint; a new one of the same name shares nothing with it.
    ///
    /// # Errors
    /// `AccountNotFound`, `EndpointNotFound`, `Changed`; `Log` where it could not be kept.
    pub async fn delete_endpoint(
        &self,
        account: &AccountName,
        name: &EndpointName,
        condition: Condition,
        who: &Who,
    ) -> Result<(), Error> {
        let mut turn = self.0.turn.lock().await;
        let endpoint = self.endpoint(account, name)?;
        check(condition, Some(&endpoint.settings))?;
        let stored = StoredEndpoint { id: endpoint.id, settings: None };
        let change = Change::Endpoint { account: endpoint.account, name: name.clone(), id: endpoint.id };
        let setting = NewSetting::new(endpoint.account, SettingKind::Endpoint, name.as_str(), Some(&stored));
        self.execute(&mut turn, setting, who, change).await?;
        self.fail_replays(&mut turn, &endpoint, who).await
    }

    /// Halts an endpoint: nothing is sent until it goes on; events wait.
    ///
    /// # Errors
    /// `AccountNotFound`, `EndpointNotFound`; `Log` where it could not be kept.
    pub async fn halt_endpoint(
        &self,
        account: &AccountName,
        name: &EndpointName,
        halt: Halt,
        who: &Who,
    ) -> Result<Arc<Endpoint>, Error> {
        let now = self.now();
        self.change_endpoint(account, name, who, |settings| {
            if settings.halt.as_ref().is_some_and(|(present, _)| *present == halt) {
                return false;
            }
            settings.enabled &= halt != Halt::Gone;
            settings.halt = Some((halt, now));
            true
        })
        .await
    }

    /// Lets a paused endpoint go on.
    ///
    /// # Errors
    /// `AccountNotFound`, `EndpointNotFound`; `Log` where it could not be kept.
    pub async fn resume_endpoint(
        &self,
        account: &AccountName,
        name: &EndpointName,
        from: ResumeFrom,
        who: &Who,
    ) -> Result<Arc<Endpoint>, Error> {
        let skipped = match from {
            ResumeFrom::Cursor => None,
            ResumeFrom::Now => {
                let endpoint = self.endpoint(account, name)?;
                self.skip_to_head(endpoint.account, &endpoint.settings.value, who)?
            }
        };
        self.change_endpoint(account, name, who, |settings| {
            let was_halted = settings.halt.take().is_some();
            if was_halted && skipped.is_some() {
                settings.skip.clone_from(&skipped);
            }
            was_halted
        })
        .await
    }

    /// Lets an endpoint begin anew at an event: from there on all is delivered, whatever became of it before.
    ///
    /// # Errors
    /// `AccountNotFound`, `EndpointNotFound`; `Log` where it could not be kept.
    pub async fn seek_endpoint(
        &self,
        account: &AccountName,
        name: &EndpointName,
        first: Offset,
        who: &Who,
    ) -> Result<Arc<Endpoint>, Error> {
        let before = first.previous();
        let row = self.0.log.index_at(self.endpoint(account, name)?.account, before)?;
        let (at, before_at, label) = (self.now(), row.map(|row| row.position), who.label());
        self.change_endpoint(account, name, who, |settings| {
            let number = settings.last_move() + 1;
            settings.after = settings.after.min(before);
            settings.seek = Some(Sought { number, first, before: before_at, at, who: label.clone() });
            true
        })
        .await
    }

    /// Passes over everything that an account has taken in so far; nothing where that is nothing.
    fn skip_to_head(
        &self,
        account: AccountId,
        settings: &EndpointSettings,
        who: &Who,
    ) -> Result<Option<Skipped>, Error> {
        let to = self.0.log.account_head(account);
        let number = settings.last_move() + 1;
        let row = self.0.log.index_at(account, to)?;
        Ok(row.map(|row| Skipped { number, to, position: row.position, who: who.label() }))
    }

    /// Gives an endpoint a new key to sign with; those of its scheme before it stay valid for `overlap`.
    ///
    /// # Errors
    /// `AccountNotFound`, `EndpointNotFound`; `Log` and `Keystore` where it could not be kept.
    pub async fn rotate_key(
        &self,
        account: &AccountName,
        name: &EndpointName,
        overlap: Duration,
        new: NewKey,
        who: &Who,
    ) -> Result<Arc<Endpoint>, Error> {
        let mut turn = self.0.turn.lock().await;
        let endpoint = self.endpoint(account, name)?;
        let mut settings = endpoint.settings.value.clone();
        let now = self.now();
        let until = now.plus(overlap);
        let signer = match new {
            NewKey::Made(scheme) => Signer::make(scheme, &mut turn.random),
            NewKey::Given(signer) => signer,
        };
        let scheme = signer.scheme();
        for key in settings.keys.iter_mut().filter(|key| key.scheme == scheme) {
            key.valid_until = Some(key.valid_until.map_or(until, |before| before.min(until)));
        }
        settings.keys.retain(|key| key.valid_until.is_none_or(|until| until > now));
        if settings.keys.iter().filter(|key| key.scheme == scheme).count() >= KEYS_MAX {
            return Err(Error::Limit { what: "signing keys of one scheme valid at once", limit: KEYS_MAX });
        }
        let key = self.keep_key(&mut turn, &signer)?;
        settings.keys.insert(0, key);
        self.store_endpoint(&mut turn, endpoint.account, name, endpoint.id, settings, who).await
    }

    /// Takes back a key that is still valid beside a newer one.
    ///
    /// # Errors
    /// `NotFound` where there is no such key; `NotNow` for the last one.
    pub async fn delete_key(
        &self,
        account: &AccountName,
        name: &EndpointName,
        id: KeyId,
        who: &Who,
    ) -> Result<(), Error> {
        let mut turn = self.0.turn.lock().await;
        let endpoint = self.endpoint(account, name)?;
        let mut settings = endpoint.settings.value.clone();
        let Some(key) = settings.keys.iter().find(|key| key.id == id) else {
            return Err(Error::NotFound { what: "signing key", id: id.to_string() });
        };
        if key.valid_until.is_none() && settings.signing.schemes().contains(&key.scheme) {
            let detail = "this is the newest key: rotate it instead, with overlapMs 0 if it must go at once";
            return Err(Error::NotNow(detail.to_owned()));
        }
        settings.keys.retain(|key| key.id != id);
        self.store_endpoint(&mut turn, endpoint.account, name, endpoint.id, settings, who).await.map(drop)
    }

    // --- Tokens ----------------------------------------------------------------------------------

    /// Makes a token of an account, or of the operator.
    ///
    /// # Errors
    /// `Invalid`, `AccountNotFound`, `Limit`; `Log` where it could not be kept.
    pub async fn create_token(
        &self,
        account: Option<&AccountName>,
        draft: TokenDraft,
        who: &Who,
    ) -> Result<NewToken, Error> {
        let now = self.now();
        draft.check(account.is_none(), now)?;
        let mut turn = self.0.turn.lock().await;
        let (owner, count) = self.token_owner(account)?;
        if count >= TOKENS_PER_ACCOUNT_MAX {
            return Err(Error::Limit { what: "tokens", limit: TOKENS_PER_ACCOUNT_MAX });
        }
        let kind = if account.is_none() { TokenKind::Operator } else { TokenKind::Account };
        let token = ApiToken::make(kind, &mut turn.random);
        let id = TokenId::make(&mut turn.random);
        let settings = TokenSettings {
            name: draft.name,
            permissions: draft.permissions,
            created_at: now,
            expires_at: draft.expires_at,
            hash: token.hash(),
        };
        let name = id.to_string();
        let setting = NewSetting::new(owner, SettingKind::Token, &name, Some(&settings));
        self.execute(&mut turn, setting, who, Change::Token).await?;
        Ok(NewToken { id, settings, token })
    }

    /// Takes a token back.
    ///
    /// # Errors
    /// `NotFound`, `AccountNotFound`; `Log` where it could not be kept.
    pub async fn delete_token(&self, account: Option<&AccountName>, id: TokenId, who: &Who) -> Result<(), Error> {
        let mut turn = self.0.turn.lock().await;
        let (owner, _) = self.token_owner(account)?;
        let is_there = self.read(|state| match state.accounts.get(&owner) {
            Some(account) => account.tokens.contains_key(&id),
            None => state.operator_tokens.contains_key(&id),
        });
        if !is_there {
            return Err(Error::NotFound { what: "token", id: id.to_string() });
        }
        let name = id.to_string();
        let setting = NewSetting::<TokenSettings>::new(owner, SettingKind::Token, &name, None);
        self.execute(&mut turn, setting, who, Change::Token).await.map(drop)
    }

    // --- What all of them share ------------------------------------------------------------------

    /// Appends one command, folds it, tells the observer and waits for its nod.
    pub(super) async fn execute<T: Serialize + Sync>(
        &self,
        turn: &mut Executor,
        setting: NewSetting<'_, T>,
        who: &Who,
        change: Change,
    ) -> Result<Position, Error> {
        let NewSetting { account, kind, name, value, blobs } = setting;
        let value = value.map(|value| {
            serde_json::value::to_raw_value(value).expect("settings have text keys and nothing else that can fail")
        });
        let command = Command { version: COMMAND_VERSION, kind, name: name.to_owned(), by: who.clone(), value };
        let row = |place: crate::log::Place, command: &Command| SettingRow {
            account,
            kind,
            name: name.to_owned(),
            revision: place.position,
            recorded_at: place.recorded_at,
            command: serde_json::to_vec(command).expect("a command was just written the same way").into(),
        };
        let copy = Command { value: command.value.as_deref().map(RawValue::to_owned), ..command.clone() };
        let salt = turn.random.bytes();
        let place = self.0.log.append_command(NewCommand { account, command, blobs }, salt).await?;
        self.0.state.write().unwrap_or_else(PoisonError::into_inner).apply(&row(place, &copy))?;
        if let Some(observer) = self.0.observer.get() {
            observer.changed(change).await;
        }
        Ok(place.position)
    }

    async fn change_endpoint(
        &self,
        account: &AccountName,
        name: &EndpointName,
        who: &Who,
        change: impl FnOnce(&mut EndpointSettings) -> bool + Send,
    ) -> Result<Arc<Endpoint>, Error> {
        let mut turn = self.0.turn.lock().await;
        let endpoint = self.endpoint(account, name)?;
        let mut settings = endpoint.settings.value.clone();
        if !change(&mut settings) {
            return Ok(endpoint);
        }
        self.store_endpoint(&mut turn, endpoint.account, name, endpoint.id, settings, who).await
    }

    async fn store_endpoint(
        &self,
        turn: &mut Executor,
        account: AccountId,
        name: &EndpointName,
        id: EndpointId,
        settings: EndpointSettings,
        who: &Who,
    ) -> Result<Arc<Endpoint>, Error> {
        let stored = StoredEndpoint { id, settings: Some(settings) };
        let change = Change::Endpoint { account, name: name.clone(), id };
        let setting = NewSetting::new(account, SettingKind::Endpoint, name.as_str(), Some(&stored));
        self.execute(turn, setting, who, change).await?;
        let account = self.account_by_id(account);
        let endpoint = account.and_then(|account| account.endpoints.get(name).map(Arc::clone));
        endpoint.ok_or_else(|| Error::EndpointNotFound(name.to_string()))
    }

    /// Keeps the secret that a draft brings, or decides whether the present one stays.
    fn keep_auth(
        &self,
        turn: &mut Executor,
        draft: &EndpointDraft,
        kept: Option<&EndpointSettings>,
        may_move_secrets: bool,
    ) -> Result<Auth, Error> {
        if let Some(secret) = draft.auth.secret() {
            let bytes = secret.expose().as_bytes().to_vec();
            return Ok(draft.auth.keep(self.keep_secret(turn, bytes)?));
        }
        if !draft.auth.has_secret() {
            return Ok(Auth::None);
        }
        let stays = kept.filter(|kept| draft.auth.continues(&kept.auth));
        let Some((kept, secret)) = stays.and_then(|kept| kept.auth.secret().map(|secret| (kept, secret))) else {
            let detail = "the secret part is missing, and there is none to stay".to_owned();
            return Err(Error::invalid(draft.auth.pointer(), detail));
        };
        let detail = "a secret is not sent to another scheme, host or port by itself: give it anew, or ask somebody \
                      with the permission secrets";
        self.check_stays(kept, draft, may_move_secrets, detail)?;
        Ok(draft.auth.keep(secret))
    }

    /// Checks that a kept secret goes where it went before, or is moved by somebody who may.
    pub(super) fn check_stays(
        &self,
        kept: &EndpointSettings,
        draft: &EndpointDraft,
        may_move_secrets: bool,
        detail: &str,
    ) -> Result<(), Error> {
        if may_move_secrets || self.origin(&kept.url) == self.origin(&draft.url) {
            return Ok(());
        }
        Err(Error::Forbidden { missing: Permission::Secrets, detail: detail.to_owned() })
    }

    /// Where an address leads, as far as a secret cares; none where it cannot be read.
    fn origin(&self, url: &str) -> Option<(crate::security::Scheme, String)> {
        self.check_url(url).ok().map(|target| (target.scheme(), format!("{}:{}", target.authority(), target.port())))
    }

    fn keep_key(&self, turn: &mut Executor, signer: &Signer) -> Result<SigningKey, Error> {
        let id = self.keep_secret(turn, signer.expose_bytes())?;
        Ok(SigningKey { id, scheme: signer.scheme(), created_at: self.now(), valid_until: None })
    }

    fn keep_secret(&self, turn: &mut Executor, secret: Vec<u8>) -> Result<KeyId, Error> {
        let mut keystore = self.0.keystore.write().unwrap_or_else(PoisonError::into_inner);
        Ok(keystore.keep(Secret::new(secret), &mut turn.random)?)
    }

    fn token_owner(&self, account: Option<&AccountName>) -> Result<(AccountId, usize), Error> {
        match account {
            None => Ok((AccountId::SYSTEM, self.read(|state| state.operator_tokens.len()))),
            Some(name) => {
                let account = self.account(name).ok_or_else(|| Error::AccountNotFound(name.to_string()))?;
                Ok((account.id, account.tokens.len()))
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.0.clock.wall_ms())
    }
}

pub(super) fn check<T>(condition: Condition, present: Option<&Revised<T>>) -> Result<(), Error> {
    let holds = match (condition, present) {
        (Condition::None, _) | (Condition::Present, Some(_)) | (Condition::Absent, None) => true,
        (Condition::At(revision), Some(present)) => present.revision == revision,
        (Condition::At(_) | Condition::Present, None) | (Condition::Absent, Some(_)) => false,
    };
    if holds {
        return Ok(());
    }
    Err(present.map_or(Error::Changed { revision: Position(0), at: Timestamp(0), by: Who::System }, |present| {
        Error::Changed { revision: present.revision, at: present.at, by: present.by.clone() }
    }))
}
/// Signing keys of one endpoint that may be valid at once.
const KEYS_MAX: usize = 8;
