//! Which wasmtime it is: the crate does not say, and what is compiled with one must not run in another.

use std::fs;

/// Returns the version that `Cargo.lock` pins.
pub(crate) fn read() -> Result<String, String> {
    let lock = fs::read_to_string("Cargo.lock").map_err(|problem| format!("Cargo.lock cannot be read: {problem}"))?;
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"wasmtime\"");
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.map(str::to_owned).ok_or_else(|| "Cargo.lock names no version of wasmtime".to_owned())
}
