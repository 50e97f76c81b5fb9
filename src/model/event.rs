//! An event: what a sender gives, and what the log keeps of it.
//!
//! The payload part of an event's record, layout 1, in this order: salt (16 bytes) · layout (1 byte) ·
//! which optional fields follow (1 byte, one bit each) · version (4) · occurredAt (8, ms) · id · type name
//! where it has no number · source id · key · actor (JSON) · attributes (count, then name and value) · the
//! bytes of `data` exactly as received. Not parsed here: `actor` and `data` are text that ingest checked.

use bytes::Bytes;
use bytestring::ByteString;
use sha2::{Digest, Sha256};

use super::codec::{CodecError, Reader, Writer};
use super::{EventId, EventType, Timestamp};

/// The attribute that marks an event as hooklog's own. No sender can give it: ingest names all attributes itself.
pub const OWN_EVENT: &str = "own";

/// An event on its way into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// The event's id, given, derived or made.
    pub id: EventId,
    /// Whether hooklog made the id: then it is nobody's duplicate and is not looked up.
    pub id_is_made: bool,
    /// The id as the sender gave it, where its form differs from ours.
    pub source_id: Option<ByteString>,
    /// The event's type.
    pub event_type: EventType,
    /// The schema version of the type, from 1.
    pub version: u32,
    /// When it happened, as the sender said.
    pub occurred_at: Option<Timestamp>,
    /// When hooklog received it: stands in where the sender did not say when it happened.
    pub received_at: Timestamp,
    /// The lane's key; none has no order. At most `KEY_BYTES_MAX` bytes.
    pub key: Option<ByteString>,
    /// Who did it: a JSON object, as received.
    pub actor: Option<Bytes>,
    /// Names and values: `traceparent`, `extra` and what CloudEvents add.
    pub attributes: Vec<(ByteString, ByteString)>,
    /// A JSON object, as received.
    pub data: Bytes,
}

impl EventDraft {
    /// Returns the digest by which a repeat is told from a conflict.
    ///
    /// It covers type, occurredAt (also that it was absent) and data as the sender gave them.
    ///
    /// # Shape
    /// The first 16 bytes of a SHA-256.
    #[must_use]
    pub fn content_digest(&self) -> [u8; 16] {
        let mut hasher = Sha256::new();
        let event_type = self.event_type.as_str();
        hasher.update([u8::try_from(event_type.len()).unwrap_or(u8::MAX)]);
        hasher.update(event_type);
        hasher.update([u8::from(self.occurred_at.is_some())]);
        hasher.update(self.occurred_at.unwrap_or_default().0.to_be_bytes());
        hasher.update(&self.data);
        let digest: [u8; 32] = hasher.finalize().into();
        let mut first = [0; 16];
        first.copy_from_slice(digest.first_chunk::<16>().expect("32 bytes have 16"));
        first
    }

    /// Writes the payload part; `spell_type` puts the type's name into it.
    #[must_use]
    pub fn encode(&self, salt: [u8; 16], spell_type: bool) -> Bytes {
        let attributes_bytes: usize = self.attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
        let mut writer =
            Writer::with_capacity(256 + attributes_bytes + self.actor.as_ref().map_or(0, Bytes::len) + self.data.len());
        writer.fixed(salt);
        writer.fixed([LAYOUT]);
        let present = flag(HAS_TYPE, spell_type)
            | flag(HAS_SOURCE_ID, self.source_id.is_some())
            | flag(HAS_KEY, self.key.is_some())
            | flag(HAS_ACTOR, self.actor.is_some());
        writer.fixed([present]);
        writer.fixed(self.version.to_be_bytes());
        writer.fixed(self.occurred_at.unwrap_or(self.received_at).0.to_be_bytes());
        writer.short(self.id.as_str().as_bytes());
        if spell_type {
            writer.short(self.event_type.as_str().as_bytes());
        }
        if let Some(source_id) = &self.source_id {
            writer.short(source_id.as_bytes().as_ref());
        }
        if let Some(key) = &self.key {
            writer.short(key.as_bytes().as_ref());
        }
        if let Some(actor) = &self.actor {
            writer.long(actor);
        }
        writer.fixed(u16::try_from(self.attributes.len()).expect("attributes are few").to_be_bytes());
        for (name, value) in &self.attributes {
            writer.short(name.as_bytes().as_ref());
            writer.long(value.as_bytes().as_ref());
        }
        writer.long(&self.data);
        writer.finish()
    }
}

/// An event as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's id.
    pub id: EventId,
    /// The type's name, where the record's header has no number for it.
    pub spelled_type: Option<EventType>,
    /// The id as the sender gave it, where its form differs from ours.
    pub source_id: Option<ByteString>,
    /// The schema version of the type.
    pub version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The lane's key.
    pub key: Option<ByteString>,
    /// Who did it: a JSON object.
    pub actor: Option<ByteString>,
    /// Names and values beside the event.
    pub attributes: Vec<(ByteString, ByteString)>,
    /// A JSON object, byte by byte as received.
    pub data: ByteString,
}

impl Event {
    /// Returns whether it is hooklog's own: such an event goes to an account whatever its rights.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.attributes.iter().any(|(name, _)| &**name == OWN_EVENT)
    }

    /// An event of which only who did it and what happened matters.
    #[cfg(test)]
    pub(crate) fn example(actor: Option<&str>, data: &str) -> Self {
        Self {
            id: EventId::parse("e1").unwrap(),
            spelled_type: None,
            source_id: None,
            version: 1,
            occurred_at: Timestamp(0),
            key: None,
            actor: actor.map(Into::into),
            attributes: Vec::new(),
            data: data.into(),
        }
    }

    /// Reads the payload part of an event's record; the texts share its bytes.
    ///
    /// # Errors
    /// Where the bytes are not what [`EventDraft::encode`] writes.
    pub fn decode(payload: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let _salt: [u8; 16] = reader.fixed()?;
        let layout = reader.u8()?;
        if layout != LAYOUT {
            return Err(CodecError::Unknown(u32::from(layout)));
        }
        let present = reader.u8()?;
        if present & !(HAS_TYPE | HAS_SOURCE_ID | HAS_KEY | HAS_ACTOR) != 0 {
            return Err(CodecError::Unknown(u32::from(present)));
        }
        let has = |bit: u8| present & bit != 0;
        let version = reader.u32()?;
        let occurred_at = Timestamp(reader.i64()?);
        let id = EventId::try_from(reader.short_text()?).map_err(|_| CodecError::Text)?;
        let spelled_type = match has(HAS_TYPE) {
            true => Some(EventType::try_from(reader.short_text()?).map_err(|_| CodecError::Text)?),
            false => None,
        };
        let source_id = has(HAS_SOURCE_ID).then(|| reader.short_text()).transpose()?;
        let key = has(HAS_KEY).then(|| reader.short_text()).transpose()?;
        let actor = has(HAS_ACTOR).then(|| reader.long_text()).transpose()?;
        let count = reader.u16()?;
        let attributes = (0..count)
            .map(|_| Ok((reader.short_text()?, reader.long_text()?)))
            .collect::<Result<Vec<_>, CodecError>>()?;
        let data = reader.long_text()?;
        reader.end()?;
        Ok(Self { id, spelled_type, source_id, version, occurred_at, key, actor, attributes, data })
    }
}

/// Returns an event's payload part with the type's name written into it, for a type that gets no number.
///
/// # Errors
/// Where the bytes are not what [`EventDraft::encode`] writes.
pub fn spell_type(payload: &Bytes, event_type: &EventType) -> Result<Bytes, CodecError> {
    let mut reader = Reader::new(payload.clone());
    let salt: [u8; 16] = reader.fixed()?;
    let layout = reader.u8()?;
    let present = reader.u8()?;
    if layout != LAYOUT || present & HAS_TYPE != 0 {
        return Err(CodecError::Unknown(u32::from(layout)));
    }
    let fixed: [u8; 12] = reader.fixed()?;
    let id = reader.short()?;
    let mut writer = Writer::with_capacity(payload.len() + event_type.as_str().len() + 2);
    writer.fixed(salt);
    writer.fixed([layout, present | HAS_TYPE]);
    writer.fixed(fixed);
    writer.short(&id);
    writer.short(event_type.as_str().as_bytes());
    writer.rest(&reader);
    Ok(writer.finish())
}

const fn flag(bit: u8, is_set: bool) -> u8 {
    if is_set { bit } else { 0 }
}

const LAYOUT: u8 = 1;
const HAS_TYPE: u8 = 1;
const HAS_SOURCE_ID: u8 = 2;
const HAS_KEY: u8 = 4;
const HAS_ACTOR: u8 = 8;

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_draft() -> impl Strategy<Value = EventDraft> {
        let names = ("[A-Za-z0-9_:~-]{1,128}", "[A-Za-z0-9_.:-]{1,128}", any::<bool>());
        let optional = (
            proptest::option::of("\\PC{0,60}"),
            proptest::option::of("\\PC{1,60}"),
            proptest::option::of("\\PC{0,60}"),
            proptest::option::of(Timestamp::MIN.0..Timestamp::MAX.0),
        );
        let attributes = proptest::collection::vec(("[a-z]{1,10}", "\\PC{0,40}"), 0..4);
        (names, optional, attributes, any::<u32>(), "\\PC{0,200}").prop_map(
            |((id, event_type, id_is_made), (source_id, key, actor, occurred_at), attributes, version, data)| {
                EventDraft {
                    id: EventId::parse(&id).expect("the strategy makes ids"),
                    id_is_made,
                    source_id: source_id.map(Into::into),
                    event_type: EventType::parse(&event_type).expect("the strategy makes types"),
                    version,
                    occurred_at: occurred_at.map(Timestamp),
                    received_at: Timestamp(5),
                    key: key.map(Into::into),
                    actor: actor.map(Bytes::from),
                    attributes: attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
                    data: Bytes::from(data),
                }
            },
        )
    }

    #[test]
    fn what_is_written_is_read_back() {
        proptest!(|(draft in any_draft(), salt: [u8; 16], spell: bool)| {
            let event = Event::decode(draft.encode(salt, spell)).expect("what was written can be read");
            prop_assert_eq!(event.spelled_type, spell.then(|| draft.event_type.clone()));
            prop_assert_eq!(
                spell_type(&draft.encode(salt, false), &draft.event_type),
                Ok(draft.encode(salt, true))
            );
            prop_assert_eq!(event.occurred_at, draft.occurred_at.unwrap_or(draft.received_at));
            prop_assert_eq!(event.data.as_bytes(), &draft.data);
            prop_assert_eq!(event.actor.map(ByteString::into_bytes), draft.actor);
            prop_assert_eq!((event.id, event.version, event.key), (draft.id, draft.version, draft.key));
            prop_assert_eq!((event.source_id, event.attributes), (draft.source_id, draft.attributes));
        });
    }

    #[test]
    fn damaged_payloads_are_errors_and_never_panics() {
        proptest!(|(draft in any_draft(), cut in any::<prop::sample::Index>(), noise in any::<u8>())| {
            let whole = draft.encode([7; 16], true);
            let at = cut.index(whole.len());
            prop_assert!(Event::decode(whole.slice(..at)).is_err());
            let mut changed = whole.to_vec();
            changed[at] ^= noise;
            // Any answer will do, as long as there is one.
            drop(Event::decode(Bytes::from(changed)));
        });
    }

    #[test]
    fn the_digest_sees_content_and_nothing_else() {
        proptest!(|(draft in any_draft())| {
            let digest = draft.content_digest();
            let mut other = draft.clone();
            other.received_at = Timestamp(99);
            other.version ^= 1;
            other.key = None;
            prop_assert_eq!(other.content_digest(), digest);
            other.data = Bytes::from([draft.data.as_ref(), b" "].concat());
            prop_assert_ne!(other.content_digest(), digest);
            other.data = draft.data.clone();
            other.occurred_at = match draft.occurred_at { None => Some(Timestamp(0)), Some(_) => None };
            prop_assert_ne!(other.content_digest(), digest);
        });
    }
}
