//! The single fields of an event: what form each must have, and how it is read from its place in a body.
//!
//! Not where it is found: the envelope of `/v1` and the rules of `/hooks` both come here with a value. What
//! is read shares the bytes of the body, unless something in it is escaped.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

use crate::model::json::{Kind, Value};
use crate::model::limits::{KEY_BYTES_MAX, SOURCE_ID_BYTES_MAX};
use crate::model::{AccountName, EventId, EventType, Timestamp};

/// A value that is not of the form that its field asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidField(Cow<'static, str>);

impl InvalidField {
    /// Says what the form must be.
    #[must_use]
    pub const fn new(sentence: &'static str) -> Self {
        Self(Cow::Borrowed(sentence))
    }

    /// Says what is wrong in the words of who read it.
    #[must_use]
    pub fn of(problem: impl std::fmt::Display) -> Self {
        Self(Cow::Owned(problem.to_string()))
    }

    fn kind(wanted: &str, value: Value) -> Self {
        Self(Cow::Owned(format!("must be {wanted}, not {}", value.kind.words())))
    }
}

/// Reads an account's name: a string, or a whole number taken as text.
///
/// # Errors
/// Where it is of another form.
pub fn account(body: &Bytes, value: Value) -> Result<AccountName, InvalidField> {
    let name = AccountName::try_from(text_or_whole_number(body, value)?);
    name.map_err(InvalidField::of)
}

/// Reads an event's type.
///
/// # Errors
/// Where it is of another form.
pub fn event_type(body: &Bytes, value: Value) -> Result<EventType, InvalidField> {
    event_type_of(text(body, value)?)
}

/// Takes an event's type.
///
/// # Errors
/// Where it is of another form.
pub fn event_type_of(text: ByteString) -> Result<EventType, InvalidField> {
    EventType::try_from(text).map_err(InvalidField::of)
}

/// Reads an instant.
///
/// # Errors
/// Where it is not RFC 3339.
pub fn instant(body: &Bytes, value: Value) -> Result<Timestamp, InvalidField> {
    if value.kind != Kind::Text {
        return Err(InvalidField::kind("a string", value));
    }
    instant_of(&value.text(body))
}

/// Takes an instant.
///
/// # Errors
/// Where it is not RFC 3339.
pub fn instant_of(text: &str) -> Result<Timestamp, InvalidField> {
    Timestamp::parse(text).map_err(InvalidField::of)
}

/// Reads the schema version of a type.
///
/// # Errors
/// Where it is no whole number from 1 that fits 32 bits.
pub fn version(body: &Bytes, value: Value) -> Result<u32, InvalidField> {
    if value.kind == Kind::WholeNumber { version_of(&value.text(body)) } else { Err(VERSION) }
}

/// Takes the schema version of a type.
///
/// # Errors
/// Where it is no whole number from 1 that fits 32 bits.
pub fn version_of(text: &str) -> Result<u32, InvalidField> {
    text.parse().ok().filter(|version| *version >= 1).ok_or(VERSION)
}

const VERSION: InvalidField = InvalidField::new("must be a whole number from 1 to 4294967295");

/// Reads a lane's key: a string, or a whole number taken as text. An empty string says that there is none.
///
/// # Errors
/// Where it is something else, or longer than `KEY_BYTES_MAX`.
pub fn key(body: &Bytes, value: Value) -> Result<Option<ByteString>, InvalidField> {
    key_of(text_or_whole_number(body, value)?)
}

/// Takes a lane's key. An empty one says that there is none.
///
/// # Errors
/// Where it is longer than `KEY_BYTES_MAX`.
pub fn key_of(key: ByteString) -> Result<Option<ByteString>, InvalidField> {
    if key.len() > KEY_BYTES_MAX {
        return Err(InvalidField(Cow::Owned(format!("must have at most {KEY_BYTES_MAX} bytes, has {}", key.len()))));
    }
    Ok(Some(key).filter(|key| !key.is_empty()))
}

/// Reads the key of an event that names none from the values of [`KeyField::ALL`](crate::model::KeyField::ALL).
///
/// The first that is a string or a whole number, and not empty, is the key; one that is too long is none.
#[must_use]
pub fn key_in_data(body: &Bytes, values: impl Iterator<Item = Option<Value>>) -> Option<ByteString> {
    values
        .flatten()
        .find_map(|value| text_or_whole_number(body, value).ok().filter(|key| !key.is_empty()))
        .filter(|key| key.len() <= KEY_BYTES_MAX)
}

/// Reads an object: its bytes as they came.
///
/// # Errors
/// Where it is something else.
pub fn object(body: &Bytes, value: Value) -> Result<Bytes, InvalidField> {
    if value.kind == Kind::Object { Ok(value.bytes(body)) } else { Err(InvalidField::kind("an object", value)) }
}

/// Reads a string.
///
/// # Errors
/// Where it is something else.
pub fn text(body: &Bytes, value: Value) -> Result<ByteString, InvalidField> {
    if value.kind == Kind::Text { Ok(value.shared_text(body)) } else { Err(InvalidField::kind("a string", value)) }
}

/// Reads a string, or a whole number taken as text.
///
/// # Errors
/// Where it is something else.
pub fn text_or_whole_number(body: &Bytes, value: Value) -> Result<ByteString, InvalidField> {
    match value.kind {
        Kind::Text | Kind::WholeNumber => Ok(value.shared_text(body)),
        Kind::Object | Kind::Array | Kind::Number | Kind::Boolean | Kind::Null => {
            Err(InvalidField::kind("a string or a whole number", value))
        }
    }
}

/// Takes the trace context of a request or an event; none where it has another form than the one that is defined.
///
/// # Source
/// W3C Trace Context, section 3.2: `version-traceid-parentid-flags`, lower-case hex, neither id all zero.
#[must_use]
pub fn traceparent(text: &str) -> Option<ByteString> {
    let is_hex = |part: &str, length| part.len() == length && part.bytes().all(|byte| HEX.contains(&byte));
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Only the version that is known is passed on: what a later one puts behind the flags is nobody's to judge.
    let is_sound = version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
    (is_sound && parts.next().is_none()).then(|| ByteString::from(text))
}

const HEX: &[u8] = b"0123456789abcdef";

/// Who an event is: the id it goes by, and the one its sender gave where that has another form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The id.
    pub id: EventId,
    /// Whether hooklog made it.
    pub is_made: bool,
    /// The id as the sender gave it, where its form differs from ours.
    pub source_id: Option<ByteString>,
}

impl Identity {
    /// Takes the sender's id, or derives one from it where it has another form.
    ///
    /// # Errors
    /// Where it is empty or longer than `SOURCE_ID_BYTES_MAX`: then repeats could not be told from others.
    pub fn of(given: ByteString, source: &str) -> Result<Self, InvalidField> {
        if given.is_empty() {
            return Err(InvalidField::new("must not be empty"));
        }
        if given.len() > SOURCE_ID_BYTES_MAX {
            let sentence = format!("must have at most {SOURCE_ID_BYTES_MAX} bytes, has {}", given.len());
            return Err(InvalidField(Cow::Owned(sentence)));
        }
        Ok(match EventId::try_from(given.clone()) {
            Ok(id) => Self { id, is_made: false, source_id: None },
            Err(_) => Self { id: EventId::derived(source, &given), is_made: false, source_id: Some(given) },
        })
    }

    /// Takes an id that hooklog made.
    #[must_use]
    pub const fn made(id: EventId) -> Self {
        Self { id, is_made: true, source_id: None }
    }
}

/// The members of a body that are no field of an event, gathered as an object of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    object: Vec<u8>,
    count: usize,
}

impl Extra {
    /// Adds a member as it stands in the body.
    ///
    /// # Panics
    /// Where the member was not read from this body.
    pub fn push(&mut self, body: &[u8], name: Value, value: Value) {
        let member = body.get(name.start..value.end).expect("a member is read from the body it is looked up in");
        self.begin_member();
        self.object.extend_from_slice(member);
    }

    /// Returns how many members there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Adds a member that stood in no JSON.
    pub fn push_text(&mut self, name: &str, text: &str) {
        self.begin_member();
        self.object.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
        self.object.push(b':');
        self.object.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }

    fn begin_member(&mut self) {
        self.object.push(if self.count == 0 { b'{' } else { b',' });
        self.count += 1;
    }

    /// Returns the attributes of an event: its trace context and these members.
    ///
    /// # Panics
    /// Never: the members are text that was checked.
    #[must_use]
    pub fn attributes(mut self, traceparent: Option<&ByteString>) -> Vec<(ByteString, ByteString)> {
        let mut attributes = Vec::new();
        if let Some(traceparent) = traceparent {
            attributes.push((ByteString::from_static("traceparent"), traceparent.clone()));
        }
        if self.count > 0 {
            self.object.push(b'}');
            let object = ByteString::try_from(self.object).expect("the members were checked");
            attributes.push((ByteString::from_static("extra"), object));
        }
        attributes
    }
}
