//! Who may use whom: the table of the house, and the check that every path in the code keeps to it.
//!
//! Not a search for unused permissions: the table says what may be, not what is. Code behind `#[cfg(test)]`
//! is held to the same table, because a test that reaches further shows a part that cannot be tested alone.

use super::source::{Word, is_of_a_name, words};

/// A place in `src/` and the places whose names it may use besides its own.
struct Place {
    name: &'static str,
    may_use: &'static [&'static str],
}

const fn place(name: &'static str, may_use: &'static [&'static str]) -> Place {
    Place { name, may_use }
}

/// The table, from the ground floor up. Whoever changes it changes the design, and `src/ARCHITECTURE.md` with it.
const HOUSE: &[Place] = &[
    place("runtime", &[]),
    place("model", &[]),
    // Functions that make keys are handed a `Random`.
    place("security", &["model", "runtime"]),
    place("telemetry", &["model"]),
    place("catalog", &["model"]),
    place("mapping", &["model"]),
    place("log", &["model"]),
    place("accounts", &["model", "security", "catalog", "log"]),
    place("web", &["model", "security"]),
    place("ingest", &["model", "catalog", "mapping", "log", "accounts", "web"]),
    place("filter", &["model", "security"]),
    place("deliver", &["model", "security", "log", "accounts"]),
    place("dispatch", &["model", "log", "accounts", "filter", "deliver"]),
    place("replay", &["model", "log", "accounts", "dispatch", "deliver"]),
    place(
        "api",
        &[
            "model", "security", "catalog", "mapping", "log", "accounts", "web", "filter", "deliver", "dispatch",
            "replay",
        ],
    ),
    place("console", &["api", "web"]),
    place(
        "settings",
        &[
            "model", "security", "catalog", "mapping", "log", "accounts", "web", "ingest", "filter", "deliver",
            "dispatch", "replay", "api", "console",
        ],
    ),
    place(
        "app",
        &[
            "model", "security", "catalog", "mapping", "log", "accounts", "web", "ingest", "filter", "deliver",
            "dispatch", "replay", "api", "console", "settings",
        ],
    ),
    place("cli", &["settings", "app", "api", "log", "filter", "catalog", "mapping", "web", "security", "model"]),
    // The program itself: it hands over to a command.
    place("main", &["app", "cli"]),
];

/// Every place above this one may use these as well.
const GROUND: (&str, &[&str]) = ("security", &["runtime", "telemetry"]);

/// Returns a line for each path in the file that the table does not allow.
pub(super) fn complaints(path: &str, text: &str) -> Vec<String> {
    let Some(source) = place_of(path) else { return Vec::new() };
    let Some(from) = floor(source) else {
        return vec![format!(
            "{path}: `{source}` is no place of the house: put the file into one, or change the design and the table"
        )];
    };
    let mut complaints = Vec::new();
    for Word { text: target, line } in paths_from_the_root(path, text) {
        if let Some(instead) = objection(from, &target) {
            complaints.push(format!("{path}:{line}: {instead}"));
        }
    }
    complaints
}

/// The folder or file below `src/`; none for `lib.rs`, the table of contents, which names all.
fn place_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split('/').next()?;
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (name != "lib").then_some(name)
}

fn floor(name: &str) -> Option<usize> {
    HOUSE.iter().position(|place| place.name == name)
}

fn objection(from: usize, target: &str) -> Option<String> {
    let Place { name: source, may_use } = HOUSE.get(from)?;
    let Some(to) = floor(target).filter(|_| target != "main") else {
        return Some(format!("`crate::{target}` is no place of the house: name the place where it lives"));
    };
    let (ground, shared) = GROUND;
    let is_allowed = to == from
        || may_use.contains(&target)
        || (floor(ground).is_some_and(|ground| from > ground) && shared.contains(&target));
    if is_allowed {
        return None;
    }
    let instead = match (*source, target) {
        (_, "settings") => format!("give {source} an `Options` of its own, which settings builds"),
        (_, "app" | "cli") => format!("let app hand to {source} what it needs"),
        ("deliver", "filter") | ("filter", "deliver") => "they do not know each other: dispatch joins them".to_owned(),
        ("api", "ingest") => "put what both need into a place below, or let app wire a port".to_owned(),
        ("console", _) => "ask api for it: the console has no private way in".to_owned(),
        ("runtime" | "model" | "security" | "catalog" | "mapping", _) => {
            format!("{source} is pure: take what you need as an argument")
        }
        _ => format!("define a port in {source} and let app wire it"),
    };
    Some(format!("{source} may not use {target}: {instead}"))
}

/// Returns the first name of every path that begins at the root of the crate, written `crate::`, `hooklog::`
/// or with as many `super` as it takes to get there.
fn paths_from_the_root(path: &str, text: &str) -> Vec<Word> {
    let words = words(text);
    let mut found = Vec::new();
    // The depths of braces at which a `mod name {` of this file was opened.
    let mut modules: Vec<usize> = Vec::new();
    let mut braces = 0;
    let mut before = ["", ""];
    let mut rest = words.as_slice();
    while let Some((word, after)) = rest.split_first() {
        let [two_before, one_before] = before;
        let next = after.first().map_or("", |word| &word.text);
        match word.text.as_str() {
            "{" => {
                braces += 1;
                if two_before == "mod" {
                    modules.push(braces);
                }
            }
            "}" => {
                if modules.last() == Some(&braces) {
                    modules.pop();
                }
                braces = braces.saturating_sub(1);
            }
            // Inside a path it is the name of something else, or was followed already.
            "crate" | "hooklog" | "super" if next != "::" || (one_before == "::" && two_before != "self") => {}
            "crate" | "hooklog" => follow(after, 0, &mut found),
            "super" => follow(rest, depth_of(path) + modules.len(), &mut found),
            _ => {}
        }
        before = [one_before, &word.text];
        rest = after;
    }
    found
}

/// How many modules the file itself is below the root.
fn depth_of(path: &str) -> usize {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let names = inside.split('/').filter(|name| !matches!(*name, "mod.rs" | "lib.rs" | "main.rs"));
    names.count()
}

/// Follows a path down from a module at `depth`, into every branch of a group.
fn follow(words: &[Word], depth: usize, found: &mut Vec<Word>) {
    let Some((word, rest)) = words.split_first() else { return };
    match word.text.as_str() {
        "::" => follow(rest, depth, found),
        "super" => follow(rest, depth.saturating_sub(1), found),
        "self" if depth > 0 => follow(rest, depth, found),
        "{" => {
            let mut level = 0;
            let mut is_branch_start = true;
            for (at, word) in rest.iter().enumerate() {
                if is_branch_start && word.text != "}" {
                    follow(rest.get(at..).unwrap_or_default(), depth, found);
                }
                is_branch_start = word.text == "," && level == 0;
                match word.text.as_str() {
                    "{" => level += 1,
                    "}" if level == 0 => return,
                    "}" => level -= 1,
                    _ => {}
                }
            }
        }
        name if depth == 0 && (name == "*" || name.starts_with(is_of_a_name)) => found.push(word.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{complaints, paths_from_the_root};

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        assert_eq!(complaints(path, text), expected, "{path}\n{text}");
    }

    #[track_caller]
    fn reaches(path: &str, text: &str, expected: &[(&str, usize)]) {
        let found = paths_from_the_root(path, text);
        let found: Vec<(&str, usize)> = found.iter().map(|word| (word.text.as_str(), word.line)).collect();
        assert_eq!(found, expected, "{path}\n{text}");
    }

    #[test]
    fn every_way_to_write_a_path_is_seen() {
        reaches("src/api/mod.rs", "use crate::log::Log;\nfn f() { crate::web::x() }", &[("log", 1), ("web", 2)]);
        reaches(
            "src/api/mod.rs",
            "use crate::{\n    log,\n    web::{self, x::{y, z}},\n    model::*,\n};",
            &[("log", 2), ("web", 3), ("model", 4)],
        );
        reaches("src/api/mod.rs", "use crate::{log::a, {web::b}};", &[("log", 1), ("web", 1)]);
        reaches(
            "src/api/mod.rs",
            "pub(in crate::api) fn f(x: &crate::model::X<crate::log::Y>) {}",
            &[("api", 1), ("model", 1), ("log", 1)],
        );
        reaches("src/api/mod.rs", "macro_rules! m { () => { $crate::log::x() } }", &[("log", 1)]);
        reaches("src/main.rs", "fn main() { hooklog::cli::run() }", &[("cli", 1)]);
        reaches("src/api/mod.rs", "use crate::*;\nuse crate::{self as root};", &[("*", 1), ("self", 2)]);
    }

    #[test]
    fn super_that_climbs_to_the_root_is_seen() {
        reaches("src/api/mod.rs", "use super::log::Log;", &[("log", 1)]);
        reaches("src/api/routes.rs", "use super::log::Log;", &[]);
        reaches("src/api/routes.rs", "use super::super::log::Log;", &[("log", 1)]);
        reaches("src/api/routes.rs", "use super::{x, super::{log::Log, web}};", &[("log", 1), ("web", 1)]);
        reaches(
            "src/api/routes.rs",
            "mod tests {\n use super::super::log;\n use super::super::super::web; }",
            &[("web", 3)],
        );
        reaches("src/api/routes.rs", "mod tests { fn f() {} }\nuse super::super::web;", &[("web", 2)]);
        reaches("src/app.rs", "use super::log;\nuse self::super::web;", &[("log", 1), ("web", 2)]);
        reaches("src/app.rs", "use self::parts::x;", &[]);
    }

    #[test]
    fn what_is_no_path_is_not_seen() {
        reaches("src/api/mod.rs", "pub(crate) fn f() {} // crate::log\n/// [`crate::log`]\nfn g() {}", &[]);
        reaches("src/api/mod.rs", "fn f() { g(\"crate::log\") }\nfn h(hooklog: u8, x: other::hooklog::X) {}", &[]);
        reaches("src/api/mod.rs", "pub(super) fn f() {}\npub(in super::super) fn g() {}", &[]);
    }

    #[test]
    fn the_table_is_kept_and_says_what_to_do_instead() {
        check(
            "src/deliver/send.rs",
            "//! x\nuse crate::dispatch::Joint;",
            &["src/deliver/send.rs:2: deliver may not use dispatch: define a port in deliver and let app wire it"],
        );
        check(
            "src/deliver/mod.rs",
            "use crate::filter::Host;",
            &["src/deliver/mod.rs:1: deliver may not use filter: they do not know each other: dispatch joins them"],
        );
        check(
            "src/model/event.rs",
            "use crate::runtime::Clock;",
            &["src/model/event.rs:1: model may not use runtime: model is pure: take what you need as an argument"],
        );
        check(
            "src/log/mod.rs",
            "use crate::settings::Settings;",
            &["src/log/mod.rs:1: log may not use settings: give log an `Options` of its own, which settings builds"],
        );
        check(
            "src/console/mod.rs",
            "use crate::log::Log;",
            &["src/console/mod.rs:1: console may not use log: ask api for it: the console has no private way in"],
        );
        check(
            "src/dispatch/mod.rs",
            "use crate::security::Token;",
            &["src/dispatch/mod.rs:1: dispatch may not use security: define a port in dispatch and let app wire it"],
        );
        check(
            "src/api/mod.rs",
            "use crate::ingest::Ingest;\nuse crate::app::App;",
            &[
                "src/api/mod.rs:1: api may not use ingest: put what both need into a place below, or let app wire a port",
                "src/api/mod.rs:2: api may not use app: let app hand to api what it needs",
            ],
        );
    }

    #[test]
    fn tests_inside_a_part_are_held_to_the_table() {
        check(
            "src/web/mod.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::accounts::Fold;\n}",
            &["src/web/mod.rs:3: web may not use accounts: define a port in web and let app wire it"],
        );
    }

    #[test]
    fn what_the_table_allows_passes() {
        check("src/dispatch/mod.rs", "use crate::{deliver, dispatch::x, filter, log, model};", &[]);
        check("src/filter/cache.rs", "use crate::security::Seal;", &[]);
        check("src/app.rs", "use crate::{console::x, ingest::y, settings::z};", &[]);
        check("src/main.rs", "fn main() { hooklog::cli::run() }", &[]);
        check("src/lib.rs", "pub mod log;\npub use crate::log::Log;", &[]);
        check("tests/it/main.rs", "use crate::anything;", &[]);
    }

    #[test]
    fn time_and_names_are_for_all_above_the_ground_floor() {
        for above in ["catalog", "mapping", "log", "web", "console", "settings", "app", "cli"] {
            let path = format!("src/{above}/mod.rs");
            check(&path, "use crate::{runtime::Clock, telemetry::Names};", &[]);
        }
        check("src/telemetry/mod.rs", "use crate::runtime::Clock;", &[]);
        for ground in ["runtime", "model", "security"] {
            let path = format!("src/{ground}/mod.rs");
            assert_eq!(complaints(&path, "use crate::telemetry::Names;").len(), 1, "{ground}");
        }
    }

    #[test]
    fn what_is_no_place_is_named() {
        check(
            "src/utils/mod.rs",
            "//! x",
            &[
                "src/utils/mod.rs: `utils` is no place of the house: put the file into one, or change the design and the \
             table",
            ],
        );
        check(
            "src/api/mod.rs",
            "use crate::Error;\nuse crate::*;",
            &[
                "src/api/mod.rs:1: `crate::Error` is no place of the house: name the place where it lives",
                "src/api/mod.rs:2: `crate::*` is no place of the house: name the place where it lives",
            ],
        );
    }
}
