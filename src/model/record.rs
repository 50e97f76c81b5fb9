//! A record: a fixed header of 104 bytes and a payload part.
//!
//! Not its place: the position is the key of the row, and the checksum covers it, so that a row that was
//! moved is found out. The commitment is the SHA-256 of the payload part, which begins with its salt. The
//! chain runs over headers without flags, length and checksum, so an erased record (payload gone, flag
//! set) keeps its place, the chain and every count.
//!
//! ```text
//!  0 format 1  kind 1  flags 1  reserved 1  partition 2  type 2
//!  8 account 4  key id 4  offset 8  recordedAt 8  payload length 4
//! 36 commitment 32
//! 68 chain hash of the record before 32
//! 100 checksum 4 (CRC-32C over position, header and payload)
//! ```

#![warn(clippy::wildcard_enum_match_arm)]

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{AccountId, Offset, Position, Timestamp, TypeNumber};

/// What a record is. Numbers are on disk: never changed, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A fact from INO.
    Event = 1,
    /// A change of hooklog's own settings.
    Command = 2,
    /// A request that was not understood.
    Capture = 3,
    /// The place where records are missing after a crash without sync.
    Cut = 4,
}

impl Kind {
    const fn from_code(code: u8) -> Result<Self, RecordError> {
        Ok(match code {
            1 => Self::Event,
            2 => Self::Command,
            3 => Self::Capture,
            4 => Self::Cut,
            _ => return Err(RecordError::UnknownKind(code)),
        })
    }
}

/// A row that is no sound record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The row is shorter than its header says.
    #[error("the row has {found} bytes where {expected} are needed")]
    Length {
        /// Bytes that the header asks for.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A newer program wrote the row.
    #[error("the row has the unknown format {0}")]
    UnknownFormat(u8),
    /// A newer program wrote the row.
    #[error("the row has the unknown kind {0}")]
    UnknownKind(u8),
    /// The row's bytes, or its place, are not what was written.
    #[error("the row's checksum does not fit its bytes and its place")]
    Checksum,
    /// The payload is not the one that the header commits to.
    #[error("the row's payload does not fit the commitment in its header")]
    Commitment,
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the record is.
    pub kind: Kind,
    /// Bits: [`Header::ERASED`].
    pub flags: u8,
    /// Which partition of a distributed log; 0 today.
    pub partition: u16,
    /// The event type's number; 0 where there is none.
    pub type_number: TypeNumber,
    /// Whose record it is.
    pub account: AccountId,
    /// The key the payload is sealed with; 0 where it is not sealed.
    pub key_id: u32,
    /// The event's place in its account's log; 0 for all else.
    pub offset: Offset,
    /// When hooklog took it in. Never goes back.
    pub recorded_at: Timestamp,
    /// SHA-256 of the payload part.
    pub commitment: [u8; 32],
    /// The chain hash of the record before; zeros for the first.
    pub previous: [u8; 32],
}

impl Header {
    /// Bytes of an encoded header.
    pub const BYTES: usize = 104;
    /// The flag of a record whose payload is gone.
    pub const ERASED: u8 = 1;

    /// Returns whether the payload is gone.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.flags & Self::ERASED != 0
    }

    /// Returns the hash that the next record's header carries as `previous`.
    #[must_use]
    pub fn chain_hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update([FORMAT, self.kind as u8]);
        hasher.update(self.partition.to_be_bytes());
        hasher.update(self.type_number.0.to_be_bytes());
        hasher.update(self.account.0.to_be_bytes());
        hasher.update(self.key_id.to_be_bytes());
        hasher.update(self.offset.0.to_be_bytes());
        hasher.update(self.recorded_at.0.to_be_bytes());
        hasher.update(self.commitment);
        hasher.update(self.previous);
        hasher.finalize().into()
    }

    /// Writes header and payload as one row for the place `position`, appending to `row`.
    pub fn encode(&self, position: Position, payload: &[u8], row: &mut Vec<u8>) {
        let start = row.len();
        row.reserve(Self::BYTES + payload.len());
        row.extend_from_slice(&[FORMAT, self.kind as u8, self.flags, 0]);
        row.extend_from_slice(&self.partition.to_be_bytes());
        row.extend_from_slice(&self.type_number.0.to_be_bytes());
        row.extend_from_slice(&self.account.0.to_be_bytes());
        row.extend_from_slice(&self.key_id.to_be_bytes());
        row.extend_from_slice(&self.offset.0.to_be_bytes());
        row.extend_from_slice(&self.recorded_at.0.to_be_bytes());
        let length = u32::try_from(payload.len()).expect("a payload is bounded where it comes in");
        row.extend_from_slice(&length.to_be_bytes());
        row.extend_from_slice(&self.commitment);
        row.extend_from_slice(&self.previous);
        let checksum = checksum(position, row.get(start..).unwrap_or_default(), payload);
        row.extend_from_slice(&checksum.to_be_bytes());
        debug_assert_eq!(row.len() - start, Self::BYTES);
        row.extend_from_slice(payload);
    }

    /// Reads the header of a row and checks the row's length, not its checksum.
    ///
    /// # Errors
    /// Where the row is cut off, or of a format or kind that this program does not know.
    pub fn decode(row: &[u8]) -> Result<Self, RecordError> {
        let Some(header) = row.first_chunk::<{ Self::BYTES }>() else {
            return Err(RecordError::Length { expected: Self::BYTES, found: row.len() });
        };
        let mut fields = Fields(header);
        let [format, kind, flags, _reserved] = fields.take();
        if format != FORMAT {
            return Err(RecordError::UnknownFormat(format));
        }
        let kind = Kind::from_code(kind)?;
        let partition = u16::from_be_bytes(fields.take());
        let type_number = TypeNumber(u16::from_be_bytes(fields.take()));
        let account = AccountId(u32::from_be_bytes(fields.take()));
        let key_id = u32::from_be_bytes(fields.take());
        let offset = Offset(u64::from_be_bytes(fields.take()));
        let recorded_at = Timestamp(i64::from_be_bytes(fields.take()));
        let length = usize::try_from(u32::from_be_bytes(fields.take())).unwrap_or(usize::MAX);
        let commitment = fields.take();
        let previous = fields.take();
        let expected = Self::BYTES.saturating_add(length);
        if row.len() != expected {
            return Err(RecordError::Length { expected, found: row.len() });
        }
        Ok(Self { kind, flags, partition, type_number, account, key_id, offset, recorded_at, commitment, previous })
    }
}

/// A record at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the whole log.
    pub position: Position,
    /// Its fixed part.
    pub header: Header,
    /// Its payload part: an event, a command or a capture.
    pub payload: Bytes,
}

impl Record {
    /// Reads a row and checks its checksum.
    ///
    /// # Errors
    /// Where the row is not what was written at this place.
    pub fn decode(position: Position, row: Bytes) -> Result<Self, RecordError> {
        let header = Header::decode(&row)?;
        let payload = row.slice(Header::BYTES..);
        let before_checksum = row.get(..Header::BYTES - 4).unwrap_or_default();
        let stored = row.get(Header::BYTES - 4..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
        if checksum(position, before_checksum, &payload).to_be_bytes() != stored {
            return Err(RecordError::Checksum);
        }
        Ok(Self { position, header, payload })
    }

    /// Checks that the payload is the one the header commits to, or that all of it is gone.
    ///
    /// # Errors
    /// `Commitment` where it is not.
    pub fn check_commitment(&self) -> Result<(), RecordError> {
        let is_sound = match self.header.is_erased() {
            true => self.payload.is_empty(),
            false => commitment(&self.payload) == self.header.commitment,
        };
        if is_sound { Ok(()) } else { Err(RecordError::Commitment) }
    }

    /// Returns the record without its payload: its place, the chain and every count stay.
    #[must_use]
    pub fn erased(self) -> Self {
        let header = Header { flags: self.header.flags | Header::ERASED, ..self.header };
        Self { position: self.position, header, payload: Bytes::new() }
    }
}

/// Returns the commitment to a payload part: its SHA-256. The part begins with a salt.
#[must_use]
pub fn commitment(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

fn checksum(position: Position, header: &[u8], payload: &[u8]) -> u32 {
    let place = crc32c::crc32c(&position.0.to_be_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(place, header), payload)
}

/// Takes fixed-width fields from a buffer that is known to be long enough.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk::<N>().expect("the header's length was checked");
        self.0 = rest;
        *field
    }
}

const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::event::tests::any_draft;

    fn any_header() -> impl Strategy<Value = Header> {
        (
            (1_u8..=4, any::<u8>(), any::<u16>(), any::<u16>(), any::<u32>(), any::<u32>()),
            (any::<u64>(), any::<i64>(), any::<[u8; 32]>(), any::<[u8; 32]>()),
        )
            .prop_map(
                |((kind, flags, partition, type_number, account, key_id), (offset, at, commitment, previous))| Header {
                    kind: Kind::from_code(kind).expect("kinds 1 to 4 are known"),
                    flags,
                    partition,
                    type_number: TypeNumber(type_number),
                    account: AccountId(account),
                    key_id,
                    offset: Offset(offset),
                    recorded_at: Timestamp(at),
                    commitment,
                    previous,
                },
            )
    }

    #[test]
    fn what_is_written_is_read_back() {
        proptest!(|(header in any_header(), position: u64, payload: Vec<u8>)| {
            let mut row = Vec::new();
            header.encode(Position(position), &payload, &mut row);
            prop_assert_eq!(row.len(), Header::BYTES + payload.len());
            let record = Record::decode(Position(position), Bytes::from(row)).expect("what was written can be read");
            prop_assert_eq!(record.header, header);
            prop_assert_eq!(&record.payload[..], &payload[..]);
        });
    }

    #[test]
    fn a_changed_bit_or_another_place_is_found() {
        proptest!(|(header in any_header(), payload: Vec<u8>, at in any::<prop::sample::Index>(), bit in 0_u8..8)| {
            let mut row = Vec::new();
            header.encode(Position(9), &payload, &mut row);
            prop_assert_eq!(
                Record::decode(Position(10), Bytes::from(row.clone())).err(),
                Some(RecordError::Checksum)
            );
            let index = at.index(row.len());
            row[index] ^= 1 << bit;
            prop_assert!(Record::decode(Position(9), Bytes::from(row)).is_err());
        });
    }

    #[test]
    fn the_chain_sees_all_but_flags_and_payload_length() {
        proptest!(|(header in any_header(), draft in any_draft())| {
            let mut other = header;
            other.flags ^= 1;
            prop_assert_eq!(other.chain_hash(), header.chain_hash());
            other.offset = header.offset.next();
            if other.offset != header.offset {
                prop_assert_ne!(other.chain_hash(), header.chain_hash());
            }
            let payload = draft.encode([1; 16], false);
            let record = Record {
                position: Position(1),
                header: Header { commitment: commitment(&payload), flags: header.flags & !Header::ERASED, ..header },
                payload,
            };
            prop_assert_eq!(record.check_commitment(), Ok(()));
            let erased = record.clone().erased();
            prop_assert_eq!(erased.check_commitment(), Ok(()), "gone as a whole, and marked");
            prop_assert_eq!(erased.header.chain_hash(), record.header.chain_hash());
            let half = Record { payload: record.payload.slice(1..), ..erased };
            prop_assert_eq!(half.check_commitment(), Err(RecordError::Commitment));
            let cut = Record { payload: record.payload.slice(1..), ..record };
            prop_assert_eq!(cut.check_commitment(), Err(RecordError::Commitment));
        });
    }
}
