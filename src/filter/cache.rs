//! Compiled components, kept across starts: machine code in files that are checked to be ours.
//!
//! Not a place from which anybody may bring code: what is in a file is native code and runs without a
//! sandbox. Invariant: code is made executable only after an HMAC over the very bytes in memory has proven
//! that this host, with this key, wrote them for this component, engine and settings. Any doubt, and the
//! component is compiled again and the file written anew. What no start has used for long goes when another is written.
//!
//! ```text
//! file = HMAC-SHA256(key, name │ 0 │ code) (32) │ code        name = component's SHA-256 - engine's digest
//! ```

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use sha2::{Digest, Sha256};
use tracing::{debug, warn};
use wasmtime::component::Component;

use crate::security::{Hex, Secret};

use super::engine::Engine;

/// A directory of compiled components.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    key: Secret<[u8; 32]>,
}

/// Where a component's code comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Compiled,
    Cached,
}

/// Why there is no code.
#[derive(Debug)]
pub(super) enum CompileError {
    /// The component is broken, or uses what is switched off.
    Invalid(String),
    /// The component asks for more than an instance can have.
    TooHungry(String),
}

impl Cache {
    /// Opens a directory, made where it is missing, that nobody else can read or write.
    ///
    /// # Errors
    /// Where it cannot be made, or belongs to somebody else.
    pub(super) fn open(directory: &Path, key: Secret<[u8; 32]>) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let metadata = fs::symlink_metadata(directory)?;
        if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not a directory of this user"));
        }
        if metadata.mode() & 0o777 != 0o700 {
            fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        }
        Ok(Self { directory: directory.to_owned(), key })
    }

    /// Returns a component's code: from its file where that can be trusted, else compiled.
    ///
    /// # Errors
    /// Where the component cannot be compiled. A file that is missing, broken or cannot be written is none.
    pub(super) fn component(
        cache: Option<&Self>,
        engine: &Engine,
        bytes: &[u8],
        digest: &[u8; 32],
    ) -> Result<(Component, Origin), CompileError> {
        let name = file_name(engine, digest);
        if let Some(component) = cache.and_then(|cache| cache.read(engine, &name)) {
            return Ok((component, Origin::Cached));
        }
        let code =
            engine.wasm.precompile_component(bytes).map_err(|problem| CompileError::Invalid(format!("{problem:#}")))?;
        let code = Code::made_here(code);
        let component = code.load(engine).map_err(|problem| CompileError::TooHungry(format!("{problem:#}")))?;
        if let Some(cache) = cache
            && let Err(problem) = cache.write(&name, &code)
        {
            warn!(%problem, directory = %cache.directory.display(), "a compiled component is not kept");
        }
        Ok((component, Origin::Compiled))
    }

    fn read(&self, engine: &Engine, name: &str) -> Option<Component> {
        let path = self.directory.join(name);
        let bytes = match use_file(&path) {
            Ok(bytes) => bytes,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return None,
            Err(problem) => {
                warn!(%problem, path = %path.display(), "a compiled component cannot be read: compiling it again");
                return None;
            }
        };
        let Some(code) = self.prove(name, &bytes) else {
            warn!(path = %path.display(), "a compiled component is not ours: compiling it again");
            return None;
        };
        match code.load(engine) {
            Ok(component) => Some(component),
            Err(problem) => {
                let problem = format!("{problem:#}");
                warn!(problem, path = %path.display(), "a compiled component does not fit: compiling it again");
                None
            }
        }
    }

    /// Returns the code, where this host has written it under this name.
    fn prove(&self, name: &str, bytes: &[u8]) -> Option<Code> {
        let (tag, code) = bytes.split_first_chunk::<32>()?;
        self.mac(name, code).verify(tag.into()).ok()?;
        Some(Code(code.to_vec()))
    }

    fn write(&self, name: &str, code: &Code) -> io::Result<()> {
        let tag = self.mac(name, &code.0).finalize().into_bytes();
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.directory)?;
        file.write_all(&tag)?;
        file.write_all(&code.0)?;
        file.as_file().sync_all()?;
        let written = file.persist(self.directory.join(name))?;
        self.remove_unused(written.metadata()?.mtime());
        File::open(&self.directory)?.sync_all()
    }

    /// Removes what was last used long before a time, in seconds; what cannot be looked at or removed is left.
    fn remove_unused(&self, now: i64) {
        let Ok(files) = fs::read_dir(&self.directory) else { return };
        for file in files.flatten() {
            if file.metadata().is_ok_and(|metadata| metadata.mtime() < now - UNUSED_SECONDS_MAX)
                && let Err(problem) = fs::remove_file(file.path())
            {
                warn!(%problem, path = %file.path().display(), "a compiled component that nobody uses stays");
            }
        }
    }

    fn mac(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose()).expect("an HMAC takes a key of any length");
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac
    }
}

/// Machine code of which it is certain that this host has made it.
struct Code(Vec<u8>);

impl Code {
    /// Takes what the compiler of this process has given.
    const fn made_here(code: Vec<u8>) -> Self {
        Self(code)
    }

    /// Makes it a component.
    ///
    /// # Errors
    /// Where the engine has other settings than the one that compiled it, or no room for such a component.
    #[expect(unsafe_code, reason = "precompiled code is trusted code: there is no safe way to load it")]
    fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: a `Code` is made of what `precompile_component` has just given, or of bytes in memory whose HMAC
        // proves that it gave them earlier. They are copied, not mapped: nobody can change them afterwards.
        unsafe { Component::deserialize(&engine.wasm, &self.0) }
    }
}

fn file_name(engine: &Engine, component: &[u8; 32]) -> String {
    let engine: [u8; 32] = Sha256::digest(format!("{}, code {}", engine.description(), engine.code())).into();
    format!("{}-{}", Hex(component), Hex(engine.first_chunk::<8>().expect("32 bytes have 8")))
}

/// Reads a file, and leaves on it when that was.
fn use_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    if let Err(problem) = futimens(&file, &Timestamps { last_access: now, last_modification: now }) {
        debug!(%problem, path = %path.display(), "a compiled component will be taken for unused one day");
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is longer cannot be ours: it is cut here, and its HMAC fails.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// An older program to which somebody went back finds its own; what was replaced for good does not stay for ever.
const UNUSED_SECONDS_MAX: i64 = 30 * 24 * 3_600;
