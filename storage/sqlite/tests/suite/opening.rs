//! Which files are opened, and which are refused and left alone.

use std::fs;

use gatelodge_core::{
    ErrorKind,
    storage::{Mode, Scope, Storage},
};
use gatelodge_storage_sqlite::{SqliteConfig, SqliteStorage};
use gatelodge_storage_suite::fixtures::Fixtures;

use crate::place::{Place, has, number, put, run};

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_and_its_folder_are_the_owners_only() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let folder = place.folder().join("data/inner");
    let file = folder.join("gatelodge.db");
    let storage = SqliteStorage::open(SqliteConfig::at(&file)).await.unwrap();
    put(&storage, "x", b"1").await.unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.folder().join("data")), 0o700);
    assert_eq!(mode(folder.clone()), 0o700);
    assert_eq!(mode(file), 0o600);
    assert_eq!(mode(folder.join("gatelodge.db-wal")), 0o600);
}

#[tokio::test]
async fn what_was_stored_is_there_when_the_database_is_opened_again() {
    let place = Place::new();
    let storage = place.open().await;
    put(&storage, "x", b"1").await.unwrap();
    storage.close().await;
    assert!(has(&place.open().await, "x").await);
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_storage_was_only_dropped() {
    let place = Place::new();
    let storage = place.open().await;
    put(&storage, "x", b"1").await.unwrap();
    drop(storage);
    assert!(has(&place.open().await, "x").await);
}

#[tokio::test]
async fn a_closed_storage_begins_nothing() {
    let place = Place::new();
    let storage = place.open().await;
    put(&storage, "x", b"1").await.unwrap();
    storage.close().await;
    for mode in [Mode::Read, Mode::Write] {
        let error = storage.begin(Scope::Platform, mode).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(
        storage.check().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert!(storage.changes().await.is_err());
}

#[tokio::test]
async fn several_that_open_a_new_database_at_once_all_succeed() {
    let place = Place::new();
    let openers: Vec<_> = (0..6)
        .map(|_| {
            let mut config = place.config();
            config.busy_timeout_ms = 30_000;
            tokio::spawn(SqliteStorage::open(config))
        })
        .collect();
    for (number, opener) in openers.into_iter().enumerate() {
        let storage = opener.await.unwrap().unwrap();
        put(&storage, &number.to_string(), b"1").await.unwrap();
    }
    let mut other = place.other_process().await;
    assert_eq!(
        number(&mut other, "SELECT count(*) FROM schema_migrations").await,
        4
    );
}

#[tokio::test]
async fn a_path_through_a_file_is_refused_in_words() {
    let place = Place::new();
    fs::write(place.folder().join("data"), "a file").unwrap();
    let config = SqliteConfig::at(place.folder().join("data/gatelodge.db"));
    let error = SqliteStorage::open(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.message().contains("cannot create the folder"),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_takes_no_files_is_refused_in_words() {
    // Even the superuser makes no files here.
    let error = SqliteStorage::open(SqliteConfig::at("/proc/self/gatelodge.db"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.message().contains("cannot create the database"),
        "{error}"
    );
    assert!(
        error.message().contains("/proc/self/gatelodge.db"),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_is_no_database() {
    let place = Place::new();
    fs::create_dir(place.file()).unwrap();
    let error = place.refusal().await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("is not a file"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let place = Place::new();
    for content in ["x", "a longer text that is certainly not a database"] {
        fs::write(place.file(), content).unwrap();
        let error = place.refusal().await;
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(
            error.message().contains("is not a SQLite database"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(place.file()).unwrap(), content);
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let place = Place::new();
    fs::write(
        place.file(),
        b"SQLite format 3\0 and then only nonsense".repeat(200),
    )
    .unwrap();
    let error = place.refusal().await;
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    for sql in [
        "CREATE TABLE notes (text TEXT)",
        "PRAGMA application_id = 7; CREATE TABLE notes (text TEXT)",
    ] {
        let place = Place::new();
        let mut other = place.other_process().await;
        run(&mut other, sql).await;
        let before = fs::read(place.file()).unwrap();
        let error = place.refusal().await;
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("another program"), "{error}");
        assert_eq!(fs::read(place.file()).unwrap(), before);
    }
}

#[tokio::test]
async fn a_database_that_needs_a_newer_program_says_which() {
    let place = Place::new();
    place.open().await.close().await;
    let mut other = place.other_process().await;
    run(&mut other, "UPDATE schema_info SET min_binary = '7.1.0'").await;
    let error = place.refusal().await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error
            .message()
            .contains("needs gatelodge 7.1.0 or newer, this is 0."),
        "{error}"
    );
}

#[tokio::test]
async fn a_newer_schema_that_this_program_may_use_is_opened() {
    let place = Place::new();
    place.open().await.close().await;
    let mut other = place.other_process().await;
    run(
        &mut other,
        "INSERT INTO schema_migrations VALUES (999, 'of a newer program', zeroblob(32), 0)",
    )
    .await;
    place.open().await.check().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_was_changed_afterwards_is_noticed() {
    let place = Place::new();
    place.open().await.close().await;
    let mut other = place.other_process().await;
    run(
        &mut other,
        "UPDATE schema_migrations SET checksum = zeroblob(32)",
    )
    .await;
    let error = place.refusal().await;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("migration 1"), "{error}");
}

#[tokio::test]
async fn a_new_database_that_another_process_holds_is_refused_and_opened_later() {
    let place = Place::new();
    let mut other = place.other_process().await;
    run(&mut other, "BEGIN EXCLUSIVE").await;
    let mut config = place.config();
    config.busy_timeout_ms = 20;
    let error = SqliteStorage::open(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.message().contains("locked by another process"),
        "{error}"
    );
    run(&mut other, "ROLLBACK").await;
    assert_eq!(
        number(&mut other, "SELECT count(*) FROM sqlite_schema").await,
        0
    );
    place.open().await.check().await.unwrap();
}

#[tokio::test]
async fn a_database_in_use_opens_while_another_process_writes() {
    let place = Place::new();
    place.open().await.close().await;
    let mut other = place.other_process().await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let mut config = place.config();
    config.busy_timeout_ms = 20;
    let storage = SqliteStorage::open(config).await.unwrap();
    assert!(!has(&storage, "x").await);
}

#[tokio::test]
async fn a_stored_value_that_makes_no_sense_is_named() {
    let place = Place::new();
    let storage = place.open().await;
    let make = Fixtures::seeded(1);
    let (tenant, user) = (make.tenant("acme"), make.user("ada"));
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await.unwrap();
    unit.tenants().create(&tenant).await.unwrap();
    unit.enter(tenant.id).await.unwrap();
    unit.users().create(&user).await.unwrap();
    unit.commit().await.unwrap();
    let mut other = place.other_process().await;
    for (column, value) in [
        ("status", "'retired'"),
        ("created_at", "9223372036854775807"),
        ("user_name", "' '"),
    ] {
        let (sql, named) = (
            format!("UPDATE users SET {column} = {value}"),
            format!("users.{column}"),
        );
        run(&mut other, "BEGIN").await;
        run(&mut other, "CREATE TABLE kept AS SELECT * FROM users").await;
        run(&mut other, &sql).await;
        run(&mut other, "COMMIT").await;
        let mut unit = storage
            .begin(Scope::Tenant(tenant.id), Mode::Read)
            .await
            .unwrap();
        let error = unit.users().by_id(user.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(&named), "{error}");
        run(
            &mut other,
            &format!("UPDATE users SET {column} = (SELECT {column} FROM kept)"),
        )
        .await;
        run(&mut other, "DROP TABLE kept").await;
    }
}

/// As the first schema left it, with a row in it: it gets what came later, and the
/// programs that made it may go on using it.
#[tokio::test]
async fn a_database_of_the_first_schema_is_migrated_and_keeps_its_rows() {
    let place = Place::new();
    let storage = place.open().await;
    put(&storage, "kept", b"1").await.unwrap();
    storage.close().await;
    let mut other = place.other_process().await;
    let first = "SELECT min_binary = '0.1.0' FROM schema_info";
    assert_eq!(number(&mut other, first).await, 1);
    for table in ["application_origins", "applications", "outbox"] {
        run(&mut other, &format!("DROP TABLE {table}")).await;
    }
    run(&mut other, "DROP INDEX records_by_owner").await;
    run(
        &mut other,
        "DELETE FROM schema_migrations WHERE version > 1",
    )
    .await;
    let storage = place.open().await;
    assert!(has(&storage, "kept").await);
    let later = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM applications)";
    assert_eq!(number(&mut other, later).await, 0);
    assert_eq!(number(&mut other, first).await, 1, "old servers go on");
}
