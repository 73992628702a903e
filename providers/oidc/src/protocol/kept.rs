//! What is kept of somebody until the third party is asked again.

use gatelodge_core::{provider::State, secret::Secret};
use serde::{Deserialize, Serialize};

/// A refresh token and whose it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// `iss` of the token that came with it.
    pub(crate) issuer: String,
    /// `sub` of it.
    pub(crate) subject: String,
    pub(crate) refresh: Secret,
}

impl Kept {
    pub(crate) fn read(state: &State) -> Option<Self> {
        serde_json::from_slice(&state.0).ok()
    }

    pub(crate) fn state(&self) -> State {
        State(serde_json::to_vec(self).unwrap_or_default())
    }
}
