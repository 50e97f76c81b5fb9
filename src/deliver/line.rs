//! One endpoint's way out: ask for the body, send it, say what came of it.
//!
//! Not when: the machine says that. A line is made anew when settings change; requests under way end on the
//! one they began with. The body is asked for at every attempt and never kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::Notify;

use super::attempt::{AttemptRecord, Sent};
use super::machine::{AttemptResult, CourseId, Share};
use super::outcome::{AttemptError, AttemptOutcome, Failure, Verdict};
use super::places::{Place, Places};
use super::registry::Shared;
use super::send::{Credentials, InvalidRoute, Message, Route, RouteSettings, SigningKey};
use super::source::{Body, Made, Occasion, Source};
use super::status::LastFailure;
use crate::accounts::{self, Endpoint, EndpointSettings};
use crate::log::{Course, OutcomeRow};
use crate::model::{Attempt, Offset, Sequence, Timestamp, body_hash};
use crate::runtime::Clock;
use crate::security::Target;

/// Why there is no way to a receiver.
#[derive(Debug, thiserror::Error)]
enum NoRoute {
    /// The settings name something that is not there, or an address that the rules forbid by now.
    #[error(transparent)]
    Settings(#[from] accounts::Error),
    /// A header or path cannot be sent.
    #[error(transparent)]
    Route(#[from] InvalidRoute),
}

impl NoRoute {
    fn explain(&self) -> Failure {
        let error = match self {
            Self::Settings(accounts::Error::Url(_)) => AttemptError::ForbiddenAddress,
            Self::Settings(_) | Self::Route(_) => AttemptError::InvalidSettings,
        };
        Failure::without_answer(error, self.to_string())
    }
}

/// The way out of one endpoint.
pub(super) struct Line {
    endpoint: Arc<Endpoint>,
    /// Or why nothing can be sent: the operator's rules may have changed since the settings were saved.
    route: Result<Route, Failure>,
    source: Arc<dyn Source>,
    places: Places,
    clock: Clock,
    /// How often everything that had not begun was taken back.
    recalls: AtomicU64,
    recalled: Notify,
}

/// Which request is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    pub(super) course: CourseId,
    pub(super) offset: Offset,
    pub(super) attempt: Attempt,
    pub(super) sequence: Option<Sequence>,
    pub(super) is_late: bool,
    pub(super) is_redelivery: bool,
    pub(super) share: Share,
    /// What [`Line::recalls`] said when it was given.
    pub(super) recalls: u64,
}

/// What came of an attempt.
pub(super) struct Attempted {
    /// What the machine is told.
    pub(super) result: AttemptResult,
    /// What is written down; nothing where no request was made.
    pub(super) row: Option<OutcomeRow>,
    /// What went wrong.
    pub(super) failure: Option<Failed>,
    /// How long the request took.
    pub(super) took: Duration,
}

/// A request that failed.
pub(super) struct Failed {
    pub(super) last: LastFailure,
    /// A sentence for people.
    pub(super) detail: String,
}

impl Line {
    pub(super) fn new(shared: &Shared, endpoint: &Arc<Endpoint>) -> Self {
        Self {
            endpoint: Arc::clone(endpoint),
            route: route(shared, endpoint).map_err(|problem| problem.explain()),
            source: Arc::clone(&shared.parts.source),
            places: shared.places.clone(),
            clock: shared.parts.clock.clone(),
            recalls: AtomicU64::new(0),
            recalled: Notify::new(),
        }
    }

    /// How often everything that had not begun was taken back: an errand carries the number it was given under.
    pub(super) fn recalls(&self) -> u64 {
        self.recalls.load(Ordering::Acquire)
    }

    /// Lets nothing begin that was asked for until now: whoever still waits for a place is told to come again.
    pub(super) fn recall(&self) {
        self.recalls.fetch_add(1, Ordering::AcqRel);
        self.recalled.notify_waiters();
    }

    /// Makes one request of an event, if there is something to send.
    pub(super) async fn attempt(&self, errand: Errand, occasion: Occasion) -> Attempted {
        let Errand { course, offset, attempt, sequence, share, recalls, .. } = errand;
        // The whole process sends so many at once; whoever waits here has not begun.
        let Some(_place) = self.place(share, recalls).await else {
            return without_request(AttemptResult::Cancelled);
        };
        let route = match &self.route {
            Ok(route) => route,
            Err(why) => return self.impossible(why),
        };
        let body = self.source.body(&self.endpoint, offset, &occasion).await;
        // Settings may have changed while the body was made.
        if self.recalls() != recalls {
            return without_request(AttemptResult::Cancelled);
        }
        let made = match body {
            Body::Ready(made) => made,
            Body::Filtered(by) => return without_request(AttemptResult::Filtered(by)),
            Body::Fault => return without_request(AttemptResult::Fault),
            Body::Later => return without_request(AttemptResult::Later),
            Body::Gone => return without_request(AttemptResult::Gone),
            Body::TooOld => return without_request(AttemptResult::TooOld),
        };
        let sent = Sent {
            attempt,
            sequence,
            format: self.endpoint.settings.value.format,
            body_hash: body_hash(&made.body),
            as_of: Some(made.as_of),
        };
        let (position, bytes) = (made.position, u64::try_from(made.body.len()).unwrap_or(u64::MAX));
        let ended = route.send(&message(*made, errand)).await;
        let (result, took) = (result(&ended.outcome, bytes), ended.duration);
        let failure = failure(&ended.outcome, ended.at.plus(ended.duration));
        // What we ended ourselves is nobody's attempt and is not shown as one.
        let row = (result != AttemptResult::Cancelled).then(|| OutcomeRow::Attempt {
            endpoint: self.endpoint.id,
            offset,
            course: match course {
                CourseId::Live => self.live_course(),
                CourseId::Replay(replay) => Course::Replay(replay.0),
            },
            attempt,
            position,
            value: AttemptRecord::new(ended.at, ended.duration, sent, ended.outcome).encode(),
        });
        Attempted { result, row, failure, took }
    }

    /// Waits for a place; none where the errand was taken back meanwhile.
    async fn place(&self, share: Share, recalls: u64) -> Option<Place> {
        let place = tokio::select! {
            biased;
            place = self.places.take(self.endpoint.account, self.endpoint.id, share) => Some(place),
            () = self.is_recalled(recalls) => None,
        };
        place.filter(|_| self.recalls() == recalls)
    }

    /// How many errands of the endpoint wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.places.waiting(self.endpoint.id)
    }

    /// Waits until an errand that was given under this number is taken back.
    async fn is_recalled(&self, recalls: u64) {
        // Whoever is told after this line is woken, and whoever was told before sees another number.
        let recalled = self.recalled.notified();
        if self.recalls() == recalls {
            recalled.await;
        }
    }

    /// Which live work the requests belong to: they are counted anew where the endpoint has begun anew.
    fn live_course(&self) -> Course {
        let seek = self.endpoint.settings.value.seek.as_ref();
        seek.map_or(Course::Live, |seek| Course::Sought(seek.number))
    }

    /// Says that nothing can be sent: the endpoint's trouble, not the event's, and no request was made.
    fn impossible(&self, why: &Failure) -> Attempted {
        let at = Timestamp(self.clock.wall_ms());
        let last = LastFailure { at, error: why.error.code(), status: None };
        Attempted {
            result: AttemptResult::Trouble { retry_after: None },
            row: None,
            failure: Some(Failed { last, detail: why.detail.clone() }),
            took: Duration::ZERO,
        }
    }
}

/// Makes the way to an endpoint's receiver.
fn route(shared: &Shared, endpoint: &Endpoint) -> Result<Route, NoRoute> {
    let settings = &endpoint.settings.value;
    let target = shared.parts.accounts.check_url(&settings.url)?;
    Ok(shared.parts.sender.route(route_settings(shared, endpoint, settings, target)?)?)
}

/// Everything of an endpoint's settings that its requests depend on.
fn route_settings(
    shared: &Shared,
    endpoint: &Endpoint,
    settings: &EndpointSettings,
    target: Target,
) -> Result<RouteSettings, accounts::Error> {
    let accounts = &shared.parts.accounts;
    let now = Timestamp(shared.parts.clock.wall_ms());
    Ok(RouteSettings {
        account: endpoint.account_name.clone(),
        endpoint: endpoint.name.clone(),
        target,
        credentials: accounts.credentials(settings)?.into(),
        certificate: accounts.client_certificate(settings)?,
        headers: settings.headers.clone(),
        content_type: settings.format.content_type(),
        signing: accounts
            .signers(settings, now)?
            .into_iter()
            .map(|(key, signer)| SigningKey { signer, valid_until: key.valid_until })
            .collect(),
        timeout: settings.timeout_ms.map_or(shared.options.timeout, Duration::from_millis),
        connections_max: usize::try_from(settings.max_in_flight).unwrap_or(usize::MAX),
    })
}

impl From<accounts::Credentials> for Credentials {
    fn from(credentials: accounts::Credentials) -> Self {
        match credentials {
            accounts::Credentials::None => Self::None,
            accounts::Credentials::Basic { username, password } => Self::Basic { username, password },
            accounts::Credentials::Bearer { token } => Self::Bearer { token },
            accounts::Credentials::Header { name, value } => Self::Header { name, value },
        }
    }
}

fn message(made: Made, errand: Errand) -> Message {
    let Errand { course, offset, attempt, sequence, is_late, is_redelivery, share: _, recalls: _ } = errand;
    Message {
        id: made.id,
        event_type: made.event_type,
        version: made.version,
        occurred_at: made.occurred_at,
        offset: Some(offset),
        sequence,
        attempt,
        key: made.key,
        traceparent: made.traceparent,
        rights: Some(made.rights),
        stamp: made.stamp,
        is_test: false,
        is_late,
        is_redelivery,
        replay: match course {
            CourseId::Live => None,
            CourseId::Replay(replay) => Some(ByteString::from(replay.0.to_string())),
        },
        body: made.body,
    }
}

fn result(outcome: &AttemptOutcome, bytes: u64) -> AttemptResult {
    let (retry_after, status) = match outcome {
        AttemptOutcome::Delivered { .. } => (None, None),
        AttemptOutcome::Failed(failure) => (failure.retry_after, failure.status),
    };
    match outcome.verdict() {
        Verdict::Delivered => AttemptResult::Delivered { bytes },
        Verdict::EndpointInTrouble => AttemptResult::Trouble { retry_after },
        Verdict::EventRefused => AttemptResult::Refused { status: status.unwrap_or(0), retry_after },
        Verdict::EventAborted => AttemptResult::Aborted { status },
        Verdict::Unwanted => AttemptResult::Unwanted,
        Verdict::Cancelled => AttemptResult::Cancelled,
    }
}

fn failure(outcome: &AttemptOutcome, at: Timestamp) -> Option<Failed> {
    match outcome {
        AttemptOutcome::Delivered { .. } => None,
        AttemptOutcome::Failed(failure) => {
            let last = LastFailure { at, error: failure.error.code(), status: failure.status };
            Some(Failed { last, detail: failure.detail.clone() })
        }
    }
}

const fn without_request(result: AttemptResult) -> Attempted {
    Attempted { result, row: None, failure: None, took: Duration::ZERO }
}
