//! How many events of each type there were, and when: kept in memory, written down now and then.
//!
//! Not an index: one row holds all of it, as of a position. A start counts what came behind that position, so nothing
//! is counted twice and nothing is missed; retention takes events, never counts.

use super::Error;
use super::keys::{self, Family};
use super::start::decode_record;
use super::store::{Batch, Store};
use crate::model::codec::{Reader, Writer};
use crate::model::{CodecError, Kind, Position, Record, Timestamp, TypeNumber};

/// What is known of the events of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeCount {
    /// How many there were.
    pub count: u64,
    /// When the first was taken in.
    pub first_at: Timestamp,
    /// When the last was taken in.
    pub last_at: Timestamp,
}

/// The counts of all types as of a position.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TypeCounts {
    /// By number; those of number 0 are of types beyond the last number.
    counts: Vec<Option<TypeCount>>,
    /// The last record that was looked at.
    counted_to: Position,
    /// Up to where they were written down.
    written_to: Position,
}

impl TypeCounts {
    /// Reads the counts and adds what came behind them.
    pub(super) fn open(store: &Store) -> Result<Self, Error> {
        let mut counts = match store.get(Family::Meta, keys::meta::TYPE_COUNTS)? {
            Some(value) => Self::decode(&value)
                .map_err(|problem| Error::Inconsistent(format!("the counts of types cannot be read: {problem}")))?,
            None => Self::default(),
        };
        let from = counts.counted_to.next().max(store.low_water_mark());
        for row in store.scan(Family::Records, &keys::record(from), None) {
            let (key, value) = row?;
            counts.add(&decode_record(&key, Vec::from(value))?);
        }
        Ok(counts)
    }

    pub(super) fn get(&self, number: TypeNumber) -> Option<TypeCount> {
        self.counts.get(usize::from(number.0)).copied().flatten()
    }

    /// Takes the next record of the log.
    pub(super) fn add(&mut self, record: &Record) {
        self.counted_to = record.position;
        if record.header.kind != Kind::Event {
            return;
        }
        let (at, index) = (record.header.recorded_at, usize::from(record.header.type_number.0));
        if self.counts.len() <= index {
            self.counts.resize(index + 1, None);
        }
        if let Some(count) = self.counts.get_mut(index) {
            let before = count.unwrap_or(TypeCount { count: 0, first_at: at, last_at: at });
            *count = Some(TypeCount { count: before.count + 1, last_at: at, ..before });
        }
    }

    /// Writes them down, where enough came since the last time; a start counts the rest.
    pub(super) fn write_if_due(&mut self, batch: &mut Batch<'_>) {
        if self.counted_to.0 - self.written_to.0 >= WRITTEN_EVERY {
            self.write(batch);
        }
    }

    /// Writes them down.
    pub(super) fn write(&mut self, batch: &mut Batch<'_>) {
        self.written_to = self.counted_to;
        batch.put(Family::Meta, keys::meta::TYPE_COUNTS, self.encode());
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(8 + self.counts.len() * 26);
        writer.fixed(self.counted_to.0.to_be_bytes());
        for (number, count) in self.counts.iter().enumerate() {
            let Some(TypeCount { count, first_at, last_at }) = count else { continue };
            writer.fixed(u16::try_from(number).expect("types have numbers of two bytes").to_be_bytes());
            writer.fixed(count.to_be_bytes());
            writer.fixed(first_at.0.to_be_bytes());
            writer.fixed(last_at.0.to_be_bytes());
        }
        writer.finish().to_vec()
    }

    fn decode(value: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes::Bytes::copy_from_slice(value));
        let counted_to = Position(reader.fixed().map(u64::from_be_bytes)?);
        let mut counts = Vec::new();
        while !reader.is_at_end() {
            let index = usize::from(reader.fixed().map(u16::from_be_bytes)?);
            let count = TypeCount {
                count: reader.fixed().map(u64::from_be_bytes)?,
                first_at: Timestamp(reader.fixed().map(i64::from_be_bytes)?),
                last_at: Timestamp(reader.fixed().map(i64::from_be_bytes)?),
            };
            if counts.len() <= index {
                counts.resize(index + 1, None);
            }
            if let Some(place) = counts.get_mut(index) {
                *place = Some(count);
            }
        }
        Ok(Self { counts, counted_to, written_to: counted_to })
    }
}

/// Records between two times that counts are written down: a start after a kill counts so many anew.
const WRITTEN_EVERY: u64 = 16_384;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_down_is_read_back(
            counts in prop::collection::vec(prop::option::of((any::<u64>(), any::<i64>(), any::<i64>())), 0..40),
            position: u64,
        ) {
            let mut counts: Vec<_> = counts
                .into_iter()
                .map(|count| count.map(|(count, first, last)| TypeCount {
                    count, first_at: Timestamp(first), last_at: Timestamp(last),
                }))
                .collect();
            while counts.last().is_some_and(Option::is_none) {
                counts.pop();
            }
            let written = TypeCounts { counts, counted_to: Position(position), written_to: Position(position) };
            prop_assert_eq!(TypeCounts::decode(&written.encode()).unwrap(), written);
        }
    }
}
