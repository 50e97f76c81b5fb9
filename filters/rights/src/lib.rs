//! The rights filter: what an account may see of an event, decided in one pass over its text.
//!
//! The core is ordinary Rust: a [`Table`] is taken once and asked about one event after another. Only for
//! WebAssembly there is a shell around it that makes it the component of the contract in `wit/filter.wit`.
//! Not here: how a table comes about. The server merges the rights of an account, its catalogue and whatever
//! else decides into one table; this crate believes the table.
//!
//! Invariant: nothing that the table withholds is in the answer, in whatever way it is escaped, and no
//! payload that hooklog has taken in makes it fail.
//!
//! ```text
//! lines ─prepare─▶ text ─▶ Table ─ evaluate(type, payload) ─▶ Mark ─▶ Drop
//! (by the server)                                           └──▶ walk ─▶ Pass | Rewrite
//! ```

mod error;
mod number;
mod treatment;
mod prepare;
mod table;
mod fields;
mod walk;
mod scan;
mod string;
mod output;
mod mask;
mod pseudonym;

#[cfg(target_family = "wasm")]
mod arena;
#[cfg(target_family = "wasm")]
mod component;

pub use error::{Error, Fault};
pub use prepare::prepare;
pub use table::{Mark, Table};

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is.
    Pass,
    /// It goes no further, for this reason.
    Drop(&'static str),
    /// It goes on with this payload instead.
    Rewrite(String),
}
