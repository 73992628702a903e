use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{AuditEvent, AuditEventId, AuditFilter},
    storage::{AuditRepository, Page, Scope},
};

use super::{Flaw, state::View, taken, unit::MemoryUnit};

#[async_trait]
impl AuditRepository for MemoryUnit {
    async fn append(&mut self, event: &AuditEvent) -> Result<()> {
        self.write(|state, view| {
            if let Scope::Tenant(own) = view.scope
                && event.tenant != Some(own)
                && !view.has(Flaw::LeaksTenants)
            {
                return Err(Error::invalid(
                    "tenant",
                    "an entry written in a tenant belongs to it",
                ));
            }
            let key = (event.tenant, event.id);
            if state.audit.contains_key(&key) && !view.has(Flaw::AcceptsDuplicates) {
                return Err(taken("audit event id"));
            }
            let event = AuditEvent {
                at: view.time(event.at),
                ..event.clone()
            };
            state.audit.insert(key, event);
            Ok(())
        })
        .await
    }

    async fn list(
        &mut self,
        filter: &AuditFilter,
        page: Page<AuditEventId>,
    ) -> Result<Vec<AuditEvent>> {
        self.read(|state, view| {
            let own = match view.scope {
                Scope::Tenant(tenant) => Some(tenant),
                Scope::Platform => None,
            };
            let events = state.audit.values().rev().filter(|event| {
                (event.tenant == own || view.has(Flaw::MixesTenants))
                    && matches(event, filter, view)
            });
            let events = events.map(|event| (event.id, event.clone()));
            Ok(view.page(events, page, |id, after| id < after))
        })
        .await
    }
}

fn matches(event: &AuditEvent, filter: &AuditFilter, view: &View) -> bool {
    let action = filter.action.as_ref();
    let is_about = filter.object_id.is_none() || event.object_id == filter.object_id;
    view.has(Flaw::IgnoresFilters)
        || (action.is_none_or(|action| event.action == *action)
            && is_about
            && filter.from.is_none_or(|from| event.at >= from)
            && filter.until.is_none_or(|until| event.at < until))
}
