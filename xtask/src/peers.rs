//! The independent peers of the long tests: what they need is installed into the cache, once.
//!
//! Not a must: where a registry cannot be reached, the tests that need it are left out, and that is said.

use std::path::PathBuf;
use std::process;

use crate::steps::{Steps, ask, execute};
use crate::workplace::Workplace;

/// Returns a Python that has the libraries of PyPI for Standard Webhooks, CloudEvents and server-sent events; none
/// where they cannot be had.
pub(crate) fn python(place: &Workplace, steps: &mut Steps) -> Option<PathBuf> {
    let folder = place.tools().join("peers");
    let python = folder.join("bin/python");
    let use_them = "import standardwebhooks, cloudevents.core.bindings.http, httpx_sse";
    let has_libraries = || ask(process::Command::new(&python).args(["-c", use_them])).is_some();
    if has_libraries() {
        return Some(python);
    }
    let made = execute(process::Command::new("python3").args(["-m", "venv"]).arg(&folder)).and_then(|()| {
        let install = ["-m", "pip", "install", "--quiet", "standardwebhooks", "cloudevents>=2", "httpx-sse", "httpx"];
        execute(process::Command::new(&python).args(install))
    });
    if made.is_ok() && has_libraries() {
        return Some(python);
    }
    steps.leave_out(
        "the libraries of PyPI for Standard Webhooks, CloudEvents and server-sent events: they cannot be installed here".to_owned(),
    );
    None
}
