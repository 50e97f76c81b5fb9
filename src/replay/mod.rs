//! Work over the past: a stretch of the log is gone through once more, and nothing is sent.
//!
//! A replay that delivers is a course of delivery's own machine and not here. A backtest compares what candidate rights
//! would leave of each event with what the present ones leave.

mod backtest;
mod comparison;

pub use backtest::{Backtest, Backtests, Parts, Plan, Progress, TooMany};
pub use comparison::{Comparison, FieldChange, Sample, TypeCounts};
