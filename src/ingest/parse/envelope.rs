//! One event of `/v1`: the fields of its envelope, found in one walk, into a draft.
//!
//! Not the fields' own forms: `mapping::field` knows those, because `/hooks` asks for the same. Everything
//! wrong with an event is noted, not only the first thing.

use bytes::Bytes;

use super::Parser;
use super::refusal::{Issues, Place, RefusalKind};
use crate::mapping::Receipt;
use crate::mapping::field::{self, Extra, Identity, InvalidField};
use crate::model::json::{Cursor, Error, Kind, Value};
use crate::model::{EventDraft, EventId};
use crate::runtime::Random;

/// The places of an event's fields, in the order of the slots below.
pub(super) const PLACES: [&str; 9] =
    ["/type", "/id", "/version", "/occurredAt", "/key", "/actor", "/data", "/data/interaction/id", "/data/agent/id"];

/// What a walk over one event found, by the order of [`PLACES`].
type Found = [Option<Value>; PLACES.len()];

/// What all events of a request have in common while they are read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) body: &'a Bytes,
    pub(super) receipt: &'a Receipt,
    pub(super) random: &'a mut Random,
    pub(super) issues: Issues,
    /// Top-level keys, of all events so far, that are no field of an event.
    pub(super) unknown_keys: usize,
}

impl Parser {
    /// Reads the event that comes next; none where something is wrong with it, which is then noted.
    ///
    /// # Errors
    /// Where the text is not sound, so that the walk cannot simply go on behind the event.
    pub(super) fn event(
        &self,
        cursor: &mut Cursor<'_>,
        reading: &mut Reading<'_>,
        place: Place,
    ) -> Result<Option<EventDraft>, Box<Error>> {
        let mut found = Found::default();
        let mut extra = Extra::default();
        let body = reading.body;
        let whole = cursor.find(&self.pointers, &mut found, |name, value, is_field| {
            if !is_field {
                extra.push(body, name, value);
            }
        })?;
        if !reading.is_event(place, whole, self.options.event_bytes_max) {
            return Ok(None);
        }
        Ok(reading.draft(place, found, extra))
    }
}

impl Reading<'_> {
    /// Notes that the text is not sound.
    pub(super) fn add_error(&mut self, place: Place, error: &Error) {
        self.issues.add_error(place, error);
    }

    /// Returns whether a value is an object and not too large for an event; where it is not, that is noted.
    pub(super) fn is_event(&mut self, place: Place, whole: Value, bytes_max: usize) -> bool {
        let bytes = whole.end - whole.start;
        if whole.kind != Kind::Object {
            let detail = format!("an event must be an object, not {}", whole.kind.words());
            self.issues.add(RefusalKind::Malformed, place, "", detail);
            return false;
        }
        if bytes > bytes_max {
            let detail = format!("an event may have {bytes_max} bytes, this one has {bytes}");
            self.issues.add(RefusalKind::TooLarge, place, "", detail);
            return false;
        }
        true
    }

    fn draft(&mut self, place: Place, found: Found, extra: Extra) -> Option<EventDraft> {
        let body = self.body;
        // A field that is `null` says the same as one that is absent.
        let found = found.map(|value| value.filter(|value| value.kind != Kind::Null));
        let [event_type, id, version, occurred_at, key, actor, data, interaction_id, agent_id] = found;
        let event_type = self.required(place, "/type", event_type, |value| field::event_type(body, value));
        let data = self.required(place, "/data", data, |value| field::object(body, value));
        let identity =
            self.optional(place, "/id", id, |value| field::text(body, value).and_then(|given| Identity::of(given, "")));
        let version = self.optional(place, "/version", version, |value| field::version(body, value));
        let occurred_at = self.optional(place, "/occurredAt", occurred_at, |value| field::instant(body, value));
        let key = self.optional(place, "/key", key, |value| field::key(body, value));
        let actor = self.optional(place, "/actor", actor, |value| field::object(body, value));
        // Only here, so that all of an event's fields are looked at before the first one fails it.
        let (event_type, data, identity, version) = (event_type?, data?, identity?, version?);
        let (occurred_at, key, actor) = (occurred_at?, key?, actor?);
        let identity = identity.unwrap_or_else(|| Identity::made(self.made_id()));
        self.unknown_keys += extra.count();
        Some(EventDraft {
            id: identity.id,
            id_is_made: identity.is_made,
            source_id: identity.source_id,
            event_type,
            version: version.unwrap_or(1),
            occurred_at,
            received_at: self.receipt.received_at,
            key: key.unwrap_or_else(|| field::key_in_data(body, [interaction_id, agent_id].into_iter())),
            actor,
            attributes: extra.attributes(self.receipt.traceparent.as_ref()),
            data,
        })
    }

    fn made_id(&mut self) -> EventId {
        EventId::made(self.receipt.received_at, self.random.bytes())
    }

    /// Reads what must be there; none where it is absent or wrong, which is then noted.
    #[inline]
    pub(super) fn required<V, T>(
        &mut self,
        place: Place,
        pointer: &str,
        value: Option<V>,
        read: impl FnOnce(V) -> Result<T, InvalidField>,
    ) -> Option<T> {
        if value.is_none() {
            self.issues.add(RefusalKind::Malformed, place, pointer, "is required".to_owned());
            return None;
        }
        self.optional(place, pointer, value, read).flatten()
    }

    /// Reads what may be absent. The outer none: it is wrong, which is then noted.
    #[inline]
    pub(super) fn optional<V, T>(
        &mut self,
        place: Place,
        pointer: &str,
        value: Option<V>,
        read: impl FnOnce(V) -> Result<T, InvalidField>,
    ) -> Option<Option<T>> {
        let Some(value) = value else { return Some(None) };
        match read(value) {
            Ok(field) => Some(Some(field)),
            Err(problem) => {
                self.issues.add(RefusalKind::Malformed, place, pointer, problem.to_string());
                None
            }
        }
    }
}
