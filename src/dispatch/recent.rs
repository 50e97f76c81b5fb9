//! Records that were just decided and will soon be sent: read once from the disk, not twice.
//!
//! Not the log's tail: that holds the newest. Bounded by bytes; the oldest to come in leaves first.

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
    records: HashMap<(AccountId, Offset), Record>,
    order: VecDeque<(AccountId, Offset)>,
    bytes: usize,
}

impl Recent {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    pub(super) fn put(&self, record: Record) {
        let mut guard = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *guard;
        let key = (record.header.account, record.header.offset);
        let bytes = weight(&record);
        if kept.records.insert(key, record).is_some() {
            return;
        }
        kept.order.push_back(key);
        kept.bytes += bytes;
        while kept.bytes > self.bytes_max
            && let Some(oldest) = kept.order.pop_front()
        {
            if let Some(record) = kept.records.remove(&oldest) {
                kept.bytes -= weight(&record);
            }
        }
    }

    pub(super) fn get(&self, account: AccountId, offset: Offset) -> Option<Record> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.get(&(account, offset)).cloned()
    }
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
        (1..=5).for_each(|offset| recent.put(record(offset)));
        recent.put(record(5));
        let there: Vec<u64> = (1..=5).filter(|offset| recent.get(AccountId(1), Offset(*offset)).is_some()).collect();
        assert_eq!(there, [3, 4, 5]);
        assert_eq!(recent.kept.lock().unwrap().bytes, 3_000);
    }
}
