//! `hooklog token`: what lets programs in.

use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value, json};

use super::client::{Client, Request};
use super::column::{Column, text, time};
use super::connection::ConnectionArguments;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::range::Portion;
use super::span::Span;
use super::writing::{Agreement, Rehearsal};
use crate::model::{AccountName, Permission, Timestamp};

/// List, create and delete API tokens
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog token create acme --name crm-team --permission history --permission replay
  hooklog token list acme
  hooklog token delete tok_01")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List tokens, of an account or of the operator
    #[command(after_help = "Examples:\n  hooklog token list          the operator's\n  hooklog token list acme")]
    List {
        /// The account; without it, the operator's tokens
        account: Option<AccountName>,
        #[command(flatten)]
        portion: Portion,
    },
    /// Create a token; it is shown this once and never again
    #[command(after_help = "Examples:
  hooklog token create acme --name console --permission settings --permission history
  hooklog token create --name deploy --expires-in 90d          an operator's
  hooklog token create acme --name ci --permission all -o json | jq -r .token")]
    Create {
        /// The account it is for; without it, an operator's token
        account: Option<AccountName>,
        /// What people call it
        #[arg(long)]
        name: String,
        /// What it may do (may be repeated); `all` for everything
        #[arg(long = "permission", value_name = "PERMISSION", value_parser = parse_permission)]
        permissions: Vec<Permissions>,
        /// When it ends, an instant
        #[arg(long, value_name = "INSTANT", conflicts_with = "expires_in", value_parser = Timestamp::parse)]
        expires_at: Option<Timestamp>,
        /// When it ends, from now, such as 90d
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<Span>,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    /// Delete a token; who shows it is refused from then on
    #[command(after_help = "Examples:\n  hooklog token delete tok_01\n  hooklog token delete tok_01 --yes")]
    Delete {
        /// The token's id, from `hooklog token list`
        id: String,
        #[command(flatten)]
        agreement: Agreement,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
}

/// One permission, or all.
#[derive(Debug, Clone)]
enum Permissions {
    One(Permission),
    All,
}

fn parse_permission(text: &str) -> Result<Permissions, String> {
    if text == "all" {
        return Ok(Permissions::All);
    }
    let known = Permission::ALL.into_iter().find(|permission| permission.as_str() == text);
    known.map(Permissions::One).ok_or_else(|| {
        let words: Vec<_> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        format!("expected all or one of {}", words.join(", "))
    })
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        match self.verb {
            Verb::List { account, portion } => {
                client.print(context, &Request::get(path(account.as_ref())), &portion, COLUMNS).await?;
                Ok(Exit::Done)
            }
            Verb::Create { account, name, permissions, expires_at, expires_in, rehearsal } => {
                let expires_at = expires_at.or_else(|| expires_in.map(|span| context.now().plus(span.0)));
                let request = Request::post(path(account.as_ref()), body(&name, &permissions, expires_at));
                rehearsal.write(&mut client, context, &request).await?.then(|token| {
                    context.console.item(CREATED, &token)?;
                    context.console.note("keep the token now: it is not shown again");
                    Ok(Exit::Done)
                })
            }
            Verb::Delete { id, agreement, rehearsal } => {
                check_id(&id)?;
                if !rehearsal.dry_run {
                    context.console.confirm(&format!("This deletes the token {id}"), agreement.yes)?;
                }
                let request = Request::new(Method::DELETE, format!("/tokens/{id}"));
                rehearsal.write(&mut client, context, &request).await?.then(|_| {
                    context.console.note(&format!("token {id} is deleted"));
                    Ok(Exit::Done)
                })
            }
        }
    }
}

fn body(name: &str, permissions: &[Permissions], expires_at: Option<Timestamp>) -> Value {
    let mut members = Map::from_iter([("name".to_owned(), json!(name))]);
    if !permissions.is_empty() {
        let each = permissions.iter().flat_map(|permission| match permission {
            Permissions::One(one) => vec![*one],
            Permissions::All => Permission::ALL.to_vec(),
        });
        members.insert("permissions".to_owned(), json!(each.collect::<std::collections::BTreeSet<_>>()));
    }
    members.extend(expires_at.map(|instant| ("expiresAt".to_owned(), json!(instant))));
    Value::Object(members)
}

fn path(account: Option<&AccountName>) -> String {
    account.map_or_else(|| "/tokens".to_owned(), |account| format!("/accounts/{account}/tokens"))
}

/// Sees to it that an id is one segment of a path.
fn check_id(id: &str) -> Result<(), Failure> {
    let is_segment = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_segment { Ok(()) } else { Err(Failure::usage(format!("{id:?} is no token's id; see hooklog token list"))) }
}

const COLUMNS: &[Column] = &[
    text("ID", "/id"),
    text("NAME", "/name"),
    text("PERMISSIONS", "/permissions"),
    time("EXPIRES", "/expiresAt"),
    time("CREATED", "/createdAt"),
    text("BY", "/createdBy"),
];
const CREATED: &[Column] = &[
    text("TOKEN", "/token"),
    text("ID", "/id"),
    text("NAME", "/name"),
    text("PERMISSIONS", "/permissions"),
    time("EXPIRES", "/expiresAt"),
];

#[cfg(test)]
mod tests {
    use crate::model::Timestamp;

    use super::{body, check_id, parse_permission};

    #[test]
    fn permissions_are_each_named_once_and_all_is_all() {
        let of = |words: &[&str]| words.iter().map(|word| parse_permission(word).unwrap()).collect::<Vec<_>>();
        assert_eq!(body("x", &[], None).to_string(), r#"{"name":"x"}"#);
        let two = body("x", &of(&["replay", "history", "replay"]), Some(Timestamp(0)));
        assert_eq!(two["permissions"], serde_json::json!(["history", "replay"]));
        assert_eq!(two["expiresAt"], "1970-01-01T00:00:00.000Z");
        assert_eq!(body("x", &of(&["all"]), None)["permissions"].as_array().unwrap().len(), 11);
        assert!(parse_permission("everything").unwrap_err().contains("history"));
    }

    #[test]
    fn an_id_cannot_lead_to_another_path() {
        assert!(check_id("tok_01-a").is_ok());
        for bad in ["", "..", "a/b", "a?b", "a%2fb"] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
