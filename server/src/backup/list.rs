use std::{fs, io, path::Path};

use gatelodge_core::Result;

use super::{
    blocking, cannot,
    name::{BackupName, of_part},
    writer::remove_left_behind,
};

/// A backup in the folder for backups, as far as its name and size tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: BackupName,
    pub(crate) bytes: u64,
}

/// The backups in a folder, oldest first; none when it is not there. None is opened.
///
/// # Errors
/// [`gatelodge_core::ErrorKind::Refused`] when the folder cannot be read.
pub(crate) async fn found(folder: &Path) -> Result<Vec<Found>> {
    let folder = folder.to_owned();
    blocking(move || {
        let mut found = Vec::new();
        for (name, entry) in files(&folder)? {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            found.extend(BackupName::parse(&name).map(|name| Found { name, bytes }));
        }
        found.sort_by_key(|found| found.name);
        Ok(found)
    })
    .await
}

/// Removes the oldest of those that `is_scheduled`, until `keep` are left, and what
/// killed backups left behind. Answers how many backups it removed.
///
/// # Errors
/// As [`found`], and when one cannot be removed.
pub(super) async fn remove_surplus(
    folder: &Path,
    keep: usize,
    is_scheduled: impl Fn(&BackupName) -> bool,
) -> Result<usize> {
    let mut scheduled: Vec<_> = found(folder).await?;
    scheduled.retain(|found| found.name.tenant.is_none() && is_scheduled(&found.name));
    let surplus = scheduled.len().saturating_sub(keep);
    scheduled.truncate(surplus);
    let folder = folder.to_owned();
    blocking(move || {
        for found in &scheduled {
            let path = folder.join(found.name.to_string());
            fs::remove_file(&path).map_err(cannot("removed", &path))?;
        }
        for (name, _) in files(&folder)? {
            if of_part(&name).is_some() {
                // One that is just being written stays.
                let _ = remove_left_behind(&folder.join(name));
            }
        }
        Ok(scheduled.len())
    })
    .await
}

/// The plain files in a folder.
fn files(folder: &Path) -> Result<Vec<(String, fs::DirEntry)>> {
    let failed = cannot("read", folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(&failed)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if let (true, Ok(name)) = (is_file, entry.file_name().into_string()) {
            files.push((name, entry));
        }
    }
    Ok(files)
}
