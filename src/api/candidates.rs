//! Where the events of an endpoint are of which one thing may have become.
//!
//! Not what became of them: that is looked at. Indexes tell of what is on disk, the endpoint of what it has in hand.

use super::call::Call;
use super::delivering::{InHand, Whereabouts};
use super::delivery::Outcome;
use crate::accounts::Endpoint;
use crate::log::Set;
use crate::model::limits::OFFSET_MAX;
use crate::model::{Aside, EndpointId, Offset, Settled};
use crate::web::{Code, Problem};

/// Returns where the events of an endpoint are of which one thing became, or whose last request may have failed.
pub(super) async fn sets_of(call: &Call, endpoint: &Endpoint, outcome: Option<Outcome>) -> Result<Vec<Set>, Problem> {
    let in_hand = call.api.deliver.in_hand(endpoint.id).await.ok_or_else(|| Problem::new(Code::ShuttingDown))?;
    Ok(InHandOf { endpoint: endpoint.id, in_hand }.sets(outcome))
}

/// What an endpoint knows of its events that indexes do not tell yet.
struct InHandOf {
    endpoint: EndpointId,
    in_hand: InHand,
}

impl InHandOf {
    fn sets(&self, outcome: Option<Outcome>) -> Vec<Set> {
        use Whereabouts as At;
        match outcome {
            Some(Outcome::Delivered) => self.settled(&[Settled::Delivered]),
            Some(Outcome::Filtered) => self.settled(&[Settled::Filtered, Settled::FilteredAfterAttempt]),
            Some(Outcome::Skipped) => self.settled(&[Settled::Skipped]),
            Some(Outcome::DeadLetter) => self.aside(&[Aside::DeadLetter]),
            Some(Outcome::Discarded) => self.aside(&[Aside::Discarded]),
            Some(Outcome::Expired) => self.aside(&[Aside::Expired]),
            Some(Outcome::Parked) => vec![self.open(|at| at == At::Parked)],
            Some(Outcome::InFlight) => vec![self.open(|at| at == At::InFlight)],
            Some(Outcome::Held) => vec![self.open(|at| matches!(at, At::Waiting | At::Faulted))],
            Some(Outcome::Waiting) => {
                let unread = Set::Listed(vec![(self.in_hand.read_to.next(), Offset(OFFSET_MAX))]);
                vec![self.open(|at| at == At::Queued), unread]
            }
            // A number that no event got is found by its number.
            Some(Outcome::Unused) => Vec::new(),
            None => {
                let ended = self.aside(&[Aside::DeadLetter, Aside::Discarded, Aside::Expired, Aside::Skipped]);
                let filtered = self.settled(&[Settled::FilteredAfterAttempt]);
                [vec![self.open(|_| true)], ended, filtered].concat()
            }
        }
    }

    fn open(&self, is_wanted: impl Fn(Whereabouts) -> bool) -> Set {
        let wanted = self.in_hand.open.iter().filter(|(_, whereabouts)| is_wanted(*whereabouts));
        listed(wanted.map(|(offset, _)| (*offset, *offset)))
    }

    fn settled(&self, kinds: &[Settled]) -> Vec<Set> {
        let InHand { runs, listed_from, .. } = &self.in_hand;
        let on_disk = kinds.iter().map(|kind| Set::Settled(self.endpoint, *kind));
        let unwritten = runs.iter().filter(|run| kinds.contains(&run.settled)).map(|run| (run.first, run.last));
        // How these were settled is found out one by one.
        let old = (Offset(1), listed_from.previous());
        on_disk.chain([listed(unwritten.chain([old]))]).collect()
    }

    fn aside(&self, kinds: &[Aside]) -> Vec<Set> {
        let on_disk = kinds.iter().map(|kind| Set::Aside(self.endpoint, *kind));
        on_disk.chain([listed(self.in_hand.asides.iter().map(|(offset, _)| (*offset, *offset)))]).collect()
    }
}

/// Lists stretches of offsets in their order, none of them twice.
fn listed(spans: impl Iterator<Item = (Offset, Offset)>) -> Set {
    let mut spans: Vec<_> = spans.filter(|(first, last)| first <= last).collect();
    spans.sort_unstable();
    let mut joined: Vec<(Offset, Offset)> = Vec::with_capacity(spans.len());
    for (first, last) in spans {
        match joined.last_mut() {
            Some((_, end)) if first <= end.next() => *end = (*end).max(last),
            Some(_) | None => joined.push((first, last)),
        }
    }
    Set::Listed(joined)
}

/// Says what became of an event of which the endpoint has not written it yet.
pub(super) fn outcome_in_hand(in_hand: &InHand, offset: Offset) -> Option<Outcome> {
    let run = in_hand.runs.iter().find(|run| (run.first..=run.last).contains(&offset));
    let aside = || in_hand.asides.iter().rfind(|(aside, _)| *aside == offset).and_then(|(_, aside)| *aside);
    match (run.map(|run| run.settled), aside()) {
        (Some(Settled::Delivered), _) => Some(Outcome::Delivered),
        (Some(Settled::Filtered | Settled::FilteredAfterAttempt), _) => Some(Outcome::Filtered),
        (Some(Settled::Skipped), _) | (None, Some(Aside::Skipped)) => Some(Outcome::Skipped),
        (None, Some(Aside::DeadLetter)) => Some(Outcome::DeadLetter),
        (None, Some(Aside::Discarded)) => Some(Outcome::Discarded),
        (None, Some(Aside::Expired)) => Some(Outcome::Expired),
        (None, Some(Aside::Parked) | None) => None,
    }
}
