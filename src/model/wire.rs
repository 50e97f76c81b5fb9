//! What stands in or beside a delivery in a form of its own, for whoever writes it and whoever reads it.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// Returns the hash by which a body is recognised.
///
/// # Shape
/// The first 16 bytes of a SHA-256.
#[must_use]
pub fn body_hash(body: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    *digest.first_chunk().expect("32 bytes have 16")
}

/// Writes a key so that any header can hold it; most keys can stay as they are.
#[must_use]
pub fn key_to_header(key: &str) -> Cow<'_, str> {
    utf8_percent_encode(key, OUTSIDE_VISIBLE).into()
}

/// Reads a key that stands in a header.
#[must_use]
pub fn key_from_header(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// All but visible ASCII, and the sign itself, so that a key can be read back.
const OUTSIDE_VISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_by_the_first_half_of_its_hash() {
        assert_eq!(body_hash(b"abc"), *b"\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23");
    }

    #[test]
    fn a_key_is_read_back_as_it_was_and_mostly_stays_as_it_is() {
        assert!(matches!(key_to_header("i_7730912"), Cow::Borrowed("i_7730912")));
        for key in ["Zoé 50%", "a%20b", "line\nbreak", "~", ""] {
            let text = key_to_header(key);
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            assert_eq!(key_from_header(&text), key);
        }
    }
}
