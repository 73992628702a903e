//! Access tokens (RFC 9068): by them an application knows who calls it.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{TokenKind, Tokens};
use crate::{
    Error, ErrorKind, Result,
    access::{Caller, Resource, action},
    environment::{later, span_between},
    model::{Application, Grant},
    secret::Secret,
    service::ApplicationRef,
    session_table::CheckedSession,
    storage::Scope,
};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Whose session it is about.
    pub session: &'a CheckedSession,
    /// The application that is to be called.
    pub application: &'a ApplicationRef,
    /// The origin of the page that asks, if it is none of this server's.
    pub origin: Option<&'a str>,
}

/// An access token.
pub struct AccessToken {
    /// The token: told here, kept nowhere.
    pub token: Secret,
    /// For how long it counts.
    pub lifetime: Duration,
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// The claims, in the order in which they are written.
#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
    client_id: String,
    tenant: String,
    sid: String,
    jti: String,
    iat: i64,
    exp: i64,
    auth_time: i64,
    acr: &'static str,
    amr: Vec<&'a str>,
    roles: Vec<&'static str>,
}

impl Tokens<'_> {
    /// An access token for an application of the session's tenant. It counts for
    /// five minutes, and never longer than the session.
    ///
    /// A session that is limited to a purpose gets none: an application that did
    /// not look at the limit would take it for a whole sign-in.
    ///
    /// # Errors
    /// * [`ErrorKind::Denied`] for a session that is limited to a purpose, and
    ///   for a page whose origin is not the application's.
    /// * [`ErrorKind::NotFound`] for an application that the tenant does not have.
    /// * [`ErrorKind::Unauthenticated`] for a session in its last second.
    /// * What the storage says.
    pub async fn issue_access(
        &self,
        caller: &Caller,
        request: AccessRequest<'_>,
    ) -> Result<AccessToken> {
        let session = request.session;
        let (tenant, user) = (session.tenant.id, session.user.id);
        let own = Resource::user(tenant, user);
        self.0.authorise(caller, action::TOKEN_CREATE, &own)?;
        let mut unit = self.0.read(Scope::Platform).await?;
        let keys = Self::stored(unit.as_mut(), TokenKind::Access).await?;
        unit.enter(tenant).await?;
        let application = request.application.find(unit.as_mut()).await?;
        unit.rollback().await?;
        let application = application.ok_or_else(|| Error::not_found("application"))?;
        if let Some(origin) = request.origin
            && !application.has_origin(origin)
        {
            let message = "the application does not call from the origin of this page";
            return Err(Error::new(ErrorKind::Denied, message));
        }
        let (claims, lifetime) = self.claims(session, &application)?;
        let token = self.sign(TokenKind::Access, keys, &claims).await?;
        Ok(AccessToken { token, lifetime })
    }

    fn claims<'s>(
        &'s self,
        checked: &'s CheckedSession,
        application: &'s Application,
    ) -> Result<(AccessClaims<'s>, Duration)> {
        let session = &checked.session;
        let now = self.0.now();
        let idle = Duration::from_secs(u64::try_from(session.idle_seconds).unwrap_or(0));
        let end = later(now, TokenKind::Access.profile().lifetime)
            .min(later(now, idle))
            .min(session.expires_at);
        let (iat, exp) = (now.as_second(), end.as_second());
        if exp <= iat {
            return Err(Error::new(ErrorKind::Unauthenticated, "sign in first"));
        }
        let amr = session.amr();
        let claims = AccessClaims {
            iss: self.0.issuer(),
            aud: application.audience.as_str(),
            sub: checked.user.id.to_string(),
            client_id: application.id.to_string(),
            tenant: checked.tenant.id.to_string(),
            sid: session.id.to_string(),
            jti: self.0.environment().uuid().to_string(),
            iat,
            exp,
            auth_time: session.auth_time().as_second().clamp(0, iat),
            acr: if amr.contains(&"mfa") { "aal2" } else { "aal1" },
            amr,
            roles: checked
                .grants
                .iter()
                .map(|grant| Grant::as_str(*grant))
                .collect(),
        };
        Ok((
            claims,
            Duration::from_secs(span_between(now, end).as_secs().max(1)),
        ))
    }
}
