//! From TOML to drafts of entries: later files take the place of earlier ones, entry by entry.
//!
//! Not the meaning: `check` looks at that. Here are the form, unknown keys, and who said what.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::draft::{FieldDraft, TypeDraft};
use super::{File, Mistake};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    groups: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    field: Vec<FieldDraft>,
    #[serde(default, rename = "type")]
    types: Vec<TypeDraft>,
}

/// Everything that the files say, each with the name of the file that said it last.
#[derive(Debug, Default)]
pub(super) struct Drafted {
    pub(super) groups: BTreeMap<String, Vec<String>>,
    pub(super) fields: BTreeMap<String, (String, FieldDraft)>,
    pub(super) types: BTreeMap<String, (String, TypeDraft)>,
}

/// Reads files, the later over the earlier.
pub(super) fn read(files: &[File<'_>]) -> Result<Drafted, Vec<Mistake>> {
    let mut drafted = Drafted::default();
    let mut mistakes = Vec::new();
    for File { name, text } in files {
        let document: Document = match toml::from_str(text) {
            Ok(document) => document,
            Err(problem) => {
                mistakes.push(Mistake {
                    file: (*name).to_owned(),
                    place: place(text, problem.span().map_or(0, |span| span.start)),
                    what: problem.message().to_owned(),
                });
                continue;
            }
        };
        drafted.groups.extend(document.groups);
        // A type may have the name of a field.
        let mut paths = BTreeSet::new();
        let mut names = BTreeSet::new();
        let fields = document.field.into_iter().map(|field| (field.path.clone(), field));
        for (path, field) in fields {
            mistakes.extend((!paths.insert(path.clone())).then(|| twice(name, &path)));
            drafted.fields.insert(path, ((*name).to_owned(), field));
        }
        for entry in document.types {
            mistakes.extend((!names.insert(entry.name.clone())).then(|| twice(name, &entry.name)));
            drafted.types.insert(entry.name.clone(), ((*name).to_owned(), entry));
        }
    }
    if mistakes.is_empty() { Ok(drafted) } else { Err(mistakes) }
}

fn twice(file: &str, what: &str) -> Mistake {
    Mistake { file: file.to_owned(), place: what.to_owned(), what: "is there twice".to_owned() }
}

/// Writes where a byte of a text is.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}
