//! Treatments: what becomes of one value.

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Treatment {
    /// It stays, byte by byte.
    Keep = 0,
    /// Of a string a hint stays; anything else is removed.
    Mask = 1,
    /// A string or a number becomes a name that is the same for the same text; anything else is removed.
    Pseudonymize = 2,
    /// It is absent, key and all.
    Remove = 3,
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

    /// Returns the treatment of which the two lowest bits are the number.
    #[inline(always)]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            0 => Self::Keep,
            1 => Self::Mask,
            2 => Self::Pseudonymize,
            _ => Self::Remove,
        }
    }

    /// Returns the letter with which a table writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "k",
            Self::Mask => "m",
            Self::Pseudonymize => "p",
            Self::Remove => "r",
        }
    }
}
