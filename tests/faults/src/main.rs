//! Runs the scenarios and prints what they came to, as a table and as JSON.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is asked for on the command line"
)]

use std::{process::ExitCode, time::Instant};

use clap::Parser;
use gatelodge_faults::{
    random::Random,
    report::{HEAD, Outcome},
    scenarios,
};

/// Makes things fail around the real binary, and looks what becomes of what it acknowledged.
#[derive(Debug, Parser)]
struct Arguments {
    /// As often as is published, which takes hours.
    #[arg(long)]
    full: bool,
    /// This scenario only; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// So many faults of each, in the place of its own number.
    #[arg(long, value_name = "N")]
    times: Option<usize>,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for name in &arguments.only {
        if scenarios::ALL.iter().all(|known| known.name != name) {
            let names: Vec<&str> = scenarios::ALL.iter().map(|known| known.name).collect();
            eprintln!(
                "error: there is no scenario `{name}`; there are {}",
                names.join(", ")
            );
            return ExitCode::FAILURE;
        }
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for scenario in scenarios::ALL {
        let is_wanted =
            arguments.only.is_empty() || arguments.only.iter().any(|name| name == scenario.name);
        if !is_wanted {
            continue;
        }
        let own = if arguments.full {
            scenario.full
        } else {
            scenario.short
        };
        let times = arguments.times.unwrap_or(own);
        eprintln!("{}: {times} times, seed {}", scenario.name, arguments.seed);
        let begun = Instant::now();
        let mut random = Random::new(arguments.seed);
        let mut outcome = scenario.run(times, &mut random).await;
        outcome.measure("took", format!("{:.0?}", begun.elapsed()));
        eprintln!("{}", outcome.row());
        for violation in outcome.violations.iter().take(20) {
            eprintln!("  {violation}");
        }
        outcomes.push(outcome);
    }
    println!("{HEAD}");
    for outcome in &outcomes {
        println!("{}", outcome.row());
    }
    let all: Vec<_> = outcomes.iter().map(Outcome::json).collect();
    println!(
        "\n{}",
        serde_json::json!({ "seed": arguments.seed, "scenarios": all })
    );
    let is_well = outcomes.iter().all(|outcome| outcome.violations.is_empty());
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
