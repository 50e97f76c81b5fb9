//! Where a fault stands: its line and column, its JSON pointer, and the end of what is broken.
//!
//! Not on the hot path: this runs once an error was met, and walks the text up to it once more.

use super::cursor::Cursor;
use super::error::Fault;
use super::pointer::push_step;
use super::{Kind, Value, string};

/// A place as people count it: line and character, both from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Mark {
    /// Returns the mark of a later place. Going on from the last one, many errors cost one walk in all.
    pub(super) fn on_to(self, text: &[u8], at: usize) -> Self {
        let between = text.get(self.at..at).unwrap_or_default();
        let lines = between.iter().filter(|byte| **byte == b'\n').count();
        let last = between.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // Bytes that continue a character are not counted: right for text, and good enough for noise.
        let characters = last.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let column = if lines == 0 { self.column + characters } else { 1 + characters };
        Self { at, line: self.line + lines, column }
    }
}

/// Returns the pointer of the place `at` in the value that comes next for `cursor`, below the item `index`
/// where it is one of an array.
pub(super) fn pointer(mut cursor: Cursor<'_>, at: usize, index: Option<usize>) -> String {
    let mut pointer = String::new();
    if let Some(index) = index {
        push_step(&mut pointer, &index.to_string());
    }
    for step in way(&mut cursor, at) {
        match step {
            Step::Member(Some(key)) => push_step(&mut pointer, &lossy(cursor.text(), key)),
            Step::Item(Some(index)) => push_step(&mut pointer, &index.to_string()),
            Step::Member(None) | Step::Item(None) => {}
        }
        if pointer.len() > POINTER_BYTES_MAX {
            pointer.truncate(pointer.floor_char_boundary(POINTER_BYTES_MAX));
            pointer.push('…');
            break;
        }
    }
    pointer
}

/// Returns the place behind the object, array or string that begins at `start`, going by brackets and
/// strings alone.
pub(super) fn balanced_end(text: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut is_string = false;
    let mut bytes = text.iter().enumerate().skip(start);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if is_string => _ = bytes.next(),
            b'"' => is_string = !is_string,
            b'{' | b'[' if !is_string => depth += 1,
            b'}' | b']' if !is_string => depth = depth.checked_sub(1)?,
            _ => continue,
        }
        if depth == 0 && !is_string {
            return Some(at + 1);
        }
    }
    None
}

/// One step from a value to one inside it.
enum Step {
    /// Where the key stands; none between two members.
    Member(Option<Value>),
    /// Which item; none before the first.
    Item(Option<usize>),
}

/// What to do at the end of a value.
enum Turn {
    /// Another value of the same object or array comes next.
    Into,
    /// The object or array ends.
    Out,
    /// The place is reached.
    Here,
}

fn way(cursor: &mut Cursor<'_>, at: usize) -> Vec<Step> {
    let mut way = Vec::new();
    loop {
        match cursor.step() {
            Ok(Kind::Object) => way.push(Step::Member(None)),
            Ok(Kind::Array) => way.push(Step::Item(None)),
            Ok(_) if cursor.value_end() <= at => {}
            Ok(_) | Err(_) => return way,
        }
        loop {
            let Some(step) = way.last_mut() else { return way };
            match turn(cursor, at, step) {
                Turn::Into => break,
                Turn::Out => _ = way.pop(),
                Turn::Here => return way,
            }
        }
    }
}

fn turn(cursor: &mut Cursor<'_>, at: usize, step: &mut Step) -> Turn {
    match step {
        Step::Item(index) => match cursor.step_item() {
            Ok(true) => {
                *index = Some(index.map_or(0, |index| index + 1));
                Turn::Into
            }
            Ok(false) => Turn::Out,
            Err(_) => Turn::Here,
        },
        Step::Member(place) => {
            *place = None;
            match cursor.step_key() {
                Ok(true) => {
                    let key = cursor.passed_key();
                    let is_there = key.end > at;
                    *place = Some(key);
                    if is_there { Turn::Here } else { Turn::Into }
                }
                Ok(false) => Turn::Out,
                Err(_) => {
                    // The key that stands twice is itself the place.
                    if cursor.fault() == Fault::DuplicateKey {
                        *place = Some(cursor.passed_key());
                    }
                    Turn::Here
                }
            }
        }
    }
}

/// Returns what a key says, also where it is not UTF-8.
fn lossy(text: &[u8], key: Value) -> String {
    let mut unescaped = Vec::new();
    string::unescape(text.get(key.start + 1..key.end - 1).unwrap_or_default(), &mut unescaped);
    String::from_utf8_lossy(&unescaped).into_owned()
}

const POINTER_BYTES_MAX: usize = 512;
