//! Bodies as they were sent: made again from the log, by the settings of then, and proven by their hash.
//!
//! No body is kept. What is made again is shown only where its hash is the one that was kept when it was sent: so what
//! is shown is what the receiver got, byte by byte, or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::call::Call;
use super::delivering::{AttemptRecord, body_hash};
use super::failure::of_log;
use crate::accounts::{Endpoint, Format, Table};
use crate::model::{Offset, Position};
use crate::runtime::blocking;
use crate::web::Problem;

/// The bodies of one event's requests to one endpoint. Requests of the same settings and format share one.
pub(super) struct SentBodies<'a> {
    call: &'a Call,
    endpoint: &'a Arc<Endpoint>,
    offset: Offset,
    tables: HashMap<Position, (Position, Arc<Table>)>,
    made: HashMap<(Position, Format), Option<String>>,
}

/// A body, or why there is none to show.
pub(super) type SentBody = Result<String, &'static str>;

impl<'a> SentBodies<'a> {
    pub(super) fn new(call: &'a Call, endpoint: &'a Arc<Endpoint>, offset: Offset) -> Self {
        Self { call, endpoint, offset, tables: HashMap::new(), made: HashMap::new() }
    }

    /// Returns the revision of the account's rights that a request was made under; none where that was not noted.
    pub(super) async fn rights_of(&mut self, attempt: &AttemptRecord) -> Result<Option<String>, Problem> {
        let Some(as_of) = attempt.as_of else { return Ok(None) };
        let (revision, _) = self.table_as_of(as_of.settings).await?;
        Ok(Some(self.call.api.accounts.revision(revision)))
    }

    /// Returns the body of a request.
    pub(super) async fn body_of(&mut self, attempt: &AttemptRecord, is_kept: bool) -> Result<SentBody, Problem> {
        if !is_kept {
            return Ok(Err("the event is no longer kept"));
        }
        // Where it was not noted as of when, the hash tells whether what holds now is what held then.
        let at = attempt.as_of.map_or(Position(u64::MAX), |as_of| as_of.settings);
        let made = self.made(at, attempt.format).await?;
        let proven = made.filter(|made| body_hash(made.as_bytes()) == attempt.body_hash);
        let build = self.call.api.accounts.build_revision();
        Ok(proven.ok_or(match attempt.as_of {
            None => "an older hooklog sent it, which did not note by which settings",
            Some(as_of) if as_of.build != build => "another version of hooklog or of its rights component made it",
            Some(_) => "what can be made of it now is not what was sent",
        }))
    }

    async fn made(&mut self, at: Position, format: Format) -> Result<Option<String>, Problem> {
        if let Some(made) = self.made.get(&(at, format)) {
            return Ok(made.clone());
        }
        let (_, table) = self.table_as_of(at).await?;
        let made = self.call.api.dispatch.remake(self.endpoint, self.offset, format, &table).await.map_err(of_log)?;
        let made = made.and_then(|body| String::from_utf8(body.to_vec()).ok());
        self.made.insert((at, format), made.clone());
        Ok(made)
    }

    async fn table_as_of(&mut self, at: Position) -> Result<(Position, Arc<Table>), Problem> {
        if let Some(table) = self.tables.get(&at) {
            return Ok(table.clone());
        }
        let table = table_as_of(self.call, self.endpoint, at).await?;
        self.tables.insert(at, table.clone());
        Ok(table)
    }
}

/// Returns the revision of the account's rights, and the table, that held for an endpoint at a position.
pub(super) async fn table_as_of(
    call: &Call,
    endpoint: &Arc<Endpoint>,
    at: Position,
) -> Result<(Position, Arc<Table>), Problem> {
    let (accounts, endpoint) = (call.api.accounts.clone(), Arc::clone(endpoint));
    let table = blocking(move || accounts.table_as_of(&endpoint, at)).await;
    table.map_err(|error| call.refused(error))
}
