//! What happened at an endpoint minute by minute, for who would rather see than count.
//!
//! Not the ledger: that says how things stand, and takes back what was redelivered. A row of a minute is written with
//! the cursor, in place of the one before it, so a crash loses of it what it loses of the cursor.

use std::time::Duration;

use bytes::Bytes;

use super::machine::Tally;
use crate::model::codec::{Reader, Writer};
use crate::model::{CodecError, Timestamp};

/// What happened in one minute. Beyond the greatest number it stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// Events that a receiver took.
    pub delivered: u32,
    /// Events that were withheld or dropped.
    pub filtered: u32,
    /// Events that were given up, redelivered later or not.
    pub given_up: u32,
    /// Events that were too old.
    pub expired: u32,
    /// Events that a person passed over.
    pub skipped: u32,
    /// Requests that ended, of replays too.
    pub requests: u32,
    /// Of these, those that failed.
    pub failed_requests: u32,
    /// How long they took together, in milliseconds.
    pub duration_ms: u64,
}

impl Activity {
    /// Returns what happened in this and another stretch.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            delivered: self.delivered.saturating_add(other.delivered),
            filtered: self.filtered.saturating_add(other.filtered),
            given_up: self.given_up.saturating_add(other.given_up),
            expired: self.expired.saturating_add(other.expired),
            skipped: self.skipped.saturating_add(other.skipped),
            requests: self.requests.saturating_add(other.requests),
            failed_requests: self.failed_requests.saturating_add(other.failed_requests),
            duration_ms: self.duration_ms.saturating_add(other.duration_ms),
        }
    }

    /// Writes the value of a row.
    ///
    /// Layout 1: layout (1) · delivered, filtered, given up, expired, skipped, requests, failed requests (4 each) ·
    /// duration (8).
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(37);
        writer.fixed([LAYOUT]);
        let Self { delivered, filtered, given_up, expired, skipped, requests, failed_requests, duration_ms } = *self;
        for count in [delivered, filtered, given_up, expired, skipped, requests, failed_requests] {
            writer.fixed(count.to_be_bytes());
        }
        writer.fixed(duration_ms.to_be_bytes());
        writer.finish()
    }

    /// Reads the value of a row.
    ///
    /// # Errors
    /// Where the bytes are not what [`Activity::encode`] writes.
    pub fn decode(value: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(value);
        let layout = reader.u8()?;
        if layout != LAYOUT {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let read = Self {
            delivered: reader.u32()?,
            filtered: reader.u32()?,
            given_up: reader.u32()?,
            expired: reader.u32()?,
            skipped: reader.u32()?,
            requests: reader.u32()?,
            failed_requests: reader.u32()?,
            duration_ms: u64::from_be_bytes(reader.fixed()?),
        };
        reader.end()?;
        Ok(read)
    }
}

/// The minute that runs, and those before it that are not written.
#[derive(Debug)]
pub(super) struct Counting {
    minute: u32,
    totals: Activity,
    /// Whether the minute that runs says more than its row.
    is_new: bool,
    ended: Vec<(u32, Activity)>,
    /// The tally as it was last heard.
    tally: Tally,
}

impl Counting {
    /// Goes on with a minute of which something may be on record already.
    pub(super) const fn go_on(minute: u32, totals: Activity, tally: Tally) -> Self {
        Self { minute, totals, is_new: false, ended: Vec::new(), tally }
    }

    /// Hears of a request that ended.
    pub(super) fn requested(&mut self, now: Timestamp, took: Duration, has_failed: bool) {
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let failed_requests = u32::from(has_failed);
        self.add(now, Activity { requests: 1, failed_requests, duration_ms, ..Activity::default() });
    }

    /// Hears how the ledger stands.
    pub(super) fn stands(&mut self, now: Timestamp, tally: &Tally) {
        let since = |count: fn(&Tally) -> u64| {
            // After a seek the ledger counts from nothing.
            let more = count(tally).checked_sub(count(&self.tally)).unwrap_or_else(|| count(tally));
            u32::try_from(more).unwrap_or(u32::MAX)
        };
        let given_up = tally.given_up.saturating_sub(self.tally.given_up);
        let more = Activity {
            delivered: since(|tally| tally.delivered),
            filtered: since(|tally| tally.filtered),
            given_up: u32::try_from(given_up).unwrap_or(u32::MAX),
            expired: since(|tally| tally.expired),
            skipped: since(|tally| tally.skipped),
            ..Activity::default()
        };
        self.tally = *tally;
        if more != Activity::default() {
            self.add(now, more);
        }
    }

    /// Takes the rows that are not written: each takes the place of the one of its minute.
    pub(super) fn take(&mut self) -> Vec<(u32, Activity)> {
        let mut rows = std::mem::take(&mut self.ended);
        if std::mem::take(&mut self.is_new) {
            rows.push((self.minute, self.totals));
        }
        rows
    }

    fn add(&mut self, now: Timestamp, more: Activity) {
        // A clock that was set back counts into the minute that runs.
        let minute = minute_of(now).max(self.minute);
        if minute > self.minute {
            self.ended = self.take();
            self.minute = minute;
            self.totals = Activity::default();
        }
        self.totals = self.totals.with(more);
        self.is_new = true;
    }
}

/// Returns the minute of an instant, counted like its milliseconds.
#[must_use]
pub fn minute_of(instant: Timestamp) -> u32 {
    u32::try_from(instant.0.div_euclid(60_000)).unwrap_or(0)
}

const LAYOUT: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minute_goes_on_after_a_start_and_ends_with_its_own_counts() {
        let at = |ms: i64| Timestamp(120_000 + ms);
        let tally = |delivered, given_up| Tally { delivered, given_up, ..Tally::NONE };
        let known = Activity { delivered: 4, ..Activity::default() };
        let mut counting = Counting::go_on(2, known, tally(100, 1));
        assert_eq!(counting.take(), []);
        counting.stands(at(0), &tally(103, 2));
        counting.requested(at(10), Duration::from_millis(7), true);
        let expected = Activity {
            delivered: 7,
            given_up: 1,
            requests: 1,
            failed_requests: 1,
            duration_ms: 7,
            ..Activity::default()
        };
        assert_eq!(counting.take(), [(2, expected)]);
        assert_eq!(counting.take(), [], "nothing is written twice");
        counting.stands(at(59_999), &tally(104, 1));
        counting.stands(at(60_000), &tally(105, 1));
        // The ledger was made anew by a seek, and a clock set back.
        counting.stands(at(60_001), &tally(0, 0));
        counting.stands(at(1), &tally(2, 0));
        let (before, after) = (Activity { delivered: 8, ..expected }, Activity { delivered: 3, ..Activity::default() });
        assert_eq!(counting.take(), [(2, before), (3, after)]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(counts: [u32; 7], duration_ms: u64, cut in any::<prop::sample::Index>()) {
            let [delivered, filtered, given_up, expired, skipped, requests, failed_requests] = counts;
            let activity = Activity {
                delivered, filtered, given_up, expired, skipped, requests, failed_requests, duration_ms
            };
            let bytes = activity.encode();
            prop_assert_eq!(Activity::decode(bytes.clone()), Ok(activity));
            prop_assert!(Activity::decode(bytes.slice(..cut.index(bytes.len()))).is_err());
        }
    }
}
