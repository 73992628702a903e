use async_trait::async_trait;
use gatelodge_core::{
    Result,
    secret::TokenHash,
    storage::{LimitRepository, LimitState},
};
use jiff::Timestamp;

use super::{Flaw, side_by_side::limit_row, unit::MemoryUnit};

#[async_trait]
impl LimitRepository for MemoryUnit {
    async fn load(&mut self, key: &TokenHash) -> Result<Option<LimitState>> {
        self.take(limit_row(key), true).await?;
        self.read(|state, view| {
            let limit = state.limits.get(key);
            Ok(limit.filter(|_| !view.has(Flaw::HidesExpired)).copied())
        })
        .await
    }

    async fn store(&mut self, key: &TokenHash, limit: &LimitState) -> Result<()> {
        self.write(|state, view| {
            let limit = LimitState {
                count: limit.count,
                since: view.time(limit.since),
                blocked_until: limit.blocked_until.map(|time| view.time(time)),
                expires_at: view.time(limit.expires_at),
            };
            state.limits.insert(*key, limit);
            Ok(())
        })
        .await
    }

    async fn clear(&mut self, key: &TokenHash) -> Result<()> {
        self.take(limit_row(key), true).await?;
        self.write(|state, _| {
            state.limits.remove(key);
            Ok(())
        })
        .await
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write(|state, view| {
            let limits = state.limits.iter();
            let expired = limits.filter(|(_, limit)| view.has_expired(limit.expires_at, now));
            let keys: Vec<_> = expired
                .map(|(key, _)| *key)
                .take(view.limit(limit))
                .collect();
            for key in &keys {
                state.limits.remove(key);
            }
            Ok(keys.len() as u64)
        })
        .await
    }
}
