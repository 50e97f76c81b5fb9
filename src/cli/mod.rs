//! The commands: what people and scripts type.
//!
//! Not a second way in: a command that speaks of a running hooklog speaks to its API, and can do what its
//! token can do. Data goes to stdout in the format asked for; messages and problem documents go to stderr.
//! A command ends with 0 (done), 1 (failed), 2 (wrong usage or configuration) or 3 (the answer is no).
//!
//! The environment is handed in and never asked for, so that a test can say what is in it.

mod command;

mod context;
mod console;
mod column;
mod exact;
mod exit;
mod explain;
mod problem;

mod address;
mod assignment;
mod range;
mod span;
mod writing;

mod connection;
mod client;
mod http;
mod ingest;
mod job;

mod configuration;
mod serve;
mod demo;
mod config;
mod log;
mod openapi;

mod account;
mod activity;
mod capture;
mod catalog;
mod completions;
mod dead_letter;
mod delivery;
mod endpoint;
mod event;
mod listen;
mod replay;
mod rights;
mod signature;
mod status;
mod token;

pub mod receive;
pub mod simulate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command that the arguments name, and says how the process should end.
///
/// # Shape
/// `arguments` begin with the program's name; `environment` holds every variable whose value is text.
pub fn run(arguments: impl Iterator<Item = OsString>, environment: BTreeMap<String, String>) -> ExitCode {
    command::run(arguments, environment).into()
}
