//! Which boot of the machine this is.
//!
//! Not a process id: what was written without a sync survives within one boot, whatever happens to the process.

use super::Random;

/// Returns 16 bytes that stay the same until the machine boots again.
///
/// A machine that does not tell counts as booted anew each time: the safe answer.
#[must_use]
pub fn boot_id(random: &mut Random) -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    uuid::Uuid::try_parse(text.trim()).map_or_else(|_| random.bytes(), uuid::Uuid::into_bytes)
}
