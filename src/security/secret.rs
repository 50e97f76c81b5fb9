//! A value that must not be seen: a password, a bearer token, a header's value.
//!
//! Not encryption, and not wiped from memory: it keeps a value out of logs, panics and answers, because
//! it has neither `Debug` content nor `Display` nor `Serialize`. Who wants the value says `expose`, which
//! can be searched for.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// Holds a value whose content is never shown.
///
/// Equality is for "was this setting changed": what an outsider presents is compared by
/// [`TokenHash`](super::TokenHash) or as a signature instead, in constant time.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the hidden value.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Returns the hidden value and gives up hiding it.
    #[must_use]
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Secret<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Secret_{}", T::schema_name()).into()
    }

    /// The schema of the value, marked as one that is written and never read.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("writeOnly".to_owned(), true.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_read_but_not_shown() {
        #[derive(Debug, serde::Deserialize)]
        struct Basic {
            password: Secret<String>,
        }
        let basic: Basic = serde_json::from_str(r#"{"password": "open sesame"}"#).unwrap();
        assert_eq!(basic.password.expose(), "open sesame");
        assert_eq!(format!("{basic:?}"), "Basic { password: Secret(…) }");
        assert_eq!(format!("{basic:#?}"), "Basic {\n    password: Secret(…),\n}");
        assert_eq!(basic.password.into_exposed(), "open sesame");
    }

    #[test]
    fn its_schema_says_write_only() {
        let schema = schemars::schema_for!(Secret<String>);
        assert_eq!(schema.get("writeOnly"), Some(&true.into()));
        assert_eq!(schema.get("type"), Some(&"string".into()));
    }
}
