//! Shows that two databases hold the same.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{
    PIECE, Progress, Report, hex,
    pages::{self, Rows},
};
use crate::{
    Error, Result,
    model::TenantId,
    storage::{RowKey, RowKind, Scope, Snapshot, Storage},
};

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Where the two differ.
    pub differences: Vec<Difference>,
    /// Rows of the one.
    pub rows: u64,
    /// Tenants of either side, deleted ones too.
    pub tenants: u64,
    /// A digest over everything in the one and in the other: SHA-256, in
    /// hexadecimal digits.
    pub digests: [String; 2],
}

impl Verification {
    /// Whether both hold the same.
    pub fn is_same(&self) -> bool {
        let [one, other] = &self.digests;
        self.differences.is_empty() && one == other
    }
}

/// Rows of one kind and scope that are not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub scope: Scope,
    /// Of what kind.
    pub kind: RowKind,
    /// How many there are in the one and in the other: the numbers may be equal.
    pub rows: [u64; 2],
}

/// Compares one state of each of two databases, tenant by tenant and kind by
/// kind, by digests over all rows. Markers of unfinished copies do not count.
///
/// # Errors
/// What the storages say.
pub async fn verify(
    one: &dyn Storage,
    other: &dyn Storage,
    progress: Report<'_>,
) -> Result<Verification> {
    let mut sides = [Side::open(one).await?, Side::open(other).await?];
    let mut tenants = BTreeSet::new();
    for side in &mut sides {
        tenants.extend(side.tenants().await?);
    }
    let mut found = Verification {
        differences: Vec::new(),
        rows: 0,
        tenants: tenants.len() as u64,
        digests: Default::default(),
    };
    let platform = std::iter::once((0, Scope::Platform));
    let inside = (1..).zip(tenants.into_iter().map(Scope::Tenant));
    for (tenants_done, scope) in platform.chain(inside) {
        let kinds: &[RowKind] = match scope {
            Scope::Platform => &RowKind::PLATFORM,
            Scope::Tenant(_) => &RowKind::TENANT,
        };
        for kind in kinds {
            let rows = compare(&mut sides, scope, *kind, &mut found).await?;
            progress(Progress {
                scope,
                kind: *kind,
                rows,
                tenants_done,
                tenants: found.tenants,
            });
        }
    }
    found.digests = sides.map(|side| hex(&side.total.finalize()));
    Ok(found)
}

/// Compares one kind in one scope; answers how many rows the one has.
async fn compare(
    sides: &mut [Side; 2],
    scope: Scope,
    kind: RowKind,
    found: &mut Verification,
) -> Result<u64> {
    let [one, other] = sides;
    let (one, one_rows) = one.digest(scope, kind).await?;
    let (other, other_rows) = other.digest(scope, kind).await?;
    if one != other {
        found.differences.push(Difference {
            scope,
            kind,
            rows: [one_rows, other_rows],
        });
    }
    found.rows += one_rows;
    Ok(one_rows)
}

struct Side {
    snapshot: Box<dyn Snapshot>,
    total: Sha256,
}

impl Side {
    async fn open(storage: &dyn Storage) -> Result<Self> {
        Ok(Self {
            snapshot: storage.snapshot().await?,
            total: Sha256::new(),
        })
    }

    async fn tenants(&mut self) -> Result<Vec<TenantId>> {
        pages::tenants(self.snapshot.scope(Scope::Platform).await?).await
    }

    /// The digest over all rows of a kind in a scope, and their number.
    async fn digest(&mut self, scope: Scope, kind: RowKind) -> Result<([u8; 32], u64)> {
        let mut digest = Sha256::new();
        let mut count = 0;
        let mut after = None;
        loop {
            let piece = self.piece(scope, kind, after.as_ref()).await?;
            for row in &piece.rows {
                let line = serde_json::to_vec(row)
                    .map_err(|error| Error::internal("a row").because(error))?;
                digest.update(&line);
                digest.update(b"\n");
                count += 1;
            }
            after = piece.last;
            if after.is_none() {
                break;
            }
        }
        let digest = digest.finalize().into();
        if count > 0 {
            self.add(scope, kind, (digest, count));
        }
        Ok((digest, count))
    }

    async fn piece(&mut self, scope: Scope, kind: RowKind, after: Option<&RowKey>) -> Result<Rows> {
        let unit = self.snapshot.scope(scope).await?;
        pages::rows(unit, kind, after, pages::limit(kind, PIECE)).await
    }

    fn add(&mut self, scope: Scope, kind: RowKind, (digest, count): ([u8; 32], u64)) {
        let place = match scope {
            Scope::Platform => "platform".to_owned(),
            Scope::Tenant(tenant) => tenant.to_string(),
        };
        let head = format!("{place} {} {count}\n", kind.as_str());
        self.total.update(head.as_bytes());
        self.total.update(digest);
    }
}
