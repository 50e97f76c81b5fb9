//! The steps of the cursor: the inner loop of every walk.
//!
//! Each step begins where the last one ended and answers in registers; what it passed is in the cursor. The
//! steps are inlined into their few callers, so that a walk over a sound text is two loops and no calls but
//! the ones that push to a full stack.

use super::super::error::{Fault, Stop};
use super::super::{Kind, Value, number, string};
use super::{Cursor, Frame};
use crate::model::limits::NESTING_MAX;

/// The walk has ended; the cursor knows why. Empty, so that the steps answer in registers: written through
/// memory, their answers were half of the time of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Stopped;

impl Cursor<'_> {
    #[inline]
    pub(super) fn pass(&mut self) -> Result<Kind, Stopped> {
        let kind = self.step()?;
        if matches!(kind, Kind::Object | Kind::Array) {
            self.pass_rest()?;
        }
        Ok(kind)
    }

    /// Passes the rest of the object or array that was entered last.
    pub(super) fn pass_rest(&mut self) -> Result<(), Stopped> {
        let outside = self.open.len() - 1;
        loop {
            let is_object = matches!(self.open.last(), Some(Frame { kind: Kind::Object, .. }));
            let has_next = if is_object { self.step_key()? } else { self.step_item()? };
            if has_next {
                self.step()?;
            } else if self.open.len() == outside {
                return Ok(());
            }
        }
    }

    /// Begins the value that comes next, and passes it where it is neither object nor array.
    #[inline(always)]
    pub(in super::super) fn step(&mut self) -> Result<Kind, Stopped> {
        let start = self.blank_end(self.at);
        let first = self.text.get(start).copied().unwrap_or_default();
        match first {
            b'"' => self.string(start).map(|()| Kind::Text),
            b'{' => self.enter(Kind::Object, start),
            b'[' => self.enter(Kind::Array, start),
            b'-' | b'0'..=b'9' => match number::scan(self.text, start) {
                Ok((end, kind)) => Ok(self.pass_to(start, end, kind)),
                Err(stop) => self.stop(stop),
            },
            b't' if self.has_word(start, b"true") => Ok(self.pass_to(start, start + 4, Kind::Boolean)),
            b'f' if self.has_word(start, b"false") => Ok(self.pass_to(start, start + 5, Kind::Boolean)),
            b'n' if self.has_word(start, b"null") => Ok(self.pass_to(start, start + 4, Kind::Null)),
            _ => self.no_value(start),
        }
    }

    /// Goes on behind a member of an object, or into the object. False: the object ends.
    #[inline(always)]
    pub(in super::super) fn step_key(&mut self) -> Result<bool, Stopped> {
        let mut at = self.blank_end(self.at);
        let Some(frame) = self.open.last_mut() else { return self.fail(Fault::ExpectedKey, at) };
        let first_key = frame.first_key;
        let is_first = frame.count == 0;
        frame.count += 1;
        if self.text.get(at) == Some(&b'}') {
            return self.leave_object(at);
        }
        if !is_first {
            if self.text.get(at) != Some(&b',') {
                return self.fail(Fault::ExpectedCommaOrBrace, at);
            }
            at = self.blank_end(at + 1);
        }
        if self.text.get(at) != Some(&b'"') {
            return self.fail(Fault::ExpectedKey, at);
        }
        self.string(at)?;
        let has_escapes = self.last_escape > at;
        let end = self.at;
        self.key_end = end;
        if let Err(stop) = self.keys.push(self.text, first_key, (at + 1, end - 1), has_escapes) {
            return self.stop(stop);
        }
        let colon = self.blank_end(end);
        if self.text.get(colon) != Some(&b':') {
            return self.fail(Fault::ExpectedColon, colon);
        }
        self.at = colon + 1;
        Ok(true)
    }

    /// Goes on behind an item of an array, or into the array. False: the array ends.
    #[inline(always)]
    pub(in super::super) fn step_item(&mut self) -> Result<bool, Stopped> {
        let at = self.blank_end(self.at);
        let depth = self.open.len();
        let Some(frame) = self.open.last_mut() else { return self.fail(Fault::ExpectedValue, at) };
        match self.text.get(at) {
            Some(b']') => {
                let start = frame.start;
                self.open.pop();
                self.pass_to(start, at + 1, Kind::Array);
                return Ok(false);
            }
            _ if frame.count == 0 => self.at = at,
            Some(b',') => self.at = at + 1,
            _ => return self.fail(Fault::ExpectedCommaOrBracket, at),
        }
        frame.count += 1;
        if depth == self.event_depth {
            self.keys.begin_event();
            self.event_start = self.at;
        }
        Ok(true)
    }

    #[inline(always)]
    fn enter(&mut self, kind: Kind, start: usize) -> Result<Kind, Stopped> {
        if self.open.len().saturating_sub(self.event_depth) >= NESTING_MAX {
            return self.fail(Fault::Nesting, start);
        }
        self.open.push(Frame { kind, start, first_key: self.keys.len(), count: 0 });
        self.at = start + 1;
        Ok(kind)
    }

    #[inline(always)]
    fn leave_object(&mut self, at: usize) -> Result<bool, Stopped> {
        let Some(frame) = self.open.pop() else { return self.fail(Fault::ExpectedValue, at) };
        if let Err(stop) = self.keys.end_object(self.text, frame.first_key) {
            return self.stop(stop);
        }
        self.pass_to(frame.start, at + 1, Kind::Object);
        Ok(false)
    }

    #[inline(always)]
    fn string(&mut self, start: usize) -> Result<(), Stopped> {
        // Also where the string is broken: a fault is looked for where it begins.
        self.start = start;
        match string::scan(self.text, start + 1, &mut self.last_escape) {
            Ok(quote) => {
                self.pass_to(start, quote + 1, Kind::Text);
                Ok(())
            }
            Err(stop) => self.stop(stop),
        }
    }

    #[inline(always)]
    const fn pass_to(&mut self, start: usize, end: usize, kind: Kind) -> Kind {
        self.start = start;
        self.at = end;
        kind
    }

    fn has_word(&self, start: usize, word: &[u8]) -> bool {
        self.text.get(start..start + word.len()) == Some(word)
    }

    /// Returns the place behind the value that was passed last.
    pub(in super::super) const fn value_end(&self) -> usize {
        self.at
    }

    /// Returns the rule that is broken where the walk has ended.
    pub(in super::super) const fn fault(&self) -> Fault {
        self.stop.fault
    }

    /// Returns the value that was passed last.
    #[inline(always)]
    pub(super) const fn passed(&self, kind: Kind) -> Value {
        let has_escapes = matches!(kind, Kind::Text) && self.last_escape > self.start;
        Value { kind, start: self.start, end: self.at, has_escapes }
    }

    /// Returns the key that was passed last.
    #[inline(always)]
    pub(in super::super) const fn passed_key(&self) -> Value {
        let has_escapes = self.last_escape > self.start;
        Value { kind: Kind::Text, start: self.start, end: self.key_end, has_escapes }
    }

    /// Returns the place behind the white space at `at`, which mostly is none.
    #[inline(always)]
    pub(super) fn blank_end(&self, at: usize) -> usize {
        match self.text.get(at) {
            Some(byte) if *byte > b' ' => at,
            _ => self.long_blank_end(at),
        }
    }

    #[inline(never)]
    fn long_blank_end(&self, mut at: usize) -> usize {
        loop {
            match self.text.get(at) {
                Some(b' ' | b'\t' | b'\r') => at += 1,
                Some(b'\n') if !self.has_lines => at += 1,
                _ => return at,
            }
        }
    }

    #[cold]
    fn no_value(&mut self, at: usize) -> Result<Kind, Stopped> {
        let has_mark = at == self.line_start && self.text.get(at..at + 3) == Some(b"\xef\xbb\xbf");
        self.fail(if has_mark { Fault::ByteOrderMark } else { Fault::ExpectedValue }, at)
    }

    #[cold]
    fn fail<T>(&mut self, fault: Fault, at: usize) -> Result<T, Stopped> {
        self.stop(Stop::new(fault, at))
    }

    #[cold]
    pub(super) fn stop<T>(&mut self, stop: Stop) -> Result<T, Stopped> {
        self.stop = stop;
        Err(Stopped)
    }
}
