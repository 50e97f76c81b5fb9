//! What a sender is told: which events are in the log, and where.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

use crate::log::Appended;
use crate::model::{EventId, Offset};

/// What became of one event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Taken {
    pub(super) id: EventId,
    pub(super) offset: Offset,
    pub(super) duplicate: bool,
    /// Only where the sender asked to keep the first: the id was there with other content.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) conflict: bool,
}

impl Taken {
    pub(super) const fn new(id: EventId, appended: Appended) -> Self {
        let (duplicate, conflict) = match appended {
            Appended::Accepted(_) => (false, false),
            Appended::Duplicate(_) => (true, false),
            Appended::Conflict(_) => (false, true),
        };
        Self { id, offset: appended.offset(), duplicate, conflict }
    }

    pub(super) const fn is_accepted(&self) -> bool {
        !self.duplicate && !self.conflict
    }
}

pub(super) fn json<T: Serialize>(status: StatusCode, answer: &T) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(answer).expect("an answer has text keys and nothing else that can fail");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
