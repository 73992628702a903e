use gatelodge_core::{ErrorKind, environment::SystemClock};

use super::*;
use crate::SqliteConfig;

struct Bench {
    writer: Writer,
    /// As readers open it.
    elsewhere: SqliteConnectOptions,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = SqliteConfig::at(folder.path().join("test.db"));
        let path = config.prepare().unwrap();
        let options = config.writer_options(&path);
        let mut connection = options.connect().await.unwrap();
        let schema = "PRAGMA journal_mode = WAL; \
                      CREATE TABLE parents (id INTEGER PRIMARY KEY); \
                      CREATE TABLE children (parent INTEGER REFERENCES parents (id));";
        sqlx::raw_sql(schema)
            .execute(&mut connection)
            .await
            .unwrap();
        let elsewhere = options.clone();
        let writer = Writer::start(WriterParts {
            connection,
            options,
            clock: Arc::new(SystemClock),
            patience: Duration::from_secs(5),
            announced: Arc::default(),
        });
        Self {
            writer,
            elsewhere,
            _folder: folder,
        }
    }

    /// Runs statements in a unit of its own.
    async fn unit(&self, sql: &'static str) -> Result<()> {
        let mut lease = self.writer.begin().await?;
        execute(lease.connection()?, sql).await?;
        lease.commit(false).await
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let mut lease = self.writer.begin().await.unwrap();
        let connection = lease.connection().unwrap();
        sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
    }

    /// A unit that does `sql`, in one group with a neighbour on each side.
    async fn among_neighbours(&self, sql: &'static str) -> [Result<()>; 3] {
        let first = self.writer.begin().await.unwrap();
        let (one, two, three, _) = tokio::join!(
            self.unit("INSERT INTO parents VALUES (1)"),
            self.unit(sql),
            self.unit("INSERT INTO parents VALUES (3)"),
            first.rollback()
        );
        [one, two, three]
    }
}

#[tokio::test]
async fn the_writer_syncs_every_commit() {
    let bench = Bench::new().await;
    assert_eq!(bench.number("PRAGMA synchronous").await, 2);
    assert_eq!(bench.number("PRAGMA foreign_keys").await, 1);
    assert_eq!(
        bench
            .number("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'")
            .await,
        1
    );
}

/// Whoever loses against a unit of the same group looks again, and has to find what it lost against.
#[tokio::test]
async fn who_is_undone_after_others_is_answered_once_these_are_permanent() {
    let bench = Bench::new().await;
    let first = bench.writer.begin().await.unwrap();
    let mut elsewhere = bench.elsewhere.connect().await.unwrap();
    let (looked, has_looked) = oneshot::channel();
    let loses = async {
        let mut lease = bench.writer.begin().await.unwrap();
        let sql = "INSERT INTO parents VALUES (1)";
        let lost = execute(lease.connection().unwrap(), sql).await;
        lost.expect_err("there is one already");
        lease.rollback().await.unwrap();
        let count = sqlx::query_scalar("SELECT count(*) FROM parents");
        let count: i64 = count.fetch_one(&mut elsewhere).await.unwrap();
        looked.send(count).ok();
        count
    };
    let keeps_the_group_open = async {
        let lease = bench.writer.begin().await.unwrap();
        // Nobody can look while the group is open, as it should be.
        timeout(Duration::from_millis(100), has_looked).await.ok();
        lease.rollback().await
    };
    let (won, seen, _, _) = tokio::join!(
        bench.unit("INSERT INTO parents VALUES (1)"),
        loses,
        keeps_the_group_open,
        first.rollback()
    );
    won.unwrap();
    assert_eq!(seen, 1);
    assert_eq!(bench.writer.stats().commits, 1);
}

#[tokio::test]
async fn a_commit_that_fails_fails_for_the_whole_group_and_the_next_works() {
    let bench = Bench::new().await;
    // A reference that is only looked at when the transaction is committed.
    let broken = "PRAGMA defer_foreign_keys = ON; INSERT INTO children VALUES (7)";
    for answer in bench.among_neighbours(broken).await {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(bench.number("SELECT count(*) FROM parents").await, 0);
    assert_eq!(bench.number("SELECT count(*) FROM children").await, 0);
    assert_eq!(bench.writer.stats().lost_groups, 1);
    bench.unit("INSERT INTO parents VALUES (1)").await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM parents").await, 1);
}

#[tokio::test]
async fn a_transaction_that_sqlite_gave_up_fails_for_those_who_were_in_it() {
    let bench = Bench::new().await;
    let first = bench.writer.begin().await.unwrap();
    let given_up = async {
        let mut lease = bench.writer.begin().await.unwrap();
        // As SQLite does by itself when the disk is full; then an error is reported.
        execute(lease.connection().unwrap(), "ROLLBACK")
            .await
            .unwrap();
        lease.rollback().await
    };
    let (before, given_up, after, _) = tokio::join!(
        bench.unit("INSERT INTO parents VALUES (1)"),
        given_up,
        bench.unit("INSERT INTO parents VALUES (3)"),
        first.rollback()
    );
    assert_eq!(before.unwrap_err().kind(), ErrorKind::Unavailable);
    given_up.unwrap();
    after.expect("the next unit has a transaction of its own");
    assert_eq!(bench.number("SELECT sum(id) FROM parents").await, 3);
}
