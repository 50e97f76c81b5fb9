//! What is said about each mistake: where it is, what was expected, what to do.

use proptest::prelude::*;

use super::super::raw::KEYS;
use super::super::{Sources, load, load_to_serve};
use super::{Given, file, variable, without_directory};

/// Checks all that is said about a file, line by line.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let message = match file(text).load() {
        Ok(_) => String::new(),
        Err(error) => without_directory(&error.to_string()),
    };
    assert_eq!(message.lines().collect::<Vec<_>>(), expected, "{text}");
}

#[track_caller]
fn check_variable(name: &str, value: &str, expected: &str) {
    let message = variable(name, value).load().map_or_else(|error| error.to_string(), |_| String::new());
    assert_eq!(message, expected);
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest() {
    check("ingest.lisen = 1", &["hooklog.toml:1:8: unknown key ingest.lisen: did you mean ingest.listen?"]);
    check(
        "\n\n[ingest]\n  lisen = \"x\"",
        &["hooklog.toml:4:3: unknown key ingest.lisen: did you mean ingest.listen?"],
    );
    check("listen = 1", &["hooklog.toml:1:1: unknown key listen: did you mean ingest.listen?"]);
    check("[injest]\nlisten = 1", &["hooklog.toml:2:1: unknown key injest.listen: did you mean ingest.listen?"]);
    check("[shutdown]", &["hooklog.toml:1:2: unknown key shutdown: did you mean shutdown_timeout?"]);
    check("deliver.lane = \"30s\"", &["hooklog.toml:1:9: unknown key deliver.lane: did you mean deliver.lane_hold?"]);
    check(
        "\"ingest.listen\" = 1\ningest.\"\" = 2",
        &[
            "hooklog.toml:1:1: unknown key \"ingest.listen\": did you mean ingest.listen?",
            "hooklog.toml:2:8: unknown key ingest.\"\": did you mean ingest.listen?",
        ],
    );
    check("[[ingest.extra]]\nx = 1", &["hooklog.toml:1:10: unknown key ingest.extra: did you mean ingest.listen?"]);
}

#[test]
fn all_mistakes_come_at_once_in_their_order() {
    check(
        "shutdown_time = 1\ndat = 2\n[ingest]\nlisten = 'é'\ninsecure = 1\n[admin]\nlisten = 7071",
        &[
            "hooklog.toml:1:1: unknown key shutdown_time: did you mean shutdown_timeout?",
            "hooklog.toml:2:1: unknown key dat: did you mean data?",
            "hooklog.toml:4:10: ingest.listen: expected an IP address and a port such as 127.0.0.1:7070 or [::1]:7070, \
             found \"é\"",
            "hooklog.toml:5:12: ingest.insecure: expected true or false, found 1",
            "hooklog.toml:7:10: admin.listen: expected an IP address and a port such as 127.0.0.1:7070 or [::1]:7070, \
             found 7071",
        ],
    );
}

#[test]
fn a_table_and_a_value_are_not_the_same() {
    check(
        "ingest = 5",
        &["hooklog.toml:1:1: ingest is a table: write [ingest] and the keys below it, such as ingest.listen"],
    );
    check(
        "log.retention = \"30d\"",
        &["hooklog.toml:1:5: log.retention is a table: write [log.retention] and the keys below it, such as \
           log.retention.max_age"],
    );
    check("[data]\nx = 1", &["hooklog.toml:1:1: data: expected a path, found a table"]);
    check(
        "[ingest.listen]",
        &["hooklog.toml:1:1: ingest.listen: expected an IP address and a port such as \
           127.0.0.1:7070 or [::1]:7070, found a table"],
    );
}

#[test]
fn what_is_no_toml_is_named_with_its_place() {
    check("[ingest\nlisten = 1", &["hooklog.toml:1:8: unclosed table, expected `]`"]);
    check("data = \"x\"\ndata = \"y\"", &["hooklog.toml:2:1: duplicate key"]);
    check("data = ", &["hooklog.toml:1:8: string values must be quoted, expected literal string"]);
}

#[test]
fn a_file_must_be_there_and_be_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooklog.toml");
    let message = || {
        let sources = Sources { file: Some(path.clone()), ..Sources::default() };
        without_directory(&load(&sources).unwrap_err().to_string())
    };
    assert_eq!(
        message(),
        "cannot read the settings from hooklog.toml: No such file or directory (os error 2): name another file with \
         --config"
    );
    std::fs::write(&path, b"# \xc3\xa9\n# \xc3\xa9\xff").unwrap();
    assert_eq!(message(), "hooklog.toml:2:4: expected UTF-8, found other bytes");
}

#[test]
fn a_duration_says_its_unit() {
    let expected = "expected a duration such as 15s, 5m, 2h or 30d, found";
    let check = |value: &str, reason: &str| {
        check(&format!("[deliver]\ntimeout = {value}"), &[&format!("hooklog.toml:2:11: deliver.timeout: {reason}")]);
    };
    check("15", "15 has no unit: write 15s or 15ms");
    check("\"15\"", "15 has no unit: write 15s or 15ms");
    check("0", "0 has no unit: write 0s or 0ms");
    check("-15", &format!("{expected} -15"));
    check("1.5", &format!("{expected} a number with a fraction"));
    check("\"fast\"", &format!("{expected} \"fast\""));
    check("\"1h30m\"", &format!("{expected} \"1h30m\""));
    check("\"\"", &format!("{expected} \"\""));
    check("[\"15s\"]", &format!("{expected} a list"));
    check("07:32:00", &format!("{expected} a date or time"));
    check("\"0s\"", "zero is refused: no delivery would succeed; the least is 10ms");
    check("\"9ms\"", "9ms is below the least, 10ms");
    check("\"601s\"", "601s is above the greatest, 10m");
    check_variable(
        "HOOKLOG_DELIVER__TIMEOUT",
        "15",
        "HOOKLOG_DELIVER__TIMEOUT: deliver.timeout: 15 has no unit: write 15s or 15ms",
    );
}

#[test]
fn a_size_says_its_unit_or_none() {
    let expected = "expected a size such as 512KiB, 64MiB or 1GiB, or a number of bytes, found";
    let check = |value: &str, reason: &str| {
        check(&format!("log.tail_bytes = {value}"), &[&format!("hooklog.toml:1:18: log.tail_bytes: {reason}")]);
    };
    check("\"64MB\"", &format!("{expected} \"64MB\""));
    check("-1", &format!("{expected} -1"));
    check("true", &format!("{expected} true"));
    check("0", "zero is refused: live delivery would read every event from disk; the least is 64KiB");
    check("65535", "65535 is below the least, 64KiB");
    check("\"9GiB\"", "9GiB is above the greatest, 8GiB");
    check("99999999999999999999999", "18446744073709551615 is above the greatest, 8GiB");
}

#[test]
fn a_list_names_the_item() {
    check(
        "[deliver]\nretry_schedule = [\n  \"5s\",\n  60,\n]",
        &["hooklog.toml:4:3: deliver.retry_schedule: 60 has no unit: write 60s or 60ms"],
    );
    check(
        "deliver.retry_schedule = \"5s\"",
        &[
            "hooklog.toml:1:26: deliver.retry_schedule: expected a list of durations such as [\"5s\", \"2h\"], found \"5s\"",
        ],
    );
    check(
        "deliver.allow_addresses = [\"10.0.0.0/8\", \"10.0.0.0/33\"]",
        &["hooklog.toml:1:42: deliver.allow_addresses: expected a range of addresses such as 10.0.0.0/8, found \
           \"10.0.0.0/33\""],
    );
    let many = format!("deliver.allow_addresses = [{}]", "\"::1\",".repeat(1_001));
    check(&many, &["hooklog.toml:1:27: deliver.allow_addresses: 1001 items are more than the most, 1000"]);
    check_variable(
        "HOOKLOG_DELIVER__RETRY_SCHEDULE",
        "5s,,1m",
        "HOOKLOG_DELIVER__RETRY_SCHEDULE: deliver.retry_schedule: expected a duration such as 15s, 5m, 2h or 30d, found \
         \"\"",
    );
    check_variable(
        "HOOKLOG_DELIVER__RETRY_SCHEDULE",
        "[5s]",
        "HOOKLOG_DELIVER__RETRY_SCHEDULE: deliver.retry_schedule: expected a list of durations such as [\"5s\", \"2h\"], \
         found \"[5s]\"",
    );
}

#[test]
fn every_other_kind_says_what_it_wants() {
    check("log.durability = \"none\"", &["hooklog.toml:1:18: log.durability: expected fsync or os, found \"none\""]);
    check(
        "log.retention.commands = \"30d\"",
        &["hooklog.toml:1:26: log.retention.commands: expected forever, found \"30d\""],
    );
    check(
        "ingest.insecure = \"true\"",
        &["hooklog.toml:1:19: ingest.insecure: expected true or false, found \"true\""],
    );
    check("data = \"\"", &["hooklog.toml:1:8: data: expected a path, found \"\""]);
    check(
        "deliver.in_flight_max = \"many\"",
        &["hooklog.toml:1:25: deliver.in_flight_max: expected auto or a whole number, found \"many\""],
    );
    check(
        "deliver.in_flight_max = 0",
        &["hooklog.toml:1:25: deliver.in_flight_max: zero is refused: nothing would be sent; the least is 1"],
    );
    check(
        "deliver.refusals_in_a_row = \"3\"",
        &["hooklog.toml:1:29: deliver.refusals_in_a_row: expected a whole number, found \"3\""],
    );
    for filter in ["inof", "hooklog=loud", "info,", "", "info,hooklog"] {
        let expected = format!(
            "hooklog.toml:1:15: logs.filter: expected a level (error, warn, info, debug, trace, off) or levels such as \
             info,hooklog::log=debug, found {filter:?}"
        );
        check(&format!("logs.filter = {filter:?}"), &[&expected]);
    }
    let address =
        "HOOKLOG_ADMIN__LISTEN: admin.listen: expected an IP address and a port such as 127.0.0.1:7070 or [::1]:7070";
    check_variable("HOOKLOG_ADMIN__LISTEN", "localhost:7071", &format!("{address}, found \"localhost:7071\""));
    check_variable("HOOKLOG_ADMIN__LISTEN", "", &format!("{address}, found \"\""));
    check_variable(
        "HOOKLOG_ADMIN__INSECURE",
        "1",
        "HOOKLOG_ADMIN__INSECURE: admin.insecure: expected true or false, found \"1\"",
    );
    let long = "x".repeat(1_000);
    check_variable("HOOKLOG_ADMIN__LISTEN", &long, &format!("{address}, found \"{}\"…", "x".repeat(60)));
}

#[test]
fn a_flag_is_named_as_it_was_typed() {
    let given = Given { flags: vec![("ingest.listen", "7070")], ..Given::default() };
    assert_eq!(
        given.load().unwrap_err().to_string(),
        "--ingest: ingest.listen: expected an IP address and a port such as 127.0.0.1:7070 or [::1]:7070, found \"7070\""
    );
}

#[test]
fn a_wrong_value_is_named_even_where_it_is_overridden() {
    let given = Given { file: Some("data = 1"), flags: vec![("data", "elsewhere")], ..Given::default() };
    let message = without_directory(&given.load().unwrap_err().to_string());
    assert_eq!(message, "hooklog.toml:1:8: data: expected a path, found 1");
}

#[test]
fn settings_that_do_not_fit_each_other_are_named_together() {
    check(
        "ingest.max_event_bytes = \"2MiB\"",
        &[
            "ingest.max_event_bytes (\"2MiB\", hooklog.toml:1:26) is above ingest.max_body_bytes (\"1MiB\", default): change \
           one of them",
        ],
    );
    check(
        "ingest.max_body_bytes = \"100MiB\"",
        &[
            "ingest.max_body_bytes (\"100MiB\", hooklog.toml:1:25) is above log.queue_bytes (\"64MiB\", default): change one \
           of them",
        ],
    );
    check(
        "[log.retention]\nmax_bytes = \"2GiB\"\nhard_max_bytes = \"1GiB\"",
        &["log.retention.max_bytes (\"2GiB\", hooklog.toml:2:13) is above log.retention.hard_max_bytes (\"1GiB\", \
           hooklog.toml:3:18): change one of them"],
    );
    check("log.retention.hard_max_bytes = \"1GiB\"", &[]);
    check(
        "deliver.connect_timeout = \"20s\"",
        &[
            "deliver.connect_timeout (\"20s\", hooklog.toml:1:27) is above deliver.timeout (\"15s\", default): change one of \
           them",
        ],
    );
    check(
        "ingest.tls.key = \"k\"\nadmin.tls.certificate = \"c\"",
        &[
            "hooklog.toml:1:18: ingest.tls.key is set and ingest.tls.certificate is not: set both, or neither",
            "hooklog.toml:2:25: admin.tls.certificate is set and admin.tls.key is not: set both, or neither",
        ],
    );
    check(
        "admin.listen = \"127.0.0.1:7070\"",
        &[
            "ingest.listen (default) and admin.listen (hooklog.toml:1:16) are both 127.0.0.1:7070: give each a port of its \
           own",
        ],
    );
    check("admin.listen = \"127.0.0.1:0\"\ningest.listen = \"127.0.0.1:0\"", &[]);
}

#[test]
fn secrets_of_the_environment_are_checked_and_not_shown() {
    check_variable(
        "HOOKLOG_MASTER_KEY",
        "s3cret",
        "HOOKLOG_MASTER_KEY: a master key is 32 bytes, written as 64 hex digits or as 43 or 44 characters of base64",
    );
    check_variable(
        "HOOKLOG_OPERATOR_TOKEN",
        "s3cret s3cret",
        "HOOKLOG_OPERATOR_TOKEN: a token is 1 to 512 visible ASCII characters without commas",
    );
    let key = "0f".repeat(32);
    let given = Given { file: Some("security.key_file = \"k\""), ..variable("HOOKLOG_MASTER_KEY", &key) };
    assert_eq!(
        without_directory(&given.load().unwrap_err().to_string()),
        "hooklog.toml:1:21: security.key_file is set and HOOKLOG_MASTER_KEY too: take one of them away, for only one can \
         be the key"
    );
}

#[test]
fn no_message_holds_a_token() {
    for text in [
        "ingest.tokens = \"s3cret\"",
        "ingest.tokens = [\"s3cret s3cret\"]",
        "ingest.tokens = [\"s3cret,s3cret\"]",
        "ingest.tokens = [\"\", \"s3crét\"]",
        "ingest.tokens = [[\"s3cret\"]]",
        "ingest.tokens = [{ s3cret = 1 }]",
        "ingest.tokens = [\"s3cret\"",
        "ingest.tokens = [\"s3cret]",
        "ingest.tokens = [s3cret]",
        "ingest.tokens = [\"s3cret\" \"s3cret\"]",
        "ingest.tokens = [\"s3cret\\q\"]",
        "ingest.tokens = s3cret",
        "ingest.tokens = 'a' 's3cret'",
    ] {
        let error = file(text).load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr"), "{text}: {error}");
    }
    for text in ["s3cret s3cret", "s3cret,,s3cret", "[s3cret]", "[\"s3cret\"", "[\"s3 cret\"]", "s3crét"] {
        let error = variable("HOOKLOG_INGEST__TOKENS", text).load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3"), "{text}: {error}");
    }
    check(
        "ingest.tokens = [\"good\", \"s3cret s3cret\"]",
        &[
            "hooklog.toml:1:26: ingest.tokens: expected a token of 1 to 512 visible ASCII characters without commas, found \
           another text",
        ],
    );
}

/// Checks what a start says about listening there.
#[track_caller]
fn check_start(text: &str, expected: &[&str]) {
    let given = file(text);
    let message = given.with(load_to_serve).map_or_else(|error| error.to_string(), |_| String::new());
    assert_eq!(without_directory(&message).lines().collect::<Vec<_>>(), expected, "{text}");
    assert!(given.load().is_ok(), "who does not listen may go on");
}

#[test]
fn a_start_outside_loopback_needs_tokens_and_tls() {
    let no_tokens = "hooklog.toml:1:17: ingest.listen is 0.0.0.0:7070, and outside loopback ingest needs tokens: set \
                     ingest.tokens (HOOKLOG_INGEST__TOKENS), or listen on 127.0.0.1";
    let no_tls = "hooklog.toml:1:17: ingest.listen is 0.0.0.0:7070, and outside loopback a listener needs TLS: set \
                  ingest.tls.certificate and ingest.tls.key, or ingest.insecure = true where the network is trusted";
    let listen = "ingest.listen = \"0.0.0.0:7070\"\n";
    let tokens = "ingest.tokens = [\"token\"]\n";
    let insecure = "ingest.insecure = true\n";
    let tls = "ingest.tls = { certificate = \"c\", key = \"k\" }\n";
    check_start(listen, &[no_tokens, no_tls]);
    check_start(&format!("{listen}{insecure}"), &[no_tokens]);
    check_start(&format!("{listen}{tls}"), &[no_tokens]);
    check_start(&format!("{listen}{tokens}"), &[no_tls]);
    check_start(&format!("{listen}{tokens}{insecure}"), &[]);
    check_start(&format!("{listen}{tokens}{tls}"), &[]);
    check_start(&format!("{listen}{tokens}admin.insecure = true"), &[no_tls]);
    let admin = "admin.listen = \"[::]:7071\"\n";
    check_start(
        admin,
        &["hooklog.toml:1:16: admin.listen is [::]:7071, and outside loopback a listener needs TLS: set \
           admin.tls.certificate and admin.tls.key, or admin.insecure = true where the network is trusted"],
    );
    check_start(&format!("{admin}admin.insecure = true"), &[]);
    check_start(&format!("{admin}admin.tls = {{ certificate = \"c\", key = \"k\" }}"), &[]);
    check_start("ingest.listen = \"127.3.2.1:7070\"\nadmin.listen = \"[::1]:7071\"", &[]);
}

proptest! {
    #[test]
    fn no_file_panics(words in prop::collection::vec(prop::sample::select(WORDS), 0..30)) {
        let given = words.concat();
        if let Err(error) = file(&given).load() {
            prop_assert!(!error.problems.is_empty());
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_variable_panics(key in 0..KEYS.len(), text: String) {
        if let Err(error) = variable(&KEYS[key].variable(), &text).load() {
            prop_assert!(!error.problems.is_empty());
        }
    }
}

const WORDS: &[&str] = &[
    "ingest",
    "data",
    "listen",
    "tokens",
    "log",
    "retention",
    "max_age",
    "tls",
    "deliver",
    "timeout",
    ".",
    " = ",
    "\n",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    "#",
    "\"5s\"",
    "5",
    "-1",
    "1.5",
    "true",
    "é",
    "\u{feff}",
    "\\",
    "\"\"",
    "1979-05-27",
    "0x1f",
    "99999999999999999999",
];
