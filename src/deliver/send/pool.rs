//! The idle connections: each endpoint's own, and the limit of all together.
//!
//! Not shared between endpoints: two accounts that send to the same host never meet on a connection. The last
//! one used is used first, so what a burst has opened grows old and is closed. The fuller the house, the
//! sooner a connection is old, so that busy endpoints are not kept out by idle ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::Connection;
use crate::runtime::{Clock, Monotonic, Shutdown};

/// All idle connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct IdleConnections(Arc<House>);

#[derive(Debug)]
struct House {
    max: usize,
    age_max: Duration,
    clock: Clock,
    count: AtomicUsize,
    /// The pools that have had an idle connection since the last look.
    pools: Mutex<Vec<Weak<Shelf>>>,
    some: Notify,
}

/// The idle connections of one endpoint; they are closed with it.
#[derive(Debug)]
pub(super) struct Pool(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    house: Arc<House>,
    max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The last one was used last.
    idle: Vec<Idle>,
    /// Whether the house knows that there are some.
    is_listed: bool,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Monotonic,
}

impl IdleConnections {
    pub(super) fn new(max: usize, age_max: Duration, clock: Clock) -> Self {
        let (count, pools, some) = (AtomicUsize::new(0), Mutex::default(), Notify::new());
        Self(Arc::new(House { max, age_max, clock, count, pools, some }))
    }

    /// Makes the pool of one endpoint, for at most so many connections.
    pub(super) fn pool(&self, max: usize) -> Pool {
        Pool(Arc::new(Shelf { house: Arc::clone(&self.0), max, kept: Mutex::default() }))
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Closes what has been idle for too long; asleep while nothing is idle.
    pub(super) async fn close_when_old(self, mut stop: Shutdown) {
        while !stop.is_given() {
            let look = async {
                if !self.0.has_pools() {
                    self.0.some.notified().await;
                }
                // Not at once: a busy pool is empty and full again a thousand times a second.
                sleep(LOOK_EVERY).await;
            };
            tokio::select! {
                () = look => self.0.close_old(),
                () = stop.given() => {}
            }
        }
        self.0.close_all();
    }
}

impl House {
    fn has_pools(&self) -> bool {
        !self.pools().is_empty()
    }

    /// Closes what is too old. The list is taken while it is worked on, so that nobody waits for it.
    fn close_old(&self) {
        let age_max = self.age_max_now();
        let now = self.clock.monotonic();
        let mut listed = std::mem::take(&mut *self.pools());
        listed.retain(|shelf| shelf.upgrade().is_some_and(|shelf| shelf.close_older(age_max, now)));
        self.pools().append(&mut listed);
    }

    fn close_all(&self) {
        for shelf in std::mem::take(&mut *self.pools()).iter().filter_map(Weak::upgrade) {
            shelf.close_older(Duration::ZERO, Monotonic(u64::MAX));
        }
    }

    /// The share of room that is left is the share of its time that a connection gets.
    fn age_max_now(&self) -> Duration {
        let max = u32::try_from(self.max).unwrap_or(u32::MAX);
        let free = max.saturating_sub(u32::try_from(self.count.load(Ordering::Relaxed)).unwrap_or(u32::MAX));
        self.age_max.saturating_mul(free) / max.max(1)
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Shelf>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// Takes a connection that can be sent on, the one used last first.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.0.pop()?;
            if connection.is_alive().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for later, if it can be sent on and there is room; closes it otherwise.
    pub(super) async fn keep(&self, mut connection: Connection) {
        let shelf = &self.0;
        let now = shelf.house.clock.monotonic();
        // A connection that is always busy would never learn that its name has moved.
        if now.since(connection.opened()) < CONNECTION_AGE_MAX && connection.is_free().await {
            shelf.push(Idle { connection, since: now });
        }
    }
}

impl Shelf {
    fn pop(&self) -> Option<Connection> {
        let idle = self.kept().idle.pop()?;
        self.house.count.fetch_sub(1, Ordering::Relaxed);
        Some(idle.connection)
    }

    fn push(self: &Arc<Self>, idle: Idle) {
        let mut kept = self.kept();
        if kept.idle.len() >= self.max || self.house.count.load(Ordering::Relaxed) >= self.house.max {
            return;
        }
        kept.idle.push(idle);
        self.house.count.fetch_add(1, Ordering::Relaxed);
        let is_listed = std::mem::replace(&mut kept.is_listed, true);
        drop(kept);
        if !is_listed {
            self.house.pools().push(Arc::downgrade(self));
            self.house.some.notify_one();
        }
    }

    /// Closes what has been idle for longer, and returns whether anything is left.
    fn close_older(&self, age_max: Duration, now: Monotonic) -> bool {
        let mut kept = self.kept();
        let old = kept.idle.partition_point(|idle| now.since(idle.since) > age_max);
        let closed: Vec<_> = kept.idle.drain(..old).collect();
        kept.is_listed = !kept.idle.is_empty();
        let is_listed = kept.is_listed;
        drop(kept);
        self.house.count.fetch_sub(closed.len(), Ordering::Relaxed);
        is_listed
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.house.count.fetch_sub(self.kept().idle.len(), Ordering::Relaxed);
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(300);
