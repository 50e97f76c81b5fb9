//! The rules of the table once more, over trees: slow, plain, and sharing nothing with the filter.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A table, before it is written down.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) key: [u8; 32],
    pub(crate) types: BTreeMap<String, char>,
    pub(crate) other_types: char,
    /// With one for `*`.
    pub(crate) sections: BTreeMap<String, Section>,
}

/// The lines of a section: for each path its own treatment and the one below.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) rest: char,
    pub(crate) lines: BTreeMap<String, (char, char)>,
}

impl Model {
    /// Writes the table down.
    pub(crate) fn text(&self) -> String {
        let key: String = self.key.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut text = format!("rights/1 {key}\ntypes {} {}\n", self.types.len(), self.other_types);
        for (name, mark) in &self.types {
            text += &format!("{name} {mark}\n");
        }
        let general = self.sections.get_key_value("*");
        for (selector, section) in general.into_iter().chain(self.sections.iter().filter(|(name, _)| *name != "*")) {
            text += &format!("fields {selector} {} {}\n", section.lines.len(), section.rest);
            for (path, (own, below)) in &section.lines {
                text += &format!("{path} {own}{below}\n");
            }
        }
        text
    }

    /// Returns the mark of a type.
    pub(crate) fn mark(&self, event_type: &str) -> char {
        let is_prefix = |name: &str| name.strip_suffix('*').is_some_and(|prefix| event_type.starts_with(prefix));
        let longest = self.types.iter().filter(|(name, _)| is_prefix(name)).max_by_key(|(name, _)| name.len());
        *self.types.get(event_type).or_else(|| longest.map(|(_, mark)| mark)).unwrap_or(&self.other_types)
    }

    /// Returns the section that holds for a type.
    pub(crate) fn section(&self, event_type: &str) -> &Section {
        let is_prefix =
            |selector: &str| selector.strip_suffix('*').is_some_and(|prefix| event_type.starts_with(prefix));
        let longest = self.sections.iter().filter(|(name, _)| is_prefix(name)).max_by_key(|(name, _)| name.len());
        self.sections.get(event_type).or_else(|| longest.map(|(_, section)| section)).expect("there is a section *")
    }

    /// Returns what is left of a payload.
    pub(crate) fn payload(&self, event_type: &str, payload: &Value) -> Value {
        let section = self.section(event_type);
        let mut left = Map::new();
        for (name, value) in payload.as_object().expect("a payload is an object") {
            let part = match name.as_str() {
                "actor" => self.value(section, Some("actor".to_owned()), value),
                _ => Some(self.value(section, None, value).unwrap_or_else(|| Value::Object(Map::new()))),
            };
            left.extend(part.map(|part| (name.clone(), part)));
        }
        Value::Object(left)
    }

    /// Returns what is left of a value; no path is the root.
    fn value(&self, section: &Section, path: Option<String>, value: &Value) -> Option<Value> {
        if section.keeps_whole(path.as_deref(), value.is_array(), value.is_object()) {
            return Some(value.clone());
        }
        match value {
            Value::Object(members) => {
                let left: Map<String, Value> = members
                    .iter()
                    .filter_map(|(key, member)| {
                        let left = self.value(section, Some(join(path.as_deref(), key)), member)?;
                        Some((key.clone(), left))
                    })
                    .collect();
                (!left.is_empty()).then_some(Value::Object(left))
            }
            Value::Array(items) => {
                let left: Vec<Value> =
                    items.iter().filter_map(|item| self.value(section, path.clone(), item)).collect();
                let was_empty = items.is_empty() && section.treatments(path.as_deref()).0 == 'k';
                (was_empty || !left.is_empty()).then_some(Value::Array(left))
            }
            scalar => self.scalar(section.treatments(path.as_deref()).0, scalar),
        }
    }

    fn scalar(&self, treatment: char, scalar: &Value) -> Option<Value> {
        match (treatment, scalar) {
            ('k', _) => Some(scalar.clone()),
            ('m', Value::String(text)) => Some(Value::String(mask(text))),
            ('p', Value::String(text)) => Some(Value::String(self.pseudonym(text))),
            ('p', Value::Number(number)) => Some(Value::String(self.pseudonym(&number.to_string()))),
            _ => None,
        }
    }

    fn pseudonym(&self, text: &str) -> String {
        let pad = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(self.key).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
        let digest = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
        let bits: Vec<u8> = digest[..16].iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
        let letter =
            |six: &[u8]| letters[(0..6).fold(0, |value, at| value * 2 + usize::from(*six.get(at).unwrap_or(&0)))];
        "psn_".chars().chain(bits.chunks(6).map(letter)).collect()
    }
}

impl Section {
    /// Returns the treatments at a path: its own and the one below.
    pub(crate) fn treatments(&self, path: Option<&str>) -> (char, char) {
        let Some(path) = path else { return (self.rest, self.rest) };
        if let Some(line) = self.lines.get(path) {
            return *line;
        }
        let mut above = path;
        while let Some((shorter, _)) = above.rsplit_once('.') {
            if let Some((_, below)) = self.lines.get(shorter) {
                return (*below, *below);
            }
            above = shorter;
        }
        (self.rest, self.rest)
    }

    /// Returns whether an array or object at a path stays as it stands, whatever is in it.
    pub(crate) fn keeps_whole(&self, path: Option<&str>, is_array: bool, is_object: bool) -> bool {
        let is_below = |line: &String| path.is_none_or(|path| line.starts_with(&format!("{path}.")));
        let (own, below) = self.treatments(path);
        let is_kept = (is_object && below == 'k') || (is_array && own == 'k' && below == 'k');
        is_kept && !self.lines.keys().any(is_below)
    }
}

/// Returns the path of a member.
pub(crate) fn join(path: Option<&str>, key: &str) -> String {
    path.map_or_else(|| key.to_owned(), |path| format!("{path}.{key}"))
}

/// Returns what is left of a text that is masked.
pub(crate) fn mask(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.iter().filter(|letter| **letter == '@').count() == 1 {
        let parts: Vec<&str> = text.split('@').collect();
        let labels: Vec<&str> = parts[1].split('.').collect();
        let is_name = labels.len() > 1
            && labels.iter().all(|label| {
                !label.is_empty() && !label.contains(|letter: char| !letter.is_alphanumeric() && letter != '-')
            });
        let is_top = !labels[labels.len() - 1].contains(|letter: char| !letter.is_alphabetic());
        let is_user = !parts[0].is_empty() && parts[0].split_whitespace().collect::<String>() == parts[0];
        if is_name && is_top && is_user {
            return format!("***@{}", parts[1]);
        }
    }
    let digits = letters.iter().filter(|letter| letter.is_ascii_digit()).count();
    if digits >= 4 && letters.iter().all(|letter| "0123456789+()-./ ".contains(*letter)) {
        let mut seen = 0;
        return letters
            .iter()
            .map(|letter| {
                seen += usize::from(letter.is_ascii_digit());
                if letter.is_ascii_digit() && seen <= digits - 2 { '*' } else { *letter }
            })
            .collect();
    }
    "***".to_owned()
}
