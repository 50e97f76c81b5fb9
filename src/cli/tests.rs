//! What tests of the commands share: a console that remembers, and a small real server.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::console::{Console, Format};

/// A console whose output can be read.
pub(crate) struct Captured {
    pub(crate) console: Console,
    out: Shared,
    error: Shared,
}

#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    pub(crate) fn new(format: Format) -> Self {
        let (out, error) = (Shared::default(), Shared::default());
        let console = Console::of_writers(format, Box::new(out.clone()), Box::new(error.clone()));
        Self { console, out, error }
    }

    pub(crate) fn answered_by(mut self, answers: &'static str) -> Self {
        self.console = self.console.answered_by(answers);
        self
    }

    pub(crate) fn out(&self) -> String {
        self.out.text()
    }

    pub(crate) fn error(&self) -> String {
        self.error.text()
    }
}

mod commands;
mod server;

/// Variables as a process has them.
pub(crate) fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
