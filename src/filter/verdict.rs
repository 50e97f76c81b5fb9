//! A verdict: what a filter decided about an event, checked for form.
//!
//! Not the meaning: what a filter rewrites a payload to is its author's affair, as long as it is a payload.
//! Invariant: a `Verdict` is only made of an answer that has the form of the contract.
#![warn(clippy::wildcard_enum_match_arm)]

use crate::model::{InvalidPayload, Payload};

use super::bindings;
use super::fault::{Fault, Stage};
use super::limits::{Limits, REASON_BYTES_MAX, cut_words};

/// What is to become of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is.
    Pass,
    /// It ends here.
    Drop {
        /// A short code, `[a-z0-9_]{1,64}`.
        reason: String,
        /// Words for people; often none.
        words: String,
    },
    /// It goes on with another payload: a JSON object of `data` and perhaps `actor`, both objects.
    Rewrite(Payload),
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// A reason to drop that is none.
    #[error("a reason is 1 to {REASON_BYTES_MAX} of a-z, 0-9 and _, then perhaps a colon and words")]
    Reason,
    /// A payload that is none.
    #[error("the payload {0}")]
    Payload(#[from] InvalidPayload),
    /// What the filter handed out cannot be read at all: a place outside its memory, a text that is no text.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl Verdict {
    /// Returns the word by which evaluations are counted.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop { .. } => "drop",
            Self::Rewrite(_) => "rewrite",
        }
    }
}

/// Checks the form of an answer.
///
/// # Errors
/// `BadAnswer` or `OutputTooLarge`.
pub(super) fn check(answer: bindings::Verdict, limits: &Limits) -> Result<Verdict, Fault> {
    match answer {
        bindings::Verdict::Pass => Ok(Verdict::Pass),
        bindings::Verdict::Drop(text) => {
            check_size(&text, limits)?;
            let (reason, words) = text.split_once(':').unwrap_or((&text, ""));
            if !is_reason(reason) {
                return Err(Fault::BadAnswer(BadAnswer::Reason));
            }
            Ok(Verdict::Drop { reason: reason.to_owned(), words: cut_words(words) })
        }
        bindings::Verdict::Rewrite(payload) => {
            check_size(&payload, limits)?;
            let payload = Payload::read(payload.into()).map_err(|problem| Fault::BadAnswer(problem.into()))?;
            Ok(Verdict::Rewrite(payload))
        }
    }
}

const fn check_size(text: &str, limits: &Limits) -> Result<(), Fault> {
    if text.len() > limits.output_bytes_max {
        return Err(Fault::OutputTooLarge { stage: Stage::Evaluate, bytes_max: limits.output_bytes_max });
    }
    Ok(())
}

fn is_reason(text: &str) -> bool {
    (1..=REASON_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
