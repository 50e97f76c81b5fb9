//! What an endpoint that begins anew takes back of what is on record of it.
//!
//! Not the requests that were made: those stay in History. Rows that set events aside from there on go, and
//! what was decided of them before is decided no more.

use super::machine::AsideEvent;
use crate::log::{self, OutcomeRow, RunRow};
use crate::model::{Aside, EndpointId, Offset, Settled};

/// Lets rows that are still to be written say no more than what is still decided.
///
/// The move itself is a change of settings, which notes how far everything was decided before it.
pub(super) fn hold_back(rows: &mut [OutcomeRow], first: Offset) {
    for row in rows {
        if let OutcomeRow::Decided { to, .. } = row {
            *to = (*to).min(first.previous());
        }
    }
}

/// Returns the rows that put it right, to be written before all others. Blocks.
pub(super) fn clear(log: &log::Handle, endpoint: EndpointId, first: Offset) -> Result<Vec<OutcomeRow>, log::Error> {
    let before = first.previous();
    let mut rows = vec![OutcomeRow::AnewFrom { endpoint, first }];
    // One row may tell of many that were passed over: what it tells of those before stays.
    if let Some(row) = log.asides(endpoint, Aside::Skipped, first..Offset(u64::MAX), 1)?.into_iter().next() {
        let event = AsideEvent::decode(row.value.clone())
            .map_err(|problem| log::Error::Inconsistent(format!("what endpoint {endpoint} skipped: {problem}")))?;
        if event.tells_of(row.offset, before) {
            let (aside, position, value) = (Aside::Skipped, row.position, row.value);
            rows.push(OutcomeRow::Aside { endpoint, aside, offset: before, position, value });
        }
    }
    for settled in Settled::ALL {
        if let Some(RunRow { first, last, position }) = log.run_over(endpoint, settled, before)?
            && last > before
        {
            rows.push(OutcomeRow::Settled { endpoint, settled, first, last: before, position });
        }
    }
    let decided = log.decided(endpoint)?.into_iter().filter(|(_, to)| *to > before);
    rows.extend(decided.map(|(change, _)| OutcomeRow::Decided { endpoint, change, to: before }));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Position;

    #[test]
    fn what_begins_anew_was_decided_by_no_settings_before() {
        let decided = |to| OutcomeRow::Decided { endpoint: EndpointId(1), change: Position(9), to: Offset(to) };
        let mut rows = [decided(3), decided(80)];
        hold_back(&mut rows, Offset(41));
        assert_eq!(rows, [decided(3), decided(40)]);
    }
}
