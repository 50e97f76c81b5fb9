//! From the body of a request to events: one, an array, lines or CloudEvents for `/v1`, whatever came for `/hooks`.
//!
//! Pure, and one pass over the text: no tree, and what an event keeps are slices of the body. Not HTTP, not
//! the log: nobody is asked here whether an id is known or an account exists. Invariant: of `/v1` a body is
//! taken whole or not at all, and the refusal lists what is wrong, item by item; of `/hooks` every byte ends
//! up in an event or in a capture.

mod batch;
mod cloud_event;
mod envelope;
mod hook;
mod refusal;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Form};
pub use cloud_event::{has_attributes, is_json_type};
pub use hook::{Hook, Hooked};
pub use refusal::{Issue, Refusal, RefusalKind};

use crate::model::KeyField;
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
    cloud_pointers: Pointers,
    /// Where the key is, seen from the data itself.
    key_pointers: Pointers,
}

impl Parser {
    /// Makes a parser.
    ///
    /// # Panics
    /// Never: the places of an event's fields are sound pointers.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let pointers = |places: &[&str]| {
            let mut pointers = Pointers::new();
            for (slot, pointer) in places.iter().enumerate() {
                let given = pointers.add(pointer).expect("the places of an event's fields are sound pointers");
                assert_eq!(given, slot, "slots are given in the order of the places");
            }
            pointers
        };
        Self {
            options,
            pointers: pointers(&envelope::PLACES),
            cloud_pointers: pointers(&cloud_event::PLACES),
            key_pointers: pointers(&KeyField::ALL.map(KeyField::pointer)),
        }
    }
}
