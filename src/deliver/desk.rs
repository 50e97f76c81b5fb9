//! What people ask of single events of an endpoint: deliver them after all, or give them up.
//!
//! Not what that means for the machine. One wish at a time: what was given up is known only from its row, so
//! the row is read first, and the next wish waits until the answer to this one is on disk. So no event is
//! ever taken back twice.

use std::collections::{BTreeMap, VecDeque};

use bytestring::ByteString;
use tokio::sync::oneshot;

use super::machine::{AsideEvent, CourseId, Input, Letter, Machine, Whereabouts};
use crate::log;
use crate::model::{Aside, EndpointId, Offset, Position};

/// What is wished for some events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Deliver them after all, or at once where they wait for their next try.
    Redeliver,
    /// Give them up; who says so.
    Discard(ByteString),
}

/// What came of a wish for one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// It is done, and on disk.
    Done,
    /// It is so already, or comes to it by itself.
    Already,
    /// It is being sent at this moment.
    InFlight,
    /// Its turn has not come, and nobody knows yet what becomes of it.
    Unread,
    /// It ended otherwise than by being given up.
    NotGivenUp,
    /// Too many of the endpoint's events wait outside their lanes.
    NoRoom,
    /// It lies before the event at which the endpoint was told to begin anew.
    BeforeBeginning,
}

/// A wish that waits for its turn or for its answer.
pub(super) struct Wanted {
    pub(super) wish: Wish,
    pub(super) offsets: Vec<Offset>,
    pub(super) reply: oneshot::Sender<Vec<Granted>>,
    /// Whether its rows were looked for twice.
    pub(super) is_second_look: bool,
}

/// A wish with the rows of its events.
pub(super) struct Looked {
    pub(super) wanted: Wanted,
    pub(super) letters: Result<BTreeMap<Offset, Found>, log::Error>,
}

/// An event that was given up.
#[derive(Debug)]
pub(super) struct Found {
    aside: Aside,
    position: Position,
    event: AsideEvent,
}

/// The wishes of one endpoint.
#[derive(Default)]
pub(super) struct Desk {
    queue: VecDeque<Wanted>,
    /// Whether the rows of one are being read.
    is_looking: bool,
    unanswered: Option<Unanswered>,
    /// How much was written when the rows were looked for.
    looked_at: u64,
    /// How often the endpoint had been moved by then.
    moves: u64,
}

struct Unanswered {
    /// The write that has it.
    ticket: u64,
    granted: Vec<Granted>,
    reply: oneshot::Sender<Vec<Granted>>,
}

/// What the machine is to be told because of a wish.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) inputs: Vec<Input>,
    /// Where the records are of events that are taken back or given up.
    pub(super) positions: Vec<(Offset, Position)>,
}

impl Desk {
    pub(super) fn push(&mut self, wanted: Wanted) {
        self.queue.push_back(wanted);
    }

    /// Returns the next wish whose rows are to be read, if its turn has come and the rows say what is.
    pub(super) fn next(&mut self, machine: &Machine) -> Option<Wanted> {
        if self.is_looking || self.unanswered.is_some() || machine.has_unwritten_ends() {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.is_looking = true;
        self.looked_at = machine.covering_ticket();
        self.moves = machine.moves();
        Some(next)
    }

    /// Says what the machine is to be told; the answer waits for the write.
    pub(super) fn looked(&mut self, looked: Looked, machine: &Machine) -> Orders {
        self.is_looking = false;
        let Looked { mut wanted, letters } = looked;
        if machine.moves() != self.moves {
            // The rows may be of events that have begun anew since.
            self.queue.push_front(wanted);
            return Orders::default();
        }
        let whereabouts_of = |offset| machine.whereabouts(CourseId::Live, offset).unwrap_or(Whereabouts::Settled);
        let is_missing = |offset: &Offset| {
            let has_letter = letters.as_ref().is_ok_and(|letters| letters.contains_key(offset));
            !has_letter && whereabouts_of(*offset) == Whereabouts::Settled
        };
        if !wanted.is_second_look
            && machine.covering_ticket() != self.looked_at
            && wanted.offsets.iter().any(is_missing)
        {
            // It may have been given up since.
            wanted.is_second_look = true;
            self.queue.push_front(wanted);
            return Orders::default();
        }
        let Wanted { wish, offsets, reply, .. } = wanted;
        let mut orders = Orders::default();
        let mut letters = match letters {
            Ok(letters) => letters,
            Err(problem) => {
                // Whoever asked sees that there is no answer.
                tracing::error!(%problem, "rows of given up events cannot be read");
                return orders;
            }
        };
        let mut taken_back = Vec::new();
        let mut room = machine.room_for_parked();
        let mut granted = Vec::with_capacity(offsets.len());
        for offset in offsets {
            let whereabouts = whereabouts_of(offset);
            let letter = letters.remove(&offset);
            if let (Some(letter), Whereabouts::Settled) = (&letter, whereabouts) {
                orders.positions.push((offset, letter.position));
            }
            granted.push(match (&wish, whereabouts, letter) {
                (_, Whereabouts::InFlight, _) => Granted::InFlight,
                (_, Whereabouts::Unread, _) => Granted::Unread,
                (_, Whereabouts::Settled, None) => Granted::NotGivenUp,
                (Wish::Redeliver, Whereabouts::Settled, Some(_)) if offset <= machine.since().offset => {
                    Granted::BeforeBeginning
                }
                (Wish::Redeliver, Whereabouts::Settled, Some(_)) if room == 0 => Granted::NoRoom,
                (Wish::Redeliver, Whereabouts::Settled, Some(Found { aside, event, .. })) => {
                    room -= 1;
                    taken_back.push(Letter { offset, aside, event });
                    Granted::Done
                }
                (Wish::Redeliver, Whereabouts::Parked | Whereabouts::Waiting, _) => {
                    orders.inputs.push(Input::TryNow(offset));
                    Granted::Done
                }
                (Wish::Redeliver, Whereabouts::Queued | Whereabouts::Faulted, _) => Granted::Already,
                (Wish::Discard(_), Whereabouts::Settled, Some(Found { aside: Aside::Discarded, .. })) => {
                    Granted::Already
                }
                (Wish::Discard(who), Whereabouts::Settled, Some(Found { event, .. })) => {
                    orders.inputs.push(Input::Discard { offset, letter: Some(event), who: who.clone() });
                    Granted::Done
                }
                (Wish::Discard(_), _, _) if whereabouts != Whereabouts::Settled && !machine.is_discardable(offset) => {
                    Granted::InFlight
                }
                (
                    Wish::Discard(who),
                    Whereabouts::Queued | Whereabouts::Waiting | Whereabouts::Parked | Whereabouts::Faulted,
                    _,
                ) => {
                    orders.inputs.push(Input::Discard { offset, letter: None, who: who.clone() });
                    Granted::Done
                }
            });
        }
        if !taken_back.is_empty() {
            orders.inputs.push(Input::Redeliver(taken_back));
        }
        if orders.inputs.is_empty() {
            drop(reply.send(granted));
        } else {
            self.unanswered = Some(Unanswered { ticket: u64::MAX, granted, reply });
        }
        orders
    }

    /// Hears that the machine was told: the answer waits for the write that has it.
    pub(super) fn told(&mut self, machine: &Machine) {
        if let Some(unanswered) = &mut self.unanswered {
            unanswered.ticket = machine.covering_ticket();
        }
    }

    /// Hears that a write is on disk.
    pub(super) fn written(&mut self, ticket: u64) {
        if let Some(done) = self.unanswered.take_if(|unanswered| unanswered.ticket <= ticket) {
            drop(done.reply.send(done.granted));
        }
    }
}

/// Reads the rows of events that were given up. Blocks.
pub(super) fn look(log: &log::Handle, endpoint: EndpointId, wanted: Wanted) -> Looked {
    let letters = find(log, endpoint, &wanted.offsets);
    Looked { wanted, letters }
}

fn find(log: &log::Handle, endpoint: EndpointId, offsets: &[Offset]) -> Result<BTreeMap<Offset, Found>, log::Error> {
    let mut found = BTreeMap::new();
    for offset in offsets {
        let Some((aside, row)) = log.aside(endpoint, *offset)? else { continue };
        match aside {
            Aside::DeadLetter | Aside::Discarded => {
                let event = AsideEvent::decode(row.value).map_err(|problem| {
                    log::Error::Inconsistent(format!(
                        "a given up event of endpoint {endpoint} cannot be read: {problem}"
                    ))
                })?;
                found.insert(*offset, Found { aside, position: row.position, event });
            }
            Aside::Parked | Aside::Expired | Aside::Skipped => {}
        }
    }
    Ok(found)
}
