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
    fn one_is_not_many() {
        assert_eq!(counted(0, "user"), "0 users");
        assert_eq!(counted(1, "user"), "1 user");
        assert_eq!(counted(2, "user"), "2 users");
    }
}
