//! Connections to third parties, as operators look after them.

use url::Url;

use super::{ProviderCall, identities::third_parties};
use crate::{
    Platform,
    model::Session,
    provider::{Configured, Intent},
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
