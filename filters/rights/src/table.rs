//! The prepared decision table: which types an account gets, and what becomes of each field, found without reading it.
//!
//! Not the rules of the account: the server has merged them, sorted the lines and left out what cannot be
//! named; [`crate::prepare`] has checked the lines and given them an index. Of what the index says only that it stays
//! within the text is not believed: where it does not, nothing is let through.
//!
//! ```text
//! rights/2 <key>                                      64 lower-case hexadecimal digits
//! <types><sections><mark>                             two counts, the mark of every type that is not listed
//! <places of the types, and of the first section>     as many and one more, sorted by name
//! <places of the sections>                            sorted by selector; the first is *
//! <type> <mark>
//! <selector> <chains><t><has lines>                   then the fields of the section
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::sync::OnceLock;

use crate::fields::Fields;
use crate::number::Letters;
use crate::pseudonym::Pseudonyms;
use crate::treatment::Treatment;
use crate::{Error, Verdict, walk};

/// A prepared decision table.
pub struct Table {
    text: String,
    /// The mark of every type that is not listed.
    other_types: Mark,
    /// How many types are listed, and how many sections there are.
    types: usize,
    sections: usize,
    /// Read when a pseudonym is first needed: many tables have none.
    pseudonyms: OnceLock<Pseudonyms>,
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

impl Table {
    /// Takes a table that [`crate::prepare`] has made.
    ///
    /// # Errors
    /// [`Error::Table`] where it begins otherwise.
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let head = text.strip_prefix(FORM).and_then(|_| text.as_bytes().get(HEAD_BYTES..));
        let head = head.ok_or(Error::Table { line: 1, expected: "rights/2 and a key of 64 digits" })?;
        let counts = head.split_first_chunk::<COUNTS_BYTES>().and_then(|(counts, _)| {
            let [t0, t1, t2, t3, s0, s1, s2, s3, mark, b'\n'] = *counts else { return None };
            let (types, sections) = (Letters([t0, t1, t2, t3]).number(), Letters([s0, s1, s2, s3]).number());
            Some((types, sections, Mark::from_byte(mark)?))
        });
        let (types, sections, other_types) =
            counts.ok_or(Error::Table { line: 2, expected: "two counts and a mark" })?;
        Ok(Self { text, other_types, types, sections, pseudonyms: OnceLock::new() })
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
        let places = self.places(TYPES_AT, self.types + 1);
        let (mut low, mut high) = (0, self.types);
        while low < high {
            let middle = low.midpoint(high);
            let [place, next] = places.get(middle..)?.first_chunk::<2>()?.map(|place| Letters(place).number());
            let line = self.text.as_bytes().get(place..next)?;
            let (name, [b' ', mark, b'\n']) = line.split_last_chunk::<3>()? else { return Some(Mark::Withheld) };
            match compare(name, head, tail) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(Mark::from_byte(*mark).unwrap_or(Mark::Withheld)),
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
    /// [`Error::Payload`] where it is not, and [`Error::Table`] where the section that holds for this type is not
    /// where the index says.
    pub fn evaluate(&self, event_type: &str, payload: &str) -> Result<Verdict, Error> {
        match self.mark(event_type) {
            Mark::Wanted => {}
            Mark::Withheld => return Ok(Verdict::Drop("type_withheld")),
            Mark::Unknown => return Ok(Verdict::Drop("type_unknown")),
        }
        let fields = self.section(event_type).and_then(|section| section.fields(self));
        let fields = fields.ok_or(Error::Table { line: 4, expected: "the places of sections" })?;
        Ok(walk::apply(fields, self, payload)?.map_or(Verdict::Pass, Verdict::Rewrite))
    }

    /// Returns the pseudonym of a text.
    pub(crate) fn pseudonym(&self, text: &str) -> String {
        let digits = || self.text.as_bytes().get(FORM.len()..HEAD_BYTES - 1).unwrap_or_default();
        self.pseudonyms.get_or_init(|| Pseudonyms::new(key(digits()))).of(text)
    }

    /// Returns the section of exactly this type, else of its longest prefix, else of all types.
    fn section(&self, event_type: &str) -> Option<Section<'_>> {
        let places = self.places(TYPES_AT + 4 * (self.types + 1) + 1, self.sections);
        let (general, special) = places.split_first()?;
        let named = |head: &[u8], tail: &[u8]| {
            let order = |section: &Section<'_>| compare(section.selector, head, tail);
            let found =
                special.binary_search_by(|place| self.section_at(*place).as_ref().map_or(Ordering::Less, order));
            special.get(found.ok()?)
        };
        let exact = || named(event_type.as_bytes(), b"");
        let of_prefix = || prefixes(event_type).find_map(|prefix| named(prefix, b"*"));
        let special = if special.is_empty() { None } else { exact().or_else(of_prefix) };
        self.section_at(*special.unwrap_or(general))
    }

    fn section_at(&self, place: [u8; 4]) -> Option<Section<'_>> {
        let at = Letters(place).number();
        let line = self.text.as_bytes().get(at..)?;
        let selector_bytes = line.iter().position(|byte| *byte == b' ')?;
        let (selector, head) = line.split_at(selector_bytes);
        Some(Section { selector, head: head.first_chunk()?, fields_at: at + selector_bytes + SECTION_HEAD_BYTES })
    }

    /// Returns the places that stand in the text from `at` on; none where there are fewer.
    fn places(&self, at: usize, count: usize) -> &[[u8; 4]] {
        let places = self.text.as_bytes().get(at..).and_then(|text| text.get(..4 * count));
        places.unwrap_or_default().as_chunks::<4>().0
    }
}

/// The first line of a section.
struct Section<'t> {
    selector: &'t [u8],
    head: &'t [u8; SECTION_HEAD_BYTES],
    /// The place behind the line.
    fields_at: usize,
}

impl<'t> Section<'t> {
    fn fields(&self, table: &'t Table) -> Option<Fields<'t>> {
        let [b' ', c0, c1, c2, c3, rest, has_lines, b'\n'] = *self.head else { return None };
        let chains = table.places(self.fields_at, Letters([c0, c1, c2, c3]).number());
        Fields::new(table.text.as_bytes(), chains, Treatment::from_letter(rest)?, has_lines == b'+')
    }
}

/// Says nothing of the content: it holds a key.
impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Table").field("types", &self.types).finish_non_exhaustive()
    }
}

impl Mark {
    /// Returns the mark that a table writes as this.
    pub(crate) const fn from_byte(mark: u8) -> Option<Self> {
        match mark {
            b'+' => Some(Self::Wanted),
            b'-' => Some(Self::Withheld),
            b'?' => Some(Self::Unknown),
            _ => None,
        }
    }

    /// Returns how a table writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Wanted => "+",
            Self::Withheld => "-",
            Self::Unknown => "?",
        }
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

/// Reads a key; what is no digit counts as nothing, because a prepared table has none such.
fn key(digits: &[u8]) -> [u8; 32] {
    let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    let mut key = [0; 32];
    for (byte, [high, low]) in key.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = digit(*high) << 4 | digit(*low);
    }
    key
}

/// How a prepared table begins: the form, then the key.
pub(crate) const FORM: &str = "rights/2 ";
/// Bytes of the first line.
pub(crate) const HEAD_BYTES: usize = FORM.len() + 64 + 1;
/// Bytes of the second.
const COUNTS_BYTES: usize = 4 + 4 + 1 + 1;
/// Where the third begins.
const TYPES_AT: usize = HEAD_BYTES + COUNTS_BYTES;
/// Bytes of the first line of a section behind its selector.
const SECTION_HEAD_BYTES: usize = 1 + 4 + 1 + 1 + 1;
