//! What has to be there before hooklog is compiled: the static C++ library, the built-in filters, and the
//! version of the engine that runs them.
//!
//! Not the place for generated Rust: there is none. Each step is a file in `build/`.
#![expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment")]

#[path = "build/component.rs"]
mod component;
#[path = "build/engine_version.rs"]
mod engine_version;
#[path = "build/filters.rs"]
mod filters;
#[path = "build/static_cxx.rs"]
mod static_cxx;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    for input in
        ["build.rs", "build", "Cargo.lock", "wit", "filters/Cargo.toml", "filters/Cargo.lock", "filters/rights"]
    {
        println!("cargo::rerun-if-changed={input}");
    }
    println!("cargo::rerun-if-env-changed=CXX");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    if let Err(problem) = static_cxx::link(&out) {
        println!("cargo::warning=the static C++ library was not found ({problem}); run `cargo xtask setup`");
    }
    match prepare(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("cargo::error={problem}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(out: &Path) -> Result<(), String> {
    println!("cargo::rustc-env=HOOKLOG_WASMTIME_VERSION={}", engine_version::read()?);
    let checkout = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let module = filters::compile(&checkout, &out.join("filters"), "hooklog-rights")?;
    component::encode(&module, &out.join("rights.wasm"))
        .map_err(|problem| format!("hooklog-rights is no filter: {problem}"))?;
    Ok(())
}
