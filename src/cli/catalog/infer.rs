//! `hooklog catalog infer`: what events in files have and the catalogue lacks.
//!
//! Not a check of events: what cannot be read as one is told by its place and passed over. Nothing of an event is
//! printed, neither in the draft nor beside it.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalog::Mistake;
use crate::catalog::infer::{Drafts, Inference};
use crate::cli::assignment::read_input;
use crate::cli::client::{Client, Request};
use crate::cli::column::{Column, count, text};
use crate::cli::console::{Console, Format};
use crate::cli::exit::{Exit, Failure};
use crate::model::EventType;

/// Which events, and what is known before.
#[derive(Debug, clap::Args)]
pub(super) struct Infer {
    /// Files of events: one event, an array, or one a line; - or none for stdin
    files: Vec<String>,
    /// A file on top of the built-in catalogue; may be given again, the later over the earlier
    #[arg(long, value_name = "FILE")]
    catalog: Vec<PathBuf>,
    /// The newest events of the running server instead, against the catalogue that it has
    #[arg(long, conflicts_with_all = ["files", "catalog"])]
    recent: bool,
}

pub(super) const EXAMPLES: &str = "Examples:
  hooklog catalog infer events.ndjson > own.toml
  hooklog catalog infer --recent > own.toml        from what the server has taken in
  cat monday.ndjson tuesday.ndjson | hooklog catalog infer --catalog own.toml
  hooklog catalog infer events.json -o json        what was seen, with counts

An event has type, data and perhaps actor. The draft is TOML that `catalog check` reads as it is:
an entry for each type and field that the catalogue lacks, with a kind, a class of personal data,
names and texts for somebody to look at. Examples are blanked: of the events there are only keys,
types, and words in capitals that several events had.";

/// An event, as far as a catalogue knows it.
#[derive(Deserialize)]
struct Observed<'t> {
    #[serde(rename = "type")]
    event_type: EventType,
    #[serde(borrow)]
    data: &'t RawValue,
    #[serde(borrow, default)]
    actor: Option<&'t RawValue>,
}

/// What one file gave.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    events: usize,
    /// What its parts are called, and the numbers of those that are no events.
    unit: &'static str,
    wrong: Vec<usize>,
}

impl Infer {
    /// Returns whether a server's events are meant.
    pub(super) const fn is_recent(&self) -> bool {
        self.recent
    }

    /// Prints what a server has learned from its newest events.
    pub(super) async fn run_on_server(self, client: &mut Client, console: &mut Console) -> Result<Exit, Failure> {
        let found = client.send(&Request::get("/catalog/inferred")).await?;
        match console.format() {
            Format::Table => console.line(found.get("toml").and_then(Value::as_str).unwrap_or_default().trim_end())?,
            Format::Json | Format::Ndjson | Format::Csv => console.item(&[], &found)?,
        }
        Ok(Exit::Done)
    }

    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let catalog = super::read(&self.catalog)?.map_err(|mistakes| {
            let told: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
            Failure::usage(told.join("\n"))
        })?;
        let mut inference = Inference::new(&catalog);
        let files = if self.files.is_empty() { vec!["-".to_owned()] } else { self.files };
        for file in &files {
            let Read { events, unit, wrong } = observe(&mut inference, &read_input(file)?);
            let name = if file == "-" { "stdin" } else { file };
            if events == 0 && !wrong.is_empty() {
                return Err(Failure::usage(format!(
                    "{name} holds no event: neither one, nor an array, nor one a line"
                )));
            }
            if !wrong.is_empty() {
                console.warn(&format!("no events in {name}: {}", numbers(unit, &wrong)));
            }
        }
        print(&inference.drafts(), console)
    }
}

/// Learns from a file: one JSON text, or one a line.
fn observe(inference: &mut Inference, bytes: &[u8]) -> Read {
    if let Ok(items) = serde_json::from_slice::<Vec<&RawValue>>(bytes) {
        return parts(inference, "item", items.iter().map(|item| item.get().as_bytes()).zip(1..));
    }
    if let Ok(whole) = serde_json::from_slice::<&RawValue>(bytes) {
        return parts(inference, "line", std::iter::once((whole.get().as_bytes(), 1)));
    }
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    parts(inference, "line", lines.filter(|(line, _)| !line.trim_ascii().is_empty()))
}

fn parts<'t>(inference: &mut Inference, unit: &'static str, parts: impl Iterator<Item = (&'t [u8], usize)>) -> Read {
    let mut read = Read { unit, ..Read::default() };
    for (part, number) in parts {
        let is_event = match serde_json::from_slice::<Observed<'_>>(part) {
            Ok(Observed { event_type, data, actor }) => {
                inference.observe(&event_type, actor.map(RawValue::get), data.get())
            }
            Err(_) => {
                inference.observe_malformed();
                false
            }
        };
        if is_event {
            read.events += 1;
        } else {
            read.wrong.push(number);
        }
    }
    read
}

/// Names the parts that are no events, the first few by number.
fn numbers(unit: &str, wrong: &[usize]) -> String {
    let shown: Vec<String> = wrong.iter().take(NUMBERS_SHOWN).map(usize::to_string).collect();
    let plural = if wrong.len() == 1 { "" } else { "s" };
    let mut told = format!("{unit}{plural} {}", shown.join(", "));
    if wrong.len() > shown.len() {
        told.push_str(&format!(" and {} more", wrong.len() - shown.len()));
    }
    told
}

fn print(drafts: &Drafts, console: &mut Console) -> Result<Exit, Failure> {
    let json = || serde_json::to_value(drafts).map_err(|reason| Failure::Failed(reason.into()));
    match console.format() {
        Format::Table => console.bytes(drafts.to_toml().as_bytes())?,
        Format::Json | Format::Ndjson => console.item(FIELDS, &json()?)?,
        Format::Csv => {
            let json = json()?;
            let fields = json.get("fields").and_then(Value::as_array);
            console.items(FIELDS, fields.map_or(&[], Vec::as_slice))?;
        }
    }
    console.flush()?;
    console.note(&format!(
        "seen: events {}, types {}, fields {}; drafted: types {}, fields {}",
        drafts.events,
        drafts.types.len(),
        drafts.fields.len(),
        drafts.unknown_types().count(),
        drafts.unknown_fields().count()
    ));
    Ok(Exit::Done)
}

const FIELDS: &[Column] = &[
    text("PATH", "/path"),
    text("KIND", "/kind"),
    text("CLASS", "/class"),
    count("EVENTS", "/events"),
    text("CATALOGUE", "/known/kind"),
];

/// Numbers of one file's parts in a message.
const NUMBERS_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::{Infer, numbers};
    use crate::catalog::{Catalog, File};
    use crate::cli::console::Format;
    use crate::cli::exit::Failure;
    use crate::cli::tests::Captured;

    fn run(format: Format, texts: &[&str], catalog: &[&str]) -> Result<(String, String), Failure> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: String, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = texts.iter().enumerate().map(|(at, text)| write(format!("{at}.json"), text).display().to_string());
        let catalog = catalog.iter().enumerate().map(|(at, text)| write(format!("{at}.toml"), text));
        let infer = Infer { files: files.collect(), catalog: catalog.collect(), recent: false };
        let mut captured = Captured::new(format);
        assert_eq!(infer.run(&mut captured.console)?.code(), 0);
        Ok((captured.out(), captured.error()))
    }

    const EVENT: &str = r#"{"id":"evt_1","type":"kiln.fired","actor":{"badge":"b_1"},"data":{"kiln":{"ref":"k_1"}}}"#;

    #[test]
    fn one_event_an_array_and_one_a_line_are_read() {
        let array = format!("[\n{EVENT},\n {EVENT}]");
        let lines = format!("{EVENT}\r\n\n{EVENT}\n");
        let (out, error) = run(Format::Table, &[EVENT, &array, &lines], &[]).unwrap();
        assert_eq!(error, "seen: events 5, types 1, fields 2; drafted: types 1, fields 2\n");
        let catalog = Catalog::with_files(&[File { name: "own.toml", text: &out }]).unwrap();
        assert!(catalog.field("kiln.ref").is_some() && catalog.field("actor.badge").is_some());
        let (_, error) = run(Format::Table, &[EVENT], &[&out]).unwrap();
        assert_eq!(error, "seen: events 1, types 1, fields 2; drafted: types 0, fields 0\n");
    }

    #[test]
    fn what_is_no_event_is_told_by_its_line_and_not_by_its_text() {
        let lines = format!(
            "{EVENT}\nDupont\n\n{{\"type\":\"a b\",\"data\":{{}}}}\n{{\"type\":\"a.b\",\"data\":[\"Dupont\"]}}\n"
        );
        let (out, error) = run(Format::Table, &[&lines], &[]).unwrap();
        assert!(error.starts_with("warning: no events in ") && error.contains(": lines 2, 4, 5\n"), "{error}");
        assert!(!out.contains("Dupont") && !error.contains("Dupont"));
        assert!(out.contains("#   3 were no events\n"), "{out}");
        let array = format!("[{EVENT},{{\"type\":\"a.b\"}}]");
        assert!(run(Format::Table, &[&array], &[]).unwrap().1.contains(": item 2\n"));
        assert_eq!(numbers("line", &(1..=12).collect::<Vec<_>>()), "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
    }

    #[test]
    fn what_cannot_be_read_is_wrong_usage() {
        let code = |texts: &[&str], catalog: &[&str]| run(Format::Table, texts, catalog).unwrap_err().exit().code();
        assert_eq!(code(&["nonsense"], &[]), 2);
        assert_eq!(code(&["7"], &[]), 2);
        assert_eq!(code(&[EVENT], &["[[type]]\n"]), 2);
        let missing = Infer { files: vec!["nowhere.ndjson".to_owned()], catalog: Vec::new(), recent: false };
        assert_eq!(missing.run(&mut Captured::new(Format::Table).console).unwrap_err().exit().code(), 2);
        assert!(run(Format::Table, &["", "[]"], &[]).is_ok(), "no events are not wrong");
    }

    #[test]
    fn programs_get_what_was_seen() {
        let (out, _) = run(Format::Json, &[EVENT], &[]).unwrap();
        let drafts: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&drafts["events"], &drafts["fields"][1]["path"]), (&1.into(), &"kiln.ref".into()));
        let (out, _) = run(Format::Csv, &[EVENT], &[]).unwrap();
        assert!(out.ends_with("kiln.ref,string,customer_id,1,\n"), "{out}");
    }
}
