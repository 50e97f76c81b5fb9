//! The catalogue that is built in, and what is said of a file with mistakes.

use std::collections::BTreeSet;

use super::*;

fn built_in() -> Catalog {
    Catalog::with_files(&[]).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn complaints(text: &str) -> Vec<String> {
    let file = File { name: "own.toml", text };
    Catalog::with_files(&[file]).map_or_else(|wrong| wrong.iter().map(Mistake::to_string).collect(), |_| Vec::new())
}

fn name(text: &str) -> EventType {
    EventType::parse(text).unwrap()
}

#[test]
fn what_is_built_in_has_sixty_types_and_the_test() {
    let catalog = built_in();
    let count = |status: Status| catalog.types().filter(|(_, entry)| entry.status == status).count();
    assert_eq!(catalog.types().count(), 61);
    assert_eq!([Status::Attested, Status::Documented, Status::Proposed].map(count), [3, 49, 9]);
    let attested: Vec<&str> =
        catalog.types().filter(|(_, entry)| entry.status == Status::Attested).map(|(name, _)| name.as_str()).collect();
    assert_eq!(attested, ["agent.activity_changed", "agent.logged_in", "call.declined"], "INO's own three");
    assert_eq!(catalog, Catalog::built_in());
}

#[test]
fn groups_and_families_stand_for_their_fields() {
    let catalog = built_in();
    let declined = catalog.fields_of(&name("call.declined"));
    for path in ["agent.id", "interaction.channel", "customer.number", "ringMs", "declineReason", "actor.userId"] {
        assert!(declined.contains(path), "{path}");
    }
    assert!(!declined.contains("campaign.kind"), "of the campaign only its reference");
    assert_eq!(catalog.event_type(&name("user.deleted")).unwrap().fields, ["agent.id"]);
    assert!(catalog.event_type(&name("call.unheard_of")).is_none());
}

#[test]
fn every_field_belongs_to_a_type_or_to_the_actor() {
    let catalog = built_in();
    let used: BTreeSet<&str> = catalog.types().flat_map(|(name, _)| catalog.fields_of(name)).collect();
    let unused: Vec<&str> = catalog.fields().map(|(path, _)| path).filter(|path| !used.contains(path)).collect();
    assert_eq!(unused, Vec::<&str>::new());
}

#[test]
fn identity_content_and_links_are_not_recommended() {
    let catalog = built_in();
    let is_recommended = |path: &str| catalog.field(path).unwrap().class.is_recommended();
    for path in ["customer.number", "customer.email", "agent.login", "message.text", "recording.url", "ip"] {
        assert!(!is_recommended(path), "{path}");
    }
    for path in ["interaction.id", "agent.id", "queue.ref", "waitMs"] {
        assert!(is_recommended(path), "{path}");
    }
    assert_eq!(catalog.field("customer.handle").unwrap().twin.as_deref(), Some("customer.number"));
    assert_eq!(catalog.field("actor.userId").unwrap().twin.as_deref(), Some("agent.id"));
}

#[test]
fn both_languages_say_something_of_their_own() {
    let catalog = built_in();
    let texts = catalog.fields().map(|(path, field)| (path.to_owned(), &field.en, &field.fr));
    let types = catalog.types().map(|(name, entry)| (name.to_string(), &entry.en, &entry.fr));
    for (what, en, fr) in texts.chain(types) {
        assert_ne!(en.text, fr.text, "{what}");
        assert!(en.text.is_ascii(), "{what}: {}", en.text);
    }
}

#[test]
fn an_operators_file_adds_and_replaces() {
    let text = r#"
        [[field]]
        path = "shop.id"
        kind = "string"
        class = "none"
        status = "proposed"
        example = "s_1"
        en = { name = "Shop", text = "The shop." }
        fr = { name = "Boutique", text = "La boutique." }

        [[type]]
        name = "call.declined"
        category = "calls"
        status = "proposed"
        fields = ["shop.*", "agent.id"]
        en = { name = "Declined", text = "Ours." }
        fr = { name = "Refusé", text = "Le nôtre." }
    "#;
    let catalog = Catalog::with_files(&[File { name: "own.toml", text }]).unwrap();
    assert_eq!(catalog.types().count(), 61);
    assert_eq!(catalog.event_type(&name("call.declined")).unwrap().fields, ["shop.id", "agent.id"]);
}

#[test]
fn what_is_written_into_the_log_is_read_back() {
    let catalog = built_in();
    let text = catalog.to_text();
    let read = Catalog::from_text(&text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert_eq!(read, catalog);
    assert_eq!(read.to_text(), text);
    assert!(Catalog::from_text("{}").is_err());
}

#[test]
fn a_call_adds_a_type_with_fields_of_its_own() {
    let call: TypeCall = serde_json::from_str(
        r#"{"category": "calls", "fields": ["agent.*", {"path": "shop.id", "kind": "string", "class": "none",
            "status": "proposed", "example": "s_1", "en": {"name": "Shop", "text": "The shop."},
            "fr": {"name": "Boutique", "text": "La boutique."}}],
            "en": {"name": "Rung", "text": "It rang."}, "fr": {"name": "Sonné", "text": "Il a sonné."}}"#,
    )
    .unwrap();
    let catalog = Catalog::with_files_and_calls(&[], &BTreeMap::from([(name("call.rung"), call.clone())])).unwrap();
    let entry = catalog.event_type(&name("call.rung")).unwrap();
    assert!(entry.fields.iter().any(|path| path == "agent.login"), "{:?}", entry.fields);
    assert_eq!((entry.fields.last().map(String::as_str), entry.status), (Some("shop.id"), Status::Proposed));
    assert!(catalog.field("shop.id").is_some());
    let unknown = TypeCall { fields: vec![CalledField::Named("nope".to_owned())], ..call };
    let mistakes = Catalog::with_files_and_calls(&[], &BTreeMap::from([(name("call.rung"), unknown)])).unwrap_err();
    assert_eq!(mistakes[0].to_string(), "call: call.rung: there is no field \"nope\"");
}

#[test]
fn mistakes_are_told_with_their_places_all_at_once() {
    let field = |path: &str, rest: &str| {
        format!(
            "[[field]]\npath = \"{path}\"\nclass = \"none\"\nstatus = \"proposed\"\n{rest}\n\
             en = {{ name = \"x\", text = \"X.\" }}\nfr = {{ name = \"y\", text = \"Y.\" }}\n"
        )
    };
    let check = |text: &str, expected: &[&str]| assert_eq!(complaints(text), expected, "{text}");
    check(
        &field("Shop", "kind = \"string\"\nexample = \"a\""),
        &["own.toml: Shop: a path is names with dots between them, each a small letter and then letters and digits"],
    );
    check(&field("a", "kind = \"integer\"\nleast = 1\nexample = 0"), &["own.toml: a: the example 0 is no such value"]);
    check(&field("a", "kind = \"enum\"\nexample = \"X\""), &["own.toml: a: an enum has values"]);
    check(
        &field("a", "kind = \"string\"\nunit = \"ms\"\nexample = \"X\""),
        &["own.toml: a: least, greatest and unit are for numbers"],
    );
    let unknown = complaints("[[type]]\nname = \"a.b\"\ncolour = 1\n");
    assert!(
        unknown[0].starts_with("own.toml: line 3, column 1: unknown field `colour`, expected one of"),
        "{unknown:?}"
    );
    let twice = field("a", "kind = \"boolean\"\nexample = true").repeat(2);
    check(&twice, &["own.toml: a: is there twice"]);
    let namesakes = field("a.b", "kind = \"boolean\"\nexample = true")
        + "[[type]]\nname = \"a.b\"\ncategory = \"calls\"\nstatus = \"proposed\"\nfields = [\"a.b\"]\n\
           en = { name = \"x\", text = \"X.\" }\nfr = { name = \"y\", text = \"Y.\" }\n";
    check(&namesakes, &[]);
    let both = "[[type]]\nname = \"a b\"\ncategory = \"calls\"\nstatus = \"proposed\"\nfields = [\"nope\", \"@none\"]\n\
                en = { name = \"\", text = \"x\" }\nfr = { name = \"y\", text = \"Y.\" }\n";
    assert_eq!(complaints(both).len(), 5, "{:#?}", complaints(both));
}
