//! What can be wrong with a table or a payload.
//!
//! Neither is a person's text: the server makes both. So an error says which rule is broken and where, and
//! nothing of the content, which may be what an account must not see.

use std::fmt;

/// A text that breaks the rules of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The table is not one.
    Table {
        /// The line, from 1.
        line: usize,
        /// What must stand there.
        expected: &'static str,
    },
    /// The payload is not one.
    Payload {
        /// The place where reading ended, in bytes from 0.
        at: usize,
        /// The rule that is broken.
        fault: Fault,
    },
}

/// The rule that a payload breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A value must stand here.
    Value,
    /// An object must stand here.
    Object,
    /// A key must stand here.
    Key,
    /// A colon must stand between a key and its value.
    Colon,
    /// A comma or the end of the object or array must stand here.
    CommaOrEnd,
    /// Nothing may follow the payload.
    End,
    /// The text ends inside a string, or a control character stands in it as it is.
    OpenString,
    /// What follows a backslash is no escape, or half of a surrogate pair.
    Escape,
    /// This is no number.
    Number,
    /// Objects and arrays are nested too deeply.
    Nesting,
    /// A payload has the members `data` and, where there is one, `actor`, each once, and no other.
    Member,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { line, expected } => {
                write!(formatter, "cannot read the table: expected {expected} (line {line})")
            }
            Self::Payload { at, fault } => {
                write!(formatter, "cannot read the payload: expected {} (byte {at})", fault.expected())
            }
        }
    }
}

impl Fault {
    const fn expected(self) -> &'static str {
        match self {
            Self::Value => "a value",
            Self::Object => "an object",
            Self::Key => "a key",
            Self::Colon => "a colon",
            Self::CommaOrEnd => "a comma or the end of the object or array",
            Self::End => "nothing after the payload",
            Self::OpenString => "a string without control characters, and its end",
            Self::Escape => "an escape of JSON",
            Self::Number => "a number of JSON",
            Self::Nesting => "no deeper nesting",
            Self::Member => "the members data and actor, each once",
        }
    }
}
