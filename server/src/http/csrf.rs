//! The proof that a form was on one of our pages: made from the session's token, so
//! that nobody who does not have it can make one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::secret::{Token, TokenHash};

/// The name of the field that carries it.
pub(crate) const CSRF: &str = "csrf";

/// What a session's forms carry.
pub(crate) fn csrf(token: &Token) -> String {
    URL_SAFE_NO_PAD.encode(csrf_hash(token).as_bytes())
}

/// Whether a form's proof is that of the session.
pub(crate) fn is_csrf_of(token: &Token, proof: &str) -> bool {
    let decoded = URL_SAFE_NO_PAD.decode(proof).ok();
    decoded
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .is_some_and(|bytes| TokenHash::from_bytes(bytes).matches(&csrf_hash(token)))
}

fn csrf_hash(token: &Token) -> TokenHash {
    TokenHash::of_parts([b"csrf".as_slice(), token.expose().as_bytes()])
}

#[cfg(test)]
mod tests {
    use gatelodge_core::Environment;

    use super::*;

    #[test]
    fn a_form_proves_itself_with_its_own_sessions_token_alone() {
        let environment = Environment::system();
        let (own, other) = (Token::generate(&environment), Token::generate(&environment));
        assert!(is_csrf_of(&own, &csrf(&own)));
        for proof in ["", "a", own.expose(), &csrf(&other)] {
            assert!(!is_csrf_of(&own, proof), "{proof}");
        }
    }
}
