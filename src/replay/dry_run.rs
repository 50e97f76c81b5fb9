//! Dry runs: what a replay would send, without sending it, compared with what was sent before.
//!
//! A dry run is a replay like others: kept in the log, paused, resumed and cancelled the same way. Only how far it has
//! got is kept in memory: after a start it begins again, because nothing of it has left. Its bodies come from the same
//! place as those that are sent. One runs at a time: live work has first choice of the sandbox.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use crate::accounts::{
    self, Accounts, Endpoint, FoundType, JobState, ReplayCounts, ReplayScope, ReplaySettings, ReplayStanding,
};
use crate::deliver::attempt::AttemptRecord;
use crate::deliver::{Body, Undecided};
use crate::dispatch::{Dispatch, Prospect, Reader};
use crate::log;
use crate::model::{AccountId, CodecError, EndpointId, EventType, Offset, Record, Timestamp, Who, body_hash};
use crate::runtime::{Clock, Shutdown, Tasks, blocking};

/// What dry runs are made of.
#[derive(Clone)]
pub struct DryRunParts {
    /// Where events are, and what was sent of them.
    pub log: log::Handle,
    /// Whose replays.
    pub accounts: Accounts,
    /// Who makes bodies.
    pub dispatch: Dispatch,
    /// What time it is.
    pub clock: Clock,
    /// Where they run.
    pub tasks: Tasks,
    /// When to end.
    pub shutdown: Shutdown,
}

/// All dry runs. Cheap to clone.
#[derive(Clone)]
pub struct DryRuns(Arc<Inner>);

struct Inner {
    parts: DryRunParts,
    /// Whoever holds it runs.
    turn: Semaphore,
    running: Mutex<HashMap<Key, Arc<DryRun>>>,
}

/// A replay: its account and its number.
type Key = (AccountId, u64);

/// One that is not over.
#[derive(Debug, Default)]
struct DryRun {
    progress: Mutex<DryProgress>,
    /// Rung when somebody has changed how it stands.
    changed: Notify,
}

/// How far a dry run has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryProgress {
    /// What became of its events.
    pub counts: ReplayCounts,
    /// How many offsets were gone through.
    pub done: u64,
    /// How many events were of types that are not asked for.
    others: u64,
    /// What was found, by type.
    pub found: BTreeMap<EventType, FoundType>,
    /// Since when it goes on without a pause, and how many offsets it had gone through by then.
    pub going_since: Option<(Timestamp, u64)>,
}

/// Why a dry run cannot go on.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    Undecided(#[from] Undecided),
    #[error("what was sent cannot be read: {0}")]
    Attempt(#[from] CodecError),
}

impl DryRuns {
    /// Makes the place for dry runs, and goes on with those that are not over.
    #[must_use]
    pub fn start(parts: DryRunParts) -> Self {
        let accounts = parts.accounts.accounts("", None, usize::MAX);
        let runs = Self(Arc::new(Inner { parts, turn: Semaphore::new(1), running: Mutex::default() }));
        for account in accounts {
            let open = account.replays.values().map(|replay| &replay.value).filter(|replay| is_open(replay));
            open.for_each(|replay| runs.look_at(account.id, replay.id));
        }
        runs
    }

    /// Hears that a dry run was asked for, or stands otherwise than before.
    pub fn look_at(&self, account: AccountId, id: u64) {
        let mut running = self.lock();
        if let Some(run) = running.get(&(account, id)) {
            run.changed.notify_one();
            return;
        }
        let run = Arc::new(DryRun::default());
        running.insert((account, id), Arc::clone(&run));
        let runs = self.clone();
        self.0.parts.tasks.spawn(async move {
            runs.run((account, id), &run).await;
            runs.lock().remove(&(account, id));
        });
    }

    /// Returns how far a dry run has got; none where it does not run.
    #[must_use]
    pub fn progress(&self, account: AccountId, id: u64) -> Option<DryProgress> {
        self.lock().get(&(account, id)).map(|run| run.lock().clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<DryRun>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a dry run as it stands; none where it is over, or its endpoint is gone.
    fn settings(&self, (account, id): Key) -> Option<(ReplaySettings, Arc<Endpoint>)> {
        let account = self.0.parts.accounts.account_by_id(account)?;
        let replay = account.replays.get(&id).map(|replay| &replay.value).filter(|replay| is_open(replay))?;
        let endpoint = account.endpoints.values().find(|endpoint| endpoint.id == replay.endpoint)?;
        Some((replay.clone(), Arc::clone(endpoint)))
    }

    async fn run(&self, key: Key, run: &DryRun) {
        let mut shutdown = self.0.parts.shutdown.clone();
        let ended = tokio::select! {
            ended = self.go_through(key, run) => ended,
            () = shutdown.given() => return,
        };
        let (state, problem) = match ended {
            Ok(true) => (JobState::Completed, None),
            // Somebody has ended it.
            Ok(false) => return,
            Err(problem) => (JobState::Failed, Some(problem.to_string())),
        };
        let DryProgress { counts, found, .. } = run.lock().clone();
        let standing = ReplayStanding { state, problem, counts: Some(counts), found: found.into_values().collect() };
        tokio::select! {
            () = self.record(key, standing) => {}
            () = shutdown.given() => {}
        }
    }

    /// Records how one stands, until that is done: a full disk is a matter of time.
    async fn record(&self, (account, id): Key, standing: ReplayStanding) {
        while let Err(problem) = self.0.parts.accounts.set_replay(account, id, standing.clone(), &Who::System).await {
            tracing::error!(replay = id, %problem, "the state of a dry run could not be recorded");
            if matches!(problem, accounts::Error::NotFound { .. }) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Goes through the stretch; says whether it came to its end.
    async fn go_through(&self, key: Key, run: &DryRun) -> Result<bool, Problem> {
        let mut turn = None;
        loop {
            let Some((settings, endpoint)) = self.settings(key) else { return Ok(false) };
            if settings.standing.state == JobState::Paused {
                turn = None;
                run.lock().going_since = None;
                // Its endpoint may be deleted meanwhile, which rings no bell.
                drop(tokio::time::timeout(LOOK_EVERY, run.changed.notified()).await);
                continue;
            }
            if turn.is_none() {
                turn = self.0.turn.acquire().await.ok();
                // It may have been paused or ended while it waited.
                continue;
            }
            let done = self.begin(key, &settings, run).await;
            let next = Offset(settings.from.0.saturating_add(done));
            if next >= settings.to {
                return Ok(true);
            }
            let records = self.read(&endpoint, next, settings.to).await?;
            let mut to = records.last().map_or(settings.to, |record| record.header.offset.next());
            let mut prospects = self.would_send(&endpoint, &settings.scope, &records).await?;
            // What cannot be told at this moment is asked again.
            let later = prospects.iter().enumerate().find(|(_, one)| matches!(one.body, Some(Body::Later)));
            if let Some((at, offset)) = later.map(|(at, one)| (at, one.offset)) {
                to = offset;
                prospects.truncate(at);
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            let sent = self.sent_before(endpoint.id, &prospects).await?;
            run.lock().add(&settings, next, to, &prospects, &sent);
        }
    }

    async fn would_send(
        &self,
        endpoint: &Arc<Endpoint>,
        scope: &ReplayScope,
        records: &[Record],
    ) -> Result<Vec<Prospect>, Undecided> {
        let reader = Reader::Endpoint(Arc::clone(endpoint), scope.as_of);
        self.0.parts.dispatch.would_send(&reader, endpoint.settings.value.format, &scope.types, records).await
    }

    /// Notes that it goes on; returns how many offsets it has gone through.
    async fn begin(&self, key: Key, settings: &ReplaySettings, run: &DryRun) -> u64 {
        let now = Timestamp(self.0.parts.clock.wall_ms());
        if settings.standing.state == JobState::Queued {
            self.record(key, JobState::Running.into()).await;
        }
        let mut progress = run.lock();
        let done = progress.done;
        progress.going_since.get_or_insert((now, done));
        progress.settle(settings);
        done
    }

    async fn read(&self, endpoint: &Endpoint, from: Offset, to: Offset) -> Result<Vec<Record>, log::Error> {
        let (log, account) = (self.0.parts.log.clone(), endpoint.account);
        blocking(move || {
            let mut records = log.read_account(account, from, BATCH_EVENTS_MAX, BATCH_BYTES_MAX)?.records;
            records.retain(|record| record.header.offset < to);
            Ok(records)
        })
        .await
    }

    /// Returns the hash of the body that the receiver took first, of each event; none where it took none on record.
    async fn sent_before(
        &self,
        endpoint: EndpointId,
        prospects: &[Prospect],
    ) -> Result<Vec<Option<[u8; 16]>>, Problem> {
        let (log, offsets) = (self.0.parts.log.clone(), prospects.iter().map(|one| one.offset).collect::<Vec<_>>());
        blocking(move || {
            offsets.into_iter().map(|offset| first_taken(&log, endpoint, offset)).collect::<Result<Vec<_>, Problem>>()
        })
        .await
    }
}

fn first_taken(log: &log::Handle, endpoint: EndpointId, offset: Offset) -> Result<Option<[u8; 16]>, Problem> {
    for (_, _, bytes) in log.attempts(endpoint, offset, ATTEMPTS_MAX)? {
        let record = AttemptRecord::decode(bytes)?;
        if record.error.is_none() {
            return Ok(Some(record.body_hash));
        }
    }
    Ok(None)
}

fn is_open(replay: &ReplaySettings) -> bool {
    replay.is_dry_run && !replay.standing.state.is_over()
}

impl DryRun {
    fn lock(&self) -> MutexGuard<'_, DryProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DryProgress {
    /// Takes in what would be sent of the events from one offset up to another, which is not included.
    fn add(
        &mut self,
        settings: &ReplaySettings,
        from: Offset,
        to: Offset,
        prospects: &[Prospect],
        sent: &[Option<[u8; 16]>],
    ) {
        // Nobody finds out how many events of a withheld type there are by naming it.
        let is_naming = !settings.scope.types.is_all();
        for (Prospect { event_type, body, .. }, sent) in prospects.iter().zip(sent) {
            let is_withheld = matches!(body, Some(Body::Filtered(_)));
            let Some(body) = body.as_ref().filter(|_| !(is_withheld && is_naming && sent.is_none())) else {
                self.others += 1;
                continue;
            };
            self.counts.filtered += u64::from(is_withheld);
            // Types that rights withhold are not even named.
            if is_withheld && sent.is_none() {
                continue;
            }
            let bytes = match body {
                Body::Ready(made) => u64::try_from(made.body.len()).unwrap_or(u64::MAX),
                _ => 0,
            };
            self.counts.delivered += u64::from(matches!(body, Body::Ready(_)));
            self.counts.bytes += bytes;
            if self.found.len() >= FOUND_TYPES_MAX && !self.found.contains_key(event_type) {
                continue;
            }
            let found = self.found.entry(event_type.clone()).or_insert_with(|| FoundType::none(event_type.clone()));
            found.events += 1;
            found.bytes += bytes;
            match body {
                Body::Ready(made) => match sent {
                    Some(hash) if *hash == body_hash(&made.body) => found.unchanged += 1,
                    Some(_) => found.changed += 1,
                    None => found.appearing += 1,
                },
                Body::Filtered(_) => found.disappearing += 1,
                Body::Fault | Body::Later | Body::Gone | Body::TooOld => found.faults += 1,
            }
        }
        let there = u64::try_from(prospects.len()).unwrap_or(u64::MAX);
        self.counts.expired += (to.0 - from.0).saturating_sub(there);
        self.done = to.0 - settings.from.0;
        self.settle(settings);
    }

    /// Makes the counts add up.
    fn settle(&mut self, ReplaySettings { from, to, .. }: &ReplaySettings) {
        let counts = &mut self.counts;
        counts.matched = to.0.saturating_sub(from.0).saturating_sub(self.others);
        counts.remaining = counts.matched - counts.delivered - counts.filtered - counts.expired;
    }
}

/// Attempts of one event that are looked through for one that succeeded.
const ATTEMPTS_MAX: usize = 1_000;
/// Types that are told apart; what is of further ones is counted without its type.
const FOUND_TYPES_MAX: usize = 500;
const BATCH_EVENTS_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How often one that stands still is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::accounts::{AsOf, RightsStamp};
    use crate::deliver::{FilteredBy, Made};
    use crate::model::{EventId, Position};

    #[test]
    fn what_is_found_adds_up_and_what_is_withheld_has_no_name() {
        let settings: ReplaySettings = serde_json::from_str(
            r#"{"id":1,"endpoint":2,"endpointName":"crm","from":3,"to":13,"isDryRun":true,"state":"running","problem":null,
                "createdAt":"2026-03-02T09:14:07.512Z","createdBy":"operator"}"#,
        )
        .unwrap();
        let body = || {
            Body::Ready(Box::new(Made {
                position: Position(1),
                id: EventId::parse("evt_1").unwrap(),
                event_type: EventType::parse("call.ended").unwrap(),
                version: 1,
                occurred_at: Timestamp(0),
                key: None,
                traceparent: None,
                body: Bytes::from_static(b"seven b"),
                rights: "r".into(),
                as_of: AsOf { settings: Position(1), build: Position(1) },
                stamp: RightsStamp::of_nothing(),
            }))
        };
        let withheld = || Some(Body::Filtered(FilteredBy::Chain));
        let same = Some(body_hash(b"seven b"));
        let other = Some(body_hash(b"another"));
        let events = [
            (5, "call.ended", Some(body()), same),
            (6, "call.ended", Some(body()), other),
            (7, "call.ended", Some(body()), None),
            (8, "call.ended", Some(Body::Fault), None),
            (9, "agent.login", withheld(), other),
            (10, "email.sent", withheld(), None),
            (11, "email.sent", None, other),
        ];
        let mut prospects = Vec::new();
        for (offset, event_type, body, _) in &events {
            let event_type = EventType::parse(event_type).unwrap();
            prospects.push(Prospect { offset: Offset(*offset), event_type, body: body.clone() });
        }
        let sent: Vec<_> = events.iter().map(|(.., sent)| *sent).collect();
        let mut progress = DryProgress::default();
        // Offsets 3 and 4 are gone, and 12 was not read yet.
        progress.add(&settings, Offset(3), Offset(12), &prospects, &sent);
        let counts =
            ReplayCounts { matched: 9, delivered: 3, filtered: 2, given_up: 0, expired: 2, remaining: 2, bytes: 21 };
        assert_eq!((progress.counts, progress.done), (counts, 9));
        let found: Vec<_> = progress.found.into_values().collect();
        let login =
            FoundType { events: 1, disappearing: 1, ..FoundType::none(EventType::parse("agent.login").unwrap()) };
        let ended = FoundType::none(EventType::parse("call.ended").unwrap());
        let ended = FoundType { events: 4, bytes: 21, unchanged: 1, changed: 1, appearing: 1, faults: 1, ..ended };
        assert_eq!(found, [login, ended]);
    }
}
