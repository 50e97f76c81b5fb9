//! The fields of one section, found by key while an event is walked.
//!
//! A tree of paths whose children are found by hash: one probe for each key of an event, however many lines
//! there are. (A binary search over the sorted lines takes seven or eight comparisons for each key, which is more
//! than all the rest of the walk.) Tree and chains stand in the text of the prepared table and are read there; what a
//! path without a line inherits was settled when it was made. Where the text is cut off, nothing is let through.
//!
//! ```text
//! <chains> * 4                                       for each hash the node that was added last
//! <parent><next><length><own><below><has lines><step>    a node, at the place that is its name
//! ```

use crate::number::Letters;
use crate::treatment::Treatment;

/// What holds for a value: its treatments, and where in the tree it stands.
///
/// In one word, because one is handed on for each key: the place of the node (of the root none), its own treatment,
/// the one of what is below, and whether lines are below.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cover(u64);

impl Cover {
    #[inline(always)]
    fn new(node: Letters, own: Treatment, below: Treatment, has_lines: bool) -> Self {
        let treatments = u64::from(own as u8) << OWN | u64::from(below as u8) << BELOW;
        Self(u64::from(node.word()) | treatments | u64::from(has_lines) << HAS_LINES)
    }

    /// The treatment of a scalar that stands exactly here.
    #[inline(always)]
    pub(crate) const fn own(self) -> Treatment {
        Treatment::from_bits(self.0 >> OWN)
    }

    /// The treatment of what is below and has no line of its own.
    #[inline(always)]
    pub(crate) const fn below(self) -> Treatment {
        Treatment::from_bits(self.0 >> BELOW)
    }

    /// Whether any line is below.
    #[inline(always)]
    pub(crate) const fn has_lines(self) -> bool {
        self.0 >> HAS_LINES != 0
    }

    #[inline(always)]
    const fn node(self) -> Letters {
        Letters::from_word((self.0 & 0xffff_ffff) as u32)
    }

    /// What holds for a member that no line names.
    #[inline(always)]
    fn without_line(self) -> Self {
        Self::new(self.node(), self.below(), self.below(), false)
    }
}

/// The fields of a section, and the text in which they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'t> {
    text: &'t [u8],
    chains: &'t [[u8; 4]],
    root: Cover,
}

impl<'t> Fields<'t> {
    /// Takes the text of the table and the chains of a section, as many as a power of two; none where there are none.
    pub(crate) fn new(text: &'t [u8], chains: &'t [[u8; 4]], rest: Treatment, has_lines: bool) -> Option<Self> {
        (!chains.is_empty()).then(|| Self { text, chains, root: Cover::new(Letters::NONE, rest, rest, has_lines) })
    }

    /// Returns what holds for the root of the paths.
    pub(crate) const fn root(&self) -> Cover {
        self.root
    }

    /// Returns what holds for the member `key` of an object for which `cover` holds.
    #[inline]
    pub(crate) fn member(&self, cover: Cover, key: &[u8]) -> Cover {
        if !cover.has_lines() {
            return cover.without_line();
        }
        match self.find(cover, key) {
            Found::Line(cover) => cover,
            // No step of a path has a dot in it, so only a key that was not found can be several steps.
            Found::None if key.contains(&b'.') => self.several(cover, key),
            Found::None => cover.without_line(),
            Found::Broken => nothing(),
        }
    }

    #[inline(always)]
    fn find(&self, cover: Cover, key: &[u8]) -> Found {
        let step = Step::new(key);
        let chain = step.hash(cover.node()) & (self.chains.len() - 1);
        let mut next = self.chains.get(chain).map_or(Letters::NONE, |first| Letters(*first));
        while next != Letters::NONE {
            let node = self.text.get(next.number()..).and_then(<[u8]>::split_first_chunk::<NODE_BYTES>);
            let Some(([p0, p1, p2, p3, n0, n1, n2, n3, l0, l1, l2, l3, own, below, has_lines], rest)) = node else {
                return Found::Broken;
            };
            let length = Letters([*l0, *l1, *l2, *l3]).number();
            if Letters([*p0, *p1, *p2, *p3]) == cover.node() && length == key.len() {
                let Some(name) = rest.get(..length) else { return Found::Broken };
                if step.is(name) {
                    let (Some(own), Some(below)) = (Treatment::from_letter(*own), Treatment::from_letter(*below))
                    else {
                        return Found::Broken;
                    };
                    return Found::Line(Cover::new(next, own, below, *has_lines == b'+'));
                }
            }
            next = Letters([*n0, *n1, *n2, *n3]);
        }
        Found::None
    }

    #[cold]
    fn several(&self, cover: Cover, key: &[u8]) -> Cover {
        key.split(|byte| *byte == b'.').fold(cover, |cover, step| {
            match if cover.has_lines() { self.find(cover, step) } else { Found::None } {
                Found::Line(cover) => cover,
                Found::None => cover.without_line(),
                Found::Broken => nothing(),
            }
        })
    }
}

/// What is found below a node.
enum Found {
    Line(Cover),
    None,
    /// The text ends where it must not.
    Broken,
}

/// One step of a path, and its first and last eight bytes; of fewer than nine all in the first.
#[derive(Clone, Copy)]
pub(crate) struct Step<'s> {
    bytes: &'s [u8],
    ends: (u64, u64),
}

impl<'s> Step<'s> {
    #[inline]
    pub(crate) fn new(bytes: &'s [u8]) -> Self {
        Self { bytes, ends: ends(bytes) }
    }

    /// Returns the hash by which it is found below a node.
    #[inline]
    pub(crate) fn hash(&self, parent: Letters) -> usize {
        let (first, last) = self.ends;
        let mixed =
            (first ^ last.rotate_left(29) ^ (u64::from(parent.word()) << 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The middle bits of the product depend on all bytes; more than 2^24 chains there are never.
        (mixed >> 40) as usize
    }

    /// Returns whether it is this one, which has as many bytes.
    #[inline]
    fn is(&self, other: &[u8]) -> bool {
        // Up to 16 bytes the first and the last eight are all of them.
        self.ends == ends(other) && (other.len() <= 16 || self.bytes == other)
    }
}

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

/// Bytes of a node before its step: parent, next, length, own, below, whether lines are below.
pub(crate) const NODE_BYTES: usize = 15;

/// What holds where nothing can be told.
fn nothing() -> Cover {
    Cover::new(Letters::NONE, Treatment::Remove, Treatment::Remove, false)
}

/// Where the parts of a cover stand in its word, above the node.
const OWN: u32 = 32;
const BELOW: u32 = 40;
const HAS_LINES: u32 = 48;
