//! Where a process's settings come from: the flags that commands share.
//!
//! Not the settings: `settings` has their table. Warnings go to stderr, mistakes end the command with 2.

use std::path::PathBuf;

use super::context::Context;
use super::exit::Failure;
use crate::settings::{self, Loaded, Sources};

/// Flags that say which settings hold.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigurationArguments {
    /// The settings file; ./hooklog.toml where there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory; ./hooklog-data unless set
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

impl ConfigurationArguments {
    /// Gathers the settings for a command that opens the data directory.
    pub(crate) fn load(self, context: &mut Context) -> Result<Loaded, Failure> {
        let sources = self.sources(Vec::new())?;
        told(settings::load(&sources), context)
    }

    /// Gathers the settings for a process that listens, with the rules that only it must obey.
    pub(crate) fn load_to_serve(
        self,
        flags: Vec<(&'static str, String)>,
        context: &mut Context,
    ) -> Result<Loaded, Failure> {
        let sources = self.sources(flags)?;
        told(settings::load_to_serve(&sources), context)
    }

    fn sources(self, mut flags: Vec<(&'static str, String)>) -> Result<Sources, Failure> {
        flags.extend(self.data.map(|data| ("data", data)));
        Sources::from_process(flags, self.config).map_err(|problem| Failure::usage(problem.to_string()))
    }
}

fn told(loaded: Result<Loaded, settings::Error>, context: &mut Context) -> Result<Loaded, Failure> {
    let warnings = match &loaded {
        Ok(loaded) => &loaded.warnings,
        Err(problem) => &problem.warnings,
    };
    for warning in warnings {
        context.console.warn(&warning.to_string());
    }
    loaded.map_err(|problem| Failure::usage(problem.to_string()))
}
