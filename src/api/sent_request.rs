//! How one request to a receiver went, as deliveries and tests both show it.

use serde::Serialize;

use super::delivering::{AttemptError, AttemptRecord};
use crate::model::Timestamp;

/// A request that has ended.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SentRequest {
    /// When it began.
    at: Timestamp,
    /// How long it took.
    duration_ms: u32,
    /// Why it failed; null where the receiver took it.
    error: Option<AttemptError>,
    /// The HTTP status; null where there was no answer.
    status: Option<u16>,
    /// What went wrong, in a sentence; null where nothing did.
    detail: Option<String>,
    /// How the answer's body begins; kept of failures only.
    answer: Option<String>,
}

impl SentRequest {
    pub(super) fn of(record: &AttemptRecord) -> Self {
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            at: record.at,
            duration_ms: record.duration_ms,
            error: record.error,
            status: record.status,
            detail: text(record.detail.to_string()),
            answer: text(String::from_utf8_lossy(&record.answer_start).into_owned()),
        }
    }
}
