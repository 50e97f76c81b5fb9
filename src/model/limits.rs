//! The one table of limits: what hooklog takes from the outside, per account and request.
//!
//! Not the settings: these numbers are the same everywhere, stand in the reference, and a change of one
//! is a change of the contract. What an operator may choose is in `settings`.

/// Accounts of one installation.
pub const ACCOUNTS_MAX: usize = 100_000;
/// Endpoints of one account.
pub const ENDPOINTS_PER_ACCOUNT_MAX: usize = 20;
/// Tokens of one account, and of the operator.
pub const TOKENS_PER_ACCOUNT_MAX: usize = 100;
/// Events in one request.
pub const EVENTS_PER_REQUEST_MAX: usize = 10_000;
/// Bytes of a name given by a person.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of an event's id or type.
pub const EVENT_NAME_BYTES_MAX: usize = 128;
/// Bytes of a lane's key.
pub const KEY_BYTES_MAX: usize = 256;
/// Bytes of a source id that is kept as the sender gave it.
pub const SOURCE_ID_BYTES_MAX: usize = 1024;
/// Bytes of one header value.
pub const HEADER_VALUE_BYTES_MAX: usize = 8 * 1024;
/// Extra headers of one endpoint.
pub const HEADERS_PER_ENDPOINT_MAX: usize = 20;
/// Types that one endpoint asks for by name or pattern: more than the catalogue has.
pub const TYPES_PER_ENDPOINT_MAX: usize = 200;
/// Names in the rights of one account, of types and fields together.
pub const RIGHTS_ENTRIES_MAX: usize = 2_000;
/// How deep JSON may be nested.
pub const NESTING_MAX: usize = 64;
/// Keys in all objects of one event.
pub const KEYS_PER_EVENT_MAX: usize = 10_000;
/// Items of one page of a list.
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// Items of a page when nobody says how many.
pub const PAGE_ITEMS_DEFAULT: usize = 100;
/// Rows that one page of a list looks at.
pub const PAGE_ROWS_MAX: usize = 10_000;
/// The greatest offset: what every JSON reader holds exactly.
pub const OFFSET_MAX: u64 = (1 << 53) - 1;
/// Bytes of a record's payload part: the largest event, its envelope and a margin for attributes.
pub const PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a URL.
pub const URL_BYTES_MAX: usize = 2_048;
