//! The joint between log and delivery: reads records, runs the chain, hands over.
//!
//! Decided in order, made last: `decide` says what is to become of events, `body` makes what is sent, anew at every
//! attempt and by the rights of that moment. Fail closed: where rights cannot be told or the component does not answer,
//! nothing is sent. The chain is the rights alone so far. Not known here: who is sent what when.
//!
//! ```text
//! record ─▶ type wanted? ─▶ rights component ─▶ what is left ─▶ body (with the stamp of those rights)
//! ```

mod follow;
mod left;
mod reader;
mod recent;
mod rights;
mod touched;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::accounts::{self, Account, Accounts, Effective, Endpoint, Format, Mark, RightsAsOf, Table};
use crate::deliver::format::Content;
use crate::deliver::{Body, DecidedEvent, Decision, FilteredBy, Made, Occasion, Outcome, Source, Undecided};
use crate::filter::{Filter, Host};
use crate::log;
use crate::model::{AccountId, AccountName, Event, EventType, Offset, Position, Record, Timestamp};
use crate::runtime::{Clock, Tasks, blocking};

use self::recent::Recent;
use self::rights::{Owner, Rights};

pub use self::follow::follow;
pub use self::left::Left;
pub use self::reader::{Prospect, Reader};
pub use self::rights::Answer;
pub use self::touched::Touched;
pub use crate::filter::Fault;

/// What the joint is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where records are.
    pub log: log::Handle,
    /// Whose rights.
    pub accounts: Accounts,
    /// Who runs components.
    pub host: Host,
    /// The rights component, loaded.
    pub rights: Arc<Filter>,
    /// Where batches run.
    pub tasks: Tasks,
    /// What time it is: how old an event is.
    pub clock: Clock,
}

/// Decides and makes bodies; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dispatch {
    log: log::Handle,
    accounts: Accounts,
    rights: Rights,
    recent: Arc<Recent>,
    clock: Clock,
}

impl Dispatch {
    /// Makes the joint over a log.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { log, accounts, host, rights, tasks, clock } = parts;
        let rights = Rights::new(host, rights, accounts.clone(), tasks);
        Self { log, accounts, rights, recent: Arc::new(Recent::new(RECENT_BYTES_MAX)), clock }
    }

    /// Says what an account's rights leave of events, in their order: for who wants to look at them.
    ///
    /// # Errors
    /// Where the rights cannot be told.
    pub async fn view(&self, account: &Account, events: &[(EventType, Event)]) -> Result<Vec<Answer>, accounts::Error> {
        let table = self.accounts.effective(account.id)?.table;
        Ok(self.preview(account, &table, events).await)
    }

    /// Says what a table would leave of events, in their order.
    pub async fn preview(&self, account: &Account, table: &Arc<Table>, events: &[(EventType, Event)]) -> Vec<Answer> {
        let owner = Owner { account: account.id, name: &account.name };
        self.rights.ask_all(owner, table, events).await
    }

    /// Does what [`Dispatch::preview`] does for events that somebody made up: with pseudonyms that are nobody's, or
    /// they would tell what the account's own stand for.
    pub async fn rehearse(&self, account: &Account, table: &Arc<Table>, events: &[(EventType, Event)]) -> Vec<Answer> {
        let owner = Owner { account: AccountId::SYSTEM, name: &account.name };
        self.rights.ask_all(owner, table, events).await
    }

    /// Makes the body of a request once more, by a table of then.
    ///
    /// None where the event is gone or nothing of it is left.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn remake(
        &self,
        endpoint: &Endpoint,
        offset: Offset,
        format: Format,
        table: &Arc<Table>,
    ) -> Result<Option<Bytes>, log::Error> {
        let Some(record) = self.record(endpoint.account, offset).await? else { return Ok(None) };
        let (event_type, event) = self.log.event(&record)?;
        let owner = Owner { account: endpoint.account, name: &endpoint.account_name };
        Ok(match self.rights.ask(owner, table, &event_type, &event).await {
            Answer::Left(left) => Some(body(owner.name, format, offset, &event_type, &event, &left)),
            Answer::Withheld | Answer::Unknown | Answer::Fault(_) => None,
        })
    }

    fn decide_record(&self, record: &Record, table: &Table) -> Result<(EventType, DecidedEvent), log::Error> {
        let (event_type, event) = self.log.event(record)?;
        let lane = event.key.as_deref().map(|key| self.log.key_hash(record.header.account, key));
        let outcome = match table.mark(event_type.as_str()) {
            _ if event.is_own() => Outcome::Pass,
            Mark::Wanted => Outcome::Pass,
            Mark::Withheld => Outcome::Filtered(FilteredBy::Chain),
            Mark::Unknown => Outcome::Filtered(FilteredBy::Catalog),
        };
        let decided = DecidedEvent { position: record.position, decision: Decision { lane, outcome } };
        Ok((event_type, decided))
    }

    /// Finds the record of an event: among those just decided, in the log's tail, or on the disk.
    async fn record(&self, account: AccountId, offset: Offset) -> Result<Option<Record>, log::Error> {
        if let Some(record) = self.recent.get(account, offset) {
            let is_kept = record.position >= self.log.oldest();
            return Ok(is_kept.then_some(record));
        }
        let log = self.log.clone();
        blocking(move || match log.index_at(account, offset)? {
            Some(row) => log.record(row.position),
            None => Ok(None),
        })
        .await
    }

    /// Whether an event is older than an endpoint wants to be told of.
    fn is_too_old(&self, endpoint: &Endpoint, event_type: &EventType, record: &Record, occasion: &Occasion) -> bool {
        let settings = &endpoint.settings.value;
        if *occasion != Occasion::InTurn || !settings.has_max_age() {
            return false;
        }
        let age = Timestamp(self.clock.wall_ms()).since(record.header.recorded_at);
        settings.max_age(event_type.as_str()).is_some_and(|max| age > max)
    }

    async fn make(&self, endpoint: &Endpoint, offset: Offset, occasion: &Occasion) -> Result<Body, Undecided> {
        let Some(record) = self.record(endpoint.account, offset).await? else { return Ok(Body::Gone) };
        let (event_type, event) = self.log.event(&record)?;
        if self.is_too_old(endpoint, &event_type, &record, occasion) {
            return Ok(Body::TooOld);
        }
        let effective = match occasion {
            Occasion::Replay(scope) if scope.as_of == RightsAsOf::Original => {
                let (accounts, endpoint, at) = (self.accounts.clone(), endpoint.clone(), record.position);
                blocking(move || accounts.effective_original(&endpoint, at)).await?
            }
            Occasion::Replay(_) | Occasion::InTurn | Occasion::Asked => Some(self.accounts.effective_for(endpoint)?),
        };
        let Some(effective) = effective else { return Ok(Body::Filtered(FilteredBy::Chain)) };
        let owner = Owner { account: endpoint.account, name: &endpoint.account_name };
        let format = endpoint.settings.value.format;
        Ok(self.make_by(effective, owner, format, &record, event_type, event).await)
    }

    /// Makes what is sent of an event by what holds.
    async fn make_by(
        &self,
        effective: Effective,
        owner: Owner<'_>,
        format: Format,
        record: &Record,
        event_type: EventType,
        event: Event,
    ) -> Body {
        let Effective { table, revision, as_of, stamp } = effective;
        let offset = record.header.offset;
        let left = match self.rights.ask(owner, &table, &event_type, &event).await {
            Answer::Left(left) => left,
            Answer::Withheld => return Body::Filtered(FilteredBy::Chain),
            Answer::Unknown => return Body::Filtered(FilteredBy::Catalog),
            // Nothing is known of the component: it is asked again.
            Answer::Fault(Fault::Host { what }) => {
                tracing::warn!(account = %owner.name, %offset, what, "rights could not be asked");
                return Body::Later;
            }
            Answer::Fault(fault) => {
                tracing::error!(account = %owner.name, %offset, %fault, "rights did not answer properly");
                return Body::Fault;
            }
        };
        let body = body(owner.name, format, offset, &event_type, &event, &left);
        let traceparent = event.attributes.iter().find(|(name, _)| &**name == "traceparent");
        Body::Ready(Box::new(Made {
            position: record.position,
            traceparent: traceparent.map(|(_, value)| value.clone()),
            id: event.id,
            event_type,
            version: event.version,
            occurred_at: event.occurred_at,
            key: left.key,
            body,
            rights: self.accounts.revision(revision).into(),
            as_of,
            stamp,
        }))
    }
}

/// Writes what is left of an event as an endpoint gets it.
fn body(
    account: &AccountName,
    format: Format,
    offset: Offset,
    event_type: &EventType,
    event: &Event,
    left: &Left,
) -> Bytes {
    format.body(&Content {
        id: &event.id,
        event_type,
        version: event.version,
        occurred_at: event.occurred_at,
        account,
        actor: left.actor.as_deref(),
        is_test: false,
        offset: Some(offset),
        key: left.key.as_deref(),
        data: &left.data,
    })
}

impl Source for Dispatch {
    fn decide(
        &self,
        endpoint: &Endpoint,
        from: Offset,
        limit: u32,
        occasion: &Occasion,
    ) -> Result<Vec<DecidedEvent>, Undecided> {
        let account = endpoint.account;
        let table = self.accounts.effective_for(endpoint)?.table;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(DECIDE_EVENTS_MAX);
        let head = self.log.account_head(account);
        let stretch = self.log.read_account(account, from, limit, DECIDE_BYTES_MAX)?;
        let mut decided = Vec::with_capacity(stretch.records.len());
        let mut wanted = Vec::with_capacity(stretch.records.len());
        let mut next = from;
        for record in stretch.records {
            while next < record.header.offset && decided.len() < limit {
                decided.push(GONE);
                next = next.next();
            }
            if decided.len() >= limit {
                break;
            }
            let (event_type, mut event) = self.decide_record(&record, &table)?;
            // Nobody finds out how many events of a withheld type there are by naming it.
            if let Occasion::Replay(scope) = occasion
                && (!scope.types.contains(&event_type)
                    || (!scope.types.is_all() && matches!(event.decision.outcome, Outcome::Filtered(_))))
            {
                event.decision.outcome = Outcome::OtherType;
            }
            let is_wanted = event.decision.outcome == Outcome::Pass;
            if is_wanted && self.is_too_old(endpoint, &event_type, &record, occasion) {
                event.decision.outcome = Outcome::TooOld;
            }
            next = record.header.offset.next();
            if event.decision.outcome == Outcome::Pass {
                wanted.push(record);
            }
            decided.push(event);
        }
        self.recent.put(wanted);
        // Nothing is left up to the head: retention took all of it.
        if decided.is_empty() {
            let gone = head.0.saturating_sub(from.previous().0);
            decided = vec![GONE; usize::try_from(gone).unwrap_or(usize::MAX).min(limit)];
        }
        Ok(decided)
    }

    fn body<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        offset: Offset,
        occasion: &'a Occasion,
    ) -> Pin<Box<dyn Future<Output = Body> + Send + 'a>> {
        Box::pin(async move {
            self.make(endpoint, offset, occasion).await.unwrap_or_else(|problem| {
                tracing::error!(account = %endpoint.account_name, %offset, %problem, "a body cannot be made");
                Body::Later
            })
        })
    }
}

const GONE: DecidedEvent =
    DecidedEvent { position: Position(0), decision: Decision { lane: None, outcome: Outcome::Gone } };
const DECIDE_EVENTS_MAX: usize = 4_096;
const DECIDE_BYTES_MAX: usize = 8 << 20;
const RECENT_BYTES_MAX: usize = 32 << 20;
