//! The bodies of `/v1`: one event, an array of events, an event in each line, or CloudEvents.
//!
//! All or nothing: one issue anywhere, and no event of the body is taken. Behind an event that is broken in
//! itself the reading goes on, so that a sender learns of everything at once.

use bytes::Bytes;
use http::HeaderMap;

use super::Parser;
use super::envelope::Reading;
use super::refusal::{Issues, Place, Refusal, RefusalKind};
use crate::mapping::Receipt;
use crate::model::EventDraft;
use crate::model::json::{Cursor, Error, Item};
use crate::model::limits::EVENTS_PER_REQUEST_MAX;
use crate::runtime::Random;

/// How the events stand in a body.
#[derive(Clone, Copy)]
pub enum Form<'a> {
    /// JSON: an event, or an array of events.
    Json,
    /// An event in each line (NDJSON). Blank lines are passed over.
    Lines,
    /// One CloudEvent, structured.
    CloudEvent,
    /// An array of structured CloudEvents.
    CloudEvents,
    /// The data of one CloudEvent, whose attributes are these headers.
    Binary(&'a HeaderMap),
}

/// The events of a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// The events, in the order of the body.
    pub drafts: Vec<EventDraft>,
    /// How many top-level keys were met that are no field of an event; they are kept as `extra`.
    pub unknown_keys: usize,
}

impl Parser {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it; then none of its events is taken.
    pub fn parse(
        &self,
        body: &Bytes,
        form: Form<'_>,
        receipt: &Receipt,
        random: &mut Random,
    ) -> Result<Batch, Refusal> {
        let mut reading = Reading { body, receipt, random, issues: Issues::default(), unknown_keys: 0 };
        let mut cursor = Cursor::new(body);
        let drafts = match form {
            Form::Lines => Ok(self.lines(&mut reading)),
            Form::Json if cursor.is_array() => self.array(Self::event, &mut cursor, &mut reading),
            Form::Json => self.one(Self::event, &mut cursor, &mut reading),
            Form::CloudEvent => self.one(Self::cloud_event, &mut cursor, &mut reading),
            Form::CloudEvents => self.array(Self::cloud_event, &mut cursor, &mut reading),
            Form::Binary(headers) => self
                .binary(headers, &mut reading)
                .map(|draft| draft.into_iter().collect())
                .map_err(|error| (Place::Whole, error)),
        };
        let drafts = drafts.unwrap_or_else(|(place, error)| {
            reading.add_error(place, &error);
            Vec::new()
        });
        reading.issues.or(Batch { drafts, unknown_keys: reading.unknown_keys })
    }

    fn one(
        &self,
        event: ReadEvent,
        cursor: &mut Cursor<'_>,
        reading: &mut Reading<'_>,
    ) -> Result<Vec<EventDraft>, Broken> {
        let broken = |error| (Place::Whole, error);
        let draft = event(self, cursor, reading, Place::Whole).map_err(broken)?;
        cursor.finish().map_err(broken)?;
        Ok(draft.into_iter().collect())
    }

    fn array(
        &self,
        event: ReadEvent,
        cursor: &mut Cursor<'_>,
        reading: &mut Reading<'_>,
    ) -> Result<Vec<EventDraft>, Broken> {
        let broken = |error| (Place::Whole, error);
        let mut drafts = Vec::new();
        let mut index = 0;
        cursor.begin_events().map_err(broken)?;
        while cursor.next_item().map_err(broken)? == Item::Next {
            if index == EVENTS_PER_REQUEST_MAX {
                reading.add_too_many();
                return Ok(drafts);
            }
            let start = cursor.place();
            match event(self, cursor, reading, Place::Index(index)) {
                Ok(draft) => drafts.extend(draft),
                Err(error) => {
                    if !error.fault.is_limit() || cursor.give_up_item(start).is_none() {
                        return Err((Place::Index(index), error));
                    }
                    reading.add_error(Place::Index(index), &error);
                }
            }
            if reading.issues.is_full() {
                return Ok(drafts);
            }
            index += 1;
        }
        cursor.finish().map_err(broken)?;
        Ok(drafts)
    }

    fn lines(&self, reading: &mut Reading<'_>) -> Vec<EventDraft> {
        let mut drafts = Vec::new();
        let mut count = 0;
        let mut cursor = Cursor::of_lines(reading.body);
        while let Some(line) = cursor.next_line() {
            if count == EVENTS_PER_REQUEST_MAX {
                reading.add_too_many();
                break;
            }
            let place = Place::Line(line);
            let draft = self.event(&mut cursor, reading, place).and_then(|draft| cursor.finish().map(|()| draft));
            match draft {
                Ok(draft) => drafts.extend(draft),
                Err(error) => {
                    reading.add_error(place, &error);
                    cursor.give_up_line();
                }
            }
            if reading.issues.is_full() {
                break;
            }
            count += 1;
        }
        drafts
    }
}

impl Reading<'_> {
    fn add_too_many(&mut self) {
        let detail = format!("a request may have {EVENTS_PER_REQUEST_MAX} events");
        self.issues.add(RefusalKind::TooMany, Place::Whole, "", detail);
    }
}

/// Reads the event that comes next, in one of the forms that an event has.
type ReadEvent = fn(&Parser, &mut Cursor<'_>, &mut Reading<'_>, Place) -> Result<Option<EventDraft>, Box<Error>>;

/// An error behind which the reading cannot go on, and where.
type Broken = (Place, Box<Error>);
