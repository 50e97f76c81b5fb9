//! Bytes as lower-case hex digits, and 32 of them read back.

use std::fmt;

/// Writes bytes as hex digits.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Reads 64 hex digits, capitals too.
#[must_use]
pub fn read(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Hex, read};

    proptest! {
        #[test]
        fn bytes_survive(bytes: [u8; 32]) {
            let text = Hex(&bytes).to_string();
            prop_assert_eq!(read(&text), Some(bytes));
            prop_assert_eq!(read(&text.to_ascii_uppercase()), Some(bytes));
        }

        #[test]
        fn other_characters_are_refused(text in "[0-9a-f]{63}[^0-9a-fA-F]") {
            prop_assert_eq!(read(&text), None);
        }
    }
}
