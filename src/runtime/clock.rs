//! Wall time and monotonic time, real or moved by hand.
//!
//! Not a timer: loops sleep with tokio and ask this clock what time it is. A clock that was made by
//! [`Clock::manual`] stands still until it is told otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point on the monotonic axis: nanoseconds since the clock was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// Returns how long ago `earlier` was, zero where it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns the point `after` later.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Says what time it is.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { start: Instant },
    Manual { wall_ms: Arc<AtomicI64>, start_ms: i64 },
}

impl Clock {
    /// Makes the clock of the machine.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    pub fn system() -> Self {
        Self(Kind::System { start: Instant::now() })
    }

    /// Makes a clock that stands at `wall_ms` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(wall_ms: i64) -> Self {
        Self(Kind::Manual { wall_ms: Arc::new(AtomicI64::new(wall_ms)), start_ms: wall_ms })
    }

    /// Returns the wall time.
    ///
    /// # Units
    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    pub fn wall_ms(&self) -> i64 {
        match &self.0 {
            Kind::System { .. } => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Kind::Manual { wall_ms, .. } => wall_ms.load(Ordering::Relaxed),
        }
    }

    /// Returns the monotonic time, which never goes back.
    #[must_use]
    pub fn monotonic(&self) -> Monotonic {
        match &self.0 {
            Kind::System { start } => Monotonic(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            Kind::Manual { wall_ms, start_ms } => {
                let elapsed_ms = wall_ms.load(Ordering::Relaxed).saturating_sub(*start_ms);
                Monotonic(u64::try_from(elapsed_ms).unwrap_or(0).saturating_mul(1_000_000))
            }
        }
    }

    /// Moves a manual clock forward; the clock of the machine does not listen.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual { wall_ms, .. } = &self.0 {
            wall_ms.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }
}
