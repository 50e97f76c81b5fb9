//! Which source wins, and what each of them may hold.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::super::raw::Fallback;
use super::super::{Entry, MasterKeySource, Sources, Warning, environment, load};
use super::table::{as_in_a_file, others};
use super::{Given, file, variable, without_directory};

fn entry(given: &Given<'_>, key: &str) -> Entry {
    let entries = given.load().unwrap().effective.entries();
    entries.into_iter().find(|entry| entry.key == key).unwrap()
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    for (key, other, _) in others() {
        let Fallback::Value(usual) = key.default else { continue };
        let name = key.variable();
        for (in_file, in_environment, in_flag) in (0..8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0)) {
            // The strongest source alone says the other value; those below it say the default.
            let value_in_file = if in_environment || in_flag { usual } else { other };
            let value_in_environment = if in_flag { usual } else { other };
            let line = as_in_a_file(key.path, value_in_file);
            let given = Given {
                file: in_file.then_some(&line),
                environment: in_environment.then_some((name.as_str(), value_in_environment)).into_iter().collect(),
                flags: in_flag.then_some((key.path, other)).into_iter().collect(),
            };
            let (value, origin) = match (in_file, in_environment, in_flag) {
                (_, _, true) => (other, key.flag.unwrap_or(key.path)),
                (_, true, false) => (other, name.as_str()),
                (true, false, false) => (other, "hooklog.toml:1:"),
                (false, false, false) => (usual, "default"),
            };
            let seen = entry(&given, key.path);
            assert!(without_directory(&seen.origin).starts_with(origin), "{}: {}", key.path, seen.origin);
            assert_eq!(seen.value, Some(key.kind.read_text(value).unwrap().to_toml()), "{}", key.path);
        }
    }
}

#[test]
fn a_default_is_never_above_the_setting_that_bounds_it() {
    let check = |text, key, expected: &str| {
        let seen = entry(&file(text), key);
        assert_eq!((seen.value.as_deref(), seen.origin.as_str()), (Some(expected), "default"), "{text}");
    };
    check("deliver.timeout = \"1s\"", "deliver.connect_timeout", "\"1s\"");
    check("deliver.timeout = \"1m\"", "deliver.connect_timeout", "\"3s\"");
    check("ingest.max_body_bytes = \"64KiB\"", "ingest.max_event_bytes", "\"64KiB\"");
    check("log.queue_bytes = \"128KiB\"", "ingest.max_body_bytes", "\"128KiB\"");
    check("log.queue_bytes = \"128KiB\"", "ingest.max_event_bytes", "\"128KiB\"");
    let settings = file("log.queue_bytes = \"128KiB\"").load().unwrap().settings;
    assert_eq!((settings.ingest.body_bytes_max, settings.ingest.event_bytes_max), (128 << 10, 128 << 10));
}

#[test]
fn a_list_in_a_variable_has_commas_or_brackets() {
    let check = |text, expected: &str| {
        let seen = entry(&variable("HOOKLOG_DELIVER__RETRY_SCHEDULE", text), "deliver.retry_schedule");
        assert_eq!(seen.value.as_deref(), Some(expected), "{text}");
    };
    check("", "[]");
    check("5s", r#"["5s"]"#);
    check("5s,1m", r#"["5s", "1m"]"#);
    check(" 5s , 1m ", r#"["5s", "1m"]"#);
    check("[]", "[]");
    check(r#"["5s", "1m"]"#, r#"["5s", "1m"]"#);
    check(r#" ["5s"] "#, r#"["5s"]"#);
}

#[test]
fn one_address_is_a_range() {
    let seen = entry(&file(r#"deliver.allow_addresses = ["10.1.2.3", "fd00::/8", "::1"]"#), "deliver.allow_addresses");
    assert_eq!(seen.value.as_deref(), Some(r#"["10.1.2.3/32", "fd00::/8", "::1/128"]"#));
}

#[test]
fn numbers_in_a_file_may_be_written_as_toml_allows() {
    for text in ["1048576", "1_048_576", "0x100000", "+1048576", "\"1048576\"", "\"1024KiB\"", "'1MiB'"] {
        let text = format!("log.tail_bytes = {text}");
        assert_eq!(entry(&file(&text), "log.tail_bytes").value.as_deref(), Some("\"1MiB\""), "{text}");
    }
}

#[test]
fn tables_may_be_written_in_every_way_of_toml() {
    for text in [
        "[ingest.capture]\nmax_age = \"1h\"",
        "[ingest]\ncapture.max_age = \"1h\"",
        "ingest = { capture = { max_age = \"1h\" } }",
        "\"ingest\".'capture'.max_age = '1h'",
        "\u{feff}[ingest.capture]\r\nmax_age = \"1h\"\r\n[admin]\r\n",
    ] {
        assert_eq!(entry(&file(text), "ingest.capture.max_age").value.as_deref(), Some("\"1h\""), "{text}");
    }
}

#[test]
fn an_unknown_variable_is_a_warning_that_names_the_nearest() {
    for (name, nearest) in [
        ("HOOKLOG_INGEST_LISTEN", "HOOKLOG_INGEST__LISTEN"),
        ("HOOKLOG_INGEST__TOKEN", "HOOKLOG_INGEST__TOKENS"),
        ("HOOKLOG_ingest__listen", "HOOKLOG_INGEST__LISTEN"),
        ("HOOKLOG_OPERATOR_TOKN", "HOOKLOG_OPERATOR_TOKEN"),
        ("HOOKLOG_DATA_DIR", "HOOKLOG_DATA"),
        ("HOOKLOG_MASTERKEY", "HOOKLOG_MASTER_KEY"),
        ("HOOKLOG_LOG__RETENTION__MAXAGE", "HOOKLOG_LOG__RETENTION__MAX_AGE"),
    ] {
        let warnings = variable(name, "s3cret").load().unwrap().warnings;
        assert_eq!(warnings, [Warning::UnknownVariable { name: name.to_owned(), nearest: nearest.to_owned() }]);
        let expected = format!("{name} is no setting and has no effect: the nearest one is {nearest}");
        assert_eq!(warnings[0].to_string(), expected);
    }
    // What an orchestrator injects for a service of this name; each is named, none stops the start.
    let injected = ["HOOKLOG_PORT", "HOOKLOG_SERVICE_HOST", "HOOKLOG_PORT_7070_TCP_ADDR", "HOOKLOG_"];
    let given = Given { environment: injected.map(|name| (name, "tcp://10.0.0.1:7070")).into(), ..Given::default() };
    assert_eq!(given.load().unwrap().warnings.len(), injected.len());
}

#[test]
fn what_is_not_ours_or_no_setting_is_not_warned_about() {
    for name in ["HOOKLOG_URL", "HOOKLOG_TOKEN", "HOOKLOG_OPERATOR_TOKEN", "HOOKLOG", "hooklog_data", "PATH", ""] {
        assert_eq!(variable(name, "x").load().unwrap().warnings, [], "{name}");
    }
}

#[test]
fn an_error_brings_the_warnings_along() {
    let given = Given {
        environment: vec![("HOOKLOG_INGEST__LISTEN", "nowhere"), ("HOOKLOG_INGEST_TOKENS", "x")],
        ..Given::default()
    };
    let error = given.load().unwrap_err();
    assert_eq!((error.problems.len(), error.warnings.len()), (1, 1));
}

#[test]
fn secrets_come_from_the_environment() {
    let key = "0f".repeat(32);
    let given = Given {
        environment: vec![
            ("HOOKLOG_OPERATOR_TOKEN", "s3cret"),
            ("HOOKLOG_MASTER_KEY", &key),
            ("HOOKLOG_URL", "http://127.0.0.1:7071"),
            ("HOOKLOG_TOKEN", "s3cret-too"),
        ],
        ..Given::default()
    };
    let settings = given.load().unwrap().settings;
    assert_eq!(settings.operator_token.unwrap().expose(), "s3cret");
    assert!(matches!(settings.master_key, MasterKeySource::Given(given) if given.expose() == key));
    let remote = given.with(Sources::remote);
    assert_eq!(remote.url.as_deref(), Some("http://127.0.0.1:7071"));
    assert_eq!(remote.token.unwrap().expose(), "s3cret-too");

    let empty = environment::OTHER_NAMES.map(|name| (name, "")).into();
    let given = Given { environment: empty, ..Given::default() };
    let settings = given.load().unwrap().settings;
    assert!(settings.operator_token.is_none() && matches!(settings.master_key, MasterKeySource::File(_)));
    let remote = given.with(Sources::remote);
    assert!(remote.url.is_none() && remote.token.is_none());
}

#[test]
fn the_environment_is_read_as_bytes() {
    let bytes = || OsString::from_vec(vec![b'a', 0xff]);
    let variables = |name: &str| [(OsString::from(name), bytes()), (bytes(), bytes())].into_iter();
    let error = environment::collect(variables("HOOKLOG_DATA")).unwrap_err();
    assert_eq!(error.to_string(), "HOOKLOG_DATA: expected UTF-8, found other bytes");
    assert!(environment::collect(variables("HOOKLOG_TOKEN")).is_err());
    assert_eq!(environment::collect(variables("HOOKLOG_PORT")).unwrap().len(), 1);
    assert_eq!(environment::collect(variables("PATH")).unwrap().len(), 0);
}

#[test]
fn the_process_itself_can_be_read() {
    let flags = vec![("data", "elsewhere".to_owned())];
    let sources = Sources::from_process(flags, Some(PathBuf::from("there-is-none.toml"))).unwrap();
    assert_eq!(sources.file, Some(PathBuf::from("there-is-none.toml")));
    assert!(sources.environment.keys().all(|name| name.starts_with("HOOKLOG_")));
    assert!(load(&sources).is_err(), "a file that was asked for has to be there");
}
