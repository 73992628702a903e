//! From SQLite to Postgres and back, and what becomes of a move that is cut short.

use std::time::Instant;

use gatelodge_e2e::{
    api::Api,
    load::{Journal, Load},
    nodes::UNLIMITED,
    place::{Place, Start},
    storage::{Postgres, Storage},
    visitor::Visitor,
    wait,
    world::{HOME, World},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::sleep;

/// Runs `storage <what>` between two databases; addresses lie in files, as they hold passwords.
async fn between(
    place: &Place,
    what: &[&str],
    from: &str,
    to: &str,
) -> gatelodge_e2e::place::Finished {
    let files = [("from.url", from), ("to.url", to)].map(|(name, url)| {
        let file = place.root().join(name);
        std::fs::write(&file, url).unwrap();
        format!("@{}", file.display())
    });
    let [from, to] = &files;
    let all = [&["storage"], what, &["--from", from, "--to", to]].concat();
    place.run(&all).await
}

fn file_of(place: &Place) -> String {
    format!("sqlite:{}", place.database().display())
}

/// Somebody who was signed in before the move.
struct Inhabitant {
    password: String,
    browser: Visitor,
    program: Api,
}

impl Inhabitant {
    async fn of(world: &World) -> Self {
        let password = world.user(HOME, "ada").await;
        let browser = world.visitor();
        browser
            .sign_in(&format!("/t/{HOME}"), "ada", &password)
            .await;
        let program = world.nobody().sign_in(HOME, "ada", &password).await;
        Self {
            password,
            browser,
            program,
        }
    }

    async fn is_at_home(&self, server: &gatelodge_e2e::server::Server) {
        let here = format!("/t/{HOME}");
        assert!(
            self.browser.at(server).is_signed_in(&here).await,
            "the cookie does not count"
        );
        assert!(
            self.program.at(server).is_signed_in().await,
            "the token does not count"
        );
        Api::new(server).sign_in(HOME, "ada", &self.password).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_moves_to_postgres_under_load_and_back_and_nobody_notices() {
    let world = World::on(Storage::Embedded, UNLIMITED).await;
    let ada = Inhabitant::of(&world).await;
    let load = Load::start(&world, "ada", &ada.password);
    load.goes_on(5).await;
    let key = std::fs::read_to_string(world.place.master_key_file()).unwrap();
    let postgres = Postgres::new().with_master_key(key.trim());
    let (old, new) = (file_of(&world.place), postgres.owner_url().to_owned());

    // As much as can be while everybody works, and then the rest.
    let begun = Instant::now();
    let first = between(&world.place, &["copy", "--more-to-come"], &old, &new).await;
    first.succeeded();
    let first = begun.elapsed();
    load.goes_on(5).await;
    let target = Place::on(Storage::Postgres(postgres.clone())).configured(UNLIMITED);
    target
        .refused(Start::default())
        .await
        .refused(&["copy", "not finished"]);
    between(&world.place, &["verify"], &old, postgres.url())
        .await
        .refused(&["not hold the same"]);
    let journal = load.finish().await;
    assert!(journal.refused.is_empty(), "{:?}", journal.statuses());
    assert!(world.server.stop().await.success());
    let begun = Instant::now();
    between(&world.place, &["copy"], &old, &new)
        .await
        .succeeded();
    let second = begun.elapsed();
    between(&world.place, &["verify"], &old, &new)
        .await
        .succeeded();
    println!(
        "copied {} acknowledged changes: {first:.3?} under load, {second:.3?} to catch up",
        journal.acknowledged()
    );

    let server = target.serve().await;
    ada.is_at_home(&server).await;
    assert_all_there(&target, &server, &journal).await;
    let keeper = world.administrator.at(&server);
    let path = format!("/api/v1/tenants/{HOME}/users");
    keeper
        .post(&path, json!({ "user_name": "late" }))
        .await
        .expect(201);
    let leaver = Api::new(&server).sign_in(HOME, "ada", &ada.password).await;
    leaver.delete("/api/v1/session").await.expect(204);
    assert!(server.stop().await.success());

    // And back, by the account that serves.
    let home = Place::embedded().configured(UNLIMITED);
    home.put_master_key(&key);
    let file = file_of(&home);
    between(&target, &["copy"], postgres.url(), &file)
        .await
        .succeeded();
    between(&target, &["verify"], postgres.url(), &file)
        .await
        .succeeded();
    let server = home.serve().await;
    ada.is_at_home(&server).await;
    assert!(!leaver.at(&server).is_signed_in().await);
    assert_all_there(&home, &server, &journal).await;
    let listed = home
        .run(&["--json", "user", "list", "-t", HOME])
        .await
        .succeeded();
    assert!(listed.contains("\"late\""), "{listed}");
}

async fn assert_all_there(
    place: &Place,
    server: &gatelodge_e2e::server::Server,
    journal: &Journal,
) {
    let listed = place.run(&["--json", "user", "list", "-t", HOME]).await;
    journal.assert_users_in(&listed.succeeded());
    journal.assert_sessions_at(server).await;
}

/// An installation on SQLite that takes a moment to copy, no longer served.
async fn many_users() -> (Place, String) {
    let world = World::on(Storage::Embedded, UNLIMITED).await;
    let password = world.user(HOME, "ada").await;
    world.open_registration(HOME).await;
    let path = format!("/api/v1/tenants/{HOME}/users");
    for number in 0..150 {
        let new = json!({ "user_name": format!("bird-{number}") });
        world.administrator.post(&path, new).await.expect(201);
    }
    assert!(world.server.stop().await.success());
    (world.place, password)
}

/// Where a copy is held up, to be killed there: in the order in which it writes.
const TABLES: [&str; 7] = [
    "tenants",
    "tenant_settings",
    "users",
    "user_grants",
    "records",
    "sessions",
    "audit_events",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_at_any_moment_is_finished_by_the_next_and_served_only_then() {
    let (place, password) = many_users().await;
    let key = std::fs::read_to_string(place.master_key_file()).unwrap();
    let old = file_of(&place);
    let postgres = Postgres::new().with_master_key(key.trim());
    let target = Place::on(Storage::Postgres(postgres.clone())).configured(UNLIMITED);
    target.run(&["storage", "migrate"]).await.succeeded();
    let url = place.root().join("to.url");
    std::fs::write(&url, postgres.url()).unwrap();
    let to = format!("@{}", url.display());
    let copy = ["storage", "copy", "--from", &old, "--to", &to];
    for table in TABLES {
        let mut holder = PgConnection::connect(postgres.superuser_url())
            .await
            .unwrap();
        let hold = format!("BEGIN; LOCK TABLE gatelodge.{table} IN EXCLUSIVE MODE");
        let hold = sqlx::raw_sql(AssertSqlSafe(hold));
        hold.execute(&mut holder).await.unwrap();
        let is_killed = place.kills(&copy, is_held_up(&postgres)).await;
        holder.close().await.unwrap();
        assert!(is_killed, "the copy ended without writing {table}");
        nobody_connected(&postgres).await;
        assert!(is_begun(&postgres).await, "killed at {table} too early");
        let said = [
            "copy into this database was not finished",
            "gatelodge storage copy",
        ];
        target.refused(Start::default()).await.refused(&said);
    }
    place.run(&copy).await.succeeded();
    between(&place, &["verify"], &old, postgres.url())
        .await
        .succeeded();
    let server = target.serve().await;
    Api::new(&server).sign_in(HOME, "ada", &password).await;
}

/// Waits until somebody waits for a lock.
async fn is_held_up(postgres: &Postgres) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait::until("somebody who waits for a lock", async || {
        postgres.sql(waiting).await != "0"
    })
    .await;
}

/// Waits until the database has noticed the end of whatever was killed.
async fn nobody_connected(postgres: &Postgres) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gatelodge'";
    wait::until("the end of what was killed", async || {
        postgres.sql(others).await == "0"
    })
    .await;
}

/// Whether a copy into this database has begun and not ended.
async fn is_begun(postgres: &Postgres) -> bool {
    let there = postgres
        .sql("SELECT to_regclass('gatelodge.installation') IS NOT NULL")
        .await;
    there == "t"
        && postgres
            .sql("SELECT count(*) FROM gatelodge.installation WHERE name = 'copy'")
            .await
            == "1"
}

#[tokio::test]
async fn a_copy_into_a_database_that_is_in_use_is_refused_and_changes_nothing() {
    let (old, _) = many_users().await;
    for storage in [Storage::Embedded, Storage::Postgres(Postgres::new())] {
        let world = World::on(storage, "").await;
        let to = match world.place.postgres() {
            Some(postgres) => postgres.url().to_owned(),
            None => file_of(&world.place),
        };
        for more in [&["copy"][..], &["copy", "--more-to-come"]] {
            let refused = between(&old, more, &file_of(&old), &to).await;
            refused.refused(&["not empty"]);
        }
        let listed = world
            .run(&["--json", "user", "list", "-t", HOME])
            .await
            .succeeded();
        assert!(!listed.contains("bird"), "{listed}");
        assert!(world.administrator.is_signed_in().await);
        assert!(world.server.stop().await.success());
        world.place.serve().await;
    }
}

#[tokio::test]
async fn a_plan_says_what_a_migration_would_do_and_does_nothing() {
    for storage in [Storage::Embedded, Storage::Postgres(Postgres::new())] {
        let place = Place::on(storage);
        let before = place.files();
        assert!(planned(&place).await.iter().all(|applied| !applied));
        assert_eq!(place.files(), before, "planning left something behind");
        if let Some(postgres) = place.postgres() {
            let made = postgres.sql("SELECT to_regnamespace('gatelodge')").await;
            assert_eq!(made, "", "planning made a schema");
        }
        let done = place.run(&["storage", "migrate"]).await.succeeded();
        assert!(
            done.contains("Applied migration 1") && done.contains("up to date"),
            "{done}"
        );
        assert!(planned(&place).await.iter().all(|applied| *applied));
        let again = place.run(&["storage", "migrate"]).await.succeeded();
        assert!(again.starts_with("The schema is up to date"), "{again}");
        assert!(place.serve().await.stop().await.success());
    }
}

/// Which migrations were applied.
async fn planned(place: &Place) -> Vec<bool> {
    let plan = place
        .run(&["--json", "storage", "migrate", "--plan"])
        .await
        .json();
    let steps = plan.as_array().cloned();
    let steps = steps.unwrap_or_else(|| plan["items"].as_array().unwrap().clone());
    assert!(!steps.is_empty());
    let applied = steps
        .iter()
        .map(|step| step["is_applied"].as_bool().unwrap());
    applied.collect()
}

/// Ten kills spread over the time that a migration takes.
#[tokio::test]
async fn a_migration_that_is_killed_at_any_moment_leaves_nothing_by_half() {
    let migrate = ["storage", "migrate"];
    let begun = Instant::now();
    let place = Place::on(Storage::Postgres(Postgres::new()));
    place.run(&migrate).await.succeeded();
    let span = begun.elapsed();
    let mut killed = [0; 2];
    for tenth in 1..=10 {
        let place = Place::on(Storage::Postgres(Postgres::new()));
        let postgres = place.postgres().unwrap();
        if place.kills(&migrate, sleep(span * tenth / 12)).await {
            let applied = is_applied(postgres).await;
            killed[usize::from(applied)] += 1;
        }
        // Its connection may not have noticed yet; the next one waits for it.
        place.run(&migrate).await.succeeded();
        assert!(is_applied(postgres).await);
        assert!(planned(&place).await.iter().all(|applied| *applied));
        assert!(place.serve().await.stop().await.success());
    }
    let [before, after] = killed;
    println!(
        "a migration of {span:.3?} was killed {before} times before it was done and {after} times after"
    );
    assert!(before > 0, "it was always done already");
}

/// Whether the schema is there, which is then complete.
async fn is_applied(postgres: &Postgres) -> bool {
    nobody_connected(postgres).await;
    let count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'gatelodge'";
    let tables = postgres.sql(count).await;
    if tables == "0" {
        return false;
    }
    let migrations = "SELECT count(*) FROM gatelodge.schema_migrations";
    assert_ne!(
        postgres.sql(migrations).await,
        "0",
        "{tables} tables and no migration"
    );
    let roles = "SELECT count(*) FROM pg_roles JOIN gatelodge.schema_info ON rolname IN (tenant_role, platform_role)";
    assert_eq!(postgres.sql(roles).await, "2");
    true
}
