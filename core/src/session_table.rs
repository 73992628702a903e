//! Sessions in memory: a check costs no I/O, and no revocation is missed.
//!
//! An entry remembers the stamp under which it was loaded. Whatever changes a
//! user or tenant raises that user's or tenant's stamp, so older entries no
//! longer count and are read again. Changes of other processes arrive through
//! the storage's change feed; what it confirmed may be
//! [`CONFIRMATION_AGE`] old when it arrives, and together with that memory is
//! trusted for one second. Then every check reads.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use quick_cache::sync::Cache;

use crate::{
    Environment,
    environment::span_between,
    model::{Grant, Session, SessionId, Tenant, TenantId, User, UserId},
    secret::TokenHash,
    storage::{CONFIRMATION_AGE, Change, Changed, SessionTouch},
};

/// No change of another node takes longer than this to be in force.
const BOUND: Duration = Duration::from_secs(1);
/// For how long memory is trusted after a confirmation arrived.
const TRUST: Duration = BOUND.saturating_sub(CONFIRMATION_AGE);
/// Activity is noted at most this often for one session.
const NOTE_EVERY_MS: i64 = 1_000;
/// Stamps kept before all entries are forgotten instead.
const STAMPS: usize = 100_000;

/// A checked session with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSession {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// Its tenant.
    pub tenant: Tenant,
    /// What the user is granted.
    pub grants: Vec<Grant>,
}

pub(crate) struct SessionTable {
    entries: Cache<TokenHash, Arc<Entry>>,
    stamps: RwLock<Stamps>,
    clock: AtomicU64,
    /// When the feed last confirmed, by the clock and by the time that has run.
    confirmed: RwLock<Option<(Timestamp, Duration)>>,
    touched: Mutex<HashMap<SessionId, SessionTouch>>,
}

#[derive(Default)]
struct Stamps {
    floor: u64,
    tenants: HashMap<TenantId, u64>,
    users: HashMap<(TenantId, UserId), u64>,
    sessions: HashMap<SessionId, u64>,
}

struct Entry {
    checked: Arc<CheckedSession>,
    stamp: u64,
    last_active_ms: AtomicI64,
}

/// What memory says of a token.
pub(crate) enum Lookup {
    /// It is valid; this is it.
    Valid(Arc<CheckedSession>),
    /// Memory does not know, or is not to be trusted: read, and store under this stamp.
    Read(u64),
}

impl SessionTable {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: Cache::new(capacity),
            stamps: RwLock::default(),
            clock: AtomicU64::new(1),
            confirmed: RwLock::default(),
            touched: Mutex::default(),
        }
    }

    /// Looks a token up and notes that its session was used.
    pub(crate) fn look_up(&self, token: &TokenHash, environment: &Environment) -> Lookup {
        let now = environment.now();
        let stamp = self.clock.load(Ordering::SeqCst);
        let Some(entry) = self.entries.get(token) else {
            return Lookup::Read(stamp);
        };
        if !self.is_trusted(now, environment.running()) || !self.is_current(&entry) {
            return Lookup::Read(stamp);
        }
        let session = &entry.checked.session;
        let now_ms = now.as_millisecond();
        let idle_ms = session.idle_seconds.saturating_mul(1000);
        let last = entry.last_active_ms.load(Ordering::Relaxed);
        if now >= session.expires_at || now_ms - last >= idle_ms {
            // Another node may have seen it used: the row decides.
            return Lookup::Read(stamp);
        }
        self.note(&entry, now_ms, last, now);
        Lookup::Valid(Arc::clone(&entry.checked))
    }

    /// Keeps what was read, unless something changed since `stamp` was given out.
    pub(crate) fn store(&self, checked: &Arc<CheckedSession>, stamp: u64, now: Timestamp) {
        let entry = Arc::new(Entry {
            checked: Arc::clone(checked),
            stamp,
            last_active_ms: AtomicI64::new(checked.session.last_active_at.as_millisecond()),
        });
        let last = entry.last_active_ms.load(Ordering::Relaxed);
        self.note(&entry, now.as_millisecond(), last, now);
        self.entries.insert(checked.session.token_hash, entry);
    }

    fn note(&self, entry: &Entry, now_ms: i64, last: i64, now: Timestamp) {
        let raced = now_ms - last < NOTE_EVERY_MS
            || entry
                .last_active_ms
                .compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_err();
        if raced {
            return;
        }
        let session = &entry.checked.session;
        let touch = SessionTouch {
            tenant: session.tenant,
            id: session.id,
            at: now,
        };
        self.touched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(session.id, touch);
    }

    /// When a session was last used on this node, stored or not.
    pub(crate) fn last_active(&self, token: &TokenHash, id: SessionId) -> Option<Timestamp> {
        let entry = self.entries.get(token).and_then(|entry| {
            let millis = entry.last_active_ms.load(Ordering::Relaxed);
            Timestamp::from_millisecond(millis).ok()
        });
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        entry.max(touched.get(&id).map(|touch| touch.at))
    }

    /// Takes the activity noted since the last call, in the order in which rows
    /// are taken.
    pub(crate) fn take_touched(&self) -> Vec<SessionTouch> {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut touches: Vec<_> = std::mem::take(&mut *touched).into_values().collect();
        touches.sort_unstable_by_key(|touch| (touch.tenant, touch.id));
        touches
    }

    /// Gives noted activity back that could not be stored.
    pub(crate) fn give_back(&self, touches: Vec<SessionTouch>) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        for touch in touches {
            touched.entry(touch.id).or_insert(touch);
        }
    }

    /// Forgets what a change made out of date.
    pub(crate) fn apply(&self, change: &Change) {
        let mut stamps = self.stamps.write().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        if stamps.tenants.len() + stamps.users.len() + stamps.sessions.len() >= STAMPS {
            *stamps = Stamps {
                floor: stamp,
                ..Stamps::default()
            };
        }
        match change.what {
            Changed::Tenant => {
                stamps.tenants.insert(change.tenant, stamp);
            }
            Changed::User(user) => {
                stamps.users.insert((change.tenant, user), stamp);
            }
            Changed::Session(session) => {
                stamps.sessions.insert(session, stamp);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        let mut stamps = self.stamps.write().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        *stamps = Stamps {
            floor: stamp,
            ..Stamps::default()
        };
        self.entries.clear();
        drop(stamps);
        self.set_confirmed(None);
    }

    /// The feed is sure that nothing was missed so far.
    pub(crate) fn confirm(&self, environment: &Environment) {
        self.set_confirmed(Some((environment.now(), environment.running())));
    }

    fn set_confirmed(&self, confirmed: Option<(Timestamp, Duration)>) {
        *self
            .confirmed
            .write()
            .unwrap_or_else(PoisonError::into_inner) = confirmed;
    }

    /// A clock that is set back does not prolong the trust, since the running
    /// time goes on; nor does a machine that slept, during which only the clock
    /// went on.
    fn is_trusted(&self, now: Timestamp, running: Duration) -> bool {
        let confirmed = *self
            .confirmed
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        confirmed.is_some_and(|(at, then)| {
            at <= now && span_between(at, now) <= TRUST && running.saturating_sub(then) <= TRUST
        })
    }

    fn is_current(&self, entry: &Entry) -> bool {
        let session = &entry.checked.session;
        let stamps = self.stamps.read().unwrap_or_else(PoisonError::into_inner);
        let raised = |stamp: Option<&u64>| stamp.is_some_and(|stamp| entry.stamp < *stamp);
        entry.stamp >= stamps.floor
            && !raised(stamps.tenants.get(&session.tenant))
            && !raised(stamps.users.get(&(session.tenant, session.user)))
            && !raised(stamps.sessions.get(&session.id))
    }
}
