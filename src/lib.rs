//! hooklog: see `ARCHITECTURE.md`.
#![doc = include_str!("ARCHITECTURE.md")]

pub mod model;
pub mod runtime;
