//! Compiles a filter of `filters/` for WebAssembly, so that the same source gives the same bytes anywhere.
//!
//! Not part of the build around it: another workspace, another target, a target folder of its own (the
//! folder around it is locked while this runs). Invariant: nothing of the environment gets in but where the
//! tools are and how they reach the registry. Wrappers of clippy, flags of a coverage run and variables of
//! the build around it stay outside, and no path of this machine gets into the bytes.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The memory that an instance begins with: room for a table and events of the usual size.
const MEMORY: &str = "-Clink-arg=--initial-memory=1572864";

/// What the engine runs as the processor does: sixteen bytes in one instruction.
const SIMD: &str = "-Ctarget-feature=+simd128";

const TARGET: &str = "wasm32-unknown-unknown";

/// What the inner cargo may know: where things are, and how to get out.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_NET_OFFLINE",
    "CARGO_NET_GIT_FETCH_WITH_CLI",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// Compiles a package of `filters/` and returns where the core module is.
///
/// # Errors
/// In words, with what to do.
pub(crate) fn compile(checkout: &Path, target: &Path, package: &str) -> Result<PathBuf, String> {
    let tools = Tools::find()?;
    let filters = checkout.join("filters");
    let mut cargo = Command::new(&tools.cargo);
    clean(&mut cargo)
        .current_dir(&filters)
        .args(["rustc", "--quiet", "--locked", "--release", "--lib", "--crate-type", "cdylib"])
        .args(["--target", TARGET, "--package", package])
        .arg("--target-dir")
        .arg(target)
        .env("RUSTC", &tools.rustc)
        // This variable wins over every configuration file on the way up from here.
        .env("CARGO_ENCODED_RUSTFLAGS", tools.flags(checkout, target));
    let output = run(&mut cargo)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "\ncargo::error=");
        return Err(format!("{package} cannot be compiled for {TARGET} ({}):\ncargo::error={words}", output.status));
    }
    let module = target.join(TARGET).join("release").join(package.replace('-', "_")).with_extension("wasm");
    if module.is_file() {
        Ok(module)
    } else {
        Err(format!("{package} was compiled, but {} is missing", module.display()))
    }
}

/// The tools of the toolchain that is at work.
struct Tools {
    cargo: OsString,
    rustc: OsString,
    /// Where the toolchain is.
    sysroot: String,
    /// What the sources of the standard library are called in what it was compiled to.
    library_name: String,
}

impl Tools {
    fn find() -> Result<Self, String> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let libraries = ask(&rustc, &["--print", "target-libdir", "--target", TARGET])?;
        if !Path::new(&libraries).is_dir() {
            return Err(format!("the target {TARGET} is not installed: run `cargo xtask setup`"));
        }
        let sysroot = ask(&rustc, &["--print", "sysroot"])?;
        let version = ask(&rustc, &["--version", "--verbose"])?;
        let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
        Ok(Self { cargo, rustc, sysroot, library_name: format!("/rustc/{commit}") })
    }

    /// Returns the compiler's flags: every folder of this machine gets a name that is the same on all.
    ///
    /// Of two that fit, the later one counts.
    fn flags(&self, checkout: &Path, target: &Path) -> String {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home = home
            .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
            .unwrap_or_else(|| "/cargo".into());
        let sources = Path::new(&self.sysroot).join("lib/rustlib/src/rust");
        let names = [
            (cargo_home, "/cargo"),
            (PathBuf::from(&self.sysroot), "/rust"),
            (sources, self.library_name.as_str()),
            (checkout.to_owned(), "/hooklog"),
            (target.to_owned(), "/target"),
        ];
        let names = names.iter().map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
        let flags: Vec<String> = names.chain([MEMORY, SIMD].map(str::to_owned)).collect();
        // What separates flags in this variable is a character that is in none of them.
        flags.join("\u{1f}")
    }
}

fn ask(rustc: &OsString, arguments: &[&str]) -> Result<String, String> {
    let output = run(clean(&mut Command::new(rustc)).args(arguments))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn clean(command: &mut Command) -> &mut Command {
    command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, env::var_os(name)?))))
}

fn run(command: &mut Command) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.output().map_err(|problem| {
        format!("{program} cannot be started ({problem}): is the toolchain of rustup there? Run `cargo xtask setup`")
    })
}
