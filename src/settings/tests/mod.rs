//! What the settings promise, through the same door that the program uses.
//!
//! Not the parsing of durations and sizes, nor the nearest key: those are tested where they are.

mod messages;
mod order;
mod show;
mod table;

use std::fs;

use super::{Error, Loaded, Sources, load};

/// Where a test's settings come from.
#[derive(Clone, Default)]
struct Given<'a> {
    file: Option<&'a str>,
    environment: Vec<(&'a str, &'a str)>,
    flags: Vec<(&'static str, &'a str)>,
}

impl Given<'_> {
    /// Runs with these as sources, the file being `hooklog.toml` in a directory of its own.
    fn with<T>(&self, run: impl FnOnce(&Sources) -> T) -> T {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooklog.toml");
        if let Some(text) = self.file {
            fs::write(&path, text).unwrap();
        }
        run(&Sources {
            flags: self.flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
            environment: self.environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            file: self.file.map(|_| path),
        })
    }

    fn load(&self) -> Result<Loaded, Error> {
        self.with(load)
    }
}

fn file(text: &str) -> Given<'_> {
    Given { file: Some(text), ..Given::default() }
}

fn variable<'a>(name: &'a str, value: &'a str) -> Given<'a> {
    Given { environment: vec![(name, value)], ..Given::default() }
}

/// Takes the test's own directory out of a message.
fn without_directory(text: &str) -> String {
    let is_of_a_path = |character: char| !character.is_whitespace() && !"(\"".contains(character);
    text.split_inclusive("hooklog.toml")
        .map(|part| match part.strip_suffix("hooklog.toml") {
            Some(before) => format!("{}hooklog.toml", before.trim_end_matches(is_of_a_path)),
            None => part.to_owned(),
        })
        .collect()
}
