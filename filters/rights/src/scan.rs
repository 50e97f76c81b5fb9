//! The scanner: goes over a payload once, token by token, and checks everything it passes.
//!
//! It builds nothing and knows nothing of tables. What it accepts is RFC 8259 without escaped halves of
//! surrogate pairs, to a depth that is a little above what ingest takes. Keys that stand twice are not looked
//! for: ingest has, and each of them gets the treatment of its own path all the same. Invariant: no text can make
//! it panic, recurse, or look at a byte more than a few times.

use crate::error::Fault;
use crate::string;

/// Goes over a text.
#[derive(Debug)]
pub(crate) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    depth: u32,
}

/// A string as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    /// The place of the quotation mark that begins it.
    pub(crate) start: usize,
    /// The place behind the quotation mark that ends it.
    pub(crate) end: usize,
    /// Whether something in it is escaped.
    pub(crate) has_escapes: bool,
}

impl<'t> Scanner<'t> {
    /// Begins to go over a text.
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text: text.as_bytes(), at: 0, depth: 0 }
    }

    /// Returns the place that was reached.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Returns what stands between the quotation marks of a string.
    pub(crate) fn content(&self, text: Text) -> &'t [u8] {
        self.text.get(text.start + 1..text.end - 1).unwrap_or_default()
    }

    /// Passes white space and returns the byte behind it, which begins something; 0 at the end of the text.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> u8 {
        match self.text.get(self.at) {
            Some(byte) if *byte > b' ' => *byte,
            _ => self.peek_far(),
        }
    }

    #[inline(never)]
    fn peek_far(&mut self) -> u8 {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Enters the object or array that begins here.
    #[inline(always)]
    pub(crate) fn enter(&mut self) -> Result<(), Fault> {
        if self.depth == NESTING_MAX {
            return Err(Fault::Nesting);
        }
        self.at += 1;
        self.depth += 1;
        Ok(())
    }

    /// Goes on to the next member of an object and passes its key. None: the object has ended.
    #[inline(always)]
    pub(crate) fn next_key(&mut self, is_first: bool) -> Result<Option<Text>, Fault> {
        if !self.next(b'}', is_first)? {
            return Ok(None);
        }
        self.key().map(Some)
    }

    /// Goes on to the next item of an array. False: the array has ended.
    #[inline(always)]
    pub(crate) fn next_item(&mut self, is_first: bool) -> Result<bool, Fault> {
        self.next(b']', is_first)
    }

    #[inline(always)]
    fn next(&mut self, end: u8, is_first: bool) -> Result<bool, Fault> {
        let byte = self.peek();
        if byte == end {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if !is_first {
            if byte != b',' {
                return Err(Fault::CommaOrEnd);
            }
            self.at += 1;
        }
        Ok(true)
    }

    /// Passes a key and its colon.
    #[inline(always)]
    fn key(&mut self) -> Result<Text, Fault> {
        if self.peek() != b'"' {
            return Err(Fault::Key);
        }
        let key = self.string()?;
        if self.peek() != b':' {
            return Err(Fault::Colon);
        }
        self.at += 1;
        Ok(key)
    }

    /// Passes the string that begins here.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<Text, Fault> {
        let start = self.at;
        let (end, has_escapes) = string::end(self.text, start + 1)?;
        self.at = end;
        Ok(Text { start, end, has_escapes })
    }

    /// Passes the number, boolean or null that begins here with `first`; not a string.
    #[inline(always)]
    pub(crate) fn word(&mut self, first: u8) -> Result<(), Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += match first {
            b'-' | b'0'..=b'9' => number_length(rest).ok_or(Fault::Number)?,
            b't' if rest.starts_with(b"true") => 4,
            b'f' if rest.starts_with(b"false") => 5,
            b'n' if rest.starts_with(b"null") => 4,
            _ => return Err(Fault::Value),
        };
        Ok(())
    }

    /// Passes the value that comes next, whatever is in it.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        let outside = self.depth;
        // One bit for each level that was entered here, the innermost lowest: whether it is an object.
        let mut objects = 0_u128;
        loop {
            match self.peek() {
                b'"' => _ = self.string()?,
                b'{' => {
                    self.enter()?;
                    if self.next_key(true)?.is_some() {
                        objects = objects << 1 | 1;
                        continue;
                    }
                }
                b'[' => {
                    self.enter()?;
                    if self.next_item(true)? {
                        objects <<= 1;
                        continue;
                    }
                }
                first => self.word(first)?,
            }
            while self.depth != outside {
                let has_next = if objects & 1 == 1 { self.next_key(false)?.is_some() } else { self.next_item(false)? };
                if has_next {
                    break;
                }
                objects >>= 1;
            }
            if self.depth == outside {
                return Ok(());
            }
        }
    }

    /// Checks that nothing follows.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { Err(Fault::End) }
    }
}

/// Returns how many bytes the number takes that `text` begins with.
#[inline]
fn number_length(text: &[u8]) -> Option<usize> {
    let whole = usize::from(text.first() == Some(&b'-'));
    let mut at = digits_end(text, whole)?;
    if at > whole + 1 && text.get(whole) == Some(&b'0') {
        return None;
    }
    if text.get(at) == Some(&b'.') {
        at = digits_end(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = digits_end(text, at + 1 + sign)?;
    }
    Some(at)
}

/// Returns the place behind the digits at `start`; none where there is no digit.
#[inline]
fn digits_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// How deep a payload may be nested. Ingest takes 64 levels, and an event may become the `data` of a payload.
const NESTING_MAX: u32 = 72;
