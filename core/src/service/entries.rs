//! Forward authentication: somebody who is signed in here enters an application
//! on another host, before which a proxy asks us about every request.
//!
//! The browser comes here once and goes back to the application's host with a
//! code. There the code is exchanged for a pass, which that host keeps as its own
//! cookie. A pass is the session's hash, sealed for one origin of one
//! application: it is nothing without the session, and over as soon as that is.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    Error, ErrorKind, Platform, Result,
    access::{Caller, Resource, action},
    environment::later,
    model::{Application, ApplicationId},
    platform::AuditEventExt,
    seal::SealContext,
    secret::{Secret, Token, TokenHash},
    session_table::CheckedSession,
    storage::{Scope, StoredFlow},
};

/// How long a code counts.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
const CODE: &str = "application entry";
const PASS: &str = "application pass";
/// The longest page address that is remembered; of a longer one, the start is.
const MAX_PATH: usize = 4_000;
/// No pass of ours is longer.
const MAX_PASS: usize = 400;

/// Entries into applications on other hosts.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a>(&'a Platform);

/// Where somebody wants to go, and in which browser.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The application.
    pub application: &'a Application,
    /// Which of its origins.
    pub origin: &'a str,
    /// The page there, with its query.
    pub path: &'a str,
    /// The hash of what the browser holds on that host: the code counts in no
    /// other browser, so nobody can be made to enter as somebody else.
    pub browser: &'a TokenHash,
}

/// What a code is exchanged for.
#[derive(Debug, Clone)]
pub struct Entered {
    /// What that host keeps of the session.
    pub pass: Secret,
    /// The page that was wanted, as an address of that host.
    pub return_to: String,
}

/// A code at rest.
#[derive(Serialize, Deserialize)]
struct Pending {
    application: ApplicationId,
    origin: String,
    path: String,
    browser: TokenHash,
    session: TokenHash,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self(platform)
    }

    /// A code that lets the session's owner into the application: once, for a
    /// minute, on that origin and in that browser alone.
    ///
    /// # Errors
    /// * [`ErrorKind::Denied`] for a session that is limited to a purpose.
    /// * [`ErrorKind::NotFound`] for an application of another tenant.
    /// * [`ErrorKind::Invalid`] for an origin that is none of the application's.
    /// * [`ErrorKind::Limited`] when the network begins too many, sign-ins counted.
    /// * What the storage says.
    pub async fn begin(
        &self,
        caller: &Caller,
        session: &CheckedSession,
        entry: Entry<'_>,
    ) -> Result<Token> {
        let network = caller.client.network.as_deref();
        self.0.flow_starts().take(network, self.0.now())?;
        let (tenant, user) = (session.tenant.id, session.user.id);
        let own = Resource::user(tenant, user);
        self.0.authorise(caller, action::APPLICATION_ENTER, &own)?;
        if entry.application.tenant != tenant {
            return Err(Error::not_found("application"));
        }
        if !entry.application.has_origin(entry.origin) {
            return Err(Error::invalid(
                "origin",
                "the application has not registered this origin",
            ));
        }
        let pending = Pending {
            application: entry.application.id,
            origin: entry.origin.to_owned(),
            path: page(entry.path).to_owned(),
            browser: *entry.browser,
            session: session.session.token_hash,
        };
        let code = Token::generate(self.0.environment());
        let stored = self.stored(&code, &pending)?;
        let mut unit = self.0.write(Scope::Tenant(tenant)).await?;
        unit.flows().create(&stored).await?;
        let event = self
            .0
            .event(caller, Some(tenant), action::APPLICATION_ENTER)
            .about(entry.application.id)
            .changing("name", None, Some(entry.application.name.to_string()))
            .changing("origin", None, Some(entry.origin.to_owned()));
        unit.audit().append(&event).await?;
        unit.commit().await?;
        Ok(code)
    }

    fn stored(&self, code: &Token, pending: &Pending) -> Result<StoredFlow> {
        let handle = handle(code);
        let plain = serde_json::to_vec(pending)
            .map_err(|error| Error::internal("an entry").because(error))?;
        let place: &[&[u8]] = &[handle.as_bytes()];
        let context = SealContext {
            purpose: CODE,
            place,
        };
        Ok(StoredFlow {
            handle,
            version: 1,
            expires_at: later(self.0.now(), CODE_LIFETIME),
            sealed: self.0.keys().seal(&context, &plain)?,
        })
    }

    /// Exchanges a code. It is used up whatever comes of it.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`] for a code that was used, is over or was made for
    ///   another host or browser, and for a session that has ended since: nobody
    ///   learns which.
    /// * What the storage says.
    pub async fn complete(&self, code: &Token, origin: &str, browser: &Token) -> Result<Entered> {
        let handle = handle(code);
        let mut unit = self.0.write(Scope::Platform).await?;
        let stored = unit.flows().by_handle(&handle).await?;
        // Of several that come with it at once, one removes it.
        let is_first = stored.is_some() && unit.flows().delete(&handle).await?;
        unit.commit().await?;
        let stored = stored.filter(|stored| is_first && self.0.now() < stored.expires_at);
        let stored = stored.ok_or_else(over)?;
        let place: &[&[u8]] = &[handle.as_bytes()];
        let context = SealContext {
            purpose: CODE,
            place,
        };
        let plain = self.0.open_sealed(&context, &stored.sealed).await?;
        let pending: Pending = serde_json::from_slice(&plain).map_err(|_| over())?;
        if pending.origin != origin || !pending.browser.matches(&browser.hash()) {
            return Err(over());
        }
        let sessions = self.0.sessions();
        let session = sessions.check_hash(&pending.session).await?;
        session.ok_or_else(over)?;
        let application = pending.application.as_uuid();
        let place: &[&[u8]] = &[application.as_bytes(), origin.as_bytes()];
        let context = SealContext {
            purpose: PASS,
            place,
        };
        let sealed = self.0.keys().seal(&context, pending.session.as_bytes())?;
        Ok(Entered {
            pass: Secret::new(URL_SAFE_NO_PAD.encode(sealed)),
            // After the origin, so that no path is taken for another host.
            return_to: format!("{origin}{}", pending.path),
        })
    }

    /// The session behind a pass, if it is valid now; it then counts as used.
    /// `None` for whatever lets nobody into this application by this origin.
    ///
    /// # Errors
    /// What the storage says: whoever asks must then let nobody pass.
    pub async fn check(
        &self,
        pass: &Secret,
        application: &Application,
        origin: &str,
    ) -> Result<Option<Arc<CheckedSession>>> {
        if pass.len() > MAX_PASS || !application.has_origin(origin) {
            return Ok(None);
        }
        let Ok(sealed) = URL_SAFE_NO_PAD.decode(pass.expose()) else {
            return Ok(None);
        };
        let id = application.id.as_uuid();
        let place: &[&[u8]] = &[id.as_bytes(), origin.as_bytes()];
        let context = SealContext {
            purpose: PASS,
            place,
        };
        let session = match self.0.open_sealed(&context, &sealed).await {
            Ok(plain) => <[u8; 32]>::try_from(plain.as_slice()).map(TokenHash::from_bytes),
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(session) = session else {
            return Ok(None);
        };
        let checked = self.0.sessions().check_hash(&session).await?;
        Ok(checked.filter(|checked| {
            checked.tenant.id == application.tenant && checked.session.scope.is_none()
        }))
    }
}

/// Apart from the handles of sign-ins, which lie beside it.
fn handle(code: &Token) -> TokenHash {
    TokenHash::of_parts([CODE.as_bytes(), code.expose().as_bytes()])
}

/// A page of the host, or its start for what is none.
fn page(path: &str) -> &str {
    let fits = path.len() <= MAX_PATH
        && path.starts_with('/')
        && path.chars().all(|c| c.is_ascii_graphic());
    if fits { path } else { "/" }
}

fn over() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "this way in is over or was used already; open the application again",
    )
}
