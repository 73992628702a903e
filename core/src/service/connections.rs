//! Connections to third parties, as operators look after them.

use url::Url;

use super::{ProviderCall, credentials::callback_address, identities::third_parties};
use crate::{
    Error, Platform, Result,
    access::{Caller, Resource, action},
    model::{ConnectionId, ProviderId, Session},
    provider::{Configured, Finding, Intent},
    secret::Token,
};

/// Connections to third parties.
#[derive(Debug, Clone, Copy)]
pub struct Connections<'a>(&'a Platform);

impl<'a> Connections<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// All that are configured, in the configured order.
    pub fn list(&self) -> impl Iterator<Item = &'a Configured> {
        third_parties(self.0)
    }

    /// The address at which the third party sends browsers back, which has to be
    /// registered there.
    pub fn callback(&self, id: &ConnectionId) -> Option<Url> {
        callback_address(self.0, id)
    }

    /// Has each get anew what it keeps in memory of its third party, if that is due:
    /// to be called every minute. One that cannot be reached does not keep the others
    /// from it.
    pub async fn refresh(&self) {
        for configured in self.list() {
            let Some(third_party) = configured.third_party() else {
                continue;
            };
            let call = ProviderCall::new(self.0, &configured.id, Intent::SignIn);
            if let Err(error) = third_party.refresh(&call.context()).await {
                tracing::warn!(connection = %configured.id, ?error, "a third party cannot be reached");
            }
        }
    }

    /// Looks at everything that can be wrong with a connection.
    ///
    /// # Errors
    /// As [`Platform::authorise`]; [`crate::ErrorKind::NotFound`] when there is no such
    /// connection.
    pub async fn diagnose(&self, caller: &Caller, id: &ProviderId) -> Result<Vec<Finding>> {
        self.0
            .authorise(caller, action::CONNECTION_DIAGNOSE, &Resource::platform())?;
        let configured = self.0.providers().provider(id);
        let third_party = configured.and_then(Configured::third_party);
        let third_party = third_party.ok_or_else(|| Error::not_found("connection"))?;
        let state = Token::generate(self.0.environment());
        let call = ProviderCall::new(self.0, id, Intent::SignIn).with_callback(state.expose());
        Ok(third_party.diagnose(&call.context()).await)
    }

    /// Where the browser of somebody who signed out goes to sign out at the third party
    /// as well that let them in, with what that third party is called: it comes back to
    /// `back`. `None` where nobody else let them in, or it cannot be done.
    pub async fn sign_out(&self, session: &Session, back: &Url) -> Option<(String, Url)> {
        for factor in &session.factors {
            let configured = self.0.providers().provider(&factor.provider);
            let Some((configured, third_party)) =
                configured.and_then(|found| Some((found, found.third_party()?)))
            else {
                continue;
            };
            let call = ProviderCall::new(self.0, &configured.id, Intent::SignIn);
            if let Some(address) = third_party.sign_out(&call.context(), back).await {
                return Some((configured.description.label.clone(), address));
            }
        }
        None
    }
}
