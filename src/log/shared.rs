//! What the writer and all readers of one log share.
//!
//! Not the queue: that is the handle's. The writer changes these after a batch is on disk, readers only look.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use tokio::sync::watch;

use super::Error;
use super::append::HashKey;
use super::disk::Disk;
use super::store::Store;
use super::tail::Tail;
use super::type_counts::{TypeCount, TypeCounts};
use crate::model::{AccountId, EventType, Offset, Position, TypeNumber};

/// The newest event of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct AccountHead {
    pub(super) offset: Offset,
    pub(super) position: Position,
}

/// Names of event types and their numbers.
#[derive(Debug, Default)]
pub(super) struct Types {
    by_name: HashMap<EventType, TypeNumber>,
    by_number: Vec<EventType>,
}

impl Types {
    /// Takes names in the order of their numbers, beginning with 1.
    pub(super) fn add(&mut self, name: EventType) -> Option<TypeNumber> {
        let number = TypeNumber(u16::try_from(self.by_number.len() + 1).ok()?);
        self.by_name.insert(name.clone(), number);
        self.by_number.push(name);
        Some(number)
    }

    pub(super) fn number(&self, name: &EventType) -> Option<TypeNumber> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, number: TypeNumber) -> Option<&EventType> {
        self.by_number.get(usize::from(number.0).checked_sub(1)?)
    }

    pub(super) const fn count(&self) -> usize {
        self.by_number.len()
    }
}

/// What a start has read of the past.
pub(super) struct Past {
    pub(super) heads: HashMap<AccountId, AccountHead>,
    pub(super) types: Types,
    pub(super) type_counts: TypeCounts,
    pub(super) told_from: Position,
}

/// Everything that more than one thread looks at.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) tail: Tail,
    pub(super) disk: Disk,
    pub(super) hash_key: HashKey,
    pub(super) head: watch::Sender<Position>,
    pub(super) poisoned: watch::Sender<Option<Error>>,
    heads: RwLock<HashMap<AccountId, AccountHead>>,
    types: RwLock<Types>,
    type_counts: RwLock<TypeCounts>,
    hold: AtomicU64,
    rewritten_to: AtomicU64,
    is_merging: AtomicBool,
    /// From which position on events are found by the field that tells their key.
    pub(super) told_from: Position,
}

impl Shared {
    pub(super) fn new(store: Store, tail: Tail, disk: Disk, hash_key: HashKey, head: Position, past: Past) -> Self {
        let Past { heads, types, type_counts, told_from } = past;
        let rewritten_to = store.low_water_mark().0;
        Self {
            store,
            tail,
            disk,
            hash_key,
            head: watch::Sender::new(head),
            poisoned: watch::Sender::new(None),
            heads: RwLock::new(heads),
            types: RwLock::new(types),
            type_counts: RwLock::new(type_counts),
            hold: AtomicU64::new(u64::MAX),
            rewritten_to: AtomicU64::new(rewritten_to),
            is_merging: AtomicBool::new(true),
            told_from,
        }
    }

    /// Lets rows be merged only while the disk has the room that this takes for a while, and returns whether it has.
    ///
    /// Without merging nothing is lost: there are more files to look into.
    pub(super) fn mind_room(&self) -> Result<bool, Error> {
        let (free, rows) = (self.disk.free_bytes(), self.store.merge_bytes());
        let has_room = free >= self.disk.reserve_bytes().saturating_add(rows);
        if self.is_merging.swap(has_room, Ordering::AcqRel) != has_room {
            self.store.set_merging(has_room)?;
            if has_room {
                tracing::info!(free, rows, "rows are merged again: the disk has room for it");
            } else {
                tracing::warn!(free, rows, "rows are not merged: that may take as much again as they take for a while");
            }
        }
        Ok(has_room)
    }

    pub(super) fn account_head(&self, account: AccountId) -> AccountHead {
        self.heads.read().unwrap_or_else(PoisonError::into_inner).get(&account).copied().unwrap_or_default()
    }

    pub(super) fn account_heads(&self) -> Vec<(AccountId, AccountHead)> {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        let mut heads: Vec<_> = heads.iter().map(|(account, head)| (*account, *head)).collect();
        heads.sort_unstable_by_key(|(account, _)| *account);
        heads
    }

    pub(super) fn move_account_heads(&self, moved: impl Iterator<Item = (AccountId, AccountHead)>) {
        self.heads.write().unwrap_or_else(PoisonError::into_inner).extend(moved);
    }

    pub(super) fn type_number(&self, name: &EventType) -> Option<TypeNumber> {
        self.types.read().unwrap_or_else(PoisonError::into_inner).number(name)
    }

    pub(super) fn type_name(&self, number: TypeNumber) -> Option<EventType> {
        self.types.read().unwrap_or_else(PoisonError::into_inner).name(number).cloned()
    }

    pub(super) fn types(&self, is_wanted: impl Fn(&EventType) -> bool) -> Vec<TypeNumber> {
        let types = self.types.read().unwrap_or_else(PoisonError::into_inner);
        let beyond = (types.count() == usize::from(u16::MAX)).then_some(TypeNumber(0));
        let numbered = (1..=u16::MAX).map(TypeNumber).zip(&types.by_number);
        beyond.into_iter().chain(numbered.filter(|(_, name)| is_wanted(name)).map(|(number, _)| number)).collect()
    }

    pub(super) fn types_count(&self) -> usize {
        self.types.read().unwrap_or_else(PoisonError::into_inner).count()
    }

    pub(super) fn add_types(&self, names: impl Iterator<Item = EventType>) {
        let mut types = self.types.write().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            types.add(name).expect("the writer gives no number beyond the last");
        }
    }

    /// How many events of every type there were.
    pub(super) fn type_counts(&self) -> Vec<(EventType, TypeCount)> {
        let types = self.types.read().unwrap_or_else(PoisonError::into_inner);
        let counts = self.type_counts.read().unwrap_or_else(PoisonError::into_inner);
        let numbers = (1..=types.count()).filter_map(|number| u16::try_from(number).ok()).map(TypeNumber);
        numbers.filter_map(|number| Some((types.name(number)?.clone(), counts.get(number)?))).collect()
    }

    /// Lets the counts be read or changed; only the writer changes them.
    pub(super) fn with_type_counts<T>(&self, change: impl FnOnce(&mut TypeCounts) -> T) -> T {
        change(&mut self.type_counts.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lowest position that somebody still needs; the greatest number where nobody does.
    pub(super) fn hold(&self) -> Position {
        Position(self.hold.load(Ordering::Acquire))
    }

    pub(super) fn set_hold(&self, lowest: Option<Position>) {
        self.hold.store(lowest.map_or(u64::MAX, |position| position.0), Ordering::Release);
    }

    /// The low-water mark when the rows beside the records were last rewritten.
    pub(super) fn rewritten_to(&self) -> Position {
        Position(self.rewritten_to.load(Ordering::Acquire))
    }

    pub(super) fn set_rewritten_to(&self, mark: Position) {
        self.rewritten_to.store(mark.0, Ordering::Release);
    }
}
