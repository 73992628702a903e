use async_trait::async_trait;
use gatelodge_core::{
    Result,
    secret::TokenHash,
    storage::{FlowRepository, StoredFlow},
};
use jiff::Timestamp;

use super::{Flaw, state::View, taken, tenants::missing, unit::MemoryUnit};

#[async_trait]
impl FlowRepository for MemoryUnit {
    async fn create(&mut self, flow: &StoredFlow) -> Result<()> {
        self.write(|state, view| {
            if state.flows.contains_key(&flow.handle) && !view.has(Flaw::AcceptsDuplicates) {
                return Err(taken("flow handle"));
            }
            state
                .flows
                .insert(flow.handle, kept(flow, flow.version, view));
            Ok(())
        })
        .await
    }

    async fn by_handle(&mut self, handle: &TokenHash) -> Result<Option<StoredFlow>> {
        self.read(|state, view| {
            let flow = state.flows.get(handle);
            Ok(flow.filter(|_| !view.has(Flaw::HidesExpired)).cloned())
        })
        .await
    }

    async fn update(&mut self, flow: &StoredFlow) -> Result<StoredFlow> {
        self.write(|state, view| {
            let Some(stored) = state.flows.get(&flow.handle) else {
                return missing("flow", view).map(|()| flow.clone());
            };
            let version = view.next_version(stored.version, flow.version, "flow")?;
            let changed = kept(flow, version, view);
            state.flows.insert(flow.handle, changed.clone());
            Ok(changed)
        })
        .await
    }

    async fn delete(&mut self, handle: &TokenHash) -> Result<bool> {
        self.write(|state, view| {
            let was_there = state.flows.remove(handle).is_some();
            Ok(was_there || view.has(Flaw::IgnoresMissing))
        })
        .await
    }

    async fn delete_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write(|state, view| {
            let flows = state.flows.values();
            let expired = flows.filter(|flow| view.has_expired(flow.expires_at, now));
            let handles: Vec<_> = expired
                .map(|flow| flow.handle)
                .take(view.limit(limit))
                .collect();
            for handle in &handles {
                state.flows.remove(handle);
            }
            Ok(handles.len() as u64)
        })
        .await
    }
}

fn kept(flow: &StoredFlow, version: i64, view: &View) -> StoredFlow {
    StoredFlow {
        handle: flow.handle,
        version,
        expires_at: view.time(flow.expires_at),
        sealed: view.bytes(&flow.sealed),
    }
}
