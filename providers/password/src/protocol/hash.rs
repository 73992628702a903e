//! Making and checking password hashes, as futures over the worker threads.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{
    context::ContextWord,
    params::{HashParams, Recipe, StoredHash},
    password::Password,
    strength::Strength,
    workers::{Digest, Job, Reply, Task, WorkerSettings, Workers},
};
use crate::Error;

/// The length of the salts used here, in bytes.
pub(super) const SALT_BYTES: usize = 16;

/// Random bytes that make equal passwords have different hashes.
pub type Salt = [u8; SALT_BYTES];

/// What [`Hasher::verify`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verification {
    /// Whether the password belongs to the hash.
    pub matches: bool,
    /// Whether the hash is weaker than one made now. Of use only with `matches`:
    /// then the caller has the password at hand to make a new hash.
    pub weaker_than_configured: bool,
}

/// How busy a [`Hasher`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Jobs in the queue.
    pub waiting: usize,
    /// Hashes being computed.
    pub working: usize,
    /// Memory that the workers hold.
    pub memory_bytes: usize,
}

/// Argon2id on a fixed number of threads of lower priority.
///
/// * At most `threads` hashes are computed and `queue` wait; one more is
///   refused with [`Error::Busy`].
/// * A caller that stops waiting takes nothing down: its job is finished or,
///   if it has not begun, skipped.
/// * The memory of a hash is wiped after each use and given back when idle.
/// * Dropping the hasher ends the threads; who still waits gets [`Error::Stopped`].
pub struct Hasher {
    workers: Arc<Workers>,
    params: HashParams,
    decoy: Recipe,
}

impl Hasher {
    /// Starts the threads. New hashes are made with `params`.
    pub fn start(params: HashParams, settings: WorkerSettings) -> Result<Self, Error> {
        let hasher = Self::without_threads(params, settings)?;
        for index in 0..settings.threads.get() {
            hasher.workers.spawn(index)?;
        }
        Ok(hasher)
    }

    fn without_threads(params: HashParams, settings: WorkerSettings) -> Result<Self, Error> {
        Ok(Self {
            workers: Workers::new(settings),
            decoy: params.recipe(&[0; SALT_BYTES])?,
            params,
        })
    }

    /// The PHC string of a new Argon2id hash; `salt` must be random and fresh.
    pub async fn hash(&self, password: Password, salt: Salt) -> Result<String, Error> {
        let recipe = self.params.recipe(&salt)?;
        let digest = self.compute(password, recipe.clone()).await?;
        recipe.phc(&digest)
    }

    /// Compares `password` with the hash in `stored`, a PHC string.
    ///
    /// * The parameters come from the string, within the `MAX_…` limits.
    /// * A string that is malformed, beyond the limits or of another function
    ///   matches nothing, after the work of a configured hash.
    pub async fn verify(&self, password: Password, stored: &str) -> Result<Verification, Error> {
        let Some(stored) = StoredHash::parse(stored) else {
            return self.verify_decoy(password).await;
        };
        let digest = self.compute(password, stored.recipe().clone()).await?;
        Ok(Verification {
            matches: stored.matches(&digest),
            weaker_than_configured: stored.weaker_than(&self.params),
        })
    }

    /// Does the work of [`verify`](Self::verify) where there is nothing to
    /// compare with, and never matches.
    pub async fn verify_decoy(&self, password: Password) -> Result<Verification, Error> {
        self.compute(password, self.decoy.clone()).await?;
        Ok(Verification {
            matches: false,
            weaker_than_configured: false,
        })
    }

    /// How hard `password` is to guess, for someone who knows its context.
    pub async fn rate(
        &self,
        password: Password,
        context: &[ContextWord<'_>],
    ) -> Result<Strength, Error> {
        let words = context.iter().map(|word| word.text().to_owned()).collect();
        self.ask(password, |reply| Task::Rate(words, reply)).await
    }

    /// How busy the workers are, for metrics.
    pub fn load(&self) -> Load {
        self.workers.load()
    }

    /// How long to wait before the next job, while it would be refused with
    /// [`Error::Busy`].
    pub fn busy(&self) -> Option<Duration> {
        self.workers.busy()
    }

    async fn compute(&self, password: Password, recipe: Recipe) -> Result<Digest, Error> {
        self.ask(password, |reply| Task::Hash(recipe, reply)).await
    }

    async fn ask<T>(
        &self,
        password: Password,
        task: impl FnOnce(Reply<T>) -> Task,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let task = task(reply);
        self.workers.submit(Job { password, task })?;
        answer.await.map_err(|_| Error::Stopped)?
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.workers.close();
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("params", &self.params)
            .field("load", &self.load())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        num::NonZeroUsize,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::{
        super::{context::ContextKind, strength::Score},
        *,
    };

    const SALT: Salt = *b"sixteen bytes!!!";

    fn settings(queue: usize) -> WorkerSettings {
        WorkerSettings {
            threads: NonZeroUsize::MIN,
            queue: NonZeroUsize::new(queue).unwrap(),
            idle: Duration::from_secs(3600),
        }
    }

    fn hasher() -> Hasher {
        Hasher::start(HashParams::OWASP, settings(64)).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_hash_carries_its_parameters_and_matches_only_its_password() {
        let hasher = hasher();
        let stored = hasher.hash(password("correct horse"), SALT).await.unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        let right = hasher
            .verify(password("correct horse"), &stored)
            .await
            .unwrap();
        assert!(right.matches && !right.weaker_than_configured);
        let wrong = hasher
            .verify(password("correct house"), &stored)
            .await
            .unwrap();
        assert!(!wrong.matches);
    }

    #[tokio::test]
    async fn the_hash_is_the_one_the_library_makes() {
        use argon2::PasswordHasher;
        let ours = hasher()
            .hash(password("correct horse"), SALT)
            .await
            .unwrap();
        let theirs = argon2::Argon2::default()
            .hash_password_with_salt(b"correct horse", &SALT)
            .unwrap();
        assert_eq!(ours, theirs.to_string());
    }

    /// S43 and v5.0.0-6.2.8: bcrypt stops at byte 72, C strings at NUL.
    #[tokio::test]
    async fn s43_every_byte_of_the_password_counts() {
        let hasher = hasher();
        let long = "x".repeat(72);
        for (right, wrong) in [
            (format!("{long}a"), format!("{long}b")),
            (format!("{long}a"), long.clone()),
            ("before\0after".to_owned(), "before\0other".to_owned()),
            ("before\0".to_owned(), "before".to_owned()),
            (" space".to_owned(), "space".to_owned()),
            ("space ".to_owned(), "space".to_owned()),
            ("Case".to_owned(), "case".to_owned()),
            ("y".repeat(1024), "y".repeat(1023)),
        ] {
            let stored = hasher.hash(password(&right), SALT).await.unwrap();
            assert!(
                hasher
                    .verify(password(&right), &stored)
                    .await
                    .unwrap()
                    .matches
            );
            assert!(
                !hasher
                    .verify(password(&wrong), &stored)
                    .await
                    .unwrap()
                    .matches
            );
        }
    }

    #[tokio::test]
    async fn composed_and_decomposed_letters_verify_alike() {
        let hasher = hasher();
        let stored = hasher.hash(password("caf\u{e9}"), SALT).await.unwrap();
        let decomposed = hasher
            .verify(password("cafe\u{301}"), &stored)
            .await
            .unwrap();
        assert!(decomposed.matches);
    }

    #[tokio::test]
    async fn s43_a_corrupt_stored_hash_matches_nothing_and_costs_the_same_memory() {
        let hasher = hasher();
        let good = hasher.hash(password("correct horse"), SALT).await.unwrap();
        let cost = hasher.load().memory_bytes;
        for stored in [
            String::new(),
            "correct horse".to_owned(),
            "$argon2id$".to_owned(),
            good.replace("argon2id", "argon9"),
            good.replace("v=19", "v=18"),
            good.replace("m=19456", "m=4294967295"),
            good.replace("m=19456", "m=19456,x=1"),
            good.chars().take(good.len() - 30).collect(),
            format!("{good}="),
            "$2b$12$abcdefghijklmnopqrstuuA1B2C3D4E5F6G7H8I9J0K1L2M3N4O5P".to_owned(),
            "\u{0}".repeat(1 << 20),
        ] {
            let fresh = self::hasher();
            let found = fresh
                .verify(password("correct horse"), &stored)
                .await
                .unwrap();
            assert!(!found.matches, "{stored:.60}");
            assert_eq!(fresh.load().memory_bytes, cost, "{stored:.60}");
        }
    }

    #[tokio::test]
    async fn an_unknown_user_costs_the_memory_of_a_known_one_and_never_matches() {
        let hasher = hasher();
        assert_eq!(hasher.load().memory_bytes, 0);
        for text in ["", "correct horse"] {
            assert!(!hasher.verify_decoy(password(text)).await.unwrap().matches);
        }
        assert_eq!(hasher.load().memory_bytes, 19_456 * 1024);
    }

    #[tokio::test]
    async fn a_weaker_hash_is_verified_and_reported() {
        let weak = Hasher::start(HashParams::new(12_288, 3, 1).unwrap(), settings(8)).unwrap();
        let strong = hasher();
        let stored = weak.hash(password("correct horse"), SALT).await.unwrap();
        let found = strong
            .verify(password("correct horse"), &stored)
            .await
            .unwrap();
        assert!(found.matches && found.weaker_than_configured);
    }

    #[tokio::test]
    async fn a_full_queue_is_refused_with_a_time_to_come_back() {
        let hasher = Hasher::without_threads(HashParams::OWASP, settings(2)).unwrap();
        let mut first = pin!(hasher.verify_decoy(password("one")));
        let mut second = pin!(hasher.verify_decoy(password("two")));
        assert!(poll_once(first.as_mut()).is_pending());
        assert_eq!(hasher.busy(), None);
        assert!(poll_once(second.as_mut()).is_pending());
        let busy = hasher.busy();
        let refused = hasher.verify_decoy(password("three")).await.unwrap_err();
        let Error::Busy { retry_after } = refused else {
            panic!("{refused}");
        };
        assert!(retry_after >= Duration::from_secs(1));
        assert_eq!(busy, Some(retry_after));
        hasher.workers.spawn(0).unwrap();
        assert!(first.await.is_ok() && second.await.is_ok());
        assert_eq!(hasher.busy(), None);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_stops_nobody_and_frees_its_place() {
        let hasher = Hasher::without_threads(HashParams::OWASP, settings(1)).unwrap();
        {
            let mut gone = pin!(hasher.verify_decoy(password("gone")));
            assert!(poll_once(gone.as_mut()).is_pending());
            assert!(matches!(
                hasher.verify_decoy(password("early")).await,
                Err(Error::Busy { .. })
            ));
        }
        assert_eq!(hasher.busy(), None);
        let mut stays = pin!(hasher.verify_decoy(password("stays")));
        assert!(poll_once(stays.as_mut()).is_pending());
        hasher.workers.spawn(0).unwrap();
        assert!(stays.await.is_ok());
        // One that goes while its hash is computed is harmless too.
        {
            let mut gone = pin!(hasher.verify_decoy(password("gone")));
            assert!(poll_once(gone.as_mut()).is_pending());
            while hasher.load().waiting > 0 {
                std::thread::yield_now();
            }
        }
        assert!(hasher.verify_decoy(password("next")).await.is_ok());
    }

    #[tokio::test]
    async fn idle_memory_is_released_and_work_goes_on_afterwards() {
        let settings = WorkerSettings {
            idle: Duration::from_millis(1),
            ..settings(8)
        };
        let hasher = Hasher::start(HashParams::OWASP, settings).unwrap();
        for _ in 0..2 {
            hasher
                .verify_decoy(password("correct horse"))
                .await
                .unwrap();
            hasher.workers.wait_for_memory(|bytes| bytes == 0);
        }
    }

    #[tokio::test]
    async fn dropping_the_hasher_answers_who_still_waits() {
        let hasher = Hasher::without_threads(HashParams::OWASP, settings(8)).unwrap();
        let (reply, answer) = oneshot::channel();
        let task = Task::Hash(hasher.decoy.clone(), reply);
        let password = password("correct horse");
        hasher.workers.submit(Job { password, task }).unwrap();
        drop(hasher);
        assert!(answer.await.is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_callers_share_few_threads() {
        let hasher = Arc::new(hasher());
        let stored: Arc<str> = hasher.hash(password("p0"), SALT).await.unwrap().into();
        let tasks: Vec<_> = (0..16)
            .map(|index| {
                let (hasher, stored) = (Arc::clone(&hasher), Arc::clone(&stored));
                tokio::spawn(async move {
                    let found = hasher.verify(password(&format!("p{index}")), &stored).await;
                    (index, found.unwrap().matches)
                })
            })
            .collect();
        for task in tasks {
            let (index, matches) = task.await.unwrap();
            assert_eq!(matches, index == 0);
        }
        assert_eq!(hasher.load().memory_bytes, 19_456 * 1024);
    }

    #[tokio::test]
    async fn the_workers_rate_passwords_without_taking_memory_for_it() {
        let hasher = hasher();
        let words = [ContextWord::new(
            ContextKind::TenantName,
            "liddellpleasance",
        )];
        let rated = |text| hasher.rate(password(text), &words);
        assert_eq!(
            rated("liddellpleasance").await.unwrap().score(),
            Score::VeryWeak
        );
        let strong = rated("correct horse battery staple").await.unwrap();
        assert_eq!(strong.score(), Score::Strong);
        assert_eq!(hasher.load().memory_bytes, 0);
    }

    #[tokio::test]
    async fn debug_and_errors_show_no_password() {
        let hasher = hasher();
        let stored = hasher
            .hash(password("hunter2 hunter2"), SALT)
            .await
            .unwrap();
        let shown = format!(
            "{hasher:?} {:?}",
            hasher.verify(password("hunter2"), &stored).await
        );
        assert!(
            !shown.contains("hunter2") && !shown.contains("$argon2"),
            "{shown}"
        );
    }
}
