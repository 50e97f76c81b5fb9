//! `hooklog status`: one screen that says whether all is well, and what to do where it is not.

use serde_json::Value;

use super::client::{Client, Request};
use super::column::{Column, bytes, count, state, text, time};
use super::connection::ConnectionArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::problem::hint;

/// Say whether everything is well, or what is not and what to do about it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog status
  hooklog status -o json | jq .problems
  hooklog status || echo 'look at it'        exit code 3 where there are problems")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        let status = client.send(&Request::get("/status")).await?;
        let problems = status.get("problems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        context.console.item(COLUMNS, &status)?;
        if context.console.format() == Format::Table {
            context.console.line("")?;
            for line in verdict(problems) {
                context.console.line(&super::console::plain(&line))?;
            }
            if let Some(still) = standing_still(&status) {
                context.console.line(&still)?;
            }
        }
        Ok(Exit::answer(problems.is_empty()))
    }
}

/// Says that all is well, or each problem with the next command.
fn verdict(problems: &[Value]) -> Vec<String> {
    if problems.is_empty() {
        return vec!["All is well.".to_owned()];
    }
    let mut lines =
        vec![if problems.len() == 1 { "1 problem:".to_owned() } else { format!("{} problems:", problems.len()) }];
    for problem in problems {
        let member = |name| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let code = member("code").unwrap_or_default();
        lines.push(format!("- {}", member("title").or_else(|| problem.as_str()).unwrap_or(code)));
        lines.extend(member("detail").map(|detail| format!("  {detail}")));
        let address = match (member("account"), member("endpoint")) {
            (Some(account), Some(endpoint)) => Some(format!("hooklog endpoint status {account}/{endpoint}")),
            (Some(account), None) => Some(format!("hooklog endpoint list {account}")),
            (None, _) => None,
        };
        let next = member("next")
            .map(str::to_owned)
            .or(address)
            .or_else(|| hint(code, 0).filter(|next| *next != HERE).map(str::to_owned));
        lines.extend(next.map(|next| format!("  next: {next}")));
    }
    lines
}

/// Tells of endpoints that somebody has stopped: as it should be, but their events wait, and age.
fn standing_still(status: &Value) -> Option<String> {
    let count = |state: &str| status.pointer(&format!("/endpoints/{state}")).and_then(Value::as_u64).unwrap_or(0);
    let (paused, disabled) = (count("paused"), count("disabled"));
    (paused + disabled > 0).then(|| {
        format!(
            "{paused} endpoints are paused and {disabled} switched off; what waits: hooklog endpoint list --sort lag"
        )
    })
}

/// The command that is just running is no advice.
const HERE: &str = "hooklog status";
pub(super) const COLUMNS: &[Column] = &[
    state("STATE", "/state"),
    count("HEAD", "/head"),
    count("OLDEST", "/oldest"),
    time("OLDEST AT", "/oldestAt"),
    bytes("LOG SIZE", "/bytes"),
    bytes("DISK FREE", "/disk/freeBytes"),
    bytes("DISK RESERVE", "/disk/reserveBytes"),
    count("ACCOUNTS", "/accounts"),
    text("ENDPOINTS", "/endpoints"),
    text("VERSIONS", "/versions"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{standing_still, verdict};

    #[test]
    fn what_stands_still_is_told_though_it_is_no_problem() {
        assert_eq!(standing_still(&json!({"endpoints": {"live": 3}})), None);
        let told = standing_still(&json!({"endpoints": {"live": 3, "paused": 1}})).unwrap();
        assert!(told.starts_with("1 endpoints are paused and 0 switched off"), "{told}");
    }

    #[test]
    fn a_problem_names_the_next_command() {
        assert_eq!(verdict(&[]), ["All is well."]);
        let problems = [
            json!({"code": "endpoint_in_trouble", "title": "An endpoint does not answer", "detail": "connection_refused",
                "account": "acme", "endpoint": "crm"}),
            json!({"code": "disk_full", "title": "The disk is nearly full"}),
            json!("said in one sentence"),
        ];
        assert_eq!(
            verdict(&problems),
            [
                "3 problems:",
                "- An endpoint does not answer",
                "  connection_refused",
                "  next: hooklog endpoint status acme/crm",
                "- The disk is nearly full",
                "- said in one sentence",
            ]
        );
    }
}
