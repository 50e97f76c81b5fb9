//! Masks: the hint that stays of a string.
//!
//! An e-mail address keeps its domain, a number of digits its last two, everything else nothing.

/// Returns what stays of a text.
pub(crate) fn mask(text: &str) -> String {
    match domain(text) {
        Some(domain) => format!("***@{domain}"),
        None if is_number(text) => hide_digits(text),
        None => "***".to_owned(),
    }
}

/// Returns what stands behind the `@` of what looks like an e-mail address.
fn domain(text: &str) -> Option<&str> {
    let (user, domain) = text.split_once('@')?;
    let is_part =
        |part: &str| !part.is_empty() && !part.contains(|letter: char| letter == '@' || letter.is_whitespace());
    (is_part(user) && is_part(domain)).then_some(domain)
}

/// Returns whether a text looks like a telephone number.
fn is_number(text: &str) -> bool {
    let is_part = |letter: u8| matches!(letter, b'0'..=b'9' | b'+' | b'(' | b')' | b'-' | b'.' | b'/' | b' ');
    text.bytes().all(is_part) && digits(text) >= 4
}

fn hide_digits(text: &str) -> String {
    let mut left = digits(text);
    let hide = |letter: char| {
        if !letter.is_ascii_digit() {
            return letter;
        }
        left -= 1;
        if left >= 2 { '*' } else { letter }
    };
    text.chars().map(hide).collect()
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}
