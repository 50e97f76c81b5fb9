//! The Test: one request to a receiver, with settings that may not be saved, told stage by stage.
//!
//! Not a delivery. What it sends and how it is watched is delivery's; here is who may ask, and with which settings.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Read;
use super::body::Optional;
use super::call::Call;
use super::delivering::{AttemptRecord, InvalidRoute, TestError, TestReport, TestRequest};
use super::endpoint::Shown;
use super::failure::{invalid, of_log, ours};
use super::query::{List, Page};
use super::sent_request::SentRequest;
use crate::accounts::{Endpoint, EndpointDraft, Rehearsal};
use crate::model::{AccountName, Attempt, EndpointId, EndpointName, EventType, Permission};
use crate::web::json::from_value;
use crate::web::{Code, Input, Problem};

/// What to test.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EndpointTest")]
pub(super) struct Request {
    /// Settings that are not saved; of a saved endpoint only those that differ.
    #[serde(default)]
    #[schemars(with = "Option<EndpointDraft>")]
    endpoint: Option<Value>,
    /// The type of the event that is sent; `webhook.test` where it is left out.
    #[serde(default, rename = "type")]
    event_type: Option<EventType>,
}

impl Input for Request {
    const ADDED_ON_READING: &'static [&'static str] = &[];
}

/// A test of an endpoint.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PastEndpointTest")]
pub(super) struct View {
    /// Which test of the endpoint it was, from 1.
    number: Attempt,
    /// Whether the receiver took it.
    ok: bool,
    #[serde(flatten)]
    request: SentRequest,
}

impl View {
    fn of(number: Attempt, record: &AttemptRecord) -> Self {
        Self { number, ok: record.error.is_none(), request: SentRequest::of(record) }
    }
}

pub(super) async fn of_account(call: Call, Optional(request): Optional<Request>) -> Result<Read<TestReport>, Problem> {
    let account = call.account()?;
    let Some(settings) = request.endpoint else {
        return Err(invalid("/endpoint", "is required: the settings to test"));
    };
    let name = EndpointName::parse(UNSAVED).map_err(|error| ours(&error))?;
    let draft = from_value(settings).map_err(below)?;
    let rehearsal = call.api.accounts.rehearse(None, &draft, call.now(), call.also_may(Permission::Secrets));
    let rehearsal = rehearsal.map_err(|error| below(call.refused(error)))?;
    run(&call, account.name.clone(), name, rehearsal, request.event_type, None).await
}

pub(super) async fn of_endpoint(call: Call, Optional(request): Optional<Request>) -> Result<Read<TestReport>, Problem> {
    let endpoint = call.endpoint()?;
    let rehearsal = match request.endpoint {
        None => {
            let saved = call.api.accounts.rehearse_saved(&endpoint, call.now());
            saved.map_err(|error| call.refused(error))?
        }
        Some(change) => unsaved(&call, &endpoint, change).map_err(below)?,
    };
    let (account, name) = (endpoint.account_name.clone(), endpoint.name.clone());
    run(&call, account, name, rehearsal, request.event_type, Some(endpoint.id)).await
}

pub(super) async fn list(call: Call, (page,): (Page,)) -> Result<Read<List<View>>, Problem> {
    let endpoint = call.endpoint()?.id;
    let before = page.read_after(|after| after.parse().ok().map(Attempt))?.unwrap_or(Attempt(u32::MAX));
    let limit = page.limit() + 1;
    let rows = call.look_up(move |log| log.tests(endpoint, before, limit).map_err(of_log)).await?;
    let view = |(number, row)| {
        AttemptRecord::decode(row).map(|record| View::of(number, &record)).map_err(|error| ours(&error))
    };
    let items = rows.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Read(List::cut(items, page.limit(), |last: &View| last.number.0.to_string())))
}

/// Makes ready what a saved endpoint would be after a change.
fn unsaved(call: &Call, endpoint: &std::sync::Arc<Endpoint>, change: Value) -> Result<Rehearsal, Problem> {
    let draft: EndpointDraft = from_value(Shown::of(&call.api.accounts, &endpoint.settings.value).changed(change)?)?;
    let may_move_secrets = call.also_may(Permission::Secrets);
    let rehearsal = call.api.accounts.rehearse(Some(endpoint), &draft, call.now(), may_move_secrets);
    rehearsal.map_err(|error| call.refused(error))
}

async fn run(
    call: &Call,
    account: AccountName,
    endpoint: EndpointName,
    rehearsal: Rehearsal,
    event_type: Option<EventType>,
    of: Option<EndpointId>,
) -> Result<Read<TestReport>, Problem> {
    let event_type = match event_type {
        Some(event_type) => event_type,
        None => EventType::parse(TEST_TYPE).map_err(|error| ours(&error))?,
    };
    let request = TestRequest { account, endpoint, rehearsal, event_type };
    call.api.deliver.test(request, of).await.map(Read).map_err(|error| match &error {
        TestError::Busy => Problem::new(Code::RateLimited).detail(error.to_string()),
        TestError::Route(InvalidRoute::Header { name }) => {
            invalid("/headers", &format!("the header {name:?} cannot be sent"))
        }
        TestError::Route(InvalidRoute::Path) => invalid("/url", "HTTP cannot write this path"),
    })
}

fn below(problem: Problem) -> Problem {
    problem.below("/endpoint")
}

const TEST_TYPE: &str = "webhook.test";
/// What a receiver is told of settings that belong to no endpoint yet.
const UNSAVED: &str = "unsaved";
