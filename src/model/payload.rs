//! The payload of an event: what filters see of it and leave of it, and where in it its parts are.
//!
//! Not the event: id, type and times are beside it and no filter changes them. It is read once, and whoever needs a
//! part is told where it stands. Invariant: a `Payload` is a JSON object of `data` and perhaps `actor`, both objects,
//! within the limits that every event keeps.

use std::sync::LazyLock;

use bytestring::ByteString;

use super::json::{self, Cursor, Kind, Pointers, Value};
use super::{Event, KeyField, says};

/// A payload that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    text: ByteString,
    found: [Option<Value>; SLOTS],
}

/// Why a text is no payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPayload {
    /// It is not JSON, or breaks a limit that every event keeps.
    #[error("is no JSON that hooklog takes: {0}")]
    Json(json::Error),
    /// It is not `{"actor": {…}, "data": {…}}`.
    #[error("must be an object of `data` and perhaps `actor`, both objects: {0}")]
    Form(&'static str),
}

impl Payload {
    /// Writes what filters see of an event.
    #[must_use]
    pub fn write(event: &Event) -> ByteString {
        let parts = match &event.actor {
            Some(actor) => ["{\"actor\":", actor, ",\"data\":", &event.data, "}"],
            None => ["{\"data\":", &event.data, "}", "", ""],
        };
        parts.concat().into()
    }

    /// Reads a payload: all of it is checked.
    ///
    /// # Errors
    /// Where it is none.
    pub fn read(text: ByteString) -> Result<Self, InvalidPayload> {
        let mut found = [None; SLOTS];
        let mut has_another = false;
        let mut cursor = Cursor::new(text.as_bytes());
        let whole = cursor.find(&PLACES.pointers, &mut found, |_, _, is_named| has_another |= !is_named);
        let whole = whole.and_then(|whole| cursor.finish().map(|()| whole))?;
        let kind = |slot: usize| found.get(slot).copied().flatten().map(|value: Value| value.kind);
        let fault = match (whole.kind, kind(PLACES.actor), kind(PLACES.data)) {
            (Kind::Object, None | Some(Kind::Object), Some(Kind::Object)) if !has_another => {
                return Ok(Self { text, found });
            }
            (Kind::Object, ..) if has_another => "there is another member",
            (Kind::Object, _, None) => "`data` is missing",
            (Kind::Object, _, Some(Kind::Object)) => "`actor` is no object",
            (Kind::Object, ..) => "`data` is no object",
            (Kind::Array, ..) => "it is an array",
            _ => "it is a single value",
        };
        Err(InvalidPayload::Form(fault))
    }

    /// Returns the text.
    #[must_use]
    pub const fn text(&self) -> &ByteString {
        &self.text
    }

    /// Returns who did it; the bytes are shared.
    #[must_use]
    pub fn actor(&self) -> Option<ByteString> {
        self.part(PLACES.actor)
    }

    /// Returns the data; the bytes are shared.
    #[must_use]
    pub fn data(&self) -> ByteString {
        self.part(PLACES.data).expect("a payload has data")
    }

    /// Returns whether a field that a key comes from says this.
    #[must_use]
    pub fn tells(&self, key: &str) -> bool {
        let mut fields = PLACES.keys.iter().filter_map(|slot| self.found.get(*slot).copied().flatten());
        fields.any(|value| says(value, self.text.as_bytes(), key))
    }

    fn part(&self, slot: usize) -> Option<ByteString> {
        let value = self.found.get(slot).copied().flatten()?;
        Some(ByteString::try_from(value.bytes(self.text.as_bytes())).expect("a value of a text is a text"))
    }
}

impl From<Box<json::Error>> for InvalidPayload {
    fn from(problem: Box<json::Error>) -> Self {
        Self::Json(*problem)
    }
}

/// Where the parts are, and the fields that a key comes from.
struct Places {
    pointers: Pointers,
    actor: usize,
    data: usize,
    keys: [usize; KeyField::ALL.len()],
}

const SLOTS: usize = 2 + KeyField::ALL.len();

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let mut pointers = Pointers::new();
    let mut add = |pointer: &str| pointers.add(pointer).expect("these are JSON pointers");
    let (actor, data) = (add("/actor"), add("/data"));
    let keys = KeyField::ALL.map(|field| add(&format!("/data{}", field.pointer())));
    Places { pointers, actor, data, keys }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_an_object_of_data_and_perhaps_an_actor() {
        let check = |text: &str, expected: Result<(Option<&str>, &str), &str>| {
            let read = Payload::read(text.into());
            let parts = read.as_ref().map(|read| (read.actor(), read.data())).map_err(ToString::to_string);
            match expected {
                Ok((actor, data)) => assert_eq!(parts, Ok((actor.map(Into::into), data.into())), "{text}"),
                Err(words) => assert!(parts.as_ref().is_err_and(|said| said.contains(words)), "{text}: {parts:?}"),
            }
        };
        check(r#"{"data":{}}"#, Ok((None, "{}")));
        check(
            r#" {"data": {"n": 1.50} ,"actor":{"kind":"USER"}} "#,
            Ok((Some(r#"{"kind":"USER"}"#), r#"{"n": 1.50}"#)),
        );
        check(r#"{"d\u0061ta":{}}"#, Ok((None, "{}")));
        check("{}", Err("`data` is missing"));
        check(r#"{"actor":{}}"#, Err("`data` is missing"));
        check(r#"{"data":[]}"#, Err("`data` is no object"));
        check(r#"{"data":{},"actor":"me"}"#, Err("`actor` is no object"));
        check(r#"{"data":{},"key":{}}"#, Err("another member"));
        check("[]", Err("an array"));
        check("7", Err("a single value"));
        check("", Err("no JSON"));
        check(r#"{"data":{}}}"#, Err("no JSON"));
        check(r#"{"data":{},"data":{}}"#, Err("no JSON"));
    }
}
