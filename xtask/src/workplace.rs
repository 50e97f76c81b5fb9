//! Where things lie: the checkout, the build folder and the folder for tools.
//!
//! Not a configuration: all of it follows from the environment. Every inner cargo call is made here, so that
//! all commands build in the same folder with the same settings and nothing is compiled twice.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process;

use crate::steps::Failure;

/// The checkout and the folders beside it.
pub(crate) struct Workplace {
    root: PathBuf,
    cache: PathBuf,
    build: PathBuf,
}

impl Workplace {
    /// Finds the folders from where this program was compiled and from the environment.
    ///
    /// # Errors
    /// Where there is no home folder to keep a cache in.
    pub(crate) fn find() -> Result<Self, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().expect("xtask lies one folder below the checkout").to_owned();
        let cache = cache_folder(env::var_os("XDG_CACHE_HOME").as_deref(), env::var_os("HOME").as_deref())
            .ok_or_else(|| Failure::new("neither XDG_CACHE_HOME nor HOME is set: no place for a cache".to_owned()))?;
        let build = match env::var_os("CARGO_TARGET_DIR") {
            // Cargo reads a relative folder from where it is called, and the inner calls are made in the root.
            Some(folder) if !folder.is_empty() => std::path::absolute(&folder)
                .map_err(|problem| Failure::new(format!("CARGO_TARGET_DIR cannot be used: {problem}")))?,
            _ => cache.join("target"),
        };
        Ok(Self { root, cache, build })
    }

    /// Returns the folder of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder for tools that are compiled once; it survives a fresh clone.
    pub(crate) fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// Returns where cargo puts the programs of a profile.
    pub(crate) fn programs(&self, profile: &str) -> PathBuf {
        // The one target stands in `.cargo/config.toml`.
        self.build.join("x86_64-unknown-linux-gnu").join(profile)
    }

    /// Makes a call of cargo in the workspace of filters, which builds in a folder of its own.
    pub(crate) fn cargo_of_filters(&self, arguments: &[&str]) -> process::Command {
        let mut command = cargo();
        let (folder, build) = (self.root.join("filters"), self.build.join("filters"));
        command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", build);
        command
    }

    /// Makes a call of cargo in the checkout that builds in the one build folder.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> process::Command {
        let mut command = cargo();
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.build);
        command
    }
}

/// Makes a call of cargo that knows nothing of the cargo that started us.
///
/// Two things are taken away. What `cargo run` sets for its child: some build scripts ask to be run again when
/// it changes, and then a bare `cargo build` in the same folder would compile ring a second time. And
/// `RUSTFLAGS`: it would replace the flags of `.cargo/config.toml`, which make the binary static.
pub(crate) fn cargo() -> process::Command {
    let mut command = process::Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if is_of_the_outer_cargo(&name) {
            command.env_remove(name);
        }
    }
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

fn is_of_the_outer_cargo(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn cache_folder(cache_home: Option<&OsStr>, home: Option<&OsStr>) -> Option<PathBuf> {
    // The XDG base directory specification: a folder that is not absolute is to be ignored.
    let cache_home = cache_home.map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = home.map(PathBuf::from).filter(|folder| folder.is_absolute());
    cache_home.or_else(|| home.map(|home| home.join(".cache"))).map(|folder| folder.join("hooklog"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;

    use super::{cache_folder, is_of_the_outer_cargo};

    #[test]
    fn the_cache_lies_where_the_user_keeps_caches() {
        let check = |cache_home: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            let found = cache_folder(cache_home.map(OsStr::new), home.map(OsStr::new));
            assert_eq!(found, expected.map(PathBuf::from), "{cache_home:?} {home:?}");
        };
        check(Some("/cache"), Some("/home/me"), Some("/cache/hooklog"));
        check(None, Some("/home/me"), Some("/home/me/.cache/hooklog"));
        check(Some(""), Some("/home/me"), Some("/home/me/.cache/hooklog"));
        check(Some("relative"), None, None);
        check(None, None, None);
    }

    #[test]
    fn only_what_cargo_run_sets_is_taken_away() {
        for theirs in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
            assert!(is_of_the_outer_cargo(OsStr::new(theirs)), "{theirs}");
        }
        for ours in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "CARGO_BUILD_JOBS", "PATH"] {
            assert!(!is_of_the_outer_cargo(OsStr::new(ours)), "{ours}");
        }
    }
}
