//! How fast one account may send: a bucket of events that fills again all the time.
//!
//! Only accounts with a rate have one. A bucket holds one second's worth; a batch larger than that passes
//! when the bucket is full, and is paid off afterwards.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::AccountId;
use crate::runtime::Monotonic;

#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<AccountId, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    events: f64,
    at: Monotonic,
}

impl Rates {
    /// Takes `events` out of an account's bucket, or says how long to wait until they may come again.
    pub(super) fn take(
        &self,
        account: AccountId,
        per_second: u32,
        events: usize,
        now: Monotonic,
    ) -> Result<(), Duration> {
        let capacity = f64::from(per_second);
        #[expect(clippy::cast_precision_loss, reason = "a request has at most ten thousand events")]
        let wanted = events as f64;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(account).or_insert(Bucket { events: capacity, at: now });
        bucket.events = (bucket.events + now.since(bucket.at).as_secs_f64() * capacity).min(capacity);
        bucket.at = now;
        let needed = wanted.min(capacity);
        if bucket.events < needed {
            return Err(Duration::from_secs_f64((needed - bucket.events) / capacity));
        }
        bucket.events -= wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let rates = Rates::default();
        let account = AccountId(1);
        let at = |ms: u64| Monotonic(ms * 1_000_000);
        for _ in 0..10 {
            assert_eq!(rates.take(account, 10, 1, at(0)), Ok(()));
        }
        assert_eq!(rates.take(account, 10, 1, at(0)), Err(Duration::from_millis(100)));
        assert_eq!(rates.take(AccountId(2), 10, 1, at(0)), Ok(()), "accounts do not share");
        assert_eq!(rates.take(account, 10, 1, at(100)), Ok(()));
        assert_eq!(rates.take(account, 10, 25, at(2_000)), Ok(()), "a large batch passes a full bucket");
        assert!(rates.take(account, 10, 1, at(3_000)).is_err(), "and is paid off afterwards");
        assert_eq!(rates.take(account, 10, 1, at(4_000)), Ok(()));
    }
}
