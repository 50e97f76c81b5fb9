//! `hooklog capture`: what was posted to `/hooks` and could not be made an event.

use clap::Subcommand;

use super::client::{Client, Request};
use super::column::{Column, bytes, count, text, time};
use super::connection::ConnectionArguments;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::range::{Direction, Portion};

/// List what the mapping did not understand
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hooklog capture list\n  hooklog capture list -o ndjson | jq .body")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List captures, the newest first
    #[command(
        after_help = "Examples:\n  hooklog capture list --limit 10\n  hooklog capture list --direction oldest -o json"
    )]
    List {
        /// Which end comes first
        #[arg(long, value_enum)]
        direction: Option<Direction>,
        #[command(flatten)]
        portion: Portion,
    },
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        let Verb::List { direction, portion } = self.verb;
        let request = Request::get("/captures").query(direction.map(Direction::query));
        client.print(context, &request, &portion, COLUMNS).await?;
        Ok(Exit::Done)
    }
}

const COLUMNS: &[Column] = &[
    time("RECORDED", "/recordedAt"),
    count("POSITION", "/position"),
    text("PATH", "/path"),
    text("ACCOUNT", "/account"),
    text("REASON", "/reason"),
    text("DETAIL", "/detail"),
    bytes("SIZE", "/bytes"),
];
