//! Which part of the past: `--from`, `--to`, `--since`; and how much of a list.
//!
//! Not arithmetic on offsets: the server resolves. From is included, to is not.

use std::str::FromStr;

use serde_json::{Value, json};

use crate::model::limits::{OFFSET_MAX, PAGE_ITEMS_DEFAULT};
use crate::model::{Offset, Timestamp};

use super::span::Span;

/// A point in an account's past: an offset, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// An offset.
    Offset(Offset),
    /// When hooklog took it in.
    Time(Timestamp),
}

impl Point {
    /// Writes the point as bodies of the API have it.
    pub(crate) fn body(self) -> Value {
        match self {
            Self::Offset(offset) => json!({"offset": offset}),
            Self::Time(time) => json!({"time": time}),
        }
    }

    fn query(self, of_offset: &'static str, of_time: &'static str) -> (&'static str, String) {
        match self {
            Self::Offset(offset) => (of_offset, offset.to_string()),
            Self::Time(time) => (of_time, time.to_string()),
        }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            let offset = text.parse().ok().filter(|offset| (1..=OFFSET_MAX).contains(offset));
            return offset.map(|offset| Self::Offset(Offset(offset))).ok_or_else(|| form(text));
        }
        Timestamp::parse(text).map(Self::Time).map_err(|_| form(text))
    }
}

fn form(text: &str) -> String {
    format!("expected an offset such as 41 or an instant such as 2026-03-02T09:14:07Z, not {text:?}")
}

/// The stretch that is meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Range {
    /// From this offset or instant on (included)
    #[arg(long, value_name = "POINT", conflicts_with = "since")]
    from: Option<Point>,
    /// Up to this offset or instant (not included); without it, up to now
    #[arg(long, value_name = "POINT")]
    to: Option<Point>,
    /// From this long ago on, such as 2h
    #[arg(long, value_name = "SPAN")]
    since: Option<Span>,
}

impl Range {
    /// Returns where it begins, where that was said.
    pub(crate) fn first(&self, now: Timestamp) -> Option<Point> {
        let since = |since: Span| {
            let ms = i64::try_from(since.ms()).unwrap_or(i64::MAX);
            Point::Time(Timestamp(now.0.saturating_sub(ms).max(Timestamp::MIN.0)))
        };
        self.from.or_else(|| self.since.map(since))
    }

    /// Returns where it ends, where that was said.
    pub(crate) const fn end(&self) -> Option<Point> {
        self.to
    }

    /// Writes the stretch as queries of the API have it.
    pub(crate) fn query(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let first = self.first(now).map(|point| point.query("fromOffset", "fromTime"));
        let end = self.to.map(|point| point.query("toOffset", "toTime"));
        first.into_iter().chain(end).collect()
    }
}

/// Where to begin with what goes on.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Start {
    /// Begin with this offset or instant, or with earliest or now; without it where it was the last time, or now
    #[arg(long, value_name = "POINT", conflicts_with = "since")]
    from: Option<StartPoint>,
    /// Begin this long ago, such as 2h
    #[arg(long, value_name = "SPAN")]
    since: Option<Span>,
}

/// A point to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartPoint {
    Point(Point),
    Earliest,
    Now,
}

impl FromStr for StartPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "now" => Ok(Self::Now),
            _ => text.parse().map(Self::Point).map_err(|refusal: String| format!("{refusal}, earliest or now")),
        }
    }
}

impl Start {
    /// Returns whether nothing was said.
    pub(crate) const fn is_open(&self) -> bool {
        self.from.is_none() && self.since.is_none()
    }

    /// Writes it as queries of the API have it.
    pub(crate) fn query(&self, now: Timestamp) -> Option<(&'static str, String)> {
        match self.from {
            Some(StartPoint::Earliest) => return Some(("from", "earliest".to_owned())),
            Some(StartPoint::Now) => return Some(("from", "now".to_owned())),
            Some(StartPoint::Point(point)) => return Some(point.query("from", "fromTime")),
            None => {}
        }
        let range = Range { from: None, to: None, since: self.since };
        range.first(now).map(|point| point.query("from", "fromTime"))
    }
}

/// How much of a list, and from which end.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Portion {
    /// Print at most this many
    #[arg(long, value_name = "N", default_value_t = PAGE_ITEMS_DEFAULT, conflicts_with = "all", value_parser = at_least_one)]
    limit: usize,
    /// Print them all, however many there are
    #[arg(long)]
    all: bool,
    /// Go on after the cursor that an earlier list ended with
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let count = text.parse().map_err(|_| format!("expected a number, not {text:?}"))?;
    if count == 0 { Err("expected at least 1".to_owned()) } else { Ok(count) }
}

impl Portion {
    /// Returns how many items are wanted.
    pub(crate) const fn items_max(&self) -> usize {
        if self.all { usize::MAX } else { self.limit }
    }
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Direction {
    Newest,
    Oldest,
}

impl Direction {
    /// Writes it as queries of the API have it.
    pub(crate) fn query(self) -> (&'static str, String) {
        let word = match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
        };
        ("direction", word.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Timestamp;

    use super::{Point, Range};

    fn check(from: Option<&str>, to: Option<&str>, since: Option<&str>, expected: &[(&str, &str)]) {
        let point = |text: Option<&str>| text.map(|text| text.parse::<Point>().unwrap());
        let range = Range { from: point(from), to: point(to), since: since.map(|text| text.parse().unwrap()) };
        let now = Timestamp::parse("2026-03-02T09:14:07Z").unwrap();
        let query = range.query(now);
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(query, expected);
    }

    #[test]
    fn a_range_is_asked_for_as_the_contract_says() {
        check(None, None, None, &[]);
        check(Some("41"), Some("80"), None, &[("fromOffset", "41"), ("toOffset", "80")]);
        check(
            Some("41"),
            Some("2026-03-02T09:00:00Z"),
            None,
            &[("fromOffset", "41"), ("toTime", "2026-03-02T09:00:00.000Z")],
        );
        check(None, Some("80"), Some("2h"), &[("fromTime", "2026-03-02T07:14:07.000Z"), ("toOffset", "80")]);
    }

    #[test]
    fn a_point_is_an_offset_or_an_instant() {
        assert_eq!("41".parse::<Point>().unwrap().body().to_string(), "{\"offset\":41}");
        let body = "2026-03-02T10:14:07+01:00".parse::<Point>().unwrap().body().to_string();
        assert_eq!(body, "{\"time\":\"2026-03-02T09:14:07.000Z\"}");
        for bad in ["", "0", "-1", "9007199254740992", "yesterday", "2026-03-02"] {
            assert!(bad.parse::<Point>().is_err(), "{bad}");
        }
    }
}
