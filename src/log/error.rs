//! What can go wrong with the log.
//!
//! A variant exists because some caller acts differently on it; the rest is a field.

use std::path::PathBuf;

use crate::model::{AccountId, Offset, Position, RecordError};

/// Why the log could not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The queue in front of the writer is full; try again soon.
    #[error("cannot take {asked_bytes} bytes in: the queue holds at most {limit_bytes}")]
    QueueFull {
        /// Bytes that were asked for.
        asked_bytes: usize,
        /// Bytes that may wait at once.
        limit_bytes: usize,
    },
    /// The disk is filled up to the reserve; room again means service again.
    #[error("cannot append: {free_bytes} bytes are free on the disk and {reserve_bytes} are kept in reserve")]
    DiskFull {
        /// Bytes free on the file system.
        free_bytes: u64,
        /// Bytes that are kept free.
        reserve_bytes: u64,
    },
    /// A write or sync failed earlier: nothing is acknowledged any more, the process must end.
    #[error("cannot append: an earlier write failed ({problem})")]
    Poisoned {
        /// What the store said then.
        problem: String,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// Another process has the data directory open.
    #[error("the data directory {} is held by another process; stop it, or give --data another directory", .directory.display())]
    Locked {
        /// The data directory.
        directory: PathBuf,
    },
    /// Records that were acknowledged are not there.
    #[error(
        "the log ends at position {found} but position {acknowledged} was acknowledged: {} acknowledged records are \
         lost; `hooklog log repair` shows what can be done",
        .acknowledged.0.saturating_sub(.found.0)
    )]
    LostRecords {
        /// The highest acknowledged position.
        acknowledged: Position,
        /// The highest position that is there.
        found: Position,
    },
    /// The log is not the one whose records were acknowledged.
    #[error(
        "the record at position {at} is not the one that was acknowledged there; `hooklog log verify` finds out more"
    )]
    OtherLog {
        /// The position of the side file.
        at: Position,
    },
    /// The store was written by a newer program.
    #[error("the store has format {found}, this program reads up to {known}; use a newer hooklog")]
    NewerFormat {
        /// The store's format.
        found: u32,
        /// The newest format this program reads.
        known: u32,
    },
    /// A record cannot be read.
    #[error("the record at position {at} is damaged: {problem}; `hooklog log verify` finds out more")]
    Corrupt {
        /// Its position.
        at: Position,
        /// What is wrong with it.
        problem: RecordError,
    },
    /// An index points to nothing, or a row has the wrong form.
    #[error("the store is inconsistent: {0}; `hooklog log verify` finds out more")]
    Inconsistent(String),
    /// What was asked for is older than the oldest kept.
    #[error("offset {asked} of account {account} is gone: the oldest kept is {oldest}")]
    Expired {
        /// Whose log.
        account: AccountId,
        /// What was asked for.
        asked: Offset,
        /// The oldest offset that is kept.
        oldest: Offset,
    },
    /// The store answered with an error.
    #[error("the store failed while {doing}: {problem}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What the store said.
        problem: String,
    },
}

impl Error {
    pub(super) fn store(doing: &'static str, problem: &impl ToString) -> Self {
        Self::Store { doing, problem: problem.to_string() }
    }
}
