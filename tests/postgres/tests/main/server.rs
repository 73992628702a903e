use gatelodge_postgres::{Database, Server};

use crate::session::{Session, until};

/// A server with a table of one row, and a session in the middle of a transaction that adds another.
fn busy() -> (Server, Session) {
    let server = Server::start();
    server.sql("CREATE TABLE pet (name text); INSERT INTO pet VALUES ('kept')");
    let mut session = Session::open(&server.url(), "busy");
    session.say("BEGIN; INSERT INTO pet VALUES ('lost'); SELECT pg_sleep(60);");
    let sleeps = "SELECT count(*) FROM pg_stat_activity
                  WHERE application_name = 'busy' AND wait_event = 'PgSleep'";
    until("the transaction", || server.sql(sleeps) == "1");
    (server, session)
}

fn comes_back_with_what_was_committed(mut server: Server, session: Session) {
    let url = server.url();
    assert!(session.end("COMMIT;").is_err());
    assert!(server.try_sql("SELECT 1").is_err());
    server.start_again();
    assert_eq!(server.url(), url);
    assert_eq!(server.sql("SELECT name FROM pet"), "kept");
}

#[test]
fn a_server_that_was_stopped_starts_again_with_its_data() {
    let (mut server, session) = busy();
    server.stop();
    assert!(server.logged().contains("fast shutdown"));
    comes_back_with_what_was_committed(server, session);
}

#[test]
fn a_server_that_was_stopped_at_once_recovers() {
    let (mut server, session) = busy();
    server.stop_immediate();
    assert!(server.logged().contains("immediate shutdown"));
    comes_back_with_what_was_committed(server, session);
}

#[test]
fn a_server_that_was_killed_recovers_and_can_be_killed_again() {
    let (mut server, session) = busy();
    server.kill();
    comes_back_with_what_was_committed_twice(server, session);
}

fn comes_back_with_what_was_committed_twice(mut server: Server, session: Session) {
    assert!(session.end("COMMIT;").is_err());
    server.start_again();
    assert!(server.logged().contains("automatic recovery in progress"));
    server.sql("INSERT INTO pet VALUES ('second')");
    server.kill();
    server.start_again();
    assert_eq!(server.sql("SELECT name FROM pet"), "kept\nsecond");
}

#[test]
fn a_server_is_as_durable_as_postgres_is_and_nobody_elses() {
    let server = Server::start();
    assert_eq!(server.sql("SHOW fsync"), "on");
    assert_eq!(server.sql("SHOW synchronous_commit"), "on");
    assert_ne!(server.address(), Database::new().address());
    assert!(
        gatelodge_postgres::run_sql(&server.url_as("postgres", "guessed"), "SELECT 1").is_err()
    );
}

#[test]
fn a_dropped_server_leaves_nothing_behind() {
    for is_killed in [false, true] {
        let mut server = Server::start();
        let data = server.sql("SHOW data_directory");
        let segment =
            "SELECT line FROM regexp_split_to_table(pg_read_file('postmaster.pid'), '\\n')
                       WITH ORDINALITY AS lines (line, number) WHERE number = 7";
        let segment = server.sql(segment);
        let segment = segment.split_whitespace().last().unwrap().to_owned();
        let exists = || {
            let text = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
            text.lines()
                .any(|line| line.split_whitespace().nth(1) == Some(&segment))
        };
        assert!(exists());
        if is_killed {
            server.kill();
        }
        let address = server.address();
        drop(server);
        assert!(!std::path::Path::new(&data).parent().unwrap().exists());
        assert!(std::net::TcpStream::connect(address).is_err());
        assert!(!exists(), "killed: {is_killed}");
    }
}
