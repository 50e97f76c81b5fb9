//! The keystore: an append-only file of sealed, checksummed entries beside the log.
//!
//! A command names secrets by their ids; an entry is synced before the command that names it. Not a
//! database: all entries are in memory, the file is rewritten at start without those nobody names.
//!
//! ```text
//! magic 16 · check of the master key 8 · (length 4 · CRC-32C 4 · sealed: id 8, secret)*
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::runtime::Random;
use crate::security::{MasterKey, Secret, open, seal};

/// Names a secret in the keystore. Random, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub u64);

impl std::fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "key_{:016x}", self.0)
    }
}

impl KeyId {
    /// Reads an id as it is written outside.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("key_").filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// Why the keystore cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// The master key is another than the one that sealed the file.
    #[error("the keystore {} was sealed with another master key: give the one that belongs to it (security.key_file, or HOOKLOG_MASTER_KEY)", .path.display())]
    WrongKey {
        /// The keystore.
        path: PathBuf,
    },
    /// There is a keystore, but no key for it.
    #[error("the master key {} is missing, and the keystore cannot be opened without it: restore it from a backup", .path.display())]
    KeyMissing {
        /// Where the key was looked for.
        path: PathBuf,
    },
    /// The key file has another form.
    #[error("the master key {} cannot be read: {problem}", .path.display())]
    KeyInvalid {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An entry is damaged.
    #[error("the keystore {} is damaged at byte {at}: restore it from a backup", .path.display())]
    Damaged {
        /// The keystore.
        path: PathBuf,
        /// Where.
        at: usize,
    },
    /// The file cannot be read or written.
    #[error("the keystore {} failed: {problem}", .path.display())]
    Io {
        /// The keystore, or the key.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
}

/// Where the master key is.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// In this file, which a first start makes.
    File(PathBuf),
    /// It was given.
    Given(MasterKey),
}

/// The open keystore.
#[derive(Debug)]
pub(super) struct Keystore {
    path: PathBuf,
    key: MasterKey,
    secrets: BTreeMap<KeyId, Secret<Vec<u8>>>,
    file: File,
}

impl Keystore {
    /// Opens the keystore of a data directory, making it, and its key, at the first start.
    pub(super) fn open(directory: &Path, key: &KeySource, random: &mut Random) -> Result<Self, KeystoreError> {
        let path = directory.join(FILE_NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => None,
            Err(problem) => return Err(failed(&path, &problem)),
        };
        let key = match key {
            KeySource::File(file) => read_key(file, bytes.is_some(), random)?,
            KeySource::Given(key) => key.clone(),
        };
        let secrets = bytes.map(|bytes| read_entries(&path, &key, &bytes)).transpose()?.unwrap_or_default();
        let file = write_anew(&path, &key, &secrets, random).map_err(|problem| failed(&path, &problem))?;
        Ok(Self { path, key, secrets, file })
    }

    /// Keeps a secret and returns its id, once it is on disk.
    pub(super) fn keep(&mut self, secret: Secret<Vec<u8>>, random: &mut Random) -> Result<KeyId, KeystoreError> {
        let id = KeyId(u64::from_be_bytes(random.bytes()));
        self.keep_as(id, secret, random)?;
        Ok(id)
    }

    /// Keeps a secret under an id that is fixed.
    pub(super) fn keep_as(
        &mut self,
        id: KeyId,
        secret: Secret<Vec<u8>>,
        random: &mut Random,
    ) -> Result<(), KeystoreError> {
        let entry = entry(&self.key, id, &secret, random);
        let length = self.file.metadata().map_err(|problem| failed(&self.path, &problem))?.len();
        let written = self.file.write_all(&entry).and_then(|()| self.file.sync_data());
        if let Err(problem) = written {
            // What was written of it must not stand before the next entry.
            let undone = self.file.set_len(length).and_then(|()| self.file.seek(SeekFrom::Start(length)));
            if undone.is_err() {
                self.file = write_anew(&self.path, &self.key, &self.secrets, random)
                    .map_err(|problem| failed(&self.path, &problem))?;
            }
            return Err(failed(&self.path, &problem));
        }
        self.secrets.insert(id, secret);
        Ok(())
    }

    pub(super) fn get(&self, id: KeyId) -> Option<&Secret<Vec<u8>>> {
        self.secrets.get(&id)
    }

    /// Forgets all secrets that nobody names any more.
    pub(super) fn forget_all_but(&mut self, named: &BTreeSet<KeyId>, random: &mut Random) -> Result<(), KeystoreError> {
        let before = self.secrets.len();
        self.secrets.retain(|id, _| named.contains(id));
        if self.secrets.len() < before {
            let written = write_anew(&self.path, &self.key, &self.secrets, random);
            self.file = written.map_err(|problem| failed(&self.path, &problem))?;
        }
        Ok(())
    }
}

fn read_key(key_file: &Path, is_needed: bool, random: &mut Random) -> Result<MasterKey, KeystoreError> {
    match std::fs::read_to_string(key_file) {
        Ok(text) => MasterKey::parse(text.trim())
            .map_err(|problem| KeystoreError::KeyInvalid { path: key_file.to_owned(), problem: problem.to_string() }),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound && is_needed => {
            Err(KeystoreError::KeyMissing { path: key_file.to_owned() })
        }
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
            let key = MasterKey::make(random);
            let mut file = create_private(key_file).map_err(|problem| failed(key_file, &problem))?;
            let text = format!("{}\n", key.expose());
            let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|problem| failed(key_file, &problem))?;
            Ok(key)
        }
        Err(problem) => Err(KeystoreError::KeyInvalid { path: key_file.to_owned(), problem: problem.to_string() }),
    }
}

fn read_entries(path: &Path, key: &MasterKey, bytes: &[u8]) -> Result<BTreeMap<KeyId, Secret<Vec<u8>>>, KeystoreError> {
    let damaged = |at: usize| KeystoreError::Damaged { path: path.to_owned(), at };
    let (magic, rest) = bytes.split_first_chunk::<16>().ok_or_else(|| damaged(0))?;
    let (check, mut rest) = rest.split_first_chunk::<8>().ok_or_else(|| damaged(16))?;
    if magic != MAGIC {
        return Err(damaged(0));
    }
    if *check != key.check().0 {
        return Err(KeystoreError::WrongKey { path: path.to_owned() });
    }
    let mut secrets = BTreeMap::new();
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        // An entry that was cut off was never named by a command: it is written before and synced.
        let Some((length, after)) = rest.split_first_chunk::<4>() else { break };
        let Some((checksum, after)) = after.split_first_chunk::<4>() else { break };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((sealed, after)) = after.split_at_checked(length) else { break };
        if crc32c::crc32c(sealed).to_be_bytes() != *checksum {
            if after.is_empty() {
                break;
            }
            return Err(damaged(at));
        }
        let plain = open(key, MAGIC, sealed).map_err(|_| damaged(at))?;
        let (id, secret) = plain.expose().split_first_chunk::<8>().ok_or_else(|| damaged(at))?;
        secrets.insert(KeyId(u64::from_be_bytes(*id)), Secret::new(secret.to_vec()));
        rest = after;
    }
    Ok(secrets)
}

fn entry(key: &MasterKey, id: KeyId, secret: &Secret<Vec<u8>>, random: &mut Random) -> Vec<u8> {
    let plain = [&id.0.to_be_bytes(), secret.expose().as_slice()].concat();
    let sealed = seal(key, MAGIC, &plain, random);
    let length = u32::try_from(sealed.len()).expect("a secret is bounded where it comes in");
    [&length.to_be_bytes(), &crc32c::crc32c(&sealed).to_be_bytes(), sealed.as_slice()].concat()
}

/// Writes the whole file beside the old one and puts it in its place.
fn write_anew(
    path: &Path,
    key: &MasterKey,
    secrets: &BTreeMap<KeyId, Secret<Vec<u8>>>,
    random: &mut Random,
) -> io::Result<File> {
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
        Ok(()) | Err(_) => {}
    }
    let mut file = create_private(&beside)?;
    file.write_all(MAGIC)?;
    file.write_all(&key.check().0)?;
    for (id, secret) in secrets {
        file.write_all(&entry(key, *id, secret, random))?;
    }
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    Ok(file)
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn failed(path: &Path, problem: &io::Error) -> KeystoreError {
    KeystoreError::Io { path: path.to_owned(), problem: problem.to_string() }
}

const FILE_NAME: &str = "keystore";
const MAGIC: &[u8; 16] = b"hooklog-keys-v1\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<Vec<u8>> {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn secrets_survive_restarts_and_are_nowhere_in_the_clear() {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("master.key");
        let mut random = Random::from_seed(1);
        let mut store = Keystore::open(directory.path(), &KeySource::File(key_file.clone()), &mut random).unwrap();
        let ids: Vec<KeyId> =
            (0..5).map(|n| store.keep(secret(&format!("swordfish{n}")), &mut random).unwrap()).collect();
        drop(store);
        let bytes = std::fs::read(directory.path().join(FILE_NAME)).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"swordfish"));
        let mut store = Keystore::open(directory.path(), &KeySource::File(key_file.clone()), &mut random).unwrap();
        assert_eq!(store.get(ids[3]), Some(&secret("swordfish3")));
        store.forget_all_but(&BTreeSet::from([ids[1]]), &mut random).unwrap();
        drop(store);
        let store = Keystore::open(directory.path(), &KeySource::File(key_file), &mut random).unwrap();
        assert_eq!(store.secrets.keys().copied().collect::<Vec<_>>(), [ids[1]]);
    }

    #[test]
    fn a_wrong_or_missing_key_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let (key_file, other) = (directory.path().join("master.key"), directory.path().join("other.key"));
        let mut random = Random::from_seed(1);
        drop(Keystore::open(directory.path(), &KeySource::File(key_file), &mut random).unwrap());
        let problem = Keystore::open(directory.path(), &KeySource::File(other.clone()), &mut random).unwrap_err();
        assert_eq!(problem, KeystoreError::KeyMissing { path: other.clone() });
        std::fs::write(&other, MasterKey::make(&mut random).expose()).unwrap();
        let problem = Keystore::open(directory.path(), &KeySource::File(other.clone()), &mut random).unwrap_err();
        assert_eq!(problem, KeystoreError::WrongKey { path: directory.path().join(FILE_NAME) });
        std::fs::write(&other, "too short").unwrap();
        let problem = Keystore::open(directory.path(), &KeySource::File(other), &mut random).unwrap_err();
        assert!(matches!(problem, KeystoreError::KeyInvalid { .. }));
    }

    #[test]
    fn a_cut_off_end_is_left_out_and_a_damaged_middle_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("master.key");
        let path = directory.path().join(FILE_NAME);
        let mut random = Random::from_seed(1);
        let mut store = Keystore::open(directory.path(), &KeySource::File(key_file.clone()), &mut random).unwrap();
        let first = store.keep(secret("one"), &mut random).unwrap();
        let middle = std::fs::metadata(&path).unwrap().len();
        let second = store.keep(secret("two"), &mut random).unwrap();
        drop(store);
        let whole = std::fs::read(&path).unwrap();
        for end in usize::try_from(middle).unwrap()..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let store = Keystore::open(directory.path(), &KeySource::File(key_file.clone()), &mut random).unwrap();
            assert!(store.get(first).is_some() && store.get(second).is_none());
        }
        let mut damaged = whole;
        damaged[40] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let problem = Keystore::open(directory.path(), &KeySource::File(key_file), &mut random).unwrap_err();
        assert_eq!(problem, KeystoreError::Damaged { path, at: 24 });
    }
}
