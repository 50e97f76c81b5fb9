//! Numbers: where one ends. Nothing is computed, so a number of any size is kept as it came.

use super::Kind;
use super::error::{Fault, Stop};

/// Returns the place behind the number that begins at `start`, and whether it is a whole one.
#[inline]
pub(super) fn scan(text: &[u8], start: usize) -> Result<(usize, Kind), Stop> {
    let mut at = start + usize::from(text.get(start) == Some(&b'-'));
    match text.get(at) {
        Some(b'0') => {
            at += 1;
            // Said here, because "expected a comma" would puzzle whoever wrote 007.
            if text.get(at).is_some_and(u8::is_ascii_digit) {
                return Err(Stop::new(Fault::Number, at));
            }
        }
        Some(b'1'..=b'9') => at = digits_end(text, at + 1),
        _ => return Err(Stop::new(Fault::Number, at)),
    }
    match text.get(at) {
        Some(b'.' | b'e' | b'E') => Ok((fraction_and_exponent_end(text, at)?, Kind::Number)),
        _ => Ok((at, Kind::WholeNumber)),
    }
}

fn fraction_and_exponent_end(text: &[u8], mut at: usize) -> Result<usize, Stop> {
    if text.get(at) == Some(&b'.') {
        at = some_digits_end(text, at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = some_digits_end(text, at)?;
    }
    Ok(at)
}

fn some_digits_end(text: &[u8], at: usize) -> Result<usize, Stop> {
    let end = digits_end(text, at);
    if end > at { Ok(end) } else { Err(Stop::new(Fault::Number, at)) }
}

#[inline]
fn digits_end(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}
