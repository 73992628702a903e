//! The measures. What is compared is measured in turn, A B A B …, so that a machine that is busy for a while is so for both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    baseline::{self, Baseline},
    client::{Async, get},
    drive::{self, Outcome, Requests},
    hashes,
    process::{processor_time, resident_mib},
    progress::Progress,
    report::Report,
    subject::{HOME, Subject},
    timing::Times,
};

/// How long and how often each measure is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Of one turn.
    pub(crate) time: Duration,
    /// Of one turn under flood, and how many connections it has.
    pub(crate) flood: Duration,
    pub(crate) crowd: usize,
    /// How long to wait until idle memory has been given back.
    pub(crate) idle: Duration,
    /// Refusals of known and of unknown names.
    pub(crate) pairs: usize,
}

/// Connections that ask as fast as answers come.
const CONNECTIONS: usize = 16;
/// Sessions that are checked over and over; the others are met once.
const KNOWN: usize = 1_000;
/// Session checks per second that are looked at one by one.
const PACE: u32 = 400;
/// The flood brings so many times what can be done.
const TIMES_CAPACITY: f64 = 10.0;
/// And never fewer per second, or a slow machine would not fill the queue in time.
const LEAST_FLOOD: f64 = 200.0;
/// What an overloaded server may answer beside success.
const REFUSALS: [u16; 3] = [200, 429, 503];

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct Measures<'a> {
    pub(crate) plan: Plan,
    pub(crate) subjects: &'a mut [Subject],
    pub(crate) report: &'a mut Report,
}

impl Measures<'_> {
    fn progress(&self, what: &str) -> Progress {
        Progress::new(what, self.plan.rounds * self.subjects.len())
    }

    /// From the start of the process to the first 200 of `/readyz`, and its memory when nobody has asked yet.
    pub(crate) async fn starts(&mut self) {
        let progress = self.progress("start and memory at rest");
        for _ in 0..self.plan.rounds {
            for subject in self.subjects.iter_mut() {
                let took = subject.restart().await;
                let took = took.as_secs_f64() * 1000.0;
                self.report.add("start", &subject.name, "ms", took);
                progress.advance(1);
            }
            sleep(self.plan.time.min(Duration::from_millis(1_500))).await;
            for subject in self.subjects.iter() {
                let memory = resident_mib(subject.running().process.id());
                self.report
                    .add("rest", &subject.name, "MiB", memory.unwrap_or(f64::NAN));
            }
        }
    }

    /// Checks of sessions that are in memory, and a bare axum that answers the same.
    pub(crate) async fn checks(&mut self, bare: &Baseline) {
        let progress = self.progress("session checks");
        let bare_requests = Requests::round(vec![get("localhost", baseline::PATH, None)]);
        for round in 0..self.plan.rounds {
            for subject in self.subjects.iter() {
                let running = subject.running();
                let requests = Requests::round(subject.checks(known(subject)));
                if round == 0 {
                    drive::closed(running.address, CONNECTIONS, self.plan.time / 2, &requests)
                        .await;
                }
                let turns = [
                    ("bare", bare.process.id(), bare.address, &bare_requests),
                    ("check", running.process.id(), running.address, &requests),
                ];
                for (measure, process, address, requests) in turns {
                    let before = processor_time(process).unwrap_or_default();
                    let time = self.plan.time;
                    let outcome = drive::closed(address, CONNECTIONS, time, requests).await;
                    let cost = processor_time(process).unwrap_or_default() - before;
                    let cost = cost.as_secs_f64() * 1e6 / outcome.answers().max(1) as f64;
                    let name = &subject.name;
                    self.report.add(measure, name, "/s", outcome.per_second());
                    self.report
                        .add(&format!("{measure}-cost"), name, "µs of a core", cost);
                    self.report.only(measure, name, &outcome, &[200]);
                }
                progress.advance(1);
            }
        }
    }

    /// Checks of sessions that are not in memory.
    pub(crate) async fn cold(&mut self) {
        let progress = self.progress("cold reads");
        let plan = self.plan;
        let fresh = |subject: &Subject| {
            let tokens = subject
                .seeded
                .tokens
                .get(KNOWN.min(subject.seeded.tokens.len() / 2)..);
            Requests::once(subject.checks(tokens.unwrap_or_default()))
        };
        let requests: Vec<_> = self.subjects.iter().map(fresh).collect();
        for _ in 0..plan.rounds {
            for (subject, requests) in self.subjects.iter().zip(&requests) {
                let address = subject.running().address;
                // Few at a time, and a third of them each time, so that there are some left.
                let time = plan.time / 2;
                let outcome = drive::closed(address, 4, time, requests).await;
                if outcome.answers() > 0 {
                    self.report
                        .add("cold", &subject.name, "/s", outcome.per_second());
                    self.report
                        .add("cold-p99", &subject.name, "ms", outcome.percentile(0.99));
                }
                self.report.only("cold", &subject.name, &outcome, &[200]);
                progress.advance(1);
            }
        }
    }

    /// Pages of lists, as an administrator sees them: users of one tenant, and tenants.
    pub(crate) async fn pages(&mut self) {
        let progress = self.progress("lists");
        let lists = [
            (
                "users-page",
                format!("/api/v1/tenants/{HOME}/users?limit=100"),
            ),
            ("tenants-page", "/api/v1/tenants?limit=10".to_owned()),
        ];
        for _ in 0..self.plan.rounds {
            for subject in self.subjects.iter() {
                for (measure, path) in &lists {
                    let requests = Requests::round(vec![subject.get(path)]);
                    let address = subject.running().address;
                    let outcome = drive::closed(address, 4, self.plan.time / 2, &requests).await;
                    self.report
                        .add(measure, &subject.name, "/s", outcome.per_second());
                    self.report.only(measure, &subject.name, &outcome, &[200]);
                }
                progress.advance(1);
            }
        }
    }

    /// Access tokens, which are signed, and what a proxy asks about each request, beside session checks.
    pub(crate) async fn applications(&mut self) {
        let progress = self.progress("applications");
        for _ in 0..self.plan.rounds {
            for subject in self.subjects.iter() {
                let turns = [
                    ("beside-tokens", subject.checks(known(subject))),
                    ("access-token", vec![subject.token_request()]),
                    ("forward-auth", vec![subject.proxied_request().await]),
                ];
                let address = subject.running().address;
                for (measure, requests) in turns {
                    let requests = Requests::round(requests);
                    let time = self.plan.time / 2;
                    let outcome = drive::closed(address, CONNECTIONS, time, &requests).await;
                    let name = &subject.name;
                    self.report.add(measure, name, "/s", outcome.per_second());
                    self.report.only(measure, name, &outcome, &[200]);
                }
                progress.advance(1);
            }
        }
    }

    /// Sign-ins, and the hashes that they are made of.
    pub(crate) async fn sign_ins(&mut self) {
        let progress = self.progress("sign-ins");
        let time = self.plan.time * 2;
        for _ in 0..self.plan.rounds {
            for subject in self.subjects.iter() {
                let raw = spawn_blocking(move || hashes::per_second(time)).await;
                self.report
                    .add("argon2id", &subject.name, "/s", raw.unwrap());
                let outcome = subject.people().come(CONNECTIONS, time, None).await;
                self.report
                    .add("sign-in", &subject.name, "/s", outcome.per_second());
                self.report.only("sign-in", &subject.name, &outcome, &[200]);
                progress.advance(1);
            }
        }
    }

    /// Session checks, and the bare server as a control, in calm and while ten times as many people want to sign in as can.
    pub(crate) async fn flood(&mut self, bare: &Baseline) {
        let progress = self.progress("flood");
        for _ in 0..self.plan.rounds {
            for subject in self.subjects.iter() {
                let capacity = match self.report.median("sign-in", &subject.name) {
                    Some(capacity) => capacity,
                    None => {
                        let time = self.plan.time;
                        let outcome = subject.people().come(CONNECTIONS, time, None).await;
                        outcome.per_second()
                    }
                };
                recall(subject).await;
                let (checks, control) = look(subject, bare, self.plan.flood).await;
                note_checks(self.report, "calm", &subject.name, &checks, &control);
                flood_one(self.plan, self.report, (subject, bare), capacity).await;
                progress.advance(1);
            }
        }
        sleep(self.plan.idle).await;
        for subject in self.subjects.iter() {
            // An allocator gives pages back while it is asked for others, as it is by a server in use.
            recall(subject).await;
            let memory = resident_mib(subject.running().process.id());
            self.report
                .add("after", &subject.name, "MiB", memory.unwrap_or(f64::NAN));
        }
    }

    /// How far the time of a refusal tells whether an account exists, with nothing else going on.
    pub(crate) async fn timing(&mut self) {
        let progress = self.progress("refusals");
        for round in 0..self.plan.rounds {
            for subject in self.subjects.iter() {
                let times = Times::take(&subject.people(), self.plan.pairs, round).await;
                let (difference, t) = times.difference();
                let name = &subject.name;
                self.report.add("area", name, "of 1", times.area());
                self.report
                    .add("off-chance", name, "of 1", (times.area() - 0.5).abs());
                self.report.add("refusal-gap", name, "µs", difference);
                self.report.add("refusal-t", name, "Welch's t", t);
                progress.advance(1);
            }
        }
    }
}

/// Lets the flood come over a server and looks at it meanwhile.
async fn flood_one(
    plan: Plan,
    report: &mut Report,
    (subject, bare): (&Subject, &Baseline),
    capacity: f64,
) {
    const RISE: Duration = Duration::from_millis(500);
    let people = subject.people();
    let rate = Some((capacity * TIMES_CAPACITY).max(LEAST_FLOOD));
    let time = plan.flood + 2 * RISE;
    let flood = tokio::spawn(async move { people.come(plan.crowd, time, rate).await });
    let watch = Watch::start(subject.running().process.id());
    sleep(RISE).await;
    let (checks, control) = look(subject, bare, plan.flood).await;
    let came = flood.await.unwrap();
    let name = &subject.name;
    report.add("flood-peak", name, "MiB", watch.stop().await);
    let seconds = came.took.as_secs_f64();
    let refused = came.answers() - came.micros.len() as u64;
    report.add("flood-came", name, "/s", came.answers() as f64 / seconds);
    report.add("flood-let-in", name, "/s", came.per_second());
    report.add("flood-refused", name, "/s", refused as f64 / seconds);
    report.only("flood", name, &came, &REFUSALS);
    if refused == 0 {
        report.fault(format!("{name}: nobody was refused in a flood"));
    }
    note_checks(report, "flood", name, &checks, &control);
}

fn note_checks(report: &mut Report, when: &str, name: &str, checks: &Outcome, control: &Outcome) {
    for (who, outcome) in [("check", checks), ("bare", control)] {
        for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
            let measure = format!("{when}-{who}-{word}");
            report.add(&measure, name, "ms", outcome.percentile(share));
        }
    }
    report.only(when, name, checks, &[200]);
}

/// The sessions that are in memory.
fn known(subject: &Subject) -> &[String] {
    let tokens = &subject.seeded.tokens;
    let known = KNOWN.min(tokens.len() / 2);
    tokens.get(..known).unwrap_or(tokens)
}

/// Sees to it that the sessions are in memory.
async fn recall(subject: &Subject) {
    let mut connection = Async::open(subject.running().address).await.unwrap();
    for check in subject.checks(known(subject)) {
        connection.ask(&check).await.unwrap();
    }
}

/// Looks at session checks and at the bare server, both at the same time.
async fn look(subject: &Subject, bare: &Baseline, time: Duration) -> (Outcome, Outcome) {
    let requests = Requests::round(subject.checks(known(subject)));
    let address = subject.running().address;
    let checks = spawn_blocking(move || drive::paced(address, PACE, time, &requests));
    let (address, request) = (bare.address, get("localhost", baseline::PATH, None));
    let requests = Requests::round(vec![request]);
    let control = spawn_blocking(move || drive::paced(address, PACE, time, &requests));
    (checks.await.unwrap(), control.await.unwrap())
}

/// The most memory that a process has, looked at again and again.
struct Watch {
    is_over: Arc<AtomicBool>,
    most: tokio::task::JoinHandle<f64>,
}

impl Watch {
    fn start(process: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let most = tokio::spawn(async move {
            let mut most = 0.0;
            while !over.load(Ordering::Relaxed) {
                most = resident_mib(process).unwrap_or_default().max(most);
                sleep(Duration::from_millis(25)).await;
            }
            most
        });
        Self { is_over, most }
    }

    async fn stop(self) -> f64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.most.await.unwrap()
    }
}
