//! An installation with something of everything in it.

use gatelodge_core::{
    Result,
    model::{EndReason, Grant, Session, SessionEnd, Tenant, TenantSettings, User},
    seal::{KeyRing, MasterKey},
    storage::{Mode, Page, Record, Row, RowKind, Scope, Storage, UnitOfWork},
};
use gatelodge_storage_suite::{
    fixtures::{Fixtures, provider},
    memory::MemoryStorage,
};

/// A storage and how it was filled.
pub(super) struct Installation {
    pub(super) storage: MemoryStorage,
    pub(super) make: Fixtures,
    /// With users and everything; `middle` below it, `bottom` below that.
    pub(super) acme: Tenant,
    pub(super) middle: Tenant,
    pub(super) bottom: Tenant,
    pub(super) other: Tenant,
    /// Deleted; a session and an event are left.
    pub(super) gone: Tenant,
    /// Those of `acme`, by name.
    pub(super) users: Vec<User>,
    /// One of the first user's that has not ended.
    pub(super) session: Session,
}

impl Installation {
    pub(super) async fn new() -> Self {
        Self::seeded(1).await
    }

    pub(super) async fn seeded(seed: u64) -> Self {
        let make = Fixtures::seeded(seed);
        let storage = MemoryStorage::new();
        rotate(&storage, &make).await;
        let acme = make.tenant("acme");
        let middle = make.sub_tenant("middle", &acme);
        let bottom = make.sub_tenant("bottom", &middle);
        let names = ["ada", "bob", "cleo", "dan", "eve", "fay", "gus", "hal"];
        let users = names.map(|name| {
            let address = format!("{name}@example.com");
            make.user_with_email(name, &address, name < "f")
        });
        let session = make.session(&acme, &users[0]);
        let installation = Self {
            other: make.tenant("other"),
            gone: make.tenant("gone"),
            users: users.to_vec(),
            storage,
            make,
            acme,
            middle,
            bottom,
            session,
        };
        installation.fill().await.unwrap();
        installation
    }

    async fn fill(&self) -> Result<()> {
        let make = &self.make;
        write(&self.storage, Scope::Platform, async |u| {
            for tenant in [
                &self.acme,
                &self.middle,
                &self.bottom,
                &self.other,
                &self.gone,
            ] {
                u.tenants().create(tenant).await?;
            }
            for name in ["a-b", "a_b", "aB", "é"] {
                u.installation().put(name, name.as_bytes(), 0).await?;
            }
            for count in 1..6 {
                u.flows().create(&make.flow()).await?;
                u.limits().store(&make.hash(), &make.limit(count)).await?;
                let event = make.audit_event(None, "tenant.create");
                u.audit().append(&event).await?;
            }
            Ok(())
        })
        .await;
        for tenant in [&self.acme, &self.bottom, &self.other] {
            self.fill_tenant(tenant).await;
        }
        let ghost = make.user("ghost");
        write(&self.storage, Scope::Tenant(self.gone.id), async |u| {
            let session = make.session(&self.gone, &ghost);
            u.sessions().create(&session).await?;
            let event = make.audit_event(Some(self.gone.id), "user.create");
            u.audit().append(&event).await
        })
        .await;
        write(&self.storage, Scope::Platform, async |u| {
            u.tenants().delete(self.gone.id, 1).await
        })
        .await;
        Ok(())
    }

    /// The users of `acme` in each, under the same ids.
    async fn fill_tenant(&self, tenant: &Tenant) {
        let make = &self.make;
        let mut settings = TenantSettings::default();
        settings.session.limit = Some(7);
        write(&self.storage, Scope::Tenant(tenant.id), async |u| {
            u.tenants().put_settings(tenant.id, &settings, 0).await?;
            for name in ["shop", "desk", "bar"] {
                let application = make.application(tenant, name);
                u.applications().create(&application).await?;
            }
            for user in &self.users {
                u.users().create(user).await?;
                u.users()
                    .set_grant(user.id, Grant::TenantAdministrator, true)
                    .await?;
                u.records().create(&self.record(Some(user), false)).await?;
                u.records().create(&self.record(Some(user), true)).await?;
                u.outbox().add(&make.message(tenant, user)).await?;
                u.sessions().create(&make.session(tenant, user)).await?;
                u.sessions().create(&self.ended(tenant, user)).await?;
                let event = make.audit_event(Some(tenant.id), "user.create");
                u.audit().append(&event).await?;
            }
            u.users()
                .set_grant(self.users[0].id, Grant::PlatformAdministrator, true)
                .await?;
            u.records().create(&self.record(None, false)).await?;
            if tenant.id == self.acme.id {
                u.sessions().create(&self.session).await?;
            }
            Ok(())
        })
        .await;
    }

    pub(super) fn record(&self, user: Option<&User>, expires: bool) -> Record {
        let id = if expires { "link" } else { "password" };
        Record {
            key: Some(self.make.hash()),
            expires_at: expires.then(|| self.make.at(3_600_000)),
            ..self.make.record(&provider(id), user.map(|user| user.id))
        }
    }

    fn ended(&self, tenant: &Tenant, user: &User) -> Session {
        let (at, reason) = (self.make.at(-5), EndReason::SignedOut);
        Session {
            ended: Some(SessionEnd { at, reason }),
            ..self.make.session(tenant, user)
        }
    }

    pub(super) async fn write<T>(
        &self,
        scope: Scope,
        work: impl AsyncFnOnce(&mut dyn UnitOfWork) -> Result<T>,
    ) -> T {
        write(&self.storage, scope, work).await
    }

    /// In `acme`.
    pub(super) fn inside(&self) -> Scope {
        Scope::Tenant(self.acme.id)
    }
}

/// Makes a data key.
pub(super) async fn rotate(storage: &MemoryStorage, make: &Fixtures) {
    let master = MasterKey::new([7; 32]);
    let exists = KeyRing::exists(storage).await.unwrap();
    let ring = KeyRing::open(storage, make.environment().clone(), master);
    let ring = ring.await.unwrap();
    if exists {
        ring.rotate(storage).await.unwrap();
    }
}

pub(super) async fn write<T>(
    storage: &dyn Storage,
    scope: Scope,
    work: impl AsyncFnOnce(&mut dyn UnitOfWork) -> Result<T>,
) -> T {
    let mut unit = storage.begin(scope, Mode::Write).await.unwrap();
    let done = work(unit.as_mut()).await.unwrap();
    unit.commit().await.unwrap();
    done
}

/// All rows of one state, but for the markers.
pub(super) type Dump = Vec<(Scope, RowKind, Vec<Row>)>;

pub(super) async fn dump(storage: &dyn Storage) -> Dump {
    let mut snapshot = storage.snapshot().await.unwrap();
    let unit = snapshot.scope(Scope::Platform).await.unwrap();
    let tenants = unit.archive().tenants(Page::first(1_000)).await.unwrap();
    let mut dump = Vec::new();
    for scope in std::iter::once(Scope::Platform).chain(tenants.into_iter().map(Scope::Tenant)) {
        let unit = snapshot.scope(scope).await.unwrap();
        for kind in RowKind::PLATFORM.into_iter().chain(RowKind::TENANT) {
            if dump.iter().any(|(s, k, _)| (*s, *k) == (scope, kind)) || !kind.is_in(scope) {
                continue;
            }
            let mut rows = unit.archive().rows(kind, None, 10_000).await.unwrap();
            rows.retain(|row| {
                !matches!(row, Row::Value { name, .. } if ["copy", "restore"].contains(&name.as_str()))
            });
            if !rows.is_empty() {
                dump.push((scope, kind, rows));
            }
        }
    }
    dump
}

pub(super) fn rows_of(dump: &Dump, scope: Scope, kind: RowKind) -> &[Row] {
    let found = dump.iter().find(|(s, k, _)| (*s, *k) == (scope, kind));
    found.map_or(&[], |(_, _, rows)| rows)
}

pub(super) fn count(dump: &Dump) -> u64 {
    dump.iter().map(|(_, _, rows)| rows.len() as u64).sum()
}

/// Says where two states differ.
pub(super) fn assert_same(one: &Dump, other: &Dump, when: &str) {
    let places = |dump: &Dump| -> Vec<_> {
        let places = dump.iter();
        places
            .map(|(scope, kind, rows)| (*scope, *kind, rows.len()))
            .collect()
    };
    assert_eq!(places(one), places(other), "{when}");
    for ((scope, kind, one), (_, _, other)) in one.iter().zip(other) {
        assert!(one == other, "{when}: {kind:?} in {scope:?}");
    }
}
