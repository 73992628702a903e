//! Everything as it is stored: copies into another database, backups, restores.
//!
//! * [`copy`] brings another database, of whatever backend, to one state of this
//!   one, [`verify`] shows that it did.
//! * [`write_backup`] writes one state as a text, [`read_backup`] reads it back,
//!   strictly.
//! * [`restore_whole`] makes an installation of a backup, [`restore_tenant`]
//!   brings one tenant back.
//!
//! A database in which a copy or a restore was begun and not ended carries a
//! marker, and nothing opens it: [`ensure_whole`]. Both can be interrupted at any
//! point and begun again.
//!
//! What a restore brings back can do no more than it could: sessions have ended,
//! what lets somebody in once or for a while is gone, and nothing counts that was
//! bound to the credentials of then.

mod backup;
mod copy;
mod marker;
mod merge;
mod order;
mod pages;
mod restore;
mod restore_tenant;
mod revive;
mod verify;

pub use backup::{
    BackupBytes, BackupFile, BackupReader, BackupSink, BackupTenant, Contents, Entry, Header,
    MAX_LINE, Parser, What, parse_backup, read_backup, write_backup,
};
pub use copy::{Copied, CopyOptions, copy};
pub(crate) use marker::check as check_whole;
pub use marker::ensure_whole;
pub use restore::{Restored, restore_whole};
pub use restore_tenant::{RestoreTenant, restore_tenant};
pub use verify::{Difference, Verification, verify};

use std::fmt::Write as _;

use crate::storage::{RowKind, Scope};

/// This program's version, as it stands in backups and markers.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// How many rows are read and written at once, if nothing else is said.
const PIECE: u32 = 200;

/// How far a copy, a verification, a backup or a restore has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where it is.
    pub scope: Scope,
    /// What it does there.
    pub kind: RowKind,
    /// How many rows of this kind and scope are done.
    pub rows: u64,
    /// How many tenants are done.
    pub tenants_done: u64,
    /// Of how many.
    pub tenants: u64,
}

/// Who is told how far it has come.
pub type Report<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
