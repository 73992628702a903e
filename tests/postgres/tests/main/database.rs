use gatelodge_postgres::{Database, run_sql};

use crate::session::{Session, until};

/// Runs SQL in the same server, but in a database of its own.
fn beside(sql: &str) -> String {
    Database::new().sql(sql)
}

fn databases_called(name: &str) -> String {
    beside(&format!(
        "SELECT count(*) FROM pg_database WHERE datname = '{name}'"
    ))
}

fn roles_with(part: &str) -> String {
    beside(&format!(
        "SELECT count(*) FROM pg_roles WHERE strpos(rolname, '{part}') > 0"
    ))
}

#[test]
fn two_databases_share_a_server_and_nothing_else() {
    let (one, other) = (Database::new(), Database::new());
    assert_eq!(one.address(), other.address());
    one.sql("CREATE TABLE pet (name text); INSERT INTO pet VALUES ('Rex'), ('Mia')");
    assert_eq!(
        one.sql("SELECT name, 1 FROM pet ORDER BY name"),
        "Mia|1\nRex|1"
    );
    let said = other.try_sql("SELECT * FROM pet").unwrap_err();
    assert!(said.contains("relation \"pet\" does not exist"), "{said}");
}

#[test]
fn the_server_is_set_up_to_let_faults_show() {
    let database = Database::new();
    assert_eq!(database.sql("SHOW timezone"), "Asia/Kathmandu");
    assert_eq!(database.sql("SHOW server_encoding"), "UTF8");
    assert_eq!(database.sql("SHOW max_connections"), "500");
    assert_eq!(database.sql("SHOW fsync"), "off");
    assert_eq!(
        database.sql("SELECT string_agg(w, '' ORDER BY w) FROM unnest('{a,B,c,_d}'::text[]) AS w"),
        "_daBc"
    );
}

#[test]
fn a_script_ends_at_the_first_failure() {
    let database = Database::new();
    let said = database.try_sql("CREATE TABLE a (); SELECT 1 / 0; CREATE TABLE b ()");
    assert!(said.unwrap_err().contains("division by zero"));
    assert_eq!(
        database.sql("SELECT to_regclass('a'), to_regclass('b')"),
        "a|"
    );
}

#[test]
fn a_script_may_be_as_long_as_its_answer() {
    let database = Database::new();
    let line = "x".repeat(100_000);
    let script = format!("SELECT '{line}';\n").repeat(20);
    assert_eq!(database.sql(&script).lines().count(), 20);
}

#[test]
fn a_login_is_who_it_says_with_its_password_and_its_options() {
    let database = Database::new();
    let password = "it's / a \"pass\" @ 100 %";
    let role = database.login("runner", password, "BYPASSRLS CONNECTION LIMIT 3");
    assert_eq!(
        run_sql(&database.url_as(&role, password), "SELECT current_user").unwrap(),
        role
    );
    let wrong = run_sql(&database.url_as(&role, "guessed"), "SELECT 1").unwrap_err();
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let options = format!(
        "SELECT rolbypassrls, rolconnlimit, rolsuper FROM pg_roles WHERE rolname = '{role}'"
    );
    assert_eq!(database.sql(&options), "t|3|f");
}

#[test]
fn logins_of_the_same_name_in_two_databases_are_two() {
    let (one, other) = (Database::new(), Database::new());
    assert_ne!(one.login("app", "a", ""), other.login("app", "b", ""));
}

#[test]
fn a_dropped_database_is_gone_with_its_roles_and_whoever_is_connected() {
    let database = Database::new();
    let name = database.name().to_owned();
    let role = database.login("owner", "secret", "");
    database.sql(&format!(
        "CREATE ROLE \"gatelodge_{name}_runtime\";
        GRANT \"gatelodge_{name}_runtime\" TO \"{role}\";
        CREATE TABLE pet ();
        ALTER TABLE pet OWNER TO \"{role}\";
        GRANT SELECT ON pet TO \"gatelodge_{name}_runtime\""
    ));
    let mut session = Session::open(&database.url_as(&role, "secret"), "lingering");
    session.say("BEGIN; SELECT 1;");
    let activity = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
    until("the session", || database.sql(&activity) == "1");
    assert_eq!(roles_with(&name), "2");

    drop(database);

    assert_eq!(
        (databases_called(&name).as_str(), roles_with(&name).as_str()),
        ("0", "0")
    );
    assert!(session.end("SELECT 2;").is_err());
}

#[test]
fn a_database_goes_away_when_its_test_fails() {
    let name = std::thread::spawn(|| {
        let database = Database::new();
        std::panic::panic_any(database.name().to_owned());
    })
    .join()
    .unwrap_err();
    assert_eq!(
        databases_called(name.downcast_ref::<String>().unwrap()),
        "0"
    );
}
