//! Rows of settings: the whole value of every command, by what it changed and at which revision.
//!
//! Retention never touches them. Not the meaning of a value: `accounts` folds them.
//!
//! Value: when the command was taken in (8 bytes, ms) and the command's JSON.

use bytes::Bytes;

use super::Error;
use super::append::SettingRow;
use super::keys::{self, Family};
use super::store::Store;
use crate::model::{AccountId, Command, Position, SettingKind, Timestamp};

pub(super) fn encode(recorded_at: Timestamp, command: &Command) -> Vec<u8> {
    let mut value = recorded_at.0.to_be_bytes().to_vec();
    serde_json::to_writer(&mut value, command).expect("a command has text keys and nothing else that can fail");
    value
}

/// Returns the newest row of every setting, in the order of account, kind and name.
pub(super) fn newest(store: &Store) -> Result<Vec<SettingRow>, Error> {
    let mut rows: Vec<SettingRow> = Vec::new();
    for row in store.scan(Family::Settings, &[], None) {
        let (key, value) = row?;
        let row = decode(&key, &value)?;
        match rows.last_mut() {
            Some(last) if (last.account, last.kind, &last.name) == (row.account, row.kind, &row.name) => *last = row,
            _ => rows.push(row),
        }
    }
    Ok(rows)
}

/// Returns every revision of one setting, newest first.
pub(super) fn history(
    store: &Store,
    account: AccountId,
    kind: SettingKind,
    name: &str,
    limit: usize,
) -> Result<Vec<SettingRow>, Error> {
    let prefix = keys::setting_prefix(account, kind, name);
    let last = keys::setting(account, kind, name, Position(u64::MAX));
    store
        .scan_back(Family::Settings, &last)
        .take_while(|row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
        .take(limit)
        .map(|row| row.and_then(|(key, value)| decode(&key, &value)))
        .collect()
}

/// Returns a setting as it was at a position.
pub(super) fn as_of(
    store: &Store,
    account: AccountId,
    kind: SettingKind,
    name: &str,
    position: Position,
) -> Result<Option<SettingRow>, Error> {
    let prefix = keys::setting_prefix(account, kind, name);
    let from = keys::setting(account, kind, name, position);
    match store.scan_back(Family::Settings, &from).next().transpose()? {
        Some((key, value)) if key.starts_with(&prefix) => decode(&key, &value).map(Some),
        Some(_) | None => Ok(None),
    }
}

fn decode(key: &[u8], value: &[u8]) -> Result<SettingRow, Error> {
    let wrong = || Error::Inconsistent(format!("a setting's row has an unknown form: {key:02x?}"));
    let (account, kind, name, revision) = keys::setting_parts(key).ok_or_else(wrong)?;
    let kind = SettingKind::from_code(kind).ok_or_else(|| {
        Error::Inconsistent(format!(
            "a setting is of kind {kind}, which this program does not know; use a newer hooklog"
        ))
    })?;
    let (recorded_at, command) = value.split_first_chunk::<8>().ok_or_else(wrong)?;
    Ok(SettingRow {
        account,
        kind,
        name: name.to_owned(),
        revision,
        recorded_at: Timestamp(i64::from_be_bytes(*recorded_at)),
        command: Bytes::copy_from_slice(command),
    })
}
