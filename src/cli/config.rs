//! `hooklog config`: which settings hold, and where each comes from.

use super::column::{Column, text};
use super::configuration::ConfigurationArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::settings;

/// Show and check the settings
#[derive(Debug, clap::Args)]
#[command(
    subcommand_required = true,
    after_help = "Examples:
  hooklog config show                     what holds, with where it comes from; secrets hidden
  hooklog config check --config new.toml  exit code 2 where something is wrong"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show the settings that hold, and where each comes from
    #[command(after_help = "Examples:\n  hooklog config show\n  hooklog config show -o json")]
    Show(ConfigurationArguments),
    /// Check the settings as serve would, and start nothing
    #[command(after_help = "Examples:\n  hooklog config check --config new.toml\n\nExit code 2: something is wrong.")]
    Check(ConfigurationArguments),
    /// Print the reference of all keys as Markdown
    #[command(hide = true, after_help = "Examples:\n  hooklog config reference > docs/settings.md")]
    Reference,
}

impl Arguments {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Show(configuration) => {
                let effective = configuration.load(context)?.effective;
                if context.console.format() == Format::Table {
                    context.console.line(effective.to_toml().trim_end())?;
                } else {
                    let entries = serde_json::to_value(effective.entries()).map_err(anyhow::Error::from)?;
                    let items = entries.as_array().cloned().unwrap_or_default();
                    context.console.items(COLUMNS, &items)?;
                }
                Ok(Exit::Done)
            }
            Verb::Check(configuration) => {
                configuration.load_to_serve(Vec::new(), context)?;
                context.console.note("the settings are sound");
                Ok(Exit::Done)
            }
            Verb::Reference => {
                context.console.line(settings::reference().trim_end())?;
                Ok(Exit::Done)
            }
        }
    }
}

const COLUMNS: &[Column] = &[text("KEY", "/key"), text("VALUE", "/value"), text("SOURCE", "/source")];
