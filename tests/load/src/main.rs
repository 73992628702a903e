//! How fast the real binary is, as ratios of one run.
//!
//! ```sh
//! cargo run --release -p gatelodge-load                # SQLite and Postgres with little data, some minutes
//! cargo run --release -p gatelodge-load -- --full      # also 10,000 tenants with 1,000,000 users (100,000 on SQLite)
//! ```
//!
//! Absolute figures of one machine say nothing about another, so everything is measured beside what it is to be compared
//! with, in turn, in the same run: sign-ins beside the bare Argon2id, session checks beside a bare axum that answers the
//! same, a flood beside calm, much data beside little. `docs/performance.md` says what the goals are and what came out.
//!
//! **Client and servers share the machine's cores**, two on the one that the figures come from. The client is written to
//! cost little, but a request is never cheaper than both sides of it; beside the rates, the time that the server's
//! process had on the cores is told, without the client's.
//!
//! | module | what |
//! |---|---|
//! | `timing` | whether the time of a refusal tells if an account exists |
//! | `subject` | the real binary with its data, on SQLite or Postgres |
//! | `seed` | much data, through the storage contract |
//! | `baseline`, `hashes` | what is compared with: bare axum, bare Argon2id |
//! | `client`, `drive` | who asks |
//! | `process` | memory and time of a process |
//! | `measures` | the measures, in turn |
//! | `report`, `goals`, `chart` | medians, ratios, the table and the picture |
//!
//! It ends with 1 when something is wrong that no machine excuses: errors, a surplus that is not refused by 429 or 503,
//! memory without a bound. A missed goal is told and no error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for measuring: what is not as expected ends it"
)]

mod baseline;
mod chart;
mod client;
mod drive;
mod goals;
mod hashes;
mod measures;
mod process;
mod progress;
mod report;
mod seed;
mod subject;
mod timing;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use clap::{Parser, ValueEnum};

use baseline::Baseline;
use client::{Async, get};
use measures::{Measures, Plan};
use progress::say;
use report::Report;
use seed::Size;
use subject::{Kind, Subject};

/// How fast the real binary is, as ratios of one run.
#[derive(Debug, Parser)]
struct Options {
    /// Also with 10,000 tenants and 1,000,000 users, on SQLite 100,000.
    #[arg(long)]
    full: bool,
    /// A few seconds in all, to see that everything works.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    #[arg(long, value_enum, default_value = "both")]
    storage: Storages,
    /// Only this measure; may be given again.
    #[arg(long, value_enum)]
    only: Vec<Measure>,
    /// How often each measure is taken.
    #[arg(long)]
    rounds: Option<usize>,
    /// What the data is made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to put everything that was measured, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to put the chart.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Be the bare server that answers this.
    #[arg(long, hide = true)]
    bare: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Storages {
    Sqlite,
    Postgres,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// From the start of the process until it is ready, and memory at rest.
    Start,
    /// Session checks from memory.
    Check,
    /// Session checks that read.
    Cold,
    /// Pages of lists.
    Lists,
    /// Access tokens, and forward authentication.
    Applications,
    /// Sign-ins.
    SignIn,
    /// Session checks while ten times too many want to sign in, and memory.
    Flood,
    /// Whether the time of a refusal tells if an account exists.
    Timing,
}

const SMALL: Size = Size {
    name: "small",
    tenants: 10,
    users_per_tenant: 100,
    users_at_home: 1_000,
    sessions: 20_000,
    queue: None,
};
const BIG: Size = Size {
    name: "big",
    tenants: 10_000,
    users_per_tenant: 100,
    ..SMALL
};
const BIG_ON_SQLITE: Size = Size {
    users_per_tenant: 10,
    ..BIG
};
const TINY: Size = Size {
    name: "small",
    tenants: 5,
    users_per_tenant: 20,
    users_at_home: 200,
    sessions: 500,
    queue: Some(16),
};

#[tokio::main(flavor = "multi_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(json) = &options.bare {
        baseline::serve(json).await;
        return ExitCode::SUCCESS;
    }
    let report = run(&options).await;
    println!("{}", report.table());
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&report).unwrap()).unwrap();
    }
    if let Some(path) = &options.svg {
        fs::write(path, chart::svg(&report.ratios)).unwrap();
    }
    match report.faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn run(options: &Options) -> Report {
    let binary = binary();
    let mut report = Report::new(options.seed);
    let mut subjects = Vec::new();
    for (kind, size) in sizes(options) {
        say(&format!("setting up {kind:?}, {}", size.name));
        let people = if options.quick { 8 } else { 64 };
        let subject = Subject::prepare(&binary, kind, size, people, options.seed).await;
        report.data.push(format!(
            "{}: {} tenants, {} users, {} open sessions",
            subject.name,
            subject.seeded.tenants,
            subject.seeded.users + people + 1,
            subject.seeded.tokens.len()
        ));
        subjects.push(subject);
    }
    let wants = |measure| options.only.is_empty() || options.only.contains(&measure);
    let mut measures = Measures {
        plan: plan(options),
        subjects: &mut subjects,
        report: &mut report,
    };
    if wants(Measure::Start) {
        say("start and memory at rest");
        measures.starts().await;
    } else {
        for subject in measures.subjects.iter_mut() {
            subject.restart().await;
        }
    }
    let bare = Baseline::start(&answer(&measures.subjects[0]).await);
    if wants(Measure::Check) {
        say("session checks");
        measures.checks(&bare).await;
    }
    if wants(Measure::Cold) {
        say("cold reads");
        measures.cold().await;
    }
    if wants(Measure::Lists) {
        say("lists");
        measures.pages().await;
    }
    if wants(Measure::Applications) {
        say("access tokens and forward authentication");
        measures.applications().await;
    }
    if wants(Measure::SignIn) {
        say("sign-ins");
        measures.sign_ins().await;
    }
    if wants(Measure::Flood) {
        say("flood");
        measures.flood(&bare).await;
    }
    if wants(Measure::Timing) {
        say("the time of refusals");
        measures.timing().await;
    }
    report.conclude();
    report
}

fn sizes(options: &Options) -> Vec<(Kind, Size)> {
    let small = if options.quick { TINY } else { SMALL };
    let mut sizes = Vec::new();
    if options.storage != Storages::Postgres {
        sizes.push((Kind::Sqlite, small));
        sizes.extend(options.full.then_some((Kind::Sqlite, BIG_ON_SQLITE)));
    }
    if options.storage != Storages::Sqlite {
        sizes.push((Kind::Postgres, small));
        sizes.extend(options.full.then_some((Kind::Postgres, BIG)));
    }
    sizes
}

fn plan(options: &Options) -> Plan {
    let seconds = Duration::from_secs_f64;
    if options.quick {
        return Plan {
            rounds: options.rounds.unwrap_or(1),
            time: seconds(0.5),
            flood: seconds(1.5),
            // More than work and wait at a time.
            crowd: 48,
            idle: Duration::ZERO,
            pairs: 50,
        };
    }
    Plan {
        rounds: options.rounds.unwrap_or(3),
        time: seconds(2.0),
        flood: seconds(4.0),
        crowd: 400,
        // Idle memory is kept for ten seconds.
        idle: seconds(12.0),
        pairs: 1_000,
    }
}

/// What a session check answers.
async fn answer(subject: &Subject) -> String {
    let running = subject.running();
    let token = subject.seeded.tokens[0].as_str();
    let mut connection = Async::open(running.address).await.unwrap();
    let check = get(&running.host, baseline::PATH, Some(token));
    let status = connection.ask(&check).await.unwrap();
    let body = String::from_utf8(connection.body().to_vec()).unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

/// The server, which lies beside this program. Run by Cargo in an optimised build, it is brought up to date first.
fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let binary = own.with_file_name("gatelodge");
    if let Some(cargo) = std::env::var_os("CARGO")
        && !cfg!(debug_assertions)
        && let Some(profile) = own.parent().and_then(Path::file_name)
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut build = Command::new(cargo);
        build.args(["build", "--bin", "gatelodge", "--profile"]);
        build.arg(profile);
        let built = build.current_dir(folder.join("../../server")).status();
        assert!(built.unwrap().success(), "the server does not build");
    }
    assert!(
        binary.is_file(),
        "there is no server at `{}`; build it with `cargo build --bin gatelodge`",
        binary.display()
    );
    binary
}
