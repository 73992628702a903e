//! How long a session that was ended is let in elsewhere.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use crate::{
    api::Api,
    wait::{PATIENCE, pause},
};

/// What a node answered for a session after its end was acknowledged by another.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// How long after that a request was sent that was still let in, of the last such one.
    pub accepted: Duration,
    /// How many answers there were of each status.
    pub answers: BTreeMap<u16, usize>,
}

impl Seen {
    /// Asks again and again until the session is refused. `since` is when its end was acknowledged.
    pub async fn until_refused(program: &Api, since: Instant) -> Self {
        let mut seen = Self::default();
        loop {
            let sent = since.elapsed();
            let status = program.get("/api/v1/session").await.status;
            *seen.answers.entry(status).or_default() += 1;
            match status {
                200 => seen.accepted = sent,
                401 => return seen,
                // A node that cannot know lets nobody in.
                503 => {}
                other => panic!("a session is answered with {other}"),
            }
            assert!(sent < PATIENCE, "the session is never refused: {seen}");
            pause().await;
        }
    }

    /// This and what was seen at another time.
    pub fn add(&mut self, other: &Self) {
        self.accepted = self.accepted.max(other.accepted);
        for (status, count) in &other.answers {
            *self.answers.entry(*status).or_default() += count;
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, answers } = self;
        write!(f, "let in for at most {accepted:.3?}, answers {answers:?}")
    }
}
