//! Treatments: what becomes of one value.

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It stays, byte by byte.
    Keep,
    /// Of a string a hint stays; anything else is removed.
    Mask,
    /// A string or a number becomes a name that is the same for the same text; anything else is removed.
    Pseudonymize,
    /// It is absent, key and all.
    Remove,
}

impl Treatment {
    /// Returns the treatment that a table writes as this letter.
    pub(crate) const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'k' => Some(Self::Keep),
            b'm' => Some(Self::Mask),
            b'p' => Some(Self::Pseudonymize),
            b'r' => Some(Self::Remove),
            _ => None,
        }
    }
}
