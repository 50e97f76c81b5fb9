//! Rights as they hold: written by commands, resolved with their catalogues, merged, kept ready as tables.
//!
//! An account's rights, its ceiling and an endpoint's own meet here and nowhere else: their decisions are merged to the
//! stricter, and one table comes out. Not applied here. A table is a function of the rights alone, so accounts that
//! decided the same share one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::build::AsOf;
use super::endpoint::EndpointSettings;
use super::execute::{NewSetting, check};
use super::rights::{Decisions, Layer, Mark, RightsDraft, RightsSettings, Table, TypeName};
use super::stamp::RightsStamp;
use super::state::{Account, Endpoint, Revised};
use super::{Accounts, Change, Condition, Error};
use crate::catalog::Catalog;
use crate::model::{AccountId, AccountName, EndpointId, Position, SettingKind, Who};
use crate::security::Secret;

/// One of the things that meet in a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// The account's rights, its ceiling, or an endpoint's own rights.
    Rights(RightsSettings),
    /// The types that an endpoint asks for.
    Types(BTreeSet<TypeName>),
}

impl Part {
    /// Resolves it.
    ///
    /// # Errors
    /// `Log` where the catalogue of rights cannot be read.
    fn decisions(&self, accounts: &Accounts) -> Result<Decisions, Error> {
        Ok(match self {
            Self::Rights(rights) => Decisions::resolve(rights, &*accounts.catalog_of_rights(rights)?),
            Self::Types(types) => Decisions::of_types(types),
        })
    }

    /// Returns whether events of a type are sent, as far as this goes, and the name in it that means the type.
    ///
    /// # Errors
    /// As for [`Part::decisions`].
    pub(super) fn mark(&self, accounts: &Accounts, event_type: &str) -> Result<(Mark, Option<String>), Error> {
        Ok(match self {
            Self::Rights(rights) => {
                let mark = rights.mark(&*accounts.catalog_of_rights(rights)?, event_type);
                (mark, rights.name_of(event_type).map(|name| name.as_str().to_owned()))
            }
            Self::Types(types) => (Decisions::of_types(types).mark(event_type), None),
        })
    }
}

/// What holds for an account or one of its endpoints at this moment.
#[derive(Debug, Clone)]
pub struct Effective {
    /// What is decided.
    pub table: Arc<Table>,
    /// The revision of the account's rights.
    pub revision: Position,
    /// By which settings and by which program.
    pub as_of: AsOf,
    /// Tells whether this still holds.
    pub stamp: RightsStamp,
}

/// Tables that are ready.
#[derive(Debug, Default)]
pub(super) struct Tables(RwLock<Ready>);

#[derive(Debug, Default)]
struct Ready {
    /// Of an account, and of each endpoint that has rights of its own; with what they were made from.
    held: HashMap<(AccountId, Option<EndpointId>), (Revisions, Arc<Table>)>,
    /// Of events of the past to an endpoint.
    originals: HashMap<Original, Arc<Table>>,
    /// By what decided them.
    made: HashMap<Vec<Part>, Arc<Table>>,
}

/// An endpoint, the newest change of its account, and the revisions of what met when an event came in.
type Original = (EndpointId, Position, [Option<Position>; 3]);

/// The revisions of all rights that meet in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Revisions {
    rights: Position,
    ceiling: Option<Position>,
    endpoint: Option<Position>,
}

impl Accounts {
    /// Saves an account's rights; says also whether anything changed.
    ///
    /// # Errors
    /// `Invalid`, `Changed`, `Limit`, `AccountNotFound`; `Log` where they could not be kept.
    pub async fn put_rights(
        &self,
        account: &AccountName,
        draft: &RightsDraft,
        condition: Condition,
        who: &Who,
    ) -> Result<Revised<RightsSettings>, Error> {
        let mut turn = self.0.turn.lock().await;
        let account = self.account(account).ok_or_else(|| Error::AccountNotFound(account.to_string()))?;
        check(condition, account.rights.as_ref())?;
        let rights = self.check_rights(draft, Layer::Account)?;
        if let Some(present) = account.rights.as_ref().filter(|present| present.value == rights) {
            return Ok(present.clone());
        }
        self.check_all_fit(&account, &rights, account.ceiling.as_ref().map(|ceiling| &ceiling.value))?;
        let setting = NewSetting::new(account.id, SettingKind::Rights, "", Some(&rights));
        self.execute(&mut turn, setting, who, Change::Rights(account.id)).await?;
        let before = account.rights.as_ref().map(|rights| &rights.value);
        let changed = RightsSettings::differences(before, Some(&rights));
        self.tell_rights_changed(&mut turn, &account, &changed).await;
        let saved = self.account_by_id(account.id).and_then(|account| account.rights.clone());
        saved.ok_or_else(|| Error::AccountNotFound(account.name.to_string()))
    }

    /// Returns the newest revisions of an account's rights, the newest first. Reads the disk.
    ///
    /// # Errors
    /// `Log` where they cannot be read.
    pub fn rights_history(&self, account: AccountId, limit: usize) -> Result<Vec<Revised<RightsSettings>>, Error> {
        let rows = self.0.log.setting_history(account, SettingKind::Rights, "", limit)?;
        rows.iter().map(|row| Revised::read(row).map_err(Error::Log)).collect()
    }

    /// Saves what INO's contract with an account allows; none where there is no limit any more.
    ///
    /// # Errors
    /// As for [`Accounts::put_rights`].
    pub async fn put_ceiling(
        &self,
        account: &AccountName,
        draft: Option<&RightsDraft>,
        condition: Condition,
        who: &Who,
    ) -> Result<Option<Revised<RightsSettings>>, Error> {
        let mut turn = self.0.turn.lock().await;
        let account = self.account(account).ok_or_else(|| Error::AccountNotFound(account.to_string()))?;
        check(condition, account.ceiling.as_ref())?;
        let ceiling = draft.map(|draft| self.check_rights(draft, Layer::Narrowing)).transpose()?;
        if account.ceiling.as_ref().map(|present| &present.value) == ceiling.as_ref() {
            return Ok(account.ceiling.clone());
        }
        if let Some(rights) = &account.rights {
            self.check_all_fit(&account, &rights.value, ceiling.as_ref())?;
        }
        let setting = NewSetting::new(account.id, SettingKind::Ceiling, "", ceiling.as_ref());
        self.execute(&mut turn, setting, who, Change::Rights(account.id)).await?;
        // What stands in a ceiling is between INO and its operator.
        self.tell_rights_changed(&mut turn, &account, &["ceiling".to_owned()]).await;
        Ok(self.account_by_id(account.id).and_then(|account| account.ceiling.clone()))
    }

    /// Checks rights that somebody wrote and pins them to the catalogue they name, or the present one.
    ///
    /// # Errors
    /// `Invalid` at the first place that is wrong, `Limit`; `Log` where the catalogue cannot be read.
    pub fn check_rights(&self, draft: &RightsDraft, layer: Layer) -> Result<RightsSettings, Error> {
        let (revision, catalog) = match &draft.catalog {
            None => {
                let present = self.catalog()?;
                (present.revised.revision, present.catalog)
            }
            Some(text) => {
                let wrong = || {
                    let detail = "is no revision of the catalogue: leave it out for the present one".to_owned();
                    Error::invalid("/catalog", detail)
                };
                let revision = self.read_revision(text).map_err(|_| wrong())?;
                (revision, self.catalog_at(revision)?.ok_or_else(wrong)?)
            }
        };
        let rights = draft.check(layer, revision, &catalog)?;
        let (sections, names) = (rights.sections(), rights.fields.len());
        if sections.saturating_mul(names) > RULES_MAX {
            let detail =
                format!("{names} fields for {sections} types and patterns: name fields for fewer single types");
            return Err(Error::invalid("/fields", detail));
        }
        Table::new(Decisions::resolve(&rights, &catalog))
            .map_err(|problem| Error::invalid("/fields", problem.to_string()))?;
        Ok(rights)
    }

    /// Checks an endpoint's rights, which stand in its settings under `rights`.
    pub(super) fn check_narrowing(&self, draft: &RightsDraft) -> Result<RightsSettings, Error> {
        self.check_rights(draft, Layer::Narrowing).map_err(|problem| problem.below("/rights"))
    }

    /// Checks that tables can be made of an account's rights and ceiling, with those of each of its endpoints.
    fn check_all_fit(
        &self,
        account: &Account,
        rights: &RightsSettings,
        ceiling: Option<&RightsSettings>,
    ) -> Result<(), Error> {
        let own = account.endpoints.values().map(|endpoint| Narrowing::of(&endpoint.settings.value));
        let own = own.filter(|own| own.narrows());
        [Narrowing::default()].into_iter().chain(own).try_for_each(|own| self.check_fit(rights, ceiling, own))
    }

    /// Checks that a table can be made of what meets.
    ///
    /// Of parts that are small enough a table may come that is not: whoever saves them is told, so that no event has to
    /// wait for it.
    /// # Errors
    /// `Invalid` where it would be too large; `Log` where a catalogue cannot be read.
    pub(super) fn check_fit(
        &self,
        rights: &RightsSettings,
        ceiling: Option<&RightsSettings>,
        own: Narrowing<'_>,
    ) -> Result<(), Error> {
        let parts = parts(rights, ceiling, own);
        if self.0.tables.made(&parts).is_some() {
            return Ok(());
        }
        // Not kept: what is refused in the end, or by nobody asked for, takes no memory.
        match self.make_table(&parts) {
            Err(Error::NotNow(words)) => {
                Err(Error::invalid("/fields", format!("together with the rights that they meet, {words}")))
            }
            made => made.map(drop),
        }
    }

    /// Writes rights as people write them.
    #[must_use]
    pub fn rights_draft(&self, rights: &RightsSettings) -> RightsDraft {
        RightsDraft {
            default: rights.default.map(super::DefaultDraft::Apart),
            catalog: Some(self.revision(rights.catalog)),
            types: rights.types.iter().map(|(name, is_wanted)| (name.as_str().to_owned(), *is_wanted)).collect(),
            fields: rights.fields.iter().map(|(name, treatment)| (name.to_string(), *treatment)).collect(),
        }
    }

    /// Returns the catalogue that rights were decided on.
    ///
    /// # Errors
    /// `Log` where it cannot be read.
    pub fn catalog_of_rights(&self, rights: &RightsSettings) -> Result<Arc<Catalog>, Error> {
        let missing = || Error::NotFound { what: "revision of the catalogue", id: rights.catalog.to_string() };
        self.catalog_at(rights.catalog)?.ok_or_else(missing)
    }

    /// Returns what holds for an account at this moment, its ceiling included.
    ///
    /// # Errors
    /// `AccountNotFound`; `Log` where a catalogue cannot be read.
    pub fn effective(&self, account: AccountId) -> Result<Effective, Error> {
        let account = self.account_by_id(account).ok_or_else(|| Error::AccountNotFound(account.to_string()))?;
        self.effective_of(&account, None)
    }

    /// Returns what holds for an endpoint at this moment: by its present settings, whichever the caller has.
    ///
    /// # Errors
    /// As for [`Accounts::effective`]; `EndpointNotFound` where it was deleted.
    pub fn effective_for(&self, endpoint: &Endpoint) -> Result<Effective, Error> {
        let (account, present) = self.present(endpoint)?;
        self.effective_of(&account, Some(&present))
    }

    /// Returns what holds for an event that is replayed by the rights of its time: those that held for the endpoint at
    /// its position, merged with those that hold now. Reads the disk.
    ///
    /// # Shape
    /// None where the account had no rights at that position: then nothing was sent.
    /// # Errors
    /// As for [`Accounts::effective_for`].
    pub fn effective_original(&self, endpoint: &Endpoint, at: Position) -> Result<Option<Effective>, Error> {
        let (account, present) = self.present(endpoint)?;
        let now = self.effective_of(&account, Some(&present))?;
        let key = (endpoint.id, now.as_of.settings, self.revisions_as_of(endpoint, at)?);
        if let Some(table) = self.0.tables.original(key) {
            return Ok(Some(Effective { table, ..now }));
        }
        let Some((_, then)) = self.parts_as_of(endpoint, at)? else { return Ok(None) };
        let mut parts = parts_of(&account, rights_of(&account)?, Some(&present));
        for part in then {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let table = self.table_of(parts)?;
        self.0.tables.hold_original(key, Arc::clone(&table));
        Ok(Some(Effective { table, ..now }))
    }

    /// Returns what would hold for an account with other rights than it has.
    ///
    /// # Errors
    /// As for [`Accounts::effective`].
    pub fn effective_with(&self, account: &Account, rights: RightsSettings) -> Result<Arc<Table>, Error> {
        let ceiling = account.ceiling.as_ref().map(|ceiling| &ceiling.value);
        self.table_of(parts(&rights, ceiling, Narrowing::default()))
    }

    /// Returns the key that an account's pseudonyms are made with.
    #[must_use]
    pub fn pseudonym_key(&self, account: AccountId) -> Secret<[u8; 32]> {
        self.0.pseudonyms.of(account)
    }

    fn effective_of(&self, account: &Account, endpoint: Option<&Endpoint>) -> Result<Effective, Error> {
        let rights = rights_of(account)?;
        let endpoint = endpoint.filter(|endpoint| Narrowing::of(&endpoint.settings.value).narrows());
        let key = (account.id, endpoint.map(|endpoint| endpoint.id));
        let revisions = Revisions {
            rights: rights.revision,
            ceiling: account.ceiling.as_ref().map(|ceiling| ceiling.revision),
            endpoint: endpoint.map(|endpoint| endpoint.settings.revision),
        };
        let stamp = account.stamp.clone();
        let as_of = AsOf { settings: stamp.position(), build: self.build_revision() };
        if let Some(table) = self.0.tables.held(key, revisions) {
            return Ok(Effective { table, revision: rights.revision, as_of, stamp });
        }
        let table = self.table_of(parts_of(account, rights, endpoint))?;
        self.0.tables.hold(key, revisions, Arc::clone(&table));
        Ok(Effective { table, revision: rights.revision, as_of, stamp })
    }

    /// Returns an endpoint as it is at this moment, and its account.
    fn present(&self, endpoint: &Endpoint) -> Result<(Arc<Account>, Arc<Endpoint>), Error> {
        let account = self.account_by_id(endpoint.account);
        let account = account.ok_or_else(|| Error::AccountNotFound(endpoint.account_name.to_string()))?;
        let present = account.endpoints.get(&endpoint.name).filter(|present| present.id == endpoint.id);
        let present = present.ok_or_else(|| Error::EndpointNotFound(endpoint.name.to_string()))?;
        let present = Arc::clone(present);
        Ok((account, present))
    }

    /// Makes the table of what meets, or takes the one that is ready.
    pub(super) fn table_of(&self, parts: Vec<Part>) -> Result<Arc<Table>, Error> {
        if let Some(table) = self.0.tables.made(&parts) {
            return Ok(table);
        }
        let table = Arc::new(self.make_table(&parts)?);
        self.0.tables.keep(parts, Arc::clone(&table));
        Ok(table)
    }

    fn make_table(&self, parts: &[Part]) -> Result<Table, Error> {
        let mut merged: Option<Decisions> = None;
        for part in parts {
            let decisions = part.decisions(self)?;
            merged = Some(match merged {
                None => decisions,
                Some(others) => others.stricter(&decisions),
            });
        }
        let missing = || Error::NotFound { what: "rights of the account", id: String::new() };
        Table::new(merged.ok_or_else(missing)?.with_twins_joined())
            .map_err(|problem| Error::NotNow(problem.to_string()))
    }
}

fn rights_of(account: &Account) -> Result<&Revised<RightsSettings>, Error> {
    let missing = || Error::NotFound { what: "rights of the account", id: account.name.to_string() };
    account.rights.as_ref().ok_or_else(missing)
}

/// By what an endpoint narrows its account's rights.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Narrowing<'a> {
    pub(super) rights: Option<&'a RightsSettings>,
    pub(super) types: Option<&'a BTreeSet<TypeName>>,
}

impl<'a> Narrowing<'a> {
    fn of(endpoint: &'a EndpointSettings) -> Self {
        Self { rights: endpoint.rights.as_ref(), types: endpoint.types.as_ref() }
    }

    /// Returns whether it does at all.
    pub(super) const fn narrows(&self) -> bool {
        self.rights.is_some() || self.types.is_some()
    }
}

/// Lists what meets for an account or one of its endpoints.
fn parts_of(account: &Account, rights: &Revised<RightsSettings>, endpoint: Option<&Endpoint>) -> Vec<Part> {
    let own = endpoint.map(|endpoint| Narrowing::of(&endpoint.settings.value)).unwrap_or_default();
    parts(&rights.value, account.ceiling.as_ref().map(|ceiling| &ceiling.value), own)
}

fn parts(rights: &RightsSettings, ceiling: Option<&RightsSettings>, own: Narrowing<'_>) -> Vec<Part> {
    let rights = [Some(rights), ceiling, own.rights].into_iter().flatten().cloned().map(Part::Rights);
    rights.chain(own.types.cloned().map(Part::Types)).collect()
}

impl Tables {
    fn held(&self, key: (AccountId, Option<EndpointId>), revisions: Revisions) -> Option<Arc<Table>> {
        let ready = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ready.held.get(&key).filter(|(made_from, _)| *made_from == revisions).map(|(_, table)| Arc::clone(table))
    }

    fn hold(&self, key: (AccountId, Option<EndpointId>), revisions: Revisions, table: Arc<Table>) {
        let mut ready = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if ready.held.len() >= HELD_MAX {
            ready.held.clear();
        }
        ready.held.insert(key, (revisions, table));
    }

    fn original(&self, key: Original) -> Option<Arc<Table>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).originals.get(&key).map(Arc::clone)
    }

    fn hold_original(&self, key: Original, table: Arc<Table>) {
        let mut ready = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if ready.originals.len() >= ORIGINALS_MAX {
            ready.originals.clear();
        }
        ready.originals.insert(key, table);
    }

    fn made(&self, parts: &[Part]) -> Option<Arc<Table>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).made.get(parts).map(Arc::clone)
    }

    fn keep(&self, parts: Vec<Part>, table: Arc<Table>) {
        let mut ready = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if ready.made.len() >= MADE_MAX {
            // Those that some account still has are made from the same rights as before: no other table comes out.
            ready.made.retain(|_, table| Arc::strong_count(table) > 1);
            if ready.made.len() >= MADE_MAX {
                ready.made.clear();
                ready.held.clear();
                ready.originals.clear();
            }
        }
        ready.made.insert(parts, table);
    }
}

/// Fields that may be named, times the types that they are named for: each is looked at for each, and a table of more
/// would be too large.
const RULES_MAX: usize = 131_072;
/// Accounts and endpoints whose table is at hand: a few bytes each, beside the table.
const HELD_MAX: usize = 200_000;
/// Rights of the past that replays have at hand.
const ORIGINALS_MAX: usize = 1_024;
/// Different tables in memory, about 20 KB each.
const MADE_MAX: usize = 2_048;
