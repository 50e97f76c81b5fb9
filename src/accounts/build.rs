//! The program, and what it brings that decides what a receiver gets: noted in the log whenever it is another one.
//!
//! So what was sent under it can be told later. Not a setting that anybody writes.

use serde::{Deserialize, Serialize};

use super::execute::NewSetting;
use super::{Accounts, Change, Error};
use crate::model::{AccountId, Position, SettingKind, Who};

/// As of when something was made: by which settings, and by which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// The position of the newest change of the account's settings that is in it.
    pub settings: Position,
    /// The revision of the build.
    pub build: Position,
}

/// What decides what a receiver gets, beside settings and log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// The version of the program.
    pub hooklog: String,
    /// The SHA-256 of the catalogue's text, in hex.
    pub catalog: String,
    /// The SHA-256 of the rights component, in hex.
    pub rights: String,
    /// The version of the formats of bodies.
    pub formats: u32,
    /// The engine that runs components, what it charges and how it is set.
    pub engine: String,
}

impl Accounts {
    /// Returns the revision of the build that runs; 0 before it was settled.
    #[must_use]
    pub fn build_revision(&self) -> Position {
        self.read(|state| state.build.as_ref().map_or(Position(0), |build| build.revision))
    }

    /// Notes the build in the log, where it is another one than the last; says whether there was another one before.
    ///
    /// The catalogue's digest is filled in: it is a setting of its own.
    /// # Errors
    /// `Log` where it could not be kept.
    pub async fn settle_build(&self, build: Build) -> Result<bool, Error> {
        let mut turn = self.0.turn.lock().await;
        let (present, catalog) = self.read(|state| (state.build.clone(), state.catalog.clone()));
        let build = Build { catalog: catalog.map(|catalog| catalog.value.digest).unwrap_or_default(), ..build };
        if present.as_ref().is_some_and(|present| present.value == build) {
            return Ok(false);
        }
        let setting = NewSetting::new(AccountId::SYSTEM, SettingKind::Build, "", Some(&build));
        self.execute(&mut turn, setting, &Who::System, Change::Build).await?;
        Ok(present.is_some())
    }
}
