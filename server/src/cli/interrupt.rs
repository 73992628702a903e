//! What has to be put away when somebody presses Ctrl-C.

use std::pin::pin;

use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;

/// Does `work`, or drops it when the process is told to stop; then `left` says
/// what is left of it.
pub(super) async fn or_interrupted(
    work: impl Future<Output = Result<(), Failure>>,
    left: &str,
) -> Result<(), Failure> {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return work.await;
    };
    let work = pin!(work);
    tokio::select! {
        biased;
        done = work => done,
        _ = interrupt.recv() => Err(Failure::new("interrupted", left)),
        _ = terminate.recv() => Err(Failure::new("interrupted", left)),
    }
}
