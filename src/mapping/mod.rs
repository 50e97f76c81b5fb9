//! Rules that turn a foreign body into an event, and the reading of an event's single fields.
//!
//! Pure: bytes in, a draft or the reason for a capture out. Not the place where a request is taken apart
//! into events, nor where a capture is kept: `ingest` does both. Invariant: a body that is an object in sound
//! JSON is answered with a draft or with a reason that names the place; nothing of it is dropped without a
//! word: what no rule takes stays in `data`, or goes into the attribute `extra`.

pub mod field;

mod rule;

pub use rule::{Rule, Rules};

use bytes::Bytes;
use bytestring::ByteString;

use crate::model::json::{Cursor, Error, InvalidPointer, Kind, Pointers, Value};
use crate::model::{AccountName, CaptureReason, EventDraft, EventId, EventType, KeyField, Timestamp};
use field::{Extra, Identity};
use rule::Places;

/// What is known of a request beside its body.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// When the request came in.
    pub received_at: Timestamp,
    /// The request's trace context, which its events keep.
    pub traceparent: Option<ByteString>,
}

/// A request to `/hooks`, as far as the rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The body.
    pub body: &'a Bytes,
    /// What is known of it beside the body.
    pub receipt: &'a Receipt,
    /// The account of the path, where that names one: then the rules are not asked for it.
    pub account: Option<&'a AccountName>,
}

/// Rules made ready: what they name is found in one walk over a body.
#[derive(Debug, Clone)]
pub struct Mapping {
    pointers: Pointers,
    account: Places,
    event_type: Places,
    id: Places,
    occurred_at: Places,
    key: Places,
    actor: Places,
    data: Places,
    /// For each place of `data`, where the key is when no rule finds one.
    keys_in_data: Vec<Places>,
}

/// What a walk over a body found.
#[derive(Debug, Clone)]
pub struct Found {
    whole: Value,
    values: Vec<Option<Value>>,
    /// The members of the body, key and value.
    members: Vec<(Value, Value)>,
}

impl Found {
    fn value(&self, slot: usize) -> Option<Value> {
        self.values.get(slot).copied().flatten()
    }

    /// Returns the whole value that was walked over.
    #[must_use]
    pub const fn whole(&self) -> Value {
        self.whole
    }
}

/// An event made by the rules, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The account: of the path where that names one, else the one that the rules found.
    pub account: AccountName,
    /// The event.
    pub draft: EventDraft,
}

/// Why a body is no event by these rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// The kind of reason.
    pub reason: CaptureReason,
    /// The reason in words, with the place.
    pub detail: String,
}

impl Mapping {
    /// Makes rules ready.
    ///
    /// # Errors
    /// Where a rule has a text that is no JSON pointer.
    pub fn new(rules: &Rules) -> Result<Self, InvalidPointer> {
        let mut pointers = Pointers::new();
        let mut places = |rule: &Rule| Places::new(rule, &mut pointers);
        let (account, event_type, id) = (places(&rules.account)?, places(&rules.event_type)?, places(&rules.id)?);
        let (occurred_at, key) = (places(&rules.occurred_at)?, places(&rules.key)?);
        let (actor, data) = (places(&rules.actor)?, places(&rules.data)?);
        let below = |data: &String| Rule(KeyField::ALL.map(|field| format!("{data}{}", field.pointer())).to_vec());
        let keys_in_data = rules.data.0.iter().map(|data| places(&below(data))).collect::<Result<_, _>>()?;
        Ok(Self { pointers, account, event_type, id, occurred_at, key, actor, data, keys_in_data })
    }

    /// Walks over the value that comes next and finds what the rules name.
    ///
    /// # Errors
    /// Where the value is not sound JSON within the limits.
    pub fn find(&self, cursor: &mut Cursor<'_>) -> Result<Found, Box<Error>> {
        let mut values = vec![None; self.pointers.slots()];
        let mut members = Vec::new();
        let whole = cursor.find(&self.pointers, &mut values, |key, value, _| members.push((key, value)))?;
        Ok(Found { whole, values, members })
    }

    /// Turns what was found in the request's body into an event.
    ///
    /// # Errors
    /// The reason why it should be captured instead.
    pub fn map(
        &self,
        found: &Found,
        request: Request<'_>,
        made_id: impl FnOnce() -> EventId,
    ) -> Result<Mapped, Unmapped> {
        let Request { body, receipt, .. } = request;
        if found.whole.kind != Kind::Object {
            let detail = format!("an event must be an object, not {}", found.whole.kind.words());
            return Err(Unmapped { reason: CaptureReason::NotAnObject, detail });
        }
        let account = self.account(found, request)?;
        let event_type = self.event_type(found, body)?;
        let (place, data) = self.data.first(found).ok_or_else(|| self.data.missing(CaptureReason::InvalidField))?;
        let data = field::object(body, data).map_err(|problem| self.data.invalid(place, &problem))?;
        let key = match self.key.read(found, |value| field::key(body, value))? {
            Some(key) => key,
            None => self.key_in_data(found, place, body),
        };
        let identity = self
            .id
            .read(found, |value| field::text_or_whole_number(body, value).and_then(|given| Identity::of(given, "")))?;
        let identity = identity.unwrap_or_else(|| Identity::made(made_id()));
        let draft = EventDraft {
            id: identity.id,
            id_is_made: identity.is_made,
            source_id: identity.source_id,
            event_type,
            version: 1,
            occurred_at: self.occurred_at.read(found, |value| field::instant(body, value))?,
            received_at: receipt.received_at,
            key,
            actor: self.actor.read(found, |value| field::object(body, value))?,
            attributes: self.extra(found, request).attributes(receipt.traceparent.as_ref()),
            data,
        };
        Ok(Mapped { account, draft })
    }

    fn account(&self, found: &Found, request: Request<'_>) -> Result<AccountName, Unmapped> {
        match request.account {
            Some(account) => Ok(account.clone()),
            None => self
                .account
                .read(found, |value| field::account(request.body, value))?
                .ok_or_else(|| self.account.missing(CaptureReason::NoAccount)),
        }
    }

    fn event_type(&self, found: &Found, body: &Bytes) -> Result<EventType, Unmapped> {
        self.event_type
            .read(found, |value| field::event_type(body, value))
            .map_err(|unmapped| Unmapped { reason: CaptureReason::NoType, ..unmapped })?
            .ok_or_else(|| self.event_type.missing(CaptureReason::NoType))
    }

    /// Returns the key that `data`, found at the given one of its places, holds.
    fn key_in_data(&self, found: &Found, place: usize, body: &Bytes) -> Option<ByteString> {
        let keys = self.keys_in_data.get(place)?;
        field::key_in_data(body, keys.slots().map(|slot| found.value(slot)))
    }

    /// Returns the members that no field was made of; none where `data` is the whole body.
    fn extra(&self, found: &Found, request: Request<'_>) -> Extra {
        let fields = [&self.event_type, &self.id, &self.occurred_at, &self.key, &self.actor, &self.data];
        let account = Some(&self.account).filter(|_| request.account.is_none());
        let used = fields.into_iter().chain(account).filter_map(|places| places.first(found));
        let used: Vec<usize> = used.map(|(_, value)| value.start).collect();
        let mut extra = Extra::default();
        if !used.contains(&found.whole.start) {
            let rest = found.members.iter().filter(|(_, value)| !used.contains(&value.start));
            rest.for_each(|(name, value)| extra.push(request.body, *name, *value));
        }
        extra
    }
}

#[cfg(test)]
mod tests;
