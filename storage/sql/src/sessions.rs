use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{EndReason, Session, SessionEnd, SessionId, TenantId, UserId},
    secret::TokenHash,
    storage::{Page, SessionFilter, SessionRepository, SessionTouch},
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value, json,
    statement::Table,
    stored::{Stored, all, one},
};

/// Touches in one statement.
const TOUCHES: usize = 500;

pub(crate) const SESSIONS: Table = Table {
    name: "sessions",
    key: "tenant, id",
    columns: &[
        "tenant",
        "id",
        "\"user\"",
        "token_hash",
        "tenant_name",
        "user_name",
        "application",
        "factors",
        "scope",
        "client",
        "credential_epoch",
        "started_at",
        "last_active_at",
        "idle_seconds",
        "expires_at",
        "ended_at",
        "end_reason",
    ],
};

macro_rules! select {
    () => {
        "SELECT id, tenant, \"user\", token_hash, tenant_name, user_name, application, factors, \
         scope, client, credential_epoch, started_at, last_active_at, idle_seconds, expires_at, \
         ended_at, end_reason FROM sessions"
    };
}

pub(crate) fn read(row: &impl Columns) -> Result<Session> {
    let row = Stored::new(row, "sessions");
    let ended = match row.optional_time("ended_at")? {
        Some(at) => Some(SessionEnd {
            at,
            reason: row.word("end_reason", EndReason::parse)?,
        }),
        None => None,
    };
    Ok(Session {
        id: SessionId::from_uuid(row.uuid("id")?),
        tenant: TenantId::from_uuid(row.uuid("tenant")?),
        user: UserId::from_uuid(row.uuid("user")?),
        token_hash: row.hash("token_hash")?,
        tenant_name: row.text("tenant_name")?,
        user_name: row.text("user_name")?,
        application: row.optional_text("application")?,
        factors: row.json("factors")?,
        scope: row.optional_text("scope")?,
        client: row.json("client")?,
        credential_epoch: row.integer("credential_epoch")?,
        started_at: row.time("started_at")?,
        last_active_at: row.time("last_active_at")?,
        idle_seconds: row.integer("idle_seconds")?,
        expires_at: row.time("expires_at")?,
        ended,
    })
}

/// All columns, in the table's order.
pub(crate) fn values(session: &Session) -> Result<Vec<Value>> {
    Ok(vec![
        session.tenant.as_uuid().into(),
        session.id.as_uuid().into(),
        session.user.as_uuid().into(),
        session.token_hash.into(),
        session.tenant_name.as_str().into(),
        session.user_name.as_str().into(),
        session.application.as_deref().into(),
        Value::Json(json(&session.factors)?),
        session.scope.as_deref().into(),
        Value::Json(json(&session.client)?),
        session.credential_epoch.into(),
        session.started_at.into(),
        session.last_active_at.into(),
        session.idle_seconds.into(),
        session.expires_at.into(),
        session.ended.map(|end| end.at).into(),
        session.ended.map(|end| end.reason.as_str()).into(),
    ])
}

/// All sessions of a tenant; conditions can follow.
pub(crate) fn select(tenant: Uuid) -> Statement {
    Statement::new(concat!(select!(), " WHERE tenant = $1")).bind(tenant)
}

/// `tenant = … AND …`, only what is asked for, so that an index fits.
fn push_filter<C: Connection>(query: &mut Statement, tenant: Uuid, filter: &SessionFilter) {
    query.push(" WHERE tenant = ").push_bind(tenant);
    if let Some(user) = filter.user {
        query.push(" AND \"user\" = ").push_bind(user.as_uuid());
    }
    if let Some(now) = filter.valid_at {
        query.push(" AND ended_at IS NULL AND ");
        query.push(C::DIALECT.ends_at).push(" > ").push_bind(now);
    }
    if let Some(except) = filter.except {
        query.push(" AND id <> ").push_bind(except.as_uuid());
    }
}

#[async_trait]
impl<C: Connection> SessionRepository for SqlUnit<C> {
    async fn create(&mut self, session: &Session) -> Result<()> {
        let tenant = self.tenant_write("sessions.create")?;
        if session.tenant.as_uuid() != tenant {
            return Err(Error::invalid("tenant", "a session of another tenant"));
        }
        self.execute_one(SESSIONS.insert(values(session)?)).await?;
        self.done(())
    }

    async fn by_id(&mut self, id: SessionId) -> Result<Option<Session>> {
        let tenant = self.tenant_read("sessions.by_id")?;
        let mut statement = select(tenant);
        statement.push(" AND id = ").push_bind(id.as_uuid());
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn by_token(&mut self, token: &TokenHash) -> Result<Option<Session>> {
        self.platform_read("sessions.by_token")?;
        let statement = concat!(select!(), " WHERE token_hash = $1");
        let statement = Statement::new(statement).bind(*token);
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn list(
        &mut self,
        filter: &SessionFilter,
        page: Page<SessionId>,
    ) -> Result<Vec<Session>> {
        let tenant = self.tenant_read("sessions.list")?;
        let mut query = Statement::new(select!());
        push_filter::<C>(&mut query, tenant, filter);
        if let Some(after) = page.after {
            query.push(" AND id > ").push_bind(after.as_uuid());
        }
        query.push(" ORDER BY id LIMIT ").push_bind(page.limit);
        let rows = self.fetch_all(query).await?;
        self.done(all(&rows, read)?)
    }

    async fn count(&mut self, filter: &SessionFilter) -> Result<u64> {
        let tenant = self.tenant_read("sessions.count")?;
        let mut query = Statement::new("SELECT count(*) AS sessions FROM sessions");
        push_filter::<C>(&mut query, tenant, filter);
        let row = self.fetch(query).await?;
        let count = one(row.as_ref(), |row| {
            Stored::new(row, "sessions").integer("sessions")
        })?;
        self.done(
            count
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or(0),
        )
    }

    async fn end_all(&mut self, filter: &SessionFilter, end: SessionEnd) -> Result<u64> {
        let tenant = self.tenant_write("sessions.end_all")?;
        let mut query = Statement::new("UPDATE sessions SET ended_at = ");
        query
            .push_bind(end.at)
            .push(", end_reason = ")
            .push_bind(end.reason.as_str())
            .push(" WHERE tenant = ")
            .push_bind(tenant)
            // Taken in the order of their ids, as everywhere.
            .push(" AND id IN (SELECT id FROM sessions");
        push_filter::<C>(&mut query, tenant, filter);
        query
            .push(" AND ended_at IS NULL ORDER BY id")
            .push(C::DIALECT.lock)
            .push(")");
        let rows = self.execute(query).await?;
        self.done(rows)
    }

    async fn end(&mut self, id: SessionId, end: SessionEnd) -> Result<bool> {
        let tenant = self.tenant_write("sessions.end")?;
        let statement = "UPDATE sessions SET ended_at = $3, end_reason = $4 \
                         WHERE tenant = $1 AND id = $2 AND ended_at IS NULL";
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(end.at)
            .bind(end.reason.as_str());
        let rows = self.execute(statement).await?;
        self.done(rows > 0)
    }

    async fn touch(&mut self, touches: &[SessionTouch]) -> Result<()> {
        self.platform_write("sessions.touch")?;
        for touches in touches.chunks(TOUCHES) {
            let statement = (C::DIALECT.touch)(touches)?;
            self.execute(statement).await?;
        }
        self.done(())
    }

    async fn end_timed_out(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.platform_write("sessions.end_timed_out")?;
        let ends_at = C::DIALECT.ends_at;
        let statement = format!(
            "UPDATE sessions SET ended_at = {ends_at}, end_reason = $3 WHERE (tenant, id) IN \
             (SELECT tenant, id FROM sessions WHERE ended_at IS NULL AND {ends_at} <= $1 \
             ORDER BY {ends_at} LIMIT $2{})",
            C::DIALECT.skip_locked
        );
        let statement = Statement::new(statement)
            .bind(now)
            .bind(limit)
            .bind(EndReason::TimedOut.as_str());
        let rows = self.execute(statement).await?;
        self.done(rows)
    }
}
