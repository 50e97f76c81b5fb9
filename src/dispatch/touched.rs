//! What rights did to an event, field by field: for whoever explains, previews and compares.
//!
//! Told from the texts before and after, not from the decisions: so it is what happened. No value is in it.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Left;
use crate::accounts::Treatment;
use crate::model::Event;

/// A field that is not sent as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Its path, as rights name it.
    pub path: String,
    /// What was done with it.
    pub treatment: Treatment,
}

/// The members of an object. What is left untouched is left byte by byte, so texts are compared and never read.
type Members<'t> = BTreeMap<String, &'t RawValue>;

impl Left {
    /// Returns the paths of all values of an event that are missing or different in what is left of it.
    ///
    /// # Shape
    /// In the order of the paths' parts, those of the actor first. An array is one value.
    #[must_use]
    pub fn touched(&self, event: &Event) -> Vec<Touched> {
        let mut touched = Vec::new();
        if let Some(actor) = &event.actor {
            let left = self.actor.as_deref().map(members).unwrap_or_default();
            compare("actor", &members(actor), &left, &mut touched);
        }
        compare("", &members(&event.data), &members(&self.data), &mut touched);
        touched
    }
}

fn compare(path: &str, before: &Members<'_>, after: &Members<'_>, touched: &mut Vec<Touched>) {
    for (name, value) in before {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let left = after.get(name).map(|left| left.get());
        if left == Some(value.get()) {
            continue;
        }
        let inside = members(value.get());
        if inside.is_empty() {
            touched.push(Touched { path, treatment: treatment(left) });
        } else {
            // An object of which nothing is left is missing itself.
            compare(&path, &inside, &left.map(members).unwrap_or_default(), touched);
        }
    }
}

fn treatment(left: Option<&str>) -> Treatment {
    match left {
        None => Treatment::Remove,
        Some(left) if left.starts_with("\"psn_") => Treatment::Pseudonymize,
        Some(_) => Treatment::Mask,
    }
}

/// Returns the members of an object; none of anything else.
fn members(text: &str) -> Members<'_> {
    if text.starts_with('{') { serde_json::from_str(text).unwrap_or_default() } else { Members::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(actor: Option<&str>, data: &str, left_actor: Option<&str>, left: &str) -> Vec<String> {
        let event = Event::example(actor, data);
        let left = Left { actor: left_actor.map(Into::into), data: left.into(), key: None };
        left.touched(&event).into_iter().map(|one| format!("{} {:?}", one.path, one.treatment)).collect()
    }

    #[test]
    fn every_value_that_is_not_as_it_came_is_named_by_its_path() {
        let data = r#"{ "n": 1e999999, "customer": {"number": "+33", "email": "a@b.c"}, "queue": {"name": "Q"}, "list": [1] }"#;
        assert_eq!(touched(Some(r#"{"userId": "u"}"#), data, Some(r#"{"userId": "u"}"#), data), Vec::<String>::new());
        let left = r#"{ "n": 1e999999, "customer": {"number": "psn_AAAA", "email": "***@b.c"}, "list": [] }"#;
        assert_eq!(
            touched(Some(r#"{"userId": "u"}"#), data, None, left),
            [
                "actor.userId Remove",
                "customer.email Mask",
                "customer.number Pseudonymize",
                "list Mask",
                "queue.name Remove"
            ]
        );
        assert_eq!(touched(None, r#"{"a": {}, "b": {"c": {}}}"#, None, "{}"), ["a Remove", "b.c Remove"]);
    }
}
