//! Backups that the server makes by itself.

use std::{path::PathBuf, time::Duration};

use gatelodge_core::{
    Platform, Result,
    archive::What,
    service::{BackupTurn, MadeBackup},
};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{BackupName, Made, Order, Place, list::remove_surplus, make};
use crate::config::{BackupRecipient, Config};

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often the turn is extended: several times before it would end.
const EXTEND_EVERY: Duration = Duration::from_secs(60);

const LAST_SUCCESS: &str = "gatelodge_backup_last_success_timestamp_seconds";
const FAILURES: &str = "gatelodge_backup_failures_total";

/// When and how backups are made.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    every: Duration,
    keep: usize,
    folder: PathBuf,
    recipients: Vec<BackupRecipient>,
}

impl Schedule {
    /// The configured one, if there is one.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let hours = config.backup.every_hours?;
        Some(Self {
            every: Duration::from_secs(u64::from(hours) * 3_600),
            keep: usize::try_from(config.backup.keep).unwrap_or(usize::MAX),
            folder: config.backup_folder(),
            recipients: config.backup.recipients.clone(),
        })
    }

    /// Makes backups for ever. Whatever goes wrong is logged, and nobody else hears of it.
    pub(crate) async fn run(&self, platform: &Platform) {
        metrics::counter!(FAILURES).absolute(0);
        loop {
            if let Err(error) = self.look(platform).await {
                metrics::counter!(FAILURES).increment(1);
                tracing::error!(error = ?error, "the scheduled backup failed; it is tried again in ten minutes");
            }
            show_last_success(platform).await;
            sleep(LOOK_EVERY).await;
        }
    }

    /// Makes a backup if one is due. After a failure the turn goes on for ten
    /// minutes, so that nobody tries again before.
    pub(super) async fn look(&self, platform: &Platform) -> Result<()> {
        let now = platform.now();
        let name = BackupName {
            at: now,
            tenant: None,
            is_encrypted: true,
        };
        let (backups, name) = (platform.backups(), name.to_string());
        let turn = match backups.take_turn(self.every, &name).await {
            Ok(Some(turn)) => turn,
            Ok(None) => return Ok(()),
            // The database cannot be used: that is no failure of a backup yet.
            Err(error) => {
                tracing::warn!(error = ?error, "it cannot be looked whether a backup is due");
                return Ok(());
            }
        };
        let begun = platform.environment().running();
        let made = self.make(platform, turn, now).await;
        if made.is_err() {
            // Without this the turn ends a little earlier.
            backups.extend_turn(turn).await.ok();
        }
        let made = made?;
        let name = made.file_name();
        backups.end_turn(turn, noted(&made, &name)).await?;
        let seconds = platform.environment().running().saturating_sub(begun);
        let (rows, bytes, seconds) = (made.rows(), made.bytes, seconds.as_secs_f64());
        tracing::info!(file = %made.path.display(), rows, bytes, seconds, "made a backup");
        if let Err(error) = self.tidy(platform).await {
            tracing::warn!(error = ?error, "old backups could not be removed");
        }
        Ok(())
    }

    /// Makes it as of the moment that its name was noted with, so that no name is
    /// noted that no file ever had.
    async fn make(&self, platform: &Platform, turn: BackupTurn, now: Timestamp) -> Result<Made> {
        let order = Order {
            what: What::Whole,
            now,
            place: Place::Folder(self.folder.clone()),
            recipients: &self.recipients,
        };
        let mut silent = |_| {};
        let making = make(platform.storage(), order, &mut silent);
        let extending = async {
            let mut ticks = interval(EXTEND_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let extended = platform.backups().extend_turn(turn).await;
                let is_lost = extended
                    .as_ref()
                    .is_err_and(|error| error.kind() == gatelodge_core::ErrorKind::Refused);
                match extended {
                    Err(error) if is_lost => return error,
                    Err(error) => {
                        tracing::warn!(error = ?error, "the backup's turn could not be extended")
                    }
                    Ok(()) => {}
                }
            }
        };
        tokio::select! {
            made = making => made,
            lost = extending => Err(lost),
        }
    }

    async fn tidy(&self, platform: &Platform) -> Result<()> {
        let known = platform.backups().schedule().await?.files;
        let is_scheduled = |name: &BackupName| known.contains(&name.to_string());
        let removed = remove_surplus(&self.folder, self.keep, is_scheduled).await?;
        if removed > 0 {
            tracing::info!(backups = removed, "removed old backups");
        }
        Ok(())
    }
}

/// What is noted of a backup.
pub(crate) fn noted<'a>(made: &'a Made, file: &'a str) -> MadeBackup<'a> {
    MadeBackup {
        file,
        bytes: made.bytes,
        contents: &made.contents,
    }
}

/// Whichever server made it.
async fn show_last_success(platform: &Platform) {
    let Ok(schedule) = platform.backups().schedule().await else {
        return;
    };
    if let Some(last) = schedule.last_success {
        metrics::gauge!(LAST_SUCCESS).set(last.as_second() as f64);
    }
}
