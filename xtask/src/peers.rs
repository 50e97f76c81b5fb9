//! The independent peers of the long tests: what they need is installed into the cache, once.
//!
//! Not a must: where a registry cannot be reached, the tests that need it are left out, and that is said.

use std::path::PathBuf;
use std::process;

use crate::steps::{Steps, ask, execute};
use crate::workplace::Workplace;

/// Returns a Python that has the Standard Webhooks library of PyPI; none where it cannot be had.
pub(crate) fn python(place: &Workplace, steps: &mut Steps) -> Option<PathBuf> {
    let folder = place.tools().join("peers");
    let python = folder.join("bin/python");
    let has_library = || ask(process::Command::new(&python).args(["-c", "import standardwebhooks"])).is_some();
    if has_library() {
        return Some(python);
    }
    let made = execute(process::Command::new("python3").args(["-m", "venv"]).arg(&folder)).and_then(|()| {
        execute(process::Command::new(&python).args(["-m", "pip", "install", "--quiet", "standardwebhooks"]))
    });
    if made.is_ok() && has_library() {
        return Some(python);
    }
    steps.leave_out("the Standard Webhooks library of PyPI: it cannot be installed here".to_owned());
    None
}
