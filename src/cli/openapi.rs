//! `hooklog openapi`: the API's document, as the server serves it.

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::api::document_text;

/// Print the OpenAPI document of the admin API
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog openapi > openapi.json
  hooklog openapi | jq '.paths | keys'")]
pub(crate) struct Arguments {}

impl Arguments {
    #[expect(clippy::unused_self, reason = "every command runs the same way")]
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        context.console.line(document_text().trim_end())?;
        Ok(Exit::Done)
    }
}
