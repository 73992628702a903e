//! Brute force: growing delays per account and factor, and per network.
//!
//! A try is counted *before* the answer is looked at, so that parallel tries
//! cannot slip through; what turns out right, malformed or impossible to check
//! is taken back. A browser that signed in to an account before carries proof
//! of it and has a lane of its own, so that nobody can lock another out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    Error, Result,
    environment::{later, span_between},
    model::{ProviderId, TenantId, UserId},
    secret::TokenHash,
    storage::{LimitState, UnitOfWork},
};

/// How many wrong answers are allowed, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitPolicy {
    /// Wrong answers for one account and factor before the first wait.
    pub account: LaneLimit,
    /// Wrong answers from one network, for any account.
    pub network: LaneLimit,
    /// Sign-in flows that one network may start per minute.
    pub flows_per_minute: u32,
}

/// The limit of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimit {
    /// Tries without a wait.
    pub free_tries: u32,
    /// The wait after those; it doubles with each further try.
    pub first_delay: Duration,
    /// The longest wait.
    pub longest_delay: Duration,
    /// After this many consecutive wrong answers nothing more is tried until
    /// an administrator steps in or a right answer comes by another lane; NIST
    /// SP 800-63B-4 section 3.2.2 allows at most 100 for an account.
    pub disabled_after: Option<u32>,
    /// Without tries for this long, counting begins anew; `None`: never.
    pub forgotten_after: Option<Duration>,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            account: LaneLimit {
                free_tries: 10,
                first_delay: Duration::from_secs(30),
                longest_delay: minutes(60),
                disabled_after: Some(100),
                forgotten_after: None,
            },
            network: LaneLimit {
                free_tries: 100,
                first_delay: Duration::from_secs(30),
                longest_delay: minutes(15),
                disabled_after: None,
                forgotten_after: Some(minutes(30)),
            },
            flows_per_minute: 120,
        }
    }
}

/// The lanes that one try is counted in.
#[derive(Debug, Clone)]
pub struct Lanes {
    account: Option<TokenHash>,
    /// The lane of browsers that never signed in, when this is another.
    common: Option<TokenHash>,
    network: Option<TokenHash>,
}

impl Lanes {
    /// The lanes of a try at an account. `device` is the lane of a browser that
    /// signed in to this account before; such a try is not counted against the
    /// network, which others share.
    pub fn account(
        tenant: Option<TenantId>,
        user: UserId,
        factor: &ProviderId,
        device: Option<&[u8]>,
        network: Option<&str>,
    ) -> Self {
        let account = |device| account_key((tenant, user), factor, device);
        Self {
            account: Some(account(device.unwrap_or_default())),
            common: device.is_some().then(|| account(&[])),
            network: device.is_none().then(|| network.map(network_key)).flatten(),
        }
    }

    /// The lane of something that is not about an account.
    pub fn network(network: Option<&str>) -> Self {
        Self {
            account: None,
            common: None,
            network: network.map(network_key),
        }
    }

    /// Forgets the wrong answers of browsers that never signed in to this
    /// account, for each of these factors; answers whether there were any.
    pub(crate) async fn forget(
        unit: &mut dyn UnitOfWork,
        (tenant, user): (TenantId, UserId),
        factors: impl IntoIterator<Item = &ProviderId>,
    ) -> Result<bool> {
        let key = |factor| account_key((Some(tenant), user), factor, &[]);
        let held = hold(unit, factors.into_iter().map(key).collect()).await?;
        let mut counted = false;
        for (key, state) in held {
            if let Some(state) = state {
                unit.limits().clear(&key).await?;
                counted |= state.count > 0;
            }
        }
        Ok(counted)
    }

    /// Counts a try, or refuses it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limited`] with the time to wait; nothing is counted then.
    pub async fn reserve(
        &self,
        unit: &mut dyn UnitOfWork,
        policy: &LimitPolicy,
        now: Timestamp,
    ) -> Result<()> {
        let keys = self.lanes(policy).map(|(key, _)| *key).collect();
        let held = hold(unit, keys).await?;
        let mut taken = Vec::with_capacity(2);
        for (key, limit) in self.lanes(policy) {
            let state = held.get(key).copied().flatten();
            taken.push((key, limit.take(state, now)?));
        }
        for (key, state) in taken {
            unit.limits().store(key, &state).await?;
        }
        Ok(())
    }

    /// Takes a counted try back: it was no wrong answer.
    pub async fn refund(&self, unit: &mut dyn UnitOfWork, policy: &LimitPolicy) -> Result<()> {
        let keys = self.lanes(policy).map(|(key, _)| *key).collect();
        for (key, state) in hold(unit, keys).await? {
            take_back(unit, &key, state).await?;
        }
        Ok(())
    }

    /// The answer was right: the account's lane starts anew, and with it the
    /// common one, so that the owner's browser opens a door that others shut; the
    /// network's try is taken back.
    pub async fn succeed(&self, unit: &mut dyn UnitOfWork) -> Result<()> {
        let account = self.account.iter().chain(&self.common);
        let keys: BTreeSet<_> = account.chain(&self.network).collect();
        // Clearing holds a counter too, so all are taken in the order of their keys.
        for key in keys {
            if self.network.as_ref() == Some(key) {
                let state = unit.limits().load(key).await?;
                take_back(unit, key, state).await?;
            } else {
                unit.limits().clear(key).await?;
            }
        }
        Ok(())
    }

    fn lanes<'a>(
        &'a self,
        policy: &'a LimitPolicy,
    ) -> impl Iterator<Item = (&'a TokenHash, &'a LaneLimit)> {
        let account = self.account.iter().map(|key| (key, &policy.account));
        account.chain(self.network.iter().map(|key| (key, &policy.network)))
    }
}

/// Loads counters in the order of their keys, so that no two units that hold
/// several of them wait for each other.
async fn hold(
    unit: &mut dyn UnitOfWork,
    keys: BTreeSet<TokenHash>,
) -> Result<BTreeMap<TokenHash, Option<LimitState>>> {
    let mut held = BTreeMap::new();
    for key in keys {
        held.insert(key, unit.limits().load(&key).await?);
    }
    Ok(held)
}

async fn take_back(
    unit: &mut dyn UnitOfWork,
    key: &TokenHash,
    state: Option<LimitState>,
) -> Result<()> {
    let Some(mut state) = state else {
        return Ok(());
    };
    state.count = (state.count - 1).max(0);
    // It was let through, so no wait was on before it.
    state.blocked_until = None;
    unit.limits().store(key, &state).await
}

impl LaneLimit {
    fn take(&self, state: Option<LimitState>, now: Timestamp) -> Result<LimitState> {
        let forgotten = |state: &LimitState| {
            let at = state.expires_at;
            let lasts = self.forgotten_after;
            lasts.is_some_and(|lasts| at <= now || is_from_ahead(at, lasts, now))
        };
        let mut state = state
            .filter(|state| !forgotten(state))
            .unwrap_or(LimitState {
                count: 0,
                since: now,
                blocked_until: None,
                expires_at: now,
            });
        let blocks =
            |until: &Timestamp| now < *until && !is_from_ahead(*until, self.longest_delay, now);
        if let Some(until) = state.blocked_until.filter(blocks) {
            return Err(Error::limited(span_between(now, until)));
        }
        if self
            .disabled_after
            .is_some_and(|most| state.count >= i64::from(most))
        {
            return Err(Error::limited(self.longest_delay));
        }
        state.count += 1;
        let over = state.count - i64::from(self.free_tries);
        if over >= 0 {
            let doubled = u32::try_from(over.min(20)).unwrap_or(20);
            let delay = self.first_delay.saturating_mul(1 << doubled);
            state.blocked_until = Some(later(now, delay.min(self.longest_delay)));
        }
        let kept = Duration::from_secs(400 * 24 * 60 * 60);
        state.expires_at = later(now, self.forgotten_after.unwrap_or(kept));
        Ok(state)
    }
}

/// Whether a moment is later than any that would be noted now: a clock noted it that
/// was ahead, and was set right since then. Nobody waits for that long. Clocks that
/// are apart by less than what is noted `lasts` are not meant.
fn is_from_ahead(at: Timestamp, lasts: Duration, now: Timestamp) -> bool {
    later(now, lasts.saturating_mul(2)) < at
}

fn account_key(
    (tenant, user): (Option<TenantId>, UserId),
    factor: &ProviderId,
    device: &[u8],
) -> TokenHash {
    let tenant = tenant.map(|tenant| *tenant.as_uuid().as_bytes());
    TokenHash::of_parts([
        b"account".as_slice(),
        tenant.as_ref().map_or(&[][..], |tenant| tenant),
        user.as_uuid().as_bytes(),
        factor.as_str().as_bytes(),
        device,
    ])
}

fn network_key(network: &str) -> TokenHash {
    TokenHash::of_parts([b"network".as_slice(), network.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::earlier;

    #[test]
    fn waits_begin_after_the_free_tries_and_double() {
        let limit = LimitPolicy::default().account;
        let start = Timestamp::UNIX_EPOCH;
        let mut now = start;
        let mut state = None;
        for _ in 0..9 {
            let next = limit.take(state, now).unwrap();
            assert_eq!(next.blocked_until, None);
            state = Some(next);
        }
        let mut waits = Vec::new();
        for _ in 0..9 {
            let next = limit.take(state, now).unwrap();
            let until = next.blocked_until.unwrap();
            assert!(
                limit.take(Some(next), now).is_err(),
                "no try while it waits"
            );
            waits.push(span_between(now, until).as_secs());
            now = until;
            state = Some(next);
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    /// R13
    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_waiting_once_it_is_right() {
        let right = Timestamp::UNIX_EPOCH;
        let ahead = later(right, Duration::from_secs(2 * 365 * 24 * 60 * 60));
        let LimitPolicy {
            account, network, ..
        } = LimitPolicy::default();
        for limit in [account, network] {
            let mut state = None;
            while let Ok(next) = limit.take(state, ahead) {
                state = Some(next);
            }
            // By what the clocks of two servers are apart nobody gets around it.
            let skewed = limit.longest_delay.min(Duration::from_secs(60));
            assert!(limit.take(state, earlier(ahead, skewed)).is_err());
            let next = limit.take(state, right).unwrap();
            if limit.forgotten_after.is_none() {
                assert!(limit.take(Some(next), right).is_err(), "it still counts");
            }
        }
    }

    #[test]
    fn after_a_hundred_wrong_answers_nothing_is_tried() {
        let limit = LimitPolicy::default().account;
        let mut now = Timestamp::UNIX_EPOCH;
        let mut state = None;
        let mut tries = 0;
        while let Ok(next) = limit.take(state, now) {
            tries += 1;
            now = later(now, Duration::from_secs(4000));
            state = Some(next);
        }
        assert_eq!(tries, 100);
    }
}
