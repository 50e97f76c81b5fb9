//! Names: what people give to things, and what senders give to events.
//!
//! A name is checked once, where it comes in; compared exactly, byte by byte; never trimmed or folded.

use std::fmt;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::limits::{EVENT_NAME_BYTES_MAX, NAME_BYTES_MAX};

/// A name of the wrong form, and what the right form is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {form}")]
pub struct InvalidName {
    /// What was named.
    pub what: &'static str,
    /// The form that is asked for.
    pub form: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $form:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ByteString);

        impl $name {
            /// Checks the form of a name.
            ///
            /// # Errors
            #[doc = concat!("Where it is not ", $form, ".")]
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                Self::try_from(ByteString::from(text))
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<ByteString> for $name {
            type Error = InvalidName;

            /// Checks the form and keeps the bytes where they are.
            fn try_from(text: ByteString) -> Result<Self, InvalidName> {
                if $check(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidName { what: $what, form: $form })
                }
            }
        }

        impl From<$name> for ByteString {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{:?}", &*self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": concat!($what, ": ", $form) })
            }
        }
    };
}

name!(
    /// An account's name: INO's own id of the client account.
    AccountName,
    "an account's name",
    "1 to 128 of the characters A-Z a-z 0-9 _ . @ + -, beginning with a letter or digit",
    is_person_given
);
name!(
    /// An endpoint's name, unique in its account. `test` is none: that word is a route.
    EndpointName,
    "an endpoint's name",
    "1 to 128 of the characters A-Z a-z 0-9 _ . @ + -, beginning with a letter or digit, and not \"test\"",
    is_endpoint_name
);
name!(
    /// An event's id, unique in its account.
    EventId,
    "an event's id",
    "1 to 128 of the characters A-Z a-z 0-9 _ : ~ -",
    is_event_id
);
name!(
    /// An event's type, such as `call.declined`.
    EventType,
    "an event's type",
    "1 to 128 of the characters A-Z a-z 0-9 _ . : -",
    is_event_type
);

fn is_person_given(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= NAME_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.@+-".contains(byte))
}

fn is_endpoint_name(text: &str) -> bool {
    is_person_given(text) && text != "test"
}

fn is_event_id(text: &str) -> bool {
    is_event_name(text, b"_:~-")
}

fn is_event_type(text: &str) -> bool {
    is_event_name(text, b"_.:-")
}

fn is_event_name(text: &str, also: &[u8]) -> bool {
    (1..=EVENT_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{AccountName, EndpointName, EventId, EventType};

    #[test]
    fn names_are_what_the_contract_says() {
        for good in ["acme", "9", "a.b_c@d+e-f", &"x".repeat(128)] {
            assert!(AccountName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "_operator", ".a", "a b", "é", "a/b", &"x".repeat(129)] {
            assert!(AccountName::parse(bad).is_err(), "{bad}");
        }
        assert!(EndpointName::parse("test").is_err());
        assert!(EndpointName::parse("tests").is_ok());
        assert!(EventId::parse("evt_01:~-").is_ok());
        assert!(EventId::parse("a.b").is_err());
        assert!(EventType::parse("call.declined").is_ok());
        assert!(EventType::parse("call~declined").is_err());
    }
}
