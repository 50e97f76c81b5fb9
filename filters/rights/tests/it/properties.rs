//! What holds for every table and every payload.

use hooklog_rights::{Mark, Verdict};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::document::{self, Document, TYPES};
use crate::model::{Model, Section, join};

const ALL: &[char] = &['k', 'k', 'm', 'p', 'r'];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_filter_agrees_with_the_model(
        model in document::table(ALL),
        payload in document::payload(),
        event_type in select(TYPES),
    ) {
        let table = crate::table(&model.text()).expect("the model writes tables");
        let text = payload.text();
        let verdict = table.evaluate(event_type, &text).expect("ingest takes such payloads");
        let (mark, reason) = match model.mark(event_type) {
            '+' => (Mark::Wanted, None),
            '-' => (Mark::Withheld, Some("type_withheld")),
            _ => (Mark::Unknown, Some("type_unknown")),
        };
        prop_assert_eq!(table.mark(event_type), mark);
        if let Some(reason) = reason {
            prop_assert_eq!(verdict, Verdict::Drop(reason));
            return Ok(());
        }
        let given: Value = serde_json::from_str(&text).expect("documents are JSON");
        let expected = model.payload(event_type, &given);
        match verdict {
            // As text, because the order of members counts too.
            Verdict::Pass => prop_assert_eq!(given.to_string(), expected.to_string()),
            Verdict::Rewrite(left) => {
                prop_assert_ne!(&left, &text);
                let left: Value = serde_json::from_str(&left).expect("what is left is JSON");
                prop_assert_eq!(left.to_string(), expected.to_string());
            }
            Verdict::Drop(_) => prop_assert!(false, "a wanted type was dropped"),
        }
    }

    #[test]
    fn nothing_withheld_gets_out_and_what_is_kept_stays_byte_by_byte(
        model in document::table(ALL),
        payload in document::payload(),
        event_type in select(TYPES),
    ) {
        let model = Model { types: [].into(), other_types: '+', ..model };
        let left = left(&model, event_type, &payload.text());
        let section = model.section(event_type);
        let mut sorted = Sorted::default();
        payload.actor.iter().for_each(|actor| sorted.sort(section, Some("actor".to_owned()), actor));
        sorted.sort(section, None, &payload.data);

        let mut said = Vec::new();
        collect(&serde_json::from_str(&left).expect("what is left is JSON"), &mut said);
        for canary in &sorted.withheld {
            prop_assert!(!left.contains(canary), "{} is in {}", canary, left);
            prop_assert!(!said.iter().any(|said| said.contains(canary)), "{} is said in {}", canary, left);
        }
        for kept in &sorted.kept {
            prop_assert!(left.contains(kept), "{} is not in {}", kept, left);
        }
    }

    #[test]
    fn what_was_kept_and_removed_once_passes_the_second_time(
        model in document::table(&['k', 'r']),
        payload in document::payload(),
        event_type in select(TYPES),
    ) {
        let model = Model { types: [].into(), other_types: '+', ..model };
        let once = left(&model, event_type, &payload.text());
        let table = crate::table(&model.text()).expect("the model writes tables");
        prop_assert_eq!(table.evaluate(event_type, &once), Ok(Verdict::Pass));
    }
}

pub(crate) fn config() -> ProptestConfig {
    #[expect(
        clippy::disallowed_methods,
        reason = "proptest reads the variable; here it is only seen whether it is set"
    )]
    let is_set = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if is_set { config } else { ProptestConfig { cases: 2000, ..config } }
}

fn left(model: &Model, event_type: &str, text: &str) -> String {
    let table = crate::table(&model.text()).expect("the model writes tables");
    match table.evaluate(event_type, text).expect("ingest takes such payloads") {
        Verdict::Pass => text.to_owned(),
        Verdict::Rewrite(left) => left,
        Verdict::Drop(reason) => panic!("a wanted type was dropped: {reason}"),
    }
}

/// The values of a payload: the canaries of those that are withheld, and the text of those that are kept.
#[derive(Default)]
struct Sorted {
    withheld: Vec<String>,
    kept: Vec<String>,
}

impl Sorted {
    fn sort(&mut self, section: &Section, path: Option<String>, document: &Document) {
        let is_array = matches!(document, Document::Array(..));
        let is_object = matches!(document, Document::Object(..));
        if section.keeps_whole(path.as_deref(), is_array, is_object) {
            self.kept.push(document.text());
            return;
        }
        match document {
            Document::Scalar(scalar) if section.treatments(path.as_deref()).0 == 'k' => {
                self.kept.push(scalar.written.clone());
            }
            Document::Scalar(scalar) => self.withheld.extend(scalar.canary.clone()),
            Document::Object(members, _) => {
                members.iter().for_each(|(key, _, value)| self.sort(section, Some(join(path.as_deref(), key)), value));
            }
            Document::Array(items, _) => items.iter().for_each(|item| self.sort(section, path.clone(), item)),
        }
    }
}

/// Collects all that a value says: keys, strings unescaped, and numbers.
fn collect(value: &Value, said: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            said.push(key.clone());
            collect(value, said);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, said)),
        Value::String(text) => said.push(text.clone()),
        Value::Number(_) | Value::Bool(_) | Value::Null => said.push(value.to_string()),
    }
}
