//! Accounts over a real log: commands, the fold after a restart, secrets, tokens.

use std::path::Path;
use std::sync::Mutex as StdMutex;
use std::time::Duration;

use super::*;
use crate::log::{Durability, Log, Retention};
use crate::model::Permission;
use crate::security::SignatureScheme::{V1, V1a};
use crate::telemetry::Metrics;

struct Opened {
    log: Log,
    accounts: Accounts,
    clock: Clock,
}

async fn open(directory: &Path) -> Opened {
    open_with(directory, Vec::new()).await
}

async fn open_with(directory: &Path, catalog_files: Vec<OwnFile>) -> Opened {
    let options = log::Options {
        directory: directory.to_owned(),
        durability: Durability::Fsync,
        queue_bytes_max: 1 << 20,
        tail_bytes_max: 1 << 20,
        write_buffer_bytes: 8 << 20,
        cache_bytes: 1 << 20,
        disk_reserve_bytes: 0,
        retention: Retention { max_age: Duration::from_secs(3600), max_bytes: None, hard_max_bytes: None },
    };
    let clock = Clock::manual(1_000_000);
    let mut random = Random::from_machine().expect("the machine gives randomness");
    let log = Log::open(&options, clock.clone(), &mut random, Metrics::new().log).expect("the log opens");
    let options = Options {
        directory: directory.to_owned(),
        key: KeySource::File(directory.join("master.key")),
        operator_token: TokenHash::of("hlo_operator"),
        https_only: true,
        address_rules: AddressRules::new(Vec::new()),
        catalog_files,
    };
    let accounts = Accounts::open(options, log.handle(), clock.clone(), random).await.expect("the accounts open");
    Opened { log, accounts, clock }
}

fn account_name(name: &str) -> AccountName {
    AccountName::parse(name).expect("tests give good names")
}

fn endpoint_name(name: &str) -> EndpointName {
    EndpointName::parse(name).expect("tests give good names")
}

fn draft(json: &str) -> EndpointDraft {
    serde_json::from_str(json).expect("tests give good drafts")
}

impl Opened {
    async fn put_account(&self, name: &str) -> Arc<Account> {
        let name = account_name(name);
        let put = self.accounts.put_account(&name, AccountSettings::default(), Condition::None, &Who::Operator);
        put.await.expect("the account is taken").0
    }

    async fn put(&self, json: &str) -> Result<(Arc<Endpoint>, bool), Error> {
        self.put_as(json, Condition::None, false).await
    }

    async fn put_as(&self, json: &str, condition: Condition, may_move: bool) -> Result<(Arc<Endpoint>, bool), Error> {
        let (account, name) = (account_name("acme"), endpoint_name("crm"));
        let may = May { move_secrets: may_move, change_rights: true };
        self.accounts.put_endpoint(&account, &name, draft(json), condition, &Who::Operator, may).await
    }
}

#[tokio::test]
async fn settings_are_there_after_a_restart_as_they_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    let acme = opened.put_account("acme").await;
    let globex = opened.put_account("globex").await;
    assert_ne!(acme.id, globex.id);
    let (written, is_new) = opened
        .put(r#"{"url": "https://example.com/in?token=1", "auth": {"type": "basic", "username": "u", "password": "swordfish"}, "headers": {"x-a": "b"}}"#)
        .await
        .unwrap();
    assert!(is_new);
    let secrets = opened.accounts.signers(&written.settings.value, Timestamp(0)).unwrap();
    opened.log.close().await.unwrap();
    drop(opened.accounts);

    let opened = open(directory.path()).await;
    let read = opened.accounts.endpoint(&account_name("acme"), &endpoint_name("crm")).unwrap();
    assert_eq!(read, written);
    let credentials = opened.accounts.credentials(&read.settings.value).unwrap();
    let expected = Credentials::Basic { username: "u".to_owned(), password: Secret::new("swordfish".to_owned()) };
    assert_eq!(credentials, expected);
    let again = opened.accounts.signers(&read.settings.value, Timestamp(0)).unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1.expose_bytes(), secrets[0].1.expose_bytes());
    for file in ["keystore", "log"] {
        assert!(!holds(&directory.path().join(file), b"swordfish"), "{file} shows a secret");
    }
    opened.log.close().await.unwrap();
}

fn holds(path: &Path, needle: &[u8]) -> bool {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().any(|entry| holds(&entry.unwrap().path(), needle));
    }
    std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn a_new_endpoint_of_an_old_name_shares_nothing_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    let (first, _) = opened.put(r#"{"url": "https://example.com/"}"#).await.unwrap();
    let (account, name) = (account_name("acme"), endpoint_name("crm"));
    opened.accounts.delete_endpoint(&account, &name, Condition::None, &Who::Operator).await.unwrap();
    assert!(matches!(opened.accounts.endpoint(&account, &name), Err(Error::EndpointNotFound(_))));
    opened.log.close().await.unwrap();
    drop(opened.accounts);
    let opened = open(directory.path()).await;
    let (second, is_new) = opened.put(r#"{"url": "https://example.com/"}"#).await.unwrap();
    assert!(is_new);
    assert_ne!(first.id, second.id);
    assert_ne!(first.settings.value.keys[0].id, second.settings.value.keys[0].id);
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn if_match_is_honoured_and_says_who_changed_it() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    let json = r#"{"url": "https://example.com/"}"#;
    assert!(matches!(opened.put_as(json, Condition::Present, false).await, Err(Error::Changed { .. })));
    let (first, _) = opened.put_as(json, Condition::Absent, false).await.unwrap();
    let (same, _) = opened.put_as(json, Condition::At(first.settings.revision), false).await.unwrap();
    assert_eq!(same.settings.revision, first.settings.revision, "what changes nothing is no command");
    let json = r#"{"url": "https://example.com/in"}"#;
    let (second, _) = opened.put_as(json, Condition::At(first.settings.revision), false).await.unwrap();
    let refused = opened.put_as(json, Condition::At(first.settings.revision), false).await.unwrap_err();
    let expected = Error::Changed { revision: second.settings.revision, at: Timestamp(1_000_000), by: Who::Operator };
    assert_eq!(refused, expected);
    let text = opened.accounts.revision(second.settings.revision);
    assert_eq!(opened.accounts.read_revision(&text).unwrap(), second.settings.revision);
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn a_secret_never_follows_to_another_host_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    let with = |url: &str, auth: &str| format!(r#"{{"url": "{url}", "auth": {auth}}}"#);
    let bearer = r#"{"type": "bearer", "token": "t1"}"#;
    let kept = r#"{"type": "bearer"}"#;
    assert!(matches!(opened.put(&with("https://a.example/", kept)).await, Err(Error::Invalid { .. })));
    opened.put(&with("https://a.example/x", bearer)).await.unwrap();
    let (same, _) = opened.put(&with("https://a.example/y", kept)).await.unwrap();
    let credentials = opened.accounts.credentials(&same.settings.value).unwrap();
    assert_eq!(credentials, Credentials::Bearer { token: Secret::new("t1".to_owned()) });
    for moved in ["https://b.example/", "https://a.example:8443/"] {
        let refused = opened.put(&with(moved, kept)).await.unwrap_err();
        assert!(matches!(refused, Error::Forbidden { missing: Permission::Secrets, .. }), "{moved}: {refused:?}");
    }
    assert!(opened.put_as(&with("https://b.example/", kept), Condition::None, true).await.is_ok());
    assert!(opened.put(&with("https://c.example/", bearer)).await.is_ok(), "given anew it may go anywhere");
    let other_kind = r#"{"type": "header", "name": "x-key"}"#;
    assert!(matches!(opened.put(&with("https://c.example/", other_kind)).await, Err(Error::Invalid { .. })));
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn forbidden_addresses_are_refused_when_saved() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://0x7f000001/",
        "https://[::1]/",
        "ftp://x/",
        "https://localhost/",
    ] {
        let refused = opened.put(&format!(r#"{{"url": "{url}"}}"#)).await;
        assert!(matches!(refused, Err(Error::Url(_))), "{url}: {refused:?}");
    }
    opened.log.close().await.unwrap();
}

#[track_caller]
fn check_invalid(refused: Error, at: &str, words: &str) {
    let Error::Invalid { pointer, detail } = refused else { panic!("{refused:?}") };
    assert!(pointer == at && detail.contains(words), "{pointer}: {detail}");
}

#[tokio::test]
async fn fields_for_very_many_types_are_refused_before_anything_is_made_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    let of_types = (0..1_000).map(|number| format!(r#""t.a{number}/x": "mask""#));
    let fields: Vec<String> = of_types.chain((0..1_000).map(|number| format!(r#""f{number}": "keep""#))).collect();
    let rights: RightsDraft = serde_json::from_str(&format!(r#"{{"fields": {{{}}}}}"#, fields.join(","))).unwrap();
    let refused = opened.accounts.put_rights(&account_name("acme"), &rights, Condition::None, &Who::Operator).await;
    check_invalid(refused.unwrap_err(), "/fields", "2000 fields for 1001 types");
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn rights_that_would_be_too_large_together_are_refused_when_saved() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    let account = account_name("acme");
    // Each type that is named has all nine hundred fields in a section of its own: twenty here, and twenty more there.
    let of_types = |letter: char| (0..20).map(move |number| format!(r#""t.{letter}{number}/x": "mask""#));
    let types = ['a', 'b'].map(|letter| (0..20).map(move |number| format!(r#""t.{letter}{number}": true"#)));
    let types: Vec<String> = types.into_iter().flatten().collect();
    let fields: Vec<String> =
        of_types('a').chain((0..900).map(|number| format!(r#""field_number_{number}": "keep""#))).collect();
    let wide =
        format!(r#"{{"default": "none", "types": {{{}}}, "fields": {{{}}}}}"#, types.join(","), fields.join(","));
    let narrowing = format!(r#"{{"fields": {{{}}}}}"#, of_types('b').collect::<Vec<_>>().join(","));
    let draft = |text: &str| serde_json::from_str::<RightsDraft>(text).unwrap();
    let large = |refused, at| check_invalid(refused, at, "together");
    let put = async |rights: RightsDraft| {
        opened.accounts.put_rights(&account, &rights, Condition::None, &Who::Operator).await
    };
    put(draft(&wide)).await.unwrap();
    let ceiling = draft(&narrowing);
    let refused = opened.accounts.put_ceiling(&account, Some(&ceiling), Condition::None, &Who::Operator).await;
    large(refused.unwrap_err(), "/fields");
    let endpoint = format!(r#"{{"url": "https://example.com/", "rights": {narrowing}}}"#);
    large(opened.put(&endpoint).await.unwrap_err(), "/rights/fields");
    // The other way round: they meet those that are there.
    put(RightsDraft::default()).await.unwrap();
    opened.put(&endpoint).await.unwrap();
    large(put(draft(&wide)).await.unwrap_err(), "/fields");
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn keys_are_rotated_with_an_overlap() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    let (first, _) = opened.put(r#"{"url": "https://example.com/"}"#).await.unwrap();
    let (account, name) = (account_name("acme"), endpoint_name("crm"));
    let hour = Duration::from_secs(3600);
    let second = opened.accounts.rotate_key(&account, &name, hour, NewKey::Made(V1), &Who::Operator).await.unwrap();
    let ids = |settings: &EndpointSettings, ms| {
        let secrets = opened.accounts.signers(settings, Timestamp(ms)).unwrap();
        secrets.iter().map(|(key, _)| key.id).collect::<Vec<_>>()
    };
    let (old, new) = (first.settings.value.keys[0].id, second.settings.value.keys[0].id);
    let settings = &second.settings.value;
    assert_eq!(ids(settings, 1_000_000), [new, old]);
    assert_eq!(ids(settings, 1_000_000 + 3_600_000), [new], "the old key ends with the overlap");
    let refused = opened.accounts.delete_key(&account, &name, new, &Who::Operator).await;
    assert!(matches!(refused, Err(Error::NotNow(_))), "{refused:?}");
    opened.accounts.delete_key(&account, &name, old, &Who::Operator).await.unwrap();
    let third =
        opened.accounts.rotate_key(&account, &name, Duration::ZERO, NewKey::Made(V1), &Who::Operator).await.unwrap();
    assert_eq!(third.settings.value.keys.len(), 1, "at once means at once");
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn each_scheme_has_keys_of_its_own_and_only_what_is_signed_with_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    let (account, name) = (account_name("acme"), endpoint_name("crm"));
    let used = |endpoint: &Endpoint| {
        let signers = opened.accounts.signers(&endpoint.settings.value, Timestamp(1_000_000)).unwrap();
        signers.iter().map(|(key, signer)| (key.id, signer.scheme())).collect::<Vec<_>>()
    };
    let put = async |signing: &str| {
        let draft = format!(r#"{{"url": "https://example.com/", "signing": "{signing}"}}"#);
        used(&opened.put(&draft).await.unwrap().0)
    };
    let [(first, V1)] = put("v1").await[..] else { panic!("one key") };
    let both = put("both").await;
    let [(_, V1), (pair, V1a)] = both[..] else { panic!("a key for each: {both:?}") };
    assert_eq!(both[0].0, first, "the one that was there stays");
    assert_eq!(put("v1a").await, [(pair, V1a)]);
    assert_eq!(put("none").await, []);
    assert_eq!(put("both").await, both, "what is not used is kept");
    // One scheme's rotation leaves the other as it is.
    let hour = Duration::from_secs(3600);
    let rotated = opened.accounts.rotate_key(&account, &name, hour, NewKey::Made(V1a), &Who::Operator).await.unwrap();
    let [(new, V1a), (kept, V1), (old, V1a)] = used(&rotated)[..] else { panic!("{:?}", used(&rotated)) };
    assert_eq!((kept, old), (first, pair));
    for newest in [new, kept] {
        let refused = opened.accounts.delete_key(&account, &name, newest, &Who::Operator).await;
        assert!(matches!(refused, Err(Error::NotNow(_))), "{refused:?}");
    }
    let at_once = NewKey::Made(V1);
    let rotated = opened.accounts.rotate_key(&account, &name, Duration::ZERO, at_once, &Who::Operator).await.unwrap();
    assert_eq!(used(&rotated)[1..], [(new, V1a), (old, V1a)], "at once, and only what is of its scheme");
    assert!(used(&rotated)[0].0 != first);
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn tokens_are_who_they_are_until_they_expire_or_are_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    let acme = opened.put_account("acme").await;
    assert!(matches!(opened.accounts.identify("hlo_operator"), Some(Identity::Operator { who: Who::Operator, .. })));
    assert_eq!(opened.accounts.identify("hlo_other"), None);
    let draft = TokenDraft {
        name: "ci".to_owned(),
        permissions: Permissions::from([Permission::History]),
        expires_at: Some(Timestamp(1_060_000)),
    };
    let made = opened.accounts.create_token(Some(&account_name("acme")), draft.clone(), &Who::Operator).await.unwrap();
    let identity = opened.accounts.identify(made.token.expose());
    let Some(Identity::Account { account, permissions, .. }) = &identity else { panic!("{identity:?}") };
    assert_eq!((*account, permissions), (acme.id, &draft.permissions));
    assert!(!holds(&directory.path().join("log"), made.token.expose().as_bytes()), "only the hash is kept");
    opened.clock.advance(Duration::from_secs(60));
    assert_eq!(opened.accounts.identify(made.token.expose()), None, "it has expired");

    let operator = TokenDraft { name: "ops".to_owned(), permissions: Permissions::new(), expires_at: None };
    let made = opened.accounts.create_token(None, operator, &Who::Operator).await.unwrap();
    assert!(matches!(opened.accounts.identify(made.token.expose()), Some(Identity::Operator { .. })));
    opened.accounts.delete_token(None, made.id, &Who::Operator).await.unwrap();
    assert_eq!(opened.accounts.identify(made.token.expose()), None);
    let again = opened.accounts.delete_token(None, made.id, &Who::Operator).await;
    assert!(matches!(again, Err(Error::NotFound { .. })));
    opened.log.close().await.unwrap();
}

struct Noted(StdMutex<Vec<Change>>);

impl Observer for Noted {
    fn changed(&self, change: Change) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.lock().unwrap().push(change);
        })
    }
}

#[tokio::test]
async fn a_change_is_acknowledged_only_after_the_observer_nodded() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    let noted = Arc::new(Noted(StdMutex::new(Vec::new())));
    opened.accounts.observe(Arc::clone(&noted) as Arc<dyn Observer>);
    let acme = opened.put_account("acme").await;
    assert_eq!(*noted.0.lock().unwrap(), [Change::Account(acme.id), Change::Rights(acme.id)]);
    let (endpoint, _) = opened.put(r#"{"url": "https://example.com/"}"#).await.unwrap();
    let (account, name) = (account_name("acme"), endpoint_name("crm"));
    opened.accounts.halt_endpoint(&account, &name, Halt::Paused, &Who::Operator).await.unwrap();
    opened.accounts.halt_endpoint(&account, &name, Halt::Paused, &Who::Operator).await.unwrap();
    let draft = ReplayDraft {
        endpoint: name.clone(),
        from: Offset(1),
        to: Offset(3),
        scope: ReplayScope::default(),
        rate_per_second: None,
        is_dry_run: false,
    };
    let replay = opened.accounts.create_replay(&account, draft, &Who::Operator).await.unwrap();
    let endpoint_change = Change::Endpoint { account: acme.id, name, id: endpoint.id };
    let replay_change = Change::Replay { account: acme.id, endpoint: endpoint.id, id: replay.value.id };
    let first = [Change::Account(acme.id), Change::Rights(acme.id)];
    let expected = [endpoint_change.clone(), endpoint_change, replay_change];
    assert_eq!(
        *noted.0.lock().unwrap(),
        [first.as_slice(), expected.as_slice()].concat(),
        "pausing twice is one change"
    );
    opened.log.close().await.unwrap();
}

use crate::model::Offset;

/// A catalogue with one field more, which is recommended.
fn with_an_iban() -> Vec<OwnFile> {
    let text = r#"
        [[field]]
        path = "customer.iban"
        kind = "string"
        class = "none"
        status = "proposed"
        example = "FR76"
        en = { name = "IBAN", text = "The account." }
        fr = { name = "IBAN", text = "Le compte." }
    "#;
    vec![OwnFile { name: "own.toml".to_owned(), text: text.to_owned() }]
}

fn rights(json: &str) -> RightsDraft {
    serde_json::from_str(json).expect("tests give good rights")
}

impl Opened {
    async fn put_rights(&self, json: &str) -> Result<Revised<RightsSettings>, Error> {
        self.accounts.put_rights(&account_name("acme"), &rights(json), Condition::None, &Who::Operator).await
    }

    fn treatment(&self, path: &str) -> Treatment {
        let account = self.accounts.account(&account_name("acme")).unwrap();
        self.accounts.effective(account.id).unwrap().table.decisions().rule("call.ended", path).own
    }
}

#[tokio::test]
async fn a_new_catalogue_lets_nothing_new_out_until_rights_are_saved_on_it() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    let acme = opened.put_account("acme").await;
    let first = acme.rights.clone().expect("a new account has rights");
    let older = opened.accounts.catalog().unwrap();
    assert_eq!(first.value, RightsSettings::recommended(older.revised.revision));
    opened.log.close().await.unwrap();
    drop(opened.accounts);

    let opened = open_with(directory.path(), with_an_iban()).await;
    let newer = opened.accounts.catalog().unwrap();
    assert!(newer.revised.revision > older.revised.revision, "another catalogue is another revision");
    assert_eq!(newer.revised.by, Who::System);
    assert_eq!(opened.treatment("customer.iban"), Treatment::Remove);
    opened.put_account("globex").await;
    let globex = opened.accounts.account(&account_name("globex")).unwrap();
    assert_eq!(globex.rights.as_ref().unwrap().value.catalog, newer.revised.revision);
    let table = opened.accounts.effective(globex.id).unwrap().table;
    assert_eq!(table.decisions().rule("call.ended", "customer.iban").own, Treatment::Keep, "a new account decides now");

    // Saved on the older one it stays as it was; saved on the newer one it is new.
    let text = opened.accounts.revision(older.revised.revision);
    opened.put_rights(&format!(r#"{{"catalog": "{text}", "types": {{"queue.snapshot": false}}}}"#)).await.unwrap();
    assert_eq!(opened.treatment("customer.iban"), Treatment::Remove);
    opened.put_rights(r#"{"types": {"queue.snapshot": false}}"#).await.unwrap();
    assert_eq!(opened.treatment("customer.iban"), Treatment::Keep);
    let wrong = opened.put_rights(&format!(r#"{{"catalog": "{}"}}"#, opened.accounts.revision(first.revision))).await;
    assert!(matches!(&wrong, Err(Error::Invalid { pointer, .. }) if pointer == "/catalog"), "{wrong:?}");
    opened.log.close().await.unwrap();
    drop(opened.accounts);

    // The same files again are the same catalogue.
    let opened = open_with(directory.path(), with_an_iban()).await;
    assert_eq!(opened.accounts.catalog().unwrap().revised.revision, newer.revised.revision);
    assert_eq!(opened.treatment("customer.iban"), Treatment::Keep);
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn another_build_is_noted_once() {
    let directory = tempfile::tempdir().unwrap();
    let build = |engine: &str| Build {
        hooklog: "1".to_owned(),
        catalog: String::new(),
        rights: "aa".to_owned(),
        formats: 1,
        engine: engine.to_owned(),
    };
    let opened = open(directory.path()).await;
    assert!(!opened.accounts.settle_build(build("one")).await.unwrap(), "there was none before");
    let head = opened.log.handle().head();
    assert!(!opened.accounts.settle_build(build("one")).await.unwrap());
    assert_eq!(opened.log.handle().head(), head, "the same is noted once");
    opened.log.close().await.unwrap();
    drop(opened.accounts);
    let opened = open(directory.path()).await;
    assert!(!opened.accounts.settle_build(build("one")).await.unwrap(), "a start with the same is no change");
    assert!(opened.accounts.settle_build(build("two")).await.unwrap());
    opened.log.close().await.unwrap();
    drop(opened.accounts);
    let opened = open_with(directory.path(), with_an_iban()).await;
    assert!(opened.accounts.settle_build(build("two")).await.unwrap(), "another catalogue is another build");
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn calls_extend_the_catalogue_and_can_be_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    let before = opened.accounts.catalog().unwrap();
    let name = EventType::parse("call.rung").unwrap();
    let call = |field: &str| -> TypeCall {
        let texts = r#""en": {"name": "Rung", "text": "It rang."}, "fr": {"name": "Sonné", "text": "Il a sonné."}"#;
        serde_json::from_str(&format!(r#"{{"category": "calls", "fields": ["{field}"], {texts}}}"#)).unwrap()
    };
    let refused = opened.accounts.put_catalog_type(&name, call("nope"), Condition::None, &Who::Operator).await;
    assert!(matches!(&refused, Err(Error::Catalog(mistakes)) if mistakes.len() == 1), "{refused:?}");
    assert!(opened.accounts.put_catalog_type(&name, call("agent.*"), Condition::None, &Who::Operator).await.unwrap());
    let after = opened.accounts.catalog().unwrap();
    assert!(after.catalog.event_type(&name).is_some() && after.called == [name.clone()]);
    let stale = Condition::At(before.revised.revision);
    let refused = opened.accounts.put_catalog_type(&name, call("queue.*"), stale, &Who::Operator).await;
    assert!(matches!(refused, Err(Error::Changed { .. })), "{refused:?}");
    opened.log.close().await.unwrap();
    drop(opened.accounts);
    let opened = open(directory.path()).await;
    assert!(opened.accounts.catalog().unwrap().catalog.event_type(&name).is_some(), "calls survive a start");
    let old = opened.accounts.catalog_at(before.revised.revision).unwrap().unwrap();
    assert!(old.event_type(&name).is_none(), "the past is as it was");
    opened.accounts.delete_catalog_type(&name, Condition::None, &Who::Operator).await.unwrap();
    assert_eq!(opened.accounts.catalog().unwrap().catalog, before.catalog);
    let again = opened.accounts.delete_catalog_type(&name, Condition::None, &Who::Operator).await;
    assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");
    opened.log.close().await.unwrap();
}

#[tokio::test]
async fn rights_ceiling_and_an_endpoints_own_meet_in_the_stricter() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path()).await;
    opened.put_account("acme").await;
    opened.put_rights(r#"{"fields": {"customer": "keep"}}"#).await.unwrap();
    let (endpoint, _) = opened
        .put(r#"{"url": "https://example.com/", "rights": {"types": {"call.*": false}, "fields": {"customer.email": "remove"}}}"#)
        .await
        .unwrap();
    let rule =
        |path: &str| opened.accounts.effective_for(&endpoint).unwrap().table.decisions().rule("email.sent", path).own;
    assert_eq!((rule("customer.email"), rule("customer.country")), (Treatment::Remove, Treatment::Keep));
    assert_eq!(opened.treatment("customer.email"), Treatment::Keep, "the account's own is not narrowed");
    let table = opened.accounts.effective_for(&endpoint).unwrap().table;
    assert_eq!((table.mark("call.ended"), table.mark("email.sent")), (Mark::Withheld, Mark::Wanted));
    let acme = account_name("acme");
    let ceiling = rights(r#"{"fields": {"customer": "pseudonymize"}}"#);
    opened.accounts.put_ceiling(&acme, Some(&ceiling), Condition::None, &Who::Operator).await.unwrap();
    assert_eq!((rule("customer.email"), rule("customer.country")), (Treatment::Remove, Treatment::Pseudonymize));
    assert_eq!(opened.treatment("customer.email"), Treatment::Pseudonymize);
    opened.accounts.put_ceiling(&acme, None, Condition::None, &Who::Operator).await.unwrap();
    assert_eq!(opened.treatment("customer.email"), Treatment::Keep);
    // Whoever still has the endpoint as it was is told what holds now.
    let stamp = opened.accounts.effective_for(&endpoint).unwrap().stamp;
    assert!(stamp.holds());
    opened.put(r#"{"url": "https://example.com/", "rights": {"fields": {"customer": "remove"}}}"#).await.unwrap();
    assert_eq!(rule("customer.country"), Treatment::Remove);
    assert!(!stamp.holds(), "an endpoint's own rights move the stamp, too");
    let refused = opened.put(r#"{"url": "https://example.com/", "rights": {"fields": {"a b": "keep"}}}"#).await;
    assert!(matches!(&refused, Err(Error::Invalid { pointer, .. }) if pointer == "/rights/fields/a b"), "{refused:?}");
    opened.log.close().await.unwrap();
}

use crate::catalog::TypeCall;
use crate::model::EventType;
