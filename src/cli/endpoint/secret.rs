//! The signing keys of an endpoint: shown, and rotated with an overlap.
//!
//! Not kept anywhere here: what is shown goes to stdout and nowhere else.

use serde_json::{Map, Value, json};

use crate::cli::address::EndpointAddress;
use crate::cli::assignment::TextOrFile;
use crate::cli::client::{Client, Request};
use crate::cli::column::{Column, text, time};
use crate::cli::console::Format;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::span::Span;
use crate::cli::writing::{Agreement, Rehearsal};

/// Show the signing keys of an endpoint
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog endpoint secret acme/crm
  hooklog endpoint secret acme/crm --bare --scheme v1a
  hooklog receive --secret $(hooklog endpoint secret acme/crm --bare)")]
pub(super) struct Show {
    /// The endpoint
    endpoint: EndpointAddress,
    /// Print the newest secret or public key and nothing else
    #[arg(long)]
    bare: bool,
    /// With --bare: of which scheme, v1 or v1a, where requests are signed with both [default: v1]
    #[arg(long, value_name = "SCHEME", requires = "bare")]
    scheme: Option<String>,
}

/// Make a new signing key; the old one signs too until the overlap ends
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog endpoint rotate acme/crm                    both keys sign for 24 h
  hooklog endpoint rotate acme/crm --overlap 7d
  hooklog endpoint rotate acme/crm --overlap 0 --yes  the old one ends at once: it has leaked
  hooklog endpoint rotate acme/crm --secret @whsec.txt
  hooklog endpoint rotate acme/crm --scheme v1a       where requests are signed with both")]
pub(super) struct Rotate {
    /// The endpoint
    endpoint: EndpointAddress,
    /// How long the old key signs beside the new one; 0 ends it at once [default: 24h]
    #[arg(long, value_name = "SPAN")]
    overlap: Option<Span>,
    /// Whose key, v1 or v1a, where requests are signed with both
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<String>,
    /// Use this secret (whsec_…), this key pair (whsk_…), or what is in @FILE, instead of a new random one
    #[arg(long, value_name = "SECRET")]
    secret: Option<TextOrFile>,
    #[command(flatten)]
    agreement: Agreement,
    #[command(flatten)]
    rehearsal: Rehearsal,
}

impl Show {
    pub(super) async fn run(self, client: &mut Client, context: &mut Context) -> Result<Exit, Failure> {
        let found = client.send(&Request::get(format!("{}/secret", self.endpoint.path()))).await?;
        if self.bare {
            let newest = newest(&found, self.scheme.as_deref());
            let newest = newest.ok_or_else(|| Failure::failed(format!("{} has no such key", self.endpoint)))?;
            context.console.line(newest)?;
            return Ok(Exit::Done);
        }
        print(context, &found)
    }
}

impl Rotate {
    pub(super) async fn run(self, client: &mut Client, context: &mut Context) -> Result<Exit, Failure> {
        let ends_at_once = self.overlap.is_some_and(|overlap| overlap.ms() == 0);
        if ends_at_once && !self.rehearsal.dry_run {
            let what = format!("This ends the present key of {} at once", self.endpoint);
            context.console.confirm(&what, self.agreement.yes)?;
        }
        let mut body = Map::new();
        body.extend(self.overlap.map(|overlap| ("overlapMs".to_owned(), json!(overlap.ms()))));
        body.extend(self.scheme.map(|scheme| ("scheme".to_owned(), Value::from(scheme))));
        if let Some(secret) = &self.secret {
            body.insert("secret".to_owned(), json!(secret.read()?));
        }
        let request = Request::post(format!("{}/secret/rotate", self.endpoint.path()), Value::Object(body));
        self.rehearsal.write(client, context, &request).await?.then(|keys| print(context, &keys))
    }
}

fn print(context: &mut Context, found: &Value) -> Result<Exit, Failure> {
    match (context.console.format(), found.get("keys").and_then(Value::as_array)) {
        (Format::Table | Format::Csv | Format::Ndjson, Some(keys)) => context.console.items(KEYS, keys)?,
        (Format::Table | Format::Csv | Format::Ndjson | Format::Json, _) => context.console.item(KEYS, found)?,
    }
    Ok(Exit::Done)
}

/// Finds the key that no newer one is about to replace: of this scheme, or of `v1` before `v1a`.
fn newest<'a>(found: &'a Value, scheme: Option<&str>) -> Option<&'a str> {
    let text = |key: &'a Value, name: &str| key.get(name).and_then(Value::as_str);
    let keys = found.get("keys")?.as_array()?.iter();
    let keys = keys.filter(|key| scheme.is_none() || text(key, "scheme") == scheme);
    let rank = |key: &&'a Value| {
        let ends = key.get("validUntil").is_some_and(|until| !until.is_null());
        (text(key, "scheme") == Some("v1"), !ends, text(key, "createdAt"))
    };
    let newest = keys.max_by(|one, other| rank(one).cmp(&rank(other)))?;
    text(newest, "secret").or_else(|| text(newest, "publicKey"))
}

const KEYS: &[Column] = &[
    text("ID", "/id"),
    text("SCHEME", "/scheme"),
    text("SECRET", "/secret"),
    text("PUBLIC KEY", "/publicKey"),
    time("CREATED", "/createdAt"),
    time("VALID UNTIL", "/validUntil"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::newest;

    #[test]
    fn the_newest_secret_is_the_one_that_does_not_end() {
        let keys = json!({"keys": [
            {"id": "b", "scheme": "v1", "secret": "whsec_new", "createdAt": "2026-03-02T00:00:00.000Z", "validUntil": null},
            {"id": "a", "scheme": "v1", "secret": "whsec_old", "createdAt": "2026-03-02T00:00:00.000Z",
                "validUntil": "2026-03-03T00:00:00.000Z"},
            {"id": "c", "scheme": "v1a", "publicKey": "whpk_x", "createdAt": "2026-03-03T00:00:00.000Z"}]});
        assert_eq!(newest(&keys, None), Some("whsec_new"));
        assert_eq!(newest(&keys, Some("v1a")), Some("whpk_x"));
        assert_eq!(newest(&json!({"keys": []}), None), None);
        let public = json!({"keys": [{"scheme": "v1a", "publicKey": "whpk_x"}]});
        assert_eq!((newest(&public, None), newest(&public, Some("v1"))), (Some("whpk_x"), None));
    }
}
