//! Who gets a place of all that may be in flight, and who is next.
//!
//! Pure: it counts and keeps queues, and names those whose turn has come. Two rules:
//!
//! - An endpoint holds at most a sixteenth of what it leaves free, an account as much as it leaves free (a dynamic
//!   threshold, as switches share their buffers). The more take what they can, the less each of them has; a few
//!   places are left for those that hold none, so that an endpoint that dies does not keep out those that answer.
//! - Receivers of which nothing is known share a quarter; of that, those known to be in trouble share half, so
//!   that they keep no one out who has only been quiet.
//!
//! Whoever holds least is next, and among equals who came first.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::super::machine::Share;
use crate::model::{AccountId, EndpointId};

/// A number for each that waits, in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// What somebody holds or waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) account: AccountId,
    pub(super) endpoint: EndpointId,
    pub(super) share: Share,
}

/// All places, who holds them and who waits.
#[derive(Debug)]
pub(super) struct Allotment {
    limits: ByShare<usize>,
    held: ByShare<usize>,
    accounts: HashMap<AccountId, Account>,
    endpoints: HashMap<EndpointId, Endpoint>,
    /// The accounts with somebody who waits, by what their first one holds.
    waiting: ByShare<BTreeSet<(usize, Ticket, AccountId)>>,
    last_ticket: Ticket,
}

#[derive(Debug, Default)]
struct Account {
    held: usize,
    /// Its endpoints with somebody who waits, by what they hold.
    waiting: ByShare<BTreeSet<(usize, Ticket, EndpointId)>>,
}

#[derive(Debug, Default)]
struct Endpoint {
    held: usize,
    queues: ByShare<VecDeque<Ticket>>,
}

/// One of each for the shares.
#[derive(Debug, Default)]
struct ByShare<T> {
    answering: T,
    silent: T,
    in_trouble: T,
}

impl Allotment {
    /// Makes so many places, or one where that is none.
    pub(super) fn new(places: usize) -> Self {
        let limits = ByShare { answering: places.max(1), silent: (places / 4).max(1), in_trouble: (places / 8).max(1) };
        Self {
            limits,
            held: ByShare::default(),
            accounts: HashMap::new(),
            endpoints: HashMap::new(),
            waiting: ByShare::default(),
            last_ticket: Ticket(0),
        }
    }

    /// Gives a place at once, or a ticket to wait with.
    pub(super) fn claim(&mut self, claim: Claim) -> Result<(), Ticket> {
        // None of those who wait could go: so nobody is overtaken who might have had this place.
        let of_account = self.accounts.get(&claim.account).map_or(0, |account| account.held);
        let of_endpoint = self.endpoints.get(&claim.endpoint).map_or(0, |endpoint| endpoint.held);
        if weight(of_account, of_endpoint) < self.free() && self.has_room(claim.share) {
            self.take(claim);
            return Ok(());
        }
        self.last_ticket.0 += 1;
        let ticket = self.last_ticket;
        self.change(claim, |_, endpoint| endpoint.queues.get_mut(claim.share).push_back(ticket));
        Err(ticket)
    }

    /// Takes a place back, and returns whose turn has come because of it: they hold their places from now on.
    pub(super) fn give_back(&mut self, claim: Claim) -> Vec<(Ticket, Claim)> {
        for share in parts_of(claim.share) {
            *self.held.get_mut(*share) -= 1;
        }
        self.change(claim, |account, endpoint| {
            account.held -= 1;
            endpoint.held -= 1;
        });
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Forgets one that waits no more.
    pub(super) fn leave(&mut self, ticket: Ticket, claim: Claim) {
        self.change(claim, |_, endpoint| {
            let queue = endpoint.queues.get_mut(claim.share);
            if let Ok(at) = queue.binary_search(&ticket) {
                queue.remove(at);
            }
        });
    }

    /// How many of an endpoint wait.
    pub(super) fn waiting(&self, endpoint: EndpointId) -> usize {
        let queues = self.endpoints.get(&endpoint).map(|endpoint| &endpoint.queues);
        queues.map_or(0, |queues| ALL.iter().map(|share| queues.get(*share).len()).sum())
    }

    fn next(&mut self) -> Option<(Ticket, Claim)> {
        let shares = ALL.into_iter().filter(|share| self.has_room(*share));
        let firsts = shares.filter_map(|share| Some((*self.waiting.get(share).first()?, share)));
        let ((held, ticket, account), share) = firsts.min_by_key(|(first, _)| *first)?;
        // Who holds least may not go: then nobody may.
        if held >= self.free() {
            return None;
        }
        let (_, _, endpoint) = *self.accounts.get(&account)?.waiting.get(share).first()?;
        let claim = Claim { account, endpoint, share };
        self.change(claim, |_, endpoint| {
            endpoint.queues.get_mut(share).pop_front();
        });
        self.take(claim);
        Some((ticket, claim))
    }

    fn take(&mut self, claim: Claim) {
        for share in parts_of(claim.share) {
            *self.held.get_mut(*share) += 1;
        }
        self.change(claim, |account, endpoint| {
            account.held += 1;
            endpoint.held += 1;
        });
    }

    const fn free(&self) -> usize {
        self.limits.answering - self.held.answering
    }

    fn has_room(&self, share: Share) -> bool {
        parts_of(share).iter().all(|part| self.held.get(*part) < self.limits.get(*part))
    }

    /// Changes what an endpoint and its account hold or wait for, and with it their places among those that wait.
    fn change(&mut self, claim: Claim, change: impl FnOnce(&mut Account, &mut Endpoint)) {
        let account = self.accounts.entry(claim.account).or_default();
        let endpoint = self.endpoints.entry(claim.endpoint).or_default();
        for share in ALL {
            if let Some((held, ticket)) = account.first(share) {
                self.waiting.get_mut(share).remove(&(held, ticket, claim.account));
            }
            if let Some((held, ticket)) = endpoint.first(share) {
                account.waiting.get_mut(share).remove(&(held, ticket, claim.endpoint));
            }
        }
        change(account, endpoint);
        for share in ALL {
            if let Some((held, ticket)) = endpoint.first(share) {
                account.waiting.get_mut(share).insert((held, ticket, claim.endpoint));
            }
            if let Some((held, ticket)) = account.first(share) {
                self.waiting.get_mut(share).insert((held, ticket, claim.account));
            }
        }
        if endpoint.held == 0 && ALL.iter().all(|share| endpoint.first(*share).is_none()) {
            self.endpoints.remove(&claim.endpoint);
        }
        if account.held == 0 && ALL.iter().all(|share| account.first(*share).is_none()) {
            self.accounts.remove(&claim.account);
        }
    }
}

impl Account {
    /// Who of it is next, and what that endpoint and the account hold together.
    fn first(&self, share: Share) -> Option<(usize, Ticket)> {
        self.waiting.get(share).first().map(|(held, ticket, _)| (weight(self.held, *held), *ticket))
    }
}

impl Endpoint {
    fn first(&self, share: Share) -> Option<(usize, Ticket)> {
        self.queues.get(share).front().map(|ticket| (self.held, *ticket))
    }
}

impl<T> ByShare<T> {
    const fn get(&self, share: Share) -> &T {
        match share {
            Share::Answering => &self.answering,
            Share::Silent => &self.silent,
            Share::InTrouble => &self.in_trouble,
        }
    }

    const fn get_mut(&mut self, share: Share) -> &mut T {
        match share {
            Share::Answering => &mut self.answering,
            Share::Silent => &mut self.silent,
            Share::InTrouble => &mut self.in_trouble,
        }
    }
}

/// The shares that one in this share takes a place of: its own and those that its own is a part of.
const fn parts_of(share: Share) -> &'static [Share] {
    match share {
        Share::Answering => &[Share::Answering],
        Share::Silent => &[Share::Answering, Share::Silent],
        Share::InTrouble => &[Share::Answering, Share::Silent, Share::InTrouble],
    }
}

/// What is to be free for one more: more than its account holds, and than so many times what the endpoint holds.
const fn weight(of_account: usize, of_endpoint: usize) -> usize {
    let of_endpoint = of_endpoint * ENDPOINT_WEIGHT;
    if of_account > of_endpoint { of_account } else { of_endpoint }
}

/// Fits a window of 240 alone among 4,096 places; 450 that never answer leave 140 of them to the others.
const ENDPOINT_WEIGHT: usize = 16;
const ALL: [Share; 3] = [Share::Answering, Share::Silent, Share::InTrouble];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A claim of an account's only endpoint.
    const fn claim(account: u32, share: Share) -> Claim {
        Claim { account: AccountId(account), endpoint: EndpointId(account), share }
    }

    const fn claim_of(account: u32, endpoint: u32, share: Share) -> Claim {
        Claim { account: AccountId(account), endpoint: EndpointId(100 * account + endpoint), share }
    }

    /// Lets an account claim until it has to wait; returns how many places it got.
    fn fill(allotment: &mut Allotment, claimed: Claim) -> usize {
        std::iter::from_fn(|| allotment.claim(claimed).ok()).count()
    }

    #[test]
    fn the_more_take_what_they_can_the_less_each_has_and_a_newcomer_finds_a_place() {
        let mut allotment = Allotment::new(900);
        let answering = |account, endpoint| claim_of(account, endpoint, Share::Answering);
        assert_eq!(fill(&mut allotment, answering(1, 1)), 53, "one endpoint has a sixteenth of what is left");
        let others: Vec<usize> = (2..=20).map(|endpoint| fill(&mut allotment, answering(1, endpoint))).collect();
        assert!(others.is_sorted_by(|one, next| one >= next), "{others:?}");
        assert_eq!(allotment.accounts[&AccountId(1)].held, 450, "one account has half");
        assert_eq!(fill(&mut allotment, answering(2, 1)), 27);
        // Whatever the first gives back goes to whoever holds least.
        let waiting = [(1, 20), (2, 1)].map(|(account, endpoint)| {
            let claims = std::iter::repeat_n(answering(account, endpoint), 100);
            claims.filter(|claim| allotment.claim(*claim).is_err()).count()
        });
        assert_eq!(waiting, [100, 100]);
        for _ in 0..53 {
            allotment.give_back(answering(1, 1));
        }
        let held = [120, 201].map(|id| allotment.endpoints[&EndpointId(id)].held);
        assert!(held.iter().all(|held| held.abs_diff(allotment.free() / 16) <= 1), "{held:?}, {}", allotment.free());
        assert_eq!(allotment.claim(answering(1, 21)), Ok(()));
        assert_eq!(allotment.claim(answering(3, 1)), Ok(()));
    }

    #[test]
    fn the_silent_share_a_quarter_and_those_in_trouble_half_of_it() {
        let mut allotment = Allotment::new(800);
        let each = |allotment: &mut Allotment, share, ids: std::ops::Range<u32>| {
            ids.filter(|id| allotment.claim(claim(*id, share)).is_ok()).count()
        };
        assert_eq!(each(&mut allotment, Share::InTrouble, 0..300), 100);
        assert_eq!(each(&mut allotment, Share::Silent, 1_000..1_300), 100);
        assert_eq!(each(&mut allotment, Share::Answering, 2_000..2_300), 300);
        // One who answers is not next for a place of the silent.
        assert_eq!(allotment.give_back(claim(2_000, Share::Answering)), []);
        let [(_, next)] = allotment.give_back(claim(1_000, Share::Silent))[..] else { panic!("one is next") };
        assert_eq!(next, claim(1_100, Share::Silent));
        let [(_, next)] = allotment.give_back(claim(0, Share::InTrouble))[..] else { panic!("one is next") };
        assert_eq!(next, claim(100, Share::InTrouble));
    }

    #[test]
    fn one_place_is_enough_for_everybody_in_turn() {
        let mut allotment = Allotment::new(0);
        assert_eq!(allotment.claim(claim(1, Share::InTrouble)), Ok(()));
        let waiting = [(1, Share::Answering), (2, Share::Silent), (1, Share::InTrouble)];
        let waiting = waiting.map(|(account, share)| claim(account, share));
        let tickets = waiting.map(|claimed| allotment.claim(claimed).expect_err("there is one place"));
        allotment.leave(tickets[1], waiting[1]);
        assert_eq!(allotment.give_back(claim(1, Share::InTrouble)), [(tickets[0], waiting[0])]);
        assert_eq!(allotment.give_back(waiting[0]), [(tickets[2], waiting[2])]);
        assert_eq!(allotment.give_back(waiting[2]), []);
        assert!(allotment.accounts.is_empty(), "nothing is left of those who are gone");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Claim(Claim),
        /// Of those that hold a place, or wait, one.
        GiveBack(prop::sample::Index),
        Leave(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        let share = prop_oneof![Just(Share::Answering), Just(Share::Silent), Just(Share::InTrouble)];
        let claim =
            (0..4_u32, 0..3_u32, share).prop_map(|(account, endpoint, share)| claim_of(account, endpoint, share));
        prop_oneof![
            4 => claim.prop_map(Step::Claim),
            3 => any::<prop::sample::Index>().prop_map(Step::GiveBack),
            1 => any::<prop::sample::Index>().prop_map(Step::Leave),
        ]
    }

    /// What the rules say, counted from who holds a place.
    struct Rules<'a> {
        places: usize,
        held: &'a [Claim],
    }

    impl Rules<'_> {
        fn count(&self, is_meant: impl Fn(&Claim) -> bool) -> usize {
            self.held.iter().filter(|claim| is_meant(claim)).count()
        }

        fn are_kept(&self) -> bool {
            let (silent, in_trouble) = (self.count(|claim| claim.share != Share::Answering), self.in_trouble());
            self.held.len() <= self.places && silent <= self.quarter() && in_trouble <= (self.places / 8).max(1)
        }

        fn weight(&self, claim: Claim) -> usize {
            let of_account = self.count(|held| held.account == claim.account);
            of_account.max(ENDPOINT_WEIGHT * self.count(|held| held.endpoint == claim.endpoint))
        }

        fn may_go(&self, claim: Claim) -> bool {
            let silent = self.count(|claim| claim.share != Share::Answering);
            let has_room = match claim.share {
                Share::Answering => true,
                Share::Silent => silent < self.quarter(),
                Share::InTrouble => silent < self.quarter() && self.in_trouble() < (self.places / 8).max(1),
            };
            has_room && self.weight(claim) < self.places - self.held.len()
        }

        fn in_trouble(&self) -> usize {
            self.count(|claim| claim.share == Share::InTrouble)
        }

        fn quarter(&self) -> usize {
            (self.places / 4).max(1)
        }
    }

    proptest! {
        #[test]
        fn no_limit_is_passed_nobody_waits_in_vain_and_who_holds_least_is_next(
            places in 1..40_usize,
            steps in prop::collection::vec(step(), 0..300),
        ) {
            let mut allotment = Allotment::new(places);
            let (mut held, mut waiting): (Vec<Claim>, Vec<(Ticket, Claim)>) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Claim(claim) => {
                        let may_go = Rules { places, held: &held }.may_go(claim);
                        match allotment.claim(claim) {
                            Ok(()) => {
                                prop_assert!(may_go, "{:?} has a place against the rules", claim);
                                held.push(claim);
                            }
                            Err(ticket) => waiting.push((ticket, claim)),
                        }
                    }
                    Step::GiveBack(any) if !held.is_empty() => {
                        let given_back = held.swap_remove(any.index(held.len()));
                        for called in allotment.give_back(given_back) {
                            let rules = Rules { places, held: &held };
                            let may_go = waiting.iter().filter(|(_, claim)| rules.may_go(*claim));
                            let next = may_go.min_by_key(|(ticket, claim)| (rules.weight(*claim), *ticket));
                            prop_assert_eq!(next, Some(&called));
                            waiting.retain(|(ticket, _)| *ticket != called.0);
                            held.push(called.1);
                        }
                    }
                    Step::Leave(any) if !waiting.is_empty() => {
                        let (ticket, claim) = waiting.remove(any.index(waiting.len()));
                        allotment.leave(ticket, claim);
                    }
                    Step::GiveBack(_) | Step::Leave(_) => {}
                }
                let of_first = waiting.iter().filter(|(_, claim)| claim.endpoint == EndpointId(0)).count();
                prop_assert_eq!(allotment.waiting(EndpointId(0)), of_first);
                let rules = Rules { places, held: &held };
                prop_assert!(rules.are_kept(), "{:?}", held);
                prop_assert!(!waiting.iter().any(|(_, claim)| rules.may_go(*claim)), "somebody waits for nothing");
            }
            for (ticket, claim) in waiting {
                allotment.leave(ticket, claim);
            }
            for claim in held {
                prop_assert_eq!(allotment.give_back(claim), []);
            }
            prop_assert!(allotment.accounts.is_empty() && allotment.endpoints.is_empty(), "nothing is left of them");
        }
    }
}
