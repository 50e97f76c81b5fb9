//! From the body of a request to events: one event, an array or lines for `/v1`, whatever came for `/hooks`.
//!
//! Pure, and one pass over the text: no tree, and what an event keeps are slices of the body. Not HTTP, not
//! the log: nobody is asked here whether an id is known or an account exists. Invariant: of `/v1` a body is
//! taken whole or not at all, and the refusal lists what is wrong, item by item; of `/hooks` every byte ends
//! up in an event or in a capture.

mod batch;
mod envelope;
mod hook;
mod refusal;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Form};
pub use hook::{Hook, Hooked};
pub use refusal::{Issue, Refusal, RefusalKind};

use crate::model::json::Pointers;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes that one event may have, as it stands in the body.
    pub event_bytes_max: usize,
}

/// Reads the bodies of `/v1`. Made once, shared by all requests.
#[derive(Debug)]
pub struct Parser {
    options: Options,
    pointers: Pointers,
}

impl Parser {
    /// Makes a parser.
    ///
    /// # Panics
    /// Never: the places of an event's fields are sound pointers.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut pointers = Pointers::new();
        for (slot, pointer) in envelope::PLACES.into_iter().enumerate() {
            let given = pointers.add(pointer).expect("the places of an event's fields are sound pointers");
            assert_eq!(given, slot, "slots are given in the order of the places");
        }
        Self { options, pointers }
    }
}
