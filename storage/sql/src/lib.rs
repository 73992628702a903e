#![doc = include_str!("../README.md")]

mod applications;
mod archive;
mod audit;
mod changes;
mod connection;
mod flows;
mod installation;
mod limits;
mod outbox;
mod records;
pub mod schema;
mod sessions;
mod statement;
mod stored;
mod tenants;
mod unit_of_work;
mod users;

pub use changes::{Changes, Look, MANY_CHANGES, read_change};
pub use connection::{Connection, Dialect};
pub use statement::{Statement, Value};
pub use stored::{Columns, Wrong};
pub use unit_of_work::{SqlSnapshot, SqlUnit, json};

/// Unique keys by the constraint's name on Postgres and the column's on SQLite,
/// and what a person calls them.
const KEYS: [(&str, &str, &str); 7] = [
    (
        "tenants_name_key",
        "tenants.name_key",
        "this tenant name is already taken",
    ),
    (
        "users_by_name",
        "users.user_name_key",
        "this user name is already taken",
    ),
    (
        "users_by_verified_email",
        "users.email_key",
        "this e-mail address is already taken",
    ),
    (
        "applications_by_name",
        "applications.name_key",
        "this application name is already taken",
    ),
    (
        "applications_audience_key",
        "applications.audience",
        "this audience is already taken",
    ),
    (
        "records_by_key",
        "records.key",
        "this record key is already taken",
    ),
    (
        "sessions_token_hash_key",
        "sessions.token_hash",
        "this session token is already taken",
    ),
];

/// What to say of a unique key that is taken, from what the database says of it.
pub fn taken(database_text: &str) -> &'static str {
    KEYS.iter()
        .find(|(constraint, column, _)| {
            database_text.contains(constraint) || database_text.contains(column)
        })
        .map_or("this already exists", |(_, _, message)| message)
}
