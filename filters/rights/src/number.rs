//! Numbers of a prepared table: four letters each, so that one is found and read without looking for its end.
//!
//! Six bits a letter, the lowest first, from `0` on: `0` to `9`, then the ASCII behind it up to `o`.

/// A number as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letters(pub(crate) [u8; 4]);

/// What is too large to be written.
pub(crate) const LIMIT: usize = 1 << 24;

impl Letters {
    /// The number 0, which is no place in a table.
    pub(crate) const NONE: Self = Self([FIRST; 4]);

    /// Returns the number.
    #[inline(always)]
    pub(crate) const fn number(self) -> usize {
        let bits = self.word().wrapping_sub(u32::from_le_bytes([FIRST; 4]));
        (bits & 0x3f | (bits >> 2 & 0xfc0) | (bits >> 4 & 0x3_f000) | (bits >> 6 & 0xfc_0000)) as usize
    }

    /// Returns the letters as one word, by which two numbers can be told apart.
    #[inline(always)]
    pub(crate) const fn word(self) -> u32 {
        u32::from_le_bytes(self.0)
    }

    /// Returns the letters that a word stands for.
    #[inline(always)]
    pub(crate) const fn from_word(word: u32) -> Self {
        Self(word.to_le_bytes())
    }

    /// Returns the letters.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("letters are ASCII")
    }
}

/// Writes a number; none where it is too large.
pub(crate) fn letters(number: usize) -> Option<Letters> {
    let letter = |digit: usize| FIRST + u8::try_from(number >> (6 * digit) & 0x3f).unwrap_or(0);
    (number < LIMIT).then(|| Letters([0, 1, 2, 3].map(letter)))
}

const FIRST: u8 = b'0';

#[cfg(test)]
mod tests {
    use super::{LIMIT, Letters, letters};

    #[test]
    fn a_number_is_read_as_it_was_written() {
        for number in [0, 1, 63, 64, 4_095, 4_096, 262_143, 262_144, 9_999_999, LIMIT - 1] {
            let written = letters(number).expect("it is small enough");
            assert_eq!(written.number(), number);
            assert!(written.as_str().bytes().all(|letter| (b'0'..=b'o').contains(&letter)));
        }
        assert_eq!((letters(0), letters(LIMIT)), (Some(Letters::NONE), None));
    }
}
