//! A stretch of an account's log, resolved to offsets, and a walk over it in either direction.
//!
//! Not what is looked for. From is included, to is not; an open end is the head at the moment of the call;
//! what begins below the oldest kept is an error and not a shorter answer. A walk looks at a bounded number of
//! rows, so that no question costs more than its page.

use std::collections::VecDeque;

use super::failure::{invalid, invalid_parameter, of_log};
use super::query::{Direction, Point};
use crate::accounts::{TypeName, TypeSelection};
use crate::log::{Handle, IndexRow};
use crate::model::limits::{PAGE_ROWS_MAX, TYPES_PER_ENDPOINT_MAX};
use crate::model::{AccountId, Offset};
use crate::web::{Code, Problem};

/// Offsets from `from` up to but without `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: Offset,
    pub(super) to: Offset,
}

impl Stretch {
    /// Resolves the ends of a stretch. Reads the disk.
    pub(super) fn resolve(
        log: &Handle,
        account: AccountId,
        from: Option<Point>,
        to: Option<Point>,
    ) -> Result<Self, Problem> {
        let oldest = log.oldest_offset(account).map_err(of_log)?;
        let end = log.account_head(account).next();
        let from = match from {
            None => oldest,
            Some(Point::Offset(offset)) if offset < oldest => return Err(expired(offset, oldest)),
            Some(Point::Offset(offset)) => offset,
            Some(Point::Time(time)) => {
                let is_cut = oldest > Offset(1) && oldest < end;
                if is_cut && log.recorded_at(account, oldest).map_err(of_log)?.is_some_and(|first| time < first) {
                    let detail = format!("what was taken in at {time} is no longer kept");
                    return Err(range_expired(detail, oldest));
                }
                log.offset_at(account, time).map_err(of_log)?
            }
        };
        let to = match to {
            None => end,
            Some(Point::Offset(offset)) => offset.min(end),
            Some(Point::Time(time)) => log.offset_at(account, time).map_err(of_log)?,
        };
        Ok(Self { from, to })
    }
}

/// Reads which types are meant; `at` is where that was written: a pointer into a body, or a parameter.
pub(super) fn type_names(types: &[String], at: &str) -> Result<TypeSelection, Problem> {
    let wrong = |detail: &str| if at.starts_with('/') { invalid(at, detail) } else { invalid_parameter(at, detail) };
    if types.len() > TYPES_PER_ENDPOINT_MAX {
        return Err(wrong(&format!("names at most {TYPES_PER_ENDPOINT_MAX} types or patterns")));
    }
    let names = types.iter().map(|text| TypeName::parse(text).map_err(|problem| wrong(&problem.to_string())));
    names.collect::<Result<_, _>>().map(TypeSelection)
}

/// Says that an offset is no longer kept.
pub(super) fn expired(asked: Offset, oldest: Offset) -> Problem {
    range_expired(format!("offset {asked} is no longer kept: the oldest is {oldest}"), oldest)
}

fn range_expired(detail: String, oldest: Offset) -> Problem {
    Problem::new(Code::RangeExpired).detail(detail).with("oldestOffset", oldest.0)
}

/// Walks over the index of an account.
pub(super) struct Walk<'log> {
    log: &'log Handle,
    account: AccountId,
    direction: Direction,
    /// What is not read yet.
    left: Stretch,
    read: VecDeque<IndexRow>,
    looked_at: usize,
}

impl<'log> Walk<'log> {
    /// Begins a walk over a stretch, behind `after` where a page before ended there.
    pub(super) fn new(
        log: &'log Handle,
        account: AccountId,
        stretch: Stretch,
        direction: Direction,
        after: Option<Offset>,
    ) -> Self {
        let left = match (direction, after) {
            (_, None) => stretch,
            (Direction::Newest, Some(after)) => Stretch { to: stretch.to.min(after), ..stretch },
            (Direction::Oldest, Some(after)) => Stretch { from: stretch.from.max(after.next()), ..stretch },
        };
        Self { log, account, direction, left, read: VecDeque::new(), looked_at: 0 }
    }

    /// Returns the next row; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<IndexRow>, Problem> {
        if self.read.is_empty() {
            self.read_on()?;
        }
        let row = self.read.pop_front();
        self.looked_at += usize::from(row.is_some());
        Ok(row)
    }

    /// Returns whether the walk has looked at as many rows as one page may cost.
    pub(super) const fn is_tired(&self) -> bool {
        self.looked_at >= PAGE_ROWS_MAX
    }

    fn read_on(&mut self) -> Result<(), Problem> {
        let Stretch { from, to } = self.left;
        if from >= to {
            return Ok(());
        }
        let rows = match self.direction {
            Direction::Oldest => self.log.index(self.account, from, Some(to), ROWS_AT_ONCE),
            Direction::Newest => self.log.index_back(self.account, to.previous(), ROWS_AT_ONCE),
        };
        self.read.extend(rows.map_err(of_log)?.into_iter().take_while(|row| row.offset >= from && row.offset < to));
        self.left = match (self.read.back(), self.direction) {
            (None, _) => Stretch { from: to, to },
            (Some(last), Direction::Oldest) => Stretch { from: last.offset.next(), to },
            (Some(last), Direction::Newest) => Stretch { from, to: last.offset },
        };
        Ok(())
    }
}

const ROWS_AT_ONCE: usize = 256;
