//! From the values in effect to checked settings, and the rules between keys.
//!
//! Not the bounds of one value: those held when it was read. A rule says what is wrong with which two
//! settings, where each came from, and what to change.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::checked::{
    DeliverSettings, FilterSettings, InFlightMax, IngestSettings, ListenerSettings, LogsSettings, MasterKeySource,
    Settings, TlsFiles,
};
use super::environment;
use super::error::{Origin, Problem};
use super::raw::Key;
use super::sources::{Gathered, Sources};
use super::value::{Value, is_bearer_token};
use crate::log::{self, Durability, Retention};
use crate::security::{MasterKey, Secret};
use crate::telemetry::LogFormat;

/// Lowers each default that is above what somebody set for the key that bounds it.
///
/// Who says `deliver.timeout = "1s"` should not have to know that connecting has a time of its own.
pub(super) fn lower_defaults(gathered: &mut Gathered) {
    for (lower, upper) in BOUNDED {
        let (Some((value, Origin::Default)), Some((bound, _))) = (gathered.get(lower), gathered.get(upper)) else {
            continue;
        };
        if magnitude(value) > magnitude(bound) {
            let bound = bound.clone();
            gathered.lower_default(lower, bound);
        }
    }
}

/// Makes settings of values, where they fit each other.
pub(super) fn check(gathered: &Gathered, sources: &Sources) -> Result<Settings, Vec<Problem>> {
    let mut checker = Checker { gathered, sources, problems: Vec::new() };
    let settings = checker.settings();
    checker.bounds_between_keys();
    checker.addresses_differ();
    if checker.problems.is_empty() { Ok(settings) } else { Err(checker.problems) }
}

/// Says what is wrong with listening where the settings say.
pub(super) fn check_exposure(settings: &Settings, gathered: &Gathered) -> Vec<Problem> {
    let mut problems = Vec::new();
    let origin = |path| gathered.get(path).map_or(Origin::Default, |(_, origin)| origin.clone());
    let ingest = &settings.ingest;
    if !ingest.listener.is_loopback() && ingest.tokens.is_empty() {
        problems.push(Problem::NoTokens { origin: origin("ingest.listen"), address: ingest.listener.address });
    }
    let listeners = [("ingest", "ingest.listen", &ingest.listener), ("admin", "admin.listen", &settings.admin)];
    for (name, path, listener) in listeners {
        if !listener.is_loopback() && listener.tls.is_none() && !listener.is_insecure {
            problems.push(Problem::NoTls { origin: origin(path), listener: name, address: listener.address });
        }
    }
    problems
}

struct Checker<'a> {
    gathered: &'a Gathered,
    sources: &'a Sources,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn settings(&mut self) -> Settings {
        let data = self.path("data").expect("it has a default");
        Settings {
            shutdown_timeout: self.duration("shutdown_timeout"),
            ingest: self.ingest(),
            admin: self.listener("admin.listen", "admin.insecure", ["admin.tls.certificate", "admin.tls.key"]),
            catalog_files: match self.value("catalog.files") {
                Some(Value::Paths(paths)) => paths.iter().map(PathBuf::from).collect(),
                other => mismatch("catalog.files", other),
            },
            filter: FilterSettings {
                fuel_per_event: self.long_count("filter.fuel_per_event"),
                memory_bytes_max: memory(self.size("filter.memory_bytes_max")),
                component_bytes_max: memory(self.size("filter.component_bytes_max")),
                threads: match self.value("filter.threads") {
                    Some(Value::Auto) => None,
                    _ => Some(u16::try_from(self.count("filter.threads")).expect("the bounds of a count fit")),
                },
            },
            deliver: self.deliver(),
            master_key: self.master_key(data.join(KEY_FILE)),
            operator_token: self.operator_token(),
            logs: LogsSettings {
                format: self.choice("logs.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]),
                filter: self.text("logs.filter").expect("it has a default").to_owned(),
            },
            log: self.log(data.clone()),
            data,
        }
    }

    fn ingest(&mut self) -> IngestSettings {
        let tls = ["ingest.tls.certificate", "ingest.tls.key"];
        IngestSettings {
            listener: self.listener("ingest.listen", "ingest.insecure", tls),
            tokens: match self.value("ingest.tokens") {
                Some(Value::Secrets(tokens)) => tokens.clone(),
                other => mismatch("ingest.tokens", other),
            },
            body_bytes_max: memory(self.size("ingest.max_body_bytes")),
            event_bytes_max: memory(self.size("ingest.max_event_bytes")),
            capture_age_max: self.duration("ingest.capture.max_age"),
        }
    }

    fn listener(&mut self, listen: &str, insecure: &str, tls: [&'static str; 2]) -> ListenerSettings {
        ListenerSettings { address: self.address(listen), tls: self.tls(tls), is_insecure: self.switch(insecure) }
    }

    fn tls(&mut self, [certificate, key]: [&'static str; 2]) -> Option<TlsFiles> {
        let (given, missing) = match (self.path(certificate), self.path(key)) {
            (Some(certificate), Some(key)) => return Some(TlsFiles { certificate, key }),
            (None, None) => return None,
            (Some(_), None) => (certificate, key),
            (None, Some(_)) => (key, certificate),
        };
        self.problems.push(Problem::Incomplete { given, given_at: self.origin(given), missing });
        None
    }

    fn log(&self, directory: PathBuf) -> log::Options {
        log::Options {
            directory,
            durability: self.choice("log.durability", &[("fsync", Durability::Fsync), ("os", Durability::Os)]),
            queue_bytes_max: memory(self.size("log.queue_bytes")),
            tail_bytes_max: memory(self.size("log.tail_bytes")),
            write_buffer_bytes: memory(self.size("log.write_buffer_bytes")),
            cache_bytes: memory(self.size("log.cache_bytes")),
            disk_reserve_bytes: self.size("log.disk.reserve_bytes"),
            retention: Retention {
                max_age: self.duration("log.retention.max_age"),
                max_bytes: self.size_if_set("log.retention.max_bytes"),
                hard_max_bytes: self.size_if_set("log.retention.hard_max_bytes"),
            },
        }
    }

    fn deliver(&self) -> DeliverSettings {
        DeliverSettings {
            is_https_only: self.switch("deliver.https_only"),
            allow_addresses: match self.value("deliver.allow_addresses") {
                Some(Value::Ranges(ranges)) => ranges.clone(),
                other => mismatch("deliver.allow_addresses", other),
            },
            timeout: self.duration("deliver.timeout"),
            connect_timeout: self.duration("deliver.connect_timeout"),
            retry_schedule: match self.value("deliver.retry_schedule") {
                Some(Value::Durations(pauses)) => pauses.clone(),
                other => mismatch("deliver.retry_schedule", other),
            },
            lane_hold: self.duration("deliver.lane_hold"),
            refusals_in_a_row: self.count("deliver.refusals_in_a_row"),
            in_flight_max: match self.value("deliver.in_flight_max") {
                Some(Value::Auto) => InFlightMax::Auto,
                _ => InFlightMax::Count(self.count("deliver.in_flight_max")),
            },
        }
    }

    fn master_key(&mut self, default_file: PathBuf) -> MasterKeySource {
        let file = self.path("security.key_file");
        let Some(text) = self.sources.variable(environment::MASTER_KEY) else {
            return MasterKeySource::File(file.unwrap_or(default_file));
        };
        if file.is_some() {
            self.problems.push(Problem::TwoMasterKeys { key_file_at: self.origin("security.key_file") });
        }
        match MasterKey::parse(text) {
            Ok(key) => MasterKeySource::Given(key),
            Err(invalid) => {
                self.refuse_variable(environment::MASTER_KEY, invalid.to_string());
                MasterKeySource::File(default_file)
            }
        }
    }

    fn operator_token(&mut self) -> Option<Secret<String>> {
        let text = self.sources.variable(environment::OPERATOR_TOKEN)?;
        if !is_bearer_token(text) {
            let reason = "a token is 1 to 512 visible ASCII characters without commas".to_owned();
            self.refuse_variable(environment::OPERATOR_TOKEN, reason);
        }
        Some(Secret::new(text.to_owned()))
    }

    fn refuse_variable(&mut self, name: &'static str, reason: String) {
        self.problems.push(Problem::Secret { name, reason });
    }

    fn bounds_between_keys(&mut self) {
        for (lower, upper) in BOUNDED {
            let (Some((lower_value, lower_at)), Some((upper_value, upper_at))) =
                (self.gathered.get(lower), self.gathered.get(upper))
            else {
                continue;
            };
            if magnitude(lower_value) > magnitude(upper_value) {
                self.problems.push(Problem::Order {
                    lower,
                    lower_value: lower_value.to_toml(),
                    lower_at: lower_at.clone(),
                    upper,
                    upper_value: upper_value.to_toml(),
                    upper_at: upper_at.clone(),
                });
            }
        }
    }

    fn addresses_differ(&mut self) {
        let address = self.address("ingest.listen");
        if address == self.address("admin.listen") && address.port() != 0 {
            let (ingest_at, admin_at) = (self.origin("ingest.listen"), self.origin("admin.listen"));
            self.problems.push(Problem::SameAddress { address, ingest_at, admin_at });
        }
    }

    // --- Values by path --------------------------------------------------------------------------

    fn value(&self, path: &str) -> Option<&Value> {
        debug_assert!(Key::of(path).is_some(), "{path} is no key");
        self.gathered.get(path).map(|(value, _)| value)
    }

    fn origin(&self, path: &str) -> Origin {
        self.gathered.get(path).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    fn text(&self, path: &str) -> Option<&str> {
        match self.value(path) {
            None => None,
            Some(Value::Text(text)) => Some(text),
            other => mismatch(path, other),
        }
    }

    fn path(&self, path: &str) -> Option<PathBuf> {
        self.text(path).map(PathBuf::from)
    }

    fn choice<T: Copy>(&self, path: &str, choices: &[(&str, T)]) -> T {
        let chosen = choices.iter().find(|(name, _)| self.text(path) == Some(name));
        chosen.expect("the table lists the same choices").1
    }

    fn address(&self, path: &str) -> SocketAddr {
        match self.value(path) {
            Some(Value::Address(address)) => *address,
            other => mismatch(path, other),
        }
    }

    fn switch(&self, path: &str) -> bool {
        match self.value(path) {
            Some(Value::Switch(is_on)) => *is_on,
            other => mismatch(path, other),
        }
    }

    fn duration(&self, path: &str) -> Duration {
        match self.value(path) {
            Some(Value::Duration(duration)) => *duration,
            other => mismatch(path, other),
        }
    }

    fn count(&self, path: &str) -> u32 {
        u32::try_from(self.long_count(path)).expect("the bounds of a count fit")
    }

    fn long_count(&self, path: &str) -> u64 {
        match self.value(path) {
            Some(Value::Count(count)) => *count,
            other => mismatch(path, other),
        }
    }

    fn size(&self, path: &str) -> u64 {
        self.size_if_set(path).expect("it has a default")
    }

    fn size_if_set(&self, path: &str) -> Option<u64> {
        match self.value(path) {
            None => None,
            Some(Value::Size(bytes)) => Some(*bytes),
            other => mismatch(path, other),
        }
    }
}

/// The table and this file disagree: a bug that the first start of any test shows.
fn mismatch(path: &str, value: Option<&Value>) -> ! {
    panic!("the table of keys gives {path} another kind: {value:?}")
}

/// More than the machine can address is all that it can.
fn memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn magnitude(value: &Value) -> u128 {
    match value {
        Value::Size(bytes) => u128::from(*bytes),
        Value::Duration(duration) => duration.as_millis(),
        other => mismatch("a key that bounds another", Some(other)),
    }
}

/// Pairs of which the first may not be above the second, where both are set. A pair whose second is the
/// first of another comes after that one.
const BOUNDED: [(&str, &str); 4] = [
    // A body waits in the queue as a whole: it would never fit.
    ("ingest.max_body_bytes", "log.queue_bytes"),
    ("ingest.max_event_bytes", "ingest.max_body_bytes"),
    ("log.retention.max_bytes", "log.retention.hard_max_bytes"),
    ("deliver.connect_timeout", "deliver.timeout"),
];

/// The master key's file in the data directory.
const KEY_FILE: &str = "master.key";
