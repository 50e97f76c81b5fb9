//! The sequence numbers of an endpoint, each with its event or with none.
//!
//! Not what became of them. A receiver that misses a number asks here: a number below the highest that was given
//! and without a row was never used; one whose event is no longer kept is an error and not `unused`.

use crate::accounts::Endpoint;
use crate::log::Handle;
use crate::model::{EndpointId, Offset, Sequence};
use crate::web::{Code, Problem};

use super::failure::of_log;
use super::query::Direction;

/// Some numbers in the order of the list, and whether there are more.
pub(super) struct Numbers {
    pub(super) items: Vec<(Sequence, Option<Offset>)>,
    pub(super) has_more: bool,
}

impl Numbers {
    /// Reads the numbers from `from` up to but without `to`. Blocks.
    pub(super) fn read(
        log: &Handle,
        endpoint: &Endpoint,
        from: Option<Sequence>,
        to: Option<Sequence>,
        direction: Direction,
        after: Option<Sequence>,
        count_max: usize,
    ) -> Result<Self, Problem> {
        let oldest = oldest_kept(log, endpoint)?;
        let from = match (from, oldest) {
            (Some(from), Some(oldest)) if from < oldest.number && oldest.is_cut => return Err(oldest.expired(from)),
            (Some(from), _) => from.0.max(1),
            (None, Some(oldest)) if oldest.is_cut => oldest.number.0,
            (None, _) => 1,
        };
        let end = highest_given(log, endpoint.id)?.next().0.min(to.map_or(u64::MAX, |to| to.0));
        let (from, end) = match (direction, after) {
            (_, None) => (from, end),
            (Direction::Newest, Some(after)) => (from, end.min(after.0)),
            (Direction::Oldest, Some(after)) => (from.max(after.next().0), end),
        };
        let count = end.saturating_sub(from).min(u64::try_from(count_max).unwrap_or(u64::MAX));
        let (first, last) = match direction {
            Direction::Newest => (end.saturating_sub(count), end),
            Direction::Oldest => (from, from.saturating_add(count)),
        };
        let rows = log.sequences(endpoint.id, Sequence(first), count_max).map_err(of_log)?;
        let mut rows = rows.into_iter().map(|(number, _, offset)| (number, offset)).peekable();
        let with_offset = |number| {
            let offset = rows.next_if(|(given, _)| *given == number).map(|(_, offset)| offset);
            (number, offset)
        };
        let mut items: Vec<_> = (first..last).map(Sequence).map(with_offset).collect();
        if direction == Direction::Newest {
            items.reverse();
        }
        Ok(Self { items, has_more: end.saturating_sub(from) > count })
    }
}

/// The lowest number whose event is kept.
#[derive(Debug, Clone, Copy)]
struct Oldest {
    number: Sequence,
    offset: Offset,
    /// Whether retention has taken numbers below it.
    is_cut: bool,
}

impl Oldest {
    fn expired(&self, asked: Sequence) -> Problem {
        Problem::new(Code::RangeExpired)
            .detail(format!("the event of sequence number {asked} is no longer kept"))
            .with("oldestOffset", self.offset.0)
            .with("oldestSequence", self.number.0)
    }
}

fn oldest_kept(log: &Handle, endpoint: &Endpoint) -> Result<Option<Oldest>, Problem> {
    let (mark, oldest_offset) = (log.oldest(), log.oldest_offset(endpoint.account).map_err(of_log)?);
    // Positions rise with numbers, and rows below the mark may be there or not: both count as too low.
    let first =
        first_true(|number| Ok(row_from(log, endpoint.id, number)?.is_none_or(|(_, position, _)| position >= mark)))?;
    let row = row_from(log, endpoint.id, first)?;
    let is_cut = oldest_offset > endpoint.settings.value.after.next();
    Ok(row.map(|(number, _, offset)| Oldest { number, offset, is_cut }))
}

fn highest_given(log: &Handle, endpoint: EndpointId) -> Result<Sequence, Problem> {
    first_true(|number| Ok(row_from(log, endpoint, number)?.is_none())).map(Sequence::previous)
}

type Row = (Sequence, crate::model::Position, Offset);

fn row_from(log: &Handle, endpoint: EndpointId, from: Sequence) -> Result<Option<Row>, Problem> {
    Ok(log.sequences(endpoint, from, 1).map_err(of_log)?.into_iter().next())
}

/// Returns the first number from 1 on for which the answer is yes, where it is first no and then yes for all.
fn first_true(mut is_true: impl FnMut(Sequence) -> Result<bool, Problem>) -> Result<Sequence, Problem> {
    let (mut low, mut high) = (1, crate::model::limits::OFFSET_MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_true(Sequence(middle))? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(Sequence(low))
}

#[cfg(test)]
mod tests {
    use super::{Sequence, first_true};

    #[test]
    fn the_first_true_is_found_wherever_it_is() {
        for border in [1, 2, 3, 41, 1_000_000, (1 << 53) - 2] {
            assert_eq!(first_true(|number| Ok(number.0 >= border)).unwrap(), Sequence(border));
        }
    }
}
