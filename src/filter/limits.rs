//! What a filter may use: the numbers an operator chooses, and those that are the same everywhere.
//!
//! Not the settings: defaults and bounds stand there. The author's tools and the server print the same
//! numbers, because both print these.

use std::time::Duration;

/// What one filter may use. Checked values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for one event (or one start, description or configuration), before its bytes are counted.
    pub fuel_per_event: u64,
    /// Fuel that each byte of a payload (or of a configuration) adds.
    pub fuel_per_byte: u64,
    /// Bytes of a filter's memory, in whole pages of 64 KiB.
    pub memory_bytes_max: usize,
    /// Bytes of a text that a filter hands out: a payload, a reason, a line for the log.
    pub output_bytes_max: usize,
    /// Bytes of a component.
    pub component_bytes_max: usize,
    /// Bytes of a configuration.
    pub configuration_bytes_max: usize,
    /// The safety net: after so long a call is given up and tried again elsewhere.
    pub wall_per_call: Duration,
}

impl Limits {
    /// Returns the fuel for a text of so many bytes.
    #[must_use]
    pub fn fuel(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.fuel_per_event.saturating_add(self.fuel_per_byte.saturating_mul(bytes))
    }
}

/// Bytes of log that are kept of one event.
pub const LOG_BYTES_MAX: usize = 4 * 1024;
/// Bytes of the name that a filter gives itself.
pub const ABOUT_NAME_BYTES_MAX: usize = 128;
/// Bytes of the version that a filter gives itself.
pub const ABOUT_VERSION_BYTES_MAX: usize = 64;
/// Bytes of the schema of a filter's configuration.
pub const ABOUT_SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the code of a reason to drop an event.
pub const REASON_BYTES_MAX: usize = 64;
/// Bytes of words (of a reason, of a refusal) that are kept; more are cut off.
pub const WORDS_BYTES_MAX: usize = 512;
/// How often an event is tried that the safety net cut off, before that is a fault.
pub const TRIES_MAX: u32 = 3;

/// Bytes of a thread's stack that a filter may use.
pub(super) const STACK_BYTES_MAX: usize = 512 * 1024;
/// Bytes of the stack of a thread that runs filters. A guest that meets its limit on a thread with less room than
/// that would end the process.
pub(super) const THREAD_STACK_BYTES: usize = 8 * 1024 * 1024;
/// Core instances of one component: what bindings generators make of one module, and room for adapters.
pub(super) const CORE_INSTANCES_MAX: u32 = 16;
/// Tables of one component.
pub(super) const TABLES_MAX: u32 = 8;
/// Elements of one table. Interpreters of JavaScript and Python need many thousands.
pub(super) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Memories of one component: with one, the limit of a memory is the limit of all.
pub(super) const MEMORIES_MAX: u32 = 1;
/// Bytes of a page of memory.
pub(super) const PAGE_BYTES: usize = 64 * 1024;
/// Fuel of one call of `log`, before its bytes are counted one for one: host time is not free either.
pub(super) const LOG_CALL_FUEL: u64 = 100;

/// Cuts words for people to a length that can be kept, and takes control characters out.
pub(super) fn cut_words(words: &str) -> String {
    let mut cut = String::new();
    for character in words.trim().chars() {
        if cut.len() + character.len_utf8() > WORDS_BYTES_MAX {
            break;
        }
        cut.push(if character.is_control() { ' ' } else { character });
    }
    cut
}
