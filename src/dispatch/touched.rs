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

/// The texts of all values at each path, in their order; items of an array stand at the path of the array, as rights
/// have it. What is left untouched is left byte by byte, so texts are compared and never read.
type Values<'t> = BTreeMap<Vec<String>, Vec<&'t str>>;

impl Left {
    /// Returns the paths of all values of an event that are missing or different in what is left of it.
    ///
    /// # Shape
    /// In the order of the paths' parts, those of the actor first.
    #[must_use]
    pub fn touched(&self, event: &Event) -> Vec<Touched> {
        let mut touched = Vec::new();
        if let Some(actor) = &event.actor {
            let root = vec!["actor".to_owned()];
            let left = self.actor.as_deref().map(|left| values(root.clone(), left)).unwrap_or_default();
            compare(values(root, actor), &left, &mut touched);
        }
        compare(values(Vec::new(), &event.data), &values(Vec::new(), &self.data), &mut touched);
        touched
    }
}

fn compare(before: Values<'_>, after: &Values<'_>, touched: &mut Vec<Touched>) {
    for (path, came) in before {
        let left = after.get(&path).map_or(&[][..], Vec::as_slice);
        if left != came {
            touched.push(Touched { path: path.join("."), treatment: treatment(left) });
        }
    }
}

/// Tells from what is left at a path what was done there: the same is done with all values of a path.
fn treatment(left: &[&str]) -> Treatment {
    match left.iter().find(|text| !text.starts_with(['{', '['])) {
        None => Treatment::Remove,
        Some(text) if text.starts_with("\"psn_") => Treatment::Pseudonymize,
        Some(_) => Treatment::Mask,
    }
}

/// Returns the values that stand at a path and below it.
fn values(mut path: Vec<String>, text: &str) -> Values<'_> {
    let mut found = Values::new();
    collect(&mut path, text, &mut found);
    found
}

fn collect<'t>(path: &mut Vec<String>, text: &'t str, found: &mut Values<'t>) {
    let (members, items) = inside(text);
    if members.is_empty() && items.is_empty() {
        found.entry(path.clone()).or_default().push(text);
    }
    for (name, value) in members {
        path.push(name);
        collect(path, value.get(), found);
        path.pop();
    }
    items.into_iter().for_each(|item| collect(path, item.get(), found));
}

/// Returns what is in an object, or in an array.
fn inside(text: &str) -> (BTreeMap<String, &RawValue>, Vec<&RawValue>) {
    match text.as_bytes().first() {
        Some(b'{') => (serde_json::from_str(text).unwrap_or_default(), Vec::new()),
        Some(b'[') => (BTreeMap::new(), serde_json::from_str(text).unwrap_or_default()),
        Some(_) | None => (BTreeMap::new(), Vec::new()),
    }
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
                "list Remove",
                "queue.name Remove"
            ]
        );
        assert_eq!(touched(None, r#"{"a": {}, "b": {"c": {}}}"#, None, "{}"), ["a Remove", "b.c Remove"]);
    }

    #[test]
    fn values_in_arrays_stand_at_the_path_of_the_array() {
        let data = r#"{"refs": ["q1", "q2"], "agents": [{"name": "Z", "id": 7}, {"name": "Y"}], "deep": [[1], [2]], "none": []}"#;
        let left = r#"{"refs": ["psn_A", "psn_B"], "agents": [{"name": "***"}, {"name": "***"}], "deep": [[1], [2]], "none": []}"#;
        assert_eq!(touched(None, data, None, left), ["agents.id Remove", "agents.name Mask", "refs Pseudonymize"]);
        let left = r#"{"agents": [{"id": 7}], "deep": [[1]]}"#;
        assert_eq!(touched(None, data, None, left), ["agents.name Remove", "deep Mask", "none Remove", "refs Remove"]);
    }
}
