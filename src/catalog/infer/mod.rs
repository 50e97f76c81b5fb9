//! Inference: drafts of a catalogue's entries from events that really came.
//!
//! Pure: JSON texts in, drafts out. Not a judgement of whose data a field is: every class, kind and text is a
//! suggestion for somebody to read. Invariants: its memory has a bound whatever comes, and what falls beyond is
//! counted; no text of an event is in the drafts but names, types and the words of enums that several events had.
//!
//! ```text
//! event ─▶ Walk ─▶ tree of paths (Node, Seen) ─▶ draft (field, class) ─▶ Drafts ─▶ JSON, or TOML (write)
//! ```

mod tree;
mod seen;
mod blank;
mod class;
mod naming;
mod field;
mod draft;
mod write;

use std::collections::BTreeMap;

use serde::Serialize;

use self::tree::{NODES_MAX, Node, Walk};
use super::Catalog;
use crate::model::EventType;
use crate::model::json::{Cursor, Kind};

pub use self::draft::{Bounds, Drafts, InferredField, InferredType, KindSeen, Known, TypeField};

/// Learns from events what a catalogue lacks.
#[derive(Debug, Clone)]
pub struct Inference {
    catalog: Catalog,
    events: u64,
    malformed: u64,
    types: BTreeMap<EventType, TypeSeen>,
    data: Node,
    actor: Node,
    /// How many nodes may still be made.
    room: usize,
    left_out: LeftOut,
}

#[derive(Debug, Clone, Copy)]
struct TypeSeen {
    number: usize,
    events: u64,
}

/// What was met and not learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// Events of types beyond the greatest number of types.
    pub types: u64,
    /// Values at paths beyond the greatest number of paths.
    pub fields: u64,
    /// Values at paths that are too long.
    pub paths: u64,
    /// Members whose keys look like data, such as telephone numbers.
    pub keys: u64,
    /// Members of `data` named `actor`: such paths mean the event's actor.
    pub shadowed: u64,
}

impl Inference {
    /// Begins to learn what this catalogue lacks.
    #[must_use]
    pub fn new(catalog: &Catalog) -> Self {
        Self {
            catalog: catalog.clone(),
            events: 0,
            malformed: 0,
            types: BTreeMap::new(),
            data: Node::root(),
            actor: Node::root(),
            room: NODES_MAX,
            left_out: LeftOut::default(),
        }
    }

    /// Learns from one event, and returns whether it was one.
    ///
    /// # Shape
    /// `actor` and `data` are the JSON texts of objects; an actor `null` is none. What is anything else is counted
    /// as malformed, and nothing of it is learned.
    pub fn observe(&mut self, event_type: &EventType, actor: Option<&str>, data: &str) -> bool {
        let actor = actor.filter(|text| kind_of(text) != Some(Kind::Null));
        if [Some(data), actor].into_iter().flatten().any(|text| kind_of(text) != Some(Kind::Object)) {
            self.malformed += 1;
            return false;
        }
        self.events += 1;
        let number = self.types.len();
        if number >= TYPES_MAX && !self.types.contains_key(event_type) {
            self.left_out.types += 1;
            return true;
        }
        let seen = self.types.entry(event_type.clone()).or_insert(TypeSeen { number, events: 0 });
        seen.events += 1;
        let mut walk = Walk {
            catalog: &self.catalog,
            event: self.events,
            type_number: seen.number,
            room: &mut self.room,
            left_out: &mut self.left_out,
        };
        let walked = walk.object(data, &mut self.data, "").and_then(|()| match actor {
            Some(actor) => walk.object(actor, &mut self.actor, "actor"),
            None => Ok(()),
        });
        debug_assert!(walked.is_ok(), "both texts were read before");
        true
    }

    /// Counts something that should have been an event and could not be read.
    pub const fn observe_malformed(&mut self) {
        self.malformed += 1;
    }

    /// Drafts what was learned so far.
    #[must_use]
    pub fn drafts(&self) -> Drafts {
        draft::draft(self)
    }
}

/// Returns what a text is, where it is sound JSON within hooklog's limits.
fn kind_of(text: &str) -> Option<Kind> {
    let mut cursor = Cursor::new(text.as_bytes());
    let value = cursor.value().ok()?;
    cursor.finish().ok()?;
    Some(value.kind)
}

/// Types that are learned.
const TYPES_MAX: usize = 256;

#[cfg(test)]
mod tests;
