//! Lists, piece by piece.

use super::marker::is_marker;
use crate::{
    Error, Result,
    model::TenantId,
    storage::{Page, Row, RowKey, RowKind, Scope, Snapshot, Storage, UnitOfWork},
};

/// A piece of the rows of one kind and scope.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    /// The last key, when there may be more after it.
    pub(super) last: Option<RowKey>,
}

/// Reads a piece, without the markers.
pub(super) async fn rows(
    unit: &mut dyn UnitOfWork,
    kind: RowKind,
    after: Option<&RowKey>,
    limit: u32,
) -> Result<Rows> {
    let mut rows = unit.archive().rows(kind, after, limit).await?;
    let is_full = u64::try_from(rows.len()).is_ok_and(|length| length >= u64::from(limit));
    let last = rows.last().map(Row::key).filter(|_| is_full);
    rows.retain(|row| !matches!(row, Row::Value { name, .. } if is_marker(name)));
    Ok(Rows { rows, last })
}

/// How many rows of a kind are read at once: fewer, where they can be long.
pub(super) fn limit(kind: RowKind, piece: u32) -> u32 {
    match kind {
        RowKind::Flow | RowKind::Message | RowKind::Record | RowKind::Value => (piece / 4).max(1),
        _ => piece.max(1),
    }
}

/// All tenants of which there is any row, in a platform unit.
pub(super) async fn tenants(unit: &mut dyn UnitOfWork) -> Result<Vec<TenantId>> {
    const AT_ONCE: u32 = 1_000;
    let mut tenants = Vec::new();
    let mut page = Page::first(AT_ONCE);
    loop {
        let piece = unit.archive().tenants(page).await?;
        let Some(last) = piece.last() else {
            return Ok(tenants);
        };
        page = Page::after(*last, AT_ONCE);
        tenants.extend(piece);
    }
}

/// Any one of them.
pub(super) async fn first_tenant(unit: &mut dyn UnitOfWork) -> Result<Option<TenantId>> {
    Ok(unit.archive().tenants(Page::first(1)).await?.pop())
}

/// A snapshot of an installation, and whose it is.
pub(super) struct Source {
    snapshot: Box<dyn Snapshot>,
    piece: u32,
    /// A fingerprint of each data key, the first one's first.
    pub(super) keys: Vec<String>,
}

impl Source {
    /// Opens a snapshot.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) when it holds an
    /// unfinished copy, or there is `nothing` yet.
    pub(super) async fn open(storage: &dyn Storage, piece: u32, nothing: &str) -> Result<Self> {
        let mut snapshot = storage.snapshot().await?;
        let unit = snapshot.scope(Scope::Platform).await?;
        super::marker::check(unit).await?;
        let keys = crate::seal::stored_fingerprints(unit).await?;
        if keys.is_empty() {
            return Err(Error::refused(nothing));
        }
        Ok(Self {
            snapshot,
            piece,
            keys,
        })
    }

    /// What stands for the installation, however often its keys are rotated.
    pub(super) fn fingerprint(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    pub(super) async fn unit(&mut self, scope: Scope) -> Result<&mut dyn UnitOfWork> {
        self.snapshot.scope(scope).await
    }

    pub(super) async fn rows(
        &mut self,
        scope: Scope,
        kind: RowKind,
        after: Option<&RowKey>,
    ) -> Result<Rows> {
        let limit = limit(kind, self.piece);
        rows(self.unit(scope).await?, kind, after, limit).await
    }

    pub(super) async fn tenants(&mut self) -> Result<Vec<TenantId>> {
        tenants(self.unit(Scope::Platform).await?).await
    }
}
