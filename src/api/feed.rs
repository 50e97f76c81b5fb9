//! A feed: an account's events one after another, after rights, for somebody who pulls them.
//!
//! Not the request that asks for it. Whether the reader may still read, which rights hold and what is left by them is
//! asked anew for every few events; what was made under rights that have changed meanwhile is made once more. Where
//! rights cannot be asked the feed stands still, as an endpoint does: it never passes over what it does not know.
//!
//! ```text
//! records ─▶ after rights ─▶ do they still hold? ─▶ text/event-stream, or lines of JSON
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::Api;
use super::delivering::{Body, Made};
use super::stream::Place;
use crate::accounts::{Account, Endpoint, Format, RightsAsOf, TypeSelection};
use crate::dispatch::{Prospect, Reader};
use crate::model::{AccountId, EndpointId, EventId, EventType, Offset, Permission, Position, Record, Timestamp};
use crate::runtime::{Monotonic, Shutdown, blocking};

/// In which form a feed is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `text/event-stream`.
    Events,
    /// `application/x-ndjson`.
    Lines,
}

/// A feed that somebody reads.
pub(super) struct Feed {
    pub(super) api: Arc<Api>,
    /// The token that was shown, asked about again and again.
    pub(super) token: String,
    pub(super) account: AccountId,
    /// Whose rights narrow the account's further.
    pub(super) endpoint: Option<EndpointId>,
    pub(super) types: TypeSelection,
    /// As the endpoint has it; the envelope otherwise.
    pub(super) is_as_sent: bool,
    pub(super) form: Form,
    /// The first event that was not looked at yet.
    pub(super) next: Offset,
    /// How many events are still wanted; without end where there is none.
    pub(super) wanted: Option<u64>,
    /// When it ends, once it has given what is there; never by itself where there is none.
    pub(super) until: Option<Monotonic>,
    pub(super) head: watch::Receiver<Position>,
    pub(super) shutdown: Shutdown,
    pub(super) state: State,
    /// How many events were looked at after its time was up.
    pub(super) looked_at: u64,
    /// Room among the feeds that are open.
    pub(super) _place: Place,
}

/// How far the writing of a feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was written.
    New,
    /// Everything below this offset was told to be behind.
    Told(Offset),
    /// Nothing more is written.
    Ended,
}

/// An event as a line of JSON.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StreamEvent")]
pub(super) struct Line<'a> {
    /// Its place in the account's log.
    offset: Offset,
    /// When it was taken in.
    recorded_at: Timestamp,
    /// Its id.
    id: &'a EventId,
    /// Its type.
    #[serde(rename = "type")]
    event_type: &'a EventType,
    /// The version of its type.
    version: u32,
    /// When it happened.
    occurred_at: Timestamp,
    /// Its key; null where it has none, or rights withhold the field it came from.
    key: Option<&'a str>,
    /// The trace it belongs to; null where that was not said.
    traceparent: Option<&'a str>,
    /// The revision of the rights.
    rights: &'a str,
    /// The media type of the body.
    content_type: &'static str,
    /// The body of the request that an endpoint would get.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    body: &'a RawValue,
}

/// The last line: where to go on.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "StreamEnd")]
pub(super) struct End {
    /// The offset to ask from next.
    pub(super) next: Offset,
    /// The account's newest offset.
    pub(super) head: Offset,
}

/// What came of looking at some events.
enum Looked {
    /// This is to be written, and everything below an offset is behind.
    Text { text: Vec<u8>, next: Offset, events: u64 },
    /// Nothing can be told at this moment.
    Later,
    /// Retention has overtaken the reader.
    Gone,
}

impl Feed {
    /// Returns the next piece of text; none where the feed has ended.
    pub(super) async fn next_piece(&mut self) -> Option<Bytes> {
        match self.state {
            State::Ended => return None,
            State::New => {
                self.state = State::Told(self.next);
                if self.form == Form::Events {
                    return Some(self.mark());
                }
            }
            State::Told(_) => {}
        }
        let mut quiet_until = self.api.clock.monotonic().plus(KEEP_ALIVE_EVERY);
        loop {
            // Before the head is looked at: what comes in afterwards wakes who waits.
            self.head.mark_unchanged();
            let head = self.api.log.account_head(self.account);
            if self.wanted == Some(0) || self.shutdown.is_given() {
                return self.end();
            }
            let Some((account, reader, format)) = self.reader() else { return self.end() };
            let is_late = self.until.is_some_and(|until| self.api.clock.monotonic() >= until);
            let mut waits = if self.next <= head { Waits::ForAccount } else { Waits::ForHead };
            if self.next <= head && account.settings.value.enabled {
                let looked = self.look(&reader, format, head).await;
                // It may have been forbidden while that was done.
                let Some((account, ..)) = self.reader() else { return self.end() };
                match looked.filter(|_| account.settings.value.enabled) {
                    Some(Looked::Text { text, next, events }) => {
                        self.looked_at += if is_late { next.0 - self.next.0 } else { 0 };
                        self.next = next;
                        self.wanted = self.wanted.map(|wanted| wanted.saturating_sub(events));
                        if events > 0 {
                            self.state = State::Told(next);
                            return Some(text.into());
                        }
                        waits = Waits::Not;
                    }
                    Some(Looked::Gone) => return self.end(),
                    // Rights have changed meanwhile.
                    None => waits = Waits::Not,
                    Some(Looked::Later) => waits = Waits::ForRights,
                }
            }
            if is_late && (waits != Waits::Not || self.looked_at >= ROWS_LATE_MAX) {
                return self.end();
            }
            let is_quiet = self.api.clock.monotonic() >= quiet_until;
            let is_at_end = matches!(waits, Waits::ForHead | Waits::ForAccount) && self.state != State::Told(self.next);
            if self.form == Form::Events && (is_quiet || is_at_end) {
                self.state = State::Told(self.next);
                return Some(self.mark());
            }
            if is_quiet {
                quiet_until = self.api.clock.monotonic().plus(KEEP_ALIVE_EVERY);
            }
            self.wait(waits, quiet_until).await;
        }
    }

    /// Finds out for whom events are made ready; none where the reader may not read any more.
    fn reader(&self) -> Option<(Arc<Account>, Reader, Format)> {
        let account = self.api.accounts.account_by_id(self.account)?;
        let identity = self.api.tokens.identify(&self.token)?;
        identity.require(self.account, Permission::Listen).ok()?;
        let Some(id) = self.endpoint else {
            let reader = Reader::Account(Arc::clone(&account));
            return Some((account, reader, Format::Envelope));
        };
        let endpoint: &Arc<Endpoint> = account.endpoints.values().find(|endpoint| endpoint.id == id)?;
        let format = if self.is_as_sent { endpoint.settings.value.format } else { Format::Envelope };
        let reader = Reader::Endpoint(Arc::clone(endpoint), RightsAsOf::Now);
        Some((account, reader, format))
    }

    /// Looks at the next events; none where rights have changed while that was done.
    async fn look(&self, reader: &Reader, format: Format, head: Offset) -> Option<Looked> {
        let records = match self.read().await {
            Ok(records) => records,
            Err(problem) => {
                tracing::error!(%problem, "a feed cannot be read");
                return Some(Looked::Later);
            }
        };
        let first = records.first().map(|record| record.header.offset);
        if first != Some(self.next) {
            return Some(self.hole(first, head).await);
        }
        let prospects = match self.api.dispatch.would_send(reader, format, &self.types, &records).await {
            Ok(prospects) => prospects,
            Err(problem) => {
                tracing::error!(%problem, "a feed cannot tell what rights leave");
                return Some(Looked::Later);
            }
        };
        let looked = self.write(&records, &prospects, format);
        let mut stamps = prospects.iter().filter_map(|prospect| match &prospect.body {
            Some(Body::Ready(made)) => Some(&made.stamp),
            _ => None,
        });
        stamps.all(crate::accounts::RightsStamp::holds).then_some(looked)
    }

    async fn read(&self) -> Result<Vec<Record>, crate::log::Error> {
        let (log, account, from) = (self.api.log.clone(), self.account, self.next);
        let wanted = self.wanted.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(usize::MAX);
        blocking(move || Ok(log.read_account(account, from, wanted.min(BATCH_EVENTS_MAX), BATCH_BYTES_MAX)?.records))
            .await
    }

    /// Says what is to become of a hole: retention has overtaken the reader, or something was lost with a cut.
    async fn hole(&self, first: Option<Offset>, head: Offset) -> Looked {
        let (log, account) = (self.api.log.clone(), self.account);
        match blocking(move || log.oldest_offset(account)).await {
            Ok(oldest) if oldest <= self.next => {
                let next = first.unwrap_or_else(|| head.next());
                Looked::Text { text: Vec::new(), next, events: 0 }
            }
            Ok(_) => Looked::Gone,
            Err(problem) => {
                tracing::error!(%problem, "a feed cannot be read");
                Looked::Later
            }
        }
    }

    /// Writes what there is to tell, up to the first event of which nothing can be told.
    fn write(&self, records: &[Record], prospects: &[Prospect], format: Format) -> Looked {
        let (mut text, mut next, mut events) = (Vec::new(), self.next, 0);
        for (record, prospect) in records.iter().zip(prospects) {
            // A hole: what comes behind it is told only to who asks from there.
            if prospect.offset != next {
                break;
            }
            match &prospect.body {
                Some(Body::Ready(made)) => {
                    self.write_event(&mut text, record, made, format);
                    events += 1;
                }
                None | Some(Body::Filtered(_)) => {}
                Some(Body::Fault | Body::Later | Body::Gone | Body::TooOld) => break,
            }
            next = next.next();
        }
        if next == self.next {
            return Looked::Later;
        }
        Looked::Text { text, next, events }
    }

    fn write_event(&self, text: &mut Vec<u8>, record: &Record, made: &Made, format: Format) {
        let body = one_line(&made.body);
        match self.form {
            Form::Events => {
                let head = format!("id: {}\nevent: {}\ndata: ", record.header.offset, made.event_type);
                [head.as_bytes(), &body, b"\n\n"].into_iter().for_each(|part| text.extend_from_slice(part));
            }
            Form::Lines => {
                let line = Line {
                    offset: record.header.offset,
                    recorded_at: record.header.recorded_at,
                    id: &made.id,
                    event_type: &made.event_type,
                    version: made.version,
                    occurred_at: made.occurred_at,
                    key: made.key.as_deref(),
                    traceparent: made.traceparent.as_deref(),
                    rights: &made.rights,
                    content_type: format.content_type(),
                    body: serde_json::from_slice(&body).expect("a body is JSON"),
                };
                serde_json::to_writer(&mut *text, &line).expect("writing to memory does not fail");
                text.push(b'\n');
            }
        }
    }

    /// Shows a reader of events that the connection lives, and how far it is.
    ///
    /// A comment and nothing else: a block with an id alone, or a blank line, is an event without data to some readers.
    fn mark(&self) -> Bytes {
        let head = self.api.log.account_head(self.account);
        format!(": at {} of {head}\n", self.next.previous()).into()
    }

    /// Ends the feed, with where to go on where the form has a place for it.
    fn end(&mut self) -> Option<Bytes> {
        self.state = State::Ended;
        match self.form {
            Form::Events => None,
            Form::Lines => {
                let end = End { next: self.next, head: self.api.log.account_head(self.account) };
                let mut line = serde_json::to_vec(&end).expect("two numbers");
                line.push(b'\n');
                Some(line.into())
            }
        }
    }

    /// Waits until something may have changed.
    async fn wait(&mut self, waits: Waits, quiet_until: Monotonic) {
        let now = self.api.clock.monotonic();
        let until = self.until.map_or(quiet_until, |until| until.min(quiet_until));
        let longest = until.since(now);
        match waits {
            Waits::Not => {}
            Waits::ForRights => tokio::time::sleep(longest.min(RIGHTS_AGAIN_AFTER)).await,
            Waits::ForAccount => tokio::select! {
                () = tokio::time::sleep(longest.min(LOOK_AGAIN_AFTER)) => {}
                () = self.shutdown.given() => {}
            },
            Waits::ForHead => {
                let (log, account, next) = (self.api.log.clone(), self.account, self.next);
                // What comes in for others is nothing to wake for.
                let arrived = async {
                    while log.account_head(account) < next {
                        if self.head.changed().await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! {
                    () = arrived => {}
                    () = tokio::time::sleep(longest.min(LOOK_AGAIN_AFTER)) => {}
                    () = self.shutdown.given() => {}
                }
            }
        }
    }
}

/// What a feed waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Nothing: there is more.
    Not,
    /// For new events.
    ForHead,
    /// Until the account is switched on again.
    ForAccount,
    /// Until rights can be asked again.
    ForRights,
}

/// Writes a body without line breaks. In JSON they stand between tokens alone.
fn one_line(body: &Bytes) -> Bytes {
    if !body.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return body.clone();
    }
    body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

/// A proxy that hears nothing for a minute may cut a connection.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
/// How long a reader with nothing to read may not hear that its token was removed, or its account switched on.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const RIGHTS_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Events that are looked at after the time is up, where rights withhold one after another.
const ROWS_LATE_MAX: u64 = 10_000;
const BATCH_EVENTS_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::one_line;

    #[test]
    fn a_body_of_many_lines_is_one_line_and_says_the_same() {
        let body = Bytes::from_static(b"{\r\n  \"text\": \"two\\nlines\",\n  \"n\": 1\n}");
        let line = one_line(&body);
        assert!(!line.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
        let read = |bytes: &Bytes| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(read(&line), read(&body));
    }
}
