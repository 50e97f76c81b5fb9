//! Every metric's name, and how logs are set up.
//!
//! No metric carries an account or an endpoint: ten thousand of them would drown the reader. What concerns
//! one of them is answered by the API.

mod logs;
mod metrics;

pub use logs::{LogFormat, set_up_logs};
pub use metrics::{
    ApiMetrics, CodeLabel, DeliverMetrics, FilterMetrics, IngestMetrics, LogMetrics, Metrics, OutcomeLabel,
};
