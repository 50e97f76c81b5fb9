//! hooklog's own events to an account: they stand in its log like all others and go out whatever its rights.
//!
//! Nobody from outside can give an event the mark that makes it one. They say what a receiver would otherwise have to
//! guess: that rights have changed, so that data comes or goes; that deliveries had stopped, so that they come late.

use bytes::Bytes;
use serde_json::json;

use super::Accounts;
use super::execute::Executor;
use super::state::Account;
use crate::log::{self, OnConflict};
use crate::model::{AccountId, EndpointName, EventDraft, EventId, EventType, OWN_EVENT, Timestamp};

/// How an endpoint took nothing for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspension {
    /// Requests that failed in a row.
    pub failed_attempts: u32,
    /// When it began.
    pub since: Timestamp,
    /// The HTTP status of the last one; none where there was no answer.
    pub last_status: Option<u16>,
}

impl Accounts {
    /// Tells the endpoints of an account that deliveries to one of them had stopped, and go on.
    ///
    /// That this could not be told is noted, and nothing else depends on it.
    pub async fn tell_delivery_suspended(&self, account: AccountId, endpoint: &EndpointName, suspension: Suspension) {
        let mut turn = self.0.turn.lock().await;
        let Some(account) = self.account_by_id(account) else { return };
        let Suspension { failed_attempts, since, last_status } = suspension;
        let data = json!({
            "endpoint": endpoint.as_str(),
            "failedAttempts": failed_attempts,
            "since": since.to_string(),
            "lastStatus": last_status.unwrap_or(0),
        });
        if let Err(problem) = self.append_own(&mut turn, &account, DELIVERY_SUSPENDED, data.to_string()).await {
            tracing::warn!(account = %account.name, %endpoint, %problem, "endpoints could not be told of an outage");
        }
    }

    /// Tells the endpoints of an account that its rights or its ceiling are others than before.
    ///
    /// The rights hold already; that this could not be told is noted and does not undo them.
    pub(super) async fn tell_rights_changed(&self, turn: &mut Executor, account: &Account, changed: &[String]) {
        if account.endpoints.is_empty() {
            return;
        }
        let data = json!({ "entity": { "kind": "WEBHOOK_RIGHTS" }, "changedKeys": changed });
        if let Err(problem) = self.append_own(turn, account, RIGHTS_CHANGED, data.to_string()).await {
            tracing::warn!(account = %account.name, %problem, "endpoints could not be told that rights have changed");
        }
    }

    async fn append_own(
        &self,
        turn: &mut Executor,
        account: &Account,
        event_type: &str,
        data: String,
    ) -> Result<(), log::Error> {
        let now = self.now();
        let draft = EventDraft {
            id: EventId::made(now, turn.random.bytes()),
            id_is_made: true,
            source_id: None,
            event_type: EventType::parse(event_type).expect("hooklog's own types are types"),
            version: 1,
            occurred_at: Some(now),
            received_at: now,
            key: None,
            actor: None,
            attributes: vec![(OWN_EVENT.into(), "true".into())],
            data: Bytes::from(data),
        };
        let event = self.0.log.prepare(account.id, &draft, &mut turn.random);
        let reservation = self.0.log.reserve(draft.data.len())?;
        self.0.log.append(account.id, vec![event], OnConflict::Refuse, reservation).await.map(drop)
    }
}

/// Deliveries to an endpoint had stopped, and go on.
const DELIVERY_SUSPENDED: &str = "webhook.delivery_suspended";
/// An account's rights or ceiling have changed.
const RIGHTS_CHANGED: &str = "webhook.rights_changed";
