//! The body of a request: an event in the form that its endpoint asked for.
//!
//! Pure, and the same whoever calls it: a delivery, the Test, a preview. `actor` and `data` are copied as
//! they were kept; nothing here reads them. The text of a body is a function of its arguments alone, so the
//! hash that an attempt keeps proves later what was sent.

use bytes::Bytes;
use serde::Serialize;

use crate::model::{AccountName, EventId, EventType, Timestamp};

/// What the body of a request looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// The whole event: id, type, version, occurredAt, accountId, actor, test, data.
    Envelope,
}

/// What goes into a body.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The event's id.
    pub id: &'a EventId,
    /// The event's type.
    pub event_type: &'a EventType,
    /// The schema version of the type.
    pub version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The account's name.
    pub account: &'a AccountName,
    /// Who did it: a JSON object, as kept.
    pub actor: Option<&'a str>,
    /// Whether it is a test and never happened.
    pub is_test: bool,
    /// A JSON object, as kept.
    pub data: &'a str,
}

impl BodyFormat {
    /// Returns its number on disk.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Envelope => 0,
        }
    }

    /// Returns the format with this number.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Envelope),
            _ => None,
        }
    }

    /// Writes a body.
    ///
    /// # Shape
    /// One buffer of exactly the size it needs.
    #[must_use]
    pub fn body(self, content: &Content<'_>) -> Bytes {
        match self {
            Self::Envelope => envelope(content),
        }
    }
}

fn envelope(content: &Content<'_>) -> Bytes {
    let version = content.version.to_string();
    let occurred_at = content.occurred_at.to_string();
    // Names, ids and types have no character that JSON escapes; their parsers see to it.
    let actor = content.actor.map(|actor| [r#","actor":"#, actor]).unwrap_or_default();
    let parts = [
        r#"{"id":""#,
        content.id.as_str(),
        r#"","type":""#,
        content.event_type.as_str(),
        r#"","version":"#,
        &version,
        r#","occurredAt":""#,
        &occurred_at,
        r#"","accountId":""#,
        content.account.as_str(),
        r#"""#,
        actor[0],
        actor[1],
        if content.is_test { r#","test":true,"data":"# } else { r#","test":false,"data":"# },
        content.data,
        "}",
    ];
    Bytes::from(parts.concat())
}
