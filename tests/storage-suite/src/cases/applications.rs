//! Registered applications: what is unique where, origins, versions.

use gatelodge_core::{
    ErrorKind,
    model::{
        Application, ApplicationId, ApplicationName, Audience, ReturnAddress, Tenant, WebOrigin,
    },
    storage::{Page, Scope},
};

use crate::world::{World, paged};

async fn create(w: &World, tenant: &Tenant, application: &Application) {
    w.write(tenant, async |u| u.applications().create(application).await)
        .await;
}

async fn refused(w: &World, tenant: &Tenant, application: &Application) -> ErrorKind {
    w.refusal(tenant, async |u| u.applications().create(application).await)
        .await
}

async fn by_id(w: &World, tenant: &Tenant, id: ApplicationId) -> Option<Application> {
    w.read(tenant, async |u| u.applications().by_id(id).await)
        .await
}

fn origin(text: &str) -> WebOrigin {
    WebOrigin::new(text).unwrap()
}

/// An application with as much in it as there may be.
fn full(w: &World, tenant: &Tenant) -> Application {
    let numbers = 0..Application::MOST;
    Application {
        name: ApplicationName::new(&"Ω".repeat(50)).unwrap(),
        audience: Audience::new(&format!("https://api.example.org/{}", "a".repeat(176))).unwrap(),
        origins: numbers
            .clone()
            .map(|number| origin(&format!("http://localhost:{}", 3000 + number)))
            .collect(),
        return_to: numbers
            .map(|number| format!("https://app.example.org/{number}?x=%22'\\y").replace('\\', "-"))
            .map(|text| ReturnAddress::new(&text.replace('\'', "%27")).unwrap())
            .collect(),
        created_at: w.make.at(-7),
        version: 9,
        ..w.make.application(tenant, "full")
    }
}

pub(crate) async fn an_application_comes_back_as_it_was_made(w: World) {
    let acme = w.tenant("acme").await;
    let bare = Application {
        origins: Vec::new(),
        return_to: Vec::new(),
        ..w.make.application(&acme, "bare")
    };
    for application in [w.make.application(&acme, "shop"), full(&w, &acme), bare] {
        create(&w, &acme, &application).await;
        w.read(&acme, async |u| {
            let applications = u.applications();
            let found = applications.by_id(application.id).await?;
            assert_eq!(found, Some(application.clone()), "by its id");
            let found = applications.by_audience(&application.audience).await?;
            assert_eq!(found, Some(application.clone()), "by its audience");
            let found = applications.by_name(&application.name.key()).await?;
            assert_eq!(found, Some(application.clone()), "by its name");
            Ok(())
        })
        .await;
    }
}

pub(crate) async fn an_application_that_was_never_made_is_not_found(w: World) {
    let acme = w.tenant("acme").await;
    create(&w, &acme, &w.make.application(&acme, "shop")).await;
    let ghost = w.make.application(&acme, "ghost");
    for scope in [Scope::Tenant(acme.id), Scope::Platform] {
        w.read(scope, async |u| {
            assert_eq!(u.applications().by_id(ghost.id).await?, None);
            assert_eq!(u.applications().by_audience(&ghost.audience).await?, None);
            for text in [
                ghost.origins[0].as_str(),
                "",
                "\0",
                "https://shop.example\0.org",
                "%",
            ] {
                assert!(!u.applications().has_origin(text).await?, "{text:?}");
            }
            Ok(())
        })
        .await;
    }
    let found = w
        .read(&acme, async |u| {
            u.applications().by_name(&ghost.name.key()).await
        })
        .await;
    assert_eq!(found, None);
    let kind = w
        .refusal(&acme, async |u| u.applications().update(&ghost).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
    let kind = w
        .refusal(&acme, async |u| u.applications().delete(ghost.id, 1).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
}

pub(crate) async fn an_application_is_found_by_the_platform_too(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    for tenant in [&acme, &other] {
        let shop = w.make.application(tenant, "shop");
        create(&w, tenant, &shop).await;
        w.read(Scope::Platform, async |u| {
            let applications = u.applications();
            assert_eq!(applications.by_id(shop.id).await?, Some(shop.clone()));
            let found = applications.by_audience(&shop.audience).await?;
            assert_eq!(found, Some(shop.clone()));
            assert!(applications.has_origin(shop.origins[0].as_str()).await?);
            Ok(())
        })
        .await;
    }
}

pub(crate) async fn a_taken_application_name_is_refused(w: World) {
    let acme = w.tenant("acme").await;
    let shop = w.make.application(&acme, "Straße");
    create(&w, &acme, &shop).await;
    for name in ["Straße", "STRASSE", "ｓtrasse"] {
        let again = w.make.application(&acme, name);
        assert_eq!(
            refused(&w, &acme, &again).await,
            ErrorKind::AlreadyExists,
            "{name}"
        );
    }
    let found = w
        .read(&acme, async |u| {
            let name = ApplicationName::new("strasse").unwrap();
            u.applications().by_name(&name.key()).await
        })
        .await;
    assert_eq!(found, Some(shop));
}

pub(crate) async fn a_name_is_free_in_another_tenant(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    for tenant in [&acme, &other] {
        let shop = w.make.application(tenant, "shop");
        create(&w, tenant, &shop).await;
        let found = w
            .read(tenant, async |u| {
                u.applications().by_name(&shop.name.key()).await
            })
            .await;
        assert_eq!(found, Some(shop));
    }
}

pub(crate) async fn a_taken_audience_or_application_id_is_refused_in_every_tenant(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let shop = w.make.application(&acme, "shop");
    create(&w, &acme, &shop).await;
    for tenant in [&acme, &other] {
        let same_audience = Application {
            audience: shop.audience.clone(),
            ..w.make.application(tenant, "audience")
        };
        let kind = refused(&w, tenant, &same_audience).await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "the audience");
        let same_id = Application {
            id: shop.id,
            ..w.make.application(tenant, "id")
        };
        let kind = refused(&w, tenant, &same_id).await;
        assert_eq!(kind, ErrorKind::AlreadyExists, "the id");
    }
    assert_eq!(by_id(&w, &acme, shop.id).await, Some(shop));
}

pub(crate) async fn an_application_of_another_tenant_is_not_made(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let theirs = w.make.application(&other, "shop");
    assert_eq!(refused(&w, &acme, &theirs).await, ErrorKind::Invalid);
    assert_eq!(by_id(&w, &other, theirs.id).await, None);
}

pub(crate) async fn an_application_needs_its_tenant(w: World) {
    let nowhere = w.make.tenant("nowhere");
    let shop = w.make.application(&nowhere, "shop");
    assert_eq!(refused(&w, &nowhere, &shop).await, ErrorKind::NotFound);
}

pub(crate) async fn audiences_and_origins_are_compared_byte_by_byte(w: World) {
    let acme = w.tenant("acme").await;
    let named = |name: &str, audience: &str| Application {
        audience: Audience::new(audience).unwrap(),
        origins: vec![origin("https://app.example.org")],
        ..w.make.application(&acme, name)
    };
    let (lower, upper) = (named("lower", "orders"), named("upper", "Orders"));
    create(&w, &acme, &lower).await;
    create(&w, &acme, &upper).await;
    for scope in [Scope::Tenant(acme.id), Scope::Platform] {
        w.read(scope, async |u| {
            for application in [&lower, &upper] {
                let found = u.applications().by_audience(&application.audience).await?;
                assert_eq!(found.as_ref(), Some(application));
            }
            for (text, is_there) in [
                ("https://app.example.org", true),
                ("https://APP.example.org", false),
                ("https://app.example.org/", false),
                ("https://app.example.org ", false),
                ("http://app.example.org", false),
            ] {
                let found = u.applications().has_origin(text).await?;
                assert_eq!(found, is_there, "{text:?}");
            }
            Ok(())
        })
        .await;
    }
}

pub(crate) async fn pages_of_applications_make_up_the_whole_list(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let mut expected = Vec::new();
    for number in 0..9 {
        let application = w.make.application(&acme, &format!("app {number}"));
        create(&w, &acme, &application).await;
        let theirs = w.make.application(&other, &format!("app {number}"));
        create(&w, &other, &theirs).await;
        expected.push(application);
    }
    expected.sort_by_key(|application| application.id);
    let listed = paged(
        |application: &Application| application.id,
        async |page: Page<ApplicationId>| {
            w.read(&acme, async |u| u.applications().list(page).await)
                .await
        },
    )
    .await;
    assert_eq!(listed, expected);
}

pub(crate) async fn an_update_of_an_application_changes_everything_but_id_tenant_and_creation(
    w: World,
) {
    let acme = w.tenant("acme").await;
    let shop = w.make.application(&acme, "shop");
    create(&w, &acme, &shop).await;
    let other = full(&w, &acme);
    let changed = Application {
        name: other.name,
        audience: other.audience,
        origins: other.origins,
        return_to: other.return_to,
        created_at: w.make.at(77),
        ..shop.clone()
    };
    let expected = Application {
        created_at: shop.created_at,
        version: 2,
        ..changed.clone()
    };
    let answered = w
        .write(&acme, async |u| u.applications().update(&changed).await)
        .await;
    assert_eq!(answered, expected);
    assert_eq!(by_id(&w, &acme, shop.id).await, Some(expected.clone()));
    let again = w
        .write(&acme, async |u| u.applications().update(&expected).await)
        .await;
    assert_eq!(again.version, 3);
}

pub(crate) async fn an_update_cannot_take_another_applications_name_or_audience(w: World) {
    let acme = w.tenant("acme").await;
    let (shop, desk) = (
        w.make.application(&acme, "shop"),
        w.make.application(&acme, "desk"),
    );
    create(&w, &acme, &shop).await;
    create(&w, &acme, &desk).await;
    for changed in [
        Application {
            name: ApplicationName::new("SHOP").unwrap(),
            ..desk.clone()
        },
        Application {
            audience: shop.audience.clone(),
            ..desk.clone()
        },
    ] {
        let kind = w
            .refusal(&acme, async |u| u.applications().update(&changed).await)
            .await;
        assert_eq!(kind, ErrorKind::AlreadyExists);
    }
    assert_eq!(by_id(&w, &acme, desk.id).await, Some(desk));
}

pub(crate) async fn a_stale_application_is_neither_written_nor_removed(w: World) {
    let acme = w.tenant("acme").await;
    let shop = w.make.application(&acme, "shop");
    create(&w, &acme, &shop).await;
    let newer = w
        .write(&acme, async |u| u.applications().update(&shop).await)
        .await;
    for version in [1, 3, 0, -1] {
        let stale = Application {
            version,
            origins: Vec::new(),
            ..shop.clone()
        };
        let kind = w
            .refusal(&acme, async |u| u.applications().update(&stale).await)
            .await;
        assert_eq!(kind, ErrorKind::Conflict, "{version}");
        let kind = w
            .refusal(&acme, async |u| {
                u.applications().delete(shop.id, version).await
            })
            .await;
        assert_eq!(kind, ErrorKind::Conflict, "{version}");
    }
    assert_eq!(by_id(&w, &acme, shop.id).await, Some(newer));
}

pub(crate) async fn an_application_is_removed_once(w: World) {
    let acme = w.tenant("acme").await;
    let (shop, desk) = (
        w.make.application(&acme, "shop"),
        w.make.application(&acme, "desk"),
    );
    create(&w, &acme, &shop).await;
    create(&w, &acme, &desk).await;
    w.write(&acme, async |u| u.applications().delete(shop.id, 1).await)
        .await;
    let kind = w
        .refusal(&acme, async |u| u.applications().delete(shop.id, 1).await)
        .await;
    assert_eq!(kind, ErrorKind::NotFound);
    let left = w
        .read(&acme, async |u| u.applications().list(Page::first(9)).await)
        .await;
    assert_eq!(left, [desk]);
    // What was its own can be another's now.
    let again = Application {
        id: ApplicationId::generate(w.make.environment()),
        ..shop
    };
    create(&w, &acme, &again).await;
}

/// Which of the origins is there: for the tenant, for the other one, for the platform.
async fn places(w: &World, tenants: [&Tenant; 2], origin: &str) -> [bool; 3] {
    let scopes = [
        Scope::Tenant(tenants[0].id),
        Scope::Tenant(tenants[1].id),
        Scope::Platform,
    ];
    let mut found = [false; 3];
    for (found, scope) in found.iter_mut().zip(scopes) {
        *found = w
            .read(scope, async |u| u.applications().has_origin(origin).await)
            .await;
    }
    found
}

pub(crate) async fn origins_follow_the_application(w: World) {
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let tenants = [&acme, &other];
    let (one, two) = ("https://one.example.org", "https://two.example.org");
    let shop = Application {
        origins: vec![origin(one), origin(one)],
        ..w.make.application(&acme, "shop")
    };
    create(&w, &acme, &shop).await;
    assert_eq!(places(&w, tenants, one).await, [true, false, true]);
    let moved = Application {
        origins: vec![origin(two)],
        ..shop
    };
    let moved = w
        .write(&acme, async |u| u.applications().update(&moved).await)
        .await;
    assert_eq!(places(&w, tenants, one).await, [false; 3]);
    assert_eq!(places(&w, tenants, two).await, [true, false, true]);
    let theirs = Application {
        origins: vec![origin(two)],
        ..w.make.application(&other, "shop")
    };
    create(&w, &other, &theirs).await;
    assert_eq!(places(&w, tenants, two).await, [true; 3]);
    w.write(&acme, async |u| {
        u.applications().delete(moved.id, moved.version).await
    })
    .await;
    assert_eq!(places(&w, tenants, two).await, [false, true, true]);
    w.write(Scope::Platform, async |u| {
        u.tenants().delete(other.id, other.version).await
    })
    .await;
    assert_eq!(places(&w, tenants, two).await, [false; 3]);
}
