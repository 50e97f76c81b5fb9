//! `hooklog catalog`: the types of events and their fields.
//!
//! Works offline: a file is checked before a server is given it, and drafted from events in files.

mod infer;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::column::{Column, count, text};
use super::console::{Console, Format};
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::catalog::{Catalog, File, Mistake};

/// Check files that extend the catalogue of events and fields
#[derive(Debug, clap::Args)]
#[command(
    subcommand_required = true,
    after_help = "Examples:
  hooklog catalog check own.toml                  exit code 3 where something is wrong in it
  hooklog catalog infer events.ndjson > own.toml  draft what the catalogue lacks"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
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
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Check { files } => check(&files, &mut context.console),
            Verb::Infer(infer) => infer.run(&mut context.console),
        }
    }
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
