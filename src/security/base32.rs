//! 64 bits as 13 characters that people can read out, copy and select with a double click.
//!
//! The alphabet is Crockford's in lower case (no `i`, `l`, `o`, `u`), the most significant digit first.
//! Strict: every number has one text, so the first character is one of the first sixteen, and neither
//! capitals nor look-alikes are taken.

/// Characters of a number.
pub(super) const CHARACTERS: usize = 13;

/// Appends the 13 characters of a number.
pub(super) fn encode(number: u64, text: &mut String) {
    for place in (0..CHARACTERS).rev() {
        let digit = usize::try_from((number >> (5 * place)) & 31).expect("five bits fit");
        text.push(char::from(*ALPHABET.get(digit).expect("five bits are below 32")));
    }
}

/// Reads 13 characters; `None` where they are anything else.
pub(super) fn decode(text: &str) -> Option<u64> {
    if text.len() != CHARACTERS {
        return None;
    }
    let mut number: u64 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|character| *character == byte)?;
        if number >> 59 != 0 {
            return None;
        }
        number = number << 5 | u64::try_from(digit).ok()?;
    }
    Some(number)
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ALPHABET, decode, encode};

    fn encoded(number: u64) -> String {
        let mut text = String::new();
        encode(number, &mut text);
        text
    }

    #[test]
    fn the_ends_are_as_they_should_be() {
        assert_eq!(encoded(0), "0000000000000");
        assert_eq!(encoded(31), "000000000000z");
        assert_eq!(encoded(32), "0000000000010");
        assert_eq!(encoded(u64::MAX), "fzzzzzzzzzzzz");
    }

    #[test]
    fn only_the_one_text_of_a_number_is_read() {
        assert_eq!(decode("fzzzzzzzzzzzz"), Some(u64::MAX));
        for text in [
            "",
            "0",
            "g000000000000",
            "zzzzzzzzzzzzz",
            "000000000000",
            "00000000000000",
            "000000000000Z",
            "000000000000i",
            "000000000000l",
            "000000000000o",
            "000000000000u",
            "00000000000 0",
            "00000000000é",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_survives_and_keeps_its_order(number: u64, other: u64) {
            prop_assert_eq!(decode(&encoded(number)), Some(number));
            prop_assert_eq!(number.cmp(&other), encoded(number).cmp(&encoded(other)));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9a-z]{13}") {
            if let Some(number) = decode(&text) {
                prop_assert_eq!(encoded(number), text);
            } else {
                let first = text.as_bytes()[0];
                prop_assert!(!ALPHABET[..16].contains(&first) || text.contains(['i', 'l', 'o', 'u']));
            }
        }
    }
}
