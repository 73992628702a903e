//! Where codes are sent to.

use std::fmt;

use gatelodge_core::{
    model::{Email, NameKey},
    secret::Secret,
};
use serde::{Deserialize, Serialize};

/// How many digits a telephone number has with its country code: E.164 (section
/// 6.2.1) allows 15, and none that takes an SMS is shorter than this.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// How many of its last digits are shown to who has to know it again.
const SHOWN_DIGITS: usize = 4;
/// The most characters of a domain that are shown.
const SHOWN_DOMAIN: usize = 60;

/// A mailbox or a telephone, as a message to it is addressed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(Secret);

impl Address {
    /// Reads an e-mail address. `None` for what is none.
    pub fn mailbox(typed: &str) -> Option<Self> {
        let email = Email::new(typed.trim()).ok()?;
        Some(Self(Secret::new(email.as_str())))
    }

    /// Reads a telephone number as the whole world writes it (E.164): `+`, the
    /// country code, and the rest, with spaces and hyphens wherever. Nothing is
    /// known of countries, so no number without `+` can be read.
    pub fn telephone(typed: &str) -> Option<Self> {
        let rest = typed.trim().strip_prefix('+')?;
        let mut number = String::with_capacity(1 + DIGITS.end());
        number.push('+');
        for c in rest.chars() {
            if c.is_whitespace() || c == '-' || ('\u{2010}'..='\u{2015}').contains(&c) {
                continue;
            }
            if !c.is_ascii_digit() || number.len() > *DIGITS.end() {
                return None;
            }
            number.push(c);
        }
        // No country code begins with 0.
        let is_whole = DIGITS.contains(&(number.len() - 1)) && !number.starts_with("+0");
        is_whole.then(|| Self(Secret::new(number)))
    }

    /// What a message is addressed to.
    pub fn to_send(&self) -> Secret {
        self.0.clone()
    }

    /// As much of it as its owner knows it again by: `a…@example.org`, `… 4711`.
    pub fn masked(&self) -> String {
        let text = self.0.expose();
        let Some((local, domain)) = text.rsplit_once('@') else {
            let hidden = text.chars().count().saturating_sub(SHOWN_DIGITS);
            let shown: String = text.chars().skip(hidden).collect();
            return format!("… {shown}");
        };
        // Of a single letter nothing would be hidden.
        let first = local.chars().next().filter(|_| local.chars().count() > 1);
        let mut masked: String = first.into_iter().chain("…@".chars()).collect();
        masked.extend(domain.chars().take(SHOWN_DOMAIN));
        if domain.chars().count() > SHOWN_DOMAIN {
            masked.push('…');
        }
        masked
    }

    /// The same for two ways to write one address.
    pub(crate) fn key(&self) -> NameKey {
        NameKey::of(self.0.expose())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_with_spaces_and_hyphens() {
        for typed in [
            "+4930123456",
            "+49 30 123456",
            " +49-30-123-456 ",
            "+49\u{a0}30\u{2011}123456",
        ] {
            let number = Address::telephone(typed).unwrap();
            assert_eq!(number.to_send().expose(), "+4930123456", "{typed}");
        }
        for (typed, is_number) in [
            ("+1234567", false),
            ("+12345678", true),
            ("+123456789012345", true),
            ("+1234567890123456", false),
        ] {
            assert_eq!(Address::telephone(typed).is_some(), is_number, "{typed}");
        }
    }

    #[test]
    fn what_is_no_number_of_the_world_is_not_read() {
        for typed in [
            "",
            "+",
            "030 123456",
            "0049 30 123456",
            "+49 (0)30 123456",
            "++4930123456",
            "+0123456789",
            "+49 30 12345x",
            "+４９３０123456",
            "+4930123456,+4930123457",
            "+4930123456;ext=1",
            "+4930123456\r\nx",
        ] {
            assert_eq!(Address::telephone(typed), None, "{typed:?}");
        }
        let long = "+".repeat(1 << 20);
        assert_eq!(Address::telephone(&long), None);
        let long = format!("+{}", "7".repeat(1 << 20));
        assert_eq!(Address::telephone(&long), None);
    }

    #[test]
    fn a_mailbox_is_one_address() {
        let mailbox = Address::mailbox(" Ada@Example.ORG ").unwrap();
        assert_eq!(mailbox.to_send().expose(), "Ada@example.org");
        for typed in ["", "ada", "ada@localhost", "a@example.org,b@example.org"] {
            assert_eq!(Address::mailbox(typed), None, "{typed}");
        }
    }

    #[test]
    fn an_address_is_shown_so_that_only_its_owner_knows_it() {
        let mail = |text: &str| Address::mailbox(text).unwrap().masked();
        assert_eq!(mail("ada.lovelace@example.org"), "a…@example.org");
        assert_eq!(mail("élodie@example.org"), "é…@example.org");
        assert_eq!(mail("x@example.org"), "…@example.org");
        let long = mail(&format!("ada@{0}.{0}.{0}.org", "a".repeat(50)));
        assert!(long.starts_with("a…@aaa") && long.ends_with("a…"), "{long}");
        assert!(long.chars().count() < 70, "{long}");
        let number = Address::telephone("+49 30 1234711").unwrap();
        assert_eq!(number.masked(), "… 4711");
    }

    #[test]
    fn two_ways_to_write_one_address_have_one_key() {
        let key = |text: &str| Address::mailbox(text).unwrap().key();
        assert_eq!(key("Ada@example.org"), key("ada@EXAMPLE.org"));
        assert_ne!(key("ada@example.org"), key("ada@example.com"));
    }

    #[test]
    fn debug_shows_no_address() {
        let number = Address::telephone("+49 30 1234711").unwrap();
        assert_eq!(format!("{number:?}"), "Address");
    }
}
