//! Waiting for what has to come.

use std::time::{Duration, Instant};

/// How long to wait for anything that is not itself about time. Generous: machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `probe` says so; panics with `what` after [`PATIENCE`].
pub async fn until(what: &str, probe: impl AsyncFnMut() -> bool) {
    assert!(holds_within(PATIENCE, probe).await, "it never came: {what}");
}

/// Lets others work between two looks.
pub async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// Whether `probe` says so within `limit`. It is asked at least once.
pub async fn holds_within(limit: Duration, mut probe: impl AsyncFnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if probe().await {
            return true;
        }
        if begun.elapsed() >= limit {
            return false;
        }
        pause().await;
    }
}

/// The same for code that cannot be asynchronous, such as `Drop`.
pub(crate) fn holds_within_blocking(limit: Duration, mut probe: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if probe() {
            return true;
        }
        if begun.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}
