//! The scene of the event that its receiver never takes: parked, given up, kept, and redelivered.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ACCOUNTS, Show};
use crate::cli::client::Request;
use crate::cli::column::show_count;
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::cli::ingest::{Ingest, Media};
use crate::cli::receive::{Deed, Mischief, Which};

/// What the receiver does until it is mended.
pub(super) fn mischief() -> Mischief {
    Mischief { deed: Deed::Refuse(StatusCode::UNPROCESSABLE_ENTITY, None), which: Which::Key(KEY.to_owned()) }
}

impl Show {
    /// Posts an event that is refused, and looks after it.
    pub(super) async fn poison_one(&mut self, context: &mut Context) -> Result<(), Failure> {
        let before = self.lines.first().map_or(0, |line| line.delivered);
        let offset = self.post_poison().await?;
        self.own += 1;
        self.becomes(offset, "parked").await?;
        self.poison.was_parked = true;
        let meanwhile = self.lines.first().map_or(0, |line| line.delivered).saturating_sub(before);
        let told =
            format!("offset {offset} is refused with 422 and parked; {} others went past it", show_count(meanwhile));
        self.board.say(context, &told);
        self.becomes(offset, "dead_letter").await?;
        self.poison.was_given_up = true;
        self.board.say(context, "its retries are used up: it is a dead letter, and kept");
        self.receiver.mend();
        let path = format!("/accounts/{}/deliveries/crm/{offset}/redeliver", ACCOUNTS[0]);
        self.client.send(&Request::new(Method::POST, path).body(json!({}))).await?;
        self.becomes(offset, "delivered").await?;
        self.poison.is_delivered = true;
        self.board.say(context, "mended and redelivered: the receiver has it, marked as late");
        Ok(())
    }

    /// Posts the event, and returns its offset.
    async fn post_poison(&self) -> Result<u64, Failure> {
        let server = self.server.as_ref().ok_or_else(|| Failure::failed("the server is not there"))?;
        let event = json!({
            "type": "call.ended",
            "data": { "interaction": { "id": KEY, "flow": "VOICE", "direction": "INCOMING" } },
        });
        let mut ingest = Ingest::new(&server.ingest, None, self.tasks.clone())?;
        let target = ingest.target(&format!("/v1/accounts/{}/events", ACCOUNTS[0]))?;
        let posted = ingest.post(&target, Media::Json, event.to_string().into()).await;
        let answer = posted.map_err(|reason| Failure::Failed(reason.into()))?;
        let taken: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let offset = taken.pointer("/firstOffset").and_then(Value::as_u64);
        offset.ok_or_else(|| Failure::failed(format!("the event was not taken: {taken}")))
    }

    /// Waits until one thing became of an event.
    async fn becomes(&mut self, offset: u64, outcome: &str) -> Result<(), Failure> {
        let path = format!("/accounts/{}/deliveries/crm/{offset}", ACCOUNTS[0]);
        self.until(&path, "/outcome", outcome).await.map(drop)
    }
}

const KEY: &str = "i_poison";
