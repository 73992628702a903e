//! What this crate knows about tokens, free of the provider contract: how one is
//! made, written and read, and what is kept of it.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::{
    environment::span_between,
    model::UserId,
    secret::{Secret, TokenHash},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The random bytes of a link's token: 256 bits.
pub(crate) const SECRET_BYTES: usize = 32;
/// The random bytes that a code is made of.
pub(crate) const CODE_BYTES: usize = 8;
/// The digits of a code.
const DIGITS: usize = 8;
/// The characters of a link's token.
const CHARACTERS: usize = 64;
/// The bytes of a user's id, which a token begins with.
const ID_BYTES: usize = 16;

/// After how long another mail is sent to somebody who asks again.
const PAUSE: Duration = Duration::from_secs(60);
/// How many mails are sent at most within [`HOUR`].
const MOST_MAILS: usize = 5;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The token of a link: whose it is, by which its record is found, and 256
/// random bits, by which it is known.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken {
    /// Whose it is.
    pub user: UserId,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl LinkToken {
    /// A token of these random bits.
    pub fn new(user: UserId, secret: [u8; SECRET_BYTES]) -> Self {
        Self {
            user,
            secret: Zeroizing::new(secret),
        }
    }

    /// Reads what an address held. `None` for what can be no token.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() != CHARACTERS {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (id, secret) = bytes.split_at_checked(ID_BYTES)?;
        Some(Self::new(
            UserId::from_uuid(Uuid::from_bytes(id.try_into().ok()?)),
            secret.try_into().ok()?,
        ))
    }

    /// The token as an address holds it: 64 characters that need no escape.
    pub fn written(&self) -> Secret {
        let id = self.user.as_uuid();
        let bytes = Zeroizing::new([id.as_bytes(), self.secret.as_slice()].concat());
        Secret::new(URL_SAFE_NO_PAD.encode(&*bytes))
    }

    /// What is kept of it. Of 256 random bits nobody finds the right ones by
    /// trying, so a plain hash is enough (ASVS 6.5.2).
    pub fn hash(&self) -> TokenHash {
        TokenHash::of_parts([self.secret.as_slice()])
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkToken")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A code of eight digits, to be typed in place of opening the link.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// The code of these random bits. With 64 of them no code is likelier than
    /// another by more than one part in 10¹¹.
    pub fn from_bytes(bytes: [u8; CODE_BYTES]) -> Self {
        let number = u64::from_be_bytes(bytes) % 10_u64.pow(DIGITS as u32);
        Self(Zeroizing::new(format!("{number:0DIGITS$}")))
    }

    /// Reads what was typed: with or without spaces and hyphens. `None` for what
    /// can be no code.
    pub fn read(typed: &str) -> Option<Self> {
        let mut digits = Zeroizing::new(String::with_capacity(DIGITS));
        for c in typed.chars() {
            if c.is_whitespace() || c == '-' || ('\u{2010}'..='\u{2015}').contains(&c) {
                continue;
            }
            if !c.is_ascii_digit() || digits.len() == DIGITS {
                return None;
            }
            digits.push(c);
        }
        (digits.len() == DIGITS).then_some(Self(digits))
    }

    /// The code as a mail shows it: two groups of four.
    pub fn shown(&self) -> Secret {
        let (first, second) = self.0.split_at(DIGITS / 2);
        Secret::new(format!("{first} {second}"))
    }

    fn hash(&self) -> TokenHash {
        TokenHash::of_parts([b"code".as_slice(), self.0.as_bytes()])
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code")
    }
}

/// What is kept of a token, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    link: TokenHash,
    /// Of a code that goes with it. A code is so short that its hash hides
    /// nothing: that it is sealed does.
    code: Option<TokenHash>,
    /// The address that it was sent to; `None`: it was told to an administrator.
    pub(crate) address: Option<String>,
    /// The page that it leads to.
    pub(crate) page: Option<String>,
    /// When mails of this purpose were sent in the last hour.
    sent: Vec<Timestamp>,
}

impl Kept {
    pub(crate) fn new(
        (link, code): (&LinkToken, Option<&Code>),
        address: Option<String>,
        page: Option<String>,
    ) -> Self {
        Self {
            link: link.hash(),
            code: code.map(Code::hash),
            address,
            page,
            sent: Vec::new(),
        }
    }

    /// One that fits nothing, for the same work where there is none.
    pub(crate) fn decoy() -> Self {
        Self {
            link: TokenHash::from_bytes([0; 32]),
            code: Some(TokenHash::from_bytes([0; 32])),
            address: None,
            page: None,
            sent: Vec::new(),
        }
    }

    /// Notes that it is sent now, after those that `before` tells of.
    pub(crate) fn sent_now(mut self, before: Option<&Self>, now: Timestamp) -> Self {
        let before = before.map_or(&[][..], |kept| kept.sent.as_slice());
        let recent = before.iter().filter(|at| is_within(**at, now, HOUR));
        self.sent = recent.copied().chain([now]).collect();
        self
    }

    /// Whether another mail may be sent now. Whoever asks for the mails of others
    /// fills no mailbox, and ends no link that is on its way.
    pub(crate) fn may_send(&self, now: Timestamp) -> bool {
        let within = |span| {
            self.sent
                .iter()
                .filter(move |at| is_within(**at, now, span))
        };
        within(PAUSE).count() == 0 && within(HOUR).count() < MOST_MAILS
    }

    pub(crate) fn is_link(&self, token: &LinkToken) -> bool {
        self.link.matches(&token.hash())
    }

    pub(crate) fn is_code(&self, code: &Code) -> bool {
        self.code.is_some_and(|kept| kept.matches(&code.hash()))
    }
}

/// Either way: a clock that was set back keeps nobody waiting for longer.
fn is_within(at: Timestamp, now: Timestamp, span: Duration) -> bool {
    span_between(at.min(now), at.max(now)) < span
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelodge_core::environment::later;

    fn token(byte: u8) -> LinkToken {
        LinkToken::new(UserId::from_uuid(Uuid::from_u128(7)), [byte; SECRET_BYTES])
    }

    #[test]
    fn a_token_is_written_and_read() {
        let written = token(9).written();
        assert_eq!(written.expose().len(), CHARACTERS);
        assert_eq!(LinkToken::read(written.expose()), Some(token(9)));
        assert_ne!(token(9).hash(), token(8).hash());
    }

    #[test]
    fn what_can_be_no_token_is_not_read() {
        let written = token(9).written();
        let written = written.expose();
        let (short, _) = written.split_at(63);
        for text in [
            "".to_owned(),
            short.to_owned(),
            format!("{written}A"),
            format!("{short}="),
            format!("{short}+"),
            "é".repeat(32),
            "A".repeat(1 << 20),
        ] {
            assert_eq!(LinkToken::read(&text), None, "{text:.80}");
        }
    }

    #[test]
    fn a_code_has_eight_digits_and_may_be_typed_in_groups() {
        let code = Code::from_bytes(1_234_u64.to_be_bytes());
        assert_eq!(code.shown().expose(), "0000 1234");
        for typed in ["00001234", "0000 1234", " 0000-1234\n", "0000–1234"] {
            assert_eq!(Code::read(typed), Some(code.clone()), "{typed}");
        }
        for typed in ["", "0000123", "000012345", "0000 123x", "０００01234"] {
            assert_eq!(Code::read(typed), None, "{typed}");
        }
    }

    #[test]
    fn only_the_right_token_and_code_fit() {
        let code = Code::from_bytes([3; CODE_BYTES]);
        let kept = Kept::new((&token(1), Some(&code)), None, None);
        assert!(kept.is_link(&token(1)) && kept.is_code(&code));
        assert!(!kept.is_link(&token(2)));
        assert!(!kept.is_code(&Code::from_bytes([4; CODE_BYTES])));
        let without = Kept::new((&token(1), None), None, None);
        assert!(!without.is_code(&code));
        assert!(!Kept::decoy().is_code(&code) && !Kept::decoy().is_link(&token(1)));
    }

    #[test]
    fn five_mails_an_hour_with_a_minute_between() {
        let minutes = |count: u64| later(Timestamp::UNIX_EPOCH, Duration::from_secs(60 * count));
        let mut kept = Kept::new((&token(1), None), None, None);
        for minute in 0..5 {
            assert!(kept.may_send(minutes(minute)));
            let before = kept.clone();
            kept = kept.sent_now(Some(&before), minutes(minute));
            assert!(!kept.may_send(later(minutes(minute), Duration::from_secs(59))));
        }
        assert!(!kept.may_send(minutes(59)));
        assert!(kept.may_send(minutes(60)));
        // A clock that ran two years ahead and was set right keeps nobody waiting.
        let ahead = later(minutes(0), Duration::from_secs(63_072_000));
        assert!(kept.sent_now(None, ahead).may_send(minutes(0)));
    }

    #[test]
    fn debug_shows_neither_token_nor_code() {
        let code = Code::from_bytes([3; CODE_BYTES]);
        let kept = Kept::new((&token(1), Some(&code)), None, None);
        let shown = format!("{:?} {code:?} {kept:?}", token(1));
        assert!(!shown.contains(token(1).written().expose()), "{shown}");
        assert!(!shown.contains(code.0.as_str()), "{shown}");
    }
}
