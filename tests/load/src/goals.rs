//! The goals, each a ratio of two figures of one run.

use serde::Serialize;

use crate::report::{Report, Spread};

/// What a ratio should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// It is only told.
    None,
}

/// A ratio of two figures.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ratio {
    pub(crate) what: &'static str,
    pub(crate) of: String,
    pub(crate) goal: Goal,
    pub(crate) spread: Spread,
}

/// Memory at rest should be no more, in MiB.
const REST_MIB: f64 = 30.0;
/// A start on SQLite should take no longer, in milliseconds.
const START_MS: f64 = 200.0;
/// So far from a half may lie what a stranger learns from the time of a refusal.
const OFF_CHANCE: f64 = 0.05;
/// How far a figure with much data may lie below the one with little to count as independent of it.
const INDEPENDENT: f64 = 0.8;
/// What a flood may take beside the memory of the hashes, in MiB.
const FLOOD_MIB: f64 = 128.0;
/// The memory of one hash, in MiB.
const HASH_MIB: f64 = 19.0;

/// Measured figure over measured figure, of the same server.
const PAIRS: [(&str, &str, &str, Goal); 8] = [
    (
        "sign-ins / raw Argon2id",
        "sign-in",
        "argon2id",
        Goal::AtLeast(0.9),
    ),
    (
        "session checks / bare axum",
        "check",
        "bare",
        Goal::AtLeast(0.8),
    ),
    (
        "cost of a bare answer / of a session check",
        "bare-cost",
        "check-cost",
        Goal::None,
    ),
    (
        "p99 of a session check, flood / calm",
        "flood-check-p99",
        "calm-check-p99",
        Goal::AtMost(2.0),
    ),
    (
        "p99 of bare axum beside it, flood / calm",
        "flood-bare-p99",
        "calm-bare-p99",
        Goal::None,
    ),
    (
        "cold reads / session checks from memory",
        "cold",
        "check",
        Goal::None,
    ),
    (
        "access tokens / session checks beside them",
        "access-token",
        "beside-tokens",
        Goal::None,
    ),
    (
        "forward authentication / session checks beside it",
        "forward-auth",
        "beside-tokens",
        Goal::None,
    ),
];

/// Figures that should not depend on how much data there is.
const SIZES: [(&str, &str); 5] = [
    ("session checks, big / small", "check"),
    ("cold reads, big / small", "cold"),
    ("page of users, big / small", "users-page"),
    ("page of tenants, big / small", "tenants-page"),
    ("sign-ins, big / small", "sign-in"),
];

/// All ratios that can be worked out.
pub(crate) fn ratios(report: &Report) -> Vec<Ratio> {
    let mut servers: Vec<&str> = Vec::new();
    for series in &report.series {
        if !servers.contains(&series.of.as_str()) {
            servers.push(&series.of);
        }
    }
    let mut ratios = Vec::new();
    for (what, over, under, goal) in PAIRS {
        for of in &servers {
            let (over, under) = (report.values(over, of), report.values(under, of));
            ratios.extend(ratio(what, of, goal, over, under));
        }
    }
    for of in &servers {
        let values = report.values("rest", of);
        let goal = Goal::AtMost(1.0);
        let under = vec![REST_MIB; values.len()];
        ratios.extend(ratio("memory at rest / 30 MiB", of, goal, values, &under));
        let values = report.values("start", of);
        let goal = match of.starts_with("sqlite") {
            true => Goal::AtMost(1.0),
            false => Goal::None,
        };
        let under = vec![START_MS; values.len()];
        ratios.extend(ratio("start / 200 ms", of, goal, values, &under));
        let values = report.values("off-chance", of);
        let under = vec![OFF_CHANCE; values.len()];
        let what = "what the time of a refusal tells / 0.05";
        ratios.extend(ratio(what, of, Goal::AtMost(1.0), values, &under));
    }
    for (what, measure) in SIZES {
        for of in &servers {
            let Some(storage) = of.strip_suffix("-big") else {
                continue;
            };
            let small = report.values(measure, &format!("{storage}-small"));
            let goal = Goal::AtLeast(INDEPENDENT);
            ratios.extend(ratio(
                what,
                storage,
                goal,
                report.values(measure, of),
                small,
            ));
        }
    }
    ratios
}

fn ratio(what: &'static str, of: &str, goal: Goal, over: &[f64], under: &[f64]) -> Option<Ratio> {
    // Those of the same turn.
    let ratios: Vec<f64> = over.iter().zip(under).map(|(a, b)| a / b).collect();
    (!ratios.is_empty()).then(|| Ratio {
        what,
        of: of.to_owned(),
        goal,
        spread: Spread::of(&ratios),
    })
}

/// What is wrong on any machine, however slow: memory that grows without a bound.
pub(crate) fn faults(report: &Report) -> Vec<String> {
    let peaks = report.series.iter();
    let peaks = peaks.filter(|series| series.measure == "flood-peak");
    let faults = peaks.filter_map(|peak| {
        let rest = report.median("rest", &peak.of)?;
        let bound = rest + FLOOD_MIB + HASH_MIB * report.cores as f64;
        let most = Spread::of(&peak.values).high;
        (most > bound).then(|| {
            format!(
                "{}: {most:.0} MiB under flood, {rest:.0} at rest, bound {bound:.0}",
                peak.of
            )
        })
    });
    faults.collect()
}

impl Ratio {
    /// Such as `≥ 0.9`.
    pub(crate) fn goal_in_words(&self) -> String {
        match self.goal {
            Goal::AtLeast(limit) => format!("≥ {limit}"),
            Goal::AtMost(limit) => format!("≤ {limit}"),
            Goal::None => String::new(),
        }
    }

    /// Whether the median is as it should be.
    pub(crate) fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtLeast(limit) => Some(self.spread.median >= limit),
            Goal::AtMost(limit) => Some(self.spread.median <= limit),
            Goal::None => None,
        }
    }

    pub(crate) fn verdict(&self) -> &'static str {
        match self.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        }
    }
}
