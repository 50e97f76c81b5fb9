//! One delivery as it arrived: read from its headers, told as a line or as JSON.
//!
//! Not trusted: unless its signature fits, everything here is what somebody claims.

use bytes::Bytes;
use clap::builder::styling::AnsiColor;
use http::HeaderMap;
use serde_json::{Value, json};

use super::mischief::Deed;
use crate::cli::column::{Column, count, state, text, time};
use crate::cli::console::paint;
use crate::model::Timestamp;

/// What became of verifying a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// No secret was given to verify with.
    Unchecked,
    /// It fits.
    Verified,
    /// It does not, and why.
    Refused(String),
}

/// One request that arrived, and how it was answered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// When it arrived.
    pub received_at: Timestamp,
    /// Its headers.
    pub headers: HeaderMap,
    /// Bytes of its body.
    pub body_bytes: usize,
    /// Its body, where bodies are kept.
    pub body: Option<Bytes>,
    /// What became of its signature.
    pub check: Check,
    /// Whether its number has arrived before.
    pub is_duplicate: bool,
    /// The status it was answered with; of an answer that never comes, whether the event was taken.
    pub status: u16,
    /// What bad was done to it.
    pub deed: Option<Deed>,
}

impl Delivery {
    /// Returns a header's text, where it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Writes the delivery as one line for people.
    #[must_use]
    pub fn line(&self, is_colourful: bool) -> String {
        let said = |name| self.header(name).unwrap_or("-");
        let at = self.received_at.to_string();
        let time_of_day = at.get(11..23).unwrap_or(&at);
        let address = format!("{}/{}", said(ACCOUNT), said(ENDPOINT));
        let mut line = format!(
            "{time_of_day}  {:<28}  {address:<16}  offset {:<7} seq {:<7} attempt {:<3} ",
            said(TYPE),
            said(OFFSET),
            said(SEQUENCE),
            said(ATTEMPT)
        );
        let (word, colour) = match &self.check {
            Check::Unchecked => ("not checked".to_owned(), AnsiColor::Yellow),
            Check::Verified => ("verified".to_owned(), AnsiColor::Green),
            Check::Refused(reason) => (format!("NOT VERIFIED: {reason}"), AnsiColor::Red),
        };
        line.push_str(&paint(&word, colour.on_default(), is_colourful));
        for (name, word) in [(TEST, "test"), (LATE, "late"), (REDELIVERY, "redelivery")] {
            if self.header(name).is_some() {
                line.push_str(&format!("  {word}"));
            }
        }
        if let Some(job) = self.header(REPLAY) {
            line.push_str(&format!("  replay {job}"));
        }
        if self.is_duplicate {
            line.push_str(&paint("  duplicate", AnsiColor::Yellow.on_default(), is_colourful));
        }
        if let Some(deed) = &self.deed {
            line.push_str(&paint(&format!("  {deed}"), AnsiColor::Red.on_default(), is_colourful));
        } else if !(200..300).contains(&self.status) {
            line.push_str(&paint(&format!("  answered {}", self.status), AnsiColor::Red.on_default(), is_colourful));
        }
        line
    }

    /// Returns the status that is answered, if one is.
    const fn answer(&self) -> Option<u16> {
        match self.deed {
            Some(Deed::Hang | Deed::Reset | Deed::Lose) => None,
            Some(_) | None => Some(self.status),
        }
    }

    /// Writes the delivery for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let said = |name| self.header(name);
        let number = |name| self.header(name).and_then(|text| text.parse::<u64>().ok());
        let (verified, problem) = match &self.check {
            Check::Unchecked => (None, None),
            Check::Verified => (Some(true), None),
            Check::Refused(reason) => (Some(false), Some(reason)),
        };
        let mut told = json!({
            "receivedAt": self.received_at, "id": said("webhook-id"), "type": said(TYPE), "account": said(ACCOUNT),
            "endpoint": said(ENDPOINT), "offset": number(OFFSET), "sequence": number(SEQUENCE),
            "attempt": number(ATTEMPT), "key": said(KEY), "occurredAt": said("hooklog-occurred-at"),
            "verified": verified, "problem": problem, "duplicate": self.is_duplicate,
            "test": said(TEST).is_some(), "replay": said(REPLAY), "late": said(LATE).is_some(),
            "redelivery": said(REDELIVERY).is_some(), "status": self.answer(), "mischief": self.deed.map(|deed| deed.to_string()), "bytes": self.body_bytes,
        });
        if let (Some(body), Some(members)) = (&self.body, told.as_object_mut()) {
            let text = || Value::String(String::from_utf8_lossy(body).into_owned());
            members.insert("body".to_owned(), serde_json::from_slice(body).unwrap_or_else(|_| text()));
        }
        told
    }
}

/// Returns a header's text, where it is there and is text. Visible ASCII only, so it is safe to print.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

pub(super) const ACCOUNT: &str = "hooklog-account";
pub(super) const ENDPOINT: &str = "hooklog-endpoint";
pub(super) const SEQUENCE: &str = "hooklog-sequence";
pub(super) const TEST: &str = "hooklog-test";
pub(super) const REPLAY: &str = "hooklog-replay";
const TYPE: &str = "hooklog-type";
pub(super) const KEY: &str = "hooklog-key";
const OFFSET: &str = "hooklog-offset";
const ATTEMPT: &str = "hooklog-attempt";
const LATE: &str = "hooklog-late";
const REDELIVERY: &str = "hooklog-redelivery";

/// The columns of comma-separated values.
pub(in crate::cli) const COLUMNS: &[Column] = &[
    time("RECEIVED", "/receivedAt"),
    text("ACCOUNT", "/account"),
    text("ENDPOINT", "/endpoint"),
    text("TYPE", "/type"),
    count("OFFSET", "/offset"),
    count("SEQUENCE", "/sequence"),
    count("ATTEMPT", "/attempt"),
    state("VERIFIED", "/verified"),
    text("DUPLICATE", "/duplicate"),
    text("STATUS", "/status"),
    text("ID", "/id"),
    text("PROBLEM", "/problem"),
];

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Check, Delivery};
    use crate::model::Timestamp;

    fn delivery(check: Check, status: u16, more: &[(&'static str, &'static str)]) -> Delivery {
        let mut headers = HeaderMap::new();
        let usual = [
            ("webhook-id", "evt_1"),
            ("hooklog-type", "call.declined"),
            ("hooklog-account", "acme"),
            ("hooklog-endpoint", "crm"),
            ("hooklog-offset", "41"),
            ("hooklog-sequence", "17"),
            ("hooklog-attempt", "1"),
        ];
        for (name, value) in usual.iter().chain(more) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let received_at = Timestamp::parse("2026-03-02T09:14:07.512Z").unwrap();
        let body = Some("{}".into());
        Delivery { received_at, headers, body_bytes: 2, body, check, is_duplicate: false, status, deed: None }
    }

    #[test]
    fn a_delivery_is_one_line() {
        assert_eq!(
            delivery(Check::Verified, 200, &[]).line(false),
            "09:14:07.512  call.declined                 acme/crm          offset 41      seq 17      attempt 1   verified"
        );
        let line = delivery(Check::Refused("no".to_owned()), 401, &[("hooklog-replay", "job_1")]).line(false);
        assert!(line.ends_with("NOT VERIFIED: no  replay job_1  answered 401"), "{line}");
        assert!(delivery(Check::Verified, 200, &[]).line(true).contains("\u{1b}[32mverified"));
    }

    #[test]
    fn programs_get_numbers_and_nulls() {
        let told = delivery(Check::Unchecked, 200, &[("hooklog-test", "true")]).json();
        assert_eq!((&told["offset"], &told["sequence"], &told["test"]), (&41.into(), &17.into(), &true.into()));
        assert!(told["verified"].is_null() && told["replay"].is_null());
        assert_eq!(told["body"], serde_json::json!({}));
        assert_eq!(told["receivedAt"], "2026-03-02T09:14:07.512Z");
    }
}
