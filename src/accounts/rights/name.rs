//! Names in rights: of types, with patterns, and of fields, also of one type.
//!
//! Not whether anything has such a name: the catalogue knows that. A name is kept as it was written.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::EventType;

/// Why a name cannot stand in rights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not the name of a type.
    #[error("{0:?} is no type: a type is a name such as call.ended, or a pattern: call.* or *")]
    Type(String),
    /// Not the path of a field.
    #[error(
        "{0:?} is no field: a field is a path such as customer.number, which may follow a type and a slash, as in \
         call.ended/customer.number; or * for all"
    )]
    Field(String),
    /// A path that ends in a star.
    #[error("{0:?}: an object's name means all in it, so write {1:?}")]
    Star(String, String),
}

/// The name of a type, or a pattern of names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TypeName(String);

impl TypeName {
    /// Reads `*`, `call.*` or `call.ended`.
    ///
    /// # Errors
    /// Where it is none of them.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let wrong = || InvalidName::Type(text.to_owned());
        let checked = match text.strip_suffix('*') {
            Some("") => return Ok(Self(text.to_owned())),
            Some(prefix) => prefix.strip_suffix('.').ok_or_else(wrong)?,
            None => text,
        };
        EventType::parse(checked).map_err(|_| wrong())?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it means one type.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.ends_with('*')
    }

    /// Returns whether it means every type.
    #[must_use]
    pub fn is_star(&self) -> bool {
        self.0 == "*"
    }

    /// Returns whether it means this type, known or not.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => event_type.starts_with(prefix),
            None => self.0 == event_type,
        }
    }

    /// Returns how much it says: of two names that match one type, the greater one holds.
    pub(in crate::accounts) fn weight(&self) -> (bool, usize) {
        (self.is_exact(), self.0.len())
    }
}

/// The types that somebody asks for; all of them where none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypeSelection(pub BTreeSet<TypeName>);

impl TypeSelection {
    /// Returns whether all types are asked for.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a type is asked for.
    #[must_use]
    pub fn contains(&self, event_type: &EventType) -> bool {
        self.is_all() || self.0.iter().any(|name| name.matches(event_type.as_str()))
    }
}

/// The name of a field: a path, and the type it is meant for, if it is one type's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldName {
    of_type: Option<TypeName>,
    path: String,
}

impl FieldName {
    /// Reads `customer.number`, `call.ended/customer.number`, `call.*/customer` or `*`.
    ///
    /// # Errors
    /// Where it is none of them.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let (of_type, path) = match text.split_once('/') {
            Some((name, path)) => (Some(TypeName::parse(name)?), path),
            None => (None, text),
        };
        if let Some(object) = path.strip_suffix(".*") {
            let whole = text.strip_suffix(".*").unwrap_or(object);
            return Err(InvalidName::Star(text.to_owned(), whole.to_owned()));
        }
        let is_plain =
            |name: &str| !name.is_empty() && !name.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        let is_path = path.len() <= PATH_BYTES_MAX && !path.contains('/') && path.split('.').all(is_plain);
        if path != "*" && (!is_path || path.contains('*')) {
            return Err(InvalidName::Field(text.to_owned()));
        }
        Ok(Self { of_type, path: path.to_owned() })
    }

    /// Returns the type it is meant for; none where it is meant for all.
    #[must_use]
    pub const fn of_type(&self) -> Option<&TypeName> {
        self.of_type.as_ref()
    }

    /// Returns the path, or `*`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns whether it means every field.
    #[must_use]
    pub fn is_star(&self) -> bool {
        self.path == "*"
    }

    /// Returns whether it means the field at a path, itself or an object around it.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        self.is_star()
            || path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Returns how much it says: of two names that mean one field of one type, the greater one holds.
    pub(super) fn weight(&self) -> (usize, (bool, usize)) {
        let depth = if self.is_star() { 0 } else { self.path.len() };
        (depth, self.of_type.as_ref().map_or((false, 0), TypeName::weight))
    }
}

impl std::fmt::Display for FieldName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.of_type {
            Some(name) => write!(formatter, "{}/{}", name.as_str(), self.path),
            None => formatter.write_str(&self.path),
        }
    }
}

impl TryFrom<String> for TypeName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<TypeName> for String {
    fn from(name: TypeName) -> Self {
        name.0
    }
}

impl TryFrom<String> for FieldName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<FieldName> for String {
    fn from(name: FieldName) -> Self {
        name.to_string()
    }
}

const PATH_BYTES_MAX: usize = 256;
