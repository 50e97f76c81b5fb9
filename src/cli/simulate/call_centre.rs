//! The traffic of call centres: events in the order of simulated time, the same for the same seed.
//!
//! Not in real time: a day passes as fast as its events are asked for. Every account's traffic is its own:
//! which other accounts there are changes nothing in it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::model::{AccountName, Timestamp};
use crate::runtime::Random;

use super::floor::{Floor, Happened};
use super::payload::{self, Envelope};

/// When the first simulated day begins: 2026-03-02T08:00:00Z, a Monday.
pub const START: Timestamp = Timestamp(1_772_438_400_000);

/// Call centres at work; an endless source of events.
#[derive(Debug)]
pub struct CallCentre {
    offices: Vec<Office>,
    /// When each account's next step is due.
    due: BinaryHeap<Reverse<(i64, u32)>>,
}

#[derive(Debug)]
struct Office {
    account: AccountName,
    floor: Floor,
    /// Tells this traffic from any other: part of every id.
    digest: u64,
    events: u64,
}

/// What was written: an event of one of the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simulated {
    /// Whose it is, as an index into the accounts that were given.
    pub account: usize,
    /// Its type.
    pub kind: &'static str,
    /// Its simulated time.
    pub occurred_at: Timestamp,
    /// The number in its interaction's id, where it is about one.
    pub interaction: Option<u64>,
}

impl CallCentre {
    /// Opens the call centres of some accounts, with so many agents each, on [`START`].
    ///
    /// # Panics
    /// Where there is no account: there would be no event.
    #[must_use]
    pub fn new(seed: u64, accounts: &[AccountName], agents: u32) -> Self {
        Self::starting_at(seed, accounts, agents, START)
    }

    /// Opens them on another day. Seed, agents and day are part of every id, so other traffic has other ids.
    ///
    /// # Panics
    /// Where there is no account: there would be no event.
    #[must_use]
    pub fn starting_at(seed: u64, accounts: &[AccountName], agents: u32, start: Timestamp) -> Self {
        assert!(!accounts.is_empty(), "without accounts there are no events");
        let offices: Vec<_> = accounts.iter().map(|account| Office::open(seed, account, agents, start)).collect();
        let due = offices.iter().zip(0_u32..).map(|(office, index)| Reverse((office.floor.next_ms(), index)));
        let due = due.collect();
        Self { offices, due }
    }

    /// Appends the next event to a buffer, as hooklog takes it: one JSON object without a line break.
    pub fn next_event(&mut self, out: &mut Vec<u8>) -> Simulated {
        self.next(|envelope, floor, happened| payload::write_event(out, envelope, floor, happened))
    }

    /// Appends the next event to a buffer in a shape that hooklog does not know.
    pub fn next_hook(&mut self, out: &mut Vec<u8>) -> Simulated {
        self.next(|envelope, floor, happened| payload::write_hook(out, envelope, floor, happened))
    }

    fn next(&mut self, mut write: impl FnMut(Envelope<'_>, &Floor, &Happened)) -> Simulated {
        loop {
            let mut first = self.due.peek_mut().expect("there is an account, and a floor always has a next step");
            let Reverse((_, index)) = *first;
            let account = usize::try_from(index).expect("an account's number is an index");
            let office = self.offices.get_mut(account).expect("the numbers come from the list");
            let happened = office.floor.step();
            *first = Reverse((office.floor.next_ms(), index));
            drop(first);
            let Some(happened) = happened else { continue };
            return office.tell(account, &happened, &mut write);
        }
    }
}

impl Office {
    fn open(seed: u64, account: &AccountName, agents: u32, start: Timestamp) -> Self {
        let mut hasher = SipHasher13::new_with_keys(seed, u64::from(agents));
        hasher.write_i64(start.0);
        hasher.write(account.as_str().as_bytes());
        let digest = hasher.finish();
        // Interactions of other traffic have other numbers, so that their lanes do not meet.
        let first_number = (digest % 9_000 + 1_000) * 1_000_000;
        let floor = Floor::new(account.as_str(), agents, start, first_number, Random::from_seed(digest));
        Self { account: account.clone(), floor, digest, events: 0 }
    }

    fn tell(
        &mut self,
        account: usize,
        happened: &Happened,
        write: &mut impl FnMut(Envelope<'_>, &Floor, &Happened),
    ) -> Simulated {
        self.events += 1;
        let id = event_id(happened.at_ms, self.digest, self.events);
        let id = std::str::from_utf8(&id).expect("an id is ASCII");
        write(Envelope { id, account: self.account.as_str() }, &self.floor, happened);
        let interaction =
            happened.interaction.and_then(|slot| self.floor.interactions.get(usize::try_from(slot).ok()?));
        let simulated = Simulated {
            account,
            kind: happened.kind.as_str(),
            occurred_at: Timestamp(happened.at_ms),
            interaction: interaction.map(|interaction| interaction.number),
        };
        self.floor.leave(happened);
        simulated
    }
}

/// Makes an id of the form that INO's have: `evt_` and a ULID. Where a ULID is random, it tells which
/// traffic this is (40 bits) and which event of it (40 bits).
fn event_id(at_ms: i64, digest: u64, number: u64) -> [u8; 30] {
    let time = u128::from(u64::try_from(at_ms).unwrap_or(0) & ((1 << 48) - 1));
    let traffic = u128::from(digest >> 24);
    let number = u128::from(number & ((1 << 40) - 1));
    let bits = time << 80 | traffic << 40 | number;
    let mut id = *b"evt_00000000000000000000000000";
    for (place, letter) in id.iter_mut().skip(4).enumerate() {
        let shift = 125 - 5 * place;
        let digit = usize::try_from(bits >> shift & 31).unwrap_or(0);
        *letter = *CROCKFORD.get(digit).expect("five bits are below 32");
    }
    id
}

/// Digits and capitals without I, L, O and U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use super::{START, event_id};

    #[test]
    fn the_first_day_is_a_monday_morning() {
        assert_eq!(START.to_string(), "2026-03-02T08:00:00.000Z");
    }

    #[test]
    fn an_id_sorts_by_time_then_by_number_and_tells_the_traffic() {
        let id = |at_ms, digest, number| String::from_utf8(event_id(at_ms, digest, number).to_vec()).unwrap();
        assert_eq!(id(0, 0, 0), "evt_00000000000000000000000000");
        assert_eq!(id(START.0, u64::MAX, 1), "evt_01KJPRZB00ZZZZZZZZ00000001");
        assert!(id(1, 0, 9) < id(2, 0, 1) && id(1, 0, 1) < id(1, 0, 2));
        assert_ne!(id(1, 1 << 24, 1), id(1, 2 << 24, 1));
    }
}
