//! What a bad receiver does instead of answering well: on demand, to all requests or to some.
//!
//! Not the doing: that is the receiver's. `500@10%` is read here, and it is decided to which request it is done.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;

use crate::cli::span::Span;
use crate::runtime::Random;

/// Something bad, and to which requests it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mischief {
    /// What is done.
    pub deed: Deed,
    /// To which requests.
    pub which: Which,
}

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is answered late.
    Slow(Duration),
    /// It is never answered.
    Hang,
    /// Its connection is reset, and it is not taken.
    Reset,
    /// It is taken, and its connection is reset before the answer.
    Lose,
    /// It is refused with this status, and with the wish to be asked again so much later.
    Refuse(StatusCode, Option<Duration>),
    /// It is sent elsewhere.
    Redirect,
    /// It is taken, and the answer's body has no end.
    Endless,
}

/// To which requests something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// To all of them.
    All,
    /// To every so many-th.
    Every(u64),
    /// To so many of ten thousand, by chance.
    Share(u64),
    /// To those of a key.
    Key(String),
}

impl Mischief {
    /// Decides whether it is done to a request: the how-manyth it is, and its key.
    pub(super) fn meets(&self, number: u64, key: Option<&str>, random: &mut Random) -> bool {
        match &self.which {
            Which::All => true,
            Which::Every(every) => number.is_multiple_of(*every),
            Which::Share(share) => random.below(10_000) < *share,
            Which::Key(wanted) => key == Some(wanted),
        }
    }
}

impl Deed {
    /// Whether the receiver has the event afterwards.
    pub(super) const fn takes(self) -> bool {
        matches!(self, Self::Slow(_) | Self::Lose | Self::Endless)
    }
}

impl FromStr for Mischief {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (deed, which) = text.split_once('@').map_or((text, None), |(deed, which)| (deed, Some(which)));
        let deed = deed.parse()?;
        Ok(Self { deed, which: which.map_or(Ok(Which::All), str::parse)? })
    }
}

impl FromStr for Deed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, span) = text.split_once(':').map_or((text, None), |(word, span)| (word, Some(span)));
        let span = span.map(str::parse::<Span>).transpose()?.map(|span| span.0);
        let status = || word.parse::<StatusCode>().ok().filter(|status| (400..600).contains(&status.as_u16()));
        match (word, span) {
            ("slow", Some(span)) => Ok(Self::Slow(span)),
            ("hang", None) => Ok(Self::Hang),
            ("reset", None) => Ok(Self::Reset),
            ("lose", None) => Ok(Self::Lose),
            ("redirect", None) => Ok(Self::Redirect),
            ("endless", None) => Ok(Self::Endless),
            (_, span) => status().map(|status| Self::Refuse(status, span)).ok_or_else(|| {
                format!(
                    "expected slow:SPAN, hang, reset, lose, redirect, endless, or a status from 400 to 599 with a \
                     :SPAN for retry-after, not {text:?}"
                )
            }),
        }
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected key=KEY, 1/N or a share such as 10%, not {text:?}");
        if let Some(key) = text.strip_prefix("key=").filter(|key| !key.is_empty()) {
            return Ok(Self::Key(key.to_owned()));
        }
        if let Some(every) = text.strip_prefix("1/") {
            return every.parse().ok().filter(|every| *every > 0).map(Self::Every).ok_or_else(wrong);
        }
        let percent = text.strip_suffix('%').and_then(|share| share.parse::<f64>().ok());
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(wrong)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10,000")]
        let share = (percent * 100.0).round() as u64;
        Ok(Self::Share(share))
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow(_) => formatter.write_str("slow"),
            Self::Hang => formatter.write_str("hang"),
            Self::Reset => formatter.write_str("reset"),
            Self::Lose => formatter.write_str("lose"),
            Self::Refuse(status, _) => write!(formatter, "{}", status.as_u16()),
            Self::Redirect => formatter.write_str("redirect"),
            Self::Endless => formatter.write_str("endless"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mischief_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<Mischief>().map(|mischief| (mischief.deed, mischief.which));
        assert_eq!(read("hang"), Ok((Deed::Hang, Which::All)));
        assert_eq!(read("slow:2s@1/3"), Ok((Deed::Slow(Duration::from_secs(2)), Which::Every(3))));
        let later = Deed::Refuse(StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(30)));
        assert_eq!(read("429:30s@0.5%"), Ok((later, Which::Share(50))));
        let absent = Deed::Refuse(StatusCode::NOT_FOUND, None);
        assert_eq!(read("404@key=i_7"), Ok((absent, Which::Key("i_7".to_owned()))));
        for wrong in ["", "slow", "hang:2s", "200", "700", "reset@", "reset@0%%", "reset@1/0", "reset@101%", "key=x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_is_met_by_chance_and_a_key_by_name() {
        let mut random = Random::from_seed(1);
        let mut met = |which: Which, key: Option<&str>| {
            let mischief = Mischief { deed: Deed::Hang, which };
            (1..=1_000).filter(|number| mischief.meets(*number, key, &mut random)).count()
        };
        assert_eq!(met(Which::All, None), 1_000);
        assert_eq!(met(Which::Every(4), None), 250);
        assert!((50..150).contains(&met(Which::Share(1_000), None)));
        assert_eq!(
            (met(Which::Key("a".to_owned()), Some("a")), met(Which::Key("a".to_owned()), Some("b"))),
            (1_000, 0)
        );
        assert_eq!(met(Which::Key("a".to_owned()), None), 0);
    }
}
