//! What codes and tokens stand for, written into them: the liar keeps nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// What somebody granted.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) subject: String,
    pub(super) nonce: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    /// Whether a refresh token is granted too.
    pub(super) is_offline: bool,
    /// When, in seconds since 1970.
    pub(super) at: i64,
    /// How often it was renewed.
    pub(super) turn: u32,
}

impl Grant {
    /// As a code or token of that kind.
    pub(super) fn write(&self, kind: &str) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("{kind}-{}", URL_SAFE_NO_PAD.encode(text))
    }

    /// What a code or token of that kind stands for.
    pub(super) fn read(kind: &str, text: &str) -> Option<Self> {
        let text = text.strip_prefix(kind)?.strip_prefix('-')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}
