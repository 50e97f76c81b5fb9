//! Writing and reading the payload part of a record: fixed-width integers and length-prefixed bytes.
//!
//! Big-endian throughout. Not a general format: each payload says in its own file which fields it has, in
//! which order. Reading never panics and never allocates by a length it has not checked.

use bytes::{Buf, Bytes};
use bytestring::ByteString;

/// What was read is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end before the field does.
    #[error("the payload ends too early")]
    TooShort,
    /// Bytes are left over after the last field.
    #[error("the payload has {0} bytes too many")]
    TooLong(usize),
    /// A text is not UTF-8, or a name not of its form.
    #[error("the payload has a text of the wrong form")]
    Text,
    /// The payload names a layout or a value that this program does not know.
    #[error("the payload has the unknown layout or value {0}")]
    Unknown(u32),
}

/// Appends fields to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn fixed<const N: usize>(&mut self, bytes: [u8; N]) {
        self.0.extend_from_slice(&bytes);
    }

    /// Writes at most 65,535 bytes behind a two-byte length.
    pub(crate) fn short(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).expect("short fields are bounded where they come in");
        self.fixed(length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Writes bytes behind a four-byte length.
    pub(crate) fn long(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("a payload is bounded where it comes in");
        self.fixed(length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Writes whatever the reader has not taken yet.
    pub(crate) fn rest(&mut self, reader: &Reader) {
        self.0.extend_from_slice(&reader.0);
    }

    pub(crate) fn finish(self) -> Bytes {
        Bytes::from(self.0)
    }
}

/// Takes fields from the front of a buffer; what it returns shares the buffer.
#[derive(Debug)]
pub(crate) struct Reader(Bytes);

impl Reader {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let bytes = self.0.first_chunk::<N>().copied().ok_or(CodecError::TooShort)?;
        self.0.advance(N);
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CodecError> {
        self.fixed().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, CodecError> {
        self.fixed().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CodecError> {
        self.fixed().map(u32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, CodecError> {
        self.fixed().map(i64::from_be_bytes)
    }

    pub(crate) fn short(&mut self) -> Result<Bytes, CodecError> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    pub(crate) fn long(&mut self) -> Result<Bytes, CodecError> {
        let length = usize::try_from(self.u32()?).map_err(|_| CodecError::TooShort)?;
        self.take(length)
    }

    pub(crate) fn short_text(&mut self) -> Result<ByteString, CodecError> {
        ByteString::try_from(self.short()?).map_err(|_| CodecError::Text)
    }

    pub(crate) fn long_text(&mut self) -> Result<ByteString, CodecError> {
        ByteString::try_from(self.long()?).map_err(|_| CodecError::Text)
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn end(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::TooLong(self.0.len())) }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, CodecError> {
        if length > self.0.len() {
            return Err(CodecError::TooShort);
        }
        Ok(self.0.split_to(length))
    }
}
