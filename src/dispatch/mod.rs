//! The joint between log and delivery: reads records, runs the chain, hands over.
//!
//! Decided in order, made last: `decide` says what is to become of events, `body` makes what is sent, anew at
//! every attempt. The chain is empty so far: everything passes. Not known here: who is sent what when.

mod follow;
mod recent;

use std::sync::Arc;

use crate::accounts::{Endpoint, Format};
use crate::deliver::format::{BodyFormat, Content};
use crate::deliver::{Body, DecidedEvent, Decision, Made, Outcome, Source};
use crate::log;
use crate::model::{AccountId, Event, EventType, Offset, Position, Record};

use self::recent::Recent;

pub use self::follow::follow;

/// Decides and makes bodies; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dispatch {
    log: log::Handle,
    recent: Arc<Recent>,
}

impl Dispatch {
    /// Makes the joint over a log.
    #[must_use]
    pub fn new(log: log::Handle) -> Self {
        Self { log, recent: Arc::new(Recent::new(RECENT_BYTES_MAX)) }
    }

    fn decide_record(&self, record: &Record) -> Result<DecidedEvent, log::Error> {
        let (_, event) = self.log.event(record)?;
        Ok(DecidedEvent { position: record.position, decision: self.pass(record.header.account, &event) })
    }

    fn pass(&self, account: AccountId, event: &Event) -> Decision {
        let lane = event.key.as_deref().map(|key| self.log.key_hash(account, key));
        Decision { lane, outcome: Outcome::Pass }
    }

    /// Finds the record of an event: among those just decided, or in the log.
    fn record(&self, account: AccountId, offset: Offset) -> Result<Option<Record>, log::Error> {
        if let Some(record) = self.recent.get(account, offset) {
            let is_kept = record.position >= self.log.oldest();
            return Ok(is_kept.then_some(record));
        }
        match self.log.index_at(account, offset)? {
            Some(row) => self.log.record(row.position),
            None => Ok(None),
        }
    }
}

impl Source for Dispatch {
    fn decide(&self, account: AccountId, from: Offset, limit: u32) -> Result<Vec<DecidedEvent>, log::Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(DECIDE_EVENTS_MAX);
        let head = self.log.account_head(account);
        let stretch = self.log.read_account(account, from, limit, DECIDE_BYTES_MAX)?;
        let mut decided = Vec::with_capacity(stretch.records.len());
        let mut next = from;
        for record in stretch.records {
            while next < record.header.offset && decided.len() < limit {
                decided.push(GONE);
                next = next.next();
            }
            if decided.len() >= limit {
                return Ok(decided);
            }
            decided.push(self.decide_record(&record)?);
            next = record.header.offset.next();
            self.recent.put(record);
        }
        // Nothing is left up to the head: retention took all of it.
        if decided.is_empty() {
            let gone = head.0.saturating_sub(from.previous().0);
            decided = vec![GONE; usize::try_from(gone).unwrap_or(usize::MAX).min(limit)];
        }
        Ok(decided)
    }

    fn body(&self, endpoint: &Endpoint, offset: Offset) -> Body {
        let found = self.record(endpoint.account, offset).and_then(|record| match record {
            Some(record) => self.log.event(&record).map(|event| Some((record.position, event))),
            None => Ok(None),
        });
        match found {
            Ok(Some((position, (event_type, event)))) => {
                Body::Ready(Box::new(made(endpoint, position, event_type, event)))
            }
            Ok(None) => Body::Gone,
            Err(problem) => {
                tracing::error!(account = %endpoint.account_name, %offset, %problem, "an event cannot be read");
                Body::Later
            }
        }
    }
}

fn made(endpoint: &Endpoint, position: Position, event_type: EventType, event: Event) -> Made {
    let format = match endpoint.settings.value.format {
        Format::Envelope => BodyFormat::Envelope,
    };
    let body = format.body(&Content {
        id: &event.id,
        event_type: &event_type,
        version: event.version,
        occurred_at: event.occurred_at,
        account: &endpoint.account_name,
        actor: event.actor.as_deref(),
        is_test: false,
        data: &event.data,
    });
    let traceparent =
        event.attributes.iter().find(|(name, _)| &**name == "traceparent").map(|(_, value)| value.clone());
    Made {
        position,
        id: event.id,
        event_type,
        version: event.version,
        occurred_at: event.occurred_at,
        key: event.key,
        traceparent,
        body,
    }
}

const GONE: DecidedEvent =
    DecidedEvent { position: Position(0), decision: Decision { lane: None, outcome: Outcome::Gone } };
const DECIDE_EVENTS_MAX: usize = 4_096;
const DECIDE_BYTES_MAX: usize = 8 << 20;
const RECENT_BYTES_MAX: usize = 32 << 20;
