//! Tenants: their names, masters, versions and what goes with them.

use gatelodge_core::{
    ErrorKind,
    model::{DisplayName, Lock, NameKey, Tenant, TenantId, TenantName, TenantSettings},
    storage::{Mode, Page, Scope},
};

use crate::world::{World, paged};

pub(crate) async fn a_tenant_comes_back_as_it_was_made(w: World) {
    let master = w.tenant("master").await;
    let lock = Lock::new(
        Some("unpaid".into()),
        Some(w.make.at(5)),
        w.make.now(),
        true,
    );
    let tenants = [
        w.make.tenant("plain"),
        w.make.sub_tenant("below", &master),
        Tenant {
            display_name: DisplayName::new("Locked & gone").unwrap(),
            lock: Some(lock.unwrap()),
            ..w.make.tenant("locked")
        },
        Tenant {
            lock: Some(Lock::new(None, None, w.make.now(), false).unwrap()),
            ..w.make.tenant("locked for good")
        },
    ];
    for tenant in tenants {
        w.stored(tenant.clone()).await;
        w.read(Scope::Platform, async |u| {
            assert_eq!(u.tenants().by_id(tenant.id).await?, Some(tenant.clone()));
            let by_name = u.tenants().by_name(&tenant.name.key()).await?;
            assert_eq!(by_name, Some(tenant.clone()));
            Ok(())
        })
        .await;
    }
}

pub(crate) async fn a_tenant_that_was_never_made_is_not_found(w: World) {
    w.tenant("acme").await;
    let unknown = TenantId::generate(w.make.environment());
    w.read(Scope::Platform, async |u| {
        assert_eq!(u.tenants().by_id(unknown).await?, None);
        assert_eq!(u.tenants().by_name(&NameKey::of("acm")).await?, None);
        assert_eq!(u.tenants().by_name(&NameKey::of("acme\0")).await?, None);
        assert_eq!(u.tenants().ancestors(unknown).await?, vec![]);
        assert_eq!(u.tenants().descendants(unknown).await?, vec![]);
        Ok(())
    })
    .await;
    let ghost = w.make.tenant("ghost");
    let kinds = [
        w.refusal(Scope::Platform, async |u| u.tenants().update(&ghost).await)
            .await,
        w.refusal(Scope::Platform, async |u| {
            u.tenants().delete(ghost.id, 1).await
        })
        .await,
        w.refusal(Scope::Platform, async |u| {
            u.tenants().lock_row(ghost.id).await
        })
        .await,
        w.refusal(Scope::Platform, async |u| {
            u.tenants()
                .put_settings(ghost.id, &TenantSettings::default(), 0)
                .await
        })
        .await,
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 4]);
}

pub(crate) async fn a_taken_tenant_name_or_id_is_refused(w: World) {
    let acme = w.tenant("Acme").await;
    let same_id = Tenant {
        id: acme.id,
        ..w.make.tenant("another")
    };
    for taken in [w.make.tenant("Acme"), w.make.tenant("aCME"), same_id] {
        let kind = w
            .refusal(Scope::Platform, async |u| u.tenants().create(&taken).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "{}", taken.name);
    }
    let all = w
        .read(Scope::Platform, async |u| {
            u.tenants().list(None, Page::first(9)).await
        })
        .await;
    assert_eq!(all, vec![acme]);
}

pub(crate) async fn a_display_name_may_repeat(w: World) {
    let (one, other) = (w.tenant("one").await, w.make.tenant("other"));
    let other = Tenant {
        display_name: one.display_name.clone(),
        ..other
    };
    w.stored(other).await;
}

pub(crate) async fn a_master_that_is_not_there_is_not_found(w: World) {
    let orphan = w.make.sub_tenant("orphan", &w.make.tenant("ghost"));
    let kind = w
        .refusal(Scope::Platform, async |u| u.tenants().create(&orphan).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
    let found = w
        .read(Scope::Platform, async |u| {
            u.tenants().by_id(orphan.id).await
        })
        .await;
    assert_eq!(found, None);
}

pub(crate) async fn an_update_changes_name_display_name_and_lock_only(w: World) {
    let (master, acme) = (w.tenant("master").await, w.tenant("acme").await);
    let changed = Tenant {
        name: TenantName::new("Acme Ltd").unwrap(),
        display_name: DisplayName::new("Acme Limited").unwrap(),
        lock: Some(Lock::new(None, None, w.make.now(), true).unwrap()),
        ..acme.clone()
    };
    let unwanted = Tenant {
        master: Some(master.id),
        created_at: w.make.at(-99),
        ..changed.clone()
    };
    let updated = w
        .write(Scope::Platform, async |u| {
            u.tenants().update(&unwanted).await
        })
        .await;
    assert_eq!(updated.version, 2);
    let expected = Tenant {
        version: 2,
        ..changed
    };
    w.read(Scope::Platform, async |u| {
        assert_eq!(u.tenants().by_id(acme.id).await?, Some(expected.clone()));
        assert_eq!(u.tenants().by_name(&acme.name.key()).await?, None);
        let renamed = u.tenants().by_name(&expected.name.key()).await?;
        assert_eq!(renamed, Some(expected.clone()));
        assert_eq!(u.tenants().ancestors(acme.id).await?, vec![]);
        assert_eq!(u.tenants().descendants(master.id).await?, vec![]);
        Ok(())
    })
    .await;
}

pub(crate) async fn a_tenant_updates_itself(w: World) {
    let acme = w.tenant("acme").await;
    let changed = Tenant {
        display_name: DisplayName::new("Acme").unwrap(),
        ..acme.clone()
    };
    let updated = w
        .write(&acme, async |u| u.tenants().update(&changed).await)
        .await;
    let expected = Tenant {
        version: 2,
        ..changed
    };
    assert_eq!(updated, expected);
    let seen = w
        .read(&acme, async |u| u.tenants().by_id(acme.id).await)
        .await;
    assert_eq!(seen, Some(expected));
}

pub(crate) async fn an_update_cannot_take_another_tenants_name(w: World) {
    let (acme, _other) = (w.tenant("acme").await, w.tenant("other").await);
    let renamed = |name: &str| Tenant {
        name: TenantName::new(name).unwrap(),
        ..acme.clone()
    };
    let taken = renamed("OTHER");
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        let kind = w
            .refusal(scope, async |u| u.tenants().update(&taken).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists);
    }
    let own = renamed("ACME");
    let updated = w
        .write(Scope::Platform, async |u| u.tenants().update(&own).await)
        .await;
    assert_eq!(
        updated.name, own.name,
        "its own name in other letters is free"
    );
}

pub(crate) async fn a_stale_tenant_is_not_written(w: World) {
    let acme = w.tenant("acme").await;
    let changed = Tenant {
        display_name: DisplayName::new("first").unwrap(),
        ..acme.clone()
    };
    let lost = Tenant {
        display_name: DisplayName::new("second").unwrap(),
        ..acme.clone()
    };
    let current = w
        .write(Scope::Platform, async |u| {
            u.tenants().update(&changed).await
        })
        .await;
    let kind = w
        .refusal(Scope::Platform, async |u| u.tenants().update(&lost).await)
        .await;
    assert_eq!(kind, ErrorKind::Conflict);
    for version in [1, 3] {
        let kind = w
            .refusal(Scope::Platform, async |u| {
                u.tenants().delete(acme.id, version).await
            })
            .await;
        assert_eq!(kind, ErrorKind::Conflict, "version {version}");
    }
    let seen = w
        .read(Scope::Platform, async |u| u.tenants().by_id(acme.id).await)
        .await;
    assert_eq!(seen, Some(current), "nothing is lost");
}

pub(crate) async fn pages_of_tenants_make_up_the_whole_list(w: World) {
    let mut made = Vec::new();
    for number in 0..15 {
        made.push(w.tenant(&format!("tenant {number}")).await);
    }
    made.sort_by_key(|tenant| tenant.id);
    let list = paged(
        |tenant: &Tenant| tenant.id,
        async |page| {
            w.read(Scope::Platform, async |u| {
                u.tenants().list(None, page).await
            })
            .await
        },
    )
    .await;
    assert_eq!(list, made);
}

pub(crate) async fn a_page_stays_where_it_is_while_tenants_are_made(w: World) {
    let mut made = Vec::new();
    for number in 0..6 {
        made.push(w.make.tenant(&format!("tenant {number}")));
    }
    made.sort_by_key(|tenant| tenant.id);
    for tenant in [&made[1], &made[2], &made[4]] {
        w.stored(tenant.clone()).await;
    }
    let page = |page| {
        w.read(Scope::Platform, async move |u| {
            u.tenants().list(None, page).await
        })
    };
    assert_eq!(page(Page::first(2)).await, made[1..3]);
    for tenant in [&made[0], &made[3], &made[5]] {
        w.stored(tenant.clone()).await;
    }
    let next = page(Page::after(made[2].id, 9)).await;
    assert_eq!(
        next,
        made[3..],
        "what was made before the page is not on the next"
    );
}

pub(crate) async fn tenants_are_searched_by_the_key_of_both_names(w: World) {
    let tenant = |name, display_name| Tenant {
        display_name: DisplayName::new(display_name).unwrap(),
        ..w.make.tenant(name)
    };
    let acme = w.stored(tenant("acme", "Straßenbau")).await;
    let umbrella = w.stored(tenant("umbrella", "Ｕｍｂｒｅｌｌａ Corp")).await;
    let found = async |search: &str| {
        let search = NameKey::of(search);
        w.read(Scope::Platform, async |u| {
            u.tenants().list(Some(&search), Page::first(9)).await
        })
        .await
    };
    assert_eq!(found("CM").await, vec![acme.clone()]);
    assert_eq!(found("STRASSE").await, vec![acme.clone()]);
    assert_eq!(found("umbrella c").await, vec![umbrella]);
    assert_eq!(
        found("acmestr").await,
        vec![],
        "the names are searched one by one"
    );
    assert_eq!(found("").await.len(), 2, "every name contains nothing");
    assert_eq!(found("x").await, vec![]);
}

pub(crate) async fn ancestors_and_descendants_follow_four_levels(w: World) {
    let a = w.tenant("a").await;
    let b = w.sub_tenant("b", &a).await;
    let c = w.sub_tenant("c", &b).await;
    let d = w.sub_tenant("d", &c).await;
    let b2 = w.sub_tenant("b2", &a).await;
    let lone = w.tenant("lone").await;
    let sorted = |tenants: &[&Tenant]| {
        let mut ids: Vec<_> = tenants.iter().map(|tenant| tenant.id).collect();
        ids.sort();
        ids
    };
    let trees = [
        (&a, vec![], sorted(&[&b, &c, &d, &b2])),
        (&b, vec![&a], sorted(&[&c, &d])),
        (&c, vec![&b, &a], sorted(&[&d])),
        (&d, vec![&c, &b, &a], vec![]),
        (&b2, vec![&a], vec![]),
        (&lone, vec![], vec![]),
    ];
    for (tenant, ancestors, descendants) in trees {
        let ancestors: Vec<_> = ancestors.into_iter().cloned().collect();
        w.read(Scope::Platform, async |u| {
            assert_eq!(u.tenants().ancestors(tenant.id).await?, ancestors);
            assert_eq!(u.tenants().descendants(tenant.id).await?, descendants);
            Ok(())
        })
        .await;
        w.read(tenant, async |u| {
            assert_eq!(u.tenants().ancestors(tenant.id).await?, ancestors);
            assert_eq!(u.tenants().ancestors(lone.id).await?, vec![]);
            Ok(())
        })
        .await;
    }
    let seen = w
        .read(&a, async |u| u.tenants().ancestors(d.id).await)
        .await;
    assert_eq!(
        seen,
        vec![],
        "a master does not see its sub-tenants from within"
    );
    let seen = w.read(&d, async |u| u.tenants().by_id(c.id).await).await;
    assert_eq!(seen, None, "a master is an ancestor only");
}

pub(crate) async fn a_tenant_with_sub_tenants_is_not_deleted(w: World) {
    let master = w.tenant("master").await;
    let below = w.sub_tenant("below", &master).await;
    let delete = async |tenant: &Tenant| {
        w.attempt(Scope::Platform, Mode::Write, async |u| {
            u.tenants().delete(tenant.id, tenant.version).await
        })
        .await
    };
    let error = delete(&master).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    delete(&below).await.unwrap();
    delete(&master).await.unwrap();
    let left = w
        .read(Scope::Platform, async |u| {
            u.tenants().list(None, Page::first(9)).await
        })
        .await;
    assert_eq!(left, vec![]);
}

pub(crate) async fn tenant_settings_come_back_as_they_were_stored(w: World) {
    let acme = w.tenant("acme").await;
    let put = async |settings: &TenantSettings, version| {
        w.attempt(&acme, Mode::Write, async |u| {
            u.tenants().put_settings(acme.id, settings, version).await
        })
        .await
    };
    let stored = || async {
        let inside = w
            .read(&acme, async |u| u.tenants().settings(acme.id).await)
            .await;
        let outside = w
            .read(Scope::Platform, async |u| {
                u.tenants().settings(acme.id).await
            })
            .await;
        assert_eq!(inside, outside);
        inside
    };
    assert_eq!(stored().await, (TenantSettings::default(), 0));

    let mut settings = TenantSettings::default();
    settings.session.idle_minutes = Some(5);
    settings.session.limit = Some(10_000);
    settings.registration.enabled = Some(true);
    let first = put(&settings, 0).await.unwrap();
    assert!(first > 0);
    assert_eq!(stored().await, (settings.clone(), first));

    for stale in [0, first + 1] {
        let kind = put(&TenantSettings::default(), stale)
            .await
            .unwrap_err()
            .kind();
        assert_eq!(kind, ErrorKind::Conflict, "over version {stale}");
    }
    assert_eq!(stored().await, (settings, first));
    let second = put(&TenantSettings::default(), first).await.unwrap();
    assert!(second > first);
    assert_eq!(stored().await, (TenantSettings::default(), second));
}

pub(crate) async fn settings_that_were_never_stored_have_no_other_version(w: World) {
    let acme = w.tenant("acme").await;
    let kind = w
        .refusal(&acme, async |u| {
            u.tenants()
                .put_settings(acme.id, &TenantSettings::default(), 1)
                .await
        })
        .await;
    assert_eq!(kind, ErrorKind::Conflict);
}

pub(crate) async fn a_tenant_reads_its_masters_settings_and_changes_its_own_only(w: World) {
    let a = w.tenant("a").await;
    let b = w.sub_tenant("b", &a).await;
    let c = w.sub_tenant("c", &b).await;
    let sister = w.sub_tenant("sister", &b).await;
    for (limit, tenant) in (1..).zip([&a, &b, &c, &sister]) {
        let mut settings = TenantSettings::default();
        settings.session.limit = Some(limit);
        w.write(Scope::Platform, async |u| {
            u.tenants().put_settings(tenant.id, &settings, 0).await
        })
        .await;
    }
    let limit = async |from: &Tenant, of: &Tenant| {
        let (settings, _) = w
            .read(from, async |u| u.tenants().settings(of.id).await)
            .await;
        settings.session.limit
    };
    assert_eq!(limit(&c, &c).await, Some(3));
    assert_eq!(limit(&c, &b).await, Some(2));
    assert_eq!(limit(&c, &a).await, Some(1));
    assert_eq!(limit(&c, &sister).await, None, "a sister is no master");
    assert_eq!(limit(&a, &c).await, None, "nor is a sub-tenant");
    let kind = w
        .refusal(&c, async |u| {
            u.tenants()
                .put_settings(a.id, &TenantSettings::default(), 1)
                .await
        })
        .await;
    assert_eq!(
        kind,
        ErrorKind::NotFound,
        "a master's settings can only be read"
    );
}

pub(crate) async fn an_anchor_is_there_for_every_unit_that_reaches_it(w: World) {
    let acme = w.tenant("acme").await;
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        w.write(scope, async |u| {
            u.tenants().lock_row(acme.id).await?;
            u.tenants().lock_row(acme.id).await
        })
        .await;
    }
    let seen = w
        .read(&acme, async |u| u.tenants().by_id(acme.id).await)
        .await;
    assert_eq!(seen, Some(acme), "an anchor changes nothing");
}
