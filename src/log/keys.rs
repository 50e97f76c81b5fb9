//! Every family and every key and value of the store: one file owns them all.
//!
//! Not the payloads: records are `model`'s, settings `accounts`', cursors and attempts `deliver`'s. Names of
//! families are on disk: never changed, never used again. Numbers in keys are big-endian, so that their
//! order is the order of the bytes. **Every row that ages begins its value with its event's position**;
//! a reader treats a row below the low-water mark as absent, compacted or not.

use crate::model::{AccountId, Attempt, EndpointId, Offset, Position, Sequence, SettingKind, TypeNumber};

/// A family of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Family {
    /// position → record
    Records,
    /// account, offset → position, type. Ages.
    ByAccount,
    /// account, hash of key, offset → position; and so by the hash of field, type and key where a field tells it. Ages.
    ByKey,
    /// account, type, offset → position. Ages.
    ByType,
    /// keyed hash of account, source, id → position, offset, digest. Ages.
    EventIds,
    /// number → name
    Types,
    /// what there is once; and the head of every account
    Meta,
    /// account, kind, name, revision → the whole new value
    Settings,
    /// digest → bytes
    Blobs,
    /// endpoint, course → where it stands; endpoint, all ones, position of a change → how far was decided before it
    Cursors,
    /// endpoint, sequence → position, offset. Ages.
    Sequences,
    /// endpoint, offset, course, attempt → position, what happened. Ages.
    Attempts,
    /// endpoint, outcome, offset → position, how it came to that. Ages.
    Outcomes,
    /// position of a capture that is kept → position. Ages.
    Captures,
    /// endpoint, how they were settled, first offset of a run → position of the last, last offset. Ages.
    Settled,
    /// endpoint, minute → newest position then, what happened. Ages.
    Rollups,
}

impl Family {
    pub(super) const ALL: [Self; 16] = [
        Self::Records,
        Self::ByAccount,
        Self::ByKey,
        Self::ByType,
        Self::EventIds,
        Self::Types,
        Self::Meta,
        Self::Settings,
        Self::Blobs,
        Self::Cursors,
        Self::Sequences,
        Self::Attempts,
        Self::Outcomes,
        Self::Captures,
        Self::Settled,
        Self::Rollups,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::ByAccount => "by_account",
            Self::ByKey => "by_key",
            Self::ByType => "by_type",
            Self::EventIds => "event_ids",
            Self::Types => "types",
            Self::Meta => "meta",
            Self::Settings => "settings",
            Self::Blobs => "blobs",
            Self::Cursors => "cursors",
            Self::Sequences => "sequences",
            Self::Attempts => "attempts",
            Self::Outcomes => "outcomes",
            Self::Captures => "captures",
            Self::Settled => "settled",
            Self::Rollups => "rollups",
        }
    }

    /// Whether values begin with a position and rows below the low-water mark are gone.
    pub(super) const fn ages(self) -> bool {
        match self {
            Self::ByAccount
            | Self::ByKey
            | Self::ByType
            | Self::EventIds
            | Self::Sequences
            | Self::Attempts
            | Self::Outcomes
            | Self::Captures
            | Self::Settled
            | Self::Rollups => true,
            Self::Records | Self::Types | Self::Meta | Self::Settings | Self::Blobs | Self::Cursors => false,
        }
    }

    /// Whether new rows come everywhere among the old ones, and not behind them.
    pub(super) const fn is_scattered(self) -> bool {
        self.ages() && !matches!(self, Self::Captures)
    }

    /// Whether rows are looked up one by one at keys without order, so that a filter saves disk reads.
    pub(super) const fn is_looked_up(self) -> bool {
        matches!(self, Self::EventIds)
    }
}

pub(super) fn record(position: Position) -> [u8; 8] {
    position.0.to_be_bytes()
}

pub(super) fn position_of_record(key: &[u8]) -> Option<Position> {
    Some(Position(u64::from_be_bytes(key.try_into().ok()?)))
}

pub(super) fn by_account(account: AccountId, offset: Offset) -> [u8; 12] {
    join(account.0.to_be_bytes(), offset.0.to_be_bytes())
}

pub(super) fn by_account_parts(key: &[u8]) -> Option<(AccountId, Offset)> {
    let (account, offset) = key.split_first_chunk::<4>()?;
    Some((AccountId(u32::from_be_bytes(*account)), Offset(u64::from_be_bytes(offset.try_into().ok()?))))
}

pub(super) fn by_account_value(position: Position, event_type: TypeNumber) -> [u8; 10] {
    join(position.0.to_be_bytes(), event_type.0.to_be_bytes())
}

pub(super) fn by_account_value_parts(value: &[u8]) -> Option<(Position, TypeNumber)> {
    let (position, event_type) = value.split_first_chunk::<8>()?;
    Some((Position(u64::from_be_bytes(*position)), TypeNumber(u16::from_be_bytes(event_type.try_into().ok()?))))
}

/// How the keys of all events of an account begin.
pub(super) fn of_account(account: AccountId) -> [u8; 4] {
    account.0.to_be_bytes()
}

pub(super) fn by_key(account: AccountId, key_hash: u64, offset: Offset) -> [u8; 20] {
    join(of_key(account, key_hash), offset.0.to_be_bytes())
}

/// How the keys of all events with one key begin.
pub(super) fn of_key(account: AccountId, key_hash: u64) -> [u8; 12] {
    join(account.0.to_be_bytes(), key_hash.to_be_bytes())
}

pub(super) fn by_type(account: AccountId, event_type: TypeNumber, offset: Offset) -> [u8; 14] {
    join(of_type(account, event_type), offset.0.to_be_bytes())
}

/// How the keys of all events of one type begin.
pub(super) fn of_type(account: AccountId, event_type: TypeNumber) -> [u8; 6] {
    join(account.0.to_be_bytes(), event_type.0.to_be_bytes())
}

/// The offset that a key ends with.
pub(super) fn trailing_offset(key: &[u8]) -> Option<Offset> {
    Some(Offset(u64::from_be_bytes(*key.last_chunk::<8>()?)))
}

/// The value of a row that is nothing but a position; also how every ageing value begins.
pub(super) fn position_value(position: Position) -> [u8; 8] {
    position.0.to_be_bytes()
}

pub(super) fn leading_position(value: &[u8]) -> Option<Position> {
    Some(Position(u64::from_be_bytes(*value.first_chunk::<8>()?)))
}

/// Where an event id was first seen, and what it said then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) position: Position,
    pub(super) offset: Offset,
    pub(super) digest: [u8; 16],
}

impl Seen {
    pub(super) fn encode(self) -> [u8; 32] {
        join(join::<8, 8, 16>(self.position.0.to_be_bytes(), self.offset.0.to_be_bytes()), self.digest)
    }

    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (position, rest) = value.split_first_chunk::<8>()?;
        let (offset, digest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            position: Position(u64::from_be_bytes(*position)),
            offset: Offset(u64::from_be_bytes(*offset)),
            digest: digest.try_into().ok()?,
        })
    }
}

pub(super) fn event_type(number: TypeNumber) -> [u8; 2] {
    number.0.to_be_bytes()
}

pub(super) fn number_of_event_type(key: &[u8]) -> Option<TypeNumber> {
    Some(TypeNumber(u16::from_be_bytes(key.try_into().ok()?)))
}

/// Keys of what there is once in a store.
pub(super) mod meta {
    pub(in crate::log) const FORMAT: &[u8] = b"format";
    pub(in crate::log) const HASH_KEY: &[u8] = b"hash_key";
    pub(in crate::log) const LOW_WATER_MARK: &[u8] = b"low_water_mark";
    pub(in crate::log) const TYPE_COUNTS: &[u8] = b"type_counts";
    pub(in crate::log) const BY_TYPE_TO: &[u8] = b"by_type_to";
    pub(in crate::log) const TOLD_FROM: &[u8] = b"told_from";
    pub(in crate::log) const TOLD_TO: &[u8] = b"told_to";
    pub(in crate::log) const HEAD_PREFIX: &[u8] = b"head/";
}

/// The head of an account: offset and position of its newest event. Never ages: offsets are never used twice.
pub(super) fn head(account: AccountId) -> [u8; 9] {
    let mut key = [0; 9];
    let (prefix, number) = key.split_at_mut(meta::HEAD_PREFIX.len());
    prefix.copy_from_slice(meta::HEAD_PREFIX);
    number.copy_from_slice(&account.0.to_be_bytes());
    key
}

pub(super) fn account_of_head(key: &[u8]) -> Option<AccountId> {
    let number = key.strip_prefix(meta::HEAD_PREFIX)?;
    Some(AccountId(u32::from_be_bytes(number.try_into().ok()?)))
}

pub(super) fn head_value(offset: Offset, position: Position) -> [u8; 16] {
    join(offset.0.to_be_bytes(), position.0.to_be_bytes())
}

pub(super) fn head_value_parts(value: &[u8]) -> Option<(Offset, Position)> {
    let (offset, position) = value.split_first_chunk::<8>()?;
    Some((Offset(u64::from_be_bytes(*offset)), Position(u64::from_be_bytes(position.try_into().ok()?))))
}

/// Names hold no zero byte, so the one behind the name keeps `a` before `ab`.
pub(super) fn setting(account: AccountId, kind: SettingKind, name: &str, revision: Position) -> Vec<u8> {
    let mut key = setting_prefix(account, kind, name);
    key.extend_from_slice(&revision.0.to_be_bytes());
    key
}

pub(super) fn setting_prefix(account: AccountId, kind: SettingKind, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + 1 + name.len() + 1 + 8);
    key.extend_from_slice(&account.0.to_be_bytes());
    key.push(kind.code());
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key
}

/// The parts of a setting's key; the kind is a number that may be unknown.
pub(super) fn setting_parts(key: &[u8]) -> Option<(AccountId, u8, &str, Position)> {
    let (account, rest) = key.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first()?;
    let (name, revision) = rest.split_last_chunk::<8>()?;
    let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
    Some((AccountId(u32::from_be_bytes(*account)), *kind, name, Position(u64::from_be_bytes(*revision))))
}

/// `course` tells the live work (0) from a replay (the job's number).
pub(super) fn cursor(endpoint: EndpointId, course: u64) -> [u8; 12] {
    join(endpoint.0.to_be_bytes(), course.to_be_bytes())
}

/// Behind all cursors of the endpoint: no course has this number.
pub(super) fn decided(endpoint: EndpointId, change: Position) -> [u8; 20] {
    join::<12, 8, 20>(cursor(endpoint, u64::MAX), change.0.to_be_bytes())
}

pub(super) fn decided_row(key: &[u8], value: &[u8]) -> Option<(Position, Offset)> {
    let change = Position(u64::from_be_bytes(*key.last_chunk::<8>()?));
    Some((change, Offset(u64::from_be_bytes(value.try_into().ok()?))))
}

pub(super) fn sequence(endpoint: EndpointId, sequence: Sequence) -> [u8; 12] {
    join(endpoint.0.to_be_bytes(), sequence.0.to_be_bytes())
}

pub(super) fn sequence_value(position: Position, offset: Offset) -> [u8; 16] {
    join(position.0.to_be_bytes(), offset.0.to_be_bytes())
}

pub(super) fn sequence_row(key: &[u8], value: &[u8]) -> Option<(Sequence, Position, Offset)> {
    let sequence = Sequence(u64::from_be_bytes(*key.last_chunk::<8>()?));
    let (position, offset) = value.split_first_chunk::<8>()?;
    Some((sequence, Position(u64::from_be_bytes(*position)), Offset(u64::from_be_bytes(offset.try_into().ok()?))))
}

pub(super) fn attempt(endpoint: EndpointId, offset: Offset, course: u64, attempt: Attempt) -> [u8; 24] {
    join(join::<12, 8, 20>(attempts_of(endpoint, offset), course.to_be_bytes()), attempt.0.to_be_bytes())
}

/// How the keys of all attempts of an event begin.
pub(super) fn attempts_of(endpoint: EndpointId, offset: Offset) -> [u8; 12] {
    join(endpoint.0.to_be_bytes(), offset.0.to_be_bytes())
}

/// Where the tests of an endpoint are: no event has this offset, and each test is an attempt of its own.
pub(super) const TESTS: Offset = Offset(0);

pub(super) fn attempt_parts(key: &[u8]) -> Option<(Offset, u64, Attempt)> {
    let (_endpoint, rest) = key.split_first_chunk::<4>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (course, attempt) = rest.split_first_chunk::<8>()?;
    Some((
        Offset(u64::from_be_bytes(*offset)),
        u64::from_be_bytes(*course),
        Attempt(u32::from_be_bytes(attempt.try_into().ok()?)),
    ))
}

/// `outcome` is the number of what became of the event.
pub(super) fn outcome(endpoint: EndpointId, outcome: u8, offset: Offset) -> [u8; 13] {
    join::<5, 8, 13>(outcomes_of(endpoint, outcome), offset.0.to_be_bytes())
}

/// How the keys of all events begin of which the same became at an endpoint.
pub(super) fn outcomes_of(endpoint: EndpointId, outcome: u8) -> [u8; 5] {
    join(endpoint.0.to_be_bytes(), [outcome])
}

/// The value of a run of events that were settled alike.
pub(super) fn run_value(position: Position, last: Offset) -> [u8; 16] {
    join(position.0.to_be_bytes(), last.0.to_be_bytes())
}

/// The last offset of a run.
pub(super) fn run_end(value: &[u8]) -> Option<Offset> {
    let (_position, last) = value.split_first_chunk::<8>()?;
    Some(Offset(u64::from_be_bytes(last.try_into().ok()?)))
}

/// `minute` is counted like the milliseconds of an instant.
pub(super) fn rollup(endpoint: EndpointId, minute: u32) -> [u8; 8] {
    join(endpoint.0.to_be_bytes(), minute.to_be_bytes())
}

pub(super) fn rollup_minute(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.last_chunk::<4>()?))
}

fn join<const A: usize, const B: usize, const C: usize>(first: [u8; A], second: [u8; B]) -> [u8; C] {
    const { assert!(A + B == C, "the parts fill the whole") }
    let mut whole = [0; C];
    let (front, back) = whole.split_at_mut(A);
    front.copy_from_slice(&first);
    back.copy_from_slice(&second);
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn family_names_are_the_ones_on_disk() {
        let names: Vec<&str> = Family::ALL.into_iter().map(Family::name).collect();
        assert_eq!(
            names,
            [
                "records",
                "by_account",
                "by_key",
                "by_type",
                "event_ids",
                "types",
                "meta",
                "settings",
                "blobs",
                "cursors",
                "sequences",
                "attempts",
                "outcomes",
                "captures",
                "settled",
                "rollups"
            ]
        );
    }

    #[test]
    fn every_key_and_value_is_read_back() {
        proptest!(|(a: u32, b: u64, c: u64, d: u16, e: u32, digest: [u8; 16], name in "[a-z0-9]{0,20}")| {
            let (account, position, offset, number) = (AccountId(a), Position(b), Offset(c), TypeNumber(d));
            prop_assert_eq!(position_of_record(&record(position)), Some(position));
            prop_assert_eq!(by_account_parts(&by_account(account, offset)), Some((account, offset)));
            prop_assert_eq!(by_account_value_parts(&by_account_value(position, number)), Some((position, number)));
            prop_assert_eq!(trailing_offset(&by_key(account, b, offset)), Some(offset));
            prop_assert!(by_key(account, b, offset).starts_with(&of_key(account, b)));
            prop_assert_eq!(trailing_offset(&by_type(account, number, offset)), Some(offset));
            prop_assert!(by_type(account, number, offset).starts_with(&of_type(account, number)));
            prop_assert_eq!(leading_position(&position_value(position)), Some(position));
            let seen = Seen { position, offset, digest };
            prop_assert_eq!(Seen::decode(&seen.encode()), Some(seen));
            prop_assert_eq!(leading_position(&seen.encode()), Some(position));
            prop_assert_eq!(number_of_event_type(&event_type(number)), Some(number));
            prop_assert_eq!(account_of_head(&head(account)), Some(account));
            prop_assert_eq!(head_value_parts(&head_value(offset, position)), Some((offset, position)));
            let kind = SettingKind::ALL[usize::from(d) % SettingKind::ALL.len()];
            let key = setting(account, kind, &name, position);
            prop_assert_eq!(setting_parts(&key), Some((account, kind.code(), name.as_str(), position)));
            prop_assert!(key.starts_with(&setting_prefix(account, kind, &name)));
            let row = (sequence(EndpointId(e), Sequence(b)), sequence_value(position, offset));
            prop_assert_eq!(sequence_row(&row.0, &row.1), Some((Sequence(b), position, offset)));
            prop_assert_eq!(leading_position(&row.1), Some(position));
            let key = attempt(EndpointId(e), offset, b, Attempt(a));
            prop_assert_eq!(attempt_parts(&key), Some((offset, b, Attempt(a))));
            let key = outcome(EndpointId(e), digest[0], offset);
            prop_assert_eq!(trailing_offset(&key), Some(offset));
            prop_assert!(key.starts_with(&outcomes_of(EndpointId(e), digest[0])));
            prop_assert_eq!(rollup_minute(&rollup(EndpointId(e), a)), Some(a));
            let run = run_value(position, offset);
            prop_assert_eq!((leading_position(&run), run_end(&run)), (Some(position), Some(offset)));
        });
    }

    #[test]
    fn the_order_of_keys_is_the_order_of_what_they_mean() {
        proptest!(|(a: (u32, u64), b: (u32, u64))| {
            prop_assert_eq!(
                by_account(AccountId(a.0), Offset(a.1)).cmp(&by_account(AccountId(b.0), Offset(b.1))),
                a.cmp(&b)
            );
            prop_assert_eq!(
                sequence(EndpointId(a.0), Sequence(a.1)).cmp(&sequence(EndpointId(b.0), Sequence(b.1))),
                a.cmp(&b)
            );
        });
        let one = |name: &str, revision| setting(AccountId(1), SettingKind::Endpoint, name, Position(revision));
        assert!(one("a", 9) < one("ab", 1), "revisions of one name stay together");
    }
}
