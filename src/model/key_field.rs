//! The fields of an event's data that its key comes from where the sender names none, and that may tell it.
//!
//! Not whether a key is told: rights decide about the fields, and whoever is shown one of them that says the same as
//! the key is shown the key.

use std::sync::LazyLock;

use super::json::{Cursor, Kind, Pointers, Value};

/// A field that a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyField {
    /// The id of the interaction.
    Interaction,
    /// The id of the agent.
    Agent,
}

impl KeyField {
    /// All, the first one first.
    pub const ALL: [Self; 2] = [Self::Interaction, Self::Agent];

    /// Returns where in `data` it is: a JSON pointer.
    #[must_use]
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Interaction => "/interaction/id",
            Self::Agent => "/agent/id",
        }
    }

    /// Returns the path by which rights name it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Interaction => "interaction.id",
            Self::Agent => "agent.id",
        }
    }

    /// Returns the fields of an event's data that say the same as its key.
    pub fn telling(key: &str, data: &[u8]) -> impl Iterator<Item = Self> {
        let mut found = [None; Self::ALL.len()];
        // What is no sound JSON tells nothing; ingest has refused it.
        let is_sound = Cursor::new(data).find(&PLACES, &mut found, |_, _, _| ()).is_ok();
        let says = found.map(|value| is_sound && value.is_some_and(|value| says(value, data, key)));
        Self::ALL.into_iter().zip(says).filter_map(|(field, says)| says.then_some(field))
    }
}

/// Returns whether a value says the same as a key: an object or an array never does.
#[must_use]
pub fn says(value: Value, text: &[u8], key: &str) -> bool {
    !matches!(value.kind, Kind::Object | Kind::Array) && value.text(text) == key
}

static PLACES: LazyLock<Pointers> = LazyLock::new(|| {
    let mut pointers = Pointers::new();
    for (slot, field) in KeyField::ALL.into_iter().enumerate() {
        assert_eq!(pointers.add(field.pointer()), Ok(slot), "these are JSON pointers");
    }
    pointers
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_say_the_same_as_the_key_tell_it() {
        use KeyField::{Agent, Interaction};
        let check = |key: &str, data: &str, expected: &[KeyField]| {
            let telling: Vec<_> = KeyField::telling(key, data.as_bytes()).collect();
            assert_eq!(telling, expected, "{key} in {data}");
        };
        check("i_1", r#"{"interaction":{"id":"i_1"},"agent":{"id":"u_1"}}"#, &[Interaction]);
        check("u_1", r#"{"interaction":{"id":"i_1"},"agent":{"id":"u_1"}}"#, &[Agent]);
        check("7", r#"{"agent":{"id":7},"interaction":{"id":"7"}}"#, &[Interaction, Agent]);
        check("i_1", r#"{"interaction":{"id":"i\u005f1"}}"#, &[Interaction]);
        check("+336", r#"{"interaction":{"id":"i_1"}}"#, &[]);
        check(r#"{"a":1}"#, r#"{"interaction":{"id":{"a":1}}}"#, &[]);
        check("i_1", "{}", &[]);
        check("i_1", "{", &[]);
    }
}
