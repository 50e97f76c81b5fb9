//! One batch: an instance is made, configured, asked event by event, and thrown away.
//!
//! Not a schedule: it runs on the thread that calls it until the batch is done. Invariant: a fault is a
//! function of component, configuration and event alone. So fuel is set per event, what failed on an instance
//! that has seen other events is asked again on a fresh one, and what the wall cut off is tried again.

use crate::runtime::Clock;
use crate::telemetry::{FilterMetrics, OutcomeLabel};

use super::component::Filter;
use super::event::{Evaluated, Event};
use super::fault::Fault;
use super::instance::{Instance, Stop};
use super::limits::{Limits, TRIES_MAX};
use super::verdict;
use super::wall::Wall;

/// What all batches of a host share.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) wall: Wall,
    pub(super) clock: Clock,
    pub(super) metrics: FilterMetrics,
}

/// Asks a filter about events, one after another.
///
/// # Shape
/// `n` events in, `n` answers out in their order; fewer where `is_wanted` says that nobody waits any more.
pub(super) fn batch(
    setup: &Setup,
    filter: &Filter,
    configuration: &str,
    events: &[Event],
    is_wanted: &dyn Fn() -> bool,
) -> Vec<Evaluated> {
    let begun = setup.clock.monotonic();
    let mut batch = Batch { setup, filter, configuration, instance: None, doomed: None };
    let mut answers = Vec::with_capacity(events.len());
    for event in events {
        if !is_wanted() {
            break;
        }
        let answer = batch.ask(event);
        setup.metrics.evaluations.get_or_create(&OutcomeLabel::new(answer.word())).inc();
        answers.push(answer);
    }
    setup.metrics.batch_seconds.observe(setup.clock.monotonic().since(begun).as_secs_f64());
    answers
}

struct Batch<'a> {
    setup: &'a Setup,
    filter: &'a Filter,
    configuration: &'a str,
    /// Configured, and sound after the events it has seen.
    instance: Option<Instance>,
    /// Why no instance can be made and configured: the next one would fail the same way.
    doomed: Option<Fault>,
}

impl Batch<'_> {
    fn ask(&mut self, event: &Event) -> Evaluated {
        let mut tries = 0;
        loop {
            let is_fresh = self.instance.is_none();
            let mut instance = match self.instance.take().map_or_else(|| self.fresh(), Ok) {
                Ok(instance) => instance,
                Err(fault) => return Evaluated::never(fault),
            };
            let answer = instance
                .evaluate(event)
                .and_then(|answer| verdict::check(answer, &self.setup.limits).map_err(Stop::Fault));
            let (fuel, log) = (instance.fuel_used(), instance.take_log());
            let result = match answer {
                Ok(verdict) => {
                    self.instance = Some(instance);
                    Ok(verdict)
                }
                // Perhaps other events have used it up: only the fault of a fresh instance counts.
                Err(Stop::Fault(_)) if !is_fresh => continue,
                Err(Stop::Fault(fault)) => Err(fault),
                Err(Stop::Slow(stage)) => {
                    tries += 1;
                    if tries < TRIES_MAX {
                        continue;
                    }
                    Err(Fault::Slow { stage })
                }
            };
            return Evaluated { result, fuel, log };
        }
    }

    /// Makes and configures an instance, and remembers where that cannot be done.
    fn fresh(&mut self) -> Result<Instance, Fault> {
        if let Some(fault) = &self.doomed {
            return Err(fault.clone());
        }
        let mut tries = 0;
        let fault = loop {
            match self.configured() {
                Ok(instance) => return Ok(instance),
                Err(Stop::Fault(fault)) => break fault,
                Err(Stop::Slow(stage)) => {
                    tries += 1;
                    if tries == TRIES_MAX {
                        break Fault::Slow { stage };
                    }
                }
            }
        };
        self.doomed = Some(fault.clone());
        Err(fault)
    }

    fn configured(&self) -> Result<Instance, Stop> {
        let Setup { limits, wall, metrics, .. } = self.setup;
        if self.configuration.len() > limits.configuration_bytes_max {
            return Err(Stop::Fault(Fault::ConfigureRefused {
                words: format!(
                    "it has {} bytes, and a configuration has at most {}",
                    self.configuration.len(),
                    limits.configuration_bytes_max
                ),
            }));
        }
        metrics.instances.inc();
        let mut instance = Instance::start(&self.filter.pre, limits, *wall)?;
        instance.configure(self.configuration)?;
        // What it said of its configuration belongs to no event.
        drop(instance.take_log());
        Ok(instance)
    }
}
