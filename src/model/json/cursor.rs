//! The cursor: walks a text once, value by value, and checks everything it passes.
//!
//! Not a parser into values. The caller asks for keys and items one by one where it wants to look, and has
//! everything else checked and passed over. Invariant: what was passed is sound JSON within the limits; at
//! an error the walk ends, except that [`Cursor::give_up_item`] may go on behind a broken item.

use super::error::{Error, Fault, Stop};
use super::keys::Keys;
use super::pointer::{Node, Pointers};
use super::{Kind, Value, number, place, string};
use crate::model::limits::NESTING_MAX;

/// Walks over a text.
#[derive(Debug)]
pub struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
    /// The objects and arrays around the cursor, outermost first.
    open: Vec<Frame>,
    keys: Keys,
    /// Whether the text is a list of lines, each with a value of its own.
    has_lines: bool,
    /// The number of the line in which the outermost value begins, and where that line begins.
    line: usize,
    line_start: usize,
    /// How many of the open arrays hold events, each with limits of its own: 0 or 1.
    event_depth: usize,
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
            at: 0,
            open: Vec::with_capacity(FRAMES_EXPECTED),
            keys: Keys::default(),
            has_lines: false,
            line: 1,
            line_start: 0,
            event_depth: 0,
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
        self.step().map_err(|stop| self.error(stop))
    }

    /// Goes on to the next member of the object that was entered last.
    ///
    /// # Errors
    /// Where neither a sound key nor the object's end comes next.
    pub fn next_key(&mut self) -> Result<Member, Box<Error>> {
        self.step_key().map_err(|stop| self.error(stop))
    }

    /// Goes on to the next item of the array that was entered last.
    ///
    /// # Errors
    /// Where neither another item nor the array's end comes next.
    pub fn next_item(&mut self) -> Result<Item, Box<Error>> {
        self.step_item().map_err(|stop| self.error(stop))
    }

    /// Passes the next value, whatever is in it.
    ///
    /// # Errors
    /// Where the value is not sound.
    pub fn value(&mut self) -> Result<Value, Box<Error>> {
        self.pass().map_err(|stop| self.error(stop))
    }

    /// Passes the next value and tells which values stand at the pointers.
    ///
    /// # Shape
    /// `found` has a place for each slot of `pointers`; what is not there is left as it was. `others` is told
    /// of each member of the value itself, key and value, that no pointer goes through.
    /// # Errors
    /// Where the value is not sound.
    pub fn find(
        &mut self,
        pointers: &Pointers,
        found: &mut [Option<Value>],
        mut others: impl FnMut(Value, Value),
    ) -> Result<Value, Box<Error>> {
        self.find_below(pointers.root(), found, &mut others).map_err(|stop| self.error(stop))
    }

    /// Checks that nothing follows: in the text, or in the line.
    ///
    /// # Errors
    /// Where something does.
    pub fn finish(&mut self) -> Result<(), Box<Error>> {
        match self.blank() {
            None => Ok(()),
            Some(b'\n') if self.has_lines => Ok(()),
            Some(_) => Err(self.error(Stop::new(Fault::ExpectedEnd, self.at))),
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
            Begun::Object | Begun::Scalar(_) => Err(self.error(Stop::new(Fault::ExpectedValue, self.at))),
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

    fn find_below(
        &mut self,
        node: &Node,
        found: &mut [Option<Value>],
        others: &mut dyn FnMut(Value, Value),
    ) -> Result<Value, Stop> {
        let value = match self.step()? {
            Begun::Scalar(value) => value,
            Begun::Object => loop {
                let key = match self.step_key()? {
                    Member::Key(key) => key,
                    Member::End(object) => break object,
                };
                match self.child(node, key) {
                    Some(child) => _ = self.find_below(child, found, &mut |_, _| ())?,
                    None => others(key, self.pass()?),
                }
            },
            Begun::Array if node.is_leaf() => self.pass_rest()?,
            Begun::Array => {
                let mut index = 0;
                loop {
                    match self.step_item()? {
                        Item::End(array) => break array,
                        Item::Next => match node.at(index) {
                            Some(child) => _ = self.find_below(child, found, &mut |_, _| ())?,
                            None => _ = self.pass()?,
                        },
                    }
                    index += 1;
                }
            }
        };
        if let Some(place) = node.slot.and_then(|slot| found.get_mut(slot)) {
            *place = Some(value);
        }
        Ok(value)
    }

    #[inline]
    fn child<'n>(&self, node: &'n Node, key: Value) -> Option<&'n Node> {
        if key.has_escapes {
            return node.named(key.text(self.text).as_bytes());
        }
        node.named(self.text.get(key.start + 1..key.end - 1)?)
    }

    #[inline]
    fn pass(&mut self) -> Result<Value, Stop> {
        match self.step()? {
            Begun::Scalar(value) => Ok(value),
            Begun::Object | Begun::Array => self.pass_rest(),
        }
    }

    /// Passes the rest of the object or array that was entered last.
    fn pass_rest(&mut self) -> Result<Value, Stop> {
        let outside = self.open.len() - 1;
        loop {
            let end = match self.open.last() {
                Some(Frame { kind: Kind::Object, .. }) => match self.step_key()? {
                    Member::Key(_) => None,
                    Member::End(object) => Some(object),
                },
                _ => match self.step_item()? {
                    Item::Next => None,
                    Item::End(array) => Some(array),
                },
            };
            match end {
                Some(value) if self.open.len() == outside => return Ok(value),
                Some(_) => {}
                None => _ = self.step()?,
            }
        }
    }

    /// Begins the value that comes next.
    #[inline]
    pub(super) fn step(&mut self) -> Result<Begun, Stop> {
        let start = match self.blank() {
            Some(b'"') => return self.string().map(Begun::Scalar),
            Some(b'{') => return self.enter(Kind::Object).map(|()| Begun::Object),
            Some(b'[') => return self.enter(Kind::Array).map(|()| Begun::Array),
            _ => self.at,
        };
        let (end, kind) = match self.text.get(start) {
            Some(b'-' | b'0'..=b'9') => number::scan(self.text, start)?,
            Some(b't') => (self.literal(b"true")?, Kind::Boolean),
            Some(b'f') => (self.literal(b"false")?, Kind::Boolean),
            Some(b'n') => (self.literal(b"null")?, Kind::Null),
            _ => return Err(self.no_value()),
        };
        self.at = end;
        Ok(Begun::Scalar(Value { kind, start, end, has_escapes: false }))
    }

    /// Goes on behind a member of an object, or into the object.
    #[inline]
    pub(super) fn step_key(&mut self) -> Result<Member, Stop> {
        let mut next = self.blank();
        let Some(frame) = self.open.last_mut() else { return Err(Stop::new(Fault::ExpectedKey, self.at)) };
        let first_key = frame.first_key;
        let is_first = frame.count == 0;
        frame.count += 1;
        if next == Some(b'}') {
            return self.leave_object().map(Member::End);
        }
        if !is_first {
            if next != Some(b',') {
                return Err(Stop::new(Fault::ExpectedCommaOrBrace, self.at));
            }
            self.at += 1;
            next = self.blank();
        }
        if next != Some(b'"') {
            return Err(Stop::new(Fault::ExpectedKey, self.at));
        }
        let key = self.string()?;
        self.keys.push(self.text, first_key, key)?;
        if self.blank() != Some(b':') {
            return Err(Stop::new(Fault::ExpectedColon, self.at));
        }
        self.at += 1;
        Ok(Member::Key(key))
    }

    /// Goes on behind an item of an array, or into the array.
    #[inline]
    pub(super) fn step_item(&mut self) -> Result<Item, Stop> {
        let next = self.blank();
        let at = self.at;
        let depth = self.open.len();
        let Some(frame) = self.open.last_mut() else { return Err(Stop::new(Fault::ExpectedValue, at)) };
        let is_first = frame.count == 0;
        frame.count += 1;
        if next == Some(b']') {
            let start = frame.start;
            self.open.pop();
            self.at = at + 1;
            return Ok(Item::End(Value { kind: Kind::Array, start, end: self.at, has_escapes: false }));
        }
        if !is_first {
            if next != Some(b',') {
                return Err(Stop::new(Fault::ExpectedCommaOrBracket, at));
            }
            self.at += 1;
        }
        if depth == self.event_depth {
            self.keys.begin_event();
            self.event_start = self.at;
        }
        Ok(Item::Next)
    }

    #[inline]
    fn enter(&mut self, kind: Kind) -> Result<(), Stop> {
        if self.open.len() - self.event_depth >= NESTING_MAX {
            return Err(Stop::new(Fault::Nesting, self.at));
        }
        self.open.push(Frame { kind, start: self.at, first_key: self.keys.len(), count: 0 });
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn leave_object(&mut self) -> Result<Value, Stop> {
        let Some(frame) = self.open.pop() else { return Err(Stop::new(Fault::ExpectedValue, self.at)) };
        self.keys.end_object(self.text, frame.first_key)?;
        self.at += 1;
        Ok(Value { kind: Kind::Object, start: frame.start, end: self.at, has_escapes: false })
    }

    #[inline]
    fn string(&mut self) -> Result<Value, Stop> {
        let start = self.at;
        let extent = string::scan(self.text, start + 1)?;
        self.at = extent.quote + 1;
        Ok(Value { kind: Kind::Text, start, end: self.at, has_escapes: extent.has_escapes })
    }

    #[inline]
    fn literal(&self, word: &[u8]) -> Result<usize, Stop> {
        let end = self.at + word.len();
        if self.text.get(self.at..end) == Some(word) { Ok(end) } else { Err(Stop::new(Fault::ExpectedValue, self.at)) }
    }

    /// Passes white space and returns the byte behind it.
    #[inline]
    fn blank(&mut self) -> Option<u8> {
        match self.text.get(self.at) {
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => self.pass_blanks(),
        }
    }

    #[inline(never)]
    fn pass_blanks(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') if !self.has_lines => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    #[cold]
    fn no_value(&self) -> Stop {
        let has_mark = self.at == self.line_start && self.text.get(self.at..self.at + 3) == Some(b"\xef\xbb\xbf");
        Stop::new(if has_mark { Fault::ByteOrderMark } else { Fault::ExpectedValue }, self.at)
    }

    #[cold]
    fn error(&self, stop: Stop) -> Box<Error> {
        let (line, column) = place::line_and_column(self.text, self.line_start, self.line, stop.at);
        let found = self.text.get(stop.at).copied();
        Box::new(Error { fault: stop.fault, offset: stop.at, line, column, pointer: self.pointer(stop.at), found })
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

const FRAMES_EXPECTED: usize = 8;
