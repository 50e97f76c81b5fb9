//! What both listeners stand on: sockets, TLS, limits, tokens, problem documents.
//!
//! Not the routes: `ingest` and `api` have those. The promises: a peer can only ever take up its own connection, for
//! a bounded time and a bounded number of bytes; every answer carries a request id; every failure, the HTTP
//! machine's own refusals too, is a problem document with a code that has a page.
//!
//! ```text
//! socket ─▶ connection ─▶ service ─▶ Ok(response) ──────────▶ answer ─▶ socket
//!             request id    │  read_body, Json, Query, bearer   ▲
//!                           └─▶ Err(Problem) ───────────────────┘
//! ```

pub mod json;
pub mod respond;

mod codes;
mod pages;
mod problem;
mod request_id;

mod bearer;
mod body;
mod query;
mod strict_json;

mod answer;
mod connection;
mod progress;
mod server;
mod socket;
mod tls;

#[cfg(test)]
mod tests;

pub use bearer::{AccountToken, Identify, Identity, TokenInfo, authenticate, bearer_token};
pub use body::{BodyLimits, read_body};
pub use codes::Code;
pub use json::{Input, Json, MergePatch};
pub use pages::{CodeDescription, code_descriptions, code_page};
pub use problem::{CONTENT_TYPE_PROBLEM, Document, FieldError, Problem};
pub use query::{Parameters, Query};
pub use request_id::{REQUEST_ID, request_id};
pub use server::{Counts, Error, Handle, Listener, Options, Surroundings, tower};
pub use tls::{TlsConfig, TlsError};
