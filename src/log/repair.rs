//! What can be done when a start refuses: on a copy, shown first, then done.
//!
//! A cut ends the log at its last sound record and names the hole in a record of its own, behind every
//! position that was acknowledged: positions and offsets are never used twice. The original is not touched.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::acknowledged::{Acknowledged, End};
use super::keys::{self, Family};
use super::start::{end_of, last_record, read_heads};
use super::store::{Recovery, STORE_FOLDER, Store};
use super::{Error, Options, settings};
use crate::model::{AccountId, Cut, Header, Kind, Offset, Position, Timestamp, TypeNumber, commitment};
use crate::runtime::Random;

/// What a copy of a damaged log holds, and what a repair would do to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// The last record that can be read.
    pub end: Position,
    /// The highest position that was acknowledged.
    pub acknowledged: Position,
    /// Acknowledged records that are not there.
    pub lost: u64,
}

/// A copy of a data directory, opened up to the first damage.
#[derive(Debug)]
pub struct Repair {
    store: Store,
    acknowledged: Acknowledged,
    end: End,
    recorded_at: Timestamp,
    remembered: End,
}

impl Repair {
    /// Copies a data directory to `target`, which must not exist, and opens the copy as far as it is sound.
    ///
    /// # Errors
    /// `Store` where the copy cannot be made or opened; the source stays as it is.
    pub fn copy(options: &Options, target: &Path) -> Result<Self, Error> {
        copy_apart(&options.directory, target)
            .map_err(|problem| Error::store("copying the data directory", &problem))?;
        let options = Options { directory: target.to_owned(), ..options.clone() };
        let (acknowledged, remembered) =
            Acknowledged::open(target).map_err(|problem| Error::store("opening the side file", &problem))?;
        let store = Store::open(&options, Recovery::UpToDamage)?;
        let last = last_record(&store)?;
        let end = last.as_ref().map_or_else(End::default, end_of);
        let recorded_at = last.map_or(Timestamp(0), |record| record.header.recorded_at);
        Ok(Self { store, acknowledged, end, recorded_at, remembered })
    }

    /// Says what is there and what is missing.
    #[must_use]
    pub const fn findings(&self) -> Findings {
        Findings {
            end: self.end.position,
            acknowledged: self.remembered.position,
            lost: self.remembered.position.0.saturating_sub(self.end.position.0),
        }
    }

    /// Makes the copy a log that can be started, naming the hole where there is one.
    ///
    /// # Errors
    /// `Store` where the copy cannot be written.
    pub fn apply(mut self, now: Timestamp, random: &mut Random) -> Result<Findings, Error> {
        let findings = self.findings();
        let end = if findings.lost > 0 {
            cut(&self.store, self.end, self.remembered.position, self.recorded_at.max(now), random)?
        } else {
            self.end
        };
        self.store.flush()?;
        self.acknowledged.remember_and_sync(end).map_err(|problem| Error::store("writing the side file", &problem))?;
        Ok(findings)
    }
}

/// Appends the record that names the hole between `end` and `acknowledged`; returns the new end.
pub(super) fn cut(
    store: &Store,
    end: End,
    acknowledged: Position,
    recorded_at: Timestamp,
    random: &mut Random,
) -> Result<End, Error> {
    let cut = Cut { after: end.position, up_to: acknowledged };
    let payload = cut.encode(random.bytes());
    let header = Header {
        kind: Kind::Cut,
        flags: 0,
        partition: 0,
        type_number: TypeNumber(0),
        account: AccountId::SYSTEM,
        key_id: 0,
        offset: Offset(0),
        recorded_at,
        commitment: commitment(&payload),
        previous: end.chain,
    };
    let position = acknowledged.next();
    let mut row = Vec::new();
    header.encode(position, &payload, &mut row);
    let mut batch = store.batch();
    batch.put(Family::Records, keys::record(position), row);
    let mut heads = read_heads(store)?;
    // All events of a new account may be among the lost.
    for row in settings::newest(store)? {
        heads.entry(row.account).or_default();
    }
    for (account, head) in heads {
        // Nobody knows how many of the lost records were this account's: as many as there were at most.
        let offset = Offset(head.offset.0.saturating_add(cut.lost()));
        batch.put(Family::Meta, keys::head(account), keys::head_value(offset, head.position));
    }
    store.write(batch, true)?;
    Ok(End { position, chain: header.chain_hash() })
}

/// Copies a folder to a place outside of it: a copy into itself would never end.
fn copy_apart(source: &Path, target: &Path) -> io::Result<()> {
    let (source, parent) = (source.canonicalize()?, target.parent().unwrap_or_else(|| Path::new(".")));
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    if parent.canonicalize()?.starts_with(&source) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the copy must not lie inside the data directory"));
    }
    copy_folder(&source, target)
}

/// Copies files; those that never change once written are linked, which costs neither time nor room.
fn copy_folder(source: &Path, target: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let (from, to): (PathBuf, PathBuf) = (entry.path(), target.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&from, &to)?;
        } else if from.extension().is_none_or(|extension| extension != "sst") || fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
        }
    }
    // A lock belongs to the process that holds it, not to the copy.
    if target.ends_with(STORE_FOLDER) {
        match fs::remove_file(target.join("LOCK")) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
