//! The list of scenarios, by name.

use crate::{
    backups, clock,
    codes::{self, Factor},
    crash, devices, flows, links, mails, outages, power, races,
    random::Random,
    report::Outcome,
    scarce,
    site::Kind,
};

/// A scenario, and how often its fault is made.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// How often, of an evening.
    pub short: usize,
    /// How often, for what is published.
    pub full: usize,
}

/// All of them, the most important first.
pub const ALL: [Scenario; 30] = [
    scenario("kill-sqlite", 20, 500),
    scenario("kill-postgres", 10, 200),
    scenario("postgres-ends", 6, 100),
    scenario("network-fails", 6, 100),
    scenario("power-sqlite", 10, 200),
    scenario("full-file-limit", 4, 20),
    scenario("full-disk", 4, 20),
    scenario("full-disk-postgres", 2, 20),
    scenario("read-only", 4, 20),
    scenario("no-descriptors", 4, 20),
    scenario("race-set-up", 2, 100),
    scenario("race-lock-sqlite", 2, 100),
    scenario("race-lock-postgres", 2, 100),
    scenario("race-app-sqlite", 2, 100),
    scenario("race-app-postgres", 2, 100),
    scenario("race-recovery-sqlite", 2, 100),
    scenario("race-recovery-postgres", 2, 100),
    scenario("race-code-sqlite", 2, 100),
    scenario("race-code-postgres", 2, 100),
    scenario("race-links-sqlite", 1, 100),
    scenario("race-links-postgres", 1, 100),
    scenario("race-flow-sqlite", 2, 100),
    scenario("race-flow-postgres", 2, 100),
    scenario("race-device-sqlite", 2, 100),
    scenario("race-device-postgres", 2, 100),
    scenario("revoke-two-nodes", 50, 10_000),
    scenario("mail-fails-sqlite", 1, 20),
    scenario("mail-fails-postgres", 1, 20),
    scenario("clock-jumps", 8, 40),
    scenario("backup-sqlite", 3, 50),
];

const fn scenario(name: &'static str, short: usize, full: usize) -> Scenario {
    Scenario { name, short, full }
}

impl Scenario {
    /// Runs it with so many faults.
    pub async fn run(&self, times: usize, random: &mut Random) -> Outcome {
        match self.name {
            "kill-sqlite" => crash::run(Kind::Sqlite, times, 250, random).await,
            "kill-postgres" => crash::run(Kind::Postgres, times, 150, random).await,
            "postgres-ends" => outages::postgres_ends(times, 60, random).await,
            "network-fails" => outages::network_fails(times, 60, random).await,
            "power-sqlite" => power::run(times, 200, random).await,
            "full-file-limit" => scarce::file_size(times, random).await,
            "full-disk" => scarce::small_disk(times, random).await,
            "full-disk-postgres" => scarce::small_disk_of_postgres(times, random).await,
            "read-only" => scarce::read_only(times).await,
            "no-descriptors" => scarce::descriptors(times, random).await,
            "race-set-up" => races::set_up_token(times).await,
            "race-lock-sqlite" => races::lock_out(Kind::Sqlite, times, 500).await,
            "race-lock-postgres" => races::lock_out(Kind::Postgres, times, 500).await,
            "race-app-sqlite" => codes::redemption(Kind::Sqlite, Factor::App, times).await,
            "race-app-postgres" => codes::redemption(Kind::Postgres, Factor::App, times).await,
            "race-recovery-sqlite" => {
                codes::redemption(Kind::Sqlite, Factor::Recovery, times).await
            }
            "race-recovery-postgres" => {
                codes::redemption(Kind::Postgres, Factor::Recovery, times).await
            }
            "race-code-sqlite" => codes::redemption(Kind::Sqlite, Factor::Mailed, times).await,
            "race-code-postgres" => codes::redemption(Kind::Postgres, Factor::Mailed, times).await,
            "race-links-sqlite" => links::redemption(Kind::Sqlite, times).await,
            "race-links-postgres" => links::redemption(Kind::Postgres, times).await,
            "race-flow-sqlite" => flows::completion(Kind::Sqlite, times).await,
            "race-flow-postgres" => flows::completion(Kind::Postgres, times).await,
            "race-device-sqlite" => devices::redemption(Kind::Sqlite, times).await,
            "race-device-postgres" => devices::redemption(Kind::Postgres, times).await,
            "revoke-two-nodes" => races::revocation(times).await,
            "mail-fails-sqlite" => mails::server_fails(Kind::Sqlite, times).await,
            "mail-fails-postgres" => mails::server_fails(Kind::Postgres, times).await,
            "clock-jumps" => clock::run(times).await,
            "backup-sqlite" => backups::run(Kind::Sqlite, times).await,
            other => panic!("there is no scenario `{other}`"),
        }
    }
}
