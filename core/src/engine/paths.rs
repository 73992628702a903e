//! Paths of this server that a browser may be sent to.

use crate::{Error, Result};

/// A path of this server, in the one form that every browser reads alike.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) for anything that could lead elsewhere.
pub fn local_path(text: &str) -> Result<String> {
    let refused = || {
        Error::invalid(
            "return_to",
            "expected a path of this server, such as `/account`",
        )
    };
    let plain = text.len() <= 4_000
        && text.starts_with('/')
        && !text.starts_with("//")
        && text.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if !plain {
        return Err(refused());
    }
    // Whatever dots and escapes remain after parsing must still stay here.
    let base = url::Url::parse("https://here.invalid").map_err(|_| refused())?;
    let joined = base.join(text).map_err(|_| refused())?;
    let path = joined.path();
    let lower = path.to_ascii_lowercase();
    let tricky = path.starts_with("//")
        || lower.contains("%2f")
        || lower.contains("%5c")
        || lower.contains("%25");
    if joined.origin() != base.origin() || tricky {
        return Err(refused());
    }
    let mut local = path.to_owned();
    if let Some(query) = joined.query() {
        local.push('?');
        local.push_str(query);
    }
    Ok(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S28: whatever is not plainly a path of this server is refused.
    #[test]
    fn s28_only_paths_of_this_server_are_returned_to() {
        for text in [
            "",
            "account",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "HTTPS:evil.example",
            "javascript:alert(1)",
            "/\tevil",
            "/\n/evil.example",
            "/%2f%2fevil.example",
            "/%5cevil.example",
            "/%252fevil.example",
            " /account",
            "/account\u{0}",
            "/a\r\nSet-Cookie: x",
            "/..//evil.example",
            "/.//evil.example",
            "/./%2e//evil.example",
            "@evil.example",
            "//user@evil.example",
            "/ünicode",
        ] {
            assert!(local_path(text).is_err(), "{text:?}");
        }
        assert_eq!(local_path("/account?tab=1").unwrap(), "/account?tab=1");
        assert_eq!(local_path("/a/../account#x").unwrap(), "/account");
        assert_eq!(local_path("/t/acme/account").unwrap(), "/t/acme/account");
    }
}
