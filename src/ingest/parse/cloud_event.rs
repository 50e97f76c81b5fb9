//! One CloudEvent 1.0, structured or binary, into a draft.
//!
//! `subject` is the key, `time` says when it happened, `source` is kept beside the event, and `version`, `actorkind`
//! and `actoruserid` are the extensions that the format `cloudevents` writes: what a receiver got can be given back.
//! Every other attribute is kept as `extra`. An id of our form is the event's id whatever its source, because receivers
//! tell events apart by the id alone; one of another form gets an id derived from source and id.
//!
//! Source: CloudEvents 1.0.2, the JSON event format and the HTTP protocol binding.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use super::Parser;
use super::envelope::Reading;
use super::refusal::{Place, RefusalKind};
use crate::mapping::field::{self, Extra, Identity, InvalidField};
use crate::model::json::{Cursor, Error, Kind, Value};
use crate::model::{EventDraft, KeyField, Timestamp};

/// The attributes that an event is made of, in the order of [`Context`].
const ATTRIBUTES: [&str; 11] = [
    "/specversion",
    "/id",
    "/source",
    "/type",
    "/subject",
    "/time",
    "/datacontenttype",
    "/version",
    "/actorkind",
    "/actoruserid",
    "/traceparent",
];

/// Where an event's data is, and the key where no attribute names one.
const DATA: [&str; 4] = ["/data", "/data_base64", "/data/interaction/id", "/data/agent/id"];

/// The places in a structured event: the data's first, then those of the attributes.
pub(super) const PLACES: [&str; DATA.len() + ATTRIBUTES.len()] = {
    let mut places = [""; DATA.len() + ATTRIBUTES.len()];
    let (data, attributes) = places.split_at_mut(DATA.len());
    data.copy_from_slice(&DATA);
    attributes.copy_from_slice(&ATTRIBUTES);
    places
};

/// What the attributes say; none where one is absent or `null`, which says the same.
type Context = [Option<ByteString>; ATTRIBUTES.len()];

/// An event's data, and the key that it holds.
struct Data {
    object: Bytes,
    key: Option<ByteString>,
}

/// Returns whether a request has a CloudEvent's attributes in its headers.
#[must_use]
pub fn has_attributes(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(PREFIX))
}

impl Parser {
    /// Reads the structured event that comes next; none where something is wrong with it, which is then noted.
    ///
    /// # Errors
    /// Where the text is not sound.
    pub(super) fn cloud_event(
        &self,
        cursor: &mut Cursor<'_>,
        reading: &mut Reading<'_>,
        place: Place,
    ) -> Result<Option<EventDraft>, Box<Error>> {
        let mut found = [None; PLACES.len()];
        let mut extra = Extra::default();
        let body = reading.body;
        let whole = cursor.find(&self.cloud_pointers, &mut found, |name, value, is_attribute| {
            if !is_attribute {
                extra.push(body, name, value);
            }
        })?;
        if !reading.is_event(place, whole, self.options.event_bytes_max) {
            return Ok(None);
        }
        let found = found.map(|value: Option<Value>| value.filter(|value| value.kind != Kind::Null));
        let [data, base64, interaction_id, agent_id, attributes @ ..] = found;
        let data = match base64 {
            Some(_) if data.is_some() => {
                let detail = "stands beside data: an event has one of them".to_owned();
                reading.issues.add(RefusalKind::Malformed, place, "/data_base64", detail);
                None
            }
            Some(_) => reading.required(place, "/data_base64", base64, |value| self.encoded_data(body, value)),
            None => reading.required(place, "/data", data, |value| {
                let key = field::key_in_data(body, [interaction_id, agent_id].into_iter());
                Ok(Data { object: field::object(body, value)?, key })
            }),
        };
        let mut context = Context::default();
        let mut is_sound = true;
        for ((name, value), slot) in ATTRIBUTES.into_iter().zip(attributes).zip(&mut context) {
            let is_number_too = name == "/version";
            let read = |value| match is_number_too {
                true => field::text_or_whole_number(body, value),
                false => field::text(body, value),
            };
            match reading.optional(place, name, value, read) {
                Some(text) => *slot = text,
                None => is_sound = false,
            }
        }
        Ok(reading.cloud_draft(place, context, data, extra).filter(|_| is_sound))
    }

    /// Reads the event whose data is the body and whose attributes are headers.
    ///
    /// # Errors
    /// Where the body is not sound.
    pub(super) fn binary(
        &self,
        headers: &HeaderMap,
        reading: &mut Reading<'_>,
    ) -> Result<Option<EventDraft>, Box<Error>> {
        let (body, place) = (reading.body, Place::Headers);
        let mut context = Context::default();
        let mut extra = Extra::default();
        let mut is_sound = true;
        for name in headers.keys() {
            let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
            let mut values = headers.get_all(name).into_iter();
            let one = match (values.next(), values.next()) {
                (Some(one), None) => reading.optional(place, attribute, Some(one), header_text).flatten(),
                _ => {
                    reading.issues.add(RefusalKind::Malformed, place, attribute, "stands more than once".to_owned());
                    None
                }
            };
            let Some(text) = one else {
                is_sound = false;
                continue;
            };
            let known = ATTRIBUTES.iter().zip(&mut context);
            match known.into_iter().find(|(known, _)| known.strip_prefix('/') == Some(attribute)) {
                Some((_, slot)) => *slot = Some(text),
                None => extra.push_text(attribute, &text),
            }
        }
        let (whole, key) = self.data(body)?;
        if !reading.is_event(Place::Whole, whole, self.options.event_bytes_max) {
            return Ok(None);
        }
        let data = Data { object: whole.bytes(body), key };
        Ok(reading.cloud_draft(place, context, Some(data), extra).filter(|_| is_sound))
    }

    fn encoded_data(&self, body: &Bytes, value: Value) -> Result<Data, InvalidField> {
        let encoded = field::text(body, value)?;
        let decoded = BASE64_STANDARD.decode(encoded.as_bytes()).map_err(InvalidField::of)?;
        let decoded = Bytes::from(decoded);
        let (whole, key) = self.data(&decoded).map_err(InvalidField::of)?;
        Ok(Data { object: field::object(&decoded, whole)?, key })
    }

    /// Walks over data that is a text of its own: the value, and the key that it holds.
    fn data(&self, text: &Bytes) -> Result<(Value, Option<ByteString>), Box<Error>> {
        let mut found = [None; KeyField::ALL.len()];
        let mut cursor = Cursor::new(text);
        let whole = cursor.find(&self.key_pointers, &mut found, |_, _, _| ())?;
        cursor.finish()?;
        Ok((whole, field::key_in_data(text, found.into_iter())))
    }
}

impl Reading<'_> {
    fn cloud_draft(
        &mut self,
        place: Place,
        context: Context,
        data: Option<Data>,
        mut extra: Extra,
    ) -> Option<EventDraft> {
        let [spec_version, id, source, event_type, subject, time, content_type, rest @ ..] = context;
        let [version, actor_kind, actor_user_id, traceparent] = rest;
        let spec_version = self.required(place, "/specversion", spec_version, is_known_version);
        let source = self.required(place, "/source", source, not_empty);
        let ids_source = source.clone().unwrap_or_default();
        let identity = self.required(place, "/id", id, |given| Identity::of(given, &ids_source));
        let event_type = self.required(place, "/type", event_type, field::event_type_of);
        let key = self.optional(place, "/subject", subject, field::key_of);
        let occurred_at = self.optional(place, "/time", time, |text| field::instant_of(&text));
        let content_type = self.optional(place, "/datacontenttype", content_type, is_json);
        // Only here, so that all attributes are looked at before the first one fails the event.
        let (Some(()), Some(_)) = (spec_version, content_type) else { return None };
        let (source, identity, event_type, data) = (source?, identity?, event_type?, data?);
        let (key, occurred_at): (Option<Option<ByteString>>, Option<Timestamp>) = (key?, occurred_at?);
        let number = version.as_deref().and_then(|text| field::version_of(text).ok());
        if let (Some(text), None) = (&version, number) {
            extra.push_text("version", text);
        }
        self.unknown_keys += extra.count();
        let traceparent = traceparent.as_deref().and_then(field::traceparent);
        let mut attributes = extra.attributes(traceparent.as_ref().or(self.receipt.traceparent.as_ref()));
        attributes.push((ByteString::from_static("source"), source));
        Some(EventDraft {
            id: identity.id,
            id_is_made: identity.is_made,
            source_id: identity.source_id,
            event_type,
            version: number.unwrap_or(1),
            occurred_at,
            received_at: self.receipt.received_at,
            key: key.flatten().or(data.key),
            actor: actor(actor_kind, actor_user_id),
            attributes,
            data: data.object,
        })
    }
}

fn is_known_version(given: ByteString) -> Result<(), InvalidField> {
    if *given == *"1.0" { Ok(()) } else { Err(InvalidField::new("must be \"1.0\"")) }
}

fn not_empty(given: ByteString) -> Result<ByteString, InvalidField> {
    if given.is_empty() { Err(InvalidField::new("must not be empty")) } else { Ok(given) }
}

fn is_json(given: ByteString) -> Result<(), InvalidField> {
    if is_json_type(&given) { Ok(()) } else { Err(InvalidField::new("must be JSON: an event's data is an object")) }
}

/// Returns whether a content type says JSON, whatever its parameters.
#[must_use]
pub fn is_json_type(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = name.split_once('/').map(|(_, subtype)| subtype).unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}

fn actor(kind: Option<ByteString>, user_id: Option<ByteString>) -> Option<Bytes> {
    let members = [("kind", kind), ("userId", user_id)];
    let members = members.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Json::from(&*text?))));
    let members: Map<String, Json> = members.collect();
    (!members.is_empty()).then(|| Bytes::from(Json::Object(members).to_string()))
}

/// Reads a header's value: unquoted, then percent-decoded once, whatever is no percent-encoding left as it is.
fn header_text(value: &HeaderValue) -> Result<ByteString, InvalidField> {
    let text = str::from_utf8(value.as_bytes()).map_err(InvalidField::of)?;
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let unquoted = quoted.map(without_backslashes);
    let decoded = percent_decode_str(unquoted.as_deref().unwrap_or(text)).decode_utf8().map_err(InvalidField::of)?;
    Ok(ByteString::from(decoded.as_ref()))
}

/// Takes the backslash off each character that has one in front.
fn without_backslashes(quoted: &str) -> String {
    let mut is_escaped = false;
    quoted
        .chars()
        .filter(|character| {
            is_escaped = *character == '\\' && !is_escaped;
            !is_escaped
        })
        .collect()
}

const PREFIX: &str = "ce-";

#[cfg(test)]
mod tests;
