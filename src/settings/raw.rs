//! The one table of all keys: what each means, how it is written, and what it is when nobody says.
//!
//! Not the values in effect: those are read by `file` and `environment` and checked by `check`. What is not
//! in this table is no setting. The order is that of a settings file, so a table's own keys come before
//! those of the tables below it.

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// Where it stands in a file, with dots between levels.
    pub(super) path: &'static str,
    /// The flag of `serve` that sets it, where there is one.
    pub(super) flag: Option<&'static str>,
    /// How it is written and within which bounds.
    pub(super) kind: Kind,
    /// What holds when nobody sets it.
    pub(super) default: Fallback,
    /// What it is for.
    pub(super) meaning: &'static str,
}

impl Key {
    /// Returns the key of a path.
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// Returns the name of its variable.
    pub(super) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.path.replace('.', "__").to_ascii_uppercase())
    }

    /// Returns the table that it stands in, empty for the top, and its name in there.
    pub(super) fn table_and_name(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }

    /// Says whether its value must not be shown.
    pub(super) const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secrets)
    }
}

/// What holds when nobody sets a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fallback {
    /// This value, written as in a variable.
    Value(&'static str),
    /// No value, which means this.
    Nothing(&'static str),
}

/// How a value is written and within which bounds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Path,
    Paths,
    Address,
    Switch,
    Choice(&'static [&'static str]),
    LogFilter,
    Count(Bounds),
    CountOrAuto(Bounds),
    Size(Bounds),
    Duration(Bounds),
    Durations(Bounds),
    Ranges,
    Secrets,
}

impl Kind {
    /// Returns the bounds of a number, or of each number in a list.
    pub(super) const fn bounds(&self) -> Option<&Bounds> {
        match self {
            Self::Count(bounds)
            | Self::CountOrAuto(bounds)
            | Self::Size(bounds)
            | Self::Duration(bounds)
            | Self::Durations(bounds) => Some(bounds),
            Self::Path
            | Self::Paths
            | Self::Address
            | Self::Switch
            | Self::Choice(_)
            | Self::LogFilter
            | Self::Ranges
            | Self::Secrets => None,
        }
    }
}

/// The least and the greatest value, both allowed: bytes, milliseconds or a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: u64,
    pub(super) greatest: u64,
    /// The effect of zero; where it is below the least, why it is refused.
    pub(super) zero: &'static str,
}

const fn between(least: u64, greatest: u64, zero: &'static str) -> Bounds {
    Bounds { least, greatest, zero }
}

const fn key(path: &'static str, kind: Kind, default: Fallback, meaning: &'static str) -> Key {
    Key { path, flag: None, kind, default, meaning }
}

const fn with_flag(flag: &'static str, key: Key) -> Key {
    Key { flag: Some(flag), ..key }
}

/// What every variable begins with.
pub(super) const VARIABLE_PREFIX: &str = "HOOKLOG_";

/// Items that a list may have.
pub(super) const LIST_ITEMS_MAX: usize = 1_000;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// All keys, in the order of a settings file.
pub(super) const KEYS: &[Key] = &[
    with_flag(
        "--data",
        key(
            "data",
            Kind::Path,
            Fallback::Value("./hooklog-data"),
            "The directory that holds the log and all that goes with it.",
        ),
    ),
    key(
        "shutdown_timeout",
        Kind::Duration(between(0, HOUR, "nothing in flight is waited for")),
        Fallback::Value("20s"),
        "How long a stop waits for requests and deliveries in flight. Keep it below what the orchestrator grants.",
    ),
    with_flag(
        "--ingest",
        key(
            "ingest.listen",
            Kind::Address,
            Fallback::Value("127.0.0.1:7070"),
            "Where events are posted to. Outside loopback it needs tokens, and TLS or `ingest.insecure`.",
        ),
    ),
    key(
        "ingest.tokens",
        Kind::Secrets,
        Fallback::Value(""),
        "Bearer tokens of which a sender has to show one. Empty: none is asked for, which only loopback may do.",
    ),
    key(
        "ingest.max_body_bytes",
        Kind::Size(between(KIB, 256 * MIB, "is refused: no request would be taken")),
        Fallback::Value("1MiB"),
        "The largest body of a request. At most `log.queue_bytes`, the default too.",
    ),
    key(
        "ingest.max_event_bytes",
        Kind::Size(between(256, 16 * MIB, "is refused: no event would be taken")),
        Fallback::Value("256KiB"),
        "The largest event, as it stands in the body. At most `ingest.max_body_bytes`, the default too.",
    ),
    key(
        "ingest.insecure",
        Kind::Switch,
        Fallback::Value("false"),
        "Lets ingest listen outside loopback without TLS, for a network that is trusted.",
    ),
    key(
        "ingest.capture.max_age",
        Kind::Duration(between(SECOND, 3_650 * DAY, "is refused: a capture is there to be looked at")),
        Fallback::Value("7d"),
        "How long a body is kept that the mapping did not understand. The log's own age ends it too.",
    ),
    key(
        "ingest.tls.certificate",
        Kind::Path,
        Fallback::Nothing("no TLS"),
        "A PEM file with the certificate of the ingest listener and those between it and its root.",
    ),
    key("ingest.tls.key", Kind::Path, Fallback::Nothing("no TLS"), "A PEM file with the key of that certificate."),
    with_flag(
        "--admin",
        key(
            "admin.listen",
            Kind::Address,
            Fallback::Value("127.0.0.1:7071"),
            "Where API, health and metrics are served. Outside loopback it needs TLS or `admin.insecure`.",
        ),
    ),
    key(
        "admin.insecure",
        Kind::Switch,
        Fallback::Value("false"),
        "Lets the admin listener listen outside loopback without TLS, for a network that is trusted.",
    ),
    key(
        "admin.tls.certificate",
        Kind::Path,
        Fallback::Nothing("no TLS"),
        "A PEM file with the certificate of the admin listener and those between it and its root.",
    ),
    key("admin.tls.key", Kind::Path, Fallback::Nothing("no TLS"), "A PEM file with the key of that certificate."),
    key(
        "log.durability",
        Kind::Choice(&["fsync", "os"]),
        Fallback::Value("fsync"),
        "What has happened before an event is acknowledged: `fsync`, the disk has it, so it survives a power cut; `os`, \
         the operating system has it, so it survives the end of the process and not that of the machine.",
    ),
    key(
        "log.queue_bytes",
        Kind::Size(between(64 * KIB, 8 * GIB, "is refused: no request would be taken")),
        Fallback::Value("64MiB"),
        "Events that may wait to be written. When it is full, ingest answers 503.",
    ),
    key(
        "log.tail_bytes",
        Kind::Size(between(64 * KIB, 8 * GIB, "is refused: live delivery would read every event from disk")),
        Fallback::Value("16MiB"),
        "Memory for the newest events, so that live delivery reads no disk.",
    ),
    key(
        "log.write_buffer_bytes",
        Kind::Size(between(MIB, 8 * GIB, "is refused: the store needs some")),
        Fallback::Value("32MiB"),
        "Memory for what is in the write-ahead log and not yet in a table. Four times as much is read back after a crash.",
    ),
    key(
        "log.cache_bytes",
        Kind::Size(between(MIB, 64 * GIB, "is refused: the store needs some")),
        Fallback::Value("32MiB"),
        "Memory for blocks read from disk, their indexes and filters.",
    ),
    key(
        "log.retention.max_age",
        Kind::Duration(between(SECOND, 36_500 * DAY, "is refused: events would go before they are delivered")),
        Fallback::Value("30d"),
        "An event older than this goes, delivered or not.",
    ),
    key(
        "log.retention.max_bytes",
        Kind::Size(between(MIB, 1_024 * TIB, "is refused: leave the key out for no limit")),
        Fallback::Nothing("no limit"),
        "Beyond this the oldest events go, but for those that an enabled endpoint has yet to get.",
    ),
    key(
        "log.retention.hard_max_bytes",
        Kind::Size(between(MIB, 1_024 * TIB, "is refused: leave the key out for no limit")),
        Fallback::Nothing("no limit"),
        "Beyond this the oldest events go, delivered or not. At least `log.retention.max_bytes`.",
    ),
    key(
        "log.retention.commands",
        Kind::Choice(&["forever"]),
        Fallback::Value("forever"),
        "How long changes of settings are kept: they are the audit.",
    ),
    key(
        "log.disk.reserve_bytes",
        Kind::Size(between(MIB, 1_024 * TIB, "is refused: a disk must not fill up in the middle of a write")),
        Fallback::Value("1GiB"),
        "Room that stays free on the disk. Below it ingest answers 503, while delivery and commands go on. The store tidies its indexes up only while there is as much room above it as they take, about a third of the log.",
    ),
    key(
        "catalog.files",
        Kind::Paths,
        Fallback::Value(""),
        "TOML files that add to the built-in catalogue of types and fields; an entry of a known name takes its place, \
         the later file wins. `hooklog catalog check FILE` says what is wrong in one.",
    ),
    key(
        "filter.fuel_per_event",
        Kind::Count(between(1_000_000, 100_000_000_000, "is refused: no filter could answer")),
        Fallback::Value("100000000"),
        "Fuel that a filter may use for one event, about one unit an instruction; each byte of the event adds 10,000. \
         What runs out of it is a fault.",
    ),
    key(
        "filter.memory_bytes_max",
        Kind::Size(between(8 * MIB, 2 * GIB, "is refused: no filter could run")),
        Fallback::Value("64MiB"),
        "Memory that one filter may use. Where the largest event needs more to be treated, the filter gets that.",
    ),
    key(
        "filter.component_bytes_max",
        Kind::Size(between(MIB, 256 * MIB, "is refused: no filter is that small")),
        Fallback::Value("16MiB"),
        "Size of the largest component.",
    ),
    key(
        "filter.threads",
        Kind::CountOrAuto(between(1, 256, "is refused: rights are decided by a filter")),
        Fallback::Value("auto"),
        "Threads that run filters; `auto` is one for each processor, at most 16.",
    ),
    key(
        "deliver.https_only",
        Kind::Switch,
        Fallback::Value("true"),
        "Whether an endpoint's URL has to begin with `https://`.",
    ),
    key(
        "deliver.allow_addresses",
        Kind::Ranges,
        Fallback::Value(""),
        "Ranges that deliveries may go to although they are not public, such as `10.0.0.0/8`.",
    ),
    key(
        "deliver.timeout",
        Kind::Duration(between(10, 10 * MINUTE, "is refused: no delivery would succeed")),
        Fallback::Value("15s"),
        "How long a receiver may take to answer, the connection included, unless its endpoint says otherwise.",
    ),
    key(
        "deliver.connect_timeout",
        Kind::Duration(between(10, MINUTE, "is refused: no delivery would succeed")),
        Fallback::Value("3s"),
        "How long a connection to a receiver may take. At most `deliver.timeout`, the default too.",
    ),
    key(
        "deliver.retry_schedule",
        Kind::Durations(between(1, 30 * DAY, "is refused: a receiver that refuses needs a pause")),
        Fallback::Value("5s,5m,30m,2h,5h,10h,14h,20h,24h"),
        "The pauses before an event that its receiver refuses is tried again; after the last try it is a dead letter. \
         Empty: it is tried once.",
    ),
    key(
        "deliver.lane_hold",
        Kind::Duration(between(0, HOUR, "the events behind a refused one go on at once")),
        Fallback::Value("30s"),
        "How long the events behind a refused one wait for it before they go on without it.",
    ),
    key(
        "deliver.refusals_in_a_row",
        Kind::Count(between(1, 1_000, "is refused: every receiver would be in trouble")),
        Fallback::Value("10"),
        "After so many different events refused in a row the receiver counts as in trouble, not the events.",
    ),
    key(
        "deliver.in_flight_max",
        Kind::CountOrAuto(between(1, 65_536, "is refused: nothing would be sent")),
        Fallback::Value("auto"),
        "Deliveries under way at once, over all endpoints. `auto`: from 16 to 4,096, half of the process's descriptors \
         after 512 for the store. An account holds no more of them than it leaves free, an endpoint a sixteenth of that, so that others find room; \
         endpoints that have taken nothing for a minute share a quarter, and half of that is for those in trouble.",
    ),
    key(
        "security.key_file",
        Kind::Path,
        Fallback::Nothing("`master.key` in the data directory"),
        "The key that seals the keystore: made at the first start, readable to its owner only. Not beside \
         `HOOKLOG_MASTER_KEY`.",
    ),
    key(
        "logs.format",
        Kind::Choice(&["text", "json"]),
        Fallback::Value("text"),
        "How the program's own log lines are written: for people, or one JSON object a line.",
    ),
    key(
        "logs.filter",
        Kind::LogFilter,
        Fallback::Value("info"),
        "Which log lines are written: a level, or levels by module such as `info,hooklog::deliver=debug`.",
    ),
];
