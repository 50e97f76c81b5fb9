//! What stands in a column: where the value is in the JSON, and how people read it.
//!
//! Not the drawing. A value that is absent or null is a dash for people and empty for programs; what a
//! column does not show is still there with `-o json`.

use std::borrow::Cow;

use serde_json::Value;

/// One column of a list, or one line of a card.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// What people read above it.
    pub(crate) title: &'static str,
    pointer: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Time,
    Ms,
    Bytes,
    Count,
    Share,
    State,
}

/// How good a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Doubtful,
    Bad,
    None,
}

/// Makes a column of text, numbers, or whatever else JSON has.
pub(crate) const fn text(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, kind: Kind::Text }
}

/// Makes a column of instants.
pub(crate) const fn time(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, kind: Kind::Time }
}

/// Makes a column of durations in milliseconds.
pub(crate) const fn ms(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, kind: Kind::Ms }
}

/// Makes a column of sizes in bytes.
pub(crate) const fn bytes(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, kind: Kind::Bytes }
}

/// Makes a column of counts.
pub(crate) const fn count(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, kind: Kind::Count }
}

/// Makes a column of shares from 0 to 1, shown as per cent.
pub(crate) const fn share(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, kind: Kind::Share }
}

/// Makes a column of states, outcomes and yes or no, which are coloured by how good they are.
pub(crate) const fn state(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, kind: Kind::State }
}

impl Column {
    /// Returns the name that programs see.
    pub(crate) fn name(&self) -> String {
        self.pointer.trim_start_matches('/').replace('/', ".")
    }

    /// Returns whether the thing has such a value, with something in it.
    pub(crate) fn is_there(&self, item: &Value) -> bool {
        match item.pointer(self.pointer) {
            None | Some(Value::Null) => false,
            Some(Value::Object(members)) => !members.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        }
    }

    /// Returns the value as programs get it.
    pub(crate) fn raw<'a>(&self, item: &'a Value) -> Cow<'a, str> {
        match item.pointer(self.pointer) {
            None | Some(Value::Null) => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(value) => Cow::Owned(value.to_string()),
        }
    }

    /// Returns the value as people read it.
    pub(crate) fn shown(&self, item: &Value) -> String {
        let Some(value) = item.pointer(self.pointer).filter(|value| !value.is_null()) else {
            return "-".to_owned();
        };
        let shown = self.shown_value(value);
        if shown.is_empty() { "-".to_owned() } else { shown }
    }

    fn shown_value(&self, value: &Value) -> String {
        match (self.kind, value) {
            (Kind::Time, Value::String(instant)) => show_time(instant),
            (Kind::Ms, value) => value.as_u64().map_or_else(|| brief(value), show_ms),
            (Kind::Bytes, value) => value.as_u64().map_or_else(|| brief(value), show_bytes),
            (Kind::Count, value) => value.as_u64().map_or_else(|| brief(value), show_count),
            (Kind::Share, value) => {
                value.as_f64().map_or_else(|| brief(value), |part| format!("{:.0} %", part * 100.0))
            }
            (Kind::Text | Kind::State | Kind::Time, value) => brief(value),
        }
    }

    /// Returns how good the value is.
    pub(crate) fn tone(&self, item: &Value) -> Tone {
        let Kind::State = self.kind else { return Tone::None };
        match item.pointer(self.pointer) {
            Some(Value::Bool(true)) => Tone::Good,
            Some(Value::Bool(false)) => Tone::Bad,
            Some(Value::String(word)) => tone_of(word),
            Some(_) | None => Tone::None,
        }
    }
}

/// Returns how good a state or an outcome is.
fn tone_of(word: &str) -> Tone {
    match word {
        "live" | "ok" | "delivered" | "completed" | "well" => Tone::Good,
        "catching_up" | "backing_off" | "paused" | "waiting" | "in_flight" | "parked" | "queued" | "running"
        | "degraded" => Tone::Doubtful,
        "held" | "disabled" | "dead_letter" | "discarded" | "expired" | "failed" | "cancelled" => Tone::Bad,
        _ => Tone::None,
    }
}

/// Writes any value in one line: short lists and small objects the way people would.
fn brief(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(brief).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name}={}", brief(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Writes an instant so that a column of them is narrow; it stays UTC.
fn show_time(instant: &str) -> String {
    instant.trim_end_matches('Z').replacen('T', " ", 1)
}

/// Writes milliseconds in the two greatest units that say something.
pub(crate) fn show_ms(ms: u64) -> String {
    let (seconds, minutes, hours, days) = (ms / 1000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{seconds}.{} s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Writes a size with a binary unit.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut tenths = bytes.saturating_mul(10);
    let mut unit = "B";
    for next in units {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

/// Writes a count with commas between the thousands.
pub(crate) fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Tone, bytes, count, ms, share, show_bytes, show_count, show_ms, state, text};

    #[test]
    fn numbers_are_written_as_people_say_them() {
        for (value, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1512, "1.5 s"),
            (61_000, "1 min 1 s"),
            (7_260_000, "2 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(show_ms(value), expected);
        }
        for (value, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 30, "1.0 GiB"),
            (u64::MAX, "1638.3 PiB"),
        ] {
            assert_eq!(show_bytes(value), expected);
        }
        for (value, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(show_count(value), expected);
        }
    }

    #[test]
    fn a_value_is_brief_for_people_and_whole_for_programs() {
        let item = json!({"url": "https://a", "lag": {"events": 1200, "ms": 1500}, "bytes": 2048, "progress": 0.25,
            "labels": {"tier": "gold"}, "types": ["a", "b"], "none": null, "empty": {}});
        assert_eq!(text("", "/url").shown(&item), "https://a");
        assert_eq!(count("", "/lag/events").shown(&item), "1,200");
        assert_eq!(count("", "/lag/events").raw(&item), "1200");
        assert_eq!(count("", "/lag/events").name(), "lag.events");
        assert_eq!(ms("", "/lag/ms").shown(&item), "1.5 s");
        assert_eq!(bytes("", "/bytes").shown(&item), "2.0 KiB");
        assert_eq!(share("", "/progress").shown(&item), "25 %");
        assert_eq!(text("", "/labels").shown(&item), "tier=gold");
        assert_eq!(text("", "/labels").raw(&item), "{\"tier\":\"gold\"}");
        assert_eq!(text("", "/types").shown(&item), "a, b");
        assert_eq!(text("", "/empty").shown(&item), "-");
        for pointer in ["/none", "/absent", "/url/deeper"] {
            assert_eq!((text("", pointer).shown(&item).as_str(), &*text("", pointer).raw(&item)), ("-", ""));
        }
    }

    #[test]
    fn states_have_a_tone_and_text_has_none() {
        let item = json!({"state": "live", "enabled": false, "outcome": "backing_off", "name": "live"});
        assert_eq!(state("", "/state").tone(&item), Tone::Good);
        assert_eq!(state("", "/enabled").tone(&item), Tone::Bad);
        assert_eq!(state("", "/outcome").tone(&item), Tone::Doubtful);
        assert_eq!(text("", "/name").tone(&item), Tone::None);
    }
}
