//! One value: read from a file or a variable as its key's kind says, and written back.
//!
//! Not the rules between keys: `check` has them. A value that was read is within the bounds of its key; what
//! a secret key was given is in no message.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

use super::raw::{Bounds, Kind, LIST_ITEMS_MAX};
use super::units::{self, Misread};
use crate::security::Secret;

/// A value within the bounds of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Address(SocketAddr),
    Switch(bool),
    Count(u64),
    Auto,
    Size(u64),
    Duration(Duration),
    Durations(Vec<Duration>),
    Paths(Vec<String>),
    Ranges(Vec<IpNet>),
    Secrets(Vec<Secret<String>>),
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("expected {expected}, found {found}")]
    Form { expected: String, found: String },
    #[error("{found} has no unit: write {found}s or {found}ms")]
    NoUnit { found: String },
    #[error("zero {why}; the least is {least}")]
    Zero { why: &'static str, least: String },
    #[error("{found} is below the least, {least}")]
    Below { found: String, least: String },
    #[error("{found} is above the greatest, {greatest}")]
    Above { found: String, greatest: String },
    #[error("{count} items are more than the most, {LIST_ITEMS_MAX}")]
    Items { count: usize },
}

/// A fault and where in the text it is, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FaultAt {
    pub(super) offset: usize,
    pub(super) fault: Fault,
}

impl Kind {
    /// Reads the value of a variable or flag. A list is written with commas, or as in a file.
    pub(super) fn read_text(&self, text: &str) -> Result<Value, Fault> {
        if !self.is_list() {
            return self.read_one(&Given::Bare(text));
        }
        let text = text.trim();
        if text.starts_with('[') {
            let parsed = DeValue::parse(text).map_err(|_| self.misformed(&Given::Bare(text)))?;
            return self.read_toml(&parsed).map_err(|at| at.fault);
        }
        if text.is_empty() {
            return self.read_list(&[]).map_err(|at| at.fault);
        }
        let items: Vec<_> = text.split(',').map(|item| (0, Given::Bare(item.trim()))).collect();
        self.read_list(&items).map_err(|at| at.fault)
    }

    /// Reads the value of a key in a file.
    pub(super) fn read_toml(&self, value: &Spanned<DeValue<'_>>) -> Result<Value, FaultAt> {
        let offset = value.span().start;
        if let (true, DeValue::Array(array)) = (self.is_list(), value.get_ref()) {
            let items: Vec<_> = array.iter().map(|item| (item.span().start, Given::of(item.get_ref()))).collect();
            return self.read_list(&items).map_err(|at| FaultAt { offset: at.offset.max(offset), ..at });
        }
        self.read_one(&Given::of(value.get_ref())).map_err(|fault| FaultAt { offset, fault })
    }

    const fn is_list(&self) -> bool {
        matches!(self, Self::Durations(_) | Self::Paths | Self::Ranges | Self::Secrets)
    }

    fn read_list(&self, items: &[(usize, Given<'_>)]) -> Result<Value, FaultAt> {
        if items.len() > LIST_ITEMS_MAX {
            return Err(FaultAt { offset: 0, fault: Fault::Items { count: items.len() } });
        }
        match self {
            Self::Durations(bounds) => each(items, |item| read_duration(item, bounds)).map(Value::Durations),
            Self::Paths => each(items, read_path).map(Value::Paths),
            Self::Ranges => each(items, read_range).map(Value::Ranges),
            Self::Secrets => each(items, read_secret).map(Value::Secrets),
            _ => unreachable!("no other kind is a list"),
        }
    }

    fn read_one(&self, given: &Given<'_>) -> Result<Value, Fault> {
        match (self, given) {
            (Self::Path, _) => read_path(given).map(Value::Text),
            (Self::Address, Given::Bare(text) | Given::Text(text)) => {
                text.parse().map(Value::Address).map_err(|_| self.misformed(given))
            }
            (Self::Switch, Given::Switch(is_on)) => Ok(Value::Switch(*is_on)),
            (Self::Switch, Given::Bare("true")) => Ok(Value::Switch(true)),
            (Self::Switch, Given::Bare("false")) => Ok(Value::Switch(false)),
            (Self::Choice(choices), Given::Bare(text) | Given::Text(text)) if choices.contains(text) => {
                Ok(Value::Text((*text).to_owned()))
            }
            (Self::LogFilter, Given::Bare(text) | Given::Text(text)) if is_log_filter(text) => {
                Ok(Value::Text((*text).to_owned()))
            }
            (Self::CountOrAuto(_), Given::Bare("auto") | Given::Text("auto")) => Ok(Value::Auto),
            (Self::Count(bounds) | Self::CountOrAuto(bounds), _) => {
                let count = given.as_count().ok_or_else(|| self.misformed(given))?;
                within(count, bounds, |count| count.to_string()).map(Value::Count)
            }
            (Self::Size(bounds), _) => read_size(given, bounds).map(Value::Size),
            (Self::Duration(bounds), _) => read_duration(given, bounds).map(Value::Duration),
            _ => Err(self.misformed(given)),
        }
    }

    fn misformed(&self, given: &Given<'_>) -> Fault {
        let found = if matches!(self, Self::Secrets) { given.kind().to_owned() } else { given.shown() };
        Fault::Form { expected: self.form(), found }
    }

    /// Says how a value is written.
    pub(super) fn form(&self) -> String {
        match self {
            Self::Path => PATH_FORM.to_owned(),
            Self::Paths => r#"a list of paths such as ["own.toml"]"#.to_owned(),
            Self::Address => "an IP address and a port such as 127.0.0.1:7070 or [::1]:7070".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(choices) => choices.join(" or "),
            Self::LogFilter => {
                "a level (error, warn, info, debug, trace, off) or levels such as info,hooklog::log=debug".to_owned()
            }
            Self::Count(_) => "a whole number".to_owned(),
            Self::CountOrAuto(_) => "auto or a whole number".to_owned(),
            Self::Size(_) => SIZE_FORM.to_owned(),
            Self::Duration(_) => DURATION_FORM.to_owned(),
            Self::Durations(_) => r#"a list of durations such as ["5s", "2h"]"#.to_owned(),
            Self::Ranges => r#"a list of address ranges such as ["10.0.0.0/8"]"#.to_owned(),
            Self::Secrets => "a list of texts".to_owned(),
        }
    }
}

/// What somebody wrote, before its key says what it means.
#[derive(Debug)]
enum Given<'a> {
    /// A text without quotes, from a variable or a flag: it may stand for anything.
    Bare(&'a str),
    Text(&'a str),
    Switch(bool),
    /// The number as written, and its value where it is not negative.
    Integer(String, Option<u64>),
    Other(&'static str),
}

impl<'a> Given<'a> {
    fn of(value: &'a DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text),
            DeValue::Boolean(is_on) => Self::Switch(*is_on),
            DeValue::Integer(integer) => {
                let digits = integer.as_str().trim_start_matches('+');
                let is_negative = digits.starts_with('-');
                let number = u64::from_str_radix(digits, integer.radix()).unwrap_or(u64::MAX);
                Self::Integer(integer.to_string(), (!is_negative).then_some(number))
            }
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Array(_) => Self::Other("a list"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    fn as_text(&self) -> Option<&'a str> {
        match self {
            Self::Bare(text) | Self::Text(text) => Some(text),
            Self::Switch(_) | Self::Integer(..) | Self::Other(_) => None,
        }
    }

    fn as_count(&self) -> Option<u64> {
        match self {
            Self::Integer(_, number) => *number,
            Self::Bare(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(text.parse().unwrap_or(u64::MAX))
            }
            Self::Bare(_) | Self::Text(_) | Self::Switch(_) | Self::Other(_) => None,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Bare(_) | Self::Text(_) => "another text",
            Self::Switch(_) => "true or false",
            Self::Integer(..) => "a number",
            Self::Other(kind) => kind,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Bare(text) | Self::Text(text) => quote(text),
            Self::Switch(is_on) => is_on.to_string(),
            Self::Integer(digits, _) => digits.clone(),
            Self::Other(kind) => (*kind).to_owned(),
        }
    }
}

fn each<T>(items: &[(usize, Given<'_>)], read: impl Fn(&Given<'_>) -> Result<T, Fault>) -> Result<Vec<T>, FaultAt> {
    items.iter().map(|(offset, item)| read(item).map_err(|fault| FaultAt { offset: *offset, fault })).collect()
}

fn read_duration(given: &Given<'_>, bounds: &Bounds) -> Result<Duration, Fault> {
    let misformed = || Fault::Form { expected: DURATION_FORM.to_owned(), found: given.shown() };
    if let Given::Integer(digits, Some(_)) = given {
        return Err(Fault::NoUnit { found: digits.clone() });
    }
    let text = given.as_text().ok_or_else(misformed)?;
    let duration = units::parse_duration(text).map_err(|misread| match misread {
        Misread::NoUnit => Fault::NoUnit { found: text.to_owned() },
        Misread::Form => misformed(),
    })?;
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    within(ms, bounds, |ms| units::format_duration(Duration::from_millis(ms))).map(Duration::from_millis)
}

fn read_size(given: &Given<'_>, bounds: &Bounds) -> Result<u64, Fault> {
    let misformed = || Fault::Form { expected: SIZE_FORM.to_owned(), found: given.shown() };
    let bytes = match given {
        Given::Integer(_, Some(bytes)) => *bytes,
        _ => units::parse_size(given.as_text().ok_or_else(misformed)?).map_err(|_| misformed())?,
    };
    within(bytes, bounds, units::format_size)
}

/// An address alone is the range of that one address.
fn read_path(given: &Given<'_>) -> Result<String, Fault> {
    match given {
        Given::Bare(text) | Given::Text(text) if !text.is_empty() && !text.contains('\0') => Ok((*text).to_owned()),
        _ => Err(Fault::Form { expected: PATH_FORM.to_owned(), found: given.shown() }),
    }
}

fn read_range(given: &Given<'_>) -> Result<IpNet, Fault> {
    let read = |text: &str| text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let expected = "a range of addresses such as 10.0.0.0/8";
    given.as_text().and_then(read).ok_or_else(|| Fault::Form { expected: expected.to_owned(), found: given.shown() })
}

/// What a bearer header can carry; commas part tokens in a variable.
fn read_secret(given: &Given<'_>) -> Result<Secret<String>, Fault> {
    match given.as_text() {
        Some(text) if is_bearer_token(text) => Ok(Secret::new(text.to_owned())),
        _ => Err(Fault::Form {
            expected: format!("a token of 1 to {TOKEN_BYTES_MAX} visible ASCII characters without commas"),
            found: given.kind().to_owned(),
        }),
    }
}

/// Says whether a bearer header can carry the text.
pub(super) fn is_bearer_token(text: &str) -> bool {
    (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// A word alone that is no level would be taken as the name of a module: `inof` would silence everything.
fn is_log_filter(text: &str) -> bool {
    let is_level = |word: &str| LOG_LEVELS.contains(&word.to_ascii_lowercase().as_str());
    let is_plain = |directive: &str| !directive.contains(['=', '[']);
    text.split(',').all(|directive| !is_plain(directive) || is_level(directive)) && EnvFilter::try_new(text).is_ok()
}

fn within(number: u64, bounds: &Bounds, shown: impl Fn(u64) -> String) -> Result<u64, Fault> {
    let Bounds { least, greatest, zero } = *bounds;
    match number {
        0 if least > 0 => Err(Fault::Zero { why: zero, least: shown(least) }),
        _ if number < least => Err(Fault::Below { found: shown(number), least: shown(least) }),
        _ if number > greatest => Err(Fault::Above { found: shown(number), greatest: shown(greatest) }),
        _ => Ok(number),
    }
}

/// Quotes a text on one line, cut where it is long.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{:?}…", text.split_at(end).0),
        None => format!("{text:?}"),
    }
}

impl Value {
    /// Writes the value as a file has it; a secret is never written.
    pub(super) fn to_toml(&self) -> String {
        let text = |text: String| toml::Value::String(text).to_string();
        match self {
            Self::Text(content) => text(content.clone()),
            Self::Address(address) => text(address.to_string()),
            Self::Switch(is_on) => is_on.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Auto => text("auto".to_owned()),
            Self::Size(bytes) => match units::format_size(*bytes) {
                digits if digits == bytes.to_string() => digits,
                with_unit => text(with_unit),
            },
            Self::Duration(duration) => text(units::format_duration(*duration)),
            Self::Durations(durations) => list(durations, |duration| text(units::format_duration(*duration))),
            Self::Paths(paths) => list(paths, |path| text(path.clone())),
            Self::Ranges(ranges) => list(ranges, |range| text(range.to_string())),
            Self::Secrets(secrets) => list(secrets, |_| text("***".to_owned())),
        }
    }
}

fn list<T>(items: &[T], write: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(write).collect::<Vec<_>>().join(", "))
}

const PATH_FORM: &str = "a path";
const DURATION_FORM: &str = "a duration such as 15s, 5m, 2h or 30d";
const SIZE_FORM: &str = "a size such as 512KiB, 64MiB or 1GiB, or a number of bytes";
const LOG_LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
const TOKEN_BYTES_MAX: usize = 512;
const SHOWN_CHARACTERS_MAX: usize = 60;
