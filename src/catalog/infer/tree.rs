//! The tree of paths, and the walk of one event over it.
//!
//! A node is a path; arrays have none, their items are met at the path of the array. A node is **closed** when its
//! members are no names: it has too many of them, one of them looks like data, or the catalogue says that it is an
//! object of its own. Invariant: below a closed node there is only what the catalogue knows.

use std::collections::BTreeMap;

use super::LeftOut;
use super::blank::is_data;
use super::seen::{Seen, Shape};
use crate::catalog::{Catalog, Kind};
use crate::model::json::{Begun, Cursor, Error, Item, Member};

/// A path, and what was seen there.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) seen: Seen,
    /// How many events had it.
    pub(super) events: u64,
    /// Of which types they were, by the types' numbers.
    pub(super) types: BTreeMap<usize, u64>,
    pub(super) members: BTreeMap<String, Self>,
    /// How often a member was met whose key looks like data.
    pub(super) hidden: u64,
    /// Whether the catalogue has this path.
    pub(super) is_known: bool,
    /// Whether the catalogue has paths below it: then its members have names.
    pub(super) is_vouched_for: bool,
    is_closed: bool,
    members_max: usize,
    last_event: u64,
}

impl Node {
    /// Makes a root: `data`, or the actor.
    pub(super) fn root() -> Self {
        Self {
            seen: Seen::default(),
            events: 0,
            types: BTreeMap::new(),
            members: BTreeMap::new(),
            hidden: 0,
            is_known: false,
            is_vouched_for: true,
            is_closed: false,
            members_max: ROOT_MEMBERS_MAX,
            last_event: 0,
        }
    }

    fn new(catalog: &Catalog, path: &str) -> Self {
        let known = catalog.field(path);
        let is_closed = known.is_some_and(|field| match field.kind {
            Kind::Object | Kind::Objects => true,
            Kind::String
            | Kind::Integer { .. }
            | Kind::Number { .. }
            | Kind::Boolean
            | Kind::Instant
            | Kind::Enum(_)
            | Kind::Strings => false,
        });
        Self {
            is_known: known.is_some(),
            is_vouched_for: has_below(catalog, path),
            is_closed,
            members_max: MEMBERS_MAX,
            ..Self::root()
        }
    }

    /// Returns whether its members are not to be listed.
    pub(super) fn is_opaque(&self) -> bool {
        self.is_closed || (!self.is_vouched_for && self.looks_like_a_map())
    }

    /// A map has many keys, and each object of it has few of them.
    fn looks_like_a_map(&self) -> bool {
        let met: u64 = self.members.values().map(|member| member.events).sum();
        let full = u64::try_from(self.members.len()).unwrap_or(u64::MAX).saturating_mul(self.events);
        self.members.len() >= MAP_MEMBERS_MIN && met.saturating_mul(MAP_SHARE) < full
    }

    /// Returns whether it is a field, and not only the way to its members.
    pub(super) fn is_field(&self) -> bool {
        self.is_known
            || self.seen.has_scalars()
            || (!self.is_vouched_for && (self.members.is_empty() || self.is_opaque()))
    }

    /// Returns whether an object stood there whose members are not listed.
    pub(super) fn is_object(&self) -> bool {
        let has_objects = [&self.seen.alone, &self.seen.listed].iter().any(|seen| seen.contains_key(&Shape::Object));
        has_objects && (self.members.is_empty() || self.is_opaque())
    }

    /// Forgets the members that the catalogue does not know, for good, and returns how many nodes those were.
    fn close(&mut self) -> usize {
        self.is_closed = true;
        let before = self.size();
        self.members.retain(|_, member| member.is_known || member.is_vouched_for);
        before - self.size()
    }

    fn size(&self) -> usize {
        self.members.values().map(|member| 1 + member.size()).sum()
    }

    pub(super) fn meet(&mut self, event: u64, type_number: usize) {
        if self.last_event != event {
            self.last_event = event;
            self.events += 1;
            *self.types.entry(type_number).or_default() += 1;
        }
    }
}

/// One event on its way over the tree.
pub(super) struct Walk<'a> {
    pub(super) catalog: &'a Catalog,
    /// The number of the event, from 1.
    pub(super) event: u64,
    /// The number of its type.
    pub(super) type_number: usize,
    /// How many nodes may still be made.
    pub(super) room: &'a mut usize,
    pub(super) left_out: &'a mut LeftOut,
}

impl Walk<'_> {
    /// Walks over `data`, or the actor: a sound object, whose path is empty or `actor`.
    pub(super) fn object(&mut self, text: &str, root: &mut Node, path: &str) -> Result<(), Box<Error>> {
        root.meet(self.event, self.type_number);
        self.value(&mut Cursor::new(text.as_bytes()), root, &mut path.to_owned(), false)
    }

    fn value(
        &mut self,
        cursor: &mut Cursor<'_>,
        node: &mut Node,
        path: &mut String,
        is_listed: bool,
    ) -> Result<(), Box<Error>> {
        match cursor.begin()? {
            Begun::Scalar(value) => node.seen.scalar(&value, cursor.text(), is_listed, self.event),
            Begun::Array => {
                let mut is_empty = true;
                while cursor.next_item()? == Item::Next {
                    is_empty = false;
                    self.value(cursor, node, path, true)?;
                }
                if is_empty {
                    node.seen.empty_list();
                }
            }
            Begun::Object => {
                node.seen.object(is_listed);
                while let Member::Key(key) = cursor.next_key()? {
                    let length = path.len();
                    let name = key.text(cursor.text());
                    match self.member(node, &name, path) {
                        Some(member) => self.value(cursor, member, path, false)?,
                        None => drop(cursor.value()?),
                    }
                    path.truncate(length);
                }
            }
        }
        Ok(())
    }

    /// Returns the node of a member, where it is to be looked at; `path` becomes the member's.
    fn member<'n>(&mut self, node: &'n mut Node, name: &str, path: &mut String) -> Option<&'n mut Node> {
        if is_data(name) {
            node.hidden += 1;
            self.left_out.keys += 1;
            if !node.is_vouched_for {
                *self.room += node.close();
            }
            return None;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        if path == "actor" {
            self.left_out.shadowed += 1;
            return None;
        }
        if path.len() > PATH_BYTES_MAX {
            self.left_out.paths += 1;
            return None;
        }
        if !node.members.contains_key(name) {
            let member = Node::new(self.catalog, path);
            let is_in_the_catalogue = member.is_known || member.is_vouched_for;
            if node.members.len() >= node.members_max && !is_in_the_catalogue {
                *self.room += node.close();
            }
            if node.is_closed && !is_in_the_catalogue {
                // Of an object that is drafted whole nothing is left out.
                self.left_out.fields += u64::from(node.is_vouched_for);
                return None;
            }
            let Some(room) = self.room.checked_sub(1) else {
                self.left_out.fields += 1;
                return None;
            };
            *self.room = room;
            node.members.insert(name.to_owned(), member);
        }
        let member = node.members.get_mut(name)?;
        member.meet(self.event, self.type_number);
        Some(member)
    }
}

/// Returns whether the catalogue has fields below a path.
fn has_below(catalog: &Catalog, path: &str) -> bool {
    let below = format!("{path}.");
    catalog.fields.range(below.clone()..).next().is_some_and(|(field, _)| field.starts_with(&below))
}

/// Paths that are learned, of all types together.
pub(super) const NODES_MAX: usize = 2_048;
/// Members of `data` itself, over all types.
const ROOT_MEMBERS_MAX: usize = 256;
/// Members of any other object: one with more is a map.
const MEMBERS_MAX: usize = 64;
/// Bytes of a path.
const PATH_BYTES_MAX: usize = 200;
/// Fewer members say nothing.
const MAP_MEMBERS_MIN: usize = 12;
/// In a map, a member is in less than one of so many objects.
const MAP_SHARE: u64 = 4;
