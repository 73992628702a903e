//! Databases that are not ours, not ready, or full.

use std::fs;

use gatelodge_e2e::{
    place::{Finished, Place, Start},
    server::Server,
    storage::Storage,
    wait,
    world::{ADMINISTRATOR, ADMINISTRATORS_PASSWORD, HOME, World},
};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};

const IMPATIENT: &str = "[storage]\nbusy_timeout_ms = 100\n";

async fn database(place: &Place) -> SqliteConnection {
    fs::create_dir_all(place.data()).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(place.database())
        .create_if_missing(true);
    options.connect().await.unwrap()
}

async fn execute(database: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(database)
        .await
        .unwrap();
}

async fn refused(place: &Place, said: &[&str]) -> Finished {
    let finished = place.refused(Start::default()).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for part in said {
        assert!(
            finished.stderr.contains(part),
            "`{part}` is not said: {finished:?}"
        );
    }
    let last = finished.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: "), "{finished:?}");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    finished
}

/// Refused, and every file as it was.
async fn left_alone(place: &Place, said: &[&str]) {
    let before = place.files();
    refused(place, said).await;
    let after = place.files();
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    assert!(after == before, "a file was changed");
}

#[tokio::test]
async fn a_database_from_the_future_is_refused_and_left_alone() {
    let place = Place::embedded();
    assert!(place.serve().await.stop().await.success());
    let mut connection = database(&place).await;
    execute(
        &mut connection,
        "UPDATE schema_info SET min_binary = '7.1.0'",
    )
    .await;
    connection.close().await.unwrap();
    let file = place.database();
    left_alone(&place, &[file.to_str().unwrap(), "7.1.0"]).await;
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_and_left_alone() {
    for content in ["a letter to grandmother", ""] {
        let place = Place::embedded();
        fs::create_dir(place.data()).unwrap();
        if content.is_empty() {
            let mut connection = database(&place).await;
            execute(&mut connection, "CREATE TABLE notes (text TEXT)").await;
            connection.close().await.unwrap();
        } else {
            fs::write(place.database(), content).unwrap();
        }
        let file = place.database();
        left_alone(&place, &[file.to_str().unwrap()]).await;
    }
}

#[tokio::test]
async fn a_data_folder_without_its_master_key_is_refused_and_gets_no_new_one() {
    let place = Place::embedded();
    assert!(place.serve().await.stop().await.success());
    let key = place.data().join("master.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    left_alone(&place, &["master"]).await;
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    fs::write(&key, other).unwrap();
    refused(&place, &["master"]).await;
    fs::write(&key, kept).unwrap();
    assert!(place.serve().await.stop().await.success());
}

#[tokio::test]
async fn a_database_that_another_process_holds_is_refused_and_served_later() {
    let place = Place::embedded().configured(IMPATIENT);
    let mut connection = database(&place).await;
    execute(&mut connection, "BEGIN EXCLUSIVE").await;
    refused(&place, &["locked by another process"]).await;
    execute(&mut connection, "ROLLBACK").await;
    assert!(place.serve().await.stop().await.success());
    execute(&mut connection, "BEGIN IMMEDIATE").await;
    refused(&place, &["locked by another process"]).await;
    execute(&mut connection, "ROLLBACK").await;
    place.serve().await;
}

#[tokio::test]
async fn while_another_process_holds_the_database_sessions_work_and_changes_are_503() {
    let world = World::on(Storage::Embedded, IMPATIENT).await;
    let password = world.user(HOME, "ada").await;
    let visitor = world.visitor();
    visitor.sign_in("", "ada", &password).await;
    let mut connection = database(&world.place).await;
    execute(&mut connection, "BEGIN IMMEDIATE").await;
    assert!(visitor.is_signed_in("").await);
    let refused = world
        .administrator
        .post("/api/v1/tenants", json!({ "name": "late" }))
        .await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.body["code"], "unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    let page = world.visitor().open("/sign-in").await;
    assert_eq!(page.status, 503);
    assert!(page.says("Not available for a moment"), "{}", page.text());
    execute(&mut connection, "ROLLBACK").await;
    wait::until("changes work again", async || {
        world
            .administrator
            .post("/api/v1/tenants", json!({ "name": "late" }))
            .await
            .status
            == 201
    })
    .await;
}

/// A disk without room at the first start.
#[tokio::test]
async fn a_start_on_a_full_disk_is_refused_and_succeeds_when_there_is_room() {
    let place = Place::embedded();
    for file_limit_kib in [1, 16, 64] {
        let full = Start {
            file_limit_kib: Some(file_limit_kib),
            ..Start::default()
        };
        let finished = place.refused(full).await;
        assert_eq!(finished.code, Some(1), "{file_limit_kib} KiB: {finished:?}");
        assert!(
            finished.stderr.contains("error: ") && finished.stderr.contains("disk"),
            "{finished:?}"
        );
    }
    let server = place.serve().await;
    assert!(server.set_up_link().contains("/setup?token="));
}

/// A database that may not grow any further: what is there goes on, what needs room is 503, nothing is half done.
#[tokio::test]
async fn a_full_database_refuses_changes_and_keeps_what_is_there() {
    let world = World::on(Storage::Embedded, "[storage]\nmax_size_mib = 1\n").await;
    let path = format!("/api/v1/tenants/{HOME}/users");
    let mut made = 0;
    let full = loop {
        let filler = "x".repeat(200);
        let new = json!({ "user_name": format!("bird-{made:04}-{filler}"), "display_name": format!("{made}") });
        let answer = world.administrator.post(&path, new).await;
        if answer.status != 201 {
            break answer;
        }
        made += 1;
        assert!(made < 5_000, "the database never filled up");
    };
    assert_eq!(
        (full.status, &full.body["code"]),
        (503, &json!("unavailable")),
        "{full:?}"
    );
    assert!(full.headers.contains_key("retry-after"));
    assert!(
        world.administrator.is_signed_in().await,
        "reading stopped too"
    );
    let listed = world
        .run(&["--json", "user", "list", "-t", HOME])
        .await
        .succeeded();
    let birds = listed.matches("\"bird-").count();
    assert_eq!(
        birds, made,
        "a refused change is half there, or an acknowledged one is not"
    );

    // With more room everything works again, also without a restart of the database's other users.
    world.place.configure("[storage]\nmax_size_mib = 8\n");
    let world = world
        .restarted(async |server: Server| assert!(server.stop().await.success()))
        .await;
    world
        .nobody()
        .sign_in(HOME, ADMINISTRATOR, ADMINISTRATORS_PASSWORD)
        .await;
    world.user(HOME, "ada").await;
}
