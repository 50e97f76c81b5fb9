//! hooklog's own events to an account: they stand in its log like all others and go out whatever its rights.
//!
//! Nobody from outside can give an event the mark that makes it one. So far there is one type: rights have changed, so
//! that a receiver knows why data has come or gone.

use bytes::Bytes;
use serde_json::json;

use super::Accounts;
use super::execute::Executor;
use super::state::Account;
use crate::log::{self, OnConflict};
use crate::model::{EventDraft, EventId, EventType, OWN_EVENT};

impl Accounts {
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

/// An account's rights or ceiling have changed.
const RIGHTS_CHANGED: &str = "webhook.rights_changed";
