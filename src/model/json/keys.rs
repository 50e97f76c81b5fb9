//! The keys of the objects that are open: whether one stands twice, and how many an event has.
//!
//! Keys of all open objects lie on one stack, those of the innermost object last. A small object compares
//! each new key with the ones before it, by their first eight bytes and their length. From the
//! seventeenth key on, nothing is compared until the object ends; then its keys are sorted and neighbours
//! compared. So ten thousand keys cost `n log n`, no matter how they were chosen, and no hash key is needed.

use super::error::{Fault, Stop};
use super::{Value, string};
use crate::model::limits::KEYS_PER_EVENT_MAX;

/// The keys of the objects that are open, outermost first.
#[derive(Debug, Default)]
pub(super) struct Keys {
    open: Vec<Key>,
    /// What escaped keys say, one behind the other.
    unescaped: Vec<u8>,
    /// Keys since the event began.
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    /// The first eight bytes of what the key says, zeros behind a shorter one.
    head: u64,
    length: usize,
    /// Where what it says begins: in the text, or in `unescaped`.
    start: usize,
    is_unescaped: bool,
    /// Where its content stands in the text.
    at: usize,
}

impl Keys {
    /// Forgets all keys, for the next event.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.unescaped.clear();
        self.count = 0;
    }

    /// Begins to count anew, for the next event of an array.
    pub(super) const fn begin_event(&mut self) {
        self.count = 0;
    }

    /// Returns how many keys the open objects have: where the keys of an object begin.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.open.len()
    }

    /// Adds a key to the innermost object, whose keys begin at `first`.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], first: usize, key: Value) -> Result<(), Stop> {
        let at = key.start + 1;
        let length = key.end - 1 - at;
        let key = if key.has_escapes {
            self.unescape(text, at, length)
        } else {
            Key { head: head(text, at, length), length, start: at, is_unescaped: false, at }
        };
        self.count += 1;
        if self.count > KEYS_PER_EVENT_MAX {
            return Err(Stop::new(Fault::Keys, at));
        }
        let before = self.open.get(first..).unwrap_or_default();
        if before.len() < COMPARED_KEYS_MAX && before.iter().any(|other| self.is_same(text, other, &key)) {
            return Err(Stop::new(Fault::DuplicateKey, at));
        }
        self.open.push(key);
        Ok(())
    }

    /// Ends the innermost object.
    #[inline]
    pub(super) fn end_object(&mut self, text: &[u8], first: usize) -> Result<(), Stop> {
        if self.open.len() - first > COMPARED_KEYS_MAX {
            self.check_many(text, first)?;
        }
        self.open.truncate(first);
        Ok(())
    }

    /// Forgets the keys of objects that are given up.
    pub(super) fn truncate(&mut self, first: usize) {
        self.open.truncate(first);
    }

    #[inline(never)]
    fn check_many(&mut self, text: &[u8], first: usize) -> Result<(), Stop> {
        let mut keys = self.open.split_off(first);
        keys.sort_unstable_by(|one, other| {
            (one.head, one.length)
                .cmp(&(other.head, other.length))
                .then_with(|| self.says(text, one).cmp(self.says(text, other)))
                .then_with(|| one.at.cmp(&other.at))
        });
        let second_places = keys.windows(2).filter_map(|pair| match pair {
            [one, other] if self.is_same(text, one, other) => Some(other.at),
            _ => None,
        });
        second_places.min().map_or(Ok(()), |at| Err(Stop::new(Fault::DuplicateKey, at)))
    }

    #[inline]
    fn is_same(&self, text: &[u8], one: &Key, other: &Key) -> bool {
        one.head == other.head
            && one.length == other.length
            && (one.length <= 8 || self.says(text, one) == self.says(text, other))
    }

    fn says<'a>(&'a self, text: &'a [u8], key: &Key) -> &'a [u8] {
        let source = if key.is_unescaped { &self.unescaped } else { text };
        source.get(key.start..key.start + key.length).unwrap_or_default()
    }

    #[cold]
    fn unescape(&mut self, text: &[u8], at: usize, raw_length: usize) -> Key {
        let start = self.unescaped.len();
        string::unescape(text.get(at..at + raw_length).unwrap_or_default(), &mut self.unescaped);
        let length = self.unescaped.len() - start;
        Key { head: head(&self.unescaped, start, length), length, start, is_unescaped: true, at }
    }
}

/// Returns the first eight bytes of a key, zeros behind a shorter one.
#[inline]
fn head(text: &[u8], start: usize, length: usize) -> u64 {
    if let Some(chunk) = text.get(start..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        return if length >= 8 { word } else { word & !(u64::MAX << (length * 8)) };
    }
    let mut bytes = [0; 8];
    let key = text.get(start..start + length).unwrap_or_default();
    for (target, byte) in bytes.iter_mut().zip(key) {
        *target = *byte;
    }
    u64::from_le_bytes(bytes)
}

/// Up to so many keys an object compares each with each: measured, sorting wins only well above.
const COMPARED_KEYS_MAX: usize = 16;
