//! Registered applications: rules that hold whoever asks, and what a sign-in
//! makes of them.

use gatelodge_core::{
    Error, ErrorKind, Result,
    access::Caller,
    engine::{StartFlow, Transport},
    model::{
        Application, ApplicationName, Audience, Grant, ReturnAddress, Session, Tenant, WebOrigin,
    },
    service::{ApplicationPatch, ApplicationRef, NewApplication, TenantRef},
    storage::Page,
};

use crate::support::{Browser, World, kind};

const BACK: &str = "https://app.example.org/back";

fn new(name: &str, audience: &str) -> NewApplication {
    NewApplication {
        name: ApplicationName::new(name).unwrap(),
        audience: Audience::new(audience).unwrap(),
        origins: Vec::new(),
        return_to: vec![ReturnAddress::new(BACK).unwrap()],
    }
}

async fn register(w: &World, tenant: &Tenant, name: &str) -> Application {
    let applications = w.platform.applications();
    let operator = Caller::operator();
    applications
        .create(&operator, tenant.id, new(name, name))
        .await
        .unwrap()
}

#[tokio::test]
async fn only_administrators_of_the_tenant_manage_its_applications() {
    let w = World::new().await;
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    let shop = register(&w, &acme, "shop").await;
    let place = (acme.id, shop.id);
    w.user(&acme, "bob", "bob's own word").await;
    let bob = w.signed_in(&acme, "bob", "bob's own word").await;
    let bob = w.caller(&bob).await;
    let (_, chief) = w
        .administrator(&acme, "chief", Grant::TenantAdministrator)
        .await;
    let (_, stranger) = w
        .administrator(&other, "stranger", Grant::TenantAdministrator)
        .await;
    let (_, root) = w
        .administrator(&other, "root", Grant::PlatformAdministrator)
        .await;
    let applications = w.platform.applications();
    for (caller, expected) in [
        (&bob, Some(ErrorKind::Denied)),
        (&stranger, Some(ErrorKind::NotFound)),
        (&chief, None),
        (&root, None),
    ] {
        let patch = || ApplicationPatch {
            origins: Some(vec![WebOrigin::new("https://app.example.org").unwrap()]),
            ..ApplicationPatch::default()
        };
        let page = Page::first(9);
        let found = [
            applications.read(caller, acme.id, shop.id).await.err(),
            applications.by_name(caller, acme.id, "shop").await.err(),
            applications.list(caller, acme.id, page).await.err(),
            applications
                .update(caller, place, None, patch())
                .await
                .err(),
        ];
        let found = found.map(|error| error.as_ref().map(Error::kind));
        assert_eq!(found, [expected; 4]);
        let made = applications
            .create(caller, acme.id, new("desk", "desk"))
            .await;
        assert_eq!(made.as_ref().err().map(Error::kind), expected);
        if let Ok(made) = made {
            applications
                .delete(caller, acme.id, made.id, Some(made.version))
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn the_servers_own_name_is_no_audience() {
    let w = World::new().await;
    let acme = w.tenant("acme").await;
    let shop = register(&w, &acme, "shop").await;
    let applications = w.platform.applications();
    let operator = Caller::operator();
    let issuer = w.platform.issuer().to_owned();
    for own in [issuer.clone(), format!("{issuer}/")] {
        let created = applications
            .create(&operator, acme.id, new("own", &own))
            .await;
        assert_eq!(kind(created), ErrorKind::Invalid, "{own}");
        let patch = ApplicationPatch {
            audience: Some(Audience::new(&own).unwrap()),
            ..ApplicationPatch::default()
        };
        let updated = applications
            .update(&operator, (acme.id, shop.id), None, patch)
            .await;
        assert_eq!(kind(updated), ErrorKind::Invalid, "{own}");
    }
    let below = format!("{issuer}/api");
    applications
        .create(&operator, acme.id, new("below", &below))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_given_twice_is_kept_once() {
    let w = World::new().await;
    let acme = w.tenant("acme").await;
    let origin = WebOrigin::new("https://app.example.org").unwrap();
    let twice = NewApplication {
        origins: vec![origin.clone(); 30],
        return_to: vec![ReturnAddress::new(BACK).unwrap(); 30],
        ..new("shop", "shop")
    };
    let applications = w.platform.applications();
    let operator = Caller::operator();
    let made = applications
        .create(&operator, acme.id, twice)
        .await
        .unwrap();
    assert_eq!((made.origins.len(), made.return_to.len()), (1, 1));
    let many = (0..=Application::MOST).map(|number| format!("https://{number}.example.org"));
    let many: Vec<_> = many.map(|text| WebOrigin::new(&text).unwrap()).collect();
    let too_many = NewApplication {
        origins: many,
        ..new("desk", "desk")
    };
    let refused = applications.create(&operator, acme.id, too_many).await;
    assert_eq!(kind(refused), ErrorKind::Invalid);
}

#[tokio::test]
async fn an_application_ends_with_its_tenant() {
    let w = World::new().await;
    let acme = w.tenant("acme").await;
    let shop = register(&w, &acme, "shop").await;
    let named = ApplicationRef::parse("shop").unwrap();
    let applications = w.platform.applications();
    let found = applications.find(&named).await.unwrap();
    assert_eq!(found, Some(shop.clone()));
    let operator = Caller::operator();
    let tenants = w.platform.tenants();
    tenants
        .delete(&operator, acme.id, Default::default())
        .await
        .unwrap();
    assert_eq!(applications.find(&named).await.unwrap(), None);
    let read = applications.read(&operator, acme.id, shop.id).await;
    assert_eq!(kind(read), ErrorKind::NotFound);
    let made = applications
        .create(&operator, acme.id, new("shop", "shop"))
        .await;
    assert_eq!(kind(made), ErrorKind::NotFound, "nothing is made in it");
}

fn sign_in(tenant: Option<&Tenant>, application: &str, return_to: Option<&str>) -> StartFlow {
    StartFlow {
        tenant: tenant.map(|tenant| TenantRef::Id(tenant.id)),
        application: ApplicationRef::parse(application),
        return_to: return_to.map(str::to_owned),
        ..StartFlow::sign_in(Transport::Cookie)
    }
}

async fn session(w: &World, start: StartFlow) -> Result<Session> {
    let mut browser = Browser::start(w, start).await?;
    browser.word(w, "ada", "ada's word").await.unwrap();
    Ok(w.session(&browser).await.session.clone())
}

#[tokio::test]
async fn a_sign_in_for_an_application_is_in_its_tenant_and_is_noted() {
    let w = World::new().await;
    let (acme, other) = (w.tenant("acme").await, w.tenant("other").await);
    w.user(&acme, "ada", "ada's word").await;
    let shop = register(&w, &acme, "shop").await;
    for named in ["shop", shop.id.to_string().as_str()] {
        for tenant in [None, Some(&acme)] {
            let session = session(&w, sign_in(tenant, named, Some(BACK)))
                .await
                .unwrap();
            assert_eq!(session.tenant, acme.id);
            assert_eq!(session.application.as_deref(), Some("shop"));
        }
    }
    let plain = StartFlow {
        application: None,
        ..sign_in(Some(&acme), "shop", None)
    };
    assert_eq!(session(&w, plain).await.unwrap().application, None);
    // It serves nobody else.
    for start in [
        sign_in(Some(&other), "shop", None),
        sign_in(None, "nobodys", None),
        sign_in(Some(&acme), "nobodys", Some(BACK)),
    ] {
        let refused = Browser::start(&w, start).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert_eq!(refused.field(), Some("application"));
    }
}

/// S27: what is not registered is not gone to, whoever asks.
#[tokio::test]
async fn s27_a_flow_ends_at_a_registered_address_or_here() {
    let w = World::new().await;
    let acme = w.tenant("acme").await;
    register(&w, &acme, "shop").await;
    for (application, to) in [
        ("shop", "https://app.example.org/back/"),
        ("shop", "https://app.example.org/back?x"),
        ("shop", "https://evil.example/"),
        ("shop", "//app.example.org/back"),
        ("shop", ""),
    ] {
        let refused = Browser::start(&w, sign_in(None, application, Some(to))).await;
        let refused = refused.err().unwrap();
        assert_eq!(refused.field(), Some("return_to"), "{to}");
    }
    let unnamed = StartFlow {
        application: None,
        ..sign_in(Some(&acme), "shop", Some(BACK))
    };
    let refused = Browser::start(&w, unnamed).await.err().unwrap();
    assert_eq!(refused.field(), Some("return_to"));
    for to in [BACK, "/account"] {
        Browser::start(&w, sign_in(None, "shop", Some(to)))
            .await
            .unwrap();
    }
}
