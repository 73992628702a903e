use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{EndReason, Session, SessionEnd, SessionId, TenantId, UserId},
    secret::TokenHash,
    storage::{Page, SessionFilter, SessionRepository, SessionTouch},
};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, sqlite::SqliteRow};
use uuid::Uuid;

use crate::{
    error::Fault,
    reader::{Stored, all, one},
    unit_of_work::{SqliteUnit, json},
};

/// Touches in one statement.
const TOUCHES: usize = 500;

macro_rules! columns {
    () => {
        "id, tenant, user, token_hash, tenant_name, user_name, application, factors, scope, \
         client, credential_epoch, started_at, last_active_at, idle_seconds, expires_at, \
         ended_at, end_reason"
    };
}

/// When it ends if it is not used again: [`Session::ends_at`] in SQL. A sum
/// beyond the end of time becomes a floating number, which compares as well.
macro_rules! ends_at {
    () => {
        "min(last_active_at + max(idle_seconds, 0) * 1000, expires_at)"
    };
}

fn read(row: &SqliteRow) -> Result<Session, Fault> {
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
        application: row.value("application")?,
        factors: row.json("factors")?,
        scope: row.value("scope")?,
        client: row.json("client")?,
        credential_epoch: row.integer("credential_epoch")?,
        started_at: row.time("started_at")?,
        last_active_at: row.time("last_active_at")?,
        idle_seconds: row.integer("idle_seconds")?,
        expires_at: row.time("expires_at")?,
        ended,
    })
}

/// `tenant = … AND …`, only what is asked for, so that an index fits.
fn push_filter(query: &mut QueryBuilder<Sqlite>, tenant: Uuid, filter: &SessionFilter) {
    query.push(" WHERE tenant = ").push_bind(tenant);
    if let Some(user) = filter.user {
        query.push(" AND user = ").push_bind(user.as_uuid());
    }
    if let Some(now) = filter.valid_at {
        query.push(concat!(" AND ended_at IS NULL AND ", ends_at!(), " > "));
        query.push_bind(now.as_millisecond());
    }
    if let Some(except) = filter.except {
        query.push(" AND id <> ").push_bind(except.as_uuid());
    }
}

#[async_trait]
impl SessionRepository for SqliteUnit {
    async fn create(&mut self, session: &Session) -> Result<()> {
        let tenant = self.tenant_write("sessions.create")?;
        if session.tenant.as_uuid() != tenant {
            return Err(Error::invalid("tenant", "a session of another tenant"));
        }
        let statement = sqlx::query(concat!(
            "INSERT INTO sessions (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
        ))
        .bind(session.id.as_uuid())
        .bind(tenant)
        .bind(session.user.as_uuid())
        .bind(session.token_hash.as_bytes().as_slice())
        .bind(session.tenant_name.as_str())
        .bind(session.user_name.as_str())
        .bind(session.application.as_deref())
        .bind(json(&session.factors)?)
        .bind(session.scope.as_deref())
        .bind(json(&session.client)?)
        .bind(session.credential_epoch)
        .bind(session.started_at.as_millisecond())
        .bind(session.last_active_at.as_millisecond())
        .bind(session.idle_seconds)
        .bind(session.expires_at.as_millisecond())
        .bind(session.ended.map(|end| end.at.as_millisecond()))
        .bind(session.ended.map(|end| end.reason.as_str()));
        self.execute_one(statement).await?;
        self.done(())
    }

    async fn by_id(&mut self, id: SessionId) -> Result<Option<Session>> {
        let tenant = self.tenant_read("sessions.by_id")?;
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE tenant = ?1 AND id = ?2"
        );
        let statement = sqlx::query(statement).bind(tenant).bind(id.as_uuid());
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn by_token(&mut self, token: &TokenHash) -> Result<Option<Session>> {
        self.platform_read("sessions.by_token")?;
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE token_hash = ?1"
        );
        let statement = sqlx::query(statement).bind(token.as_bytes().as_slice());
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn list(
        &mut self,
        filter: &SessionFilter,
        page: Page<SessionId>,
    ) -> Result<Vec<Session>> {
        let tenant = self.tenant_read("sessions.list")?;
        let mut query = QueryBuilder::new(concat!("SELECT ", columns!(), " FROM sessions"));
        push_filter(&mut query, tenant, filter);
        if let Some(after) = page.after {
            query.push(" AND id > ").push_bind(after.as_uuid());
        }
        query
            .push(" ORDER BY id LIMIT ")
            .push_bind(i64::from(page.limit));
        let rows = self.fetch_all(query.build()).await?;
        self.done(all(&rows, read)?)
    }

    async fn count(&mut self, filter: &SessionFilter) -> Result<u64> {
        let tenant = self.tenant_read("sessions.count")?;
        let mut query = QueryBuilder::new("SELECT count(*) AS sessions FROM sessions");
        push_filter(&mut query, tenant, filter);
        let row = self.fetch(query.build()).await?;
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
        let mut query = QueryBuilder::new("UPDATE sessions SET ended_at = ");
        query
            .push_bind(end.at.as_millisecond())
            .push(", end_reason = ")
            .push_bind(end.reason.as_str());
        push_filter(&mut query, tenant, filter);
        query.push(" AND ended_at IS NULL");
        let rows = self.execute(query.build()).await?;
        self.done(rows)
    }

    async fn end(&mut self, id: SessionId, end: SessionEnd) -> Result<bool> {
        let tenant = self.tenant_write("sessions.end")?;
        let statement = "UPDATE sessions SET ended_at = ?3, end_reason = ?4 \
                         WHERE tenant = ?1 AND id = ?2 AND ended_at IS NULL";
        let statement = sqlx::query(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(end.at.as_millisecond())
            .bind(end.reason.as_str());
        let rows = self.execute(statement).await?;
        self.done(rows > 0)
    }

    async fn touch(&mut self, touches: &[SessionTouch]) -> Result<()> {
        self.platform_write("sessions.touch")?;
        for touches in touches.chunks(TOUCHES) {
            let statement = sqlx::query(
                "UPDATE sessions SET last_active_at = touched.at FROM \
                 (SELECT unhex(value ->> 0) AS tenant, unhex(value ->> 1) AS id, \
                 max(value ->> 2) AS at FROM json_each(?1) GROUP BY 1, 2) AS touched \
                 WHERE sessions.tenant = touched.tenant AND sessions.id = touched.id \
                 AND ended_at IS NULL AND last_active_at < touched.at",
            )
            .bind(as_json(touches)?);
            self.execute(statement).await?;
        }
        self.done(())
    }

    async fn end_timed_out(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        self.platform_write("sessions.end_timed_out")?;
        let statement = concat!(
            "UPDATE sessions SET ended_at = ",
            ends_at!(),
            ", end_reason = ?3 WHERE rowid IN (SELECT rowid FROM sessions WHERE ended_at IS NULL AND ",
            ends_at!(),
            " <= ?1 ORDER BY ",
            ends_at!(),
            " LIMIT ?2)"
        );
        let statement = sqlx::query(statement)
            .bind(now.as_millisecond())
            .bind(i64::from(limit))
            .bind(EndReason::TimedOut.as_str());
        let rows = self.execute(statement).await?;
        self.done(rows)
    }
}

/// Touches as one value, for one statement over all of them.
fn as_json(touches: &[SessionTouch]) -> Result<String> {
    let rows: Vec<_> = touches
        .iter()
        .map(|touch| {
            let tenant = touch.tenant.as_uuid().simple().to_string();
            let id = touch.id.as_uuid().simple().to_string();
            (tenant, id, touch.at.as_millisecond())
        })
        .collect();
    json(&rows)
}
