//! Time and randomness, handed in from outside so that every behaviour can be
//! replayed in a test. Nothing else in the tree reads the global clock or
//! random source; `clippy.toml` bans them.

use std::{
    fmt,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Tells the time, in whole milliseconds so that every backend can store it unchanged.
pub trait Clock: Send + Sync + 'static {
    /// The present time, a whole number of milliseconds.
    fn now(&self) -> Timestamp;

    /// For how long this clock has been running: it only ever grows, however the
    /// time is set. It may stand still while the machine sleeps.
    fn running(&self) -> Duration;
}

/// Gives random bytes fit for keys and tokens.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`; there is no failure: without randomness the process must not go on.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the clock"
        )]
        whole_milliseconds(Timestamp::now())
    }

    fn running(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(
            clippy::disallowed_methods,
            clippy::expect_used,
            reason = "the one place that asks for randomness; to go on without it would be unsafe"
        )]
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug)]
pub struct ManualClock {
    shows: AtomicI64,
    ran: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            shows: AtomicI64::new(start.as_millisecond()),
            ran: AtomicI64::new(0),
        })
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.shows.fetch_add(millis, Ordering::SeqCst);
        self.ran.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the clock, backwards too; no time runs by that.
    pub fn set(&self, to: Timestamp) {
        self.shows.store(to.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.shows.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn running(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.ran.load(Ordering::SeqCst)).unwrap_or(0))
    }
}

/// A reproducible byte stream: for tests only, it keeps no secret.
pub struct SeededRandom(Mutex<([u8; 32], u64)>);

impl SeededRandom {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Arc<Self> {
        let key: [u8; 32] = Sha256::digest(seed.to_be_bytes()).into();
        Arc::new(Self(Mutex::new((key, 0))))
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom")
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            let mut block = Sha256::new();
            block.update(state.0);
            block.update(state.1.to_be_bytes());
            state.1 += 1;
            for (to, from) in chunk.iter_mut().zip(block.finalize()) {
                *to = from;
            }
        }
    }
}

/// Clock and randomness together, as the parts of the system share them.
#[derive(Clone)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Environment {
    /// The operating system's clock and random source.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    /// Given sources, for tests.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random }
    }

    /// The present time, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        whole_milliseconds(self.clock.now())
    }

    /// For how long the clock has been running, see [`Clock::running`].
    pub fn running(&self) -> Duration {
        self.clock.running()
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }

    /// A new UUID version 7 (RFC 9562 section 5.7): time-ordered, 74 random bits.
    pub fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// The last millisecond that a time can be read back from.
const LAST_MILLISECOND: i64 = 253_402_207_200_000;

/// Drops what is finer than a millisecond, so that every backend stores it unchanged.
pub fn whole_milliseconds(time: Timestamp) -> Timestamp {
    let millis = time.as_millisecond().min(LAST_MILLISECOND);
    Timestamp::from_millisecond(millis).unwrap_or(time)
}

/// `time + span`, at most the end of time.
pub fn later(time: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| time.checked_add(span).ok())
        .map_or_else(|| whole_milliseconds(Timestamp::MAX), whole_milliseconds)
}

/// `time - span`, at least the beginning of time.
pub fn earlier(time: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| time.checked_sub(span).ok())
        .unwrap_or(Timestamp::MIN)
}

/// How long from `from` until `to`; zero when `to` is not later.
pub fn span_between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_later_sort_later() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let environment = Environment::new(clock.clone(), SeededRandom::new(1));
        let first = environment.uuid();
        clock.advance(Duration::from_millis(1));
        assert!(first < environment.uuid());
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let environment = |seed| {
            Environment::new(
                ManualClock::at(Timestamp::UNIX_EPOCH),
                SeededRandom::new(seed),
            )
        };
        assert_eq!(environment(7).bytes::<40>(), environment(7).bytes::<40>());
        assert_ne!(environment(7).bytes::<40>(), environment(8).bytes::<40>());
    }

    #[test]
    fn spans_do_not_overflow() {
        let end = later(Timestamp::MAX, Duration::MAX);
        assert_eq!(
            Timestamp::from_millisecond(end.as_millisecond()).unwrap(),
            end
        );
        assert_eq!(
            span_between(Timestamp::MAX, Timestamp::UNIX_EPOCH),
            Duration::ZERO
        );
    }
}
