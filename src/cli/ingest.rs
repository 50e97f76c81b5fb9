//! Speaks to the ingest listener: posts events and hooks, and says what became of them.
//!
//! Not a retry policy: whoever sends decides what a 503 means. Used by `event send` and `simulate`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Uri};
use http_body_util::Full;
use url::Url;

use crate::runtime::Tasks;

use super::client::{AGENT, bearer};
use super::connection::{read_token, url_of, variable};
use super::exit::Failure;
use super::http::{Answer, Error, Http};

/// Where events are posted to.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct IngestArguments {
    /// Where the ingest listener is [or HOOKLOG_INGEST_URL; default: http://127.0.0.1:7070]
    #[arg(long, value_name = "URL")]
    ingest: Option<Url>,
    /// A file with an ingest token [or the token itself in HOOKLOG_INGEST_TOKEN]; not needed on the same machine
    #[arg(long, value_name = "FILE")]
    ingest_token_file: Option<PathBuf>,
}

impl IngestArguments {
    /// Finds out where the listener is and what to show.
    ///
    /// # Errors
    /// `Usage` where a value has a wrong form or a file that was named cannot be read.
    pub(crate) fn resolve(&self, environment: &BTreeMap<String, String>) -> Result<Listener, Failure> {
        let url = url_of(self.ingest.as_ref(), environment, "HOOKLOG_INGEST_URL", URL_DEFAULT)?;
        let authorization = match (&self.ingest_token_file, variable(environment, "HOOKLOG_INGEST_TOKEN")) {
            (Some(path), _) => Some(bearer(&read_token(path)?)?),
            (None, Some(token)) => Some(bearer(token)?),
            (None, None) => None,
        };
        Ok(Listener { url, authorization })
    }
}

/// Where the ingest listener is, and what to show it.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) url: Url,
    pub(crate) authorization: Option<HeaderValue>,
}

const URL_DEFAULT: &str = "http://127.0.0.1:7070";

/// A connection to the ingest listener.
pub(crate) struct Ingest {
    http: Http,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// One event or an array of them, or a hook.
    Json,
    /// One event a line.
    Ndjson,
}

impl Ingest {
    /// Makes a connection; it is opened when the first request is sent.
    ///
    /// # Errors
    /// `Usage` where the URL leads nowhere.
    pub(crate) fn new(url: &Url, authorization: Option<HeaderValue>, tasks: Tasks) -> Result<Self, Failure> {
        let http = Http::new(url, tasks).map_err(Failure::Usage)?;
        let host = HeaderValue::try_from(http.authority())
            .map_err(|_| Failure::usage(format!("{url} names a host that cannot be asked for")))?;
        Ok(Self { http, host, authorization })
    }

    /// Makes the target of posts to a path.
    pub(crate) fn target(&self, path: &str) -> Result<Uri, Failure> {
        self.http.target(path).map_err(Failure::Usage)
    }

    /// Returns where the listener is, for messages.
    pub(crate) fn at(&self) -> String {
        self.http.at()
    }

    /// Posts a body.
    ///
    /// # Errors
    /// Where there is no answer. It is then not known whether the events were taken: posting them again
    /// with the same ids is always right.
    pub(crate) async fn post(&mut self, target: &Uri, media: Media, body: Bytes) -> Result<Answer, Error> {
        let content_type = match media {
            Media::Json => HeaderValue::from_static("application/json"),
            Media::Ndjson => HeaderValue::from_static("application/x-ndjson"),
        };
        let mut request = http::Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(CONTENT_TYPE, content_type);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.http.send(request, ANSWER_WITHIN).await
    }
}

/// Reads how long a server asks to wait, in seconds; a date is not what hooklog sends.
pub(crate) fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// INO gives up after a few seconds; a disk that stalls may take longer and still answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_variable_and_that_over_this_machine() {
        let find = |flag: Option<&str>, variables: &[(&str, &str)]| {
            let arguments =
                IngestArguments { ingest: flag.map(|url| Url::parse(url).unwrap()), ingest_token_file: None };
            let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            arguments.resolve(&environment)
        };
        let there = [("HOOKLOG_INGEST_URL", "http://ino.example:7070"), ("HOOKLOG_INGEST_TOKEN", "s3cret")];
        let found = find(Some("http://flag.example/"), &there).unwrap();
        assert_eq!(found.url.as_str(), "http://flag.example/");
        let found = find(None, &there).unwrap();
        assert_eq!(found.url.as_str(), "http://ino.example:7070/");
        assert_eq!(found.authorization.unwrap().to_str().unwrap(), "Bearer s3cret");
        let found = find(None, &[("HOOKLOG_INGEST_URL", " ")]).unwrap();
        assert_eq!((found.url.as_str(), found.authorization), ("http://127.0.0.1:7070/", None));
        let refused = find(None, &[("HOOKLOG_INGEST_URL", "not a url")]);
        assert!(
            matches!(&refused, Err(Failure::Usage(words)) if words.starts_with("HOOKLOG_INGEST_URL")),
            "{refused:?}"
        );
    }
}
