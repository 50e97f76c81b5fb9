//! Sends simulated traffic: one producer at a rate, some connections, an account always on the same one.
//!
//! Not the traffic itself. What a server does not answer, or answers with "later", is sent again with the
//! same ids until the patience is over; so nothing is lost while a server restarts, and nothing is doubled.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri};
use serde::Deserialize;
use tokio::sync::mpsc;
use url::Url;

use crate::cli::column::show_ms;
use crate::cli::exit::Failure;
use crate::cli::http::Answer;
use crate::cli::ingest::{Ingest, Media, retry_after};
use crate::cli::problem::Problem;
use crate::model::AccountName;
use crate::runtime::{Clock, Monotonic, Shutdown, Tasks};

use super::call_centre::CallCentre;
use super::tally::Tally;

/// How to send.
pub(in crate::cli) struct Plan {
    pub(in crate::cli) ingest: Url,
    pub(in crate::cli) authorization: Option<HeaderValue>,
    pub(in crate::cli) accounts: Vec<AccountName>,
    /// Events a second; 0 for as many as possible.
    pub(in crate::cli) rate: u32,
    pub(in crate::cli) until: Until,
    pub(in crate::cli) batch: u32,
    pub(in crate::cli) connections: u32,
    pub(in crate::cli) is_raw: bool,
    pub(in crate::cli) patience: Duration,
    pub(in crate::cli) clock: Clock,
    pub(in crate::cli) tasks: Tasks,
}

/// When to stop; without either, when interrupted.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Until {
    pub(in crate::cli) count: Option<u64>,
    pub(in crate::cli) duration: Option<Duration>,
}

/// Events of one account that go out together.
#[derive(Debug)]
struct Batch {
    target: Uri,
    events: u64,
    body: Vec<u8>,
    began: Monotonic,
}

/// One connection and what it needs.
struct Courier {
    ingest: Ingest,
    is_raw: bool,
    patience: Duration,
    clock: Clock,
    tally: Arc<Tally>,
    stop: Shutdown,
}

/// Sends traffic until the plan is done or somebody interrupts.
///
/// # Errors
/// `Usage` where the plan cannot be carried out; what a server refuses is counted, not returned.
pub(in crate::cli) async fn send(
    plan: Plan,
    centre: CallCentre,
    tally: Arc<Tally>,
    stop: Shutdown,
) -> Result<(), Failure> {
    let couriers = Tasks::new();
    let mut routes = Vec::new();
    let connections = usize::try_from(plan.connections).unwrap_or(1).min(plan.accounts.len()).max(1);
    for _ in 0..connections {
        let ingest = Ingest::new(&plan.ingest, plan.authorization.clone(), plan.tasks.clone())?;
        let courier = Courier {
            ingest,
            is_raw: plan.is_raw,
            patience: plan.patience,
            clock: plan.clock.clone(),
            tally: Arc::clone(&tally),
            stop: stop.clone(),
        };
        let (route, batches) = mpsc::channel(BATCHES_WAITING_MAX);
        couriers.spawn(courier.carry(batches));
        routes.push(route);
    }
    let probe = Ingest::new(&plan.ingest, None, plan.tasks.clone())?;
    let targets = plan.accounts.iter().map(|account| {
        let path = if plan.is_raw { format!("/hooks/{account}") } else { format!("/v1/accounts/{account}/events") };
        probe.target(&path)
    });
    let targets = targets.collect::<Result<Vec<_>, _>>()?;
    let clock = plan.clock.clone();
    let mut producer = Producer { plan, centre, targets, routes, waiting: Vec::new(), tally, clock };
    producer.waiting.resize_with(producer.targets.len(), || None);
    producer.produce(stop).await;
    drop(producer);
    couriers.all_ended().await;
    Ok(())
}

/// Makes events at the rate, and hands them over in batches.
struct Producer {
    plan: Plan,
    centre: CallCentre,
    targets: Vec<Uri>,
    routes: Vec<mpsc::Sender<Batch>>,
    /// For each account, what waits for more of its kind.
    waiting: Vec<Option<Batch>>,
    tally: Arc<Tally>,
    clock: Clock,
}

impl Producer {
    async fn produce(&mut self, mut stop: Shutdown) {
        let began = self.clock.monotonic();
        let count_max = self.plan.until.count.unwrap_or(u64::MAX);
        let mut pace = tokio::time::interval(PACE);
        let mut produced: u64 = 0;
        while produced < count_max && !stop.is_given() {
            let elapsed = self.clock.monotonic().since(began);
            if self.plan.until.duration.is_some_and(|duration| elapsed >= duration) {
                break;
            }
            let due = due(self.plan.rate, elapsed).min(count_max).min(produced.saturating_add(TURN_EVENTS_MAX));
            while produced < due {
                produced += 1;
                self.produce_one().await;
            }
            if self.plan.rate > 0 {
                self.hand_over_old().await;
                tokio::select! {
                    _ = pace.tick() => {}
                    () = stop.given() => break,
                }
            }
        }
        for account in 0..self.waiting.len() {
            self.hand_over(account).await;
        }
    }

    async fn produce_one(&mut self) {
        // Which account comes next is known only after the event is written.
        let mut body = Vec::new();
        let simulated =
            if self.plan.is_raw { self.centre.next_hook(&mut body) } else { self.centre.next_event(&mut body) };
        let account = simulated.account;
        Tally::add(&self.tally.sent, 1);
        let (Some(waiting), Some(target)) = (self.waiting.get_mut(account), self.targets.get(account)) else { return };
        let events = match waiting {
            Some(batch) => {
                batch.body.push(b'\n');
                batch.body.append(&mut body);
                batch.events += 1;
                batch.events
            }
            None => {
                let began = self.clock.monotonic();
                *waiting = Some(Batch { target: target.clone(), events: 1, body, began });
                1
            }
        };
        if events >= u64::from(self.plan.batch) {
            self.hand_over(account).await;
        }
    }

    /// Sends what has waited long enough for a batch to fill.
    async fn hand_over_old(&mut self) {
        let now = self.clock.monotonic();
        for account in 0..self.waiting.len() {
            let began = self.waiting.get(account).and_then(Option::as_ref).map(|batch| batch.began);
            if began.is_some_and(|began| now.since(began) >= BATCH_WAITS_MAX) {
                self.hand_over(account).await;
            }
        }
    }

    async fn hand_over(&mut self, account: usize) {
        let Some(batch) = self.waiting.get_mut(account).and_then(Option::take) else { return };
        let route = account.checked_rem(self.routes.len()).and_then(|route| self.routes.get(route));
        if let Some(route) = route {
            // A courier ends only when its mailbox is closed, so this waits and does not fail.
            drop(route.send(batch).await);
        }
    }
}

/// Returns how many events should have been made by now.
fn due(rate: u32, elapsed: Duration) -> u64 {
    if rate == 0 {
        return u64::MAX;
    }
    let due = elapsed.as_micros().saturating_mul(u128::from(rate)) / 1_000_000;
    // One more, so that the first does not wait.
    u64::try_from(due).unwrap_or(u64::MAX).saturating_add(1)
}

impl Courier {
    /// Sends batches one after another, so that an account's events keep their order.
    async fn carry(mut self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(batch) = batches.recv().await {
            let body = Bytes::from(batch.body);
            match self.deliver(&batch.target, batch.events, &body).await {
                Some(answer) => self.count(batch.events, &answer),
                None => Tally::add(&self.tally.unanswered, batch.events),
            }
        }
    }

    /// Sends a batch until it is answered, or the patience is over, or somebody interrupts.
    async fn deliver(&mut self, target: &Uri, events: u64, body: &Bytes) -> Option<Answer> {
        let media = if events == 1 || self.is_raw { Media::Json } else { Media::Ndjson };
        let began = self.clock.monotonic();
        let mut pause = PAUSE_FIRST;
        loop {
            Tally::add(&self.tally.requests, 1);
            let (problem, wait) = match self.ingest.post(target, media, body.clone()).await {
                Ok(answer) if !is_later(answer.status) => return Some(answer),
                Ok(answer) => (describe(&answer), retry_after(&answer).unwrap_or(pause)),
                Err(failure) => (format!("{:#}", anyhow::Error::from(failure)), pause),
            };
            let waited = self.clock.monotonic().since(began);
            let left = self.patience.saturating_sub(waited);
            if left.is_zero() || self.stop.is_given() {
                let waited = show_ms(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
                self.tally.remember(|| format!("{} took nothing for {waited}: {problem}", self.ingest.at()));
                return None;
            }
            Tally::add(&self.tally.repeated, 1);
            let mut stop = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(wait.min(left)) => {}
                // One last try follows, so that an interruption leaves as little unsaid as possible.
                () = stop.given() => {}
            }
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }

    fn count(&self, events: u64, answer: &Answer) {
        let taken = serde_json::from_slice::<Taken>(&answer.body).unwrap_or_default();
        if !answer.status.is_success() || taken.accepted + taken.duplicates + taken.captured == 0 {
            Tally::add(&self.tally.refused, events);
            self.tally.remember(|| describe(answer));
            return;
        }
        Tally::add(&self.tally.accepted, taken.accepted);
        Tally::add(&self.tally.duplicates, taken.duplicates);
        Tally::add(&self.tally.captured, taken.captured);
        Tally::add(&self.tally.refused, events.saturating_sub(taken.accepted + taken.duplicates + taken.captured));
    }
}

/// What the ingest listener says of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Taken {
    accepted: u64,
    duplicates: u64,
    captured: u64,
}

/// Returns whether the server asks to come back.
fn is_later(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn describe(answer: &Answer) -> String {
    Problem::read(answer.status.as_u16(), &answer.body).lines().join("\n")
}

/// Batches that wait for a connection; beyond, the producer waits.
const BATCHES_WAITING_MAX: usize = 32;
/// How often the producer looks how many events are due.
const PACE: Duration = Duration::from_millis(2);
/// Events between two looks at the clock.
const TURN_EVENTS_MAX: u64 = 1_000;
/// How long an event waits for its batch to fill, where there is a rate.
const BATCH_WAITS_MAX: Duration = Duration::from_millis(500);
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::due;

    #[test]
    fn the_rate_says_how_many_are_due() {
        assert_eq!(due(200, Duration::ZERO), 1, "the first goes at once");
        assert_eq!(due(200, Duration::from_secs(3)), 601);
        assert_eq!(due(0, Duration::ZERO), u64::MAX);
        assert_eq!(due(1, Duration::from_millis(999)), 1);
    }
}
