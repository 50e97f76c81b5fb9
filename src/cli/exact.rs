//! Answers of the API as values, without losing digits.
//!
//! Not a JSON reader: serde_json is. What it has no exact room for (an integer of more than 64 bits, a number beyond a
//! double) becomes a text with the same digits, because an id that is nearly right is wrong.

use std::borrow::Cow;

use serde_json::Value;

/// Reads JSON.
///
/// # Errors
/// Where it is none.
pub(crate) fn read(body: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(&quoted(body))
}

/// Puts quotes around every number that no value can hold exactly.
fn quoted(body: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => at += string_bytes(body.get(at..).unwrap_or_default()),
            b'-' | b'0'..=b'9' => {
                let rest = body.get(at..).unwrap_or_default();
                let end = rest.iter().position(|byte| !b"+-.0123456789eE".contains(byte)).unwrap_or(rest.len());
                let number = rest.get(..end).unwrap_or_default();
                if !is_exact(number) {
                    quoted.extend_from_slice(body.get(copied..at).unwrap_or_default());
                    quoted.extend([b"\"", number, b"\""].concat());
                    copied = at + end;
                }
                at += end;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    quoted.extend_from_slice(body.get(copied..).unwrap_or_default());
    Cow::Owned(quoted)
}

/// Returns how many bytes a string has that begins with its quote.
fn string_bytes(text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text.iter().skip(1).position(|byte| match byte {
        _ if is_escaped => {
            is_escaped = false;
            false
        }
        b'\\' => {
            is_escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    end.map_or(text.len(), |end| end + 2)
}

fn is_exact(number: &[u8]) -> bool {
    // What is no number at all is for the reader to say.
    let Ok(text) = std::str::from_utf8(number) else { return true };
    if text.bytes().any(|byte| b".eE".contains(&byte)) {
        return text.parse::<f64>().is_ok_and(f64::is_finite);
    }
    text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() || !text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn no_digit_is_lost() {
        let check = |text: &str, expected: serde_json::Value| {
            assert_eq!(read(text.as_bytes()).unwrap(), expected, "{text}");
        };
        check(r#"{"a": 1, "b": [-2, 1.5, 1e3]}"#, json!({"a": 1, "b": [-2, 1.5, 1000.0]}));
        check("18446744073709551615", json!(u64::MAX));
        check("18446744073709551616", json!("18446744073709551616"));
        check(r#"{"id":123456789012345678901234567890}"#, json!({"id": "123456789012345678901234567890"}));
        check(r#"[1e400,-1E999, "1e400", "a\"1e400"]"#, json!(["1e400", "-1E999", "1e400", "a\"1e400"]));
        assert!(read(br#"{"a": 1e400"#).is_err());
        assert!(read(b"--1").is_err());
    }
}
