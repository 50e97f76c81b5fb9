//! `demo`: builds hooklog and becomes `hooklog demo`.
//!
//! Becomes, not calls: so signals, the terminal and the exit code are the demo's own.

use std::os::unix::process::CommandExt;
use std::process;

use crate::Command;
use crate::setup;
use crate::steps::{Failure, Outcome, execute};
use crate::workplace::Workplace;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "demo",
    about: "Builds hooklog and shows it at work: events, a receiver, an outage, a kill -9, a replay",
    help: "[arguments of hooklog demo]\n
Everything runs on this machine, in a temporary folder that is removed afterwards.

Examples:
  cargo xtask demo                    watch until Ctrl-C
  cargo xtask demo --once             one round; ends with 0 if every ledger adds up",
    run,
};

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    setup::ensure(place)?;
    execute(&mut place.cargo(&["build", "--release", "--package", "hooklog"]))?;
    let problem = process::Command::new(place.programs("release").join("hooklog")).arg("demo").args(arguments).exec();
    Err(Failure::new(format!("hooklog demo cannot be started: {problem}")))
}
