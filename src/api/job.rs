//! What all jobs have in common as they are read.

use std::time::Duration;

use serde::Serialize;

use crate::accounts::JobState;
use crate::model::Offset;
use crate::web::{Code, Problem};

/// A kind of job.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobKind {
    /// A stretch of the past is delivered again.
    Replay,
    /// Candidate rights are compared with the present ones over a stretch of the past.
    Backtest,
}

/// A place in the account's log.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "OffsetPlace")]
pub(super) struct Place {
    /// The offset.
    pub(super) offset: Offset,
}

/// Why a job failed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct JobProblem {
    /// Stable text for programs.
    pub(super) code: &'static str,
    /// What went wrong.
    pub(super) title: &'static str,
    /// What exactly.
    pub(super) detail: String,
}

/// Returns which part of all is done, 0 where there is nothing to do.
pub(super) fn share(done: u64, all: u64) -> f64 {
    if all == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share for people needs no more than 53 bits")]
    let share = done as f64 / all as f64;
    share
}

/// Returns how long the rest will take if it goes on as it has gone.
pub(super) fn eta_ms(elapsed: Duration, done: u64, left: u64) -> Option<u64> {
    let ms = elapsed.as_millis().checked_mul(u128::from(left))?.checked_div(u128::from(done))?;
    u64::try_from(ms).ok()
}

/// Says that a job has ended already.
pub(super) fn not_cancellable(state: JobState) -> Problem {
    let word = match state {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Completed => "completed",
        JobState::Cancelled => "cancelled",
        JobState::Failed => "failed",
    };
    Problem::new(Code::JobNotCancellable).with("state", word)
}
