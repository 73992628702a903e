//! What other units committed, in this process or another.
//!
//! One task per storage looks for new changes four times a second, and at once
//! after a commit of this process, and tells all feeds. A feed that would have
//! to say something it is not sure of says nothing, and then [`FeedEvent::Lost`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use gatelodge_core::{
    Error, ErrorKind, Result,
    model::{SessionId, TenantId, UserId},
    storage::{CONFIRMATION_AGE, Change, ChangeFeed, Changed, FeedEvent},
};
use tokio::{
    sync::{Notify, broadcast},
    task::AbortHandle,
    time::{timeout, timeout_at},
};
use uuid::Uuid;

/// How often other processes' commits are looked for.
const POLL: Duration = Duration::from_millis(250);
/// A look that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Messages that a slow feed may fall behind.
const BACKLOG: usize = 256;
/// More new changes than this at once, and forgetting everything is cheaper.
pub const MANY_CHANGES: u32 = 1_000;

/// How a backend finds out what is new.
#[async_trait]
pub trait Look: Send + 'static {
    /// Takes what is there now as seen.
    async fn catch_up(&mut self) -> Result<()>;

    /// What was committed since the last look, if anything was.
    async fn look(&mut self) -> Result<Option<FeedEvent>>;

    /// A look failed or was cut short: whatever it used is not used again.
    fn give_up(&mut self);
}

/// The feeds of a storage, and the task that fills them.
pub struct Changes {
    /// The task has the strong one: when it stops, all feeds end.
    feeds: broadcast::WeakSender<Message>,
    task: AbortHandle,
}

#[derive(Clone)]
struct Message {
    /// When what it says was true.
    seen_at: Instant,
    event: FeedEvent,
}

impl Changes {
    /// Starts at what is there now. `announced` is notified when this process
    /// has committed announced changes.
    ///
    /// # Errors
    /// What the first look says.
    pub async fn start(mut look: impl Look, announced: Arc<Notify>) -> Result<Self> {
        look.catch_up().await?;
        let (feeds, _) = broadcast::channel(BACKLOG);
        let weak = feeds.downgrade();
        let poller = Poller {
            look,
            is_sure: true,
            announced,
            feeds,
        };
        let task = tokio::spawn(poller.run()).abort_handle();
        Ok(Self { feeds: weak, task })
    }

    /// A new listener.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the storage is closed.
    pub fn feed(&self) -> Result<Box<dyn ChangeFeed>> {
        let feeds = self.feeds.upgrade().ok_or_else(closed)?;
        Ok(Box::new(Feed {
            messages: feeds.subscribe(),
        }))
    }

    /// Ends all feeds.
    pub fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.close();
    }
}

struct Poller<L> {
    look: L,
    /// Whether everything up to the last look was told.
    is_sure: bool,
    announced: Arc<Notify>,
    feeds: broadcast::Sender<Message>,
}

impl<L: Look> Poller<L> {
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
            match timeout(PATIENCE, self.look()).await {
                Ok(Ok(event)) => self.tell(seen_at, event, is_tick),
                Ok(Err(error)) => self.doubt(&error),
                Err(_) => self.doubt(&Error::new(
                    ErrorKind::Unavailable,
                    "the database does not answer",
                )),
            }
        }
    }

    /// What is new since the last look.
    async fn look(&mut self) -> Result<Option<FeedEvent>> {
        if self.is_sure {
            return self.look.look().await;
        }
        self.look.catch_up().await?;
        self.is_sure = true;
        Ok(Some(FeedEvent::Lost))
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
    fn doubt(&mut self, error: &Error) {
        if self.is_sure {
            tracing::warn!(?error, "changes of other processes cannot be read");
        }
        self.is_sure = false;
        self.look.give_up();
    }
}

/// One listener.
struct Feed {
    messages: broadcast::Receiver<Message>,
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn next(&mut self) -> Result<FeedEvent> {
        loop {
            match self.messages.recv().await {
                Ok(message) if is_stale(&message) => {}
                Ok(message) => return Ok(message.event),
                Err(broadcast::error::RecvError::Lagged(_)) => return Ok(FeedEvent::Lost),
                Err(broadcast::error::RecvError::Closed) => return Err(closed()),
            }
        }
    }
}

fn is_stale(message: &Message) -> bool {
    message.event == FeedEvent::Confirmed && message.seen_at.elapsed() > CONFIRMATION_AGE
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the storage is closed")
}

/// Reads a change as it is announced; `None` for one that only a newer program knows.
pub fn read_change(tenant: Uuid, what: &str, object: Option<Uuid>) -> Option<Change> {
    let what = match (what, object) {
        ("tenant", _) => Changed::Tenant,
        ("user", Some(id)) => Changed::User(UserId::from_uuid(id)),
        ("session", Some(id)) => Changed::Session(SessionId::from_uuid(id)),
        _ => return None,
    };
    let tenant = TenantId::from_uuid(tenant);
    Some(Change { tenant, what })
}
