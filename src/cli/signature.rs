//! `hooklog signature`: verify a request that arrived, or sign one, and say what is wrong.
//!
//! Not the arithmetic. Keys come from flags, or from the server where an endpoint is named; where a delivery is named
//! the server is asked for the hash of the body it sent, so that another key and another body can be told apart.

use std::str::FromStr;

use clap::Subcommand;
use serde_json::{Value, json};

use super::address::{DeliveryAddress, EndpointAddress};
use super::assignment::{TextOrFile, read_input};
use super::client::{Client, Request};
use super::column::{Column, state, text, time};
use super::connection::ConnectionArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::job::{members, word};
use crate::model::{EventId, Timestamp, body_hash};
use crate::runtime::Random;
use crate::security::{Hex, Received, Signer, Unverified, Verifier, sign, verify};

/// Verify the signature of a request that arrived, or sign one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog signature verify body.json -H \"$HEADERS\" --secret whsec_…
  hooklog signature verify body.json -H @headers.txt --delivery acme/crm/41
  hooklog signature sign body.json --secret whsec_… | curl -H @- --data-binary @body.json http://localhost:3000/hooks")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say whether a request is from hooklog and as it was sent; if not, which thing is wrong
    #[command(after_help = "Examples:
  hooklog signature verify body.json -H 'webhook-id: evt_1' -H 'webhook-timestamp: 1772442847' \\
      -H 'webhook-signature: v1,…' --secret whsec_…
  hooklog signature verify body.json -H @headers.txt --secret @whsec.txt --at 2026-03-02T09:14:07Z
  hooklog signature verify body.json -H @headers.txt --endpoint acme/crm       with the keys that it has
  hooklog signature verify body.json -H @headers.txt --delivery acme/crm/41    and with the body that was sent

One signature cannot tell another key from another body; with --delivery both are told apart.
Exit code 3: it cannot be trusted.")]
    Verify(Verify),
    /// Print the three headers of a signed request
    #[command(after_help = "Examples:
  hooklog signature sign body.json --secret whsec_…
  hooklog signature sign - --secret @whsk.txt --id evt_1 --at 2026-03-02T09:14:07Z < body.json")]
    Sign(Sign),
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The body, byte by byte as it arrived; - for stdin
    #[arg(value_name = "FILE")]
    body: String,
    /// A header of the request, NAME: VALUE, several of them a line each, or @FILE (may be repeated)
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<TextOrFile>,
    /// A secret or public key that may have signed it, whsec_…, whpk_… or @FILE, the newest first (may be repeated)
    #[arg(long = "secret", value_name = "KEY")]
    secrets: Vec<TextOrFile>,
    /// Take the keys that this endpoint has
    #[arg(long, value_name = "ACCOUNT/ENDPOINT")]
    endpoint: Option<EndpointAddress>,
    /// Take the keys of its endpoint, and compare the body with what was sent
    #[arg(long, value_name = "ACCOUNT/ENDPOINT/OFFSET", conflicts_with = "endpoint")]
    delivery: Option<DeliveryAddress>,
    /// When it arrived; without it, now
    #[arg(long, value_name = "INSTANT", value_parser = Timestamp::parse)]
    at: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
struct Sign {
    /// The body, byte by byte as it will be sent; - for stdin
    #[arg(value_name = "FILE")]
    body: String,
    /// A secret or key pair to sign with, whsec_…, whsk_… or @FILE (may be repeated)
    #[arg(long = "secret", value_name = "KEY", required = true)]
    secrets: Vec<TextOrFile>,
    /// The id; without it a new one
    #[arg(long)]
    id: Option<EventId>,
    /// When it is sent; without it, now
    #[arg(long, value_name = "INSTANT", value_parser = Timestamp::parse)]
    at: Option<Timestamp>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Verify(verify) => verify.run(&self.connection, context).await,
            Verb::Sign(sign) => sign.run(context),
        }
    }
}

/// A key that may have signed a request, and until when it is used.
struct Key {
    verifier: Verifier,
    valid_until: Option<Timestamp>,
}

/// The headers that a signature is in.
#[derive(Debug, Default)]
struct Headers {
    id: Option<String>,
    timestamp: Option<String>,
    signature: Option<String>,
}

/// What is to be said of a request.
struct Verdict {
    code: &'static str,
    is_trusted: bool,
    detail: String,
    signed_at: Option<Timestamp>,
}

impl Verify {
    async fn run(self, connection: &ConnectionArguments, context: &mut Context) -> Result<Exit, Failure> {
        let body = read_input(&self.body)?;
        let mut headers = Headers::default();
        for text in &self.headers {
            headers.read(&text.read()?)?;
        }
        let mut keys = Vec::new();
        for secret in &self.secrets {
            let verifier = Verifier::parse(secret.read()?.trim());
            let verifier = verifier.map_err(|refusal| Failure::usage(format!("--secret: {refusal}")))?;
            keys.push(Key { verifier, valid_until: None });
        }
        let endpoint = self.endpoint.as_ref().or_else(|| self.delivery.as_ref().map(|delivery| &delivery.endpoint));
        let mut sent = Vec::new();
        if let Some(endpoint) = endpoint {
            let mut client = Client::new(&connection.resolve(&context.environment)?, context.tasks.clone())?;
            keys.extend(keys_of(&mut client, endpoint).await?);
            if let Some(delivery) = &self.delivery {
                sent = hashes_of(&mut client, delivery).await?;
            }
        }
        if keys.is_empty() {
            return Err(Failure::usage("say what to verify with: --secret whsec_…, or --endpoint acme/crm"));
        }
        let now = self.at.unwrap_or_else(|| context.now());
        let verdict = verdict(&headers, &body, &keys, &sent, now);
        let told = json!({ "verdict": verdict.code, "trusted": verdict.is_trusted, "detail": verdict.detail,
            "signedAt": verdict.signed_at });
        context.console.item(VERDICT, &told)?;
        Ok(Exit::answer(verdict.is_trusted))
    }
}

impl Headers {
    /// Takes the headers of some lines in; others than the three are passed over.
    fn read(&mut self, text: &str) -> Result<(), Failure> {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some((name, value)) = line.split_once(':') else {
                // The first line of a request that was copied as a whole.
                if line.contains(" HTTP/") || line.starts_with("HTTP/") {
                    continue;
                }
                return Err(Failure::usage(format!("a header is NAME: VALUE, not {line:?}")));
            };
            let value = Some(value.trim().to_owned());
            match name.trim().to_ascii_lowercase().as_str() {
                "webhook-id" => self.id = value,
                "webhook-timestamp" => self.timestamp = value,
                "webhook-signature" => self.signature = value,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Judges a request. `sent` are the hashes of the bodies that were sent, in hex, where they are known.
fn verdict(headers: &Headers, body: &[u8], keys: &[Key], sent: &[String], now: Timestamp) -> Verdict {
    let received = Received {
        id: headers.id.as_deref(),
        timestamp: headers.timestamp.as_deref(),
        signature: headers.signature.as_deref(),
        body,
    };
    let verifiers: Vec<Verifier> = keys.iter().map(|key| key.verifier.clone()).collect();
    let seconds = headers.timestamp.as_deref().and_then(|text| i64::from_str(text).ok());
    let signed_at = seconds.map(|seconds| Timestamp(seconds.saturating_mul(1000)));
    let refusal = match verify(&received, &verifiers, now) {
        Ok(verified) => {
            let (code, detail) = trusted(keys, verified.key);
            return Verdict { code, is_trusted: true, detail, signed_at };
        }
        Err(refusal) => refusal,
    };
    let code = match &refusal {
        Unverified::MissingHeader { .. } => "missing_header",
        Unverified::MalformedHeader { .. } => "malformed_header",
        Unverified::OtherScheme { .. } => "other_scheme",
        Unverified::NoKey => "no_key",
        Unverified::BodyChanged { .. } => "body_changed",
        Unverified::TooOld { .. } | Unverified::TooNew { .. } => "timestamp",
        Unverified::NoMatch { .. } if sent.is_empty() => "no_match",
        Unverified::NoMatch { .. } if sent.contains(&hash(body)) => "wrong_secret",
        Unverified::NoMatch { .. } => "body_changed",
    };
    let detail = match (code, &refusal) {
        ("wrong_secret", _) => {
            "the body is the one that was sent, and no key that was given has signed it with this id and timestamp: \
             the key is an older one that has ended or another endpoint's, or id or timestamp were changed"
                .to_owned()
        }
        ("body_changed", Unverified::NoMatch { .. }) => {
            format!(
                "the body is another one than was sent: the SHA-256 of {} bytes begins with {}, and {} was sent; verify \
                 the bytes as they arrive, before anything reads them",
                body.len(),
                hash(body),
                sent.join(" or ")
            )
        }
        ("no_match", _) => {
            format!("{refusal}; name the delivery with --delivery ACCOUNT/ENDPOINT/OFFSET to have them told apart")
        }
        _ => refusal.to_string(),
    };
    Verdict { code, is_trusted: false, detail, signed_at }
}

/// Says of a key that fits whether it is the newest.
fn trusted(keys: &[Key], index: usize) -> (&'static str, String) {
    let key = keys.get(index);
    match key.and_then(|key| key.valid_until) {
        Some(until) => {
            ("old_secret", format!("it fits an old key, which hooklog signs with until {until}: use the newest"))
        }
        // Keys of two schemes stand side by side; of one scheme the newest comes first.
        None if index > 0 && key.is_some_and(|key| keys.iter().take(index).any(|newer| is_alike(newer, key))) => {
            ("old_secret", format!("it fits key {} of those that were given, and not the newest", index + 1))
        }
        None => ("verified", "key, id, timestamp and body are right".to_owned()),
    }
}

const fn is_alike(one: &Key, other: &Key) -> bool {
    matches!(
        (&one.verifier, &other.verifier),
        (Verifier::Secret(_), Verifier::Secret(_)) | (Verifier::PublicKey(_), Verifier::PublicKey(_))
    )
}

/// Returns the hash by which the server tells a body.
fn hash(body: &[u8]) -> String {
    Hex(&body_hash(body)).to_string()
}

async fn keys_of(client: &mut Client, endpoint: &EndpointAddress) -> Result<Vec<Key>, Failure> {
    let found = client.send(&Request::get(format!("{}/secret", endpoint.path()))).await?;
    let mut keys = Vec::new();
    for key in members(&found, "/keys") {
        let text = [word(key, "/secret"), word(key, "/publicKey")].into_iter().find(|text| !text.is_empty());
        let verifier = Verifier::parse(text.unwrap_or_default())
            .map_err(|refusal| Failure::failed(format!("the server has a key that cannot be read: {refusal}")))?;
        let valid_until = Timestamp::parse(word(key, "/validUntil")).ok();
        keys.push(Key { verifier, valid_until });
    }
    Ok(keys)
}

/// Returns the hashes of the bodies that were sent in a delivery, each once.
async fn hashes_of(client: &mut Client, delivery: &DeliveryAddress) -> Result<Vec<String>, Failure> {
    let DeliveryAddress { endpoint, offset } = delivery;
    let path = format!("/accounts/{}/deliveries/{}/{offset}", endpoint.account, endpoint.endpoint);
    let found = client.send(&Request::get(path)).await?;
    let mut hashes: Vec<String> =
        members(&found, "/attempts").map(|attempt| word(attempt, "/bodyHash").to_owned()).collect();
    hashes.retain(|hash| !hash.is_empty());
    hashes.sort_unstable();
    hashes.dedup();
    if hashes.is_empty() {
        return Err(Failure::failed(format!("nothing was sent of {delivery} that is on record")));
    }
    Ok(hashes)
}

impl Sign {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let body = read_input(&self.body)?;
        let read = |secret: &TextOrFile| {
            Signer::parse(secret.read()?.trim()).map_err(|refusal| Failure::usage(format!("--secret: {refusal}")))
        };
        let signers = self.secrets.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
        let now = self.at.unwrap_or_else(|| context.now());
        let id = match self.id {
            Some(id) => id,
            None => {
                let mut random = Random::from_machine().map_err(|problem| Failure::Failed(problem.into()))?;
                EventId::made(now, random.bytes())
            }
        };
        let signature = sign(&id, now, &body, &signers);
        let headers = [
            ("webhook-id", id.to_string()),
            ("webhook-timestamp", now.seconds().to_string()),
            ("webhook-signature", signature),
        ];
        match context.console.format() {
            // As curl and other programs read them.
            Format::Table | Format::Csv => {
                for (name, value) in headers {
                    context.console.line(&format!("{name}: {value}"))?;
                }
            }
            Format::Json | Format::Ndjson => {
                let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
                context.console.item(&[], &Value::Object(headers.collect()))?;
            }
        }
        Ok(Exit::Done)
    }
}

const VERDICT: &[Column] = &[
    text("VERDICT", "/verdict"),
    state("TRUSTED", "/trusted"),
    time("SIGNED", "/signedAt"),
    text("DETAIL", "/detail"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::SignatureScheme;

    const BODY: &[u8] = br#"{"n": 1}"#;
    const AT: Timestamp = Timestamp(1_772_442_847_000);

    fn signers() -> [Signer; 2] {
        let mut random = Random::from_seed(7);
        [(); 2].map(|()| Signer::make(SignatureScheme::V1, &mut random))
    }

    /// Judges what the first of two signers has signed, with one thing done to it.
    fn judge(keys: &[Key], sent: &[String], body: &[u8], leave_out: &str, now: Timestamp) -> (&'static str, bool) {
        let [signer, _] = signers();
        let signature = sign(&EventId::parse("evt_1").unwrap(), AT, BODY, &[signer]);
        let lines = format!(
            "POST /hooks HTTP/1.1\nHost: x\nWebhook-Id: evt_1\nwebhook-timestamp: 1772442847\r\nwebhook-signature: {signature}"
        );
        let lines: Vec<&str> = lines.lines().filter(|line| leave_out.is_empty() || !line.contains(leave_out)).collect();
        let mut headers = Headers::default();
        headers.read(&lines.join("\n")).unwrap();
        let verdict = verdict(&headers, body, keys, sent, now);
        (verdict.code, verdict.is_trusted)
    }

    fn key(signer: &Signer) -> Key {
        Key { verifier: Verifier::of(signer), valid_until: None }
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_own_word() {
        let [signer, other] = signers();
        let sent = [hash(BODY)];
        let right = || vec![key(&signer)];
        let late = Timestamp(AT.0 + 3_600_000);
        assert_eq!(judge(&right(), &[], BODY, "", AT), ("verified", true));
        assert_eq!(judge(&[key(&other), key(&signer)], &[], BODY, "", AT), ("old_secret", true));
        let ending = Key { valid_until: Some(late), ..key(&signer) };
        assert_eq!(judge(&[ending], &[], BODY, "", AT), ("old_secret", true));
        assert_eq!(judge(&right(), &[], BODY, "", late), ("timestamp", false));
        assert_eq!(judge(&right(), &[], BODY, "webhook-timestamp", AT), ("missing_header", false));
        assert_eq!(
            judge(&right(), &[], b"{\"n\": 1}\n", "", AT),
            ("body_changed", false),
            "white space is seen at once"
        );
        assert_eq!(judge(&right(), &[], br#"{"n": 2}"#, "", AT), ("no_match", false), "nothing tells these two apart");
        assert_eq!(judge(&right(), &sent, br#"{"n": 2}"#, "", AT), ("body_changed", false));
        assert_eq!(judge(&[key(&other)], &sent, BODY, "", AT), ("wrong_secret", false));
    }

    #[test]
    fn a_line_that_is_no_header_is_refused() {
        assert!(Headers::default().read("webhook-id evt_1").is_err());
    }
}
