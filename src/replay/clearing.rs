//! Dead letters redelivered or discarded, many at once, as a job.
//!
//! Not what that means for one of them: that is delivery's, and durable each time. So a job that ends with the process
//! has done what it has done, and asking for it once more does the rest.

use std::sync::Arc;
use std::time::Duration;

use super::jobs::{Job, Jobs, TooMany};
use crate::accounts::{Endpoint, TypeSelection};
use crate::deliver::attempt::AttemptRecord;
use crate::deliver::outcome::AttemptError;
use crate::deliver::{self, Granted, Wish};
use crate::log::{self, AsideRow, Course};
use crate::model::{AccountId, Aside, Attempt, EndpointId, EventType, Offset, Timestamp, Who};
use crate::runtime::{Clock, Shutdown, Tasks, blocking};

/// What clearings are made of.
#[derive(Clone)]
pub struct ClearingParts {
    /// Where dead letters are.
    pub log: log::Handle,
    /// Who redelivers and discards.
    pub deliver: deliver::Handle,
    /// What time it is.
    pub clock: Clock,
    /// Where they run.
    pub tasks: Tasks,
    /// When to end.
    pub shutdown: Shutdown,
}

/// Which dead letters.
#[derive(Debug, Clone)]
pub struct Letters {
    /// Of these endpoints.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// Of these types.
    pub types: TypeSelection,
    /// Those whose last request failed with this.
    pub error: Option<AttemptError>,
    /// From this offset on.
    pub from: Offset,
    /// Up to this offset, not included.
    pub to: Offset,
}

/// What is to be done with which dead letters.
#[derive(Debug, Clone)]
pub struct ClearingPlan {
    /// What is to be done.
    pub wish: Wish,
    /// With which.
    pub letters: Letters,
    /// Whether they are only to be counted.
    pub is_dry: bool,
}

/// What a clearing has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Dead letters that are meant.
    pub matched: u64,
    /// Redelivered or discarded.
    pub done: u64,
    /// No dead letters any more when their turn came.
    pub passed_over: u64,
}

/// One clearing.
pub type Clearing = Job<ClearingPlan, Cleared>;

/// All clearings of this start. Cheap to clone.
#[derive(Clone)]
pub struct Clearings(Arc<Inner>);

struct Inner {
    parts: ClearingParts,
    jobs: Jobs<ClearingPlan, Cleared>,
}

impl Letters {
    /// Returns the meant ones of one endpoint from an offset on, looking at `limit` rows at most, and where to go on.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn read(
        &self,
        log: &log::Handle,
        endpoint: EndpointId,
        from: Offset,
        limit: usize,
    ) -> Result<(Vec<Offset>, Option<Offset>), log::Error> {
        let rows = log.asides(endpoint, Aside::DeadLetter, from.max(self.from)..self.to, limit)?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|last| last.offset.next());
        let mut meant = Vec::new();
        for row in rows {
            if self.contains(log, endpoint, &row)? {
                meant.push(row.offset);
            }
        }
        Ok((meant, next))
    }

    fn contains(&self, log: &log::Handle, endpoint: EndpointId, row: &AsideRow) -> Result<bool, log::Error> {
        let has_type = |event_type: Option<EventType>| event_type.is_some_and(|one| self.types.contains(&one));
        Ok((self.types.is_all() || has_type(event_type(log, row)?))
            && (self.error.is_none() || self.error == last_error(log, endpoint, row.offset)?))
    }
}

/// Returns the type of a dead letter's event; none where the event is gone.
fn event_type(log: &log::Handle, row: &AsideRow) -> Result<Option<EventType>, log::Error> {
    let record = log.record(row.position)?;
    record.map(|record| log.event(&record).map(|(event_type, _)| event_type)).transpose()
}

/// Returns why the last request of an event failed.
fn last_error(log: &log::Handle, endpoint: EndpointId, offset: Offset) -> Result<Option<AttemptError>, log::Error> {
    let attempts = log.attempts(endpoint, offset, usize::MAX)?;
    let last = attempts.into_iter().rfind(|(course, ..)| !matches!(course, Course::Replay(_)));
    let Some((_, Attempt(number), bytes)) = last else { return Ok(None) };
    let record = AttemptRecord::decode(bytes).map_err(|problem| {
        log::Error::Inconsistent(format!("request {number} of offset {offset} cannot be read: {problem}"))
    })?;
    Ok(record.error)
}

impl Clearings {
    /// Makes the place for clearings.
    #[must_use]
    pub fn new(parts: ClearingParts) -> Self {
        Self(Arc::new(Inner { parts, jobs: Jobs::new('d') }))
    }

    /// Starts a clearing.
    ///
    /// # Errors
    /// Where too many run.
    pub fn start(&self, account: AccountId, plan: ClearingPlan, who: Who) -> Result<Arc<Clearing>, TooMany> {
        let job = self.0.jobs.add(account, plan, who, self.now())?;
        let (clearings, running) = (self.clone(), Arc::clone(&job));
        self.0.parts.tasks.spawn(async move { clearings.run(&running).await });
        Ok(job)
    }

    /// Returns the clearings of an account, the newest first.
    #[must_use]
    pub fn list(&self, account: AccountId) -> Vec<Arc<Clearing>> {
        self.0.jobs.list(account)
    }

    /// Returns a clearing of an account.
    #[must_use]
    pub fn get(&self, account: AccountId, id: &str) -> Option<Arc<Clearing>> {
        self.0.jobs.get(account, id)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.0.parts.clock.wall_ms())
    }

    async fn run(&self, job: &Clearing) {
        let mut shutdown = self.0.parts.shutdown.clone();
        job.begin(self.now());
        let cleared = tokio::select! {
            cleared = self.clear(job) => cleared,
            () = shutdown.given() => Err("the process ended: ask once more for the rest".to_owned()),
        };
        job.end(cleared);
    }

    async fn clear(&self, job: &Clearing) -> Result<(), String> {
        let meant = self.find(job).await?;
        job.change(|progress| progress.result.matched = u64::try_from(meant.len()).unwrap_or(u64::MAX));
        if job.plan.is_dry {
            return Ok(());
        }
        for of_endpoint in meant.chunk_by(|one, other| one.0 == other.0) {
            for some in of_endpoint.chunks(LETTERS_AT_ONCE) {
                let Some((endpoint, _)) = some.first() else { continue };
                self.settle(job, *endpoint, some.iter().map(|(_, offset)| *offset).collect()).await?;
            }
        }
        Ok(())
    }

    /// Finds all that are meant before the first is touched: what is redelivered may come back as a dead letter.
    async fn find(&self, job: &Clearing) -> Result<Vec<(EndpointId, Offset)>, String> {
        let mut found = Vec::new();
        for endpoint in &job.plan.letters.endpoints {
            let (id, mut from) = (endpoint.id, Some(Offset(0)));
            while let Some(first) = from.filter(|_| !job.is_over()) {
                let (log, letters) = (self.0.parts.log.clone(), job.plan.letters.clone());
                let read = blocking(move || letters.read(&log, id, first, ROWS_AT_ONCE)).await;
                let (meant, next) = read.map_err(|problem| problem.to_string())?;
                found.extend(meant.into_iter().map(|offset| (id, offset)));
                from = next;
            }
        }
        Ok(found)
    }

    /// Redelivers or discards some, waiting for room where too many wait outside their lanes.
    async fn settle(&self, job: &Clearing, endpoint: EndpointId, mut offsets: Vec<Offset>) -> Result<(), String> {
        let mut waits = 0;
        while !offsets.is_empty() && !job.is_over() {
            let granted = self.0.parts.deliver.wish(endpoint, job.plan.wish.clone(), offsets.clone()).await;
            let Some(granted) = granted else {
                // The endpoint was deleted meanwhile: nothing of it is a dead letter any more.
                job.change(|progress| progress.result.passed_over += u64::try_from(offsets.len()).unwrap_or(0));
                return Ok(());
            };
            let count = |is_meant: fn(&Granted) -> bool| granted.iter().filter(|granted| is_meant(granted)).count();
            let done = count(|granted| *granted == Granted::Done);
            let without_room = count(|granted| *granted == Granted::NoRoom);
            let passed_over = granted.len() - done - without_room;
            job.change(|progress| {
                progress.result.done += u64::try_from(done).unwrap_or(0);
                progress.result.passed_over += u64::try_from(passed_over).unwrap_or(0);
            });
            let left = offsets.into_iter().zip(granted).filter(|(_, granted)| *granted == Granted::NoRoom);
            offsets = left.map(|(offset, _)| offset).collect();
            waits = if done > 0 { 0 } else { waits + 1 };
            if without_room > 0 && waits >= WAITS_MAX {
                return Err(format!(
                    "5,000 events of an endpoint wait outside their lanes and none of them gets through: {} are left",
                    offsets.len()
                ));
            }
            if without_room > 0 {
                tokio::time::sleep(ROOM_AGAIN_AFTER).await;
            }
        }
        Ok(())
    }
}

const LETTERS_AT_ONCE: usize = 256;
const ROWS_AT_ONCE: usize = 1_000;
const ROOM_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// After so many looks without room the job does not keep others from their turn.
const WAITS_MAX: u32 = 300;
