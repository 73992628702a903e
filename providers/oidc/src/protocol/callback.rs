//! What else the callback brings.

use serde_json::{Map, Value};

use super::json;

/// The most characters of a name.
const MOST_NAME: usize = 100;

/// Errors (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6) that stand
/// in the audit log by their own names: the standards', and the services' own.
const WORDS: [&str; 18] = [
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "login_required",
    "registration_not_supported",
    "request_not_supported",
    "request_uri_not_supported",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_response_type",
    // Apple's and LinkedIn's.
    "user_cancelled_authorize",
    "user_cancelled_login",
];

/// The word for an error. What a stranger writes into an address stays out of the log.
pub(crate) fn error_word(error: &str) -> &'static str {
    let known = WORDS.into_iter().find(|word| *word == error);
    known.unwrap_or("third_party_error")
}

/// The claims in Apple's parameter `user`: names, which the person could have typed as
/// well, and nothing else of it.
pub(crate) fn names(user: &str) -> Map<String, Value> {
    let user = json::object(user.as_bytes()).unwrap_or_default();
    let of = |name: &str| {
        let value = user.get("name").and_then(|names| names.get(name));
        let text = value
            .and_then(Value::as_str)
            .map(str::trim)
            .unwrap_or_default();
        let fits = text.chars().count() <= MOST_NAME && !text.chars().any(char::is_control);
        if fits { text } else { "" }
    };
    let (given, family) = (of("firstName"), of("lastName"));
    let whole = format!("{given} {family}");
    let said = [
        ("given_name", given),
        ("family_name", family),
        ("name", whole.trim()),
    ];
    let said = said.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| (name.to_owned(), text.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_name_beside_the_token_is_read_and_nothing_else() {
        let said = names(
            r#"{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"x@evil.example","sub":"1"}"#,
        );
        let expected = serde_json::json!({
            "family_name": "Lovelace", "given_name": "Ada", "name": "Ada Lovelace",
        });
        assert_eq!(serde_json::Value::Object(said), expected);
        for odd in [
            "",
            "[]",
            "{}",
            r#"{"name":7}"#,
            r#"{"name":{"firstName":["x"]}}"#,
        ] {
            assert!(names(odd).is_empty(), "{odd}");
        }
        let long = format!(
            r#"{{"name":{{"firstName":"{}","lastName":"L"}}}}"#,
            "x".repeat(101)
        );
        assert_eq!(names(&long)["name"], "L");
    }
}
