//! The metrics, by the part that counts them.
//!
//! Names, units and help stand here and nowhere else. Counters end in `_total` when they are written out.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// All metrics of one process.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// What the log counts.
    pub log: LogMetrics,
    /// What ingest counts.
    pub ingest: IngestMetrics,
    /// What the host of filters counts.
    pub filter: FilterMetrics,
    /// What delivery counts.
    pub deliver: DeliverMetrics,
    /// What the API counts.
    pub api: ApiMetrics,
    registry: Arc<Registry>,
}

/// What the log counts.
#[derive(Debug, Clone)]
pub struct LogMetrics {
    /// Seconds that writing and syncing one batch took.
    pub sync_seconds: Histogram,
    /// Records appended.
    pub records: Counter,
    /// Bytes written to the write-ahead log.
    pub bytes: Counter,
    /// Bytes free on the disk, as last seen.
    pub disk_free_bytes: Gauge,
}

/// What ingest counts.
#[derive(Debug, Clone)]
pub struct IngestMetrics {
    /// Events by what became of them.
    pub events: Family<OutcomeLabel, Counter>,
    /// Requests refused, by the code of the problem.
    pub refused: Family<CodeLabel, Counter>,
    /// Seconds from the last byte of a request to its answer.
    pub seconds: Histogram,
}

/// What the host of filters counts.
#[derive(Debug, Clone)]
pub struct FilterMetrics {
    /// Evaluations of one event by one filter, by their verdict or fault.
    pub evaluations: Family<OutcomeLabel, Counter>,
    /// Seconds that one batch took on its thread.
    pub batch_seconds: Histogram,
    /// Instances made.
    pub instances: Counter,
    /// Components loaded, by where their code came from, or refused.
    pub components: Family<OutcomeLabel, Counter>,
}

/// What delivery counts.
#[derive(Debug, Clone)]
pub struct DeliverMetrics {
    /// Requests to receivers by how they ended.
    pub attempts: Family<OutcomeLabel, Counter>,
    /// Seconds of one request to a receiver.
    pub seconds: Histogram,
    /// Requests under way.
    pub in_flight: Gauge,
    /// Requests that wait until others have ended.
    pub waiting: Gauge,
    /// Events that were set aside, by what became of them.
    pub set_aside: Family<OutcomeLabel, Counter>,
    /// Endpoints whose ledger did not add up when it was compared.
    pub ledger_mismatches: Counter,
}

/// What the API counts.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    /// Streams that are open.
    pub streams: Gauge,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// One of few words.
    pub outcome: &'static str,
}

/// Which problem it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabel {
    /// The code of the problem.
    pub code: &'static str,
}

impl Metrics {
    /// Makes all metrics, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("hooklog");
        let log = LogMetrics {
            sync_seconds: seconds(),
            records: Counter::default(),
            bytes: Counter::default(),
            disk_free_bytes: Gauge::default(),
        };
        registry.register_with_unit(
            "log_sync",
            "Writing and syncing one batch of records",
            Unit::Seconds,
            log.sync_seconds.clone(),
        );
        registry.register("log_records", "Records appended", log.records.clone());
        registry.register("log_written_bytes", "Bytes written to the write-ahead log", log.bytes.clone());
        registry.register("log_disk_free_bytes", "Bytes free on the disk of the log", log.disk_free_bytes.clone());

        let ingest = IngestMetrics { events: Family::default(), refused: Family::default(), seconds: seconds() };
        registry.register("ingest_events", "Events by what became of them", ingest.events.clone());
        registry.register("ingest_refused", "Requests refused, by problem code", ingest.refused.clone());
        registry.register_with_unit(
            "ingest",
            "From a request's last byte to its answer",
            Unit::Seconds,
            ingest.seconds.clone(),
        );

        let filter = FilterMetrics {
            evaluations: Family::default(),
            batch_seconds: seconds(),
            instances: Counter::default(),
            components: Family::default(),
        };
        registry.register(
            "filter_evaluations",
            "Events seen by a filter, by verdict or fault",
            filter.evaluations.clone(),
        );
        registry.register_with_unit(
            "filter_batch",
            "One batch of events in one filter",
            Unit::Seconds,
            filter.batch_seconds.clone(),
        );
        registry.register("filter_instances", "Instances of filters made", filter.instances.clone());
        registry.register(
            "filter_components",
            "Components loaded, by origin of their code, or refused",
            filter.components.clone(),
        );

        let deliver = DeliverMetrics {
            attempts: Family::default(),
            seconds: seconds(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            set_aside: Family::default(),
            ledger_mismatches: Counter::default(),
        };
        registry.register("deliver_attempts", "Requests to receivers, by how they ended", deliver.attempts.clone());
        registry.register_with_unit(
            "deliver_attempt",
            "One request to a receiver",
            Unit::Seconds,
            deliver.seconds.clone(),
        );
        registry.register("deliver_in_flight", "Requests to receivers under way", deliver.in_flight.clone());
        registry.register(
            "deliver_waiting",
            "Requests to receivers that wait until others have ended",
            deliver.waiting.clone(),
        );
        registry.register(
            "deliver_set_aside",
            "Events not simply delivered: parked, given up, discarded, too old, passed over",
            deliver.set_aside.clone(),
        );
        registry.register(
            "deliver_ledger_mismatches",
            "Ledgers that did not add up: should never count",
            deliver.ledger_mismatches.clone(),
        );
        let api = ApiMetrics { streams: Gauge::default() };
        registry.register("api_streams", "Streams that are open", api.streams.clone());
        Self { log, ingest, filter, deliver, api, registry: Arc::new(registry) }
    }

    /// Writes all metrics in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(8 << 10);
        encode(&mut text, &self.registry).expect("writing to a text does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl OutcomeLabel {
    /// Labels a counter with a word.
    #[must_use]
    pub const fn new(outcome: &'static str) -> Self {
        Self { outcome }
    }
}

/// From 50 µs, the fastest sync seen, doubling to about 27 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 20))
}
