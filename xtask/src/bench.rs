//! `bench`: builds and runs the bench program, which prints each figure beside its ceiling.
//!
//! In the release profile, like everything else, so that it measures the program that the demo runs.

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
  cargo xtask bench ingest_single     one row",
    run,
};

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    setup::ensure(place)?;
    execute(place.cargo(&["bench", "--quiet", "--profile", "release", "--bench", "bench", "--"]).args(arguments))
}
