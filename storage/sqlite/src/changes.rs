//! What other units committed, in this process or another.
//!
//! Announced changes are rows with rising numbers. One task per storage looks
//! at `PRAGMA data_version` four times a second, and at once after a commit of
//! this process, reads the new rows and tells all feeds. A feed that would have
//! to say something it is not sure of says nothing, and then [`FeedEvent::Lost`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    model::{SessionId, TenantId, UserId},
    storage::{Change, ChangeFeed, Changed, FeedEvent},
};
use sqlx::{
    ConnectOptions, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::{
    sync::{Notify, broadcast},
    task::AbortHandle,
    time::timeout_at,
};

use crate::{error::Fault, reader::Stored};

/// How often another process's commits are looked for.
const POLL: Duration = Duration::from_millis(250);
/// A confirmation that waited longer for its reader says nothing any more.
const FRESH: Duration = Duration::from_millis(400);
/// Messages that a slow feed may fall behind.
const BACKLOG: usize = 256;
/// More new rows than this at once, and forgetting everything is cheaper.
const MANY: usize = 1_000;

/// The rows after `?1`, beside the last number ever given: one statement, so
/// one consistent view. There is always at least one row.
const NEW_ROWS: &str = "\
    SELECT latest.seq AS latest, c.seq, c.tenant, c.what, c.object \
    FROM (SELECT coalesce(max(seq), 0) AS seq FROM sqlite_sequence WHERE name = 'changes') AS latest \
    LEFT JOIN changes AS c ON c.seq > ?1 \
    ORDER BY c.seq LIMIT ?2";

/// The poller's other end.
pub(crate) struct Changes {
    /// The poller has the strong one: when it stops, all feeds end.
    feeds: broadcast::WeakSender<Message>,
    poller: AbortHandle,
}

#[derive(Clone)]
struct Message {
    /// When what it says was true.
    seen_at: Instant,
    event: FeedEvent,
}

impl Changes {
    /// Starts the poller at the present end of the table.
    pub(crate) async fn start(
        options: SqliteConnectOptions,
        announced: Arc<Notify>,
    ) -> Result<Self, Fault> {
        let (feeds, _) = broadcast::channel(BACKLOG);
        let mut poller = Poller {
            options,
            connection: None,
            version: None,
            seen: 0,
            is_sure: false,
            announced,
            feeds,
        };
        poller.catch_up().await?;
        let feeds = poller.feeds.downgrade();
        let poller = tokio::spawn(poller.run()).abort_handle();
        Ok(Self { feeds, poller })
    }

    pub(crate) fn feed(&self) -> Result<SqliteFeed> {
        let feeds = self.feeds.upgrade().ok_or(Fault::Closed)?;
        Ok(SqliteFeed {
            messages: feeds.subscribe(),
        })
    }

    pub(crate) fn close(&self) {
        self.poller.abort();
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.close();
    }
}

struct Poller {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// The `data_version` that the last look was made at.
    version: Option<i64>,
    /// The number of the last row read.
    seen: i64,
    /// Whether every row up to `seen` was told.
    is_sure: bool,
    announced: Arc<Notify>,
    feeds: broadcast::Sender<Message>,
}

impl Poller {
    async fn run(mut self) {
        let announced = self.announced.clone();
        let mut next_tick = Instant::now();
        loop {
            let _woken = timeout_at(next_tick.into(), announced.notified()).await;
            let seen_at = Instant::now();
            let is_tick = seen_at >= next_tick;
            if is_tick {
                next_tick = seen_at + POLL;
            }
            match self.look().await {
                Ok(event) => self.tell(seen_at, event, is_tick),
                Err(fault) => self.doubt(&fault),
            }
        }
    }

    fn tell(&self, seen_at: Instant, news: Option<FeedEvent>, is_tick: bool) {
        // No receiver is no error: nobody listens.
        let send = |event| self.feeds.send(Message { seen_at, event }).ok();
        news.and_then(send);
        if is_tick {
            send(FeedEvent::Confirmed);
        }
    }

    /// Says nothing until it works again, and then that changes may be lost.
    fn doubt(&mut self, fault: &Fault) {
        if self.is_sure {
            tracing::warn!(
                error = fault as &dyn std::error::Error,
                "changes of other processes cannot be read"
            );
        }
        self.is_sure = false;
        self.connection = None;
    }

    /// What is new since the last look.
    async fn look(&mut self) -> Result<Option<FeedEvent>, Fault> {
        if !self.is_sure {
            self.catch_up().await?;
            return Ok(Some(FeedEvent::Lost));
        }
        let version = self.data_version().await?;
        if self.version == Some(version) {
            return Ok(None);
        }
        let rows = self.new_rows().await?;
        // Only now: a version that was not looked at would hide its rows.
        self.version = Some(version);
        let news = self.news(&rows)?;
        Ok(news)
    }

    /// Takes the present end of the table as seen.
    async fn catch_up(&mut self) -> Result<(), Fault> {
        self.version = None;
        self.seen = i64::MAX;
        let rows = self.new_rows().await?;
        self.seen = latest(&rows)?;
        self.is_sure = true;
        Ok(())
    }

    async fn data_version(&mut self) -> Result<i64, Fault> {
        let connection = self.connection().await?;
        let row = sqlx::query("PRAGMA data_version")
            .fetch_one(connection)
            .await?;
        Ok(row.try_get(0)?)
    }

    async fn new_rows(&mut self) -> Result<Vec<SqliteRow>, Fault> {
        let (seen, limit) = (self.seen, i64::try_from(MANY + 1).unwrap_or(i64::MAX));
        let connection = self.connection().await?;
        let statement = sqlx::query(NEW_ROWS).bind(seen).bind(limit);
        Ok(statement.fetch_all(connection).await?)
    }

    async fn connection(&mut self) -> Result<&mut SqliteConnection, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    fn news(&mut self, rows: &[SqliteRow]) -> Result<Option<FeedEvent>, Fault> {
        let latest = latest(rows)?;
        let before = std::mem::replace(&mut self.seen, latest);
        if latest == before {
            return Ok(None);
        }
        let mut changes = Vec::new();
        for (row, offset) in rows.iter().zip(1_u64..) {
            let number: Option<i64> = Stored::new(row, "changes").value("seq")?;
            match read(row)? {
                Some(change) if number == before.checked_add_unsigned(offset) => {
                    changes.push(change)
                }
                // Rows were removed before they were read, or are a newer program's.
                _ => return Ok(Some(FeedEvent::Lost)),
            }
        }
        let is_complete = before.checked_add_unsigned(changes.len() as u64) == Some(latest);
        Ok(Some(if is_complete {
            FeedEvent::Changes(changes)
        } else {
            FeedEvent::Lost
        }))
    }
}

fn latest(rows: &[SqliteRow]) -> Result<i64, Fault> {
    match rows.first() {
        Some(row) => Stored::new(row, "sqlite_sequence").integer("latest"),
        None => Ok(0),
    }
}

fn read(row: &SqliteRow) -> Result<Option<Change>, Fault> {
    let row = Stored::new(row, "changes");
    let (Some(what), Some(tenant)) = (row.value("what")?, row.value("tenant")?) else {
        return Ok(None);
    };
    let what: &str = what;
    let what = match (what, row.value("object")?) {
        ("tenant", _) => Changed::Tenant,
        ("user", Some(id)) => Changed::User(UserId::from_uuid(id)),
        ("session", Some(id)) => Changed::Session(SessionId::from_uuid(id)),
        _ => return Ok(None),
    };
    let tenant = TenantId::from_uuid(tenant);
    Ok(Some(Change { tenant, what }))
}

/// One listener.
pub(crate) struct SqliteFeed {
    messages: broadcast::Receiver<Message>,
}

#[async_trait]
impl ChangeFeed for SqliteFeed {
    async fn next(&mut self) -> Result<FeedEvent> {
        loop {
            match self.messages.recv().await {
                Ok(message) if is_stale(&message) => {}
                Ok(message) => return Ok(message.event),
                Err(broadcast::error::RecvError::Lagged(_)) => return Ok(FeedEvent::Lost),
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(Error::new(ErrorKind::Unavailable, "the storage is closed"));
                }
            }
        }
    }
}

fn is_stale(message: &Message) -> bool {
    message.event == FeedEvent::Confirmed && message.seen_at.elapsed() > FRESH
}
