//! Threads for guests: work that runs long, on stacks with room, called from async code.
//!
//! Not the runtime's blocking threads: their stacks are too small for a guest that goes as deep as it may.
//! Whoever finds the queue full waits outside, and those outside get in by the order in which they came.
//! Invariant: a caller that has gone away leaves nothing behind. What it asked for is not begun, or ends at
//! the next place where it asks whether it is still wanted.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use async_channel::{Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::limits::THREAD_STACK_BYTES;

/// Threads with one queue.
#[derive(Debug)]
pub(super) struct Workers {
    /// None once they have been told to end.
    queue: Mutex<Option<Sender<Job>>>,
    /// Places in the queue. The channel by itself lets whoever comes by go before those who wait for a place.
    places: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The threads were told to end, and take nothing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended;

type Job = Box<dyn FnOnce() + Send>;

/// Whether anybody still waits for the work.
pub(super) type IsWanted<'a> = &'a dyn Fn() -> bool;

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the machine gives no thread.
    pub(super) fn start(name: &str, threads: usize) -> io::Result<Self> {
        let (queue, jobs) = async_channel::unbounded();
        let places = Arc::new(Semaphore::new(threads * QUEUE_PER_THREAD));
        let threads = (0..threads)
            .map(|number| {
                let jobs = jobs.clone();
                Builder::new()
                    .name(format!("{name}-{number}"))
                    .stack_size(THREAD_STACK_BYTES)
                    .spawn(move || work_off(&jobs))
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self { queue: Mutex::new(Some(queue)), places, threads: Mutex::new(threads) })
    }

    /// Runs work on one of the threads; waits where the queue is full.
    ///
    /// # Errors
    /// `Ended` after [`Workers::end`].
    /// # Panics
    /// Where the work does.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(IsWanted<'_>) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        // From here on this one may be told to end: what was let in before is still done.
        let queue = self.queue()?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Ended)?;
        let (job, answered) = job(work, Some(place));
        queue.try_send(job).map_err(|_| Ended)?;
        passed_on(answered.await)
    }

    /// Runs work on one of the threads and blocks this one until it is done.
    ///
    /// # Errors
    /// `Ended` after [`Workers::end`].
    /// # Panics
    /// Where the work does, or this is a thread of the async runtime.
    pub(super) fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(IsWanted<'_>) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        // Each blocks a thread of its own, of which there are few: they take no place.
        let (job, answered) = job(work, None);
        self.queue()?.try_send(job).map_err(|_| Ended)?;
        passed_on(answered.blocking_recv())
    }

    /// Takes nothing in any more. What is in the queue is still done.
    pub(super) fn end(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits until the threads have ended, which begins with [`Workers::end`].
    pub(super) fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // Work that panics is caught: a thread ends in no other way than this.
            drop(thread.join());
        }
    }

    fn queue(&self) -> Result<Sender<Job>, Ended> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Ended)
    }
}

fn work_off(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv_blocking() {
        job();
    }
}

type Done<T> = Result<T, Box<dyn Any + Send>>;

fn job<T: Send + 'static>(
    work: impl FnOnce(IsWanted<'_>) -> T + Send + 'static,
    place: Option<OwnedSemaphorePermit>,
) -> (Job, oneshot::Receiver<Done<T>>) {
    let (answer, answered) = oneshot::channel();
    let job = Box::new(move || {
        drop(place);
        if answer.is_closed() {
            return;
        }
        let done = catch_unwind(AssertUnwindSafe(|| work(&|| !answer.is_closed())));
        // Whoever has gone away since does not want it.
        drop(answer.send(done));
    });
    (job, answered)
}

fn passed_on<T>(answered: Result<Done<T>, oneshot::error::RecvError>) -> Result<T, Ended> {
    match answered {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => Err(Ended),
    }
}

/// Batches that wait for a thread; whoever comes later waits outside.
const QUEUE_PER_THREAD: usize = 4;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::oneshot;

    use super::{Ended, Workers};

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun_and_ends_early() {
        let workers = Arc::new(Workers::start("test", 1).unwrap());
        let (begun, has_begun) = oneshot::channel();
        let (seen, has_seen) = oneshot::channel();
        let first = workers.run(move |is_wanted| {
            begun.send(()).unwrap();
            while is_wanted() {
                std::thread::yield_now();
            }
            seen.send(()).unwrap();
        });
        let never = Arc::new(AtomicBool::new(false));
        let was_begun = Arc::clone(&never);
        let mut first = Box::pin(first);
        tokio::select! {
            _ = &mut first => panic!("it waits until it is not wanted"),
            begun = has_begun => begun.unwrap(),
        }
        let mut second = Box::pin(workers.run(move |_| was_begun.store(true, Ordering::SeqCst)));
        tokio::select! {
            biased;
            _ = &mut second => panic!("the thread is taken"),
            () = std::future::ready(()) => {}
        }
        drop((first, second));
        has_seen.await.unwrap();
        assert_eq!(workers.run(|_| 7).await, Ok(7));
        assert!(!never.load(Ordering::SeqCst), "dropped while it was in the queue");
        workers.end();
        assert_eq!(workers.run(|_| 7).await, Err(Ended));
        workers.join();
    }

    #[tokio::test]
    async fn a_panic_is_its_callers_and_the_thread_goes_on() {
        let workers = Arc::new(Workers::start("test", 1).unwrap());
        let broken = Arc::clone(&workers);
        let ended = tokio::task::spawn_blocking(move || broken.run_blocking(|_| panic!("a bug"))).await;
        assert!(ended.is_err_and(|problem| problem.is_panic()));
        assert_eq!(workers.run(|_| 7).await, Ok(7));
    }
}
