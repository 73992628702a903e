//! Brings one database to the state of another.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    PIECE, Progress, Report,
    marker::{Target, Task},
    merge::{Merged, Step, merge, parked_name},
    order::{Masters, depth},
    pages::{self, Source},
};
use crate::{
    Result,
    model::{Tenant, TenantId, TenantName},
    storage::{Row, RowKey, RowKind, Scope, Storage},
};

/// How to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyOptions {
    /// The present time.
    pub now: Timestamp,
    /// How many rows are read and written at once.
    pub piece: u32,
    /// Leaves the target marked as unfinished, so that nothing opens it and a
    /// later copy can catch up: for a source that is still in use.
    pub more_to_come: bool,
}

impl CopyOptions {
    /// A copy in one go.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            piece: PIECE,
            more_to_come: false,
        }
    }
}

/// What a copy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows of the source.
    pub rows: u64,
    /// Rows written in the target.
    pub written: u64,
    /// Rows removed in the target, without what hung on them.
    pub removed: u64,
    /// Tenants of either side, deleted ones too.
    pub tenants: u64,
}

/// Brings `to` to the state of one snapshot of `from`, in pieces, each in a unit
/// of its own, and writes only what differs. Interrupted anywhere, it is simply
/// run again; see [`CopyOptions::more_to_come`] for a source in use.
///
/// From the first piece to the last the target carries a marker; see
/// [`ensure_whole`](super::ensure_whole).
///
/// # Errors
/// * [`ErrorKind::Refused`](crate::ErrorKind::Refused) for a source without data
///   keys or that is not whole itself, and for a target that holds anything but
///   an unfinished copy of this source.
/// * [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when another copy into
///   the target began meanwhile.
/// * What the storages say.
pub async fn copy(
    from: &dyn Storage,
    to: &dyn Storage,
    options: &CopyOptions,
    progress: Report<'_>,
) -> Result<Copied> {
    let source = Source::open(from, options.piece, "there is nothing to copy").await?;
    let target = Target::claim(to, Task::Copy, source.fingerprint(), options.now).await?;
    let mut copier = Copier {
        source,
        target,
        piece: options.piece,
        done: Copied::default(),
        tenants_done: 0,
        progress,
    };
    copier.everything().await?;
    if !options.more_to_come {
        let unit = copier.target.write(Scope::Platform).await?;
        copier.target.finish(unit).await?;
    }
    Ok(copier.done)
}

struct Copier<'a> {
    source: Source,
    target: Target<'a>,
    piece: u32,
    done: Copied,
    tenants_done: u64,
    progress: Report<'a>,
}

impl Copier<'_> {
    async fn everything(&mut self) -> Result<()> {
        let tenants = self.either_sides_tenants().await?;
        self.done.tenants = tenants.len() as u64;
        for kind in RowKind::PLATFORM {
            if kind == RowKind::Tenant {
                self.tenants().await?;
            } else {
                self.kind(Scope::Platform, kind).await?;
            }
        }
        for tenant in &tenants {
            self.give_audiences_up(Scope::Tenant(*tenant)).await?;
        }
        for tenant in tenants {
            let scope = Scope::Tenant(tenant);
            if !self.at_once(scope).await? {
                for kind in RowKind::TENANT {
                    self.kind(scope, kind).await?;
                }
            }
            self.tenants_done += 1;
            self.report(scope, RowKind::Event, 0);
        }
        Ok(())
    }

    async fn either_sides_tenants(&mut self) -> Result<BTreeSet<TenantId>> {
        let mut tenants: BTreeSet<_> = self.source.tenants().await?.into_iter().collect();
        let mut unit = self.target.read(Scope::Platform).await?;
        tenants.extend(pages::tenants(unit.as_mut()).await?);
        unit.rollback().await?;
        Ok(tenants)
    }

    /// All rows of a kind: first out of the way with what is in it, then in with
    /// what is new.
    async fn kind(&mut self, scope: Scope, kind: RowKind) -> Result<()> {
        let mut rows = 0;
        if self.target_has(scope, kind).await? {
            let mut has_news = false;
            let mut after = None;
            loop {
                let merged = self.merged(scope, kind, after.as_ref()).await?;
                has_news |= merged.has_news();
                rows += merged.seen;
                self.take(scope, &merged.clear(kind)).await?;
                after = merged.last;
                if after.is_none() {
                    break;
                }
            }
            if !has_news {
                self.done.rows += rows;
                self.report(scope, kind, rows);
                return Ok(());
            }
        }
        rows = 0;
        let mut after = None;
        loop {
            let mut merged = self.merged(scope, kind, after.as_ref()).await?;
            after = merged.last.take();
            rows += merged.seen;
            self.take(scope, &[merged.news()]).await?;
            self.report(scope, kind, rows);
            if after.is_none() {
                self.done.rows += rows;
                return Ok(());
            }
        }
    }

    /// Audiences are unique on the platform: an application that has another one
    /// now, or is gone, makes room before any other tenant's gets it.
    async fn give_audiences_up(&mut self, scope: Scope) -> Result<()> {
        if !self.target_has(scope, RowKind::Application).await? {
            return Ok(());
        }
        let mut after = None;
        loop {
            let merged = self
                .merged(scope, RowKind::Application, after.as_ref())
                .await?;
            self.take(scope, &merged.clear(RowKind::Application))
                .await?;
            after = merged.last;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn target_has(&self, scope: Scope, kind: RowKind) -> Result<bool> {
        let mut unit = self.target.read(scope).await?;
        let first = unit.archive().rows(kind, None, 1).await?;
        unit.rollback().await?;
        Ok(!first.is_empty())
    }

    /// The next piece of both sides.
    async fn merged(
        &mut self,
        scope: Scope,
        kind: RowKind,
        after: Option<&RowKey>,
    ) -> Result<Merged> {
        let source = self.source.rows(scope, kind, after).await?;
        let limit = pages::limit(kind, self.piece);
        let mut unit = self.target.read(scope).await?;
        let target = pages::rows(unit.as_mut(), kind, after, limit).await?;
        unit.rollback().await?;
        Ok(merge(source, target))
    }

    /// A tenant that is one piece on both sides, in one unit; answers whether it is.
    async fn at_once(&mut self, scope: Scope) -> Result<bool> {
        let mut all = Vec::new();
        let mut rows = 0;
        let mut unit = self.target.read(scope).await?;
        for kind in RowKind::TENANT {
            let source = self.source.rows(scope, kind, None).await?;
            let limit = pages::limit(kind, self.piece);
            let target = pages::rows(unit.as_mut(), kind, None, limit).await?;
            rows += source.rows.len().max(target.rows.len());
            let is_piece = u64::try_from(rows).is_ok_and(|rows| rows <= u64::from(self.piece));
            if source.last.is_some() || target.last.is_some() || !is_piece {
                return Ok(false);
            }
            all.push((kind, merge(source, target)));
        }
        unit.rollback().await?;
        self.done.rows += all.iter().map(|(_, merged)| merged.seen).sum::<u64>();
        // What refers is removed before what it refers to, and put after it.
        let cleared = all
            .iter()
            .rev()
            .flat_map(|(kind, merged)| merged.clear(*kind));
        let mut steps: Vec<_> = cleared.collect();
        steps.extend(all.into_iter().map(|(_, merged)| merged.news()));
        self.take(scope, &steps).await?;
        Ok(true)
    }

    /// Takes steps in one unit, if there is anything to do.
    async fn take(&mut self, scope: Scope, steps: &[Step]) -> Result<()> {
        if steps.iter().all(Step::is_nothing) {
            return Ok(());
        }
        let mut unit = self.target.write(scope).await?;
        for step in steps.iter().filter(|step| !step.is_nothing()) {
            step.take(unit.as_mut()).await?;
            match step {
                Step::Put(rows) => self.done.written += rows.len() as u64,
                Step::Remove(_, keys) => self.done.removed += keys.len() as u64,
            }
        }
        unit.commit().await
    }

    fn report(&mut self, scope: Scope, kind: RowKind, rows: u64) {
        (self.progress)(Progress {
            scope,
            kind,
            rows,
            tenants_done: self.tenants_done,
            tenants: self.done.tenants,
        });
    }
}

/// What differs between all tenants of both sides.
#[derive(Default)]
struct Tenants {
    /// All of the source.
    masters: Masters,
    /// To be put, as they have to be.
    news: Vec<Tenant>,
    /// In the target under a name that they lose, as they are.
    renamed: Vec<Tenant>,
    /// In the target only.
    gone: Vec<Tenant>,
}

impl Copier<'_> {
    /// The tenants: masters before what is below them, and what is gone last,
    /// when nothing is below it any more.
    async fn tenants(&mut self) -> Result<()> {
        let mut all = self.different_tenants().await?;
        for piece in pieces(all.parked(), self.piece) {
            self.take(Scope::Platform, &[Step::Put(piece)]).await?;
        }
        let masters = &all.masters;
        all.news
            .sort_by_cached_key(|tenant| (depth(masters, tenant.id), tenant.id));
        let news = all.news.into_iter().map(Row::Tenant).collect();
        for piece in pieces(news, self.piece) {
            self.take(Scope::Platform, &[Step::Put(piece)]).await?;
        }
        let gone: Masters = all.gone.iter().map(|t| (t.id, t.master)).collect();
        // Each in a unit of its own: a lot may hang on it.
        for tenant in super::order::masters_first(&gone).into_iter().rev() {
            let keys = vec![RowKey::Id(tenant.as_uuid())];
            let step = Step::Remove(RowKind::Tenant, keys);
            self.take(Scope::Platform, &[step]).await?;
        }
        Ok(())
    }

    async fn different_tenants(&mut self) -> Result<Tenants> {
        let (scope, kind) = (Scope::Platform, RowKind::Tenant);
        let mut all = Tenants::default();
        self.masters(&mut all.masters).await?;
        let mut after = None;
        let mut rows = 0;
        loop {
            let merged = self.merged(scope, kind, after.as_ref()).await?;
            rows += merged.seen;
            all.gone.extend(merged.gone.into_iter().filter_map(tenant));
            all.news
                .extend(merged.missing.into_iter().filter_map(tenant));
            for (new, old) in merged.different {
                all.news.extend(tenant(new));
                all.renamed.extend(tenant(old));
            }
            self.report(scope, kind, rows);
            after = merged.last;
            if after.is_none() {
                self.done.rows += rows;
                return Ok(all);
            }
        }
    }

    async fn masters(&mut self, masters: &mut Masters) -> Result<()> {
        let mut after = None;
        loop {
            let piece = self
                .source
                .rows(Scope::Platform, RowKind::Tenant, after.as_ref())
                .await?;
            let tenants = piece.rows.into_iter().filter_map(tenant);
            masters.extend(tenants.map(|tenant| (tenant.id, tenant.master)));
            after = piece.last;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl Tenants {
    /// Those whose name another tenant gets, under a name for the meantime.
    fn parked(&self) -> Vec<Row> {
        let names = self
            .news
            .iter()
            .map(|tenant| (tenant.name.key(), tenant.id));
        let wanted: BTreeMap<_, _> = names.collect();
        let old = self.renamed.iter().chain(&self.gone);
        let in_the_way = old.filter(|tenant| {
            let taker = wanted.get(&tenant.name.key());
            taker.is_some_and(|taker| *taker != tenant.id)
        });
        let parked = in_the_way.filter_map(|tenant| {
            let name = TenantName::new(&parked_name(&tenant.id)).ok()?;
            Some(Tenant {
                name,
                ..tenant.clone()
            })
        });
        parked.map(Row::Tenant).collect()
    }
}

fn tenant(row: Row) -> Option<Tenant> {
    match row {
        Row::Tenant(tenant) => Some(tenant),
        _ => None,
    }
}

fn pieces(rows: Vec<Row>, piece: u32) -> Vec<Vec<Row>> {
    let length = usize::try_from(piece.max(1)).unwrap_or(usize::MAX);
    rows.chunks(length).map(<[Row]>::to_vec).collect()
}
