#![doc = include_str!("../README.md")]

mod claims;
mod jws;
mod keys;
mod object;
mod verifier;

pub use claims::Claims;
pub use keys::{InvalidKeys, KeySet};
pub use verifier::{FetchKeys, Verifier};

/// Whatever went wrong while keys were fetched.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a token does not count. For the log: whoever sent it is told no more than
/// that it does not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has more than 8 KiB.
    #[error("the token is too long")]
    TooLong,
    /// It is not three parts of base64url.
    #[error("the token is not well-formed")]
    Malformed,
    /// Its header lacks something, says something twice, or says more than
    /// `alg`, `typ` and `kid`.
    #[error("the token's header is not that of an access token")]
    Header,
    /// Its `typ` is not `at+jwt`.
    #[error("the token is of another kind")]
    Kind,
    /// No published key has its `kid`.
    #[error("the token names a key that is not published")]
    UnknownKey,
    /// Its `alg` is not that of the key.
    #[error("the token names another algorithm than its key's")]
    Algorithm,
    /// It was not signed by that key, or changed since.
    #[error("the token's signature is not right")]
    Signature,
    /// A claim is missing, there twice, or of a wrong type.
    #[error("the token's claims are not those of an access token")]
    Claims,
    /// Another server made it.
    #[error("the token has another issuer")]
    Issuer,
    /// It is meant for another application.
    #[error("the token is meant for another application")]
    Audience,
    /// It is over.
    #[error("the token is over")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    TooEarly,
    /// It is limited to a purpose, which this version cannot judge.
    #[error("the token is limited to a purpose")]
    Scoped,
    /// The keys could not be fetched, and there are none to go on with.
    #[error("the server's keys cannot be fetched")]
    NoKeys(#[source] Option<BoxError>),
}

impl Refusal {
    /// Whether the token may be good, and the fault is not its sender's: an
    /// answer of 503 instead of 401.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::NoKeys(_))
    }
}

/// The token of an `Authorization` header of the scheme `Bearer` (RFC 6750
/// section 2.1).
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_taken_out_of_its_header() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for header in ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc"] {
            assert_eq!(bearer(header), None, "{header:?}");
        }
    }
}
