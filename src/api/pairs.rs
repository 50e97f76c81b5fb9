//! Events for endpoints, in the order of a list, without asking yet what became of them.
//!
//! Not outcomes. Only indexes are read here, so that a page knows cheaply what it has to look at: of those that are
//! asked for by what became of them, those that may be.

use std::fmt;
use std::sync::Arc;

use super::event::read_offset;
use super::failure::of_log;
use super::query::Direction;
use super::stretch::Stretch;
use crate::accounts::Endpoint;
use crate::log::{Handle, Offsets, Set};
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{EndpointName, Offset};
use crate::web::Problem;

/// One event for one endpoint: also where a page ended.
#[derive(Debug, Clone)]
pub(super) struct Cursor<E = Arc<Endpoint>> {
    pub(super) offset: Offset,
    pub(super) endpoint: E,
}

impl Cursor<EndpointName> {
    /// Reads where a page ended.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (offset, endpoint) = text.split_once('/')?;
        Some(Self { offset: read_offset(offset)?, endpoint: EndpointName::parse(endpoint).ok()? })
    }
}

impl From<Cursor> for Cursor<EndpointName> {
    fn from(cursor: Cursor) -> Self {
        Self { offset: cursor.offset, endpoint: cursor.endpoint.name.clone() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.offset, self.endpoint.name)
    }
}

/// Events of one endpoint: those in one set of each group.
#[derive(Debug, Clone)]
pub(super) struct Sought {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) groups: Vec<Vec<Set>>,
}

/// Which pairs are asked for.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    /// By name of the endpoint.
    pub(super) sought: Vec<Sought>,
    pub(super) stretch: Stretch,
    pub(super) direction: Direction,
    pub(super) after: Option<Cursor<EndpointName>>,
}

/// Some pairs, and where to go on if there are more.
pub(super) struct Found {
    pub(super) pairs: Vec<Cursor>,
    pub(super) next: Option<Cursor>,
    /// Whether it has looked at as many rows as it may.
    pub(super) is_tired: bool,
}

/// The walk over one endpoint's events, and the next of them.
struct Walk<'log> {
    endpoint: Arc<Endpoint>,
    offsets: Offsets<'log>,
    next: Option<Offset>,
}

impl Pairs {
    /// Reads so many pairs, by offset in the direction of the list and then by the endpoints' names. Blocks.
    pub(super) fn read(self, log: &Handle, count_max: usize) -> Result<Found, Problem> {
        let steps_max = (PAGE_ROWS_MAX / self.sought.len().max(1)).max(STEPS_MIN);
        let mut walks = Vec::with_capacity(self.sought.len());
        for Sought { endpoint, groups } in self.sought {
            let stretch = Self::left_of(&endpoint, self.stretch, self.direction, self.after.as_ref());
            let mut offsets = log.offsets(groups, stretch.from..stretch.to, self.direction.of_log(), steps_max);
            let next = offsets.next_offset().map_err(of_log)?;
            walks.push(Walk { endpoint, offsets, next });
        }
        let order = |offset: Offset| match self.direction {
            Direction::Oldest => offset.0,
            Direction::Newest => u64::MAX - offset.0,
        };
        let mut pairs = Vec::new();
        loop {
            // What lies behind the place where one of them got tired is for the next page.
            let tired = walks.iter().filter(|walk| walk.next.is_none() && walk.offsets.is_tired());
            let horizon = tired.map(|walk| walk.offsets.passed()).min_by_key(|passed| order(*passed));
            let last = walks.last().map(|walk| Arc::clone(&walk.endpoint));
            let nearest = walks.iter_mut().filter_map(|walk| Some((walk.next?, walk)));
            // Of several with the same offset the first, which is the first by name.
            let nearest = nearest.min_by_key(|(next, _)| order(*next));
            let nearest = nearest.filter(|(next, _)| horizon.is_none_or(|horizon| order(*next) <= order(horizon)));
            let Some((offset, walk)) = nearest else {
                let next = horizon.zip(last).map(|(offset, endpoint)| Cursor { offset, endpoint });
                return Ok(Found { pairs, is_tired: next.is_some(), next });
            };
            if pairs.len() == count_max {
                let next = pairs.last().cloned();
                return Ok(Found { pairs, next, is_tired: false });
            }
            pairs.push(Cursor { offset, endpoint: Arc::clone(&walk.endpoint) });
            walk.next = walk.offsets.next_offset().map_err(of_log)?;
        }
    }

    /// Returns what of a stretch is an endpoint's and was not on a page before.
    fn left_of(
        endpoint: &Endpoint,
        stretch: Stretch,
        direction: Direction,
        after: Option<&Cursor<EndpointName>>,
    ) -> Stretch {
        // What came in before the endpoint was made is not its.
        let from = stretch.from.max(endpoint.settings.value.after.next());
        let Some(Cursor { offset, endpoint: name }) = after else { return Stretch { from, ..stretch } };
        let was_seen = endpoint.name <= *name;
        match direction {
            Direction::Oldest => Stretch { from: from.max(if was_seen { offset.next() } else { *offset }), ..stretch },
            Direction::Newest => Stretch { from, to: stretch.to.min(if was_seen { *offset } else { offset.next() }) },
        }
    }
}

/// Rows that a walk may look at however many endpoints there are.
const STEPS_MIN: usize = 256;
