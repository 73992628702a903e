//! How often codes are sent.

use std::time::Duration;

use gatelodge_core::environment::span_between;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long there is none after one was sent.
const PAUSE: Duration = Duration::from_secs(60);
/// How many are sent at most within [`Pace::HOUR`].
const MOST: usize = 5;

/// When codes were sent within the last hour, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pace(Vec<Timestamp>);

impl Pace {
    /// After this long a code that was sent slows nobody down any more.
    pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

    /// How long to wait before another one; `None`: not at all. A clock that was
    /// set back keeps nobody waiting for longer.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let within = |span: Duration| {
            let left = self.0.iter().map(move |at| span.checked_sub(age(*at, now)));
            left.flatten().filter(|left| !left.is_zero())
        };
        let pause = within(PAUSE).max();
        // When enough of them are an hour ago.
        let mut left: Vec<_> = within(Self::HOUR).collect();
        left.sort_unstable();
        let hour = left.len().checked_sub(MOST).and_then(|at| left.get(at));
        pause.max(hour.copied())
    }

    /// With one that is sent now.
    #[must_use]
    pub(crate) fn and_now(&self, now: Timestamp) -> Self {
        let recent = self.0.iter().filter(|at| age(**at, now) < Self::HOUR);
        Self(recent.copied().chain([now]).collect())
    }
}

/// How far away a time is, either way.
fn age(at: Timestamp, now: Timestamp) -> Duration {
    span_between(at.min(now), at.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelodge_core::environment::later;

    fn second(second: u64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, Duration::from_secs(second))
    }

    #[test]
    fn five_an_hour_with_a_minute_between() {
        let mut pace = Pace::default();
        for minute in 0..5 {
            assert_eq!(pace.wait(second(60 * minute)), None);
            pace = pace.and_now(second(60 * minute));
            let wait = pace.wait(second(60 * minute + 59));
            assert!(wait >= Some(Duration::from_secs(1)));
        }
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        assert_eq!(pace.wait(second(60 * 4)), minutes(56));
        assert_eq!(pace.wait(second(60 * 59)), minutes(1));
        assert_eq!(pace.wait(second(60 * 60)), None);
        let pace = pace.and_now(second(60 * 60));
        assert_eq!(pace.0.len(), 5, "what is an hour old is forgotten");
        assert_eq!(pace.wait(second(60 * 60)), minutes(1));
        assert_eq!(pace.wait(second(60 * 61)), None);
    }

    #[test]
    fn a_clock_that_ran_ahead_and_was_set_right_keeps_nobody_waiting() {
        let ahead = Pace::default().and_now(second(63_072_000));
        assert_eq!(ahead.wait(second(0)), None);
        assert_eq!(ahead.and_now(second(0)).0, [second(0)]);
    }
}
