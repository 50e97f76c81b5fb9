//! What is wrong with a text, and where.
//!
//! The scanner only says which rule is broken at which byte. Line, column and pointer are found afterwards,
//! by walking the text once more up to that byte: sound texts pay nothing for them.

use std::fmt;

use crate::model::limits::{KEYS_PER_EVENT_MAX, NESTING_MAX};

/// The rule that a text breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The text begins with a byte order mark.
    ByteOrderMark,
    /// A value must stand here.
    ExpectedValue,
    /// A key must stand here.
    ExpectedKey,
    /// A colon must stand between a key and its value.
    ExpectedColon,
    /// After a member of an object a comma or its end must stand.
    ExpectedCommaOrBrace,
    /// After an item of an array a comma or its end must stand.
    ExpectedCommaOrBracket,
    /// Nothing may follow the value.
    ExpectedEnd,
    /// The text ends inside a string.
    OpenString,
    /// A control character stands in a string as it is.
    ControlCharacter,
    /// What follows a backslash is no escape.
    Escape,
    /// An escaped half of a surrogate pair stands alone: it is no character.
    LoneSurrogate,
    /// The bytes of a string are not UTF-8.
    Utf8,
    /// This is no number.
    Number,
    /// Objects and arrays are nested too deeply.
    Nesting,
    /// The event has too many keys.
    Keys,
    /// A key stands twice in one object.
    DuplicateKey,
}

impl Fault {
    /// Returns whether the grammar of JSON allows this, and only a limit of hooklog refuses it.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::LoneSurrogate | Self::Nesting | Self::Keys | Self::DuplicateKey)
    }
}

/// A text that is refused: the rule, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The rule that is broken.
    pub fault: Fault,
    /// The place in the whole text, in bytes from 0.
    pub offset: usize,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The JSON pointer of the value that is at fault, or of the one around it; a very long one is cut.
    pub pointer: String,
    /// The byte that stands there; none at the end of the text.
    pub found: Option<u8>,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::ByteOrderMark => {
                formatter.write_str("the text begins with a byte order mark: send UTF-8 without it")
            }
            Fault::ExpectedValue => self.expected(formatter, "a value"),
            Fault::ExpectedKey => self.expected(formatter, "a key in quotation marks"),
            Fault::ExpectedColon => self.expected(formatter, "a colon"),
            Fault::ExpectedCommaOrBrace => self.expected(formatter, "a comma or }"),
            Fault::ExpectedCommaOrBracket => self.expected(formatter, "a comma or ]"),
            Fault::ExpectedEnd => self.expected(formatter, "nothing after the value"),
            Fault::OpenString => formatter.write_str("the text ends inside a string"),
            Fault::ControlCharacter => formatter.write_str("a control character in a string must be escaped"),
            Fault::Escape => formatter.write_str("this is no escape of JSON"),
            Fault::LoneSurrogate => formatter.write_str("half of a surrogate pair is escaped without the other half"),
            Fault::Utf8 => formatter.write_str("the string is not valid UTF-8"),
            Fault::Number => formatter.write_str("this is no number of JSON"),
            Fault::Nesting => write!(formatter, "nested deeper than {NESTING_MAX} levels"),
            Fault::Keys => write!(formatter, "more than {KEYS_PER_EVENT_MAX} keys"),
            Fault::DuplicateKey => formatter.write_str("this key stands twice in one object"),
        }?;
        write!(formatter, " (line {}, column {})", self.line, self.column)
    }
}

impl Error {
    fn expected(&self, formatter: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        match self.found {
            None => write!(formatter, "expected {what}, found the end of the text"),
            Some(b'\n') => write!(formatter, "expected {what}, found the end of the line"),
            Some(byte @ 0x21..=0x7e) => write!(formatter, "expected {what}, found {}", char::from(byte)),
            Some(byte) => write!(formatter, "expected {what}, found the byte 0x{byte:02x}"),
        }
    }
}

/// A fault where the scanner met it, before anybody asked which line that is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub(super) fault: Fault,
    pub(super) at: usize,
}

impl Stop {
    #[cold]
    pub(super) const fn new(fault: Fault, at: usize) -> Self {
        Self { fault, at }
    }
}
