//! Scopes: what a tenant's and the platform's units reach, method by method.

use gatelodge_core::{
    ErrorKind,
    model::{
        AuditEvent, AuditFilter, EndReason, Grant, Session, SessionEnd, Tenant, TenantId,
        TenantSettings, User,
    },
    storage::{Mode, OutboxEntry, Page, Record, Row, RowKind, Scope, SessionFilter},
};

use crate::{
    operations::{self, Reach},
    twins::Twins,
    world::World,
};

pub(crate) async fn platform_methods_are_refused_in_a_tenant_unit(w: World) {
    let twins = Twins::stored(&w).await;
    refused(&w, &twins, Reach::Platform, Scope::Tenant(twins.one.id)).await;
}

pub(crate) async fn tenant_methods_are_refused_in_a_platform_unit(w: World) {
    let twins = Twins::stored(&w).await;
    refused(&w, &twins, Reach::Tenant, Scope::Platform).await;
}

/// Calls every method of this reach in units of this scope.
async fn refused(w: &World, twins: &Twins, reach: Reach, scope: Scope) {
    let before = twins.picture(w).await;
    for operation in operations::all() {
        if operation.reach != reach {
            continue;
        }
        for mode in [Mode::Read, Mode::Write] {
            let result = w
                .attempt(scope, mode, async |u| operation.run(u, twins).await)
                .await;
            let kind = result.expect_err(operation.name).kind();
            assert_eq!(kind, ErrorKind::Unsupported, "{}", operation.name);
        }
    }
    twins.assert_unchanged(w, &before, "a refused method").await;
}

pub(crate) async fn platform_methods_are_refused_once_a_tenant_was_entered(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    for operation in operations::all() {
        if operation.reach != Reach::Platform {
            continue;
        }
        let kind = w
            .refusal(Scope::Platform, async |u| {
                u.enter(twins.one.id).await.unwrap();
                operation.run(u, &twins).await
            })
            .await;
        assert_eq!(kind, ErrorKind::Unsupported, "{}", operation.name);
    }
    twins
        .assert_unchanged(&w, &before, "a refused method")
        .await;
}

pub(crate) async fn every_tenant_method_works_once_its_tenant_was_entered(w: World) {
    let twins = Twins::stored(&w).await;
    for operation in operations::all() {
        if operation.reach == Reach::Platform {
            continue;
        }
        let mut unit = w.begin(Scope::Platform, Mode::Write).await;
        unit.enter(twins.one.id).await.unwrap();
        assert_eq!(unit.scope(), Scope::Tenant(twins.one.id));
        operation
            .run(unit.as_mut(), &twins)
            .await
            .expect(operation.name);
        unit.rollback().await.unwrap();
    }
}

pub(crate) async fn a_tenant_and_its_first_user_are_made_in_one_unit(w: World) {
    let (tenant, ada) = (w.make.tenant("acme"), w.make.user("ada"));
    for is_committed in [false, true] {
        let mut unit = w.begin(Scope::Platform, Mode::Write).await;
        unit.tenants().create(&tenant).await.unwrap();
        unit.enter(tenant.id).await.unwrap();
        unit.users().create(&ada).await.unwrap();
        unit.users()
            .set_grant(ada.id, Grant::TenantAdministrator, true)
            .await
            .unwrap();
        if is_committed {
            unit.commit().await.unwrap();
        } else {
            unit.rollback().await.unwrap();
        }
        let made = w
            .read(Scope::Platform, async |u| {
                u.tenants().by_id(tenant.id).await
            })
            .await;
        assert_eq!(made.is_some(), is_committed);
        let made = w
            .read(&tenant, async |u| u.users().by_id(ada.id).await)
            .await;
        assert_eq!(made.is_some(), is_committed);
    }
}

pub(crate) async fn a_unit_that_entered_a_tenant_reaches_that_one_only(w: World) {
    let twins = Twins::stored(&w).await;
    let seen = w
        .attempt(Scope::Platform, Mode::Read, async |u| {
            u.enter(twins.one.id).await?;
            assert_eq!(u.users().by_id(twins.foreign_user.id).await?, None);
            assert_eq!(u.tenants().by_id(twins.other.id).await?, None);
            u.users().list(None, Page::first(9)).await
        })
        .await;
    assert_eq!(seen.unwrap(), vec![twins.user]);
}

pub(crate) async fn entering_a_tenant_is_refused_in_a_tenant_unit(w: World) {
    let twins = Twins::stored(&w).await;
    for tenant in [twins.one.id, twins.other.id] {
        let kind = w.refusal(&twins.one, async |u| u.enter(tenant).await).await;
        assert_eq!(kind, ErrorKind::Unsupported);
        let kind = w
            .refusal(Scope::Platform, async |u| {
                u.enter(twins.one.id).await.unwrap();
                u.enter(tenant).await
            })
            .await;
        assert_eq!(kind, ErrorKind::Unsupported, "entering a second time");
    }
}

pub(crate) async fn no_write_in_a_tenant_changes_another(w: World) {
    for operation in operations::writes() {
        if operation.reach == Reach::Platform {
            continue;
        }
        let twins = Twins::stored(&w).await;
        let before = twins.picture(&w).await;
        w.write(&twins.one, async |u| operation.run(u, &twins).await)
            .await;
        let mut changed = twins.picture(&w).await.changed_since(&before);
        changed.retain(|what| what.starts_with("other"));
        assert_eq!(
            changed,
            Vec::<&str>::new(),
            "{} in one tenant",
            operation.name
        );
    }
}

pub(crate) async fn another_tenant_is_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let (one, other) = (&twins.one, &twins.other);
    w.read(one, async |u| {
        assert_eq!(u.tenants().by_id(one.id).await?, Some(one.clone()));
        assert_eq!(u.tenants().by_id(other.id).await?, None);
        assert_eq!(
            u.tenants().list(None, Page::first(9)).await?,
            vec![one.clone()]
        );
        let search = other.name.key();
        assert_eq!(
            u.tenants().list(Some(&search), Page::first(9)).await?,
            vec![]
        );
        assert_eq!(u.tenants().ancestors(other.id).await?, vec![]);
        let settings = u.tenants().settings(other.id).await?;
        assert_eq!(settings, (TenantSettings::default(), 0));
        Ok(())
    })
    .await;
    let before = twins.picture(&w).await;
    let changed = Tenant {
        display_name: twins.user.display_name.clone(),
        ..other.clone()
    };
    let settings = TenantSettings::default();
    let kinds = [
        w.refusal(one, async |u| u.tenants().update(&changed).await)
            .await,
        w.refusal(one, async |u| u.tenants().lock_row(other.id).await)
            .await,
        w.refusal(one, async |u| {
            u.tenants().put_settings(other.id, &settings, 1).await
        })
        .await,
        w.refusal(one, async |u| {
            u.tenants().put_settings(other.id, &settings, 0).await
        })
        .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 4]);
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

pub(crate) async fn another_tenants_users_are_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let foreign = &twins.foreign_user;
    w.read(&twins.one, async |u| {
        assert_eq!(u.users().by_id(foreign.id).await?, None);
        assert_eq!(u.users().by_login(&foreign.user_name.key()).await?, None);
        assert_eq!(u.users().grants(foreign.id).await?, vec![]);
        assert_eq!(
            u.users().list(None, Page::first(9)).await?,
            vec![twins.user.clone()]
        );
        let search = foreign.user_name.key();
        assert_eq!(u.users().list(Some(&search), Page::first(9)).await?, vec![]);
        let holders = u.users().holders(Grant::TenantAdministrator).await?;
        assert_eq!(holders, vec![(twins.one.id, twins.user.id)]);
        Ok(())
    })
    .await;
    let before = twins.picture(&w).await;
    let changed = User {
        credential_epoch: 9,
        ..foreign.clone()
    };
    let grant = Grant::TenantAdministrator;
    let one = &twins.one;
    let kinds = [
        w.refusal(one, async |u| u.users().update(&changed).await)
            .await,
        w.refusal(one, async |u| {
            u.users().delete(foreign.id, foreign.version).await
        })
        .await,
        w.refusal(one, async |u| u.users().lock_row(foreign.id).await)
            .await,
        w.refusal(one, async |u| {
            u.users().set_grant(foreign.id, grant, true).await
        })
        .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 4]);
    let withdrawn = w
        .write(one, async |u| {
            u.users().set_grant(foreign.id, grant, false).await
        })
        .await;
    assert!(!withdrawn, "another tenant's user holds nothing here");
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

pub(crate) async fn another_tenants_applications_are_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let (one, foreign) = (&twins.one, &twins.foreign_application);
    w.read(one, async |u| {
        let applications = u.applications();
        assert_eq!(applications.by_id(foreign.id).await?, None);
        assert_eq!(applications.by_audience(&foreign.audience).await?, None);
        assert_eq!(applications.by_name(&foreign.name.key()).await?, None);
        let own = vec![twins.application.clone()];
        assert_eq!(applications.list(Page::first(9)).await?, own);
        let origin = foreign.origins[0].as_str();
        assert!(!applications.has_origin(origin).await?);
        Ok(())
    })
    .await;
    let before = twins.picture(&w).await;
    let kinds = [
        w.refusal(one, async |u| u.applications().update(foreign).await)
            .await,
        w.refusal(one, async |u| {
            u.applications().delete(foreign.id, foreign.version).await
        })
        .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 2]);
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

pub(crate) async fn another_tenants_records_are_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let foreign = &twins.foreign_record;
    let (provider, user) = (&twins.provider, twins.foreign_user.id);
    w.read(&twins.one, async |u| {
        let records = u.records();
        assert_eq!(records.by_id(provider, foreign.id).await?, None);
        assert_eq!(records.by_key(provider, &foreign.key.unwrap()).await?, None);
        assert_eq!(records.by_user(provider, user).await?, vec![]);
        assert_eq!(records.by_user(provider, twins.user.id).await?.len(), 2);
        Ok(())
    })
    .await;
    let before = twins.picture(&w).await;
    let changed = Record {
        label: "changed".to_owned(),
        ..foreign.clone()
    };
    let theirs = Record {
        user: Some(user),
        ..twins.new.record.clone()
    };
    let one = &twins.one;
    let kinds = [
        w.refusal(one, async |u| u.records().create(&theirs).await)
            .await,
        w.refusal(one, async |u| u.records().update(&changed).await)
            .await,
        w.refusal(one, async |u| {
            u.records().delete(provider, foreign.id, 1).await
        })
        .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 3]);
    let removed = w
        .write(one, async |u| {
            u.records().delete_by_user(provider, user).await
        })
        .await;
    assert_eq!(removed, 0);
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

pub(crate) async fn another_tenants_messages_are_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let mut expected = [&twins.message, &twins.expired_message].map(|m| Row::Message(m.clone()));
    expected.sort_by_key(Row::key);
    let own = w
        .read(&twins.one, async |u| {
            u.archive().rows(RowKind::Message, None, 9).await
        })
        .await;
    assert!(own == expected, "its own, and no other");
    let before = twins.picture(&w).await;
    let theirs = OutboxEntry {
        tenant: twins.other.id,
        ..twins.new.message.clone()
    };
    let kind = w
        .refusal(&twins.one, async |u| u.outbox().add(&theirs).await)
        .await;
    assert_eq!(kind, ErrorKind::Invalid, "a message of another tenant");
    let to_theirs = OutboxEntry {
        user: twins.foreign_user.id,
        ..twins.new.message.clone()
    };
    let kind = w
        .refusal(&twins.one, async |u| u.outbox().add(&to_theirs).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound, "to another tenant's user");
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

pub(crate) async fn another_tenants_sessions_are_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let foreign = &twins.foreign_session;
    let of_foreign = SessionFilter {
        user: Some(twins.foreign_user.id),
        ..SessionFilter::default()
    };
    w.read(&twins.one, async |u| {
        assert_eq!(u.sessions().by_id(foreign.id).await?, None);
        assert_eq!(
            u.sessions().list(&of_foreign, Page::first(9)).await?,
            vec![]
        );
        assert_eq!(u.sessions().count(&of_foreign).await?, 0);
        assert_eq!(u.sessions().count(&SessionFilter::default()).await?, 2);
        let own = u.sessions().by_id(twins.session.id).await?;
        assert_eq!(own, Some(twins.session.clone()));
        Ok(())
    })
    .await;
    let before = twins.picture(&w).await;
    let end = SessionEnd {
        at: twins.now,
        reason: EndReason::Revoked,
    };
    let (ended, ended_all) = w
        .write(&twins.one, async |u| {
            let ended = u.sessions().end(foreign.id, end).await?;
            Ok((ended, u.sessions().end_all(&of_foreign, end).await?))
        })
        .await;
    assert_eq!((ended, ended_all), (false, 0));
    let theirs = Session {
        tenant: twins.other.id,
        ..twins.new.session.clone()
    };
    let kind = w
        .refusal(&twins.one, async |u| u.sessions().create(&theirs).await)
        .await;
    assert_eq!(kind, ErrorKind::Invalid, "a session of another tenant");
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

pub(crate) async fn another_tenants_audit_events_are_not_there(w: World) {
    let twins = Twins::stored(&w).await;
    let before = twins.picture(&w).await;
    let events = w
        .read(&twins.one, async |u| {
            u.audit()
                .list(&AuditFilter::default(), Page::first(9))
                .await
        })
        .await;
    assert_eq!(events, vec![twins.event.clone()]);
    for tenant in [Some(twins.other.id), None] {
        let event = AuditEvent {
            tenant,
            ..twins.new.event.clone()
        };
        let kind = w
            .refusal(&twins.one, async |u| u.audit().append(&event).await)
            .await;
        assert_eq!(kind, ErrorKind::Invalid, "an entry of {tenant:?}");
    }
    twins.assert_unchanged(&w, &before, "another tenant").await;
}

pub(crate) async fn nothing_is_found_in_a_tenant_that_does_not_exist(w: World) {
    let twins = Twins::stored(&w).await;
    let nowhere = TenantId::generate(w.make.environment());
    w.read(nowhere, async |u| {
        assert_eq!(u.tenants().by_id(nowhere).await?, None);
        assert_eq!(u.tenants().list(None, Page::first(9)).await?, vec![]);
        assert_eq!(u.tenants().ancestors(nowhere).await?, vec![]);
        let settings = u.tenants().settings(nowhere).await?;
        assert_eq!(settings, (TenantSettings::default(), 0));
        assert_eq!(u.users().by_id(twins.user.id).await?, None);
        assert_eq!(u.users().list(None, Page::first(9)).await?, vec![]);
        assert_eq!(u.users().holders(Grant::TenantAdministrator).await?, vec![]);
        assert_eq!(
            u.records().by_user(&twins.provider, twins.user.id).await?,
            vec![]
        );
        assert_eq!(u.sessions().count(&SessionFilter::default()).await?, 0);
        let events = u
            .audit()
            .list(&AuditFilter::default(), Page::first(9))
            .await?;
        assert_eq!(events, vec![]);
        Ok(())
    })
    .await;
    let record = Record {
        user: None,
        ..twins.new.record.clone()
    };
    let settings = TenantSettings::default();
    let kinds = [
        w.refusal(nowhere, async |u| u.users().create(&twins.new.user).await)
            .await,
        w.refusal(nowhere, async |u| u.records().create(&record).await)
            .await,
        w.refusal(nowhere, async |u| u.tenants().lock_row(nowhere).await)
            .await,
        w.refusal(nowhere, async |u| {
            u.tenants().put_settings(nowhere, &settings, 0).await
        })
        .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 4]);
}
