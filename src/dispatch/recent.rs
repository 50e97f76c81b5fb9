//! Records that were just decided and will soon be sent: read once from the disk, not twice.
//!
//! Not the log's tail: that holds the newest. Bounded by bytes; the oldest to come in leaves first.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::model::{AccountId, Offset, Record};

#[derive(Debug)]
pub(super) struct Recent {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// In the order in which they came in: written and let go one behind the other.
    records: VecDeque<Record>,
    /// How many have left.
    left: usize,
    /// Which of all that ever came in a record is.
    numbers: HashMap<(AccountId, Offset), usize>,
    bytes: usize,
}

impl Recent {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// Remembers records; one that is there stays as it is, since events never change.
    pub(super) fn put(&self, records: impl IntoIterator<Item = Record>) {
        let mut guard = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        records.into_iter().for_each(|record| guard.put(record, self.bytes_max));
    }

    pub(super) fn get(&self, account: AccountId, offset: Offset) -> Option<Record> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let number = kept.numbers.get(&(account, offset))?;
        kept.records.get(number - kept.left).cloned()
    }
}

impl Kept {
    fn put(&mut self, record: Record, bytes_max: usize) {
        let Entry::Vacant(place) = self.numbers.entry(key(&record)) else { return };
        place.insert(self.left + self.records.len());
        self.bytes += weight(&record);
        self.records.push_back(record);
        while self.bytes > bytes_max
            && let Some(oldest) = self.records.pop_front()
        {
            self.left += 1;
            self.numbers.remove(&key(&oldest));
            self.bytes -= weight(&oldest);
        }
    }
}

const fn key(record: &Record) -> (AccountId, Offset) {
    (record.header.account, record.header.offset)
}

fn weight(record: &Record) -> usize {
    record.payload.len() + 256
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{Header, Kind, Position, Timestamp, TypeNumber};

    fn record(offset: u64) -> Record {
        let header = Header {
            kind: Kind::Event,
            flags: 0,
            partition: 0,
            type_number: TypeNumber(1),
            account: AccountId(1),
            key_id: 0,
            offset: Offset(offset),
            recorded_at: Timestamp(0),
            commitment: [0; 32],
            previous: [0; 32],
        };
        Record { position: Position(offset), header, payload: Bytes::from(vec![0; 744]) }
    }

    #[test]
    fn the_oldest_leave_when_the_bytes_are_used_up() {
        let recent = Recent::new(3_000);
        recent.put((1..=4).map(record));
        recent.put([record(5), record(5), record(4)]);
        let there: Vec<u64> = (1..=5).filter(|offset| recent.get(AccountId(1), Offset(*offset)).is_some()).collect();
        assert_eq!(there, [3, 4, 5]);
        assert_eq!(recent.get(AccountId(1), Offset(4)).map(|record| record.position), Some(Position(4)));
        assert_eq!(recent.kept.lock().unwrap().bytes, 3_000);
    }
}
