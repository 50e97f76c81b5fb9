//! What rights leave of an event: its actor, its data, and whether its key may be told.
//!
//! Not the decision: that is the component's. The payload that a filter sees is put together here, and what comes back
//! is taken apart. Actor and data share the bytes of the payload they stand in.

use std::sync::LazyLock;

use bytes::Bytes;
use bytestring::ByteString;

use crate::model::json::{Cursor, Pointers, Value};
use crate::model::{self, Event, KeyField};

/// What is left of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Who did it: a JSON object; none where nothing of it is left.
    pub actor: Option<ByteString>,
    /// A JSON object.
    pub data: ByteString,
    /// The key, where rights leave a field that says the same.
    pub key: Option<ByteString>,
}

impl Left {
    /// Takes the payload apart that rights have left of an event.
    ///
    /// A key is told where a field that is left says the same. One that INO gave and that is in neither of these fields
    /// is told where what the catalogue does not know is told, and only if nothing of the event is withheld: it may be
    /// the value of any field.
    ///
    /// # Errors
    /// Where it is no payload; the host has checked that it is.
    pub(super) fn of(payload: &ByteString, event: &Event, is_unknown_told: bool) -> Result<Self, NoPayload> {
        let bytes: &Bytes = payload.as_bytes();
        let found = find(payload)?;
        let at = |slot: usize| found.get(slot).copied().flatten();
        let text = |value: Value| ByteString::try_from(value.bytes(bytes)).map_err(|_| NoPayload);
        let key = match &event.key {
            Some(key) if says(payload, &found, key) => Some(key.clone()),
            Some(key) if is_unknown_told && *payload == self::payload(event) => Some(key.clone()),
            Some(_) | None => None,
        };
        let data = text(at(PLACES.data).ok_or(NoPayload)?)?;
        Ok(Self { actor: at(PLACES.actor).map(text).transpose()?, data, key })
    }

    /// Returns an event as it is: one of hooklog's own, which no rights touch.
    pub(super) fn all(event: &Event) -> Self {
        Self { actor: event.actor.clone(), data: event.data.clone(), key: event.key.clone() }
    }
}

/// Finds the parts of a payload.
fn find(payload: &ByteString) -> Result<[Option<Value>; SLOTS], NoPayload> {
    let mut found = [None; SLOTS];
    let mut cursor = Cursor::new(payload.as_bytes());
    cursor.find(&PLACES.pointers, &mut found, |_, _, _| ()).map_err(|_| NoPayload)?;
    Ok(found)
}

/// Returns whether a field that a key comes from says this.
fn says(payload: &ByteString, found: &[Option<Value>; SLOTS], key: &str) -> bool {
    let mut fields = PLACES.keys.iter().filter_map(|slot| found.get(*slot).copied().flatten());
    fields.any(|value| model::says(value, payload.as_bytes(), key))
}

/// A text that is no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoPayload;

/// Writes what filters see of an event.
pub(super) fn payload(event: &Event) -> ByteString {
    let parts = match &event.actor {
        Some(actor) => ["{\"actor\":", actor, ",\"data\":", &event.data, "}"],
        None => ["{\"data\":", &event.data, "}", "", ""],
    };
    parts.concat().into()
}

/// Where in a payload its parts are, and the fields that a key comes from.
struct Places {
    pointers: Pointers,
    actor: usize,
    data: usize,
    keys: [usize; KeyField::ALL.len()],
}

const SLOTS: usize = 4;
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

    fn event(key: Option<&str>, actor: Option<&str>, data: &str) -> Event {
        Event { key: key.map(Into::into), ..Event::example(actor, data) }
    }

    #[test]
    fn a_payload_is_put_together_and_taken_apart() {
        let whole = event(Some("i_1"), Some(r#"{"kind": "USER"}"#), r#"{"interaction":{"id":"i_1"}, "n": 1.50}"#);
        let text = payload(&whole);
        assert_eq!(&*text, r#"{"actor":{"kind": "USER"},"data":{"interaction":{"id":"i_1"}, "n": 1.50}}"#);
        assert_eq!(Left::of(&text, &whole, false), Ok(Left::all(&whole)));
        let alone = event(None, None, "{}");
        assert_eq!(&*payload(&alone), r#"{"data":{}}"#);
        assert_eq!(Left::of(&payload(&alone), &alone, true), Ok(Left::all(&alone)));
        assert_eq!(Left::of(&r#"{"actor":{}}"#.into(), &alone, true), Err(NoPayload));
    }

    #[test]
    fn a_key_is_told_only_where_a_field_says_the_same() {
        let told = |key: &str, left: &str| {
            let whole = event(Some(key), None, "{}");
            Left::of(&format!(r#"{{"data":{left}}}"#).into(), &whole, false).unwrap().key.is_some()
        };
        assert!(told("i_1", r#"{"interaction":{"id":"i_1"}}"#));
        assert!(told("7", r#"{"interaction":{"id":7}}"#));
        assert!(told("u_1", r#"{"interaction":{"id":"i_1"},"agent":{"id":"u_1"}}"#));
        assert!(told("i_1", r#"{"interaction":{"id":"i\u005f1"}}"#));
        assert!(!told("i_1", r#"{"interaction":{"id":"psn_x"}}"#), "the key would tell what the pseudonym hides");
        assert!(!told("+336", r#"{"interaction":{"id":"i_1"}}"#), "a key of INO's own is in no field");
        assert!(!told("i_1", "{}"));
    }

    #[test]
    fn a_key_in_no_field_is_told_where_the_unknown_is_and_nothing_is_withheld() {
        let told = |data: &str, left: &str| {
            let whole = event(Some("k"), None, data);
            Left::of(&format!(r#"{{"data":{left}}}"#).into(), &whole, true).unwrap().key.is_some()
        };
        assert!(told("{}", "{}"));
        assert!(told(r#"{"n":1}"#, r#"{"n":1}"#));
        assert!(!told(r#"{"customer":{"number":"k"}}"#, "{}"), "it may be the value of what is withheld");
        assert!(!told(r#"{"interaction":{"id":"k"}}"#, r#"{"interaction":{"id":"psn_x"}}"#), "its field is withheld");
    }
}
