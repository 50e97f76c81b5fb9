//! Instants: whole milliseconds since the epoch, UTC.
//!
//! Not a clock: nothing here knows what time it is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A text that is not an RFC 3339 instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an instant must be RFC 3339, such as 2026-03-02T09:14:07.512Z")]
pub struct InvalidTimestamp;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The last millisecond that can be written in every time zone: the end of 9999-12-30, 22 o'clock.
    pub const MAX: Self = Self(253_402_207_200_999);
    /// The first millisecond of the year 0.
    pub const MIN: Self = Self(-62_167_219_200_000);

    /// Reads an RFC 3339 instant with any offset; what is finer than a millisecond is cut off.
    ///
    /// # Errors
    /// Where the text is anything else, or outside the years 0 to 9999.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        // jiff also takes what is not RFC 3339 (a space instead of the T, a zone in brackets).
        let has_shape = text.len() >= 20
            && text.is_ascii()
            && matches!(text.as_bytes().get(10), Some(b'T' | b't'))
            && !text.contains('[');
        if !has_shape {
            return Err(InvalidTimestamp);
        }
        let instant = jiff::Timestamp::from_str(text).map_err(|_| InvalidTimestamp)?;
        let ms = Self(instant.as_nanosecond().div_euclid(1_000_000).try_into().map_err(|_| InvalidTimestamp)?);
        if ms < Self::MIN || ms > Self::MAX { Err(InvalidTimestamp) } else { Ok(ms) }
    }

    /// Returns the instant `after` later.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns the instant `before` earlier.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(before.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns how long ago `earlier` was, zero where it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns whole seconds since the epoch, as Standard Webhooks writes them.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clamped = self.0.clamp(Self::MIN.0, Self::MAX.0);
        // Never an error: `to_string` would panic, and times come from certificates and clocks of others.
        let instant = jiff::Timestamp::from_millisecond(clamped).unwrap_or(jiff::Timestamp::MAX);
        write!(formatter, "{instant:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time", "description": "RFC 3339, UTC, milliseconds" })
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    fn check(text: &str, expected: Option<&str>) {
        let read = Timestamp::parse(text).ok().map(|instant| instant.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn rfc_3339_is_read_and_written_with_milliseconds() {
        check("2026-03-02T09:14:07.512Z", Some("2026-03-02T09:14:07.512Z"));
        check("2026-03-02T09:14:07Z", Some("2026-03-02T09:14:07.000Z"));
        check("2026-03-02t09:14:07z", Some("2026-03-02T09:14:07.000Z"));
        check("2026-03-02T10:14:07.5129+01:00", Some("2026-03-02T09:14:07.512Z"));
        check("1969-12-31T23:59:59.9999Z", Some("1969-12-31T23:59:59.999Z"));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "2026-03-02",
            "2026-03-02 09:14:07Z",
            "2026-03-02T09:14:07",
            "2026-13-02T09:14:07Z",
            "now",
            "2026-03-02T09:14:07Z[Europe/Paris]",
            "1772442847512",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn every_millisecond_survives_writing_and_reading() {
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-30T22:00:00.999Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00.999Z");
        assert_eq!(Timestamp::parse("9999-12-30T22:00:00.999Z"), Ok(Timestamp::MAX));
        assert_eq!(Timestamp(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        proptest::proptest!(|(ms in Timestamp::MIN.0..=Timestamp::MAX.0)| {
            proptest::prop_assert_eq!(Timestamp::parse(&Timestamp(ms).to_string()), Ok(Timestamp(ms)));
        });
    }
}
