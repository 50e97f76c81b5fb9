//! Revisions as the outside sees them: a position enciphered, so that it tells nobody of others' traffic.
//!
//! Not a seal: there is nothing to authenticate, since every text of the right form is some position, and
//! who asks for one that is not a setting's gets "not found". A permutation: every position has exactly
//! one text under a key, and neighbours have nothing in common.

use std::fmt;

use siphasher::sip::SipHasher24;

use crate::model::Position;

use super::base32;

/// Turns positions into revisions and back, with a key of the keystore.
///
/// # Source
/// A balanced Feistel network over two halves of 32 bits (Luby and Rackoff, 1988). Four rounds of a
/// pseudo-random function are proven strong for many texts, [`ROUNDS`] leave a margin; the function is
/// SipHash-2-4 (Aumasson and Bernstein, 2012), keyed with 128 bits, over the round's number and one half.
#[derive(Clone)]
pub struct RevisionCipher(SipHasher24);

/// A text that is no revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a revision is the letter r and 13 of the characters 0-9 a-z without i, l, o, u, as it was read")]
pub struct InvalidRevision;

impl RevisionCipher {
    /// Takes the key, which must never change: revisions that were given out would name other positions.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(key))
    }

    /// Returns the revision of a position: `r` and 13 characters.
    #[must_use]
    pub fn encipher(&self, position: Position) -> String {
        let mut text = String::with_capacity(1 + base32::CHARACTERS);
        text.push(MARK);
        base32::encode(self.permute(position.0), &mut text);
        text
    }

    /// Returns the position of a revision. Under another key it is another position.
    ///
    /// # Errors
    /// Where the text has another form; capitals are another form.
    pub fn decipher(&self, text: &str) -> Result<Position, InvalidRevision> {
        let number = text.strip_prefix(MARK).and_then(base32::decode).ok_or(InvalidRevision)?;
        Ok(Position(self.restore(number)))
    }

    fn permute(&self, number: u64) -> u64 {
        let (mut left, mut right) = halves(number);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mix(round, right));
        }
        whole(left, right)
    }

    fn restore(&self, number: u64) -> u64 {
        let (mut left, mut right) = halves(number);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mix(round, left), left);
        }
        whole(left, right)
    }

    fn mix(&self, round: u8, half: u32) -> u32 {
        let [a, b, c, d] = half.to_le_bytes();
        let (upper, lower) = halves(self.0.hash(&[round, a, b, c, d]));
        upper ^ lower
    }
}

impl fmt::Debug for RevisionCipher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RevisionCipher(…)")
    }
}

fn halves(number: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

fn whole(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

const ROUNDS: u8 = 10;
const MARK: char = 'r';

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::RevisionCipher;
    use crate::model::Position;

    const KEY: [u8; 16] = *b"0123456789abcdef";

    /// Revisions are kept by customers, so the cipher is as fixed as a disk format.
    #[test]
    fn revisions_that_were_given_out_stay_true() {
        let cipher = RevisionCipher::new(&KEY);
        for (position, revision) in GIVEN_OUT {
            assert_eq!(cipher.encipher(Position(position)), revision, "{position}");
            assert_eq!(cipher.decipher(revision), Ok(Position(position)));
        }
    }

    const GIVEN_OUT: [(u64, &str); 4] =
        [(0, "r3qa6tqm45wrs8"), (1, "ranvt26m9k48kn"), (2, "rb19gj18hmf85g"), (u64::MAX, "r69asa91hb8jyp")];

    #[test]
    fn another_form_is_refused() {
        let cipher = RevisionCipher::new(&KEY);
        assert!(cipher.decipher("r4k7q2m9xw3zta").is_ok());
        for text in [
            "",
            "r",
            "4k7q2m9xw3zta",
            "R4k7q2m9xw3zta",
            "r4K7q2m9xw3zta",
            "r4k7q2m9xw3zt",
            "r4k7q2m9xw3ztaa",
            "rg000000000000",
            "r4k7q2m9xw3ztu",
            " r4k7q2m9xw3zta",
            "r4k7q2m9xw3zta ",
            "rr4k7q2m9xw3zta",
            "41",
        ] {
            assert!(cipher.decipher(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ten_thousand_neighbours_are_all_different_and_in_no_order() {
        let cipher = RevisionCipher::new(&KEY);
        let revisions: Vec<_> = (0..10_000).map(|position| cipher.encipher(Position(position))).collect();
        assert_eq!(revisions.iter().collect::<BTreeSet<_>>().len(), 10_000);
        let rises = revisions.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((4_700..5_300).contains(&rises), "{rises} of 9,999 steps rise");
    }

    #[test]
    fn one_changed_bit_changes_half_of_all() {
        let cipher = RevisionCipher::new(&KEY);
        let flipped: u32 = (0..64).map(|bit| (cipher.permute(41) ^ cipher.permute(41 ^ (1 << bit))).count_ones()).sum();
        assert!((1_800..2_300).contains(&flipped), "{flipped} of 4,096 bits");
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", RevisionCipher::new(&KEY)), "RevisionCipher(…)");
    }

    proptest! {
        #[test]
        fn every_position_survives(key: [u8; 16], position: u64) {
            let cipher = RevisionCipher::new(&key);
            let revision = cipher.encipher(Position(position));
            prop_assert_eq!(revision.len(), 14);
            prop_assert_eq!(cipher.decipher(&revision), Ok(Position(position)));
        }

        /// With the one above: the map is one to one in both directions.
        #[test]
        fn every_number_is_the_picture_of_one(key: [u8; 16], number: u64) {
            let cipher = RevisionCipher::new(&key);
            prop_assert_eq!(cipher.permute(cipher.restore(number)), number);
        }

        #[test]
        fn another_key_gives_another_number(key: [u8; 16], bit in 0..128_usize, position: u64) {
            let mut other = key;
            other[bit / 8] ^= 1 << (bit % 8);
            let revision = RevisionCipher::new(&key).encipher(Position(position));
            prop_assert_ne!(RevisionCipher::new(&other).decipher(&revision), Ok(Position(position)));
        }
    }
}
