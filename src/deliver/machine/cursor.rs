//! How far a course has got: a low-water mark, and which offsets above it are settled.
//!
//! Not the ledger: it knows that an event is settled, not how. All offsets up to the mark are settled, the
//! one above it never is, and nothing beyond [`SPAN`] above it is.
//!
//! On disk: mark (8) · form (1) · length (4) and bytes. Form 0 is runs, two bytes each, one less than their
//! length, unsettled and settled in turns, from the offset above the mark; form 1 is the bits as they are,
//! lowest first. The shorter one is written.

use std::collections::VecDeque;

use crate::model::codec::{Reader, Writer};
use crate::model::limits::OFFSET_MAX;
use crate::model::{CodecError, Offset};

/// How many offsets above the mark may be settled before it.
pub const SPAN: u64 = 65_536;

/// A low-water mark and a bitmap of what is settled above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    low: u64,
    /// The offset of the lowest bit of the first word: a multiple of 64, at most `low + 1`.
    base: u64,
    /// Empty where nothing above the mark is settled.
    words: VecDeque<u64>,
    settled_above: u32,
}

impl Cursor {
    /// Makes a cursor at which everything up to `low` is settled, and nothing above.
    #[must_use]
    pub const fn at(low: Offset) -> Self {
        Self { low: low.0, base: base_of(low.0), words: VecDeque::new(), settled_above: 0 }
    }

    /// Returns the mark: every offset up to it is settled.
    #[must_use]
    pub const fn low(&self) -> Offset {
        Offset(self.low)
    }

    /// Returns the highest offset that may be settled now.
    #[must_use]
    pub const fn limit(&self) -> Offset {
        Offset(self.low.saturating_add(SPAN))
    }

    /// Returns how many offsets above the mark are settled.
    #[must_use]
    pub const fn settled_above(&self) -> u32 {
        self.settled_above
    }

    /// Returns the highest settled offset.
    #[must_use]
    pub fn highest(&self) -> Offset {
        let word = self.words.iter().rposition(|word| *word != 0);
        let highest = word.and_then(|index| Some((index, self.words.get(index)?))).map(|(index, word)| {
            self.base + 64 * u64::try_from(index).unwrap_or(0) + u64::from(63 - word.leading_zeros())
        });
        Offset(highest.unwrap_or(self.low))
    }

    /// Returns whether an offset is settled.
    #[must_use]
    pub fn is_settled(&self, offset: Offset) -> bool {
        if offset.0 <= self.low {
            return true;
        }
        let (index, bit) = self.place(offset.0);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }

    /// Marks an offset as settled and returns whether it was not before.
    ///
    /// # Panics
    /// Beyond [`Cursor::limit`]: whoever reads on must ask first.
    pub fn settle(&mut self, offset: Offset) -> bool {
        if self.is_settled(offset) {
            return false;
        }
        assert!(offset <= self.limit(), "offset {offset} is too far above the mark {}", self.low);
        if self.settled_above == 0 && offset.0 == self.low + 1 {
            self.low = offset.0;
            self.base = base_of(self.low);
            return true;
        }
        let (index, bit) = self.place(offset.0);
        if self.words.len() <= index {
            self.words.resize(index + 1, 0);
        }
        if let Some(word) = self.words.get_mut(index) {
            *word |= bit;
        }
        self.settled_above += 1;
        if offset.0 == self.low + 1 {
            self.raise();
        }
        true
    }

    /// Settles everything up to an offset and returns how many offsets were not settled before.
    pub(super) fn settle_to(&mut self, to: Offset) -> u64 {
        if to.0 <= self.low {
            return 0;
        }
        let highest = self.highest();
        let settled = (self.low + 1..=highest.0.min(to.0)).filter(|offset| self.is_settled(Offset(*offset))).count();
        let new = to.0 - self.low - u64::try_from(settled).unwrap_or(0);
        let mut cursor = Self::at(to);
        for offset in (to.0 + 1..=highest.0).map(Offset).filter(|offset| self.is_settled(*offset)) {
            cursor.settle(offset);
        }
        *self = cursor;
        new
    }

    /// Moves the mark over what is settled right above it.
    fn raise(&mut self) {
        while let Some(first) = self.words.front() {
            let skipped = self.low + 1 - self.base;
            let run = (first >> skipped).trailing_ones();
            self.low += u64::from(run);
            self.settled_above -= run;
            if self.low + 1 - self.base < 64 {
                break;
            }
            self.words.pop_front();
            self.base += 64;
        }
        if self.settled_above == 0 {
            self.words.clear();
            self.base = base_of(self.low);
        }
    }

    /// Gives back memory that a long gap has left.
    pub(super) fn trim(&mut self) {
        self.words.shrink_to_fit();
    }

    /// The index of an offset's word and its bit in it, for an offset not below the base.
    fn place(&self, offset: u64) -> (usize, u64) {
        let distance = offset - self.base;
        (usize::try_from(distance / 64).unwrap_or(usize::MAX), 1 << (distance % 64))
    }

    /// The lengths of the unsettled and settled runs above the mark, in turns, up to the highest settled one.
    fn runs(&self) -> Vec<u16> {
        let end = self.highest().0;
        let mut runs = Vec::new();
        let mut at = self.low + 1;
        let mut is_settled_run = false;
        while at <= end {
            let start = at;
            while at <= end && self.is_settled(Offset(at)) == is_settled_run {
                // A whole word of one kind is one step.
                let (index, bit) = self.place(at);
                let whole = if is_settled_run { u64::MAX } else { 0 };
                let is_whole = bit == 1 && at + 63 <= end && self.words.get(index) == Some(&whole);
                at += if is_whole { 64 } else { 1 };
            }
            runs.push(u16::try_from(at - start - 1).expect("a run lies within the span"));
            is_settled_run = !is_settled_run;
        }
        runs
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.fixed(self.low.to_be_bytes());
        let runs = self.runs();
        let is_bits = runs.len() * 2 > self.words.len() * 8;
        let mut bytes = Vec::with_capacity(runs.len() * 2);
        if is_bits {
            self.words.iter().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
        } else {
            runs.iter().for_each(|run| bytes.extend_from_slice(&run.to_be_bytes()));
        }
        writer.fixed([if is_bits { FORM_BITS } else { FORM_RUNS }]);
        writer.long(&bytes);
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, CodecError> {
        let low = u64::from_be_bytes(reader.fixed()?);
        if low > OFFSET_MAX {
            return Err(CodecError::Unknown(u32::MAX));
        }
        let mut cursor = Self::at(Offset(low));
        let form = reader.u8()?;
        let bytes = reader.long()?;
        match form {
            FORM_RUNS => cursor.settle_runs(&bytes)?,
            FORM_BITS => cursor.settle_bits(&bytes)?,
            unknown => return Err(CodecError::Unknown(u32::from(unknown))),
        }
        // The offset above the mark is never settled: what says so is not what we wrote.
        if cursor.low == low { Ok(cursor) } else { Err(CodecError::TooLong(1)) }
    }

    fn settle_runs(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        let (runs, []) = bytes.as_chunks::<2>() else { return Err(CodecError::TooShort) };
        let mut next = self.low + 1;
        for (index, run) in runs.iter().enumerate() {
            let end = next + u64::from(u16::from_be_bytes(*run)) + 1;
            if end > self.limit().0 + 1 {
                return Err(CodecError::TooLong(runs.len()));
            }
            if index % 2 == 1 {
                for offset in next..end {
                    self.settle(Offset(offset));
                }
            }
            next = end;
        }
        Ok(())
    }

    fn settle_bits(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        let (words, []) = bytes.as_chunks::<8>() else { return Err(CodecError::TooShort) };
        let base = self.base;
        for (index, word) in (0_u64..).zip(words) {
            let word = u64::from_be_bytes(*word);
            for bit in (0..64).filter(|bit| word >> bit & 1 == 1) {
                let offset = base + 64 * index + bit;
                if offset > self.limit().0 {
                    return Err(CodecError::TooLong(words.len()));
                }
                self.settle(Offset(offset));
            }
        }
        Ok(())
    }
}

const fn base_of(low: u64) -> u64 {
    (low + 1) & !63
}

const FORM_RUNS: u8 = 0;
const FORM_BITS: u8 = 1;

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_cursor() -> impl Strategy<Value = Cursor> {
        let sparse = proptest::collection::vec(2..SPAN, 0..200);
        let dense = (2..2000_u64).prop_map(|end| (2..end).filter(|offset| offset % 2 == 0).collect());
        let solid = (2..60_000_u64).prop_map(|end| (2..=end).collect());
        (0..1_000_000_u64, prop_oneof![sparse, dense, solid]).prop_map(|(low, above): (u64, Vec<u64>)| {
            let mut cursor = Cursor::at(Offset(low));
            for distance in above {
                cursor.settle(Offset(low + distance));
            }
            cursor
        })
    }

    fn round_trip(cursor: &Cursor) -> (usize, Result<Cursor, CodecError>) {
        let mut writer = Writer::default();
        cursor.encode(&mut writer);
        let bytes = writer.finish();
        let size = bytes.len();
        let mut reader = Reader::new(bytes);
        let read = Cursor::decode(&mut reader);
        (size, read.and_then(|read| reader.end().map(|()| read)))
    }

    proptest! {
        #[test]
        fn it_settles_what_a_set_settles(start in 0..200_u64, steps in proptest::collection::vec(1..400_u64, 0..400)) {
            let mut cursor = Cursor::at(Offset(start));
            let mut set = BTreeSet::new();
            for step in steps {
                let is_new = start + step > cursor.low().0 && set.insert(start + step);
                prop_assert_eq!(cursor.settle(Offset(start + step)), is_new);
                let low = (start + 1..).find(|offset| !set.contains(offset)).expect("the set is finite") - 1;
                prop_assert_eq!(cursor.low(), Offset(low));
                prop_assert_eq!(cursor.settled_above() as usize, set.range(low + 1..).count());
                prop_assert_eq!(cursor.highest().0, set.last().copied().unwrap_or(start).max(low));
                for offset in start..start + 400 {
                    prop_assert_eq!(cursor.is_settled(Offset(offset)), offset <= low || set.contains(&offset));
                }
            }
        }

        #[test]
        fn everything_up_to_an_offset_is_settled_at_once(cursor in any_cursor(), beyond in 0..70_000_u64) {
            let to = Offset(cursor.low().0 + beyond);
            let mut at_once = cursor.clone();
            let new = at_once.settle_to(to);
            let mut one_by_one = cursor.clone();
            let unsettled = (cursor.low().0 + 1..=to.0).map(Offset).filter(|offset| !cursor.is_settled(*offset));
            prop_assert_eq!(new, unsettled.clone().count() as u64);
            if beyond <= SPAN {
                unsettled.for_each(|offset| assert!(one_by_one.settle(offset)));
                prop_assert_eq!((at_once.low(), at_once.runs()), (one_by_one.low(), one_by_one.runs()));
            } else {
                prop_assert!(at_once.low() >= to);
            }
        }

        #[test]
        fn what_is_written_is_read_back(cursor in any_cursor()) {
            let (size, read) = round_trip(&cursor);
            prop_assert_eq!(read, Ok(cursor));
            prop_assert!(size <= 8 + 1 + 4 + 8 * 1025, "{size} bytes");
        }

        #[test]
        fn nothing_read_makes_it_panic(
            low in 0..1000_u64, form in 0..3_u8, noise in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut writer = Writer::default();
            writer.fixed(low.to_be_bytes());
            writer.fixed([form]);
            writer.long(&noise);
            let read = Cursor::decode(&mut Reader::new(writer.finish()));
            prop_assert!(read.is_err() || read.is_ok_and(|cursor| cursor.low() == Offset(low)));
        }
    }

    #[test]
    fn the_longest_gap_is_a_few_bytes_on_disk() {
        let mut cursor = Cursor::at(Offset(7));
        (9..=7 + SPAN).for_each(|offset| assert!(cursor.settle(Offset(offset))));
        assert_eq!(cursor.settled_above(), 65_535);
        let (size, read) = round_trip(&cursor);
        assert_eq!(size, 8 + 1 + 4 + 4);
        assert_eq!(read.as_ref(), Ok(&cursor));
        assert!(cursor.settle(Offset(8)));
        assert_eq!((cursor.low(), cursor.settled_above()), (Offset(7 + SPAN), 0));
    }

    #[test]
    #[should_panic(expected = "too far above the mark")]
    fn nothing_beyond_the_span_can_be_settled() {
        Cursor::at(Offset(7)).settle(Offset(7 + SPAN + 1));
    }
}
