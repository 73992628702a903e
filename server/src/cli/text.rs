//! Words for people: names that cannot move the cursor, counts, spans of time.

use std::fmt;

use jiff::Timestamp;

/// `text` on one line, with every character written out that a terminal would
/// obey instead of show: control characters, line and paragraph separators, and
/// those that turn the direction of writing.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if is_obeyed(char) {
            plain.extend(char.escape_default());
        } else {
            plain.push(char);
        }
    }
    plain
}

/// The same between backticks.
pub(super) fn quoted(text: impl fmt::Display) -> String {
    format!("`{}`", plain(&text.to_string()))
}

/// Whether a terminal obeys this character instead of showing it.
pub(super) fn is_obeyed(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// "1 user", "2 users".
pub(super) fn counted(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// "12,345".
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "512 bytes", "1.5 MiB".
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.into_iter().find(|(_, unit)| bytes >= *unit);
    unit.map_or_else(
        || counted(bytes, "byte"),
        |(name, unit)| {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        },
    )
}

/// "until …", or "until unlocked".
pub(super) fn until(until: Option<Timestamp>) -> String {
    until.map_or_else(
        || "until unlocked".to_owned(),
        |until| format!("until {until}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S47: what a name holds cannot forge a line or drive a terminal.
    #[test]
    fn s47_a_name_cannot_move_the_cursor_or_forge_a_line() {
        assert_eq!(plain("Ada\r\nroot"), "Ada\\r\\nroot");
        assert_eq!(plain("\u{1b}]0;title\u{7}"), "\\u{1b}]0;title\\u{7}");
        assert_eq!(plain("a\u{9b}2J\u{2028}b"), "a\\u{9b}2J\\u{2028}b");
        assert_eq!(plain("abc\u{202e}fed"), "abc\\u{202e}fed");
        assert_eq!(plain("Łukasz 木村 é"), "Łukasz 木村 é");
    }

    #[test]
    fn long_numbers_are_divided() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(thousands(number), text);
        }
        for (bytes, text) in [
            (1, "1 byte"),
            (1_023, "1023 bytes"),
            (1_536, "1.5 KiB"),
            (5 << 30, "5.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(0, "user"), "0 users");
        assert_eq!(counted(1, "user"), "1 user");
        assert_eq!(counted(2, "user"), "2 users");
    }
}
