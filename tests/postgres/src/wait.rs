//! Waiting for what has to come.

use std::time::{Duration, Instant};

/// How long to wait for anything. Generous: machines that run tests are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `probe` again and again until it answers; `None` after [`PATIENCE`].
pub(crate) fn until_some<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if begun.elapsed() >= PATIENCE {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
