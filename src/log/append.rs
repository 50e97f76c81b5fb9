//! What can be handed to the writer, and what comes back.
//!
//! Preparing happens in the caller's thread: encoding, commitment and hashes cost the writer nothing. The
//! writer alone gives positions and offsets.

use bytes::Bytes;
use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher24x128};
use std::hash::Hasher;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Error;
use crate::model::{
    AccountId, Aside, Attempt, Capture, Command, EndpointId, EventDraft, EventType, KeyField, Offset, Position,
    Sequence, SettingKind, Settled, Timestamp, commitment,
};

/// The key of the hashes in `event_ids` and `by_key`; made with the store, kept in it.
#[derive(Clone, Copy)]
pub(super) struct HashKey(pub(super) [u8; 16]);

impl std::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HashKey")
    }
}

impl HashKey {
    /// The 16 bytes under which an event's id is looked up.
    pub(super) fn of_id(self, account: AccountId, id: &str) -> [u8; 16] {
        let mut hasher = SipHasher24x128::new_with_key(&self.0);
        hasher.write(&account.0.to_be_bytes());
        // The format has room for a source; ids of an account share one space, so it is always empty.
        hasher.write(&0_u64.to_be_bytes());
        hasher.write(id.as_bytes());
        hasher.finish128().as_u128().to_be_bytes()
    }

    /// The number that stands for a lane's key.
    pub(super) fn of_key(self, account: AccountId, key: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&account.0.to_be_bytes());
        hasher.write(key.as_bytes());
        hasher.finish()
    }

    /// The number under which an event is found by its key in the events of one type in which one field tells it.
    pub(super) fn of_told_key(self, account: AccountId, field: KeyField, event_type: &EventType, key: &str) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&account.0.to_be_bytes());
        // No text has these bytes in it: no key hashes like this one by itself.
        hasher.write(&[0xff]);
        hasher.write(field.pointer().as_bytes());
        hasher.write(&[0xff]);
        hasher.write(event_type.as_str().as_bytes());
        hasher.write(&[0xff]);
        hasher.write(key.as_bytes());
        hasher.finish()
    }
}

/// An event made ready for the writer.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub(super) id_hash: [u8; 16],
    pub(super) is_looked_up: bool,
    pub(super) digest: [u8; 16],
    pub(super) event_type: EventType,
    pub(super) key_hash: Option<u64>,
    /// Under what the event is found by its key by whom a field tells it.
    pub(super) told_hashes: [Option<u64>; KeyField::ALL.len()],
    pub(super) payload: Bytes,
    pub(super) commitment: [u8; 32],
}

impl NewEvent {
    pub(super) fn prepare(hash_key: HashKey, account: AccountId, draft: &EventDraft, salt: [u8; 16]) -> Self {
        let payload = draft.encode(salt, false);
        let mut told_hashes = [None; KeyField::ALL.len()];
        if let Some(key) = &draft.key {
            let telling = KeyField::telling(key, &draft.data);
            let hashes = telling.map(|field| hash_key.of_told_key(account, field, &draft.event_type, key));
            told_hashes.iter_mut().zip(hashes).for_each(|(place, hash)| *place = Some(hash));
        }
        Self {
            told_hashes,
            id_hash: hash_key.of_id(account, draft.id.as_str()),
            is_looked_up: !draft.id_is_made,
            digest: draft.content_digest(),
            event_type: draft.event_type.clone(),
            key_hash: draft.key.as_deref().map(|key| hash_key.of_key(account, key)),
            commitment: commitment(&payload),
            payload,
        }
    }
}

/// What to do with an id that is already there with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Take nothing of the request.
    Refuse,
    /// Take the rest of the request and keep the first.
    KeepFirst,
}

/// What became of one event of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log at this offset.
    Accepted(Offset),
    /// The same id with the same content was there already, at this offset.
    Duplicate(Offset),
    /// The same id with other content was there already, at this offset; this one was not taken.
    Conflict(Offset),
}

impl Appended {
    /// Returns the offset that the id is found at.
    #[must_use]
    pub const fn offset(self) -> Offset {
        match self {
            Self::Accepted(offset) | Self::Duplicate(offset) | Self::Conflict(offset) => offset,
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// One answer an event, in the order of the request.
    pub events: Vec<Appended>,
    /// Whether nothing was taken because of a conflict.
    pub is_refused: bool,
}

/// Where a command stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its position: the revision of what it changed.
    pub position: Position,
    /// When it was taken in.
    pub recorded_at: Timestamp,
}

/// Which work of an endpoint a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Course {
    /// Events as they come, since the endpoint's beginning.
    Live,
    /// Events as they come, since somebody has moved the endpoint by the move of this number.
    Sought(u64),
    /// The replay of this number.
    Replay(u64),
}

impl Course {
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Live => 0,
            Self::Sought(number) => SOUGHT | number,
            Self::Replay(job) => job,
        }
    }

    pub(super) const fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Live,
            sought if sought & SOUGHT != 0 => Self::Sought(sought & !SOUGHT),
            job => Self::Replay(job),
        }
    }
}

/// Sets the live work since a move apart from replays, and behind them: rows of one event stay in order.
const SOUGHT: u64 = 1 << 63;

/// A row that says how delivery goes. The values of cursors, attempts, asides and rollups are `deliver`'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutcomeRow {
    /// How far an endpoint has got.
    Cursor {
        /// Whose cursor.
        endpoint: EndpointId,
        /// Of which work.
        course: Course,
        /// Where it stands.
        value: Bytes,
    },
    /// How far an endpoint had decided when the settings changed that it decides by.
    Decided {
        /// Which endpoint.
        endpoint: EndpointId,
        /// The position of the change.
        change: Position,
        /// The last offset that was decided before it.
        to: Offset,
    },
    /// Which event a sequence number was given to.
    Sequence {
        /// Whose number.
        endpoint: EndpointId,
        /// The number.
        sequence: Sequence,
        /// The event's position, by which the row ages.
        position: Position,
        /// The event's offset.
        offset: Offset,
    },
    /// What happened to a test.
    Test {
        /// Who was asked.
        endpoint: EndpointId,
        /// Which test of the endpoint it was.
        number: Attempt,
        /// The newest position when it was made, by which the row ages.
        position: Position,
        /// What happened.
        value: Bytes,
    },
    /// What happened to one request.
    Attempt {
        /// Who was asked.
        endpoint: EndpointId,
        /// About which event.
        offset: Offset,
        /// In which work.
        course: Course,
        /// Which request it was.
        attempt: Attempt,
        /// The event's position, by which the row ages.
        position: Position,
        /// What happened.
        value: Bytes,
    },
    /// What became of an event, in place of what the same row said before.
    Aside {
        /// At which endpoint.
        endpoint: EndpointId,
        /// What became of it.
        aside: Aside,
        /// The event.
        offset: Offset,
        /// The event's position, by which the row ages.
        position: Position,
        /// How it came to that.
        value: Bytes,
    },
    /// How a run of events was settled that have no row of their own for it.
    Settled {
        /// At which endpoint.
        endpoint: EndpointId,
        /// How.
        settled: Settled,
        /// The first of them.
        first: Offset,
        /// The last of them.
        last: Offset,
        /// The position of the last, by which the row ages.
        position: Position,
    },
    /// What happened at an endpoint in one minute, in place of what the same row said before.
    Rollup {
        /// Which endpoint.
        endpoint: EndpointId,
        /// Which minute, counted like the milliseconds of an instant.
        minute: u32,
        /// The newest position when it was written, by which the row ages.
        position: Position,
        /// What happened.
        value: Bytes,
    },
    /// That became of the event which was aside: its row goes.
    NotAside {
        /// At which endpoint.
        endpoint: EndpointId,
        /// What it was.
        aside: Aside,
        /// The event.
        offset: Offset,
    },
    /// No event from an offset on is set aside or settled any more.
    AnewFrom {
        /// At which endpoint.
        endpoint: EndpointId,
        /// The first of the events.
        first: Offset,
    },
}

/// A change of settings made ready for the writer.
#[derive(Debug)]
pub struct NewCommand {
    /// Whose setting.
    pub account: AccountId,
    /// The change.
    pub command: Command,
    /// Bytes that the change refers to by their digest.
    pub blobs: Vec<([u8; 32], Bytes)>,
}

/// A setting as one command made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// Whose setting.
    pub account: AccountId,
    /// What kind of setting.
    pub kind: SettingKind,
    /// Which one.
    pub name: String,
    /// The position of the command.
    pub revision: Position,
    /// When the command was taken in.
    pub recorded_at: Timestamp,
    /// The command's JSON, with its author and the whole new value.
    pub command: Bytes,
}

/// Room in the queue before the writer, given back when dropped.
#[derive(Debug)]
pub struct Reservation(
    #[expect(dead_code, reason = "held until the writer has answered")] pub(super) OwnedSemaphorePermit,
);

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Events {
        account: AccountId,
        events: Vec<NewEvent>,
        on_conflict: OnConflict,
        _reservation: Reservation,
        reply: oneshot::Sender<Result<Outcome, Error>>,
    },
    Captures {
        captures: Vec<(AccountId, Capture, [u8; 16])>,
        _reservation: Reservation,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Command {
        command: NewCommand,
        salt: [u8; 16],
        reply: oneshot::Sender<Result<Place, Error>>,
    },
    Outcomes {
        rows: Arc<Vec<OutcomeRow>>,
        sync: bool,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Erase {
        positions: Vec<Position>,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// The payloads of these captures are off the disk.
    Erased {
        positions: Vec<Position>,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Retain {
        mark: Position,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Close {
        reply: oneshot::Sender<Result<(), Error>>,
    },
}
