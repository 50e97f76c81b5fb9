//! A settings file: TOML in which every key is known and every mistake has a line and a column.
//!
//! Not serde: its errors know where a value stands only while nothing was merged, and name the first mistake
//! only. Here all mistakes of a file come at once.

use std::fs;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Origin, Problem};
use super::nearest::nearest;
use super::raw::{KEYS, Key};
use super::sources::Found;

/// Reads the settings of a file.
pub(super) fn read(path: &Path) -> (Vec<Found>, Vec<Problem>) {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(reason) => {
            let problem = Problem::Unreadable { path: path.to_owned(), reason: reason.to_string() };
            return (Vec::new(), vec![problem]);
        }
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(path, text),
        Err(reason) => {
            let valid = bytes.get(..reason.valid_up_to()).unwrap_or_default();
            let text = String::from_utf8_lossy(valid);
            (Vec::new(), vec![Problem::NotText { origin: origin(path, &text, text.len()) }])
        }
    }
}

fn parse(path: &Path, text: &str) -> (Vec<Found>, Vec<Problem>) {
    let mut reader = Reader { path, text, found: Vec::new(), problems: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reader.read_table("", table.get_ref()),
        Err(error) => {
            // Only the message: the error as a whole shows the line, and a token may stand in it.
            let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            let offset = error.span().map_or(0, |span| span.start);
            reader.problems.push((offset, Problem::Syntax { origin: reader.origin(offset), reason }));
        }
    }
    // The parser sorts a table by its keys; people read from top to bottom.
    reader.problems.sort_by_key(|(offset, _)| *offset);
    (reader.found, reader.problems.into_iter().map(|(_, problem)| problem).collect())
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    found: Vec<Found>,
    problems: Vec<(usize, Problem)>,
}

impl Reader<'_> {
    fn read_table(&mut self, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let offset = name.span().start;
            let path = match above {
                "" => spell(name.get_ref()),
                above => format!("{above}.{}", spell(name.get_ref())),
            };
            match (Key::of(&path), value.get_ref()) {
                (Some(key), _) => self.read_value(key, value),
                (None, DeValue::Table(inner)) if !inner.is_empty() || first_below(&path).is_some() => {
                    self.read_table(&path, inner);
                }
                (None, _) => self.refuse_key(offset, path),
            }
        }
    }

    fn read_value(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>) {
        match key.kind.read_toml(value) {
            Ok(read) => self.found.push(Found { key, value: read, origin: self.origin(value.span().start) }),
            Err(at) => {
                let origin = self.origin(at.offset);
                let problem = Problem::Value { origin, key: key.path, reason: at.fault.to_string() };
                self.problems.push((at.offset, problem));
            }
        }
    }

    fn refuse_key(&mut self, offset: usize, path: String) {
        let origin = self.origin(offset);
        let problem = match first_below(&path) {
            Some(key) => Problem::Table { origin, table: path, example: key.path },
            None => {
                let nearest = nearest(&path.replace('"', ""), KEYS.iter().map(|key| key.path));
                Problem::UnknownKey { origin, key: path, nearest }
            }
        };
        self.problems.push((offset, problem));
    }

    fn origin(&self, offset: usize) -> Origin {
        origin(self.path, self.text, offset)
    }
}

/// Returns the first key of the table of this path, where there is such a table.
fn first_below(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// Writes a name as it stands in a path. A name with a dot in it is quoted, so that it is no known key.
fn spell(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { name.to_owned() } else { format!("{name:?}") }
}

fn origin(path: &Path, text: &str, offset: usize) -> Origin {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    Origin::File { path: path.to_owned(), line, column }
}
