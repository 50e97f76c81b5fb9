//! Wall time: the safety net under the fuel.
//!
//! Not a limit that may decide anything: it differs from run to run, so whoever is cut off is tried again.
//! One thread moves the engine's epoch; it ends when the last handle of the host is gone.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// How long one call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall(u64);

impl Wall {
    /// Allows at least the duration, and at most two ticks more.
    pub(super) fn new(duration: Duration) -> Self {
        let ticks = duration.as_nanos().div_ceil(TICK.as_nanos()).saturating_add(1);
        Self(u64::try_from(ticks).unwrap_or(u64::MAX >> 1))
    }

    /// Returns the wall in ticks from now.
    pub(super) const fn ticks(self) -> u64 {
        self.0
    }
}

/// Keeps the ticker alive: it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Ticker(#[expect(dead_code, reason = "dropping it is the signal")] SyncSender<()>);

impl Ticker {
    /// Starts the thread that moves the engine's epoch.
    ///
    /// # Errors
    /// Where the machine gives no thread.
    pub(super) fn start(engine: wasmtime::Engine) -> io::Result<Self> {
        let (alive, ended) = sync_channel(0);
        Builder::new().name("filter-wall".to_owned()).spawn(move || tick(&engine, &ended))?;
        Ok(Self(alive))
    }
}

fn tick(engine: &wasmtime::Engine, ended: &Receiver<()>) {
    while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        engine.increment_epoch();
    }
}

const TICK: Duration = Duration::from_millis(20);
