//! Why an event is where it is, for one endpoint: a code for programs and a sentence for people.
//!
//! Not what became of it. Where rights withheld it, it is told which, since when and by whom: whoever asks wants to
//! know whom to talk to. What stands in a ceiling is between INO and its operator, and is not told.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::super::answer::Read;
use super::super::call::Call;
use super::super::conduct::status_of;
use super::super::delivering::{AsideEvent, Cause, EndpointState, EndpointStatus};
use super::super::delivery::{Outcome, View, aside_of};
use super::super::failure::of_log;
use crate::accounts::{Endpoint, Mark, RightsOf, Withholding};
use crate::dispatch::Fault;
use crate::model::{EndpointId, EventType, Offset, Position, Timestamp};
use crate::runtime::blocking;
use crate::web::Problem;

/// Why an event is where it is.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ExplainedReason")]
pub(super) struct Reason {
    /// A stable word.
    pub(super) code: Code,
    /// The reason in a sentence.
    detail: String,
    /// The rights that withhold it, where they do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    withheld_by: Vec<WithheldBy>,
}

/// Why an event is where it is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExplainedCode")]
pub(super) enum Code {
    /// The receiver took it.
    Taken,
    /// Rights withhold its type.
    TypeWithheld,
    /// The catalogue that the rights were decided on does not know its type.
    TypeUnknown,
    /// It came before the endpoint began.
    BeforeEndpoint,
    /// It is being sent.
    BeingSent,
    /// The receiver has refused it, and it waits for its next try.
    Refused,
    /// It was refused too often and given up.
    GivenUp,
    /// The receiver said that it never wants it.
    Aborted,
    /// A person has given it up.
    Discarded,
    /// A person has passed over it.
    Skipped,
    /// Rights could not be applied to it; it waits until that is mended, or was given up.
    Fault,
    /// A person has paused the endpoint.
    Paused,
    /// The endpoint or its account is switched off.
    SwitchedOff,
    /// The endpoint is in trouble: no event gets through.
    InTrouble,
    /// Others come first.
    InTurn,
    /// It was too old when its turn came, or retention took it before.
    TooOld,
    /// What became of it is no longer kept.
    Forgotten,
}

/// Rights that withhold an event.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
struct WithheldBy {
    /// Whose rights.
    of: RightsOf,
    /// The name in them that means the type; null where what they say of all others decides.
    name: Option<String>,
    /// The revision since which they do; null for a ceiling.
    revision: Option<String>,
    /// Since when.
    since: Timestamp,
    /// Who saved it; null for a ceiling.
    by: Option<String>,
}

impl Reason {
    fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), withheld_by: Vec::new() }
    }

    /// The reason of what waits for a fault to be mended; with its words where they are known.
    pub(super) fn fault(fault: Option<&Fault>) -> Self {
        let words = fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
        let waits = "its lane waits until they are changed or mended, or the event is discarded";
        Self::new(Code::Fault, format!("rights could not be applied to it{words}: {waits}"))
    }

    /// Whether rights could not be applied.
    pub(super) fn is_fault(&self) -> bool {
        self.code == Code::Fault
    }

    /// The reason of what came before an endpoint began.
    pub(super) fn before(endpoint: &Endpoint) -> Self {
        let after = endpoint.settings.value.after;
        Self::new(
            Code::BeforeEndpoint,
            format!("the endpoint was made later: it gets what came in after offset {after}"),
        )
    }
}

/// Finds reasons, and remembers what it has looked up.
pub(super) struct Reasons<'a> {
    call: &'a Call,
    decided: HashMap<EndpointId, Vec<(Position, Offset)>>,
    withheld: HashMap<(EndpointId, EventType, Position), Vec<Withholding>>,
    status: HashMap<EndpointId, EndpointStatus>,
}

impl<'a> Reasons<'a> {
    pub(super) fn new(call: &'a Call) -> Self {
        Self { call, decided: HashMap::new(), withheld: HashMap::new(), status: HashMap::new() }
    }

    /// Says why what became of an event became of it; nothing is known of what has no view.
    pub(super) async fn of(
        &mut self,
        endpoint: &Arc<Endpoint>,
        event_type: &EventType,
        offset: Offset,
        view: Option<&View>,
    ) -> Result<Reason, Problem> {
        let Some(view) = view else {
            return Ok(Reason::new(Code::Forgotten, "what became of it is no longer kept"));
        };
        Ok(match view.outcome {
            Outcome::Delivered => Reason::new(Code::Taken, taken(view)),
            Outcome::Filtered => self.withheld(endpoint, event_type, offset).await?,
            Outcome::InFlight => Reason::new(Code::BeingSent, "it is being sent at this moment"),
            Outcome::Held if view.attempt_count > 0 => {
                Reason::new(Code::Refused, format!("{}; it is tried again, and its lane waits with it", refused(view)))
            }
            Outcome::Parked => {
                let at = view.next_attempt_at.map(|at| format!(" at {at}")).unwrap_or_default();
                Reason::new(
                    Code::Refused,
                    format!("{}; it is tried again{at}, and its lane has gone on", refused(view)),
                )
            }
            Outcome::DeadLetter => given_up(view, self.letter(endpoint, offset).await?),
            Outcome::Skipped => skipped(self.letter(endpoint, offset).await?),
            Outcome::Discarded => discarded(self.letter(endpoint, offset).await?),
            Outcome::Held => Reason::fault(None),
            Outcome::Waiting => waiting(self.status(endpoint).await?),
            Outcome::Expired => match self.letter(endpoint, offset).await? {
                Some(event) => {
                    let detail = format!("it was older than the endpoint wants when its turn came, at {}", event.at);
                    Reason::new(Code::TooOld, detail)
                }
                None => Reason::new(Code::TooOld, "retention took it before it could be delivered"),
            },
            // Of a number that no event got there is no event to explain.
            Outcome::Unused => Reason::new(Code::Forgotten, "no event got this number"),
        })
    }

    /// Returns as of when an endpoint decided an event, if it has: the newest settings that it went by.
    pub(super) async fn decided_as_of(&mut self, endpoint: &Endpoint, offset: Offset) -> Result<Position, Problem> {
        if !self.decided.contains_key(&endpoint.id) {
            let id = endpoint.id;
            let decided = self.call.look_up(move |log| log.decided(id).map_err(of_log)).await?;
            self.decided.insert(id, decided);
        }
        let changes = self.decided.get(&endpoint.id).map(Vec::as_slice).unwrap_or_default();
        // Before the first change at which it was already decided.
        let change = changes.iter().find(|(_, to)| *to >= offset).map(|(change, _)| *change);
        Ok(change.map_or(Position(u64::MAX), |change| Position(change.0.saturating_sub(1))))
    }

    /// What is kept of an event that was set aside.
    async fn letter(&self, endpoint: &Endpoint, offset: Offset) -> Result<Option<AsideEvent>, Problem> {
        let id = endpoint.id;
        let found = self.call.look_up(move |log| aside_of(log, id, offset)).await?;
        Ok(found.map(|(_, event)| event))
    }

    async fn withheld(
        &mut self,
        endpoint: &Arc<Endpoint>,
        event_type: &EventType,
        offset: Offset,
    ) -> Result<Reason, Problem> {
        let at = self.decided_as_of(endpoint, offset).await?;
        let key = (endpoint.id, event_type.clone(), at);
        if !self.withheld.contains_key(&key) {
            let (accounts, of, name) = (self.call.api.accounts.clone(), Arc::clone(endpoint), event_type.clone());
            let found = blocking(move || accounts.withheld_by(&of, name.as_str(), at)).await;
            self.withheld.insert(key.clone(), found.map_err(|error| self.call.refused(error))?);
        }
        let found = self.withheld.get(&key).map(Vec::as_slice).unwrap_or_default();
        let is_unknown = !found.is_empty() && found.iter().all(|one| one.mark == Mark::Unknown);
        let code = if is_unknown { Code::TypeUnknown } else { Code::TypeWithheld };
        let detail: Vec<String> = found.iter().map(|one| sentence(one, event_type)).collect();
        let withheld_by = found.iter().map(|one| self.withheld_by(one)).collect();
        Ok(Reason { code, detail: detail.join("; "), withheld_by })
    }

    fn withheld_by(&self, found: &Withholding) -> WithheldBy {
        let is_told = found.of != RightsOf::Ceiling;
        WithheldBy {
            of: found.of,
            name: found.name.clone().filter(|_| is_told),
            revision: is_told.then(|| self.call.api.accounts.revision(found.revision)),
            since: found.since,
            by: is_told.then(|| found.by.label()),
        }
    }

    async fn status(&mut self, endpoint: &Endpoint) -> Result<&EndpointStatus, Problem> {
        if !self.status.contains_key(&endpoint.id) {
            let Read(status) = status_of(self.call, endpoint).await?;
            self.status.insert(endpoint.id, status);
        }
        Ok(self.status.get(&endpoint.id).expect("it was looked up"))
    }
}

fn taken(view: &View) -> String {
    let at = view.last_attempt_at.map(|at| format!(" at {at}")).unwrap_or_default();
    let status = view.status.map(|status| format!(" with {status}")).unwrap_or_default();
    match view.attempt_count {
        1 => format!("the receiver took it{at}{status}"),
        count => format!("the receiver took it{at}{status}, at request {count}"),
    }
}

fn refused(view: &View) -> String {
    let why = match (view.status, view.error) {
        (Some(status), _) => format!("with {status}"),
        (None, Some(error)) => error.title().to_lowercase(),
        (None, None) => "without an answer".to_owned(),
    };
    let times = if view.attempt_count == 1 { "once".to_owned() } else { format!("{} times", view.attempt_count) };
    format!("the receiver did not take it, {times} by now, last {why}")
}

fn given_up(view: &View, letter: Option<AsideEvent>) -> Reason {
    let at = letter.as_ref().map(|event| format!(", at {}", event.at)).unwrap_or_default();
    let redeliver = "redeliver it, or discard it";
    match letter.map(|event| event.cause) {
        Some(Cause::Aborted) => {
            Reason::new(Code::Aborted, format!("the receiver asked for it to be given up{at}: {redeliver}"))
        }
        Some(Cause::FilterFault) => {
            let detail =
                format!("a filter did not answer for it, and the endpoint gives such events up{at}: {redeliver}");
            Reason::new(Code::Fault, detail)
        }
        Some(Cause::Refused | Cause::TooOld | Cause::Person) | None => {
            Reason::new(Code::GivenUp, format!("{}; it was given up{at}: {redeliver}", refused(view)))
        }
    }
}

fn skipped(letter: Option<AsideEvent>) -> Reason {
    let told = letter.map(|event| format!(", at {} by {}", event.at, event.who)).unwrap_or_default();
    let detail =
        format!("the endpoint was told to go on with what came in from then on{told}: start a replay to send it");
    Reason::new(Code::Skipped, detail)
}

fn discarded(letter: Option<AsideEvent>) -> Reason {
    let detail = letter.map_or_else(
        || "a person has given it up".to_owned(),
        |event| format!("it was discarded at {} by {}", event.at, event.who),
    );
    Reason::new(Code::Discarded, detail)
}

fn waiting(status: &EndpointStatus) -> Reason {
    let told = status.problem.as_ref().map(|problem| format!("{}: {}", problem.title, problem.detail));
    let told = |otherwise: &str| told.unwrap_or_else(|| otherwise.to_owned());
    match status.state {
        EndpointState::Paused => Reason::new(Code::Paused, told("the endpoint is paused")),
        EndpointState::Disabled => Reason::new(Code::SwitchedOff, told("the endpoint is switched off")),
        EndpointState::BackingOff | EndpointState::Held => {
            Reason::new(Code::InTrouble, told("the endpoint is in trouble and is tried again"))
        }
        EndpointState::Live | EndpointState::CatchingUp => {
            let events = status.lag.events;
            Reason::new(Code::InTurn, format!("its turn has not come: {events} events wait at the endpoint"))
        }
    }
}

fn sentence(found: &Withholding, event_type: &EventType) -> String {
    let since = found.since;
    let whose = match found.of {
        RightsOf::Account => "the account's rights",
        RightsOf::Endpoint => "the endpoint's own rights",
        RightsOf::Types => {
            let by = found.by.label();
            return format!("the endpoint does not ask for {event_type}, since {since}, saved by {by}");
        }
        RightsOf::Ceiling => {
            return format!("INO's contract with the account does not have {event_type}, since {since}");
        }
    };
    let by = found.by.label();
    match (found.mark, &found.name) {
        (Mark::Unknown, _) => format!(
            "{whose} were decided, on {since} by {by}, on a catalogue that does not know {event_type}: name it in them to \
             have it sent"
        ),
        (_, Some(name)) => format!("{whose} withhold {event_type} since {since}, by `{name}`, saved by {by}"),
        (_, None) => {
            format!("{whose} withhold {event_type} since {since}, by what they say of all types, saved by {by}")
        }
    }
}
