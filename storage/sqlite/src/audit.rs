use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{AuditEvent, AuditEventId, AuditFilter, Outcome, TenantId},
    storage::{AuditRepository, Page, Scope},
};
use sqlx::{QueryBuilder, Sqlite, sqlite::SqliteRow};
use uuid::Uuid;

use crate::{
    error::Fault,
    reader::{Stored, all},
    unit_of_work::{SqliteUnit, json},
};

fn read(row: &SqliteRow) -> Result<AuditEvent, Fault> {
    let row = Stored::new(row, "audit_events");
    let tenant: &[u8] = row.value("tenant")?;
    let tenant = match tenant {
        [] => None,
        _ => Some(TenantId::from_uuid(row.uuid("tenant")?)),
    };
    Ok(AuditEvent {
        id: AuditEventId::from_uuid(row.uuid("id")?),
        at: row.time("at")?,
        tenant,
        actor: row.json("actor")?,
        action: row.text("action")?,
        object_kind: row.text("object_kind")?,
        object_id: row.value("object_id")?,
        outcome: row.word("outcome", Outcome::parse)?,
        reason: row.value("reason")?,
        changes: row.json("changes")?,
        client: row.json("client")?,
    })
}

/// The tenant as it is stored: the platform's own entries have an empty one.
fn log_of(tenant: Option<Uuid>) -> Vec<u8> {
    tenant.map_or_else(Vec::new, |tenant| tenant.as_bytes().to_vec())
}

#[async_trait]
impl AuditRepository for SqliteUnit {
    async fn append(&mut self, event: &AuditEvent) -> Result<()> {
        if let Scope::Tenant(own) = self.write("audit.append")?
            && event.tenant != Some(own)
        {
            return Err(Error::invalid("tenant", "an entry of another tenant's log"));
        }
        let statement = sqlx::query(
            "INSERT INTO audit_events (tenant, id, at, actor, action, object_kind, object_id, \
             outcome, reason, changes, client) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .bind(log_of(event.tenant.map(|tenant| tenant.as_uuid())))
        .bind(event.id.as_uuid())
        .bind(event.at.as_millisecond())
        .bind(json(&event.actor)?)
        .bind(event.action.as_str())
        .bind(event.object_kind.as_str())
        .bind(event.object_id.as_deref())
        .bind(event.outcome.as_str())
        .bind(event.reason.as_deref())
        .bind(json(&event.changes)?)
        .bind(json(&event.client)?);
        self.execute_one(statement).await?;
        self.done(())
    }

    async fn list(
        &mut self,
        filter: &AuditFilter,
        page: Page<AuditEventId>,
    ) -> Result<Vec<AuditEvent>> {
        let log = match self.read("audit.list")? {
            Scope::Platform => log_of(None),
            Scope::Tenant(own) => log_of(Some(own.as_uuid())),
        };
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT tenant, id, at, actor, action, object_kind, object_id, outcome, reason, \
             changes, client FROM audit_events WHERE tenant = ",
        );
        query.push_bind(log);
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
            query.push(" AND at >= ").push_bind(from.as_millisecond());
        }
        if let Some(until) = filter.until {
            query.push(" AND at < ").push_bind(until.as_millisecond());
        }
        query
            .push(" ORDER BY id DESC LIMIT ")
            .push_bind(i64::from(page.limit));
        let rows = self.fetch_all(query.build()).await?;
        self.done(all(&rows, read)?)
    }
}
