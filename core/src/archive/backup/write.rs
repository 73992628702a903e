use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    BackupTenant, Contents, FORMAT, Header, MAX_LINE, Place, ScopeLine, Trailer, is_left_out,
};
use crate::{
    Error, Result,
    archive::{PIECE, PROGRAM, Progress, Report, hex, order, pages::Source},
    model::{Tenant, TenantId},
    storage::{Row, RowKind, Scope, Storage},
};

/// Where a backup is written to.
#[async_trait]
pub trait BackupSink: Send {
    /// Takes a whole line, with its end.
    async fn line(&mut self, line: &[u8]) -> Result<()>;
}

#[async_trait]
impl BackupSink for Vec<u8> {
    async fn line(&mut self, line: &[u8]) -> Result<()> {
        self.extend_from_slice(line);
        Ok(())
    }
}

/// What to write a backup of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The whole installation.
    Whole,
    /// One tenant, without what is below it.
    Tenant(TenantId),
}

/// Writes a backup of one state, while the installation may be in use.
///
/// It holds what the database holds: names, sealed and hashed credentials. The
/// master key is not in it, and without that nothing sealed can be opened.
///
/// # Errors
/// * [`ErrorKind::Refused`](crate::ErrorKind::Refused) when there is nothing yet
///   or the database is not whole.
/// * [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for an unknown tenant.
/// * What the storage and the sink say.
pub async fn write_backup(
    storage: &dyn Storage,
    what: What,
    now: Timestamp,
    sink: &mut dyn BackupSink,
    progress: Report<'_>,
) -> Result<Contents> {
    let mut source = Source::open(storage, PIECE, "there is nothing to back up").await?;
    let tenant = match what {
        What::Whole => None,
        What::Tenant(id) => Some(tenant(&mut source, id).await?),
    };
    let header = Header {
        gatelodge_backup: FORMAT,
        made_at: now,
        program: PROGRAM.to_owned(),
        installation: source.fingerprint().to_owned(),
        keys: source.keys.clone(),
        tenant: tenant.as_ref().map(|tenant| BackupTenant {
            id: tenant.id,
            name: tenant.name.clone(),
        }),
    };
    let mut writer = Writer {
        sink,
        digest: Sha256::new(),
        rows: BTreeMap::new(),
        scope: None,
        report: progress,
        tenants: (0, 1),
    };
    writer.line(&header).await?;
    match tenant {
        Some(tenant) => {
            let id = tenant.id;
            writer.row(Scope::Platform, &Row::Tenant(tenant)).await?;
            writer.inside(&mut source, id).await?;
        }
        None => writer.whole(&mut source).await?,
    }
    writer.end(header).await
}

async fn tenant(source: &mut Source, id: TenantId) -> Result<Tenant> {
    let unit = source.unit(Scope::Platform).await?;
    let found = unit.tenants().by_id(id).await?;
    found.ok_or_else(|| Error::not_found("tenant"))
}

struct Writer<'a> {
    sink: &'a mut dyn BackupSink,
    digest: Sha256,
    rows: BTreeMap<RowKind, u64>,
    /// That of the last line that names one.
    scope: Option<Scope>,
    report: Report<'a>,
    /// How many tenants are done, of how many.
    tenants: (u64, u64),
}

impl Writer<'_> {
    async fn whole(&mut self, source: &mut Source) -> Result<()> {
        let tenants = source.tenants().await?;
        self.tenants = (0, tenants.len() as u64);
        for kind in RowKind::PLATFORM {
            if kind == RowKind::Tenant {
                self.masters_first(source).await?;
            } else if !is_left_out(kind) {
                self.kind(source, Scope::Platform, kind).await?;
            }
        }
        for tenant in tenants {
            self.inside(source, tenant).await?;
        }
        Ok(())
    }

    async fn masters_first(&mut self, source: &mut Source) -> Result<()> {
        let (scope, kind) = (Scope::Platform, RowKind::Tenant);
        let mut masters = order::Masters::new();
        let mut after = None;
        loop {
            let piece = source.rows(scope, kind, after.as_ref()).await?;
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
        for id in order::masters_first(&masters) {
            let row = Row::Tenant(tenant(source, id).await?);
            self.row(scope, &row).await?;
        }
        self.progress(scope, kind, masters.len() as u64);
        Ok(())
    }

    async fn inside(&mut self, source: &mut Source, tenant: TenantId) -> Result<()> {
        for kind in RowKind::TENANT {
            if !is_left_out(kind) {
                self.kind(source, Scope::Tenant(tenant), kind).await?;
            }
        }
        self.tenants.0 += 1;
        Ok(())
    }

    async fn kind(&mut self, source: &mut Source, scope: Scope, kind: RowKind) -> Result<()> {
        let mut after = None;
        let mut rows = 0;
        loop {
            let piece = source.rows(scope, kind, after.as_ref()).await?;
            for row in &piece.rows {
                self.row(scope, row).await?;
                rows += 1;
            }
            self.progress(scope, kind, rows);
            after = piece.last;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn row(&mut self, scope: Scope, row: &Row) -> Result<()> {
        if self.scope != Some(scope) {
            self.scope = Some(scope);
            let scope = Place::from(scope);
            self.line(&ScopeLine { scope }).await?;
        }
        *self.rows.entry(row.kind()).or_default() += 1;
        self.line(row).await
    }

    async fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| Error::internal("a line of a backup").because(error))?;
        if text.len() > MAX_LINE {
            return Err(Error::internal("a row is too long for a backup"));
        }
        text.push(b'\n');
        self.digest.update(&text);
        self.sink.line(&text).await
    }

    async fn end(mut self, header: Header) -> Result<Contents> {
        let sha256 = hex(&self.digest.clone().finalize());
        let rows = std::mem::take(&mut self.rows);
        let trailer = Trailer {
            end: true,
            rows: rows.clone(),
            sha256: sha256.clone(),
        };
        self.line(&trailer).await?;
        Ok(Contents {
            header,
            rows,
            sha256,
        })
    }

    fn progress(&mut self, scope: Scope, kind: RowKind, rows: u64) {
        let (tenants_done, tenants) = self.tenants;
        (self.report)(Progress {
            scope,
            kind,
            rows,
            tenants_done,
            tenants,
        });
    }
}
