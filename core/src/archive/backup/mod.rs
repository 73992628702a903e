//! The text of a backup, independent of the backend: lines of JSON (RFC 8259),
//! each ended by a line feed.
//!
//! 1. a header: the format's version, when, by which program, of which
//!    installation, of which tenant if it is of one only;
//! 2. for the platform and then each tenant, by id, a line that names the scope,
//!    and its rows, kind by kind, sorted by key; tenants masters first;
//! 3. a trailer: how many rows of each kind, and the SHA-256 over all bytes before it.
//!
//! Flows, counters of tries and messages to be sent are in no backup: what they
//! speak of is of the moment, and some let somebody in.

mod parse;
mod read;
mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use parse::{Entry, Parser, parse_backup};
pub use read::{BackupBytes, BackupFile, BackupReader, read_backup};
pub use write::{BackupSink, What, write_backup};

use crate::{
    model::{TenantId, TenantName},
    storage::{RowKind, Scope},
};

/// The version of the format that this program writes and reads.
const FORMAT: u64 = 1;

/// The greatest length of a line in bytes, without its end.
pub const MAX_LINE: usize = 1024 * 1024;

/// What is not in a backup.
fn is_left_out(kind: RowKind) -> bool {
    matches!(kind, RowKind::Flow | RowKind::Limit | RowKind::Message)
}

/// The first line of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub gatelodge_backup: u64,
    /// When it was made: the time that a restore goes back to.
    pub made_at: Timestamp,
    /// The version of the program that made it.
    pub program: String,
    /// What stands for the installation: the fingerprint of its first data key.
    pub installation: String,
    /// The fingerprints of all its data keys.
    pub keys: Vec<String>,
    /// The tenant, when it is of one only.
    pub tenant: Option<BackupTenant>,
}

/// The tenant of a backup of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name then.
    pub name: TenantName,
}

/// What a complete backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The first line.
    pub header: Header,
    /// How many rows of each kind.
    pub rows: BTreeMap<RowKind, u64>,
    /// The digest, in hexadecimal digits.
    pub sha256: String,
}

/// The line that names the scope of the rows after it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeLine {
    scope: Place,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Platform,
    Tenant(TenantId),
}

impl From<Scope> for Place {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Platform => Self::Platform,
            Scope::Tenant(tenant) => Self::Tenant(tenant),
        }
    }
}

impl From<Place> for Scope {
    fn from(place: Place) -> Self {
        match place {
            Place::Platform => Self::Platform,
            Place::Tenant(tenant) => Self::Tenant(tenant),
        }
    }
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    end: bool,
    rows: BTreeMap<RowKind, u64>,
    sha256: String,
}
