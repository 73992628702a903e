use std::collections::BTreeSet;

use super::{
    Flaw, applications, outbox, records, sessions,
    state::{State, View},
    tenants,
    unit::MemoryUnit,
    unsupported, users,
};
use async_trait::async_trait;
use gatelodge_core::{
    Error, Result,
    model::{ApplicationId, AuditEventId, Grant, MessageId, RecordId, SessionId, TenantId, UserId},
    storage::{
        ArchiveRepository, InstallationValue, Page, Record, Row, RowKey, RowKind, Scope, Snapshot,
        UnitOfWork,
    },
};

/// One state, read scope by scope: a read unit that moves.
pub(super) struct MemorySnapshot(pub(super) MemoryUnit);

#[async_trait]
impl Snapshot for MemorySnapshot {
    async fn scope(&mut self, scope: Scope) -> Result<&mut dyn UnitOfWork> {
        self.0.move_to(scope).await?;
        Ok(&mut self.0)
    }
}

#[async_trait]
impl ArchiveRepository for MemoryUnit {
    async fn tenants(&mut self, page: Page<TenantId>) -> Result<Vec<TenantId>> {
        self.read(|state, view| {
            view.platform()?;
            let mut tenants: BTreeSet<_> = state.tenants.keys().copied().collect();
            if !view.has(Flaw::ForgetsTheDeleted) {
                tenants.extend(state.sessions.keys().map(|(tenant, _)| tenant));
                tenants.extend(state.audit.keys().filter_map(|(tenant, _)| *tenant));
            }
            let tenants = tenants.into_iter().map(|tenant| (tenant, tenant));
            Ok(view.page(tenants, page, |id, after| id > after))
        })
        .await
    }

    async fn rows(
        &mut self,
        kind: RowKind,
        after: Option<&RowKey>,
        limit: u32,
    ) -> Result<Vec<Row>> {
        self.read(|state, view| {
            view.offers(kind)?;
            let mut rows: Vec<_> = all(state, kind, view)
                .filter(|row| after.is_none_or(|after| view.follows(&row.key(), after)))
                .collect();
            view.sort(&mut rows);
            rows.truncate(view.limit(limit));
            Ok(rows)
        })
        .await
    }

    async fn put(&mut self, rows: &[Row]) -> Result<()> {
        self.write(|state, view| {
            let kind = rows.first().map(Row::kind);
            for row in rows {
                view.offers(row.kind())?;
                if Some(row.kind()) != kind {
                    return Err(Error::invalid("rows", "rows of one kind are put together"));
                }
                if !view.has(Flaw::PutsOnlyNew) || !is_there(state, row, view) {
                    put(state, row, view)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn remove(&mut self, kind: RowKind, keys: &[RowKey]) -> Result<()> {
        self.write(|state, view| {
            view.offers(kind)?;
            for key in keys {
                remove(state, kind, key, view)?;
            }
            Ok(())
        })
        .await
    }
}

impl View {
    /// For a kind of this scope.
    fn offers(&self, kind: RowKind) -> Result<()> {
        if kind.is_in(self.scope) || self.has(Flaw::IgnoresScope) {
            return Ok(());
        }
        Err(unsupported("rows of this kind are in another scope"))
    }

    fn follows(&self, key: &RowKey, after: &RowKey) -> bool {
        match (key, after) {
            (RowKey::Grant(user, _), RowKey::Grant(last, _)) if self.has(Flaw::SplitsGrants) => {
                user > last
            }
            (RowKey::Name(name), RowKey::Name(last)) if self.has(Flaw::SortsNamesByLetter) => {
                letters(name) > letters(last)
            }
            _ => key > after || (self.has(Flaw::RepeatsRows) && key == after),
        }
    }

    fn sort(&self, rows: &mut [Row]) {
        rows.sort_by_cached_key(Row::key);
        if self.has(Flaw::SortsNamesByLetter) {
            rows.sort_by_cached_key(|row| match row.key() {
                RowKey::Name(name) => letters(&name),
                _ => String::new(),
            });
        }
        if self.has(Flaw::ListsBackwards) {
            rows.reverse();
        }
    }

    /// Whether a row of this tenant is in the unit's scope.
    fn holds(&self, tenant: TenantId) -> bool {
        match self.scope {
            Scope::Tenant(own) => self.is_own(tenant, own),
            Scope::Platform => false,
        }
    }

    fn event_tenant(&self) -> Option<TenantId> {
        match self.scope {
            Scope::Tenant(own) => Some(own),
            Scope::Platform => None,
        }
    }
}

/// How a collation that does not compare bytes sees a name.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// All rows of a kind in the unit's scope.
fn all<'a>(state: &'a State, kind: RowKind, view: &'a View) -> Box<dyn Iterator<Item = Row> + 'a> {
    match kind {
        RowKind::Value => Box::new(state.installation.iter().map(|(name, value)| Row::Value {
            name: name.clone(),
            value: value.value.clone(),
            version: value.version,
        })),
        RowKind::Tenant => {
            let tenants = state.tenants.values();
            Box::new(tenants.map(|tenant| Row::Tenant(tenant.row.clone())))
        }
        RowKind::Limit => Box::new(state.limits.iter().map(|(key, state)| Row::Limit {
            key: *key,
            state: *state,
        })),
        RowKind::Flow => Box::new(state.flows.values().cloned().map(Row::Flow)),
        RowKind::Event => {
            let events = state.audit.iter().filter(|((tenant, _), _)| {
                *tenant == view.event_tenant() || (tenant.is_some() && view.has(Flaw::MixesTenants))
            });
            Box::new(events.map(|(_, event)| Row::Event(event.clone())))
        }
        RowKind::Settings
        | RowKind::Application
        | RowKind::User
        | RowKind::Grant
        | RowKind::Record
        | RowKind::Message
        | RowKind::Session => all_of_tenant(state, kind, view),
    }
}

fn all_of_tenant<'a>(
    state: &'a State,
    kind: RowKind,
    view: &'a View,
) -> Box<dyn Iterator<Item = Row> + 'a> {
    match kind {
        RowKind::Settings => {
            let settings = state.settings.iter().filter(|(id, _)| view.holds(**id));
            Box::new(settings.map(|(_, (settings, version))| Row::Settings {
                settings: settings.clone(),
                version: *version,
            }))
        }
        RowKind::Application => {
            let rows = state.applications.iter();
            let rows = rows.filter(|((id, _), _)| view.holds(*id));
            Box::new(rows.map(|(_, application)| Row::Application(application.clone())))
        }
        RowKind::User => {
            let users = state.users.iter().filter(|((id, _), _)| view.holds(*id));
            Box::new(users.map(|(_, user)| Row::User(user.row.clone())))
        }
        RowKind::Grant => {
            let grants = state.grants.iter().filter(|(id, _, _)| view.holds(*id));
            Box::new(grants.map(|(_, user, grant)| Row::Grant {
                user: *user,
                grant: *grant,
            }))
        }
        RowKind::Record => {
            let records = state.records.iter().filter(|((id, _), _)| view.holds(*id));
            Box::new(records.map(|(_, record)| Row::Record(record.clone())))
        }
        RowKind::Message => {
            let entries = state.outbox.iter().filter(|((id, _), _)| view.holds(*id));
            Box::new(entries.map(|(_, entry)| Row::Message(entry.clone())))
        }
        _ => {
            let sessions = state.sessions.iter().filter(|((id, _), _)| view.holds(*id));
            Box::new(sessions.map(|(_, session)| Row::Session(session.clone())))
        }
    }
}

fn is_there(state: &State, row: &Row, view: &View) -> bool {
    let key = row.key();
    all(state, row.kind(), view).any(|stored| stored.key() == key)
}

fn put(state: &mut State, row: &Row, view: &View) -> Result<()> {
    match kept(row, view) {
        Row::Value {
            name,
            value,
            version,
        } => {
            let value = InstallationValue { value, version };
            state.installation.insert(name, value);
        }
        Row::Tenant(tenant) => tenants::put(state, tenant, view)?,
        Row::Limit { key, state: limit } => {
            state.limits.insert(key, limit);
        }
        Row::Flow(flow) => {
            state.flows.insert(flow.handle, flow);
        }
        Row::Event(event) => {
            if event.tenant != view.event_tenant() && !view.has(Flaw::LeaksTenants) {
                return Err(of_another());
            }
            let stored = state.audit.entry((event.tenant, event.id));
            let kept = stored.or_insert_with(|| event.clone());
            if view.has(Flaw::RewritesEvents) {
                *kept = event;
            }
        }
        other => put_in_tenant(state, view.tenant()?, other, view)?,
    }
    Ok(())
}

fn put_in_tenant(state: &mut State, own: TenantId, row: Row, view: &View) -> Result<()> {
    match row {
        Row::Settings { settings, version } => {
            tenants::check_reference(state, own, view)?;
            state.settings.insert(own, (settings, version));
        }
        Row::Application(application) => {
            applications::check_tenant(own, &application, view)?;
            applications::put(state, application, view, false)?;
        }
        Row::User(user) => users::put(state, own, user, view)?,
        Row::Grant { user, grant } => {
            if !state.users.contains_key(&(own, user)) && !view.has(Flaw::IgnoresReferences) {
                return Err(Error::not_found("user"));
            }
            state.grants.insert((own, user, grant));
        }
        Row::Record(record) => records::put(state, own, record, view)?,
        Row::Message(entry) => {
            outbox::check_tenant(own, &entry, view)?;
            outbox::put(state, entry, view)?;
        }
        Row::Session(session) => {
            if session.tenant != own && !view.has(Flaw::LeaksTenants) {
                return Err(of_another());
            }
            sessions::put(state, session, view)?;
        }
        _ => return Err(unsupported("rows of this kind are of the platform")),
    }
    Ok(())
}

fn of_another() -> Error {
    Error::invalid("tenant", "a row put in a tenant belongs to it")
}

/// A row as it is stored: as it is, but for defects.
fn kept(row: &Row, view: &View) -> Row {
    let mut row = row.clone();
    let put_version = |version: &mut i64| {
        if view.has(Flaw::PutsNewVersions) {
            *version = 1;
        }
    };
    match &mut row {
        Row::Value { value, version, .. } => {
            *value = view.bytes(value);
            put_version(version);
        }
        Row::Tenant(tenant) => {
            tenant.lock = view.lock(tenant.lock.as_ref());
            tenant.created_at = view.time(tenant.created_at);
            put_version(&mut tenant.version);
        }
        Row::Limit { state, .. } => state.expires_at = view.time(state.expires_at),
        Row::Flow(flow) => {
            flow.sealed = view.bytes(&flow.sealed);
            put_version(&mut flow.version);
        }
        Row::Settings { version, .. } => put_version(version),
        Row::Application(application) => {
            *application = applications::kept(application, view);
            put_version(&mut application.version);
        }
        Row::User(user) => {
            user.lock = view.lock(user.lock.as_ref());
            put_version(&mut user.version);
        }
        Row::Record(record) => keep_record(record, view),
        Row::Message(entry) => {
            *entry = outbox::kept(entry, view);
            put_version(&mut entry.version);
        }
        Row::Session(session) => {
            session.started_at = view.time(session.started_at);
            if view.has(Flaw::PutsNewVersions) {
                session.ended = None;
            }
        }
        Row::Event(event) => event.at = view.time(event.at),
        Row::Grant { .. } => {}
    }
    row
}

fn keep_record(record: &mut Record, view: &View) {
    record.sealed = view.bytes(&record.sealed);
    record.created_at = view.time(record.created_at);
    if view.has(Flaw::PutsNewVersions) {
        record.version = 1;
    }
}

fn remove(state: &mut State, kind: RowKind, key: &RowKey, view: &View) -> Result<()> {
    let was_there = match (kind, key) {
        (RowKind::Value, RowKey::Name(name)) => state.installation.remove(name).is_some(),
        (RowKind::Limit, RowKey::Hash(hash)) => state.limits.remove(hash).is_some(),
        (RowKind::Flow, RowKey::Hash(hash)) => state.flows.remove(hash).is_some(),
        (RowKind::Tenant, RowKey::Id(id)) => {
            tenants::remove(state, TenantId::from_uuid(*id), view)?
        }
        (RowKind::Event, RowKey::Id(id)) => {
            if !view.has(Flaw::RewritesEvents) {
                return Err(unsupported("audit events are never removed"));
            }
            let key = (view.event_tenant(), AuditEventId::from_uuid(*id));
            state.audit.remove(&key).is_some()
        }
        _ => remove_in_tenant(state, view.tenant()?, (kind, key), view)?,
    };
    if !was_there && view.has(Flaw::MissesTheRemoved) {
        return Err(Error::not_found("row"));
    }
    Ok(())
}

fn remove_in_tenant(
    state: &mut State,
    own: TenantId,
    (kind, key): (RowKind, &RowKey),
    view: &View,
) -> Result<bool> {
    Ok(match (kind, key) {
        (RowKind::Settings, RowKey::Only) => state.settings.remove(&own).is_some(),
        (RowKind::Application, RowKey::Id(id)) => {
            let place = (own, ApplicationId::from_uuid(*id));
            state.applications.remove(&place).is_some()
        }
        (RowKind::User, RowKey::Id(id)) => {
            users::remove(state, (own, UserId::from_uuid(*id)), view)
        }
        (RowKind::Grant, RowKey::Grant(user, grant)) => {
            Grant::parse(grant).is_some_and(|grant| state.grants.remove(&(own, *user, grant)))
        }
        (RowKind::Record, RowKey::Id(id)) => {
            let place = (own, RecordId::from_uuid(*id));
            state.records.remove(&place).is_some()
        }
        (RowKind::Message, RowKey::Id(id)) => {
            let place = (own, MessageId::from_uuid(*id));
            state.outbox.remove(&place).is_some()
        }
        (RowKind::Session, RowKey::Id(id)) => {
            let place = (own, SessionId::from_uuid(*id));
            state.sessions.remove(&place).is_some()
        }
        _ => return Err(Error::invalid("key", "a key of another kind of rows")),
    })
}
