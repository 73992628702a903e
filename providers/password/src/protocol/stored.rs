//! What is kept of a password: its hash, since when it is in use, and the hashes
//! of those before it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A password as it is kept. `Debug` is missing on purpose.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// A PHC string.
    pub(crate) hash: String,
    /// Since when it is in use; `None` in what was kept before that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set_at: Option<Timestamp>,
    /// The hashes of those before it, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former: Vec<String>,
}

impl Stored {
    /// What was kept; `None` for what cannot be read, which matches nothing.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }

    /// A password that is new at `now`, in place of `before`, of which and of
    /// whose predecessors `history` are remembered.
    pub(crate) fn new(hash: String, now: Timestamp, before: Option<Self>, history: usize) -> Self {
        let before = before.into_iter();
        let hashes = before.flat_map(|before| std::iter::once(before.hash).chain(before.former));
        Self {
            hash,
            set_at: Some(now),
            former: hashes.take(history).collect(),
        }
    }

    /// The same password under another hash.
    pub(crate) fn hashed_anew(mut self, hash: String, history: usize) -> Self {
        self.hash = hash;
        self.former.truncate(history);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered_newest_first_and_no_more() {
        let now = Timestamp::UNIX_EPOCH;
        let mut stored = Stored::new("0".to_owned(), now, None, 2);
        assert!(stored.former.is_empty());
        for number in 1..=4 {
            stored = Stored::new(number.to_string(), now, Some(stored), 2);
        }
        assert_eq!(
            (&*stored.hash, &*stored.former),
            ("4", &["3", "2"].map(str::to_owned)[..])
        );
        let stored = stored.hashed_anew("4b".to_owned(), 1);
        assert_eq!(
            (&*stored.hash, &*stored.former),
            ("4b", &["3".to_owned()][..])
        );
        assert!(
            Stored::new("5".to_owned(), now, Some(stored), 0)
                .former
                .is_empty()
        );
    }

    #[test]
    fn what_was_kept_before_times_were_noted_can_be_read() {
        let stored = Stored::read(br#"{"hash":"$argon2id$"}"#).unwrap();
        assert_eq!((stored.set_at, stored.former.len()), (None, 0));
        assert!(Stored::read(b"{}").is_none() && Stored::read(b"\xff").is_none());
        let written = serde_json::to_string(&stored).unwrap();
        assert_eq!(written, r#"{"hash":"$argon2id$"}"#);
    }
}
