use std::{
    fmt,
    path::{Path, PathBuf},
};

use gatelodge_core::model::TenantId;
use jiff::{Timestamp, civil, tz::TimeZone};

const START: &str = "gatelodge-";
const TENANT: &str = "-tenant-";
const PLAIN: &str = ".backup";
const ENCRYPTED: &str = ".backup.age";
/// As `20261127T031500Z`.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// The name of a backup in the folder for backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BackupName {
    /// When it was made, in whole seconds.
    pub(crate) at: Timestamp,
    /// The tenant, when it is of one only.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) is_encrypted: bool,
}

impl BackupName {
    /// Reads a name; `None` for every other file's.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (rest, is_encrypted) = match name.strip_suffix(ENCRYPTED) {
            Some(rest) => (rest, true),
            None => (name.strip_suffix(PLAIN)?, false),
        };
        let rest = rest.strip_prefix(START)?;
        let (time, tenant) = match rest.split_once(TENANT) {
            Some((time, id)) => (time, Some(id.parse().ok()?)),
            None => (rest, None),
        };
        let time = civil::DateTime::strptime(TIME, time).ok()?;
        let at = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let read = Self {
            at,
            tenant,
            is_encrypted,
        };
        (read.to_string() == name).then_some(read)
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{START}{}", self.at.strftime(TIME))?;
        if let Some(tenant) = self.tenant {
            write!(f, "{TENANT}{tenant}")?;
        }
        f.write_str(if self.is_encrypted { ENCRYPTED } else { PLAIN })
    }
}

/// The file that becomes this one when it is complete.
pub(super) fn part(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

/// The name of the backup that a file of this name would have become.
pub(super) fn of_part(name: &str) -> Option<BackupName> {
    BackupName::parse(name.strip_suffix(".part")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_of_what_and_whether_it_is_encrypted() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        for (name, at, tenant, is_encrypted) in [
            (
                "gatelodge-20261127T031500Z.backup.age".to_owned(),
                "2026-11-27T03:15:00Z",
                None,
                true,
            ),
            (
                format!("gatelodge-20300101T000000Z-tenant-{id}.backup"),
                "2030-01-01T00:00:00Z",
                Some(id),
                false,
            ),
        ] {
            let read = BackupName::parse(&name).unwrap();
            assert_eq!(read.to_string(), name);
            assert_eq!(read.at.to_string(), at);
            assert_eq!(
                read.tenant.map(|tenant| tenant.to_string()).as_deref(),
                tenant
            );
            assert_eq!(read.is_encrypted, is_encrypted);
        }
    }

    #[test]
    fn the_name_of_another_file_is_none_of_ours() {
        for name in [
            "",
            "gatelodge.db",
            "gatelodge-.backup",
            "gatelodge-20261127T031500Z",
            "gatelodge-20261127T031500Z.backup.part",
            "gatelodge-20261127T031500Z.backup.age.part",
            "gatelodge-20261127T031500Z.backup.gpg",
            "gatelodge-20261327T031500Z.backup",
            "gatelodge-2026-11-27T03:15:00Z.backup",
            "gatelodge-20261127T031500Z-copy.backup",
            "gatelodge-20261127T031500Z-tenant-acme.backup",
            "my-gatelodge-20261127T031500Z.backup",
            "gatelodge-20261127T031500Z.BACKUP",
        ] {
            assert_eq!(BackupName::parse(name), None, "{name}");
        }
        assert!(of_part("gatelodge-20261127T031500Z.backup.age.part").is_some());
        assert_eq!(of_part("letter.part"), None);
    }
}
