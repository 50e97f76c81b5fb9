//! The scene of the past: a stretch is looked at first, and then sent again.

use http::Method;
use serde_json::{Value, json};

use super::Show;
use super::books::Replayed;
use crate::cli::client::Request;
use crate::cli::column::show_count;
use crate::cli::context::Context;
use crate::cli::exit::Failure;

impl Show {
    /// Replays the first events of the first account: dry, and then in earnest.
    pub(super) async fn replay_a_stretch(&mut self, context: &mut Context) -> Result<(), Failure> {
        let asked = self.lines.first().map_or(0, |line| line.accepted).min(REPLAYED_MAX);
        self.replay = Replayed { asked, ..Replayed::default() };
        let dry = self.replayed(asked, true).await?;
        let sum = |name: &str| {
            let found = dry.pointer("/found").and_then(Value::as_array).into_iter().flatten();
            found.filter_map(|one| one.get(name)?.as_u64()).sum::<u64>()
        };
        let [unchanged, changed, withheld] = ["unchanged", "changed", "disappearing"].map(sum);
        self.replay.foretold = unchanged + changed + sum("appearing");
        let told = format!(
            "dry: of {} events {} would be sent as they were, {} otherwise than then, {} no more; nothing was sent",
            show_count(asked),
            show_count(unchanged),
            show_count(changed),
            show_count(withheld),
        );
        self.board.say(context, &told);
        let job = self.replayed(asked, false).await?;
        let count = |name: &str| job.pointer(&format!("/counts/{name}")).and_then(Value::as_u64).unwrap_or(0);
        self.replay.delivered = count("delivered");
        self.replay.withheld = count("filtered");
        let [delivered, withheld] = [self.replay.delivered, self.replay.withheld].map(show_count);
        let told = format!("in earnest: {delivered} were sent again, {withheld} are withheld");
        self.board.say(context, &told);
        Ok(())
    }

    /// Starts a replay, shows how it goes, and returns it when it is over.
    async fn replayed(&mut self, asked: u64, is_dry: bool) -> Result<Value, Failure> {
        let account = super::ACCOUNTS[0];
        let (from, to) = (json!({ "offset": 1 }), json!({ "offset": asked + 1 }));
        let body = json!({ "endpoint": "crm", "from": from, "to": to, "dryRun": is_dry });
        let request = Request::new(Method::POST, format!("/accounts/{account}/replays")).body(body);
        let job = self.client.send(&request).await?;
        let id = job.pointer("/id").and_then(Value::as_str).unwrap_or_default();
        let path = format!("/accounts/{account}/replays/{id}");
        self.until(&path, "/state", "completed").await
    }
}

const REPLAYED_MAX: u64 = 300;
