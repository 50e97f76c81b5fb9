//! The checked settings, ready to be handed to the parts.
//!
//! Not where they came from, nor what they are for: the table of keys says that. Whoever holds a value of
//! these types need not look at it again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::log;
use crate::security::{MasterKey, Secret};
use crate::telemetry::LogFormat;

/// All settings of a process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// How long a stop waits for what is in flight.
    pub shutdown_timeout: Duration,
    /// Taking events in.
    pub ingest: IngestSettings,
    /// Files that add to the built-in catalogue, the later over the earlier.
    pub catalog_files: Vec<PathBuf>,
    /// Running filters.
    pub filter: FilterSettings,
    /// API, health, metrics.
    pub admin: ListenerSettings,
    /// Sending events on.
    pub deliver: DeliverSettings,
    /// Where the key is that seals the keystore.
    pub master_key: MasterKeySource,
    /// The operator's token (`HOOKLOG_OPERATOR_TOKEN`), where it is given and not to be made.
    pub operator_token: Option<Secret<String>>,
    /// The program's own log lines.
    pub logs: LogsSettings,
    pub(super) log: log::Options,
}

impl Settings {
    /// Returns what the log is opened with.
    #[must_use]
    pub fn log_options(&self) -> log::Options {
        self.log.clone()
    }
}

/// Taking events in.
#[derive(Debug, Clone)]
pub struct IngestSettings {
    /// Where it listens.
    pub listener: ListenerSettings,
    /// Of these a sender has to show one; where there are none, nobody is asked.
    pub tokens: Vec<Secret<String>>,
    /// Bytes of the largest body.
    pub body_bytes_max: usize,
    /// Bytes of the largest event, at most those of a body.
    pub event_bytes_max: usize,
    /// How long a capture is kept.
    pub capture_age_max: Duration,
}

/// Where and how a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// The address; port 0 takes any that is free.
    pub address: SocketAddr,
    /// Certificate and key; none where it speaks HTTP in the clear.
    pub tls: Option<TlsFiles>,
    /// Whether it may speak in the clear outside loopback.
    pub is_insecure: bool,
}

impl ListenerSettings {
    /// Says whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

/// The PEM files of a listener. Whether they can be used is seen when they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Running filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterSettings {
    /// Fuel for one event, before its bytes are counted.
    pub fuel_per_event: u64,
    /// Bytes of memory of one filter.
    pub memory_bytes_max: usize,
    /// Bytes of the largest component.
    pub component_bytes_max: usize,
    /// Threads that run them; none where that is as many as there are processors.
    pub threads: Option<u16>,
}

/// Sending events on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverSettings {
    /// Whether a URL has to begin with `https://`.
    pub is_https_only: bool,
    /// Ranges that may be sent to although they are not public.
    pub allow_addresses: Vec<IpNet>,
    /// How long a receiver may take, the connection included.
    pub timeout: Duration,
    /// How long a connection may take, at most `timeout`.
    pub connect_timeout: Duration,
    /// The pauses before a refused event is tried again.
    pub retry_schedule: Vec<Duration>,
    /// How long the events behind a refused one wait for it.
    pub lane_hold: Duration,
    /// After so many different events refused in a row the endpoint is in trouble.
    pub refusals_in_a_row: u32,
    /// Deliveries under way at once, over all endpoints.
    pub in_flight_max: InFlightMax,
}

/// How many deliveries may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFlightMax {
    /// As the process's descriptors allow.
    Auto,
    /// So many, at least one.
    Count(u32),
}

impl InFlightMax {
    /// Returns the number, for a process that may open so many descriptors.
    ///
    /// Half of what the store leaves is for deliveries; the other half is for those who connect to us.
    #[must_use]
    pub fn resolve(self, descriptors_max: u64) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Auto => {
                let half = descriptors_max.saturating_sub(STORE_DESCRIPTORS) / 2;
                u32::try_from(half).unwrap_or(u32::MAX).clamp(AUTO_LEAST, AUTO_GREATEST)
            }
        }
    }
}

/// Where the key is that seals the keystore.
#[derive(Debug, Clone)]
pub enum MasterKeySource {
    /// In this file, which a first start makes.
    File(PathBuf),
    /// It was given in the environment (`HOOKLOG_MASTER_KEY`).
    Given(MasterKey),
}

/// The program's own log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsSettings {
    /// Their form.
    pub format: LogFormat,
    /// Which are written: a sound filter.
    pub filter: String,
}

/// Files that the store may hold open.
pub const STORE_DESCRIPTORS: u64 = 512;
/// With fewer, one slow endpoint would hold up the others.
const AUTO_LEAST: u32 = 16;
/// Beyond it the receivers are slower than any queue here.
const AUTO_GREATEST: u32 = 4_096;

#[cfg(test)]
mod tests {
    use super::{InFlightMax, ListenerSettings};

    #[test]
    fn in_flight_follows_the_descriptors() {
        let cases = [(0, 16), (512, 16), (544, 16), (1_024, 256), (4_096, 1_792), (65_536, 4_096), (u64::MAX, 4_096)];
        for (descriptors, expected) in cases {
            assert_eq!(InFlightMax::Auto.resolve(descriptors), expected, "{descriptors}");
        }
        assert_eq!(InFlightMax::Count(9_000).resolve(1_024), 9_000);
    }

    #[test]
    fn loopback_is_what_only_this_machine_reaches() {
        for (address, expected) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
        ] {
            let listener = ListenerSettings { address: address.parse().unwrap(), tls: None, is_insecure: false };
            assert_eq!(listener.is_loopback(), expected, "{address}");
        }
    }
}
