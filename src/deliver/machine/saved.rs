//! What is written down of an endpoint's machine, in place of what was written before.
//!
//! Not the sequence rows and not the list of a replay's given-up events: those are added to, in the same
//! batch. A machine started from it goes on as if nothing had been, but may send again what was in flight or
//! settled since.
//!
//! Layout 7: layout (1) · boot (16) · since: offset (8), time (8), number (8) · numbers: next, ceiling, floor
//! (8 each) · moves (8) · whether it is in trouble (1) · listed from (8) · live course · whether there is a
//! replay (1), and then: job, from, to (8 each), course. A course: tally (7 × 8) · cursor · number of retries (4),
//! each offset (8), attempts (4), refusals (4), due (8).

use bytes::Bytes;

use crate::model::codec::{Reader, Writer};
use crate::model::{CodecError, Offset, Sequence, Timestamp};

use super::cursor::Cursor;
use super::input::ReplayId;
use super::ledger::{Since, Tally};
use super::sequence::SavedSequences;

/// Which boot of the machine this is: what was in the page cache survives within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot(pub [u8; 16]);

/// The durable state of an endpoint's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The boot in which it was written.
    pub boot: Boot,
    /// From where the ledger counts.
    pub since: Since,
    /// The numbers.
    pub sequences: SavedSequences,
    /// The number of the last move that a person has made.
    pub moves: u64,
    /// Whether the endpoint is in trouble.
    pub is_in_trouble: bool,
    /// From which event on runs say how each was settled: those before were settled by an older hooklog.
    pub listed_from: Offset,
    /// Where the live course stands.
    pub live: SavedCourse,
    /// The replay that runs, or whose end is not on record yet.
    pub replay: Option<SavedReplay>,
}

/// Where a course stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedCourse {
    /// What is settled.
    pub cursor: Cursor,
    /// How.
    pub tally: Tally,
    /// Events that were tried in vain, lowest offset first, at most [`RETRIES_MAX`].
    pub retries: Vec<SavedRetry>,
}

/// Where a replay stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedReplay {
    /// Its job.
    pub replay: ReplayId,
    /// The first event of its stretch.
    pub from: Offset,
    /// The first event after its stretch.
    pub to: Offset,
    /// Where it stands.
    pub course: SavedCourse,
}

/// What is known of an event that was tried in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedRetry {
    /// The event.
    pub offset: Offset,
    /// How many requests of it have ended.
    pub attempts: u32,
    /// How many steps of its schedule are used up.
    pub refusals: u32,
    /// When it is to be tried again, if it was refused.
    pub due: Option<Timestamp>,
}

/// How many retries of a course are kept across a restart; further events begin to count anew.
pub const RETRIES_MAX: usize = 1_024;

impl Saved {
    /// The state of an endpoint that has got nothing yet and starts behind an offset.
    #[must_use]
    pub const fn new(boot: Boot, since: Since) -> Self {
        Self {
            boot,
            since,
            sequences: SavedSequences::NONE,
            moves: 0,
            is_in_trouble: false,
            listed_from: since.offset.next(),
            live: SavedCourse::at(since.offset),
            replay: None,
        }
    }

    /// Writes the state as it is kept on disk.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(256);
        writer.fixed([LAYOUT]);
        writer.fixed(self.boot.0);
        writer.fixed(self.since.offset.0.to_be_bytes());
        writer.fixed(self.since.time.0.to_be_bytes());
        writer.fixed(self.since.sequence.0.to_be_bytes());
        writer.fixed(self.sequences.next.0.to_be_bytes());
        writer.fixed(self.sequences.ceiling.0.to_be_bytes());
        writer.fixed(self.sequences.floor.0.to_be_bytes());
        writer.fixed(self.moves.to_be_bytes());
        writer.fixed([u8::from(self.is_in_trouble)]);
        writer.fixed(self.listed_from.0.to_be_bytes());
        self.live.encode(&mut writer);
        writer.fixed([u8::from(self.replay.is_some())]);
        if let Some(replay) = &self.replay {
            writer.fixed(replay.replay.0.to_be_bytes());
            writer.fixed(replay.from.0.to_be_bytes());
            writer.fixed(replay.to.0.to_be_bytes());
            replay.course.encode(&mut writer);
        }
        writer.finish()
    }

    /// Reads what [`Saved::encode`] has written.
    ///
    /// # Errors
    /// Where the bytes are anything else, or of a layout that this program does not know.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let layout = reader.u8()?;
        // Layout 1 did not count apart what the catalogue does not know, layout 2 knew no moves, layout 3 none but over
        // what waits, layout 4 did not say whether the endpoint is in trouble, layout 5 did not count bytes, layout 6
        // kept no runs.
        if !(1..=LAYOUT).contains(&layout) {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let counts = 5 + usize::from(layout > 1) + usize::from(layout > 5);
        let boot = Boot(reader.fixed()?);
        let (since_offset, since_time) = (offset(&mut reader)?, Timestamp(reader.i64()?));
        let since_number = if layout > 3 { sequence(&mut reader)? } else { Sequence(1) };
        let since = Since { offset: since_offset, time: since_time, sequence: since_number };
        let sequences = SavedSequences {
            next: sequence(&mut reader)?,
            ceiling: sequence(&mut reader)?,
            floor: sequence(&mut reader)?,
        };
        let moves = if layout > 2 { u64::from_be_bytes(reader.fixed()?) } else { 0 };
        let is_in_trouble = layout > 4 && reader.u8()? != 0;
        let listed_from = if layout > 6 { Some(offset(&mut reader)?) } else { None };
        let live = SavedCourse::decode(&mut reader, counts)?;
        let listed_from = listed_from.unwrap_or_else(|| live.cursor.highest().next());
        let replay = match reader.u8()? {
            0 => None,
            1 => Some(SavedReplay {
                replay: ReplayId(u64::from_be_bytes(reader.fixed()?)),
                from: offset(&mut reader)?,
                to: offset(&mut reader)?,
                course: SavedCourse::decode(&mut reader, counts)?,
            }),
            unknown => return Err(CodecError::Unknown(u32::from(unknown))),
        };
        reader.end()?;
        Ok(Self { boot, since, sequences, moves, is_in_trouble, listed_from, live, replay })
    }
}

impl SavedCourse {
    /// A course on which everything up to an offset is behind it.
    #[must_use]
    pub const fn at(low: Offset) -> Self {
        Self { cursor: Cursor::at(low), tally: Tally::NONE, retries: Vec::new() }
    }

    fn encode(&self, writer: &mut Writer) {
        self.tally.encode(writer);
        self.cursor.encode(writer);
        let count = u32::try_from(self.retries.len()).expect("retries are bounded");
        writer.fixed(count.to_be_bytes());
        for retry in &self.retries {
            writer.fixed(retry.offset.0.to_be_bytes());
            writer.fixed(retry.attempts.to_be_bytes());
            writer.fixed(retry.refusals.to_be_bytes());
            writer.fixed(retry.due.map_or(NOT_DUE, |due| due.0).to_be_bytes());
        }
    }

    fn decode(reader: &mut Reader, counts: usize) -> Result<Self, CodecError> {
        let tally = Tally::decode(reader, counts)?;
        let cursor = Cursor::decode(reader)?;
        let count = reader.u32()?;
        let mut retries = Vec::new();
        for _ in 0..count {
            let offset = offset(reader)?;
            let (attempts, refusals) = (reader.u32()?, reader.u32()?);
            let due = Some(reader.i64()?).filter(|due| *due != NOT_DUE).map(Timestamp);
            retries.push(SavedRetry { offset, attempts, refusals, due });
        }
        Ok(Self { cursor, tally, retries })
    }
}

fn offset(reader: &mut Reader) -> Result<Offset, CodecError> {
    reader.fixed().map(u64::from_be_bytes).map(Offset)
}

fn sequence(reader: &mut Reader) -> Result<Sequence, CodecError> {
    reader.fixed().map(u64::from_be_bytes).map(Sequence)
}

const LAYOUT: u8 = 7;
/// No instant that anybody waits for.
const NOT_DUE: i64 = i64::MIN;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cursor::tests::any_cursor;
    use super::*;

    fn any_course() -> impl Strategy<Value = SavedCourse> {
        let retry = (any::<u64>(), any::<u32>(), any::<u32>(), proptest::option::of(-1_000_000..i64::MAX));
        let retry = retry.prop_map(|(offset, attempts, refusals, due)| SavedRetry {
            offset: Offset(offset),
            attempts,
            refusals,
            due: due.map(Timestamp),
        });
        (any_cursor(), any::<[u64; 7]>(), proptest::collection::vec(retry, 0..20)).prop_map(
            |(
                cursor,
                [delivered, delivered_bytes, filtered, withheld_unknown, given_up, expired, skipped],
                retries,
            )| SavedCourse {
                cursor,
                tally: Tally { delivered, delivered_bytes, filtered, withheld_unknown, given_up, expired, skipped },
                retries,
            },
        )
    }

    fn any_saved() -> impl Strategy<Value = Saved> {
        let replay = (any::<[u64; 3]>(), any_course()).prop_map(|([replay, from, to], course)| SavedReplay {
            replay: ReplayId(replay),
            from: Offset(from),
            to: Offset(to),
            course,
        });
        (any::<([u8; 16], u64, i64, [u64; 4])>(), any_course(), proptest::option::of(replay)).prop_map(
            |((boot, offset, time, [next, ceiling, floor, moves]), live, replay)| Saved {
                moves,
                is_in_trouble: moves % 2 == 1,
                listed_from: Offset(offset / 3),
                boot: Boot(boot),
                since: Since { offset: Offset(offset), time: Timestamp(time), sequence: Sequence(next / 2) },
                sequences: SavedSequences { next: Sequence(next), ceiling: Sequence(ceiling), floor: Sequence(floor) },
                live,
                replay,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(saved in any_saved()) {
            prop_assert_eq!(Saved::decode(saved.encode()), Ok(saved));
        }

        #[test]
        fn what_is_cut_off_or_too_long_is_an_error(saved in any_saved(), cut in any::<proptest::sample::Index>()) {
            let bytes = saved.encode();
            prop_assert!(Saved::decode(bytes.slice(..cut.index(bytes.len()))).is_err());
            let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
            prop_assert!(Saved::decode(longer.into()).is_err());
        }
    }

    /// A state with something in every field that layout 1 has.
    fn example() -> Saved {
        let mut cursor = Cursor::at(Offset(100));
        for offset in [102, 103, 110] {
            cursor.settle(Offset(offset));
        }
        let tally = Tally { delivered: 1, filtered: 2, given_up: 3, expired: 4, skipped: 5, ..Tally::NONE };
        let retry = SavedRetry { offset: Offset(101), attempts: 7, refusals: 2, due: None };
        let later =
            SavedRetry { offset: Offset(104), attempts: 1, refusals: 1, due: Some(Timestamp(1_772_442_847_512)) };
        let mut dense = Cursor::at(Offset(9));
        (11..140).step_by(2).for_each(|offset| assert!(dense.settle(Offset(offset))));
        Saved {
            boot: Boot(*b"0123456789abcdef"),
            since: Since::beginning(Offset(90), Timestamp(1_772_442_000_000)),
            sequences: SavedSequences { next: Sequence(51), ceiling: Sequence(10_000), floor: Sequence(40) },
            moves: 0,
            is_in_trouble: false,
            listed_from: cursor.highest().next(),
            live: SavedCourse { cursor, tally, retries: vec![retry, later] },
            replay: Some(SavedReplay {
                replay: ReplayId(6),
                from: Offset(10),
                to: Offset(200),
                course: SavedCourse { cursor: dense, tally: Tally::default(), retries: Vec::new() },
            }),
        }
    }

    #[test]
    fn layout_1_is_read_as_it_always_was() {
        let bytes: Vec<u8> = (0..GOLDEN.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&GOLDEN[at..at + 2], 16).expect("the golden text is hexadecimal"))
            .collect();
        assert_eq!(Saved::decode(bytes.into()), Ok(example()));
    }

    #[test]
    fn an_unknown_layout_is_named() {
        let mut bytes = example().encode().to_vec();
        bytes[0] = 9;
        assert_eq!(Saved::decode(bytes.into()), Err(CodecError::Unknown(9)));
    }

    #[test]
    fn later_layouts_add_what_they_say_they_add() {
        let mut saved = example();
        saved.live.tally.withheld_unknown = 0x77;
        saved.moves = 0x66;
        saved.since.sequence = Sequence(0x55);
        saved.is_in_trouble = true;
        saved.live.tally.delivered_bytes = 0x44;
        let (old, new) = (example().encode(), saved.encode());
        // The layout, two counts in each course's tally, moves, two numbers and a byte are all that differs from
        // layout 1.
        assert_eq!((new[0], new.len()), (7, GOLDEN.len() / 2 + 32 + 8 + 8 + 8 + 1));
        assert_eq!(old.iter().zip(&new).filter(|(one, other)| one != other).count(), 5);
        assert_eq!(new[SINCE_NUMBER..SINCE_NUMBER + 8], [0, 0, 0, 0, 0, 0, 0, 0x55]);
        assert_eq!(new[IN_TROUBLE - 8..=IN_TROUBLE], [0, 0, 0, 0, 0, 0, 0, 0x66, 1]);
        assert_eq!(new[IN_TROUBLE + 1..LIVE_TALLY], saved.listed_from.0.to_be_bytes());
        assert_eq!(new[LIVE_TALLY + 5 * 8..LIVE_TALLY + 6 * 8], [0, 0, 0, 0, 0, 0, 0, 0x77]);
        assert_eq!(new[LIVE_TALLY + 6 * 8..LIVE_TALLY + 7 * 8], [0, 0, 0, 0, 0, 0, 0, 0x44]);
        // Layout 6 is the same without from where runs say how events were settled: behind all that are. Layout 5 is
        // the same without bytes, layout 4 without that byte, layout 3 without the number too, layout 2
        // without the moves.
        let mut third = new.to_vec();
        third.drain(IN_TROUBLE + 1..LIVE_TALLY);
        third[0] = 6;
        assert_eq!(Saved::decode(third.clone().into()), Ok(saved.clone()));
        assert_eq!(saved.listed_from, Offset(111));
        let live_tally = IN_TROUBLE + 1;
        let replay_tally = live_tally + saved_len(&saved.live) + 1 + 24;
        third.drain(replay_tally + 6 * 8..replay_tally + 7 * 8);
        third.drain(live_tally + 6 * 8..live_tally + 7 * 8);
        third[0] = 5;
        saved.live.tally.delivered_bytes = 0;
        assert_eq!(Saved::decode(third.clone().into()), Ok(saved.clone()));
        third[0] = 4;
        third.remove(IN_TROUBLE);
        saved.is_in_trouble = false;
        assert_eq!(Saved::decode(third.clone().into()), Ok(saved.clone()));
        third[0] = 3;
        third.drain(SINCE_NUMBER..SINCE_NUMBER + 8);
        saved.since.sequence = Sequence(1);
        assert_eq!(Saved::decode(third.clone().into()), Ok(saved.clone()));
        third[0] = 2;
        third.drain(IN_TROUBLE - 16..IN_TROUBLE - 8);
        saved.moves = 0;
        assert_eq!(Saved::decode(third.into()), Ok(saved));
    }

    fn saved_len(course: &SavedCourse) -> usize {
        let mut writer = Writer::with_capacity(256);
        course.encode(&mut writer);
        writer.finish().len()
    }

    const SINCE_NUMBER: usize = 1 + 16 + 16;
    /// Where it stands whether the endpoint is in trouble: behind layout, boot, since, numbers and moves.
    const IN_TROUBLE: usize = SINCE_NUMBER + 8 + 24 + 8;
    /// Where the tally of the live course stands: behind that, and from where runs say how events were settled.
    const LIVE_TALLY: usize = IN_TROUBLE + 1 + 8;
    const GOLDEN: &str = concat!(
        "0130313233343536373839616263646566000000000000005a0000019cadc69a800000000000000033000000000000271000",
        "0000000000002800000000000000010000000000000002000000000000000300000000000000040000000000000005000000",
        "0000000064000000000800000001000500000000000200000000000000650000000700000002800000000000000000000000",
        "0000006800000001000000010000019cadd38918010000000000000006000000000000000a00000000000000c80000000000",
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000090100000018aaaa",
        "aaaaaaaaa800aaaaaaaaaaaaaaaa0000000000000aaa00000000",
    );
}
