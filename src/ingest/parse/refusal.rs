//! Why a body is not taken, as plain data.
//!
//! Not an HTTP answer: `web` makes the problem document. Issues are kept up to a bound; from there on nobody
//! reads them, and the body is not looked at any further.

use crate::model::json;

/// Which rule a body breaks, as far as a caller acts differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The text is not sound JSON, or breaks a limit of its own (depth, keys, a key twice).
    NotJson,
    /// An event has not the form it must have.
    Malformed,
    /// An event has too many bytes.
    TooLarge,
    /// The body has too many events.
    TooMany,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The line, from 1, where the body has an event in each line.
    pub line: Option<usize>,
    /// The header at fault, where it is one.
    pub header: Option<String>,
    /// The JSON pointer in the body, or in the line.
    pub pointer: String,
    /// What is wrong, in words.
    pub detail: String,
}

/// A body that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of the first issue.
    pub kind: RefusalKind,
    /// What is wrong, in the order of the body; at most [`Refusal::ISSUES_MAX`].
    pub issues: Vec<Issue>,
}

impl Refusal {
    /// The most issues that are listed.
    pub const ISSUES_MAX: usize = 100;
}

/// Where in a body an event stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// It is the whole body.
    Whole,
    /// It is an item of an array.
    Index(usize),
    /// It is a line.
    Line(usize),
    /// Its attributes are headers.
    Headers,
}

/// What is wrong with a body, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Issues(Option<Refusal>);

impl Issues {
    /// Notes what is wrong with the event at `place`, at a pointer inside it.
    #[cold]
    pub(super) fn add(&mut self, kind: RefusalKind, place: Place, pointer: &str, detail: String) {
        let (line, header, pointer) = match place {
            Place::Whole => (None, None, pointer.to_owned()),
            Place::Index(index) => (None, None, format!("/{index}{pointer}")),
            Place::Line(line) => (Some(line), None, pointer.to_owned()),
            Place::Headers => (None, Some(format!("ce-{}", pointer.trim_start_matches('/'))), String::new()),
        };
        self.push(kind, Issue { line, header, pointer, detail });
    }

    /// Notes that the text is not sound.
    #[cold]
    pub(super) fn add_error(&mut self, place: Place, error: &json::Error) {
        let line = match place {
            Place::Whole | Place::Index(_) | Place::Headers => None,
            Place::Line(line) => Some(line),
        };
        let issue = Issue { line, header: None, pointer: error.pointer.clone(), detail: error.to_string() };
        self.push(RefusalKind::NotJson, issue);
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|refusal| refusal.issues.len() >= Refusal::ISSUES_MAX)
    }

    /// Returns `taken` where nothing is wrong.
    pub(super) fn or<T>(self, taken: T) -> Result<T, Refusal> {
        self.0.map_or(Ok(taken), Err)
    }

    fn push(&mut self, kind: RefusalKind, issue: Issue) {
        let refusal = self.0.get_or_insert_with(|| Refusal { kind, issues: Vec::new() });
        if refusal.issues.len() < Refusal::ISSUES_MAX {
            refusal.issues.push(issue);
        }
    }
}
