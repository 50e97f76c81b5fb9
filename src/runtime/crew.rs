//! Tasks of one owner: what they come to returns to it, and they end with it.
//!
//! Not for work that outlives its owner: that is [`super::Tasks`]. Whoever waits for the owner waits for its
//! crew, too. A panic in a task is a panic of the owner.

use std::future::Future;

use tokio::task::{JoinError, JoinSet};

/// The tasks that one owner has started and not yet heard of.
#[derive(Debug)]
pub struct Crew<T>(JoinSet<T>);

impl<T: Send + 'static> Crew<T> {
    /// Makes a crew with nothing to do.
    #[must_use]
    pub fn new() -> Self {
        Self(JoinSet::new())
    }

    /// Starts a task on the current runtime.
    pub fn start(&mut self, task: impl Future<Output = T> + Send + 'static) {
        self.0.spawn(task);
    }

    /// Returns whether every task has been heard of.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for the next task to end; waits for ever while nothing runs.
    ///
    /// # Panics
    /// Where the task has.
    pub async fn ended(&mut self) -> T {
        match self.0.join_next().await.and_then(passed_on) {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    /// Returns what a task has come to that has ended already.
    ///
    /// # Panics
    /// Where the task has.
    pub fn ended_already(&mut self) -> Option<T> {
        self.0.try_join_next().and_then(passed_on)
    }
}

impl<T: Send + 'static> Default for Crew<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn passed_on<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(done) => Some(done),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Only a runtime that is being torn down cuts a task off, and then nobody waits for it.
        Err(Err(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Crew;

    #[tokio::test]
    async fn results_come_back_and_tasks_end_with_their_owner() {
        let mut crew = Crew::new();
        assert!(crew.is_idle() && crew.ended_already().is_none());
        for number in 1..=3 {
            crew.start(async move { number });
        }
        let mut numbers = [crew.ended().await, crew.ended().await, crew.ended().await];
        numbers.sort_unstable();
        assert_eq!((numbers, crew.is_idle()), ([1, 2, 3], true));

        let held = Arc::new(());
        let mut crew = Crew::new();
        let task = Arc::clone(&held);
        crew.start(async move {
            let _task = task;
            std::future::pending::<()>().await;
        });
        drop(crew);
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    #[should_panic(expected = "a bug")]
    async fn a_panic_is_its_owners() {
        let mut crew = Crew::new();
        crew.start(async { panic!("a bug") });
        crew.ended().await;
    }
}
