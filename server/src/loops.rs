//! What goes on beside the requests: following what other servers change,
//! storing activity, removing what has expired, scheduled backups.

use std::time::Duration;

use gatelodge_core::Platform;
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::{backup::schedule::Schedule, config::Config};

/// Starts all of it; each ends when told to stop.
pub(crate) fn start(
    platform: &Platform,
    config: &Config,
    stopped: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(until(stopped.clone(), follow(platform.clone())));
    loops.spawn(until(stopped.clone(), flush(platform.clone())));
    loops.spawn(until(stopped.clone(), tidy(platform.clone())));
    if let Some(schedule) = Schedule::of(config) {
        // A backup that is just being made is given up.
        loops.spawn(until(stopped.clone(), back_up(schedule, platform.clone())));
    }
    loops
}

async fn until(mut stopped: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

async fn follow(platform: Platform) {
    loop {
        if let Err(error) = platform.follow_changes().await {
            tracing::warn!(error = ?error, "the change feed broke; every check reads until it is back");
        }
        sleep(Duration::from_millis(250)).await;
    }
}

async fn flush(platform: Platform) {
    loop {
        sleep(Duration::from_secs(5)).await;
        if let Err(error) = platform.flush_activity().await {
            tracing::warn!(error = ?error, "activity could not be stored; it is kept");
        }
    }
}

async fn tidy(platform: Platform) {
    loop {
        let more = platform.tidy().await.unwrap_or_else(|error| {
            tracing::warn!(error = ?error, "what has expired could not be removed");
            false
        });
        let pause = if more { 1 } else { 60 };
        sleep(Duration::from_secs(pause)).await;
    }
}

async fn back_up(schedule: Schedule, platform: Platform) {
    schedule.run(&platform).await;
}
