//! `POST /hooks` and `/hooks/{account}`: whatever INO posts.
//!
//! Never refused as long as it can be stored: what the mapping does not understand is captured as it came.
//! The same id with other content is taken under an id derived from both, so that its own repeat is a
//! duplicate; `sourceId` keeps the one that was given.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;

use super::answer::{Taken, json};
use super::parse::{self, Hook, Hooked};
use super::{Shared, log_problem};
use crate::log::{Appended, OnConflict, Reservation};
use crate::model::{AccountId, AccountName, Capture, CaptureReason, EventDraft, EventId};
use crate::runtime::Random;
use crate::telemetry::OutcomeLabel;
use crate::web::{Problem, Query};

#[derive(Debug, Serialize)]
struct Answer {
    accepted: usize,
    captured: usize,
    results: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Item {
    Taken(Taken),
    Captured { captured: CaptureReason, detail: String },
}

/// A request's items, sorted by what becomes of them; numbers are their places in the body.
#[derive(Default)]
struct Sorted {
    events: BTreeMap<AccountId, Vec<(usize, EventDraft)>>,
    captures: Vec<(AccountId, Capture)>,
    results: BTreeMap<usize, Item>,
}

impl Shared {
    pub(super) async fn hooks(
        &self,
        account: Option<&str>,
        request: Request<Incoming>,
        random: &Mutex<Random>,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        Query::parse(request.uri().query())?.finish()?;
        let (parts, body) = request.into_parts();
        let receipt = self.receipt(&parts.headers);
        let (body, reservation) = self.body(body).await?;
        let name = account.and_then(|name| AccountName::parse(name).ok());
        let context = CaptureContext { path: parts.uri.path(), headers: &parts.headers };
        let mut sorted = Sorted::default();
        let hooked = match (account, &name) {
            // A path that names no account that could exist: the mapping is not even asked.
            (Some(given), None) => vec![Hooked::Captured {
                reason: CaptureReason::UnknownAccount,
                detail: format!("{given:?} in the path is no account's name"),
                body,
            }],
            _ => {
                let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
                let options = parse::Options { event_bytes_max: self.options.event_bytes_max };
                let hook = Hook { mapping: &self.mapping, options, receipt: &receipt, account: name.as_ref() };
                hook.parse(&body, &mut random)
            }
        };
        for (place, item) in hooked.into_iter().enumerate() {
            self.sort(place, item, &context, &mut sorted);
        }
        self.store(sorted, reservation, random).await
    }

    fn sort(&self, place: usize, item: Hooked, context: &CaptureContext<'_>, sorted: &mut Sorted) {
        let (reason, detail, body) = match item {
            Hooked::Event { mapped, body } => match self.parts.accounts.account(&mapped.account) {
                Some(account) => return sorted.events.entry(account.id).or_default().push((place, mapped.draft)),
                None => {
                    let detail = format!("there is no account {:?}", mapped.account.as_str());
                    (CaptureReason::UnknownAccount, detail, body)
                }
            },
            Hooked::Captured { reason, detail, body } => (reason, detail, body),
        };
        sorted.captures.push((AccountId::SYSTEM, context.capture(reason, &detail, body)));
        sorted.results.insert(place, Item::Captured { captured: reason, detail });
    }

    async fn store(
        &self,
        sorted: Sorted,
        reservation: Reservation,
        random: &Mutex<Random>,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let Sorted { events, captures, mut results } = sorted;
        let mut taken = Vec::new();
        for (account, drafts) in events {
            for (place, one) in self.store_events(account, drafts, random).await? {
                taken.push(place);
                results.insert(place, Item::Taken(one));
            }
        }
        let captured = captures.len();
        if captured > 0 {
            // The room is given back when the last of the request is on disk.
            let mut split = random.lock().unwrap_or_else(PoisonError::into_inner).split();
            let stored = self.parts.log.append_captures(captures, &mut split, reservation).await;
            stored.map_err(|problem| log_problem(&problem))?;
            let counter = self.parts.metrics.events.get_or_create(&OutcomeLabel::new("captured"));
            counter.inc_by(u64::try_from(captured).unwrap_or(u64::MAX));
        }
        let results: Vec<Item> = results.into_values().collect();
        let is_accepted = |item: &&Item| matches!(item, Item::Taken(taken) if taken.is_accepted());
        let accepted = results.iter().filter(is_accepted).count();
        Ok(json(StatusCode::OK, &Answer { accepted, captured, results }))
    }

    async fn store_events(
        &self,
        account: AccountId,
        drafts: Vec<(usize, EventDraft)>,
        random: &Mutex<Random>,
    ) -> Result<Vec<(usize, Taken)>, Problem> {
        let places: Vec<usize> = drafts.iter().map(|(place, _)| *place).collect();
        let mut drafts: Vec<EventDraft> = drafts.into_iter().map(|(_, draft)| draft).collect();
        let first = self.append(account, &drafts, random).await?;
        let mut appended = first.clone();
        let conflicting: Vec<usize> =
            (0..drafts.len()).filter(|index| matches!(first.get(*index), Some(Appended::Conflict(_)))).collect();
        if !conflicting.is_empty() {
            let mut renamed = Vec::with_capacity(conflicting.len());
            for index in &conflicting {
                if let Some(draft) = drafts.get_mut(*index) {
                    let given = rename(draft);
                    if let Some(account) = self.parts.accounts.account_by_id(account) {
                        self.parts.report.id_conflict(&account.name, &given);
                    }
                    renamed.push(draft.clone());
                }
            }
            let again = self.append(account, &renamed, random).await?;
            for (index, outcome) in conflicting.into_iter().zip(again) {
                if let Some(slot) = appended.get_mut(index) {
                    *slot = outcome;
                }
            }
        }
        let ids = drafts.into_iter().map(|draft| draft.id);
        let results: Vec<Taken> = ids.zip(appended).map(|(id, appended)| Taken::new(id, appended)).collect();
        self.count(&results);
        Ok(places.into_iter().zip(results).collect())
    }

    async fn append(
        &self,
        account: AccountId,
        drafts: &[EventDraft],
        random: &Mutex<Random>,
    ) -> Result<Vec<Appended>, Problem> {
        let bytes = drafts.iter().map(|draft| draft.data.len()).sum();
        let reservation = self.parts.log.reserve(bytes).map_err(|problem| log_problem(&problem))?;
        let events = {
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            drafts.iter().map(|draft| self.parts.log.prepare(account, draft, &mut random)).collect()
        };
        let outcome = self.parts.log.append(account, events, OnConflict::KeepFirst, reservation).await;
        Ok(outcome.map_err(|problem| log_problem(&problem))?.events)
    }
}

/// Gives an event whose id is taken one that is derived from the id and the content; returns the id that was given.
fn rename(draft: &mut EventDraft) -> ByteString {
    let given = draft.source_id.take().unwrap_or_else(|| ByteString::from(draft.id.clone()));
    let content = u128::from_be_bytes(draft.content_digest());
    draft.id = EventId::derived(&given, &format!("{content:032x}"));
    draft.source_id = Some(given.clone());
    given
}

/// What the captures of one request have in common.
struct CaptureContext<'a> {
    path: &'a str,
    headers: &'a HeaderMap,
}

impl CaptureContext<'_> {
    fn capture(&self, reason: CaptureReason, detail: &str, body: Bytes) -> Capture {
        let headers = KEPT_HEADERS.into_iter().filter_map(|name| {
            let value = self.headers.get(name)?.to_str().ok()?;
            Some((ByteString::from_static(name), ByteString::from(cut(value, HEADER_BYTES_MAX))))
        });
        Capture {
            reason,
            detail: ByteString::from(cut(detail, DETAIL_BYTES_MAX)),
            path: ByteString::from(cut(self.path, PATH_BYTES_MAX)),
            headers: headers.collect(),
            body,
        }
    }
}

/// Cuts a text to at most `bytes_max` bytes, between two characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Headers that help to understand a capture; none of them is a secret.
const KEPT_HEADERS: [&str; 4] = ["content-type", "user-agent", "x-request-id", "traceparent"];
const DETAIL_BYTES_MAX: usize = 1_024;
const PATH_BYTES_MAX: usize = 2_048;
const HEADER_BYTES_MAX: usize = 1_024;
