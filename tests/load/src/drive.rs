//! Who asks: as fast as answers come, at a steady pace, or as many people as want to sign in at once.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Async, Blocking, post};

/// What came of many requests.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    /// How often each status was answered; 0 stands for an answer that says something else than it should.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub(crate) lost: u64,
    /// How long the answers with the wanted status took, in microseconds.
    pub(crate) micros: Vec<u32>,
    /// How long all of it took.
    pub(crate) took: Duration,
}

impl Outcome {
    fn note(&mut self, answer: std::io::Result<u16>, wanted: u16, begun: Instant) {
        let Ok(status) = answer else {
            self.lost += 1;
            return;
        };
        *self.statuses.entry(status).or_default() += 1;
        if status == wanted {
            let micros = begun.elapsed().as_micros();
            self.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.lost += other.lost;
        self.micros.extend(other.micros);
        self.took = self.took.max(other.took);
    }

    /// Answers with the wanted status per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.micros.len() as f64 / self.took.as_secs_f64()
    }

    /// Answers of whatever kind.
    pub(crate) fn answers(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// How many requests were answered as none of `statuses`, or not at all.
    pub(crate) fn beside(&self, statuses: &[u16]) -> u64 {
        let others = self.statuses.iter();
        let others = others.filter(|(status, _)| !statuses.contains(status));
        self.lost + others.map(|(_, count)| count).sum::<u64>()
    }

    /// The time within which `share` of the answers came, in milliseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let at = (sorted.len() as f64 * share).ceil() as usize;
        let at = at.clamp(1, sorted.len().max(1)) - 1;
        sorted
            .get(at)
            .map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }
}

/// Requests to be sent in turn.
#[derive(Debug)]
pub(crate) struct Requests {
    list: Vec<Vec<u8>>,
    next: AtomicUsize,
    again: bool,
}

impl Requests {
    /// Over and over.
    pub(crate) fn round(list: Vec<Vec<u8>>) -> Arc<Self> {
        Self::new(list, true)
    }

    /// Each only once.
    pub(crate) fn once(list: Vec<Vec<u8>>) -> Arc<Self> {
        Self::new(list, false)
    }

    fn new(list: Vec<Vec<u8>>, again: bool) -> Arc<Self> {
        let next = AtomicUsize::new(0);
        Arc::new(Self { list, next, again })
    }

    fn next(&self) -> Option<&[u8]> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let at = if self.again {
            number % self.list.len()
        } else {
            number
        };
        self.list.get(at).map(Vec::as_slice)
    }
}

/// Each connection asks again as soon as it has its answer.
pub(crate) async fn closed(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    requests: &Arc<Requests>,
) -> Outcome {
    let begun = Instant::now();
    let mut work = JoinSet::new();
    for _ in 0..connections {
        let requests = Arc::clone(requests);
        work.spawn(async move {
            let mut outcome = Outcome::default();
            let mut connection = Async::open(address).await.unwrap();
            while begun.elapsed() < time {
                let Some(request) = requests.next() else {
                    break;
                };
                let sent = Instant::now();
                let answer = connection.ask(request).await;
                let is_lost = answer.is_err();
                outcome.note(answer, 200, sent);
                if is_lost {
                    connection = Async::open(address).await.unwrap();
                }
            }
            outcome
        });
    }
    gather(work, begun).await
}

async fn gather(mut work: JoinSet<Outcome>, begun: Instant) -> Outcome {
    let mut all = Outcome::default();
    while let Some(one) = work.join_next().await {
        all.add(one.unwrap());
    }
    all.took = begun.elapsed();
    all
}

/// A few threads that each ask at their own steady pace and do nothing in between, so that what they see is the server's
/// doing. They sleep to within a tenth of a millisecond, which a runtime's timer does not.
pub(crate) fn paced(
    address: SocketAddr,
    per_second: u32,
    time: Duration,
    requests: &Arc<Requests>,
) -> Outcome {
    const THREADS: u32 = 4;
    let begun = Instant::now();
    let pause = Duration::from_secs(1) * THREADS / per_second;
    let one = |number: u32| {
        let mut outcome = Outcome::default();
        let mut connection = Blocking::open_blocking(address).unwrap();
        let mut due = begun + pause * number / THREADS;
        while due < begun + time {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let sent = Instant::now();
            let answer = connection.ask_blocking(requests.next().unwrap_or_default());
            let is_lost = answer.is_err();
            outcome.note(answer, 200, sent);
            if is_lost {
                connection = Blocking::open_blocking(address).unwrap();
            }
            due = (due + pause).max(Instant::now());
        }
        outcome
    };
    let mut all = Outcome::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || one(n))).collect();
        for thread in threads {
            all.add(thread.join().unwrap());
        }
    });
    all.took = begun.elapsed();
    all
}

/// People who want to sign in.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) tenant: String,
    /// Names and passwords.
    pub(crate) users: Vec<(String, String)>,
    pub(crate) next: AtomicUsize,
}

pub(crate) const FLOWS: &str = "/api/v1/sign-in/flows";

impl People {
    /// Signs the next one in; answers the last status.
    async fn sign_in(&self, connection: &mut Async) -> std::io::Result<u16> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (name, password) = &self.users[number % self.users.len()];
        let start = json!({ "tenant": self.tenant, "transport": "token" });
        let status = connection
            .ask(&post(&self.host, FLOWS, None, &start))
            .await?;
        if status != 201 {
            return Ok(status);
        }
        let flow: Value = serde_json::from_slice(connection.body())?;
        let path = format!("{FLOWS}/{}", flow["id"].as_str().unwrap_or_default());
        let answer = json!({ "user_name": name, "password": password });
        let answer = json!({ "provider": "password", "answer": answer });
        let status = connection
            .ask(&post(&self.host, &path, None, &answer))
            .await?;
        if status != 200 {
            return Ok(status);
        }
        let done: Value = serde_json::from_slice(connection.body())?;
        let is_in = done["session"]["token"].is_string();
        Ok(if is_in { 200 } else { 0 })
    }

    /// So many at a time come in turn, each as soon as the one before is in; or, with `per_second`, when it is their time
    /// and there is a connection for them.
    pub(crate) async fn come(
        self: &Arc<Self>,
        connections: usize,
        time: Duration,
        per_second: Option<f64>,
    ) -> Outcome {
        let begun = Instant::now();
        let arrivals = Arc::new(AtomicUsize::new(0));
        let mut work = JoinSet::new();
        for _ in 0..connections {
            let (people, arrivals) = (Arc::clone(self), Arc::clone(&arrivals));
            work.spawn(async move {
                let mut outcome = Outcome::default();
                let mut connection = Async::open(people.address).await.unwrap();
                while begun.elapsed() < time {
                    if let Some(rate) = per_second {
                        let number = arrivals.fetch_add(1, Ordering::Relaxed);
                        let due = begun + Duration::from_secs_f64(number as f64 / rate);
                        tokio::time::sleep_until(due.min(begun + time).into()).await;
                        if due >= begun + time {
                            break;
                        }
                    }
                    let sent = Instant::now();
                    let answer = people.sign_in(&mut connection).await;
                    let is_lost = answer.is_err();
                    outcome.note(answer, 200, sent);
                    if is_lost {
                        connection = Async::open(people.address).await.unwrap();
                    }
                }
                outcome
            });
        }
        gather(work, begun).await
    }
}
