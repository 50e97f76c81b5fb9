//! Where settings come from, and which of them wins: flag, environment, file, default.
//!
//! Not the rules between settings. Every source is read to its end, so a wrong value is named even where
//! another source overrides it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::environment;
use super::error::{Error, Origin, Problem, Warning};
use super::file;
use super::raw::{Fallback, KEYS, Key};
use super::value::Value;
use crate::security::Secret;

/// What a process was started with.
#[derive(Clone, Default)]
pub struct Sources {
    /// Keys that flags set, each with what was given: `("ingest.listen", "127.0.0.1:0")`.
    pub flags: Vec<(&'static str, String)>,
    /// Variables; those that do not begin with `HOOKLOG_` are passed over.
    pub environment: BTreeMap<String, String>,
    /// The settings file; it must be there.
    pub file: Option<PathBuf>,
}

/// What a command needs to speak to a server on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// `HOOKLOG_URL`: where its API is.
    pub url: Option<String>,
    /// `HOOKLOG_TOKEN`: what to show to it.
    pub token: Option<Secret<String>>,
}

impl Sources {
    /// Takes what this process was started with: the given flags, its environment, and the given file or else
    /// `hooklog.toml` in the current directory where there is one.
    ///
    /// # Errors
    /// `NotText` where a variable that hooklog would read is not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the environment")]
    pub fn from_process(flags: Vec<(&'static str, String)>, explicit_file: Option<PathBuf>) -> Result<Self, Error> {
        let environment = environment::collect(std::env::vars_os())?;
        let file = explicit_file.or_else(|| file_if_there(Path::new(DEFAULT_FILE)));
        Ok(Self { flags, environment, file })
    }

    /// Returns where a command finds its server, as far as the environment says.
    ///
    /// An empty variable says nothing: that is how a script takes one away.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote {
            url: self.variable(environment::URL).map(str::to_owned),
            token: self.variable(environment::TOKEN).map(|token| Secret::new(token.to_owned())),
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Sources {
    /// Names only: a value may be a token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags: Vec<_> = self.flags.iter().map(|(key, _)| key).collect();
        formatter
            .debug_struct("Sources")
            .field("flags", &flags)
            .field("environment", &self.environment.keys())
            .field("file", &self.file)
            .finish()
    }
}

/// A file that cannot be looked at counts as there, so that reading it says why.
fn file_if_there(path: &Path) -> Option<PathBuf> {
    let is_absent = fs::metadata(path).is_err_and(|reason| reason.kind() == std::io::ErrorKind::NotFound);
    (!is_absent).then(|| path.to_owned())
}

/// A key that somebody set.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: &'static Key,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The value of every key that has one, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Gathered(BTreeMap<&'static str, (Value, Origin)>);

impl Gathered {
    /// Returns the value in effect; none where nobody set it and it has no default.
    pub(super) fn get(&self, path: &str) -> Option<&(Value, Origin)> {
        self.0.get(path)
    }

    /// Gives a key that nobody set another value than the table does.
    pub(super) fn lower_default(&mut self, path: &'static str, value: Value) {
        self.0.insert(path, (value, Origin::Default));
    }

    fn set(&mut self, found: impl IntoIterator<Item = Found>) {
        self.0.extend(found.into_iter().map(|Found { key, value, origin }| (key.path, (value, origin))));
    }
}

/// What all sources together say.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) gathered: Gathered,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
}

/// Reads all sources, the strongest last.
pub(super) fn gather(sources: &Sources) -> Reading {
    let mut gathered = defaults();
    let mut problems = Vec::new();
    if let Some(path) = &sources.file {
        let (found, wrong) = file::read(path);
        gathered.set(found);
        problems.extend(wrong);
    }
    let (found, wrong, warnings) = environment::read(&sources.environment);
    gathered.set(found);
    problems.extend(wrong);
    for (path, text) in &sources.flags {
        let key = Key::of(path).expect("a flag sets a key of the table");
        let origin = Origin::Flag(key.flag.unwrap_or(key.path));
        match key.kind.read_text(text) {
            Ok(value) => gathered.set([Found { key, value, origin }]),
            Err(fault) => problems.push(Problem::Value { origin, key: key.path, reason: fault.to_string() }),
        }
    }
    Reading { gathered, problems, warnings }
}

fn defaults() -> Gathered {
    let mut gathered = Gathered(BTreeMap::new());
    for key in KEYS {
        if let Fallback::Value(text) = key.default {
            let value = key.kind.read_text(text).expect("a test reads the default of every key");
            gathered.set([Found { key, value, origin: Origin::Default }]);
        }
    }
    gathered
}

const DEFAULT_FILE: &str = "hooklog.toml";
