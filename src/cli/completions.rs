//! `hooklog completions`: a script that lets a shell complete commands and flags.

use clap_complete::Shell;

use super::command;
use super::context::Context;
use super::exit::{Exit, Failure};

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog completions bash > /etc/bash_completion.d/hooklog
  hooklog completions zsh > ~/.zfunc/_hooklog
  hooklog completions fish > ~/.config/fish/completions/hooklog.fish")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Arguments {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command::tree(), "hooklog", &mut script);
        context.console.bytes(&script)?;
        Ok(Exit::Done)
    }
}
