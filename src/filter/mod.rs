//! The host of filters: WebAssembly components that decide about events, each in its sandbox.
//!
//! Not a chain: which filters see an event, and what becomes of it after a fault, is decided by `dispatch`.
//! It promises that a verdict is a function of component, configuration and event; that no filter can harm
//! the process, or see what another account's filter has seen; and that what went wrong is named. This is
//! the only place that names wasmtime.
//!
//! ```text
//! bytes ─load─▶ Filter ─┐
//! configuration ────────┼─evaluate─▶ a thread ─▶ one instance ─▶ Evaluated for each event
//! events ───────────────┘                       (after a fault: a new one)
//! ```

mod bindings;

mod limits;

mod configuration;
mod event;
mod verdict;
mod fault;

mod engine;
mod instance;
mod wall;

mod component;
mod cache;

mod run;
mod worker;

mod built_in;

#[cfg(test)]
mod tests;

pub use built_in::BUILT_IN_RIGHTS;
pub use component::{About, Filter, LoadError};
pub use configuration::Configuration;
pub use event::{Evaluated, Event};
pub use fault::{Fault, Stage};
pub use limits::{
    ABOUT_NAME_BYTES_MAX, ABOUT_SCHEMA_BYTES_MAX, ABOUT_VERSION_BYTES_MAX, LOG_BYTES_MAX, Limits, REASON_BYTES_MAX,
    TRIES_MAX, WORDS_BYTES_MAX,
};
pub use verdict::{BadAnswer, Verdict};

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use crate::runtime::{Clock, Shutdown, blocking};
use crate::security::Secret;
use crate::telemetry::FilterMetrics;

use cache::Cache;
use engine::Engine;
use run::Setup;
use wall::{Ticker, Wall};
use worker::{Ended, Workers};

/// How a host is set up. Checked values.
#[derive(Debug, Clone)]
pub struct Options {
    /// What one filter may use.
    pub limits: Limits,
    /// Threads that run filters, at least 1. Each has a stack of 8 MiB and addresses (not memory) for two instances.
    pub threads: u16,
    /// Where compiled components are kept; with none they are compiled at every start.
    pub cache_directory: Option<PathBuf>,
    /// Proves that what is in the directory was put there by this host. Not kept in the directory.
    pub cache_key: Secret<[u8; 32]>,
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// wasmtime does not get what it needs.
    #[error(
        "cannot make room for {instances} instances of filters, each with 4 GiB of addresses (not of memory): {what}; \
         is there a limit of address space (ulimit -v), or are there too many threads?"
    )]
    Engine {
        /// How many.
        instances: u32,
        /// What the machine said.
        what: String,
    },
    /// The machine gives no thread.
    #[error("cannot start a thread for filters: {0}")]
    Thread(#[source] io::Error),
}

/// Loads and runs filters. Cheap to clone; the threads end when the last one is gone.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    setup: Setup,
    engine: Engine,
    cache: Option<Cache>,
    evaluating: Workers,
    /// One thread of its own, so that a large component that is being compiled holds up no event.
    loading: Workers,
    _ticker: Ticker,
}

impl Host {
    /// Starts the threads.
    ///
    /// A cache directory that cannot be used is said in the log and done without.
    ///
    /// # Errors
    /// Where the machine gives too few addresses or threads.
    pub fn start(options: Options, clock: Clock, metrics: FilterMetrics) -> Result<Self, Error> {
        let Options { limits, threads, cache_directory, cache_key } = options;
        // One more for the thread that loads, and as many again for slots that are still being cleaned.
        let instances = 2 * (u32::from(threads) + 1);
        let engine = Engine::new(&limits, instances)
            .map_err(|problem| Error::Engine { instances, what: format!("{problem:#}") })?;
        let cache = cache_directory.and_then(|directory| match Cache::open(&directory, cache_key) {
            Ok(cache) => Some(cache),
            Err(problem) => {
                warn!(%problem, directory = %directory.display(), "compiled components are not kept");
                None
            }
        });
        let ticker = Ticker::start(engine.wasm.clone()).map_err(Error::Thread)?;
        let evaluating = Workers::start("filter", usize::from(threads)).map_err(Error::Thread)?;
        let loading = Workers::start("filter-load", 1).map_err(Error::Thread)?;
        let setup = Setup { limits, wall: Wall::new(limits.wall_per_call), clock, metrics };
        Ok(Self(Arc::new(Shared { setup, engine, cache, evaluating, loading, _ticker: ticker })))
    }

    /// Ends the threads when the signal is given, and waits for them.
    ///
    /// What is in the queue is still done; what comes later is the fault [`Fault::Host`].
    pub async fn run(self, mut shutdown: Shutdown) {
        shutdown.given().await;
        blocking(move || {
            for workers in [&self.0.evaluating, &self.0.loading] {
                workers.end();
                workers.join();
            }
        })
        .await;
    }

    /// Returns what the answers of filters depend on besides themselves: engine, costs of fuel, settings.
    #[must_use]
    pub fn description(&self) -> &str {
        self.0.engine.description()
    }

    /// Returns what a filter may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.setup.limits
    }

    /// Checks a component, compiles it where that was not done before, and asks it what it is.
    ///
    /// # Errors
    /// Where it is not a filter, or not within the limits.
    pub async fn load(&self, bytes: bytes::Bytes) -> Result<Arc<Filter>, LoadError> {
        component::check_outside(&bytes, self.0.setup.limits.component_bytes_max)?;
        let shared = Arc::downgrade(&self.0);
        let loaded = self.0.loading.run(move |_| shared.upgrade().map(|shared| shared.load(&bytes))).await;
        answer_of_load(loaded)
    }

    /// Does what [`Host::load`] does and blocks the thread; for tools without an async runtime.
    ///
    /// # Errors
    /// Where it is not a filter, or not within the limits.
    /// # Panics
    /// On a thread of the async runtime.
    pub fn load_blocking(&self, bytes: bytes::Bytes) -> Result<Arc<Filter>, LoadError> {
        component::check_outside(&bytes, self.0.setup.limits.component_bytes_max)?;
        let shared = Arc::downgrade(&self.0);
        let loaded = self.0.loading.run_blocking(move |_| shared.upgrade().map(|shared| shared.load(&bytes)));
        answer_of_load(loaded)
    }

    /// Asks a filter about events of one account, in order.
    ///
    /// Waits while all threads are busy. Where the future is dropped, the thread stops at the next event.
    ///
    /// # Shape
    /// `n` events in, `n` answers out, in their order.
    pub async fn evaluate(
        &self,
        filter: &Arc<Filter>,
        configuration: impl Configuration,
        events: Vec<Event>,
    ) -> Vec<Evaluated> {
        let count = events.len();
        let work = self.0.batch(filter, configuration, events);
        self.0.evaluating.run(work).await.unwrap_or_else(|Ended| vec![Evaluated::never(Fault::ended()); count])
    }

    /// Does what [`Host::evaluate`] does and blocks the thread; for tools without an async runtime.
    ///
    /// # Panics
    /// On a thread of the async runtime.
    #[must_use]
    pub fn evaluate_blocking(
        &self,
        filter: &Arc<Filter>,
        configuration: impl Configuration,
        events: Vec<Event>,
    ) -> Vec<Evaluated> {
        let count = events.len();
        let work = self.0.batch(filter, configuration, events);
        self.0.evaluating.run_blocking(work).unwrap_or_else(|Ended| vec![Evaluated::never(Fault::ended()); count])
    }
}

impl Shared {
    fn load(&self, bytes: &[u8]) -> Result<Arc<Filter>, LoadError> {
        component::load(&self.setup, &self.engine, self.cache.as_ref(), bytes).map(Arc::new)
    }

    fn batch(
        &self,
        filter: &Arc<Filter>,
        configuration: impl Configuration,
        events: Vec<Event>,
    ) -> impl FnOnce(worker::IsWanted<'_>) -> Vec<Evaluated> + Send + 'static {
        let (setup, filter) = (self.setup.clone(), Arc::clone(filter));
        move |is_wanted| run::batch(&setup, &filter, &configuration.text(), &events, is_wanted)
    }
}

fn answer_of_load(loaded: Result<Option<Result<Arc<Filter>, LoadError>>, Ended>) -> Result<Arc<Filter>, LoadError> {
    loaded.ok().flatten().unwrap_or_else(|| Err(LoadError::Fault(Fault::ended())))
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Host").field("description", &self.description()).finish_non_exhaustive()
    }
}
