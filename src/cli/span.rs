//! A stretch of time as people type it: `2h`, `90s`, `1h 30m`, `7d`.
//!
//! Not an instant. A day has 24 hours; months and years have no fixed length and are refused.

use std::str::FromStr;
use std::time::Duration;

/// A stretch of time, zero or longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    /// Returns whole milliseconds.
    pub(crate) fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || format!("expected a stretch of time such as 90s, 2h or 7d, not {text:?}");
        if text.trim() == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let span = jiff::Span::from_str(text.trim()).map_err(|_| refusal())?;
        if span.is_negative() || span.get_months() != 0 || span.get_years() != 0 {
            return Err(refusal());
        }
        let weeks = Duration::from_hours(u64::try_from(span.get_weeks()).map_err(|_| refusal())? * 7 * 24);
        let days = Duration::from_hours(u64::try_from(span.get_days()).map_err(|_| refusal())? * 24);
        let rest = span.weeks(0).days(0);
        let rest = jiff::SignedDuration::try_from(rest).map_err(|_| refusal())?;
        Ok(Self(weeks + days + rest.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    fn check(text: &str, expected_ms: Option<u64>) {
        assert_eq!(text.parse::<Span>().ok().map(Span::ms), expected_ms, "{text:?}");
    }

    #[test]
    fn spans_are_read_as_people_type_them() {
        check("0", Some(0));
        check("0s", Some(0));
        check("500ms", Some(500));
        check("90s", Some(90_000));
        check("2h", Some(7_200_000));
        check("1h30m", Some(5_400_000));
        check("1h 30m", Some(5_400_000));
        check("7d", Some(604_800_000));
        check("2w", Some(1_209_600_000));
        check("1d12h", Some(129_600_000));
        check("1.5h", Some(5_400_000));
        check("PT15S", Some(15_000));
    }

    #[test]
    fn what_has_no_length_is_refused() {
        for text in ["", "2", "h", "-2h", "2h ago", "1mo", "1y", "2 parsecs", "2026-03-02T09:14:07Z"] {
            check(text, None);
        }
    }
}
