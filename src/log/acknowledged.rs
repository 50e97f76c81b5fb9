//! The side file that remembers the highest acknowledged record.
//!
//! Two slots are written in turn, each with its own checksum, after each sync and without one of their own:
//! the file may be behind the log, never ahead of it. So a log that ends below it has lost what was
//! acknowledged. Not a second copy of anything: position and chain hash are all it holds.
//!
//! ```text
//! slot: turn 8 · position 8 · chain hash 32 · checksum 4 · zeros up to 64
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::model::Position;

/// The end of a log: its last position and the chain hash there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct End {
    pub(super) position: Position,
    pub(super) chain: [u8; 32],
}

/// The open side file.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
    turn: u64,
}

impl Acknowledged {
    /// Opens or makes the file and returns what it remembers.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, End)> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(directory.join(FILE_NAME))?;
        let mut newest = None;
        for slot in 0..SLOTS {
            let mut bytes = [0; SLOT_BYTES];
            let length = read_up_to(&file, &mut bytes, slot * SLOT_BYTES as u64)?;
            let read = bytes.get(..length).and_then(decode);
            newest = newest.max_by_turn(read);
        }
        let (turn, end) = newest.unwrap_or_default();
        Ok((Self { file, turn }, end))
    }

    /// Remembers the end of the log, after it was synced.
    pub(super) fn remember(&mut self, end: End) -> io::Result<()> {
        self.turn += 1;
        self.file.write_all_at(&encode(self.turn, end), (self.turn % SLOTS) * SLOT_BYTES as u64)
    }

    /// Remembers the end of the log and waits for the disk: for a repair and a clean stop.
    pub(super) fn remember_and_sync(&mut self, end: End) -> io::Result<()> {
        self.remember(end)?;
        self.file.sync_data()
    }
}

trait MaxByTurn {
    fn max_by_turn(self, other: Self) -> Self;
}

impl MaxByTurn for Option<(u64, End)> {
    fn max_by_turn(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(two)) => Some(if two.0 > one.0 { two } else { one }),
            (one, two) => one.or(two),
        }
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    match file.read_exact_at(bytes, at) {
        Ok(()) => Ok(bytes.len()),
        Err(problem) if problem.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(problem) => Err(problem),
    }
}

fn encode(turn: u64, end: End) -> [u8; SLOT_BYTES] {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    bytes.extend_from_slice(&turn.to_be_bytes());
    bytes.extend_from_slice(&end.position.0.to_be_bytes());
    bytes.extend_from_slice(&end.chain);
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    bytes.resize(SLOT_BYTES, 0);
    bytes.try_into().expect("a slot was just filled up to its size")
}

fn decode(bytes: &[u8]) -> Option<(u64, End)> {
    let (fields, rest) = bytes.split_first_chunk::<48>()?;
    let stored = rest.first_chunk::<4>()?;
    if crc32c::crc32c(fields).to_be_bytes() != *stored {
        return None;
    }
    let (turn, rest) = fields.split_first_chunk::<8>()?;
    let (position, chain) = rest.split_first_chunk::<8>()?;
    let end = End { position: Position(u64::from_be_bytes(*position)), chain: chain.try_into().ok()? };
    Some((u64::from_be_bytes(*turn), end))
}

const FILE_NAME: &str = "acknowledged";
const SLOT_BYTES: usize = 64;
const SLOTS: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn end(position: u64) -> End {
        End { position: Position(position), chain: [u8::try_from(position).unwrap_or(0); 32] }
    }

    #[test]
    fn the_newest_whole_slot_counts() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, first) = Acknowledged::open(directory.path()).unwrap();
        assert_eq!(first, End::default());
        for position in 1..=5 {
            file.remember(end(position)).unwrap();
            assert_eq!(Acknowledged::open(directory.path()).unwrap().1, end(position));
        }
        // A crash while the sixth was being written leaves the fifth.
        let torn = encode(6, end(6));
        file.file.write_all_at(&torn[..20], 0).unwrap();
        assert_eq!(Acknowledged::open(directory.path()).unwrap().1, end(5));
    }
}
