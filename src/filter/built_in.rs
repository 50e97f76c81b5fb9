//! The components that hooklog brings along, as `build.rs` made them from `filters/`.
//!
//! Not trusted more than others: they run in the same sandbox with the same limits.

/// Rights: withholds, masks and pseudonymizes by a decision table.
pub const BUILT_IN_RIGHTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rights.wasm"));
