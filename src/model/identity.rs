//! Ids that hooklog gives to events: where the sender gave none, or one of another form.
//!
//! Not a source of time or randomness: both are passed in. A derived id depends on nothing but the source
//! and the sender's id, so that a repeat is seen as one.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{EventId, Timestamp};

impl EventId {
    /// Makes an id for an event that came without one.
    ///
    /// # Shape
    /// `evt_` and a UUID of version 7: ids made later sort later.
    #[must_use]
    pub fn made(received_at: Timestamp, random: [u8; 10]) -> Self {
        let ms = u64::try_from(received_at.0).unwrap_or_default();
        let uuid = uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid();
        let mut text = [0; 40];
        let (prefix, rest) = text.split_at_mut(4);
        prefix.copy_from_slice(b"evt_");
        uuid.hyphenated().encode_lower(rest);
        Self::from_ascii(&text)
    }

    /// Derives the id of an event whose sender gave an id of another form.
    ///
    /// # Shape
    /// `src_` and 22 characters: 16 bytes of a SHA-256 over source, a zero byte and the sender's id.
    #[must_use]
    pub fn derived(source: &str, source_id: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(source);
        hasher.update([0]);
        hasher.update(source_id);
        let digest: [u8; 32] = hasher.finalize().into();
        let first = digest.first_chunk::<16>().expect("32 bytes have 16");
        Self::from_ascii(format!("src_{}", BASE64_URL_SAFE_NO_PAD.encode(first)).as_bytes())
    }

    fn from_ascii(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).expect("an id that hooklog gives is ASCII");
        Self::parse(text).expect("an id that hooklog gives has the form it asks for")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_id_is_a_uuid_of_version_7_and_sorts_by_time() {
        let made = EventId::made(Timestamp(1_772_442_847_512), [0xff; 10]);
        assert_eq!(made.as_str(), "evt_019cadd3-8918-7fff-bfff-ffffffffffff");
        assert!(made < EventId::made(Timestamp(1_772_442_847_513), [0; 10]));
        assert_eq!(EventId::made(Timestamp(-1), [0; 10]).as_str(), "evt_00000000-0000-7000-8000-000000000000");
    }

    #[test]
    fn a_derived_id_depends_on_source_and_id_and_nothing_else() {
        let derived = EventId::derived("", "a/b");
        assert_eq!(derived, EventId::derived("", "a/b"));
        assert_eq!(derived.as_str().len(), 26);
        assert_ne!(derived, EventId::derived("", "a/c"));
        assert_ne!(EventId::derived("a", "b"), EventId::derived("ab", ""));
    }
}
