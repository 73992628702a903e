//! Compares what clients were told with what is there.

use std::collections::{HashMap, HashSet};

use gatelodge_e2e::{api::Api, place::Place};
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    journal::Entry,
    work::{WITH_PASSWORD, WITHOUT},
};

/// What the database holds.
#[derive(Debug, Default)]
struct Held {
    /// Users by id.
    users: HashMap<String, String>,
    /// The users that have a record of a provider.
    with_record: HashSet<String>,
    /// How each session ended, by id; `-` for those that did not.
    sessions: HashMap<String, String>,
    /// What each successful event is about, by action.
    events: HashMap<String, HashSet<String>>,
}

/// What is not as it was acknowledged, or there by half, as the database itself has it.
pub async fn of_storage(place: &Place, entries: &[Entry]) -> Vec<String> {
    let mut violations = Vec::new();
    let held = held(place, &mut violations).await;
    for entry in entries {
        if let Entry::User(id, name) = entry
            && held.users.get(id) != Some(name)
        {
            violations.push(format!("the acknowledged user `{name}` is lost"));
        }
    }
    half_users(&held, &mut violations);
    half_sessions(&held, &mut violations);
    violations
}

/// Which sessions are not what they were said to be, as the server answers; only the last `count` are asked for.
pub async fn of_sessions(nobody: &Api, entries: &[Entry], count: usize) -> Vec<String> {
    let mut known: Vec<(&str, Option<bool>)> = Vec::new();
    let mut places = HashMap::new();
    for entry in entries {
        let (token, is_open) = match entry {
            Entry::User(..) => continue,
            Entry::Begun(token) => (token.as_str(), Some(true)),
            Entry::Leaving(token) => (token.as_str(), None),
            Entry::Ended(token) => (token.as_str(), Some(false)),
        };
        let place = *places.entry(token).or_insert(known.len());
        match known.get_mut(place) {
            Some(session) => session.1 = is_open,
            None => known.push((token, is_open)),
        }
    }
    let mut violations = Vec::new();
    for (token, is_open) in known.iter().rev().take(count) {
        let answer = nobody.with_token(token).get("/api/v1/session").await;
        match (answer.status, is_open) {
            (200, Some(true) | None) | (401, Some(false) | None) => {}
            (401, Some(true)) => violations.push("an acknowledged session is lost".to_owned()),
            (200, Some(false)) => violations.push("a session that was ended is open".to_owned()),
            (status, _) => violations.push(format!("a session is answered with {status}")),
        }
    }
    violations
}

/// A user is there with its event, and with its record if it has a password; and the other way round.
fn half_users(held: &Held, violations: &mut Vec<String>) {
    let created = held.events.get("user.create").cloned().unwrap_or_default();
    for (id, name) in &held.users {
        let is_ours = name.starts_with(WITH_PASSWORD) || name.starts_with(WITHOUT);
        if is_ours && !created.contains(id) {
            violations.push(format!("the user `{name}` has no audit event"));
        }
        if name.starts_with(WITH_PASSWORD) && !held.with_record.contains(id) {
            violations.push(format!("the user `{name}` has no record"));
        }
    }
    for id in created.iter().filter(|id| !held.users.contains_key(*id)) {
        violations.push(format!(
            "there is an audit event of the user {id}, who is not there"
        ));
    }
}

/// The same of sessions.
fn half_sessions(held: &Held, violations: &mut Vec<String>) {
    let started = held
        .events
        .get("session.start")
        .cloned()
        .unwrap_or_default();
    let ended = held.events.get("session.end").cloned().unwrap_or_default();
    for (id, end) in &held.sessions {
        if !started.contains(id) {
            violations.push(format!("the session {id} has no audit event"));
        }
        if end == "signed_out" && !ended.contains(id) {
            violations.push(format!("the end of the session {id} has no audit event"));
        }
    }
    for id in started.iter().filter(|id| !held.sessions.contains_key(*id)) {
        violations.push(format!(
            "there is an audit event of the session {id}, which is not there"
        ));
    }
    for id in &ended {
        if held.sessions.get(id).is_none_or(|end| end == "-") {
            violations.push(format!(
                "there is an audit event of the end of the session {id}, which did not end"
            ));
        }
    }
}

async fn held(place: &Place, violations: &mut Vec<String>) -> Held {
    let mut database = Database::of(place).await;
    if let Database::Sqlite(connection) = &mut database {
        let said = rows(connection, "PRAGMA integrity_check").await;
        if said != ["ok"] {
            violations.push(format!("integrity_check says {said:?}"));
        }
        let said = rows(
            connection,
            "SELECT \"table\" FROM pragma_foreign_key_check()",
        )
        .await;
        if !said.is_empty() {
            violations.push(format!("foreign_key_check says {said:?}"));
        }
    }
    let mut held = Held::default();
    for (id, name) in database
        .pairs("SELECT {id} || '|' || user_name FROM {users}")
        .await
    {
        held.users.insert(id, name);
    }
    let recorded = "SELECT DISTINCT {user} || '|' FROM {records} WHERE \"user\" IS NOT NULL";
    for (id, _) in database.pairs(recorded).await {
        held.with_record.insert(id);
    }
    let ends = "SELECT {id} || '|' || coalesce(end_reason, '-') FROM {sessions}";
    held.sessions.extend(database.pairs(ends).await);
    let events = "SELECT replace(object_id, '-', '') || '|' || action FROM {audit_events} \
                  WHERE object_id IS NOT NULL AND reason IS NULL";
    for (id, action) in database.pairs(events).await {
        held.events.entry(action).or_default().insert(id);
    }
    held
}

/// A way to ask the database itself.
enum Database {
    Sqlite(SqliteConnection),
    Postgres(gatelodge_e2e::storage::Postgres),
}

impl Database {
    async fn of(place: &Place) -> Self {
        match place.postgres() {
            Some(postgres) => Self::Postgres(postgres.clone()),
            None => {
                let options = SqliteConnectOptions::new().filename(place.database());
                Self::Sqlite(options.connect().await.unwrap())
            }
        }
    }

    /// The rows of a statement that answers one text, in two parts. What the backends write in their own way stands in
    /// braces.
    async fn pairs(&mut self, sql: &str) -> Vec<(String, String)> {
        let is_sqlite = matches!(self, Self::Sqlite(_));
        let mut sql = sql.to_owned();
        for column in ["id", "user"] {
            let hex = if is_sqlite {
                format!("lower(hex(\"{column}\"))")
            } else {
                format!("replace(\"{column}\"::text, '-', '')")
            };
            sql = sql.replace(&format!("{{{column}}}"), &hex);
        }
        for table in ["users", "records", "sessions", "audit_events"] {
            let schema = if is_sqlite { "" } else { "gatelodge." };
            sql = sql.replace(&format!("{{{table}}}"), &format!("{schema}{table}"));
        }
        let found = match self {
            Self::Sqlite(connection) => rows(connection, &sql).await,
            Self::Postgres(postgres) => {
                let text = postgres.sql(&sql).await;
                text.lines().map(str::to_owned).collect()
            }
        };
        let in_two = |row: &String| {
            let (one, other) = row.split_once('|').unwrap();
            (one.to_owned(), other.to_owned())
        };
        found.iter().map(in_two).collect()
    }
}

async fn rows(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_all(connection)
        .await
        .unwrap()
}
