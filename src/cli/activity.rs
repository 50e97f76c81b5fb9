//! `hooklog account activity`: what happened step by step, as a chart of bars.
//!
//! Not the ledger, which says how things stand.

use serde_json::{Value, json};

use super::client::{Client, Request};
use super::column::{Column, count, ms, text, time};
use super::console::Format;
use super::context::Context;
use super::exit::Failure;
use super::span::Span;
use crate::model::{AccountName, EndpointName, Timestamp};

/// Of what, and of which time.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The account
    account: AccountName,
    /// Only what happened at this endpoint
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<EndpointName>,
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    since: Span,
    /// How long a step is, in whole minutes; the shortest that gives at most 100 where nothing is said
    #[arg(long, value_name = "SPAN")]
    step: Option<Span>,
}

impl Arguments {
    pub(crate) async fn print(self, client: &mut Client, context: &mut Context) -> Result<(), Failure> {
        let since = i64::try_from(self.since.ms()).unwrap_or(i64::MAX);
        let from = Timestamp(context.clock.wall_ms().saturating_sub(since));
        let request = Request::get(format!("/accounts/{}/activity", self.account))
            .query_where("endpoint", self.endpoint)
            .query_where("fromTime", Some(from))
            .query_where("stepMs", self.step.map(|step| step.ms()));
        let found = client.send(&request).await?;
        let steps = found.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        match context.console.format() {
            Format::Table => {
                let drawn: Vec<Value> = with_bars(steps);
                let columns: Vec<Column> = COLUMNS.iter().copied().chain([text("", "/bar")]).collect();
                context.console.items(&columns, &drawn)?;
            }
            Format::Json | Format::Ndjson | Format::Csv => context.console.items(COLUMNS, steps)?,
        }
        Ok(())
    }
}

/// Adds a bar to each step: as long as it had events, of the busiest step.
fn with_bars(steps: &[Value]) -> Vec<Value> {
    let events = |step: &Value| {
        let of = |name: &str| step.get(name).and_then(Value::as_u64).unwrap_or(0);
        of("accepted").max(of("delivered"))
    };
    let most = steps.iter().map(events).max().unwrap_or(0).max(1);
    let draw = |step: &Value| {
        let eighths = (events(step) * BAR_CELLS * 8).div_ceil(most);
        let whole = usize::try_from(eighths / 8).unwrap_or(0);
        let part = usize::try_from(eighths % 8).unwrap_or(0);
        let mut bar = "█".repeat(whole);
        bar.extend(PARTS.get(part).filter(|_| part > 0));
        let mut drawn = step.clone();
        if let Some(members) = drawn.as_object_mut() {
            members.insert("bar".to_owned(), json!(bar));
        }
        drawn
    };
    steps.iter().map(draw).collect()
}

const COLUMNS: &[Column] = &[
    time("AT", "/at"),
    count("ACCEPTED", "/accepted"),
    count("DELIVERED", "/delivered"),
    count("FILTERED", "/filtered"),
    count("GIVEN UP", "/givenUp"),
    count("EXPIRED", "/expired"),
    count("SKIPPED", "/skipped"),
    count("REQUESTS", "/requests"),
    count("FAILED", "/failedRequests"),
    ms("MEAN", "/meanMs"),
];
const BAR_CELLS: u64 = 24;
const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::with_bars;

    #[test]
    fn the_busiest_step_has_the_longest_bar_and_a_little_is_seen() {
        let steps = [json!({ "accepted": 1_000 }), json!({ "accepted": 500 }), json!({ "delivered": 1 }), json!({})];
        let bars: Vec<_> = with_bars(&steps).iter().map(|step| step["bar"].as_str().unwrap().to_owned()).collect();
        assert_eq!(bars, ["█".repeat(24), "█".repeat(12), "▏".to_owned(), String::new()]);
    }
}
