//! `hooklog rights preview` and `hooklog rights backtest`: rights tried on one event, and over the past.
//!
//! Nothing is saved. The candidate is the present rights with the flags' changes, or what stands in a file with them.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::super::assignment::read_object;
use super::super::client::{Client, Request};
use super::super::column::{Column, count, show_count, state, text};
use super::super::console::{Format, pretty};
use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::job::{Watch, failed, members, number, word};
use super::super::range::Range;
use super::changes::Changes;
use super::path;
use crate::model::AccountName;
use crate::web::json::merge;

/// Rights to try.
#[derive(Debug, clap::Args)]
struct Candidate {
    /// Try the rights in this file (- for stdin) instead of the present ones; flags win over it
    #[arg(long, value_name = "FILE")]
    rights: Option<String>,
    #[command(flatten)]
    changes: Changes,
}

impl Candidate {
    /// Returns the rights to try; nothing where neither a file nor a flag says any.
    async fn rights(&self, client: &mut Client, account: &AccountName) -> Result<Option<Value>, Failure> {
        let changes = self.changes.members(Map::new())?;
        let mut rights = match &self.rights {
            Some(file) => Value::Object(read_object(file)?),
            None if changes.is_empty() => return Ok(None),
            None => client.send(&Request::get(path(account, ""))).await?,
        };
        merge(&mut rights, Value::Object(changes));
        Ok(Some(rights))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct PreviewArguments {
    /// The account
    account: AccountName,
    /// The event of the log at this offset
    #[arg(long, value_name = "N", required_unless_present = "event", conflicts_with = "event")]
    offset: Option<u64>,
    /// An event of your own: a file (- for stdin) with `type`, `data` and maybe `actor`
    #[arg(long, value_name = "FILE")]
    event: Option<String>,
    #[command(flatten)]
    candidate: Candidate,
}

impl PreviewArguments {
    pub(super) async fn run(self, client: &mut Client, context: &mut Context) -> Result<Exit, Failure> {
        let mut body = Map::new();
        body.extend(self.offset.map(|offset| ("offset".to_owned(), json!(offset))));
        if let Some(file) = &self.event {
            body.insert("event".to_owned(), Value::Object(read_object(file)?));
        }
        let rights = self.candidate.rights(client, &self.account).await?;
        body.extend(rights.map(|rights| ("rights".to_owned(), rights)));
        let request = Request::post(path(&self.account, "/preview"), Value::Object(body));
        let shown = client.send(&request).await?;
        context.console.item(PREVIEW, &shown)?;
        if context.console.format() == Format::Table {
            for side in ["before", "after"] {
                let payload = shown.get(side).filter(|payload| !payload.is_null());
                context.console.line("")?;
                context.console.line(&format!("{side}:"))?;
                context.console.line(&payload.map_or_else(|| "nothing is sent".to_owned(), pretty))?;
            }
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct BacktestArguments {
    /// The account
    account: AccountName,
    #[command(flatten)]
    candidate: Candidate,
    #[command(flatten)]
    range: Range,
    /// Look at this many events at most; without --from or --since, the newest
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    limit: u64,
    /// End with exit code 3 where this would happen (may be repeated)
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Vec<FailOn>,
}

/// What is not to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Anything would be otherwise
    Change,
    /// An event or a field would leave that does not leave now
    Appear,
    /// An event or a field would no longer leave, or not as it came
    Disappear,
    /// Rights could not be applied to an event
    Fault,
}

impl BacktestArguments {
    pub(super) async fn run(self, client: &mut Client, context: &mut Context) -> Result<Exit, Failure> {
        let Some(rights) = self.candidate.rights(client, &self.account).await? else {
            return Err(Failure::usage("say what to try: --type, --field or --default, or --rights FILE"));
        };
        let mut body = Map::from_iter([("rights".to_owned(), rights), ("limit".to_owned(), json!(self.limit))]);
        body.extend(self.range.first(context.now()).map(|first| ("from".to_owned(), first.body())));
        body.extend(self.range.end().map(|end| ("to".to_owned(), end.body())));
        let backtests = format!("/accounts/{}/backtests", self.account);
        let job = client.send(&Request::post(&backtests, Value::Object(body))).await?;
        let id = job.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let path = format!("{backtests}/{id}");
        let watch = Watch { path: &path, words: in_words, when_still: None, ends_with_command: true };
        let job = watch.wait(client, context).await?;
        show(context, &job)?;
        match word(&job, "/state") {
            "completed" => Ok(Exit::answer(!self.fail_on.iter().any(|what| what.happens(&job)))),
            "cancelled" => Ok(Exit::No),
            _ => Err(failed("backtest", &job)),
        }
    }
}

impl FailOn {
    fn happens(self, job: &Value) -> bool {
        let count = |name: &str| number(job, &format!("/counts/{name}"));
        // Of a field that the catalogue does not know it is not told which way it would change.
        let is_unknown = number(job, "/unknownFields") > 0;
        let any_field = |is_so: fn(usize, usize) -> bool| {
            members(job, "/fields").any(|field| is_so(strictness(field, "before"), strictness(field, "after")))
        };
        match self {
            Self::Change => count("changed") + count("appearing") + count("disappearing") > 0,
            Self::Appear => count("appearing") > 0 || is_unknown || any_field(|before, after| after < before),
            Self::Disappear => count("disappearing") > 0 || is_unknown || any_field(|before, after| after > before),
            Self::Fault => count("faults") > 0,
        }
    }
}

/// How much a treatment takes away.
fn strictness(field: &Value, side: &str) -> usize {
    let treatment = field.get(side).and_then(Value::as_str).unwrap_or_default();
    TREATMENTS.iter().position(|known| *known == treatment).unwrap_or(TREATMENTS.len())
}

fn in_words(job: &Value) -> String {
    format!("{} events compared", show_count(number(job, "/counts/compared")))
}

fn show(context: &mut Context, job: &Value) -> Result<(), Failure> {
    context.console.item(BACKTEST, job)?;
    if context.console.format() != Format::Table {
        return Ok(());
    }
    let list = |pointer| members(job, pointer).cloned().collect::<Vec<_>>();
    let samples: Vec<Value> = members(job, "/samples").take(SAMPLES_SHOWN).map(sample).collect();
    for (columns, rows) in [(TYPES, list("/types")), (FIELDS, list("/fields")), (SAMPLES, samples)] {
        if !rows.is_empty() {
            context.console.line("")?;
            context.console.items(columns, &rows)?;
        }
    }
    context.console.flush()?;
    let all = members(job, "/samples").count();
    if all > SAMPLES_SHOWN {
        context.console.note(&format!("{SAMPLES_SHOWN} of {all} samples: -o json has all, `rights preview` shows one"));
    }
    let unknown = number(job, "/unknownFields");
    if unknown > 0 {
        let told = format!("in {} events fields would change that the catalogue does not know", show_count(unknown));
        context.console.note(&told);
    }
    Ok(())
}

/// Writes the fields of a sample in words.
fn sample(sample: &Value) -> Value {
    let fields: Vec<String> = members(sample, "/fields")
        .map(|field| format!("{} {} → {}", word(field, "/path"), word(field, "/before"), word(field, "/after")))
        .collect();
    let mut sample = sample.clone();
    if let Some(members) = sample.as_object_mut() {
        members.insert("fields".to_owned(), Value::from(fields.join(", ")));
    }
    sample
}

const PREVIEW: &[Column] =
    &[text("TYPE", "/type"), state("OUTCOME", "/outcome"), text("FAULT", "/fault"), text("TOUCHED", "/touched")];
const BACKTEST: &[Column] = &[
    text("ID", "/id"),
    state("STATE", "/state"),
    count("FROM", "/from/offset"),
    count("TO", "/to/offset"),
    count("COMPARED", "/counts/compared"),
    count("UNCHANGED", "/counts/unchanged"),
    count("CHANGED", "/counts/changed"),
    count("APPEARING", "/counts/appearing"),
    count("DISAPPEARING", "/counts/disappearing"),
    count("WITHHELD", "/counts/withheld"),
    count("FAULTS", "/counts/faults"),
    text("PROBLEM", "/problem/detail"),
];
const TYPES: &[Column] = &[
    text("TYPE", "/type"),
    count("EVENTS", "/events"),
    count("SENT NOW", "/sentBefore"),
    count("SENT THEN", "/sentAfter"),
    count("CHANGED", "/changed"),
];
const FIELDS: &[Column] =
    &[text("FIELD", "/path"), text("NOW", "/before"), text("THEN", "/after"), count("EVENTS", "/events")];
const SAMPLES: &[Column] = &[
    count("SAMPLE AT", "/offset"),
    text("TYPE", "/type"),
    state("SENT NOW", "/sentBefore"),
    state("SENT THEN", "/sentAfter"),
    text("FIELDS", "/fields"),
];
/// The mildest first.
const TREATMENTS: [&str; 4] = ["keep", "mask", "pseudonymize", "remove"];
/// Samples that people are shown.
const SAMPLES_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::FailOn;

    fn happens(counts: Value, fields: Value, unknown: u64) -> Vec<FailOn> {
        let job = json!({ "counts": counts, "fields": fields, "unknownFields": unknown });
        let all = [FailOn::Change, FailOn::Appear, FailOn::Disappear, FailOn::Fault];
        all.into_iter().filter(|what| what.happens(&job)).collect()
    }

    #[test]
    fn what_would_happen_is_told_by_events_and_by_fields() {
        use FailOn::{Appear, Change, Disappear, Fault};
        let field = |before: &str, after: &str| json!([{ "path": "a", "before": before, "after": after, "events": 1 }]);
        assert_eq!(happens(json!({ "unchanged": 9, "withheld": 3 }), json!([]), 0), []);
        assert_eq!(happens(json!({ "appearing": 1 }), json!([]), 0), [Change, Appear]);
        assert_eq!(happens(json!({ "disappearing": 1 }), json!([]), 0), [Change, Disappear]);
        assert_eq!(happens(json!({ "changed": 1 }), field("remove", "mask"), 0), [Change, Appear]);
        assert_eq!(happens(json!({ "changed": 1 }), field("keep", "pseudonymize"), 0), [Change, Disappear]);
        assert_eq!(happens(json!({ "changed": 1 }), json!([]), 1), [Change, Appear, Disappear]);
        assert_eq!(happens(json!({ "faults": 1 }), json!([]), 0), [Fault]);
    }
}
