//! A command: one change of hooklog's own settings, kept in the same log as the events.
//!
//! The payload part is a salt (16 bytes), a layout (1 byte) and JSON. Not the typed setting: `accounts`
//! knows what a value means; here it is text under a kind and a name.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Who;
use super::codec::{CodecError, Reader, Writer};

/// What kind of setting a command changes. Numbers are on disk: never changed, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SettingKind {
    /// An account; its name is in the value, its number in the record's header.
    Account = 1,
    /// An endpoint of an account.
    Endpoint = 2,
    /// An API token of an account, or of the operator.
    Token = 3,
    /// A job of an account: a replay.
    Job = 4,
    /// The program, and what it brings that decides what a receiver gets.
    Build = 5,
    /// The rights of an account.
    Rights = 6,
    /// What INO's contract with an account allows: its rights are merged with it to the stricter.
    Ceiling = 7,
    /// The catalogue of types and fields.
    Catalog = 8,
}

impl SettingKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Account,
        Self::Endpoint,
        Self::Token,
        Self::Job,
        Self::Build,
        Self::Rights,
        Self::Ceiling,
        Self::Catalog,
    ];

    /// Returns the number on disk.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the kind of a number on disk.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// One change: the whole new value of a setting, or that it is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// The layout of the value; one that this program does not know makes it refuse to start.
    pub version: u16,
    /// What kind of setting.
    pub kind: SettingKind,
    /// Which one, within its account and kind.
    pub name: String,
    /// Who gave the command.
    pub by: Who,
    /// The whole new value; none where the setting is deleted.
    pub value: Option<Box<RawValue>>,
}

impl Command {
    /// Writes the payload part.
    #[must_use]
    pub fn encode(&self, salt: [u8; 16]) -> Bytes {
        let json = serde_json::to_vec(self).expect("a command has text keys and nothing else that can fail");
        let mut writer = Writer::with_capacity(32 + json.len());
        writer.fixed(salt);
        writer.fixed([LAYOUT]);
        writer.long(&json);
        writer.finish()
    }

    /// Reads the payload part of a command's record.
    ///
    /// # Errors
    /// Where the bytes are not what [`Command::encode`] writes.
    pub fn decode(payload: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let _salt: [u8; 16] = reader.fixed()?;
        let layout = reader.u8()?;
        if layout != LAYOUT {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let json = reader.long()?;
        reader.end()?;
        serde_json::from_slice(&json).map_err(|_| CodecError::Text)
    }
}

const LAYOUT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for kind in SettingKind::ALL {
            assert_eq!(SettingKind::from_code(kind.code()), Some(kind));
            let command = Command {
                version: 1,
                kind,
                name: "crm".to_owned(),
                by: Who::Token { id: "t1".to_owned(), name: "ci".to_owned() },
                value: Some(RawValue::from_string(r#"{"a": 1.50}"#.to_owned()).expect("this is JSON")),
            };
            let read = Command::decode(command.encode([1; 16])).expect("what was written can be read");
            assert_eq!(read.value.map(|value| value.get().to_owned()).as_deref(), Some(r#"{"a": 1.50}"#));
            assert_eq!((read.kind, read.name.as_str(), read.by), (kind, "crm", command.by));
        }
        assert_eq!(SettingKind::from_code(0), None);
    }
}
