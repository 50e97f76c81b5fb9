//! A name for each request, on the answer and in the log.
//!
//! Not a secret and not a trace id. An id given by the client is kept if it is harmless to write down; else one is
//! made from a random part per connection and a count, so that a request costs no randomness.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the id, both ways.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const CLIENT_ID_BYTES_MAX: usize = 128;

/// Makes the request ids of one connection.
#[derive(Debug)]
pub(super) struct RequestIds {
    connection: [u8; 8],
    made: AtomicU64,
}

impl RequestIds {
    pub(super) const fn new(connection: [u8; 8]) -> Self {
        Self { connection, made: AtomicU64::new(0) }
    }

    /// Returns the id of a request, and sees to it that the request's own headers carry it.
    pub(super) fn settle(&self, headers: &mut HeaderMap) -> HeaderValue {
        if let Some(given) = headers.get(&REQUEST_ID)
            && is_sane(given)
        {
            return given.clone();
        }
        let made = self.next();
        headers.insert(&REQUEST_ID, made.clone());
        made
    }

    /// Makes the next id: 13 characters that stand for the connection, and a count.
    pub(super) fn next(&self) -> HeaderValue {
        let count = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let mut text = String::with_capacity(24);
        let mut rest = u64::from_be_bytes(self.connection);
        for _ in 0..13 {
            let digit = usize::try_from(rest & 31).unwrap_or(0);
            text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
            rest >>= 5;
        }
        write!(text, "-{count}").expect("writing to a string does not fail");
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).expect("letters, digits and a hyphen")
    }
}

/// Returns the id that the listener gave to a request.
///
/// Empty only where a request did not come through a listener.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> &str {
    headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a client's id can be written into a log, a page and JSON as it is.
fn is_sane(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=CLIENT_ID_BYTES_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.:~+/=-".contains(byte))
}

/// Without i, l, o and u: nothing that is misread or spells words.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderValue};

    use super::{REQUEST_ID, RequestIds, request_id};

    fn settle(given: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(&REQUEST_ID, HeaderValue::from_bytes(given).unwrap());
        let settled = RequestIds::new([7; 8]).settle(&mut headers);
        assert_eq!(headers.get(&REQUEST_ID), Some(&settled), "the service sees the id that the client gets");
        assert_eq!(request_id(&headers), settled.to_str().unwrap());
        settled.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_harmless_id_of_the_client_is_kept() {
        for given in ["a", "0b7c8f5e-3d1a-4e0c-9a51-3d0a6f1f6a11", "Root=1-67;x".trim_end_matches(";x"), "AbC+/=="] {
            assert_eq!(settle(given.as_bytes()), given);
        }
        assert_eq!(settle("x".repeat(128).as_bytes()), "x".repeat(128));
    }

    #[test]
    fn any_other_id_is_replaced() {
        for given in ["", "a b", "<script>", "a\"b", "é", &"x".repeat(129)] {
            let settled = settle(given.as_bytes());
            assert_ne!(settled, given);
            assert!(settled.ends_with("-1"), "{settled}");
        }
    }

    #[test]
    fn made_ids_differ_in_a_connection_and_between_connections() {
        let first = RequestIds::new([0; 8]);
        assert_eq!(first.next(), "0000000000000-1");
        assert_eq!(first.next(), "0000000000000-2");
        assert_eq!(RequestIds::new([255; 8]).next(), "zzzzzzzzzzzzf-1");
    }
}
