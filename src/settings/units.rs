//! Durations and sizes as people write them: `30d`, `250ms`, `64MiB`.
//!
//! Not a calculator: one whole number and one unit, no `1h30m` and no `1.5s`, so that there is one way to
//! read a value. What is written here is read back as the same value, to the millisecond and the byte.

use std::time::Duration;

/// Why a text is no duration or size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misread {
    /// A number alone, where the unit decides what it means.
    NoUnit,
    /// Anything else.
    Form,
}

/// Reads a duration. A bare number is refused, zero too: it is a mistake of a thousand either way.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Misread> {
    let (number, unit) = split(text)?;
    if unit.is_empty() {
        return Err(Misread::NoUnit);
    }
    let (_, unit_ms) = DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or(Misread::Form)?;
    // Too much for the type is too much for every bound, which is what then is said.
    Ok(Duration::from_millis(number.saturating_mul(*unit_ms)))
}

/// Writes a duration of whole milliseconds with the greatest unit that divides it.
pub(super) fn format_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let dividing = DURATION_UNITS.iter().find(|(_, unit_ms)| ms.is_multiple_of(*unit_ms));
    let (name, unit_ms) = dividing.expect("every number is divided by one");
    format!("{}{name}", ms / unit_ms)
}

/// Reads a size; a bare number is bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, Misread> {
    let (number, unit) = split(text)?;
    let (_, unit_bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or(Misread::Form)?;
    Ok(number.saturating_mul(*unit_bytes))
}

/// Writes a size with the greatest unit that divides it, a bare number where none does.
pub(super) fn format_size(bytes: u64) -> String {
    let dividing = SIZE_UNITS.iter().find(|(_, unit_bytes)| bytes.is_multiple_of(*unit_bytes));
    match dividing {
        Some((name, unit_bytes)) if bytes > 0 => format!("{}{name}", bytes / unit_bytes),
        _ => bytes.to_string(),
    }
}

/// Takes the digits from the front; more of them than the type holds count as its greatest value.
fn split(text: &str) -> Result<(u64, &str), Misread> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Misread::Form);
    }
    Ok((number.parse().unwrap_or(u64::MAX), unit))
}

/// Units of time in milliseconds, the greatest first.
const DURATION_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size in bytes, the greatest first. Powers of ten (`MB`) are left out: half the people who write
/// them mean the others.
const SIZE_UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Misread, format_duration, format_size, parse_duration, parse_size};

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        let check = |text, expected: Result<u64, Misread>| {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text:?}");
        };
        check("250ms", Ok(250));
        check("15s", Ok(15_000));
        check("5m", Ok(300_000));
        check("2h", Ok(7_200_000));
        check("30d", Ok(2_592_000_000));
        check("0s", Ok(0));
        check("007s", Ok(7_000));
        check("99999999999999999999d", Ok(u64::MAX));
        check("15", Err(Misread::NoUnit));
        check("0", Err(Misread::NoUnit));
        for text in
            ["", "s", "-1s", "+1s", "1.5s", "1h30m", "15 s", " 15s", "15s ", "15S", "15sec", "1w", "١s", "1_000ms"]
        {
            check(text, Err(Misread::Form));
        }
    }

    #[test]
    fn a_size_is_a_whole_number_of_bytes_or_of_a_unit() {
        let check = |text, expected| assert_eq!(parse_size(text), expected, "{text:?}");
        check("0", Ok(0));
        check("1048577", Ok(1_048_577));
        check("512KiB", Ok(512 << 10));
        check("64MiB", Ok(64 << 20));
        check("1GiB", Ok(1 << 30));
        check("3TiB", Ok(3 << 40));
        check("99999999999TiB", Ok(u64::MAX));
        for text in
            ["", "MiB", "-1", "1.5GiB", "64MB", "64M", "64mib", "64 MiB", "64MiB ", "1GiB512MiB", "0x10", "1_000"]
        {
            check(text, Err(Misread::Form));
        }
    }

    #[test]
    fn a_value_is_written_with_the_greatest_unit_that_divides_it() {
        for text in ["0s", "1ms", "1500ms", "1s", "90s", "1m", "90m", "1h", "25h", "1d", "30d", "61m"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        for text in ["0", "1", "1023", "1KiB", "1025", "1536KiB", "1MiB", "64MiB", "1GiB", "1TiB", "1025GiB"] {
            assert_eq!(format_size(parse_size(text).unwrap()), text);
        }
        assert_eq!(format_duration(parse_duration("24h").unwrap()), "1d");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number: u64, shift in 0_u32..64) {
            let value = number >> shift;
            let duration = Duration::from_millis(value);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&format_size(value)), Ok(value));
        }

        #[test]
        fn every_unit_is_written_and_read_back(count in 1_u64..1_000_000, unit in 0_usize..5) {
            let (name, ms) = super::DURATION_UNITS[unit];
            prop_assert_eq!(parse_duration(&format!("{count}{name}")), Ok(Duration::from_millis(count * ms)));
            let (name, bytes) = super::SIZE_UNITS[unit];
            prop_assert_eq!(parse_size(&format!("{count}{name}")), Ok(count * bytes));
        }

        #[test]
        fn no_text_panics(text: String, number: u64) {
            let texts = [format!("{number}{text}"), text];
            for text in &texts {
                if let Ok(bytes) = parse_size(text) {
                    prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
                }
                if let Ok(duration) = parse_duration(text) {
                    prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
                }
            }
        }
    }
}
