//! What Postgres itself refuses, whatever the statement: raw SQL as the roles
//! that units of work run as.

use gatelodge_core::{
    model::{Grant, NameKey, Tenant, TenantSettings},
    storage::{Mode, Page, Record, Scope, Storage, UnitOfWork},
};
use gatelodge_storage_postgres::{PostgresConfig, PostgresStorage};
use gatelodge_storage_suite::fixtures::{Fixtures, provider};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::place::Place;

/// The tables with tenants' rows, and the column that says whose each is.
const TABLES: [(&str, &str); 11] = [
    ("tenants", "id"),
    ("tenant_ancestors", "tenant"),
    ("tenant_settings", "tenant"),
    ("applications", "tenant"),
    ("application_origins", "tenant"),
    ("users", "tenant"),
    ("user_grants", "tenant"),
    ("records", "tenant"),
    ("outbox", "tenant"),
    ("sessions", "tenant"),
    ("audit_events", "tenant"),
];

/// Two tenants with a row in every table.
async fn two_tenants(storage: &PostgresStorage) -> [Tenant; 2] {
    let make = Fixtures::seeded(1);
    let tenants = [make.tenant("one"), make.tenant("other")];
    for tenant in &tenants {
        let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
        unit.tenants().create(tenant).await.unwrap();
        unit.enter(tenant.id).await.unwrap();
        let user = make.user_with_email("ada", "ada@example.com", true);
        unit.users().create(&user).await.unwrap();
        let grant = Grant::TenantAdministrator;
        unit.users().set_grant(user.id, grant, true).await.unwrap();
        let application = make.application(tenant, "shop");
        unit.applications().create(&application).await.unwrap();
        let provider = provider("password");
        let record = Record {
            key: Some(make.hash()),
            ..make.record(&provider, Some(user.id))
        };
        unit.records().create(&record).await.unwrap();
        let message = make.message(tenant, &user);
        unit.outbox().add(&message).await.unwrap();
        let session = make.session(tenant, &user);
        unit.sessions().create(&session).await.unwrap();
        let event = make.audit_event(Some(tenant.id), "user.create");
        unit.audit().append(&event).await.unwrap();
        let settings = TenantSettings::default();
        let tenants = unit.tenants();
        tenants.put_settings(tenant.id, &settings, 0).await.unwrap();
        unit.commit().await.unwrap();
    }
    tenants
}

/// A connection as the serving account of the two-address form.
struct Raw(PgConnection);

impl Raw {
    /// Begins a transaction as a role, for a tenant.
    async fn enter(&mut self, role: &str, tenant: Option<&Tenant>) {
        let tenant = tenant.map_or_else(String::new, |tenant| tenant.id.to_string());
        self.run(&format!(
            "BEGIN; SELECT set_config('role', '{role}', true), set_config('search_path', 'gatelodge', true), \
             set_config('gatelodge.tenant', '{tenant}', true)"
        ))
        .await
        .unwrap();
    }

    async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = sqlx::raw_sql(sql).execute(&mut self.0).await?;
        Ok(done.rows_affected())
    }

    /// Runs one statement in a savepoint, so that a refusal does not end the transaction.
    async fn attempt(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        self.run("SAVEPOINT attempt").await.unwrap();
        let done = self.run(sql).await;
        self.run("ROLLBACK TO attempt").await.unwrap();
        done
    }

    async fn number(&mut self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        let row = sqlx::query(sql).fetch_one(&mut self.0).await.unwrap();
        row.get(0)
    }
}

fn is_refused(result: &Result<u64, sqlx::Error>) -> bool {
    let code = |error: &sqlx::Error| {
        error
            .as_database_error()
            .and_then(|e| e.code())
            .map(|code| code.into_owned())
    };
    match result {
        Ok(rows) => *rows == 0,
        Err(error) => code(error).as_deref() == Some("42501"),
    }
}

/// The two-address form with two tenants, and a raw connection of the account that serves.
async fn world() -> (Place, PostgresStorage, Raw, [Tenant; 2]) {
    let place = Place::new();
    let config = place.two_addresses();
    let storage = PostgresStorage::open(config.clone()).await.unwrap();
    let tenants = two_tenants(&storage).await;
    let raw = Raw(PgConnection::connect(&config.url).await.unwrap());
    (place, storage, raw, tenants)
}

#[tokio::test]
async fn raw_sql_in_a_tenants_scope_reads_and_changes_nothing_of_another() {
    let (place, _storage, mut raw, [one, other]) = world().await;
    let roles = roles(&place);
    raw.enter(&roles.tenant, Some(&one)).await;
    for (table, column) in TABLES {
        let foreign = format!("{column} = '{}'", other.id);
        let seen = raw
            .number(&format!("SELECT count(*) FROM {table} WHERE {foreign}"))
            .await;
        assert_eq!(seen, 0, "{table} is read");
        let own = raw
            .number(&format!(
                "SELECT count(*) FROM {table} WHERE {column} = '{}'",
                one.id
            ))
            .await;
        assert_eq!(own, 1, "{table} has the tenant's own row");
        for change in [
            format!("UPDATE {table} SET {column} = {column} WHERE {foreign}"),
            format!("UPDATE {table} SET {column} = '{}'", other.id),
            format!("DELETE FROM {table} WHERE {foreign}"),
            format!("SELECT 1 FROM {table} WHERE {foreign} FOR UPDATE"),
        ] {
            let done = raw.attempt(&change).await;
            assert!(is_refused(&done), "{change}: {done:?}");
        }
    }
    for insert in [
        "INSERT INTO users SELECT '{}', gen_random_uuid(), 'x', 'x', 'x', 'x', NULL, NULL, false, 'active', NULL, NULL, \
         NULL, false, NULL, 1, now(), 1",
        "INSERT INTO user_grants SELECT '{}', \"user\", 'platform_administrator' FROM user_grants",
        "INSERT INTO audit_events (tenant, id, at, actor, action, object_kind, outcome, changes, client) \
         VALUES ('{}', gen_random_uuid(), now(), '{\"kind\":\"system\"}', 'x', 'x', 'success', '[]', '{}')",
        "INSERT INTO outbox SELECT '{}', gen_random_uuid(), \"user\", channel, made_at, due_at, expires_at, 0, 1, sealed \
         FROM outbox",
        "INSERT INTO applications SELECT '{}', gen_random_uuid(), 'x', 'x', 'x', '[]', '[]', now(), 1",
        "INSERT INTO application_origins SELECT '{}', id, 'https://evil.example' FROM applications",
        "INSERT INTO changes (at, tenant, what) VALUES (now(), '{}', 'tenant')",
        "INSERT INTO tenant_settings VALUES ('{}', '{}', 1) ON CONFLICT (tenant) DO UPDATE SET version = 9",
    ] {
        let insert = insert.replacen("{}", &other.id.to_string(), 1);
        let done = raw.attempt(&insert).await;
        assert!(is_refused(&done), "{insert}: {done:?}");
        assert!(done.is_err(), "{insert} is refused aloud: {done:?}");
    }
}

#[tokio::test]
async fn nobody_changes_or_removes_an_audit_event() {
    let (place, _storage, mut raw, [one, _]) = world().await;
    let roles = roles(&place);
    for (role, tenant) in [(&roles.tenant, Some(&one)), (&roles.platform, None)] {
        raw.enter(role, tenant).await;
        for change in [
            "UPDATE audit_events SET action = 'nothing'",
            "DELETE FROM audit_events",
            "TRUNCATE audit_events",
        ] {
            let done = raw.attempt(change).await;
            assert!(done.is_err() && is_refused(&done), "{change}: {done:?}");
        }
        raw.run("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_unit_without_scope_can_do_nothing() {
    let (place, _storage, mut raw, _) = world().await;
    // The account that serves, before it says as what it works.
    raw.run("BEGIN").await.unwrap();
    for (table, column) in TABLES.into_iter().chain([
        ("installation", "name"),
        ("flows", "handle"),
        ("limits", "key"),
        ("changes", "tenant"),
    ]) {
        for statement in [
            format!("SELECT * FROM gatelodge.{table}"),
            format!("UPDATE gatelodge.{table} SET {column} = {column}"),
            format!("DELETE FROM gatelodge.{table}"),
        ] {
            let done = raw.attempt(&statement).await;
            assert!(done.is_err() && is_refused(&done), "{statement}: {done:?}");
        }
    }
    raw.run("ROLLBACK").await.unwrap();
    // The tenants' role without a tenant, also after one was set and forgotten.
    let roles = roles(&place);
    for _ in 0..2 {
        raw.enter(&roles.tenant, None).await;
        for (table, column) in TABLES {
            let seen = raw.number(&format!("SELECT count(*) FROM {table}")).await;
            assert_eq!(seen, 0, "{table}");
            let done = raw
                .attempt(&format!("UPDATE {table} SET {column} = {column}"))
                .await;
            assert!(is_refused(&done), "{table}: {done:?}");
        }
        raw.run("ROLLBACK; BEGIN; SELECT set_config('gatelodge.tenant', gen_random_uuid()::text, true); COMMIT")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_platforms_role_reaches_its_named_tables_only() {
    let (place, _storage, mut raw, [one, _]) = world().await;
    let roles = roles(&place);
    raw.enter(&roles.platform, None).await;
    for denied in [
        "SELECT * FROM records",
        "SELECT sealed FROM records",
        "SELECT label FROM records",
        "SELECT tenant FROM records FOR UPDATE",
        "UPDATE records SET key = NULL",
        "DELETE FROM records",
        "INSERT INTO records SELECT tenant, gen_random_uuid(), provider, \"user\", NULL, 'x', NULL, now(), 1, '' FROM records",
        "SELECT * FROM users",
        "SELECT display_name FROM users",
        "SELECT email FROM users",
        "UPDATE users SET status = 'deactivated'",
        "INSERT INTO user_grants SELECT tenant, \"user\", 'platform_administrator' FROM user_grants",
        "DELETE FROM user_grants",
        "INSERT INTO outbox SELECT tenant, gen_random_uuid(), \"user\", channel, made_at, due_at, expires_at, 0, 1, sealed \
         FROM outbox",
        "UPDATE outbox SET \"user\" = gen_random_uuid()",
        "UPDATE outbox SET sealed = sealed",
        "INSERT INTO applications SELECT tenant, gen_random_uuid(), 'x', 'x', 'x', '[]', '[]', now(), 1 FROM applications",
        "UPDATE applications SET return_to = '[]'",
        "DELETE FROM applications",
        "INSERT INTO application_origins SELECT tenant, application, 'https://evil.example' FROM application_origins",
        "UPDATE application_origins SET origin = 'https://evil.example'",
        "DELETE FROM application_origins",
        "DELETE FROM sessions",
        "UPDATE sessions SET \"user\" = gen_random_uuid()",
        "UPDATE sessions SET token_hash = token_hash",
        "UPDATE schema_info SET min_binary = '9.9.9'",
        "CREATE TABLE mine ()",
        "ALTER TABLE records NO FORCE ROW LEVEL SECURITY",
    ] {
        let done = raw.attempt(denied).await;
        assert!(done.is_err() && is_refused(&done), "{denied}: {done:?}");
    }
    // Of tenants' logs it sees nothing.
    assert_eq!(raw.number("SELECT count(*) FROM audit_events").await, 0);
    // What it is there for.
    assert_eq!(raw.number("SELECT count(*) FROM tenants").await, 2);
    assert_eq!(
        raw.number("SELECT count(tenant) FROM users WHERE user_name_key = 'ada'")
            .await,
        2
    );
    assert_eq!(raw.number("SELECT count(*) FROM applications").await, 2);
    let found = format!("SELECT count(*) FROM sessions WHERE tenant = '{}'", one.id);
    assert_eq!(raw.number(&found).await, 1);
}

#[tokio::test]
async fn the_platforms_role_sees_whose_a_key_is_and_no_other_record() {
    let (place, _storage, mut raw, [one, other]) = world().await;
    let roles = roles(&place);
    let found = "SELECT count(\"user\") FROM records WHERE provider = 'password'";
    for (change, left) in [
        (String::new(), 2),
        (
            format!(
                "UPDATE gatelodge.records SET key = NULL WHERE tenant = '{}'",
                one.id
            ),
            1,
        ),
        (
            format!(
                "UPDATE gatelodge.records SET \"user\" = NULL WHERE tenant = '{}'",
                other.id
            ),
            0,
        ),
    ] {
        place.0.sql(&change);
        raw.enter(&roles.platform, None).await;
        assert_eq!(raw.number(found).await, left, "{change}");
        raw.run("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn rows_cannot_refer_across_tenants() {
    let (place, _storage, _raw, [one, other]) = world().await;
    // Not even by the owner, whom no policy keeps from anything.
    for insert in [
        format!(
            "INSERT INTO gatelodge.user_grants SELECT '{}', id, 'x' FROM gatelodge.users WHERE tenant = '{}'",
            one.id, other.id
        ),
        format!(
            "UPDATE gatelodge.records SET \"user\" = (SELECT id FROM gatelodge.users WHERE tenant = '{}') WHERE tenant = '{}'",
            other.id, one.id
        ),
        format!(
            "UPDATE gatelodge.application_origins SET tenant = '{}' WHERE tenant = '{}'",
            one.id, other.id
        ),
    ] {
        let refused = place.0.try_sql(&insert).unwrap_err();
        assert!(
            refused.contains("violates foreign key constraint"),
            "{refused}"
        );
    }
}

/// A pool of one connection, so that every unit uses the same.
fn one_connection(config: &PostgresConfig) -> PostgresConfig {
    let mut config = config.clone();
    config.max_connections = 1;
    config
}

#[tokio::test]
async fn a_connection_carries_nothing_of_one_tenant_into_anothers_unit() {
    let place = Place::new();
    let storage = PostgresStorage::open(one_connection(&place.two_addresses()))
        .await
        .unwrap();
    let tenants = two_tenants(&storage).await;
    for round in 0..24 {
        let (one, other) = (&tenants[round % 2], &tenants[(round + 1) % 2]);
        let mut unit = storage
            .begin(Scope::Tenant(one.id), Mode::Write)
            .await
            .unwrap();
        assert_eq!(
            unit.users().list(None, Page::first(9)).await.unwrap().len(),
            1
        );
        leave(unit, one, round).await;
        let mut unit = storage
            .begin(Scope::Tenant(other.id), Mode::Read)
            .await
            .unwrap();
        let seen = unit.tenants().list(None, Page::first(9)).await.unwrap();
        assert_eq!(
            seen.iter().map(|tenant| tenant.id).collect::<Vec<_>>(),
            [other.id],
            "round {round}"
        );
        let ada = unit
            .users()
            .by_login(&NameKey::of("ada"))
            .await
            .unwrap()
            .unwrap();
        unit.rollback().await.unwrap();
        let mut unit = storage
            .begin(Scope::Tenant(one.id), Mode::Read)
            .await
            .unwrap();
        assert!(
            unit.users().by_id(ada.id).await.unwrap().is_none(),
            "round {round}"
        );
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'gatelodge' AND state LIKE 'idle in%'";
    crate::place::eventually(|| place.0.sql(open) == "0").await;
}

/// Ends a unit in one of the ways in which they end.
async fn leave(mut unit: Box<dyn UnitOfWork>, tenant: &Tenant, way: usize) {
    match way / 2 % 6 {
        0 => unit.commit().await.unwrap(),
        1 => unit.rollback().await.unwrap(),
        2 => drop(unit),
        3 => {
            // A statement that fails.
            let taken = Fixtures::seeded(2).user("ada");
            unit.users().create(&taken).await.unwrap_err();
            drop(unit);
        }
        4 => {
            // A request that was cancelled while it waited for the database.
            let listed = unit.users();
            let list = listed.list(None, Page::first(9));
            crate::place::polled_once(list).await;
            drop(unit);
        }
        _ => {
            let mut stale = tenant.clone();
            stale.version = 99;
            unit.tenants().update(&stale).await.unwrap_err();
            unit.rollback().await.unwrap();
        }
    }
}

struct RoleNames {
    tenant: String,
    platform: String,
}

fn roles(place: &Place) -> RoleNames {
    RoleNames {
        tenant: place.0.sql("SELECT tenant_role FROM gatelodge.schema_info"),
        platform: place
            .0
            .sql("SELECT platform_role FROM gatelodge.schema_info"),
    }
}
