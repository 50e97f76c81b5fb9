//! What a filter is configured with: a text, or something that writes it where it is needed.

use std::borrow::Cow;
use std::sync::Arc;

/// Tells the text of a configuration, on the thread that runs the filter.
///
/// So that a large text which is put together for each batch is not handed from thread to thread.
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
