//! Jobs: what was asked for. How far one has got is an outcome and stands elsewhere.

use serde::{Deserialize, Serialize};

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
