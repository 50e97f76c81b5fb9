//! The check of the dependencies with cargo-deny: licences, bans, sources, advisories.
//!
//! Not a command of its own. The rules stand in `deny.toml`. cargo-deny is compiled once into the cache; where
//! that cannot be done, or the advisories cannot be fetched, the check is left out and said to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::steps::{Failure, Outcome, Steps, execute};
use crate::workplace::{Workplace, cargo};

const VERSION: &str = "0.20.2";
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Checks the dependencies, as far as the network lets it.
///
/// # Errors
/// A rule of `deny.toml` that is broken.
pub(crate) fn check(place: &Workplace, steps: &mut Steps) -> Outcome {
    let program = match installed(place) {
        Ok(program) => program,
        Err(failure) => {
            steps.leave_out(format!("the dependencies: cargo-deny cannot be installed ({failure})"));
            return Ok(());
        }
    };
    execute(deny(&program, place).args(["check", "licenses", "bans", "sources"]))?;
    if has_advisories(&program, place) {
        execute(deny(&program, place).args(["check", "advisories"]))
    } else {
        steps.leave_out("known advisories: their database cannot be reached from here".to_owned());
        Ok(())
    }
}

fn deny(program: &Path, place: &Workplace) -> process::Command {
    let mut command = process::Command::new(program);
    command.arg("--locked").current_dir(place.root());
    command
}

fn installed(place: &Workplace) -> Result<PathBuf, Failure> {
    let tools = place.tools();
    let folder = tools.join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.exists() {
        return Ok(program);
    }
    eprintln!("   cargo-deny {VERSION} is compiled once, which takes some minutes");
    fs::create_dir_all(&tools).map_err(|problem| Failure::new(format!("{}: {problem}", tools.display())))?;
    let build = tools.join("build");
    // Called outside of the checkout, whose `.cargo/config.toml` is made for hooklog alone.
    let outcome = execute(
        cargo()
            .args(["install", "--quiet", "--locked", "cargo-deny", "--version", VERSION, "--root"])
            .arg(&folder)
            .env("CARGO_TARGET_DIR", &build)
            .current_dir(&tools),
    );
    match fs::remove_dir_all(&build) {
        Err(problem) if build.exists() => eprintln!("   {} cannot be removed: {problem}", build.display()),
        Ok(()) | Err(_) => {}
    }
    outcome.map(|()| program)
}

/// Fetches the database of advisories and returns whether it is there.
fn has_advisories(program: &Path, place: &Workplace) -> bool {
    let mut fetch = deny(program, place);
    fetch.args(["fetch", "db"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = fetch.spawn() else { return false };
    let deadline = Instant::now() + FETCH_TIMEOUT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
            // A firewall that swallows packets is as good as no network.
            Ok(None) | Err(_) => {
                return child.kill().and_then(|()| child.wait()).is_ok_and(|status| status.success());
            }
        }
    }
}
