//! Delivery: what to send when, sending it, writing down what happened.
//!
//! At least once, in order by key, the same id on every attempt. Each endpoint has a pure machine and one
//! loop around it: wait, ask, act. Not known here: what an event says. Decisions and bodies come through one
//! port, [`Source`], which `dispatch` implements; bodies are asked for anew at every attempt and never queued.
//!
//! ```text
//!   dispatch ─ offer ─▶ mailbox ─▶ endpoint loop ─▶ machine ─▶ actions ─▶ send ─▶ the receiver
//!       ▲─────────── decide, body ────────┘                        └────▶ log: cursor, sequences, attempts
//! ```

pub mod machine;

mod activity;
mod anew;
mod desk;
mod endpoint;
mod endpoint_test;
mod line;
mod places;
mod positions;
mod registry;
mod source;
mod status;

pub mod attempt;
pub mod format;
pub mod outcome;
pub mod send;

pub use self::activity::{Activity, minute_of};
pub use self::desk::{Granted, Wish};
pub use self::endpoint_test::{StageName, TestError, TestReport, TestRequest, TestStage};
pub use self::machine::{AsideEvent, Cause, Decision, FilteredBy, InHand, Outcome, Outlook, State, Whereabouts};
pub use self::registry::{Handle, Options, Parts};
pub use self::source::{Body, DecidedEvent, Made, Occasion, Source, Undecided};
pub use self::status::{
    EndpointState, EndpointStatus, Lag, LastFailure, LedgerSince, LedgerView, RIGHTS_FAULT, ReplayProgress,
    StatusProblem,
};
