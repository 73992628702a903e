//! Makes an installation of a backup.

use jiff::Timestamp;

pub use super::revive::Restored;
use super::{
    BackupFile, BackupReader, Contents, Entry, PIECE, Progress, Report,
    marker::{Target, Task},
    order::{Masters, masters_first},
    pages, read_backup,
};
use crate::{
    Environment, Error, Result,
    model::TenantId,
    storage::{Row, RowKey, RowKind, Scope, Storage},
};

/// Makes an installation of a whole backup, in an empty database. The backup is
/// read twice: the first row is written when all of it was found complete and
/// unchanged.
///
/// Interrupted, the database is opened by nobody until a restore of the same backup
/// into it has ended; that first removes what the earlier one wrote, but for audit
/// events, which are the same.
///
/// # Errors
/// * [`ErrorKind::Refused`](crate::ErrorKind::Refused) for a backup that cannot be
///   read, as [`read_backup`] does, or is of one tenant; for a database that is
///   not empty.
/// * [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when another restore
///   began meanwhile.
/// * What the storage and the file say.
pub async fn restore_whole(
    file: &dyn BackupFile,
    storage: &dyn Storage,
    environment: &Environment,
    progress: Report<'_>,
) -> Result<Restored> {
    let contents = read_backup(file).await?;
    if contents.header.tenant.is_some() {
        return Err(Error::refused(
            "this is the backup of one tenant, not of an installation",
        ));
    }
    let now = environment.now();
    let target = claim(storage, &contents, now).await?;
    remove_all(&target).await?;
    let mut restorer = Restorer {
        target,
        restored: Restored::default(),
        rows: Vec::new(),
        scope: Scope::Platform,
        seen: 0,
        tenants: (0, *contents.rows.get(&RowKind::Tenant).unwrap_or(&0)),
        progress,
    };
    restorer.everything(file, &contents).await?;
    let Restorer {
        target, restored, ..
    } = restorer;
    let mut unit = target.write(Scope::Platform).await?;
    let event = restored.event(environment, None, &contents);
    unit.audit().append(&event).await?;
    target.finish(unit).await?;
    Ok(restored)
}

async fn claim<'a>(
    storage: &'a dyn Storage,
    contents: &Contents,
    now: Timestamp,
) -> Result<Target<'a>> {
    Target::claim(storage, Task::Restore, &contents.sha256, now).await
}

/// Removes what an earlier try wrote.
async fn remove_all(target: &Target<'_>) -> Result<()> {
    let mut unit = target.read(Scope::Platform).await?;
    let tenants = pages::tenants(unit.as_mut()).await?;
    unit.rollback().await?;
    for tenant in tenants {
        for kind in RowKind::TENANT.into_iter().rev().filter(is_removed) {
            remove_kind(target, Scope::Tenant(tenant), kind).await?;
        }
    }
    for tenant in all_tenants(target).await?.into_iter().rev() {
        let key = RowKey::Id(tenant.as_uuid());
        remove(target, Scope::Platform, RowKind::Tenant, &[key]).await?;
    }
    for kind in RowKind::PLATFORM.into_iter().filter(is_removed) {
        remove_kind(target, Scope::Platform, kind).await?;
    }
    Ok(())
}

/// Audit events are never removed.
fn is_removed(kind: &RowKind) -> bool {
    *kind != RowKind::Event
}

async fn all_tenants(target: &Target<'_>) -> Result<Vec<TenantId>> {
    let mut masters = Masters::new();
    let mut unit = target.read(Scope::Platform).await?;
    let mut after = None;
    loop {
        let piece = pages::rows(unit.as_mut(), RowKind::Tenant, after.as_ref(), PIECE).await?;
        for row in piece.rows {
            if let Row::Tenant(tenant) = row {
                masters.insert(tenant.id, tenant.master);
            }
        }
        after = piece.last;
        if after.is_none() {
            break;
        }
    }
    unit.rollback().await?;
    Ok(masters_first(&masters))
}

async fn remove_kind(target: &Target<'_>, scope: Scope, kind: RowKind) -> Result<()> {
    loop {
        let mut unit = target.read(scope).await?;
        let piece = pages::rows(unit.as_mut(), kind, None, PIECE).await?;
        unit.rollback().await?;
        let keys: Vec<_> = piece.rows.iter().map(Row::key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        remove(target, scope, kind, &keys).await?;
    }
}

async fn remove(target: &Target<'_>, scope: Scope, kind: RowKind, keys: &[RowKey]) -> Result<()> {
    let mut unit = target.write(scope).await?;
    unit.archive().remove(kind, keys).await?;
    unit.commit().await
}

struct Restorer<'a> {
    target: Target<'a>,
    restored: Restored,
    /// Those to be written next: all of one scope and kind.
    rows: Vec<Row>,
    scope: Scope,
    /// How many rows of this scope and kind were read.
    seen: u64,
    /// How many tenants are done, of how many.
    tenants: (u64, u64),
    progress: Report<'a>,
}

impl Restorer<'_> {
    async fn everything(&mut self, file: &dyn BackupFile, contents: &Contents) -> Result<()> {
        let mut reader = BackupReader::open(file).await?;
        while let Some(entry) = reader.entry().await? {
            match entry {
                Entry::Header(_) => {}
                Entry::Scope(scope) => {
                    self.write().await?;
                    self.tenants.0 += u64::from(scope != Scope::Platform);
                    self.scope = scope;
                    self.seen = 0;
                }
                Entry::Row(_, row) => self.row(*row, contents).await?,
                Entry::End => self.write().await?,
            }
        }
        if reader.contents()? != *contents {
            return Err(Error::refused("the backup was changed while it was read"));
        }
        Ok(())
    }

    async fn row(&mut self, row: Row, contents: &Contents) -> Result<()> {
        let kind = row.kind();
        if self.rows.first().is_some_and(|first| first.kind() != kind) {
            self.write().await?;
            self.seen = 0;
        }
        self.seen += 1;
        self.rows.extend(self.restored.admit(row, &contents.header));
        let limit = u64::from(pages::limit(kind, PIECE));
        if self.rows.len() as u64 >= limit {
            self.write().await?;
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<()> {
        let Some(kind) = self.rows.first().map(Row::kind) else {
            return Ok(());
        };
        let mut unit = self.target.write(self.scope).await?;
        unit.archive().put(&self.rows).await?;
        unit.commit().await?;
        self.restored.count(&self.rows);
        self.rows.clear();
        let (tenants_done, tenants) = self.tenants;
        (self.progress)(Progress {
            scope: self.scope,
            kind,
            rows: self.seen,
            tenants_done: tenants_done.saturating_sub(1),
            tenants,
        });
        Ok(())
    }
}
