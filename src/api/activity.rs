//! How much happened in each step of a time: for charts.
//!
//! Not the ledger, which says how things stand. How many events came is counted from the log; what became of events
//! from the rows that each endpoint writes minute by minute.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::Read;
use super::call::Call;
use super::conduct::named_or_all;
use super::delivering::{Activity, minute_of};
use super::failure::{invalid_parameter, of_log, ours};
use super::query::Parameters;
use crate::accounts::Endpoint;
use crate::log::Handle;
use crate::model::{AccountId, EndpointName, Timestamp};
use crate::web::Problem;

/// Of what, and of which time.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ActivityFilter")]
pub(super) struct Filter {
    /// Only what happened at this endpoint.
    endpoint: Option<EndpointName>,
    /// From this time on; an hour before the end where nothing is said.
    from_time: Option<Timestamp>,
    /// Up to this time, not included; now where nothing is said.
    to_time: Option<Timestamp>,
    /// How long a step is: whole minutes in milliseconds, at most 200 steps in all. The shortest usual step that gives
    /// at most 100 of them where nothing is said.
    step_ms: Option<u64>,
}

impl Parameters for Filter {}

/// What happened, step by step.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Activity")]
pub(super) struct View {
    /// How long a step is.
    step_ms: u64,
    /// The steps, the oldest first; each begins at a multiple of its length.
    items: Vec<Step>,
}

/// What happened in one step.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ActivityStep")]
struct Step {
    /// When it begins.
    at: Timestamp,
    /// Events of the account that came.
    accepted: u64,
    /// Events that receivers took.
    delivered: u32,
    /// Events that were not to be sent to an endpoint.
    filtered: u32,
    /// Events that were given up.
    given_up: u32,
    /// Events that were too old.
    expired: u32,
    /// Events that a person passed over.
    skipped: u32,
    /// Requests that ended, of replays too.
    requests: u32,
    /// Of these, those that failed.
    failed_requests: u32,
    /// How long a request took, in milliseconds on average; null where there was none.
    mean_ms: Option<u64>,
}

/// Whole minutes from one to behind another, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    first: u32,
    end: u32,
    minutes: u32,
}

impl Steps {
    fn read(filter: &Filter, now: Timestamp) -> Result<Self, Problem> {
        let to = filter.to_time.unwrap_or(now);
        let from = filter.from_time.unwrap_or_else(|| to.minus(HOUR));
        if from >= to {
            return Err(invalid_parameter("fromTime", "must be before the end"));
        }
        let (first, end) = (minute_of(from), minute_of(Timestamp(to.0.saturating_sub(1))).saturating_add(1));
        let fits = |minutes: u32, steps_max: u32| end.div_ceil(minutes) - first / minutes <= steps_max;
        let minutes = match filter.step_ms {
            None => USUAL_MINUTES.into_iter().find(|minutes| fits(*minutes, STEPS_USUAL)),
            Some(ms) => {
                let minutes = u32::try_from(ms / 60_000).ok().filter(|minutes| *minutes > 0 && ms % 60_000 == 0);
                let minutes =
                    minutes.ok_or_else(|| invalid_parameter("stepMs", "must be whole minutes: 60000, 300000, …"))?;
                Some(minutes).filter(|minutes| fits(*minutes, STEPS_MAX))
            }
        };
        let wrong = || invalid_parameter("stepMs", &format!("these are more than {STEPS_MAX} steps: make them longer"));
        let minutes = minutes.ok_or_else(wrong)?;
        Ok(Self { first: first / minutes * minutes, end: end.div_ceil(minutes) * minutes, minutes })
    }

    /// Counts. Blocks.
    fn count(self, log: &Handle, account: AccountId, endpoints: &[Arc<Endpoint>]) -> Result<Vec<Step>, Problem> {
        let begins: Vec<u32> = (self.first..=self.end).step_by(self.minutes as usize).collect();
        let mut activities = vec![Activity::default(); begins.len().saturating_sub(1)];
        for endpoint in endpoints {
            for (minute, value) in log.rollups(endpoint.id, self.first..self.end).map_err(of_log)? {
                let activity = Activity::decode(value).map_err(|error| ours(&error))?;
                if let Some(sum) = activities.get_mut(((minute - self.first) / self.minutes) as usize) {
                    *sum = sum.with(activity);
                }
            }
        }
        let offset_at = |minute: u32| log.offset_at(account, at(minute)).map_err(of_log);
        let mut first = offset_at(self.first)?;
        let mut steps = Vec::with_capacity(activities.len());
        for (pair, activity) in begins.windows(2).zip(activities) {
            let [begin, end] = pair else { continue };
            let next = offset_at(*end)?;
            steps.push(Step::of(at(*begin), next.0.saturating_sub(first.0), activity));
            first = next;
        }
        Ok(steps)
    }
}

impl Step {
    fn of(at: Timestamp, accepted: u64, activity: Activity) -> Self {
        let Activity { delivered, filtered, given_up, expired, skipped, requests, failed_requests, duration_ms } =
            activity;
        let mean_ms = duration_ms.checked_div(u64::from(requests));
        Self { at, accepted, delivered, filtered, given_up, expired, skipped, requests, failed_requests, mean_ms }
    }
}

pub(super) async fn count(call: Call, (filter,): (Filter,)) -> Result<Read<View>, Problem> {
    let account = call.account()?;
    let endpoints = named_or_all(&account, filter.endpoint.as_ref())?;
    let steps = Steps::read(&filter, call.now())?;
    let items = call.look_up(move |log| steps.count(log, account.id, &endpoints)).await?;
    Ok(Read(View { step_ms: u64::from(steps.minutes) * 60_000, items }))
}

const fn at(minute: u32) -> Timestamp {
    Timestamp(minute as i64 * 60_000)
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
/// Each costs a search in the log.
const STEPS_MAX: u32 = 200;
const STEPS_USUAL: u32 = 100;
const USUAL_MINUTES: [u32; 9] = [1, 5, 15, 60, 360, 1_440, 10_080, 43_200, 525_600];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_minutes_and_begin_at_their_multiples() {
        let minute = |minute: i64| Timestamp(minute * 60_000);
        let steps = |from: Option<i64>, to: i64, step_ms| {
            let filter = Filter { endpoint: None, from_time: from.map(minute), to_time: None, step_ms };
            Steps::read(&filter, Timestamp(to * 60_000 + 1)).ok().map(|steps| (steps.first, steps.end, steps.minutes))
        };
        assert_eq!(steps(None, 1_000, None), Some((940, 1_001, 1)), "an hour, and the minute that has begun");
        assert_eq!(steps(Some(903), 1_000, None), Some((903, 1_001, 1)));
        assert_eq!(steps(Some(702), 1_000, None), Some((700, 1_005, 5)), "the shortest that gives a hundred");
        assert_eq!(steps(Some(702), 1_000, Some(120_000)), Some((702, 1_002, 2)));
        assert_eq!(steps(Some(702), 1_000, Some(60_000)), None, "too many");
        assert_eq!(steps(Some(902), 1_000, Some(90_000)), None);
        assert_eq!(steps(Some(902), 1_000, Some(0)), None);
        assert_eq!(steps(Some(1_001), 1_000, None), None, "backwards");
    }
}
