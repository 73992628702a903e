//! R1, R2: `kill -9` of the server in the middle of its work, again and again.
//!
//! This says nothing about a loss of power: what a process wrote the operating system still has. That is
//! [`power`](crate::power).

use std::time::Duration;

use gatelodge_e2e::place::Start;

use crate::{
    random::Random,
    report::{Outcome, quantile},
    site::{Kind, Site},
    work::After,
};

/// How often one database is used; then it is looked through, and the next one begins empty.
const PER_DATABASE: usize = 50;
/// How many sessions are asked for after each kill; after the last one, all.
const SESSIONS: usize = 60;
/// The most that 99 of 100 starts may take.
const READY: Duration = Duration::from_secs(1);

/// Kills the server so many times, each time after some `changes` more were acknowledged.
pub async fn run(kind: Kind, kills: usize, changes: u64, random: &mut Random) -> Outcome {
    let mut outcome = Outcome::of(match kind {
        Kind::Sqlite => "kill-sqlite",
        Kind::Postgres => "kill-postgres",
    });
    let mut ready = Vec::new();
    while outcome.faults < kills {
        let mut site = Site::on(kind.storage()).await;
        let left = (kills - outcome.faults).min(PER_DATABASE);
        for number in 0..left {
            let work = site.work(After::Leave);
            let some = random.between(changes * 3 / 4, changes * 5 / 4);
            work.goes_on(usize::try_from(some).unwrap()).await;
            tokio::time::sleep(Duration::from_micros(random.between(0, 5_000))).await;
            site.kill().await;
            let told = work.finish().await;
            outcome.acknowledged += told.acknowledged;
            outcome.add_answers(&told.answers, &[None, Some(200), Some(201), Some(204)]);
            ready.push(site.start(Start::default()).await);
            let is_last = number + 1 == left;
            let sessions = if is_last { usize::MAX } else { SESSIONS };
            outcome.violations.extend(site.violations(sessions).await);
            outcome.faults += 1;
        }
        site.stop().await;
    }
    let most = quantile(&ready, 0.99);
    outcome.measure_all("ready again", &ready);
    outcome.measure("p99 below 1 s", most < READY);
    outcome
}
