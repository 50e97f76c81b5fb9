//! A capture: a request to `/hooks` that the mapping did not understand, kept as it came.
//!
//! Payload part, layout 1: salt (16 bytes) · layout (1) · reason (1) · detail · path · headers (count, then
//! name and value) · body. Not an event: it has no offset and nobody but an operator sees it.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;

use super::codec::{CodecError, Reader, Writer};

/// Why a request was captured instead of taken as events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureReason {
    /// The body is not JSON.
    NotJson,
    /// The body is JSON but no object, or an array with something else in it.
    NotAnObject,
    /// The mapping finds no type, or one of the wrong form.
    NoType,
    /// The mapping finds no account.
    NoAccount,
    /// The account is not known here.
    UnknownAccount,
    /// A field that the mapping reads has the wrong form, or the event breaks a limit.
    InvalidField,
}

impl CaptureReason {
    const fn code(self) -> u8 {
        match self {
            Self::NotJson => 1,
            Self::NotAnObject => 2,
            Self::NoType => 3,
            Self::NoAccount => 4,
            Self::UnknownAccount => 5,
            Self::InvalidField => 6,
        }
    }

    const fn from_code(code: u8) -> Result<Self, CodecError> {
        Ok(match code {
            1 => Self::NotJson,
            2 => Self::NotAnObject,
            3 => Self::NoType,
            4 => Self::NoAccount,
            5 => Self::UnknownAccount,
            6 => Self::InvalidField,
            _ => return Err(CodecError::Unknown(code as u32)),
        })
    }
}

/// A request kept because it was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Why it is not an event.
    pub reason: CaptureReason,
    /// The reason in words, with the place; at most 1 KiB.
    pub detail: ByteString,
    /// The request's path; at most 2 KiB.
    pub path: ByteString,
    /// The headers that were kept.
    pub headers: Vec<(ByteString, ByteString)>,
    /// The body, byte by byte.
    pub body: Bytes,
}

impl Capture {
    /// Writes the payload part.
    #[must_use]
    pub fn encode(&self, salt: [u8; 16]) -> Bytes {
        let mut writer = Writer::with_capacity(128 + self.body.len());
        writer.fixed(salt);
        writer.fixed([LAYOUT, self.reason.code()]);
        writer.short(self.detail.as_bytes().as_ref());
        writer.short(self.path.as_bytes().as_ref());
        writer.fixed(u16::try_from(self.headers.len()).expect("kept headers are few").to_be_bytes());
        for (name, value) in &self.headers {
            writer.short(name.as_bytes().as_ref());
            writer.short(value.as_bytes().as_ref());
        }
        writer.long(&self.body);
        writer.finish()
    }

    /// Reads the payload part of a capture's record.
    ///
    /// # Errors
    /// Where the bytes are not what [`Capture::encode`] writes.
    pub fn decode(payload: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let _salt: [u8; 16] = reader.fixed()?;
        let layout = reader.u8()?;
        if layout != LAYOUT {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let reason = CaptureReason::from_code(reader.u8()?)?;
        let detail = reader.short_text()?;
        let path = reader.short_text()?;
        let count = reader.u16()?;
        let headers = (0..count)
            .map(|_| Ok((reader.short_text()?, reader.short_text()?)))
            .collect::<Result<Vec<_>, CodecError>>()?;
        let body = reader.long()?;
        reader.end()?;
        Ok(Self { reason, detail, path, headers, body })
    }
}

const LAYOUT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for code in 1..=6 {
            let capture = Capture {
                reason: CaptureReason::from_code(code).expect("codes 1 to 6 are known"),
                detail: "at /type".into(),
                path: "/hooks/acme".into(),
                headers: vec![("content-type".into(), "text/plain".into())],
                body: Bytes::from_static(b"\xff not even text"),
            };
            let payload = capture.encode([3; 16]);
            assert_eq!(Capture::decode(payload.clone()), Ok(capture));
            for end in 0..payload.len() {
                assert!(Capture::decode(payload.slice(..end)).is_err());
            }
        }
        assert!(CaptureReason::from_code(7).is_err());
    }
}
