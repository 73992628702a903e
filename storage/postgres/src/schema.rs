//! Opening: what the schema looks like, what it lacks, and whether the accounts
//! can do what they have to, and no more.

use std::{borrow::Cow, time::Duration};

use gatelodge_core::{
    Error, ErrorKind, Result,
    model::TenantId,
    storage::{Mode, Scope},
};
use gatelodge_storage_sql::schema::{self, Applied, Migration, PlannedMigration};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _,
    postgres::PgConnectOptions,
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    VERSION,
    config::{Account, PostgresConfig},
    error::Fault,
    unit_of_work::{Roles, begin_text, quoted},
};

/// How long a look at the schema may lie idle.
const LOOK_TIME: Duration = Duration::from_secs(10);
/// Who changes the schema holds this: "GtLd" and a number of ours.
const MIGRATION_LOCK: i64 = 0x4774_4c64_0000_0001;

pub(crate) static MIGRATIONS: [Migration; 4] = [
    Migration {
        version: 1,
        name: "first",
        sql: include_str!("../migrations/0001_first.sql"),
    },
    Migration {
        version: 2,
        name: "outbox",
        sql: include_str!("../migrations/0002_outbox.sql"),
    },
    Migration {
        version: 3,
        name: "applications",
        sql: include_str!("../migrations/0003_applications.sql"),
    },
    Migration {
        version: 4,
        name: "identities",
        sql: include_str!("../migrations/0004_identities.sql"),
    },
];

/// Makes the database ready: schema, roles, rights. Answers the roles.
pub(crate) async fn prepare(config: &PostgresConfig) -> Result<Roles> {
    let place = config.place();
    let patience = config.acquire_timeout();
    let mut owner = connect(&config.owner_options()?, patience, &place).await?;
    let account = Account::look(&mut owner, &place).await?;
    let roles = if config.owner_url.is_some() {
        let serving = connect(&config.options()?, patience, &place).await?;
        for_another(&mut owner, &account, serving, &place).await?
    } else if account.schema == Some(false) {
        at_run_time(&mut owner, &account, &place).await?
    } else {
        let roles = migrate(&mut owner, &account, &account.name, &place).await?;
        check_roles(&mut owner, &roles, &place).await?;
        tracing::warn!(
            account = account.name,
            "one account owns the tables and serves; `storage.owner_url` beside an account that owns nothing is safer"
        );
        roles
    };
    check_durable(&mut owner).await;
    close(owner).await;
    Ok(roles)
}

/// What would be done.
pub(crate) async fn plan(config: &PostgresConfig) -> Result<Vec<PlannedMigration>> {
    let place = config.place();
    let patience = config.acquire_timeout();
    let mut owner = connect(&config.owner_options()?, patience, &place).await?;
    let account = Account::look(&mut owner, &place).await?;
    let applied = if account.schema == Some(false) && config.owner_url.is_none() {
        let roles = Roles::of_account(&mut owner, &account, &place).await?;
        recognise_as(&mut owner, &roles, &place).await?
    } else {
        check_owner(&account, &place)?;
        recognise(&mut owner, &account.database, &place).await?
    };
    let pending = schema::pending(&MIGRATIONS, &applied, VERSION, &place)?;
    close(owner).await;
    Ok(schema::plan(&MIGRATIONS, &pending))
}

async fn connect(
    options: &PgConnectOptions,
    patience: Duration,
    place: &str,
) -> Result<PgConnection> {
    let connected = match timeout(patience, options.connect()).await {
        Ok(connected) => connected.map_err(Fault::from),
        Err(_) => Err(Fault::NoConnection(patience)),
    };
    connected.map_err(|fault| at(place, fault))
}

async fn close(connection: PgConnection) {
    let _closed = connection.close().await;
}

/// The owner's account makes the schema ready for an account that owns nothing.
async fn for_another(
    owner: &mut PgConnection,
    account: &Account,
    mut serving: PgConnection,
    place: &str,
) -> Result<Roles> {
    check_owner(account, place)?;
    let who = Account::look(&mut serving, place).await?;
    who.check_harmless()?;
    let roles = migrate(owner, account, &who.name, place).await?;
    // Now there is a schema that it could own.
    let who = Account::look(&mut serving, place).await?;
    who.check_harmless()?;
    check_powerless(&mut serving, &who).await?;
    check_roles(&mut serving, &roles, place).await?;
    close(serving).await;
    Ok(roles)
}

fn check_owner(account: &Account, place: &str) -> Result<()> {
    if account.schema != Some(false) {
        return Ok(());
    }
    Err(Error::invalid(
        "owner_url",
        format!(
            "the account `{}` does not own the schema `gatelodge` of `{place}`",
            account.name
        ),
    ))
}

/// An account that owns nothing, alone: the schema must be there and up to date.
async fn at_run_time(
    connection: &mut PgConnection,
    account: &Account,
    place: &str,
) -> Result<Roles> {
    account.check_harmless()?;
    let roles = Roles::of_account(connection, account, place).await?;
    roles.check(connection, place).await?;
    check_powerless(connection, account).await?;
    check_roles(connection, &roles, place).await?;
    let applied = recognise_as(connection, &roles, place).await?;
    let pending = schema::pending(&MIGRATIONS, &applied, VERSION, place)?;
    let Some(first) = pending.first() else {
        return Ok(roles);
    };
    Err(Error::new(
        ErrorKind::Unavailable,
        format!(
            "the schema of `{place}` lacks migration {}, and the account `{}` does not own it; run `gatelodge storage \
             migrate` with `storage.owner_url`",
            first.version, account.name
        ),
    ))
}

/// Applies what is missing, one transaction each, all of them under one lock
/// that nodes that start at once take turns at: each looks again when it has it.
/// The account `worker` can then work as the roles.
async fn migrate(
    connection: &mut PgConnection,
    account: &Account,
    worker: &str,
    place: &str,
) -> Result<Roles> {
    loop {
        begin(connection).await.map_err(|fault| at(place, fault))?;
        let step = step(connection, account, worker, place).await;
        let end = if step.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = run(connection, end).await.map_err(|fault| at(place, fault));
        let roles = step?;
        ended?;
        if let Some(roles) = roles {
            return Ok(roles);
        }
    }
}

/// A migration may take as long as it takes; but a node that went away in the
/// middle of one must not keep the others from it.
async fn begin(connection: &mut PgConnection) -> Result<(), Fault> {
    let text = format!(
        "BEGIN; SELECT set_config('search_path', 'gatelodge', true), \
         set_config('synchronous_commit', 'on', true), set_config('statement_timeout', '0', true), \
         set_config('lock_timeout', '0', true), \
         set_config('idle_in_transaction_session_timeout', '60000', true); \
         SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"
    );
    run(connection, text).await
}

/// One migration; the roles when there is none left.
async fn step(
    connection: &mut PgConnection,
    account: &Account,
    worker: &str,
    place: &str,
) -> Result<Option<Roles>> {
    let applied = recognise(connection, &account.database, place).await?;
    let pending = schema::pending(&MIGRATIONS, &applied, VERSION, place)?;
    let is_new = applied.migrations.is_empty();
    let roles = if is_new {
        check_may_create(account, place)?;
        Roles::unused(connection, account, place).await?
    } else {
        Roles::stored(connection, place).await?
    };
    roles.check(connection, place).await?;
    roles.make(connection, account, worker, place).await?;
    let Some(migration) = pending.first() else {
        return Ok(Some(roles));
    };
    apply(connection, migration, &roles, is_new)
        .await
        .map_err(|fault| at(place, fault))?;
    tracing::info!(
        version = migration.version,
        name = migration.name,
        "the schema was migrated"
    );
    Ok(None)
}

fn check_may_create(account: &Account, place: &str) -> Result<()> {
    if account.may_create {
        return Ok(());
    }
    let message = format!(
        "the account `{}` may not set up the database `{place}`; name one that may in `storage.owner_url`, or let it \
         own the database: `ALTER DATABASE {} OWNER TO {}`",
        account.name,
        quoted(&account.database),
        quoted(&account.name)
    );
    Err(Error::new(ErrorKind::Invalid, message))
}

async fn apply(
    connection: &mut PgConnection,
    migration: &Migration,
    roles: &Roles,
    is_new: bool,
) -> Result<(), Fault> {
    if is_new {
        let text = "CREATE SCHEMA gatelodge; CREATE TABLE gatelodge.schema_migrations (\
                    version bigint NOT NULL PRIMARY KEY, name text NOT NULL, \
                    checksum bytea NOT NULL CHECK (length(checksum) = 32), \
                    applied_at timestamptz NOT NULL DEFAULT now())";
        run(connection, text).await?;
    }
    let sql = migration
        .sql
        .replace("{tenant_role}", &quoted(&roles.tenant))
        .replace("{platform_role}", &quoted(&roles.platform));
    run(connection, sql).await?;
    if is_new {
        let info = "INSERT INTO schema_info (id, min_binary, tenant_role, platform_role) \
                    VALUES (1, '0.1.0', $1, $2)";
        sqlx::query(info)
            .persistent(false)
            .bind(&roles.tenant)
            .bind(&roles.platform)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)")
        .persistent(false)
        .bind(migration.version)
        .bind(migration.name)
        .bind(migration.checksum())
        .execute(connection)
        .await?;
    Ok(())
}

/// What the database says of its schema; refuses what is not ours.
async fn recognise(connection: &mut PgConnection, database: &str, place: &str) -> Result<Applied> {
    let of_place = |error: sqlx::Error| at(place, error.into());
    let look = "SELECT to_regnamespace('gatelodge') IS NOT NULL AS has_schema, \
                to_regclass('gatelodge.schema_migrations') IS NOT NULL \
                AND to_regclass('gatelodge.schema_info') IS NOT NULL AS is_ours, \
                (SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace \
                WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname !~ '^pg_' \
                AND nspname NOT IN ('information_schema', 'gatelodge') \
                AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass \
                AND objid = pg_class.oid AND deptype = 'e') \
                ORDER BY 1 LIMIT 1) AS stranger";
    let row = sqlx::query(look)
        .persistent(false)
        .fetch_one(&mut *connection)
        .await
        .map_err(of_place)?;
    let has_schema: bool = row.try_get("has_schema").map_err(of_place)?;
    let is_ours: bool = row.try_get("is_ours").map_err(of_place)?;
    let stranger: Option<String> = row.try_get("stranger").map_err(of_place)?;
    if !has_schema {
        return match stranger {
            None => Ok(Applied::default()),
            Some(table) => Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the database `{database}` holds another program's data, such as the table `{table}`; make one \
                     for Gatelodge alone"
                ),
            )),
        };
    }
    if !is_ours {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("the schema `gatelodge` of `{place}` is not what this program has made"),
        ));
    }
    let min_binary =
        sqlx::query_scalar("SELECT min_binary FROM gatelodge.schema_info WHERE id = 1")
            .persistent(false)
            .fetch_optional(&mut *connection)
            .await
            .map_err(of_place)?;
    let rows = "SELECT version, checksum FROM gatelodge.schema_migrations ORDER BY version";
    let migrations: Vec<(i64, Vec<u8>)> = sqlx::query_as(rows)
        .persistent(false)
        .fetch_all(connection)
        .await
        .map_err(of_place)?;
    if migrations.is_empty() {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!("the table schema_migrations of `{place}` is empty; restore it from a backup"),
        ));
    }
    Ok(Applied {
        min_binary,
        migrations,
    })
}

/// The same by an account that may look only as one of the roles.
async fn recognise_as(
    connection: &mut PgConnection,
    roles: &Roles,
    place: &str,
) -> Result<Applied> {
    let text = begin_text(roles, Scope::Platform, Mode::Read, LOOK_TIME);
    let begun = run(connection, text).await;
    begun.map_err(|fault| at(place, fault))?;
    let applied = recognise(connection, "", place).await;
    let ended = run(connection, "ROLLBACK").await;
    ended.map_err(|fault| at(place, fault))?;
    applied
}

/// Tries that an account can do nothing before it says as what it works.
async fn check_powerless(connection: &mut PgConnection, account: &Account) -> Result<()> {
    let reads = sqlx::query("SELECT 1 FROM gatelodge.users LIMIT 1")
        .persistent(false)
        .fetch_optional(connection)
        .await;
    let why = match reads.map_err(Fault::from) {
        Err(Fault::NotAllowed(..)) => return Ok(()),
        Err(fault) => return Err(at(&account.database, fault)),
        Ok(_) if account.inherits => "inherits rights; `ALTER ROLE … NOINHERIT`",
        Ok(_) => "has rights of its own; revoke them",
    };
    let message = format!(
        "the account `{}` reads tables before it says as what it works: it {why}",
        account.name
    );
    Err(Error::invalid("url", message))
}

/// Tries that an account can work as the roles, and that they can read.
async fn check_roles(connection: &mut PgConnection, roles: &Roles, place: &str) -> Result<()> {
    for scope in [
        Scope::Platform,
        Scope::Tenant(TenantId::from_uuid(Uuid::nil())),
    ] {
        let text = begin_text(roles, scope, Mode::Read, LOOK_TIME);
        let tried = run(
            connection,
            format!("{text}; SELECT 1 FROM gatelodge.schema_info"),
        )
        .await;
        let ended = run(connection, "ROLLBACK").await;
        tried.map_err(|fault| match fault {
            Fault::NotAllowed(right, source) => {
                let message = format!(
                    "the roles of `{place}` lack their rights ({right}), as after a restore to a server that did not \
                     have them; restore it again now that `{}` and `{}` are there",
                    roles.tenant, roles.platform
                );
                Error::new(ErrorKind::Corrupt, message).because(source)
            }
            fault => at(place, fault),
        })?;
        ended.map_err(|fault| at(place, fault))?;
    }
    Ok(())
}

/// Says so when the database may forget what it has acknowledged.
async fn check_durable(connection: &mut PgConnection) {
    let fsync = sqlx::query_scalar::<_, String>("SELECT current_setting('fsync')")
        .persistent(false)
        .fetch_one(connection)
        .await;
    if fsync.is_ok_and(|fsync| fsync == "off") {
        tracing::warn!("the database runs with `fsync = off`: a loss of power can destroy it");
    }
}

/// Which roles a schema has, and who may work as them.
impl Roles {
    /// For a schema that is made now: roles that no other database of the server
    /// uses. One that was renamed keeps its roles, and long names look alike.
    async fn unused(connection: &mut PgConnection, account: &Account, place: &str) -> Result<Self> {
        let look = "SELECT EXISTS (SELECT 1 FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid \
                    WHERE refclassid = 'pg_authid'::regclass AND rolname = ANY ($1) AND dbid NOT IN \
                    (SELECT oid FROM pg_database WHERE datname = current_database() UNION SELECT 0))";
        let mut number = 1;
        loop {
            let roles = Self::of(&account.database, number);
            let are_used: bool = sqlx::query_scalar(look)
                .persistent(false)
                .bind(roles.all())
                .fetch_one(&mut *connection)
                .await
                .map_err(|error| at(place, error.into()))?;
            if !are_used {
                return Ok(roles);
            }
            number += 1;
        }
    }

    /// The ones that the schema names.
    async fn stored(connection: &mut PgConnection, place: &str) -> Result<Self> {
        let roles = "SELECT tenant_role, platform_role FROM gatelodge.schema_info WHERE id = 1";
        let row = sqlx::query_as::<_, (String, String)>(roles)
            .persistent(false)
            .fetch_optional(connection)
            .await;
        match row.map_err(|error| at(place, error.into()))? {
            Some((tenant, platform)) => Ok(Self { tenant, platform }),
            None => Err(Error::new(
                ErrorKind::Corrupt,
                format!("the table schema_info of `{place}` is empty"),
            )),
        }
    }

    /// The ones that an account was allowed to work as.
    async fn of_account(
        connection: &mut PgConnection,
        account: &Account,
        place: &str,
    ) -> Result<Self> {
        let look = "SELECT rolname::text FROM pg_roles WHERE rolname ~ '^gatelodge_.*_(tenant|platform)$' \
                    AND pg_has_role(current_user, oid, 'MEMBER') \
                    AND has_schema_privilege(oid, 'gatelodge', 'USAGE') ORDER BY rolname DESC";
        let roles = sqlx::query_scalar::<_, String>(look)
            .persistent(false)
            .fetch_all(connection)
            .await
            .map_err(|error| at(place, error.into()))?;
        match <[String; 2]>::try_from(roles) {
            Ok([tenant, platform]) => Ok(Self { tenant, platform }),
            Err(_) => Err(Error::invalid(
                "url",
                format!(
                    "the account `{}` was not let in by the owner of the schema; start once, or run `gatelodge \
                     storage migrate`, with `storage.owner_url`",
                    account.name
                ),
            )),
        }
    }

    /// Refuses roles that could do more than they are made for.
    async fn check(&self, connection: &mut PgConnection, place: &str) -> Result<()> {
        let look = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1) \
                    AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole) ORDER BY 1";
        let mighty = sqlx::query_scalar::<_, String>(look)
            .persistent(false)
            .bind(self.all())
            .fetch_optional(connection)
            .await
            .map_err(|error| at(place, error.into()))?;
        let Some(role) = mighty else { return Ok(()) };
        let message = format!(
            "the role `{role}` can log in or look past row security; units of work cannot run as it: `ALTER ROLE {} \
             NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE`",
            quoted(&role)
        );
        Err(Error::new(ErrorKind::Invalid, message))
    }

    /// Makes them where they are missing, and lets the account `worker` work as
    /// them, and only by saying so.
    async fn make(
        &self,
        owner: &mut PgConnection,
        account: &Account,
        worker: &str,
        place: &str,
    ) -> Result<()> {
        let missing = self.missing(owner, account, worker).await;
        let missing = missing.map_err(|error| at(place, error.into()))?;
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join("; ");
        match run(owner, missing.clone()).await {
            Ok(()) => Ok(()),
            Err(Fault::NotAllowed(right, source)) => {
                let message = format!(
                    "the account `{}` may not make the roles that `{place}` needs ({right}); give it the right \
                     (`CREATEROLE`), or let an administrator of the server run: {missing}",
                    account.name
                );
                Err(Error::new(ErrorKind::Invalid, message).because(source))
            }
            Err(fault) => Err(at(place, fault)),
        }
    }
}

pub(crate) async fn run(
    connection: &mut PgConnection,
    text: impl Into<Cow<'static, str>>,
) -> Result<(), Fault> {
    sqlx::raw_sql(AssertSqlSafe(text.into().into_owned()))
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) fn at(place: &str, fault: Fault) -> Error {
    let message = format!("cannot use the database `{place}`: {fault}");
    fault.into_error(message).during("storage.open")
}
