//! The developer's commands: `cargo xtask help` lists them.
//!
//! Not part of the product, and without any dependency: it compiles in a second on a machine that has nothing
//! yet, and then fetches what is missing. Each command is one file that ends in a [`Command`]; a new one is
//! that file and a line in [`COMMANDS`].
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]
#![expect(clippy::disallowed_methods, reason = "no part of the house: it has the machine's clock and environment")]

mod bench;
mod build;
mod check;
mod demo;
mod deny;
mod doc;
mod peers;
mod setup;
mod steps;
mod test;
mod workplace;

use std::env;
use std::process::ExitCode;

use crate::steps::{Failure, Outcome};
use crate::workplace::Workplace;

/// All commands, in the order of the help.
const COMMANDS: &[Command] =
    &[setup::COMMAND, build::COMMAND, demo::COMMAND, check::COMMAND, test::COMMAND, bench::COMMAND, doc::COMMAND];

/// One command of the developer.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    name: &'static str,
    /// One line for the list of commands.
    about: &'static str,
    /// Everything after the first line of the command's own help.
    help: &'static str,
    run: fn(&Workplace, &[String]) -> Outcome,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let Some((name, rest)) = arguments.split_first() else {
        println!("{}", overview());
        return Ok(());
    };
    let asks_for_help = |word: &String| matches!(word.as_str(), "help" | "--help" | "-h");
    if asks_for_help(name) {
        println!("{}", rest.first().map_or_else(|| Ok(overview()), |topic| find(topic).map(Command::page))?);
        return Ok(());
    }
    let command = find(name)?;
    if rest.first().is_some_and(asks_for_help) {
        println!("{}", command.page());
        return Ok(());
    }
    (command.run)(&Workplace::find()?, rest)
}

fn find(name: &str) -> Result<&'static Command, Failure> {
    COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| Failure::usage(format!("there is no command `{name}`; `cargo xtask help` lists them")))
}

fn overview() -> String {
    let mut text = "The developer's commands of hooklog.\n\nUsage: cargo xtask <command> [arguments]\n".to_owned();
    for Command { name, about, .. } in COMMANDS {
        text.push_str(&format!("\n  {name:<8}{about}"));
    }
    text.push_str("\n\n`cargo xtask <command> --help` says more, with examples.\n\n");
    text.push_str("Everything is built in $CARGO_TARGET_DIR or, where that is not set, in ~/.cache/hooklog/target,\n");
    text.push_str("in the profile release, so that RocksDB is compiled once and survives a fresh clone; `bench` and\n");
    text.push_str("`build --dist` use another (dist), which is slower to build and makes a faster program.");
    text
}

impl Command {
    fn page(&self) -> String {
        format!("{}\n\nUsage: cargo xtask {} {}", self.about, self.name, self.help)
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, dispatch};

    fn exit_code(arguments: &[&str]) -> u8 {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        dispatch(&arguments).map_or_else(|failure| failure.exit_code(), |()| 0)
    }

    #[test]
    fn help_is_no_failure_and_a_wrong_word_is_a_usage_error() {
        for asked in [&[][..], &["help"], &["--help"], &["help", "test"], &["test", "--help"], &["setup", "-h"]] {
            assert_eq!(exit_code(asked), 0, "{asked:?}");
        }
        for wrong in [&["tset"][..], &["help", "tset"], &["test", "--fast"], &["setup", "now"], &["doc", "--closed"]] {
            assert_eq!(exit_code(wrong), 2, "{wrong:?}");
        }
    }

    #[test]
    fn every_page_has_an_example() {
        for command in COMMANDS {
            let example = format!("\n  cargo xtask {}", command.name);
            assert!(command.page().contains(&example), "{} has no example", command.name);
        }
    }
}
