//! An invented log of one account, and a chain that answers for it.

use crate::model::Offset;
use crate::runtime::Random;

use super::super::{Decision, FilteredBy, Outcome};

/// What the chain makes of an event, by the revision of the chain.
#[derive(Debug, Clone, Copy)]
struct Event {
    key: Option<u64>,
    fault_until: u64,
    filtered_from: u64,
    filtered_until: u64,
    /// When the endpoint does not want to be told of it any more, in nanoseconds of the simulation.
    too_old_at: u64,
}

#[derive(Debug)]
pub(super) struct Log {
    events: Vec<Event>,
    keys: u64,
    fault_chance: f64,
    filter_chance: f64,
    age_chance: f64,
    /// What time it is, in nanoseconds of the simulation.
    pub(super) now: u64,
    /// Everything up to here was taken by retention.
    pub(super) gone_to: Offset,
    pub(super) revision: u64,
    /// Whether the chain answers nothing at all.
    pub(super) is_broken: bool,
}

impl Log {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            events: Vec::new(),
            keys: 1 + random.below(12),
            fault_chance: if random.chance(0.5) { 0.05 } else { 0.0 },
            filter_chance: if random.chance(0.6) { 0.2 } else { 0.0 },
            age_chance: if random.chance(0.3) { 0.1 } else { 0.0 },
            now: 0,
            gone_to: Offset(0),
            revision: 1,
            is_broken: false,
        }
    }

    pub(super) fn head(&self) -> Offset {
        Offset(self.events.len() as u64)
    }

    pub(super) fn append(&mut self, random: &mut Random) {
        let is_filtered = random.chance(self.filter_chance);
        let filtered_from = self.revision.saturating_sub(2) + random.below(4);
        self.events.push(Event {
            key: random.chance(0.9).then(|| random.below(self.keys)),
            fault_until: if random.chance(self.fault_chance) { self.revision + 1 + random.below(3) } else { 0 },
            filtered_from: if is_filtered { filtered_from } else { u64::MAX },
            too_old_at: match random.chance(self.age_chance) {
                true => self.now + random.below(60_000_000_000),
                false => u64::MAX,
            },
            filtered_until: if random.chance(0.3) { filtered_from + random.below(3) } else { u64::MAX },
        });
    }

    pub(super) fn key(&self, offset: Offset) -> Option<u64> {
        self.event(offset).key
    }

    pub(super) fn decide(&self, offset: Offset) -> Decision {
        let Event { key, fault_until, filtered_from, filtered_until, too_old_at } = *self.event(offset);
        let outcome = if offset <= self.gone_to {
            Outcome::Gone
        } else if too_old_at <= self.now {
            Outcome::TooOld
        } else if self.is_broken || self.revision < fault_until {
            Outcome::Fault
        } else if (filtered_from..filtered_until).contains(&self.revision) {
            // Every other one because of its type: both ways are counted.
            Outcome::Filtered(if offset.0.is_multiple_of(2) { FilteredBy::Chain } else { FilteredBy::Catalog })
        } else {
            Outcome::Pass
        };
        Decision { lane: key.map(|key| key.wrapping_mul(0x1234_5678_9ABC_DEF1)), outcome }
    }

    /// Whether an event is older by now than the endpoint wants to be told of.
    pub(super) fn is_too_old(&self, offset: Offset) -> bool {
        self.event(offset).too_old_at <= self.now
    }

    /// Whether the chain has ever filtered an event.
    pub(super) fn was_filtered(&self, offset: Offset) -> bool {
        let event = self.event(offset);
        event.filtered_from <= self.revision && event.filtered_from < event.filtered_until
    }

    /// Mends the chain for good.
    pub(super) fn mend(&mut self) {
        self.fault_chance = 0.0;
        self.revision += 1_000;
        self.is_broken = false;
    }

    fn event(&self, offset: Offset) -> &Event {
        &self.events[usize::try_from(offset.0 - 1).expect("a small log")]
    }
}
