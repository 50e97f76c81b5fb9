//! What rights leave of an event: its actor, its data, and whether its key may be told.
//!
//! Not the decision: that is the component's, which hands back a payload. Actor and data share the bytes of the payload
//! they stand in.

use bytestring::ByteString;

use crate::model::{Event, Payload};

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
    pub(super) fn of(payload: &Payload, event: &Event, is_unknown_told: bool) -> Self {
        let key = match &event.key {
            Some(key) if payload.tells(key) => Some(key.clone()),
            Some(key) if is_unknown_told && *payload.text() == Payload::write(event) => Some(key.clone()),
            Some(_) | None => None,
        };
        Self { actor: payload.actor(), data: payload.data(), key }
    }

    /// Returns an event as it is: one of hooklog's own, which no rights touch.
    pub(super) fn all(event: &Event) -> Self {
        Self { actor: event.actor.clone(), data: event.data.clone(), key: event.key.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: Option<&str>, actor: Option<&str>, data: &str) -> Event {
        Event { key: key.map(Into::into), ..Event::example(actor, data) }
    }

    fn read(text: &str) -> Payload {
        Payload::read(text.into()).unwrap()
    }

    #[test]
    fn a_payload_is_put_together_and_taken_apart() {
        let whole = event(Some("i_1"), Some(r#"{"kind": "USER"}"#), r#"{"interaction":{"id":"i_1"}, "n": 1.50}"#);
        let text = Payload::write(&whole);
        assert_eq!(&*text, r#"{"actor":{"kind": "USER"},"data":{"interaction":{"id":"i_1"}, "n": 1.50}}"#);
        assert_eq!(Left::of(&read(&text), &whole, false), Left::all(&whole));
        let alone = event(None, None, "{}");
        assert_eq!(&*Payload::write(&alone), r#"{"data":{}}"#);
        assert_eq!(Left::of(&read(&Payload::write(&alone)), &alone, true), Left::all(&alone));
    }

    #[test]
    fn a_key_is_told_only_where_a_field_says_the_same() {
        let told = |key: &str, left: &str| {
            let whole = event(Some(key), None, "{}");
            Left::of(&read(&format!(r#"{{"data":{left}}}"#)), &whole, false).key.is_some()
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
            Left::of(&read(&format!(r#"{{"data":{left}}}"#)), &whole, true).key.is_some()
        };
        assert!(told("{}", "{}"));
        assert!(told(r#"{"n":1}"#, r#"{"n":1}"#));
        assert!(!told(r#"{"customer":{"number":"k"}}"#, "{}"), "it may be the value of what is withheld");
        assert!(!told(r#"{"interaction":{"id":"k"}}"#, r#"{"interaction":{"id":"psn_x"}}"#), "its field is withheld");
    }
}
