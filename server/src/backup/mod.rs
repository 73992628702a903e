//! Backups as files: the text of [`gatelodge_core::archive`], compressed with
//! gzip (RFC 1952), encrypted with age (<https://age-encryption.org/v1>). The
//! format is described in `docs/operations/backup-format.md`.
//!
//! Everything streams, and what blocks is on threads of its own. A backup is
//! written under its name with `.part` after it and gets its name when it is
//! complete and on the disk; what does not come so far is removed.

mod identity;
mod list;
mod name;
mod reader;
pub(crate) mod schedule;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use gatelodge_core::{
    Error, Result,
    archive::{Contents, Report, What, write_backup},
    environment::later,
    storage::Storage,
};
use jiff::Timestamp;

pub(crate) use identity::{Identities, make_identity_file};
pub(crate) use list::{Found, found};
pub(crate) use name::BackupName;
pub(crate) use reader::BackupOnDisk;

use writer::BackupWriter;

use crate::config::BackupRecipient;

/// What to make a backup of, and where.
pub(crate) struct Order<'a> {
    pub(crate) what: What,
    /// The present time.
    pub(crate) now: Timestamp,
    pub(crate) place: Place,
    /// For whom it is encrypted; for nobody when there are none.
    pub(crate) recipients: &'a [BackupRecipient],
}

/// Where a backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into this folder, under our name for it. The folder is made if it is not there.
    Folder(PathBuf),
    /// Into this file.
    File(PathBuf),
}

/// A backup that is complete and on the disk.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) contents: Contents,
}

impl Made {
    /// The name of its file.
    pub(crate) fn file_name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// How many rows are in it.
    pub(crate) fn rows(&self) -> u64 {
        self.contents.rows.values().sum()
    }
}

/// Makes a backup. Dropped before its end, it leaves nothing.
///
/// # Errors
/// As [`write_backup`]; [`gatelodge_core::ErrorKind::Refused`], naming the file,
/// when it cannot be written, is there already or is just being written.
pub(crate) async fn make(
    storage: &dyn Storage,
    order: Order<'_>,
    progress: Report<'_>,
) -> Result<Made> {
    let mut writer = begin(&order).await?;
    let written = write_backup(storage, order.what, order.now, &mut writer, progress).await;
    // What the disk says comes before what follows from it.
    let contents = match written {
        Ok(contents) => contents,
        Err(error) => return Err(writer.abandon().await.unwrap_or(error)),
    };
    let (path, bytes) = writer.finish().await?;
    Ok(Made {
        path,
        bytes,
        contents,
    })
}

/// Begins the file. Of two backups in one second the later one is named by the next.
async fn begin(order: &Order<'_>) -> Result<BackupWriter> {
    const TRIES: u32 = 5;
    let folder = match &order.place {
        Place::File(path) => return BackupWriter::create(path, order.recipients).await,
        Place::Folder(folder) => folder,
    };
    make_folder(folder).await?;
    let mut number = 0;
    loop {
        let name = BackupName {
            at: later(order.now, Duration::from_secs(number.into())),
            tenant: match order.what {
                What::Whole => None,
                What::Tenant(id) => Some(id),
            },
            is_encrypted: !order.recipients.is_empty(),
        };
        let path = folder.join(name.to_string());
        let is_free = !is_there(&path) && !is_there(&name::part(&path));
        number += 1;
        if is_free || number == TRIES {
            return BackupWriter::create(&path, order.recipients).await;
        }
    }
}

async fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).await.map_err(|error| {
        Error::refused(format!(
            "the folder for backups `{}` cannot be made: {error}",
            folder.display()
        ))
    })
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// An error about a file.
fn about(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::refused(format!("`{}` {why}", path.display()))
}

/// The same, for what the operating system says.
fn cannot(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| about(path, format_args!("cannot be {verb}: {error}"))
}

/// Work that blocks, away from everybody else's.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::internal("work on a file broke off").because(error)))
}
