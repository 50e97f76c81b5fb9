//! What is kept of an event that is not simply delivered: parked, given up, discarded, too old, passed over.
//!
//! One layout for all of them; which of them it is stands in the row's key. Rows ride in the batch that says
//! so of the cursor and the tally, so neither is ever without the other.
//!
//! Layout 1: layout (1) · number (8) · attempts (4) · refusals (4) · at (8) · cause (1) · status (2) · flags
//! (1: late, 2: redelivery) · first offset (8) · who (2 and text).

use bytes::Bytes;
use bytestring::ByteString;

use crate::model::codec::{Reader, Writer};
use crate::model::{Aside, CodecError, Offset, Sequence, Timestamp};

/// What is kept of an event that is not simply delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideEvent {
    /// Its number; 0 where it has none.
    pub sequence: Sequence,
    /// How many requests of it have ended.
    pub attempts: u32,
    /// How many steps of its schedule are used up.
    pub refusals: u32,
    /// When it is to be tried next, of a parked one; of the others when it came to that.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// The last HTTP status, where that was why.
    pub status: Option<u16>,
    /// Whether its lane went on without it.
    pub is_late: bool,
    /// Whether a person has asked for it to be delivered after all.
    pub is_redelivery: bool,
    /// The first of the events that were passed over with it; 0 where it stands for itself.
    pub first: Offset,
    /// Who did it, as it was told; empty where nobody did.
    pub who: ByteString,
}

/// Why an event was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The receiver refused it, or failed on it while it took others.
    Refused,
    /// The receiver said that it never wants it.
    Aborted,
    /// A filter did not answer properly, and the endpoint gives such events up.
    FilterFault,
    /// It was too old when its turn came.
    TooOld,
    /// A person decided so.
    Person,
}

/// A row of what was set aside, to be put or to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideChange {
    /// The event.
    pub offset: Offset,
    /// What became of it.
    pub aside: Aside,
    /// What is kept of it; none where that is over.
    pub event: Option<AsideEvent>,
}

impl AsideChange {
    /// Returns which event it is, and what it is set aside as; none where it is so no more.
    pub(super) fn in_short(&self) -> (Offset, Option<Aside>) {
        (self.offset, self.event.as_ref().map(|_| self.aside))
    }
}

impl AsideEvent {
    /// What is kept of an event of which nothing more is known than when and why.
    #[must_use]
    pub const fn new(at: Timestamp, cause: Cause) -> Self {
        Self {
            sequence: Sequence(0),
            attempts: 0,
            refusals: 0,
            at,
            cause,
            status: None,
            is_late: false,
            is_redelivery: false,
            first: Offset(0),
            who: ByteString::from_static(""),
        }
    }

    /// Returns whether the row of an offset tells of an event at or below it.
    #[must_use]
    pub fn tells_of(&self, row: Offset, offset: Offset) -> bool {
        row == offset || self.first != Offset(0) && (self.first..=row).contains(&offset)
    }

    /// Returns how many events the row of an offset tells of.
    #[must_use]
    pub fn count(&self, offset: Offset) -> u64 {
        if self.first == Offset(0) { 1 } else { offset.0.saturating_sub(self.first.0) + 1 }
    }

    /// Writes it as it is kept on disk.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(48);
        writer.fixed([LAYOUT]);
        writer.fixed(self.sequence.0.to_be_bytes());
        writer.fixed(self.attempts.to_be_bytes());
        writer.fixed(self.refusals.to_be_bytes());
        writer.fixed(self.at.0.to_be_bytes());
        writer.fixed([self.cause.code()]);
        writer.fixed(self.status.unwrap_or(0).to_be_bytes());
        writer.fixed([u8::from(self.is_late) | u8::from(self.is_redelivery) << 1]);
        writer.fixed(self.first.0.to_be_bytes());
        writer.short(self.who.as_bytes());
        writer.finish()
    }

    /// Reads what [`AsideEvent::encode`] has written.
    ///
    /// # Errors
    /// Where the bytes are anything else, or of a layout that this program does not know.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let layout = reader.u8()?;
        if layout != LAYOUT {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let sequence = Sequence(u64::from_be_bytes(reader.fixed()?));
        let (attempts, refusals, at) = (reader.u32()?, reader.u32()?, Timestamp(reader.i64()?));
        let code = reader.u8()?;
        let cause = Cause::ALL.into_iter().find(|cause| cause.code() == code);
        let cause = cause.ok_or_else(|| CodecError::Unknown(u32::from(code)))?;
        let status = Some(reader.u16()?).filter(|status| *status != 0);
        let flags = reader.u8()?;
        if flags > 3 {
            return Err(CodecError::Unknown(u32::from(flags)));
        }
        let first = Offset(u64::from_be_bytes(reader.fixed()?));
        let who = reader.short_text()?;
        reader.end()?;
        let (is_late, is_redelivery) = (flags & 1 != 0, flags & 2 != 0);
        Ok(Self { sequence, attempts, refusals, at, cause, status, is_late, is_redelivery, first, who })
    }
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Refused, Self::Aborted, Self::FilterFault, Self::TooOld, Self::Person];

    /// Returns the number on disk.
    const fn code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::Aborted => 2,
            Self::FilterFault => 3,
            Self::TooOld => 4,
            Self::Person => 5,
        }
    }
}

const LAYOUT: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_aside() -> impl Strategy<Value = AsideEvent> {
        let numbers = any::<(u64, u32, u32, i64, u16, u64)>();
        (numbers, 0..Cause::ALL.len(), any::<(bool, bool)>(), "[a-z:@]{0,40}").prop_map(
            |((sequence, attempts, refusals, at, status, first), cause, (is_late, is_redelivery), who)| AsideEvent {
                sequence: Sequence(sequence),
                attempts,
                refusals,
                at: Timestamp(at),
                cause: Cause::ALL[cause],
                status: Some(status).filter(|status| *status != 0),
                is_late,
                is_redelivery,
                first: Offset(first),
                who: who.into(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(event in any_aside()) {
            prop_assert_eq!(AsideEvent::decode(event.encode()), Ok(event));
        }

        #[test]
        fn what_is_cut_off_or_too_long_is_an_error(event in any_aside(), cut in any::<proptest::sample::Index>()) {
            let bytes = event.encode();
            prop_assert!(AsideEvent::decode(bytes.slice(..cut.index(bytes.len()))).is_err());
            let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
            prop_assert!(AsideEvent::decode(longer.into()).is_err());
        }
    }

    #[test]
    fn layout_1_is_read_as_it_always_was() {
        let event = AsideEvent {
            sequence: Sequence(7),
            attempts: 9,
            refusals: 3,
            at: Timestamp(1_772_442_847_512),
            cause: Cause::Refused,
            status: Some(422),
            is_late: true,
            is_redelivery: false,
            first: Offset(0),
            who: "token:tok_1".into(),
        };
        let golden = "0100000000000000070000000900000003\
                      0000019cadd389180101a6010000000000000000000b746f6b656e3a746f6b5f31";
        let written: String = event.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, golden);
    }
}
