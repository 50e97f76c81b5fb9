//! What the values at one path were like.
//!
//! Not the values: of texts only forms, one blanked example and the few words of an enum are kept. Invariant: its
//! size has a bound, however many values are seen.

use std::collections::{BTreeMap, BTreeSet};

use super::blank::{Form, blank, is_enum_word};
use crate::model::Timestamp;
use crate::model::json::{Kind, Value};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    String,
    Instant,
    Integer,
    Number,
    Boolean,
    Object,
}

/// What is known of the values at one path.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// How often which shape stood there by itself.
    pub(super) alone: BTreeMap<Shape, u64>,
    /// How often which shape stood there in a list.
    pub(super) listed: BTreeMap<Shape, u64>,
    /// How often `null` stood there.
    pub(super) nulls: u64,
    /// How often a list without items stood there.
    pub(super) empty_lists: u64,
    /// What the texts looked like.
    pub(super) forms: BTreeSet<Form>,
    /// The first text, blanked.
    pub(super) blanked: Option<String>,
    /// The least and the greatest number.
    pub(super) bounds: Option<(f64, f64)>,
    words: Words,
}

/// The distinct values, as long as they may be those of an enum.
#[derive(Debug, Clone)]
enum Words {
    Few(BTreeMap<String, Word>),
    No,
}

#[derive(Debug, Clone, Copy, Default)]
struct Word {
    events: u64,
    last_event: u64,
}

impl Default for Words {
    fn default() -> Self {
        Self::Few(BTreeMap::new())
    }
}

impl Seen {
    /// Notes an object.
    pub(super) fn object(&mut self, is_listed: bool) {
        self.count(Shape::Object, is_listed);
    }

    /// Notes a list without items.
    pub(super) const fn empty_list(&mut self) {
        self.empty_lists += 1;
    }

    /// Notes a value that is neither an object nor an array.
    pub(super) fn scalar(&mut self, value: &Value, text: &[u8], is_listed: bool, event: u64) {
        match value.kind {
            Kind::Text => {
                let said = value.text(text);
                if Timestamp::parse(&said).is_ok() {
                    self.words = Words::No;
                    self.count(Shape::Instant, is_listed);
                } else {
                    self.string(&said, event);
                    self.count(Shape::String, is_listed);
                }
            }
            Kind::WholeNumber => {
                self.number(value.text(text).parse().ok());
                self.count(Shape::Integer, is_listed);
            }
            Kind::Number => {
                self.number(value.text(text).parse().ok());
                self.count(Shape::Number, is_listed);
            }
            Kind::Boolean => self.count(Shape::Boolean, is_listed),
            Kind::Null => self.nulls += 1,
            Kind::Object | Kind::Array => {}
        }
    }

    fn string(&mut self, said: &str, event: u64) {
        self.forms.extend(Form::of(said));
        if self.blanked.is_none() {
            self.blanked = Some(blank(said));
        }
        let Words::Few(words) = &mut self.words else { return };
        if let Some(word) = words.get_mut(said) {
            word.meet(event);
        } else if is_enum_word(said) && words.len() < WORDS_MAX {
            words.entry(said.to_owned()).or_default().meet(event);
        } else {
            self.words = Words::No;
        }
    }

    fn number(&mut self, number: Option<f64>) {
        if let Some(number) = number {
            let (least, greatest) = self.bounds.unwrap_or((number, number));
            self.bounds = Some((least.min(number), greatest.max(number)));
        }
    }

    fn count(&mut self, shape: Shape, is_listed: bool) {
        *if is_listed { &mut self.listed } else { &mut self.alone }.entry(shape).or_default() += 1;
    }

    /// Returns whether anything but lists, objects and `null` stood there.
    pub(super) fn has_scalars(&self) -> bool {
        self.alone.keys().chain(self.listed.keys()).any(|shape| *shape != Shape::Object)
    }

    /// Returns whether texts stood there, instants included.
    pub(super) fn has_texts(&self) -> bool {
        let is_text = |shape: &Shape| matches!(shape, Shape::String | Shape::Instant);
        self.alone.keys().chain(self.listed.keys()).any(is_text)
    }

    /// Returns the distinct values where all were words and few, each with the number of its events.
    pub(super) fn words(&self) -> Option<impl Iterator<Item = (&str, u64)>> {
        match &self.words {
            Words::Few(words) => Some(words.iter().map(|(text, word)| (text.as_str(), word.events))),
            Words::No => None,
        }
    }
}

impl Word {
    const fn meet(&mut self, event: u64) {
        if self.last_event != event {
            self.events += 1;
            self.last_event = event;
        }
    }
}

/// Distinct values of one field that are kept.
pub(super) const WORDS_MAX: usize = 24;
