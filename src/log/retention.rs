//! What goes, and when: age is a promise and wins; bytes are a wish that waits for those who still need it.
//!
//! Only the decision and its carrying out: who still needs what is told by `hold`, when to look by the
//! caller. A durable low-water mark comes first, then whole files; commands stay, because `settings` holds
//! them.

use super::Error;
use super::keys::{self, Family};
use super::options::Retention;
use super::shared::Shared;
use super::store::StoredFile;
use crate::model::{Position, Timestamp};

/// Returns the mark below which everything may go now.
pub(super) fn mark(shared: &Shared, retention: Retention, now: Timestamp) -> Result<Position, Error> {
    let by_age = shared.position_at(now.minus(retention.max_age))?;
    let files = shared.store.files(Family::Records)?;
    let by_bytes = retention.max_bytes.map_or(Position(0), |bytes_max| newest_within(&files, bytes_max));
    let by_hard_cap = retention.hard_max_bytes.map_or(Position(0), |bytes_max| newest_within(&files, bytes_max));
    Ok(by_age.max(by_bytes.min(shared.hold())).max(by_hard_cap).min(*shared.head.borrow()))
}

/// Removes what is below a mark that is on disk.
///
/// Files of records go at once. The rows beside them go when their files are rewritten anyway, because readers
/// take them for absent already; all of them are rewritten only when a good part of them is dead.
pub(super) fn carry_out(shared: &Shared, mark: Position) -> Result<(), Error> {
    let store = &shared.store;
    let newest_in_files = || -> Result<Option<Position>, Error> {
        let files = store.files(Family::Records)?;
        Ok(files.last().and_then(|file| keys::position_of_record(&file.last_key)))
    };
    if newest_in_files()? < Some(mark.previous()) {
        // A quiet log may keep old records in memory and its write-ahead log for months.
        store.flush_family(Family::Records)?;
    }
    store.drop_below(mark)?;
    let is_below = |file: &StoredFile| keys::position_of_record(&file.last_key).is_some_and(|last| last < mark);
    if store.files(Family::Records)?.iter().any(is_below) {
        // Files of the first level are not dropped; moving them one level down costs their own size.
        store.compact(Family::Records, Some((keys::record(Position(0)), keys::record(mark.previous()))));
        store.drop_below(mark)?;
    }
    let kept = shared.head.borrow().0.saturating_sub(mark.0);
    let dead = mark.0.saturating_sub(shared.rewritten_to().0);
    if dead > kept / DEAD_SHARE && shared.mind_room()? {
        shared.set_rewritten_to(mark);
        for family in Family::ALL.into_iter().filter(|family| family.ages()) {
            shared.store.compact(family, None);
        }
    }
    Ok(())
}

/// Rows are rewritten when one in so many is dead.
const DEAD_SHARE: u64 = 4;

/// Returns the position from which on the newest files hold at most `bytes_max`.
fn newest_within(files: &[StoredFile], bytes_max: u64) -> Position {
    let mut bytes = 0_u64;
    for file in files.iter().rev() {
        bytes = bytes.saturating_add(file.bytes);
        if bytes > bytes_max {
            return keys::position_of_record(&file.last_key).unwrap_or_default().next();
        }
    }
    Position(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_files_within_the_bytes_stay() {
        let file = |last: u64, bytes| StoredFile { last_key: keys::record(Position(last)).to_vec(), bytes };
        let files = [file(10, 100), file(20, 100), file(30, 100)];
        for (bytes_max, expected) in [(300, 0), (299, 11), (200, 11), (199, 21), (99, 31)] {
            assert_eq!(newest_within(&files, bytes_max), Position(expected), "{bytes_max}");
        }
    }
}
