//! R9: whether a stranger can tell by the time of a refusal whether an account exists. A known name with a wrong password and
//! a name that nobody has, in turn and one at a time.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    client::{Async, post},
    drive::{FLOWS, People},
};

/// Wrong answers for one name before another takes its turn; a right one then clears the count of the known one.
const TRIES: usize = 40;

/// How long refusals took, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Times {
    known: Vec<f64>,
    unknown: Vec<f64>,
}

impl Times {
    /// Refusals of `pairs` known and as many unknown names.
    pub(crate) async fn take(people: &People, pairs: usize, round: usize) -> Self {
        let mut times = Self::default();
        let mut connection = Async::open(people.address).await.unwrap();
        for pair in 0..pairs {
            let turn = pair / TRIES;
            let (name, password) = &people.users[turn % people.users.len()];
            // As long as a known one, and new for each turn, as the known one's count is.
            let nobody = format!("{name}.{round:03}.{turn:05}");
            let known_first = pair % 2 == 0;
            for is_known in [known_first, !known_first] {
                let name = if is_known { name } else { &nobody };
                let (status, took) = answer(people, &mut connection, name, "no such words").await;
                assert_eq!(status, 401, "a wrong password was not refused");
                match is_known {
                    true => times.known.push(took),
                    false => times.unknown.push(took),
                }
            }
            if pair % TRIES == TRIES - 1 {
                let (status, _) = answer(people, &mut connection, name, password).await;
                assert_eq!(status, 200, "the right password was refused");
            }
        }
        times
    }

    /// With which probability a known name takes longer than an unknown one: 0.5 when the time tells nothing (the area
    /// under the curve of whoever decides by it).
    pub(crate) fn area(&self) -> f64 {
        let known = self.known.iter().map(|time| (*time, true));
        let mut all: Vec<_> = known
            .chain(self.unknown.iter().map(|time| (*time, false)))
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut wins) = (0.0, 0.0);
        for equal in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let known = equal.iter().filter(|(_, is_known)| *is_known).count() as f64;
            let unknown = equal.len() as f64 - known;
            wins += known * (below + unknown / 2.0);
            below += unknown;
        }
        wins / (self.known.len() as f64 * self.unknown.len() as f64)
    }

    /// The difference of the means in microseconds, and Welch's t of it.
    pub(crate) fn difference(&self) -> (f64, f64) {
        let (known, of_known) = moments(&self.known);
        let (unknown, of_unknown) = moments(&self.unknown);
        let difference = known - unknown;
        (difference, difference / (of_known + of_unknown).sqrt())
    }
}

/// The mean, and the variance of the mean.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

/// Begins a flow and answers it; tells the status of the answer and how long it took.
async fn answer(people: &People, connection: &mut Async, name: &str, words: &str) -> (u16, f64) {
    let start = json!({ "tenant": people.tenant, "transport": "token" });
    let start = post(&people.host, FLOWS, None, &start);
    let status = connection.ask(&start).await.unwrap();
    assert_eq!(status, 201, "a flow was not begun");
    let flow: Value = serde_json::from_slice(connection.body()).unwrap();
    let path = format!("{FLOWS}/{}", flow["id"].as_str().unwrap_or_default());
    let answer = json!({ "user_name": name, "password": words });
    let answer = json!({ "provider": "password", "answer": answer });
    let request = post(&people.host, &path, None, &answer);
    let sent = Instant::now();
    let status = connection.ask(&request).await.unwrap();
    (status, sent.elapsed().as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(known: &[f64], unknown: &[f64]) -> Times {
        Times {
            known: known.to_vec(),
            unknown: unknown.to_vec(),
        }
    }

    #[test]
    fn the_area_is_a_half_when_the_times_tell_nothing() {
        assert_eq!(times(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]).area(), 0.5);
        assert_eq!(times(&[4.0, 5.0], &[1.0, 2.0, 3.0]).area(), 1.0);
        assert_eq!(times(&[1.0], &[2.0]).area(), 0.0);
    }

    #[test]
    fn a_difference_is_told_with_its_certainty() {
        let (difference, t) = times(&[10.0, 11.0, 12.0], &[0.0, 1.0, 2.0]).difference();
        assert_eq!(difference, 10.0);
        assert!(t > 4.5, "{t}");
        assert_eq!(times(&[1.0, 3.0], &[1.0, 3.0]).difference(), (0.0, 0.0));
    }
}
