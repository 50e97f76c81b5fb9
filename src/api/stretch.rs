//! A stretch of an account's log, resolved to offsets, and the events of some types in it.
//!
//! Not what is looked for. From is included, to is not; an open end is the head at the moment of the call;
//! what begins below the oldest kept is an error and not a shorter answer.

use super::failure::{invalid, invalid_parameter, of_log};
use super::query::Point;
use crate::accounts::{TypeName, TypeSelection};
use crate::log::{Handle, Set};
use crate::model::limits::TYPES_PER_ENDPOINT_MAX;
use crate::model::{AccountId, EventType, Offset, TypeNumber};
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

/// Returns where the events of some types are; none where they are of so many that looking at every event is cheaper.
pub(super) fn of_types(log: &Handle, account: AccountId, is_wanted: impl Fn(&EventType) -> bool) -> Option<Vec<Set>> {
    let numbers = few_types(log, is_wanted)?;
    Some(numbers.into_iter().map(|number| Set::Type(account, number)).collect())
}

/// Returns the types of which some are wanted; none where they are too many, or may have no name here.
pub(super) fn names_of_types(log: &Handle, is_wanted: impl Fn(&EventType) -> bool) -> Option<Vec<EventType>> {
    few_types(log, is_wanted)?.into_iter().map(|number| log.type_name(number)).collect()
}

fn few_types(log: &Handle, is_wanted: impl Fn(&EventType) -> bool) -> Option<Vec<TypeNumber>> {
    Some(log.types(is_wanted)).filter(|numbers| numbers.len() <= TYPES_AT_ONCE)
}

/// Types whose events are looked for side by side: each costs a search.
const TYPES_AT_ONCE: usize = 256;
