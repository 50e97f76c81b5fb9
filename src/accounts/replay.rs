//! Replays: what was asked for, and how each stands.
//!
//! Not the delivering, and not how far one has got while it runs: that is delivery's. What became of its events is kept
//! with its end, so that it is known for as long as the replay is.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::execute::{Executor, NewSetting};
use super::job::JobState;
use super::rights::TypeSelection;
use super::state::{Endpoint, Revised};
use super::{Accounts, Change, Error};
use crate::model::{AccountId, AccountName, EndpointId, EndpointName, EventType, Offset, SettingKind, Timestamp, Who};

/// A replay: a stretch of the past, delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplaySettings {
    /// Its number, unique in its account.
    pub id: u64,
    /// To which endpoint, by number.
    pub endpoint: EndpointId,
    /// And by the name it had.
    pub endpoint_name: EndpointName,
    /// The first offset.
    pub from: Offset,
    /// The offset behind the last.
    pub to: Offset,
    /// Which of its events, and by which rights.
    #[serde(flatten)]
    pub scope: ReplayScope,
    /// Requests a second at most; no limit of its own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<NonZeroU32>,
    /// Whether nothing is sent, and only told what would be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_dry_run: bool,
    /// How it stands.
    #[serde(flatten)]
    pub standing: ReplayStanding,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Who asked, in words.
    pub created_by: String,
}

/// Which events of a stretch a replay is for, and by which rights.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplayScope {
    /// Those of these types.
    #[serde(skip_serializing_if = "TypeSelection::is_all")]
    pub types: TypeSelection,
    /// By which rights.
    pub as_of: RightsAsOf,
}

/// By which rights a replay decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RightsAsOf {
    /// By those that hold when an event is sent.
    #[default]
    Now,
    /// By those that held when the event came in, and by those that hold now: the stricter decides.
    Original,
}

/// How a replay stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayStanding {
    /// In one word.
    pub state: JobState,
    /// Why it failed.
    pub problem: Option<String>,
    /// What became of its events; known once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<ReplayCounts>,
    /// What a dry run has found, once it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<FoundType>,
}

impl From<JobState> for ReplayStanding {
    fn from(state: JobState) -> Self {
        Self { state, problem: None, counts: None, found: Vec::new() }
    }
}

/// What became of the events of a replay: all that match are the sum of the other five.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayCounts {
    /// Events of the stretch that are of the types asked for; what was not read yet counts as if it were. Where types
    /// are named, those that rights withhold are not among them.
    pub matched: u64,
    /// Taken by the receiver; of a dry run those that would be sent.
    pub delivered: u64,
    /// Withheld by rights.
    pub filtered: u64,
    /// Given up after three tries.
    pub given_up: u64,
    /// Gone from the log.
    pub expired: u64,
    /// Not settled yet.
    pub remaining: u64,
    /// How long the bodies of those that were delivered are, taken together.
    pub bytes: u64,
}

/// What a dry run has found of the events of one type: all of them are the sum of the last five.
///
/// What would not be sent and was not before has no type here: it is withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DryRunType")]
pub struct FoundType {
    /// The type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// How many there are.
    pub events: u64,
    /// How long the bodies are that would be sent, taken together.
    pub bytes: u64,
    /// Would be sent as they were before, byte by byte.
    pub unchanged: u64,
    /// Would be sent, and were before, with another body.
    pub changed: u64,
    /// Would be sent, and there is no request on record that the receiver took.
    pub appearing: u64,
    /// Would not be sent, though the receiver has taken them before.
    pub disappearing: u64,
    /// Of these rights could not be asked.
    pub faults: u64,
}

impl FoundType {
    /// Of a type of which nothing was found yet.
    #[must_use]
    pub const fn none(event_type: EventType) -> Self {
        Self { event_type, events: 0, bytes: 0, unchanged: 0, changed: 0, appearing: 0, disappearing: 0, faults: 0 }
    }
}

/// A replay to be made: a stretch of offsets to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayDraft {
    /// To which endpoint.
    pub endpoint: EndpointName,
    /// The first offset.
    pub from: Offset,
    /// The offset behind the last.
    pub to: Offset,
    /// Which of its events, and by which rights.
    pub scope: ReplayScope,
    /// Requests a second at most.
    pub rate_per_second: Option<NonZeroU32>,
    /// Whether nothing is to be sent.
    pub is_dry_run: bool,
}

impl Accounts {
    /// Asks for a stretch of the past to be delivered again.
    ///
    /// # Errors
    /// `AccountNotFound`, `EndpointNotFound`, `Invalid`; `Log` where it could not be kept.
    pub async fn create_replay(
        &self,
        account: &AccountName,
        draft: ReplayDraft,
        who: &Who,
    ) -> Result<Revised<ReplaySettings>, Error> {
        let mut turn = self.0.turn.lock().await;
        let endpoint = self.endpoint(account, &draft.endpoint)?;
        if draft.from >= draft.to {
            let detail = format!("the stretch from {} to {} is empty: to is not included", draft.from, draft.to);
            return Err(Error::invalid("/to", detail));
        }
        let account = self.account(account).ok_or_else(|| Error::AccountNotFound(account.to_string()))?;
        let open = account.replays.values().filter(|replay| !replay.value.standing.state.is_over());
        if open.count() >= REPLAYS_WAITING_MAX {
            return Err(Error::Limit { what: "replays that are not over", limit: REPLAYS_WAITING_MAX });
        }
        let settings = ReplaySettings {
            id: account.replays.last_key_value().map_or(1, |(last, _)| last + 1),
            endpoint: endpoint.id,
            endpoint_name: endpoint.name.clone(),
            from: draft.from,
            to: draft.to,
            scope: draft.scope,
            rate_per_second: draft.rate_per_second,
            is_dry_run: draft.is_dry_run,
            standing: JobState::Queued.into(),
            created_at: self.now(),
            created_by: who.label(),
        };
        self.store_replay(&mut turn, account.id, settings, who).await
    }

    /// Says how a replay stands now; one that is over stays as it is.
    ///
    /// # Errors
    /// `NotFound`; `Log` where it could not be kept.
    pub async fn set_replay(
        &self,
        account: AccountId,
        id: u64,
        standing: ReplayStanding,
        who: &Who,
    ) -> Result<Revised<ReplaySettings>, Error> {
        let mut turn = self.0.turn.lock().await;
        let missing = || Error::NotFound { what: "replay", id: id.to_string() };
        let owner = self.account_by_id(account).ok_or_else(missing)?;
        let replay = owner.replays.get(&id).ok_or_else(missing)?;
        let (present, state) = (replay.value.standing.state, standing.state);
        // What begins by itself does not end a pause that a person has asked for meanwhile.
        let begins = state == JobState::Running && present != JobState::Queued;
        let resumes = state == JobState::Queued && present != JobState::Paused;
        if present.is_over() || present == state || begins || resumes {
            return Ok(replay.clone());
        }
        let settings = ReplaySettings { standing, ..replay.value.clone() };
        self.store_replay(&mut turn, account, settings, who).await
    }

    /// Ends all replays to an endpoint that was deleted: what nobody can receive any more does not wait for ever.
    pub(super) async fn fail_replays(&self, turn: &mut Executor, endpoint: &Endpoint, who: &Who) -> Result<(), Error> {
        let replays = self.account_by_id(endpoint.account).map(|account| account.replays.clone()).unwrap_or_default();
        for replay in replays.into_values().map(|replay| replay.value) {
            if replay.endpoint == endpoint.id && !replay.standing.state.is_over() {
                let problem = Some("the endpoint was deleted".to_owned());
                let standing = ReplayStanding { problem, ..JobState::Failed.into() };
                self.store_replay(turn, endpoint.account, ReplaySettings { standing, ..replay }, who).await?;
            }
        }
        Ok(())
    }

    async fn store_replay(
        &self,
        turn: &mut Executor,
        account: AccountId,
        settings: ReplaySettings,
        who: &Who,
    ) -> Result<Revised<ReplaySettings>, Error> {
        let (id, endpoint) = (settings.id, settings.endpoint);
        let change = Change::Replay { account, endpoint, id };
        let name = id.to_string();
        let setting = NewSetting::new(account, SettingKind::Job, &name, Some(&settings));
        self.execute(turn, setting, who, change).await?;
        let account = self.account_by_id(account);
        let replay = account.and_then(|account| account.replays.get(&id).cloned());
        replay.ok_or_else(|| Error::NotFound { what: "replay", id: id.to_string() })
    }
}

/// Replays of one account that may wait or run at once.
const REPLAYS_WAITING_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn example(rest: &str) -> ReplaySettings {
        let text = format!(
            r#"{{"id":1,"endpoint":2,"endpointName":"crm","from":3,"to":9{rest},"createdAt":"2026-03-02T09:14:07.512Z","createdBy":"operator"}}"#
        );
        serde_json::from_str(&text).expect("a replay as it is kept")
    }

    #[test]
    fn a_replay_of_before_there_were_types_is_read() {
        let old = example(r#","state":"completed","problem":null"#);
        assert_eq!(old.scope, ReplayScope::default());
        assert_eq!(old.standing, JobState::Completed.into());
        assert!(!old.is_dry_run);
    }

    #[test]
    fn a_replay_is_read_as_it_was_written() {
        let counts = r#"{"matched":6,"delivered":5,"filtered":1,"givenUp":0,"expired":0,"remaining":0,"bytes":700}"#;
        let rest = r#","types":["call.*"],"asOf":"original","state":"completed","problem":null,"counts":"#;
        let replay = example(&format!("{rest}{counts}"));
        assert!(replay.scope.types.contains(&EventType::parse("call.ended").unwrap()));
        assert!(!replay.scope.types.contains(&EventType::parse("agent.login").unwrap()));
        assert_eq!(replay.standing.counts.map(|counts| counts.bytes), Some(700));
        let text = serde_json::to_string(&replay).unwrap();
        assert_eq!(serde_json::from_str::<ReplaySettings>(&text).unwrap(), replay);
    }
}
