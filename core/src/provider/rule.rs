use serde::{Deserialize, Serialize};

/// A rule that a provider holds people to, for administrators to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The key of the provider's table that sets it; `None` for what cannot be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it says: a sentence.
    pub text: String,
    /// The requirements that it falls short of; none for most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<Requirement>,
}

/// A requirement of a standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The standard, and where it stands in it: "OWASP ASVS 5.0.0, 6.2.5".
    pub id: String,
    /// What it demands: a sentence.
    pub text: String,
}
