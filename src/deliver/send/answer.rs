//! What a receiver answered: read as far as it is of use, and named.
//!
//! Not followed and not decompressed. The status decides; what comes after the head cannot change it. A
//! body is read only so that the connection can be used again, and to keep the start of a failure's.

use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::Connection;
use crate::deliver::outcome::{
    ANSWER_START_BYTES_MAX, AttemptError, AttemptOutcome, Failure, Instruction, RETRY_AFTER_MAX, Verdict,
};
use crate::model::Timestamp;

/// An answer, read to its end or to a limit.
#[derive(Debug)]
pub(in crate::deliver) struct Answer {
    /// What it says.
    pub(in crate::deliver) outcome: AttemptOutcome,
    /// Whether it was read to its end, so that the connection may be used again.
    pub(super) is_whole: bool,
}

impl Answer {
    /// Reads what follows the head of an answer.
    pub(in crate::deliver) async fn read(
        connection: &mut Connection,
        response: http::Response<Incoming>,
        now: Timestamp,
    ) -> Self {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let is_delivered = Verdict::of_status(status) == Verdict::Delivered;
        let mut start = BytesMut::new();
        let start_max = if is_delivered { 0 } else { ANSWER_START_BYTES_MAX };
        let is_whole = body.is_end_stream() || Box::pin(drain(connection, body, &mut start, start_max)).await;
        let outcome = match is_delivered {
            true => AttemptOutcome::Delivered { status },
            false => AttemptOutcome::Failed(failure(status, &head.headers, start.freeze(), now)),
        };
        Self { outcome, is_whole }
    }
}

/// Reads a body within limits of size and time; returns whether it was read to its end.
async fn drain(connection: &mut Connection, mut body: Incoming, start: &mut BytesMut, start_max: usize) -> bool {
    let mut left = BODY_BYTES_MAX;
    let read_all = connection.drive(async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let Ok(data) = frame.into_data() else { continue };
            let room = start_max.saturating_sub(start.len());
            start.extend_from_slice(data.get(..room).unwrap_or(&data));
            left = left.saturating_sub(data.len());
            if left == 0 {
                return false;
            }
        }
        true
    });
    timeout(BODY_PATIENCE, read_all).await.unwrap_or(false)
}

fn failure(status: u16, headers: &HeaderMap, answer_start: Bytes, now: Timestamp) -> Failure {
    let (error, detail) = match status {
        300..=399 => (AttemptError::Redirect, redirect(status, headers)),
        _ => (AttemptError::HttpStatus, format!("the receiver answered {}", in_words(status))),
    };
    let instruction = instruction(headers);
    let detail = match instruction {
        None => detail,
        Some(Instruction::Abort) => format!("{detail} and asks that this event is given up"),
        Some(Instruction::Disable) => format!("{detail} and asks to be sent nothing any more"),
    };
    Failure { error, status: Some(status), detail, retry_after: retry_after(headers, now), instruction, answer_start }
}

/// Reads what a receiver wants beyond its status.
fn instruction(headers: &HeaderMap) -> Option<Instruction> {
    match headers.get(INSTRUCTION)?.as_bytes().trim_ascii() {
        b"abort" => Some(Instruction::Abort),
        b"disable" => Some(Instruction::Disable),
        // Whatever else it says is not known here, and the status has been read.
        _ => None,
    }
}

fn redirect(status: u16, headers: &HeaderMap) -> String {
    let elsewhere = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    // A query may hold a key, and a location is only of use to see where it leads.
    match elsewhere.map(|location| location.split(['?', '#']).next().unwrap_or_default()) {
        Some(location) => {
            let shown: String = location.chars().take(LOCATION_CHARACTERS_MAX).collect();
            format!("the receiver answered {status} and wants requests sent to {shown}: give that address")
        }
        None => format!("the receiver answered {status}, which sends requests elsewhere: give the address it means"),
    }
}

fn in_words(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

/// Reads when a receiver wants to be asked again: in so many seconds, or at a date.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let after = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time, too.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Timestamp(i64::try_from(at.as_millis()).unwrap_or(i64::MAX)).since(now)
    };
    Some(after.min(RETRY_AFTER_MAX))
}

const INSTRUCTION: HeaderName = HeaderName::from_static("webhook-delivery");
/// How much of a body is read so that its connection can be used again.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body is waited for once the head is there: the event's fate is known by then.
const BODY_PATIENCE: Duration = Duration::from_secs(1);
const LOCATION_CHARACTERS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{failure, retry_after};
    use crate::deliver::outcome::{AttemptOutcome, Verdict};
    use crate::model::Timestamp;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the date of the RFC's own example.
    const NOW: Timestamp = Timestamp(784_111_777_000);

    fn check(value: &str, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_str(value).unwrap());
        assert_eq!(retry_after(&headers, NOW).map(|after| after.as_secs()), expected, "{value}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_a_day() {
        check("0", Some(0));
        check("120", Some(120));
        check(" 120 ", Some(120));
        check("86401", Some(86_400));
        check("99999999999999999999999", Some(86_400));
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check("Sunday, 06-Nov-94 08:50:37 GMT", Some(60));
        check("Sun Nov  6 08:50:37 1994", Some(60));
        check("Sun, 06 Nov 1994 08:40:00 GMT", Some(0));
        check("Sun, 06 Nov 2044 08:49:37 GMT", Some(86_400));
        for nonsense in ["", "-1", "+5", "1.5", "soon", "2026-03-02T09:14:07Z", "Thu, 32 Nov 1994 08:49:37 GMT"] {
            check(nonsense, None);
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }

    #[test]
    fn a_receiver_may_ask_for_an_event_to_be_given_up_or_for_nothing_any_more() {
        let judged = |status: u16, wish: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("webhook-delivery", HeaderValue::from_static(wish));
            let failure = failure(status, &headers, bytes::Bytes::new(), NOW);
            (AttemptOutcome::Failed(failure.clone()).verdict(), failure.detail)
        };
        for status in [302, 400, 404, 422, 429, 500, 503] {
            assert_eq!(judged(status, " abort").0, Verdict::EventAborted, "{status}");
            assert_eq!(judged(status, "disable").0, Verdict::Unwanted, "{status}");
        }
        assert_eq!(judged(422, "retry").0, Verdict::EventRefused);
        assert_eq!(
            judged(422, "abort").1,
            "the receiver answered 422 Unprocessable Entity and asks that this event is given up"
        );
    }

    #[test]
    fn a_redirect_says_where_to_without_its_query() {
        let detail = |location: Option<&str>| {
            let mut headers = HeaderMap::new();
            location.map(|location| headers.insert("location", HeaderValue::from_str(location).unwrap()));
            failure(308, &headers, bytes::Bytes::new(), NOW).detail
        };
        assert_eq!(
            detail(Some("https://new.example.com/in?key=s3cret")),
            "the receiver answered 308 and wants requests sent to https://new.example.com/in: give that address"
        );
        assert_eq!(
            detail(None),
            "the receiver answered 308, which sends requests elsewhere: give the address it means"
        );
    }
}
