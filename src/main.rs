//! The program: arguments and environment in, an exit code out.

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the environment is read here and in settings, and handed on")]
fn main() -> ExitCode {
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    hooklog::cli::run(std::env::args_os(), environment.collect())
}
