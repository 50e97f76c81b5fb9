//! `build`: builds hooklog and prints the folder that the program is in.
//!
//! The folder is all that goes to stdout, so that a shell can put it into its PATH.

use crate::Command;
use crate::setup;
use crate::steps::{Failure, Outcome, execute};
use crate::workplace::Workplace;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "build",
    about: "Builds hooklog and prints the folder that the program is in",
    help: "\nExamples:
  cargo xtask build
  export PATH=\"$(cargo xtask build):$PATH\"     then `hooklog` is a command",
    run,
};

fn run(place: &Workplace, _arguments: &[String]) -> Outcome {
    setup::ensure(place)?;
    execute(&mut place.cargo(&["build", "--release", "--package", "hooklog"]))?;
    let program = place.program("hooklog");
    let folder = program.parent().ok_or_else(|| Failure::new("the program has no folder".to_owned()))?;
    println!("{}", folder.display());
    Ok(())
}
