//! What goes with a tenant or a user, and what stays.

use gatelodge_core::{
    ErrorKind,
    model::{Application, AuditEvent, AuditFilter, Grant, Session, Tenant, TenantSettings, User},
    storage::{OutboxEntry, Page, Record, Row, RowKind, Scope},
};

use crate::{fixtures::provider, rows::rows, world::World};

/// A tenant with something of every kind in it.
struct Full {
    tenant: Tenant,
    application: Application,
    user: User,
    record: Record,
    message: OutboxEntry,
    session: Session,
    event: AuditEvent,
}

async fn full(w: &World, name: &str) -> Full {
    let tenant = w.tenant(name).await;
    let user = w.make.user_with_email("ada", "ada@example.com", true);
    let full = Full {
        record: Record {
            key: Some(w.make.hash()),
            ..w.make.record(&provider("password"), Some(user.id))
        },
        application: w.make.application(&tenant, "shop"),
        message: w.make.message(&tenant, &user),
        session: w.make.session(&tenant, &user),
        event: w.make.audit_event(Some(tenant.id), "user.create"),
        tenant,
        user,
    };
    w.write(&full.tenant, async |u| {
        u.users().create(&full.user).await?;
        u.users()
            .set_grant(full.user.id, Grant::TenantAdministrator, true)
            .await?;
        u.users()
            .set_grant(full.user.id, Grant::PlatformAdministrator, true)
            .await?;
        u.applications().create(&full.application).await?;
        u.records().create(&full.record).await?;
        u.outbox().add(&full.message).await?;
        u.sessions().create(&full.session).await?;
        u.audit().append(&full.event).await?;
        let mut settings = TenantSettings::default();
        settings.session.limit = Some(3);
        u.tenants().put_settings(full.tenant.id, &settings, 0).await
    })
    .await;
    full
}

async fn delete_tenant(w: &World, tenant: &Tenant) {
    w.write(Scope::Platform, async |u| {
        u.tenants().delete(tenant.id, tenant.version).await
    })
    .await;
}

pub(crate) async fn a_deleted_tenant_takes_its_own_along(w: World) {
    let (gone, stays) = (full(&w, "gone").await, full(&w, "stays").await);
    delete_tenant(&w, &gone.tenant).await;
    let password = provider("password");
    w.read(Scope::Platform, async |u| {
        assert_eq!(u.tenants().by_id(gone.tenant.id).await?, None);
        assert_eq!(u.tenants().by_name(&gone.tenant.name.key()).await?, None);
        let settings = u.tenants().settings(gone.tenant.id).await?;
        assert_eq!(settings, (TenantSettings::default(), 0));
        let candidates = u.users().candidates(&gone.user.user_name.key()).await?;
        assert_eq!(candidates, vec![(stays.tenant.id, stays.user.id)]);
        let holders = u.users().holders(Grant::PlatformAdministrator).await?;
        assert_eq!(holders, vec![(stays.tenant.id, stays.user.id)]);
        Ok(())
    })
    .await;
    w.read(&gone.tenant, async |u| {
        assert_eq!(u.applications().list(Page::first(9)).await?, vec![]);
        assert_eq!(u.users().by_id(gone.user.id).await?, None);
        assert_eq!(u.users().grants(gone.user.id).await?, vec![]);
        assert_eq!(u.records().by_id(&password, gone.record.id).await?, None);
        assert_eq!(
            u.records()
                .by_key(&password, &gone.record.key.unwrap())
                .await?,
            None
        );
        Ok(())
    })
    .await;
    assert!(rows(&w, &gone.tenant, RowKind::Message).await.is_empty());
    let left = rows(&w, &stays.tenant, RowKind::Message).await;
    assert!(left == [Row::Message(stays.message.clone())]);
    w.read(&stays.tenant, async |u| {
        assert_eq!(
            u.users().by_id(stays.user.id).await?,
            Some(stays.user.clone())
        );
        let applications = u.applications().list(Page::first(9)).await?;
        assert_eq!(applications, vec![stays.application.clone()]);
        let record = u.records().by_id(&password, stays.record.id).await?;
        assert_eq!(record, Some(stays.record.clone()));
        assert_eq!(u.tenants().settings(stays.tenant.id).await?.1, 1);
        Ok(())
    })
    .await;
}

pub(crate) async fn a_deleted_tenant_leaves_its_sessions_and_audit_events(w: World) {
    let gone = full(&w, "gone").await;
    delete_tenant(&w, &gone.tenant).await;
    let session = w
        .read(Scope::Platform, async |u| {
            u.sessions().by_token(&gone.session.token_hash).await
        })
        .await;
    assert_eq!(session, Some(gone.session));
    let events = w
        .read(&gone.tenant, async |u| {
            u.audit()
                .list(&AuditFilter::default(), Page::first(9))
                .await
        })
        .await;
    assert_eq!(events, vec![gone.event]);
}

pub(crate) async fn an_audit_event_about_a_deleted_tenant_can_still_be_written(w: World) {
    let gone = full(&w, "gone").await;
    let event = w.make.audit_event(Some(gone.tenant.id), "tenant.delete");
    w.write(Scope::Platform, async |u| {
        u.tenants()
            .delete(gone.tenant.id, gone.tenant.version)
            .await?;
        u.audit().append(&event).await
    })
    .await;
    let events = w
        .read(&gone.tenant, async |u| {
            let filter = AuditFilter {
                action: Some("tenant.delete".to_owned()),
                ..AuditFilter::default()
            };
            u.audit().list(&filter, Page::first(9)).await
        })
        .await;
    assert_eq!(events, vec![event]);
}

pub(crate) async fn a_tenant_made_again_under_the_name_inherits_nothing(w: World) {
    let gone = full(&w, "acme").await;
    delete_tenant(&w, &gone.tenant).await;
    let again = w.tenant("acme").await;
    w.read(&again, async |u| {
        assert_eq!(u.users().list(None, Page::first(9)).await?, vec![]);
        assert_eq!(
            u.users().holders(Grant::PlatformAdministrator).await?,
            vec![]
        );
        assert_eq!(u.sessions().by_id(gone.session.id).await?, None);
        let events = u
            .audit()
            .list(&AuditFilter::default(), Page::first(9))
            .await?;
        assert_eq!(events, vec![]);
        let settings = u.tenants().settings(again.id).await?;
        assert_eq!(settings, (TenantSettings::default(), 0));
        Ok(())
    })
    .await;
    w.write(&again, async |u| u.users().create(&gone.user).await)
        .await;
}

pub(crate) async fn a_deleted_sub_tenant_is_no_descendant_any_more(w: World) {
    let master = w.tenant("master").await;
    let below = w.sub_tenant("below", &master).await;
    delete_tenant(&w, &below).await;
    w.read(Scope::Platform, async |u| {
        assert_eq!(u.tenants().descendants(master.id).await?, vec![]);
        assert_eq!(u.tenants().ancestors(below.id).await?, vec![]);
        Ok(())
    })
    .await;
}

pub(crate) async fn a_deleted_user_takes_grants_and_records_along(w: World) {
    let full = full(&w, "acme").await;
    let bob = w.make.user("bob");
    let kept = w.make.record(&provider("totp"), Some(bob.id));
    let common = w.make.record(&provider("totp"), None);
    let seed = w.make.record(&provider("totp"), Some(full.user.id));
    let message = w.make.message(&full.tenant, &bob);
    w.write(&full.tenant, async |u| {
        u.users().create(&bob).await?;
        u.users()
            .set_grant(bob.id, Grant::TenantAdministrator, true)
            .await?;
        u.records().create(&kept).await?;
        u.outbox().add(&message).await?;
        u.records().create(&common).await?;
        u.records().create(&seed).await
    })
    .await;
    w.write(&full.tenant, async |u| {
        u.users().delete(full.user.id, full.user.version).await
    })
    .await;
    let left = rows(&w, &full.tenant, RowKind::Message).await;
    assert!(
        left == [Row::Message(message)],
        "messages go with their user"
    );
    w.read(&full.tenant, async |u| {
        assert_eq!(u.users().by_id(full.user.id).await?, None);
        assert_eq!(u.users().by_login(&full.user.user_name.key()).await?, None);
        assert_eq!(u.users().grants(full.user.id).await?, vec![]);
        let holders = u.users().holders(Grant::TenantAdministrator).await?;
        assert_eq!(holders, vec![(full.tenant.id, bob.id)]);
        for gone in [&full.record, &seed] {
            assert_eq!(u.records().by_id(&gone.provider, gone.id).await?, None);
        }
        for kept in [&kept, &common] {
            let found = u.records().by_id(&kept.provider, kept.id).await?;
            assert_eq!(found.as_ref(), Some(kept));
        }
        Ok(())
    })
    .await;
}

pub(crate) async fn a_deleted_user_leaves_sessions_and_audit_events(w: World) {
    let full = full(&w, "acme").await;
    w.write(&full.tenant, async |u| {
        u.users().delete(full.user.id, full.user.version).await
    })
    .await;
    w.read(&full.tenant, async |u| {
        let session = u.sessions().by_id(full.session.id).await?;
        assert_eq!(session, Some(full.session.clone()));
        let events = u
            .audit()
            .list(&AuditFilter::default(), Page::first(9))
            .await?;
        assert_eq!(events, vec![full.event.clone()]);
        Ok(())
    })
    .await;
}

pub(crate) async fn a_user_made_again_under_the_name_inherits_nothing(w: World) {
    let full = full(&w, "acme").await;
    let again = w.make.user_with_email("ada", "ada@example.com", true);
    w.write(&full.tenant, async |u| {
        u.users().delete(full.user.id, full.user.version).await?;
        u.users().create(&again).await
    })
    .await;
    w.read(&full.tenant, async |u| {
        assert_eq!(u.users().grants(again.id).await?, vec![]);
        let records = u.records().by_user(&full.record.provider, again.id).await?;
        assert_eq!(records, vec![]);
        Ok(())
    })
    .await;
}

pub(crate) async fn a_second_deletion_finds_nothing(w: World) {
    let full = full(&w, "acme").await;
    let user = &full.user;
    w.write(&full.tenant, async |u| {
        u.users().delete(user.id, user.version).await
    })
    .await;
    let kind = w
        .refusal(&full.tenant, async |u| {
            u.users().delete(user.id, user.version).await
        })
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
    delete_tenant(&w, &full.tenant).await;
    let kind = w
        .refusal(Scope::Platform, async |u| {
            u.tenants()
                .delete(full.tenant.id, full.tenant.version)
                .await
        })
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
}
