//! Events for endpoints, in the order of a list, without asking yet what became of them.
//!
//! Not outcomes. Only index rows are read here, so that a page knows cheaply what it has to look at.

use std::fmt;
use std::sync::Arc;

use super::event::read_offset;
use super::query::Direction;
use super::stretch::{Stretch, Walk};
use crate::accounts::Endpoint;
use crate::log::Handle;
use crate::model::{AccountId, EndpointName, Offset};
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

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.offset, self.endpoint.name)
    }
}

/// Which pairs are asked for.
pub(super) struct Pairs {
    pub(super) account: AccountId,
    /// By name.
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) stretch: Stretch,
    pub(super) direction: Direction,
    pub(super) after: Option<Cursor<EndpointName>>,
    pub(super) count_max: usize,
}

/// Some pairs, and whether there are more.
pub(super) struct Found {
    pub(super) pairs: Vec<Cursor>,
    pub(super) has_more: bool,
}

impl Pairs {
    /// Reads pairs, by offset in the direction of the list and then by the endpoints' names.
    pub(super) fn read(mut self, log: &Handle) -> Result<Found, Problem> {
        let starts = self.endpoints.iter().map(|endpoint| endpoint.settings.value.after.next());
        let Some(first) = starts.min() else { return Ok(Found { pairs: Vec::new(), has_more: false }) };
        // What came in before the first endpoint was made is nobody's delivery.
        self.stretch.from = self.stretch.from.max(first);
        // The event at which the page before ended may have more endpoints: the walk begins with it once more.
        let behind = self.after.as_ref().map(|after| match self.direction {
            Direction::Newest => after.offset.next(),
            Direction::Oldest => after.offset.previous(),
        });
        let mut walk = Walk::new(log, self.account, self.stretch, self.direction, behind);
        let mut pairs = Vec::new();
        while let Some(row) = walk.next()? {
            for endpoint in self.endpoints.iter().filter(|endpoint| self.is_asked_for(endpoint, row.offset)) {
                if pairs.len() == self.count_max {
                    return Ok(Found { pairs, has_more: true });
                }
                pairs.push(Cursor { offset: row.offset, endpoint: Arc::clone(endpoint) });
            }
            if walk.is_tired() && !pairs.is_empty() {
                return Ok(Found { pairs, has_more: true });
            }
        }
        Ok(Found { pairs, has_more: false })
    }

    fn is_asked_for(&self, endpoint: &Endpoint, offset: Offset) -> bool {
        let was_seen =
            self.after.as_ref().is_some_and(|after| after.offset == offset && endpoint.name <= after.endpoint);
        offset > endpoint.settings.value.after && !was_seen
    }
}
