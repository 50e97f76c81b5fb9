//! The cases in files: a table, an event, and what is expected of it.

use std::fs;
use std::path::Path;

use hooklog_rights::Verdict;
use serde_json::Value;
use serde_json::value::RawValue;

#[test]
fn every_case_comes_out_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut count = 0;
    for case in fs::read_dir(folder).expect("there are cases") {
        check(&case.expect("a case").path());
        count += 1;
    }
    assert!(count >= 5, "only {count} cases were found");
}

fn check(case: &Path) {
    let read =
        |name: &str| fs::read_to_string(case.join(name)).unwrap_or_else(|error| panic!("{case:?}/{name}: {error}"));
    let table = crate::table(&read("table.txt")).unwrap_or_else(|error| panic!("{case:?}: {error}"));
    let (event, expected) = (read("event.json"), read("expected.json"));
    let event_type: Value = serde_json::from_str(member(&event, "type")).expect("a type");
    let verdict = table.evaluate(event_type.as_str().expect("a type is text"), member(&event, "payload"));
    let expected = match member(&expected, "verdict") {
        r#""pass""# => Verdict::Pass,
        r#""rewrite""# => Verdict::Rewrite(member(&expected, "payload").to_owned()),
        _ if member(&expected, "reason") == r#""type_withheld""# => Verdict::Drop("type_withheld"),
        _ => Verdict::Drop("type_unknown"),
    };
    assert_eq!(verdict, Ok(expected), "{case:?}");
}

/// Returns a member as it stands in the text.
fn member<'t>(text: &'t str, name: &str) -> &'t str {
    let members: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(text).expect("an object");
    members.get(name).unwrap_or_else(|| panic!("{name} is missing in {text}")).get()
}
