//! Jobs: what was asked for. How far one has got is an outcome and stands elsewhere.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::model::{EndpointId, EndpointName, Offset, Timestamp};

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its turn.
    Queued,
    /// Works.
    Running,
    /// Stands still until a person resumes it.
    Paused,
    /// Came to its end.
    Completed,
    /// Was ended by a person, or its endpoint is gone.
    Cancelled,
    /// Could not be done.
    Failed,
}

impl JobState {
    /// Returns whether nothing will happen any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Paused => false,
            Self::Completed | Self::Cancelled | Self::Failed => true,
        }
    }
}

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
    /// Requests a second at most; no limit of its own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<NonZeroU32>,
    /// How it stands.
    pub state: JobState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Who asked, in words.
    pub created_by: String,
    /// Why it failed.
    pub problem: Option<String>,
}
