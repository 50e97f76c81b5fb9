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
    let is_user = !user.is_empty() && !user.contains(char::is_whitespace);
    (is_user && is_domain(domain)).then_some(domain)
}

/// Returns whether a text is a name of the domain name system: what else may stand behind an `@` may be a number
/// that somebody can be called at.
fn is_domain(text: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-');
    let top = text.rsplit_once('.').map(|(_, top)| top);
    text.split('.').all(is_label) && top.is_some_and(|top| top.chars().all(char::is_alphabetic))
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
