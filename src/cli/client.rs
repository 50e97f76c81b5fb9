//! Speaks to the admin API: one request at a time, with a token, and lists page by page.
//!
//! Not typed: what the server answers stays JSON, so that a newer server's members are shown by
//! `-o json` without a newer program. A refusal becomes a [`Failure`] with the server's own words.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH, USER_AGENT};
use http::{HeaderValue, Method};
use http_body_util::Full;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::model::limits::PAGE_ITEMS_MAX;
use crate::runtime::Tasks;

use super::connection::{Connection, is_this_machine};
use super::context::Context;
use super::exact;
use super::exit::Failure;
use super::http::{Error, Http, Lines, Opened};
use super::problem::Problem;
use super::range::Portion;

/// A connection to the admin API.
pub(crate) struct Client {
    http: Http,
    authorization: Option<HeaderValue>,
    is_this_machine: bool,
}

/// One request to the admin API.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    if_match: Option<String>,
}

/// A list, as far as it was asked for.
#[derive(Debug)]
pub(crate) struct List {
    /// The items, in the server's order.
    pub(crate) items: Vec<Value>,
    /// Where to go on, where there is more.
    pub(crate) next: Option<String>,
}

impl Request {
    /// Makes a request to a path below `/api/v1`.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, if_match: None }
    }

    /// Makes a request that reads.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Makes a request that starts something.
    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    /// Adds a body.
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds queries.
    pub(crate) fn query(mut self, query: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.query.extend(query);
        self
    }

    /// Adds a query where there is a value for it.
    pub(crate) fn query_where(self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query(value.map(|value| (name, value.to_string())))
    }

    /// Asks the server to refuse where the thing has changed since this revision.
    pub(crate) fn if_match(mut self, revision: Option<&str>) -> Self {
        // A revision is shown without quotes, an ETag is written with them.
        self.if_match = revision.map(|text| if text.ends_with('"') { text.to_owned() } else { format!("\"{text}\"") });
        self
    }

    /// Writes what would be sent.
    pub(crate) fn rehearsed(&self) -> Value {
        let mut told = json!({"method": self.method.as_str(), "path": self.path_and_query()});
        if let (Some(body), Some(members)) = (&self.body, told.as_object_mut()) {
            members.insert("body".to_owned(), body.clone());
        }
        told
    }

    fn path_and_query(&self) -> String {
        let mut path = format!("{BASE}{}", self.path);
        if !self.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&self.query);
            path.push('?');
            path.push_str(&query.finish());
        }
        path
    }
}

impl Client {
    /// Makes a client; connects when the first request is sent.
    ///
    /// # Errors
    /// `Usage` where the URL leads nowhere or the token cannot be sent.
    pub(crate) fn new(connection: &Connection, tasks: Tasks) -> Result<Self, Failure> {
        let http = Http::new(&connection.url, tasks).map_err(Failure::Usage)?;
        let authorization = connection.token.as_ref().map(|token| bearer(token.expose())).transpose()?;
        Ok(Self { http, authorization, is_this_machine: is_this_machine(&connection.url) })
    }

    /// Sends a request and returns what the server answers, null where it answers nothing.
    ///
    /// # Errors
    /// `Problem` where the server refuses; `Failed` where there is no answer.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<Value, Failure> {
        let message = self.message(request, "application/json, application/problem+json")?;
        let answer = self.http.send(message, ANSWER_WITHIN).await;
        let answer = answer.map_err(|failure| Failure::failed(self.explain(failure)))?;
        if !answer.status.is_success() {
            return Err(Failure::Problem(Problem::read(answer.status.as_u16(), &answer.body)));
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        exact::read(&answer.body).map_err(|reason| {
            let context = format!("{} answered with what is no JSON: is it hooklog's admin API?", self.http.at());
            Failure::Failed(anyhow::Error::from(reason).context(context))
        })
    }

    /// Sends a request whose answer is lines that go on.
    ///
    /// # Errors
    /// Where there is no answer, or a refusal.
    pub(crate) async fn lines(&mut self, request: &Request) -> Result<Lines, NoLines> {
        let message = self.message(request, "application/x-ndjson").map_err(NoLines::Impossible)?;
        match self.http.open(message, ANSWER_WITHIN).await {
            Ok(Opened::Lines(lines)) => Ok(lines),
            Ok(Opened::Refused(answer)) => Err(NoLines::Refused(Problem::read(answer.status.as_u16(), &answer.body))),
            Err(failure) => Err(NoLines::Unreachable(self.explain(failure))),
        }
    }

    fn message(&self, request: &Request, accept: &str) -> Result<http::Request<Full<Bytes>>, Failure> {
        let mut message = http::Request::builder()
            .method(request.method.clone())
            .uri(self.http.target(&request.path_and_query()).map_err(Failure::Usage)?)
            .header(HOST, self.http.authority())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, accept);
        if let Some(authorization) = &self.authorization {
            message = message.header(AUTHORIZATION, authorization);
        }
        if let Some(revision) = &request.if_match {
            message = message.header(IF_MATCH, revision);
        }
        if request.body.is_some() {
            let is_patch = request.method == Method::PATCH;
            message = message
                .header(CONTENT_TYPE, if is_patch { "application/merge-patch+json" } else { "application/json" });
        }
        let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
        message
            .body(Full::new(Bytes::from(body)))
            .map_err(|reason| Failure::Usage(format!("the request cannot be written: {reason}")))
    }

    /// Reads a list, following its cursors as far as wanted.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(crate) async fn list(&mut self, request: &Request, portion: &Portion) -> Result<List, Failure> {
        let mut list = List { items: Vec::new(), next: portion.after.clone() };
        loop {
            let wanted = portion.items_max() - list.items.len();
            let page = request.clone().query([("limit", wanted.clamp(1, PAGE_ITEMS_MAX).to_string())]);
            let mut page = self.send(&page.query_where("after", list.next.as_ref())).await?;
            list.next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => list.items.extend(items.into_iter().take(wanted)),
                _ => return Err(Failure::failed(format!("{} answered a list without items", self.http.at()))),
            }
            if list.next.is_none() || list.items.len() >= portion.items_max() {
                return Ok(list);
            }
        }
    }

    /// Prints a list, and says where there is more.
    ///
    /// # Errors
    /// As [`Client::list`].
    pub(crate) async fn print(
        &mut self,
        context: &mut Context,
        request: &Request,
        portion: &Portion,
        columns: &[super::column::Column],
    ) -> Result<(), Failure> {
        let list = self.list(request, portion).await?;
        context.console.items(columns, &list.items)?;
        if let Some(next) = list.next {
            context.console.flush()?;
            context.console.note(&format!("there is more: say --all, or --after {next}"));
        }
        Ok(())
    }

    /// Adds to a failed request what a person can do about it.
    fn explain(&self, failure: Error) -> String {
        let advice = match (&failure, self.is_this_machine) {
            (Error::Refused { .. }, true) => {
                "is `hooklog serve` running? Start it, or say where it is with --url or HOOKLOG_URL"
            }
            (Error::Refused { .. } | Error::Unreachable { .. }, _) => {
                "is that where the admin API is? See --url and HOOKLOG_URL"
            }
            (Error::Tls { .. }, _) => "is its certificate one that this machine trusts?",
            (Error::Broken { .. } | Error::Slow { .. } | Error::TooLarge { .. }, _) => "is it hooklog's admin API?",
        };
        format!("{:#}; {advice}", anyhow::Error::from(failure))
    }
}

/// Why there are no lines.
pub(crate) enum NoLines {
    /// The request cannot be sent.
    Impossible(Failure),
    /// There is no answer, in a sentence.
    Unreachable(String),
    /// The server refuses.
    Refused(Problem),
}

/// Writes a token as a header.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Failure::usage("the token has characters that no token has: give it whole, as it was shown"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// How this program calls itself.
pub(crate) const AGENT: &str = concat!("hooklog/", env!("CARGO_PKG_VERSION"));
const BASE: &str = "/api/v1";
/// A test of an endpoint answers within 8 s; nothing takes longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
