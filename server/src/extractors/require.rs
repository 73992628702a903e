use std::{fmt, marker::PhantomData, ops::Deref};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use gatelodge_core::access::Resource;

use super::{Refusal, SignedIn};
use crate::Gatelodge;

/// What [`Require`] asks the decision engine for.
///
/// ```
/// use gatelodge_server::extractors::{Permission, Require};
/// use gatelodge_core::access::action;
///
/// /// May see the users of the own tenant.
/// struct SeeUsers;
///
/// impl Permission for SeeUsers {
///     const ACTION: &'static str = action::USER_LIST;
/// }
///
/// async fn staff(person: Require<SeeUsers>) -> String {
///     format!("{} may see them", person.user().display_name)
/// }
/// ```
pub trait Permission: 'static {
    /// The action, one of [`gatelodge_core::access::action`]. One that the engine has no rule for is allowed to platform
    /// administrators alone.
    const ACTION: &'static str;

    /// On what: the person's own tenant unless the permission says otherwise.
    fn resource(person: &SignedIn) -> Resource {
        Resource::tenant(person.tenant().id)
    }
}

/// A person who is signed in and has the permission `P`; may be used like the [`SignedIn`] that it holds. See the
/// [table](crate::extractors) of who is refused how.
pub struct Require<P> {
    /// The person.
    pub person: SignedIn,
    permission: PhantomData<fn() -> P>,
}

impl<P> Deref for Require<P> {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.person
    }
}

impl<P> Clone for Require<P> {
    fn clone(&self) -> Self {
        Self {
            person: self.person.clone(),
            permission: PhantomData,
        }
    }
}

impl<P> fmt::Debug for Require<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Require").field(&self.person).finish()
    }
}

impl<P, S> FromRequestParts<S> for Require<P>
where
    P: Permission,
    Gatelodge: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let person = <SignedIn as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let gatelodge = Gatelodge::from_ref(state);
        let resource = P::resource(&person);
        gatelodge
            .platform()
            .authorise(person.caller(), P::ACTION, &resource)
            .map_err(|error| Refusal::of(error.into(), gatelodge.app(), parts))?;
        Ok(Self {
            person,
            permission: PhantomData,
        })
    }
}
