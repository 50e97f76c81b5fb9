//! What every command that changes something has in common: `--dry-run`, `--yes`, `--if-match`.
//!
//! Not a promise of the server: a dry run checks the arguments, prints the request and sends nothing.

use super::client::{Client, Request};
use super::console::pretty;
use super::context::Context;
use super::exit::{Exit, Failure};
use serde_json::Value;

/// Whether to really do it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Rehearsal {
    /// Print the request and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Whether somebody has agreed already.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Agreement {
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What came of a change.
pub(crate) enum Written {
    /// It was made; what the server answered.
    Made(Value),
    /// It was a rehearsal: the request was printed.
    Rehearsed,
}

impl Rehearsal {
    /// Sends a change, or prints it where it is a rehearsal.
    pub(crate) async fn write(
        self,
        client: &mut Client,
        context: &mut Context,
        request: &Request,
    ) -> Result<Written, Failure> {
        if self.dry_run {
            context.console.line(&pretty(&request.rehearsed()))?;
            return Ok(Written::Rehearsed);
        }
        client.send(request).await.map(Written::Made)
    }
}

impl Written {
    /// Goes on with what the server answered; a rehearsal ends here.
    pub(crate) fn then(self, go_on: impl FnOnce(Value) -> Result<Exit, Failure>) -> Result<Exit, Failure> {
        match self {
            Self::Made(answer) => go_on(answer),
            Self::Rehearsed => Ok(Exit::Done),
        }
    }
}
