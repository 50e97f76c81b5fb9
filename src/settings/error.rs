//! What can be wrong with the configuration, and what is worth a warning.
//!
//! Not what is wrong with a value alone: that is a fault of `value`. A message names the place, so that one
//! can go there, and what to do; a value of a secret key is in none.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A settings file.
    File {
        /// Which one, as it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line, column } => write!(formatter, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag(name) => formatter.write_str(name),
        }
    }
}

/// Everything that is wrong with the configuration, at once. Whoever started hooklog has to change it.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct Error {
    /// What is wrong, in the order of the sources.
    pub problems: Vec<Problem>,
    /// What may be the reason: a name in the environment that is slightly wrong.
    pub warnings: Vec<Warning>,
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot read the settings from {}: {reason}: name another file with --config", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// A file or variable holds bytes that are no text.
    #[error("{origin}: expected UTF-8, found other bytes")]
    NotText {
        /// Where the first of them is.
        origin: Origin,
    },
    /// The file is no TOML.
    #[error("{origin}: {reason}")]
    Syntax {
        /// Where it stops to be.
        origin: Origin,
        /// What the parser expected.
        reason: String,
    },
    /// There is no such setting.
    #[error("{origin}: unknown key {key}: did you mean {nearest}?")]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// Its path.
        key: String,
        /// The path of the key that is most like it.
        nearest: &'static str,
    },
    /// A table's name was given a value.
    #[error("{origin}: {table} is a table: write [{table}] and the keys below it, such as {example}")]
    Table {
        /// Where it stands.
        origin: Origin,
        /// Its path.
        table: String,
        /// A key in it.
        example: &'static str,
    },
    /// A value has another form than its key wants, or is out of bounds.
    #[error("{origin}: {key}: {reason}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// Its path.
        key: &'static str,
        /// What was expected and what was found.
        reason: String,
    },
    /// Of two settings that only work together one is missing.
    #[error("{given_at}: {given} is set and {missing} is not: set both, or neither")]
    Incomplete {
        /// The one that is there.
        given: &'static str,
        /// Where it came from.
        given_at: Origin,
        /// The one that is not.
        missing: &'static str,
    },
    /// A setting is above another that bounds it.
    #[error("{lower} ({lower_value}, {lower_at}) is above {upper} ({upper_value}, {upper_at}): change one of them")]
    Order {
        /// The one that should be lower or equal.
        lower: &'static str,
        /// Its value.
        lower_value: String,
        /// Where it came from.
        lower_at: Origin,
        /// The one that bounds it.
        upper: &'static str,
        /// Its value.
        upper_value: String,
        /// Where it came from.
        upper_at: Origin,
    },
    /// Both listeners want the same address.
    #[error(
        "ingest.listen ({ingest_at}) and admin.listen ({admin_at}) are both {address}: give each a port of its own"
    )]
    SameAddress {
        /// The address.
        address: SocketAddr,
        /// Where the first came from.
        ingest_at: Origin,
        /// Where the second came from.
        admin_at: Origin,
    },
    /// A secret of the environment has a form that it cannot have.
    #[error("{name}: {reason}")]
    Secret {
        /// The variable.
        name: &'static str,
        /// What form it has to have; never what was found.
        reason: String,
    },
    /// The master key is given in two ways.
    #[error(
        "{key_file_at}: security.key_file is set and HOOKLOG_MASTER_KEY too: take one of them away, for only one can \
         be the key"
    )]
    TwoMasterKeys {
        /// Where the file was named.
        key_file_at: Origin,
    },
    /// Ingest would take events from the network without asking who sends them.
    #[error(
        "{origin}: ingest.listen is {address}, and outside loopback ingest needs tokens: set ingest.tokens \
         (HOOKLOG_INGEST__TOKENS), or listen on 127.0.0.1"
    )]
    NoTokens {
        /// Where the address came from.
        origin: Origin,
        /// The address.
        address: SocketAddr,
    },
    /// A listener would send secrets over the network in the clear.
    #[error(
        "{origin}: {listener}.listen is {address}, and outside loopback a listener needs TLS: set \
         {listener}.tls.certificate and {listener}.tls.key, or {listener}.insecure = true where the network is trusted"
    )]
    NoTls {
        /// Where the address came from.
        origin: Origin,
        /// `ingest` or `admin`.
        listener: &'static str,
        /// The address.
        address: SocketAddr,
    },
}

/// Something that is probably a mistake, and that hooklog starts with all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A variable begins like ours and is none of ours. Orchestrators inject such names.
    UnknownVariable {
        /// Its name.
        name: String,
        /// The name that is most like it.
        nearest: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVariable { name, nearest } => {
                write!(formatter, "{name} is no setting and has no effect: the nearest one is {nearest}")
            }
        }
    }
}
