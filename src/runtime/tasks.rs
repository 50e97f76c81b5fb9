//! The tracked spawner: what was started can be waited for.
//!
//! Not a pool with a limit. A task that panics is a bug in hooklog: the panic is logged by its hook and
//! counted here, and `app` ends the process rather than going on with half of its parts. A task that ends
//! wakes nobody unless it is the last, or has panicked: somebody always waits for a panic, and tasks end ten thousand
//! times a second.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Starts tasks and knows how many still run. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    running: AtomicUsize,
    panicked: AtomicUsize,
    a_panic: Notify,
    all_ended: Notify,
}

impl Tasks {
    /// Makes a spawner with nothing running.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task on the current runtime.
    #[expect(clippy::disallowed_methods, reason = "this is the tracked spawner")]
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.running.fetch_add(1, Ordering::AcqRel);
        let guard = Guard(Arc::clone(&self.0));
        drop(tokio::spawn(async move {
            let guard = guard;
            task.await;
            drop(guard);
        }));
    }

    /// Returns how many tasks run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.running.load(Ordering::Acquire)
    }

    /// Returns how many tasks have panicked since the start.
    #[must_use]
    pub fn panicked(&self) -> usize {
        self.0.panicked.load(Ordering::Acquire)
    }

    /// Waits until a task has panicked.
    pub async fn a_panic(&self) {
        wait_for(&self.0.a_panic, || self.panicked() > 0).await;
    }

    /// Waits until nothing runs any more.
    pub async fn all_ended(&self) {
        wait_for(&self.0.all_ended, || self.running() == 0).await;
    }
}

async fn wait_for(told: &Notify, is_so: impl Fn() -> bool) {
    loop {
        let told = told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if is_so() {
            return;
        }
        told.await;
    }
}

/// Runs work that blocks (a read of the disk) on a thread that may.
///
/// # Panics
/// Where the work does: a panic is passed on to who waits for it.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(problem) => match problem.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is being torn down gives up blocking work, and then nobody waits for it.
            Err(_) => std::future::pending().await,
        },
    }
}

struct Guard(Arc<Inner>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.fetch_add(1, Ordering::AcqRel);
            self.0.a_panic.notify_waiters();
        }
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.all_ended.notify_waiters();
        }
    }
}
