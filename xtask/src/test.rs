//! `test`: everything that must hold before a change lands.
//!
//! Not a test runner: cargo is. The binary under test is built with its own debug assertions on, while the
//! dependencies stay as every other command builds them.

use crate::Command;
use crate::check;
use crate::peers;
use crate::setup;
use crate::steps::{Failure, Outcome, Steps, execute};
use crate::workplace::Workplace;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "test",
    about: "Runs all checks and all tests; this is what must pass before a change lands",
    help: "[--quick | --everything] [-- name of a test…]\n
Formatting, lints and dependencies (`cargo xtask check`), then the tests of the filters, and the unit, property,
simulation, black-box and crash tests. The first failure stops. Tests whose names begin with `nightly_` take long and run only with
--everything.

  --quick        the tests alone
  --everything   the long runs as well, and those with independent peers (libraries of PyPI for
                 Standard Webhooks and CloudEvents)
  -- NAME…       only tests whose names contain NAME; anything else the test program understands

Examples:
  cargo xtask test                    before a change lands
  cargo xtask test --quick -- arrows  one test, while working on it
  cargo xtask test --everything       before a release",
    run,
};

/// Begins the name of a test that takes longer than a developer waits.
const LONG_RUN: &str = "nightly_";

/// Begins the name of a test with an independent peer, which has to be installed.
const PEER_RUN: &str = "nightly_peer_";

/// Cases of each of the three properties of rights: more than a million together.
const CASES_OF_EVERYTHING: &str = "350000";

/// For our own package alone: what RocksDB and the others were compiled with stays as it is.
const DEBUG_ASSERTIONS: &str = "profile.release.package.hooklog.debug-assertions=true";

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Breadth {
    Quick,
    Usual,
    Everything,
}

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    let (breadth, passed_on) = parse(arguments)?;
    setup::ensure(place)?;
    let mut steps = Steps::new();
    if breadth != Breadth::Quick {
        check::check(place, &mut steps)?;
    }
    if breadth != Breadth::Quick {
        steps.step("filters", |_| {
            let mut command = place.cargo_of_filters(&["test", "--release", "--workspace", "--locked"]);
            if breadth == Breadth::Everything {
                command.env("PROPTEST_CASES", CASES_OF_EVERYTHING);
            }
            execute(&mut command)
        })?;
    }
    steps.step("tests", |steps| {
        let mut command = place.cargo(&["test", "--release", "--workspace", "--config", DEBUG_ASSERTIONS, "--"]);
        if breadth != Breadth::Everything {
            command.args(["--skip", LONG_RUN]);
        } else if let Some(python) = peers::python(place, steps) {
            command.env("HOOKLOG_PEERS_PYTHON", python);
        } else {
            command.args(["--skip", PEER_RUN]);
        }
        execute(command.args(passed_on))
    })?;
    steps.finish();
    Ok(())
}

fn parse(arguments: &[String]) -> Result<(Breadth, &[String]), Failure> {
    let (flag, rest) = match arguments.split_first() {
        Some((first, rest)) if first != "--" => (Some(first.as_str()), rest),
        _ => (None, arguments),
    };
    let breadth = match flag {
        None => Breadth::Usual,
        Some("--quick") => Breadth::Quick,
        Some("--everything") => Breadth::Everything,
        Some(word) => return Err(Failure::usage(format!("test does not know `{word}`; see cargo xtask test --help"))),
    };
    match rest.split_first() {
        None => Ok((breadth, rest)),
        Some((dashes, passed_on)) if dashes == "--" => Ok((breadth, passed_on)),
        Some((word, _)) => Err(Failure::usage(format!("put `--` before `{word}` to pass it to the tests"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Breadth, parse};

    #[test]
    fn one_breadth_and_then_what_the_tests_are_told() {
        let check = |line: &str, expected: Option<(Breadth, &[&str])>| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let expected =
                expected.map(|(breadth, rest)| (breadth, rest.iter().map(|&word| word.to_owned()).collect()));
            let found = parse(&words).ok().map(|(breadth, rest)| (breadth, rest.to_vec()));
            assert_eq!(found, expected, "{line}");
        };
        check("", Some((Breadth::Usual, &[])));
        check("--quick", Some((Breadth::Quick, &[])));
        check("--everything", Some((Breadth::Everything, &[])));
        check("-- arrows", Some((Breadth::Usual, &["arrows"])));
        check("--quick -- arrows --nocapture", Some((Breadth::Quick, &["arrows", "--nocapture"])));
        check("--quick --", Some((Breadth::Quick, &[])));
        check("arrows", None);
        check("--quick arrows", None);
        check("--quick --everything", None);
    }
}
