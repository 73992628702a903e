//! How many flows one network may start: a fixed window in memory, so that a
//! refused start costs nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::{Error, Result, environment::span_between};

const WINDOW: Duration = Duration::from_secs(60);
const NETWORKS: usize = 100_000;

pub(crate) struct FlowStarts {
    per_window: u32,
    windows: Mutex<HashMap<String, (Timestamp, u32)>>,
}

impl FlowStarts {
    pub(crate) fn new(per_window: u32) -> Self {
        Self {
            per_window,
            windows: Mutex::default(),
        }
    }

    /// Counts a start, or refuses it with the time to wait.
    pub(crate) fn take(&self, network: Option<&str>, now: Timestamp) -> Result<()> {
        let Some(network) = network else {
            return Ok(());
        };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= NETWORKS {
            windows.retain(|_, (since, _)| *since <= now && span_between(*since, now) < WINDOW);
            if windows.len() >= NETWORKS {
                windows.clear();
            }
        }
        let window = windows.entry(network.to_owned()).or_insert((now, 0));
        if window.0 > now || span_between(window.0, now) >= WINDOW {
            *window = (now, 0);
        }
        if window.1 >= self.per_window {
            return Err(Error::limited(
                WINDOW.saturating_sub(span_between(window.0, now)),
            ));
        }
        window.1 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::later;

    #[test]
    fn a_network_waits_for_the_next_window() {
        let starts = FlowStarts::new(2);
        let now = Timestamp::UNIX_EPOCH;
        assert!(starts.take(Some("a"), now).is_ok());
        assert!(starts.take(Some("a"), now).is_ok());
        assert!(starts.take(Some("b"), now).is_ok());
        let refused = starts.take(Some("a"), later(now, Duration::from_secs(20)));
        assert_eq!(
            refused.unwrap_err().retry_after(),
            Some(Duration::from_secs(40))
        );
        assert!(starts.take(Some("a"), later(now, WINDOW)).is_ok());
    }
}
