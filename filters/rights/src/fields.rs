//! The fields of one section, found by key while an event is walked.
//!
//! A tree of paths whose children are found by hash: one probe for each key of an event, however many lines
//! there are. (A binary search over the sorted lines takes seven or eight comparisons for each key, which is more
//! than all the rest of the walk.) What a path without a line inherits is settled when the tree is made; for
//! that a path must come before those below it, as it does in a sorted table.

use std::ops::Range;

use crate::treatment::Treatment;

/// What holds for a value: its treatments, and where in the tree it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cover {
    /// The treatment of a scalar that stands exactly here.
    pub(crate) own: Treatment,
    /// The treatment of what is below and has no line of its own.
    pub(crate) below: Treatment,
    /// Whether any line is below.
    pub(crate) has_lines: bool,
    node: u32,
}

/// The fields of a section, together with the text in which their names stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'t> {
    text: &'t [u8],
    tree: &'t Tree,
}

impl<'t> Fields<'t> {
    /// Takes a tree and the text it was made from.
    pub(crate) const fn new(text: &'t [u8], tree: &'t Tree) -> Self {
        Self { text, tree }
    }

    /// Returns what holds for the root of the paths.
    pub(crate) fn root(&self) -> Cover {
        self.tree.cover(0)
    }

    /// Returns what holds for the member `key` of an object for which `cover` holds.
    #[inline]
    pub(crate) fn member(&self, cover: Cover, key: &[u8]) -> Cover {
        if !cover.has_lines {
            return cover.without_line();
        }
        match self.tree.find(self.text, cover.node, key) {
            Some(node) => self.tree.cover(node),
            // No step of a path has a dot in it, so only a key that was not found can be several steps.
            None if key.contains(&b'.') => self.several(cover, key),
            None => cover.without_line(),
        }
    }

    #[cold]
    fn several(&self, cover: Cover, key: &[u8]) -> Cover {
        key.split(|byte| *byte == b'.').fold(cover, |cover, step| {
            let found = if cover.has_lines { self.tree.find(self.text, cover.node, step) } else { None };
            found.map_or_else(|| cover.without_line(), |node| self.tree.cover(node))
        })
    }
}

impl Cover {
    const fn without_line(self) -> Self {
        Self { own: self.below, has_lines: false, ..self }
    }
}

/// The paths of a section.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The root, then the others as they were added.
    nodes: Vec<Node>,
    /// For each hash the node that was added last; 0, the root, is none.
    chains: Vec<u32>,
}

#[derive(Debug)]
struct Node {
    parent: u32,
    /// The next node of the same chain; 0 is none.
    next: u32,
    /// Where the last step of the path stands in the text of the table.
    start: u32,
    length: u32,
    own: Treatment,
    below: Treatment,
    has_lines: bool,
}

impl Tree {
    /// Makes the tree of a section without lines, with room for some.
    pub(crate) fn new(rest: Treatment, lines_expected: usize) -> Self {
        let mut nodes = Vec::with_capacity(1 + lines_expected + lines_expected / 4);
        nodes.push(Node { parent: 0, next: 0, start: 0, length: 0, own: rest, below: rest, has_lines: false });
        Self { nodes, chains: vec![0; (2 * lines_expected).next_power_of_two()] }
    }

    /// Adds the line of a path. False: the path, or one below it, has already been added.
    pub(crate) fn add(&mut self, text: &[u8], path: Range<usize>, own: Treatment, below: Treatment) -> bool {
        let mut node = 0;
        let mut start = path.start;
        let steps = text.get(path).unwrap_or_default().split(|byte| *byte == b'.');
        let mut is_new = false;
        for step in steps {
            (node, is_new) = match self.find(text, node, step) {
                Some(node) => (node, false),
                None => (self.push(node, start, step), true),
            };
            start += step.len() + 1;
        }
        if let Some(last) = self.nodes.get_mut(node as usize) {
            last.own = own;
            last.below = below;
        }
        is_new
    }

    fn push(&mut self, parent: u32, start: usize, step: &[u8]) -> u32 {
        let node = offset(self.nodes.len());
        let mut inherited = Treatment::Remove;
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.has_lines = true;
            inherited = parent.below;
        }
        let chain = hash(parent, step) & (self.chains.len() - 1);
        let next = self.chains.get_mut(chain).map_or(0, |first| std::mem::replace(first, node));
        let (start, length) = (offset(start), offset(step.len()));
        self.nodes.push(Node { parent, next, start, length, own: inherited, below: inherited, has_lines: false });
        node
    }

    #[inline]
    fn find(&self, text: &[u8], parent: u32, step: &[u8]) -> Option<u32> {
        let mut at = *self.chains.get(hash(parent, step) & (self.chains.len() - 1))?;
        while at != 0 {
            let node = self.nodes.get(at as usize)?;
            if node.parent == parent && node.length as usize == step.len() {
                let start = node.start as usize;
                if is_same(text.get(start..start + step.len())?, step) {
                    return Some(at);
                }
            }
            at = node.next;
        }
        None
    }

    #[inline]
    fn cover(&self, node: u32) -> Cover {
        let Some(Node { own, below, has_lines, .. }) = self.nodes.get(node as usize) else {
            return Cover { own: Treatment::Remove, below: Treatment::Remove, has_lines: false, node };
        };
        Cover { own: *own, below: *below, has_lines: *has_lines, node }
    }
}

/// Narrows an offset in a table, whose text is known to be shorter.
fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a table is checked to be shorter than 4 GiB")
}

#[inline]
fn hash(parent: u32, step: &[u8]) -> usize {
    let (first, last) = ends(step);
    let mixed = (first ^ last.rotate_left(29) ^ (u64::from(parent) << 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The middle bits of the product depend on all bytes; more than 2^24 chains there are never.
    (mixed >> 40) as usize
}

#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    // Up to 16 bytes the first and the last eight are all of them.
    ends(one) == ends(other) && (one.len() <= 16 || one == other)
}

/// Returns the first and the last eight bytes, of fewer than nine all in the first. Steps of the same length
/// up to 16 bytes are the same if and only if these are.
#[inline]
fn ends(step: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (step.first_chunk::<8>(), step.last_chunk::<8>()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (step.first_chunk::<4>(), step.last_chunk::<4>()) {
        return (u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32, 0);
    }
    (step.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
}
