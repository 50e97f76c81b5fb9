//! How much room the disk has, and whether that is enough.
//!
//! Not a guard thread: asking the file system costs a microsecond, so the writer asks before every batch.
//! Events stop at the reserve, commands and progress at a quarter of it: what is already taken in can
//! still be delivered, and a person can still act, on a disk that takes no more events.

use std::path::PathBuf;

use super::Error;

/// What a batch wants to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// New events or captures.
    Intake,
    /// Commands, or the progress of delivery.
    Upkeep,
}

/// Watches one file system.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    reserve_bytes: u64,
}

impl Disk {
    pub(super) const fn new(directory: PathBuf, reserve_bytes: u64) -> Self {
        Self { directory, reserve_bytes }
    }

    /// Bytes free for this process; a file system that does not say counts as roomy.
    pub(super) fn free_bytes(&self) -> u64 {
        rustix::fs::statvfs(&self.directory).map_or(u64::MAX, |answer| answer.f_bavail.saturating_mul(answer.f_frsize))
    }

    pub(super) const fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Says whether `bytes` more may be written, given what is free.
    pub(super) fn check(&self, wants: Wants, bytes: usize, free_bytes: u64) -> Result<(), Error> {
        let keep = match wants {
            Wants::Intake => self.reserve_bytes,
            Wants::Upkeep => self.reserve_bytes / 4,
        };
        let needed = keep.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if free_bytes < needed {
            return Err(Error::DiskFull { free_bytes, reserve_bytes: keep });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stop_at_the_reserve_and_upkeep_at_a_quarter_of_it() {
        let disk = Disk::new(std::env::temp_dir(), 1_000);
        assert!(disk.free_bytes() > 0);
        for (wants, bytes, free, is_fine) in [
            (Wants::Intake, 10, 1_010, true),
            (Wants::Intake, 10, 1_009, false),
            (Wants::Upkeep, 10, 1_009, true),
            (Wants::Upkeep, 10, 260, true),
            (Wants::Upkeep, 10, 259, false),
        ] {
            assert_eq!(disk.check(wants, bytes, free).is_ok(), is_fine, "{wants:?} {bytes} {free}");
        }
    }
}
