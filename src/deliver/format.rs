//! The body of a request: an event in the form that its endpoint asked for.
//!
//! Pure, and the same whoever calls it: a delivery, the Test, a preview. `actor` and `data` are copied as
//! they were kept; only a CloudEvent asks the actor for two texts. The text of a body is a function of its
//! arguments alone, so the hash that an attempt keeps proves later what was sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use crate::accounts::Format;
use crate::model::{AccountName, EventId, EventType, Offset, Timestamp};

/// The version of what formats write: another one is another build.
pub const FORMATS_VERSION: u32 = 1;

/// What goes into a body.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The event's id.
    pub id: &'a EventId,
    /// The event's type.
    pub event_type: &'a EventType,
    /// The schema version of the type.
    pub version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The account's name.
    pub account: &'a AccountName,
    /// Who did it: a JSON object, as kept.
    pub actor: Option<&'a str>,
    /// Whether it is a test and never happened.
    pub is_test: bool,
    /// Its place in the account's log; a test has none.
    pub offset: Option<Offset>,
    /// The key, where the receiver may know it.
    pub key: Option<&'a str>,
    /// A JSON object, as kept.
    pub data: &'a str,
}

impl Format {
    /// Returns its number on disk.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Envelope => 0,
            Self::Standard => 1,
            Self::Data => 2,
            Self::Cloudevents => 3,
        }
    }

    /// Returns the format with this number.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Envelope),
            1 => Some(Self::Standard),
            2 => Some(Self::Data),
            3 => Some(Self::Cloudevents),
            _ => None,
        }
    }

    /// Returns the media type of its bodies.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Envelope | Self::Standard | Self::Data => "application/json",
            Self::Cloudevents => "application/cloudevents+json",
        }
    }

    /// Writes a body.
    ///
    /// # Shape
    /// One buffer of exactly the size it needs.
    #[must_use]
    pub fn body(self, content: &Content<'_>) -> Bytes {
        match self {
            Self::Envelope => envelope(content),
            Self::Standard => standard(content),
            Self::Data => Bytes::copy_from_slice(content.data.as_bytes()),
            Self::Cloudevents => cloud_event(content),
        }
    }
}

fn envelope(content: &Content<'_>) -> Bytes {
    let version = content.version.to_string();
    let occurred_at = content.occurred_at.to_string();
    // Names, ids and types have no character that JSON escapes; their parsers see to it.
    let [actor_key, actor] = content.actor.map(|actor| [r#","actor":"#, actor]).unwrap_or_default();
    let parts = [
        r#"{"id":""#,
        content.id.as_str(),
        r#"","type":""#,
        content.event_type.as_str(),
        r#"","version":"#,
        &version,
        r#","occurredAt":""#,
        &occurred_at,
        r#"","accountId":""#,
        content.account.as_str(),
        r#"""#,
        actor_key,
        actor,
        if content.is_test { r#","test":true,"data":"# } else { r#","test":false,"data":"# },
        content.data,
        "}",
    ];
    // Concatenation counts first and allocates once.
    Bytes::from(parts.concat())
}

fn standard(content: &Content<'_>) -> Bytes {
    let timestamp = content.occurred_at.to_string();
    let event_type = content.event_type.as_str();
    let parts = [r#"{"type":""#, event_type, r#"","timestamp":""#, &timestamp, r#"","data":"#, content.data, "}"];
    Bytes::from(parts.concat())
}

fn cloud_event(content: &Content<'_>) -> Bytes {
    let (time, version) = (content.occurred_at.to_string(), content.version.to_string());
    let sequence = content.offset.map(|offset| format!(r#","sequence":"{:016}""#, offset.0)).unwrap_or_default();
    let subject = content.key.map(|key| attribute("subject", key)).unwrap_or_default();
    let actor = content.actor.map(actor_attributes).unwrap_or_default();
    let parts = [
        r#"{"specversion":"1.0","id":""#,
        content.id.as_str(),
        r#"","source":"/accounts/"#,
        content.account.as_str(),
        r#"","type":""#,
        content.event_type.as_str(),
        r#"","time":""#,
        &time,
        r#"""#,
        &subject,
        r#","datacontenttype":"application/json""#,
        &sequence,
        r#","version":"#,
        &version,
        &actor,
        if content.is_test { r#","test":true,"data":"# } else { r#","data":"# },
        content.data,
        "}",
    ];
    Bytes::from(parts.concat())
}

/// Writes who did it as attributes: a CloudEvent has no objects beside its data.
fn actor_attributes(actor: &str) -> String {
    let members: BTreeMap<String, Value> = serde_json::from_str(actor).unwrap_or_default();
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let kind = text("kind").map(|kind| attribute("actorkind", kind)).unwrap_or_default();
    let user = text("userId").map(|id| attribute("actoruserid", id)).unwrap_or_default();
    kind + &user
}

fn attribute(name: &str, text: &str) -> String {
    format!(r#","{name}":{}"#, Value::from(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Content;
    use crate::accounts::Format;
    use crate::model::{AccountName, EventId, EventType, Offset, Timestamp};

    fn body(content: &Content<'_>) -> String {
        String::from_utf8(Format::Envelope.body(content).to_vec()).unwrap()
    }

    #[test]
    fn an_envelope_has_its_keys_in_order_and_no_actor_where_there_is_none() {
        let (id, event_type) = (EventId::parse("evt_1").unwrap(), EventType::parse("call.declined").unwrap());
        let content = Content {
            id: &id,
            event_type: &event_type,
            version: 2,
            occurred_at: Timestamp::parse("2026-03-02T09:14:07.512Z").unwrap(),
            account: &AccountName::parse("acme").unwrap(),
            actor: Some(r#"{ "kind": "USER" }"#),
            is_test: false,
            offset: Some(Offset(41)),
            key: Some("i_7 \"é\""),
            data: r#"{"n": 1.50, "n2":1e0}"#,
        };
        assert_eq!(
            body(&content),
            concat!(
                r#"{"id":"evt_1","type":"call.declined","version":2,"occurredAt":"2026-03-02T09:14:07.512Z","#,
                r#""accountId":"acme","actor":{ "kind": "USER" },"test":false,"data":{"n": 1.50, "n2":1e0}}"#
            )
        );
        let written = |format: Format| String::from_utf8(format.body(&content).to_vec()).unwrap();
        assert_eq!(
            written(Format::Standard),
            r#"{"type":"call.declined","timestamp":"2026-03-02T09:14:07.512Z","data":{"n": 1.50, "n2":1e0}}"#
        );
        assert_eq!(written(Format::Data), r#"{"n": 1.50, "n2":1e0}"#);
        assert_eq!(
            written(Format::Cloudevents),
            concat!(
                r#"{"specversion":"1.0","id":"evt_1","source":"/accounts/acme","type":"call.declined","#,
                r#""time":"2026-03-02T09:14:07.512Z","subject":"i_7 \"é\"","datacontenttype":"application/json","#,
                r#""sequence":"0000000000000041","version":2,"actorkind":"USER","data":{"n": 1.50, "n2":1e0}}"#
            )
        );
        assert_eq!(
            body(&Content { actor: None, is_test: true, data: "{}", ..content }),
            concat!(
                r#"{"id":"evt_1","type":"call.declined","version":2,"occurredAt":"2026-03-02T09:14:07.512Z","#,
                r#""accountId":"acme","test":true,"data":{}}"#
            )
        );
    }

    #[test]
    fn a_format_survives_its_number() {
        for format in [Format::Envelope, Format::Standard, Format::Data, Format::Cloudevents] {
            assert_eq!(Format::of_number(format.number()), Some(format));
        }
        assert_eq!(Format::of_number(255), None);
    }

    /// Any JSON object, with white space, numbers and texts of all kinds.
    fn object() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
            any::<f64>()
                .prop_filter("JSON has none", |number| number.is_finite())
                .prop_map(|number| number.to_string()),
            Just("1.50".to_owned()),
            Just("[ 1e0 , null ]".to_owned()),
        ];
        prop::collection::btree_map("[a-z]{1,8}", value, 0..6).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
            format!("{{ {} }}", members.join(" ,\n"))
        })
    }

    proptest! {
        #[test]
        fn an_envelope_is_json_that_holds_actor_and_data_byte_by_byte(
            id in "[A-Za-z0-9_:~-]{1,128}",
            event_type in "[A-Za-z0-9_.:-]{1,128}",
            account in "[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}",
            version: u32,
            occurred_at in Timestamp::MIN.0..=Timestamp::MAX.0,
            actor in prop::option::of(object()),
            data in object(),
            is_test: bool,
        ) {
            let (id, event_type) = (EventId::parse(&id).unwrap(), EventType::parse(&event_type).unwrap());
            let account = AccountName::parse(&account).unwrap();
            let occurred_at = Timestamp(occurred_at);
            let content = Content {
                id: &id, event_type: &event_type, version, occurred_at, account: &account,
                actor: actor.as_deref(), is_test, offset: None, key: None, data: &data,
            };
            let text = body(&content);
            let expected_end = format!("\"data\":{data}}}");
            prop_assert!(text.ends_with(&expected_end));
            prop_assert!(actor.as_ref().is_none_or(|actor| text.contains(actor.as_str())));

            #[derive(serde::Deserialize)]
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            struct Read<'a> {
                id: String,
                r#type: String,
                version: u32,
                occurred_at: Timestamp,
                account_id: String,
                #[serde(borrow)]
                actor: Option<&'a serde_json::value::RawValue>,
                test: bool,
                data: &'a serde_json::value::RawValue,
            }
            let read: Read<'_> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!((&*read.id, &*read.r#type), (id.as_str(), event_type.as_str()));
            prop_assert_eq!((read.version, read.occurred_at, read.test), (version, occurred_at, is_test));
            prop_assert_eq!(&*read.account_id, account.as_str());
            prop_assert_eq!(read.actor.map(|actor| actor.get()), actor.as_deref());
            prop_assert_eq!(read.data.get(), &*data);
        }

        #[test]
        fn the_buffer_has_exactly_the_size_it_needs(data in object()) {
            let (id, event_type) = (EventId::parse("e").unwrap(), EventType::parse("t").unwrap());
            let content = Content {
                id: &id, event_type: &event_type, version: 1, occurred_at: Timestamp(0),
                account: &AccountName::parse("a").unwrap(), actor: None, is_test: false, offset: None, key: None,
                data: &data,
            };
            let body: Vec<u8> = Format::Envelope.body(&content).into();
            prop_assert_eq!(body.capacity(), body.len());
        }
    }
}
