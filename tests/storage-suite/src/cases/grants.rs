//! Grants and who holds them.

use gatelodge_core::{
    ErrorKind,
    model::{Grant, Tenant, User},
    storage::Scope,
};

use crate::world::World;

async fn set(w: &World, tenant: &Tenant, user: &User, grant: Grant, held: bool) -> bool {
    w.write(tenant, async |u| {
        u.users().set_grant(user.id, grant, held).await
    })
    .await
}

pub(crate) async fn a_grant_is_held_until_it_is_withdrawn(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let held = || async {
        w.read(&acme, async |u| u.users().grants(ada.id).await)
            .await
    };
    let [platform, tenant] = Grant::ALL;

    assert_eq!(held().await, vec![]);
    assert!(set(&w, &acme, &ada, tenant, true).await);
    assert_eq!(held().await, vec![tenant]);
    assert!(set(&w, &acme, &ada, platform, true).await);
    assert_eq!(held().await, vec![platform, tenant], "sorted");
    assert!(set(&w, &acme, &ada, tenant, false).await);
    assert_eq!(held().await, vec![platform]);
}

pub(crate) async fn granting_twice_and_withdrawing_what_is_absent_change_nothing(w: World) {
    let acme = w.tenant("acme").await;
    let ada = w.make.user("ada");
    w.write(&acme, async |u| u.users().create(&ada).await).await;
    let grant = Grant::TenantAdministrator;
    assert!(!set(&w, &acme, &ada, grant, false).await);
    assert!(set(&w, &acme, &ada, grant, true).await);
    assert!(!set(&w, &acme, &ada, grant, true).await);
    let held = w
        .read(&acme, async |u| u.users().grants(ada.id).await)
        .await;
    assert_eq!(held, vec![grant]);
    assert!(set(&w, &acme, &ada, grant, false).await);
    assert!(!set(&w, &acme, &ada, grant, false).await);
}

pub(crate) async fn an_unknown_user_is_granted_nothing(w: World) {
    let acme = w.tenant("acme").await;
    let ghost = w.make.user("ghost");
    let grant = Grant::TenantAdministrator;
    let kind = w
        .refusal(&acme, async |u| {
            u.users().set_grant(ghost.id, grant, true).await
        })
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(
        !set(&w, &acme, &ghost, grant, false).await,
        "withdrawing succeeds"
    );
}

pub(crate) async fn holders_are_named_by_tenant_and_user(w: World) {
    let (one, other) = (w.tenant("one").await, w.tenant("other").await);
    let users = ["ada", "bob", "cleo"].map(|name| w.make.user(name));
    let mut expected = Vec::new();
    for tenant in [&one, &other] {
        for user in &users {
            w.write(tenant, async |u| u.users().create(user).await)
                .await;
            set(&w, tenant, user, Grant::TenantAdministrator, true).await;
            expected.push((tenant.id, user.id));
        }
    }
    set(&w, &other, &users[0], Grant::PlatformAdministrator, true).await;
    expected.sort();
    let holders = async |scope, grant| {
        w.read(scope, async move |u| u.users().holders(grant).await)
            .await
    };
    let everybody = holders(Scope::Platform, Grant::TenantAdministrator).await;
    assert_eq!(everybody, expected);
    let own = holders(Scope::Tenant(one.id), Grant::TenantAdministrator).await;
    expected.retain(|(tenant, _)| *tenant == one.id);
    assert_eq!(own, expected);
    let platform = holders(Scope::Platform, Grant::PlatformAdministrator).await;
    assert_eq!(platform, vec![(other.id, users[0].id)]);
    assert_eq!(
        holders(Scope::Tenant(one.id), Grant::PlatformAdministrator).await,
        vec![]
    );
}

pub(crate) async fn at_most_a_thousand_holders_are_named(w: World) {
    let acme = w.tenant("acme").await;
    let mut expected = Vec::new();
    let grant = Grant::TenantAdministrator;
    w.write(&acme, async |u| {
        for number in 0..1_001 {
            let user = w.make.user(&format!("user {number}"));
            u.users().create(&user).await?;
            u.users().set_grant(user.id, grant, true).await?;
            expected.push((acme.id, user.id));
        }
        Ok(())
    })
    .await;
    expected.sort();
    expected.pop();
    for scope in [Scope::Platform, Scope::Tenant(acme.id)] {
        let holders = w
            .read(scope, async |u| u.users().holders(grant).await)
            .await;
        assert!(holders == expected, "the first thousand, sorted");
    }
}
