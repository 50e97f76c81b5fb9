//! Settings: flags, environment and file into checked values.
//!
//! Not what the parts do with them: no part knows settings, each is given its own checked values. Promise:
//! an unknown or wrong key never passes silently, a message says where it stands and what to do, a secret is
//! in no message, and whoever holds [`Settings`] need not check them again.
//!
//! ```text
//! flags, environment, file ──▶ sources ──▶ check ──▶ Settings
//!            ▲                    │
//!            raw: the table       └──▶ show, reference
//! ```

mod raw;
mod units;
mod value;

mod sources;
mod file;
mod environment;
mod nearest;

mod check;
mod checked;
mod error;

mod reference;
mod show;

#[cfg(test)]
mod tests;

pub use checked::{
    DeliverSettings, FilterSettings, InFlightMax, IngestSettings, ListenerSettings, LogsSettings, MasterKeySource,
    STORE_DESCRIPTORS, Settings, TlsFiles,
};
pub use error::{Error, Origin, Problem, Warning};
pub use reference::reference;
pub use show::{Effective, Entry};
pub use sources::{Remote, Sources};

/// What was read from all sources.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The checked settings.
    pub settings: Settings,
    /// The same to be shown, each with where it came from.
    pub effective: Effective,
    /// What is probably a mistake; to be logged.
    pub warnings: Vec<Warning>,
}

/// Reads the settings, for whoever looks at them or opens the data directory.
///
/// # Errors
/// Everything that is wrong with them: exit code 2.
pub fn load(sources: &Sources) -> Result<Loaded, Error> {
    let sources::Reading { mut gathered, problems, warnings } = sources::gather(sources);
    if !problems.is_empty() {
        return Err(Error { problems, warnings });
    }
    check::lower_defaults(&mut gathered);
    match check::check(&gathered, sources) {
        Ok(settings) => Ok(Loaded { settings, effective: Effective::new(gathered), warnings }),
        Err(problems) => Err(Error { problems, warnings }),
    }
}

/// Reads the settings, for whoever is going to listen.
///
/// # Errors
/// As [`load`], and where a listener outside loopback would ask for no token or speak in the clear.
pub fn load_to_serve(sources: &Sources) -> Result<Loaded, Error> {
    let loaded = load(sources)?;
    let problems = check::check_exposure(&loaded.settings, loaded.effective.gathered());
    if problems.is_empty() { Ok(loaded) } else { Err(Error { problems, warnings: loaded.warnings }) }
}
