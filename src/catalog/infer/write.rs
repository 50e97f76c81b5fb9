//! Drafts as a catalogue's file: TOML with comments.
//!
//! Not what is in an entry (see `draft`). Invariant: the catalogue takes the file, and a second inference from the
//! same events with it finds nothing new.

use std::fmt::Write;

use toml::Value;

use super::LeftOut;
use super::draft::{Drafts, InferredField, InferredType, KindSeen};

impl Drafts {
    /// Writes what the catalogue does not know as a file that extends it.
    ///
    /// # Shape
    /// A `[[field]]` for each unknown path, a `[[type]]` for each type that is unknown or had fields the catalogue
    /// does not list for it, that with its old fields too. What a catalogue cannot hold stands in comments.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = self.header();
        for field in self.unknown_fields() {
            text.push('\n');
            text.push_str(&field_entry(field));
        }
        for event_type in self.unknown_types() {
            text.push('\n');
            text.push_str(&type_entry(event_type));
        }
        let differing = self.fields.iter().filter(|field| field.known.is_some_and(|known| !known.is_as_seen));
        listed(
            &mut text,
            "The catalogue has these, but they were seen otherwise:",
            differing.map(|field| {
                let kind = field.known.map_or("", |known| known.kind);
                format!("{}: {kind} in the catalogue; {}", field.path, counts(field))
            }),
        );
        let illegal = self.fields.iter().filter(|field| !field.is_legal);
        listed(
            &mut text,
            "A catalogue cannot hold these paths (names with dots between them, each a small letter and then letters \
             and digits):",
            illegal.map(|field| format!("{}: {}", field.path, counts(field))),
        );
        text
    }

    /// Returns the fields that [`Drafts::to_toml`] has an entry for.
    pub fn unknown_fields(&self) -> impl Iterator<Item = &InferredField> {
        self.fields.iter().filter(|field| field.known.is_none() && field.is_legal)
    }

    /// Returns the types that [`Drafts::to_toml`] has an entry for.
    pub fn unknown_types(&self) -> impl Iterator<Item = &InferredType> {
        self.types.iter().filter(|event_type| !event_type.is_known || !event_type.added.is_empty())
    }

    fn header(&self) -> String {
        let LeftOut { types, fields, paths, keys, shadowed } = self.left_out;
        let mut text = format!(
            "# Draft of a catalogue's entries from {}, {}.\n\
             #\n\
             # Every kind, class and text is a suggestion: read each, above all whose data a field is.\n\
             # Examples are blanked. `hooklog catalog check` reads this file as it is.\n",
            many(self.events, "event"),
            many(u64::try_from(self.types.len()).unwrap_or(u64::MAX), "type")
        );
        let left_out = [
            (self.malformed, "were no events"),
            (types, "events had types beyond the number that is learned"),
            (fields, "values had paths beyond the number that is learned"),
            (paths, "values had paths that are too long"),
            (keys, "members have keys that look like data, and are not listed"),
            (shadowed, "members of data are named actor: that means the event's actor here, so they are not listed"),
        ];
        let left_out = left_out.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        listed(&mut text, "Left out:", left_out);
        text
    }
}

fn listed(text: &mut String, title: &str, mut lines: impl Iterator<Item = String>) {
    let Some(first) = lines.next() else { return };
    line(text, format_args!("\n# {title}\n#   {first}"));
    for next in lines {
        line(text, format_args!("#   {next}"));
    }
}

fn field_entry(field: &InferredField) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("# {}", counts(field)));
    line(&mut text, format_args!("[[field]]"));
    entry(&mut text, "path", Value::from(field.path.as_str()));
    entry(&mut text, "kind", Value::from(field.kind));
    if !field.values.is_empty() {
        entry(&mut text, "values", Value::from(field.values.clone()));
    }
    let bounds = [("least", field.least), ("greatest", field.greatest)];
    for (key, bound) in bounds.into_iter().filter_map(|(key, bound)| Some((key, bound?))) {
        entry(&mut text, key, Value::from(bound));
    }
    if let Some(unit) = field.unit {
        entry(&mut text, "unit", Value::from(unit));
    }
    entry(&mut text, "class", of(&field.class));
    entry(&mut text, "status", of(&field.status));
    entry(&mut text, "example", of(&field.example));
    entry(&mut text, "en", of(&field.en));
    entry(&mut text, "fr", of(&field.fr));
    text
}

fn type_entry(event_type: &InferredType) -> String {
    let mut text = String::new();
    let InferredType { name, events, is_known, category, status, added, fields, en, fr, seen: _ } = event_type;
    let what = if *is_known {
        format!("known; new are {}", added.join(", "))
    } else {
        "unknown so far; the category is a guess".to_owned()
    };
    line(&mut text, format_args!("# {}; {what}", many(*events, "event")));
    line(&mut text, format_args!("[[type]]"));
    entry(&mut text, "name", Value::from(name.as_str()));
    entry(&mut text, "category", of(category));
    entry(&mut text, "status", of(status));
    entry(&mut text, "fields", Value::from(fields.clone()));
    entry(&mut text, "en", of(en));
    entry(&mut text, "fr", of(fr));
    text
}

/// Tells how often a field was there, and with what.
fn counts(field: &InferredField) -> String {
    let mut text = many(field.events, "event");
    let kind = |KindSeen { kind, is_listed, values }: &KindSeen| match (*kind, is_listed) {
        ("strings" | "objects", _) | (_, false) => format!("{kind} {values}"),
        (_, true) => format!("{kind} in lists {values}"),
    };
    let mut kinds: Vec<String> = field.seen.iter().map(kind).collect();
    let others = [(field.nulls, "null"), (field.empty_lists, "empty lists")];
    kinds.extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{what} {count}")));
    if !kinds.is_empty() {
        let mixed = if field.seen.len() > 1 { "mixed: " } else { "" };
        text.push_str(&format!("; {mixed}{}", kinds.join(", ")));
    }
    if let Some(bounds) = field.bounds {
        text.push_str(&format!("; between {} and {}", bounds.least, bounds.greatest));
    }
    if field.rare_values > 0 {
        text.push_str(&format!("; {} rarer values are not listed", field.rare_values));
    }
    if field.hidden_members > 0 {
        text.push_str(&format!("; {} members have keys that look like data", field.hidden_members));
    }
    text
}

fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn entry(text: &mut String, key: &str, value: Value) {
    line(text, format_args!("{key} = {value}"));
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(text, "{what}").expect("a String takes everything");
}

fn of(value: &impl serde::Serialize) -> Value {
    Value::try_from(value).expect("texts and examples have no null and no key but text")
}
