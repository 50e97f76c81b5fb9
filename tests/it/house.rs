//! The rules of the house that no compiler knows: who may use whom, and what no file may contain.
//!
//! Not a parser of Rust: it reads words and paths, which is enough for rules of this kind. Each rule is a
//! function from a path and a text to complaints, so that a small text proves that the rule can fail.

mod arrows;
mod source;
mod tidy;

use std::fs;
use std::path::Path;

#[test]
fn the_arrows_of_the_house_hold() {
    let files = files_below(&["src"]);
    assert!(files.iter().any(|(path, _)| path == "src/lib.rs"), "the sources were not found");
    report(files.iter().flat_map(|(path, text)| arrows::complaints(path, text)));
}

#[test]
fn every_file_is_tidy() {
    let files = files_below(&["build", "build.rs", "examples", "filters", "src", "tests", "xtask"]);
    assert!(files.iter().any(|(path, _)| path == "tests/it/house.rs"), "the tests were not found");
    report(files.iter().flat_map(|(path, text)| tidy::complaints(path, text)));
}

fn report(complaints: impl Iterator<Item = String>) {
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "{} complaints\n{}", complaints.len(), complaints.join("\n"));
}

/// Returns path (from the root of the checkout) and text of every Rust file, in the order of their paths.
fn files_below(places: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for place in places {
        collect(root, &root.join(place), &mut found);
    }
    found.sort();
    found
}

fn collect(root: &Path, path: &Path, found: &mut Vec<(String, String)>) {
    let inside = path.strip_prefix(root).expect("the walk begins at the root").to_string_lossy().into_owned();
    if path.is_dir() {
        // What cargo builds is not ours.
        if path.file_name().is_some_and(|name| name == "target") {
            return;
        }
        let entries = fs::read_dir(path).unwrap_or_else(|problem| panic!("{inside} cannot be read: {problem}"));
        for entry in entries {
            collect(root, &entry.expect("a folder can be listed to its end").path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).unwrap_or_else(|problem| panic!("{inside} cannot be read: {problem}"));
        found.push((inside, text));
    }
}
