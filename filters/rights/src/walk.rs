//! The walk: goes over a payload once and takes out what the table does not let through.
//!
//! What no line is below and one treatment holds for is passed as a whole. It recurses by the depth of the payload,
//! which the scanner bounds. Whether anything is left of an object is known only at its end; then the output
//! goes back to where the object began, and the object is taken out.

use std::borrow::Cow;

use crate::error::Fault;
use crate::fields::{Cover, Fields};
use crate::output::Output;
use crate::scan::{Scanner, Text};
use crate::treatment::Treatment;
use crate::{Error, Table, mask, string};

/// Applies a table to a payload. None: nothing changes.
///
/// # Errors
/// [`Error::Payload`] where the text is not a payload.
pub(crate) fn apply(fields: Fields<'_>, table: &Table, payload: &str) -> Result<Option<String>, Error> {
    let (scanner, output) = (Scanner::new(payload), Output::new(payload));
    let mut walk = Walk { payload, fields, table, scanner, output };
    match walk.payload() {
        Ok(()) => Ok(walk.output.finish()),
        Err(fault) => Err(Error::Payload { at: walk.scanner.at(), fault }),
    }
}

struct Walk<'t> {
    payload: &'t str,
    fields: Fields<'t>,
    /// Makes the pseudonyms.
    table: &'t Table,
    scanner: Scanner<'t>,
    output: Output<'t>,
}

// Below, a function that passes a value returns whether anything is left of it.
impl Walk<'_> {
    fn payload(&mut self) -> Result<(), Fault> {
        if self.scanner.peek() != b'{' {
            return Err(Fault::Object);
        }
        let root = self.fields.root();
        let (mut has_actor, mut has_data) = (false, false);
        self.members(|walk, key| match &*walk.said(key) {
            "actor" if !has_actor => {
                has_actor = true;
                walk.value(walk.fields.member(root, b"actor"))
            }
            "data" if !has_data => {
                has_data = true;
                walk.data(root)
            }
            _ => Err(Fault::Member),
        })?;
        self.scanner.finish()?;
        if has_data { Ok(()) } else { Err(Fault::Member) }
    }

    /// Passes the data, of which an empty object stays at least.
    fn data(&mut self, root: Cover) -> Result<bool, Fault> {
        if self.scanner.peek() != b'{' {
            return Err(Fault::Object);
        }
        let (start, mark) = (self.scanner.at(), self.output.mark());
        if !self.value(root)? {
            let end = self.scanner.at();
            self.output.rewind(mark);
            let content = self.payload.as_bytes().get(start + 1..end - 1).unwrap_or_default();
            if !content.trim_ascii().is_empty() {
                self.output.replace(start, end, "{}");
            }
        }
        Ok(true)
    }

    fn value(&mut self, cover: Cover) -> Result<bool, Fault> {
        match self.scanner.peek() {
            b'{' if !cover.has_lines() && cover.below() == Treatment::Keep => self.scanner.skip().map(|()| true),
            b'{' if !cover.has_lines() && cover.below() == Treatment::Remove => self.scanner.skip().map(|()| false),
            b'{' => self.members(|walk, key| walk.value(walk.member(cover, key))),
            b'[' if is_whole(cover, Treatment::Keep) => self.scanner.skip().map(|()| true),
            b'[' if is_whole(cover, Treatment::Remove) => self.scanner.skip().map(|()| false),
            b'[' => self.items(cover),
            b'"' => {
                let text = self.scanner.string()?;
                Ok(self.text(text, cover.own()))
            }
            first => {
                let start = self.scanner.at();
                self.scanner.word(first)?;
                Ok(self.word(start, first, cover.own()))
            }
        }
    }

    /// Passes an object whose members `member` passes.
    #[inline]
    fn members(&mut self, mut member: impl FnMut(&mut Self, Text) -> Result<bool, Fault>) -> Result<bool, Fault> {
        self.scanner.enter()?;
        let mut is_left = false;
        // Behind the brace, then behind each member: from here on the next one is taken out, comma and all.
        let begin = self.scanner.at();
        let mut last_end = begin;
        while let Some(key) = self.scanner.next_key(last_end == begin)? {
            let mark = self.output.mark();
            if !is_left && last_end != begin {
                self.output.cut(last_end, key.start);
            }
            let is_member_left = member(self, key)?;
            let end = self.scanner.at();
            if !is_member_left {
                self.output.rewind(mark);
                self.output.cut(last_end, end);
            }
            is_left |= is_member_left;
            last_end = end;
        }
        Ok(is_left)
    }

    /// Passes an array, whose items stand at the path of the array itself.
    fn items(&mut self, cover: Cover) -> Result<bool, Fault> {
        self.scanner.enter()?;
        let mut is_left = false;
        let begin = self.scanner.at();
        let mut last_end = begin;
        while self.scanner.next_item(last_end == begin)? {
            let mark = self.output.mark();
            if !is_left && last_end != begin {
                // What stands here is peeked at, and so the white space before it is passed.
                self.scanner.peek();
                self.output.cut(last_end, self.scanner.at());
            }
            let is_item_left = self.value(cover)?;
            let end = self.scanner.at();
            if !is_item_left {
                self.output.rewind(mark);
                self.output.cut(last_end, end);
            }
            is_left |= is_item_left;
            last_end = end;
        }
        // An array that was empty before says no more than a scalar at its place would.
        Ok(is_left || (last_end == begin && cover.own() == Treatment::Keep))
    }

    fn member(&self, cover: Cover, key: Text) -> Cover {
        if key.has_escapes {
            return self.fields.member(cover, self.said(key).as_bytes());
        }
        self.fields.member(cover, self.scanner.content(key))
    }

    fn text(&mut self, text: Text, treatment: Treatment) -> bool {
        match treatment {
            Treatment::Keep => true,
            Treatment::Remove => false,
            Treatment::Mask => {
                let masked = mask::mask(&self.said(text));
                let mut written = String::with_capacity(masked.len() + 2);
                written.push('"');
                string::escape_into(&masked, &mut written);
                written.push('"');
                if self.payload.get(text.start..text.end) != Some(&written) {
                    self.output.replace(text.start, text.end, &written);
                }
                true
            }
            Treatment::Pseudonymize => {
                let pseudonym = self.table.pseudonym(&self.said(text));
                self.output.replace(text.start + 1, text.end - 1, &pseudonym);
                true
            }
        }
    }

    fn word(&mut self, start: usize, first: u8, treatment: Treatment) -> bool {
        match treatment {
            Treatment::Keep => true,
            Treatment::Pseudonymize if !first.is_ascii_lowercase() => {
                let end = self.scanner.at();
                let number = self.payload.get(start..end).unwrap_or_default();
                let pseudonym = self.table.pseudonym(number);
                self.output.replace(start, end, &["\"", &pseudonym, "\""].concat());
                true
            }
            Treatment::Mask | Treatment::Pseudonymize | Treatment::Remove => false,
        }
    }

    /// Returns what a string says.
    fn said(&self, text: Text) -> Cow<'_, str> {
        string::unescape(self.payload.get(text.start + 1..text.end - 1).unwrap_or_default(), text.has_escapes)
    }
}

/// Returns whether all that stands in an array here gets the same treatment.
fn is_whole(cover: Cover, treatment: Treatment) -> bool {
    !cover.has_lines() && cover.own() == treatment && cover.below() == treatment
}
