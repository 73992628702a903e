use gatelodge_postgres::{Database, PoolMode, Pooler, run_sql};

use crate::session::Session;

/// The process of the server that serves a statement.
const BACKEND: &str = "SELECT pg_backend_pid();";

/// A first session asks who serves it, and stays; a second asks the same.
fn served_by(pooler: &Pooler) -> (String, String) {
    let mut first = Session::open(&pooler.url(), "first");
    // Within one script the first answer comes before the second begins: the pool is asked in order.
    first.say("SET statement_timeout = 0;");
    first.say(&format!(
        "\\! psql -X -A -t -d '{}' -c '{BACKEND}'",
        pooler.url()
    ));
    let answer = first.end(BACKEND).unwrap();
    let (other, own) = answer.split_once('\n').unwrap();
    (own.to_owned(), other.to_owned())
}

#[test]
fn between_transactions_clients_share_a_connection() {
    let database = Database::new();
    let pooler = Pooler::start(&database.url(), PoolMode::Transaction);
    let (own, other) = served_by(&pooler);
    assert_eq!(own, other);
}

#[test]
fn in_a_pool_of_sessions_a_client_has_a_connection_of_its_own() {
    let database = Database::new();
    let pooler = Pooler::start(&database.url(), PoolMode::Session);
    let (own, other) = served_by(&pooler);
    assert_ne!(own, other);
}

#[test]
fn a_pooler_opens_few_connections_for_many_clients() {
    let database = Database::new();
    let pooler = Pooler::start(&database.url(), PoolMode::Transaction);
    let mut clients: Vec<_> = (0..12)
        .map(|number| Session::open(&pooler.url(), &format!("client {number}")))
        .collect();
    for client in &mut clients {
        client.say("BEGIN; SELECT pg_sleep(0.05); COMMIT;");
    }
    let backends: std::collections::BTreeSet<_> = clients
        .into_iter()
        .map(|client| client.end(BACKEND).unwrap())
        .collect();
    assert!(backends.len() <= 5, "{backends:?}");
}

#[test]
fn whoever_may_log_in_to_the_server_may_through_the_pooler() {
    let database = Database::new();
    let role = database.login("app", "se/cret", "");
    let pooler = Pooler::start(&database.url(), PoolMode::Transaction);
    let who = |password| run_sql(&pooler.url_as(&role, password), "SELECT current_user");
    assert_eq!(who("se/cret").unwrap(), role);
    assert!(who("guessed").is_err());
    assert_eq!(
        run_sql(&pooler.url(), "SELECT current_user").unwrap(),
        "postgres"
    );
}

#[test]
fn settings_that_drivers_send_are_let_through() {
    let database = Database::new();
    let pooler = Pooler::start(&database.url(), PoolMode::Transaction);
    let url = format!("{}?options=-cextra_float_digits%3D2", pooler.url());
    assert_eq!(run_sql(&url, "SELECT 1").unwrap(), "1");
}

#[test]
fn a_dropped_pooler_is_gone() {
    let database = Database::new();
    let pooler = Pooler::start(&database.url(), PoolMode::Session);
    let address = pooler.address();
    assert!(std::net::TcpStream::connect(address).is_ok());
    drop(pooler);
    assert!(std::net::TcpStream::connect(address).is_err());
}
