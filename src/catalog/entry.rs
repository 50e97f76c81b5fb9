//! The entries of a catalogue: fields and types, as plain data.

use serde::{Deserialize, Serialize};

/// A name and an explanation in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What it is called.
    pub name: String,
    /// One sentence about it.
    pub text: String,
}

/// How much is known of a type or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CatalogStatus")]
pub enum Status {
    /// INO's own page on webhooks names it.
    Attested,
    /// INO documents it; that a webhook carries it is inferred.
    Documented,
    /// Nothing read of INO says so.
    Proposed,
}

/// Whose data a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nobody's.
    None,
    /// A worker's, by a pseudonymous id.
    WorkerId,
    /// A worker's identity or conduct.
    Worker,
    /// A customer's, by a pseudonymous id.
    CustomerId,
    /// A customer's identity.
    Customer,
    /// What somebody said or wrote: it may hold anything.
    Content,
    /// A link that gives access to content.
    Link,
}

impl Class {
    /// Returns whether fields of this class are recommended.
    #[must_use]
    pub const fn is_recommended(self) -> bool {
        match self {
            Self::None | Self::WorkerId | Self::CustomerId => true,
            Self::Worker | Self::Customer | Self::Content | Self::Link => false,
        }
    }
}

/// What values a field has.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Text.
    String,
    /// A whole number within these bounds, both included.
    Integer {
        /// The least, where there is one.
        least: Option<i64>,
        /// The greatest, where there is one.
        greatest: Option<i64>,
    },
    /// A number within these bounds, both included.
    Number {
        /// The least, where there is one.
        least: Option<i64>,
        /// The greatest, where there is one.
        greatest: Option<i64>,
    },
    /// True or false.
    Boolean,
    /// An RFC 3339 instant.
    Instant,
    /// One of these.
    Enum(Vec<String>),
    /// A list of texts.
    Strings,
    /// An object whose members are not in the catalogue.
    Object,
    /// A list of such objects.
    Objects,
}

/// A field of events.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What values it has.
    pub kind: Kind,
    /// The unit of a number, such as `ms`.
    pub unit: Option<String>,
    /// Whose data it is.
    pub class: Class,
    /// How much is known of it.
    pub status: Status,
    /// A value, as JSON.
    pub example: serde_json::Value,
    /// Whether it joins events: it may be pseudonymised, not removed.
    pub is_join: bool,
    /// Another field that may hold the same value; both get the stricter treatment.
    pub twin: Option<String>,
    /// In English.
    pub en: Text,
    /// In French.
    pub fr: Text,
}

/// What a type is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Logging in and out.
    Sessions,
    /// Activity, status, flows, profile.
    Availability,
    /// Telephone calls.
    Calls,
    /// SMS and messengers.
    Messaging,
    /// E-mail.
    Email,
    /// Work after the contact.
    PostInteraction,
    /// Recordings, evaluations, surveys.
    Quality,
    /// Outbound campaigns.
    Campaigns,
    /// Supervision and queues.
    Supervision,
    /// CRM cards and cases.
    CardsCases,
    /// Users and configuration.
    Administration,
    /// hooklog's own: they go to an account whatever its rights.
    System,
}

/// A type of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeEntry {
    /// What it is about.
    pub category: Category,
    /// How much is known of it.
    pub status: Status,
    /// The paths of the fields that it may have, in their order.
    pub fields: Vec<String>,
    /// In English.
    pub en: Text,
    /// In French.
    pub fr: Text,
}
