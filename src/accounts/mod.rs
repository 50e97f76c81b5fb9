//! Accounts, endpoints, tokens, jobs: event-sourced, like everything else.
//!
//! Every setting is the newest command of its kind. `execute` is the only way a command enters the log: it
//! validates, appends, folds, tells the observer and waits for its nod, then acknowledges. Secrets are in
//! the keystore, commands name them. Not known here: HTTP, and how anything is delivered.

mod account;
mod auth;
mod client_certificate;
mod build;
mod catalogs;
mod endpoint;
mod error;
mod execute;
mod job;
mod keystore;
mod own_event;
mod past;
mod replay;
mod rehearse;
mod rights;
mod stamp;
mod state;
mod tables;
mod token;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio::sync::Mutex;

use self::catalogs::Catalogs;
use self::execute::Executor;
use self::keystore::Keystore;
use self::state::State;
use self::tables::Tables;
use crate::log;
use crate::model::{AccountId, AccountName, EndpointId, EndpointName, Permissions, Position, Timestamp, Who};
use crate::runtime::{Clock, Random};
use crate::security::{
    AddressRules, InvalidRevision, PseudonymKeys, RevisionCipher, Secret, Signer, Target, TokenHash, TokenId,
};

pub use self::account::{AccountSettings, Language};
pub use self::auth::{Auth, AuthDraft, CertificateDraft, KeptCertificate};
pub use self::build::{AsOf, Build};
pub use self::catalogs::{CurrentCatalog, OwnFile};
pub use self::endpoint::{
    EndpointDraft, EndpointSettings, Format, Halt, NewKey, OnFilterError, Order, ResumeFrom, Signing, SigningKey,
    Skipped, Sought, StartAt,
};
pub use self::error::Error;
pub use self::execute::{Condition, May, NewToken};
pub use self::job::JobState;
pub use self::keystore::{KeyId, KeySource, KeystoreError};
pub use self::own_event::Suspension;
pub use self::past::{RightsOf, Withholding};
pub use self::rehearse::Rehearsal;
pub use self::replay::{FoundType, ReplayCounts, ReplayDraft, ReplayScope, ReplaySettings, ReplayStanding, RightsAsOf};
pub use self::rights::{
    Decisions, DefaultDraft, Defaults, KeyedTable, Layer, Mark, PendingItem, Preset, RightsDraft, RightsSettings, Rule,
    Table, Treatment, TypeName, TypeSelection, Warning, pending,
};
pub use self::stamp::RightsStamp;
pub use self::state::{Account, Endpoint, Revised};
pub use self::tables::Effective;
pub use self::token::{TokenDraft, TokenSettings};

/// The checked values that accounts are opened with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory, where the keystore is.
    pub directory: PathBuf,
    /// Where the master key is.
    pub key: KeySource,
    /// The hash of the operator's token.
    pub operator_token: TokenHash,
    /// Whether endpoints must use TLS.
    pub https_only: bool,
    /// Which addresses requests may go to.
    pub address_rules: AddressRules,
    /// An operator's files on top of the built-in catalogue.
    pub catalog_files: Vec<OwnFile>,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An account's own settings.
    Account(AccountId),
    /// An endpoint was made, changed or deleted.
    Endpoint {
        /// Whose.
        account: AccountId,
        /// Its name.
        name: EndpointName,
        /// Its number: another than before where it was deleted and made anew.
        id: EndpointId,
    },
    /// A replay was asked for or has another state.
    Replay {
        /// Whose.
        account: AccountId,
        /// Which endpoint's.
        endpoint: EndpointId,
        /// Its number.
        id: u64,
    },
    /// A token was made or deleted.
    Token,
    /// An account's rights or ceiling.
    Rights(AccountId),
    /// The catalogue.
    Catalog,
    /// The program.
    Build,
}

/// Is told of every change after it is on disk and before it is acknowledged.
pub trait Observer: Send + Sync {
    /// Takes note of a change; what it answers for is done when the future ends.
    fn changed(&self, change: Change) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Who a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The operator: may do everything on all accounts.
    Operator {
        /// Who the audit names.
        who: Who,
        /// From when on the token is refused.
        expires_at: Option<Timestamp>,
    },
    /// Somebody of one account.
    Account {
        /// Whose.
        account: AccountId,
        /// The account's name.
        name: AccountName,
        /// What the token may do.
        permissions: Permissions,
        /// Who the audit names.
        who: Who,
        /// From when on the token is refused.
        expires_at: Option<Timestamp>,
    },
}

/// How hooklog shows a receiver who it is, with its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Not at all.
    None,
    /// `Authorization: Basic`.
    Basic {
        /// The login.
        username: String,
        /// The password.
        password: Secret<String>,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        token: Secret<String>,
    },
    /// A header of the receiver's choice.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: Secret<String>,
    },
}

/// All accounts; cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    options: Options,
    log: log::Handle,
    clock: Clock,
    state: RwLock<State>,
    keystore: RwLock<Keystore>,
    /// Held while one command is validated, appended, folded and told: commands have an order.
    turn: Mutex<Executor>,
    observer: OnceLock<Arc<dyn Observer>>,
    revisions: RevisionCipher,
    /// What every account's pseudonym key is derived from.
    pseudonyms: PseudonymKeys,
    /// What proves that a compiled component is our own.
    component_key: Secret<[u8; 32]>,
    catalogs: Catalogs,
    tables: Tables,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// Folds the commands of a log and opens the keystore beside it. What the program brings that is new, the
    /// catalogue, enters the log.
    ///
    /// # Errors
    /// `Keystore` where the master key is wrong or missing; `Log` where a command cannot be read; `Catalog` where the
    /// operator's files are wrong.
    pub async fn open(options: Options, log: log::Handle, clock: Clock, mut random: Random) -> Result<Self, Error> {
        let state = State::fold(&log.settings()?)?;
        let mut keystore = Keystore::open(&options.directory, &options.key, &mut random)?;
        let revisions = RevisionCipher::new(&kept_key(&mut keystore, REVISION_KEY, &mut random)?);
        let pseudonyms = PseudonymKeys::new(Secret::new(kept_key(&mut keystore, PSEUDONYM_KEY, &mut random)?));
        let component_key = Secret::new(kept_key(&mut keystore, COMPONENT_KEY, &mut random)?);
        keystore.forget_all_but(&named_secrets(&state), &mut random)?;
        let accounts = Self(Arc::new(Inner {
            options,
            log,
            clock,
            state: RwLock::new(state),
            keystore: RwLock::new(keystore),
            turn: Mutex::new(Executor { random }),
            observer: OnceLock::new(),
            revisions,
            pseudonyms,
            component_key,
            catalogs: Catalogs::default(),
            tables: Tables::default(),
        }));
        accounts.settle_catalog().await?;
        Ok(accounts)
    }

    /// Names who is told of changes; once, before the first command.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        let is_first = self.0.observer.set(observer).is_ok();
        debug_assert!(is_first, "there is one observer");
    }

    /// Returns an account by its name.
    #[must_use]
    pub fn account(&self, name: &AccountName) -> Option<Arc<Account>> {
        self.read(|state| state.account(name).map(Arc::clone))
    }

    /// Returns an account by its number.
    #[must_use]
    pub fn account_by_id(&self, id: AccountId) -> Option<Arc<Account>> {
        self.read(|state| state.accounts.get(&id).map(Arc::clone))
    }

    /// Returns an account's number: all that ingest asks for.
    #[must_use]
    pub fn account_id(&self, name: &AccountName) -> Option<AccountId> {
        self.read(|state| state.names.get(name).copied())
    }

    /// Returns accounts whose names contain `query`, in the order of their names, behind `after`.
    #[must_use]
    pub fn accounts(&self, query: &str, after: Option<&AccountName>, limit: usize) -> Vec<Arc<Account>> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.read(|state| {
            state
                .names
                .range::<AccountName, _>((start, std::ops::Bound::Unbounded))
                .filter(|(name, _)| name.as_str().contains(query))
                .filter_map(|(_, id)| state.accounts.get(id).map(Arc::clone))
                .take(limit)
                .collect()
        })
    }

    /// Returns an endpoint by the names of its account and its own.
    ///
    /// # Errors
    /// `AccountNotFound` or `EndpointNotFound`.
    pub fn endpoint(&self, account: &AccountName, name: &EndpointName) -> Result<Arc<Endpoint>, Error> {
        let account = self.account(account).ok_or_else(|| Error::AccountNotFound(account.to_string()))?;
        let endpoint = account.endpoints.get(name).map(Arc::clone);
        endpoint.ok_or_else(|| Error::EndpointNotFound(name.to_string()))
    }

    /// Returns the operator's own tokens.
    #[must_use]
    pub fn operator_tokens(&self) -> Vec<(TokenId, Revised<TokenSettings>)> {
        self.read(|state| state.operator_tokens.iter().map(|(id, token)| (*id, token.clone())).collect())
    }

    /// Says who a token is, unless it is unknown or has expired.
    #[must_use]
    pub fn identify(&self, token: &str) -> Option<Identity> {
        let hash = TokenHash::of(token);
        if hash == self.0.options.operator_token {
            return Some(Identity::Operator { who: Who::Operator, expires_at: None });
        }
        let now = Timestamp(self.0.clock.wall_ms());
        self.read(|state| {
            let owner = state.tokens_by_hash.get(&hash)?;
            let account =
                owner.account.map(|id| state.accounts.get(&id)).map_or(Some(None), |found| found.map(Some))?;
            let tokens = account.map_or(&state.operator_tokens, |account| &account.tokens);
            let settings = &tokens.get(&owner.id)?.value;
            if settings.expires_at.is_some_and(|at| at <= now) {
                return None;
            }
            let who = Who::Token { id: owner.id.to_string(), name: settings.name.clone() };
            let expires_at = settings.expires_at;
            Some(match account {
                None => Identity::Operator { who, expires_at },
                Some(account) => Identity::Account {
                    account: account.id,
                    name: account.name.clone(),
                    permissions: settings.permissions.clone(),
                    who,
                    expires_at,
                },
            })
        })
    }

    /// Returns how hooklog shows an endpoint's receiver who it is.
    ///
    /// # Errors
    /// `NotFound` where the keystore does not have what the settings name.
    pub fn credentials(&self, settings: &EndpointSettings) -> Result<Credentials, Error> {
        Ok(match &settings.auth {
            Auth::None => Credentials::None,
            Auth::Basic { username, password } => {
                Credentials::Basic { username: username.clone(), password: self.secret_text(*password)? }
            }
            Auth::Bearer { token } => Credentials::Bearer { token: self.secret_text(*token)? },
            Auth::Header { name, value } => {
                Credentials::Header { name: name.clone(), value: self.secret_text(*value)? }
            }
        })
    }

    /// Returns the keys that an endpoint's requests are signed with at an instant, newest first.
    ///
    /// # Errors
    /// `NotFound` where the keystore does not have what the settings name.
    pub fn signers(&self, settings: &EndpointSettings, now: Timestamp) -> Result<Vec<(SigningKey, Signer)>, Error> {
        self.signers_for(settings.signing, &settings.keys, now)
    }

    /// Returns those of an endpoint's keys that are valid at an instant and fit how requests are signed.
    fn signers_for(
        &self,
        signing: Signing,
        keys: &[SigningKey],
        now: Timestamp,
    ) -> Result<Vec<(SigningKey, Signer)>, Error> {
        let schemes = signing.schemes();
        keys.iter()
            .filter(|key| schemes.contains(&key.scheme) && key.valid_until.is_none_or(|until| until > now))
            .map(|key| {
                let bytes = self.secret(key.id)?;
                let signer = Signer::from_bytes(key.scheme, bytes.expose()).ok_or_else(|| missing(key.id))?;
                Ok((*key, signer))
            })
            .collect()
    }

    /// Reads where an endpoint's requests shall go, by the operator's rules.
    ///
    /// # Errors
    /// `Url` with the first thing that is wrong.
    pub fn check_url(&self, url: &str) -> Result<Target, Error> {
        Ok(self.0.options.address_rules.check_url(url, self.0.options.https_only)?)
    }

    /// Writes a revision as it is seen outside.
    #[must_use]
    pub fn revision(&self, position: Position) -> String {
        self.0.revisions.encipher(position)
    }

    /// Reads a revision as it is seen outside.
    ///
    /// # Errors
    /// Where the text is none.
    pub fn read_revision(&self, text: &str) -> Result<Position, InvalidRevision> {
        self.0.revisions.decipher(text)
    }

    /// Returns the key that proves that a compiled component was put into its cache by this installation.
    #[must_use]
    pub fn component_key(&self) -> Secret<[u8; 32]> {
        self.0.component_key.clone()
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn secret(&self, id: KeyId) -> Result<Secret<Vec<u8>>, Error> {
        let keystore = self.0.keystore.read().unwrap_or_else(PoisonError::into_inner);
        keystore.get(id).cloned().ok_or_else(|| missing(id))
    }

    fn secret_text(&self, id: KeyId) -> Result<Secret<String>, Error> {
        let bytes = self.secret(id)?.into_exposed();
        String::from_utf8(bytes).map(Secret::new).map_err(|_| missing(id))
    }
}

fn missing(id: KeyId) -> Error {
    Error::NotFound { what: "secret in the keystore", id: id.to_string() }
}

/// Returns a key of the installation, made when it is asked for the first time.
fn kept_key<const BYTES: usize>(
    keystore: &mut Keystore,
    id: KeyId,
    random: &mut Random,
) -> Result<[u8; BYTES], KeystoreError> {
    let kept = keystore.get(id).and_then(|secret| secret.expose().first_chunk::<BYTES>().copied());
    if let Some(key) = kept {
        return Ok(key);
    }
    let key = random.bytes::<BYTES>();
    keystore.keep_as(id, Secret::new(key.to_vec()), random)?;
    Ok(key)
}

fn named_secrets(state: &State) -> BTreeSet<KeyId> {
    let endpoints = state.accounts.values().flat_map(|account| account.endpoints.values());
    endpoints
        .flat_map(|endpoint| {
            let settings = &endpoint.settings.value;
            let certificate = settings.certificate.as_ref().map(|certificate| certificate.key);
            settings.keys.iter().map(|key| key.id).chain(settings.auth.secret()).chain(certificate)
        })
        .chain([REVISION_KEY, PSEUDONYM_KEY, COMPONENT_KEY])
        .collect()
}

/// Where the key of the revision cipher is.
const REVISION_KEY: KeyId = KeyId(0);
/// Where the key is that pseudonym keys are derived from.
const PSEUDONYM_KEY: KeyId = KeyId(1);
/// Where the key is that proves compiled components.
const COMPONENT_KEY: KeyId = KeyId(2);
