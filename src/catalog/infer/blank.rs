//! What a text looks like, and what is left of it when its letters and digits are taken away.
//!
//! Not whose data it is: `class` says that, from the form and the name. Invariant: what is told apart wrongly
//! is taken for more personal than it is.

use std::net::IpAddr;

/// What a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Something with an `@`.
    Email,
    /// Digits enough for a telephone number.
    Phone,
    /// An IP address.
    Ip,
    /// An address of the web.
    Url,
    /// An id or a reference: one word with a digit or an underscore in it.
    Id,
    /// One word of letters, or a short number.
    Word,
    /// Anything: it has spaces, or is long.
    Free,
}

impl Form {
    /// Returns what a text looks like; an empty one like nothing.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let is_digits = |character: char| character.is_ascii_digit() || "+-. ()/".contains(character);
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let longest_run = text.split(|character: char| !character.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        Some(if text.parse::<IpAddr>().is_ok() {
            Self::Ip
        } else if text.chars().all(is_digits) && digits >= PHONE_DIGITS_MIN {
            Self::Phone
        } else if text.contains(char::is_whitespace) || text.len() > TOKEN_BYTES_MAX && !text.contains("://") {
            Self::Free
        } else if text.contains("://") || text.starts_with("www.") {
            Self::Url
        } else if text.contains('@') {
            Self::Email
        } else if is_hexadecimal && text.len() >= HEXADECIMAL_BYTES_MIN {
            Self::Id
        } else if longest_run >= DIGITS_IN_A_ROW_MAX {
            Self::Phone
        } else if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:~.-".contains(&byte)) {
            Self::Free
        } else if text.bytes().any(|byte| byte.is_ascii_alphabetic())
            && text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'_')
        {
            Self::Id
        } else {
            Self::Word
        })
    }
}

/// Returns the shape of a text: `x` for letters, `X` for capitals, `0` for digits, punctuation as it is.
///
/// What is none of these becomes an `x` too, and a long text is cut.
pub(super) fn blank(text: &str) -> String {
    let shape = |character: char| match character {
        _ if character.is_uppercase() => 'X',
        _ if character.is_numeric() => '0',
        ' ' | '.' | ',' | ':' | '/' | '_' | '-' | '+' | '@' | '(' | ')' | '#' => character,
        _ => 'x',
    };
    text.chars().take(BLANK_CHARACTERS_MAX).map(shape).collect()
}

/// Returns whether a text is a word as INO writes the values of an enum: `SAML_V2`, but no plate or account number.
pub(super) fn is_enum_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_of_words = text.split('_').all(|word| !word.is_empty());
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    bytes.len() <= WORD_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_uppercase)
        && is_of_words
        && bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && bytes.len() - digits >= 2
        && digits <= WORD_DIGITS_MAX
}

/// Returns whether a key is rather a value, such as a telephone number or a login: such an object is a map.
pub(super) fn is_data(key: &str) -> bool {
    let digits = key.chars().filter(|character| character.is_numeric()).count();
    let longest_run = key.split(|character: char| !character.is_numeric()).map(|run| run.chars().count()).max();
    !key.chars().any(char::is_alphabetic)
        || key.len() > KEY_BYTES_MAX
        || !key.chars().all(|character| character.is_alphanumeric() || "_-$".contains(character))
        || longest_run.is_some_and(|longest| longest > KEY_DIGITS_IN_A_ROW_MAX)
        || digits > KEY_DIGITS_MAX
}

/// The shortest numbers of subscribers, with their area.
const PHONE_DIGITS_MIN: usize = 8;
/// So many digits in a row are rather a telephone number than an id.
const DIGITS_IN_A_ROW_MAX: usize = 10;
/// A UUID without its dashes.
const HEXADECIMAL_BYTES_MIN: usize = 32;
const TOKEN_BYTES_MAX: usize = 64;
const BLANK_CHARACTERS_MAX: usize = 40;
const WORD_BYTES_MAX: usize = 48;
const WORD_DIGITS_MAX: usize = 2;
const KEY_BYTES_MAX: usize = 64;
const KEY_DIGITS_MAX: usize = 4;
const KEY_DIGITS_IN_A_ROW_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::{Form, blank, is_data, is_enum_word};

    #[test]
    fn a_text_is_taken_for_what_it_looks_like() {
        let check = |text: &str, expected: Form| assert_eq!(Form::of(text), Some(expected), "{text}");
        for text in ["+33612345678", "06 12 34 56 78", "wa:33612345678", "2026-03-02", "1980.01.01", "(0)6/12345678"] {
            check(text, Form::Phone);
        }
        check("j.petit@example.com", Form::Email);
        for text in ["203.0.113.9", "2001:db8::1"] {
            check(text, Form::Ip);
        }
        for text in ["https://acme.example/r/1", "www.acme.example"] {
            check(text, Form::Url);
        }
        for text in ["u_4821", "evt_01JNB4Z6Q8", "ok_refund", "550e8400-e29b-41d4-a716-446655440000"] {
            check(text, Form::Id);
        }
        for text in ["paris", "2041", "jean.dupont"] {
            check(text, Form::Word);
        }
        for text in ["Pause déjeuner", "see https://acme.example", "a@b c", "déjeuner", &"a".repeat(65)] {
            check(text, Form::Free);
        }
        assert_eq!(Form::of(" "), None);
    }

    #[test]
    fn nothing_is_left_but_the_shape() {
        assert_eq!(blank("C. Martin-Éluard <c.m@acme.fr>, +33 6"), "X. Xxxxxx-Xxxxxx xx.x@xxxx.xxx, +00 0");
        assert_eq!(blank("日本٣\u{1b}\n\"'\u{202e}"), "xx0xxxxx");
        assert_eq!(blank(&"a".repeat(1000)).len(), 40);
    }

    #[test]
    fn words_of_enums_are_told_from_names_and_numbers() {
        for text in ["USER", "SAML_V2", "IN_CALL", "OAUTH2", "FR"] {
            assert!(is_enum_word(text), "{text}");
        }
        for text in ["User", "A", "AB_", "_AB", "A__B", "AB123CD", "FR7630006", "A B", "ÉTÉ", &"A".repeat(49)] {
            assert!(!is_enum_word(text), "{text}");
        }
    }

    #[test]
    fn keys_that_are_data_are_told_from_names() {
        for key in ["ringMs", "first_name", "Address2", "@type", "numéro", "q12", "$ref", "x-trace-id"] {
            assert_eq!(is_data(key), key == "@type", "{key}");
        }
        for key in ["+33612345678", "33612345678", "c.martin", "a@b", "Claire Martin", "u_4821", "2026-03-02", "", "4"]
        {
            assert!(is_data(key), "{key}");
        }
    }
}
