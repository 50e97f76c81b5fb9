//! What a filter is configured with: a text, or something that writes one.
//!
//! Not what the text says: that is the filter's. It is written once for each batch, on the thread that runs it, so
//! that a large one is not handed from thread to thread. Invariant: the same text each time.

use std::borrow::Cow;
use std::sync::Arc;

/// Tells the text of a configuration, on the thread that runs the filter.
pub trait Configuration: Send + 'static {
    /// Returns the text.
    fn text(&self) -> Cow<'_, str>;
}

impl Configuration for &'static str {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl Configuration for Arc<str> {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}
