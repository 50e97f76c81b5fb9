//! The table of keys: sound in itself, and every key reaches the checked settings from every source.

use super::super::raw::{Fallback, KEYS, Key, Kind};
use super::super::reference;
use super::{Given, file, variable};

/// A value of each key that is not its default, as a variable has it.
const OTHERS: &[(&str, &str)] = &[
    ("data", "/var/lib/hooklog"),
    ("shutdown_timeout", "0s"),
    ("ingest.listen", "127.0.0.1:8080"),
    ("ingest.tokens", "one-token"),
    ("ingest.max_body_bytes", "32MiB"),
    ("ingest.max_event_bytes", "1000"),
    ("ingest.insecure", "true"),
    ("ingest.capture.max_age", "12h"),
    ("ingest.tls.certificate", "ingest.pem"),
    ("ingest.tls.key", "ingest.key"),
    ("admin.listen", "[::1]:0"),
    ("admin.insecure", "true"),
    ("admin.tls.certificate", "admin.pem"),
    ("admin.tls.key", "admin.key"),
    ("log.durability", "os"),
    ("log.queue_bytes", "1GiB"),
    ("log.tail_bytes", "1MiB"),
    ("log.write_buffer_bytes", "8MiB"),
    ("log.cache_bytes", "512MiB"),
    ("log.retention.max_age", "90d"),
    ("log.retention.max_bytes", "10GiB"),
    ("log.retention.hard_max_bytes", "20GiB"),
    ("log.retention.commands", "forever"),
    ("log.disk.reserve_bytes", "100MiB"),
    ("catalog.files", "own.toml,more/types.toml"),
    ("filter.fuel_per_event", "5000000"),
    ("filter.memory_bytes_max", "128MiB"),
    ("filter.component_bytes_max", "8MiB"),
    ("filter.threads", "3"),
    ("deliver.https_only", "false"),
    ("deliver.allow_addresses", "10.0.0.0/8,::1"),
    ("deliver.timeout", "30s"),
    ("deliver.connect_timeout", "500ms"),
    ("deliver.retry_schedule", "1s,2s,1500ms"),
    ("deliver.lane_hold", "2m"),
    ("deliver.refusals_in_a_row", "3"),
    ("deliver.in_flight_max", "100"),
    ("security.key_file", "/run/secrets/hooklog"),
    ("logs.format", "json"),
    ("logs.filter", "warn,hooklog::deliver=debug"),
];

/// Returns each key with another value than its default, as a variable and as a file have it.
pub(super) fn others() -> Vec<(&'static Key, &'static str, String)> {
    OTHERS.iter().map(|(path, text)| (Key::of(path).unwrap(), *text, as_in_a_file(path, text))).collect()
}

/// Writes a key and its value as a line of a file.
pub(super) fn as_in_a_file(path: &str, text: &str) -> String {
    let quoted = |text: &str| format!("{text:?}");
    let value = match Key::of(path).unwrap().kind {
        Kind::Switch | Kind::Count(_) => text.to_owned(),
        Kind::CountOrAuto(_) if text != "auto" => text.to_owned(),
        Kind::Durations(_) | Kind::Paths | Kind::Ranges | Kind::Secrets => {
            let items: Vec<String> = text.split(',').filter(|item| !item.is_empty()).map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        _ => quoted(text),
    };
    format!("{path} = {value}\n")
}

#[test]
fn the_table_is_sound() {
    let mut before: Vec<&str> = Vec::new();
    for key in KEYS {
        let (table, name) = key.table_and_name();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", key.path);
        assert!(!name.contains("__"), "{}: `__` parts levels in a variable", key.path);
        assert!(key.meaning.ends_with('.'), "{}", key.path);
        assert!(!key.meaning.contains('|'), "{}: the meaning stands in a Markdown table", key.path);
        assert!(!before.contains(&key.path), "{} is there twice", key.path);
        let is_opened_again = before.last().is_some_and(|last| Key::of(last).unwrap().table_and_name().0 != table)
            && before.iter().any(|path| Key::of(path).unwrap().table_and_name().0 == table);
        assert!(!is_opened_again, "{}: the keys of a table stand together", key.path);
        before.push(key.path);
    }
}

#[test]
fn every_bound_is_allowed_and_every_zero_explained() {
    for key in KEYS {
        let Some(bounds) = key.kind.bounds() else { continue };
        assert!(bounds.least < bounds.greatest, "{}", key.path);
        assert_eq!(bounds.least > 0, bounds.zero.starts_with("is refused: "), "{}", key.path);
        assert!(i64::try_from(bounds.greatest).is_ok(), "{}: TOML has no greater number", key.path);
        let unit = if matches!(key.kind, Kind::Duration(_) | Kind::Durations(_)) { "ms" } else { "" };
        let reads = |number: u64| key.kind.read_text(&format!("{number}{unit}"));
        assert!(reads(bounds.least).is_ok(), "{}", key.path);
        assert!(reads(bounds.greatest).is_ok(), "{}", key.path);
        assert_eq!(reads(0).is_ok(), bounds.least == 0, "{}", key.path);
        assert!(reads(bounds.greatest + 1).is_err(), "{}", key.path);
        assert_eq!(bounds.least == 0, reads(bounds.least.saturating_sub(1)).is_ok(), "{}", key.path);
    }
}

#[test]
fn every_default_is_written_as_it_would_be_shown() {
    for key in KEYS {
        if let Fallback::Value(text) = key.default {
            let line = format!("{} = {}\n", key.path, key.kind.read_text(text).unwrap().to_toml());
            // A day is shown as a day; the schedule says 24h, because that is what it continues.
            assert_eq!(line.replace("\"1d\"", "\"24h\""), as_in_a_file(key.path, text));
        }
    }
}

#[test]
fn every_key_reaches_the_settings_from_every_source() {
    assert_eq!(
        OTHERS.iter().map(|(path, _)| *path).collect::<Vec<_>>(),
        KEYS.iter().map(|key| key.path).collect::<Vec<_>>()
    );
    for (key, text, line) in others() {
        // Certificate and key come together.
        let companion = match key.path.rsplit_once('.') {
            Some((table, "certificate")) => format!("{table}.key = \"companion\"\n"),
            Some((table, "key")) => format!("{table}.certificate = \"companion\"\n"),
            _ => String::new(),
        };
        let settings = |given: Given<'_>| format!("{:#?}", given.load().unwrap().settings);
        let from_file = settings(file(&format!("{companion}{line}")));
        let name = key.variable();
        let from_environment = settings(Given { file: Some(&companion), ..variable(&name, text) });
        let from_flag = settings(Given { file: Some(&companion), flags: vec![(key.path, text)], ..Given::default() });
        assert_eq!(from_file, from_environment, "{}", key.path);
        assert_eq!(from_file, from_flag, "{}", key.path);
        let has_a_choice = !matches!(key.kind, Kind::Choice([_]));
        assert_eq!(from_file != settings(Given::default()), has_a_choice, "{}", key.path);
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = Given::default().load().unwrap().settings;
    let log = settings.log_options();
    assert_eq!(settings.data.to_str(), Some("./hooklog-data"));
    assert_eq!(log.directory, settings.data);
    assert_eq!(settings.ingest.listener.address.to_string(), "127.0.0.1:7070");
    assert_eq!(settings.admin.address.to_string(), "127.0.0.1:7071");
    assert_eq!((settings.ingest.body_bytes_max, settings.ingest.event_bytes_max), (1 << 20, 256 << 10));
    assert_eq!(settings.ingest.capture_age_max.as_secs(), 7 * 86_400);
    assert_eq!(log.durability, crate::log::Durability::Fsync);
    assert_eq!(log.retention.max_age.as_secs(), 30 * 86_400);
    assert_eq!((log.retention.max_bytes, log.retention.hard_max_bytes), (None, None));
    assert!(settings.deliver.is_https_only && settings.deliver.allow_addresses.is_empty());
    assert_eq!((settings.deliver.timeout.as_secs(), settings.deliver.connect_timeout.as_secs()), (15, 3));
    assert_eq!((settings.deliver.refusals_in_a_row, settings.deliver.lane_hold.as_secs()), (10, 30));
    let pauses: Vec<u64> = settings.deliver.retry_schedule.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(pauses, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    assert!(format!("{:?}", settings.master_key).contains("./hooklog-data/master.key"));
    assert!(settings.operator_token.is_none() && settings.ingest.tokens.is_empty());
}

#[test]
fn the_page_of_the_documentation_says_what_the_table_says() {
    let page = include_str!("../../../docs/settings.md");
    assert!(page == reference(), "run `hooklog config reference > docs/settings.md` and look at what changed");
}
