//! Black box: the real binary, a real database, real sockets.
//!
//! Not the rules of single parts: those are tested beside the parts. What stands here is what a user can see.
#![expect(clippy::disallowed_methods, reason = "tests drive a process from outside, with its own clock and tasks")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says where")]

mod house;

mod http;
mod receiver;
mod server;
mod signature;
mod stream;

mod backtest;
mod bad_input;
mod crash;
mod delivery;
mod explain;
mod fairness;
mod history;
mod filters;
mod operation;
mod listen;
mod peers;
mod readme;
mod refused;
mod seek;
mod replay;
mod replay_scope;
mod rights;
