#![doc = include_str!("ARCHITECTURE.md")]

pub mod accounts;
pub mod log;
pub mod model;
pub mod runtime;
pub mod security;
pub mod telemetry;
