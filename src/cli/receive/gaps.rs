//! Which gaps have lasted long enough to be told of: pure.
//!
//! Not the gaps themselves. A gap that shrinks is the same gap as long as its last number is missing; each
//! is told once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::runtime::Monotonic;

use super::receiver::Gap;

/// Remembers since when each gap has been there.
#[derive(Debug)]
pub(super) struct GapWatch {
    after: Duration,
    known: BTreeMap<(String, u64), Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    since: Monotonic,
    is_told: bool,
}

impl GapWatch {
    /// Makes a watch that tells of a gap once it has lasted for `after`.
    pub(super) const fn new(after: Duration) -> Self {
        Self { after, known: BTreeMap::new() }
    }

    /// Looks at the present gaps and returns those to tell of.
    pub(super) fn look(&mut self, gaps: Vec<Gap>, now: Monotonic) -> Vec<Gap> {
        let before = std::mem::take(&mut self.known);
        let mut lasting = Vec::new();
        for gap in gaps {
            let key = (gap.endpoint.clone(), gap.last);
            let mut known = before.get(&key).copied().unwrap_or(Known { since: now, is_told: false });
            let is_due = !known.is_told && now.since(known.since) >= self.after;
            known.is_told |= is_due;
            self.known.insert(key, known);
            if is_due {
                lasting.push(gap);
            }
        }
        lasting
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::runtime::Monotonic;

    use super::{Gap, GapWatch};

    fn gap(first: u64, last: u64) -> Gap {
        Gap { endpoint: "acme/crm".to_owned(), first, last }
    }

    #[test]
    fn a_gap_is_told_once_and_only_when_it_lasts() {
        let mut watch = GapWatch::new(Duration::from_secs(30));
        let at = |seconds: u64| Monotonic(seconds * 1_000_000_000);
        assert_eq!(watch.look(vec![gap(3, 5)], at(0)), []);
        assert_eq!(watch.look(vec![gap(4, 5), gap(9, 9)], at(29)), [], "it shrinks and is the same");
        assert_eq!(watch.look(vec![gap(4, 5)], at(30)), [gap(4, 5)]);
        assert_eq!(watch.look(vec![gap(4, 5)], at(90)), [], "told once");
        assert_eq!(watch.look(vec![], at(91)), []);
        assert_eq!(watch.look(vec![gap(9, 9)], at(92)), [], "one that came back is new");
        assert_eq!(watch.look(vec![gap(9, 9)], at(122)), [gap(9, 9)]);
    }
}
