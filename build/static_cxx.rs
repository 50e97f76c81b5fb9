//! Makes the static C++ library the one that the linker finds.
//!
//! RocksDB's crate asks for `stdc++` as a dynamic library. In a static program that links and then
//! crashes at start. A folder that holds only `libstdc++.a`, searched before the compiler's own, leaves
//! the linker no other choice.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

pub(crate) fn link(out: &Path) -> io::Result<()> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let answer = Command::new(compiler).arg("--print-file-name=libstdc++.a").output()?;
    let library = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
    if !library.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the compiler does not know libstdc++.a"));
    }
    let folder = out.join("static-cxx");
    fs::create_dir_all(&folder)?;
    let link = folder.join("libstdc++.a");
    if fs::symlink_metadata(&link).is_ok() {
        fs::remove_file(&link)?;
    }
    std::os::unix::fs::symlink(&library, &link)?;
    println!("cargo::rustc-link-search=native={}", folder.display());
    Ok(())
}
