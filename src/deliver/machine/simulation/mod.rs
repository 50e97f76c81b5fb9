//! The machine against an invented world: thousands of seeds, every step looked at.
//!
//! Not a test of the shell: nothing is sent and nothing is written. After every step the ledger adds up and
//! is what the simulation counted by itself; nobody overtakes in a lane; no number names two events; and at
//! the end, when all is healthy, everything has arrived. The same seed is the same run.

mod book;
mod disk;
mod job;
mod log;
mod receiver;
mod traffic;
mod world;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use world::World;

/// Runs one world to its end.
///
/// # Panics
/// Where an expectation does not hold, with the seed and the last steps.
pub(crate) fn simulate(seed: u64) {
    if catch_unwind(AssertUnwindSafe(|| World::new(seed, None).run())).is_ok() {
        return;
    }
    let trace = Rc::default();
    let seen: Rc<RefCell<std::collections::VecDeque<String>>> = Rc::clone(&trace);
    let failure = catch_unwind(AssertUnwindSafe(|| World::new(seed, Some(trace)).run())).err();
    let steps: Vec<_> = seen.borrow().iter().cloned().collect();
    let message = failure.map(|failure| match failure.downcast::<String>() {
        Ok(message) => *message,
        Err(failure) => failure.downcast::<&str>().map_or_else(|_| "no message".to_owned(), |text| (*text).to_owned()),
    });
    panic!("seed {seed} fails: {message:?}\n{}", steps.join("\n"));
}

#[test]
fn hundreds_of_worlds_come_to_a_good_end() {
    (0..600).for_each(simulate);
}

#[test]
fn nightly_twenty_thousand_worlds_come_to_a_good_end() {
    (1_000..21_000).for_each(simulate);
}
