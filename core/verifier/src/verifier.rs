use std::{
    fmt,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Mutex;

use crate::{BoxError, Claims, KeySet, Refusal};

/// For how long keys are kept, in seconds: what the server says of them.
const KEPT: u64 = 300;
/// Between two fetches, in seconds.
const PAUSE: u64 = 60;
/// For how long keys count that cannot be fetched again, in seconds.
const LAST_RESORT: u64 = 3_600;

/// Fetches what the server publishes at `/.well-known/jwks.json`. Every function
/// that answers with a future of its body is one.
pub trait FetchKeys: Send + Sync {
    /// Fetches them now.
    fn fetch(&self) -> impl Future<Output = Result<Vec<u8>, BoxError>> + Send;
}

impl<F, A> FetchKeys for F
where
    F: Fn() -> A + Send + Sync,
    A: Future<Output = Result<Vec<u8>, BoxError>> + Send,
{
    fn fetch(&self) -> impl Future<Output = Result<Vec<u8>, BoxError>> + Send {
        self()
    }
}

/// Verifies the access tokens of one application. Make one, and share it.
pub struct Verifier<F> {
    issuer: String,
    audience: String,
    fetch: F,
    clock: fn() -> SystemTime,
    known: RwLock<Option<Known>>,
    /// When keys were last asked for. Who asks holds it, so that the others wait
    /// for the answer.
    asked_at: Mutex<Option<u64>>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<KeySet>,
    /// When they were fetched.
    at: u64,
}

impl<F: FetchKeys> Verifier<F> {
    /// A verifier for tokens that the server with this origin makes for this
    /// audience. Nothing is fetched before the first token.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, fetch: F) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this crate knows no injected clock; `with_clock` takes one"
        )]
        let clock = SystemTime::now;
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            fetch,
            clock,
            known: RwLock::new(None),
            asked_at: Mutex::new(None),
        }
    }

    /// The same by another clock: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.clock = clock;
        self
    }

    /// Who calls, if the token counts.
    ///
    /// # Errors
    /// Why it does not, see [`Refusal`].
    pub async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let keys = self.keys(false).await?;
        match self.check(&keys, token) {
            // The key may be newer than those that are kept.
            Err(Refusal::UnknownKey) => {
                let keys = self.keys(true).await?;
                self.check(&keys, token)
            }
            checked => checked,
        }
    }

    fn check(&self, keys: &KeySet, token: &str) -> Result<Claims, Refusal> {
        keys.verify(token, &self.issuer, &self.audience, self.now())
    }

    /// The keys: those that are kept, or, when they are too old or lack the one
    /// that is looked for, new ones.
    async fn keys(&self, is_missed: bool) -> Result<Arc<KeySet>, Refusal> {
        let before = self.known();
        if let Some(known) = before.as_ref().filter(|_| !is_missed)
            && self.is_fresh(known)
        {
            return Ok(Arc::clone(&known.keys));
        }
        let mut asked_at = self.asked_at.lock().await;
        let now = self.now();
        let known = self.known();
        // Somebody else may have fetched meanwhile.
        let has_changed = known.as_ref().map(|known| known.at) != before.map(|known| known.at);
        let is_too_soon = asked_at.is_some_and(|at| at <= now && now.saturating_sub(at) < PAUSE);
        if has_changed || is_too_soon {
            return self.last_resort(known, None);
        }
        *asked_at = Some(now);
        let fetched = match self.fetch.fetch().await {
            Ok(body) => KeySet::parse(&body).map_err(BoxError::from),
            Err(error) => Err(error),
        };
        match fetched {
            Ok(keys) => Ok(self.keep(keys)),
            Err(error) => self.last_resort(known, Some(error)),
        }
    }

    /// Keys that are older than they should be are better than none, for a while.
    fn last_resort(
        &self,
        known: Option<Known>,
        error: Option<BoxError>,
    ) -> Result<Arc<KeySet>, Refusal> {
        let now = self.now();
        let counts = |known: &Known| known.at <= now && now - known.at < LAST_RESORT;
        match known.filter(counts) {
            Some(known) => Ok(known.keys),
            None => Err(Refusal::NoKeys(error)),
        }
    }

    fn keep(&self, keys: KeySet) -> Arc<KeySet> {
        let keys = Arc::new(keys);
        let known = Known {
            keys: Arc::clone(&keys),
            at: self.now(),
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        keys
    }

    fn known(&self) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// A clock that was set back makes nothing fresh for longer.
    fn is_fresh(&self, known: &Known) -> bool {
        let now = self.now();
        known.at <= now && now - known.at < KEPT
    }

    fn now(&self) -> u64 {
        let since = (self.clock)().duration_since(UNIX_EPOCH);
        since.unwrap_or(Duration::ZERO).as_secs()
    }
}

impl<F> fmt::Debug for Verifier<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
