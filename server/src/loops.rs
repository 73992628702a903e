//! What goes on beside the requests: following what other servers change,
//! storing activity, sending messages, removing what has expired, replacing keys,
//! scheduled backups.

use std::time::Duration;

use gatelodge_core::Platform;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{backup::schedule::Schedule, config::Config, messages::AT_ONCE};

/// How often messages are looked for that other servers or commands wrote, or that
/// are to be tried again.
const LOOK: Duration = Duration::from_secs(5);
/// How long a message that is being sent may go on when the server stops. One that
/// is cut short is sent again when its claim ends.
const GRACE: Duration = Duration::from_secs(5);

/// How often this server tried to send a message, by what became of it.
const DELIVERIES: &str = "gatelodge_message_deliveries_total";

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
    loops.spawn(until(stopped.clone(), tend_keys(platform.clone())));
    if platform.connections().list().next().is_some() {
        loops.spawn(until(stopped.clone(), keep_connected(platform.clone())));
    }
    if platform.sends_messages() {
        for _ in 0..AT_ONCE {
            loops.spawn(deliver(platform.clone(), stopped.clone()));
        }
    }
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

async fn tend_keys(platform: Platform) {
    loop {
        if let Err(error) = platform.tokens().tend().await {
            tracing::warn!(error = ?error, "the keys that sign tokens could not be looked after");
        }
        sleep(Duration::from_secs(60)).await;
    }
}

async fn keep_connected(platform: Platform) {
    loop {
        platform.connections().refresh().await;
        let more = platform.recheck_identities().await.unwrap_or_else(|error| {
            tracing::warn!(error = ?error, "third parties could not be asked who may still come in");
            false
        });
        let pause = if more { 1 } else { 60 };
        sleep(Duration::from_secs(pause)).await;
    }
}

async fn deliver(platform: Platform, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let mut sending = Box::pin(platform.deliver());
        let sent = tokio::select! {
            sent = &mut sending => Some(sent),
            () = told(&mut stopped) => timeout(GRACE, sending).await.ok(),
        };
        match sent {
            Some(Ok(Some(delivery))) => {
                metrics::counter!(DELIVERIES, "outcome" => delivery.as_str()).increment(1);
                continue;
            }
            Some(Ok(None)) | None => {}
            Some(Err(error)) => {
                tracing::warn!(error = ?error, "messages cannot be sent; they are kept");
                until(stopped.clone(), sleep(LOOK)).await;
            }
        }
        let message = async { timeout(LOOK, platform.message_added()).await.unwrap_or(()) };
        until(stopped.clone(), message).await;
    }
}

/// Waits until the server is to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error: whoever would tell is gone.
    stopped.wait_for(|stopped| *stopped).await.ok();
}

async fn back_up(schedule: Schedule, platform: Platform) {
    schedule.run(&platform).await;
}
