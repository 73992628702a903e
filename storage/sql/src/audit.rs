use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{AuditEvent, AuditEventId, AuditFilter, Outcome, TenantId},
    storage::{AuditRepository, Page, Scope},
};

use crate::{
    Columns, Connection, SqlUnit, Statement, Value, json,
    statement::Table,
    stored::{Stored, all},
};

pub(crate) const EVENTS: Table = Table {
    name: "audit_events",
    key: "tenant, id",
    columns: &[
        "tenant",
        "id",
        "at",
        "actor",
        "action",
        "object_kind",
        "object_id",
        "outcome",
        "reason",
        "changes",
        "client",
    ],
};

pub(crate) fn read(row: &impl Columns) -> Result<AuditEvent> {
    let row = Stored::new(row, "audit_events");
    Ok(AuditEvent {
        id: AuditEventId::from_uuid(row.uuid("id")?),
        at: row.time("at")?,
        tenant: row.optional_uuid("tenant")?.map(TenantId::from_uuid),
        actor: row.json("actor")?,
        action: row.text("action")?,
        object_kind: row.text("object_kind")?,
        object_id: row.optional_text("object_id")?,
        outcome: row.word("outcome", Outcome::parse)?,
        reason: row.optional_text("reason")?,
        changes: row.json("changes")?,
        client: row.json("client")?,
    })
}

/// All columns, in the table's order.
pub(crate) fn values<C: Connection>(event: &AuditEvent) -> Result<Vec<Value>> {
    Ok(vec![
        event
            .tenant
            .map_or_else(C::DIALECT.no_tenant, |tenant| tenant.as_uuid().into()),
        event.id.as_uuid().into(),
        event.at.into(),
        Value::Json(json(&event.actor)?),
        event.action.as_str().into(),
        event.object_kind.as_str().into(),
        event.object_id.as_deref().into(),
        event.outcome.as_str().into(),
        event.reason.as_deref().into(),
        Value::Json(json(&event.changes)?),
        Value::Json(json(&event.client)?),
    ])
}

/// All events of the log that a unit of this scope has; conditions can follow.
pub(crate) fn select<C: Connection>(scope: Scope) -> Statement {
    let mut query = Statement::new(
        "SELECT tenant, id, at, actor, action, object_kind, object_id, outcome, reason, \
         changes, client FROM audit_events WHERE ",
    );
    match scope {
        Scope::Platform => query.push(C::DIALECT.is_no_tenant),
        Scope::Tenant(own) => query.push("tenant = ").push_bind(own.as_uuid()),
    };
    query
}

#[async_trait]
impl<C: Connection> AuditRepository for SqlUnit<C> {
    async fn append(&mut self, event: &AuditEvent) -> Result<()> {
        if let Scope::Tenant(own) = self.write("audit.append")?
            && event.tenant != Some(own)
        {
            return Err(Error::invalid("tenant", "an entry of another tenant's log"));
        }
        self.execute_one(EVENTS.insert(values::<C>(event)?)).await?;
        self.done(())
    }

    async fn list(
        &mut self,
        filter: &AuditFilter,
        page: Page<AuditEventId>,
    ) -> Result<Vec<AuditEvent>> {
        let mut query = select::<C>(self.read("audit.list")?);
        if let Some(after) = page.after {
            query.push(" AND id < ").push_bind(after.as_uuid());
        }
        if let Some(action) = &filter.action {
            query.push(" AND action = ").push_bind(action.as_str());
        }
        if let Some(object) = &filter.object_id {
            query.push(" AND object_id = ").push_bind(object.as_str());
        }
        if let Some(from) = filter.from {
            query.push(" AND at >= ").push_bind(from);
        }
        if let Some(until) = filter.until {
            query.push(" AND at < ").push_bind(until);
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(page.limit);
        let rows = self.fetch_all(query).await?;
        self.done(all(&rows, read)?)
    }
}
