#![doc = include_str!("ARCHITECTURE.md")]

pub mod log;
pub mod model;
pub mod runtime;
pub mod telemetry;
