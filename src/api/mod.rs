//! The admin API: everything that can be done to hooklog over HTTP, and its OpenAPI document.
//!
//! One table, [`routes`], names every route with the permission it needs, what it takes and what it answers;
//! the router, the document and the test that calls every route with every kind of token all come from it.
//! Not the rules themselves: `accounts` decides what a setting may be, `deliver` how an endpoint does, `log`
//! what is kept. There is no private way in: what the console or a command can do, this can do.
//!
//! ```text
//! listener ─▶ router ─▶ route: token ─▶ account ─▶ permission ─▶ query, body ─▶ handler ─▶ answer
//!                                 └──────────┴──────────┴────────────┴────────────┴─▶ problem
//! ```

mod health;

mod routes;

mod account;
mod activity;
mod backtest;
mod capture;
mod catalog;
mod conduct;
mod delivery;
mod dead_letter;
mod endpoint;
mod endpoint_test;
mod event;
mod explain;
mod me;
mod preview;
mod process;
mod replay;
mod rights;
mod secret;
mod stream;
mod token;

mod answer;
mod body;
mod call;
mod candidates;
mod changed;
mod delivering;
mod failure;
mod feed;
mod job;
mod pairs;
mod query;
mod route;
mod sent_body;
mod sent_request;
mod sequences;
mod stretch;

mod openapi;
mod receiving;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::Accounts;
use crate::dispatch::Dispatch;
use crate::log;
use crate::replay::{Backtests, Clearings, DryRuns};
use crate::runtime::{Clock, Tasks};
use crate::telemetry::Metrics;
use crate::web::{BodyLimits, Identify};

pub use self::health::{Health, Trouble};
pub use self::openapi::{document, document_text};
pub use self::stream::Streams;

/// What an operator may choose about the API. Plain, checked values.
#[derive(Debug, Clone)]
pub struct Options {
    /// How large the body of a request may be, and how long it may come.
    pub body: BodyLimits,
    /// How long a capture is shown.
    pub capture_age_max: Duration,
    /// Whether `/metrics` asks for the operator's token: it does off loopback.
    pub metrics_need_token: bool,
}

/// The parts that the API speaks to. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// All settings.
    pub accounts: Accounts,
    /// Everything that is kept.
    pub log: log::Handle,
    /// How endpoints do.
    pub deliver: delivering::Handle,
    /// What rights leave of events.
    pub dispatch: Dispatch,
    /// What candidate rights would change.
    pub backtests: Backtests,
    /// Dead letters that are redelivered or discarded, many at once.
    pub clearings: Clearings,
    /// What replays would send.
    pub dry_runs: DryRuns,
    /// Who pulls instead of being sent to.
    pub streams: Streams,
    /// What is counted.
    pub metrics: Metrics,
    /// Where what was asked for is done.
    pub tasks: Tasks,
    /// What time it is.
    pub clock: Clock,
    /// Whether the process is ready, and what is not well.
    pub health: Health,
    /// Who a token is.
    pub tokens: Arc<dyn Identify>,
    /// What the operator chose.
    pub options: Options,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Api").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Makes the router of the admin listener.
pub fn router(api: Api) -> axum::Router {
    route::router(Arc::new(api))
}
