//! Small forms of arguments: `name=value`, and a value that may stand in a file.
//!
//! Not secrets' own form: a command line is seen by everybody on the machine, so wherever a secret is
//! asked for, `@FILE` (and `@-` for stdin) stands for what is in the file.

use std::io::Read;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::exit::Failure;

/// `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// What stands before the first `=`.
    pub(crate) name: String,
    /// What stands after it; may be empty.
    pub(crate) value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self { name: name.to_owned(), value: value.to_owned() }),
            Some(_) | None => Err(format!("expected NAME=VALUE, not {text:?}")),
        }
    }
}

/// A text, or `@FILE` for the text in a file without the line break at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextOrFile(String);

impl TextOrFile {
    /// Returns the text.
    ///
    /// # Errors
    /// Where the file cannot be read or is no UTF-8.
    pub(crate) fn read(&self) -> Result<String, Failure> {
        let Some(path) = self.0.strip_prefix('@') else { return Ok(self.0.clone()) };
        let bytes = read_input(path)?;
        let text = String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{path} is no UTF-8 text")))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl FromStr for TextOrFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Reads the JSON object that a file holds, or stdin.
///
/// # Errors
/// Where the file cannot be read or holds something else.
pub(crate) fn read_object(path: &str) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_slice(&read_input(path)?) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Failure::usage(format!("{path} must hold a JSON object"))),
        Err(reason) => Err(Failure::usage(format!("{path} is no JSON: {reason}"))),
    }
}

/// Reads a file, or stdin where the path is `-`. A file that cannot be read is wrong usage.
pub(crate) fn read_input(path: &str) -> Result<Vec<u8>, Failure> {
    let unreadable = |reason: std::io::Error| Failure::usage(format!("cannot read {path}: {reason}"));
    let mut bytes = Vec::new();
    let taken = if path == "-" {
        std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    taken.map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > INPUT_BYTES_MAX) {
        return Err(Failure::usage(format!("{path} has more than {INPUT_BYTES_MAX} bytes: send it in parts")));
    }
    Ok(bytes)
}

/// Bytes of a file that is read whole.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{Assignment, TextOrFile};

    #[test]
    fn an_assignment_is_split_at_the_first_equals_sign() {
        let read = |text: &str| text.parse::<Assignment>().map(|read| (read.name, read.value));
        assert_eq!(read("tier=gold"), Ok(("tier".to_owned(), "gold".to_owned())));
        assert_eq!(read("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(read("a="), Ok(("a".to_owned(), String::new())));
        assert!(read("a").is_err());
        assert!(read("=a").is_err());
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "open sesame\r\n").unwrap();
        let read = |text: String| text.parse::<TextOrFile>().unwrap().read();
        assert_eq!(read(format!("@{}", path.display())).unwrap(), "open sesame");
        assert_eq!(read("plain".to_owned()).unwrap(), "plain");
        assert_eq!(read("@/nowhere/at/all".to_owned()).unwrap_err().exit().code(), 2);
    }
}
