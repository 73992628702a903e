use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{
        DisplayName, Email, Grant, MustChange, NameKey, TenantId, User, UserId, UserName,
        UserStatus,
    },
    storage::{Page, Scope, UserRepository},
};
use uuid::Uuid;

use crate::{
    Columns, Connection, SqlUnit, Statement, Value,
    statement::Table,
    stored::{Stored, all, one},
    tenants::{lock_values, push_search},
    unit_of_work::missing,
};

/// At most this many holders of a grant are answered.
const MAX_HOLDERS: i64 = 1_000;

pub(crate) const USERS: Table = Table {
    name: "users",
    key: "tenant, id",
    columns: &[
        "tenant",
        "id",
        "version",
        "user_name",
        "user_name_key",
        "display_name",
        "display_name_key",
        "email",
        "email_key",
        "email_verified",
        "status",
        "must_change",
        "credential_epoch",
        "lock_since",
        "lock_until",
        "lock_reason",
        "lock_cascade",
        "created_at",
    ],
};

pub(crate) const GRANTS: Table = Table {
    name: "user_grants",
    key: "tenant, \"user\", name",
    columns: &["tenant", "\"user\"", "name"],
};

macro_rules! columns {
    () => {
        "id, user_name, display_name, email, email_verified, status, must_change, \
         credential_epoch, lock_since, lock_until, lock_reason, lock_cascade, created_at, version"
    };
}

pub(crate) fn read(row: &impl Columns) -> Result<User> {
    let row = Stored::new(row, "users");
    Ok(User {
        id: UserId::from_uuid(row.uuid("id")?),
        user_name: row.name("user_name", UserName::new)?,
        display_name: row.name("display_name", DisplayName::new)?,
        email: row.optional_name("email", Email::new)?,
        email_verified: row.flag("email_verified")?,
        status: row.word("status", UserStatus::parse)?,
        lock: row.lock()?,
        must_change: row.optional_word("must_change", MustChange::parse)?,
        credential_epoch: row.integer("credential_epoch")?,
        created_at: row.time("created_at")?,
        version: row.integer("version")?,
    })
}

pub(crate) fn read_address(row: &impl Columns, table: &'static str) -> Result<(TenantId, UserId)> {
    let row = Stored::new(row, table);
    let tenant = TenantId::from_uuid(row.uuid("tenant")?);
    Ok((tenant, UserId::from_uuid(row.uuid("user")?)))
}

/// What a change may change, in the table's order.
fn changeable_values(user: &User) -> Vec<Value> {
    let email = user.email.as_ref();
    let mut values = vec![
        user.user_name.as_str().into(),
        (&user.user_name.key()).into(),
        user.display_name.as_str().into(),
        (&user.display_name.key()).into(),
        email.map(Email::as_str).into(),
        Value::Text(email.map(|email| email.key().as_str().to_owned())),
        user.email_verified.into(),
        user.status.as_str().into(),
        user.must_change.map(MustChange::as_str).into(),
        user.credential_epoch.into(),
    ];
    values.extend(lock_values(user.lock.as_ref()));
    values
}

/// All columns, in the table's order.
pub(crate) fn values(tenant: Uuid, user: &User) -> Vec<Value> {
    let mut values = vec![tenant.into(), user.id.as_uuid().into(), user.version.into()];
    values.extend(changeable_values(user));
    values.push(user.created_at.into());
    values
}

#[async_trait]
impl<C: Connection> UserRepository for SqlUnit<C> {
    async fn create(&mut self, user: &User) -> Result<()> {
        let tenant = self.tenant_write("users.create")?;
        self.execute_one(USERS.insert(values(tenant, user)))
            .await
            .map_err(|error| missing(error, "tenant"))?;
        self.done(())
    }

    async fn by_id(&mut self, id: UserId) -> Result<Option<User>> {
        let tenant = self.tenant_read("users.by_id")?;
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM users WHERE tenant = $1 AND id = $2"
        );
        let statement = Statement::new(statement).bind(tenant).bind(id.as_uuid());
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn by_login(&mut self, login: &NameKey) -> Result<Option<User>> {
        let tenant = self.tenant_read("users.by_login")?;
        let statement = format!(
            concat!(
                "SELECT ",
                columns!(),
                ", 0 AS rank FROM users WHERE tenant = $1 AND user_name_key = $2 UNION ALL SELECT ",
                columns!(),
                ", 1 AS rank FROM users WHERE tenant = $1 AND email_key = $2 AND {verified} \
                 ORDER BY rank LIMIT 1"
            ),
            verified = C::DIALECT.is_verified
        );
        let statement = Statement::new(statement).bind(tenant).bind(login);
        let row = self.fetch(statement).await?;
        self.done(one(row.as_ref(), read)?)
    }

    async fn candidates(&mut self, login: &NameKey) -> Result<Vec<(TenantId, UserId)>> {
        self.platform_read("users.candidates")?;
        // In one tenant a user name goes before an address, as in `by_login`.
        let statement = format!(
            "SELECT tenant, id AS \"user\" FROM users WHERE user_name_key = $1 UNION ALL \
             SELECT tenant, id AS \"user\" FROM users AS u WHERE email_key = $1 AND {} \
             AND NOT EXISTS (SELECT 1 FROM users AS n \
             WHERE n.tenant = u.tenant AND n.user_name_key = $1) \
             ORDER BY tenant LIMIT 2",
            C::DIALECT.is_verified
        );
        let rows = self
            .fetch_all(Statement::new(statement).bind(login))
            .await?;
        self.done(all(&rows, |row| read_address(row, "users"))?)
    }

    async fn list(&mut self, search: Option<&NameKey>, page: Page<UserId>) -> Result<Vec<User>> {
        let tenant = self.tenant_read("users.list")?;
        let mut query = Statement::new(concat!(
            "SELECT ",
            columns!(),
            " FROM users WHERE tenant = $1"
        ))
        .bind(tenant);
        if let Some(after) = page.after {
            query.push(" AND id > ").push_bind(after.as_uuid());
        }
        if let Some(search) = search {
            let columns = ["user_name_key", "display_name_key", "email_key"];
            push_search::<C>(&mut query, &columns, search);
        }
        query.push(" ORDER BY id LIMIT ").push_bind(page.limit);
        let rows = self.fetch_all(query).await?;
        self.done(all(&rows, read)?)
    }

    async fn update(&mut self, user: &User) -> Result<User> {
        let tenant = self.tenant_write("users.update")?;
        let statement = concat!(
            "UPDATE users SET user_name = $4, user_name_key = $5, display_name = $6, \
             display_name_key = $7, email = $8, email_key = $9, email_verified = $10, \
             status = $11, must_change = $12, credential_epoch = $13, lock_since = $14, \
             lock_until = $15, lock_reason = $16, lock_cascade = $17, version = version + 1 \
             WHERE tenant = $1 AND id = $2 AND version = $3 RETURNING ",
            columns!()
        );
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(user.id.as_uuid())
            .bind(user.version)
            .bind_all(changeable_values(user));
        let row = self.fetch(statement).await?;
        match one(row.as_ref(), read)? {
            Some(stored) => self.done(stored),
            None if self.has_user(tenant, user.id).await? => Err(Error::stale("user")),
            None => Err(Error::not_found("user")),
        }
    }

    async fn delete(&mut self, id: UserId, version: i64) -> Result<()> {
        let tenant = self.tenant_write("users.delete")?;
        let statement = "DELETE FROM users WHERE tenant = $1 AND id = $2 AND version = $3";
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(version);
        match self.execute(statement).await? {
            0 if self.has_user(tenant, id).await? => Err(Error::stale("user")),
            0 => Err(Error::not_found("user")),
            _ => self.done(()),
        }
    }

    async fn lock_row(&mut self, id: UserId) -> Result<()> {
        let tenant = self.tenant_write("users.lock_row")?;
        let statement = format!(
            "SELECT 1 FROM users WHERE tenant = $1 AND id = $2{}",
            C::DIALECT.lock
        );
        let statement = Statement::new(statement).bind(tenant).bind(id.as_uuid());
        if self.fetch(statement).await?.is_none() {
            return Err(Error::not_found("user"));
        }
        self.done(())
    }

    async fn grants(&mut self, id: UserId) -> Result<Vec<Grant>> {
        let tenant = self.tenant_read("users.grants")?;
        let statement = "SELECT name FROM user_grants WHERE tenant = $1 AND \"user\" = $2";
        let statement = Statement::new(statement).bind(tenant).bind(id.as_uuid());
        let rows = self.fetch_all(statement).await?;
        let mut grants = all(&rows, |row| {
            Stored::new(row, "user_grants").word("name", Grant::parse)
        })?;
        grants.sort_unstable();
        self.done(grants)
    }

    async fn set_grant(&mut self, id: UserId, grant: Grant, held: bool) -> Result<bool> {
        let tenant = self.tenant_write("users.set_grant")?;
        let statement = if held {
            "INSERT INTO user_grants (tenant, \"user\", name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM user_grants WHERE tenant = $1 AND \"user\" = $2 AND name = $3"
        };
        let statement = Statement::new(statement)
            .bind(tenant)
            .bind(id.as_uuid())
            .bind(grant.as_str());
        let rows = self
            .execute(statement)
            .await
            .map_err(|error| missing(error, "user"))?;
        self.done(rows > 0)
    }

    async fn holders(&mut self, grant: Grant) -> Result<Vec<(TenantId, UserId)>> {
        let scope = self.read("users.holders")?;
        let all_tenants = "SELECT tenant, \"user\" FROM user_grants WHERE name = $1 \
                           ORDER BY tenant, \"user\" LIMIT $2";
        let own_tenant = "SELECT tenant, \"user\" FROM user_grants WHERE name = $1 AND tenant = $3 \
                          ORDER BY tenant, \"user\" LIMIT $2";
        let statement = match scope {
            Scope::Platform => Statement::new(all_tenants)
                .bind(grant.as_str())
                .bind(MAX_HOLDERS),
            Scope::Tenant(own) => Statement::new(own_tenant)
                .bind(grant.as_str())
                .bind(MAX_HOLDERS)
                .bind(own.as_uuid()),
        };
        let rows = self.fetch_all(statement).await?;
        self.done(all(&rows, |row| read_address(row, "user_grants"))?)
    }
}

impl<C: Connection> SqlUnit<C> {
    async fn has_user(&mut self, tenant: Uuid, id: UserId) -> Result<bool> {
        let statement = "SELECT 1 FROM users WHERE tenant = $1 AND id = $2";
        let statement = Statement::new(statement).bind(tenant).bind(id.as_uuid());
        Ok(self.fetch(statement).await?.is_some())
    }
}
