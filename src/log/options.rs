//! The checked values that a log is opened with.
//!
//! Defaults and their reasons stand in `settings`.

use std::path::PathBuf;
use std::time::Duration;

/// What a log needs to know to be opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory; the store is in `log/` below it.
    pub directory: PathBuf,
    /// What has to have happened before an append is acknowledged.
    pub durability: Durability,
    /// Bytes that may wait for the writer at once; beyond them events are refused.
    pub queue_bytes_max: usize,
    /// Bytes of the newest records that are kept in memory for whoever follows.
    pub tail_bytes_max: usize,
    /// Bytes of one write buffer budget over all families.
    pub write_buffer_bytes: usize,
    /// Bytes of one block cache over all families.
    pub cache_bytes: usize,
    /// Bytes that stay free on the disk: below them events are refused.
    pub disk_reserve_bytes: u64,
    /// How long and how much is kept.
    pub retention: Retention,
}

/// What has to have happened before an append is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The disk has it: survives a power cut.
    Fsync,
    /// The operating system has it: survives the end of the process, not that of the machine.
    Os,
}

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// An event older than this goes, delivered or not.
    pub max_age: Duration,
    /// Beyond so many bytes of records the oldest go, unless somebody still needs them.
    pub max_bytes: Option<u64>,
    /// Beyond so many bytes the oldest go even if somebody still needs them.
    pub hard_max_bytes: Option<u64>,
}
