//! An invented disk: what survives a kill, and what survives a power cut.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::model::{Offset, Sequence};
use crate::runtime::Random;

use super::super::{Boot, GivenUp, Saved, Since};

#[derive(Debug)]
struct Batch {
    ticket: u64,
    saved: Bytes,
    rows: Vec<(Sequence, Offset)>,
    given_up: Vec<GivenUp>,
    is_sync: bool,
}

/// The batches since the beginning, and the one that is on its way.
#[derive(Debug, Default)]
pub(super) struct Disk {
    written: Vec<Batch>,
    on_its_way: Option<Batch>,
    /// So many batches are on disk for good.
    synced: usize,
    rows: BTreeMap<Sequence, Offset>,
    /// The highest ceiling that a power cut cannot take back.
    pub(super) synced_ceiling: Sequence,
}

/// What a start finds.
pub(super) struct Found {
    pub(super) saved: Saved,
    pub(super) rows: Vec<(Sequence, Offset)>,
}

impl Disk {
    pub(super) fn hand_over(
        &mut self,
        ticket: u64,
        saved: &Saved,
        rows: Vec<(Sequence, Offset)>,
        given_up: Vec<GivenUp>,
        is_sync: bool,
    ) {
        assert!(self.on_its_way.is_none(), "one write at a time");
        self.on_its_way = Some(Batch { ticket, saved: saved.encode(), rows, given_up, is_sync });
    }

    pub(super) fn written(&mut self, ticket: u64) {
        let batch = self.on_its_way.take().expect("a write is on its way");
        assert_eq!(batch.ticket, ticket);
        self.keep(batch);
    }

    fn keep(&mut self, batch: Batch) {
        self.rows.extend(batch.rows.iter().copied());
        let is_sync = batch.is_sync;
        let ceiling = Saved::decode(batch.saved.clone()).expect("what was written can be read").sequences.ceiling;
        self.written.push(batch);
        if is_sync {
            self.synced = self.written.len();
            self.synced_ceiling = self.synced_ceiling.max(ceiling);
        }
    }

    /// The process is killed: what was handed over may have got through.
    pub(super) fn kill(&mut self, random: &mut Random) {
        if let Some(batch) = self.on_its_way.take()
            && random.chance(0.5)
        {
            self.keep(batch);
        }
    }

    /// The power is cut: of what was not synced, the later part is lost.
    pub(super) fn cut_power(&mut self, random: &mut Random) {
        self.kill(random);
        let unsynced = (self.written.len() - self.synced) as u64;
        let kept = usize::try_from(random.below(unsynced + 1)).expect("few batches");
        self.written.truncate(self.synced + kept);
        self.synced = self.written.len();
        self.rows = self.written.iter().flat_map(|batch| batch.rows.iter().copied()).collect();
    }

    pub(super) fn find(&self, boot: Boot, since: Since) -> Found {
        let saved = self.written.last().map_or_else(
            || Saved::new(boot, since),
            |batch| Saved::decode(batch.saved.clone()).expect("what was written can be read"),
        );
        for (sequence, offset) in self.rows.range(..=saved.sequences.floor) {
            assert!(saved.live.cursor.is_settled(*offset), "row {sequence} of unsettled {offset} is below the floor");
        }
        let rows =
            self.rows.range(saved.sequences.floor.next()..).map(|(sequence, offset)| (*sequence, *offset)).collect();
        Found { saved, rows }
    }

    /// The event that a number was given to, as written.
    pub(super) fn row(&self, sequence: Sequence) -> Option<Offset> {
        self.rows.get(&sequence).copied()
    }

    /// The highest number that was written in this boot.
    pub(super) fn highest_row(&self, boot: Boot) -> Option<Sequence> {
        let batch = self.written.iter().rev().find(|batch| !batch.rows.is_empty())?;
        let saved = Saved::decode(batch.saved.clone()).expect("what was written can be read");
        batch.rows.last().map(|(sequence, _)| *sequence).filter(|_| saved.boot == boot)
    }

    pub(super) fn given_up(&self) -> impl Iterator<Item = &GivenUp> {
        self.written.iter().flat_map(|batch| batch.given_up.iter())
    }
}
