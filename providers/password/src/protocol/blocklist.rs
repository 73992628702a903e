//! The list of passwords that are tried first. `data/README.md` says where it comes from.

use super::characters::{CharacterType, could_have};

/// Case-folded entries, one a line, sorted by their bytes.
const COMMON: &str = include_str!("../../data/common-passwords.txt");

/// Whether the list has exactly `folded`. Searched in place: nothing is built or kept.
pub(super) fn contains(folded: &str) -> bool {
    let wanted = folded.as_bytes();
    let mut rest = COMMON.as_bytes();
    while let Some((before, line, after)) = split_in_the_middle(rest) {
        match line.cmp(wanted) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => rest = after,
            std::cmp::Ordering::Greater => rest = before,
        }
    }
    false
}

/// How many entries have `minimum` characters or more and could be written so
/// that they have all of `types`.
pub(super) fn count(minimum: usize, types: &[CharacterType]) -> usize {
    let long = COMMON.lines().filter(|line| line.len() >= minimum);
    long.filter(|line| could_have(line, types)).count()
}

/// The line in the middle of whole lines, with what stands before and after it.
fn split_in_the_middle(lines: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (head, tail) = lines.split_at_checked(lines.len() / 2)?;
    let start = head
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let end = head.len() + tail.iter().position(|byte| *byte == b'\n')?;
    Some((
        lines.get(..start)?,
        lines.get(start..end)?,
        lines.get(end + 1..)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_sorted_folded_and_has_no_entry_twice() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(COMMON.ends_with('\n'));
        assert!(lines.is_sorted_by(|one, other| one.as_bytes() < other.as_bytes()));
        assert!(
            lines.iter().all(|line| line.len() >= 8
                && line.is_ascii()
                && !line.contains(char::is_uppercase))
        );
    }

    /// v5.0.0-6.2.4 asks for 3,000 entries that the policy would let through.
    #[test]
    fn thousands_of_entries_remain_at_every_usual_minimum_length() {
        for minimum in 8..=17 {
            assert!(count(minimum, &[]) >= 3_000, "{minimum}");
        }
        assert!(count(15, &[]) >= 9_000);
    }

    /// v5.0.0-6.2.4, where kinds of characters are demanded. The sources hold
    /// fewer long ones with symbols, and the rules in words say so.
    #[test]
    fn thousands_remain_where_kinds_of_characters_are_demanded() {
        use CharacterType::{Digit, Lower, Upper};
        for minimum in 8..=15 {
            assert!(count(minimum, &[Upper, Lower, Digit]) >= 3_000, "{minimum}");
        }
        for minimum in 8..=9 {
            assert!(count(minimum, &CharacterType::ALL) >= 3_000, "{minimum}");
        }
        assert!(count(15, &CharacterType::ALL) < 3_000);
        assert_eq!(count(129, &[]), 0);
    }

    #[test]
    fn every_entry_is_found_and_its_neighbours_are_not() {
        for line in COMMON.lines() {
            assert!(contains(line), "{line}");
        }
        for absent in [
            "",
            "\n",
            "passwordpassword\n",
            "\u{10ffff}",
            "!",
            "correct horse battery",
        ] {
            assert!(!contains(absent), "{absent}");
        }
        let (first, last) = (
            COMMON.lines().next().unwrap(),
            COMMON.lines().last().unwrap(),
        );
        assert!(!contains(&format!("{last}~")));
        assert!(!contains(first.strip_prefix(|_: char| true).unwrap()));
    }
}
