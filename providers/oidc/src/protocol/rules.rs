//! The rules that a connection holds people to, for administrators to read.

use gatelodge_core::provider::{Requirement, Rule};

use crate::Config;

/// Those of a connection.
pub(crate) fn rules(config: &Config) -> Vec<Rule> {
    let mut rules = Vec::new();
    if !config.organisations.is_empty() {
        rules.push(Rule {
            key: Some("organisations".to_owned()),
            text: format!(
                "Only people of these organisations come in: {}.",
                config.organisations.join(", ")
            ),
            breaks: Vec::new(),
        });
    }
    if !config.preset.nonce {
        rules.push(Rule {
            key: None,
            text: format!(
                "{} does not send the nonce back, so that its tokens are not bound to one sign-in.",
                config.label
            ),
            breaks: vec![Requirement {
                id: "OWASP ASVS 5.0.0, 10.5.1".to_owned(),
                text: "An ID token is bound to the request by its nonce.".to_owned(),
            }],
        });
    }
    rules
}
