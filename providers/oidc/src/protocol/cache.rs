//! Metadata and keys, kept in memory.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{keys::KeySet, metadata::Metadata, outside::Outside};
use crate::{Config, Error};

/// For how long they are fresh at most and at least, in seconds.
const FRESH: (i64, i64) = (300, 3_600);
/// For how long they count when they cannot be had anew, in seconds.
const LAST_RESORT: i64 = 86_400;
/// Between two tries to get a key that is missed, in seconds.
const PAUSE: i64 = 60;
/// After a try that failed, in seconds.
const BREATH: i64 = 10;

/// What is kept of one third party.
#[derive(Default)]
pub(crate) struct Cache {
    known: RwLock<Option<Known>>,
    /// Who asks holds it, so that the others wait for the answer.
    gate: Mutex<Gate>,
}

#[derive(Default)]
struct Gate {
    failed_at: Option<Timestamp>,
    missed_at: Option<Timestamp>,
}

/// What is known of a third party.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) keys: Arc<KeySet>,
    /// When they were fetched.
    at: Timestamp,
    /// Seconds for which they are fresh.
    fresh: i64,
}

impl Cache {
    /// What is known, fetched first if it is not, or no longer fresh.
    pub(crate) async fn current(
        &self,
        outside: Outside<'_>,
        config: &Config,
    ) -> Result<Known, Error> {
        let now = outside.context.now();
        let known = self.known();
        if let Some(fresh) = known
            .clone()
            .filter(|known| known.is_within(now, known.fresh))
        {
            return Ok(fresh);
        }
        let usable = known.filter(|known| known.is_within(now, LAST_RESORT));
        let mut gate = match (self.gate.try_lock(), &usable) {
            (Ok(gate), _) => gate,
            // Somebody asks already.
            (Err(_), Some(usable)) => return Ok(usable.clone()),
            (Err(_), None) => self.gate.lock().await,
        };
        if let Some(fresh) = self
            .known()
            .filter(|known| known.is_within(now, known.fresh))
        {
            return Ok(fresh);
        }
        if gate.failed_at.is_some_and(|at| is_within(now, at, BREATH)) {
            let nothing = || Error::answer("metadata", "they could not be had a moment ago");
            return usable.ok_or_else(nothing);
        }
        match self.renew(outside, config, &mut gate).await {
            Ok(known) => Ok(known),
            Err(error) => {
                tracing::warn!(%error, issuer = config.issuer(), "metadata and keys are not renewed");
                usable.ok_or(error)
            }
        }
    }

    /// Gets them anew once half of the time for which they are fresh is over.
    pub(crate) async fn refresh(&self, outside: Outside<'_>, config: &Config) -> Result<(), Error> {
        let now = outside.context.now();
        let is_young = |known: &Known| known.is_within(now, known.fresh / 2);
        if self.known().as_ref().is_some_and(is_young) {
            return Ok(());
        }
        let mut gate = self.gate.lock().await;
        if self.known().as_ref().is_some_and(is_young) {
            return Ok(());
        }
        self.renew(outside, config, &mut gate).await.map(|_| ())
    }

    /// The keys anew, since one is missed among those of `before`; the same ones when
    /// they were asked for less than a minute ago.
    pub(crate) async fn keys_after(
        &self,
        outside: Outside<'_>,
        before: &Known,
    ) -> Result<Arc<KeySet>, Error> {
        let mut gate = self.gate.lock().await;
        let now = outside.context.now();
        if let Some(known) = self.known().filter(|known| known.at != before.at) {
            return Ok(known.keys);
        }
        if gate.missed_at.is_some_and(|at| is_within(now, at, PAUSE)) {
            return Ok(self.known().unwrap_or_else(|| before.clone()).keys);
        }
        gate.missed_at = Some(now);
        let answered = outside.get("keys", &before.metadata.keys, None).await?;
        let keys = Arc::new(KeySet::read(answered.object)?);
        self.keep(Known {
            keys: Arc::clone(&keys),
            ..before.clone()
        });
        Ok(keys)
    }

    async fn renew(
        &self,
        outside: Outside<'_>,
        config: &Config,
        gate: &mut Gate,
    ) -> Result<Known, Error> {
        let fetched = fetch(outside, config).await;
        gate.failed_at = fetched.is_err().then(|| outside.context.now());
        let known = fetched?;
        self.keep(known.clone());
        Ok(known)
    }

    fn keep(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    fn known(&self) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

impl Known {
    fn is_within(&self, now: Timestamp, seconds: i64) -> bool {
        is_within(now, self.at, seconds)
    }
}

/// Whether less than that has passed. A clock that was set back makes nothing last
/// longer.
fn is_within(now: Timestamp, at: Timestamp, seconds: i64) -> bool {
    (0..seconds).contains(&now.duration_since(at).as_secs()) && now >= at
}

/// Gets metadata and keys.
pub(crate) async fn fetch(outside: Outside<'_>, config: &Config) -> Result<Known, Error> {
    let address = Metadata::address(config.issuer())
        .ok_or_else(|| Error::answer("metadata", "the issuer is no address"))?;
    let published = outside.get("metadata", &address, None).await?;
    let issuer = config.published_issuer();
    let metadata = Metadata::read(published.object, issuer, outside.reach)?;
    let keys = outside.get("keys", &metadata.keys, None).await?;
    let said = published.max_age.into_iter().chain(keys.max_age).min();
    let (least, most) = FRESH;
    let fresh = said.map_or(most, |seconds| i64::try_from(seconds).unwrap_or(most));
    Ok(Known {
        metadata: Arc::new(metadata),
        keys: Arc::new(KeySet::read(keys.object)?),
        at: outside.context.now(),
        fresh: fresh.clamp(least, most),
    })
}
