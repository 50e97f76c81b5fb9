//! Bodies as they were sent: made again from the log, by the settings of then, and proven by their hash.
//!
//! No body is kept. What is made again is shown only where its hash is the one that was kept when it was sent: so what
//! is shown is what the receiver got, byte by byte, or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::call::Call;
use super::delivering::AttemptRecord;
use super::failure::of_log;
use crate::accounts::{Endpoint, Format, RightsAsOf, Table};
use crate::log::Course;
use crate::model::{Offset, Position, body_hash};
use crate::runtime::blocking;
use crate::web::Problem;

/// The bodies of one event's requests to one endpoint. Requests of the same settings and format share one.
pub(super) struct SentBodies<'a> {
    call: &'a Call,
    endpoint: &'a Arc<Endpoint>,
    offset: Offset,
    /// Where its record is; none where that is no longer kept.
    position: Option<Position>,
    tables: HashMap<Rights, (Position, Arc<Table>)>,
    made: HashMap<(Rights, Format), Option<String>>,
}

/// The rights that a body was made under: those that held at a position, and those of the event's own too where a
/// replay has asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rights {
    at: Position,
    original: Option<Position>,
}

/// A body, or why there is none to show.
pub(super) type SentBody = Result<String, &'static str>;

impl<'a> SentBodies<'a> {
    pub(super) fn new(call: &'a Call, endpoint: &'a Arc<Endpoint>, offset: Offset, position: Option<Position>) -> Self {
        Self { call, endpoint, offset, position, tables: HashMap::new(), made: HashMap::new() }
    }

    /// Returns the revision of the account's rights that a request was made under; none where that was not noted.
    pub(super) async fn rights_of(&mut self, attempt: &AttemptRecord) -> Result<Option<String>, Problem> {
        let Some(as_of) = attempt.as_of else { return Ok(None) };
        let (revision, _) = self.table_as_of(Rights { at: as_of.settings, original: None }).await?;
        Ok(Some(self.call.api.accounts.revision(revision)))
    }

    /// Returns the body of a request.
    pub(super) async fn body_of(&mut self, course: Course, attempt: &AttemptRecord) -> Result<SentBody, Problem> {
        let Some(position) = self.position else { return Ok(Err("the event is no longer kept")) };
        // Where it was not noted as of when, the hash tells whether what holds now is what held then.
        let at = attempt.as_of.map_or(Position(u64::MAX), |as_of| as_of.settings);
        let original = Some(position).filter(|_| self.is_original(course));
        let made = self.made(Rights { at, original }, attempt.format).await?;
        let proven = made.filter(|made| body_hash(made.as_bytes()) == attempt.body_hash);
        let build = self.call.api.accounts.build_revision();
        Ok(proven.ok_or(match attempt.as_of {
            None => "an older hooklog sent it, which did not note by which settings",
            Some(as_of) if as_of.build != build => "another version of hooklog or of its rights component made it",
            Some(_) => "what can be made of it now is not what was sent",
        }))
    }

    /// Whether a request was a replay's that goes by the rights of then and now.
    fn is_original(&self, course: Course) -> bool {
        let Course::Replay(id) = course else { return false };
        let account = self.call.api.accounts.account_by_id(self.endpoint.account);
        let replay = account.as_ref().and_then(|account| account.replays.get(&id));
        replay.is_some_and(|replay| replay.value.scope.as_of == RightsAsOf::Original)
    }

    async fn made(&mut self, rights: Rights, format: Format) -> Result<Option<String>, Problem> {
        if let Some(made) = self.made.get(&(rights, format)) {
            return Ok(made.clone());
        }
        let (_, table) = self.table_as_of(rights).await?;
        let made = self.call.api.dispatch.remake(self.endpoint, self.offset, format, &table).await.map_err(of_log)?;
        let made = made.and_then(|body| String::from_utf8(body.to_vec()).ok());
        self.made.insert((rights, format), made.clone());
        Ok(made)
    }

    async fn table_as_of(&mut self, rights: Rights) -> Result<(Position, Arc<Table>), Problem> {
        if let Some(table) = self.tables.get(&rights) {
            return Ok(table.clone());
        }
        let table = table_as_of(self.call, self.endpoint, rights.at, rights.original).await?;
        self.tables.insert(rights, table.clone());
        Ok(table)
    }
}

/// Returns the revision of the account's rights, and the table, that held for an endpoint at a position; merged with
/// what held at the event's own, where a replay has asked for that.
pub(super) async fn table_as_of(
    call: &Call,
    endpoint: &Arc<Endpoint>,
    at: Position,
    original: Option<Position>,
) -> Result<(Position, Arc<Table>), Problem> {
    let (accounts, endpoint) = (call.api.accounts.clone(), Arc::clone(endpoint));
    let table = blocking(move || accounts.table_as_of(&endpoint, at, original)).await;
    table.map_err(|error| call.refused(error))
}
