//! The places of all that may be in flight: a request waits here for one, and gives it back when it has ended.
//!
//! Who is next is decided in `allotment`; here is the waiting. One lock, held for a few steps of counting.

mod allotment;
#[cfg(test)]
mod town;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;

use super::machine::Share;
use crate::model::{AccountId, EndpointId};

use allotment::{Allotment, Claim, Ticket};

/// All places. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places {
    room: Arc<Mutex<Room>>,
    waiting: Gauge,
}

#[derive(Debug)]
struct Room {
    allotment: Allotment,
    /// Who waits, and how to call them.
    calls: HashMap<Ticket, oneshot::Sender<Place>>,
}

/// A place, held until it is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Place {
    places: Places,
    claim: Claim,
}

/// Somebody who waits, until it is dropped.
struct Waiting<'a> {
    places: &'a Places,
    ticket: Ticket,
    claim: Claim,
}

impl Places {
    /// Makes so many places; the gauge tells how many requests wait for one.
    pub(super) fn new(places: usize, waiting: Gauge) -> Self {
        let room = Room { allotment: Allotment::new(places), calls: HashMap::new() };
        Self { room: Arc::new(Mutex::new(room)), waiting }
    }

    /// Waits for a place, out of a share of them all.
    ///
    /// Whoever is dropped while it waits gives up its turn.
    pub(super) async fn take(&self, account: AccountId, endpoint: EndpointId, share: Share) -> Place {
        let claim = Claim { account, endpoint, share };
        let place = || Place { places: self.clone(), claim };
        let (waiting, called) = {
            let mut room = self.lock();
            let Err(ticket) = room.allotment.claim(claim) else { return place() };
            let (call, called) = oneshot::channel();
            room.calls.insert(ticket, call);
            self.waiting.inc();
            (Waiting { places: self, ticket, claim }, called)
        };
        let place = called.await.unwrap_or_else(|_| unreachable!("a call is kept until it is made or given up"));
        drop(waiting);
        place
    }

    /// How many requests of an endpoint wait for a place.
    pub(super) fn waiting(&self, endpoint: EndpointId) -> usize {
        self.lock().allotment.waiting(endpoint)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let calls: Vec<_> = {
            let mut room = self.places.lock();
            let next = room.allotment.give_back(self.claim);
            next.into_iter().filter_map(|(ticket, claim)| Some((room.calls.remove(&ticket)?, claim))).collect()
        };
        for (call, claim) in calls {
            // One that has just gone away gives the place back by dropping it.
            drop(call.send(Self { places: self.places.clone(), claim }));
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.places.waiting.dec();
        let mut room = self.places.lock();
        if room.calls.remove(&self.ticket).is_some() {
            room.allotment.leave(self.ticket, self.claim);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn whoever_goes_away_while_it_waits_or_just_when_it_is_called_leaves_nothing_behind() {
        let waiting = Gauge::default();
        let places = Places::new(1, waiting.clone());
        let take = |id| places.take(AccountId(id), EndpointId(id), Share::Answering);
        let held = take(1).await;
        {
            let (mut first, mut second) = (pin!(take(2)), pin!(take(3)));
            let mut context = Context::from_waker(Waker::noop());
            assert!(first.as_mut().poll(&mut context).is_pending() && second.as_mut().poll(&mut context).is_pending());
            assert_eq!((waiting.get(), places.waiting(EndpointId(2)), places.waiting(EndpointId(1))), (2, 1, 0));
            // The first is called and never looks; the second is called when that place comes back.
            drop(held);
        }
        assert_eq!(waiting.get(), 0);
        let again = take(4).await;
        drop(again);
        assert!(places.lock().calls.is_empty());
    }
}
