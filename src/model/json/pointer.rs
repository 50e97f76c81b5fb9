//! JSON pointers (RFC 6901), several at a time: which values somebody wants to be told of.
//!
//! Not a query language. The pointers are folded into a tree once, when a setting is read, so that a walk
//! over a text asks at each key only for the few names that matter there.

use crate::model::limits::NESTING_MAX;

/// A text that is not a JSON pointer, or a longer one than any event can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer is empty or begins with /, escapes ~ as ~0 and / as ~1, and has at most 64 steps")]
pub struct InvalidPointer;

/// The places in a text that somebody asked for, each with a slot for its answer.
#[derive(Debug, Clone, Default)]
pub struct Pointers {
    root: Node,
    slots: usize,
}

/// A place on the way to one that was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// Where the answer goes, where this place itself was asked for.
    pub(super) slot: Option<usize>,
    children: Vec<Child>,
}

#[derive(Debug, Clone)]
struct Child {
    name: Box<[u8]>,
    index: Option<usize>,
    node: Node,
}

impl Pointers {
    /// Makes a set that asks for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pointer and returns its slot; a pointer that is already there keeps the one it has.
    ///
    /// # Errors
    /// Where the text is no JSON pointer, or goes deeper than any event may.
    pub fn add(&mut self, pointer: &str) -> Result<usize, InvalidPointer> {
        let mut node = &mut self.root;
        for name in steps(pointer)? {
            node = node.child_or_new(&name);
        }
        Ok(*node.slot.get_or_insert_with(|| {
            self.slots += 1;
            self.slots - 1
        }))
    }

    /// Returns how many slots there are.
    #[must_use]
    pub const fn slots(&self) -> usize {
        self.slots
    }

    pub(super) const fn root(&self) -> &Node {
        &self.root
    }
}

impl Node {
    pub(super) const fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    /// Returns the place behind a key.
    #[inline]
    pub(super) fn named(&self, name: &[u8]) -> Option<&Self> {
        self.children.iter().find(|child| *child.name == *name).map(|child| &child.node)
    }

    /// Returns the place of an array's item.
    pub(super) fn at(&self, index: usize) -> Option<&Self> {
        self.children.iter().find(|child| child.index == Some(index)).map(|child| &child.node)
    }

    fn child_or_new(&mut self, name: &str) -> &mut Self {
        let at = self.children.iter().position(|child| *child.name == *name.as_bytes()).unwrap_or_else(|| {
            self.children.push(Child { name: name.as_bytes().into(), index: index(name), node: Self::default() });
            self.children.len() - 1
        });
        &mut self.children.get_mut(at).expect("the child was found or has just been added").node
    }
}

fn steps(pointer: &str) -> Result<Vec<String>, InvalidPointer> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let steps: Vec<String> =
        pointer.strip_prefix('/').ok_or(InvalidPointer)?.split('/').map(unescape).collect::<Result<_, _>>()?;
    if steps.len() > NESTING_MAX { Err(InvalidPointer) } else { Ok(steps) }
}

fn unescape(step: &str) -> Result<String, InvalidPointer> {
    let is_sound = step.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if is_sound { Ok(step.replace("~1", "/").replace("~0", "~")) } else { Err(InvalidPointer) }
}

/// Appends one step to a pointer, escaped.
pub(super) fn push_step(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

fn index(name: &str) -> Option<usize> {
    let is_index = name == "0" || (!name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit()));
    if is_index { name.parse().ok() } else { None }
}
