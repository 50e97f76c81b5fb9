//! `POST /v1/accounts/{account}/events`: one event, an array, lines, or CloudEvents.
//!
//! A batch is taken whole or not at all. A repeat is answered with its first offset; the same id with other
//! content is a conflict that names every such item.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::answer::{Taken, json};
use super::parse::{Form, Refusal, RefusalKind, has_attributes, is_json_type};
use super::{Shared, is_media_type, log_problem};
use crate::accounts::Account;
use crate::log::{Appended, OnConflict, Outcome};
use crate::model::{EventDraft, Offset};
use crate::runtime::Random;
use crate::telemetry::OutcomeLabel;
use crate::web::{Code, FieldError, Problem, Query};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    accepted: usize,
    duplicates: usize,
    first_offset: Option<Offset>,
    last_offset: Option<Offset>,
    results: Vec<Taken>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wishes {
    on_conflict: Option<Conflict>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Conflict {
    KeepFirst,
}

impl Shared {
    pub(super) async fn events(
        &self,
        account: &Account,
        request: Request<Incoming>,
        random: &Mutex<Random>,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let mut query = Query::parse(request.uri().query())?;
        let wishes: Wishes = query.take()?;
        query.finish()?;
        let (head, body) = request.into_parts();
        let form = form(&head.headers)?;
        let receipt = self.receipt(&head.headers);
        let (body, reservation) = self.body(body).await?;
        let started = self.parts.clock.monotonic();
        let (ids, events) = {
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            let batch = self.parser.parse(&body, form, &receipt, &mut random).map_err(|refusal| refused(&refusal))?;
            let prepare = |draft: &EventDraft| self.parts.log.prepare(account.id, draft, &mut random);
            let events: Vec<_> = batch.drafts.iter().map(prepare).collect();
            let ids: Vec<_> = batch.drafts.into_iter().map(|draft| draft.id).collect();
            (ids, events)
        };
        self.check_rate(account, ids.len())?;
        let on_conflict = match wishes.on_conflict {
            Some(Conflict::KeepFirst) => OnConflict::KeepFirst,
            None => OnConflict::Refuse,
        };
        let outcome = self.parts.log.append(account.id, events, on_conflict, reservation).await;
        let Outcome { events, is_refused } = outcome.map_err(|problem| log_problem(&problem))?;
        if is_refused {
            return Err(conflicts(&events, form));
        }
        let results: Vec<Taken> = ids.into_iter().zip(events).map(|(id, appended)| Taken::new(id, appended)).collect();
        self.count(&results);
        self.parts.metrics.seconds.observe(self.parts.clock.monotonic().since(started).as_secs_f64());
        let accepted = || results.iter().filter(|taken| taken.is_accepted());
        let answer = Accepted {
            accepted: accepted().count(),
            duplicates: results.iter().filter(|taken| taken.duplicate).count(),
            first_offset: accepted().map(|taken| taken.offset).min(),
            last_offset: accepted().map(|taken| taken.offset).max(),
            results,
        };
        Ok(json(StatusCode::ACCEPTED, &answer))
    }

    pub(super) fn count(&self, results: &[Taken]) {
        let count = |outcome, matches: fn(&Taken) -> bool| {
            let events = results.iter().filter(|taken| matches(taken)).count();
            if events > 0 {
                let counter = self.parts.metrics.events.get_or_create(&OutcomeLabel::new(outcome));
                counter.inc_by(u64::try_from(events).unwrap_or(u64::MAX));
            }
        };
        count("accepted", Taken::is_accepted);
        count("duplicate", |taken| taken.duplicate);
        count("conflict", |taken| taken.conflict);
    }

    fn check_rate(&self, account: &Account, events: usize) -> Result<(), Problem> {
        let Some(per_second) = account.settings.value.rate_per_second else { return Ok(()) };
        let taken = self.rates.take(account.id, per_second, events, self.parts.clock.monotonic());
        taken.map_err(|wait| {
            Problem::new(Code::RateLimited)
                .detail(format!("account {} sends more than {per_second} events a second", account.name))
                .retry_after(wait)
        })
    }
}

fn form(headers: &HeaderMap) -> Result<Form<'_>, Problem> {
    let is_json = || headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json_type);
    if is_media_type(headers, "application/cloudevents+json") {
        Ok(Form::CloudEvent)
    } else if is_media_type(headers, "application/cloudevents-batch+json") {
        Ok(Form::CloudEvents)
    } else if has_attributes(headers) && is_json() {
        Ok(Form::Binary(headers))
    } else if is_media_type(headers, "application/json") {
        Ok(Form::Json)
    } else if is_media_type(headers, "application/x-ndjson") {
        Ok(Form::Lines)
    } else {
        Err(Problem::new(Code::UnsupportedMediaType).detail(
            "events come as application/json (one, or an array), application/x-ndjson (one a line), \
             application/cloudevents+json, application/cloudevents-batch+json, or as JSON with ce-* headers",
        ))
    }
}

/// A batch that is not sound: what is wrong, item by item. Ingest never answers 422.
fn refused(refusal: &Refusal) -> Problem {
    let code = match refusal.kind {
        RefusalKind::NotJson => Code::MalformedJson,
        RefusalKind::Malformed => Code::InvalidEvent,
        RefusalKind::TooLarge | RefusalKind::TooMany => Code::PayloadTooLarge,
    };
    let errors = refusal.issues.iter().map(|issue| {
        let error = FieldError::new(issue.pointer.clone(), issue.detail.clone());
        match (issue.line, &issue.header) {
            (Some(line), _) => error.with("line", line),
            (None, Some(header)) => error.with("header", header.as_str()),
            (None, None) => error,
        }
    });
    Problem::new(code).detail("nothing of this request was taken").errors(errors)
}

fn conflicts(events: &[Appended], form: Form<'_>) -> Problem {
    let pointer = |index: usize| match form {
        Form::Json | Form::Lines | Form::CloudEvents => format!("/{index}"),
        Form::CloudEvent | Form::Binary(_) => String::new(),
    };
    // What was not taken has no offset: a conflict with it is named by where it stands in the request.
    let in_request: HashMap<_, _> = events
        .iter()
        .enumerate()
        .filter(|(_, appended)| matches!(appended, Appended::Accepted(_)))
        .map(|(index, appended)| (appended.offset(), index))
        .collect();
    let errors = events.iter().enumerate().filter_map(|(index, appended)| match appended {
        Appended::Conflict(offset) => {
            let error = match in_request.get(offset).copied() {
                Some(first) => {
                    let detail = format!("{} of this request has the same id with other content", pointer(first));
                    FieldError::new(pointer(index), detail).with("first", pointer(first))
                }
                None => {
                    FieldError::new(pointer(index), "this id is in the log with other content").with("offset", offset.0)
                }
            };
            Some(if matches!(form, Form::Lines) { error.with("index", index) } else { error })
        }
        Appended::Accepted(_) | Appended::Duplicate(_) => None,
    });
    Problem::new(Code::EventConflict)
        .detail("nothing of this request was taken; ?onConflict=keep_first takes the rest")
        .errors(errors)
}
