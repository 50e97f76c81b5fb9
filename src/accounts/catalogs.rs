//! The catalogue as a setting: every form that rights were ever decided on stays in the log.
//!
//! The newest is put together from the built-in files, an operator's own and what calls have given; another result
//! than the last one enters the log as a command, and its text as a blob. Not what entries mean: [`crate::catalog`]
//! does that.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::execute::{Executor, NewSetting, check};
use super::rights::RightsSettings;
use super::state::Revised;
use super::{Accounts, Change, Condition, Error};
use crate::catalog::{CALL, Catalog, File, Mistake, TypeCall};
use crate::log;
use crate::model::{AccountId, EventType, Position, SettingKind, Who};
use crate::security::{Hex, read_hex};

/// A file of an operator's own: what people call it, and what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// Its path as given.
    pub name: String,
    /// TOML as in the built-in files.
    pub text: String,
}

/// What the command of the catalogue carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredCatalog {
    /// The SHA-256 of its text, in hex: under it the text is a blob.
    pub(super) digest: String,
    /// Types that calls have given, on top of all files.
    pub(super) calls: BTreeMap<EventType, TypeCall>,
}

/// The catalogue of this moment.
#[derive(Debug, Clone)]
pub struct CurrentCatalog {
    /// Its entries.
    pub catalog: Arc<Catalog>,
    /// The types that calls have given.
    pub called: Vec<EventType>,
    /// The command that made it what it is.
    pub revised: Revised<()>,
}

/// Catalogues that were read, by their digests.
#[derive(Debug, Default)]
pub(super) struct Catalogs(RwLock<HashMap<String, Arc<Catalog>>>);

impl Accounts {
    /// Returns the catalogue of this moment.
    ///
    /// # Errors
    /// `Log` where its text cannot be read.
    pub fn catalog(&self) -> Result<CurrentCatalog, Error> {
        let stored = self.read(|state| state.catalog.clone());
        let stored = stored.ok_or_else(|| Error::NotFound { what: "catalogue", id: "in the log".to_owned() })?;
        let catalog = self.catalog_of(&stored.value.digest)?;
        let called = stored.value.calls.keys().cloned().collect();
        Ok(CurrentCatalog { catalog, called, revised: stored.map(drop) })
    }

    /// Returns the catalogue of a revision; none where there is no such revision of it.
    ///
    /// # Errors
    /// `Log` where it cannot be read.
    pub fn catalog_at(&self, revision: Position) -> Result<Option<Arc<Catalog>>, Error> {
        let newest = self.read(|state| state.catalog.clone());
        if let Some(newest) = newest.filter(|newest| newest.revision == revision) {
            return self.catalog_of(&newest.value.digest).map(Some);
        }
        let row = self.0.log.setting_as_of(AccountId::SYSTEM, SettingKind::Catalog, "", revision)?;
        let Some(row) = row.filter(|row| row.revision == revision) else { return Ok(None) };
        let stored: Revised<StoredCatalog> = Revised::read(&row)?;
        self.catalog_of(&stored.value.digest).map(Some)
    }

    /// Gives a type to the catalogue, or takes the place of the one of that name; says whether it was new.
    ///
    /// # Errors
    /// `Catalog` with every mistake in it, `Changed`; `Log` where it could not be kept.
    pub async fn put_catalog_type(
        &self,
        name: &EventType,
        call: TypeCall,
        condition: Condition,
        who: &Who,
    ) -> Result<bool, Error> {
        let mut turn = self.0.turn.lock().await;
        let present = self.checked_calls(condition)?;
        let mut calls = present.clone();
        let is_new = calls.insert(name.clone(), call).is_none();
        if calls != present {
            let catalog = self.put_together(&calls).map_err(Error::Catalog)?;
            self.store_catalog(&mut turn, catalog, calls, who).await?;
        }
        Ok(is_new)
    }

    /// Takes a type back that a call has given; one of the same name in a file shows again.
    ///
    /// # Errors
    /// `NotFound` where no call has given it, `Changed`; `Log` where it could not be kept.
    pub async fn delete_catalog_type(&self, name: &EventType, condition: Condition, who: &Who) -> Result<(), Error> {
        let mut turn = self.0.turn.lock().await;
        let mut calls = self.checked_calls(condition)?;
        if calls.remove(name).is_none() {
            return Err(Error::NotFound { what: "type given by a call", id: name.to_string() });
        }
        let catalog = self.put_together(&calls).map_err(Error::Catalog)?;
        self.store_catalog(&mut turn, catalog, calls, who).await
    }

    /// Lets what this program and its files bring enter the log, where it is another catalogue than the last one;
    /// and gives accounts of before there were rights the rights of that catalogue.
    pub(super) async fn settle_catalog(&self) -> Result<(), Error> {
        let mut turn = self.0.turn.lock().await;
        let stored = self.read(|state| state.catalog.clone());
        let calls = stored.as_ref().map(|stored| stored.value.calls.clone()).unwrap_or_default();
        let present = stored.map(|stored| stored.value.digest);
        match self.put_together(&calls) {
            Ok(catalog) if present.as_ref() == Some(&digest(&catalog.to_text())) => {}
            Ok(catalog) => self.store_catalog(&mut turn, catalog, calls, &Who::System).await?,
            // What calls have said is kept: a newer program's files may no longer have what a call names.
            Err(mistakes) if present.is_some() && is_of_calls(&mistakes) => {
                tracing::error!(
                    mistake = %mistakes.first().map(ToString::to_string).unwrap_or_default(),
                    "the catalogue stays as it was: what calls have given no longer fits its files"
                );
            }
            Err(mistakes) => return Err(Error::Catalog(mistakes)),
        }
        let without = self.read(|state| {
            state.accounts.values().filter(|account| account.rights.is_none()).map(|account| account.id).collect()
        });
        let without: Vec<AccountId> = without;
        for account in without {
            self.give_first_rights(&mut turn, account, &Who::System).await?;
        }
        Ok(())
    }

    /// Gives an account what is recommended at this moment.
    pub(super) async fn give_first_rights(
        &self,
        turn: &mut Executor,
        account: AccountId,
        who: &Who,
    ) -> Result<(), Error> {
        let catalog = self.catalog()?.revised.revision;
        let rights = RightsSettings::recommended(catalog);
        let setting = NewSetting::new(account, SettingKind::Rights, "", Some(&rights));
        self.execute(turn, setting, who, Change::Rights(account)).await.map(drop)
    }

    fn checked_calls(&self, condition: Condition) -> Result<BTreeMap<EventType, TypeCall>, Error> {
        let stored = self.read(|state| state.catalog.clone());
        check(condition, stored.as_ref())?;
        Ok(stored.map(|stored| stored.value.calls).unwrap_or_default())
    }

    fn put_together(&self, calls: &BTreeMap<EventType, TypeCall>) -> Result<Catalog, Vec<Mistake>> {
        let files = &self.0.options.catalog_files;
        let files: Vec<File<'_>> = files.iter().map(|file| File { name: &file.name, text: &file.text }).collect();
        Catalog::with_files_and_calls(&files, calls)
    }

    async fn store_catalog(
        &self,
        turn: &mut Executor,
        catalog: Catalog,
        calls: BTreeMap<EventType, TypeCall>,
        who: &Who,
    ) -> Result<(), Error> {
        let text = catalog.to_text();
        let digest = digest(&text);
        let blob = (Sha256::digest(&text).into(), Bytes::from(text));
        self.0.catalogs.keep(&digest, Arc::new(catalog));
        let stored = StoredCatalog { digest, calls };
        let setting = NewSetting::new(AccountId::SYSTEM, SettingKind::Catalog, "", Some(&stored)).with_blob(blob);
        self.execute(turn, setting, who, Change::Catalog).await.map(drop)
    }

    fn catalog_of(&self, digest: &str) -> Result<Arc<Catalog>, Error> {
        if let Some(catalog) = self.0.catalogs.get(digest) {
            return Ok(catalog);
        }
        let unreadable = |what: String| {
            Error::Log(log::Error::Inconsistent(format!("the catalogue {digest} cannot be read: {what}")))
        };
        let bytes = read_hex(digest).ok_or_else(|| unreadable("its digest is none".to_owned()))?;
        let blob = self.0.log.blob(&bytes)?.ok_or_else(|| unreadable("its text is missing".to_owned()))?;
        let text = std::str::from_utf8(&blob).map_err(|problem| unreadable(problem.to_string()))?;
        let catalog = Catalog::from_text(text)
            .map_err(|mistakes| unreadable(mistakes.first().map(ToString::to_string).unwrap_or_default()))?;
        let catalog = Arc::new(catalog);
        self.0.catalogs.keep(digest, Arc::clone(&catalog));
        Ok(catalog)
    }
}

impl Catalogs {
    fn get(&self, digest: &str) -> Option<Arc<Catalog>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(digest).map(Arc::clone)
    }

    fn keep(&self, digest: &str, catalog: Arc<Catalog>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(digest.to_owned(), catalog);
    }
}

/// Returns whether all mistakes are in what calls have said.
fn is_of_calls(mistakes: &[Mistake]) -> bool {
    mistakes.iter().all(|mistake| mistake.file == CALL)
}

fn digest(text: &str) -> String {
    Hex(&Sha256::digest(text)).to_string()
}

/// Catalogues kept in memory, about 200 KB each: more than a few are decided on only where calls change it often.
const KEPT_MAX: usize = 16;
