//! What listening keeps on this machine: where it was, and the secret it signs with.
//!
//! One small file for each server and address, readable by its owner alone, replaced as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use super::super::address::AccountOrEndpoint;
use super::super::exit::Failure;
use crate::model::Offset;
use crate::runtime::Random;
use crate::security::{SignatureScheme, Signer};

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Kept {
    path: Option<PathBuf>,
    content: Content,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Content {
    /// The first offset that was not shown yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Offset>,
    /// What is posted is signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Kept {
    /// Reads a file that was named; one that is not there is made later.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub(super) fn at(path: PathBuf) -> Result<Self, Failure> {
        let content = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|problem| unreadable(&path, &problem, "remove it, or name another with --state"))?,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(problem) => return Err(unreadable(&path, &problem, "name another with --state")),
        };
        Ok(Self { path: Some(path), content })
    }

    /// Reads the file of a server and an address; nothing is kept where there is no place for it.
    ///
    /// # Errors
    /// As for [`Kept::at`].
    pub(super) fn of(
        environment: &BTreeMap<String, String>,
        server: &Url,
        address: &AccountOrEndpoint,
    ) -> Result<Self, Failure> {
        let folder = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let states = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
        match states {
            Some(states) => Self::at(states.join("hooklog/listen").join(file_name(server, address))),
            None => Ok(Self { path: None, content: Content::default() }),
        }
    }

    /// Returns the file, where there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns where to go on.
    pub(super) const fn next(&self) -> Option<Offset> {
        self.content.next
    }

    /// Returns what to sign with: a key that was named, or the one that is kept, or one that is made now.
    ///
    /// # Errors
    /// Where the key is none, or a new one cannot be kept.
    pub(super) fn signer(&mut self, named: Option<&str>) -> Result<Signer, Failure> {
        if let Some(named) = named {
            return Signer::parse(named.trim()).map_err(|problem| Failure::usage(format!("--secret: {problem}")));
        }
        if let Some(kept) = &self.content.secret {
            return Signer::parse(kept).map_err(|problem| Failure::failed(format!("the kept secret: {problem}")));
        }
        let mut random = Random::from_machine().map_err(|problem| Failure::Failed(problem.into()))?;
        let signer = Signer::make(SignatureScheme::V1, &mut random);
        if let Signer::Secret(secret) = &signer {
            self.content.secret = Some(secret.expose());
        }
        self.write()?;
        Ok(signer)
    }

    /// Keeps where to go on.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(super) fn save(&mut self, next: Offset) -> Result<(), Failure> {
        if self.content.next == Some(next) {
            return Ok(());
        }
        self.content.next = Some(next);
        self.write()
    }

    fn write(&self) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        replace(path, &self.content).map_err(|problem| {
            Failure::failed(format!(
                "the position cannot be kept in {}: {problem}; name another file with --state",
                path.display()
            ))
        })
    }
}

fn replace(path: &Path, content: &Content) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    fs::rename(&new, path)
}

/// Names the file of a server and an address: readable, and another one for each.
fn file_name(server: &Url, address: &AccountOrEndpoint) -> String {
    let port = server.port_or_known_default().map(|port| format!("_{port}")).unwrap_or_default();
    let path = server.path().trim_matches('/').replace('/', "_");
    let host = server.host_str().unwrap_or_default();
    let safe = |one: char| if one.is_ascii_alphanumeric() || "-_.".contains(one) { one } else { '_' };
    let server: String = format!("{host}{port}{path}").chars().map(safe).collect();
    let endpoint = address.endpoint.as_ref().map(|endpoint| format!("%{endpoint}")).unwrap_or_default();
    // No name has this sign, so no two addresses share a file.
    format!("{server}%{}{endpoint}.json", address.account)
}

fn unreadable(path: &Path, problem: &dyn std::fmt::Display, remedy: &str) -> Failure {
    Failure::failed(format!("what was kept in {} cannot be read: {problem}; {remedy}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn position_and_secret_are_there_the_next_time_and_are_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let environment = BTreeMap::from([("XDG_STATE_HOME".to_owned(), folder.path().display().to_string())]);
        let server = Url::parse("https://hooklog.example/inner").unwrap();
        let of = |address: &str| Kept::of(&environment, &server, &address.parse().unwrap()).unwrap();
        let mut first = of("acme/crm");
        assert_eq!(first.next(), None);
        let signer = first.signer(None).unwrap();
        first.save(Offset(42)).unwrap();
        let mut second = of("acme/crm");
        assert_eq!(second.next(), Some(Offset(42)));
        assert_eq!(second.signer(None).unwrap().expose_bytes(), signer.expose_bytes());
        assert_eq!(of("acme").next(), None);
        let path = second.path.unwrap();
        assert_eq!(path.file_name().unwrap(), "hooklog.example_443inner%acme%crm.json");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "nonsense").unwrap();
        let address: AccountOrEndpoint = "acme/crm".parse().unwrap();
        assert!(Kept::of(&environment, &server, &address).is_err());
        assert!(Kept::of(&BTreeMap::new(), &server, &address).unwrap().path.is_none());
    }

    #[test]
    fn a_named_key_wins_and_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::at(folder.path().join("state.json")).unwrap();
        kept.signer(Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")).unwrap();
        assert_eq!(kept.content.secret, None);
        assert!(kept.signer(Some("whpk_nonsense")).is_err());
    }
}
