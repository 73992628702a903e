//! `gatelodge restore`

use std::fs;

use serde_json::json;

use crate::installation::Installation;

const MASTER_KEY: &str = "gatelodge-data/master.key";

const PASSWORD: &str = "correct horse battery staple";

/// `acme` with `ada`, backed up in `x`.
fn backed_up() -> Installation {
    let installation = Installation::with_tenants(&["acme"]);
    let create = "user create -t acme --user-name ada --password-stdin --permanent";
    installation.with_input(create, PASSWORD).done();
    let create = "backup create --unencrypted --output x";
    installation.line(create).done();
    installation
}

/// With nothing but the master key of another.
fn with_key_of(other: &Installation) -> Installation {
    let installation = Installation::empty();
    fs::create_dir(installation.path("gatelodge-data")).unwrap();
    fs::copy(other.path(MASTER_KEY), installation.path(MASTER_KEY)).unwrap();
    installation
}

fn line(of: &Installation, arguments: &str) -> String {
    format!("restore {}{arguments}", of.path("x").display())
}

#[test]
fn everything_is_restored_and_people_sign_in_again() {
    let old = backed_up();
    let session = old.server().sign_in("acme", "ada", PASSWORD);
    old.line("backup create --unencrypted --output y").done();

    let new = with_key_of(&old);
    let words = new
        .line(&format!("restore {}", old.path("y").display()))
        .done();
    assert!(
        words.starts_with("Restored everything, 1 tenant with 1 user as it was at "),
        "{words}"
    );
    assert!(
        words.contains("\nEnded: 1 open session; everybody signs in again.\n"),
        "{words}"
    );
    assert!(words.contains("gatelodge serve"), "{words}");
    let server = new.server();
    assert!(!server.accepts(&session));
    let session = server.sign_in("acme", "ada", PASSWORD);
    assert!(server.accepts(&session));
}

#[test]
fn a_restore_needs_the_master_key_of_the_old_installation_and_makes_none() {
    let old = backed_up();
    let new = Installation::empty();
    let message = new.line(&line(&old, "")).refused(1);
    assert!(
        message.contains("`gatelodge-data/master.key`, which is not there"),
        "{message}"
    );
    assert!(!new.path("gatelodge-data").exists());

    let other = Installation::new();
    let new = with_key_of(&other);
    let message = new.line(&line(&old, "")).refused(1);
    assert!(
        message.starts_with("the master key is not that of the installation"),
        "{message}"
    );
    let problem = new.line(&line(&old, " --json")).problem(1);
    assert_eq!(problem["code"], "wrong_master_key");
    assert_eq!(fs::read_dir(new.path("gatelodge-data")).unwrap().count(), 1);
}

#[test]
fn everything_is_restored_into_an_empty_database_only() {
    let old = backed_up();
    let message = old.line("restore x").refused(1);
    assert!(
        message.starts_with("`x` was not restored: the target is not empty; "),
        "{message}"
    );
    let message = old.line("restore x --replace").refused(2);
    assert!(
        message.contains("`--replace` is for one tenant"),
        "{message}"
    );
    // A broken one does not even make the database.
    let new = with_key_of(&old);
    let whole = fs::read(old.path("x")).unwrap();
    fs::write(new.path("cut"), &whole[..whole.len() - 9]).unwrap();
    let message = new.line("restore cut").refused(1);
    assert!(message.starts_with("`cut` "), "{message}");
    assert_eq!(fs::read_dir(new.path("gatelodge-data")).unwrap().count(), 1);
}

#[test]
fn one_tenant_comes_back_while_the_server_runs() {
    let installation = backed_up();
    installation.line("tenant create globex").done();
    installation.line("tenant delete acme --yes").done();
    let server = installation.server();
    let restored = installation.json("restore x --tenant ACME");
    assert_eq!(restored["tenant"]["name"], "acme");
    assert_eq!(restored["rows"]["user"], 1);
    server.sign_in("acme", "ada", PASSWORD);
    let tenants = installation.json("tenant list");
    assert_eq!(tenants["items"].as_array().unwrap().len(), 2);
}

#[test]
fn a_tenant_that_is_there_is_replaced_only_when_that_is_meant() {
    let installation = backed_up();
    installation
        .line("backup create --unencrypted --output acme --tenant acme")
        .done();
    installation
        .line("user create -t acme --user-name eve --no-password")
        .done();
    for file in ["acme", "x --tenant acme"] {
        let message = installation.line(&format!("restore {file}")).refused(1);
        assert!(
            message.starts_with("tenant `acme` is there; add `--replace`"),
            "{message}"
        );
        let message = installation
            .line(&format!("restore {file} --replace"))
            .refused(2);
        assert!(
            message.contains("2 users") && message.contains("add `--yes`"),
            "{message}"
        );
    }
    let server = installation.server();
    let session = server.sign_in("acme", "ada", PASSWORD);
    let words = installation.line("restore acme --replace --yes").done();
    assert!(
        words.starts_with("Restored tenant `acme` with 1 user as it was at "),
        "{words}"
    );
    let users = installation.json("user list -t acme");
    assert_eq!(users["items"].as_array().unwrap().len(), 1);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while server.accepts(&session) {
        assert!(std::time::Instant::now() < end, "the session goes on");
    }
    server.sign_in("acme", "ada", PASSWORD);
}

#[test]
fn a_tenant_that_is_not_in_the_backup_or_of_another_installation_is_refused() {
    let installation = backed_up();
    installation
        .line("backup create --unencrypted --output acme --tenant acme")
        .done();
    for file in ["x", "acme"] {
        let message = installation
            .line(&format!("restore {file} --tenant nobody"))
            .refused(1);
        assert_eq!(
            message,
            format!("there is no tenant `nobody` in the backup `{file}`")
        );
    }
    let other = Installation::new();
    let message = other
        .line(&line(&installation, " --tenant acme"))
        .refused(1);
    assert!(
        message.contains("was not restored: the backup was made by another installation"),
        "{message}"
    );
    assert_eq!(other.json("tenant list"), json!({ "items": [] }));
    let nowhere = Installation::empty();
    let message = nowhere
        .line(&line(&installation, " --tenant acme"))
        .refused(1);
    assert!(message.starts_with("there is no database at "), "{message}");
}

/// A backup knows nothing of the backend: from SQLite into Postgres, and one of
/// that back into SQLite.
#[test]
fn a_backup_goes_from_one_backend_to_the_other_and_back() {
    let old = backed_up();
    let database = gatelodge_postgres::Database::new();
    let postgres = with_key_of(&old);
    let url = database.url();
    let on_postgres = |line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        let mut command = postgres.command(&arguments);
        let done = command
            .env("GATELODGE_STORAGE__URL", &url)
            .output()
            .unwrap();
        let output = String::from_utf8(done.stdout).unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        (done.status.code().unwrap(), output, errors)
    };
    let (code, words, errors) = on_postgres(&line(&old, ""));
    assert_eq!(code, 0, "{errors}");
    assert!(
        words.starts_with("Restored everything, 1 tenant with 1 user"),
        "{words}"
    );
    let (code, _, errors) = on_postgres(&line(&old, ""));
    assert_eq!(code, 1);
    assert!(errors.contains("the target is not empty"), "{errors}");
    let (code, _, errors) = on_postgres(&line(&old, " --tenant acme --replace --yes"));
    assert_eq!(code, 0, "{errors}");
    let (code, _, errors) = on_postgres("backup create --unencrypted --output x");
    assert_eq!(code, 0, "{errors}");
    let new = with_key_of(&old);
    new.line(&line(&postgres, "")).done();
    new.server().sign_in("acme", "ada", PASSWORD);
}
