//! How an endpoint does, for people and programs.

use std::time::Duration;

use serde::Serialize;

use super::machine::{Ledger, Since, State};
use crate::accounts::ReplayCounts;
use crate::model::{Offset, Sequence, Timestamp};

/// In one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// It gets what comes in.
    Live,
    /// It gets what has piled up.
    CatchingUp,
    /// It is in trouble and is probed.
    BackingOff,
    /// Nothing moves until a fault is mended or a refused event is taken.
    Held,
    /// A person has paused it.
    Paused,
    /// It is switched off.
    Disabled,
}

impl From<State> for EndpointState {
    fn from(state: State) -> Self {
        match state {
            State::Live => Self::Live,
            State::CatchingUp => Self::CatchingUp,
            State::BackingOff => Self::BackingOff,
            State::Held => Self::Held,
            State::Paused => Self::Paused,
            State::Disabled => Self::Disabled,
        }
    }
}

/// Why it is not live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StatusProblem {
    /// A stable word.
    pub code: &'static str,
    /// The problem in a few words.
    pub title: String,
    /// What happened, and what can be done.
    pub detail: String,
}

/// The problem of an endpoint whose events wait because rights cannot be applied to them.
pub const RIGHTS_FAULT: &str = "rights_fault";

/// The last request that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct LastFailure {
    /// When it ended.
    pub at: Timestamp,
    /// The name of the failure.
    pub error: &'static str,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lag {
    /// How many events.
    pub events: u64,
    /// How long the oldest of them has waited.
    pub ms: u64,
    /// When the oldest of them was taken in.
    pub oldest_at: Option<Timestamp>,
}

/// From where a ledger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct LedgerSince {
    /// Events after this offset count.
    pub offset: Offset,
    /// When that was decided.
    pub time: Timestamp,
}

/// What became of an endpoint's events: accepted is the sum of all the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerView {
    /// From where it counts.
    pub since: LedgerSince,
    /// Events of the account.
    pub accepted: u64,
    /// Taken by the receiver.
    pub delivered: u64,
    /// Withheld or dropped.
    pub filtered: u64,
    /// Of these, those whose type the catalogue does not know.
    pub withheld_unknown: u64,
    /// Not settled yet.
    pub waiting: u64,
    /// Given up.
    pub given_up: u64,
    /// Gone before they could be delivered.
    pub expired: u64,
    /// Passed over by a person.
    pub skipped: u64,
}

impl LedgerView {
    pub(super) const fn new(since: Since, ledger: &Ledger) -> Self {
        Self {
            since: LedgerSince { offset: since.offset, time: since.time },
            accepted: ledger.accepted,
            delivered: ledger.tally.delivered,
            filtered: ledger.tally.filtered,
            withheld_unknown: ledger.tally.withheld_unknown,
            waiting: ledger.waiting.total(),
            given_up: ledger.tally.given_up,
            expired: ledger.tally.expired,
            skipped: ledger.tally.skipped,
        }
    }
}

/// How far a replay has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayProgress {
    /// Its number.
    pub id: u64,
    /// What became of its events.
    #[serde(flatten)]
    pub counts: ReplayCounts,
    /// How long it will still take at the present pace, in milliseconds; null where that cannot be said.
    pub eta_ms: Option<u64>,
}

impl ReplayProgress {
    pub(super) fn new(id: u64, ledger: &Ledger, rest: Option<Duration>) -> Self {
        Self {
            id,
            counts: replay_counts(ledger),
            eta_ms: rest.map(|rest| u64::try_from(rest.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// Says what became of a replay's events: those that were passed over were not asked for.
pub(super) const fn replay_counts(ledger: &Ledger) -> ReplayCounts {
    let tally = &ledger.tally;
    ReplayCounts {
        matched: ledger.accepted - tally.skipped,
        delivered: tally.delivered,
        filtered: tally.filtered,
        given_up: tally.given_up,
        expired: tally.expired,
        remaining: ledger.waiting.total(),
        bytes: tally.delivered_bytes,
    }
}

/// How an endpoint does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatus {
    /// In one word.
    pub state: EndpointState,
    /// Since when, of this start.
    pub since: Option<Timestamp>,
    /// Why it is not live.
    pub problem: Option<StatusProblem>,
    /// When a receiver last took an event, since this start.
    pub last_success_at: Option<Timestamp>,
    /// The last request that failed, since this start.
    pub last_failure: Option<LastFailure>,
    /// When the next request goes by itself, if all requests wait for a moment.
    pub next_attempt_at: Option<Timestamp>,
    /// All events up to this offset are settled.
    pub cursor: Offset,
    /// What waits.
    pub lag: Lag,
    /// Requests under way.
    pub in_flight: u32,
    /// Events that wait in their lanes for a due time or for a fault to be mended.
    pub held: u64,
    /// Events that wait outside their lanes for their next try.
    pub parked: u64,
    /// What became of the endpoint's events.
    pub ledger: LedgerView,
    /// The replay that runs.
    pub replay: Option<ReplayProgress>,
    /// The first number that an event can have got since the ledger began.
    #[serde(skip)]
    pub first_sequence: Sequence,
    /// No event below this one waits.
    #[serde(skip)]
    pub(super) waits_from: Offset,
}
