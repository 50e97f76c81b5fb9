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
    help: "[--dist]\n
  --dist      as operators run it: put together as a whole, which takes minutes more (the first time half an hour) and
              makes it about a fifth faster\n
Examples:
  cargo xtask build
  cargo xtask build --dist
  export PATH=\"$(cargo xtask build):$PATH\"     then `hooklog` is a command",
    run,
};

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    let profile = match arguments {
        [] => "release",
        [argument] if argument == "--dist" => "dist",
        [argument, ..] => return Err(Failure::usage(format!("{argument} means nothing to build: it takes --dist"))),
    };
    setup::ensure(place)?;
    execute(&mut place.cargo(&["build", "--profile", profile, "--package", "hooklog"]))?;
    println!("{}", place.programs(profile).display());
    Ok(())
}
