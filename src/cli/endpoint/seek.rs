//! `hooklog endpoint seek`: an endpoint goes on at another place.

use serde_json::{Value, json};

use super::super::address::EndpointAddress;
use super::super::client::{Client, Request};
use super::super::column::{Column, count, text, time};
use super::super::console::Format;
use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::writing::Agreement;
use super::setting::StartAt;

/// Move an endpoint back or forward: from there on everything is delivered, also what was delivered before
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog endpoint seek acme/crm 41 --dry-run            say what it would do
  hooklog endpoint seek acme/crm 41                      from offset 41 on, once more
  hooklog endpoint seek acme/crm 2026-03-02T09:00:00Z    from what came in then
  hooklog endpoint seek acme/crm now                     skip what waits

The ledger begins anew and events get new sequence numbers; the id of an event stays. A replay sends a stretch
again and leaves the endpoint where it is: hooklog replay start --help")]
pub(super) struct Seek {
    /// The endpoint
    endpoint: EndpointAddress,
    /// The first event: an offset, an instant, earliest, now, or where another endpoint of the account stands
    to: StartAt,
    /// Say what it would do and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    agreement: Agreement,
}

impl Seek {
    pub(super) async fn run(self, client: &mut Client, context: &mut Context) -> Result<Exit, Failure> {
        let Self { endpoint, to: StartAt(to), dry_run, agreement } = self;
        let request = |to: Value, is_dry| {
            Request::post(format!("{}/seek", endpoint.path()), json!({ "to": to, "dryRun": is_dry }))
        };
        let outlook = client.send(&request(to, true)).await?;
        if dry_run {
            context.console.item(SOUGHT, &outlook)?;
            return Ok(Exit::Done);
        }
        let number = |member: &str| outlook.get(member).and_then(Value::as_u64).unwrap_or(0);
        let (again, skipped) = (number("again"), number("skipped"));
        if again > 0 || skipped > 0 {
            let what = format!(
                "move {endpoint} to offset {}: {again} events that were settled are delivered again, {skipped} that \
                 wait are skipped",
                number("offset")
            );
            context.console.confirm(&what, agreement.yes)?;
        }
        // What was agreed on, also where more has come in since.
        let sought = client.send(&request(json!({ "offset": number("offset") }), false)).await?;
        if context.console.format() == Format::Table {
            context.console.note(&format!("{endpoint} goes on at offset {}", number("offset")));
        } else {
            context.console.item(SOUGHT, &sought)?;
        }
        Ok(Exit::Done)
    }
}

const SOUGHT: &[Column] = &[
    count("OFFSET", "/offset"),
    time("RECORDED AT", "/recordedAt"),
    count("EVENTS", "/events"),
    count("AGAIN", "/again"),
    count("SKIPPED", "/skipped"),
    text("DRY RUN", "/dryRun"),
];
