//! `bench`: builds and runs the bench program, which prints each figure beside its ceiling.
//!
//! In the `dist` profile, so that it measures the program that operators run, and its ceilings are compiled alike.

use crate::Command;
use crate::setup;
use crate::steps::{Outcome, execute};
use crate::workplace::Workplace;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "bench",
    about: "Measures hooklog beside its ceilings on this machine",
    help: "[arguments of the bench program]\n
Examples:
  cargo xtask bench                   all rows, as a table
  cargo xtask bench --json            for programs
  cargo xtask bench ingest_single     one row

It is built as operators run it (`cargo xtask build --dist`): the first time compiles everything anew, about half an
hour, and after a change it takes about five minutes.",
    run,
};

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    setup::ensure(place)?;
    execute(place.cargo(&["bench", "--quiet", "--profile", "dist", "--bench", "bench", "--"]).args(arguments))
}
