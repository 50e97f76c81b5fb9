//! An invented disk: what survives a kill, and what survives a power cut.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::model::{Aside, Offset, Sequence, Settled};
use crate::runtime::Random;

use super::super::{Action, AsideChange, AsideEvent, Boot, GivenUp, Run, Saved, Since};

#[derive(Debug)]
struct Batch {
    ticket: u64,
    saved: Bytes,
    rows: Vec<(Sequence, Offset)>,
    anew_from: Option<Offset>,
    asides: Vec<AsideChange>,
    runs: Vec<Run>,
    given_up: Vec<GivenUp>,
    is_sync: bool,
}

/// What was set aside, by what it is and by offset.
pub(super) type Asides = BTreeMap<(Aside, Offset), AsideEvent>;

/// Runs of events that were settled alike: how, from the first to the last.
type Runs = BTreeMap<(Settled, Offset), Offset>;

/// The batches since the beginning, and the one that is on its way.
#[derive(Debug, Default)]
pub(super) struct Disk {
    written: Vec<Batch>,
    on_its_way: Option<Batch>,
    /// So many batches are on disk for good.
    synced: usize,
    rows: BTreeMap<Sequence, Offset>,
    pub(super) asides: Asides,
    runs: Runs,
    /// The highest ceiling that a power cut cannot take back.
    pub(super) synced_ceiling: Sequence,
}

/// What a start finds.
pub(super) struct Found {
    pub(super) saved: Saved,
    pub(super) rows: Vec<(Sequence, Offset)>,
    pub(super) parked: Vec<(Offset, AsideEvent)>,
    /// Retention has taken the rows of events up to here.
    pub(super) gone_to: Offset,
}

impl Disk {
    pub(super) fn hand_over(&mut self, write: Action) {
        let Action::Write { ticket, saved, sequences: rows, anew_from, asides, runs, given_up, is_sync } = write else {
            panic!("{write:?} is no write")
        };
        assert!(self.on_its_way.is_none(), "one write at a time");
        let mut after = self.asides.clone();
        change(&mut after, anew_from, &asides);
        let since = saved.since.offset;
        let letters = after.keys().filter(|(aside, _)| matches!(aside, Aside::DeadLetter | Aside::Discarded));
        let letters = letters.map(|(_, offset)| *offset).filter(|offset| *offset > since);
        let letters = letters.collect::<std::collections::BTreeSet<_>>();
        assert_eq!(letters.len() as u64, saved.live.tally.given_up, "every event that was given up has its row");
        let skipped = after.iter().filter(|((aside, offset), _)| *aside == Aside::Skipped && *offset > since);
        let skipped = skipped.inspect(|((_, last), event)| assert!(!event.tells_of(*last, since), "of one ledger"));
        let skipped = skipped.map(|((_, offset), event)| event.count(*offset));
        assert_eq!(skipped.sum::<u64>(), saved.live.tally.skipped, "rows tell of every event that was passed over");
        for ((aside, offset), event) in &after {
            assert!(saved.live.cursor.is_settled(*offset), "the cursor has passed {aside:?} {offset}");
            let is_parked_too = *aside != Aside::Parked && after.contains_key(&(Aside::Parked, *offset));
            assert!(!is_parked_too, "{offset} is parked and {aside:?}: {event:?}");
        }
        let mut runs_after = self.runs.clone();
        change_runs(&mut runs_after, anew_from, &runs);
        check_runs(&runs_after, &saved);
        let batch = Batch { ticket, saved: saved.encode(), rows, anew_from, asides, runs, given_up, is_sync };
        self.on_its_way = Some(batch);
    }

    pub(super) fn written(&mut self, ticket: u64) {
        let batch = self.on_its_way.take().expect("a write is on its way");
        assert_eq!(batch.ticket, ticket);
        self.keep(batch);
    }

    fn keep(&mut self, batch: Batch) {
        self.rows.extend(batch.rows.iter().copied());
        change(&mut self.asides, batch.anew_from, &batch.asides);
        change_runs(&mut self.runs, batch.anew_from, &batch.runs);
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
        self.asides.clear();
        self.runs.clear();
        for batch in &self.written {
            change(&mut self.asides, batch.anew_from, &batch.asides);
            change_runs(&mut self.runs, batch.anew_from, &batch.runs);
        }
    }

    /// What a start finds; rows of events up to `gone_to` are hidden by retention.
    pub(super) fn find(&mut self, boot: Boot, since: Since, gone_to: Offset) -> Found {
        self.asides.retain(|(aside, offset), _| *aside != Aside::Parked || *offset > gone_to);
        let saved = self.written.last().map_or_else(
            || Saved::new(boot, since),
            |batch| Saved::decode(batch.saved.clone()).expect("what was written can be read"),
        );
        for (sequence, offset) in self.rows.range(..=saved.sequences.floor) {
            let is_old = *sequence < saved.since.sequence;
            assert!(
                is_old || saved.live.cursor.is_settled(*offset),
                "row {sequence} of unsettled {offset} is below the floor"
            );
        }
        let rows =
            self.rows.range(saved.sequences.floor.next()..).map(|(sequence, offset)| (*sequence, *offset)).collect();
        let parked = self.asides.iter().filter(|((aside, _), _)| *aside == Aside::Parked);
        let parked = parked.map(|((_, offset), event)| (*offset, event.clone())).collect();
        Found { saved, rows, parked, gone_to }
    }

    /// Whether an event was passed over.
    pub(super) fn is_skipped(&self, offset: Offset) -> bool {
        let next = self.asides.range((Aside::Skipped, offset)..).next();
        next.is_some_and(|((aside, last), event)| *aside == Aside::Skipped && event.tells_of(*last, offset))
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

fn change_runs(runs: &mut Runs, anew_from: Option<Offset>, written: &[Run]) {
    if let Some(first) = anew_from {
        runs.retain(|(_, begin), _| *begin < first);
        runs.values_mut().for_each(|last| *last = (*last).min(first.previous()));
    }
    runs.extend(written.iter().map(|run| ((run.settled, run.first), run.last)));
}

/// Every event that was settled and not set aside is in one run, that of how it was settled.
fn check_runs(runs: &Runs, saved: &Saved) {
    let since = saved.since.offset;
    let count = |kinds: &[Settled]| {
        let of_kinds = runs.iter().filter(|((settled, _), _)| kinds.contains(settled));
        of_kinds.map(|((_, first), last)| last.0 - since.0.max(first.0 - 1).min(last.0)).sum::<u64>()
    };
    let tally = saved.live.tally;
    assert_eq!(count(&[Settled::Delivered]), tally.delivered, "runs tell of every event that was delivered");
    let filtered = [Settled::Filtered, Settled::FilteredAfterAttempt];
    assert_eq!(count(&filtered), tally.filtered, "runs tell of every event that was filtered");
    assert_eq!(count(&[Settled::Skipped]), tally.skipped, "runs tell of every event that was passed over");
}

fn change(asides: &mut Asides, anew_from: Option<Offset>, changes: &[AsideChange]) {
    if let Some(first) = anew_from {
        let reaches_in = asides.range((Aside::Skipped, first)..).next();
        let reaches_in = reaches_in.filter(|((_, last), event)| event.tells_of(*last, first.previous()));
        let cut = reaches_in.map(|((aside, _), event)| ((*aside, first.previous()), event.clone()));
        asides.retain(|(_, offset), _| *offset < first);
        asides.extend(cut);
    }
    for AsideChange { offset, aside, event } in changes {
        match event {
            Some(event) => {
                let read = AsideEvent::decode(event.encode()).expect("what was written can be read");
                asides.insert((*aside, *offset), read);
            }
            None => {
                asides.remove(&(*aside, *offset));
            }
        }
    }
}
