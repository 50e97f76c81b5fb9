//! Requests to `/hooks` that the mapping did not understand, as they came. For operators only.
//!
//! No index has them: a walk over the log looks at a bounded number of records and says where to go on.

use bytestring::ByteString;
use serde::Serialize;

use super::answer::Read;
use super::call::Call;
use super::failure::{of_log, ours};
use super::query::{Direction, List, Order, Page};
use crate::accounts::Accounts;
use crate::log::Handle;
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{AccountName, Capture, CaptureReason, Kind, Position, Record, Timestamp};
use crate::web::Problem;

/// A capture as it is read.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Capture")]
pub(super) struct View {
    /// Its place in the whole log.
    position: Position,
    /// When it was taken in.
    recorded_at: Timestamp,
    /// Whose it is, where that is known.
    account: Option<AccountName>,
    /// Why it is not an event.
    reason: CaptureReason,
    /// The reason in words, with the place.
    detail: String,
    /// The request's path.
    path: String,
    /// The headers that were kept.
    headers: Vec<Header>,
    /// How many bytes the body has.
    bytes: usize,
    /// The body as text; what is no UTF-8 in it is replaced.
    body: String,
}

/// A header of a capture.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CapturedHeader")]
struct Header {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

impl View {
    fn of(accounts: &Accounts, record: &Record) -> Result<Self, Problem> {
        let capture = Capture::decode(record.payload.clone()).map_err(|error| ours(&error))?;
        let header =
            |(name, value): (ByteString, ByteString)| Header { name: name.to_string(), value: value.to_string() };
        Ok(Self {
            position: record.position,
            recorded_at: record.header.recorded_at,
            account: accounts.account_by_id(record.header.account).map(|account| account.name.clone()),
            reason: capture.reason,
            detail: capture.detail.to_string(),
            path: capture.path.to_string(),
            headers: capture.headers.into_iter().map(header).collect(),
            bytes: capture.body.len(),
            body: String::from_utf8_lossy(&capture.body).into_owned(),
        })
    }
}

pub(super) async fn list(call: Call, (order, page): (Order, Page)) -> Result<Read<List<View>>, Problem> {
    let after = page.read_after(|after| after.parse().ok().map(Position))?;
    let accounts = call.api.accounts.clone();
    call.look_up(move |log| {
        let (mut items, mut bytes) = (Vec::new(), 0);
        let mut last = None;
        for (looked_at, position) in positions(log, order.direction(), after).enumerate() {
            if items.len() == page.limit() || bytes >= PAGE_BYTES_MAX || looked_at == PAGE_ROWS_MAX {
                return Ok(List { items, next: last.map(|position: Position| position.to_string()) });
            }
            last = Some(position);
            let record = log.record(position).map_err(of_log)?;
            if let Some(record) = record.filter(|record| record.header.kind == Kind::Capture) {
                bytes += record.payload.len();
                items.push(View::of(&accounts, &record)?);
            }
        }
        Ok(List { items, next: None })
    })
    .await
    .map(Read)
}

/// Returns the positions that are kept, from one end, behind `after`.
fn positions(log: &Handle, direction: Direction, after: Option<Position>) -> Box<dyn Iterator<Item = Position>> {
    let (oldest, head) = (log.oldest(), log.head());
    match direction {
        Direction::Newest => {
            let last = after.map_or(head, |after| head.min(after.previous()));
            Box::new((oldest.0..=last.0).rev().map(Position))
        }
        Direction::Oldest => {
            let first = after.map_or(oldest, |after| oldest.max(after.next()));
            Box::new((first.0..=head.0).map(Position))
        }
    }
}

/// Bytes of captures after which a page ends.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
