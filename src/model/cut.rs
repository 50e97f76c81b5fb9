//! A cut: the record that names a hole in the log, where acknowledged records were lost.
//!
//! It is written by a repair, or by a start under `os` durability after the machine went down. Payload part,
//! layout 1: salt (16 bytes) · layout (1) · last position before the hole (8) · last position of it (8).

use bytes::Bytes;

use super::Position;
use super::codec::{CodecError, Reader, Writer};

/// A hole in the log: the only kind there can be, and it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The last position before the hole.
    pub after: Position,
    /// The last position of the hole: the record stands right behind it.
    pub up_to: Position,
}

impl Cut {
    /// Returns how many records are missing; each account's offsets go on by so many more.
    #[must_use]
    pub const fn lost(self) -> u64 {
        self.up_to.0.saturating_sub(self.after.0)
    }

    /// Writes the payload part.
    #[must_use]
    pub fn encode(self, salt: [u8; 16]) -> Bytes {
        let mut writer = Writer::with_capacity(33);
        writer.fixed(salt);
        writer.fixed([LAYOUT]);
        writer.fixed(self.after.0.to_be_bytes());
        writer.fixed(self.up_to.0.to_be_bytes());
        writer.finish()
    }

    /// Reads the payload part of a cut's record.
    ///
    /// # Errors
    /// Where the bytes are not what [`Cut::encode`] writes.
    pub fn decode(payload: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let _salt: [u8; 16] = reader.fixed()?;
        let layout = reader.u8()?;
        if layout != LAYOUT {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let after = Position(u64::from_be_bytes(reader.fixed()?));
        let up_to = Position(u64::from_be_bytes(reader.fixed()?));
        reader.end()?;
        Ok(Self { after, up_to })
    }
}

const LAYOUT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let cut = Cut { after: Position(7), up_to: Position(9) };
        assert_eq!(cut.lost(), 2);
        let payload = cut.encode([5; 16]);
        assert_eq!(Cut::decode(payload.clone()), Ok(cut));
        for end in 0..payload.len() {
            assert!(Cut::decode(payload.slice(..end)).is_err());
        }
    }
}
