//! Requests to `/hooks` that the mapping did not understand, as they came. For operators only.
//!
//! What is older than `ingest.capture.max_age` is not shown, whether the log has taken its payload away yet or not.

use bytestring::ByteString;
use serde::Serialize;

use super::answer::Read;
use super::call::Call;
use super::failure::{of_log, ours};
use super::query::{Direction, List, Order, Page};
use crate::accounts::Accounts;
use crate::model::{AccountName, Capture, CaptureReason, Position, Record, Timestamp};
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
    // What is too old is hidden at once, and taken away soon after.
    let since = call.now().minus(call.api.options.capture_age_max);
    let limit = page.limit() + 1;
    call.look_up(move |log| {
        let records = match order.direction() {
            Direction::Newest => log.captures_back(after.map_or_else(|| log.head(), Position::previous), since, limit),
            Direction::Oldest => log.captures(after.map_or_else(|| log.oldest(), Position::next), since, limit),
        };
        let (mut items, mut bytes) = (Vec::new(), 0);
        for record in records.map_err(of_log)? {
            bytes += record.payload.len();
            items.push(View::of(&accounts, &record)?);
            if bytes >= PAGE_BYTES_MAX {
                let next = Some(record.position.to_string());
                return Ok(List { items, next });
            }
        }
        Ok(List::cut(items, page.limit(), |last: &View| last.position.to_string()))
    })
    .await
    .map(Read)
}

/// Bytes of captures after which a page ends.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
