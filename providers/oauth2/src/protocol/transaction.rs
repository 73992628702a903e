//! What one sign-in at a third party is bound to.

use gatelodge_core::{
    model::ProviderId,
    provider::{Context, State},
    secret::Secret,
};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::{Config, Error};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// One sign-in. It lies sealed in the flow, never in the browser.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transaction {
    connection: ProviderId,
    /// Where the browser comes back to, as it was told.
    pub(crate) redirect_uri: Url,
    /// The `state` parameter.
    pub(crate) state: Secret,
    /// RFC 7636 section 4.1.
    verifier: Secret,
    /// Whom the browser was sent to, and who takes the code: nobody else gets it.
    authorization_url: Url,
    token_url: Url,
    client_id: String,
}

impl Transaction {
    /// A new one.
    pub(crate) fn begin(config: &Config, context: &Context<'_>) -> Result<Self, Error> {
        let facts = context.facts;
        let (Some(redirect_uri), Some(state)) = (&facts.callback, &facts.oauth_state) else {
            return Err(Error::NoWayBack);
        };
        Ok(Self {
            connection: facts.provider.clone(),
            redirect_uri: redirect_uri.clone(),
            state: Secret::new(state.as_str()),
            verifier: Secret::new(URL_SAFE_NO_PAD.encode(context.random::<32>())),
            authorization_url: config.authorization_url.clone(),
            token_url: config.token_url.clone(),
            client_id: config.client_id.clone(),
        })
    }

    /// What [`Transaction::keep`] made, if it is this connection's and that is still
    /// configured as it was.
    pub(crate) fn read(
        state: &State,
        config: &Config,
        connection: &ProviderId,
    ) -> Result<Self, &'static str> {
        let read: Self = serde_json::from_slice(&state.0).map_err(|_| "unknown_state")?;
        if read.connection != *connection {
            return Err("other_connection");
        }
        let is_unchanged = read.authorization_url == config.authorization_url
            && read.token_url == config.token_url
            && read.client_id == config.client_id;
        is_unchanged.then_some(read).ok_or("connection_changed")
    }

    /// As it lies in the flow.
    pub(crate) fn keep(&self) -> State {
        State(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether a callback's `state` is the one that was sent.
    pub(crate) fn is_answered_by(&self, state: Option<&Secret>) -> bool {
        let sent = self.state.expose().as_bytes();
        state.is_some_and(|state| bool::from(state.expose().as_bytes().ct_eq(sent)))
    }

    pub(crate) fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.verifier.expose().to_owned())
    }

    pub(crate) fn challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.verifier())
    }
}
