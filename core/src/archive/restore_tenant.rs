//! Brings one tenant back.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BackupFile, BackupReader, Contents, Entry, Header, PIECE, Progress, Report, Restored, marker,
    pages,
};
use crate::{
    Environment, Error, Result,
    model::{EndReason, Grant, SessionEnd, Tenant, TenantId, User, UserId},
    seal,
    service::TenantRef,
    storage::{
        Change, Changed, Mode, Row, RowKey, RowKind, Scope, SessionFilter, Storage, UnitOfWork,
    },
};

/// Which tenant to bring back, and over what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreTenant {
    /// Which of a whole backup, under its name of then; that of a tenant's backup
    /// needs not be named.
    pub tenant: Option<TenantRef>,
    /// Whether it may take the place of the tenant as it is now, with all its
    /// users. Its sessions and audit events stay.
    pub replace: bool,
}

/// Brings one tenant back out of a whole backup or its own, in one unit: all or
/// nothing. All its rows are held in memory meanwhile. What is below it is not
/// touched.
///
/// * Sessions and audit events that are there stay as they are; sessions that
///   have not ended end now.
/// * Nobody becomes administrator of the platform by it who is not at present.
///
/// # Errors
/// * [`ErrorKind::Refused`](crate::ErrorKind::Refused) for a backup that cannot be
///   read, that another installation made, or that has no such tenant; when the
///   tenant is there and shall not be replaced, when another has its name, or
///   when its master is not there.
/// * What the storage and the file say.
pub async fn restore_tenant(
    file: &dyn BackupFile,
    storage: &dyn Storage,
    environment: &Environment,
    which: &RestoreTenant,
    progress: Report<'_>,
) -> Result<Restored> {
    let mut picked = Picked::read(file, which).await?;
    let scope = Scope::Tenant(picked.tenant.id);
    let mut unit = storage.begin(Scope::Platform, Mode::Write).await?;
    marker::check(unit.as_mut()).await?;
    check_keys(unit.as_mut(), &picked.contents.header).await?;
    picked.place(unit.as_mut(), which.replace).await?;
    unit.enter(picked.tenant.id).await?;
    let present = Present::read(unit.as_mut()).await?;
    clear(unit.as_mut()).await?;
    picked.end_sessions(unit.as_mut(), environment).await?;
    let rows = std::mem::take(&mut picked.rows);
    for (kind, rows) in rows {
        let admitted = picked.admitted(rows, &present);
        picked.put(unit.as_mut(), &admitted).await?;
        progress(Progress {
            scope,
            kind,
            rows: admitted.len() as u64,
            tenants_done: 0,
            tenants: 1,
        });
    }
    let id = Some(picked.tenant.id);
    let event = picked.restored.event(environment, id, &picked.contents);
    unit.audit().append(&event).await?;
    let change = Change {
        tenant: picked.tenant.id,
        what: Changed::Tenant,
    };
    unit.announce(change).await?;
    unit.commit().await?;
    Ok(picked.restored)
}

/// What a backup holds of one tenant.
struct Picked {
    contents: Contents,
    tenant: Tenant,
    rows: BTreeMap<RowKind, Vec<Row>>,
    restored: Restored,
}

impl Picked {
    async fn read(file: &dyn BackupFile, which: &RestoreTenant) -> Result<Self> {
        let mut reader = BackupReader::open(file).await?;
        let mut is_of_one = false;
        let mut found: Option<Tenant> = None;
        let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        while let Some(entry) = reader.entry().await? {
            match entry {
                Entry::Header(header) => is_of_one = header.tenant.is_some(),
                Entry::Row(Scope::Platform, row) => {
                    if let Row::Tenant(tenant) = *row
                        && is_meant(&tenant, which, is_of_one)
                    {
                        found = Some(tenant);
                    }
                }
                Entry::Row(Scope::Tenant(id), row) => {
                    if found.as_ref().is_some_and(|tenant| tenant.id == id) {
                        rows.entry(row.kind()).or_default().push(*row);
                    }
                }
                Entry::Scope(_) | Entry::End => {}
            }
        }
        let contents = reader.contents()?;
        let tenant = match (found, &which.tenant) {
            (Some(tenant), _) => tenant,
            (None, Some(_)) => return Err(Error::refused("the backup has no such tenant")),
            (None, None) => return Err(Error::refused("the backup has several tenants: name one")),
        };
        Ok(Self {
            contents,
            tenant,
            rows,
            restored: Restored::default(),
        })
    }

    /// Puts the tenant itself, in a platform unit.
    async fn place(&mut self, unit: &mut dyn UnitOfWork, replace: bool) -> Result<()> {
        let tenant = &mut self.tenant;
        let present = unit.tenants().by_id(tenant.id).await?;
        if present.is_some() {
            if !replace {
                return Err(Error::refused(format!(
                    "the tenant `{}` is there; say so if it is to be replaced",
                    tenant.name
                )));
            }
            unit.tenants().lock_row(tenant.id).await?;
        }
        let same_name = unit.tenants().by_name(&tenant.name.key()).await?;
        if same_name.is_some_and(|other| other.id != tenant.id) {
            return Err(Error::refused(format!(
                "another tenant is called `{}`; rename or delete it first",
                tenant.name
            )));
        }
        check_master(unit, tenant).await?;
        check_audiences(unit, tenant.id, &self.rows).await?;
        if let Some(present) = present {
            tenant.version = tenant.version.max(present.version);
        }
        tenant.version = tenant.version.saturating_add(1);
        let rows = [Row::Tenant(tenant.clone())];
        unit.archive().put(&rows).await?;
        self.restored.count(&rows);
        Ok(())
    }

    async fn end_sessions(
        &mut self,
        unit: &mut dyn UnitOfWork,
        environment: &Environment,
    ) -> Result<()> {
        let end = SessionEnd {
            at: environment.now(),
            reason: EndReason::Restored,
        };
        let all = SessionFilter::default();
        self.restored.sessions_ended += unit.sessions().end_all(&all, end).await?;
        Ok(())
    }

    fn admitted(&mut self, rows: Vec<Row>, present: &Present) -> Vec<Row> {
        let mut admitted = Vec::new();
        for row in rows {
            if present.forbids(&row) {
                self.restored.left_out += 1;
            } else if let Some(row) = self.restored.admit(row, &self.contents.header) {
                admitted.push(present.renewed(row));
            }
        }
        admitted
    }

    async fn put(&mut self, unit: &mut dyn UnitOfWork, rows: &[Row]) -> Result<()> {
        for piece in rows.chunks(usize::try_from(PIECE).unwrap_or(1)) {
            unit.archive().put(piece).await?;
            self.restored.count(piece);
        }
        Ok(())
    }
}

fn is_meant(tenant: &Tenant, which: &RestoreTenant, is_of_one: bool) -> bool {
    match &which.tenant {
        None => is_of_one,
        Some(TenantRef::Id(id)) => tenant.id == *id,
        Some(TenantRef::Name(name)) => tenant.name.key() == *name,
    }
}

/// Whether everything that was sealed in the backup can be opened here.
async fn check_keys(unit: &mut dyn UnitOfWork, header: &Header) -> Result<()> {
    let keys = seal::stored_fingerprints(unit).await?;
    if !keys.contains(&header.installation) {
        return Err(Error::refused(
            "the backup was made by another installation",
        ));
    }
    if header.keys.iter().all(|key| keys.contains(key)) {
        return Ok(());
    }
    Err(Error::refused(
        "the backup is sealed under data keys that this installation does not have",
    ))
}

async fn check_master(unit: &mut dyn UnitOfWork, tenant: &Tenant) -> Result<()> {
    let Some(master) = tenant.master else {
        return Ok(());
    };
    if unit.tenants().by_id(master).await?.is_none() {
        return Err(Error::refused(format!(
            "the tenant's master `{master}` is not there; bring it back first"
        )));
    }
    if unit
        .tenants()
        .descendants(tenant.id)
        .await?
        .contains(&master)
    {
        return Err(Error::refused(
            "the tenant's master of then is below the tenant now",
        ));
    }
    Ok(())
}

/// Whether the tenant's applications may have their audiences again.
async fn check_audiences(
    unit: &mut dyn UnitOfWork,
    tenant: TenantId,
    rows: &BTreeMap<RowKind, Vec<Row>>,
) -> Result<()> {
    for row in rows.get(&RowKind::Application).into_iter().flatten() {
        let Row::Application(application) = row else {
            continue;
        };
        let same = unit
            .applications()
            .by_audience(&application.audience)
            .await?;
        if same.is_some_and(|same| same.tenant != tenant) {
            return Err(Error::refused(format!(
                "an application of another tenant has the audience `{}`; change or delete it first",
                application.audience
            )));
        }
    }
    Ok(())
}

/// What there is of the tenant before the restore.
#[derive(Default)]
struct Present {
    users: BTreeMap<UserId, (i64, i64)>,
    platform_administrators: BTreeSet<UserId>,
    /// What is history and not written again.
    kept: BTreeSet<(RowKind, RowKey)>,
}

impl Present {
    async fn read(unit: &mut dyn UnitOfWork) -> Result<Self> {
        let mut present = Self::default();
        for kind in [
            RowKind::User,
            RowKind::Grant,
            RowKind::Session,
            RowKind::Event,
        ] {
            let mut after = None;
            loop {
                let piece = pages::rows(unit, kind, after.as_ref(), PIECE).await?;
                piece.rows.iter().for_each(|row| present.note(row));
                after = piece.last;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(present)
    }

    fn note(&mut self, row: &Row) {
        match row {
            Row::User(user) => {
                let numbers = (user.credential_epoch, user.version);
                self.users.insert(user.id, numbers);
            }
            Row::Grant {
                user,
                grant: Grant::PlatformAdministrator,
            } => {
                self.platform_administrators.insert(*user);
            }
            Row::Session(_) | Row::Event(_) => {
                self.kept.insert((row.kind(), row.key()));
            }
            _ => {}
        }
    }

    fn forbids(&self, row: &Row) -> bool {
        match row {
            Row::Grant {
                user,
                grant: Grant::PlatformAdministrator,
            } => !self.platform_administrators.contains(user),
            Row::Session(_) | Row::Event(_) => self.kept.contains(&(row.kind(), row.key())),
            _ => false,
        }
    }

    /// A user's numbers only rise.
    fn renewed(&self, row: Row) -> Row {
        match row {
            Row::User(user) => {
                let (epoch, version) = self.users.get(&user.id).copied().unwrap_or_default();
                Row::User(User {
                    credential_epoch: user.credential_epoch.max(epoch.saturating_add(1)),
                    version: user.version.max(version.saturating_add(1)),
                    ..user
                })
            }
            other => other,
        }
    }
}

/// Removes what is replaced; sessions and audit events stay.
async fn clear(unit: &mut dyn UnitOfWork) -> Result<()> {
    for kind in [
        RowKind::User,
        RowKind::Record,
        RowKind::Application,
        RowKind::Settings,
    ] {
        loop {
            let piece = unit.archive().rows(kind, None, PIECE).await?;
            let keys: Vec<_> = piece.iter().map(Row::key).collect();
            if keys.is_empty() {
                break;
            }
            unit.archive().remove(kind, &keys).await?;
        }
    }
    Ok(())
}
