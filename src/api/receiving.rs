//! What a receiver gets, for the `webhooks` section of the document.
//!
//! Only a description: the formats themselves are delivery's. A test compares the names.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::{AccountName, EventId, EventType, Timestamp};

/// The body of a request to a receiver, in the format `envelope`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    /// The event's id: the same on every attempt and replay.
    id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    event_type: EventType,
    /// The version of its type's schema.
    version: u32,
    /// When it happened.
    occurred_at: Timestamp,
    /// The account that it belongs to.
    account_id: AccountName,
    /// Who did it; null where that was not said.
    actor: Option<Map<String, Value>>,
    /// Whether it is a test and never happened.
    test: bool,
    /// What happened.
    data: Map<String, Value>,
}

/// Describes the requests that receivers get.
pub(super) fn webhooks(generator: &mut SchemaGenerator) -> Value {
    let body = generator.subschema_for::<Envelope>().to_value();
    let headers = HEADERS.iter().map(|(name, is_always, description)| {
        json!({
            "name": name, "in": "header", "required": is_always, "description": description,
            "schema": { "type": "string" },
        })
    });
    json!({
        "event": {
            "post": {
                "operationId": "receiveEvent",
                "summary": "An event of the account",
                "description": "Sent at least once, in the order of its key; the same `webhook-id` means the same \
                                event. Answer with 2xx within the endpoint's time-out, before any long work.",
                "tags": ["receiving"],
                "security": [],
                "parameters": headers.collect::<Vec<_>>(),
                "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
                "responses": {
                    "2XX": { "description": "Taken. Anything else is not." },
                    "410": { "description": "The receiver wants nothing any more: the endpoint is switched off." },
                    "429": { "description": "Too much at once; `retry-after` is honoured." },
                    "default": { "description": "Not taken: sent again, in order." },
                },
            },
        },
    })
}

/// Name, whether it is always there, meaning.
const HEADERS: [(&str, bool, &str); 17] = [
    ("webhook-id", true, "The event's id."),
    ("webhook-timestamp", true, "When this request was made, in seconds since 1970."),
    (
        "webhook-signature",
        false,
        "Standard Webhooks: `v1,` and a signature in base64, several during a rotation. Absent where the endpoint does not sign.",
    ),
    ("user-agent", true, "`hooklog/1`."),
    ("hooklog-account", true, "The account."),
    ("hooklog-endpoint", true, "The endpoint's name."),
    ("hooklog-type", true, "The event's type."),
    ("hooklog-version", true, "The version of its type's schema."),
    ("hooklog-occurred-at", true, "When it happened."),
    ("hooklog-offset", false, "The event's place in the account's log; absent on a test."),
    (
        "hooklog-sequence",
        false,
        "The event's number at this endpoint: 1, 2, 3 …; a hole that lasts is a question to `GET /api/v1/accounts/{account}/deliveries`. Absent on tests and replays.",
    ),
    ("hooklog-attempt", true, "Which request of this event it is, from 1."),
    (
        "hooklog-key",
        false,
        "What the event keeps its order by, where rights leave the field it came from; percent-encoded outside visible ASCII.",
    ),
    ("hooklog-rights", false, "The revision of the rights that the body was made under; absent on a test."),
    ("hooklog-test", false, "`true` on a test."),
    ("hooklog-replay", false, "The replay that sent it."),
    ("traceparent", false, "The trace that the event belongs to."),
];
