//! Coming back from a third party: the `state` parameter finds the flow again,
//! once, and only in the browser that left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Claimed, Progress, SignIn,
    answer::{Attempt, ensure_room},
    device,
    flow::{self, FlowHandle, Found, Transport},
};
use crate::{
    Error, Platform, Result,
    model::{ClientFacts, ProviderId},
    provider::{Answer, Step},
    seal::SealContext,
    secret::{Secret, Token, TokenHash},
    storage::{Scope, StoredFlow, UnitOfWork},
};

const PURPOSE: &str = "callback";

/// Where a `state` parameter leads.
#[derive(Serialize, Deserialize)]
struct Pointer {
    flow: String,
    provider: ProviderId,
    step: String,
}

impl SignIn<'_> {
    /// The id of the flow that a callback belongs to, so that its cookie can be
    /// found. Nothing is used up.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] when the `state` leads nowhere.
    pub async fn callback_flow(&self, state: &Secret) -> Result<String> {
        Ok(pointer(self.0, &state_hash(state)).await?.flow)
    }

    /// Takes the parameters that a third party sent the browser back with.
    ///
    /// # Errors
    /// As [`SignIn::answer`]; also when the `state` was used before, belongs to
    /// another connection, or another browser left.
    pub async fn callback(
        &self,
        connection: &ProviderId,
        handle: &FlowHandle,
        parameters: BTreeMap<String, Secret>,
        client: &ClientFacts,
        device: Option<Secret>,
    ) -> Result<Progress> {
        // Nothing is used up then: the same address works later.
        ensure_room(self.0, connection.as_str())?;
        let state = parameters.get("state").ok_or_else(flow::gone)?;
        let hash = state_hash(state);
        let found = flow::find(self.0, handle).await?;
        let pointer = pointer(self.0, &hash).await?;
        let fits = pointer.provider == *connection
            && pointer.flow == handle.id
            && pointer.step == found.flow.step;
        if !fits {
            return Err(flow::gone());
        }
        // A pointer never changes: whoever removes it is the one who follows it.
        let mut unit = self.0.write(Scope::Platform).await?;
        if !unit.flows().delete(&hash).await? {
            return Err(flow::gone());
        }
        unit.commit().await?;
        device::learn_key(self.0, device.as_ref()).await;
        let attempt = self.attempt(found, connection, client, device)?;
        attempt.callback(parameters).await
    }

    fn attempt<'b>(
        &'b self,
        found: Found,
        connection: &ProviderId,
        client: &'b ClientFacts,
        device: Option<Secret>,
    ) -> Result<Attempt<'b>> {
        let offer = found.flow.active.ok_or_else(flow::gone)?;
        let waits = found.flow.offers.get(offer).is_some_and(|offer| {
            offer.provider == *connection && matches!(offer.shown, Some(Step::Redirect { .. }))
        });
        let configured = self.0.providers().provider(connection);
        let configured = configured.filter(|_| waits).ok_or_else(flow::gone)?;
        Ok(Attempt {
            platform: self.0,
            found,
            offer,
            configured,
            client,
            device,
            claimed: Claimed::Nobody { tenant: None },
            lanes: None,
            again: None,
            told: false,
            changes: Vec::new(),
        })
    }
}

impl Attempt<'_> {
    async fn callback(mut self, parameters: BTreeMap<String, Secret>) -> Result<Progress> {
        self.claim_known().await?;
        self.ask(Answer::Callback { parameters }).await
    }
}

/// Stores where a `state` parameter leads.
pub(crate) async fn remember(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    found: &Found,
    state: &Token,
) -> Result<()> {
    if found.flow.transport == Transport::Token {
        return Err(Error::new(
            crate::ErrorKind::Unsupported,
            "a redirect needs the cookie transport",
        ));
    }
    let provider = found
        .flow
        .active
        .and_then(|active| found.flow.offers.get(active))
        .map(|offer| offer.provider.clone())
        .ok_or_else(|| Error::internal("a redirect of nobody"))?;
    let pointer = Pointer {
        flow: found.id.clone(),
        provider,
        step: found.flow.step.clone(),
    };
    let hash = state_hash(&Secret::new(state.expose()));
    let plain = serde_json::to_vec(&pointer).map_err(|e| Error::internal("pointer").because(e))?;
    let sealed = platform.keys().seal(&context(&[hash.as_bytes()]), &plain)?;
    unit.flows()
        .create(&StoredFlow {
            handle: hash,
            version: 1,
            expires_at: found.flow.expires_at,
            sealed,
        })
        .await
}

async fn pointer(platform: &Platform, hash: &TokenHash) -> Result<Pointer> {
    let mut unit = platform.read(Scope::Platform).await?;
    let stored = unit.flows().by_handle(hash).await?;
    unit.rollback().await?;
    let stored = stored.filter(|stored| platform.now() < stored.expires_at);
    let stored = stored.ok_or_else(flow::gone)?;
    let plain = platform
        .open_sealed(&context(&[hash.as_bytes()]), &stored.sealed)
        .await?;
    serde_json::from_slice(&plain).map_err(|_| flow::gone())
}

fn context<'a>(place: &'a [&'a [u8]]) -> SealContext<'a> {
    SealContext {
        purpose: PURPOSE,
        place,
    }
}

fn state_hash(state: &Secret) -> TokenHash {
    TokenHash::of_parts([b"callback".as_slice(), state.expose().as_bytes()])
}
