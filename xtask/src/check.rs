//! `check`: the house rules that need no test run.
//!
//! Formatting first, because it is the quickest to fail; then clippy; then the dependencies.

use crate::Command;
use crate::deny;
use crate::setup;
use crate::steps::{Failure, Outcome, Steps, execute};
use crate::workplace::Workplace;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "check",
    about: "Checks formatting, lints and dependencies, without running a test",
    help: "\n
cargo fmt --check and clippy over the whole workspace with warnings as errors, then cargo-deny: licences,
bans and sources, and known advisories where their database can be reached. cargo-deny is compiled into the
cache at its first use, which takes some minutes.

Examples:
  cargo xtask check                   before a commit
  cargo fmt                           what to do when the first step fails",
    run,
};

/// Runs the checks as steps of a command.
///
/// # Errors
/// The first check that does not pass.
pub(crate) fn check(place: &Workplace, steps: &mut Steps) -> Outcome {
    steps.step("formatting", |_| {
        execute(&mut place.cargo(&["fmt", "--all", "--", "--check"]))?;
        execute(&mut place.cargo_of_filters(&["fmt", "--all", "--", "--check"]))
    })?;
    steps.step("clippy", |_| {
        let clippy = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
        execute(&mut place.cargo(&clippy))?;
        execute(&mut place.cargo_of_filters(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    steps.step("dependencies", |steps| deny::check(place, steps))
}

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    if let Some(word) = arguments.first() {
        return Err(Failure::usage(format!("check takes no arguments, not `{word}`")));
    }
    setup::ensure(place)?;
    let mut steps = Steps::new();
    check(place, &mut steps)?;
    steps.finish();
    Ok(())
}
