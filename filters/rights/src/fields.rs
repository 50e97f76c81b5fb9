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
        match self.find(cover, key) {
            Some(node) => self.tree.cover(node),
            // No step of a path has a dot in it, so only a key that was not found can be several steps.
            None if key.contains(&b'.') => self.several(cover, key),
            None => cover.without_line(),
        }
    }

    #[inline]
    fn find(&self, cover: Cover, step: &[u8]) -> Option<u32> {
        self.tree.find(self.text, self.tree.chain(cover.node, step), cover.node, step)
    }

    #[cold]
    fn several(&self, cover: Cover, key: &[u8]) -> Cover {
        key.split(|byte| *byte == b'.').fold(cover, |cover, step| {
            let found = if cover.has_lines { self.find(cover, step) } else { None };
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
    /// The parent of the path that was added last, and where the parent's path stands in the text, with a dot.
    parent: u32,
    prefix: Range<usize>,
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
        Self { nodes, chains: vec![0; (2 * lines_expected).next_power_of_two()], parent: 0, prefix: 0..0 }
    }

    /// Adds the line of a path. False: the path, or one below it, has already been added.
    pub(crate) fn add(&mut self, text: &[u8], path: Range<usize>, own: Treatment, below: Treatment) -> bool {
        let (mut parent, mut start) = self.nearest(text, &path);
        loop {
            let rest = text.get(start..path.end).unwrap_or_default();
            let Some(length) = rest.iter().position(|byte| *byte == b'.') else { break };
            let step = rest.get(..length).unwrap_or_default();
            let chain = self.chain(parent, step);
            let found = self.find(text, chain, parent, step);
            parent = found.unwrap_or_else(|| self.push(chain, parent, start..start + length, None));
            start += length + 1;
        }
        self.parent = parent;
        self.prefix = path.start..start;
        let step = text.get(start..path.end).unwrap_or_default();
        let chain = self.chain(parent, step);
        let is_new = self.find(text, chain, parent, step).is_none();
        if is_new {
            self.push(chain, parent, start..path.end, Some((own, below)));
        }
        is_new
    }

    /// Returns the parent of the last path and where the step below it begins, if this path is below it as
    /// well; else the root. In a sorted table neighbours mostly have the same parent.
    #[inline]
    fn nearest(&self, text: &[u8], path: &Range<usize>) -> (u32, usize) {
        let start = path.start + self.prefix.len();
        match (text.get(path.start..start), text.get(self.prefix.clone())) {
            (Some(one), Some(other)) if start <= path.end && is_same(one, other) => (self.parent, start),
            _ => (0, path.start),
        }
    }

    /// Adds a node; without treatments of its own it inherits those of its parent.
    fn push(&mut self, chain: usize, parent: u32, step: Range<usize>, line: Option<(Treatment, Treatment)>) -> u32 {
        let node = offset(self.nodes.len());
        let mut inherited = Treatment::Remove;
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.has_lines = true;
            inherited = parent.below;
        }
        let (own, below) = line.unwrap_or((inherited, inherited));
        let next = self.chains.get_mut(chain).map_or(0, |first| std::mem::replace(first, node));
        let (start, length) = (offset(step.start), offset(step.len()));
        self.nodes.push(Node { parent, next, start, length, own, below, has_lines: false });
        node
    }

    /// Returns the chain in which a step below `parent` is found.
    #[inline]
    fn chain(&self, parent: u32, step: &[u8]) -> usize {
        hash(parent, step) & (self.chains.len() - 1)
    }

    #[inline]
    fn find(&self, text: &[u8], chain: usize, parent: u32, step: &[u8]) -> Option<u32> {
        let mut at = *self.chains.get(chain)?;
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
