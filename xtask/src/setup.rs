//! `setup`: installs what a bare Debian or Ubuntu with rustup lacks to build hooklog.
//!
//! Not a package of its own: it asks apt-get and rustup. The other commands call it first, so it looks before
//! it acts, takes well under a second when nothing is missing, and then prints nothing.

use std::env;
use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process;

use crate::Command;
use crate::steps::{Failure, Outcome, ask, execute};
use crate::workplace::Workplace;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "setup",
    about: "Installs what the machine lacks: a C++ compiler, libclang, make, the WebAssembly target",
    help: "\n
Looks for a C++ compiler with its static library (RocksDB), for libclang (the bindings of RocksDB), for make (the
allocator), and for the parts of the toolchain that rust-toolchain.toml names. Installs what is missing with apt-get
(through sudo where needed) and rustup, and says what to type where it may not. All other commands call it first.

Examples:
  cargo xtask setup                   look, install, say what was done",
    run,
};

/// A package of the system that hooklog cannot be built without.
struct Need {
    what: &'static str,
    package: &'static str,
    is_met: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need { what: "a C++ compiler with its static library", package: "g++", is_met: has_static_cxx },
    Need { what: "libclang with its headers", package: "libclang-dev", is_met: has_libclang },
    Need { what: "make", package: "make", is_met: has_make },
];

const TARGET: &str = "wasm32-unknown-unknown";

/// Installs what is missing; says nothing where nothing is.
///
/// # Errors
/// Where something is missing and cannot be installed from here; the message says what to type.
pub(crate) fn ensure(place: &Workplace) -> Outcome {
    ensure_packages()?;
    ensure_toolchain(place)
}

fn run(place: &Workplace, arguments: &[String]) -> Outcome {
    if let Some(word) = arguments.first() {
        return Err(Failure::usage(format!("setup takes no arguments, not `{word}`")));
    }
    ensure(place)?;
    for need in NEEDS {
        println!("ready: {}", need.what);
    }
    println!("ready: the toolchain, with {TARGET}, rustfmt and clippy");
    Ok(())
}

fn ensure_packages() -> Outcome {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.is_met)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("missing: {} (package {})", need.what, need.package);
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    install(&packages).map_err(|failure| by_hand(&packages, &failure))?;
    match missing.iter().find(|need| !(need.is_met)()) {
        Some(need) => {
            let Need { what, package, .. } = need;
            Err(Failure::new(format!(
                "{package} is installed, and {what} is still not found: do PATH, CXX or LIBCLANG_PATH lead elsewhere?"
            )))
        }
        None => Ok(()),
    }
}

fn install(packages: &[&str]) -> Outcome {
    execute(apt_get()?.arg("update"))?;
    execute(apt_get()?.args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// Makes a call of apt-get with the rights it needs.
fn apt_get() -> Result<process::Command, Failure> {
    if ask(process::Command::new("apt-get").arg("--version")).is_none() {
        return Err(Failure::new("this system has no apt-get".to_owned()));
    }
    let mut command = if ask(process::Command::new("id").arg("-u")).as_deref() == Some("0") {
        process::Command::new("env")
    } else if ask(process::Command::new("sudo").arg("--version")).is_some() {
        let mut sudo = process::Command::new("sudo");
        // Where nobody can type a password, fail instead of waiting for one.
        if !stdin().is_terminal() {
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    } else {
        return Err(Failure::new("apt-get needs root, and there is no sudo".to_owned()));
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    Ok(command)
}

fn by_hand(packages: &[&str], failure: &Failure) -> Failure {
    let packages = packages.join(" ");
    Failure::new(format!(
        "{failure}\nOn Debian and Ubuntu, as root: apt-get update && apt-get install {packages}\nElsewhere: install \
         a C++ compiler with libstdc++.a, make, and libclang; CXX and LIBCLANG_PATH say where they are"
    ))
}

/// The same question that `build.rs` asks.
fn has_static_cxx() -> bool {
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    ask(process::Command::new(compiler).arg("--print-file-name=libstdc++.a"))
        .is_some_and(|answer| Path::new(&answer).is_absolute())
}

/// The allocator is built with it.
fn has_make() -> bool {
    ask(process::Command::new("make").arg("--version")).is_some()
}

/// A library alone is not enough: without `stddef.h` of the same package the bindings cannot be made.
fn has_libclang() -> bool {
    if env::var_os("LIBCLANG_PATH").is_some_and(|path| Path::new(&path).exists()) {
        return true;
    }
    let libraries = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu"].map(PathBuf::from);
    let llvm = children("/usr/lib").filter(|path| name_of(path).starts_with("llvm")).map(|path| path.join("lib"));
    let folders: Vec<PathBuf> = libraries.into_iter().chain(llvm).collect();
    let is_library = |path: PathBuf| {
        let name = name_of(&path);
        name.starts_with("libclang.so") || (name.starts_with("libclang-") && name.contains(".so"))
    };
    let has_headers =
        |folder: &PathBuf| children(folder.join("clang")).any(|version| version.join("include/stddef.h").exists());
    let is_cxx_interface = |path: &PathBuf| name_of(path).starts_with("libclang-cpp");
    folders.iter().any(|folder| children(folder).filter(|path| !is_cxx_interface(path)).any(is_library))
        && folders.iter().any(has_headers)
}

fn children(folder: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn ensure_toolchain(place: &Workplace) -> Outcome {
    let sysroot = ask(process::Command::new("rustc").args(["--print", "sysroot"]).current_dir(place.root()))
        .ok_or_else(|| Failure::new("rustc does not answer; is the toolchain of rustup on the PATH?".to_owned()))?;
    let sysroot = Path::new(&sysroot);
    if !sysroot.join("lib/rustlib").join(TARGET).join("lib").exists() {
        eprintln!("missing: the target {TARGET}");
        execute(process::Command::new("rustup").args(["target", "add", TARGET]).current_dir(place.root()))?;
    }
    let tools = [("rustfmt", "bin/rustfmt"), ("clippy", "bin/cargo-clippy")];
    for (component, _) in tools.iter().filter(|(_, program)| !sysroot.join(program).exists()) {
        eprintln!("missing: {component}");
        execute(process::Command::new("rustup").args(["component", "add", component]).current_dir(place.root()))?;
    }
    Ok(())
}
