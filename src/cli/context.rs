//! What a command is handed: the terminal, the environment, the clock, the spawner.
//!
//! Not a place for state of a command. Everything a test wants to choose stands here.

use std::collections::BTreeMap;

use crate::model::Timestamp;
use crate::runtime::{Clock, Shutdown, ShutdownTrigger, Tasks, shutdown};

use super::console::Console;

/// The world as a command sees it.
pub(crate) struct Context {
    /// Where to print, and whom to ask.
    pub(crate) console: Console,
    /// The variables of the process.
    pub(crate) environment: BTreeMap<String, String>,
    /// What time it is.
    pub(crate) clock: Clock,
    /// Starts what runs beside the command.
    pub(crate) tasks: Tasks,
}

impl Context {
    /// Makes the world of a process.
    pub(crate) fn new(console: Console, environment: BTreeMap<String, String>) -> Self {
        Self { console, environment, clock: Clock::system(), tasks: Tasks::new() }
    }

    /// Returns what time it is.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.wall_ms())
    }

    /// Returns a signal that is given at Ctrl-C or SIGTERM, and the hand that can give it earlier.
    pub(crate) fn interruption(&self) -> (std::sync::Arc<ShutdownTrigger>, Shutdown) {
        let (trigger, signal) = shutdown();
        let trigger = std::sync::Arc::new(trigger);
        let on_signal = std::sync::Arc::clone(&trigger);
        let mut ended = signal.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = interrupted() => on_signal.give(),
                () = ended.given() => {}
            }
        });
        (trigger, signal)
    }
}

/// Waits until a person or an orchestrator asks the process to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        caught = tokio::signal::ctrl_c() => if caught.is_err() { std::future::pending::<()>().await },
    }
}
