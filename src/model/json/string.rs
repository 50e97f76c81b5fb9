//! Strings: where one ends, whether its bytes and escapes are sound, and what it says.
//!
//! Eight bytes are looked at in one step (a word in a register, no vector instructions: keys and values of
//! events are mostly shorter than sixteen bytes). UTF-8 is checked only where a byte above ASCII was seen.

use super::error::{Fault, Stop};

/// Where a string ends, and whether something in it is escaped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The place of the closing quotation mark.
    pub(super) quote: usize,
    pub(super) has_escapes: bool,
}

/// Checks the string whose first byte behind the quotation mark is at `start`.
#[inline]
pub(super) fn scan(text: &[u8], start: usize) -> Result<Extent, Stop> {
    let mut at = start;
    let mut has_escapes = false;
    let mut seen = 0_u64;
    loop {
        let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) else {
            return scan_rest(text, start, at, has_escapes, seen);
        };
        let word = u64::from_le_bytes(*chunk);
        let stops = stops(word);
        seen |= word;
        if stops == 0 {
            at += 8;
            continue;
        }
        at += (stops.trailing_zeros() / 8) as usize;
        match text.get(at) {
            Some(b'"') => return finish(text, start, at, has_escapes, seen),
            Some(b'\\') => {
                has_escapes = true;
                at = escape_end(text, at)?;
            }
            _ => return Err(Stop::new(Fault::ControlCharacter, at)),
        }
    }
}

/// Goes on byte by byte where fewer than eight bytes are left.
#[cold]
fn scan_rest(text: &[u8], start: usize, mut at: usize, mut has_escapes: bool, mut seen: u64) -> Result<Extent, Stop> {
    loop {
        match text.get(at) {
            Some(b'"') => return finish(text, start, at, has_escapes, seen),
            Some(b'\\') => {
                has_escapes = true;
                at = escape_end(text, at)?;
            }
            Some(0..=0x1f) => return Err(Stop::new(Fault::ControlCharacter, at)),
            Some(byte) => {
                seen |= u64::from(*byte);
                at += 1;
            }
            None => return Err(Stop::new(Fault::OpenString, at)),
        }
    }
}

#[inline]
fn finish(text: &[u8], start: usize, quote: usize, has_escapes: bool, seen: u64) -> Result<Extent, Stop> {
    if seen & HIGHS != 0 {
        check_utf8(text.get(start..quote).unwrap_or_default(), start)?;
    }
    Ok(Extent { quote, has_escapes })
}

#[inline(never)]
fn check_utf8(content: &[u8], start: usize) -> Result<(), Stop> {
    match std::str::from_utf8(content) {
        Ok(_) => Ok(()),
        Err(problem) => Err(Stop::new(Fault::Utf8, start + problem.valid_up_to())),
    }
}

/// Returns the place behind the escape that begins with the backslash at `at`.
fn escape_end(text: &[u8], at: usize) -> Result<usize, Stop> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match hexadecimal(text, at + 2) {
            Some(0xd800..=0xdbff) => {
                let is_pair = text.get(at + 6..at + 8) == Some(b"\\u")
                    && matches!(hexadecimal(text, at + 8), Some(0xdc00..=0xdfff));
                if is_pair { Ok(at + 12) } else { Err(Stop::new(Fault::LoneSurrogate, at)) }
            }
            Some(0xdc00..=0xdfff) => Err(Stop::new(Fault::LoneSurrogate, at)),
            Some(_) => Ok(at + 6),
            None => Err(Stop::new(Fault::Escape, at)),
        },
        Some(_) => Err(Stop::new(Fault::Escape, at)),
        None => Err(Stop::new(Fault::OpenString, at + 1)),
    }
}

/// Appends what the checked content of a string says.
pub(super) fn unescape(content: &[u8], unescaped: &mut Vec<u8>) {
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        unescaped.extend_from_slice(rest.get(..at).unwrap_or_default());
        let (byte, length) = match rest.get(at + 1) {
            Some(b'b') => (0x08, 2),
            Some(b'f') => (0x0c, 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'u') => {
                let (character, length) = unicode(rest, at);
                unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(at + length..).unwrap_or_default();
                continue;
            }
            other => (other.copied().unwrap_or(b'\\'), 2),
        };
        unescaped.push(byte);
        rest = rest.get(at + length..).unwrap_or_default();
    }
    unescaped.extend_from_slice(rest);
}

/// Reads a checked `\u` escape, or two of them, and returns how many bytes they take.
fn unicode(text: &[u8], at: usize) -> (char, usize) {
    let first = hexadecimal(text, at + 2).unwrap_or_default();
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let second = hexadecimal(text, at + 8).unwrap_or_default();
    let code = 0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
}

fn hexadecimal(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..)?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

/// Marks, with its highest bit, the first byte that ends a run of plain bytes: a quotation mark, a
/// backslash or a control character. Bytes above the first mark may be marked wrongly: a borrow runs up.
#[inline]
const fn stops(word: u64) -> u64 {
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let is_quote = quotes.wrapping_sub(ONES) & !quotes;
    let is_backslash = backslashes.wrapping_sub(ONES) & !backslashes;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_quote | is_backslash | is_control) & HIGHS
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
