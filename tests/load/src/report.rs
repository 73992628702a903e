//! What was measured, and what it means: series, medians, ratios, goals.

use std::{fmt::Write as _, thread};

use serde::Serialize;

use crate::{
    drive::Outcome,
    goals::{self, Ratio},
    process::load_average,
};

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) cores: usize,
    pub(crate) seed: u64,
    /// Programs that wanted a core in the minute before and at the end.
    pub(crate) load_before: f64,
    pub(crate) load_after: f64,
    pub(crate) data: Vec<String>,
    pub(crate) series: Vec<Series>,
    pub(crate) ratios: Vec<Ratio>,
    /// What must not have happened.
    pub(crate) faults: Vec<String>,
}

/// One figure, measured again and again.
#[derive(Debug, Serialize)]
pub(crate) struct Series {
    pub(crate) measure: String,
    pub(crate) of: String,
    pub(crate) unit: String,
    pub(crate) values: Vec<f64>,
}

impl Report {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            machine: machine(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            seed,
            load_before: load_average(),
            load_after: 0.0,
            data: Vec::new(),
            series: Vec::new(),
            ratios: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Notes a figure.
    pub(crate) fn add(&mut self, measure: &str, of: &str, unit: &str, value: f64) {
        let known = self
            .series
            .iter_mut()
            .find(|series| series.measure == measure && series.of == of);
        match known {
            Some(series) => series.values.push(value),
            None => self.series.push(Series {
                measure: measure.to_owned(),
                of: of.to_owned(),
                unit: unit.to_owned(),
                values: vec![value],
            }),
        }
    }

    /// Notes what must not have happened.
    pub(crate) fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Notes a fault if there was any other status, or an answer did not come.
    pub(crate) fn only(&mut self, measure: &str, of: &str, outcome: &Outcome, statuses: &[u16]) {
        if outcome.beside(statuses) > 0 {
            let (found, lost) = (&outcome.statuses, outcome.lost);
            self.fault(format!(
                "{measure} of {of}: answers {found:?}, {lost} lost, beside {statuses:?}"
            ));
        }
    }

    pub(crate) fn values(&self, measure: &str, of: &str) -> &[f64] {
        let found = self
            .series
            .iter()
            .find(|series| series.measure == measure && series.of == of);
        found.map_or(&[], |series| series.values.as_slice())
    }

    pub(crate) fn median(&self, measure: &str, of: &str) -> Option<f64> {
        let values = self.values(measure, of);
        (!values.is_empty()).then(|| Spread::of(values).median)
    }

    /// Works the ratios out, when everything is measured.
    pub(crate) fn conclude(&mut self) {
        self.load_after = load_average();
        self.ratios = goals::ratios(self);
        let faults = goals::faults(self);
        self.faults.extend(faults);
    }

    /// All of it as a table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} ({} cores), load {:.1} before, {:.1} after, seed {}\n",
            self.machine, self.cores, self.load_before, self.load_after, self.seed
        );
        for data in &self.data {
            let _written = writeln!(text, "{data}");
        }
        text.push_str("\n| measured | of | median | from | to | unit | n |\n|---|---|---:|---:|---:|---|---:|\n");
        for series in &self.series {
            let Spread { low, median, high } = Spread::of(&series.values);
            let (measure, of, unit) = (&series.measure, &series.of, &series.unit);
            let (median, low, high) = (figure(median), figure(low), figure(high));
            let count = series.values.len();
            let _written = writeln!(
                text,
                "| {measure} | {of} | {median} | {low} | {high} | {unit} | {count} |"
            );
        }
        text.push_str(
            "\n| ratio | of | median | from | to | goal | |\n|---|---|---:|---:|---:|---|---|\n",
        );
        for ratio in &self.ratios {
            let Spread { low, median, high } = ratio.spread;
            let (goal, verdict) = (ratio.goal_in_words(), ratio.verdict());
            let _written = writeln!(
                text,
                "| {} | {} | {median:.2} | {low:.2} | {high:.2} | {goal} | {verdict} |",
                ratio.what, ratio.of
            );
        }
        for fault in &self.faults {
            let _written = writeln!(text, "\nFAULT: {fault}");
        }
        text
    }
}

/// The least, the middle and the greatest of some figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
        let (last, middle) = (sorted.len().saturating_sub(1), sorted.len() / 2);
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(at(middle.saturating_sub(1)), at(middle)),
            _ => at(middle),
        };
        Self {
            low: at(0),
            median,
            high: at(last),
        }
    }
}

/// With three digits that count.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|line| line.split_once(':'));
    name.map_or("a machine", |(_, name)| name.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.low, spread.median, spread.high), (1.0, 2.5, 4.0));
        assert_eq!(Spread::of(&[7.0]).median, 7.0);
    }
}
