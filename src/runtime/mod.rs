//! The clock, the randomness, the tracked spawner and the shutdown signal.
//!
//! Not a scheduler: tokio is. This is the only place that names `SystemTime`, `Instant::now` and
//! `tokio::spawn`, so that everything else can be driven by a test that moves the time itself.

mod boot;
mod clock;
mod random;
mod shutdown;
mod crew;
mod tasks;

pub use boot::boot_id;
pub use clock::{Clock, Monotonic};
pub use crew::Crew;
pub use random::Random;
pub use shutdown::{Shutdown, ShutdownTrigger, shutdown};
pub use tasks::{Tasks, blocking};
