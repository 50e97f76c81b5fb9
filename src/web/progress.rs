//! How far a connection is with its present request, and whether it takes too long.
//!
//! Not a timer per request: one sleeper per connection looks from time to time, so that a request costs two reads
//! of the clock and nothing more. Only the time between requests and the time of a head are watched here; the body
//! has its own deadline ([`super::body`]), writing has the socket's, and the answer is the service's affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::runtime::{Clock, Monotonic};

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// Open, nothing has arrived yet.
    Fresh,
    /// Between two requests.
    Idle,
    /// A head has begun to arrive.
    Head,
    /// A request is with the service, or its answer is being written.
    Answering,
}

/// How long the stages may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct StageLimits {
    pub(super) head: Duration,
    pub(super) idle: Duration,
}

/// What one look at a connection says.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Overdue,
    Again { after: Duration },
}

/// The stage of one connection. Written and read by the connection's own task only.
#[derive(Debug)]
pub(super) struct Progress {
    clock: Clock,
    stage: AtomicU8,
    since_ns: AtomicU64,
}

impl Progress {
    pub(super) fn new(clock: Clock) -> Self {
        let now = clock.monotonic();
        Self { clock, stage: AtomicU8::new(Stage::Fresh as u8), since_ns: AtomicU64::new(now.0) }
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Fresh,
            1 => Stage::Idle,
            2 => Stage::Head,
            _ => Stage::Answering,
        }
    }

    /// Notes that bytes arrived: the first ones after a pause begin a head.
    pub(super) fn bytes_arrived(&self) {
        if matches!(self.stage(), Stage::Fresh | Stage::Idle) {
            self.enter(Stage::Head);
        }
    }

    /// Notes that a slow peer has taken more of an answer, so that its connection is not idle.
    pub(super) fn bytes_taken(&self) {
        if self.stage() == Stage::Idle {
            self.enter(Stage::Idle);
        }
    }

    /// Notes that a request is with the service until what is returned is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        // When it began is nobody's question, so the clock is not asked.
        self.stage.store(Stage::Answering as u8, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Waits until a stage has taken longer than it may, and returns which.
    pub(super) async fn overdue(&self, limits: StageLimits) -> Stage {
        loop {
            let stage = self.stage();
            let since = Monotonic(self.since_ns.load(Ordering::Relaxed));
            match look(stage, self.clock.monotonic().since(since), limits) {
                Look::Overdue => return stage,
                Look::Again { after } => tokio::time::sleep(after).await,
            }
        }
    }

    fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
        self.since_ns.store(self.clock.monotonic().0, Ordering::Relaxed);
    }
}

/// Marks a request that is with the service. Lives in the answer's body, so that it ends with it.
#[derive(Debug)]
pub(super) struct Answering(Arc<Progress>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.enter(Stage::Idle);
    }
}

/// Decides when to look again: never later than a head that begins now would be overdue.
fn look(stage: Stage, age: Duration, limits: StageLimits) -> Look {
    let allowed = match stage {
        Stage::Fresh | Stage::Head => limits.head,
        Stage::Idle => limits.idle,
        Stage::Answering => return Look::Again { after: limits.head.min(limits.idle) },
    };
    match allowed.checked_sub(age) {
        None | Some(Duration::ZERO) => Look::Overdue,
        // A timer fires up to a millisecond late by itself; less than that would look twice.
        Some(left) => Look::Again { after: left.min(limits.head).max(Duration::from_millis(1)) },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Clock, Look, Progress, Stage, StageLimits, look};

    const LIMITS: StageLimits = StageLimits { head: Duration::from_secs(10), idle: Duration::from_secs(75) };

    #[test]
    fn a_stage_is_overdue_at_its_limit_and_looked_at_in_time_before() {
        let check = |stage, age_ms, expected_ms: Option<u64>| {
            let expected = expected_ms.map_or(Look::Overdue, |ms| Look::Again { after: Duration::from_millis(ms) });
            assert_eq!(look(stage, Duration::from_millis(age_ms), LIMITS), expected, "{stage:?} {age_ms}");
        };
        check(Stage::Fresh, 0, Some(10_000));
        check(Stage::Fresh, 10_000, None);
        check(Stage::Head, 9_000, Some(1_000));
        check(Stage::Head, 10_001, None);
        // Not 75 s: a head may begin one millisecond from now.
        check(Stage::Idle, 0, Some(10_000));
        check(Stage::Idle, 74_000, Some(1_000));
        check(Stage::Idle, 75_000, None);
        check(Stage::Answering, 1_000_000, Some(10_000));
    }

    #[test]
    fn a_head_begins_with_the_first_byte_and_is_not_prolonged_by_more() {
        let clock = Clock::manual(0);
        let progress = Arc::new(Progress::new(clock.clone()));
        assert_eq!(progress.stage(), Stage::Fresh);
        clock.advance(Duration::from_secs(5));
        progress.bytes_arrived();
        let begun = progress.since_ns.load(std::sync::atomic::Ordering::Relaxed);
        clock.advance(Duration::from_secs(5));
        progress.bytes_arrived();
        assert_eq!(progress.stage(), Stage::Head);
        assert_eq!(progress.since_ns.load(std::sync::atomic::Ordering::Relaxed), begun);
        let answering = progress.answering();
        progress.bytes_arrived();
        assert_eq!(progress.stage(), Stage::Answering, "the bytes of a body begin no head");
        drop(answering);
        assert_eq!(progress.stage(), Stage::Idle);
    }
}
