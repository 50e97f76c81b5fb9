//! The settings in effect, as a settings file with comments: what `hooklog config show` prints.
//!
//! Not a copy of the sources: one value per key, each with where it came from. Without secrets, read back it
//! gives the same settings.

use serde::Serialize;

use super::raw::{Fallback, KEYS, Key};
use super::sources::Gathered;

/// The settings in effect, to be shown.
#[derive(Debug, Clone)]
pub struct Effective(Gathered);

/// One setting in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its path.
    pub key: &'static str,
    /// Its value as a file has it; absent where there is none, hidden where it is secret.
    pub value: Option<String>,
    /// `default`, a file's name with line and column, a variable or a flag.
    pub origin: String,
}

impl Effective {
    pub(super) const fn new(gathered: Gathered) -> Self {
        Self(gathered)
    }

    pub(super) const fn gathered(&self) -> &Gathered {
        &self.0
    }

    /// Returns all settings, in the order of a file.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        KEYS.iter().map(|key| self.entry(key)).collect()
    }

    /// Writes all settings as a file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut page = String::from(HEAD);
        let mut table = "";
        for key in KEYS {
            let (of, name) = key.table_and_name();
            if of != table {
                table = of;
                page.push_str(&format!("\n[{table}]\n"));
            }
            for line in wrapped(&key.meaning.replace('`', "")) {
                page.push_str(&format!("# {line}\n"));
            }
            page.push_str(&self.line(key, name));
            page.push('\n');
        }
        page
    }

    fn line(&self, key: &Key, name: &str) -> String {
        let Entry { value, origin, .. } = self.entry(key);
        match (value, key.default) {
            (Some(value), _) if self.is_hidden(key) => format!("# {name} = {value}  # hidden, from {origin}"),
            (Some(value), _) => format!("{name} = {value}  # {}", from(&origin)),
            (None, Fallback::Nothing(means)) => format!("# {name} is not set: {}", means.replace('`', "")),
            (None, Fallback::Value(_)) => unreachable!("what has a default has a value"),
        }
    }

    fn entry(&self, key: &Key) -> Entry {
        match self.0.get(key.path) {
            None => Entry { key: key.path, value: None, origin: "default".to_owned() },
            Some((value, origin)) => Entry { key: key.path, value: Some(value.to_toml()), origin: origin.to_string() },
        }
    }

    /// An empty list of secrets hides nothing.
    fn is_hidden(&self, key: &Key) -> bool {
        key.is_secret() && self.0.get(key.path).is_some_and(|(value, _)| value.to_toml() != "[]")
    }
}

fn from(origin: &str) -> String {
    if origin == "default" { origin.to_owned() } else { format!("from {origin}") }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= COMMENT_COLUMNS {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

const HEAD: &str = "# The settings in effect. What stands behind # is not set, or hidden because it is secret.\n\n";
const COMMENT_COLUMNS: usize = 98;
