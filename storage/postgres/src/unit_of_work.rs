//! A unit's connection, how it begins and ends, and Postgres' words in the
//! shared statements.
//!
//! Everything that a unit needs to be what it is, role, tenant and time limits,
//! is set for its transaction only and in the same message that begins it. A
//! connection that comes back to the pool has nothing of it left.

use std::{borrow::Cow, fmt::Write as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    storage::{Mode, Scope, SessionTouch},
};
use gatelodge_storage_sql::{Columns, Connection, Dialect, Statement, Value, Wrong, json};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::value::RawValue;
use sqlx::{
    AssertSqlSafe, Decode, Encode, PgConnection, PgPool, Postgres, Row as _, Type,
    encode::IsNull,
    error::BoxDynError,
    pool::PoolConnection,
    postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, types::Oid},
    query::Query,
    types::Json,
};
use tokio::{runtime::Handle, sync::Notify, time::timeout};
use uuid::Uuid;

use crate::{config::Account, error::Fault};

/// How long one statement may take, and how long it may wait for a lock.
const STATEMENT: Duration = Duration::from_secs(30);
const LOCK: Duration = Duration::from_secs(10);
/// How long a unit may do nothing before the database ends it.
const IDLE: Duration = Duration::from_secs(60);
/// The same for a snapshot, which somebody reads into a file.
const SNAPSHOT: Duration = Duration::from_secs(600);
/// How often the database looks, while it works for a unit or lets it wait,
/// whether anybody still wants the answer. Without, a unit that was dropped in
/// the middle of a statement would keep its locks until the statement ends.
const CHECK: Duration = Duration::from_millis(500);
/// How often beginning is tried on another connection.
const TRIES: u32 = 3;
/// When an answer is not waited for any more: the database itself, with which
/// the limits above are kept, is out of reach.
const SILENCE: Duration = Duration::from_secs(35);

/// The beginning of 4713 BC, before which Postgres keeps no time.
const EARLIEST: Timestamp = Timestamp::constant(-210_866_803_200, 0);

/// A unit of work.
pub(crate) type PostgresUnit = gatelodge_storage_sql::SqlUnit<Lease>;

static DIALECT: Dialect = Dialect {
    position: "strpos",
    ends_at: "session_ends_at(last_active_at, idle_seconds, expires_at)",
    is_verified: "email_verified",
    lock: " FOR NO KEY UPDATE",
    lock_for_delete: " FOR UPDATE",
    hold: " FOR SHARE",
    skip_locked: " FOR UPDATE SKIP LOCKED",
    lock_number: Some("SELECT pg_advisory_xact_lock($1)"),
    no_tenant: || Value::Uuid(None),
    is_no_tenant: "tenant IS NULL",
    touch,
    open_archive: Some("SELECT set_config('gatelodge.archive', 'on', true)"),
};

/// The two roles that units of work run as. They belong to one database, so that
/// whoever serves one installation can do nothing in another on the same server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) tenant: String,
    pub(crate) platform: String,
}

impl Roles {
    /// For a schema that is made now, the ones numbered `number` if the first
    /// are another database's. A name of Postgres has 63 bytes.
    pub(crate) fn of(database: &str, number: u32) -> Self {
        let number = match number {
            1 => String::new(),
            number => format!("_{number}"),
        };
        let mut name = database.to_owned();
        while name.len() > 63 - "gatelodge__platform".len() - number.len() {
            name.pop();
        }
        Self {
            tenant: format!("gatelodge_{name}{number}_tenant"),
            platform: format!("gatelodge_{name}{number}_platform"),
        }
    }

    /// What has to be run so that the account can work as them.
    pub(crate) async fn missing(
        &self,
        owner: &mut PgConnection,
        account: &Account,
        worker: &str,
    ) -> Result<Vec<String>, sqlx::Error> {
        let (can, how) = if account.grants_say_how() {
            ("SET", " WITH INHERIT FALSE, SET TRUE")
        } else {
            ("MEMBER", "")
        };
        // Nobody has a role that is not there.
        let look = "SELECT wanted.name, rolname IS NOT NULL AS is_there, \
                    coalesce(pg_has_role($2::text::name, oid, $3), false) AS is_allowed \
                    FROM unnest($1) WITH ORDINALITY AS wanted (name, number) \
                    LEFT JOIN pg_roles ON rolname = wanted.name ORDER BY wanted.number";
        let rows = sqlx::query(look)
            .persistent(false)
            .bind(self.all())
            .bind(worker)
            .bind(can)
            .fetch_all(&mut *owner)
            .await?;
        let mut missing = Vec::new();
        for row in rows {
            let role = quoted(row.try_get("name")?);
            if !row.try_get("is_there")? {
                missing.push(format!("CREATE ROLE {role} NOLOGIN NOINHERIT"));
            }
            // A superuser has every role.
            let is_its_own = worker == account.name && account.is_superuser;
            if !is_its_own && !row.try_get("is_allowed")? {
                missing.push(format!("GRANT {role} TO {}{how}", quoted(worker)));
            }
        }
        if worker != account.name && !account.grants_say_how() {
            let inherits = "SELECT rolinherit FROM pg_roles WHERE rolname = $1";
            let inherits = sqlx::query_scalar(inherits)
                .persistent(false)
                .bind(worker)
                .fetch_one(owner)
                .await?;
            if inherits {
                missing.push(format!("ALTER ROLE {} NOINHERIT", quoted(worker)));
            }
        }
        Ok(missing)
    }

    pub(crate) fn all(&self) -> [&str; 2] {
        [&self.tenant, &self.platform]
    }
}

/// A name as SQL has it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Where units get their connections.
pub(crate) struct Pool {
    pub(crate) connections: PgPool,
    pub(crate) roles: Arc<Roles>,
    /// How long a unit waits for one.
    pub(crate) patience: Duration,
    /// Whether statements are prepared once per connection.
    pub(crate) prepares: bool,
    /// Notified when announced changes were committed.
    pub(crate) announced: Arc<Notify>,
}

impl Pool {
    /// A connection in a transaction of its own.
    ///
    /// The database may have gone and come back since a pooled connection was
    /// last used. Nothing was asked of it when its transaction cannot begin, so
    /// a new one is tried.
    pub(crate) async fn begin(&self, scope: Scope, mode: Mode) -> Result<Lease, Fault> {
        self.start(&begin_text(&self.roles, scope, mode, IDLE), mode)
            .await
    }

    /// A connection in a transaction that reads one state for a long time.
    pub(crate) async fn snapshot(&self) -> Result<Lease, Fault> {
        let text = begin_text(&self.roles, Scope::Platform, Mode::Read, SNAPSHOT);
        self.start(&text, Mode::Read).await
    }

    async fn start(&self, text: &str, mode: Mode) -> Result<Lease, Fault> {
        let begun = timeout(self.patience, self.try_to_start(text, mode)).await;
        begun.unwrap_or(Err(Fault::NoConnection(self.patience)))
    }

    async fn try_to_start(&self, text: &str, mode: Mode) -> Result<Lease, Fault> {
        let mut tries_left = TRIES;
        loop {
            let connection = self.connections.acquire().await;
            let connection = connection.map_err(|error| match error {
                sqlx::Error::PoolTimedOut => Fault::NoConnection(self.patience),
                error => error.into(),
            })?;
            let mut lease = self.lease(connection, mode);
            let silent = Err(Fault::NoConnection(self.patience));
            let begun = timeout(self.patience / 2, lease.run(text)).await;
            match begun.unwrap_or(silent) {
                Ok(()) => return Ok(lease),
                Err(fault) if tries_left > 0 && fault.is_of_connection() => tries_left -= 1,
                Err(fault) => return Err(fault),
            }
            self.forget_idle();
        }
    }

    /// What happened to one connection has happened to those that lay beside it.
    fn forget_idle(&self) {
        while let Some(connection) = self.connections.try_acquire() {
            drop(connection.detach());
        }
    }

    fn lease(&self, connection: PoolConnection<Postgres>, mode: Mode) -> Lease {
        Lease {
            connection: Some(connection),
            roles: self.roles.clone(),
            writes: mode == Mode::Write,
            prepares: self.prepares,
            is_cut_short: false,
            announced: self.announced.clone(),
        }
    }
}

/// What begins a unit, in one message. Everything in it is our own: roles were
/// named by the schema, a tenant is a UUID.
pub(crate) fn begin_text(roles: &Roles, scope: Scope, mode: Mode, idle: Duration) -> String {
    let mut text = String::from(match mode {
        // One state, from the first statement on.
        Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT ",
        // Each statement sees what was committed before it began. A database that
        // was told to write nothing (`default_transaction_read_only`) is obeyed.
        Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT ",
    });
    scope_settings(&mut text, roles, scope);
    let settings = [
        ("search_path", "gatelodge, pg_temp".to_owned()),
        // Also where the database is told to acknowledge before it has written.
        ("synchronous_commit", "on".to_owned()),
        ("statement_timeout", STATEMENT.as_millis().to_string()),
        ("lock_timeout", LOCK.as_millis().to_string()),
        (
            "idle_in_transaction_session_timeout",
            idle.as_millis().to_string(),
        ),
    ];
    for (name, value) in settings {
        let _always_written = write!(text, ", set_config('{name}', '{value}', true)");
    }
    // Windows cannot do that, and refuses to be asked.
    let _always_written = write!(
        text,
        ", set_config('client_connection_check_interval', \
         CASE WHEN version() ~ 'Visual C|mingw' THEN '0' ELSE '{}' END, true)",
        CHECK.as_millis()
    );
    text
}

fn scope_settings(text: &mut String, roles: &Roles, scope: Scope) {
    let (role, tenant) = match scope {
        Scope::Platform => (&roles.platform, String::new()),
        Scope::Tenant(tenant) => (&roles.tenant, tenant.as_uuid().to_string()),
    };
    let role = role.replace('\'', "''");
    let _always_written = write!(
        text,
        "set_config('role', '{role}', true), set_config('gatelodge.tenant', '{tenant}', true)"
    );
}

/// The connection on loan to a unit.
pub(crate) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    roles: Arc<Roles>,
    writes: bool,
    prepares: bool,
    /// Whether something was asked and its answer not heard.
    is_cut_short: bool,
    announced: Arc<Notify>,
}

impl Lease {
    /// Sends a text of our own.
    async fn run(&mut self, text: &str) -> Result<(), Fault> {
        let query = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        self.ask(async |connection| query.execute(&mut **connection).await)
            .await?;
        Ok(())
    }

    /// Asks something. An answer that is not heard, whether it failed to come or
    /// was not waited for, leaves the connection for nothing but to be closed.
    async fn ask<T>(
        &mut self,
        ask: impl AsyncFnOnce(&mut PoolConnection<Postgres>) -> Result<T, sqlx::Error>,
    ) -> Result<T, Fault> {
        let connection = self.connection.as_mut().ok_or(Fault::Closed)?;
        self.is_cut_short = true;
        let answer = timeout(SILENCE, ask(connection))
            .await
            .map_err(|_| Fault::Down(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))?;
        let answer = answer.map_err(Fault::from);
        self.is_cut_short = matches!(&answer, Err(fault) if fault.is_down());
        answer
    }

    fn query<'q>(&self, statement: Statement) -> Query<'q, Postgres, PgArguments> {
        let only_reads = statement.reads();
        let (text, values) = statement.into_parts();
        let query = match text {
            Cow::Borrowed(text) => sqlx::query(text),
            // Put together from our own words; values are bound.
            Cow::Owned(text) => sqlx::query(AssertSqlSafe(text)),
        };
        let mut query = query.persistent(self.prepares);
        for value in values {
            query = match value {
                Value::Uuid(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Integer(value) => query.bind(value),
                Value::Flag(value) => query.bind(value),
                // What is only compared may be before all that can be kept.
                Value::Time(value) if only_reads => {
                    query.bind(value.map(|time| time.max(EARLIEST).to_sqlx()))
                }
                Value::Time(value) => query.bind(value.map(Timestamp::to_sqlx)),
                Value::Json(value) => query.bind(JsonText(value)),
            };
        }
        query
    }

    /// Ends the transaction and gives the connection back.
    async fn end(&mut self, how: &str) -> Result<(), Fault> {
        let ended = self.run(how).await;
        if ended.is_ok() {
            self.connection = None;
        }
        ended
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            // Nobody is there to say good-bye: the database notices.
            drop(connection.detach());
            return;
        };
        if self.is_cut_short {
            connection.close_on_drop();
            return;
        }
        runtime.spawn(async move {
            let undo = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
            if !matches!(timeout(LOCK, undo).await, Ok(Ok(_))) {
                connection.close_on_drop();
            }
        });
    }
}

#[async_trait]
impl Connection for Lease {
    type Row = Row;

    const DIALECT: &'static Dialect = &DIALECT;

    fn can_write(&self) -> bool {
        self.writes
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64> {
        if statement.holds_nul() {
            return Err(Fault::Nul.into());
        }
        let query = self.query(statement);
        let result = self
            .ask(async |connection| query.execute(&mut **connection).await)
            .await?;
        Ok(result.rows_affected())
    }

    async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<Row>> {
        if statement.holds_nul() {
            // No stored text holds it, so nothing is found by it; and it cannot be stored.
            return if statement.reads() {
                Ok(Vec::new())
            } else {
                Err(Fault::Nul.into())
            };
        }
        let query = self.query(statement);
        let rows = self
            .ask(async |connection| query.fetch_all(&mut **connection).await)
            .await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    async fn set_scope(&mut self, scope: Scope) -> Result<()> {
        let mut text = String::from("SELECT ");
        scope_settings(&mut text, &self.roles, scope);
        Ok(self.run(&text).await?)
    }

    async fn commit(mut self, announces: bool) -> Result<()> {
        self.end("COMMIT").await?;
        if announces {
            self.announced.notify_one();
        }
        Ok(())
    }

    async fn rollback(mut self) -> Result<()> {
        if self.is_cut_short {
            // Dropping it closes its connection, and that ends its transaction.
            return Ok(());
        }
        Ok(self.end("ROLLBACK").await?)
    }
}

/// A JSON document. Its type is `json` and not `jsonb`, which could not hold every
/// text: it refuses the character NUL however it is written.
struct JsonText(String);

impl Type<Postgres> for JsonText {
    fn type_info() -> PgTypeInfo {
        // https://github.com/postgres/postgres/blob/REL_15_0/src/include/catalog/pg_type.dat
        PgTypeInfo::with_oid(Oid(114))
    }
}

impl Encode<'_, Postgres> for JsonText {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

/// A row of an answer.
pub(crate) struct Row(PgRow);

impl Row {
    fn value<'r, T>(&'r self, column: &str) -> Result<Option<T>, Wrong>
    where
        T: Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(self.0.try_get(column)?)
    }
}

impl Columns for Row {
    fn uuid(&self, column: &str) -> Result<Option<Uuid>, Wrong> {
        self.value(column)
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Wrong> {
        self.value(column)
    }

    fn text(&self, column: &str) -> Result<Option<String>, Wrong> {
        self.value(column)
    }

    fn integer(&self, column: &str) -> Result<Option<i64>, Wrong> {
        self.value(column)
    }

    fn flag(&self, column: &str) -> Result<Option<bool>, Wrong> {
        self.value(column)
    }

    fn time(&self, column: &str) -> Result<Option<Timestamp>, Wrong> {
        let time = self.value::<jiff_sqlx::Timestamp>(column)?;
        Ok(time.map(|time| time.to_jiff()))
    }

    fn json(&self, column: &str) -> Result<Option<String>, Wrong> {
        let document = self.value::<Json<Box<RawValue>>>(column)?;
        Ok(document.map(|Json(document)| document.get().to_owned()))
    }
}

/// Touches as one value, for one statement over all of them.
fn touch(touches: &[SessionTouch]) -> Result<Statement> {
    let rows: Vec<_> = touches
        .iter()
        .map(|touch| (touch.tenant.as_uuid(), touch.id.as_uuid(), touch.at))
        .collect();
    // A session that is being ended right now is left alone: waiting for it, in
    // whatever order these come, could be waiting for each other.
    let statement = Statement::new(
        "UPDATE sessions SET last_active_at = touched.at FROM \
         (SELECT (value ->> 0)::uuid AS tenant, (value ->> 1)::uuid AS id, \
         max((value ->> 2)::timestamptz) AS at FROM json_array_elements($1) GROUP BY 1, 2) AS touched \
         WHERE (sessions.tenant, sessions.id) IN (SELECT s.tenant, s.id FROM sessions AS s \
         JOIN json_array_elements($1) AS t (value) \
         ON s.tenant = (t.value ->> 0)::uuid AND s.id = (t.value ->> 1)::uuid \
         WHERE s.ended_at IS NULL FOR NO KEY UPDATE OF s SKIP LOCKED) \
         AND sessions.tenant = touched.tenant AND sessions.id = touched.id \
         AND ended_at IS NULL AND last_active_at < touched.at",
    );
    Ok(statement.bind(Value::Json(json(&rows)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_a_long_database_name_fit() {
        for database in ["gatelodge", &"ä".repeat(31), &"x".repeat(63)] {
            for number in [1, 2, 4_000_000_000] {
                for role in Roles::of(database, number).all() {
                    assert!(role.len() <= 63, "{role}");
                }
            }
        }
        assert_ne!(Roles::of("x", 1), Roles::of("x", 2));
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted(r#"a"b"#), r#""a""b""#);
    }
}
