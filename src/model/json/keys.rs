//! The keys of the objects that are open: whether one stands twice, and how many an event has.
//!
//! Keys of all open objects lie on one stack, those of the innermost object last. A small object compares
//! each new key with the ones before it, by a word made of its first and last bytes and its length. From the
//! seventeenth key on, nothing is compared until the object ends; then its keys are sorted and neighbours
//! compared. So ten thousand keys cost `n log n`, no matter how they were chosen, and no hash key is needed.

use std::borrow::Cow;

use super::error::{Fault, Stop};
use super::string;
use crate::model::limits::KEYS_PER_EVENT_MAX;

/// The keys of the objects that are open, outermost first.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Of each key a word: equal keys have equal words. Apart from the places, so that comparing is one run
    /// over neighbouring words.
    words: Vec<u64>,
    /// Where the content of each key begins and ends in the text.
    places: Vec<(usize, usize)>,
    /// Keys since the event began.
    count: usize,
}

impl Keys {
    /// Makes an empty stack with room for the keys of a usual event.
    pub(super) fn new() -> Self {
        Self { words: Vec::with_capacity(KEYS_EXPECTED), places: Vec::with_capacity(KEYS_EXPECTED), count: 0 }
    }

    /// Forgets all keys, for the next event.
    pub(super) fn clear(&mut self) {
        self.truncate(0);
        self.count = 0;
    }

    /// Begins to count anew, for the next event of an array.
    pub(super) const fn begin_event(&mut self) {
        self.count = 0;
    }

    /// Returns how many keys the open objects have: where the keys of an object begin.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.words.len()
    }

    /// Adds a key to the innermost object, whose keys begin at `first`; its content is `start..end`.
    #[inline(always)]
    pub(super) fn push(
        &mut self,
        text: &[u8],
        first: usize,
        (start, end): (usize, usize),
        has_escapes: bool,
    ) -> Result<(), Stop> {
        let word = if has_escapes { word(&says(text, (start, end))) } else { plain_word(text, start, end) };
        self.count += 1;
        if self.count > KEYS_PER_EVENT_MAX {
            return Err(Stop::new(Fault::Keys, start));
        }
        let before = self.words.get(first..).unwrap_or_default();
        if before.len() < COMPARED_KEYS_MAX && before.contains(&word) && self.has(text, first, (start, end)) {
            return Err(Stop::new(Fault::DuplicateKey, start));
        }
        self.words.push(word);
        self.places.push((start, end));
        Ok(())
    }

    /// Ends the innermost object.
    #[inline]
    pub(super) fn end_object(&mut self, text: &[u8], first: usize) -> Result<(), Stop> {
        if self.len() - first > COMPARED_KEYS_MAX {
            self.check_many(text, first)?;
        }
        self.truncate(first);
        Ok(())
    }

    /// Forgets the keys from `first` on.
    #[inline]
    pub(super) fn truncate(&mut self, first: usize) {
        self.words.truncate(first);
        self.places.truncate(first);
    }

    #[inline(never)]
    fn has(&self, text: &[u8], first: usize, key: (usize, usize)) -> bool {
        let key = says(text, key);
        self.places.iter().skip(first).any(|place| says(text, *place) == key)
    }

    #[inline(never)]
    fn check_many(&self, text: &[u8], first: usize) -> Result<(), Stop> {
        let keys = self.words.iter().zip(&self.places).skip(first);
        let mut keys: Vec<_> = keys.map(|(word, place)| (*word, says(text, *place), place.0)).collect();
        keys.sort_unstable();
        let second_places = keys.windows(2).filter_map(|pair| match pair {
            [one, other] if one.0 == other.0 && one.1 == other.1 => Some(other.2),
            _ => None,
        });
        second_places.min().map_or(Ok(()), |at| Err(Stop::new(Fault::DuplicateKey, at)))
    }
}

/// Returns what the key with its content at a place says.
fn says(text: &[u8], (start, end): (usize, usize)) -> Cow<'_, [u8]> {
    let content = text.get(start..end).unwrap_or_default();
    if !content.contains(&b'\\') {
        return Cow::Borrowed(content);
    }
    let mut unescaped = Vec::with_capacity(content.len());
    string::unescape(content, &mut unescaped);
    Cow::Owned(unescaped)
}

/// Returns the word of a key without escapes, read in one step where eight bytes can be read.
#[inline(always)]
fn plain_word(text: &[u8], start: usize, end: usize) -> u64 {
    let length = end - start;
    let head = text.get(start..).and_then(<[u8]>::first_chunk::<8>).map(|chunk| u64::from_le_bytes(*chunk));
    match head {
        Some(head) if length < 8 => mixed(head & !(u64::MAX << (length * 8)), 0, length),
        _ => word(text.get(start..end).unwrap_or_default()),
    }
}

/// Returns the word of a key: its first and last eight bytes and its length, mixed.
#[inline]
fn word(key: &[u8]) -> u64 {
    match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(head), Some(tail)) => mixed(u64::from_le_bytes(*head), u64::from_le_bytes(*tail), key.len()),
        _ => {
            let mut head = [0; 8];
            head.iter_mut().zip(key).for_each(|(target, byte)| *target = *byte);
            mixed(u64::from_le_bytes(head), 0, key.len())
        }
    }
}

#[inline(always)]
const fn mixed(head: u64, tail: u64, length: usize) -> u64 {
    head ^ tail.rotate_left(29) ^ ((length as u64) << 56)
}

/// Up to so many keys an object compares each with each.
const COMPARED_KEYS_MAX: usize = 16;
const KEYS_EXPECTED: usize = 32;
