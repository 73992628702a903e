//! Every method of every repository once, as it would be called on twins, so
//! that the rules for all methods are shown for each of them.

use gatelodge_core::{
    Result,
    model::{Application, AuditEvent, AuditFilter, Grant, NameKey, Tenant, TenantSettings, User},
    storage::{
        Change, Changed, LimitState, OutboxEntry, Page, Record, Row, RowKey, RowKind, Scope,
        SessionFilter, SessionTouch, StoredFlow,
    },
};

use crate::{
    twins::Twins,
    world::{Boxed, Unit},
};

/// Which units offer a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Tenant,
    Platform,
    Any,
}

/// What a call does on twins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Reads.
    Reads,
    /// Changes what can be read.
    Writes,
    /// Writes nothing that can be read back.
    Tells,
    /// Takes a row as an anchor.
    Locks,
}

/// One call of one method.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) reach: Reach,
    pub(crate) effect: Effect,
    run: Run,
}

type Run = Box<dyn for<'a> Fn(&'a mut Unit, &'a Twins) -> Boxed<'a, Result<()>>>;

impl Operation {
    fn new(
        (name, reach, effect): (&'static str, Reach, Effect),
        run: impl for<'a> Fn(&'a mut Unit, &'a Twins) -> Boxed<'a, Result<()>> + 'static,
    ) -> Self {
        Self {
            name,
            reach,
            effect,
            run: Box::new(run),
        }
    }

    /// Calls the method.
    pub(crate) async fn run(&self, unit: &mut Unit, twins: &Twins) -> Result<()> {
        (self.run)(unit, twins).await
    }

    /// The scopes in which it is offered.
    pub(crate) fn scopes(&self, twins: &Twins) -> Vec<Scope> {
        let inside = Scope::Tenant(twins.one.id);
        match self.reach {
            Reach::Tenant => vec![inside],
            Reach::Platform => vec![Scope::Platform],
            Reach::Any => vec![inside, Scope::Platform],
        }
    }

    pub(crate) fn is_write(&self) -> bool {
        self.effect == Effect::Writes
    }
}

macro_rules! operations {
    ($($reach:ident $effect:ident $name:literal |$u:ident, $t:ident| $call:expr;)+) => {
        vec![$(Operation::new(
            ($name, Reach::$reach, Effect::$effect),
            |$u, $t| Box::pin(async move { $call.await.map(drop) }),
        )),+]
    };
}

/// Every method.
pub(crate) fn all() -> Vec<Operation> {
    [
        tenants(),
        users(),
        applications(),
        records(),
        outbox(),
        flows(),
        sessions(),
        limits(),
        archive(),
        others(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every method that changes what can be read.
pub(crate) fn writes() -> impl Iterator<Item = Operation> {
    all().into_iter().filter(Operation::is_write)
}

fn tenants() -> Vec<Operation> {
    operations! {
        Platform Writes "tenants.create" |u, t| u.tenants().create(&t.new.tenant);
        Any Reads "tenants.by_id" |u, t| u.tenants().by_id(t.one.id);
        Platform Reads "tenants.by_name" |u, t| async { u.tenants().by_name(&t.one.name.key()).await };
        Any Reads "tenants.list" |u, _t| u.tenants().list(None, Page::first(9));
        Any Reads "tenants.ancestors" |u, t| u.tenants().ancestors(t.one.id);
        Platform Reads "tenants.descendants" |u, t| u.tenants().descendants(t.one.id);
        Any Writes "tenants.update" |u, t| async {
            u.tenants().update(&Tenant { display_name: t.user.display_name.clone(), ..t.one.clone() }).await
        };
        Platform Writes "tenants.delete" |u, t| u.tenants().delete(t.one.id, t.one.version);
        Any Locks "tenants.lock_row" |u, t| u.tenants().lock_row(t.one.id);
        Any Locks "tenants.hold" |u, t| u.tenants().hold(t.one.id);
        Any Reads "tenants.settings" |u, t| u.tenants().settings(t.one.id);
        Any Writes "tenants.put_settings" |u, t| async {
            let (_, version) = u.tenants().settings(t.one.id).await?;
            u.tenants().put_settings(t.one.id, &TenantSettings::default(), version).await
        };
    }
}

fn users() -> Vec<Operation> {
    operations! {
        Tenant Writes "users.create" |u, t| u.users().create(&t.new.user);
        Tenant Reads "users.by_id" |u, t| u.users().by_id(t.user.id);
        Tenant Reads "users.by_login" |u, t| async { u.users().by_login(&t.login()).await };
        Platform Reads "users.candidates" |u, t| async { u.users().candidates(&t.login()).await };
        Tenant Reads "users.list" |u, _t| async {
            u.users().list(Some(&NameKey::of("a")), Page::first(9)).await
        };
        Tenant Writes "users.update" |u, t| async {
            u.users().update(&User { credential_epoch: 8, ..t.user.clone() }).await
        };
        Tenant Writes "users.delete" |u, t| u.users().delete(t.user.id, t.user.version);
        Tenant Locks "users.lock_row" |u, t| u.users().lock_row(t.user.id);
        Tenant Reads "users.grants" |u, t| u.users().grants(t.user.id);
        Tenant Writes "users.set_grant" |u, t| {
            u.users().set_grant(t.user.id, Grant::TenantAdministrator, false)
        };
        Any Reads "users.holders" |u, _t| u.users().holders(Grant::TenantAdministrator);
    }
}

fn applications() -> Vec<Operation> {
    operations! {
        Tenant Writes "applications.create" |u, t| u.applications().create(&t.new.application);
        Any Reads "applications.by_id" |u, t| u.applications().by_id(t.application.id);
        Any Reads "applications.by_audience" |u, t| {
            u.applications().by_audience(&t.application.audience)
        };
        Tenant Reads "applications.by_name" |u, t| async {
            u.applications().by_name(&t.application.name.key()).await
        };
        Any Reads "applications.has_origin" |u, _t| {
            u.applications().has_origin("https://app.example.org")
        };
        Tenant Reads "applications.list" |u, _t| u.applications().list(Page::first(9));
        Tenant Writes "applications.update" |u, t| async {
            let origins = Vec::new();
            u.applications().update(&Application { origins, ..t.application.clone() }).await
        };
        Tenant Writes "applications.delete" |u, t| {
            u.applications().delete(t.application.id, t.application.version)
        };
    }
}

fn records() -> Vec<Operation> {
    operations! {
        Tenant Writes "records.create" |u, t| u.records().create(&t.new.record);
        Tenant Reads "records.by_id" |u, t| u.records().by_id(&t.provider, t.record.id);
        Tenant Reads "records.by_key" |u, t| async {
            u.records().by_key(&t.provider, &t.record.key.unwrap_or(t.key)).await
        };
        Platform Reads "records.owners" |u, t| async {
            u.records().owners(&t.provider, &t.record.key.unwrap_or(t.key)).await
        };
        Platform Reads "records.keyed" |u, t| u.records().keyed(&t.provider, Page::first(9));
        Tenant Reads "records.by_user" |u, t| u.records().by_user(&t.provider, t.user.id);
        Tenant Writes "records.update" |u, t| async {
            u.records().update(&Record { label: "changed".to_owned(), ..t.record.clone() }).await
        };
        Tenant Writes "records.delete" |u, t| {
            u.records().delete(&t.provider, t.record.id, t.record.version)
        };
        Tenant Writes "records.delete_by_user" |u, t| {
            u.records().delete_by_user(&t.provider, t.user.id)
        };
        Tenant Writes "records.delete_of_users" |u, t| {
            u.records().delete_of_users(&t.provider)
        };
        Tenant Writes "records.delete_expired" |u, t| u.records().delete_expired(t.now, 1_000);
    }
}

fn outbox() -> Vec<Operation> {
    operations! {
        Tenant Writes "outbox.add" |u, t| u.outbox().add(&t.new.message);
        Platform Writes "outbox.claim" |u, t| u.outbox().claim(t.now, t.flow.expires_at, 1_000);
        Platform Writes "outbox.postpone" |u, t| async {
            u.outbox().postpone(&OutboxEntry { due_at: t.flow.expires_at, ..t.message.clone() }).await
        };
        Platform Writes "outbox.settle" |u, t| {
            u.outbox().settle(t.one.id, t.message.id, t.message.version)
        };
        Platform Writes "outbox.delete_expired" |u, t| u.outbox().delete_expired(t.now, 1_000);
    }
}

fn flows() -> Vec<Operation> {
    operations! {
        Any Writes "flows.create" |u, t| u.flows().create(&t.new.flow);
        Any Reads "flows.by_handle" |u, t| u.flows().by_handle(&t.flow.handle);
        Any Writes "flows.update" |u, t| async {
            u.flows().update(&StoredFlow { sealed: vec![1, 2, 3], ..t.flow.clone() }).await
        };
        Any Writes "flows.delete" |u, t| u.flows().delete(&t.flow.handle);
        Any Writes "flows.delete_expired" |u, t| u.flows().delete_expired(t.now, 1_000);
    }
}

fn sessions() -> Vec<Operation> {
    operations! {
        Tenant Writes "sessions.create" |u, t| u.sessions().create(&t.new.session);
        Tenant Reads "sessions.by_id" |u, t| u.sessions().by_id(t.session.id);
        Platform Reads "sessions.by_token" |u, t| u.sessions().by_token(&t.session.token_hash);
        Tenant Reads "sessions.list" |u, _t| async {
            u.sessions().list(&SessionFilter::default(), Page::first(9)).await
        };
        Tenant Reads "sessions.count" |u, _t| async {
            u.sessions().count(&SessionFilter::default()).await
        };
        Tenant Writes "sessions.end_all" |u, t| async {
            u.sessions().end_all(&SessionFilter::default(), t.end()).await
        };
        Tenant Writes "sessions.end" |u, t| u.sessions().end(t.session.id, t.end());
        Platform Writes "sessions.touch" |u, t| async {
            let at = t.flow.expires_at;
            u.sessions().touch(&[SessionTouch { tenant: t.one.id, id: t.session.id, at }]).await
        };
        Platform Writes "sessions.end_timed_out" |u, t| u.sessions().end_timed_out(t.now, 1_000);
    }
}

fn limits() -> Vec<Operation> {
    operations! {
        Any Reads "limits.load" |u, t| u.limits().load(&t.key);
        Any Writes "limits.store" |u, t| async {
            let state = LimitState { count: 2, since: t.now, blocked_until: None, expires_at: t.now };
            u.limits().store(&t.new.key, &state).await
        };
        Any Writes "limits.clear" |u, t| u.limits().clear(&t.key);
        Any Writes "limits.delete_expired" |u, t| u.limits().delete_expired(t.now, 1_000);
    }
}

fn archive() -> Vec<Operation> {
    operations! {
        Platform Reads "archive.tenants" |u, _t| u.archive().tenants(Page::first(9));
        Platform Reads "archive.rows of tenants" |u, _t| u.archive().rows(RowKind::Tenant, None, 9);
        Tenant Reads "archive.rows of users" |u, _t| u.archive().rows(RowKind::User, None, 9);
        Any Reads "archive.rows of events" |u, _t| u.archive().rows(RowKind::Event, None, 9);
        Platform Writes "archive.put of tenants" |u, t| async {
            u.archive().put(&[Row::Tenant(t.new.tenant.clone())]).await
        };
        Platform Writes "archive.put of values" |u, t| async {
            let (name, value) = (t.new.name.clone(), b"new".to_vec());
            u.archive().put(&[Row::Value { name, value, version: 3 }]).await
        };
        Tenant Writes "archive.put of users" |u, t| async {
            u.archive().put(&[Row::User(t.new.user.clone())]).await
        };
        Tenant Writes "archive.put of applications" |u, t| async {
            u.archive().put(&[Row::Application(t.new.application.clone())]).await
        };
        Tenant Writes "archive.put of sessions" |u, t| async {
            u.archive().put(&[Row::Session(t.new.session.clone())]).await
        };
        Tenant Writes "archive.put of messages" |u, t| async {
            u.archive().put(&[Row::Message(t.new.message.clone())]).await
        };
        Any Writes "archive.put of events" |u, t| async {
            let tenant = Some(t.one.id).filter(|_| u.scope() != Scope::Platform);
            let event = AuditEvent { tenant, ..t.new.event.clone() };
            u.archive().put(&[Row::Event(event)]).await
        };
        Platform Writes "archive.remove of tenants" |u, t| async {
            u.archive().remove(RowKind::Tenant, &[RowKey::Id(t.one.id.as_uuid())]).await
        };
        Platform Writes "archive.remove of flows" |u, t| async {
            u.archive().remove(RowKind::Flow, &[RowKey::Hash(t.flow.handle)]).await
        };
        Tenant Writes "archive.remove of users" |u, t| async {
            u.archive().remove(RowKind::User, &[RowKey::Id(t.user.id.as_uuid())]).await
        };
        Tenant Writes "archive.remove of applications" |u, t| async {
            let key = RowKey::Id(t.application.id.as_uuid());
            u.archive().remove(RowKind::Application, &[key]).await
        };
        Tenant Writes "archive.remove of settings" |u, _t| async {
            u.archive().remove(RowKind::Settings, &[RowKey::Only]).await
        };
    }
}

fn others() -> Vec<Operation> {
    operations! {
        Any Writes "audit.append" |u, t| u.audit().append(&t.new.event);
        Any Reads "audit.list" |u, _t| async {
            u.audit().list(&AuditFilter::default(), Page::first(9)).await
        };
        Platform Reads "installation.value" |u, t| u.installation().value(&t.name);
        Platform Writes "installation.put" |u, t| u.installation().put(&t.new.name, b"new", 0);
        Platform Writes "installation.delete" |u, t| u.installation().delete(&t.name, 1);
        Any Tells "announce" |u, t| u.announce(Change { tenant: t.one.id, what: Changed::Tenant });
    }
}
