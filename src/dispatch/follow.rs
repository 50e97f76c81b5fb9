//! Following the head: live events are decided, once for all endpoints that share their rights, and offered to them.
//!
//! One reader for all, woken after each batch of the writer. Whoever misses an offer reads it by account.

use std::sync::Arc;

use super::Dispatch;
use crate::accounts::{Endpoint, Table};
use crate::deliver::{Decision, Handle, Undecided};
use crate::log;
use crate::model::{AccountId, Kind, Position, Record};
use crate::runtime::{Shutdown, blocking};

/// Offers live events until the shutdown signal is given.
///
/// What cannot be read or decided is left out: the endpoints are told how far their accounts have got, and each
/// reads what it missed.
pub async fn follow(dispatch: Dispatch, deliver: Handle, mut shutdown: Shutdown) {
    let mut head = dispatch.log.follow();
    let mut next = head.borrow_and_update().next();
    loop {
        tokio::select! {
            biased;
            () = shutdown.given() => return,
            changed = head.changed() => if changed.is_err() { return },
        }
        let newest = *head.borrow_and_update();
        if let Err(problem) = follow_up(&dispatch, &deliver, &mut next, newest).await {
            tracing::error!(%problem, "live events cannot be read; endpoints read them by account");
            next = newest.next();
            deliver.catch_up();
        }
    }
}

/// Offers everything from `next` up to the newest.
async fn follow_up(
    dispatch: &Dispatch,
    deliver: &Handle,
    next: &mut Position,
    newest: Position,
) -> Result<(), Undecided> {
    while *next <= newest {
        let records = read(&dispatch.log, *next).await?;
        let Some(last) = records.last() else { break };
        *next = last.position.next();
        offer(dispatch, deliver, records)?;
    }
    Ok(())
}

/// The newest are in memory; a reader that fell behind reads the disk on a thread that may block.
async fn read(log: &log::Handle, from: Position) -> Result<Vec<Record>, log::Error> {
    let log = log.clone();
    match log.read_tail(from, READ_BYTES_MAX) {
        Some(records) => Ok(records),
        None => blocking(move || log.read(from, READ_BYTES_MAX)).await,
    }
}

/// What is to become of a stretch of events, for all endpoints that share a table.
type Decided = Arc<[(Position, Decision)]>;

/// Records of one account, without a hole, in their order.
type Stretch = (AccountId, Vec<Record>);

/// Offers what was read to all whom it concerns. What cannot be decided for one keeps nothing from the others.
fn offer(dispatch: &Dispatch, deliver: &Handle, records: Vec<Record>) -> Result<(), Undecided> {
    let mut offered = Ok(());
    for (account, records) in stretches(records) {
        let loaded = deliver.endpoints(account);
        if loaded.is_empty() {
            continue;
        }
        let Some(account) = dispatch.accounts.account_by_id(account) else { continue };
        let Some(from) = records.first().map(|record| record.header.offset) else { continue };
        // Before they are offered: whoever takes an offer asks for the bodies at once.
        dispatch.recent.put(records.iter().cloned());
        // Endpoints without rights of their own share a table, and so what was decided by it.
        let mut decided: Vec<(Arc<Table>, Decided)> = Vec::new();
        for endpoint in account.endpoints.values().filter(|endpoint| loaded.contains(&endpoint.id)) {
            match decided_for(dispatch, endpoint, &records, &mut decided) {
                Ok(events) => deliver.offer(endpoint.id, from, &events),
                Err(problem) => offered = offered.and(Err(problem)),
            }
        }
    }
    offered
}

fn decided_for(
    dispatch: &Dispatch,
    endpoint: &Endpoint,
    records: &[Record],
    decided: &mut Vec<(Arc<Table>, Decided)>,
) -> Result<Decided, Undecided> {
    let table = dispatch.accounts.effective_for(endpoint)?.table;
    if let Some((_, events)) = decided.iter().find(|(other, _)| Arc::ptr_eq(other, &table)) {
        return Ok(Arc::clone(events));
    }
    let events = decide(dispatch, &table, records)?;
    decided.push((table, Arc::clone(&events)));
    Ok(events)
}

fn decide(dispatch: &Dispatch, table: &Table, records: &[Record]) -> Result<Decided, log::Error> {
    let decided = records.iter().map(|record| dispatch.decide_record(record, table));
    decided.map(|decided| decided.map(|(_, event)| (event.position, event.decision))).collect()
}

/// Parts the events of a stretch of the log by account; a hole in an account's offsets begins a new stretch.
fn stretches(records: Vec<Record>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for record in records.into_iter().filter(|record| record.header.kind == Kind::Event) {
        let account = record.header.account;
        let open = stretches.iter_mut().rev().find(|(other, _)| *other == account);
        match open {
            Some((_, events))
                if events.last().is_some_and(|last| last.header.offset.next() == record.header.offset) =>
            {
                events.push(record);
            }
            Some(_) | None => stretches.push((account, vec![record])),
        }
    }
    stretches
}

const READ_BYTES_MAX: usize = 1 << 20;
