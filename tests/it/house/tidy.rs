//! What no file may contain, and what each must begin with.
//!
//! Not a second clippy: only what no lint covers, or what must hold even where a lint is expected away.

use super::source::{self, Kind, Word};

/// A file longer than this usually holds two things.
const LINES_MAX: usize = 700;
const COLUMNS_MAX: usize = 120;

/// Files that may be longer, each with the reason: tables and state machines.
const LONG_FILES: &[(&str, &str)] = &[];

/// Words in a row that may stand in one place only.
struct Reserved {
    words: &'static [&'static str],
    /// The files where the rule holds begin with this.
    below: &'static str,
    /// Of those, the files that may write it begin with this.
    place: Option<&'static str>,
    instead: &'static str,
}

const fn only(place: &'static str, words: &'static [&'static str], instead: &'static str) -> Reserved {
    Reserved { words, below: "src/", place: Some(place), instead }
}

const fn never(words: &'static [&'static str], instead: &'static str) -> Reserved {
    Reserved { words, below: "", place: None, instead }
}

const RESERVED: &[Reserved] = &[
    only("src/log/", &["rocksdb", "::"], "only log names RocksDB: ask it for what you need"),
    only("src/log/", &["use", "rocksdb"], "only log names RocksDB: ask it for what you need"),
    only("src/filter/", &["wasmtime", "::"], "only filter names wasmtime: ask it for what you need"),
    only("src/filter/", &["use", "wasmtime"], "only filter names wasmtime: ask it for what you need"),
    only("src/runtime/", &["SystemTime"], "take `now` as an argument, or a runtime::Clock"),
    only("src/runtime/", &["Instant", "::", "now"], "take `now` as an argument, or a runtime::Clock"),
    only("src/runtime/", &["tokio", "::", "spawn"], "use runtime::Tasks, which drain can wait for"),
    only("src/runtime/", &["task", "::", "spawn"], "use runtime::Tasks, which drain can wait for"),
    never(&["#", "[", "ignore"], "a test that does not run proves nothing; a long one is named nightly_"),
    never(&["#", "[", "allow"], "write #[expect(.., reason = \"..\")]"),
    never(&["#", "!", "[", "allow"], "write #![expect(.., reason = \"..\")]"),
    never(&["dbg", "!"], "take it out"),
];

/// Notes to oneself. Written apart, or this file could not be checked itself.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Returns a line for each rule that the file breaks.
pub(super) fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    // The module documentation of the crate is a page of its own.
    if !text.starts_with("//!") && !text.starts_with("#![doc = include_str!(") {
        complaints.push(format!("{path}:1: begin with `//!`: what the file is, what it is not, its invariant"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX && !LONG_FILES.iter().any(|(listed, _)| *listed == path) {
        complaints.push(format!("{path}: {lines} lines: take it apart, or list it in LONG_FILES with the reason"));
    }
    complaints.extend(notes(path, text));
    complaints.extend(long_lines(path, text));
    complaints.extend(reserved(path, text));
    complaints
}

fn notes(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut words = line.split(|character: char| !character.is_alphanumeric());
        if let Some(note) = words.find(|word| NOTES.contains(word)) {
            complaints.push(format!("{path}:{number}: do it now or open an issue, but leave no {note}"));
        }
    }
    complaints
}

/// The formatter leaves comments and what it cannot break as they are. A long literal or address may stay.
fn long_lines(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let kinds = source::kinds(text);
    for (line, number) in kinds.split(|(character, _)| *character == '\n').zip(1..) {
        let columns = line.iter().filter(|(_, kind)| *kind != Kind::Literal).count();
        let is_address = line.windows(3).any(|window| window.iter().map(|(character, _)| *character).eq("://".chars()));
        if columns > COLUMNS_MAX && !is_address {
            complaints.push(format!("{path}:{number}: {columns} columns: break the line at {COLUMNS_MAX}"));
        }
    }
    complaints
}

fn reserved(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let words = source::words(text);
    let rules = RESERVED.iter().filter(|rule| path.starts_with(rule.below));
    for rule in rules.filter(|rule| !rule.place.is_some_and(|place| path.starts_with(place))) {
        for window in words.windows(rule.words.len()) {
            if window.iter().map(|word| word.text.as_str()).eq(rule.words.iter().copied()) {
                let line = window.first().map_or(0, |Word { line, .. }| *line);
                complaints.push(format!("{path}:{line}: `{}`: {}", rule.words.concat(), rule.instead));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, NOTES, RESERVED, complaints};

    /// Checks that the file breaks one rule, in the line and with the word given, or none.
    #[track_caller]
    fn check(path: &str, text: &str, expected: Option<&str>) {
        let found = complaints(path, &format!("//! x\n{text}"));
        let is_as_expected = match (found.as_slice(), expected) {
            ([], None) => true,
            ([complaint], Some(expected)) => complaint.starts_with(&format!("{path}:{expected}")),
            _ => false,
        };
        assert!(is_as_expected, "{text}\n{found:?}");
    }

    #[test]
    fn a_reserved_name_stays_in_its_place() {
        check("src/api/mod.rs", "\nfn f(x: rocksdb::DB) {}", Some("3: `rocksdb::`: only log names RocksDB"));
        check("src/api/mod.rs", "use rocksdb as engine;", Some("2: `userocksdb`: only log"));
        check("src/log/mod.rs", "fn f(x: rocksdb::DB) {}", None);
        check("tests/it/main.rs", "fn f(x: rocksdb::DB) {}", None);
        check("src/api/mod.rs", "fn f(x: &str) { g(x, \"rocksdb::\") } // rocksdb::", None);
        check("src/dispatch/mod.rs", "fn f(x: wasmtime::Engine) {}", Some("2: `wasmtime::`: only filter"));
        check("src/filter/mod.rs", "fn f(x: wasmtime::Engine) {}", None);
        check("src/log/mod.rs", "fn f(x: std::time::SystemTime) {}", Some("2: `SystemTime`: take `now`"));
        check("src/log/mod.rs", "fn f() { std::time::Instant::now(); }", Some("2: `Instant::now`: take `now`"));
        check("src/log/mod.rs", "fn f(x: std::time::Instant) {}", None);
        check("src/web/mod.rs", "fn f() { tokio::spawn(async {}); }", Some("2: `tokio::spawn`: use runtime::Tasks"));
        check("src/web/mod.rs", "fn f() { tokio::task::spawn(async {}); }", Some("2: `task::spawn`: use runtime"));
        check("src/runtime/tasks.rs", "fn f() { tokio::spawn(g(Instant::now(), SystemTime::now())); }", None);
    }

    #[test]
    fn what_is_never_written_is_found_everywhere() {
        check("tests/it/main.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", Some("3: `#[ignore`: a test"));
        check("xtask/src/main.rs", "#[allow(dead_code)]\nfn f() {}", Some("2: `#[allow`: write #[expect"));
        check("src/lib.rs", "#![allow(dead_code)]", Some("2: `#![allow`: write #![expect"));
        check("src/lib.rs", "#[expect(dead_code, reason = \"not #[allow]\")]\nfn f() {}", None);
        check("src/lib.rs", "fn f() { dbg!(1); }", Some("2: `dbg!`: take it out"));
    }

    #[test]
    fn a_file_says_what_it_is() {
        for text in ["//! x\nfn f() {}", "#![doc = include_str!(\"PAGE.md\")]\nfn f() {}"] {
            assert_eq!(complaints("src/lib.rs", text), Vec::<String>::new());
        }
        for text in ["", "fn f() {}", "// x\n", "\n//! x"] {
            assert_eq!(complaints("src/lib.rs", text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_long_file_is_two_files() {
        check("src/lib.rs", &"// y\n".repeat(LINES_MAX - 1), None);
        let found = complaints("src/lib.rs", &"//! y\n".repeat(LINES_MAX + 1));
        assert_eq!(found, ["src/lib.rs: 701 lines: take it apart, or list it in LONG_FILES with the reason"]);
    }

    #[test]
    fn a_long_line_is_broken_unless_it_cannot_be() {
        let long = "y".repeat(130);
        check("src/lib.rs", &format!("// {}", "y".repeat(117)), None);
        check("src/lib.rs", &format!("// {long}"), Some("2: 133 columns: break"));
        check("src/lib.rs", &format!("const {long}: u8 = 1;"), Some("2: 145 columns: break"));
        check("src/lib.rs", &format!("const X: &str = \"{long}\";"), None);
        check("src/lib.rs", &format!("const X: &str = r#\"\n{long}\n\"#;"), None);
        check("src/lib.rs", &format!("// see https://example.com/{long}"), None);
    }

    #[test]
    fn no_note_to_oneself_stays() {
        for note in NOTES {
            check(
                "src/lib.rs",
                &format!("\n// {note}: later"),
                Some(&format!("3: do it now or open an issue, but leave no {note}")),
            );
        }
        check("src/lib.rs", "const METHODS: u8 = 1; // a fixme in small letters", None);
    }

    #[test]
    fn every_reserved_name_can_be_found() {
        for rule in RESERVED {
            let text = format!("//! x\n{}", rule.words.join(" "));
            assert!(!complaints("src/nowhere.rs", &text).is_empty(), "{:?}", rule.words);
        }
    }
}
