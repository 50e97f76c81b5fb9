//! Looking at the whole log: figures, and whether everything is as it was written.
//!
//! Only reads. Damage is an answer, not an error: each place is named, the walk goes on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Error;
use super::keys::{self, Family};
use super::shared::Shared;
use super::start::decode_record;
use crate::model::{AccountId, Cut, Kind, Offset, Position, Record, Timestamp};

/// Figures of a log.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The newest position; 0 where there is none.
    pub head: Position,
    /// The oldest position that is kept.
    pub oldest: Position,
    /// When the oldest kept record was taken in.
    pub oldest_at: Option<Timestamp>,
    /// Accounts that have events.
    pub accounts: usize,
    /// Event types that have been seen.
    pub types: usize,
    /// Bytes on disk of each family.
    pub family_bytes: BTreeMap<&'static str, u64>,
    /// Bytes in memory: write buffers, and tables' indexes and filters outside the cache.
    pub memory_bytes: u64,
    /// Bytes free on the disk.
    pub disk_free_bytes: u64,
    /// Bytes that are kept free: below them events are refused.
    pub disk_reserve_bytes: u64,
}

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// Where.
    pub position: Position,
    /// What.
    pub problem: String,
}

/// What a walk over the whole log found.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Records read.
    pub records: u64,
    /// Events among them.
    pub events: u64,
    /// What is not as it was written: the first hundred places.
    pub damage: Vec<Damage>,
    /// Whether the walk came to the end.
    pub is_complete: bool,
}

pub(super) fn stats(shared: &Shared) -> Result<Stats, Error> {
    let oldest = shared.oldest();
    let sum = |name| Family::ALL.into_iter().map(|family| shared.store.property(family, name)).sum::<u64>();
    Ok(Stats {
        head: *shared.head.borrow(),
        oldest,
        oldest_at: shared.record(oldest)?.map(|record| record.header.recorded_at),
        accounts: shared.account_heads().len(),
        types: shared.types_count(),
        family_bytes: Family::ALL
            .into_iter()
            .map(|family| (family.name(), shared.store.property(family, "rocksdb.total-sst-files-size")))
            .collect(),
        memory_bytes: sum("rocksdb.cur-size-all-mem-tables") + sum("rocksdb.estimate-table-readers-mem"),
        disk_free_bytes: shared.disk.free_bytes(),
        disk_reserve_bytes: shared.disk.reserve_bytes(),
    })
}

pub(super) fn verify(shared: &Shared, progress: &mut dyn FnMut(f64) -> bool) -> Result<Verified, Error> {
    let (oldest, head) = (shared.oldest(), *shared.head.borrow());
    let mut walk = Walk {
        shared,
        expected: oldest,
        chain: None,
        offsets: BTreeMap::new(),
        offsets_skipped: 0,
        found: Verified::new(),
    };
    for row in shared.store.scan(Family::Records, &keys::record(oldest), Some(&keys::record(head.next()))) {
        let (key, value) = match row {
            Ok(row) => row,
            // A file that cannot be read is damage, too; nobody knows where the walk could go on.
            Err(problem) => {
                walk.damaged(walk.expected, &problem);
                return Ok(walk.found);
            }
        };
        match decode_record(&key, Vec::from(value)) {
            Ok(record) => {
                if let Err(problem) = walk.record(&record) {
                    walk.damaged(record.position, &problem);
                }
            }
            Err(problem) => walk.damaged(keys::position_of_record(&key).unwrap_or_default(), &problem),
        }
        if walk.found.records.is_multiple_of(PROGRESS_EVERY) && !progress(share(walk.expected, oldest, head)) {
            return Ok(walk.found);
        }
    }
    walk.end(head);
    Ok(Verified { is_complete: true, ..walk.found })
}

/// What a walk knows on its way.
struct Walk<'a> {
    shared: &'a Shared,
    expected: Position,
    chain: Option<[u8; 32]>,
    offsets: BTreeMap<AccountId, Offset>,
    offsets_skipped: u64,
    found: Verified,
}

impl Walk<'_> {
    fn record(&mut self, record: &Record) -> Result<(), Error> {
        let at = record.position;
        let cut = match record.header.kind {
            Kind::Cut => Cut::decode(record.payload.clone()).ok(),
            Kind::Event | Kind::Command | Kind::Capture => None,
        };
        if let Some(cut) = cut
            && cut.up_to.next() == at
            && cut.after.next() == self.expected
        {
            // A hole that is named: offsets of every account go on by as many as were lost.
            self.offsets_skipped += cut.lost();
        } else if at != self.expected {
            self.damaged(self.expected, &format!("the records up to position {at} are missing"));
            self.chain = None;
        }
        self.found.records += 1;
        if let Err(problem) = record.check_commitment() {
            self.damaged(at, &problem);
        }
        if self.chain.is_some_and(|chain| chain != record.header.previous) {
            self.damaged(at, &"the record does not follow on the one before it: the chain is broken");
        }
        if record.header.kind == Kind::Event {
            self.event(record)?;
        }
        self.chain = Some(record.header.chain_hash());
        self.expected = at.next();
        Ok(())
    }

    fn event(&mut self, record: &Record) -> Result<(), Error> {
        self.found.events += 1;
        let (at, account, offset) = (record.position, record.header.account, record.header.offset);
        if let Some(last) = self.offsets.insert(account, offset)
            && (offset <= last || offset.0 - last.0 - 1 > self.offsets_skipped)
        {
            self.damaged(at, &format!("offset {offset} of account {account} follows on offset {last}"));
        }
        match self.shared.index_at(account, offset)? {
            Some(row) if row.position == at => {}
            Some(row) => self.damaged(at, &format!("the index of its account points to position {}", row.position)),
            None => self.damaged(at, &"the index of its account does not know it"),
        }
        if !record.header.is_erased()
            && let Err(problem) = self.shared.event(record)
        {
            self.damaged(at, &problem);
        }
        Ok(())
    }

    fn end(&mut self, head: Position) {
        if self.expected <= head {
            self.damaged(self.expected, &format!("the records up to position {head} are missing"));
        }
        for (account, known) in self.shared.account_heads() {
            if let Some(last) = self.offsets.get(&account)
                && last.0.saturating_add(self.offsets_skipped) < known.offset.0
            {
                let problem = format!("account {account} ends at offset {last}, but its head is {}", known.offset);
                self.damaged(known.position, &problem);
            }
        }
    }

    fn damaged(&mut self, position: Position, problem: &dyn std::fmt::Display) {
        if self.found.damage.len() < DAMAGE_MAX {
            self.found.damage.push(Damage { position, problem: problem.to_string() });
        }
        self.expected = self.expected.max(position.next());
    }
}

impl Verified {
    const fn new() -> Self {
        Self { records: 0, events: 0, damage: Vec::new(), is_complete: false }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
fn share(at: Position, from: Position, to: Position) -> f64 {
    at.0.saturating_sub(from.0) as f64 / (to.0.saturating_sub(from.0) + 1) as f64
}

const DAMAGE_MAX: usize = 100;
const PROGRESS_EVERY: u64 = 8_192;
