//! `hooklog catalog`: the types of events and their fields.
//!
//! Files work offline: one is checked before a server is given it, and drafted from events in files. The catalogue that
//! holds is a server's.

mod infer;

use std::path::PathBuf;

use http::Method;
use serde_json::{Value, json};

use super::assignment::read_input;
use super::client::{Client, Request};
use super::column::{Column, count, text, time};
use super::connection::ConnectionArguments;
use super::console::{Console, Format};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::writing::Rehearsal;
use crate::catalog::{Catalog, File, Mistake};
use crate::model::{AccountName, EventType};

/// Look at the catalogue of events and fields, extend it, check and draft files of it
#[derive(Debug, clap::Args)]
#[command(
    subcommand_required = true,
    after_help = "Examples:
  hooklog catalog list                            the types, and what of them was seen
  hooklog catalog check own.toml                  exit code 3 where something is wrong in it
  hooklog catalog infer events.ndjson > own.toml  draft what the catalogue lacks"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the types of events that the server knows or has seen
    #[command(after_help = "Examples:
  hooklog catalog list
  hooklog catalog list --account acme             counted among the account's own newest events
  hooklog catalog list -o json                    types and fields with all their texts")]
    List {
        /// Count this account's events alone
        #[arg(long)]
        account: Option<AccountName>,
    },
    /// Give the server's catalogue a type, or another form of one
    #[command(after_help = "Examples:
  hooklog catalog set call.rung rung.json

The file is JSON: category, status, fields, en and fr (each with name and text). Fields are paths of known
ones, or objects that describe new ones. Accounts get nothing new of it until they save their rights.")]
    Set {
        /// The type
        name: EventType,
        /// The entry; - for stdin
        file: String,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    /// Take a type back that was set; one of the same name in a file shows again
    #[command(after_help = "Examples:\n  hooklog catalog delete call.rung")]
    Delete {
        /// The type
        name: EventType,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    /// Read files on top of the built-in catalogue and say what is wrong in them
    #[command(after_help = "Examples:
  hooklog catalog check                    the built-in catalogue alone
  hooklog catalog check own.toml more.toml

A file is TOML with [[field]] and [[type]] as in the built-in ones; an entry of a known name takes
its place. Exit code 3: something is wrong.")]
    Check {
        /// The files, the later over the earlier
        files: Vec<PathBuf>,
    },
    /// Draft the types and fields that events have and the catalogue lacks
    #[command(after_help = infer::EXAMPLES)]
    Infer(infer::Infer),
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let Self { connection, verb } = self;
        match verb {
            Verb::Check { files } => check(&files, &mut context.console),
            Verb::Infer(infer) if infer.is_recent() => {
                infer.run_on_server(&mut client(&connection, context)?, &mut context.console).await
            }
            Verb::Infer(infer) => infer.run(&mut context.console),
            Verb::List { account } => {
                let path = account.map_or_else(|| "/catalog".to_owned(), |name| format!("/accounts/{name}/catalog"));
                let found = client(&connection, context)?.send(&Request::get(path)).await?;
                match context.console.format() {
                    Format::Json => context.console.item(TYPES, &found)?,
                    Format::Table | Format::Ndjson | Format::Csv => context.console.items(TYPES, &rows(&found))?,
                }
                Ok(Exit::Done)
            }
            Verb::Set { name, file, rehearsal } => {
                let entry: Value = serde_json::from_slice(&read_input(&file)?)
                    .map_err(|reason| Failure::usage(format!("{file} is no JSON: {reason}")))?;
                let request = Request::new(Method::PUT, format!("/catalog/types/{name}")).body(entry);
                let mut client = client(&connection, context)?;
                let written = rehearsal.write(&mut client, context, &request).await?;
                written.then(|entry| {
                    context.console.item(TYPES, &entry)?;
                    Ok(Exit::Done)
                })
            }
            Verb::Delete { name, rehearsal } => {
                let request = Request::new(Method::DELETE, format!("/catalog/types/{name}"));
                let mut client = client(&connection, context)?;
                rehearsal.write(&mut client, context, &request).await?.then(|_| Ok(Exit::Done))
            }
        }
    }
}

fn client(connection: &ConnectionArguments, context: &Context) -> Result<Client, Failure> {
    Client::new(&connection.resolve(&context.environment)?, context.tasks.clone())
}

/// Lists the types of a catalogue, those that it does not know last.
fn rows(catalog: &Value) -> Vec<Value> {
    let list = |name: &str| catalog.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let unknown = list("unknown").into_iter().map(|mut entry| {
        if let Some(members) = entry.as_object_mut() {
            members.insert("status".to_owned(), "unknown".into());
        }
        entry
    });
    list("types").into_iter().chain(unknown).collect()
}

fn check(paths: &[PathBuf], console: &mut Console) -> Result<Exit, Failure> {
    match read(paths)? {
        Ok(catalog) => {
            let counts =
                json!({ "types": catalog.types().count(), "fields": catalog.fields().count(), "mistakes": [] });
            console.item(COUNTS, &counts)?;
            Ok(Exit::Done)
        }
        Err(mistakes) => {
            let listed: Vec<Value> = mistakes
                .iter()
                .map(|mistake| json!({ "file": mistake.file, "place": mistake.place, "what": mistake.what }))
                .collect();
            match console.format() {
                Format::Json => console.item(COUNTS, &json!({ "mistakes": listed }))?,
                Format::Table | Format::Ndjson | Format::Csv => console.items(MISTAKES, &listed)?,
            }
            Ok(Exit::No)
        }
    }
}

/// Reads files on top of the built-in catalogue.
///
/// # Errors
/// Outside, where a file cannot be read; inside, what is wrong in the files.
fn read(paths: &[PathBuf]) -> Result<Result<Catalog, Vec<Mistake>>, Failure> {
    let mut read = Vec::with_capacity(paths.len());
    for path in paths {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|reason| Failure::usage(format!("cannot read {name}: {reason}")))?;
        read.push((name, text));
    }
    let files: Vec<File<'_>> = read.iter().map(|(name, text)| File { name, text }).collect();
    Ok(Catalog::with_files(&files))
}

const TYPES: &[Column] = &[
    text("TYPE", "/name"),
    text("CATEGORY", "/category"),
    text("STATUS", "/status"),
    count("SEEN", "/count"),
    time("LAST SEEN", "/lastSeenAt"),
    text("MEANING", "/en/text"),
];
const COUNTS: &[Column] = &[count("TYPES", "/types"), count("FIELDS", "/fields")];
const MISTAKES: &[Column] = &[text("FILE", "/file"), text("PLACE", "/place"), text("WHAT", "/what")];

#[cfg(test)]
mod tests {
    use super::check;
    use crate::cli::console::Format;
    use crate::cli::tests::Captured;

    #[test]
    fn a_sound_file_is_counted_and_a_wrong_one_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, "[[type]]\nname = 'a.b'\ncategory = 'none'\n").unwrap();
        let mut captured = Captured::new(Format::Ndjson);
        assert_eq!(check(&[], &mut captured.console).unwrap().code(), 0);
        assert!(captured.out().contains("\"types\":61"), "{}", captured.out());
        assert_eq!(check(&[path], &mut captured.console).unwrap().code(), 3);
        assert!(captured.out().contains("line 3, column 12"), "{}", captured.out());
        let missing = check(&["nowhere.toml".into()], &mut captured.console);
        assert_eq!(missing.unwrap_err().exit().code(), 2);
    }
}
