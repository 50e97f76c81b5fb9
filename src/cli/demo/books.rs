//! The books of the demo: what everybody says has happened, and whether it adds up.
//!
//! Three that keep their books apart: who sent (the simulator), who keeps and delivers (the ledgers), who received
//! (every signature and sequence). Pure: figures in, sentences out.

use serde_json::{Value, json};

use crate::cli::column::show_count;
use crate::cli::receive::Tally;

/// What the ledger of one endpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    /// The account.
    pub(super) account: String,
    /// Its events.
    pub(super) accepted: u64,
    /// Taken by the receiver.
    pub(super) delivered: u64,
    /// Not settled yet.
    pub(super) waiting: u64,
    /// Filtered, given up, expired and skipped together.
    pub(super) others: u64,
    /// How the endpoint does, in one word.
    pub(super) state: String,
}

impl Line {
    /// Reads an endpoint's status.
    pub(super) fn of(account: &str, status: &Value) -> Self {
        let ledger = |name: &str| status.pointer(&format!("/ledger/{name}")).and_then(Value::as_u64).unwrap_or(0);
        Self {
            account: account.to_owned(),
            accepted: ledger("accepted"),
            delivered: ledger("delivered"),
            waiting: ledger("waiting"),
            others: ["filtered", "givenUp", "expired", "skipped"].map(ledger).iter().sum(),
            state: status.pointer("/state").and_then(Value::as_str).unwrap_or("?").to_owned(),
        }
    }

    const fn adds_up(&self) -> bool {
        self.accepted == self.delivered + self.waiting + self.others
    }
}

/// Everybody's figures at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    /// One line for each endpoint.
    pub(super) lines: Vec<Line>,
    /// What the receiver has counted.
    pub(super) received: Tally,
    /// Numbers that are missing, in words.
    pub(super) gaps: Vec<String>,
    /// Events that the simulator has made.
    pub(super) sent: u64,
    /// Whether the simulator was told of every one that it is taken.
    pub(super) is_all_taken: bool,
    /// Events beside those of the simulator: hooklog tells an account that its rights have changed, and one is poison.
    pub(super) own: u64,
    /// Bodies that had the field that was unticked: before that, and of those looked at after it.
    pub(super) unticked: Unticked,
    /// What became of the event that the receiver refused.
    pub(super) poison: Poison,
    /// What became of the stretch that was wanted again.
    pub(super) replay: Replayed,
}

/// What became of the event that the receiver refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Poison {
    /// Whether its lane went on without it.
    pub(super) was_parked: bool,
    /// Whether it was given up.
    pub(super) was_given_up: bool,
    /// Whether it was delivered after all.
    pub(super) is_delivered: bool,
}

/// What became of a stretch that was wanted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    /// Its events.
    pub(super) asked: u64,
    /// Those that a rehearsal said would be sent.
    pub(super) foretold: u64,
    /// Those that were sent.
    pub(super) delivered: u64,
    /// Those that rights withhold.
    pub(super) withheld: u64,
}

/// What became of a field that was unticked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unticked {
    /// Bodies that had it before.
    pub(super) before: u64,
    /// Bodies that had it after the change was answered.
    pub(super) after: u64,
    /// Bodies that were looked at after it.
    pub(super) looked_at: u64,
}

/// One thing that has to be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// What, in a sentence with its figures.
    pub(super) what: String,
    /// Whether it is.
    pub(super) holds: bool,
}

impl Books {
    /// Sums a figure over all endpoints.
    pub(super) fn sum(&self, figure: impl Fn(&Line) -> u64) -> u64 {
        self.lines.iter().map(figure).sum()
    }

    /// Returns whether nothing waits any more.
    pub(super) fn is_settled(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.waiting == 0)
    }

    /// Compares the books at the end.
    pub(super) fn checks(&self) -> Vec<Check> {
        let Self { lines, received, gaps, sent, own, unticked, poison, .. } = self;
        let (accepted, delivered) = (self.sum(|line| line.accepted), self.sum(|line| line.delivered));
        let withheld = self.sum(|line| line.others);
        // The receiver counts requests: repeats after the crash and the replay are beside the first deliveries.
        let first = received.accepted.saturating_sub(received.duplicates + received.replayed + received.tests);
        let Replayed { asked, foretold, delivered: replayed, withheld: not_replayed } = self.replay;
        let check = |holds, what| Check { what, holds };
        vec![
            check(
                self.is_all_taken && *sent + own == accepted,
                format!(
                    "{} events were sent, {} are in the log, each once, and {own} beside them",
                    show_count(*sent),
                    show_count(accepted - own)
                ),
            ),
            check(
                lines.iter().all(Line::adds_up),
                "every ledger adds up: accepted = delivered + waiting + the rest".to_owned(),
            ),
            check(
                self.is_settled() && accepted == delivered + withheld && withheld > 0,
                format!(
                    "{} were delivered, {} withheld by rights, and none waits",
                    show_count(delivered),
                    show_count(withheld)
                ),
            ),
            check(
                first == delivered && gaps.is_empty(),
                format!(
                    "the receiver has {} different sequence numbers, none is missing, {} came twice",
                    show_count(first),
                    show_count(received.duplicates)
                ),
            ),
            check(
                received.unverified == 0 && received.verified == received.received,
                format!("all {} signatures fit", show_count(received.verified)),
            ),
            check(
                unticked.before > 0 && unticked.after == 0 && unticked.looked_at > 0,
                format!(
                    "{} bodies had the name of the queue before it was unticked, none of {} after",
                    show_count(unticked.before),
                    show_count(unticked.looked_at)
                ),
            ),
            check(
                poison.was_parked && poison.was_given_up && poison.is_delivered,
                "the event that was refused was set aside, given up, kept and delivered after all".to_owned(),
            ),
            check(
                replayed > 0
                    && asked == replayed + not_replayed
                    && foretold == replayed
                    && received.replayed >= replayed,
                format!(
                    "of {} events {} were sent again, as a rehearsal had said, and touched no ledger",
                    show_count(asked),
                    show_count(replayed)
                ),
            ),
        ]
    }

    /// Writes the books for programs.
    pub(super) fn json(&self) -> Value {
        let line = |line: &Line| {
            json!({"account": line.account, "accepted": line.accepted, "delivered": line.delivered,
                "waiting": line.waiting, "others": line.others, "state": line.state})
        };
        let check = |check: &Check| json!({"what": check.what, "holds": check.holds});
        json!({
            "sent": self.sent,
            "own": self.own,
            "endpoints": self.lines.iter().map(line).collect::<Vec<_>>(),
            "received": {"requests": self.received.received, "verified": self.received.verified,
                "unverified": self.received.unverified, "duplicates": self.received.duplicates,
                "replayed": self.received.replayed, "missing": self.gaps},
            "checks": self.checks().iter().map(check).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Books {
        let line = |account: &str, count, withheld| Line {
            account: account.to_owned(),
            accepted: count + withheld,
            delivered: count,
            waiting: 0,
            others: withheld,
            state: "live".to_owned(),
        };
        Books {
            lines: vec![line("acme", 70, 0), line("globex", 30, 5)],
            received: Tally {
                received: 115,
                accepted: 112,
                verified: 115,
                unverified: 0,
                duplicates: 2,
                tests: 0,
                replayed: 10,
                bytes: 0,
            },
            gaps: Vec::new(),
            sent: 104,
            is_all_taken: true,
            own: 1,
            unticked: Unticked { before: 3, after: 0, looked_at: 20 },
            poison: Poison { was_parked: true, was_given_up: true, is_delivered: true },
            replay: Replayed { asked: 12, foretold: 10, delivered: 10, withheld: 2 },
        }
    }

    fn failing(change: impl FnOnce(&mut Books)) -> Vec<usize> {
        let mut books = sound();
        change(&mut books);
        books.checks().iter().enumerate().filter(|(_, check)| !check.holds).map(|(place, _)| place).collect()
    }

    #[test]
    fn each_book_is_held_against_the_others() {
        assert!(failing(|_| {}).is_empty());
        assert_eq!(failing(|books| books.sent = 105), [0], "one was lost before the log");
        assert_eq!(failing(|books| books.is_all_taken = false), [0]);
        assert_eq!(failing(|books| books.lines[0].delivered = 69), [1, 2, 3]);
        assert_eq!(failing(|books| books.received.duplicates = 3), [3], "the receiver has one less");
        assert_eq!(failing(|books| books.gaps.push("acme/crm sequence 7".to_owned())), [3]);
        assert_eq!(failing(|books| books.received.unverified = 1), [4]);
        assert_eq!(failing(|books| books.unticked.after = 1), [5], "an unticked field has left");
        assert_eq!(failing(|books| books.unticked.before = 0), [5], "there was nothing to untick");
        assert_eq!(failing(|books| books.poison.is_delivered = false), [6]);
        assert_eq!(failing(|books| books.replay.delivered = 9), [7]);
        assert_eq!(failing(|books| books.replay.foretold = 11), [7], "a rehearsal has said something else");
        assert_eq!(failing(|books| books.replay = Replayed::default()), [7], "nothing was asked for");
    }

    #[test]
    fn a_status_is_read_into_a_line() {
        let status = json!({"state": "backing_off", "ledger": {"accepted": 9, "delivered": 4, "filtered": 1,
            "waiting": 2, "givenUp": 1, "expired": 1, "skipped": 0}});
        let line = Line::of("acme", &status);
        assert_eq!((line.accepted, line.delivered, line.waiting, line.others), (9, 4, 2, 3));
        assert!(line.adds_up());
        assert!(!Line { accepted: 10, ..line }.adds_up());
    }
}
