//! What is sent, as plain values, and how a receiver knows that it is from us.
//!
//! Not where it goes: that is a route's. Secrets have no `Debug` content.

use bytes::Bytes;
use bytestring::ByteString;

use crate::accounts::RightsStamp;
use crate::model::{Attempt, EventId, EventType, Offset, Sequence, Timestamp};
use crate::security::{Secret, Signer};

/// One event for one endpoint, ready to be sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// The event's id, the same on every attempt and replay.
    pub id: EventId,
    /// The event's type.
    pub event_type: EventType,
    /// The schema version of the type.
    pub version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Its place in the account's log; a test has none.
    pub offset: Option<Offset>,
    /// Its number at the endpoint; tests and replays have none.
    pub sequence: Option<Sequence>,
    /// Which request of the event this is, from 1.
    pub attempt: Attempt,
    /// The lane's key, where the receiver may know it.
    pub key: Option<ByteString>,
    /// The trace that the event belongs to, as W3C writes it.
    pub traceparent: Option<ByteString>,
    /// The revision of the rights that the body was made under; a test has none.
    pub rights: Option<ByteString>,
    /// Whether those rights still hold when the request is about to begin.
    pub stamp: RightsStamp,
    /// Whether it is a test and never happened.
    pub is_test: bool,
    /// Whether its lane went on without it.
    pub is_late: bool,
    /// Whether a person has asked for it after it was given up.
    pub is_redelivery: bool,
    /// The job that sends it again, if one does.
    pub replay: Option<ByteString>,
    /// The body, as the receiver gets it.
    pub body: Bytes,
}

/// How hooklog shows a receiver who it is, beside the signature.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
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

/// A key that requests are signed with, and until when.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// The key.
    pub signer: Signer,
    /// Until when it is used beside a newer one; none for the newest.
    pub valid_until: Option<Timestamp>,
}
