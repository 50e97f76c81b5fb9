//! The bodies of `/hooks`: whatever somebody posted, item by item into an event or a capture.
//!
//! Nothing is refused here. A body that is no JSON at all is one capture; of an array each item is taken
//! by itself, and the ones that fail are captured by themselves.

use bytes::Bytes;

use super::Options;
use crate::mapping::{Mapped, Mapping, Receipt, Request, Unmapped};
use crate::model::json::{Cursor, Error, Item};
use crate::model::limits::EVENTS_PER_REQUEST_MAX;
use crate::model::{AccountName, CaptureReason, EventId};
use crate::runtime::Random;

/// What became of a body, or of an item of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hooked {
    /// The mapping made an event of it.
    Event {
        /// The event, and whose it is.
        mapped: Box<Mapped>,
        /// The bytes it was made of: for whoever has to capture it after all.
        body: Bytes,
    },
    /// It is kept as it came.
    Captured {
        /// Why it is no event.
        reason: CaptureReason,
        /// The reason in words, with the place; at most 1 KiB.
        detail: String,
        /// The bytes that are no event.
        body: Bytes,
    },
}

/// What the items of one request have in common.
#[derive(Debug)]
pub struct Hook<'a> {
    /// The rules.
    pub mapping: &'a Mapping,
    /// What an operator chose.
    pub options: Options,
    /// What is known of the request beside its body.
    pub receipt: &'a Receipt,
    /// The account of the path, where that names one.
    pub account: Option<&'a AccountName>,
}

impl Hook<'_> {
    /// Turns a body into events and captures, in the order of the body.
    #[must_use]
    pub fn parse(&self, body: &Bytes, random: &mut Random) -> Vec<Hooked> {
        let mut cursor = Cursor::new(body);
        let hooked = if cursor.is_array() {
            self.array(&mut cursor, body, random)
        } else {
            self.item(&mut cursor, body, random).map(|one| vec![one])
        };
        let hooked = hooked.and_then(|hooked| cursor.finish().map(|()| hooked).map_err(unsound));
        hooked.unwrap_or_else(|unmapped| vec![captured(unmapped, body.clone())])
    }

    fn array(&self, cursor: &mut Cursor<'_>, body: &Bytes, random: &mut Random) -> Result<Vec<Hooked>, Unmapped> {
        let mut hooked = Vec::new();
        cursor.begin_events().map_err(unsound)?;
        while cursor.next_item().map_err(unsound)? == Item::Next {
            if hooked.len() == EVENTS_PER_REQUEST_MAX {
                let detail = format!("a request may have {EVENTS_PER_REQUEST_MAX} events");
                return Err(Unmapped { reason: CaptureReason::InvalidField, detail });
            }
            let start = cursor.place();
            let item = match self.item(cursor, body, random) {
                Ok(item) => item,
                // An item that only breaks a limit must not take the sound ones down with it.
                Err(unmapped) if unmapped.reason == CaptureReason::InvalidField => match cursor.give_up_item(start) {
                    Some(end) => captured(unmapped, body.slice(start..end)),
                    None => return Err(unmapped),
                },
                Err(unmapped) => return Err(unmapped),
            };
            hooked.push(item);
        }
        Ok(hooked)
    }

    /// Takes the value that comes next; an error where the text is not sound.
    fn item(&self, cursor: &mut Cursor<'_>, body: &Bytes, random: &mut Random) -> Result<Hooked, Unmapped> {
        let found = self.mapping.find(cursor).map_err(unsound)?;
        let item = found.whole().bytes(body);
        let bytes_max = self.options.event_bytes_max;
        if item.len() > bytes_max {
            let detail = format!("an event may have {bytes_max} bytes, this one has {}", item.len());
            return Ok(captured(Unmapped { reason: CaptureReason::InvalidField, detail }, item));
        }
        let request = Request { body, receipt: self.receipt, account: self.account };
        let made_id = || EventId::made(self.receipt.received_at, random.bytes());
        Ok(match self.mapping.map(&found, request, made_id) {
            Ok(mapped) => Hooked::Event { mapped: Box::new(mapped), body: item },
            Err(unmapped) => captured(unmapped, item),
        })
    }
}

fn unsound(error: Box<Error>) -> Unmapped {
    let reason = if error.fault.is_limit() { CaptureReason::InvalidField } else { CaptureReason::NotJson };
    let detail = if error.pointer.is_empty() { error.to_string() } else { format!("{}: {error}", error.pointer) };
    Unmapped { reason, detail }
}

fn captured(unmapped: Unmapped, body: Bytes) -> Hooked {
    let Unmapped { reason, mut detail } = unmapped;
    detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
    Hooked::Captured { reason, detail, body }
}

const DETAIL_BYTES_MAX: usize = 1024;
