//! The words everybody speaks: ids, offsets, times, events, records, commands, permissions, limits.
//!
//! Plain data and parsing; no part of hooklog is known here, nothing does IO, nothing asks the clock.
//! A value that could be swapped for another has a type of its own, built by `parse` or `TryFrom` at the
//! edge and infallible inside.

pub mod json;
pub mod limits;

mod actor;
mod aside;
mod capture;
pub(crate) mod codec;
mod command;
mod cut;
mod event;
mod identity;
mod key_field;
mod name;
mod number;
mod payload;
mod permission;
mod record;
mod time;
mod wire;

pub use actor::Who;
pub use aside::{Aside, Settled};
pub use capture::{Capture, CaptureReason};
pub use codec::CodecError;
pub use command::{Command, SettingKind};
pub use cut::Cut;
pub use event::{Event, EventDraft, OWN_EVENT, spell_type};
pub use key_field::{KeyField, says};
pub use name::{AccountName, EndpointName, EventId, EventType, InvalidName};
pub use number::{AccountId, Attempt, EndpointId, Offset, Position, Sequence, TypeNumber};
pub use payload::{InvalidPayload, Payload};
pub use permission::{Permission, Permissions};
pub use record::{Header, Kind, Record, RecordError, commitment};
pub use time::{InvalidTimestamp, Timestamp};
pub use wire::{body_hash, key_from_header, key_to_header};
