//! The search form: what became of the events of a stretch, counted, and the first of them one by one.
//!
//! For the question "why did we not get the call of 9:14?", whose answer may be that nothing came from INO. It looks at
//! a bounded number of (event, endpoint) pairs and says where it stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::super::answer::Read;
use super::super::call::Call;
use super::super::delivery::{Outcome, PAIRS_AT_ONCE, PATIENCE, look_at};
use super::super::event::{self, Filter, Head, Taken, read_offset};
use super::super::pairs::Cursor;
use super::super::query::{Direction, Range};
use super::super::stretch::Stretch;
use super::reason::{Code, Reason, Reasons};
use crate::log::Handle;
use crate::model::limits::{PAGE_ITEMS_MAX, PAGE_ROWS_MAX};
use crate::model::{AccountId, EndpointName, Offset};
use crate::web::Problem;

/// What became of the events of a stretch.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StretchExplained")]
pub(in super::super) struct Explained {
    /// How many events were asked for and found.
    events: usize,
    /// The offset from which to ask again, where there was more than one answer looks at; null where that was all.
    next_offset: Option<Offset>,
    /// How many of them came to which end, by endpoint.
    counts: Vec<Count>,
    /// The first 100, one by one.
    items: Vec<Item>,
    /// What there is to say where none was found; null otherwise.
    nothing: Option<Nothing>,
}

/// How many events came to one end.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ExplainedCount")]
struct Count {
    /// At which endpoint.
    endpoint: EndpointName,
    /// What became of them; null where they were never to be sent there, or that is no longer known.
    outcome: Option<Outcome>,
    /// Why.
    code: Code,
    /// How many.
    events: usize,
}

/// An event, and what became of it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ExplainedEvent")]
struct Item {
    #[serde(flatten)]
    event: Head,
    /// Every endpoint of the account, by name.
    endpoints: Vec<AtEndpoint>,
}

/// What became of an event at an endpoint.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ExplainedAtEndpoint")]
struct AtEndpoint {
    /// The endpoint.
    endpoint: EndpointName,
    /// What became of it; null where it was never to be sent there, or that is no longer known.
    outcome: Option<Outcome>,
    /// Why.
    reason: Reason,
}

/// What there is to say where nothing was found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ExplainedNothing")]
struct Nothing {
    /// A stable word.
    code: NothingCode,
    /// The same in a sentence.
    detail: String,
    /// The last event before the stretch, where one is kept.
    before: Option<Head>,
    /// The first event after it.
    after: Option<Head>,
}

/// Why nothing was found, in a word.
#[derive(Debug, Clone, Copy, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NothingCode {
    /// INO posted no event of the account in this time.
    NothingCame,
    /// Events came, but none of this type or key.
    NothingMatched,
}

pub(in super::super) async fn search(call: Call, (filter, range): (Filter, Range)) -> Result<Read<Explained>, Problem> {
    let account = call.account()?;
    let (id, from, to) = (account.id, range.from()?, range.to()?);
    let stretch = call.look_up(move |log| Stretch::resolve(log, id, from, to)).await?;
    let endpoints: Vec<_> = account.endpoints.values().map(Arc::clone).collect();
    let mut search =
        Search { reasons: Reasons::new(&call), patience: PATIENCE, counts: BTreeMap::new(), items: Vec::new() };
    let (mut events, mut after, mut next_offset) = (0, None, None);
    let events_max = PAGE_ROWS_MAX / endpoints.len().max(1);
    loop {
        let limit = PAGE_ITEMS_MAX.min(events_max - events);
        let page = event::search(&call, &filter, stretch, Direction::Oldest, after, limit).await?;
        let heads: Vec<Head> = page.items.iter().map(event::View::head).collect();
        events += heads.len();
        for some in heads.chunks((PAIRS_AT_ONCE / endpoints.len().max(1)).max(1)) {
            search.explain(&call, &endpoints, some).await?;
        }
        after = page.next.as_deref().and_then(read_offset);
        let Some(last) = after else { break };
        if events == events_max {
            next_offset = Some(last.next());
            break;
        }
    }
    let nothing = if events == 0 && next_offset.is_none() {
        Some(call.look_up(move |log| Nothing::read(log, id, stretch)).await?)
    } else {
        None
    };
    let counts =
        search.counts.into_iter().map(|((endpoint, outcome, code), events)| Count { endpoint, outcome, code, events });
    Ok(Read(Explained { events, next_offset, counts: counts.collect(), items: search.items, nothing }))
}

struct Search<'a> {
    reasons: Reasons<'a>,
    patience: u32,
    counts: BTreeMap<(EndpointName, Option<Outcome>, Code), usize>,
    items: Vec<Item>,
}

impl Search<'_> {
    async fn explain(
        &mut self,
        call: &Call,
        endpoints: &[Arc<crate::accounts::Endpoint>],
        events: &[Head],
    ) -> Result<(), Problem> {
        let pairs = events.iter().flat_map(|event| endpoints.iter().map(move |endpoint| (event, endpoint)));
        let asked = pairs.filter(|(event, endpoint)| event.offset > endpoint.settings.value.after);
        let asked: Vec<Cursor> =
            asked.map(|(event, endpoint)| Cursor { offset: event.offset, endpoint: Arc::clone(endpoint) }).collect();
        let mut views = look_at(call, &asked, &mut self.patience).await?.into_iter();
        for event in events {
            let mut at_endpoints = Vec::with_capacity(endpoints.len());
            for endpoint in endpoints {
                let (outcome, reason) = if event.offset > endpoint.settings.value.after {
                    let view = views.next().and_then(|(_, view)| view);
                    let reason = self.reasons.of(endpoint, &event.event_type, event.offset, view.as_ref()).await?;
                    (view.map(|view| view.outcome), reason)
                } else {
                    (None, Reason::before(endpoint))
                };
                *self.counts.entry((endpoint.name.clone(), outcome, reason.code)).or_default() += 1;
                at_endpoints.push(AtEndpoint { endpoint: endpoint.name.clone(), outcome, reason });
            }
            if self.items.len() < ITEMS_MAX {
                self.items.push(Item { event: event.clone(), endpoints: at_endpoints });
            }
        }
        Ok(())
    }
}

impl Nothing {
    fn read(log: &Handle, account: AccountId, stretch: Stretch) -> Result<Self, Problem> {
        let head = |offset: Offset| Taken::at(log, account, offset).map(|taken| taken.head()).ok();
        let came = stretch.to.0.saturating_sub(stretch.from.0);
        let (before, after) = (head(stretch.from.previous()), head(stretch.to));
        let told = |what: &str, head: &Option<Head>| {
            head.as_ref().map(|head| format!("; {what} came at {}", head.recorded_at)).unwrap_or_default()
        };
        let (code, detail) = if came == 0 {
            let between = told("the last one before it", &before) + &told("the first one after it", &after);
            (NothingCode::NothingCame, format!("nothing came from INO in this time{between}"))
        } else {
            (NothingCode::NothingMatched, format!("{came} events came in this time, but none that was asked for"))
        };
        Ok(Self { code, detail, before, after })
    }
}

/// Events that are told one by one.
const ITEMS_MAX: usize = 100;
