//! What is kept of one request: enough to show it in History and to prove what was sent.
//!
//! Not the body, which is made anew from the log and compared with the hash kept here, and not the answer
//! beyond its first kilobyte. On disk it is a version byte and fields of fixed order, big-endian:
//!
//! ```text
//! layout 1 · at 8 · duration 4 · attempt 4 · format 1 · error 1 (255: none) · status 2 (0: none)
//! sequence 8 (0: none) · body hash 16 · as of: settings 8, build 8 (settings 0: none)
//! detail (length 2, text) · answer start (length 2, bytes)
//! ```
//!
//! Layout 1 did not say as of when the body was made.

use bytes::Bytes;
use bytestring::ByteString;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::outcome::{ANSWER_START_BYTES_MAX, AttemptError, AttemptOutcome};
use crate::accounts::{AsOf, Format};
use crate::model::codec::{Reader, Writer};
use crate::model::{Attempt, CodecError, Position, Sequence, Timestamp};

/// What is kept of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// Which request of the event it was, from 1.
    pub attempt: Attempt,
    /// The event's number at the endpoint; tests and replays have none.
    pub sequence: Option<Sequence>,
    /// What the body looked like.
    pub format: Format,
    /// The body's hash, see [`crate::model::body_hash`].
    pub body_hash: [u8; 16],
    /// By which settings and by which program the body was made; a test has none, and what an older hooklog sent.
    pub as_of: Option<AsOf>,
    /// What went wrong, if anything did.
    pub error: Option<AttemptError>,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// One sentence for people about what went wrong; empty where nothing did.
    pub detail: ByteString,
    /// How the answer's body begins; empty where nothing went wrong.
    pub answer_start: Bytes,
}

/// What of a record is known before the request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Which request of the event it is, from 1.
    pub attempt: Attempt,
    /// The event's number at the endpoint, if it has one.
    pub sequence: Option<Sequence>,
    /// What the body looks like.
    pub format: Format,
    /// The body's hash.
    pub body_hash: [u8; 16],
    /// By which settings and by which program the body was made; a test has none.
    pub as_of: Option<AsOf>,
}

impl AttemptRecord {
    /// Puts together what was sent and what came of it.
    #[must_use]
    pub fn new(at: Timestamp, duration: std::time::Duration, sent: Sent, outcome: AttemptOutcome) -> Self {
        let (error, status) = (outcome.error(), outcome.status());
        let (detail, mut answer_start) = match outcome {
            AttemptOutcome::Delivered { .. } => (String::new(), Bytes::new()),
            AttemptOutcome::Failed(failure) => (failure.detail, failure.answer_start),
        };
        answer_start.truncate(ANSWER_START_BYTES_MAX);
        Self {
            at,
            duration_ms: u32::try_from(duration.as_millis()).unwrap_or(u32::MAX),
            attempt: sent.attempt,
            sequence: sent.sequence,
            format: sent.format,
            body_hash: sent.body_hash,
            as_of: sent.as_of,
            error,
            status,
            detail: shortened(detail),
            answer_start,
        }
    }

    /// Writes the value of a row.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(FIXED_BYTES + self.detail.len() + self.answer_start.len());
        writer.fixed([LAYOUT]);
        writer.fixed(self.at.0.to_be_bytes());
        writer.fixed(self.duration_ms.to_be_bytes());
        writer.fixed(self.attempt.0.to_be_bytes());
        writer.fixed([self.format.number(), self.error.map_or(NO_ERROR, number)]);
        writer.fixed(self.status.unwrap_or(0).to_be_bytes());
        writer.fixed(self.sequence.map_or(0, |sequence| sequence.0).to_be_bytes());
        writer.fixed(self.body_hash);
        let AsOf { settings, build } = self.as_of.unwrap_or(AsOf { settings: Position(0), build: Position(0) });
        writer.fixed(settings.0.to_be_bytes());
        writer.fixed(build.0.to_be_bytes());
        writer.short(self.detail.as_bytes().as_ref());
        writer.short(&self.answer_start);
        writer.finish()
    }

    /// Reads the value of a row.
    ///
    /// # Errors
    /// Where the bytes are not what [`AttemptRecord::encode`] writes.
    pub fn decode(value: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(value);
        let layout = reader.u8()?;
        if !(1..=LAYOUT).contains(&layout) {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let at = Timestamp(reader.i64()?);
        let duration_ms = reader.u32()?;
        let attempt = Attempt(reader.u32()?);
        let format = known(reader.u8()?, Format::of_number)?;
        let error = match reader.u8()? {
            NO_ERROR => None,
            number => Some(known(number, of_number)?),
        };
        let status = Some(reader.u16()?).filter(|status| *status != 0);
        let sequence = Some(Sequence(u64::from_be_bytes(reader.fixed()?))).filter(|sequence| sequence.0 != 0);
        let body_hash = reader.fixed()?;
        let as_of = match layout {
            1 => None,
            _ => {
                let settings = Position(u64::from_be_bytes(reader.fixed()?));
                let build = Position(u64::from_be_bytes(reader.fixed()?));
                Some(AsOf { settings, build }).filter(|as_of| as_of.settings != Position(0))
            }
        };
        let detail = reader.short_text()?;
        let answer_start = reader.short()?;
        reader.end()?;
        Ok(Self { at, duration_ms, attempt, sequence, format, body_hash, as_of, error, status, detail, answer_start })
    }
}

impl Serialize for AttemptRecord {
    /// Writes what the API shows: `at`, `attempt`, `error`, `status`, `durationMs`, `answer`, `detail`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_struct("AttemptRecord", 7)?;
        shown.serialize_field("at", &self.at)?;
        shown.serialize_field("attempt", &self.attempt)?;
        shown.serialize_field("error", &self.error)?;
        shown.serialize_field("status", &self.status)?;
        shown.serialize_field("durationMs", &self.duration_ms)?;
        let answer = (!self.answer_start.is_empty()).then(|| String::from_utf8_lossy(&self.answer_start));
        shown.serialize_field("answer", &answer)?;
        let detail = (!self.detail.is_empty()).then_some(&*self.detail);
        shown.serialize_field("detail", &detail)?;
        shown.end()
    }
}

/// Cuts a text that is too long for its field at a character's end.
fn shortened(mut detail: String) -> ByteString {
    detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
    detail.into()
}

fn known<T>(number: u8, of_number: impl Fn(u8) -> Option<T>) -> Result<T, CodecError> {
    of_number(number).ok_or_else(|| CodecError::Unknown(u32::from(number)))
}

/// The number on disk of an error: its place in the list of all.
fn number(error: AttemptError) -> u8 {
    let place = AttemptError::ALL.iter().position(|listed| *listed == error);
    place.and_then(|place| u8::try_from(place).ok()).expect("the list has every error, and few of them")
}

fn of_number(number: u8) -> Option<AttemptError> {
    AttemptError::ALL.get(usize::from(number)).copied()
}

const LAYOUT: u8 = 2;
const NO_ERROR: u8 = u8::MAX;
const FIXED_BYTES: usize = 1 + 8 + 4 + 4 + 1 + 1 + 2 + 8 + 16 + 16 + 2 + 2;
const DETAIL_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::deliver::outcome::Failure;

    const SENT: Sent = Sent {
        attempt: Attempt(3),
        sequence: Some(Sequence(41)),
        format: Format::Envelope,
        body_hash: [7; 16],
        as_of: Some(AsOf { settings: Position(0x51), build: Position(0x52) }),
    };

    fn failed(answer_start: &[u8]) -> AttemptRecord {
        let failure = Failure {
            error: AttemptError::HttpStatus,
            status: Some(500),
            detail: "the receiver answered 500".to_owned(),
            retry_after: None,
            instruction: None,
            answer_start: Bytes::copy_from_slice(answer_start),
        };
        let at = Timestamp(1_772_442_847_512);
        AttemptRecord::new(at, Duration::from_micros(12_900), SENT, AttemptOutcome::Failed(failure))
    }

    #[test]
    fn the_layout_is_the_one_on_disk() {
        let hex: String = failed(b"oops").encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let fixed = "0000019cadd389180000000c00000003000601f40000000000000029";
        let hash = "07070707070707070707070707070707";
        let as_of = "00000000000000510000000000000052";
        let detail = "001974686520726563656976657220616e73776572656420353030";
        assert_eq!(hex, format!("02{fixed}{hash}{as_of}{detail}00046f6f7073"));
        // Layout 1 is read as it always was.
        let old = format!("01{fixed}{hash}{detail}00046f6f7073");
        let digits = (0..old.len()).step_by(2);
        let old: Vec<u8> = digits.map(|at| u8::from_str_radix(&old[at..at + 2], 16).unwrap()).collect();
        assert_eq!(AttemptRecord::decode(old.into()), Ok(AttemptRecord { as_of: None, ..failed(b"oops") }));
    }

    #[test]
    fn the_api_shows_times_status_and_the_answers_start() {
        let shown = serde_json::to_string(&failed(b"oops \xff")).unwrap();
        assert_eq!(
            shown,
            concat!(
                r#"{"at":"2026-03-02T09:14:07.512Z","attempt":3,"error":"http_status","status":500,"durationMs":12,"#,
                r#""answer":"oops �","detail":"the receiver answered 500"}"#
            )
        );
        let delivered = AttemptOutcome::Delivered { status: 204 };
        let shown = serde_json::to_string(&AttemptRecord::new(Timestamp(0), Duration::ZERO, SENT, delivered)).unwrap();
        assert_eq!(
            shown,
            concat!(
                r#"{"at":"1970-01-01T00:00:00.000Z","attempt":3,"error":null,"status":204,"durationMs":0,"#,
                r#""answer":null,"detail":null}"#
            )
        );
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let failure = Failure {
            answer_start: Bytes::from(vec![b'x'; 5000]),
            ..Failure::without_answer(AttemptError::HttpStatus, "é".repeat(400))
        };
        let record = AttemptRecord::new(Timestamp(0), Duration::MAX, SENT, AttemptOutcome::Failed(failure));
        assert_eq!((record.detail.len(), record.answer_start.len(), record.duration_ms), (512, 1024, u32::MAX));
        assert_eq!(AttemptRecord::decode(record.encode()), Ok(record));
    }

    fn record() -> impl Strategy<Value = AttemptRecord> {
        let error = prop::option::of(prop::sample::select(&AttemptError::ALL[..]));
        let sequence = prop::option::of(1..u64::MAX);
        let as_of = prop::option::of((1..u64::MAX, any::<u64>()));
        (
            any::<(i64, u32, u32, [u8; 16])>(),
            (sequence, as_of),
            error,
            prop::option::of(1_u16..),
            "\\PC{0,100}",
            any::<Vec<u8>>(),
        )
            .prop_map(
                |((at, duration_ms, attempt, body_hash), (sequence, as_of), error, status, detail, answer_start)| {
                    AttemptRecord {
                        at: Timestamp(at),
                        duration_ms,
                        attempt: Attempt(attempt),
                        sequence: sequence.map(Sequence),
                        format: Format::Envelope,
                        body_hash,
                        as_of: as_of
                            .map(|(settings, build)| AsOf { settings: Position(settings), build: Position(build) }),
                        error,
                        status,
                        detail: detail.into(),
                        answer_start: answer_start.into(),
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn a_record_survives_its_row(record in record()) {
            prop_assert_eq!(AttemptRecord::decode(record.encode()), Ok(record));
        }

        #[test]
        fn a_row_cut_short_or_prolonged_is_refused(record in record(), at: prop::sample::Index) {
            let row = record.encode();
            prop_assert!(AttemptRecord::decode(row.slice(..at.index(row.len()))).is_err());
            let longer = [&row[..], b"!"].concat();
            prop_assert!(AttemptRecord::decode(longer.into()).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let row = [&[LAYOUT], &bytes[..]].concat();
            if let Ok(record) = AttemptRecord::decode(row.clone().into()) {
                prop_assert_eq!(record.encode(), row);
            }
        }
    }
}
