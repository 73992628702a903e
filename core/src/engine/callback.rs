//! Coming back from a third party: the `state` parameter finds the flow again, once,
//! and only in the browser that left, or by way of the client that sent it.
//!
//! Third parties send browsers to one address per connection, on the server's own
//! origin. From there the parameters go on to where the flow's cookie is: they are
//! parked under a handle that counts once. A flow without a cookie is its client's;
//! the browser then goes to a registered return address with a code that counts once,
//! and only in the hands of whoever has the flow's id.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Progress, SignIn,
    answer::{Attempt, ensure_room},
    check::error,
    device,
    flow::{self, Flow, FlowHandle, Found, Transport},
    identity::Notice,
};
use crate::{
    Error, Platform, Result,
    environment::later,
    model::{ApplicationId, ClientFacts, ProviderId},
    provider::{Answer, Step},
    seal::SealContext,
    secret::{Secret, Token, TokenHash},
    service::ApplicationRef,
    storage::{Scope, StoredFlow, UnitOfWork},
};

const STATE: &str = "callback";
const PARKED: &str = "parked callback";
/// How long parameters wait for the browser, or its client, to fetch them.
const PARKED_FOR: Duration = Duration::from_secs(60);
/// The parameter with which a browser comes to a client's return address.
const CODE: &str = "code";
/// The parameter with which a browser comes to where its flow's cookie is.
const HANDLE: &str = "handle";

/// Where a browser goes that came back from a third party.
#[derive(Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It is where its flow is, and what it brought is taken: see [`SignIn::callback`].
    Here {
        /// The flow's id.
        flow: String,
    },
    /// It goes on.
    Elsewhere {
        /// To this address, which counts once.
        address: String,
    },
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here { flow } => f.debug_struct("Here").field("flow", flow).finish(),
            Self::Elsewhere { .. } => f.debug_struct("Elsewhere").finish_non_exhaustive(),
        }
    }
}

/// Where a `state` parameter leads.
#[derive(Serialize, Deserialize)]
struct Pointer {
    flow: String,
    provider: ProviderId,
    step: String,
    way: Way,
}

/// How the flow gets what the browser brings.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// By its cookie: on the server's origin, or on a tenant's own.
    Cookie(Option<String>),
    /// By its client, at a return address of an application.
    Client(ApplicationId, String),
}

/// What a browser brought, waiting to be fetched.
#[derive(Serialize, Deserialize)]
struct Parked {
    flow: String,
    provider: ProviderId,
    step: String,
    parameters: BTreeMap<String, Secret>,
}

impl SignIn<'_> {
    /// A browser comes back from a third party, at the server's own origin. Nothing is
    /// used up while it is [where its flow is](Arrival::Here).
    ///
    /// * `by_post`: the browser was made to send a form, which no cookie of ours came
    ///   with (OAuth 2.0 Form Post Response Mode). It goes on, to come with its cookie.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] when the `state` leads nowhere, or to another
    /// connection; [`crate::ErrorKind::Limited`] when the network sends on too many.
    pub async fn arrive(
        &self,
        connection: &ProviderId,
        parameters: &BTreeMap<String, Secret>,
        by_post: bool,
        client: &ClientFacts,
    ) -> Result<Arrival> {
        let state = parameters.get("state").ok_or_else(flow::gone)?;
        let hash = state_hash(state);
        let pointer: Pointer = find(self.0, STATE, &hash).await?;
        if pointer.provider != *connection {
            return Err(flow::gone());
        }
        let parked = Parked {
            flow: pointer.flow.clone(),
            provider: pointer.provider.clone(),
            step: pointer.step.clone(),
            parameters: parameters.clone(),
        };
        match pointer.way {
            Way::Cookie(None) if !by_post => Ok(Arrival::Here { flow: pointer.flow }),
            Way::Cookie(origin) => {
                let server = self.0.origins().server();
                let origin = origin.unwrap_or_else(|| server.origin().ascii_serialization());
                // The state is not used up by this: it could be parked for ever.
                let network = client.network.as_deref();
                self.0.flow_starts().take(network, self.0.now())?;
                let handle = park(self.0, parked).await?;
                let handle = handle.expose();
                let address = format!("{origin}/callback/{connection}?{HANDLE}={handle}");
                Ok(Arrival::Elsewhere { address })
            }
            Way::Client(application, return_to) => {
                // The state is used up here: the flow's own answer is the code.
                take(self.0, &hash).await?;
                let to = return_address(self.0, application, &return_to).await?;
                let code = park(self.0, parked).await?;
                let address = with_code(to, &code)?;
                Ok(Arrival::Elsewhere { address })
            }
        }
    }

    /// Fetches what a browser brought that was sent on: the flow's id, and the
    /// parameters for [`SignIn::callback`]. The handle counts once.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] when the handle leads nowhere, or to another
    /// connection.
    pub async fn fetch_parked(
        &self,
        connection: &ProviderId,
        handle: &Secret,
    ) -> Result<(String, BTreeMap<String, Secret>)> {
        let parked = unpark(self.0, handle).await?;
        match parked.provider == *connection {
            true => Ok((parked.flow, parked.parameters)),
            false => Err(flow::gone()),
        }
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
        let pointer: Pointer = find(self.0, STATE, &hash).await?;
        let fits = pointer.provider == *connection
            && pointer.flow == handle.id
            && pointer.step == found.flow.step
            && matches!(pointer.way, Way::Cookie(_));
        if !fits {
            return Err(flow::gone());
        }
        // A pointer never changes: whoever removes it is the one who follows it.
        take(self.0, &hash).await?;
        device::learn_key(self.0, device.as_ref()).await;
        let attempt = self.back(found, connection, client, device)?;
        attempt.callback(parameters).await
    }

    fn back<'b>(
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
        let place = (found, offer);
        Ok(Attempt::new(self.0, place, configured, client, device))
    }
}

impl Attempt<'_> {
    async fn callback(mut self, parameters: BTreeMap<String, Secret>) -> Result<Progress> {
        self.claim_known().await?;
        let (platform, found) = (self.platform, self.found.clone());
        let asked = Box::pin(self.ask(Answer::Callback { parameters })).await;
        if asked.is_err()
            && let Err(error) = reopen(platform, found).await
        {
            tracing::debug!(?error, "a flow is left as it is");
        }
        asked
    }

    /// A client brings the code with which its browser came back.
    pub(super) async fn return_code(
        self,
        mut values: BTreeMap<String, Secret>,
    ) -> Result<Progress> {
        match (values.remove(CODE), values.is_empty()) {
            (Some(code), true) => self.returned(&code).await,
            _ => Ok(self.invalid(vec![error(
                CODE,
                "missing",
                "Bring the code with which the browser came back.",
            )])),
        }
    }

    async fn returned(self, code: &Secret) -> Result<Progress> {
        let flow = &self.found.flow;
        let parked = match unpark(self.platform, code).await {
            Err(error) if error.kind() == crate::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        let parked = parked.filter(|parked| {
            flow.transport == Transport::Token
                && parked.flow == self.found.id
                && parked.provider == self.configured.id
                && parked.step == flow.step
        });
        match parked {
            Some(parked) => self.callback(parked.parameters).await,
            None => self.refuse("wrong_return_code").await,
        }
    }
}

/// Opens every way anew after a fault: the one that was taken leads nowhere. What has gone on
/// meanwhile stays as it is.
pub(super) async fn reopen(platform: &Platform, mut found: Found) -> Result<()> {
    found.flow.go_back(platform.environment(), Notice::Failed);
    let mut unit = platform.write(Scope::Platform).await?;
    flow::save(platform, unit.as_mut(), &found).await?;
    unit.commit().await
}

/// Stores where a `state` parameter leads.
pub(crate) async fn remember(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    found: &Found,
    state: &Token,
) -> Result<()> {
    let flow = &found.flow;
    let provider = flow
        .active
        .and_then(|active| flow.offers.get(active))
        .map(|offer| offer.provider.clone())
        .ok_or_else(|| Error::internal("a redirect of nobody"))?;
    let pointer = Pointer {
        flow: found.id.clone(),
        provider,
        step: flow.step.clone(),
        way: way_of(flow)?,
    };
    let hash = state_hash(&Secret::new(state.expose()));
    store(platform, unit, (STATE, &hash), flow.expires_at, &pointer).await
}

/// # Errors
/// [`crate::ErrorKind::Invalid`] for a client without cookies that named no return
/// address: its browser would not find back to it.
fn way_of(flow: &Flow) -> Result<Way> {
    if flow.transport == Transport::Cookie {
        return Ok(Way::Cookie(flow.own_origin.clone()));
    }
    let application = flow.application.as_ref().map(|application| application.id);
    let return_to = flow.return_to.as_ref().filter(|to| !to.starts_with('/'));
    match application.zip(return_to) {
        Some((application, to)) => Ok(Way::Client(application, to.clone())),
        None => Err(Error::invalid(
            "return_to",
            "a client without cookies begins with a return address of its application to go to a third party",
        )),
    }
}

/// The return address, unless it was withdrawn meanwhile.
async fn return_address(platform: &Platform, id: ApplicationId, to: &str) -> Result<url::Url> {
    let application = platform
        .applications()
        .find(&ApplicationRef::Id(id))
        .await?;
    let is_registered = application.is_some_and(|application| application.returns_to(to));
    match (is_registered, to.parse()) {
        (true, Ok(address)) => Ok(address),
        _ => Err(flow::gone()),
    }
}

fn with_code(mut to: url::Url, code: &Token) -> Result<String> {
    to.query_pairs_mut().append_pair(CODE, code.expose());
    Ok(to.into())
}

async fn park(platform: &Platform, parked: Parked) -> Result<Token> {
    let token = Token::generate(platform.environment());
    let hash = parked_hash(&Secret::new(token.expose()));
    let until = later(platform.now(), PARKED_FOR);
    let mut unit = platform.write(Scope::Platform).await?;
    store(platform, unit.as_mut(), (PARKED, &hash), until, &parked).await?;
    unit.commit().await?;
    Ok(token)
}

async fn unpark(platform: &Platform, token: &Secret) -> Result<Parked> {
    let hash = parked_hash(token);
    let parked = find(platform, PARKED, &hash).await?;
    take(platform, &hash).await?;
    Ok(parked)
}

async fn store<T: Serialize>(
    platform: &Platform,
    unit: &mut dyn UnitOfWork,
    (purpose, hash): (&'static str, &TokenHash),
    expires_at: jiff::Timestamp,
    what: &T,
) -> Result<()> {
    let plain = serde_json::to_vec(what).map_err(|e| Error::internal(purpose).because(e))?;
    let place: &[&[u8]] = &[hash.as_bytes()];
    let sealed = platform
        .keys()
        .seal(&SealContext { purpose, place }, &plain)?;
    unit.flows()
        .create(&StoredFlow {
            handle: *hash,
            version: 1,
            expires_at,
            sealed,
        })
        .await
}

async fn find<T: DeserializeOwned>(
    platform: &Platform,
    purpose: &'static str,
    hash: &TokenHash,
) -> Result<T> {
    let mut unit = platform.read(Scope::Platform).await?;
    let stored = unit.flows().by_handle(hash).await?;
    unit.rollback().await?;
    let stored = stored.filter(|stored| platform.now() < stored.expires_at);
    let stored = stored.ok_or_else(flow::gone)?;
    let place: &[&[u8]] = &[hash.as_bytes()];
    let context = SealContext { purpose, place };
    let plain = platform.open_sealed(&context, &stored.sealed).await?;
    serde_json::from_slice(&plain).map_err(|_| flow::gone())
}

/// Of those who take it at once, one does.
async fn take(platform: &Platform, hash: &TokenHash) -> Result<()> {
    let mut unit = platform.write(Scope::Platform).await?;
    if !unit.flows().delete(hash).await? {
        return Err(flow::gone());
    }
    unit.commit().await
}

fn state_hash(state: &Secret) -> TokenHash {
    TokenHash::of_parts([b"callback".as_slice(), state.expose().as_bytes()])
}

fn parked_hash(token: &Secret) -> TokenHash {
    TokenHash::of_parts([b"parked".as_slice(), token.expose().as_bytes()])
}
