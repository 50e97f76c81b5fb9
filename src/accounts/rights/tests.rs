//! What rights mean: names, presets, the stricter of several, warnings, pending changes, the table's text.

use std::sync::Arc;

use proptest::prelude::*;

use super::pending::PendingChange;
use super::table::{TableTooLarge, lines};
use super::*;

fn catalog() -> Catalog {
    Catalog::built_in()
}

fn draft(json: &str) -> RightsDraft {
    serde_json::from_str(json).unwrap_or_else(|problem| panic!("{json}: {problem}"))
}

fn settings(json: &str) -> RightsSettings {
    draft(json).check(Layer::Account, Position(7), &catalog()).unwrap()
}

fn narrowing(json: &str) -> RightsSettings {
    draft(json).check(Layer::Narrowing, Position(7), &catalog()).unwrap()
}

fn decided(json: &str) -> Decisions {
    Decisions::resolve(&settings(json), &catalog()).with_twins_joined()
}

#[test]
fn presets_say_what_names_do_not() {
    let check = |rights: &str, event_type: &str, mark: Mark| {
        assert_eq!(decided(rights).mark(event_type), mark, "{rights} {event_type}");
    };
    check("{}", "call.ended", Mark::Wanted);
    check("{}", "call.unheard_of", Mark::Unknown);
    check(r#"{"default": "all"}"#, "call.unheard_of", Mark::Unknown);
    check(r#"{"default": "none"}"#, "call.ended", Mark::Withheld);
    check(r#"{"default": "none"}"#, "webhook.test", Mark::Wanted);
    check(r#"{"default": "none", "types": {"call.*": true}}"#, "call.ended", Mark::Wanted);
    check(r#"{"default": "none", "types": {"call.*": true}}"#, "call.unheard_of", Mark::Unknown);
    check(r#"{"types": {"call.*": true, "call.ended": false}}"#, "call.ended", Mark::Withheld);
    check(r#"{"types": {"call.*": false, "call.ended": true}}"#, "call.ended", Mark::Wanted);
    check(r#"{"types": {"call.unheard_of": true}}"#, "call.unheard_of", Mark::Wanted);
    check(r#"{"types": {"*": true}}"#, "call.unheard_of", Mark::Wanted);
    check(r#"{"types": {"*": true, "call.*": false}}"#, "call.unheard_of", Mark::Withheld);
    check(r#"{"types": {"*": false, "call.*": true}}"#, "call.ended", Mark::Wanted);
    check(r#"{"types": {"*": false}}"#, "call.unheard_of", Mark::Withheld);
}

#[test]
fn the_longer_path_wins_then_the_exact_type_then_the_longer_pattern() {
    let check = |rights: &str, event_type: &str, path: &str, own: Treatment| {
        assert_eq!(decided(rights).rule(event_type, path).own, own, "{rights} {event_type}/{path}");
    };
    check("{}", "call.ended", "customer.number", Treatment::Remove);
    check("{}", "call.ended", "queue.name", Treatment::Keep);
    check("{}", "call.ended", "customer.unheard_of", Treatment::Remove);
    check("{}", "call.ended", "card.fields.iban", Treatment::Remove);
    check(r#"{"default": "all"}"#, "call.ended", "card.fields.iban", Treatment::Keep);
    check(r#"{"default": "all"}"#, "call.ended", "customer.unheard_of", Treatment::Remove);
    check(r#"{"default": {"fields": "none"}}"#, "call.ended", "queue.name", Treatment::Remove);
    check(r#"{"fields": {"customer": "keep"}}"#, "call.ended", "customer.number", Treatment::Keep);
    check(r#"{"fields": {"customer": "keep"}}"#, "call.ended", "customer.unheard_of", Treatment::Keep);
    check(r#"{"fields": {"customer": "keep"}}"#, "call.ended", "customers", Treatment::Remove);
    let both = r#"{"fields": {"customer": "keep", "customer.email": "mask"}}"#;
    check(both, "call.ended", "customer.email", Treatment::Mask);
    let typed = r#"{"fields": {"customer.email": "mask", "call.*/customer.email": "pseudonymize",
        "call.ended/customer.email": "keep", "call.*/customer": "remove"}}"#;
    check(typed, "email.sent", "customer.email", Treatment::Mask);
    check(typed, "call.queued", "customer.email", Treatment::Pseudonymize);
    check(typed, "call.ended", "customer.email", Treatment::Keep);
    check(typed, "call.ended", "customer.country", Treatment::Remove);
    check(typed, "email.sent", "customer.country", Treatment::Keep);
    check(r#"{"fields": {"*": "keep"}}"#, "call.ended", "never.heard", Treatment::Keep);
    check(r#"{"fields": {"*": "keep", "never": "remove"}}"#, "call.ended", "never.heard", Treatment::Remove);
}

#[test]
fn what_joins_events_is_never_removed_and_twins_take_the_stricter() {
    let none = decided(r#"{"default": {"types": "all", "fields": "none"}}"#);
    assert_eq!(none.rule("call.ended", "interaction.id").own, Treatment::Pseudonymize);
    let kept = decided(r#"{"default": "none", "fields": {"interaction.id": "keep"}}"#);
    assert_eq!(kept.rule("call.ended", "interaction.id").own, Treatment::Keep);
    for name in ["interaction.id", "call.ended/agent.id"] {
        for treatment in ["remove", "mask"] {
            let refused = draft(&format!(r#"{{"fields": {{"{name}": "{treatment}"}}}}"#)).check(
                Layer::Account,
                Position(7),
                &catalog(),
            );
            let Err(Error::Invalid { pointer, .. }) = refused else { panic!("{name} {treatment}") };
            assert_eq!(pointer, format!("/fields/{}", name.replace('/', "~1")));
        }
    }
    let twins = decided(r#"{"fields": {"agent.id": "pseudonymize", "customer.number": "keep"}}"#);
    assert_eq!(twins.rule("agent.logged_in", "actor.userId").own, Treatment::Pseudonymize);
    assert_eq!(twins.rule("call.ended", "customer.number").own, Treatment::Remove, "its twin is not sent");
    let both = decided(r#"{"fields": {"customer.handle": "mask", "customer.number": "keep"}}"#);
    assert_eq!(both.rule("call.ended", "customer.number").own, Treatment::Mask);
}

#[test]
fn a_ceiling_says_nothing_of_what_it_does_not_name() {
    let account = Decisions::resolve(&settings(r#"{"fields": {"*": "keep"}, "types": {"*": true}}"#), &catalog());
    let open = Decisions::resolve(&narrowing("{}"), &catalog());
    let merged = account.stricter(&open);
    assert_eq!(merged.mark("never.heard"), Mark::Wanted);
    assert_eq!(merged.rule("never.heard", "of.this").own, Treatment::Keep);
    let ceiling =
        Decisions::resolve(&narrowing(r#"{"fields": {"customer": "remove"}, "types": {"call.*": false}}"#), &catalog());
    let merged = account.stricter(&ceiling);
    assert_eq!(merged.rule("email.sent", "customer.email").own, Treatment::Remove);
    assert_eq!(merged.rule("email.sent", "queue.name").own, Treatment::Keep);
    assert_eq!((merged.mark("call.ended"), merged.mark("email.sent")), (Mark::Withheld, Mark::Wanted));
}

#[test]
fn wrong_names_are_refused_with_their_place() {
    let check = |json: &str, expected: &str| {
        let problem = draft(json).check(Layer::Account, Position(7), &catalog()).unwrap_err();
        let Error::Invalid { pointer, detail } = problem else { panic!("{json}: {problem}") };
        assert!(format!("{pointer}: {detail}").starts_with(expected), "{json}: {pointer}: {detail}");
    };
    check(r#"{"types": {"call*": true}}"#, "/types/call*: \"call*\" is no type");
    check(r#"{"types": {"a b": true}}"#, "/types/a b: \"a b\" is no type");
    check(r#"{"fields": {"a..b": "keep"}}"#, "/fields/a..b: \"a..b\" is no field");
    check(r#"{"fields": {"a b": "keep"}}"#, "/fields/a b: \"a b\" is no field");
    check(r#"{"fields": {"call.ended/": "keep"}}"#, "/fields/call.ended~1: \"call.ended/\" is no field");
    check(
        r#"{"fields": {"customer.*": "keep"}}"#,
        "/fields/customer.*: \"customer.*\": an object's name means all in it, so write \"customer\"",
    );
    let many: BTreeMap<String, bool> = (0..2_001).map(|number| (format!("a.t{number}"), true)).collect();
    let refused = RightsDraft { types: many, ..RightsDraft::default() }.check(Layer::Account, Position(7), &catalog());
    assert!(matches!(refused, Err(Error::Limit { limit: 2_000, .. })), "{refused:?}");
    assert!(serde_json::from_str::<RightsDraft>(r#"{"field": {}}"#).is_err());
    assert!(serde_json::from_str::<RightsDraft>(r#"{"fields": {"a": "hide"}}"#).is_err());
}

#[test]
fn what_has_no_effect_is_told() {
    let check = |json: &str, expected: &[&str]| {
        let warnings = Warning::all(&settings(json), &catalog());
        let told: Vec<String> =
            warnings.iter().map(|warning| format!("{}: {}", warning.pointer, warning.detail)).collect();
        assert_eq!(told, expected, "{json}");
    };
    check(
        r#"{"types": {"call.*": true, "queue.snapshot": false}, "fields": {"customer.number": "mask", "agent.login": "keep", "message.text": "remove", "call.ended/customer.email": "pseudonymize", "customer.handle": "mask", "card.fields.iban": "keep"}}"#,
        &[],
    );
    check(
        r#"{"types": {"call.endet": true}}"#,
        &["/types/call.endet: the catalogue knows no such type; did you mean call.ended?"],
    );
    check(r#"{"types": {"fax.*": true}}"#, &["/types/fax.*: the catalogue knows no type of that pattern"]);
    check(
        r#"{"fields": {"customer.nummer": "mask"}}"#,
        &["/fields/customer.nummer: the catalogue knows no such field; did you mean customer.number?"],
    );
    check(
        r#"{"types": {"call.ended": false}, "fields": {"call.ended/ringMs": "keep"}}"#,
        &["/fields/call.ended~1ringMs: it has no effect: no event of that type is sent"],
    );
    check(
        r#"{"fields": {"customer.number": "mask"}}"#,
        &["/fields/customer.number: it is removed all the same, like customer.handle, which may hold the same value"],
    );
    check(
        r#"{"fields": {"interaction": "remove"}}"#,
        &["/fields/interaction: interaction.id joins events, so it is pseudonymized and not removed"],
    );
}

#[test]
fn a_newer_catalogue_changes_nothing_until_rights_are_saved_on_it() {
    let text = r#"
        [[field]]
        path = "customer.iban"
        kind = "string"
        class = "none"
        status = "proposed"
        example = "FR76"
        en = { name = "IBAN", text = "The account." }
        fr = { name = "IBAN", text = "Le compte." }

        [[type]]
        name = "call.rung"
        category = "calls"
        status = "proposed"
        fields = ["customer.iban", "agent.id"]
        en = { name = "Rung", text = "It rang." }
        fr = { name = "Sonné", text = "Il a sonné." }
    "#;
    let (older, rights) = (catalog(), settings("{}"));
    let newer = Catalog::with_files(&[crate::catalog::File { name: "own.toml", text }]).unwrap();
    let before = Decisions::resolve(&rights, &older);
    assert_eq!(before.mark("call.rung"), Mark::Unknown);
    assert_eq!(before.rule("call.ended", "customer.iban").own, Treatment::Remove);
    let expected = [
        PendingItem::Type { name: "call.rung".to_owned(), change: PendingChange::New, now: false, after: true },
        PendingItem::Field {
            name: "customer.iban".to_owned(),
            change: PendingChange::New,
            now: Treatment::Remove,
            after: Treatment::Keep,
        },
    ];
    assert_eq!(pending(&rights, &older, &newer), expected);
    assert_eq!(pending(&rights, &older, &older), []);
}

#[test]
fn a_table_that_would_be_too_large_is_refused_before_it_is_made() {
    // A section of its own for each of a hundred types, with each of a thousand fields.
    let of_types = (0..100).map(|number| format!(r#""t.a{number}/x": "mask""#));
    let fields: Vec<String> = of_types.chain((0..1_000).map(|number| format!(r#""f{number}": "keep""#))).collect();
    let rights = settings(&format!(r#"{{"default": "none", "fields": {{{}}}}}"#, fields.join(",")));
    let table = Table::new(Decisions::resolve(&rights, &catalog()).with_twins_joined());
    assert_eq!(table.map(|_| ()), Err(TableTooLarge { max: 512 * 1024 }));
}

#[test]
fn the_table_is_sorted_lines_behind_the_key() {
    let rights = settings(
        r#"{"default": "none", "types": {"call.*": true, "x.y": false}, "fields": {"call.ended/ringMs": "keep", "*": "mask"}}"#,
    );
    let decisions = Decisions::resolve(&rights, &catalog()).with_twins_joined();
    let text = lines(&decisions).unwrap();
    let table = Arc::new(Table::new(decisions).unwrap());
    let configured = |digit| KeyedTable::new(Arc::clone(&table), Secret::new([digit; 32])).configuration();
    assert_eq!(configured(0), hooklog_rights::prepare(&text).unwrap());
    let configuration = configured(0xab);
    assert_eq!(configuration.lines().next(), Some(&*format!("rights/2 {}", "ab".repeat(32))));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "types 63 ?");
    for expected in [
        "call.* ?",
        "call.ended +",
        "agent.logged_in -",
        "x.y -",
        "fields * 8 m",
        "fields call.ended 9 m",
        "ringMs kk",
        "interaction.id pm",
    ] {
        assert!(lines.contains(&expected), "{expected}: {text}");
    }
    assert!(!text.contains("\nqueue.name "), "what holds without a line has none: {text}");
    let (head, rest) = text.split_once('\n').unwrap();
    assert!(head.len() == 73 && rest.ends_with('\n'));
    let types = &lines[2..65];
    assert!(types.is_sorted() && types.len() == 63);
}

const TYPES: &[&str] = &["call.ended", "call.queued", "call.unheard_of", "agent.logged_in", "never.heard"];
const TYPE_NAMES: &[&str] = &["*", "call.*", "agent.*", "call.ended", "call.unheard_of", "never.heard"];
const PATHS: &[&str] = &[
    "customer",
    "customer.number",
    "customer.handle",
    "customer.unheard_of",
    "queue",
    "queue.ref",
    "card.fields",
    "card.fields.iban",
    "actor",
    "actor.userId",
    "agent",
    "ringMs",
    "never",
    "never.heard",
    "interaction.flow",
];

fn any_rights() -> impl Strategy<Value = RightsSettings> {
    let preset = prop::sample::select(vec![Preset::Recommended, Preset::All, Preset::None]);
    let treatment =
        prop::sample::select(vec![Treatment::Keep, Treatment::Mask, Treatment::Pseudonymize, Treatment::Remove]);
    let field = (prop::option::of(prop::sample::select(TYPE_NAMES)), prop::sample::select([PATHS, &["*"]].concat()))
        .prop_map(|(of_type, path)| {
            let name = of_type.map_or_else(|| path.to_owned(), |of_type| format!("{of_type}/{path}"));
            FieldName::parse(&name).unwrap()
        });
    let type_name = prop::sample::select(TYPE_NAMES).prop_map(|name| TypeName::parse(name).unwrap());
    (
        prop::option::of((preset.clone(), preset).prop_map(|(types, fields)| Defaults { types, fields })),
        prop::collection::btree_map(type_name, any::<bool>(), 0..4),
        prop::collection::btree_map(field, treatment, 0..6),
    )
        .prop_map(|(default, types, fields)| RightsSettings { default, catalog: Position(1), types, fields })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_merged_is_the_stricter_of_each_in_any_order(one in any_rights(), other in any_rights()) {
        let catalog = catalog();
        let (one, other) = (Decisions::resolve(&one, &catalog), Decisions::resolve(&other, &catalog));
        let merged = one.stricter(&other);
        prop_assert_eq!(&merged, &other.stricter(&one));
        prop_assert_eq!(&merged, &merged.stricter(&one));
        let table = Table::new(merged.clone()).unwrap();
        for event_type in TYPES {
            prop_assert_eq!(merged.mark(event_type), one.mark(event_type).max(other.mark(event_type)));
            prop_assert_eq!(table.mark(event_type), merged.mark(event_type));
            for path in PATHS.iter().chain(&["customer.number.deeper", "card.fields.a.b"]) {
                let (here, there) = (one.rule(event_type, path), other.rule(event_type, path));
                let expected = Rule { own: here.own.max(there.own), below: here.below.max(there.below) };
                prop_assert_eq!(merged.rule(event_type, path), expected, "{} {}", event_type, path);
            }
        }
    }

    #[test]
    fn the_name_that_says_most_decides(
        rights in any_rights(),
        event_type in prop::sample::select(TYPES),
        path in prop::sample::select(PATHS),
    ) {
        // Anew from the contract's words, over all names at once.
        let catalog = catalog();
        let decisions = Decisions::resolve(&rights, &catalog);
        let mut best: Option<(&FieldName, Treatment)> = None;
        for (name, treatment) in &rights.fields {
            let means = name.of_type().is_none_or(|of_type| of_type.matches(event_type)) && name.covers(path);
            let beats = |other: &FieldName| {
                let depth = |name: &FieldName| if name.is_star() { 0 } else { name.path().split('.').count() };
                let precision = |name: &FieldName| match name.of_type() {
                    None => 0,
                    Some(of_type) if of_type.is_exact() => usize::MAX,
                    Some(of_type) => of_type.as_str().len(),
                };
                (depth(name), precision(name)) > (depth(other), precision(other))
            };
            if means && best.is_none_or(|(other, _)| beats(other)) {
                best = Some((name, *treatment));
            }
        }
        let found = decisions.rule(event_type, path).own;
        match best {
            Some((_, treatment)) if catalog.field(path).is_some_and(|field| field.is_join) => {
                prop_assert!(found == treatment || (found == Treatment::Pseudonymize && treatment != Treatment::Keep));
            }
            Some((_, treatment)) => prop_assert_eq!(found, treatment),
            None => prop_assert!(rights.default.is_some() || found == Treatment::Keep),
        }
    }
}

use crate::security::Secret;
