//! The threads that hash: a fixed number, a bounded queue before them, and
//! memory that is there only while there is work.

use std::{
    collections::VecDeque,
    hint::black_box,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use argon2::{Argon2, Block};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::{hash::Load, params::Recipe, password::Password, strength::Strength};
use crate::Error;

/// What the first hashes are taken to cost, until some were measured.
const FIRST_GUESS_MICROS: u64 = 20_000;
/// How much lower than the rest of the process the workers run.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NICENESS: i32 = 10;

/// How many threads hash, how many jobs may wait, how long memory is kept.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// Threads; each uses one core while it hashes.
    pub threads: NonZeroUsize,
    /// Jobs that may wait beside those in work; one more is refused.
    pub queue: NonZeroUsize,
    /// After so long without work a thread gives its memory back.
    pub idle: Duration,
}

impl Default for WorkerSettings {
    /// One thread per core, 256 waiting jobs, ten seconds.
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            queue: NonZeroUsize::MIN.saturating_add(255),
            idle: Duration::from_secs(10),
        }
    }
}

/// The output of a hash; wiped, because a fast hash of it would not protect a weak password.
pub(super) type Digest = Zeroizing<Vec<u8>>;

/// Where to send a result.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a worker does, with which password, and where the result goes.
pub(super) struct Job {
    pub(super) password: Password,
    pub(super) task: Task,
}

pub(super) enum Task {
    Hash(Recipe, Reply<Digest>),
    Rate(Vec<String>, Reply<Strength>),
}

impl Job {
    /// Whether nobody waits for the result any more.
    fn is_abandoned(&self) -> bool {
        match &self.task {
            Task::Hash(_, reply) => reply.is_closed(),
            Task::Rate(_, reply) => reply.is_closed(),
        }
    }
}

/// What the workers and their owner share.
pub(super) struct Workers {
    settings: WorkerSettings,
    state: Mutex<State>,
    /// There is a job, or the end.
    wake: Condvar,
    /// A worker changed how much memory is held.
    memory_changed: Condvar,
    memory_bytes: AtomicUsize,
    busy: AtomicUsize,
    average_micros: AtomicU64,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    closed: bool,
}

impl Workers {
    pub(super) fn new(settings: WorkerSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            state: Mutex::default(),
            wake: Condvar::new(),
            memory_changed: Condvar::new(),
            memory_bytes: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            average_micros: AtomicU64::new(FIRST_GUESS_MICROS),
        })
    }

    /// Starts worker number `index`. It ends when [`close`](Self::close) is called.
    pub(super) fn spawn(self: &Arc<Self>, index: usize) -> Result<(), Error> {
        let workers = Arc::clone(self);
        thread::Builder::new()
            .name(format!("password-{index}"))
            .spawn(move || {
                lower_priority();
                workers.run();
            })
            .map(drop)
            .map_err(Error::Spawn)
    }

    /// Puts a job in the queue, if there is room.
    pub(super) fn submit(&self, job: Job) -> Result<(), Error> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Stopped);
        }
        if let Some(retry_after) = self.wait_for_room(&mut state) {
            return Err(Error::Busy { retry_after });
        }
        state.queue.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// While there is no room in the queue: when there will probably be some.
    pub(super) fn busy(&self) -> Option<Duration> {
        self.wait_for_room(&mut self.lock())
    }

    /// Ends the workers and forgets the jobs that wait; those in work are finished.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let forgotten = std::mem::take(&mut state.queue);
        drop(state);
        self.wake.notify_all();
        drop(forgotten);
    }

    pub(super) fn load(&self) -> Load {
        Load {
            waiting: self.lock().queue.len(),
            working: self.busy.load(Ordering::Relaxed),
            memory_bytes: self.memory_bytes.load(Ordering::Acquire),
        }
    }

    fn wait_for_room(&self, state: &mut State) -> Option<Duration> {
        let most = self.settings.queue.get();
        if state.queue.len() >= most {
            // Jobs whose caller went away make room for one whose caller waits.
            state.queue.retain(|waiting| !waiting.is_abandoned());
        }
        (state.queue.len() >= most).then(|| self.time_for(state.queue.len()))
    }

    fn run(&self) {
        let mut memory = Memory::default();
        while let Some(job) = self.next_job(&mut memory) {
            if !job.is_abandoned() {
                self.work(job, &mut memory);
            }
        }
        memory.release();
        self.account(&mut memory);
    }

    fn work(&self, job: Job, memory: &mut Memory) {
        self.busy.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        // The caller may go away meanwhile; then nobody takes the result.
        match job.task {
            Task::Hash(recipe, reply) => {
                let result = memory.hash(&job.password, &recipe);
                self.account(memory);
                self.measure(started.elapsed());
                self.busy.fetch_sub(1, Ordering::Relaxed);
                let _ = reply.send(result);
            }
            Task::Rate(words, reply) => {
                let result = unharmed(|| Ok(Strength::of(&job.password, &words)));
                self.busy.fetch_sub(1, Ordering::Relaxed);
                let _ = reply.send(result);
            }
        }
    }

    /// Waits for work; gives the memory back when none came for a while.
    fn next_job(&self, memory: &mut Memory) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            if memory.blocks.is_empty() {
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self.wake.wait_timeout(state, self.settings.idle);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() && state.queue.is_empty() {
                drop(state);
                memory.release();
                self.account(memory);
                state = self.lock();
            }
        }
    }

    /// Tells the shared counter how much memory this worker holds now.
    fn account(&self, memory: &mut Memory) {
        let held = memory.blocks.capacity() * Block::SIZE;
        if held == memory.accounted {
            return;
        }
        let state = self.lock();
        self.memory_bytes
            .fetch_sub(memory.accounted, Ordering::AcqRel);
        self.memory_bytes.fetch_add(held, Ordering::AcqRel);
        memory.accounted = held;
        drop(state);
        self.memory_changed.notify_all();
    }

    /// Keeps a moving average, for the estimate a refused caller gets.
    fn measure(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) / 8;
        let before = self.average_micros.load(Ordering::Relaxed);
        let average = (before - before / 8).saturating_add(took);
        self.average_micros.store(average, Ordering::Relaxed);
    }

    /// How long so many jobs take, in whole seconds, at least one.
    fn time_for(&self, jobs: usize) -> Duration {
        let rounds = (jobs / self.settings.threads).saturating_add(1);
        let micros = self.average_micros.load(Ordering::Relaxed);
        let total = micros.saturating_mul(u64::try_from(rounds).unwrap_or(u64::MAX));
        Duration::from_secs(total.div_ceil(1_000_000).max(1))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until `condition` holds of the memory in use.
    #[cfg(test)]
    pub(super) fn wait_for_memory(&self, condition: impl Fn(usize) -> bool) {
        let mut state = self.lock();
        while !condition(self.memory_bytes.load(Ordering::Acquire)) {
            state = self.memory_changed.wait(state).unwrap();
        }
    }
}

/// One worker's blocks: made for the first hash, kept for the next, wiped after each.
#[derive(Default)]
struct Memory {
    blocks: Vec<Block>,
    accounted: usize,
}

impl Memory {
    fn hash(&mut self, password: &Password, recipe: &Recipe) -> Result<Digest, Error> {
        let needed = recipe.params.block_count();
        self.grow_to(needed)?;
        let Some(blocks) = self.blocks.get_mut(..needed) else {
            return Err(Error::NoMemory);
        };
        let result = unharmed(|| compute(password, recipe, blocks));
        wipe(blocks);
        result
    }

    fn grow_to(&mut self, needed: usize) -> Result<(), Error> {
        let missing = needed.saturating_sub(self.blocks.len());
        if missing > 0 {
            // The old blocks hold nothing: do not let them be copied.
            self.release();
            self.blocks
                .try_reserve_exact(needed)
                .map_err(|_| Error::NoMemory)?;
            self.blocks.resize(needed, Block::new());
        }
        Ok(())
    }

    fn release(&mut self) {
        self.blocks = Vec::new();
    }
}

/// Overwrites blocks by as many bytes at a time as the machine can: word by word, as `zeroize` does it, took a twentieth of
/// the time of a hash. They are kept and read by the next hash, so the compiler cannot leave this out.
fn wipe(blocks: &mut [Block]) {
    for block in blocks.iter_mut() {
        block.as_mut().fill(0);
    }
    black_box(blocks);
}

/// Runs `work`; a panic in it is a defect, but must not cost the worker.
fn unharmed<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Hash("a password worker panicked".into())))
}

fn compute(password: &Password, recipe: &Recipe, blocks: &mut [Block]) -> Result<Digest, Error> {
    let argon2 = Argon2::new(recipe.algorithm, recipe.version, recipe.params.clone());
    let mut output = Zeroizing::new(vec![0; recipe.output_bytes]);
    argon2
        .hash_password_into_with_memory(
            password.expose().as_bytes(),
            &recipe.salt,
            &mut output,
            blocks,
        )
        .map_err(|error| Error::Hash(error.to_string()))?;
    Ok(output)
}

/// Lets everything else in the process go first. On Linux niceness belongs to
/// a thread; elsewhere it belongs to the process, so it is left alone there.
fn lower_priority() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "cannot lower the priority of a password worker");
    }
}
