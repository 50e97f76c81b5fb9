//! Many endpoints with real machines share the places, in invented time: what do those that do not answer cost
//! those that do?

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::super::machine::{
    Action, AttemptResult, Boot, CourseId, Decision, Input, Machine, Now, Order, Outcome, Policy, Saved, Since, Start,
};
use super::allotment::{Allotment, Claim, Ticket};
use crate::model::{AccountId, EndpointId, Offset, Timestamp};
use crate::runtime::{Monotonic, Random};

/// How a receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiver {
    /// It takes each event after 20 ms.
    Well,
    /// It takes each event after two seconds.
    Slow,
    /// It refuses every connection.
    Refusing,
    /// It never answers: each request ends after 15 s.
    Hanging,
}

/// One endpoint.
struct House {
    machine: Machine,
    account: AccountId,
    endpoint: EndpointId,
    receiver: Receiver,
    /// From when on it is as it is: well before.
    from: Duration,
    /// Every how-manyth event of its account is for it.
    every: u64,
    wake_at: Option<u64>,
    /// When an event was accepted, and how long after that it was taken.
    delays: Vec<(Duration, Duration)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Event,
    Wake(usize),
    Ended(usize, Offset, bool),
}

struct Town {
    at: u64,
    places: Allotment,
    houses: Vec<House>,
    /// Who waits for a place, with which event.
    waiting: HashMap<Ticket, (usize, Offset)>,
    held: HashMap<(usize, Offset), Claim>,
    agenda: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    serial: u64,
    /// When the events were accepted; every account has the same.
    accepted: Vec<u64>,
}

impl Town {
    fn new(places: usize) -> Self {
        Self {
            at: 0,
            places: Allotment::new(places),
            houses: Vec::new(),
            waiting: HashMap::new(),
            held: HashMap::new(),
            agenda: BinaryHeap::new(),
            serial: 0,
            accepted: Vec::new(),
        }
    }

    /// Adds an endpoint that is well until `from`.
    fn add(&mut self, account: u32, receiver: Receiver, from: Duration) -> &mut House {
        let number = u32::try_from(self.houses.len()).expect("few");
        let (account, endpoint) = (AccountId(account), EndpointId(number));
        let machine = machine(Saved::new(Boot([0; 16]), Since::beginning(Offset(0), Timestamp(0))), number);
        let house = House { machine, account, endpoint, receiver, from, every: 1, wake_at: None, delays: Vec::new() };
        self.houses.push(house);
        self.houses.last_mut().expect("it was just added")
    }

    /// Lets every account have an event so often, for so long.
    fn run(&mut self, every: Duration, time: Duration) {
        let (every, end) = (nanoseconds(every), nanoseconds(time));
        (1..end / every).for_each(|number| self.plan(number * every, Happening::Event));
        (0..self.houses.len()).for_each(|house| self.tell(house, Input::Wake));
        while let Some(Reverse((at, _, happening))) = self.agenda.pop().filter(|next| next.0.0 < end) {
            self.at = at;
            match happening {
                Happening::Event => self.accept(),
                Happening::Wake(house) => {
                    if self.houses[house].wake_at == Some(at) {
                        self.houses[house].wake_at = None;
                        self.tell(house, Input::Wake);
                    }
                }
                Happening::Ended(house, offset, is_taken) => self.ended(house, offset, is_taken),
            }
        }
    }

    fn accept(&mut self) {
        self.accepted.push(self.at);
        let from = Offset(self.accepted.len() as u64);
        for house in 0..self.houses.len() {
            let decisions = vec![self.decide(house, from)];
            self.tell(house, Input::Offered { from, decisions });
        }
    }

    fn decide(&self, house: usize, offset: Offset) -> Decision {
        let outcome = if offset.0.is_multiple_of(self.houses[house].every) { Outcome::Pass } else { Outcome::Gone };
        Decision { lane: Some(offset.0 % 7), outcome }
    }

    fn tell(&mut self, house: usize, input: Input) {
        let mut actions = Vec::new();
        let now = Now { wall: Timestamp(0), monotonic: Monotonic(self.at) };
        self.houses[house].machine.handle(input, now, &mut actions);
        for action in actions {
            match action {
                Action::Write { ticket, .. } => self.tell(house, Input::Written { ticket }),
                Action::Read { course, from, limit } => {
                    let decisions =
                        (from.0..from.0 + u64::from(limit)).map(|offset| self.decide(house, Offset(offset)));
                    let decisions = decisions.collect();
                    self.tell(house, Input::Decided { course, from, decisions });
                }
                Action::Attempt { offset, share, .. } => {
                    let House { account, endpoint, .. } = self.houses[house];
                    let claim = Claim { account, endpoint, share };
                    self.held.insert((house, offset), claim);
                    match self.places.claim(claim) {
                        Ok(()) => self.send(house, offset),
                        Err(ticket) => _ = self.waiting.insert(ticket, (house, offset)),
                    }
                }
                Action::Recall => self.recall(house),
                Action::Changed(_) | Action::Recovered(_) | Action::Disable | Action::ReplayEnded { .. } => {}
            }
        }
        let wakeup = self.houses[house].machine.next_wakeup().map(|at| at.0.max(self.at));
        if wakeup != self.houses[house].wake_at {
            self.houses[house].wake_at = wakeup;
            wakeup.into_iter().for_each(|at| self.plan(at, Happening::Wake(house)));
        }
    }

    /// Whatever of an endpoint waits for a place is told to come again.
    fn recall(&mut self, house: usize) {
        let waiting = self.waiting.extract_if(|_, (of, _)| *of == house);
        let waiting: Vec<(Ticket, Offset)> = waiting.map(|(ticket, (_, offset))| (ticket, offset)).collect();
        for (ticket, offset) in waiting {
            let claim = self.held.remove(&(house, offset)).expect("who waits has claimed");
            self.places.leave(ticket, claim);
            self.tell(house, Input::AttemptEnded { course: CourseId::Live, offset, result: AttemptResult::Cancelled });
        }
    }

    fn send(&mut self, house: usize, offset: Offset) {
        let House { receiver, from, .. } = self.houses[house];
        let receiver = if self.at < nanoseconds(from) { Receiver::Well } else { receiver };
        let (after, is_taken) = match receiver {
            Receiver::Well => (20, true),
            Receiver::Slow => (2_000, true),
            Receiver::Refusing => (1, false),
            Receiver::Hanging => (15_000, false),
        };
        self.plan(self.at + after * 1_000_000, Happening::Ended(house, offset, is_taken));
    }

    fn ended(&mut self, house: usize, offset: Offset, is_taken: bool) {
        let claim = self.held.remove(&(house, offset)).expect("it was in flight");
        for (ticket, _) in self.places.give_back(claim) {
            let (house, offset) = self.waiting.remove(&ticket).expect("who is called waits");
            self.send(house, offset);
        }
        let result = if is_taken {
            let accepted = self.accepted[usize::try_from(offset.0).expect("few") - 1];
            let delay = Duration::from_nanos(self.at - accepted);
            self.houses[house].delays.push((Duration::from_nanos(accepted), delay));
            AttemptResult::Delivered { bytes: 1 }
        } else {
            let waiting = self.waiting.values().filter(|(of, _)| *of == house).count();
            self.tell(house, Input::Waiting(waiting));
            AttemptResult::Trouble { retry_after: None }
        };
        self.tell(house, Input::AttemptEnded { course: CourseId::Live, offset, result });
    }

    fn plan(&mut self, at: u64, happening: Happening) {
        self.serial += 1;
        self.agenda.push(Reverse((at, self.serial, happening)));
    }

    /// The mean and the longest delay, at the endpoints that are well, of events from a moment on.
    fn delays(&self, from: Duration) -> (Duration, Duration) {
        let well = self.houses.iter().filter(|house| house.receiver == Receiver::Well);
        let delays = well.flat_map(|house| house.delays.iter().copied());
        let delays: Vec<Duration> = delays.filter(|(at, _)| *at >= from).map(|(_, delay)| delay).collect();
        let mean = delays.iter().sum::<Duration>() / u32::try_from(delays.len()).expect("few");
        (mean, delays.into_iter().max().expect("something was taken"))
    }
}

fn machine(saved: Saved, seed: u32) -> Machine {
    let policy = Policy {
        order: Order::ByKey,
        in_flight_max: 16,
        rate_per_second: None,
        refusals_in_a_row_max: 10,
        retry_schedule: Arc::from([Duration::from_secs(5), Duration::from_secs(300)]),
        lane_hold: Duration::from_secs(30),
        gives_up_faults: false,
    };
    let (boot, head) = (saved.boot, saved.live.cursor.highest());
    let start = Start {
        saved,
        sequences: Vec::new(),
        parked: Vec::new(),
        boot,
        head,
        policy,
        is_enabled: true,
        is_paused: false,
        random: Random::from_seed(u64::from(seed)),
    };
    Machine::start(start, Now { wall: Timestamp(0), monotonic: Monotonic(0) })
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("a simulation is short")
}

const fn dead(number: u32) -> Receiver {
    if number.is_multiple_of(2) { Receiver::Hanging } else { Receiver::Refusing }
}

/// Ten endpoints for each account, of which all but one die at a moment.
fn with_dead(places: usize, accounts: u32, dead_each: u32, from: Duration) -> Town {
    let mut town = Town::new(places);
    for account in 1..=accounts {
        town.add(account, Receiver::Well, Duration::ZERO);
        (0..dead_each).for_each(|number| _ = town.add(account, dead(number), from));
    }
    town
}

#[test]
fn nine_of_ten_endpoints_that_die_at_once_cost_the_others_at_most_a_tenth() {
    let [alone, beside] = [0, 9].map(|dead_each| {
        let mut town = with_dead(600, 30, dead_each, Duration::from_secs(10));
        town.run(Duration::from_millis(50), Duration::from_secs(60));
        town.delays(Duration::ZERO)
    });
    assert!(beside.0 <= alone.0.mul_f64(1.1), "{beside:?} beside those that died, {alone:?} without them");
}

#[test]
fn after_a_restart_those_known_to_be_in_trouble_keep_nobody_out() {
    // The dead could fill the quarter of the silent many times over, and everybody is silent at first.
    let mut town = with_dead(64, 30, 9, Duration::ZERO);
    for (house, number) in town.houses.iter_mut().zip(0..).filter(|(house, _)| house.receiver != Receiver::Well) {
        let mut saved = Saved::new(Boot([0; 16]), Since::beginning(Offset(0), Timestamp(0)));
        saved.is_in_trouble = true;
        house.machine = machine(saved, number);
    }
    town.run(Duration::from_millis(200), Duration::from_secs(30));
    let (mean, longest) = town.delays(Duration::ZERO);
    assert!(longest <= Duration::from_millis(200), "{mean:?} in the mean, {longest:?} at most");
}

#[test]
fn whoever_has_been_quiet_is_served_at_once_beside_those_in_trouble() {
    let mut town = with_dead(400, 30, 8, Duration::from_secs(10));
    for account in 1..=30 {
        // An event in four minutes: by then nothing is known of it any more.
        town.add(account, Receiver::Well, Duration::ZERO).every = 1_200;
    }
    town.run(Duration::from_millis(200), Duration::from_secs(1_000));
    let quiet = town.houses.iter().filter(|house| house.every > 1);
    let delays: Vec<Duration> = quiet.flat_map(|house| house.delays.iter().map(|(_, delay)| *delay)).collect();
    assert_eq!(delays.len(), 30 * 4);
    let longest = delays.iter().max().expect("some were measured");
    assert!(*longest <= Duration::from_millis(200), "{longest:?}");
}

#[test]
fn slow_receivers_that_want_everything_leave_places_to_the_others() {
    let mut town = Town::new(256);
    for account in 1..=10 {
        (0..20).for_each(|_| _ = town.add(account, Receiver::Slow, Duration::ZERO));
    }
    (11..=40).for_each(|account| _ = town.add(account, Receiver::Well, Duration::ZERO));
    town.run(Duration::from_millis(50), Duration::from_secs(60));
    // A moment for those who answer to be known.
    let (mean, longest) = town.delays(Duration::from_secs(10));
    let slow = town.houses.iter().filter(|house| house.receiver == Receiver::Slow);
    let taken: Vec<usize> = slow.map(|house| house.delays.len()).collect();
    let (least, most) = (taken.iter().min().expect("200"), taken.iter().max().expect("200"));
    assert!(longest <= Duration::from_millis(50), "{mean:?} in the mean, {longest:?} at most");
    assert!(*least > 0 && *most <= 2 * *least, "the slow share evenly: {least} to {most}");
}
