//! JSON read in one pass over its text: checked strictly, nothing built, values told by where they stand.
//!
//! Not a tree and not a deserializer: a [`Cursor`] walks the text, and whoever asks is told the byte range
//! and the kind of the values at the few places it named ([`Pointers`]). What it accepts is RFC 8259 in
//! UTF-8 and, beyond that grammar, the limits of hooklog: no byte order mark, at most
//! [`NESTING_MAX`](super::limits::NESTING_MAX) levels and
//! [`KEYS_PER_EVENT_MAX`](super::limits::KEYS_PER_EVENT_MAX) keys, no key twice in one object (compared
//! after unescaping), no escaped lone surrogate. Invariant: no text can make it panic, recurse by the depth
//! of the text, or take more than `n log n` steps.
//!
//! ```text
//! begin ─▶ Object ─▶ next_key ─▶ Key ─▶ value | find | begin … ─▶ next_key ─▶ End
//!       ─▶ Array  ─▶ next_item ─▶ Next ─▶ value | find | begin … ─▶ next_item ─▶ End
//!       ─▶ Scalar
//! ```

mod cursor;
mod error;
mod keys;
mod number;
mod place;
mod pointer;
mod string;

#[cfg(test)]
mod tests;

pub use cursor::{Begun, Cursor, Item, Member};
pub use error::{Error, Fault};
pub use pointer::{InvalidPointer, Pointers};

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    Text,
    /// A number without fraction and exponent.
    WholeNumber,
    /// Any other number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
}

impl Kind {
    /// Returns the kind in words, with its article.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "a string",
            Self::WholeNumber => "a whole number",
            Self::Number => "a number that is not whole",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        }
    }
}

/// A checked value: what it is, and where it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// The place of its first byte; of a string, the quotation mark.
    pub start: usize,
    /// The place behind its last byte.
    pub end: usize,
    /// Whether it is a string in which something is escaped.
    pub has_escapes: bool,
}

impl Value {
    /// Returns the value as it stands in `text`.
    ///
    /// # Panics
    /// Where the value was not read from this text.
    #[must_use]
    pub fn raw<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start..self.end).expect("a value is read from the text it is looked up in")
    }

    /// Returns what a string says, unescaped; of any other value its text.
    ///
    /// # Panics
    /// Where the value was not read from this text.
    #[must_use]
    pub fn text<'t>(&self, text: &'t [u8]) -> Cow<'t, str> {
        let content = match self.kind {
            Kind::Text => text.get(self.start + 1..self.end - 1),
            _ => text.get(self.start..self.end),
        };
        let content = content.expect("a value is read from the text it is looked up in");
        if self.has_escapes {
            let mut unescaped = Vec::with_capacity(content.len());
            string::unescape(content, &mut unescaped);
            return Cow::Owned(String::from_utf8(unescaped).expect("the cursor checked the bytes and the escapes"));
        }
        Cow::Borrowed(std::str::from_utf8(content).expect("the cursor checked the bytes"))
    }

    /// Returns the value as it stands in `body`, sharing its bytes.
    #[must_use]
    pub fn bytes(&self, body: &Bytes) -> Bytes {
        body.slice(self.start..self.end)
    }

    /// Returns what [`Value::text`] says, sharing the bytes of `body` where nothing is escaped.
    ///
    /// # Panics
    /// Where the value was not read from this text.
    #[must_use]
    pub fn shared_text(&self, body: &Bytes) -> ByteString {
        if self.has_escapes {
            return self.text(body).into_owned().into();
        }
        let quotes = usize::from(self.kind == Kind::Text);
        ByteString::try_from(body.slice(self.start + quotes..self.end - quotes)).expect("the cursor checked the bytes")
    }
}
