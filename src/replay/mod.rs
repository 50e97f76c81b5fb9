//! Work over the past: a stretch of the log, or what was given up, is gone through once more.
//!
//! A replay that delivers is a course of delivery's own machine and not here. A dry run tells what one would send. A
//! backtest compares what candidate rights would leave of each event with what the present ones leave, and sends
//! nothing. A clearing has dead letters redelivered or discarded, many at once.

mod jobs;
mod backtest;
mod comparison;
mod clearing;
mod dry_run;

pub use backtest::{Backtest, BacktestProgress, Backtests, ComparedSoFar, Parts, Plan};
pub use clearing::{Cleared, Clearing, ClearingParts, ClearingPlan, Clearings, Letters};
pub use comparison::{Comparison, FieldChange, Sample, TypeCounts};
pub use dry_run::{DryProgress, DryRunParts, DryRuns};
pub use jobs::{Job, Progress, TooMany};
