//! What `hooklog config show` prints.

use super::super::load;
use super::table::others;
use super::{Given, file, without_directory};

#[test]
fn the_settings_in_effect_say_where_they_came_from() {
    let given = Given {
        file: Some("[ingest]\nmax_body_bytes = 1_000_000\n"),
        environment: vec![("HOOKLOG_INGEST__LISTEN", "127.0.0.1:0"), ("HOOKLOG_INGEST__TOKENS", "s3cret,s3cret-too")],
        flags: vec![("data", "a \"b\" \\ c")],
    };
    let page = without_directory(&given.load().unwrap().effective.to_toml());
    let expected = r##"# The settings in effect. What stands behind # is not set, or hidden because it is secret.

# The directory that holds the log and all that goes with it.
data = 'a "b" \ c'  # from --data
# How long a stop waits for requests and deliveries in flight. Keep it below what the orchestrator
# grants.
shutdown_timeout = "20s"  # default

[ingest]
# Where events are posted to. Outside loopback it needs tokens, and TLS or ingest.insecure.
listen = "127.0.0.1:0"  # from HOOKLOG_INGEST__LISTEN
# Bearer tokens of which a sender has to show one. Empty: none is asked for, which only loopback may
# do.
# tokens = ["***", "***"]  # hidden, from HOOKLOG_INGEST__TOKENS
# The largest body of a request. At most log.queue_bytes, the default too.
max_body_bytes = 1000000  # from hooklog.toml:2:18
"##;
    assert!(page.starts_with(expected), "{page}");
    assert!(page.contains("\n[log.retention]\n") && page.contains("\n# max_bytes is not set: no limit\n"), "{page}");
    assert!(page.contains("\n# key_file is not set: master.key in the data directory\n"), "{page}");
}

#[test]
fn what_is_shown_is_a_file_that_gives_the_same_settings() {
    let lines: String = others().into_iter().filter(|(key, ..)| !key.is_secret()).map(|(_, _, line)| line).collect();
    for text in ["", &lines] {
        let first = file(text).load().unwrap();
        let page = first.effective.to_toml();
        let second = file(&page).with(load).unwrap();
        assert_eq!(format!("{:?}", first.settings), format!("{:?}", second.settings));
        assert_eq!(values(&first.effective.entries()), values(&second.effective.entries()));
    }
}

fn values(entries: &[super::super::Entry]) -> Vec<(&'static str, Option<String>)> {
    entries.iter().map(|entry| (entry.key, entry.value.clone())).collect()
}

#[test]
fn a_secret_is_shown_nowhere() {
    let given = Given {
        file: Some("ingest.tokens = [\"s3cret-a\"]"),
        environment: vec![("HOOKLOG_OPERATOR_TOKEN", "s3cret-b"), ("HOOKLOG_TOKEN", "s3cret-c")],
        ..Given::default()
    };
    let loaded = given.load().unwrap();
    let sources = given.with(|sources| format!("{sources:?}"));
    let entries = serde_json::to_string(&loaded.effective.entries()).unwrap();
    for shown in [format!("{loaded:#?}"), loaded.effective.to_toml(), entries, sources] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
