//! Real Postgres for tests, with nothing running beforehand: servers, a pooler and a network that fails, each gone with
//! the test that made it.
//!
//! | type | what |
//! |---|---|
//! | [`Database`] | an empty database in the one server that all tests share; what most tests want |
//! | [`Server`] | a server of a test's own, to be stopped, killed and started again |
//! | [`Pooler`] | pgbouncer in front of a database |
//! | [`Proxy`] | a network between a client and a server that can be cut or hang |
//!
//! ```
//! let database = gatelodge_postgres::Database::new();
//! database.sql("CREATE TABLE pet (name text)");
//! assert_eq!(database.sql("SELECT count(*) FROM pet"), "0");
//! ```
//!
//! Everything blocks and nothing needs a runtime, so that tests of every kind can use it. What goes wrong panics with
//! what the programs said; a missing one, with what to install.
//!
//! # How a shared server lives
//!
//! Each test may run in a process of its own, several at once, and any of them may be killed. So nobody owns the
//! server: the first process that needs it starts it, together with a watchdog, a small shell script. Each process
//! holds a lock as long as it lives, which the kernel takes back however it ends. Once nobody has held it for ten
//! seconds ([`LINGER_VARIABLE`] says otherwise), the watchdog stops the server and removes every trace. Who comes in the
//! meantime waits and starts a new one. `shared.rs` has the details.
//!
//! What one test has for itself ([`Server`], [`Pooler`]) has a guard instead, which clears up as soon as the process of
//! the test is gone.
//!
//! The servers are set up to let faults show: words are sorted as in English and not by bytes, the time zone is
//! Kathmandu's, passwords are checked. They listen on 127.0.0.1 only, with a password made at random, and keep their data
//! in the system's temporary folder, unless [`FOLDER_VARIABLE`] names a better one. Postgres refuses to run as root, so
//! for root they run as `postgres` or `nobody`.
//!
//! By hand, `cargo run -p gatelodge-postgres` makes a database, prints its URL and keeps it until its input ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a library for tests: what is not as expected fails the test"
)]

mod cluster;
mod database;
mod folder;
mod pooler;
mod ports;
mod programs;
mod proxy;
mod server;
mod shared;
mod sql;
mod url;
mod wait;

pub use database::Database;
pub use folder::FOLDER_VARIABLE;
pub use pooler::{PoolMode, Pooler};
pub use proxy::Proxy;
pub use server::Server;
pub use shared::LINGER_VARIABLE;
pub use sql::run_sql;
