//! The answer: the text of the payload without what was taken out, copied run by run.
//!
//! Nothing is written until something is taken out. Up to `copied` the text has been dealt with; behind it, it
//! stands for itself until the next cut. A mark brings back an earlier state, for what turns out to be empty.

/// What becomes of a text.
#[derive(Debug)]
pub(crate) struct Output<'t> {
    text: &'t str,
    written: String,
    copied: usize,
}

/// A state to which an output can go back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    written_bytes: usize,
    copied: usize,
}

impl<'t> Output<'t> {
    /// Begins with a text from which nothing is taken out.
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, written: String::new(), copied: 0 }
    }

    /// Takes a piece of the text out. It begins where the last ended, or later.
    #[inline]
    pub(crate) fn cut(&mut self, start: usize, end: usize) {
        if start > self.copied {
            self.copy(start);
        }
        self.copied = end;
    }

    /// Puts something else in the place of a piece of the text.
    pub(crate) fn replace(&mut self, start: usize, end: usize, text: &str) {
        self.cut(start, end);
        self.written.push_str(text);
    }

    /// Returns the state as it is now.
    #[inline]
    pub(crate) const fn mark(&self) -> Mark {
        Mark { written_bytes: self.written.len(), copied: self.copied }
    }

    /// Goes back to an earlier state.
    #[inline]
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.written.truncate(mark.written_bytes);
        self.copied = mark.copied;
    }

    /// Returns the text that is left, or none where nothing was changed.
    pub(crate) fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.copy(self.text.len());
        Some(self.written)
    }

    fn copy(&mut self, end: usize) {
        if self.written.is_empty() {
            self.written.reserve(self.text.len());
        }
        let run = self.text.get(self.copied..end);
        self.written.push_str(run.expect("a run begins and ends beside a byte of ASCII, further on each time"));
    }
}
