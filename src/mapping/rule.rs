//! A rule: where the value of one field is found in a foreign body.
//!
//! Not the form of the field: `field` checks that, whatever rule found the value.

use super::field::InvalidField;
use super::{Found, Unmapped};
use crate::model::CaptureReason;
use crate::model::json::{InvalidPointer, Kind, Pointers, Value};

/// Where a value is found: JSON pointers, of which the first with a value other than `null` counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule(pub Vec<String>);

impl Rule {
    fn at(pointers: &[&str]) -> Self {
        Self(pointers.iter().map(|pointer| (*pointer).to_owned()).collect())
    }
}

/// One rule for each field of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The account, where the path names none.
    pub account: Rule,
    /// The type.
    pub event_type: Rule,
    /// The id: a string or a whole number.
    pub id: Rule,
    /// When it happened: RFC 3339.
    pub occurred_at: Rule,
    /// The lane's key: a string or a whole number.
    pub key: Rule,
    /// Who did it: an object.
    pub actor: Rule,
    /// What happened: an object.
    pub data: Rule,
}

impl Rules {
    /// Returns the rules that hold where nobody has set others.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            account: Rule::at(&["/accountId"]),
            event_type: Rule::at(&["/type"]),
            id: Rule::at(&["/id"]),
            occurred_at: Rule::at(&["/occurredAt"]),
            key: Rule::at(&["/key"]),
            actor: Rule::at(&["/actor"]),
            data: Rule::at(&["/data", ""]),
        }
    }
}

/// A rule made ready: its pointers, each with the slot of its answer.
#[derive(Debug, Clone)]
pub(super) struct Places(Vec<(String, usize)>);

impl Places {
    pub(super) fn new(rule: &Rule, pointers: &mut Pointers) -> Result<Self, InvalidPointer> {
        rule.0.iter().map(|pointer| Ok((pointer.clone(), pointers.add(pointer)?))).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(_, slot)| *slot)
    }

    /// Returns the first value that is there, and which of the places it is at.
    pub(super) fn first(&self, found: &Found) -> Option<(usize, Value)> {
        self.slots().enumerate().find_map(|(place, slot)| {
            let value = found.value(slot)?;
            (value.kind != Kind::Null).then_some((place, value))
        })
    }

    /// Reads the first value that is there.
    pub(super) fn read<T>(
        &self,
        found: &Found,
        read: impl FnOnce(Value) -> Result<T, InvalidField>,
    ) -> Result<Option<T>, Unmapped> {
        self.first(found).map(|(place, value)| read(value).map_err(|problem| self.invalid(place, &problem))).transpose()
    }

    pub(super) fn missing(&self, reason: CaptureReason) -> Unmapped {
        let places: Vec<&str> = self.0.iter().map(|(pointer, _)| pointer.as_str()).collect();
        Unmapped { reason, detail: format!("nothing at {}", places.join(", ")) }
    }

    pub(super) fn invalid(&self, place: usize, problem: &InvalidField) -> Unmapped {
        let pointer = self.0.get(place).map_or("", |(pointer, _)| pointer.as_str());
        let detail = if pointer.is_empty() { problem.to_string() } else { format!("{pointer}: {problem}") };
        Unmapped { reason: CaptureReason::InvalidField, detail }
    }
}
