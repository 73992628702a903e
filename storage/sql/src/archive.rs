use std::fmt::Write as _;

use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{Grant, TenantId, UserId},
    storage::{ArchiveRepository, Page, Row, RowKey, RowKind, Scope},
};
use uuid::Uuid;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value,
    applications::{self, APPLICATIONS},
    audit::{self, EVENTS},
    flows::{self, FLOWS},
    installation::{self, VALUES},
    json,
    limits::{self, LIMITS},
    outbox::{self, OUTBOX},
    records::{self, RECORDS},
    sessions::{self, SESSIONS},
    statement::Table,
    stored::{Stored, all, one},
    tenants::{self, SETTINGS, TENANTS},
    unit_of_work::{missing, unsupported},
    users::{self, GRANTS, USERS},
};

/// Rows in one statement: with the widest table still far below the number of
/// values that either database takes.
const PIECE: usize = 200;

fn table(kind: RowKind) -> &'static Table {
    match kind {
        RowKind::Value => &VALUES,
        RowKind::Tenant => &TENANTS,
        RowKind::Limit => &LIMITS,
        RowKind::Flow => &FLOWS,
        RowKind::Settings => &SETTINGS,
        RowKind::Application => &APPLICATIONS,
        RowKind::User => &USERS,
        RowKind::Grant => &GRANTS,
        RowKind::Record => &RECORDS,
        RowKind::Message => &OUTBOX,
        RowKind::Session => &SESSIONS,
        RowKind::Event => &EVENTS,
    }
}

fn read(kind: RowKind, row: &impl Columns) -> Result<Row> {
    Ok(match kind {
        RowKind::Value => {
            let read = installation::read(row)?;
            Row::Value {
                name: Stored::new(row, "installation").text("name")?,
                value: read.value,
                version: read.version,
            }
        }
        RowKind::Tenant => Row::Tenant(tenants::read(row)?),
        RowKind::Limit => Row::Limit {
            key: Stored::new(row, "limits").hash("key")?,
            state: limits::read(row)?,
        },
        RowKind::Flow => Row::Flow(flows::read(row)?),
        RowKind::Settings => {
            let (settings, version) = tenants::read_settings(row)?;
            Row::Settings { settings, version }
        }
        RowKind::Application => Row::Application(applications::read(row)?),
        RowKind::User => Row::User(users::read(row)?),
        RowKind::Grant => {
            let row = Stored::new(row, "user_grants");
            Row::Grant {
                user: UserId::from_uuid(row.uuid("user")?),
                grant: row.word("name", Grant::parse)?,
            }
        }
        RowKind::Record => Row::Record(records::read(row)?),
        RowKind::Message => Row::Message(outbox::read(row)?),
        RowKind::Session => Row::Session(sessions::read(row)?),
        RowKind::Event => Row::Event(audit::read(row)?),
    })
}

/// All columns, in the table's order.
fn values<C: Connection>(row: &Row, scope: Scope) -> Result<Vec<Value>> {
    let own = match scope {
        Scope::Tenant(own) => own.as_uuid(),
        Scope::Platform => Uuid::nil(),
    };
    let own_only = |tenant: Option<TenantId>| match scope {
        Scope::Tenant(own) if tenant == Some(own) => Ok(()),
        Scope::Platform if tenant.is_none() => Ok(()),
        _ => Err(Error::invalid("tenant", "a row of another tenant")),
    };
    Ok(match row {
        Row::Value {
            name,
            value,
            version,
        } => vec![
            name.as_str().into(),
            value.as_slice().into(),
            (*version).into(),
        ],
        Row::Tenant(tenant) => tenants::values(tenant),
        Row::Limit { key, state } => limits::values(key, state),
        Row::Flow(flow) => flows::values(flow),
        Row::Settings { settings, version } => {
            vec![own.into(), Value::Json(json(settings)?), (*version).into()]
        }
        Row::Application(application) => {
            own_only(Some(application.tenant))?;
            applications::values(application)?
        }
        Row::User(user) => users::values(own, user),
        Row::Grant { user, grant } => {
            vec![own.into(), user.as_uuid().into(), grant.as_str().into()]
        }
        Row::Record(record) => records::values(own, record),
        Row::Message(entry) => {
            own_only(Some(entry.tenant))?;
            outbox::values(entry)
        }
        Row::Session(session) => {
            own_only(Some(session.tenant))?;
            sessions::values(session)?
        }
        Row::Event(event) => {
            own_only(event.tenant)?;
            audit::values::<C>(event)?
        }
    })
}

/// The columns of a key within its scope, and their values.
fn key_values(kind: RowKind, key: &RowKey) -> Result<(Vec<&'static str>, Vec<Value>)> {
    Ok(match (kind, key) {
        (RowKind::Value, RowKey::Name(name)) => (vec!["name"], vec![name.as_str().into()]),
        (RowKind::Limit, RowKey::Hash(hash)) => (vec!["key"], vec![(*hash).into()]),
        (RowKind::Flow, RowKey::Hash(hash)) => (vec!["handle"], vec![(*hash).into()]),
        (RowKind::Settings, RowKey::Only) => (Vec::new(), Vec::new()),
        (RowKind::Grant, RowKey::Grant(user, name)) => (
            vec!["\"user\"", "name"],
            vec![user.as_uuid().into(), name.as_str().into()],
        ),
        (
            RowKind::Tenant
            | RowKind::Application
            | RowKind::User
            | RowKind::Record
            | RowKind::Message
            | RowKind::Session
            | RowKind::Event,
            RowKey::Id(id),
        ) => (vec!["id"], vec![(*id).into()]),
        _ => return Err(Error::invalid("key", "a key of another kind of rows")),
    })
}

/// The columns by which rows of a kind are sorted within their scope.
fn order(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Value => "name",
        RowKind::Limit => "key",
        RowKind::Flow => "handle",
        RowKind::Settings => "tenant",
        RowKind::Grant => "\"user\", name",
        _ => "id",
    }
}

/// All rows of a kind in a scope; conditions can follow.
fn select<C: Connection>(kind: RowKind, scope: Scope) -> Statement {
    if kind == RowKind::Event {
        return audit::select::<C>(scope);
    }
    let table = table(kind);
    let columns = table.columns.join(", ");
    let mut query = Statement::new(format!("SELECT {columns} FROM {} WHERE ", table.name));
    match scope {
        Scope::Platform => query.push("true"),
        Scope::Tenant(own) => query.push("tenant = ").push_bind(own.as_uuid()),
    };
    query
}

impl<C: Connection> SqlUnit<C> {
    /// Refuses a kind that this unit does not have.
    fn has(&self, kind: RowKind, scope: Scope) -> Result<()> {
        if kind.is_in(scope) {
            return Ok(());
        }
        let mut message = String::from("a unit of this scope has no rows of the kind ");
        let _always_written = write!(message, "`{}`", kind.as_str());
        Err(unsupported(&message))
    }

    /// Stores a tenant over what is there, and its masters.
    async fn put_tenants(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let Row::Tenant(tenant) = row else { continue };
            let statement = TENANTS.put_all(vec![tenants::values(tenant)]);
            self.execute_one(statement)
                .await
                .map_err(|error| missing(error, "master tenant"))?;
            let forget = "DELETE FROM tenant_ancestors WHERE tenant = $1";
            let forget = Statement::new(forget).bind(tenant.id.as_uuid());
            self.execute(forget).await?;
            self.extend_closure(tenant).await?;
            self.renew_descendants(tenant.id).await?;
        }
        Ok(())
    }

    /// Makes the closure of everything below a tenant follow its new masters.
    async fn renew_descendants(&mut self, id: TenantId) -> Result<()> {
        let below = "WITH RECURSIVE below (id) AS (SELECT id FROM tenants WHERE master = $1 \
                     UNION SELECT tenants.id FROM tenants JOIN below ON master = below.id) ";
        let forget =
            format!("{below}DELETE FROM tenant_ancestors WHERE tenant IN (SELECT id FROM below)");
        if self
            .execute(Statement::new(forget).bind(id.as_uuid()))
            .await?
            == 0
        {
            return Ok(());
        }
        let renew = "WITH RECURSIVE below (id) AS (SELECT id FROM tenants WHERE master = $1 \
                     UNION SELECT tenants.id FROM tenants JOIN below ON master = below.id), \
                     line (tenant, ancestor, depth) AS (SELECT id, id, 0 FROM below \
                     UNION SELECT line.tenant, tenants.master, line.depth + 1 \
                     FROM line JOIN tenants ON tenants.id = line.ancestor \
                     WHERE tenants.master IS NOT NULL) \
                     INSERT INTO tenant_ancestors (tenant, ancestor, depth) \
                     SELECT tenant, ancestor, depth FROM line";
        self.execute(Statement::new(renew).bind(id.as_uuid()))
            .await?;
        Ok(())
    }
}

#[async_trait]
impl<C: Connection> ArchiveRepository for SqlUnit<C> {
    async fn tenants(&mut self, page: Page<TenantId>) -> Result<Vec<TenantId>> {
        self.platform_read("archive.tenants")?;
        if let Some(open) = C::DIALECT.open_archive {
            self.fetch_all(Statement::new(open)).await?;
        }
        let next = "SELECT tenant FROM (SELECT id AS tenant FROM tenants WHERE id > $1 \
                    ORDER BY id LIMIT 1) AS there UNION \
                    SELECT tenant FROM (SELECT tenant FROM sessions WHERE tenant > $1 \
                    ORDER BY tenant LIMIT 1) AS had_sessions UNION \
                    SELECT tenant FROM (SELECT tenant FROM audit_events WHERE tenant > $1 \
                    ORDER BY tenant LIMIT 1) AS had_events ORDER BY tenant LIMIT 1";
        let mut found = Vec::new();
        let mut last = page.after.map_or_else(Uuid::nil, |after| after.as_uuid());
        while found.len() < page.limit as usize {
            let row = self.fetch(Statement::new(next).bind(last)).await?;
            let Some(tenant) = one(row.as_ref(), |row| {
                Stored::new(row, "tenants").uuid("tenant")
            })?
            else {
                break;
            };
            found.push(TenantId::from_uuid(tenant));
            last = tenant;
        }
        self.done(found)
    }

    async fn rows(
        &mut self,
        kind: RowKind,
        after: Option<&RowKey>,
        limit: u32,
    ) -> Result<Vec<Row>> {
        let scope = self.read("archive.rows")?;
        self.has(kind, scope)?;
        if kind == RowKind::Settings && after.is_some() {
            return self.done(Vec::new());
        }
        let mut query = select::<C>(kind, scope);
        if let Some(after) = after {
            let (columns, values) = key_values(kind, after)?;
            query.push(&format!(" AND ({}) > (", columns.join(", ")));
            for (number, value) in values.into_iter().enumerate() {
                query.push(if number == 0 { "" } else { ", " });
                query.push_bind(value);
            }
            query.push(")");
        }
        query.push(&format!(" ORDER BY {} LIMIT ", order(kind)));
        query.push_bind(limit);
        let rows = self.fetch_all(query).await?;
        self.done(all(&rows, |row| read(kind, row))?)
    }

    async fn put(&mut self, rows: &[Row]) -> Result<()> {
        let scope = self.write("archive.put")?;
        let Some(kind) = rows.first().map(Row::kind) else {
            return self.done(());
        };
        self.has(kind, scope)?;
        if rows.iter().any(|row| row.kind() != kind) {
            return Err(Error::invalid("rows", "rows of several kinds"));
        }
        if kind == RowKind::Tenant {
            self.put_tenants(rows).await?;
            return self.done(());
        }
        let what = match kind {
            RowKind::Record | RowKind::Grant | RowKind::Message => "user",
            _ => "tenant",
        };
        for piece in rows.chunks(PIECE) {
            let values = piece
                .iter()
                .map(|row| values::<C>(row, scope))
                .collect::<Result<_>>()?;
            let statement = match kind {
                RowKind::Event => EVENTS.keep_all(values),
                kind => table(kind).put_all(values),
            };
            self.execute(statement)
                .await
                .map_err(|error| missing(error, what))?;
        }
        for row in rows {
            if let Row::Application(application) = row {
                self.put_origins(application).await?;
            }
        }
        self.done(())
    }

    async fn remove(&mut self, kind: RowKind, keys: &[RowKey]) -> Result<()> {
        let scope = self.write("archive.remove")?;
        self.has(kind, scope)?;
        if kind == RowKind::Event {
            return Err(unsupported("audit events are never removed"));
        }
        for key in keys {
            let (columns, values) = key_values(kind, key)?;
            if kind == RowKind::Tenant {
                let statement = "SELECT 1 FROM tenants WHERE master = $1 LIMIT 1";
                let statement = Statement::new(statement).bind_all(values.clone());
                if self.fetch(statement).await?.is_some() {
                    return Err(Error::refused("the tenant has sub-tenants"));
                }
            }
            let mut statement =
                Statement::new(format!("DELETE FROM {} WHERE true", table(kind).name));
            if let Scope::Tenant(own) = scope {
                statement.push(" AND tenant = ").push_bind(own.as_uuid());
            }
            for (column, value) in columns.into_iter().zip(values) {
                statement
                    .push(" AND ")
                    .push(column)
                    .push(" = ")
                    .push_bind(value);
            }
            self.execute(statement).await?;
        }
        self.done(())
    }
}
