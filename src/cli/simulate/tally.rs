//! What became of the events that were sent.
//!
//! Not a ledger: it counts what the server answered. Everything sent is in one of the counts at the end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::cli::column::show_count;

/// Counts, shared by all connections.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) sent: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) captured: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) repeated: AtomicU64,
    first_problem: Mutex<Option<String>>,
}

impl Tally {
    /// Returns how many events the server has answered, one way or another.
    #[must_use]
    pub fn answered(&self) -> u64 {
        let counts = [&self.accepted, &self.duplicates, &self.captured, &self.refused];
        counts.map(|count| count.load(Ordering::Relaxed)).iter().sum()
    }

    /// Returns how many events were accepted as new.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Returns how many events were made.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns whether nothing was refused or left without an answer.
    #[must_use]
    pub fn is_all_taken(&self) -> bool {
        self.refused.load(Ordering::Relaxed) == 0 && self.unanswered.load(Ordering::Relaxed) == 0
    }

    /// Returns what went wrong first, in words.
    #[must_use]
    pub fn first_problem(&self) -> Option<String> {
        self.first_problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the counts for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        json!({"sent": read(&self.sent), "accepted": read(&self.accepted), "duplicates": read(&self.duplicates),
            "captured": read(&self.captured), "refused": read(&self.refused), "unanswered": read(&self.unanswered),
            "requests": read(&self.requests), "repeated": read(&self.repeated)})
    }

    /// Returns the counts for people.
    #[must_use]
    pub fn words(&self) -> String {
        let read = |count: &AtomicU64| show_count(count.load(Ordering::Relaxed));
        let mut words = format!("{} accepted", read(&self.accepted));
        let others = [
            (&self.duplicates, "duplicates"),
            (&self.captured, "captured"),
            (&self.refused, "refused"),
            (&self.repeated, "repeated"),
        ];
        for (count, name) in others {
            if count.load(Ordering::Relaxed) > 0 {
                words.push_str(&format!(", {} {name}", read(count)));
            }
        }
        words
    }

    /// Remembers a problem where it is the first.
    pub(super) fn remember(&self, problem: impl FnOnce() -> String) {
        self.first_problem.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(problem);
    }

    pub(super) fn add(count: &AtomicU64, more: u64) {
        count.fetch_add(more, Ordering::Relaxed);
    }
}
