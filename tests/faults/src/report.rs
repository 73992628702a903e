//! What a scenario came to, as a table and as JSON.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

/// The least that lies above this share of `values`, which must not be empty: `quantile(…, 0.99)`.
pub fn quantile(values: &[Duration], share: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len());
    sorted[place - 1]
}

/// What one scenario came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Its name.
    pub name: &'static str,
    /// How often the fault was made.
    pub faults: usize,
    /// How many changes were acknowledged, in all; or how many tries there were.
    pub acknowledged: usize,
    /// What should not be, each in words.
    pub violations: Vec<String>,
    /// Clients' answers by status; none stands for no answer at all.
    pub answers: BTreeMap<Option<u16>, usize>,
    /// What else was measured, by name.
    pub measured: Vec<(&'static str, String)>,
    /// Why it was not run.
    pub left_out: Option<String>,
}

impl Outcome {
    /// An empty one.
    pub fn of(name: &'static str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// One that cannot be run here.
    pub fn left_out(name: &'static str, why: &str) -> Self {
        Self {
            left_out: Some(why.to_owned()),
            ..Self::of(name)
        }
    }

    /// Notes a measurement.
    pub fn measure(&mut self, name: &'static str, value: impl ToString) {
        self.measured.push((name, value.to_string()));
    }

    /// Notes how long each of something took.
    pub fn measure_all(&mut self, name: &'static str, values: &[Duration]) {
        if values.is_empty() {
            return;
        }
        let [half, most, all] = [0.5, 0.99, 1.0].map(|share| quantile(values, share).as_millis());
        let text = format!("p50 {half} ms, p99 {most} ms, longest {all} ms");
        self.measure(name, text);
    }

    /// Notes that something should not be, if it is so.
    pub fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(otherwise());
        }
    }

    /// Adds what clients were answered. Nothing but `allowed` may be among it.
    pub fn add_answers(&mut self, answers: &BTreeMap<Option<u16>, usize>, allowed: &[Option<u16>]) {
        for (status, count) in answers {
            *self.answers.entry(*status).or_default() += count;
            self.expect(allowed.contains(status), || {
                format!("{count} answers with {status:?}")
            });
        }
    }

    /// The most that the true share of failing faults can be, at 95 %, when none of `count` failed.
    fn bound(count: usize) -> String {
        match u32::try_from(count) {
            Ok(count) if count > 0 => format!("{:.1e}", 3.0 / f64::from(count)),
            _ => "-".to_owned(),
        }
    }

    /// As a row of the table.
    pub fn row(&self) -> String {
        if let Some(why) = &self.left_out {
            return format!("| {} | left out | | | | {why} |", self.name);
        }
        let measured: Vec<String> = self
            .measured
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            self.name,
            self.faults,
            self.acknowledged,
            self.violations.len(),
            Self::bound(self.faults),
            measured.join("; ")
        )
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let named = |status: &Option<u16>| match status {
            Some(status) => status.to_string(),
            None => "none".to_owned(),
        };
        let answers: BTreeMap<String, usize> = self
            .answers
            .iter()
            .map(|(status, count)| (named(status), *count))
            .collect();
        let measured: BTreeMap<_, _> = self.measured.iter().cloned().collect();
        json!({
            "name": self.name,
            "faults": self.faults,
            "acknowledged": self.acknowledged,
            "violations": self.violations,
            "bound_per_fault": Self::bound(self.faults),
            "bound_per_acknowledged": Self::bound(self.acknowledged),
            "answers": answers,
            "measured": measured,
            "left_out": self.left_out,
        })
    }
}

/// The head of the table.
pub const HEAD: &str =
    "| scenario | faults | acknowledged | violations | 3/N | measured |\n|---|---|---|---|---|---|";
