//! Query parameters, each read in one way and described in the document by the same type.
//!
//! Not what a route's own filters mean. Nothing that is in a query is ignored: [`crate::web::Query`] sees to it.

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::failure::invalid_parameter;
use crate::model::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::model::{Offset, Timestamp};
use crate::web::{Problem, Query};

/// A plain struct whose members are query parameters.
pub(super) trait Parameters: DeserializeOwned + JsonSchema + Send + 'static {}

/// All query parameters of a route: the members of one or more structs.
pub(super) trait FromQuery: Send + Sized + 'static {
    /// Takes the parameters out of a query.
    fn read(query: &mut Query) -> Result<Self, Problem>;

    /// Describes them in the document.
    fn describe(generator: &mut SchemaGenerator) -> Vec<Value>;
}

impl FromQuery for () {
    fn read(_: &mut Query) -> Result<Self, Problem> {
        Ok(())
    }

    fn describe(_: &mut SchemaGenerator) -> Vec<Value> {
        Vec::new()
    }
}

macro_rules! from_query {
    ($($one:ident),+) => {
        impl<$($one: Parameters),+> FromQuery for ($($one,)+) {
            fn read(query: &mut Query) -> Result<Self, Problem> {
                Ok(($(query.take::<$one>()?,)+))
            }

            fn describe(generator: &mut SchemaGenerator) -> Vec<Value> {
                [$(described::<$one>(generator)),+].concat()
            }
        }
    };
}

from_query!(A);
from_query!(A, B);
from_query!(A, B, C);
from_query!(A, B, C, D);

/// How much of a list, and where to go on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    /// How many items at most, 1 to 1000; 100 where nothing is said.
    limit: Option<Limit>,
    /// The `next` of the page before.
    pub(super) after: Option<String>,
}

impl Parameters for Page {}

impl Page {
    /// Returns how many items are wanted.
    pub(super) fn limit(&self) -> usize {
        self.limit.as_ref().map_or(PAGE_ITEMS_DEFAULT, |limit| limit.0)
    }

    /// Reads the cursor.
    pub(super) fn read_after<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let wrong = || invalid_parameter("after", "is no cursor of this list: give the `next` of the page before");
        self.after.as_deref().map(|after| read(after).ok_or_else(wrong)).transpose()
    }
}

/// How many items a page may have.
#[derive(Debug, Clone, Copy)]
struct Limit(usize);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = usize::from(u16::deserialize(deserializer)?);
        if (1..=PAGE_ITEMS_MAX).contains(&limit) {
            return Ok(Self(limit));
        }
        Err(serde::de::Error::custom(format_args!("must be a whole number from 1 to {PAGE_ITEMS_MAX}")))
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer", "minimum": 1, "maximum": PAGE_ITEMS_MAX, "default": PAGE_ITEMS_DEFAULT
        })
    }
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// The newest.
    #[default]
    Newest,
    /// The oldest.
    Oldest,
}

impl Direction {
    /// Returns the same in the log's words.
    pub(super) const fn of_log(self) -> crate::log::Direction {
        match self {
            Self::Newest => crate::log::Direction::Down,
            Self::Oldest => crate::log::Direction::Up,
        }
    }
}

/// From which end a list is read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    /// Which end comes first: `newest` where nothing is said.
    direction: Option<Direction>,
}

impl Parameters for Order {}

impl Order {
    pub(super) fn direction(&self) -> Direction {
        self.direction.unwrap_or_default()
    }
}

/// A stretch of an account's log, by offset or by the time of taking in. From is included, to is not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Range {
    /// The first offset.
    from_offset: Option<Offset>,
    /// The offset behind the last.
    to_offset: Option<Offset>,
    /// From this `recordedAt` on.
    from_time: Option<Timestamp>,
    /// Up to this `recordedAt`, not included.
    to_time: Option<Timestamp>,
}

impl Parameters for Range {}

/// A place in an account's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RangeEnd")]
pub(super) enum Point {
    /// An offset.
    Offset(Offset),
    /// A `recordedAt`.
    Time(Timestamp),
}

impl Range {
    /// Returns where it begins, if that was said.
    pub(super) fn from(&self) -> Result<Option<Point>, Problem> {
        point("from", self.from_offset, self.from_time)
    }

    /// Returns where it ends, if that was said.
    pub(super) fn to(&self) -> Result<Option<Point>, Problem> {
        point("to", self.to_offset, self.to_time)
    }

    /// Returns whether nothing was said.
    pub(super) const fn is_open(&self) -> bool {
        self.from_offset.is_none() && self.to_offset.is_none() && self.from_time.is_none() && self.to_time.is_none()
    }
}

fn point(end: &str, offset: Option<Offset>, time: Option<Timestamp>) -> Result<Option<Point>, Problem> {
    match (offset, time) {
        (Some(_), Some(_)) => {
            let detail = format!("say where the range ends or begins once: {end}Offset or {end}Time");
            Err(invalid_parameter(&format!("{end}Time"), &detail))
        }
        (Some(Offset(0)), None) => Err(invalid_parameter(&format!("{end}Offset"), "offsets begin with 1")),
        (Some(offset), None) => Ok(Some(Point::Offset(offset))),
        (None, Some(time)) => Ok(Some(Point::Time(time))),
        (None, None) => Ok(None),
    }
}

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(super) struct List<T> {
    /// The items, in the order of the list.
    pub(super) items: Vec<T>,
    /// What to give as `after` to go on; null at the end.
    pub(super) next: Option<String>,
}

impl<T> List<T> {
    /// Makes a page of items of which one more than `limit` was read, so that it is known whether there are more.
    pub(super) fn cut(mut items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(cursor);
        Self { items, next }
    }
}

/// Describes the members of a struct as parameters.
fn described<T: JsonSchema>(generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = T::json_schema(generator).to_value();
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    members
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            // A parameter that may be left out is absent, never null.
            without_null(&mut schema);
            json!({
                "name": name,
                "in": "query",
                "description": description,
                "required": required.iter().any(|required| required == name.as_str()),
                "schema": schema,
            })
        })
        .collect()
}

fn without_null(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.retain(|one| one.get("type").is_none_or(|one| one != "null"));
        if let [one] = choices.as_slice() {
            let one = one.clone();
            *schema = one;
        }
    }
}
