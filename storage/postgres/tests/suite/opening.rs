//! Which databases and accounts are opened, and which are refused in words.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Command,
    thread,
};

use gatelodge_core::{
    Error, ErrorKind,
    storage::{Mode, Scope, Storage},
};
use gatelodge_postgres::run_sql;
use gatelodge_storage_postgres::{PostgresConfig, PostgresStorage};
use gatelodge_storage_suite::fixtures::{Fixtures, provider};

use crate::place::{Place, has, put, refusal};

/// Opens, and shows that it works in both scopes.
async fn works(config: PostgresConfig) -> PostgresStorage {
    let storage = PostgresStorage::open(config).await.unwrap();
    storage.check().await.unwrap();
    let tenant = Fixtures::seeded(1).tenant("nobody");
    let mut unit = storage
        .begin(Scope::Tenant(tenant.id), Mode::Write)
        .await
        .unwrap();
    assert!(unit.tenants().by_id(tenant.id).await.unwrap().is_none());
    unit.commit().await.unwrap();
    storage
}

#[tokio::test]
async fn several_nodes_that_open_a_new_database_at_once_all_succeed() {
    let place = Place::new();
    let config = place.two_addresses();
    let openers: Vec<_> = (0..6)
        .map(|_| tokio::spawn(PostgresStorage::open(config.clone())))
        .collect();
    for (number, opener) in openers.into_iter().enumerate() {
        let storage = opener.await.unwrap().unwrap();
        put(&storage, &number.to_string()).await.unwrap();
    }
    let rows = place
        .0
        .sql("SELECT count(*) FROM gatelodge.schema_migrations");
    assert_eq!(rows, "4");
}

#[tokio::test]
async fn one_address_is_a_superusers_or_an_owners_who_may_make_roles() {
    let place = Place::new();
    works(place.config()).await;
    let place = Place::new();
    works(PostgresConfig::at(place.owner("CREATEROLE"))).await;
}

/// The SQL that a refusal tells to run.
fn remedy(error: &Error) -> &str {
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    let (_, sql) = error.message().rsplit_once(" run: ").unwrap();
    sql
}

#[tokio::test]
async fn an_owner_who_may_not_make_roles_is_told_what_to_run_and_that_is_enough() {
    let place = Place::new();
    let one = PostgresConfig::at(place.owner("NOCREATEROLE"));
    let error = refusal(one.clone()).await;
    assert_eq!(place.0.sql("SELECT to_regnamespace('gatelodge')"), "");
    place.0.sql(remedy(&error));
    works(one).await;

    let place = Place::new();
    // It would inherit what it is granted.
    let serving = place.0.login("serving", "serves", "");
    let mut two = PostgresConfig::at(place.0.url_as(&serving, "serves"));
    two.owner_url = Some(place.owner("NOCREATEROLE"));
    let error = refusal(two.clone()).await;
    place.0.sql(remedy(&error));
    works(two).await;
}

#[tokio::test]
async fn an_account_that_owns_nothing_serves_only_what_an_owner_has_set_up() {
    let place = Place::new();
    let two = place.served_by("");
    let alone = PostgresConfig {
        owner_url: None,
        ..two.clone()
    };
    let error = refusal(alone.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.message().contains("storage.owner_url"), "{error}");

    works(two).await.close().await;
    let storage = works(alone.clone()).await;
    put(&storage, "x").await.unwrap();
    let plan = PostgresStorage::plan(&alone).await.unwrap();
    assert!(plan.iter().all(|migration| migration.is_applied));
    // By itself it can do nothing.
    for sql in [
        "SELECT * FROM gatelodge.users",
        "SELECT * FROM gatelodge.schema_info",
        "CREATE TABLE gatelodge.mine ()",
        "CREATE SCHEMA mine",
    ] {
        let refused = run_sql(&alone.url, sql).unwrap_err();
        assert!(refused.contains("permission denied"), "{sql}: {refused}");
    }

    // Somebody who was never let in.
    let stranger = place.0.login("stranger", "comes", "");
    let error = refusal(PostgresConfig::at(place.0.url_as(&stranger, "comes"))).await;
    assert_eq!(error.field(), Some("url"), "{error:?}");
    assert!(error.message().contains("was not let in"), "{error}");
}

#[tokio::test]
async fn an_account_that_could_see_every_row_does_not_serve_beside_an_owner() {
    let place = Place::new();
    let good = place.two_addresses();
    works(good.clone()).await.close().await;
    let mighty = place.0.login("mighty", "can", "SUPERUSER");
    let bypassing = place.0.login("bypassing", "can", "BYPASSRLS");
    for (url, why) in [
        (place.0.url_as(&mighty, "can"), "is a superuser"),
        (place.0.url_as(&bypassing, "can"), "can bypass row security"),
        (good.owner_url.clone().unwrap(), "owns the tables"),
    ] {
        let error = refusal(PostgresConfig {
            url,
            ..good.clone()
        })
        .await;
        assert_eq!(error.field(), Some("url"), "{error:?}");
        assert!(error.message().contains(why), "{error}");
    }

    // What it was given since, it has without saying as what it works.
    let serving = place.0.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'serving_%' AND rolname LIKE '%' || current_database()");
    let alone = PostgresConfig {
        owner_url: None,
        ..good.clone()
    };
    if place.0.sql("SHOW server_version_num").as_str() < "160000" {
        place.0.sql(&format!("ALTER ROLE \"{serving}\" INHERIT"));
        let error = refusal(alone.clone()).await;
        assert_eq!(error.field(), Some("url"), "{error:?}");
        assert!(error.message().contains("inherits rights"), "{error}");
    }
    // The owner takes it away again.
    works(good.clone()).await.close().await;
    place.0.sql(&format!(
        "GRANT USAGE ON SCHEMA gatelodge TO \"{serving}\"; GRANT SELECT ON gatelodge.users TO \"{serving}\""
    ));
    for config in [alone, good] {
        let error = refusal(config).await;
        assert_eq!(error.field(), Some("url"), "{error:?}");
        assert!(error.message().contains("rights of its own"), "{error}");
    }
}

#[tokio::test]
async fn roles_that_came_to_do_more_than_they_are_for_are_refused() {
    let place = Place::new();
    let two = place.two_addresses();
    works(two.clone()).await.close().await;
    let alone = PostgresConfig {
        owner_url: None,
        ..two.clone()
    };
    for (which, more, less) in [
        ("tenant", "BYPASSRLS", "NOBYPASSRLS"),
        ("platform", "LOGIN", "NOLOGIN"),
        ("tenant", "SUPERUSER", "NOSUPERUSER"),
    ] {
        let role = place.role(which);
        place.0.sql(&format!("ALTER ROLE \"{role}\" {more}"));
        for config in [two.clone(), alone.clone(), place.config()] {
            let error = refusal(config).await;
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
            assert!(error.message().contains(&role), "{error}");
            assert!(error.message().contains(less), "{error}");
        }
        place.0.sql(&format!("ALTER ROLE \"{role}\" {less}"));
    }
    works(two).await;
}

/// Somebody who listens, and answers everybody with `answer`, or not at all.
fn listener(answer: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            if let Some(answer) = answer {
                stream.read_exact(&mut [0; 8]).ok();
                stream.write_all(answer.as_bytes()).ok();
            } else {
                kept.push(stream);
            }
        }
    });
    port
}

#[tokio::test]
async fn what_cannot_be_reached_is_unavailable_and_no_password_is_told() {
    let place = Place::new();
    let port = place.0.address().port();
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let swap = |port: u16| {
        format!(
            "postgres://postgres:hunter2@127.0.0.1:{port}/{}",
            place.0.name()
        )
    };
    for (url, why) in [
        (swap(port), "not allowed to connect"),
        (
            place.0.url().replace(place.0.name(), "no_such_database"),
            "no such database",
        ),
        (swap(nobody), "gone"),
        (
            swap(listener(Some("HTTP/1.1 400 Bad Request\r\n\r\n"))),
            "gone",
        ),
        (swap(listener(None)), "no connection"),
    ] {
        let mut config = PostgresConfig::at(url.clone());
        // Only who never answers is waited for.
        config.acquire_timeout_ms = if why == "no connection" { 200 } else { 2_000 };
        let plan = PostgresStorage::plan(&config).await.unwrap_err();
        let mut two = config.clone();
        two.owner_url = Some(url);
        for error in [plan, refusal(config).await, refusal(two).await] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.message().contains(why), "{why}: {error:?}");
            assert!(error.message().contains("127.0.0.1:"), "{error}");
            let told = format!("{error} {error:?} {error:#?}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let place = Place::new();
    place.0.sql(
        "CREATE TABLE notes (text text); CREATE SCHEMA more; CREATE VIEW more.view AS SELECT 1",
    );
    let what = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class JOIN pg_namespace AS n \
                ON n.oid = relnamespace WHERE nspname !~ '^(pg_|information_schema)'";
    let before = place.0.sql(what);
    let two = place.two_addresses();
    for config in [place.config(), two] {
        let error = refusal(config).await;
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("another program"), "{error}");
        assert!(error.message().contains("more.view"), "{error}");
    }
    assert_eq!(place.0.sql(what), before);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'gatelodge_' || current_database() || '%'";
    assert_eq!(place.0.sql(roles), "0");
}

#[tokio::test]
async fn a_schema_of_somebody_else_is_refused() {
    let place = Place::new();
    let two = place.two_addresses();
    place
        .0
        .sql("CREATE SCHEMA gatelodge; CREATE TABLE gatelodge.users (name text)");
    let error = refusal(place.config()).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.message().contains("not what this program has made"),
        "{error}"
    );
    let error = refusal(two.clone()).await;
    assert_eq!(error.field(), Some("owner_url"), "{error:?}");
    assert!(
        error.message().contains("does not own the schema"),
        "{error}"
    );
    let error = PostgresStorage::plan(&two).await.unwrap_err();
    assert_eq!(error.field(), Some("owner_url"), "{error:?}");
    let error = refusal(PostgresConfig::at(two.owner_url.unwrap())).await;
    assert_eq!(error.field(), Some("url"), "{error:?}");
}

#[tokio::test]
async fn a_schema_that_is_not_as_it_was_left_is_refused() {
    let place = Place::new();
    let two = place.two_addresses();
    works(two.clone()).await.close().await;
    let alone = PostgresConfig {
        owner_url: None,
        ..two.clone()
    };
    place
        .0
        .sql("CREATE TABLE public.kept AS SELECT * FROM gatelodge.schema_migrations");
    place
        .0
        .sql("CREATE TABLE public.info AS SELECT * FROM gatelodge.schema_info");
    for (sql, words) in [
        (
            "UPDATE gatelodge.schema_migrations SET checksum = sha256('')",
            "migration 1",
        ),
        (
            "DELETE FROM gatelodge.schema_migrations",
            "schema_migrations",
        ),
        ("DELETE FROM gatelodge.schema_info", "schema_info"),
    ] {
        place.0.sql(sql);
        for config in [two.clone(), alone.clone(), place.config()] {
            let error = refusal(config).await;
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{sql}: {error:?}");
            assert!(error.message().contains(words), "{sql}: {error}");
        }
        place.0.sql(
            "TRUNCATE gatelodge.schema_migrations, gatelodge.schema_info; \
             INSERT INTO gatelodge.schema_migrations SELECT * FROM kept; \
             INSERT INTO gatelodge.schema_info SELECT * FROM info",
        );
    }
    // As after a restore that could not grant anything to roles that were not there.
    let role = place.role("tenant");
    place
        .0
        .sql(&format!("REVOKE USAGE ON SCHEMA gatelodge FROM \"{role}\""));
    let error = refusal(two).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.message().contains("lack their rights"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_used_until_it_asks_for_a_newer_program() {
    let place = Place::new();
    let running = place.open().await;
    place.0.sql(
        "INSERT INTO gatelodge.schema_migrations VALUES (999, 'of a newer program', sha256(''))",
    );
    running.check().await.unwrap();
    works(place.config()).await.close().await;
    place
        .0
        .sql("UPDATE gatelodge.schema_info SET min_binary = '7.1.0'");
    for error in [
        refusal(place.config()).await,
        PostgresStorage::plan(&place.config()).await.unwrap_err(),
        running.check().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        let words = "needs gatelodge 7.1.0 or newer, this is 0.";
        assert!(error.message().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_plan_says_what_is_missing_and_changes_nothing() {
    let place = Place::new();
    let two = place.two_addresses();
    let plan = PostgresStorage::plan(&two).await.unwrap();
    assert!(plan.iter().all(|migration| !migration.is_applied));
    assert_eq!(plan[0].version, 1);
    assert_eq!(place.0.sql("SELECT to_regnamespace('gatelodge')"), "");
    works(two.clone()).await;
    let plan = PostgresStorage::plan(&two).await.unwrap();
    assert!(plan.iter().all(|migration| migration.is_applied));
}

#[tokio::test]
async fn a_migration_that_is_cut_short_leaves_nothing_and_is_done_the_next_time() {
    let place = Place::new();
    let two = place.two_addresses();
    for (how, table) in [
        (
            "RAISE 'no room' USING ERRCODE = 'disk_full'",
            "schema_migrations",
        ),
        ("RAISE 'no room' USING ERRCODE = 'disk_full'", "users"),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", "users"),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", "changes"),
    ] {
        place.0.sql(&format!(
            "CREATE FUNCTION public.break() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
             IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'gatelodge.{table}') \
             THEN {how}; END IF; END $$; \
             CREATE EVENT TRIGGER breaking ON ddl_command_end EXECUTE FUNCTION public.break()"
        ));
        let error = refusal(two.clone()).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{how}: {error:?}");
        place
            .0
            .sql("DROP EVENT TRIGGER breaking; DROP FUNCTION public.break()");
        assert_eq!(
            place.0.sql("SELECT to_regnamespace('gatelodge')"),
            "",
            "{how}"
        );
        let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'gatelodge_' || current_database() || '%'";
        assert_eq!(place.0.sql(roles), "0", "{how}");
    }
    works(two).await;
}

#[tokio::test]
async fn a_database_restored_under_another_name_works_and_keeps_its_roles() {
    let place = Place::new();
    let storage = place.open().await;
    put(&storage, "x").await.unwrap();
    storage.close().await;
    let copy = Place::new();
    let folder = std::env::temp_dir().join(format!("{}.dump", copy.0.name()));
    for (program, url) in [("pg_dump", place.0.url()), ("pg_restore", copy.0.url())] {
        let mut command = Command::new(program);
        command.arg("--dbname").arg(url);
        match program {
            "pg_dump" => command.arg("-Fc").arg("--file").arg(&folder),
            _ => command.arg("--exit-on-error").arg(&folder),
        };
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
    }
    std::fs::remove_file(folder).unwrap();
    let storage = works(copy.config()).await;
    assert!(has(&storage, "x").await.unwrap());
    put(&storage, "y").await.unwrap();
    assert_eq!(copy.role("tenant"), place.role("tenant"));
}

#[tokio::test]
async fn a_new_database_takes_no_roles_that_another_one_uses() {
    let place = Place::new();
    let other = Place::new();
    other.open().await.close().await;
    // What is left of a database that had this one's name before it was renamed.
    for which in ["tenant", "platform"] {
        let role = format!("gatelodge_{}_{which}", place.0.name());
        other.0.sql(&format!(
            "CREATE ROLE \"{role}\"; GRANT USAGE ON SCHEMA gatelodge TO \"{role}\""
        ));
    }
    works(place.two_addresses()).await;
    let expected = format!("gatelodge_{}_2_tenant", place.0.name());
    assert_eq!(place.role("tenant"), expected);
    drop(other);
}

#[tokio::test]
async fn who_serves_one_installation_can_do_nothing_in_another_on_the_server() {
    let places = [Place::new(), Place::new()];
    let configs = places.each_ref().map(Place::two_addresses);
    for config in &configs {
        works(config.clone()).await;
    }
    let role = places[1].role("tenant");
    let refused = run_sql(&configs[0].url, &format!("SET ROLE \"{role}\"")).unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    let url = configs[0]
        .url
        .replace(places[0].0.name(), places[1].0.name());
    let url = url.replace(
        &format!("serving_{}", places[1].0.name()),
        &format!("serving_{}", places[0].0.name()),
    );
    let refused = run_sql(&url, "SELECT * FROM gatelodge.users").unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    let error = refusal(PostgresConfig::at(url)).await;
    assert_eq!(error.field(), Some("url"), "{error:?}");
}

/// As the first schema left it, with a row in it: it gets what came later, and the
/// programs that made it may go on using it, also while they are connected.
#[tokio::test]
async fn a_database_of_the_first_schema_is_migrated_and_keeps_its_rows() {
    let place = Place::new();
    let two = place.two_addresses();
    let old = works(two.clone()).await;
    put(&old, "kept").await.unwrap();
    let first = "SELECT min_binary = '0.1.0' FROM gatelodge.schema_info";
    assert_eq!(place.0.sql(first), "t");
    let platform = place
        .0
        .sql("SELECT platform_role FROM gatelodge.schema_info");
    place.0.sql(&format!(
        "DROP TABLE gatelodge.application_origins, gatelodge.applications, gatelodge.outbox; \
         DROP INDEX gatelodge.records_by_owner; DROP POLICY platform ON gatelodge.records; \
         REVOKE SELECT (tenant, provider, \"user\", key) ON gatelodge.records FROM {platform}; \
         DELETE FROM gatelodge.schema_migrations WHERE version > 1",
    ));
    let new = works(two).await;
    assert!(has(&new, "kept").await.unwrap());
    assert_eq!(place.0.sql("SELECT count(*) FROM gatelodge.outbox"), "0");
    let applications = "SELECT count(*) FROM gatelodge.applications";
    assert_eq!(place.0.sql(applications), "0");
    let mut unit = new.begin(Scope::Platform, Mode::Read).await.unwrap();
    let (provider, key) = (provider("password"), Fixtures::seeded(1).hash());
    let owners = unit.records().owners(&provider, &key).await;
    assert_eq!(owners.unwrap(), []);
    unit.commit().await.unwrap();
    assert_eq!(place.0.sql(first), "t", "old servers go on");
    put(&old, "later").await.unwrap();
    assert!(has(&new, "later").await.unwrap());
}
