//! Strings: where one ends, whether its bytes and escapes are sound, and what it says.
//!
//! Eight bytes are looked at in one step, in a word: keys and values of events are short, and steps of sixteen
//! measured no faster. UTF-8 is checked only where a byte above ASCII was seen.

use super::error::{Fault, Stop};

/// Returns the place of the quotation mark that ends the string whose content begins at `start`.
///
/// `last_escape` is set to the place of the last escape in it, where there is one.
#[inline(always)]
pub(super) fn scan(text: &[u8], start: usize, last_escape: &mut usize) -> Result<usize, Stop> {
    let mut at = start;
    let mut seen = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let stops = stops(word);
        seen |= word;
        if stops == 0 {
            at += 8;
            continue;
        }
        at += (stops.trailing_zeros() / 8) as usize;
        if text.get(at) != Some(&b'"') {
            return scan_on(text, start, at, last_escape);
        }
        if seen & HIGHS != 0 {
            check_utf8(text, start, at)?;
        }
        return Ok(at);
    }
    scan_on(text, start, at, last_escape)
}

/// Goes on where something is escaped or wrong, or where fewer than eight bytes are left.
#[inline(never)]
fn scan_on(text: &[u8], start: usize, mut at: usize, last_escape: &mut usize) -> Result<usize, Stop> {
    loop {
        match text.get(at) {
            Some(b'"') => return check_utf8(text, start, at).map(|()| at),
            Some(b'\\') => {
                *last_escape = at;
                at = escape_end(text, at)?;
            }
            Some(0..=0x1f) => return Err(Stop::new(Fault::ControlCharacter, at)),
            Some(_) => at += 1,
            None => return Err(Stop::new(Fault::OpenString, at)),
        }
        // Text with a line break here and there is long text: it goes on eight bytes at a time.
        while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let stops = stops(u64::from_le_bytes(*chunk));
            at += (stops.trailing_zeros() / 8) as usize;
            if stops != 0 {
                break;
            }
        }
    }
}

#[inline(never)]
fn check_utf8(text: &[u8], start: usize, quote: usize) -> Result<(), Stop> {
    match std::str::from_utf8(text.get(start..quote).unwrap_or_default()) {
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
#[inline(always)]
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
