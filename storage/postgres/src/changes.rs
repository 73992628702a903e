//! How this backend finds out what other units committed.
//!
//! Announced changes are rows that know their transaction. What a listener
//! remembers is the snapshot of its last look (which transactions had ended
//! then); new is every row of a transaction that had not. So a transaction that
//! stays open for hours, anywhere on the server, holds nothing up and makes
//! nothing be told twice, and numbers that commit out of order do not matter.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use gatelodge_core::{
    Result,
    storage::{FeedEvent, Mode, Scope},
};
use gatelodge_storage_sql::{Look, MANY_CHANGES, read_change};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgRow},
};
use uuid::Uuid;

use crate::{
    error::Fault,
    unit_of_work::{Roles, begin_text},
};

/// Who looks more seldom may have missed rows that were removed meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often old rows are removed: those that had been committed, for every
/// listener to read, when they were last removed.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How long a look may take, so that the database gives it up too.
const LOOK: Duration = Duration::from_secs(2);
/// Who removes old rows holds this: "GtLd" and a number of ours.
const PRUNE_LOCK: i64 = 0x4774_4c64_0000_0002;

/// The snapshot of this very statement, the server and its time, beside what is new
/// since `$1`. There is always at least one row. What a restored database brought
/// along from a server that had counted further is not new.
const NEW_ROWS: &str = "\
    WITH s AS MATERIALIZED (SELECT pg_current_snapshot() AS now) \
    SELECT s.now::text AS now, extract(epoch FROM clock_timestamp())::bigint AS clock, \
    pg_postmaster_start_time()::text AS server, c.tenant, c.what, c.object FROM s LEFT JOIN changes AS c ON c.xid >= pg_snapshot_xmin($1::text::pg_snapshot) \
    AND NOT pg_visible_in_snapshot(c.xid, $1::text::pg_snapshot) AND pg_visible_in_snapshot(c.xid, s.now) \
    ORDER BY c.seq LIMIT $2";

/// What had been committed at the snapshot `$1`, and what no transaction of this
/// server made, unless another listener is about it.
const OLD_ROWS: &str = "\
    WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($2) AS is_mine) \
    DELETE FROM changes USING turn WHERE is_mine AND (pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
    OR NOT pg_visible_in_snapshot(xid, pg_current_snapshot()))";

/// Looks at the table of changes, on a connection of its own: it must not wait
/// behind units of work.
pub(crate) struct Looker {
    options: PgConnectOptions,
    /// What begins a look, and a removal.
    begin: [String; 2],
    connection: Option<PgConnection>,
    /// The last look.
    seen: Option<Seen>,
    /// The snapshot of the last removal.
    pruned: Option<(String, Instant)>,
    prune_every: Duration,
}

/// What a listener remembers of a look.
#[derive(Clone)]
struct Seen {
    snapshot: String,
    at: Instant,
    /// The server's seconds: a clock that goes on while this machine sleeps.
    clock: i64,
    /// Which server this was. Behind a pooler another one can take its place, or
    /// the same after a crash; either may count transactions again that this saw.
    server: String,
}

impl Seen {
    /// Whether something may have been missed between this look and the next:
    /// rows that were removed, or whatever another server did.
    fn is_cut_off_from(&self, next: &Self) -> bool {
        let longest = i64::try_from(LONGEST_PAUSE.as_secs()).unwrap_or(i64::MAX);
        self.at.elapsed() > LONGEST_PAUSE
            || next.clock.saturating_sub(self.clock) > longest
            || next.server != self.server
    }
}

impl Looker {
    pub(crate) fn new(options: PgConnectOptions, roles: &Roles) -> Self {
        let begin = |mode| begin_text(roles, Scope::Platform, mode, LOOK);
        Self {
            options,
            begin: [begin(Mode::Read), begin(Mode::Write)],
            connection: None,
            seen: None,
            pruned: None,
            prune_every: PRUNE_EVERY,
        }
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// The rows that are new since a snapshot; what was seen is then this look.
    async fn new_rows(&mut self, since: &str) -> Result<Vec<PgRow>, Fault> {
        let at = Instant::now();
        let begin = self.begin[0].clone();
        let connection = self.connection().await?;
        run(connection, begin).await?;
        let rows = sqlx::query(NEW_ROWS)
            .persistent(false)
            .bind(since)
            .bind(i64::from(MANY_CHANGES) + 1)
            .fetch_all(&mut *connection)
            .await?;
        run(connection, "COMMIT".to_owned()).await?;
        if let Some(row) = rows.first() {
            self.seen = Some(Seen {
                snapshot: row.try_get("now")?,
                at,
                clock: row.try_get("clock")?,
                server: row.try_get("server")?,
            });
        }
        Ok(rows)
    }

    async fn news(&mut self, since: &str) -> Result<Option<FeedEvent>, Fault> {
        let rows = self.new_rows(since).await?;
        let mut changes = Vec::new();
        let mut is_complete = rows.len() <= MANY_CHANGES as usize;
        for row in &rows {
            let Some(tenant) = row.try_get::<Option<Uuid>, _>("tenant")? else {
                continue;
            };
            match read_change(tenant, row.try_get("what")?, row.try_get("object")?) {
                Some(change) => changes.push(change),
                // A newer program's.
                None => is_complete = false,
            }
        }
        Ok(match (is_complete, changes.is_empty()) {
            (false, _) => Some(FeedEvent::Lost),
            (true, true) => None,
            (true, false) => Some(FeedEvent::Changes(changes)),
        })
    }

    /// Removes what had been committed when this was last done. A database that
    /// does not let it is no reason to doubt what was read.
    async fn prune(&mut self) {
        let Some(now) = self.seen.as_ref().map(|seen| seen.snapshot.clone()) else {
            return;
        };
        let is_due = |(_, at): &(_, Instant)| at.elapsed() >= self.prune_every;
        if self.pruned.as_ref().is_some_and(|pruned| !is_due(pruned)) {
            return;
        }
        let Some((old, _)) = self.pruned.replace((now, Instant::now())) else {
            return;
        };
        if let Err(error) = self.remove(&old).await {
            tracing::warn!(%error, "old rows of the table of changes cannot be removed");
            self.connection = None;
        }
    }

    async fn remove(&mut self, old: &str) -> Result<(), Fault> {
        let begin = self.begin[1].clone();
        let connection = self.connection().await?;
        run(connection, begin).await?;
        sqlx::query(OLD_ROWS)
            .persistent(false)
            .bind(old)
            .bind(PRUNE_LOCK)
            .execute(&mut *connection)
            .await?;
        run(connection, "COMMIT".to_owned()).await
    }
}

async fn run(connection: &mut PgConnection, text: String) -> Result<(), Fault> {
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(connection)
        .await?;
    Ok(())
}

#[async_trait]
impl Look for Looker {
    async fn catch_up(&mut self) -> Result<()> {
        // New since the end of all transactions: nothing.
        self.new_rows("9223372036854775806:9223372036854775806:")
            .await?;
        Ok(())
    }

    async fn look(&mut self) -> Result<Option<FeedEvent>> {
        let Some(before) = self.seen.clone() else {
            self.catch_up().await?;
            return Ok(Some(FeedEvent::Lost));
        };
        let news = self.news(&before.snapshot).await?;
        let is_cut_off = self
            .seen
            .as_ref()
            .is_none_or(|now| before.is_cut_off_from(now));
        self.prune().await;
        Ok(if is_cut_off {
            Some(FeedEvent::Lost)
        } else {
            news
        })
    }

    fn give_up(&mut self) {
        self.connection = None;
        self.seen = None;
        self.pruned = None;
    }
}

#[cfg(test)]
mod tests {
    use gatelodge_postgres::Database;

    use super::*;
    use crate::{config::PostgresConfig, schema};

    const INSERT: &str = "INSERT INTO gatelodge.changes (at, tenant, what) VALUES (now(), gen_random_uuid(), 'tenant')";

    /// A listener that has seen everything, and removes at each look what was
    /// there at the look before.
    async fn looker(database: &Database) -> Looker {
        let config = PostgresConfig::at(database.url());
        let roles = schema::prepare(&config).await.unwrap();
        let mut looker = Looker::new(config.options().unwrap(), &roles);
        looker.prune_every = Duration::ZERO;
        looker.catch_up().await.unwrap();
        looker
    }

    async fn is_news(looker: &mut Looker) -> bool {
        match looker.look().await.unwrap() {
            Some(FeedEvent::Changes(changes)) => changes.len() == 1,
            None => false,
            other => panic!("{other:?}"),
        }
    }

    fn kept(database: &Database) -> String {
        database.sql("SELECT count(*) FROM gatelodge.changes")
    }

    #[tokio::test]
    async fn rows_are_removed_when_everybody_has_read_them_and_not_before() {
        let database = Database::new();
        let mut looker = looker(&database).await;
        // Somebody who writes for hours.
        let mut other = looker.options.connect().await.unwrap();
        let begin = "BEGIN; SELECT pg_current_xact_id()";
        run(&mut other, begin.to_owned()).await.unwrap();
        database.sql(INSERT);
        assert!(is_news(&mut looker).await);
        assert_eq!(kept(&database), "1", "others may not have read it yet");
        database.sql(INSERT);
        assert!(is_news(&mut looker).await);
        assert_eq!(kept(&database), "1", "the second is there");
        // What was not committed when the rows before were removed is nobody's to remove.
        run(&mut other, INSERT.to_owned()).await.unwrap();
        assert!(!is_news(&mut looker).await);
        run(&mut other, "COMMIT".to_owned()).await.unwrap();
        assert!(is_news(&mut looker).await);
        assert_eq!(kept(&database), "1", "the last one is there");
        assert!(!is_news(&mut looker).await);
        assert_eq!(kept(&database), "0");
    }

    #[tokio::test]
    async fn one_listener_removes_and_the_others_do_not_wait() {
        let database = Database::new();
        let mut looker = looker(&database).await;
        database.sql(INSERT);
        assert!(is_news(&mut looker).await);
        let mut other = looker.options.connect().await.unwrap();
        let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({PRUNE_LOCK})");
        run(&mut other, hold).await.unwrap();
        assert!(!is_news(&mut looker).await);
        assert_eq!(kept(&database), "1");
        run(&mut other, "COMMIT".to_owned()).await.unwrap();
        assert!(!is_news(&mut looker).await);
        assert_eq!(kept(&database), "0");
    }

    #[tokio::test]
    async fn rows_restored_from_a_server_that_had_counted_further_are_not_news() {
        let database = Database::new();
        let mut looker = looker(&database).await;
        database.sql(
            "INSERT INTO gatelodge.changes (xid, at, tenant, what) \
             VALUES ('9000000000000000000', now(), gen_random_uuid(), 'tenant')",
        );
        assert!(!is_news(&mut looker).await);
        assert!(!is_news(&mut looker).await);
        assert_eq!(kept(&database), "0", "nobody else would ever remove it");
        database.sql(INSERT);
        assert!(is_news(&mut looker).await);
    }

    #[tokio::test]
    async fn a_database_that_can_only_be_read_is_still_listened_to() {
        let database = Database::new();
        let mut looker = looker(&database).await;
        let name = database.name();
        database.sql(&format!(
            "ALTER DATABASE \"{name}\" SET default_transaction_read_only = on"
        ));
        looker.connection = None;
        for _ in 0..3 {
            database.sql(&format!(
                "SET default_transaction_read_only = off; {INSERT}"
            ));
            assert!(is_news(&mut looker).await);
        }
        assert_eq!(kept(&database), "3");
    }

    #[tokio::test]
    async fn who_was_away_or_meets_another_server_may_have_missed_something() {
        let database = Database::new();
        let mut looker = looker(&database).await;
        for be_away in [
            |seen: &mut Seen| seen.at = seen.at.checked_sub(Duration::from_secs(31)).unwrap(),
            // As this machine's own clock stands still while it sleeps.
            |seen: &mut Seen| seen.clock -= 32,
            |seen: &mut Seen| seen.server.push('x'),
        ] {
            be_away(looker.seen.as_mut().unwrap());
            assert_eq!(looker.look().await.unwrap(), Some(FeedEvent::Lost));
            assert!(!is_news(&mut looker).await);
        }
    }
}
