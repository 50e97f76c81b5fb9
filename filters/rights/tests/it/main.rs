//! What the rights filter does, seen from outside: rule by rule, against a model, and on files.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod cases;
mod document;
mod malformed;
mod model;
mod properties;
mod rules;
mod tables;

use hooklog_rights::{Error, Table, prepare};

/// Prepares a table as the server does, and takes it as the component does.
fn table(lines: &str) -> Result<Table, Error> {
    Table::parse(prepare(lines)?)
}
