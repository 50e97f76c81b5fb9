//! The cursor: walks a text once, value by value, and checks everything it passes.
//!
//! Not a parser into values. The caller asks for keys and items one by one where it wants to look, and has
//! everything else checked and passed over. Invariant: what was passed is sound JSON within the limits; at
//! an error the walk ends, except that [`Cursor::give_up_item`] may go on behind a broken item.

mod step;

use super::error::{Error, Fault, Stop};
use super::keys::Keys;
use super::place::{self, Mark};
use super::pointer::{Node, Pointers};
use super::{Kind, Value};
use step::Stopped;

/// Walks over a text.
#[derive(Debug)]
pub struct Cursor<'t> {
    text: &'t [u8],
    /// Where the key or value begins that was passed last.
    start: usize,
    /// The place of the escape that was passed last.
    last_escape: usize,
    /// Where the walk has got to: behind a value that was passed, or behind the colon of a key.
    at: usize,
    /// How many of the open arrays hold events, each with limits of its own: 0 or 1.
    event_depth: usize,
    /// Where the key ends that was passed last. (Places that are read together do not stand together: two words
    /// written one by one and then read as one would have to wait for memory.)
    key_end: usize,
    /// Why the walk ended, where it did.
    stop: Stop,
    /// The objects and arrays around the cursor, outermost first.
    open: Vec<Frame>,
    keys: Keys,
    /// Whether the text is a list of lines, each with a value of its own.
    has_lines: bool,
    /// The number of the line in which the outermost value begins, and where that line begins.
    line: usize,
    line_start: usize,
    /// The place of the last error.
    mark: Mark,
    /// Where the event of such an array begins.
    event_start: usize,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    kind: Kind,
    start: usize,
    /// Where the object's keys begin among all keys.
    first_key: usize,
    /// How many members or items were begun.
    count: usize,
}

/// What a value turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// An object; its keys come next.
    Object,
    /// An array; its items come next.
    Array,
    /// Anything else, already passed.
    Scalar(Value),
}

/// What comes next in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// A key; its value comes next.
    Key(Value),
    /// The end of the object.
    End(Value),
}

/// What comes next in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Another item.
    Next,
    /// The end of the array.
    End(Value),
}

impl<'t> Cursor<'t> {
    /// Begins to walk over a text that holds one value.
    #[must_use]
    pub fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            start: 0,
            last_escape: 0,
            at: 0,
            event_depth: 0,
            key_end: 0,
            stop: Stop::new(Fault::ExpectedValue, 0),
            open: Vec::with_capacity(FRAMES_EXPECTED),
            keys: Keys::new(),
            has_lines: false,
            line: 1,
            line_start: 0,
            mark: Mark { at: 0, line: 1, column: 1 },
            event_start: 0,
        }
    }

    /// Begins to walk over a text that holds a value in each line; [`Cursor::next_line`] comes first.
    #[must_use]
    pub fn of_lines(text: &'t [u8]) -> Self {
        Self { has_lines: true, line: 0, ..Self::new(text) }
    }

    /// Returns the text.
    #[must_use]
    pub const fn text(&self) -> &'t [u8] {
        self.text
    }

    /// Returns the place of the next value, or of what stands where one should.
    #[must_use]
    pub fn place(&mut self) -> usize {
        self.blank();
        self.at
    }

    /// Returns whether the next value is an array.
    #[must_use]
    pub fn is_array(&mut self) -> bool {
        self.blank() == Some(b'[')
    }

    /// Begins a value: an object or an array is entered, anything else passed.
    ///
    /// # Errors
    /// Where no sound value begins here.
    pub fn begin(&mut self) -> Result<Begun, Box<Error>> {
        match self.step() {
            Ok(Kind::Object) => Ok(Begun::Object),
            Ok(Kind::Array) => Ok(Begun::Array),
            Ok(kind) => Ok(Begun::Scalar(self.passed(kind))),
            Err(Stopped) => Err(self.error()),
        }
    }

    /// Goes on to the next member of the object that was entered last.
    ///
    /// # Errors
    /// Where neither a sound key nor the object's end comes next.
    pub fn next_key(&mut self) -> Result<Member, Box<Error>> {
        match self.step_key() {
            Ok(true) => Ok(Member::Key(self.passed_key())),
            Ok(false) => Ok(Member::End(self.passed(Kind::Object))),
            Err(Stopped) => Err(self.error()),
        }
    }

    /// Goes on to the next item of the array that was entered last.
    ///
    /// # Errors
    /// Where neither another item nor the array's end comes next.
    pub fn next_item(&mut self) -> Result<Item, Box<Error>> {
        match self.step_item() {
            Ok(true) => Ok(Item::Next),
            Ok(false) => Ok(Item::End(self.passed(Kind::Array))),
            Err(Stopped) => Err(self.error()),
        }
    }

    /// Passes the next value, whatever is in it.
    ///
    /// # Errors
    /// Where the value is not sound.
    pub fn value(&mut self) -> Result<Value, Box<Error>> {
        match self.pass() {
            Ok(kind) => Ok(self.passed(kind)),
            Err(Stopped) => Err(self.error()),
        }
    }

    /// Passes the next value and tells which values stand at the pointers.
    ///
    /// # Shape
    /// `found` has a place for each slot of `pointers`; what is not there is left as it was. `members` is told
    /// of each member of the value itself: its key, its value, and whether a pointer names it.
    /// # Errors
    /// Where the value is not sound.
    pub fn find(
        &mut self,
        pointers: &Pointers,
        found: &mut [Option<Value>],
        mut members: impl FnMut(Value, Value, bool),
    ) -> Result<Value, Box<Error>> {
        match self.find_below(pointers.root(), found, &mut members) {
            Ok(kind) => Ok(self.passed(kind)),
            Err(Stopped) => Err(self.error()),
        }
    }

    /// Checks that nothing follows: in the text, or in the line.
    ///
    /// # Errors
    /// Where something does.
    pub fn finish(&mut self) -> Result<(), Box<Error>> {
        match self.blank() {
            None => Ok(()),
            Some(b'\n') if self.has_lines => Ok(()),
            Some(_) => Err(self.refused(Fault::ExpectedEnd)),
        }
    }

    /// Enters the outermost array as a list of events: each item has limits of its own.
    ///
    /// # Errors
    /// Where no array begins here.
    pub fn begin_events(&mut self) -> Result<(), Box<Error>> {
        match self.begin()? {
            Begun::Array => {
                self.event_depth = 1;
                Ok(())
            }
            Begun::Object | Begun::Scalar(_) => Err(self.refused(Fault::ExpectedValue)),
        }
    }

    /// Goes on to the next line that is not blank and returns its number, or none behind the last.
    pub fn next_line(&mut self) -> Option<usize> {
        self.open.clear();
        self.keys.clear();
        loop {
            if self.line == 0 || self.blank() == Some(b'\n') {
                self.at += usize::from(self.line > 0);
                self.line += 1;
                self.line_start = self.at;
                continue;
            }
            return self.blank().map(|_| self.line);
        }
    }

    /// Leaves the line behind, whatever is in it.
    pub fn give_up_line(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// Leaves behind the item of [`Cursor::begin_events`] that began at `start`, unchecked.
    ///
    /// For an item that breaks a limit only: strings and brackets are enough to tell where it ends.
    /// Returns the place behind it, or none where the text ends before the item does.
    pub fn give_up_item(&mut self, start: usize) -> Option<usize> {
        let end = place::balanced_end(self.text, start)?;
        self.open.truncate(self.event_depth);
        self.keys.truncate(0);
        self.at = end;
        Some(end)
    }

    /// Recurses by the depth of the pointers, never by that of the text.
    fn find_below<F: FnMut(Value, Value, bool)>(
        &mut self,
        node: &Node,
        found: &mut [Option<Value>],
        members: &mut F,
    ) -> Result<Kind, Stopped> {
        let kind = self.step()?;
        match kind {
            Kind::Object => {
                while self.step_key()? {
                    let key = self.passed_key();
                    let child = self.child(node, key);
                    let kind = match child {
                        Some(child) => self.find_below(child, found, &mut ignore)?,
                        None => self.pass()?,
                    };
                    members(key, self.passed(kind), child.is_some_and(|child| child.slot.is_some()));
                }
            }
            Kind::Array if node.is_leaf() => self.pass_rest()?,
            Kind::Array => {
                let mut index = 0;
                while self.step_item()? {
                    match node.at(index) {
                        Some(child) => self.find_below(child, found, &mut ignore)?,
                        None => self.pass()?,
                    };
                    index += 1;
                }
            }
            Kind::Text | Kind::WholeNumber | Kind::Number | Kind::Boolean | Kind::Null => {}
        }
        if let Some(place) = node.slot.and_then(|slot| found.get_mut(slot)) {
            *place = Some(self.passed(kind));
        }
        Ok(kind)
    }

    #[inline]
    fn child<'n>(&self, node: &'n Node, key: Value) -> Option<&'n Node> {
        if key.has_escapes {
            return node.named(key.text(self.text).as_bytes());
        }
        node.named(self.text.get(key.start + 1..key.end - 1)?)
    }

    /// Passes white space and returns the byte behind it.
    fn blank(&mut self) -> Option<u8> {
        self.at = self.blank_end(self.at);
        self.text.get(self.at).copied()
    }

    #[cold]
    fn refused(&mut self, fault: Fault) -> Box<Error> {
        self.stop = Stop::new(fault, self.at);
        self.error()
    }

    /// Returns why the walk ended.
    #[cold]
    fn error(&mut self) -> Box<Error> {
        let Stop { fault, at } = self.stop;
        if self.mark.at < self.line_start || self.mark.at > at {
            self.mark = Mark { at: self.line_start, line: self.line, column: 1 };
        }
        self.mark = self.mark.on_to(self.text, at);
        let Mark { line, column, .. } = self.mark;
        Box::new(Error {
            fault,
            offset: at,
            line,
            column,
            pointer: self.pointer(at),
            found: self.text.get(at).copied(),
        })
    }

    /// Returns the pointer of the place `at`, by walking the outermost value, or the event, once more.
    fn pointer(&self, at: usize) -> String {
        let mut again = Self { has_lines: self.has_lines, at: self.line_start, ..Self::new(self.text) };
        match self.open.first() {
            Some(events) if self.event_depth > 0 && events.count > 0 => {
                again.at = self.event_start;
                place::pointer(again, at, Some(events.count - 1))
            }
            _ => place::pointer(again, at, None),
        }
    }
}

const fn ignore(_: Value, _: Value, _: bool) {}

const FRAMES_EXPECTED: usize = 8;
