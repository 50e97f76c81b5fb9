//! Whether the process is ready, and what its parts say is not well.
//!
//! Not a watchdog: parts tell, whoever asks is told. What can be looked up at any moment (the disk, the state
//! of endpoints) is looked up, and not kept here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::Api;
use super::conduct::{Census, census};
use crate::runtime::Monotonic;

/// One thing that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// Stable text for programs.
    pub code: String,
    /// What is not well, in one sentence.
    pub title: String,
    /// What exactly, and what to do about it.
    pub detail: String,
    /// Whose account, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Which endpoint, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// Knows how the process does. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Inner>);

/// Under which code, of which account, of which endpoint something was noted.
type Place = (String, Option<String>, Option<String>);

#[derive(Debug, Default)]
struct Inner {
    phase: AtomicU8,
    /// What was noted, and when.
    troubles: Mutex<BTreeMap<Place, (Monotonic, Trouble)>>,
    /// How endpoints did, and when they were asked.
    counted: tokio::sync::Mutex<Option<(Monotonic, Census)>>,
}

impl Health {
    /// Makes the health of a process that is starting.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that everything runs.
    pub fn set_ready(&self) {
        // Draining is the last phase: nothing becomes ready after it.
        self.0.phase.fetch_max(Phase::Ready as u8, Ordering::AcqRel);
    }

    /// Notes that the process is about to end.
    pub fn set_draining(&self) {
        self.0.phase.fetch_max(Phase::Draining as u8, Ordering::AcqRel);
    }

    /// Notes something that is not well, in place of what was noted under the same code for the same thing. What
    /// is not noted again for a day is over.
    pub fn raise(&self, trouble: Trouble, now: Monotonic) {
        let key = (trouble.code.clone(), trouble.account.clone(), trouble.endpoint.clone());
        let mut troubles = self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.len() < TROUBLES_MAX || troubles.contains_key(&key) {
            troubles.insert(key, (now, trouble));
        }
    }

    /// Returns what was noted within the last day.
    #[must_use]
    pub fn troubles(&self, now: Monotonic) -> Vec<Trouble> {
        let mut troubles = self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.retain(|_, (at, _)| now.since(*at) < TROUBLE_AGE_MAX);
        troubles.values().map(|(_, trouble)| trouble.clone()).collect()
    }

    /// Returns how endpoints did within the last moments: who asks without a token cannot make it work harder.
    pub(super) async fn census(&self, api: &Api) -> Census {
        let mut counted = self.0.counted.lock().await;
        let now = api.clock.monotonic();
        if let Some((at, census)) = &*counted
            && now.since(*at) < CENSUS_AGE_MAX
        {
            return census.clone();
        }
        let census = census(api).await;
        *counted = Some((now, census.clone()));
        census
    }

    pub(super) fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }
}

/// What the process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Starting,
    Ready,
    Draining,
}

/// Things that may be noted at once; whoever reads them needs the first few.
const TROUBLES_MAX: usize = 100;
const TROUBLE_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const CENSUS_AGE_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::{Health, Monotonic, Phase, Trouble};

    fn trouble(code: &str, detail: &str) -> Trouble {
        let (title, detail) = ("something".to_owned(), detail.to_owned());
        Trouble { code: code.to_owned(), title, detail, account: None, endpoint: None }
    }

    #[test]
    fn draining_is_the_last_phase() {
        let health = Health::new();
        assert_eq!(health.phase(), Phase::Starting);
        health.set_ready();
        assert_eq!(health.phase(), Phase::Ready);
        health.set_draining();
        health.set_ready();
        assert_eq!(health.phase(), Phase::Draining);
    }

    #[test]
    fn one_thing_is_told_once_and_as_it_is_now() {
        let health = Health::new();
        let hours = |hours: u64| Monotonic(hours * 3_600 * 1_000_000_000);
        health.raise(trouble("a", "first"), hours(0));
        health.raise(trouble("a", "second"), hours(2));
        health.raise(trouble("b", "other"), hours(1));
        assert_eq!(health.troubles(hours(3)), [trouble("a", "second"), trouble("b", "other")]);
        assert_eq!(health.troubles(hours(25)), [trouble("a", "second")], "a day later it is over");
    }
}
