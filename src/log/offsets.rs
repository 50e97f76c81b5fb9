//! Walks over an account's offsets in their order: those of a type, with a key, that became something somewhere.
//!
//! Not the events: what is found is looked at by whoever asked. Every index here is rows of one prefix whose keys
//! end with an offset, so that two of them are met by leaping: each is asked for the first offset at or behind the
//! one that the other has found. What few events have is found among millions in as many steps as there are few.

use std::ops::Range;

use super::Error;
use super::keys::{self, Family};
use super::shared::Shared;
use super::store::Cursor;
use crate::model::{AccountId, Aside, EndpointId, Offset, Settled, TypeNumber};

/// Which end of a range comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The newest.
    Down,
    /// The oldest.
    Up,
}

/// Some offsets of an account.
#[derive(Debug, Clone)]
pub enum Set {
    /// Those of all its events.
    All(AccountId),
    /// Those of one type.
    Type(AccountId, TypeNumber),
    /// Those with a key of this hash. Equal hashes of other keys may be among them: compare the event's own key.
    Key(AccountId, u64),
    /// Those that were set aside at an endpoint as one thing.
    Aside(EndpointId, Aside),
    /// Those that were settled at an endpoint in one way. What was looked at again since may be among them: ask the
    /// endpoint.
    Settled(EndpointId, Settled),
    /// These, each from its first to its last, in their order and without an overlap.
    Listed(Vec<(Offset, Offset)>),
}

/// A walk over the offsets that are in one set of each group.
pub struct Offsets<'log> {
    groups: Vec<Vec<Walker<'log>>>,
    direction: Direction,
    /// What is not looked at yet.
    left: Range<u64>,
    steps_left: usize,
}

impl std::fmt::Debug for Offsets<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Offsets").field("left", &self.left).finish_non_exhaustive()
    }
}

impl<'log> Offsets<'log> {
    pub(super) fn new(
        shared: &'log Shared,
        groups: Vec<Vec<Set>>,
        range: Range<Offset>,
        direction: Direction,
        steps_max: usize,
    ) -> Self {
        let groups = groups
            .into_iter()
            .map(|group| group.into_iter().map(|set| Walker::new(Rows::of(shared, set, direction))).collect());
        let left = range.start.0..range.end.0;
        Self { groups: groups.collect(), direction, left, steps_left: steps_max }
    }

    /// Returns the next offset; none at the end, and where the walk is tired.
    ///
    /// # Errors
    /// `Store` where the store fails, `Inconsistent` where a row has an unknown form.
    pub fn next_offset(&mut self) -> Result<Option<Offset>, Error> {
        loop {
            if self.left.is_empty() || self.is_tired() {
                return Ok(None);
            }
            let asked = match self.direction {
                Direction::Up => self.left.start,
                Direction::Down => self.left.end - 1,
            };
            let Some(found) = self.meet(asked)? else {
                self.left = 0..0;
                return Ok(None);
            };
            match self.direction {
                Direction::Up => self.left.start = found,
                Direction::Down => self.left.end = found + 1,
            }
            if found == asked {
                self.pass(asked);
                return Ok(Some(Offset(asked)));
            }
        }
    }

    /// Returns whether the walk has taken as many steps as it may and is not at its end. It has moved on before it is.
    #[must_use]
    pub fn is_tired(&self) -> bool {
        self.steps_left == 0 && !self.left.is_empty()
    }

    /// Returns the last offset in the walk's direction that need not be looked at again.
    #[must_use]
    pub const fn passed(&self) -> Offset {
        match self.direction {
            Direction::Up => Offset(self.left.start).previous(),
            Direction::Down => Offset(self.left.end),
        }
    }

    const fn pass(&mut self, offset: u64) {
        match self.direction {
            Direction::Up => self.left.start = offset + 1,
            Direction::Down => self.left.end = offset,
        }
    }

    /// Returns the first offset, from `asked` on, that any group still may have; `asked` where all have it.
    fn meet(&mut self, asked: u64) -> Result<Option<u64>, Error> {
        for group in &mut self.groups {
            let mut nearest = None;
            for walker in group {
                let found = walker.seek(asked, self.direction, &mut self.steps_left)?;
                nearest = match (nearest, found, self.direction) {
                    (Some(one), Some(other), Direction::Up) => Some(u64::min(one, other)),
                    (Some(one), Some(other), Direction::Down) => Some(u64::max(one, other)),
                    (one, other, _) => one.or(other),
                };
            }
            if nearest != Some(asked) {
                return Ok(nearest.filter(|found| self.left.contains(found)));
            }
        }
        Ok(Some(asked))
    }
}

/// A walk over one set.
struct Walker<'log> {
    rows: Rows<'log>,
    stands: Stands,
}

/// Where a walk over one set stands.
#[derive(Clone, Copy)]
enum Stands {
    Before,
    /// At the nearest stretch of the set from what was asked last on.
    At(Span),
    Behind,
}

/// A first offset and a last one.
type Span = (u64, u64);

impl<'log> Walker<'log> {
    const fn new(rows: Rows<'log>) -> Self {
        Self { rows, stands: Stands::Before }
    }

    /// Returns the nearest offset in the set, from `asked` on. Whoever asks goes one way only.
    fn seek(&mut self, asked: u64, direction: Direction, steps_left: &mut usize) -> Result<Option<u64>, Error> {
        let is_ahead = |(first, last): Span| match direction {
            Direction::Up => asked <= last,
            Direction::Down => asked >= first,
        };
        let clip = |(first, last): Span| match direction {
            Direction::Up => asked.max(first),
            Direction::Down => asked.min(last),
        };
        let mut found = match self.stands {
            Stands::Behind => return Ok(None),
            Stands::At(span) if is_ahead(span) => return Ok(Some(clip(span))),
            // The neighbour is most often the one, and costs a tenth of a search.
            Stands::At(_) => self.rows.step(direction)?,
            Stands::Before => self.rows.seek(asked, direction)?,
        };
        *steps_left = steps_left.saturating_sub(1);
        while found.is_some_and(|span| !is_ahead(span)) {
            *steps_left = steps_left.saturating_sub(1);
            found = self.rows.seek(asked, direction)?;
        }
        self.stands = found.map_or(Stands::Behind, Stands::At);
        if found.is_none() {
            // A cursor holds blocks of every file, and of many sets most have nothing.
            self.rows = Rows::Listed(Vec::new().into_iter());
        }
        Ok(found.map(clip))
    }
}

/// The rows of a set, or its list.
enum Rows<'log> {
    /// Each stands for the offset its key ends with.
    Single(Cursor<'log>),
    /// Each stands for all offsets from the one its key ends with to the one in its value.
    Runs(Cursor<'log>),
    Listed(std::vec::IntoIter<(Offset, Offset)>),
}

impl<'log> Rows<'log> {
    fn of(shared: &'log Shared, set: Set, direction: Direction) -> Self {
        let store = &shared.store;
        match set {
            Set::All(account) => Self::Single(store.cursor(Family::ByAccount, &keys::of_account(account))),
            Set::Type(account, number) => Self::Single(store.cursor(Family::ByType, &keys::of_type(account, number))),
            Set::Key(account, hash) => Self::Single(store.cursor(Family::ByKey, &keys::of_key(account, hash))),
            Set::Aside(endpoint, aside) => {
                Self::Single(store.cursor(Family::Outcomes, &keys::outcomes_of(endpoint, aside.code())))
            }
            Set::Settled(endpoint, settled) => {
                Self::Runs(store.cursor(Family::Settled, &keys::outcomes_of(endpoint, settled.code())))
            }
            Set::Listed(mut spans) => {
                if direction == Direction::Down {
                    spans.reverse();
                }
                Self::Listed(spans.into_iter())
            }
        }
    }

    fn seek(&mut self, asked: u64, direction: Direction) -> Result<Option<Span>, Error> {
        let is_run = matches!(self, Self::Runs(_));
        let (Self::Single(cursor) | Self::Runs(cursor)) = self else { return self.step(direction) };
        let key = asked.to_be_bytes();
        match direction {
            Direction::Down => cursor.seek_back(&key)?,
            Direction::Up if !is_run => cursor.seek(&key)?,
            Direction::Up => {
                // The run before may reach over what is asked for.
                cursor.seek_back(&key)?;
                if self.span()?.is_some_and(|(_, last)| last >= asked) {
                    return self.span();
                }
                if let Self::Runs(cursor) = self {
                    cursor.seek(&key)?;
                }
            }
        }
        self.span()
    }

    fn step(&mut self, direction: Direction) -> Result<Option<Span>, Error> {
        match (&mut *self, direction) {
            (Self::Listed(spans), _) => return Ok(spans.next().map(|(first, last)| (first.0, last.0))),
            (Self::Single(cursor) | Self::Runs(cursor), Direction::Up) => cursor.next()?,
            (Self::Single(cursor) | Self::Runs(cursor), Direction::Down) => cursor.previous()?,
        }
        self.span()
    }

    fn span(&self) -> Result<Option<Span>, Error> {
        let wrong = || Error::Inconsistent("a row of an index has an unknown form".to_owned());
        let (Self::Single(cursor) | Self::Runs(cursor)) = self else { return Ok(None) };
        let Some((key, value)) = cursor.row() else { return Ok(None) };
        let first = keys::trailing_offset(key).ok_or_else(wrong)?;
        let last = match self {
            Self::Runs(_) => keys::run_end(value).ok_or_else(wrong)?,
            Self::Single(_) | Self::Listed(_) => first,
        };
        Ok(Some((first.0, last.0)))
    }
}
