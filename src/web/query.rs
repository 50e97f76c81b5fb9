//! Typed query parameters, none of them ignored.
//!
//! Not for paths. Types take what they know, one after the other (a page, a range, a route's own filters), and at
//! the end nothing may be left: a mistyped filter that is ignored would answer more than was asked for.

use std::fmt;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::codes::Code;
use super::problem::{FieldError, Problem};

/// The parameters of a request that nobody has taken yet.
#[derive(Debug)]
pub struct Query {
    left: Vec<(String, String)>,
    known: Vec<&'static str>,
}

/// All parameters of a request as a `T`, where one type knows them all.
#[derive(Debug, Clone)]
pub struct Parameters<T>(pub T);

impl Query {
    /// Reads the parameters of a query, which may be absent.
    ///
    /// # Errors
    /// `invalid_parameter` where one is given twice.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut left: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            // Each is compared with all before it, and nobody needs so many.
            if left.len() == PARAMETERS_MAX {
                return Err(Problem::new(Code::InvalidParameter)
                    .detail(format!("a query has at most {PARAMETERS_MAX} parameters")));
            }
            if left.iter().any(|(known, _)| *known == *name) {
                return Err(invalid(&name, "is there more than once"));
            }
            left.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self { left, known: Vec::new() })
    }

    /// Takes the parameters that `T`, a plain struct, has as its members.
    ///
    /// # Errors
    /// `invalid_parameter` where a value is of the wrong form or a parameter is missing.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        T::deserialize(Members(self)).map_err(|wrong| match wrong.name {
            Some(name) => invalid(&name, &wrong.message),
            None => Problem::new(Code::InvalidParameter).detail(wrong.message),
        })
    }

    /// Ends the reading: nothing may be left.
    ///
    /// # Errors
    /// `unknown_parameter` naming what is left and what is known.
    pub fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.left.first() else {
            return Ok(());
        };
        let known = if self.known.is_empty() {
            "this route takes none".to_owned()
        } else {
            format!("known are {}", self.known.join(", "))
        };
        Err(Problem::new(Code::UnknownParameter)
            .detail(format!("{name}: is not known here; {known}"))
            .errors(self.left.iter().map(|(name, _)| FieldError::new(format!("?{name}"), "is not known")))
            .with("known", self.known))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query())
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut query = Query::parse(parts.uri.query())?;
        let parameters = query.take()?;
        query.finish()?;
        Ok(Self(parameters))
    }
}

fn invalid(name: &str, reason: &str) -> Problem {
    Problem::new(Code::InvalidParameter)
        .detail(format!("{name}: {reason}"))
        .error(FieldError::new(format!("?{name}"), reason))
}

/// What is wrong with a parameter.
#[derive(Debug)]
struct Wrong {
    name: Option<String>,
    message: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { name: None, message: message.to_string() }
    }

    fn missing_field(name: &'static str) -> Self {
        Self { name: Some(name.to_owned()), message: "is required".to_owned() }
    }
}

/// The parameters as members of a struct: takes those that the struct names.
struct Members<'query>(&'query mut Query);

impl<'de> Deserializer<'de> for Members<'_> {
    type Error = Wrong;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.0.known.extend_from_slice(fields);
        let taken: Vec<_> = self.0.left.extract_if(.., |(name, _)| fields.contains(&name.as_str())).collect();
        visitor.visit_map(Taken { left: taken.into_iter(), value: None })
    }

    /// Anything but a plain struct (a map, a flattened struct) would not say which parameters it knows.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Wrong> {
        Err(Wrong::custom("parameters are read into plain structs only"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The parameters of one type, one after the other. Whatever a value is refused for, its name is known here.
struct Taken {
    left: std::vec::IntoIter<(String, String)>,
    value: Option<(String, String)>,
}

impl<'de> MapAccess<'de> for Taken {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        self.value = self.left.next();
        let name = self.value.as_ref().map(|(name, _)| seed.deserialize(Parameter(name.clone())));
        name.transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (name, text) = self.value.take().ok_or_else(|| Wrong::custom("a value was asked for twice"))?;
        seed.deserialize(Parameter(text)).map_err(|wrong| Wrong { name: Some(name), ..wrong })
    }
}

/// One parameter's value: a text until the type that takes it asks for something else.
struct Parameter(String);

impl Parameter {
    fn parsed<T: std::str::FromStr>(self, expected: &str) -> Result<T, Wrong> {
        self.0.parse().map_err(|_| Wrong::custom(format_args!("must be {expected}")))
    }
}

macro_rules! whole_numbers {
    ($($deserialize:ident $visit:ident $number:ty),+) => {
        $(
            fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
                let expected = format!("a whole number from {} to {}", <$number>::MIN, <$number>::MAX);
                visitor.$visit(self.parsed::<$number>(&expected)?)
            }
        )+
    };
}

impl<'de> Deserializer<'de> for Parameter {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_string(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bool(self.parsed("true or false")?)
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_f64(self.parsed("a number")?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if !variants.contains(&self.0.as_str()) {
            return Err(Wrong::custom(format_args!("must be one of {}", variants.join(", "))));
        }
        visitor.visit_enum(IntoDeserializer::<Wrong>::into_deserializer(self.0))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// Parameters of one request.
const PARAMETERS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{Code, Query};
    use crate::model::{AccountName, Offset, Timestamp};

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Page {
        limit: Option<u16>,
        after: Option<String>,
        direction: Option<Direction>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Direction {
        Newest,
        Oldest,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Filter {
        account: AccountName,
        from_offset: Option<Offset>,
        from_time: Option<Timestamp>,
        dry_run: Option<bool>,
    }

    fn read(query: &str) -> Result<(Page, Filter), (Code, String)> {
        let read = || {
            let mut query = Query::parse(Some(query))?;
            let read = (query.take()?, query.take()?);
            query.finish()?;
            Ok(read)
        };
        read().map_err(|problem: super::Problem| (problem.code(), problem.document("").detail.unwrap_or_default()))
    }

    #[test]
    fn parameters_are_read_into_the_types_that_know_them() {
        let query = "account=acme&limit=5&direction=oldest&fromOffset=41&fromTime=2026-03-02T10:14:07%2B01:00&after=a%26b+c&dryRun=true";
        let (page, filter) = read(query).unwrap();
        let expected = Page { limit: Some(5), after: Some("a&b c".to_owned()), direction: Some(Direction::Oldest) };
        assert_eq!(page, expected);
        assert_eq!(filter.account.as_str(), "acme");
        assert_eq!((filter.from_offset, filter.dry_run), (Some(Offset(41)), Some(true)));
        assert_eq!(filter.from_time, Some(Timestamp::parse("2026-03-02T09:14:07Z").unwrap()));
        assert_eq!(read("account=a").unwrap().0, Page::default());
    }

    #[test]
    fn every_other_query_is_refused_by_name() {
        let check = |query: &str, code: Code, expected: &str| {
            let (found, detail) = read(query).unwrap_err();
            assert_eq!((found, detail.as_str()), (code, expected), "{query}");
        };
        let unknown =
            "limt: is not known here; known are limit, after, direction, account, fromOffset, fromTime, dryRun";
        check("account=a&limt=5", Code::UnknownParameter, unknown);
        check("", Code::InvalidParameter, "account: is required");
        check("account=a&account=a", Code::InvalidParameter, "account: is there more than once");
        check("account=a&limit=many", Code::InvalidParameter, "limit: must be a whole number from 0 to 65535");
        check("account=a&limit=-1", Code::InvalidParameter, "limit: must be a whole number from 0 to 65535");
        check("account=a&limit=", Code::InvalidParameter, "limit: must be a whole number from 0 to 65535");
        check("account=a&direction=up", Code::InvalidParameter, "direction: must be one of newest, oldest");
        check("account=a&dryRun=1", Code::InvalidParameter, "dryRun: must be true or false");
        check(
            "account=a&fromTime=now",
            Code::InvalidParameter,
            "fromTime: an instant must be RFC 3339, such as 2026-03-02T09:14:07.512Z",
        );
    }

    #[test]
    fn a_route_without_parameters_takes_none() {
        Query::parse(None).unwrap().finish().unwrap();
        Query::parse(Some("")).unwrap().finish().unwrap();
        let problem = Query::parse(Some("x=1")).unwrap().finish().unwrap_err();
        assert_eq!(problem.document("").detail.unwrap(), "x: is not known here; this route takes none");
    }

    #[test]
    fn a_type_that_would_swallow_everything_is_refused() {
        let taken = Query::parse(Some("x=1")).unwrap().take::<BTreeMap<String, String>>();
        assert_eq!(taken.unwrap_err().code(), Code::InvalidParameter);
    }
}
