//! The newest records, kept in memory and shared: live delivery reads no disk.
//!
//! Not the log: whoever asks for something older is told so and reads the store. Positions in here have no
//! holes; the oldest records leave when the bytes exceed the budget.

use std::collections::VecDeque;
use std::sync::RwLock;

use crate::model::{Header, Position, Record};

/// The newest records.
#[derive(Debug)]
pub(super) struct Tail {
    bytes_max: usize,
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Record>,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: RwLock::default() }
    }

    /// Takes records that follow on those already kept.
    pub(super) fn push(&self, records: impl Iterator<Item = Record>) {
        let mut guard = self.kept.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = &mut *guard;
        for record in records {
            debug_assert!(kept.records.back().is_none_or(|last| last.position.next() == record.position));
            kept.bytes += weight(&record);
            kept.records.push_back(record);
        }
        while kept.bytes > self.bytes_max
            && let Some(oldest) = kept.records.pop_front()
        {
            kept.bytes -= weight(&oldest);
        }
    }

    /// Puts a record in the place of the one at its position, where that is kept.
    pub(super) fn replace(&self, record: Record) {
        let mut guard = self.kept.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = &mut *guard;
        let first = kept.records.front().map_or(record.position, |first| first.position);
        let index = record.position.0.checked_sub(first.0).and_then(|index| usize::try_from(index).ok());
        if let Some(place) = index.and_then(|index| kept.records.get_mut(index)) {
            kept.bytes = kept.bytes - weight(place) + weight(&record);
            *place = record;
        }
    }

    /// Returns records from `from` on, until `bytes_max` or the end is reached.
    ///
    /// `None` where `from` is older than what is kept.
    pub(super) fn read(&self, from: Position, bytes_max: usize) -> Option<Vec<Record>> {
        let kept = self.kept.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let first = kept.records.front()?.position;
        let skip = usize::try_from(from.0.checked_sub(first.0)?).ok()?;
        let mut bytes = 0;
        let read = kept
            .records
            .range(skip.min(kept.records.len())..)
            .take_while(|record| {
                let is_first = bytes == 0;
                bytes += weight(record);
                is_first || bytes <= bytes_max
            })
            .cloned()
            .collect();
        Some(read)
    }

    /// Returns the record at a position, where it is kept.
    pub(super) fn get(&self, position: Position) -> Option<Record> {
        let kept = self.kept.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let first = kept.records.front()?.position;
        kept.records.get(usize::try_from(position.0.checked_sub(first.0)?).ok()?).cloned()
    }
}

fn weight(record: &Record) -> usize {
    Header::BYTES + record.payload.len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{AccountId, Kind, Offset, Timestamp, TypeNumber};

    fn record(position: u64) -> Record {
        let header = Header {
            kind: Kind::Event,
            flags: 0,
            partition: 0,
            type_number: TypeNumber(1),
            account: AccountId(1),
            key_id: 0,
            offset: Offset(position),
            recorded_at: Timestamp(0),
            commitment: [0; 32],
            previous: [0; 32],
        };
        Record { position: Position(position), header, payload: Bytes::from(vec![0; 96]) }
    }

    fn positions(records: Option<Vec<Record>>) -> Option<Vec<u64>> {
        records.map(|records| records.iter().map(|record| record.position.0).collect())
    }

    #[test]
    fn the_oldest_leave_and_readers_are_told() {
        let tail = Tail::new(1_000);
        assert_eq!(tail.read(Position(1), 1_000), None, "an empty tail knows nothing");
        tail.push((1..=7).map(record));
        assert_eq!(positions(tail.read(Position(3), 10_000)), Some(vec![3, 4, 5, 6, 7]), "five of 200 bytes fit");
        assert_eq!(tail.read(Position(2), 10_000), None);
        assert_eq!(positions(tail.read(Position(4), 400)), Some(vec![4, 5]));
        assert_eq!(positions(tail.read(Position(4), 1)), Some(vec![4]), "at least one, however large");
        assert_eq!(positions(tail.read(Position(8), 400)), Some(vec![]), "the end is no hole");
        assert_eq!(tail.get(Position(7)).map(|record| record.position), Some(Position(7)));
        assert_eq!(tail.get(Position(2)), None);
        assert_eq!(tail.get(Position(8)), None);
    }
}
