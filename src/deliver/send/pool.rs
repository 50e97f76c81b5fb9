//! The idle connections: each endpoint's own, and the limits of all together.
//!
//! Sockets that requests use and those that are idle share what descriptors there are, and requests go first: where one
//! needs a socket more than there is, an idle connection is closed for it.
//!
//! Not shared between endpoints: two accounts that send to the same host never meet on a connection. The last
//! one used is used first, so what a burst has opened grows old and is closed. The fuller the house, the
//! sooner a connection is old, so that busy endpoints are not kept out by idle ones. What is idle for a second is
//! folded: thousands of quiet endpoints keep their connections, and none of the room to speak on them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::Connection;
use super::connection::Folded;
use crate::runtime::{Clock, Monotonic, Shutdown};

/// All idle connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct IdleConnections(Arc<House>);

#[derive(Debug)]
struct House {
    limits: IdleLimits,
    clock: Clock,
    count: AtomicUsize,
    /// Sockets that requests use.
    used: AtomicUsize,
    /// The pools that have had an idle connection since the last look.
    pools: Mutex<Vec<Weak<Shelf>>>,
    some: Notify,
}

/// How many connections are kept for later, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct IdleLimits {
    /// Idle connections, over all endpoints.
    pub max: usize,
    /// Sockets to receivers, those that requests use among them.
    pub sockets_max: usize,
    /// How long one is kept where there is room.
    pub age_max: Duration,
}

/// Sockets that a request uses; given back when dropped.
#[derive(Debug)]
pub(super) struct InUse<'a> {
    house: &'a House,
    sockets: usize,
}

/// The idle connections of one endpoint; they are closed with it.
#[derive(Debug)]
pub(super) struct Pool(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    house: Arc<House>,
    max: usize,
    kept: Mutex<Shelved>,
}

#[derive(Debug, Default)]
struct Shelved {
    /// The last one was used last.
    idle: Vec<Idle>,
    /// Whether the house knows that there are some.
    is_listed: bool,
}

#[derive(Debug)]
struct Idle {
    connection: Kept,
    since: Monotonic,
}

#[derive(Debug)]
enum Kept {
    Open(Connection),
    /// Boxed: most are folded, and they are many.
    Folded(Box<Folded>),
}

impl IdleConnections {
    pub(super) fn new(limits: IdleLimits, clock: Clock) -> Self {
        let (count, used, pools, some) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::default(), Notify::new());
        Self(Arc::new(House { limits, clock, count, used, pools, some }))
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
                () = look => self.0.tidy(),
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

    /// Closes what is too old and folds what is unused. The list is taken while it is worked on, so that nobody waits
    /// for it.
    fn tidy(&self) {
        let age_max = self.age_max_now();
        let now = self.clock.monotonic();
        let mut listed = std::mem::take(&mut *self.pools());
        listed.retain(|shelf| shelf.upgrade().is_some_and(|shelf| shelf.tidy(age_max, now)));
        self.pools().append(&mut listed);
    }

    fn close_all(&self) {
        for shelf in std::mem::take(&mut *self.pools()).iter().filter_map(Weak::upgrade) {
            shelf.tidy(Duration::ZERO, Monotonic(u64::MAX));
        }
    }

    /// The share of room that is left is the share of its time that a connection gets, down to a quarter: what is used
    /// every few seconds is worth its place in a full house too.
    fn age_max_now(&self) -> Duration {
        let age_max = self.limits.age_max;
        let max = u32::try_from(self.room()).unwrap_or(u32::MAX);
        let free = max.saturating_sub(u32::try_from(self.count.load(Ordering::Relaxed)).unwrap_or(u32::MAX));
        (age_max.saturating_mul(free) / max.max(1)).max(age_max / 4)
    }

    /// How many idle connections there may be, beside the sockets that are used.
    fn room(&self) -> usize {
        let IdleLimits { max, sockets_max, .. } = self.limits;
        max.min(sockets_max.saturating_sub(self.used.load(Ordering::Relaxed)))
    }

    /// Closes idle connections until there are no more than there may be.
    fn make_room(&self) {
        while self.count.load(Ordering::Relaxed) > self.room() {
            let Some(listed) = self.pools().pop() else { return };
            let Some(shelf) = listed.upgrade() else { continue };
            if shelf.close_oldest() {
                self.pools().push(listed);
            }
        }
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Shelf>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// Says that a request uses so many sockets, and closes idle connections where they are too many then.
    pub(super) fn use_sockets(&self, sockets: usize) -> InUse<'_> {
        let house = &*self.0.house;
        house.used.fetch_add(sockets, Ordering::Relaxed);
        house.make_room();
        InUse { house, sockets }
    }

    /// Takes a connection that can be sent on, the one used last first.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let connection = match self.0.pop()? {
                Kept::Open(connection) => Some(connection),
                Kept::Folded(folded) => folded.unfold().await,
            };
            if let Some(mut connection) = connection
                && connection.is_alive().await
            {
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
            shelf.push(Idle { connection: Kept::Open(connection), since: now });
        }
    }
}

impl Shelf {
    fn pop(&self) -> Option<Kept> {
        let idle = self.kept().idle.pop()?;
        self.house.count.fetch_sub(1, Ordering::Relaxed);
        Some(idle.connection)
    }

    fn push(self: &Arc<Self>, idle: Idle) {
        let mut kept = self.kept();
        if kept.idle.len() >= self.max || self.house.count.load(Ordering::Relaxed) >= self.house.room() {
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

    /// Closes the one that was used least recently, and returns whether the house is to list this still.
    fn close_oldest(&self) -> bool {
        let mut kept = self.kept();
        let closed = (!kept.idle.is_empty()).then(|| kept.idle.remove(0));
        kept.is_listed = !kept.idle.is_empty();
        let is_listed = kept.is_listed;
        drop(kept);
        self.house.count.fetch_sub(closed.iter().count(), Ordering::Relaxed);
        is_listed
    }

    /// Closes what has been idle for longer, folds the rest, and returns whether anything is left.
    fn tidy(&self, age_max: Duration, now: Monotonic) -> bool {
        let mut kept = self.kept();
        let count = kept.idle.len();
        let old = kept.idle.partition_point(|idle| now.since(idle.since) > age_max);
        let closed: Vec<_> = kept.idle.drain(..old).collect();
        let unused = kept.idle.partition_point(|idle| now.since(idle.since) > FOLD_AFTER);
        if kept.idle.iter().take(unused).any(Idle::is_open) {
            let young = kept.idle.split_off(unused);
            kept.idle = std::mem::take(&mut kept.idle).into_iter().filter_map(Idle::folded).chain(young).collect();
        }
        kept.is_listed = !kept.idle.is_empty();
        let (is_listed, left) = (kept.is_listed, kept.idle.len());
        drop(kept);
        drop(closed);
        self.house.count.fetch_sub(count - left, Ordering::Relaxed);
        is_listed
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Shelved> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    const fn is_open(&self) -> bool {
        matches!(self.connection, Kept::Open(_))
    }

    /// Folds it; none where that shows that it is of no use.
    fn folded(self) -> Option<Self> {
        let connection = match self.connection {
            Kept::Open(connection) => Kept::Folded(Box::new(connection.fold()?)),
            folded @ Kept::Folded(_) => folded,
        };
        Some(Self { connection, ..self })
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.house.used.fetch_sub(self.sockets, Ordering::Relaxed);
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.house.count.fetch_sub(self.kept().idle.len(), Ordering::Relaxed);
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const FOLD_AFTER: Duration = Duration::from_secs(1);
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::deliver::send::{Answer, Stream};
    use crate::model::Timestamp;
    use crate::runtime::Tasks;

    /// What a receiver has seen, and when it is to close.
    #[derive(Default)]
    struct Receiver {
        connections: AtomicUsize,
        end: Notify,
        has_ended: Notify,
    }

    /// Starts a receiver that answers two requests on each connection.
    async fn receiver() -> (std::net::SocketAddr, Arc<Receiver>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, receiver) = (listener.local_addr().unwrap(), Arc::new(Receiver::default()));
        let here = Arc::clone(&receiver);
        Tasks::new().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                here.connections.fetch_add(1, Ordering::AcqRel);
                for _ in 0..2 {
                    let mut request = [0; 4096];
                    let asked = async { stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) };
                    let is_asked = tokio::select! { is_asked = asked => is_asked, () = here.end.notified() => false };
                    if !is_asked {
                        break;
                    }
                    stream.write_all(b"HTTP/1.1 204 x\r\n\r\n").await.unwrap();
                }
                drop(stream);
                here.has_ended.notify_one();
            }
        });
        (address, receiver)
    }

    fn limits(sockets_max: usize) -> IdleLimits {
        IdleLimits { max: 4, sockets_max, age_max: Duration::from_secs(20) }
    }

    async fn exchange(connection: &mut Connection) -> Option<u16> {
        let request = http::Request::post("/").header("host", "a").body(Full::new(Bytes::new())).unwrap();
        let response = connection.send(request).await.ok()?;
        Answer::read(connection, response, Timestamp(0)).await.outcome.status()
    }

    /// Sends once, puts the connection by, looks after so many seconds, and takes what is there.
    async fn taken_after(seconds: u64, is_ended: bool) -> (Option<Connection>, usize, usize) {
        let (address, receiver) = receiver().await;
        let house = IdleConnections::new(limits(4), Clock::system());
        let pool = house.pool(2);
        let now = house.0.clock.monotonic();
        let mut connection =
            Connection::open(Stream::plain(TcpStream::connect(address).await.unwrap()), now).await.unwrap();
        assert_eq!(exchange(&mut connection).await, Some(204));
        pool.keep(connection).await;
        pool.0.tidy(house.0.age_max_now(), now.plus(Duration::from_secs(seconds)));
        let folded = pool.0.kept().idle.iter().filter(|idle| !idle.is_open()).count();
        if is_ended {
            receiver.end.notify_one();
            receiver.has_ended.notified().await;
            // Once around: what has come for our end of it is looked at.
            tokio::task::yield_now().await;
        }
        (pool.take().await, folded, receiver.connections.load(Ordering::Acquire))
    }

    #[tokio::test]
    async fn what_is_idle_for_a_second_is_folded_and_speaks_again() {
        for (seconds, is_folded) in [(0, 0), (3, 1)] {
            let (taken, folded, connections) = taken_after(seconds, false).await;
            assert_eq!((folded, connections), (is_folded, 1), "after {seconds} s");
            assert_eq!(exchange(&mut taken.unwrap()).await, Some(204));
        }
        let (taken, ..) = taken_after(21, false).await;
        assert!(taken.is_none(), "it is closed when it is old");
    }

    #[tokio::test]
    async fn what_has_ended_while_it_was_folded_is_not_taken() {
        let (taken, folded, _) = taken_after(3, true).await;
        assert_eq!(folded, 1);
        assert!(taken.is_none());
    }

    #[tokio::test]
    async fn an_idle_connection_makes_room_for_a_request() {
        let (address, _receiver) = receiver().await;
        let house = IdleConnections::new(limits(3), Clock::system());
        let pools = [house.pool(2), house.pool(2)];
        for pool in [&pools[0], &pools[1], &pools[1]] {
            let stream = Stream::plain(TcpStream::connect(address).await.unwrap());
            pool.keep(Connection::open(stream, house.0.clock.monotonic()).await.unwrap()).await;
        }
        assert_eq!(house.count(), 3);
        let one = pools[0].use_sockets(1);
        assert_eq!(house.count(), 2);
        let others = pools[0].use_sockets(7);
        assert_eq!((house.count(), pools[1].take().await.is_none()), (0, true));
        drop((one, others));
        let stream = Stream::plain(TcpStream::connect(address).await.unwrap());
        pools[1].keep(Connection::open(stream, house.0.clock.monotonic()).await.unwrap()).await;
        assert_eq!(house.count(), 1);
        assert!(pools[1].take().await.is_some());
    }
}
