//! The decision table, form 1: which types an account gets, and what becomes of each field.
//!
//! Not the rules of the account: the server has merged them, sorted the lines and left out what cannot be
//! named. Reading it finds the lines and checks the form of each; which fields a section covers is indexed
//! when an event first needs that section, because one batch needs few of them.
//!
//! ```text
//! rights/1 <key>                  64 lower-case hexadecimal digits
//! types <count> <mark>            the mark of every type that is not listed
//! <type> <mark>                   sorted; a type or a prefix such as call.*
//! fields <selector> <count> <t>   the first selector is *, the others are sorted
//! <path> <own><below>             sorted
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use crate::fields::{Fields, Tree};
use crate::pseudonym::Pseudonyms;
use crate::treatment::Treatment;
use crate::{Error, Verdict, walk};

/// A checked decision table.
pub struct Table {
    lines: Lines,
    pseudonyms: Pseudonyms,
    /// The lines that list types.
    types: Range<usize>,
    /// The mark of every other type.
    other_types: Mark,
    /// The section of all types, then the others, sorted by selector.
    general: Section,
    special: Vec<Section>,
}

/// Whether an account gets the events of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It does.
    Wanted,
    /// It does not.
    Withheld,
    /// It does not, because the catalogue does not know the type.
    Unknown,
}

/// The fields of the types that a selector names.
struct Section {
    selector: Range<usize>,
    lines: Range<usize>,
    /// The treatment of what no line covers.
    rest: Treatment,
    tree: OnceLock<Result<Tree, Error>>,
}

impl Table {
    /// Checks a table and keeps it.
    ///
    /// # Errors
    /// [`Error::Table`] where a line has not the form that the counts before it ask for.
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let lines = Lines::find(text.into())?;
        let key = lines.get(0)?.strip_prefix(b"rights/1 ").and_then(key);
        let key = key.ok_or_else(|| error(0, "rights/1 and a key of 64 digits"))?;
        let (types, other_types) = types(&lines)?;
        let general = section(&lines, types.end)?;
        if lines.bytes(&general.selector) != b"*" {
            return Err(error(types.end, "the section *"));
        }
        let mut special: Vec<Section> = Vec::new();
        let mut next = general.lines.end;
        while next < lines.count() {
            let section = section(&lines, next)?;
            let last = special.last().map(|last| lines.bytes(&last.selector));
            if last.is_some_and(|last| last >= lines.bytes(&section.selector)) {
                return Err(error(next, "a later selector"));
            }
            next = section.lines.end;
            special.push(section);
        }
        Ok(Self { lines, pseudonyms: Pseudonyms::new(key), types, other_types, general, special })
    }

    /// Returns whether the account gets events of this type: as its line says, else that of its longest prefix.
    #[must_use]
    pub fn mark(&self, event_type: &str) -> Mark {
        if let Some(mark) = self.listed(event_type.as_bytes(), b"") {
            return mark;
        }
        let listed = prefixes(event_type).find_map(|prefix| self.listed(prefix, b"*"));
        listed.unwrap_or(self.other_types)
    }

    /// Returns the mark in the line whose name is `head` and `tail` in one.
    fn listed(&self, head: &[u8], tail: &[u8]) -> Option<Mark> {
        let (mut low, mut high) = (self.types.start, self.types.end);
        while low < high {
            let middle = low.midpoint(high);
            let (name, mark) = self.lines.bytes(&self.lines.range(middle)).split_last_chunk::<2>()?;
            match compare(name, head, tail) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return mark_of(*mark),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Decides about one event.
    ///
    /// # Shape
    /// `payload` is `{"actor": …, "data": {…}}` as the contract of filters has it, and so is a rewritten one.
    /// # Errors
    /// [`Error::Payload`] where it is not, and [`Error::Table`] where the lines of the section that holds for
    /// this type are out of order.
    pub fn evaluate(&self, event_type: &str, payload: &str) -> Result<Verdict, Error> {
        match self.mark(event_type) {
            Mark::Wanted => {}
            Mark::Withheld => return Ok(Verdict::Drop("type_withheld")),
            Mark::Unknown => return Ok(Verdict::Drop("type_unknown")),
        }
        let section = self.section(event_type);
        let tree = section.tree.get_or_init(|| self.index(section)).as_ref().map_err(|error| *error)?;
        let fields = Fields::new(self.lines.text.as_bytes(), tree);
        Ok(walk::apply(fields, &self.pseudonyms, payload)?.map_or(Verdict::Pass, Verdict::Rewrite))
    }

    /// Returns the section of exactly this type, else of its longest prefix, else of all types.
    fn section(&self, event_type: &str) -> &Section {
        if let Some(exact) = self.named(event_type.as_bytes(), b"") {
            return exact;
        }
        let of_prefix = prefixes(event_type).find_map(|prefix| self.named(prefix, b"*"));
        of_prefix.unwrap_or(&self.general)
    }

    /// Returns the special section whose selector is `head` and `tail` in one.
    fn named(&self, head: &[u8], tail: &[u8]) -> Option<&Section> {
        let selector = |section: &Section| self.lines.bytes(&section.selector);
        let found = self.special.binary_search_by(|section| compare(selector(section), head, tail));
        found.ok().and_then(|at| self.special.get(at))
    }

    fn index(&self, section: &Section) -> Result<Tree, Error> {
        let mut tree = Tree::new(section.rest, section.lines.len());
        for line in section.lines.clone() {
            let range = self.lines.range(line);
            let treatments = self.lines.bytes(&range).split_last_chunk::<3>().and_then(|(_, end)| treatments_of(*end));
            let (own, below) = treatments.ok_or_else(|| error(line, FIELD))?;
            if !tree.add(self.lines.text.as_bytes(), range.start..range.end - 3, own, below) {
                return Err(error(line, "a later path"));
            }
        }
        Ok(tree)
    }
}

/// Says nothing of the content: it holds a key.
impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Table").field("lines", &self.lines.count()).finish_non_exhaustive()
    }
}

/// A text and where its lines begin.
struct Lines {
    text: String,
    /// One more than there are lines: the last is where the text ends.
    starts: Vec<usize>,
}

impl Lines {
    fn find(text: String) -> Result<Self, Error> {
        let mut starts = Vec::with_capacity(text.len() / LINE_BYTES_EXPECTED + 8);
        starts.push(0);
        let mut words = text.as_bytes().chunks_exact(8);
        let mut at = 0;
        for word in words.by_ref() {
            let word = word.first_chunk::<8>().map_or(0, |word| u64::from_le_bytes(*word));
            let mut ends = line_ends(word);
            while ends != 0 {
                starts.push(at + (ends.trailing_zeros() / 8) as usize + 1);
                ends &= ends - 1;
            }
            at += 8;
        }
        let rest = words.remainder().iter().zip(at + 1..);
        starts.extend(rest.filter(|(byte, _)| **byte == b'\n').map(|(_, start)| start));
        let lines = Self { text, starts };
        // Offsets in the index of a section have 32 bits.
        let has_end = lines.starts.last() == Some(&lines.text.len()) && u32::try_from(lines.text.len()).is_ok();
        if has_end { Ok(lines) } else { Err(error(lines.count(), "the end of a line")) }
    }

    fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns where a line stands, without its end; of a line that is not there, nowhere.
    fn range(&self, line: usize) -> Range<usize> {
        match self.starts.get(line..).and_then(<[usize]>::first_chunk::<2>) {
            Some([start, next]) => *start..*next - 1,
            None => 0..0,
        }
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.text.as_bytes().get(range.clone()).unwrap_or_default()
    }

    fn get(&self, line: usize) -> Result<&[u8], Error> {
        if line < self.count() { Ok(self.bytes(&self.range(line))) } else { Err(error(line, "another line")) }
    }
}

/// Returns the prefixes of a name that end with a dot, the longest first.
fn prefixes(name: &str) -> impl Iterator<Item = &[u8]> {
    name.rmatch_indices('.').filter_map(|(dot, _)| name.as_bytes().get(..=dot))
}

/// Compares a name with `head` and `tail` in one.
fn compare(name: &[u8], head: &[u8], tail: &[u8]) -> Ordering {
    let (first, last) = name.split_at(name.len().min(head.len()));
    first.cmp(head).then_with(|| last.cmp(tail))
}

fn types(lines: &Lines) -> Result<(Range<usize>, Mark), Error> {
    let heading = lines.get(1)?.strip_prefix(b"types").and_then(<[u8]>::split_last_chunk::<2>);
    let heading = heading.and_then(|(count, mark)| Some((number(count.strip_prefix(b" ")?)?, mark_of(*mark)?)));
    let (count, other_types) = heading.ok_or_else(|| error(1, "types, a count and a mark"))?;
    let mut last: Option<&[u8]> = None;
    for line in 2..2 + count {
        let listed = lines.get(line)?.split_last_chunk::<2>().filter(|(_, mark)| mark_of(**mark).is_some());
        let (listed, _) = listed.ok_or_else(|| error(line, "a type and a mark"))?;
        if last.is_some_and(|last| last >= listed) {
            return Err(error(line, "a later type"));
        }
        last = Some(listed);
    }
    Ok((2..2 + count, other_types))
}

/// Reads the section whose heading is this line.
fn section(lines: &Lines, heading: usize) -> Result<Section, Error> {
    let expected = || error(heading, "fields, a selector, a count and a treatment");
    let mut words = lines.get(heading)?.split(|byte| *byte == b' ');
    let words = [words.next(), words.next(), words.next(), words.next(), words.next()];
    let [Some(b"fields"), Some(selector), Some(count), Some([rest]), None] = words else { return Err(expected()) };
    let count = number(count).ok_or_else(expected)?;
    let rest = Treatment::from_letter(*rest).ok_or_else(expected)?;
    let first = heading + 1;
    for line in first..first + count {
        if lines.get(line)?.last_chunk::<3>().and_then(|end| treatments_of(*end)).is_none() {
            return Err(error(line, FIELD));
        }
    }
    let start = lines.range(heading).start + "fields ".len();
    let selector = start..start + selector.len();
    Ok(Section { selector, lines: first..first + count, rest, tree: OnceLock::new() })
}

/// Reads the space and the two letters that end a field's line.
fn treatments_of(end: [u8; 3]) -> Option<(Treatment, Treatment)> {
    let [b' ', own, below] = end else { return None };
    Some((Treatment::from_letter(own)?, Treatment::from_letter(below)?))
}

/// Reads the space and the mark that end a type's line.
const fn mark_of(end: [u8; 2]) -> Option<Mark> {
    match end {
        [b' ', b'+'] => Some(Mark::Wanted),
        [b' ', b'-'] => Some(Mark::Withheld),
        [b' ', b'?'] => Some(Mark::Unknown),
        _ => None,
    }
}

/// Reads a count. A million lines are more than any table has, and too few to overflow.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0')))
}

fn key(digits: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in key.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(key)
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

/// Sets the highest bit of each byte that is a line feed, and no other bit.
const fn line_ends(word: u64) -> u64 {
    let others = word ^ (0x0101_0101_0101_0101 * b'\n' as u64);
    // No carry leaves a byte, so unlike the subtraction in `string` this marks no byte wrongly.
    let low = (others & LOWS).wrapping_add(LOWS);
    !(low | others | LOWS)
}

#[cold]
const fn error(line: usize, expected: &'static str) -> Error {
    Error::Table { line: line + 1, expected }
}

const LOWS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const LINE_BYTES_EXPECTED: usize = 24;
const FIELD: &str = "a path and two treatments";
