//! Spans and points of time on the command line.

use std::time::Duration;

use jiff::Timestamp;

/// The longest span: 100 years, longer than anybody means.
const LONGEST: u64 = 36_525 * DAY;
const DAY: u64 = 86_400;

/// Reads a span of whole seconds, minutes, hours and days: `45s`, `30m`, `2h`,
/// `7d`, `1d12h`.
pub(super) fn parse_span(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "expected a span such as `45s`, `30m`, `2h`, `7d` or `1d12h`";
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = rest.split_at_checked(digits).ok_or(FORM)?;
        let mut letters = unit.chars();
        let unit = match letters.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => DAY,
            _ => return Err(FORM),
        };
        if number.is_empty() {
            return Err(FORM);
        }
        // What does not fit into the type is too long anyway.
        let number = number.parse::<u64>().unwrap_or(u64::MAX);
        seconds = seconds.saturating_add(number.saturating_mul(unit));
        rest = letters.as_str();
    }
    match seconds {
        _ if text.is_empty() => Err(FORM),
        0 => Err("expected a span longer than nothing"),
        seconds if seconds > LONGEST => {
            Err("expected a span of at most 36525d; without one it holds until it is ended")
        }
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// Reads a point of time as RFC 3339 writes it, in whole milliseconds.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    const FORM: &str = "expected a time such as `2030-01-31T18:00:00Z` (RFC 3339)";
    // The library reads more forms than the standard has.
    let is_standard = text.len() >= 20
        && text.is_ascii()
        && matches!(text.as_bytes().get(10), Some(b'T' | b't'))
        && !text.contains('[');
    if !is_standard {
        return Err(FORM);
    }
    let time: Timestamp = text.parse().map_err(|_| FORM)?;
    Timestamp::from_millisecond(time.as_millisecond()).map_err(|_| FORM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_of_each_unit() {
        for (text, seconds) in [
            ("1s", 1),
            ("90s", 90),
            ("30m", 1_800),
            ("2h", 7_200),
            ("7d", 604_800),
            ("1d12h", 129_600),
            ("1d1h1m1s", 90_061),
            ("36525d", LONGEST),
        ] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_bad_span_is_refused() {
        for text in [
            "",
            "2",
            "h",
            "2 h",
            "2x",
            "-1h",
            "1.5h",
            "2hours",
            "0s",
            "0h0m",
            "36526d",
            "99999999999999999999d",
            "18446744073709551615s",
            "２h",
            "1h2",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_read_in_whole_milliseconds() {
        let time = parse_time("2030-01-31T18:00:00.123456+01:00").unwrap();
        assert_eq!(time.to_string(), "2030-01-31T17:00:00.123Z");
        assert!(parse_time("2030-01-31T18:00:00Z").is_ok());
    }

    #[test]
    fn a_bad_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2030-01-31",
            "2030-01-31T18:00:00",
            "2030-01-31 18:00:00Z",
            "2030-02-30T18:00:00Z",
            "2030-01-31T25:00:00Z",
            "2030-01-31T18:00:00Z[Europe/Berlin]",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
