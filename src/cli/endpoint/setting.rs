//! The settings of an endpoint as flags: for `endpoint set`, and for a test of what is not saved yet.
//!
//! Not checked here beyond their form: the server says which member is wrong. A secret may be written
//! `@FILE`, because everybody on a machine sees a command line.

use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::cli::account::{Document, Setting, choice, merge, merge_values};
use crate::cli::address::EndpointAddress;
use crate::cli::assignment::{Assignment, TextOrFile};
use crate::cli::client::Client;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::span::Span;
use crate::cli::writing::Rehearsal;
use crate::model::{EndpointName, Timestamp};

/// Create an endpoint or change what is said, leaving the rest as it is
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog endpoint set acme/crm https://crm.example.com/hooks
  hooklog endpoint set acme/crm --auth bearer:@token.txt --timeout 5s
  hooklog endpoint set acme/crm --auth basic:ino:@- < password.txt
  hooklog endpoint set acme/crm --type 'call.*' --type agent.logged_in
  hooklog endpoint set acme/crm --header x-team=north --no-header x-old
  hooklog endpoint set acme/screens https://s.example.com/ --start-at earliest --max-age-of 'call.*=30s'
  hooklog endpoint set acme/crm --order strict --max-in-flight 1 --dry-run")]
pub(super) struct Set {
    /// The endpoint
    endpoint: EndpointAddress,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    document: Document,
    #[command(flatten)]
    rehearsal: Rehearsal,
}

/// What can be said of an endpoint.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// Where to send to (--url is where hooklog itself is)
    #[arg(value_name = "URL")]
    target: Option<String>,
    /// Send to it
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Do not send to it; events wait
    #[arg(long)]
    disabled: bool,
    /// How to show who we are: none, basic:USER:PASSWORD, bearer:TOKEN, header:NAME:VALUE or certificate:@CERT:@KEY
    /// (without :@KEY the key stays); @FILE for a secret
    #[arg(long, value_name = "HOW")]
    auth: Option<Auth>,
    /// Show this certificate in the TLS handshake, beside the basic, bearer or header of --auth: a PEM file, as @FILE
    #[arg(long, value_name = "@FILE", requires = "auth")]
    client_certificate: Option<TextOrFile>,
    /// Its private key: a PEM file, as @FILE; the one that is kept where left out
    #[arg(long, value_name = "@FILE", requires = "client_certificate")]
    client_key: Option<TextOrFile>,
    /// How to sign, as Standard Webhooks has it: v1 (HMAC-SHA256), v1a (Ed25519), both or none
    #[arg(long, value_name = "SCHEME")]
    signing: Option<String>,
    /// What keeps its order: by_key (each interaction), strict (all) or none
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
    /// What the body looks like: envelope (the whole event), standard, data (what INO posted) or cloudevents
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Ask for this type only; call.* for a family (may be repeated; takes the place of those before)
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "all_types")]
    types: Vec<String>,
    /// Ask for every type that the account receives
    #[arg(long)]
    all_types: bool,
    /// How many requests may be under way at once
    #[arg(long, value_name = "N")]
    max_in_flight: Option<u64>,
    /// How many requests it is sent a second, spaced evenly; any for no such limit
    #[arg(long, value_name = "N")]
    rate_per_second: Option<OrAny<u64>>,
    /// How long the receiver may take to answer, such as 15s
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,
    /// Do not send what is older than this when its turn comes, such as 10m; any for no such limit
    #[arg(long, value_name = "SPAN")]
    max_age: Option<OrAny<Span>>,
    /// The same for a type or a family (may be repeated), such as call.*=30s
    #[arg(long = "max-age-of", value_name = "TYPE=SPAN")]
    max_ages: Vec<Assignment>,
    /// Name this type no more (may be repeated)
    #[arg(long = "no-max-age-of", value_name = "TYPE")]
    removed_max_ages: Vec<String>,
    /// What becomes of an event that a filter does not answer for: hold (its lane waits) or dead_letter
    #[arg(long, value_name = "WHAT")]
    on_filter_error: Option<String>,
    /// Where it goes on when it is switched on again and much waits: cursor (send all of it) or now (skip it)
    #[arg(long, value_name = "WHERE", requires = "enabled")]
    resume_from: Option<String>,
    /// Where a new endpoint begins: now, earliest, an offset, an instant, or another endpoint's name
    #[arg(long, value_name = "WHERE")]
    start_at: Option<StartAt>,
    /// Send this header with every request (may be repeated)
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<Assignment>,
    /// Send this header no more (may be repeated)
    #[arg(long = "no-header", value_name = "NAME")]
    removed_headers: Vec<String>,
}

/// How an endpoint is told who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Auth {
    None,
    Basic { username: String, password: TextOrFile },
    Bearer { token: TextOrFile },
    Header { name: String, value: TextOrFile },
    Certificate { certificate: TextOrFile, key: Option<TextOrFile> },
}

impl FromStr for Auth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let secret = |text: &str| text.parse::<TextOrFile>().unwrap_or_else(|never| match never {});
        let pair = |rest: &str| {
            let (name, value) = rest.split_once(':')?;
            (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), secret(value)))
        };
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let auth = match kind {
            "none" if rest.is_empty() => Some(Self::None),
            "basic" => pair(rest).map(|(username, password)| Self::Basic { username, password }),
            "bearer" if !rest.is_empty() => Some(Self::Bearer { token: secret(rest) }),
            "header" => pair(rest).map(|(name, value)| Self::Header { name, value }),
            "certificate" if !rest.is_empty() => {
                let (certificate, key) = rest.split_once(":@").map_or((rest, None), |(own, key)| (own, Some(key)));
                let key = key.map(|key| secret(&format!("@{key}")));
                Some(Self::Certificate { certificate: secret(certificate), key })
            }
            _ => None,
        };
        auth.ok_or_else(|| {
            "expected none, basic:USER:PASSWORD, bearer:TOKEN, header:NAME:VALUE or certificate:@CERT:@KEY (@FILE for \
             the secret)"
                .to_owned()
        })
    }
}

impl Auth {
    fn body(&self) -> Result<Value, Failure> {
        Ok(match self {
            Self::None => json!({"type": "none"}),
            Self::Basic { username, password } => {
                json!({"type": "basic", "username": username, "password": password.read()?})
            }
            Self::Bearer { token } => json!({"type": "bearer", "token": token.read()?}),
            Self::Header { name, value } => json!({"type": "header", "name": name, "value": value.read()?}),
            Self::Certificate { certificate, key } => {
                let mut auth = Map::from_iter([
                    ("type".to_owned(), json!("certificate")),
                    ("certificate".to_owned(), json!(certificate.read()?)),
                ]);
                if let Some(key) = key {
                    auth.insert("key".to_owned(), json!(key.read()?));
                }
                Value::Object(auth)
            }
        })
    }
}

/// A limit, or none where the word is `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OrAny<T>(Option<T>);

impl<T: FromStr> FromStr for OrAny<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "any" { Ok(Self(None)) } else { text.parse().map(|limit| Self(Some(limit))) }
    }
}

/// Where a new endpoint begins, as the API reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StartAt(pub(super) Value);

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if ["now", "earliest"].contains(&text) {
            return Ok(Self(json!(text)));
        }
        if let Ok(offset) = text.parse::<u64>() {
            return Ok(Self(json!({ "offset": offset })));
        }
        if Timestamp::parse(text).is_ok() {
            return Ok(Self(json!({ "time": text })));
        }
        let name = EndpointName::parse(text)
            .map_err(|_| "expected now, earliest, an offset, an instant or the name of another endpoint".to_owned())?;
        Ok(Self(json!({ "endpoint": name })))
    }
}

/// Reads how old events of single types may be.
fn ages(said: &[Assignment]) -> Result<Vec<(String, Value)>, Failure> {
    let read = |said: &Assignment| {
        let span: Span =
            said.value.parse().map_err(|wrong| Failure::usage(format!("--max-age-of {}: {wrong}", said.name)))?;
        Ok((said.name.clone(), Value::from(span.ms())))
    };
    said.iter().map(read).collect()
}

impl Settings {
    /// The types to ask for; none where that is all.
    fn asked_types(&self) -> Option<&[String]> {
        (!self.types.is_empty()).then_some(self.types.as_slice())
    }

    /// Returns what was said of how to show who we are, a certificate beside it included.
    fn auth(&self) -> Result<Option<Value>, Failure> {
        let auth = self.auth.as_ref().map(Auth::body).transpose()?;
        let Some(certificate) = &self.client_certificate else { return Ok(auth) };
        if !matches!(self.auth, Some(Auth::Basic { .. } | Auth::Bearer { .. } | Auth::Header { .. })) {
            let problem =
                "--client-certificate goes beside --auth basic, bearer or header; alone it is --auth certificate";
            return Err(Failure::usage(problem));
        }
        let mut beside = Map::from_iter([("certificate".to_owned(), json!(certificate.read()?))]);
        if let Some(key) = &self.client_key {
            beside.insert("key".to_owned(), json!(key.read()?));
        }
        let mut auth = auth.unwrap_or_default();
        if let Some(auth) = auth.as_object_mut() {
            auth.insert("certificate".to_owned(), Value::Object(beside));
        }
        Ok(Some(auth))
    }

    /// Returns what was said, as members of the API.
    pub(super) fn members(&self) -> Result<Map<String, Value>, Failure> {
        let said = [
            ("url", self.target.clone().map(Value::from)),
            ("enabled", choice(self.enabled, self.disabled).map(Value::from)),
            ("auth", self.auth()?),
            ("signing", self.signing.clone().map(Value::from)),
            ("order", self.order.clone().map(Value::from)),
            ("format", self.format.clone().map(Value::from)),
            ("types", (self.all_types || !self.types.is_empty()).then(|| json!(self.asked_types()))),
            ("maxInFlight", self.max_in_flight.map(Value::from)),
            ("ratePerSecond", self.rate_per_second.map(|OrAny(rate)| json!(rate))),
            ("timeoutMs", self.timeout.map(|span| Value::from(span.ms()))),
            ("maxAgeMs", self.max_age.map(|OrAny(span)| json!(span.map(|span| span.ms())))),
            ("maxAgeByType", merge_values(ages(&self.max_ages)?.into_iter(), &self.removed_max_ages)),
            ("onFilterError", self.on_filter_error.clone().map(Value::from)),
            ("resumeFrom", self.resume_from.clone().map(Value::from)),
            ("startAt", self.start_at.as_ref().map(|StartAt(place)| place.clone())),
            ("headers", merge(&self.headers, &self.removed_headers)),
        ];
        Ok(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}

impl Set {
    pub(super) async fn run(self, client: &mut Client, context: &mut Context) -> Result<Exit, Failure> {
        let mut members = self.document.read()?;
        members.extend(self.settings.members()?);
        let setting = Setting { path: self.endpoint.path(), members, absent: "endpoint_not_found" };
        let written = self.document.write(client, context, &setting, self.rehearsal).await?;
        written.then(|endpoint| {
            context.console.item(super::WHOLE, &endpoint)?;
            for warning in endpoint.get("warnings").and_then(Value::as_array).into_iter().flatten() {
                let detail = warning.get("detail").and_then(Value::as_str).unwrap_or_default();
                context.console.warn(&format!("it is saved, but at present {detail}"));
            }
            Ok(Exit::Done)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Auth;

    fn check(text: &str, expected: Option<serde_json::Value>) {
        assert_eq!(text.parse::<Auth>().ok().map(|auth| auth.body().unwrap()), expected, "{text}");
    }

    #[test]
    fn authentication_is_one_argument() {
        check("none", Some(json!({"type": "none"})));
        check("basic:ino:a:b", Some(json!({"type": "basic", "username": "ino", "password": "a:b"})));
        check("bearer:a:b", Some(json!({"type": "bearer", "token": "a:b"})));
        check("header:x-key:a:b", Some(json!({"type": "header", "name": "x-key", "value": "a:b"})));
        for bad in [
            "",
            "none:x",
            "basic",
            "basic:ino",
            "basic::x",
            "basic:ino:",
            "bearer",
            "bearer:",
            "header:x",
            "digest:a:b",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn its_secret_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        check(&format!("bearer:@{}", path.display()), Some(json!({"type": "bearer", "token": "s3cret"})));
    }
}
