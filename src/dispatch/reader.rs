//! Events made ready for somebody who reads them: many at once, as they would be sent.
//!
//! Nothing is sent. The bodies come from the same place as those that are: what a reader sees of an event is what a
//! receiver would get of it at this moment.

use std::sync::Arc;

use futures_util::future::join_all;

use super::Dispatch;
use super::rights::Owner;
use crate::accounts::{Account, Effective, Endpoint, Format, RightsAsOf, TypeSelection};
use crate::deliver::{Body, FilteredBy, Undecided};
use crate::model::{EventType, Offset, Position, Record};
use crate::runtime::blocking;

/// For whom events are made ready: whose rights decide.
#[derive(Debug, Clone)]
pub enum Reader {
    /// An account.
    Account(Arc<Account>),
    /// One of its endpoints, with what narrows it, by the rights of now or also by those of then.
    Endpoint(Arc<Endpoint>, RightsAsOf),
}

/// What would be sent of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prospect {
    /// The event.
    pub offset: Offset,
    /// Its type.
    pub event_type: EventType,
    /// What there is to send; none where its type is not asked for.
    pub body: Option<Body>,
}

impl Reader {
    fn owner(&self) -> Owner<'_> {
        match self {
            Self::Account(account) => Owner { account: account.id, name: &account.name },
            Self::Endpoint(endpoint, _) => Owner { account: endpoint.account, name: &endpoint.account_name },
        }
    }
}

impl Dispatch {
    /// Says what there would be to send of events of some types, in their order.
    ///
    /// # Errors
    /// Where the records or the rights cannot be read.
    pub async fn would_send(
        &self,
        reader: &Reader,
        format: Format,
        types: &TypeSelection,
        records: &[Record],
    ) -> Result<Vec<Prospect>, Undecided> {
        let held = self.effectives(reader, records).await?;
        let asked = records.iter().zip(held).map(|(record, effective)| async move {
            let (event_type, event) = self.log.event(record)?;
            let body = match effective {
                _ if !types.contains(&event_type) => None,
                None => Some(Body::Filtered(FilteredBy::Chain)),
                Some(effective) => {
                    let made = self.make_by(effective, reader.owner(), format, record, event_type.clone(), event);
                    Some(made.await)
                }
            };
            Ok(Prospect { offset: record.header.offset, event_type, body })
        });
        join_all(asked).await.into_iter().collect()
    }

    /// Returns what holds for each record; none where the account had no rights then.
    async fn effectives(&self, reader: &Reader, records: &[Record]) -> Result<Vec<Option<Effective>>, Undecided> {
        let of_now = match reader {
            Reader::Account(account) => self.accounts.effective(account.id)?,
            Reader::Endpoint(endpoint, RightsAsOf::Now) => self.accounts.effective_for(endpoint)?,
            Reader::Endpoint(endpoint, RightsAsOf::Original) => {
                let positions: Vec<Position> = records.iter().map(|record| record.position).collect();
                let (accounts, endpoint) = (self.accounts.clone(), Arc::clone(endpoint));
                let originals = blocking(move || {
                    positions.into_iter().map(|at| accounts.effective_original(&endpoint, at)).collect()
                });
                let originals: Result<_, _> = originals.await;
                return Ok(originals?);
            }
        };
        Ok(vec![Some(of_now); records.len()])
    }
}
