//! What is learned from events, what is drafted of it, and that nobody's data is in the draft.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::catalog::{Category, Class, File};

fn name(text: &str) -> EventType {
    EventType::parse(text).unwrap()
}

fn inferred(events: &[(&str, Value)]) -> Drafts {
    inferred_with(&Catalog::built_in(), events)
}

fn inferred_with(catalog: &Catalog, events: &[(&str, Value)]) -> Drafts {
    let mut inference = Inference::new(catalog);
    for (event_type, data) in events {
        assert!(inference.observe(&name(event_type), None, &data.to_string()), "{data}");
    }
    inference.drafts()
}

fn with_draft(text: &str) -> Catalog {
    let file = File { name: "draft.toml", text };
    Catalog::with_files(&[file]).unwrap_or_else(|mistakes| panic!("{mistakes:#?}\n{text}"))
}

#[track_caller]
fn field<'d>(drafts: &'d Drafts, path: &str) -> &'d InferredField {
    let paths: Vec<&str> = drafts.fields.iter().map(|field| field.path.as_str()).collect();
    drafts.fields.iter().find(|field| field.path == path).unwrap_or_else(|| panic!("{path} is not among {paths:?}"))
}

fn paths(drafts: &Drafts) -> Vec<&str> {
    drafts.fields.iter().map(|field| field.path.as_str()).collect()
}

#[test]
fn a_draft_reads_as_agreed() {
    let mut inference = Inference::new(&Catalog::built_in());
    for turn in 0..40 {
        let phase = ["GLAZE", "BISQUE"][turn % 2];
        let data = json!({
            "interaction": { "id": format!("i_{turn}"), "channel": "VOICE" },
            "kiln": { "ref": format!("k_{turn}"), "firedAt": "2026-03-02T09:14:07.512Z", "phase": phase },
            "dwellMs": 1200 + turn,
            "remark": "Rappeler Mme Petit au +33 6 12 34 56 78",
            "first_word": "hello",
            "ringMs": "none",
            "byLine": { "+33612345678": 3 },
            "readings": [{ "celsius": 812.5 }, { "celsius": 900 }],
        });
        let actor = json!({ "kind": "USER", "userId": "u_1", "badge": "b_7" }).to_string();
        let event_type = name(["call.declined", "kiln.fired"][turn % 2]);
        assert!(inference.observe(&event_type, Some(&actor), &data.to_string()));
    }
    let text = inference.drafts().to_toml();
    let catalog = with_draft(&text);
    assert_eq!(catalog.types().count(), 62);
    insta::assert_snapshot!("draft", text);
}

#[test]
fn a_known_type_keeps_its_fields_and_gets_the_new_ones() {
    let built_in = Catalog::built_in();
    let declined = name("call.declined");
    let drafts = inferred(&[("call.declined", json!({ "kiln": { "ref": "k_1" }, "waitMs": 3, "listenMs": 2 }))]);
    let text = drafts.to_toml();
    let entry = with_draft(&text).event_type(&declined).unwrap().clone();
    let old = built_in.event_type(&declined).unwrap();
    assert!(old.fields.iter().all(|path| entry.fields.contains(path)));
    assert_eq!((entry.category, entry.status, &entry.en), (old.category, old.status, &old.en));
    assert_eq!(entry.fields[old.fields.len()..], drafts.types[0].added);
    assert!(drafts.types[0].added.contains(&"kiln.ref".to_owned()));
    assert!(drafts.types[0].added.contains(&"listenMs".to_owned()), "known, and not of this type");
}

#[test]
fn what_the_catalogue_knows_is_not_drafted() {
    let drafts = inferred(&[("call.declined", json!({ "ringMs": 9200, "interaction": { "channel": "SMS" } }))]);
    assert_eq!(drafts.unknown_fields().count() + drafts.unknown_types().count(), 0);
    assert!(!drafts.to_toml().contains("[["));
    assert_eq!(field(&drafts, "ringMs").known, Some(Known { kind: "integer", is_as_seen: true }));
    let drafts = inferred(&[("call.declined", json!({ "ringMs": "9200", "interaction": { "channel": "FAX" } }))]);
    for path in ["ringMs", "interaction.channel"] {
        assert!(!field(&drafts, path).known.unwrap().is_as_seen, "{path}");
        assert!(drafts.to_toml().contains(&format!("#   {path}: ")), "{}", drafts.to_toml());
    }
    assert!(!drafts.to_toml().contains("FAX"));
}

#[test]
fn kinds_are_told_and_mixtures_are_said() {
    let check = |values: &[Value], kind: &str, kinds: &[(&str, u64)]| {
        let events: Vec<(&str, Value)> = values.iter().map(|value| ("a.b", json!({ "zeta": value }))).collect();
        let drafts = inferred(&events);
        let seen = field(&drafts, "zeta");
        let told: Vec<(&str, u64)> = seen.seen.iter().map(|seen| (seen.kind, seen.values)).collect();
        assert_eq!((seen.kind, told.as_slice()), (kind, kinds), "{values:?}");
        with_draft(&drafts.to_toml());
    };
    check(&[json!("a b")], "string", &[("string", 1)]);
    check(&[json!(1), json!(-3)], "integer", &[("integer", 2)]);
    check(&[json!(1), json!(1.5)], "number", &[("integer", 1), ("number", 1)]);
    check(&[json!(true)], "boolean", &[("boolean", 1)]);
    check(&[json!("2026-03-02T09:14:07+01:00")], "instant", &[("instant", 1)]);
    check(&[json!("2026-03-02T09:14:07Z"), json!("soon")], "string", &[("string", 1), ("instant", 1)]);
    check(&[json!("a"), json!(1)], "string", &[("string", 1), ("integer", 1)]);
    check(&[json!(["a", "b"]), json!([])], "strings", &[("strings", 2)]);
    check(&[json!([1, 2])], "integer", &[("integer", 2)]);
    check(&[json!({})], "object", &[("object", 1)]);
    check(&[json!([{}])], "objects", &[("objects", 1)]);
    check(&[json!([]), json!(null)], "strings", &[]);
    check(&[json!(null)], "string", &[]);
}

#[test]
fn members_of_lists_have_the_path_of_the_list() {
    let drafts = inferred(&[("a.b", json!({ "zeta": [[{ "x": 1 }], { "x": 2, "y": { "z": true } }] }))]);
    assert_eq!(paths(&drafts), ["zeta.x", "zeta.y.z"]);
    assert_eq!(field(&drafts, "zeta.x").events, 1);
}

#[test]
fn keys_are_compared_unescaped() {
    let mut inference = Inference::new(&Catalog::built_in());
    assert!(inference.observe(&name("a.b"), None, r#"{"zeta":1}"#));
    assert!(inference.observe(&name("a.b"), None, r#"{"\u007aeta":2}"#));
    assert_eq!(inference.drafts().fields.len(), 1);
}

#[test]
fn an_enum_has_few_words_over_many_events_and_no_name_of_a_person() {
    let events = |path: &str, words: &[&str], count: usize| -> Vec<(&'static str, Value)> {
        (0..count).map(|turn| ("a.b", json!({ path: words[turn % words.len()] }))).collect()
    };
    let values = |drafts: &Drafts, path: &str| (field(drafts, path).kind, field(drafts, path).values.clone());
    let many = events("phase", &["GLAZE", "BISQUE"], 40);
    assert_eq!(values(&inferred(&many), "phase"), ("enum", vec!["BISQUE".to_owned(), "GLAZE".to_owned()]));
    assert_eq!(values(&inferred(&many[..10]), "phase").0, "string", "too few events");
    assert_eq!(values(&inferred(&events("lastName", &["MARTIN", "DUPONT"], 40)), "lastName").0, "string");
    assert_eq!(values(&inferred(&events("ville", &["PARIS", "LYON"], 40)), "ville").0, "string");
    assert_eq!(values(&inferred(&events("caller", &["MARTIN", "DUPONT"], 40)), "caller").0, "string");
    assert_eq!(values(&inferred(&events("phase", &["MARTIN"], 40)), "phase").0, "string", "a word alone");
    let mut rare = many.clone();
    rare.push(("a.b", json!({ "phase": "DUPONT" })));
    let drafts = inferred(&rare);
    assert_eq!((values(&drafts, "phase").1.len(), field(&drafts, "phase").rare_values), (2, 1));
    assert!(!drafts.to_toml().contains("DUPONT"));
    rare.push(("a.b", json!({ "phase": "a word" })));
    assert_eq!(values(&inferred(&rare), "phase").0, "string");
    let one_event = json!({ "phase": vec!["GLAZE"; 40] });
    assert!(!inferred(&[("a.b", one_event)]).to_toml().contains("GLAZE"));
}

#[test]
fn numbers_are_told_by_their_digits_only() {
    let check = |values: &[f64], least: i64, greatest: i64| {
        let events: Vec<_> = values.iter().map(|value| ("a.b", json!({ "zeta": value }))).collect();
        assert_eq!(field(&inferred(&events), "zeta").bounds, Some(Bounds { least, greatest }), "{values:?}");
    };
    check(&[9200.0, 41.0], 10, 10_000);
    check(&[0.0], 0, 0);
    check(&[10.0], 10, 10);
    check(&[0.5, 1.0], 0, 1);
    check(&[-7.0, -0.5], -10, 0);
    check(&[-700.0, -42.0], -1000, -10);
    let huge = inferred(&[("a.b", json!({ "zeta": 1e300 }))]);
    assert_eq!(field(&huge, "zeta").bounds, None);
}

#[test]
fn units_and_their_bounds_come_from_names() {
    let drafts =
        inferred(&[("a.b", json!({ "dwellMs": 3, "gainPct": 3.5, "lossPct": -1, "textMs": "soon", "zeta": 3 }))]);
    let unit = |path: &str| {
        let field = field(&drafts, path);
        (field.unit, field.least, field.greatest)
    };
    assert_eq!(unit("dwellMs"), (Some("ms"), Some(0), None));
    assert_eq!(unit("gainPct"), (Some("%"), Some(0), Some(100)));
    assert_eq!(unit("lossPct"), (Some("%"), None, None));
    assert_eq!((unit("textMs"), unit("zeta")), ((None, None, None), (None, None, None)));
    with_draft(&drafts.to_toml());
}

#[test]
fn an_object_with_keys_of_data_is_one_field() {
    let drafts = inferred(&[("a.b", json!({ "totals": { "all": 3, "+33612345678": { "count": 3 } } }))]);
    assert_eq!(paths(&drafts), ["totals"]);
    let totals = field(&drafts, "totals");
    assert_eq!((totals.kind, totals.class, &totals.example), ("object", Class::Content, &json!({})));
    let names: Vec<_> = (0..40_u8)
        .map(|turn| {
            ("a.b", json!({ "byName": { format!("n{}", char::from(b'a' + turn % 26).to_string().repeat(5)): 1 } }))
        })
        .collect();
    assert_eq!(paths(&inferred(&names)), ["byName"], "many keys, and each object has one");
    let wide: Map<String, Value> = (0..100_u8)
        .map(|at| (format!("k{}{}", char::from(b'a' + at / 10), char::from(b'a' + at % 10)), json!(1)))
        .collect();
    assert_eq!(paths(&inferred(&[("a.b", json!({ "wide": [wide] }))])), ["wide"], "too many keys");
    let sparse: Vec<_> = (0..40).map(|_| ("a.b", json!({ "agent": { "4821": 1, "id": "u_1" }, "7": 1 }))).collect();
    let drafts = inferred(&sparse);
    assert_eq!((paths(&drafts), drafts.left_out.keys), (vec!["agent.id"], 80), "the catalogue has names below agent");
}

#[test]
fn members_of_an_object_of_the_catalogue_are_its_own() {
    let drafts = inferred(&[("case.updated", json!({ "case": { "fields": { "city": "Paris" }, "id": "k_1" } }))]);
    assert_eq!(paths(&drafts), ["case.fields", "case.id"]);
}

#[test]
fn a_path_of_data_is_not_taken_for_the_actors() {
    let mut inference = Inference::new(&Catalog::built_in());
    assert!(inference.observe(&name("a.b"), Some(r#"{"shift":1}"#), r#"{"actor":{"userId":1,"x":2}}"#));
    assert!(inference.observe(&name("a.b"), Some(" null "), "{}"));
    let drafts = inference.drafts();
    assert_eq!((paths(&drafts), drafts.left_out.shadowed), (vec!["actor.shift"], 1));
    assert_eq!(drafts.types[0].fields, Vec::<String>::new(), "every type has the actor's fields");
    let catalog = with_draft(&drafts.to_toml());
    assert!(catalog.fields_of(&name("a.b")).contains("actor.shift"));
}

#[test]
fn a_guessed_category_is_never_the_one_that_rights_do_not_touch() {
    let catalog = Catalog::built_in();
    for (event_type, _) in catalog.types() {
        let family = event_type.as_str().split('.').next().unwrap();
        let drafts = inferred(&[(&format!("{family}.unheard_of"), json!({}))]);
        assert_ne!(drafts.types[0].category, Category::System, "{family}");
    }
    assert_eq!(inferred(&[("call.unheard_of", json!({}))]).types[0].category, Category::Calls);
}

#[test]
fn what_is_no_event_is_counted_and_not_learned() {
    let mut inference = Inference::new(&Catalog::built_in());
    let texts = ["", "{", "[]", "1", "null", "{\"a\":1}{", "{\"a\":1,\"a\":2}", "{\"a\":\"\\ud800\"}", "{\"a\":1,}"];
    for text in texts {
        assert!(!inference.observe(&name("a.b"), None, text), "{text}");
        assert_eq!(!inference.observe(&name("a.b"), Some(text), "{\"a\":1}"), text != "null", "{text}");
    }
    let drafts = inference.drafts();
    assert_eq!((drafts.events, drafts.malformed, drafts.fields.len()), (1, 17, 1));
}

#[test]
fn memory_has_a_bound_and_what_is_beyond_is_counted() {
    let mut inference = Inference::new(&Catalog::built_in());
    let letters = |mut number: usize| {
        let mut text = String::from("k");
        for _ in 0..3 {
            text.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
            number /= 26;
        }
        text
    };
    for number in 0..400 {
        let of_type: Map<String, Value> = (0..40)
            .map(|member| (letters(member), json!({ "deep": { letters(number): { letters(member): number } } })))
            .collect();
        let long = "y".repeat(60);
        let data = json!({ letters(number): of_type, "z": { &long: { &long: { &long: { &long: 1 } } } } });
        assert!(inference.observe(&name(&letters(number)), None, &data.to_string()));
    }
    assert!(inference.room <= NODES_MAX);
    let drafts = inference.drafts();
    assert!(drafts.types.len() == TYPES_MAX && drafts.fields.len() <= NODES_MAX);
    let LeftOut { types, fields, paths, .. } = drafts.left_out;
    assert!(types == 144 && fields > 0 && paths > 0, "{:?}", drafts.left_out);
    with_draft(&drafts.to_toml());
}

#[test]
fn the_json_view_is_in_camel_case() {
    let drafts = serde_json::to_value(inferred(&[("a.b", json!({ "dwellMs": 3 }))])).unwrap();
    assert_eq!(drafts["leftOut"]["keys"], 0);
    assert_eq!(drafts["types"][0]["isKnown"], false);
    assert_eq!(drafts["fields"][0]["isLegal"], true);
    assert_eq!(drafts["fields"][0]["class"], "worker");
    assert_eq!(drafts["fields"][0]["bounds"], json!({ "least": 1, "greatest": 10 }));
}

#[derive(Debug, Clone)]
struct Observed {
    event_type: String,
    actor: Option<Value>,
    data: Value,
}

fn learn(catalog: &Catalog, events: &[Observed], turns: usize) -> Drafts {
    let mut inference = Inference::new(catalog);
    for Observed { event_type, actor, data } in std::iter::repeat_n(events, turns).flatten() {
        let actor = actor.as_ref().map(Value::to_string);
        inference.observe(&name(event_type), actor.as_deref(), &data.to_string());
    }
    inference.drafts()
}

fn any_object(
    key: impl Strategy<Value = String> + Clone + 'static,
    leaf: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = Value> + Clone {
    let of_members = |members: Vec<(String, Value)>| Value::Object(members.into_iter().collect());
    let keys = key.clone();
    let value = leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((keys.clone(), inner), 0..8).prop_map(of_members),
        ]
    });
    proptest::collection::vec((key, value), 0..8).prop_map(of_members)
}

fn any_events(object: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Vec<Observed>> {
    let known = prop::sample::select(&["call.declined", "agent.logged_in", "webhook.test", "shop", "a.b"][..]);
    let event_type = prop_oneof![known.prop_map(str::to_owned), "[A-Za-z0-9_.:-]{1,12}"];
    let event = (event_type, prop::option::of(object.clone()), object).prop_map(|(event_type, actor, data)| Observed {
        event_type,
        actor,
        data,
    });
    proptest::collection::vec(event, 1..12)
}

fn any_key() -> impl Strategy<Value = String> + Clone {
    let known = prop::sample::select(
        &["agent", "id", "interaction", "channel", "case", "fields", "answers", "actor", "a", "b", "ringMs", "isOpen"]
            [..],
    );
    let other = prop::sample::select(&["first_name", "Name", "+33612345678", "c.martin", "slaPct", "numéro", ""][..]);
    prop_oneof![
        4 => known.prop_map(str::to_owned),
        1 => other.prop_map(str::to_owned),
        1 => "[a-z][A-Za-z0-9]{0,6}",
        1 => "\\PC{0,8}",
    ]
}

fn any_leaf() -> impl Strategy<Value = Value> {
    let word =
        prop::sample::select(&["USER", "SAML_V2", "paris", "u_1", "2026-03-02T09:14:07Z", "a@b.c", "", "x y"][..]);
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

#[test]
fn the_catalogue_takes_every_draft_and_then_lacks_nothing() {
    let turns = prop_oneof![Just(1_usize), Just(25)];
    let events = any_events(any_object(any_key(), any_leaf()));
    proptest!(ProptestConfig::with_cases(120), |(events in events, turns in turns)| {
        let text = learn(&Catalog::built_in(), &events, turns).to_toml();
        let catalog = Catalog::with_files(&[File { name: "draft.toml", text: &text }]);
        let catalog = match catalog {
            Ok(catalog) => catalog,
            Err(mistakes) => return Err(TestCaseError::fail(format!("{mistakes:#?}\n{text}"))),
        };
        let again = learn(&catalog, &events, turns);
        prop_assert!(!again.to_toml().contains("[["), "{text}\n\n{}", again.to_toml());
    });
}

/// Texts that somebody would know again: long enough, and not all of them punctuation or `x`.
fn any_canary() -> impl Strategy<Value = String> + Clone {
    let text = prop_oneof![
        "[A-Z][a-z]{6,12}",
        "[A-Z]{8,12}",
        "[a-z]{4,8}\\.[a-z]{4,8}",
        "[a-z]{4,8}@[a-z]{4,8}\\.(fr|com)",
        "\\+33[1-9]{9}",
        "[1-9]{9,14}",
        "[a-z]_[1-9]{6,9}",
        "https://[a-z]{5,9}\\.[a-z]{3}/[a-z]{6}",
        "[A-Z][a-z]{4,8} [A-Z][a-z]{4,8}",
        "2[1-9]{3}-0[1-9]-1[1-9]T1[1-9]:1[1-9]:1[1-9]Z",
        "[a-zé日١-٩]{6,12}",
    ];
    text.prop_filter("it is its own shape", |text| blank::blank(text) != *text)
}

/// Keys that are rather data: numbers, logins, addresses, ids.
fn any_key_of_data() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        "\\+33[1-9]{9}",
        "[1-9]{6,14}",
        "[a-z]{4,8}\\.[a-z]{4,8}",
        "[a-z]{4,8}@[a-z]{4,8}\\.fr",
        "[A-Z][a-z]{4,8} [A-Z][a-z]{4,8}",
        "[a-z]_[1-9]{6,9}",
    ]
}

#[test]
fn no_text_of_an_event_is_in_a_draft() {
    let names = prop::sample::select(
        &[
            "agent",
            "id",
            "lastName",
            "case",
            "fields",
            "zeta",
            "ref",
            "phase",
            "first_name",
            "channel",
            "declineReason",
        ][..],
    );
    let key = prop_oneof![6 => names.prop_map(str::to_owned), 1 => any_key_of_data()];
    let number = prop_oneof![1_234_567_i64..i64::MAX, i64::MIN..-1_234_567];
    let leaf = prop_oneof![4 => any_canary().prop_map(Value::from), 1 => number.prop_map(Value::from)];
    let turns = prop_oneof![Just(1_usize), Just(2)];
    let events = any_events(any_object(key, leaf));
    proptest!(ProptestConfig::with_cases(150), |(events in events, turns in turns)| {
        let drafts = learn(&Catalog::built_in(), &events, turns);
        let written = drafts.to_toml() + &serde_json::to_string(&drafts).unwrap();
        let mut texts = Vec::new();
        for event in &events {
            texts_of(&event.data, &mut texts);
            event.actor.iter().for_each(|actor| texts_of(actor, &mut texts));
        }
        for text in texts {
            prop_assert!(!written.contains(&text), "{text}\n{written}");
        }
    });
}

/// Collects the values, and the keys that are data.
fn texts_of(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) if !is_power_of_ten(&number.to_string()) => texts.push(number.to_string()),
        Value::Number(_) | Value::Null | Value::Bool(_) => {}
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(members) => {
            texts.extend(members.keys().filter(|key| blank::is_data(key)).cloned());
            members.values().for_each(|member| texts_of(member, texts));
        }
    }
}

fn is_power_of_ten(text: &str) -> bool {
    text.trim_start_matches('-').strip_prefix('1').is_some_and(|zeros| zeros.bytes().all(|byte| byte == b'0'))
}

#[test]
fn any_text_at_all_is_taken_without_a_panic() {
    proptest!(|(text in "[\\[\\]{}\",:0-9a-z\\\\ \n-]{0,60}", actor in any::<Option<String>>())| {
        let mut inference = Inference::new(&Catalog::built_in());
        inference.observe(&name("a.b"), actor.as_deref(), &text);
        inference.observe(&name("a.b"), None, &format!("{{\"a\":{text}}}"));
        with_draft(&inference.drafts().to_toml());
    });
}
