//! `doc`: the documentation of the code, whose front page is `src/ARCHITECTURE.md`.

use crate::Command;
use crate::setup;
use crate::steps::{Failure, Outcome, execute};
use crate::workplace::Workplace;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "doc",
    about: "Builds the documentation of the code; a broken link is an error",
    help: "[--open]\n
Private items are included: these pages are for those who work on hooklog.

Examples:
  cargo xtask doc --open              read it in the browser",
    run,
};

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    let is_wrong = |word: &&String| *word != "--open";
    if let Some(word) = arguments.iter().find(is_wrong) {
        return Err(Failure::usage(format!("doc does not know `{word}`; see cargo xtask doc --help")));
    }
    setup::ensure(place)?;
    let mut command = place.cargo(&["doc", "--release", "--no-deps", "--document-private-items"]);
    execute(command.args(arguments).env("RUSTDOCFLAGS", "-D warnings"))
}
