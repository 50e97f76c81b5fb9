//! Rights as they were at a position of the log: for whoever shows again what was sent, or says why something was not.
//!
//! Read from the settings that the log keeps, whatever holds now. Four things may meet: the account's rights, its
//! ceiling, the endpoint's own rights and the types it asks for; each is told apart, because another person answers.

use std::sync::Arc;

use serde::Serialize;

use super::endpoint::{EndpointSettings, StoredEndpoint};
use super::rights::{Mark, RightsSettings, Table};
use super::state::{Endpoint, Revised};
use super::tables::Part;
use super::{Accounts, Error};
use crate::model::{Position, SettingKind, Timestamp, Who};

/// Whose rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RightsOf {
    /// The account's.
    Account,
    /// What INO's contract with the account allows.
    Ceiling,
    /// The endpoint's own.
    Endpoint,
    /// The types that the endpoint asks for.
    Types,
}

impl RightsOf {
    const ALL: [Self; 4] = [Self::Account, Self::Ceiling, Self::Endpoint, Self::Types];
}

/// Rights that withhold a type, and the change that made them so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withholding {
    /// Whose rights.
    pub of: RightsOf,
    /// `Withheld`, or `Unknown` where the catalogue they were decided on does not know the type.
    pub mark: Mark,
    /// The name in them that means the type; none where their default decides.
    pub name: Option<String>,
    /// The first revision since which they withhold it without a break.
    pub revision: Position,
    /// When that was saved.
    pub since: Timestamp,
    /// Who saved it.
    pub by: Who,
}

impl Accounts {
    /// Returns the revision of an account's rights, and the table that held for an endpoint, at a position. Reads the
    /// disk.
    ///
    /// # Shape
    /// Where a body was made by a replay as of its event's own position too, what held at that position is merged in.
    /// # Errors
    /// `NotFound` where there were no rights yet; `Log` where they cannot be read.
    pub fn table_as_of(
        &self,
        endpoint: &Endpoint,
        at: Position,
        original: Option<Position>,
    ) -> Result<(Position, Arc<Table>), Error> {
        let missing = || Error::NotFound { what: "rights of the account", id: endpoint.account_name.to_string() };
        let (revision, mut parts) = self.parts_as_of(endpoint, at)?.ok_or_else(missing)?;
        if let Some(original) = original {
            parts.extend(self.parts_as_of(endpoint, original)?.ok_or_else(missing)?.1);
        }
        Ok((revision, self.table_of(parts)?))
    }

    /// Returns the revision of the account's rights at a position, and all that met then; none where there were no
    /// rights yet.
    pub(super) fn parts_as_of(
        &self,
        endpoint: &Endpoint,
        at: Position,
    ) -> Result<Option<(Position, Vec<Part>)>, Error> {
        let mut parts = Vec::new();
        let mut revision = None;
        for of in RightsOf::ALL {
            let layer = self.rights_as_of(endpoint, of, at)?;
            if of == RightsOf::Account {
                revision = layer.as_ref().map(|layer| layer.revision);
            }
            parts.extend(layer.and_then(|layer| layer.value));
        }
        Ok(revision.map(|revision| (revision, parts)))
    }

    /// Returns the revisions of all that met at a position.
    pub(super) fn revisions_as_of(&self, endpoint: &Endpoint, at: Position) -> Result<[Option<Position>; 3], Error> {
        let settings =
            [(SettingKind::Rights, ""), (SettingKind::Ceiling, ""), (SettingKind::Endpoint, endpoint.name.as_str())];
        let mut revisions = [None; 3];
        for ((kind, name), revision) in settings.into_iter().zip(&mut revisions) {
            *revision = self.0.log.setting_as_of(endpoint.account, kind, name, at)?.map(|row| row.revision);
        }
        Ok(revisions)
    }

    /// Says which rights withheld a type from an endpoint around a position. Reads the disk.
    ///
    /// # Shape
    /// Those that did at the position. Where none did, those of the next change after it that does, or else of the last
    /// one before: what waits is judged again when its turn comes, and a decision may cross a change. None where no
    /// rights ever did.
    /// # Errors
    /// `Log` where they cannot be read.
    pub fn withheld_by(&self, endpoint: &Endpoint, event_type: &str, at: Position) -> Result<Vec<Withholding>, Error> {
        let found = self.withheld_at(endpoint, event_type, at)?;
        if !found.is_empty() {
            return Ok(found);
        }
        let changes = self.changes(endpoint)?;
        let (earlier, later): (Vec<Position>, Vec<Position>) = changes.into_iter().partition(|change| *change <= at);
        for change in later.into_iter().chain(earlier.into_iter().rev()) {
            let found = self.withheld_at(endpoint, event_type, change)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    fn withheld_at(&self, endpoint: &Endpoint, event_type: &str, at: Position) -> Result<Vec<Withholding>, Error> {
        let mut found = Vec::new();
        for of in RightsOf::ALL {
            let Some(mut since) = self.withholding(endpoint, of, event_type, at)? else { continue };
            for _ in 0..REVISIONS_MAX {
                let Some(before) = since.revision.0.checked_sub(1).map(Position) else { break };
                match self.withholding(endpoint, of, event_type, before)? {
                    Some(before) => since = before,
                    None => break,
                }
            }
            found.push(since);
        }
        Ok(found)
    }

    /// Returns how one of the rights withheld a type at a position; none where they did not.
    fn withholding(
        &self,
        endpoint: &Endpoint,
        of: RightsOf,
        event_type: &str,
        at: Position,
    ) -> Result<Option<Withholding>, Error> {
        let Some(Revised { value: Some(part), revision, at: since, by }) = self.rights_as_of(endpoint, of, at)? else {
            return Ok(None);
        };
        let (mark, name) = part.mark(self, event_type)?;
        Ok((mark != Mark::Wanted).then_some(Withholding { of, mark, name, revision, since, by }))
    }

    /// Returns where rights that meet for an endpoint were changed, the first change first.
    fn changes(&self, endpoint: &Endpoint) -> Result<Vec<Position>, Error> {
        let mut changes = Vec::new();
        for of in RightsOf::ALL {
            let mut at = Position(u64::MAX);
            for _ in 0..REVISIONS_MAX {
                let Some(rights) = self.rights_as_of(endpoint, of, at)? else { break };
                changes.push(rights.revision);
                at = Position(rights.revision.0.saturating_sub(1));
            }
        }
        changes.sort_unstable();
        changes.dedup();
        Ok(changes)
    }

    /// Returns one of the rights as it was at a position; none where there was none yet, or of another endpoint.
    fn rights_as_of(
        &self,
        endpoint: &Endpoint,
        of: RightsOf,
        at: Position,
    ) -> Result<Option<Revised<Option<Part>>>, Error> {
        let (kind, name) = match of {
            RightsOf::Account => (SettingKind::Rights, ""),
            RightsOf::Ceiling => (SettingKind::Ceiling, ""),
            RightsOf::Endpoint | RightsOf::Types => (SettingKind::Endpoint, endpoint.name.as_str()),
        };
        let Some(row) = self.0.log.setting_as_of(endpoint.account, kind, name, at)? else { return Ok(None) };
        if kind != SettingKind::Endpoint {
            let rights: Revised<Option<RightsSettings>> = Revised::read_optional(&row)?;
            return Ok(Some(rights.map(|rights| rights.map(Part::Rights))));
        }
        let stored: Revised<StoredEndpoint> = Revised::read(&row)?;
        if stored.value.id != endpoint.id {
            return Ok(None);
        }
        let part = |settings: EndpointSettings| match of {
            RightsOf::Types => settings.types.map(Part::Types),
            RightsOf::Account | RightsOf::Ceiling | RightsOf::Endpoint => settings.rights.map(Part::Rights),
        };
        Ok(Some(stored.map(|stored| stored.settings.and_then(part))))
    }
}

/// Revisions of one setting that are looked at: beyond it the answer names the oldest that was.
const REVISIONS_MAX: usize = 1_000;
