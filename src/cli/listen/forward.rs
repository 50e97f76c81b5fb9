//! Posts what is listened to, as a delivery would come: with its headers and a signature.
//!
//! Not delivery: there is no schedule and no ledger. A receiver that cannot be reached is waited for; what it answers
//! is told, and not judged further.

use std::time::Duration;

use bytes::Bytes;
use clap::builder::styling::AnsiColor;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

use super::super::address::AccountOrEndpoint;
use super::super::console::paint;
use super::super::context::Context;
use super::super::exit::Failure;
use super::super::http::{Error, Http};
use super::Event;
use crate::model::{Timestamp, key_to_header};
use crate::runtime::{Shutdown, Tasks};
use crate::security::{Signer, Verifier, sign};

/// Where events are posted to, and how.
pub(super) struct Forward {
    http: Http,
    target: Uri,
    address: AccountOrEndpoint,
    signer: Signer,
}

/// What came of posting an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Posted {
    status: u16,
    took: Duration,
}

impl Posted {
    pub(super) const fn status(self) -> u16 {
        self.status
    }

    pub(super) const fn is_taken(self) -> bool {
        self.status >= 200 && self.status < 300
    }

    pub(super) fn json(self) -> Value {
        json!({ "status": self.status, "durationMs": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX) })
    }

    /// Writes it behind the line of its event.
    pub(super) fn in_words(self, is_colourful: bool) -> String {
        let colour = if self.is_taken() { AnsiColor::Green } else { AnsiColor::Red };
        let status = paint(&self.status.to_string(), colour.on_default(), is_colourful);
        format!("  -> {status} in {} ms", self.took.as_millis())
    }
}

impl Forward {
    pub(super) fn new(url: &Url, address: &AccountOrEndpoint, signer: Signer, tasks: Tasks) -> Result<Self, Failure> {
        let wrong = |reason: String| Failure::usage(format!("--forward-to: {reason}"));
        let mut server = url.clone();
        server.set_path("");
        server.set_query(None);
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let http = Http::new(&server, tasks).map_err(wrong)?;
        let target = http.target(&path).map_err(wrong)?;
        Ok(Self { http, target, address: address.clone(), signer })
    }

    /// Says what a receiver verifies with; a key that somebody brought is not repeated.
    pub(super) fn announcement(&self, is_brought: bool) -> String {
        if is_brought {
            return format!("posting to {}, signed with the key that was given", self.http.at());
        }
        let key = match (&self.signer, Verifier::of(&self.signer)) {
            (Signer::Secret(secret), _) => secret.expose(),
            (Signer::KeyPair(pair), _) => pair.public_key().to_string(),
        };
        format!("posting to {}; verify with {key}", self.http.at())
    }

    /// Posts an event, until there is an answer; none where it is to stop before.
    pub(super) async fn post(
        &mut self,
        event: &Event<'_>,
        context: &mut Context,
        stop: &mut Shutdown,
    ) -> Result<Option<Posted>, Failure> {
        let mut pause = AGAIN_FIRST;
        let mut attempt = 1_u32;
        loop {
            let begun = context.clock.monotonic();
            let now = context.now();
            let request = self.request(event, attempt, now)?;
            let mut at_last = stop.clone();
            let patience = async {
                at_last.given().await;
                tokio::time::sleep(FINISH_WITHIN).await;
            };
            let answer = tokio::select! {
                answer = self.http.status(request, ANSWER_WITHIN) => answer,
                () = patience => return Ok(None),
            };
            match answer {
                Ok(status) => {
                    if attempt > 1 {
                        context.console.note(&format!("{} answers again", self.http.at()));
                    }
                    let took = context.clock.monotonic().since(begun);
                    return Ok(Some(Posted { status: status.as_u16(), took }));
                }
                Err(failure @ Error::Tls { .. }) => {
                    return Err(Failure::failed(format!("--forward-to: {:#}", anyhow::Error::from(failure))));
                }
                Err(failure) => {
                    if attempt == 1 {
                        let waits = format!("offset {} waits", event.offset);
                        context.console.warn(&format!("not live: {:#}; {waits}", anyhow::Error::from(failure)));
                    }
                    attempt = attempt.saturating_add(1);
                    tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.given() => return Ok(None) }
                    pause = (pause * 2).min(AGAIN_LONGEST);
                }
            }
        }
    }

    fn request(&self, event: &Event<'_>, attempt: u32, now: Timestamp) -> Result<Request<Full<Bytes>>, Failure> {
        let body = event.body.get().as_bytes();
        let signature = sign(&event.id, now, body, std::slice::from_ref(&self.signer));
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.target.clone())
            .header("host", self.http.authority())
            .header("content-type", &event.content_type)
            .header("user-agent", "hooklog/1")
            .header("webhook-id", event.id.as_str())
            .header("webhook-timestamp", now.seconds())
            .header("webhook-signature", signature)
            .header("hooklog-account", self.address.account.as_str())
            .header("hooklog-type", &event.event_type)
            .header("hooklog-version", event.version)
            .header("hooklog-occurred-at", event.occurred_at.to_string())
            .header("hooklog-offset", event.offset.0)
            .header("hooklog-attempt", attempt)
            .header("hooklog-rights", &event.rights);
        if let Some(endpoint) = &self.address.endpoint {
            request = request.header("hooklog-endpoint", endpoint.as_str());
        }
        if let Some(key) = &event.key {
            request = request.header("hooklog-key", &*key_to_header(key));
        }
        if let Some(traceparent) = event.traceparent.as_deref().filter(|text| HeaderValue::from_str(text).is_ok()) {
            request = request.header("traceparent", traceparent);
        }
        let body = Full::new(Bytes::copy_from_slice(body));
        request.body(body).map_err(|problem| Failure::failed(format!("offset {}: {problem}", event.offset)))
    }
}

/// A program on a laptop may stand in a debugger.
const ANSWER_WITHIN: Duration = Duration::from_mins(10);
/// How long an answer is still waited for when it is to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(2);
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_LONGEST: Duration = Duration::from_secs(5);
