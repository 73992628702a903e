//! What is kept from the way out to the way back: everything that the callback is
//! compared with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatelodge_core::{
    model::TenantId,
    provider::{Context, Facts, Intent, State},
    secret::Secret,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::metadata::Metadata;
use crate::Config;

/// A person comes back within this, in seconds: as long as flows live.
const LONGEST: i64 = 600;

/// One way to the third party and back.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transaction {
    /// Which connection.
    connection: String,
    /// The issuer that was configured then.
    issuer: String,
    client_id: String,
    tenant: Option<TenantId>,
    intent: Intent,
    /// Where the browser comes back to.
    pub(crate) redirect_uri: Url,
    /// Where the code is good.
    pub(crate) token_endpoint: Url,
    /// What the callback has to bring back.
    pub(crate) state: Secret,
    /// What the token has to bring back.
    pub(crate) nonce: Secret,
    /// The code verifier (RFC 7636).
    pub(crate) verifier: Secret,
    /// Whether the callback has to name the issuer (RFC 9207).
    pub(crate) names_issuer: bool,
    /// Whether the person has to prove anew who they are.
    pub(crate) anew: bool,
    /// When it began, in seconds since 1970.
    pub(crate) since: i64,
}

/// What is random about one.
pub(crate) struct Chance {
    nonce: Secret,
    verifier: Secret,
}

impl Chance {
    /// 256 random bits for each.
    pub(crate) fn new(context: &Context<'_>) -> Self {
        let word = || Secret::new(URL_SAFE_NO_PAD.encode(context.random::<32>()));
        Self {
            nonce: word(),
            verifier: word(),
        }
    }
}

impl Transaction {
    /// Begins one; `None` without a callback to come back to.
    pub(crate) fn begin(
        context: &Context<'_>,
        config: &Config,
        metadata: &Metadata,
        chance: Chance,
    ) -> Option<Self> {
        let facts = context.facts;
        Some(Self {
            connection: facts.provider.to_string(),
            issuer: config.issuer().to_owned(),
            client_id: config.client_id.clone(),
            tenant: facts.tenant.as_ref().map(|tenant| tenant.id),
            intent: facts.intent,
            redirect_uri: facts.callback.clone()?,
            token_endpoint: metadata.token.clone(),
            state: facts.oauth_state.as_deref()?.into(),
            nonce: chance.nonce,
            verifier: chance.verifier,
            names_issuer: metadata.names_issuer,
            anew: is_anew(facts.intent) && config.asks_max_age(),
            since: facts.now.as_second(),
        })
    }

    /// One that nobody begins, to see how the token endpoint takes a code that it never
    /// gave.
    pub(crate) fn probe(
        context: &Context<'_>,
        metadata: &Metadata,
        chance: Chance,
    ) -> Option<Self> {
        let facts = context.facts;
        Some(Self {
            connection: facts.provider.to_string(),
            issuer: metadata.issuer.clone(),
            client_id: String::new(),
            tenant: None,
            intent: Intent::SignIn,
            redirect_uri: facts.callback.clone()?,
            token_endpoint: metadata.token.clone(),
            state: Secret::default(),
            nonce: chance.nonce,
            verifier: chance.verifier,
            names_issuer: false,
            anew: false,
            since: facts.now.as_second(),
        })
    }

    /// Reads one; `None` for bytes that are none.
    pub(crate) fn read(state: &State) -> Option<Self> {
        serde_json::from_slice(&state.0).ok()
    }

    pub(crate) fn keep(&self) -> State {
        State(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether it belongs to this connection as it is now, to this flow, and is not over.
    pub(crate) fn fits(&self, facts: &Facts, config: &Config) -> bool {
        let tenant = facts.tenant.as_ref().map(|tenant| tenant.id);
        let age = facts.now.as_second().saturating_sub(self.since);
        self.connection == facts.provider.as_str()
            && self.issuer == config.issuer()
            && self.client_id == config.client_id
            && self.intent == facts.intent
            // It may have become known meanwhile, and does not change.
            && self.tenant.is_none_or(|known| tenant == Some(known))
            && facts.callback.as_ref() == Some(&self.redirect_uri)
            && (0..=LONGEST).contains(&age)
    }
}

/// Whether it is about somebody's proving anew who they are, or that an identity is
/// theirs.
pub(crate) fn is_anew(intent: Intent) -> bool {
    matches!(intent, Intent::Reprove | Intent::Link)
}
