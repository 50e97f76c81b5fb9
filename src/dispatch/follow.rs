//! Following the head: live events are decided once for all endpoints of their account and offered to them.
//!
//! One reader for all, woken after each batch of the writer. Whoever misses an offer reads it by account.

use std::sync::Arc;

use super::Dispatch;
use crate::deliver::{Decision, Handle};
use crate::log;
use crate::model::{AccountId, Kind, Offset, Position, Record};
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
) -> Result<(), log::Error> {
    while *next <= newest {
        let records = read(&dispatch.log, *next).await?;
        let Some(last) = records.last() else { break };
        *next = last.position.next();
        offer(dispatch, deliver, &records)?;
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

/// Decided events of one account, without a hole, with the offset of the first.
type Offer = (AccountId, Offset, Vec<(Position, Decision)>);

fn offer(dispatch: &Dispatch, deliver: &Handle, records: &[Record]) -> Result<(), log::Error> {
    let mut by_account: Vec<Offer> = Vec::new();
    for record in records.iter().filter(|record| record.header.kind == Kind::Event) {
        let (account, offset) = (record.header.account, record.header.offset);
        if !deliver.has_endpoints(account) {
            continue;
        }
        let decided = dispatch.decide_record(record)?;
        let event = (decided.position, decided.decision);
        let open = by_account.iter_mut().rev().find(|(other, ..)| *other == account);
        match open {
            Some((_, from, events)) if from.0 + u64::try_from(events.len()).unwrap_or(u64::MAX) == offset.0 => {
                events.push(event);
            }
            Some(_) | None => by_account.push((account, offset, vec![event])),
        }
    }
    for (account, from, events) in by_account {
        deliver.offer(account, from, &Arc::from(events));
    }
    Ok(())
}

const READ_BYTES_MAX: usize = 1 << 20;
