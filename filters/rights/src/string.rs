//! Strings of JSON: where one ends, what it says, and how a text is written as one.
//!
//! Bytes are looked at several in a step: sixteen in the sandbox, eight on a machine that has no such instructions.
//! The payload is a `str`, so their UTF-8 is sound already.

use std::borrow::Cow;

use crate::error::Fault;

/// Returns the place behind the quotation mark that ends the string whose content begins at `start`, and
/// whether something in it is escaped.
#[inline(always)]
pub(crate) fn end(text: &[u8], start: usize) -> Result<(usize, bool), Fault> {
    let mut at = start;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<STEP>) {
        let plain = plain(chunk);
        at += plain;
        if plain != STEP {
            if text.get(at) == Some(&b'"') {
                return Ok((at + 1, false));
            }
            break;
        }
    }
    long_end(text, at)
}

/// Goes on where something is escaped or wrong, or where fewer bytes are left than are looked at in a step.
#[inline(never)]
fn long_end(text: &[u8], mut at: usize) -> Result<(usize, bool), Fault> {
    let mut has_escapes = false;
    loop {
        match text.get(at) {
            Some(b'"') => return Ok((at + 1, has_escapes)),
            Some(b'\\') => {
                has_escapes = true;
                at += escape(text.get(at..).unwrap_or_default()).ok_or(Fault::Escape)?.1;
            }
            Some(0..=0x1f) | None => return Err(Fault::OpenString),
            Some(_) => at += 1,
        }
        // Text with a line break here and there is long text: it goes on in whole steps.
        while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<STEP>) {
            let plain = plain(chunk);
            at += plain;
            if plain != STEP {
                break;
            }
        }
    }
}

/// Returns what the content of a string says.
pub(crate) fn unescape(content: &str, has_escapes: bool) -> Cow<'_, str> {
    if !has_escapes {
        return Cow::Borrowed(content);
    }
    let mut said = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find('\\') {
        let (plain, escaped) = rest.split_at(at);
        said.push_str(plain);
        let Some((character, length)) = escape(escaped.as_bytes()) else { break };
        said.push(character);
        rest = escaped.get(length..).unwrap_or_default();
    }
    said.push_str(rest);
    Cow::Owned(said)
}

/// Appends a text as the content of a string, with as few escapes as there must be.
pub(crate) fn escape_into(text: &str, content: &mut String) {
    for character in text.chars() {
        match character {
            '"' => content.push_str("\\\""),
            '\\' => content.push_str("\\\\"),
            '\0'..='\x1f' => {
                content.push_str("\\u00");
                content.extend([u32::from(character) >> 4, u32::from(character) & 0xf].map(hexadecimal_digit));
            }
            _ => content.push(character),
        }
    }
}

fn hexadecimal_digit(value: u32) -> char {
    char::from_digit(value, 16).unwrap_or('0')
}

/// Reads the escape that `text` begins with: the character, and how many bytes it takes.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((character, 2))
}

/// Reads a `\u` escape, or the two of a surrogate pair.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let first = hexadecimal(text.get(2..)?)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let second = hexadecimal(text.get(6..)?.strip_prefix(b"\\u")?)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let character = char::from_u32(0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff))?;
    Some((character, 12))
}

fn hexadecimal(text: &[u8]) -> Option<u32> {
    let digits = text.first_chunk::<4>()?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

/// Bytes that are looked at in a step.
const STEP: usize = if cfg!(target_feature = "simd128") { 16 } else { 8 };

/// Returns how many plain bytes a chunk begins with: neither quotation mark nor backslash nor control character.
#[cfg(target_feature = "simd128")]
#[inline(always)]
fn plain(chunk: &[u8; STEP]) -> usize {
    use std::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_le, u8x16_splat, v128_load, v128_or};

    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    // SAFETY: the chunk has the sixteen bytes that are read.
    let bytes = unsafe { v128_load(chunk.as_ptr().cast()) };
    let marks = v128_or(u8x16_eq(bytes, u8x16_splat(b'"')), u8x16_eq(bytes, u8x16_splat(b'\\')));
    let stops = u8x16_bitmask(v128_or(marks, u8x16_le(bytes, u8x16_splat(0x1f))));
    // One bit more, for a chunk without any.
    (u32::from(stops) | 1 << STEP).trailing_zeros() as usize
}

/// Returns how many plain bytes a chunk begins with: neither quotation mark nor backslash nor control character.
#[cfg(not(target_feature = "simd128"))]
#[inline(always)]
fn plain(chunk: &[u8; STEP]) -> usize {
    // Bytes above the first mark may be marked wrongly: a borrow runs up.
    let word = u64::from_le_bytes(*chunk);
    let quotes = word ^ (ONES * u64::from(b'"'));
    let backslashes = word ^ (ONES * u64::from(b'\\'));
    let is_quote = quotes.wrapping_sub(ONES) & !quotes;
    let is_backslash = backslashes.wrapping_sub(ONES) & !backslashes;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    let stops = (is_quote | is_backslash | is_control) & HIGHS;
    (stops.trailing_zeros() / 8) as usize
}

#[cfg(not(target_feature = "simd128"))]
const ONES: u64 = 0x0101_0101_0101_0101;
#[cfg(not(target_feature = "simd128"))]
const HIGHS: u64 = 0x8080_8080_8080_8080;
