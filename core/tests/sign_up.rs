//! Making an account for oneself.

use gatelodge_core::{
    ErrorKind,
    engine::{Progress, StartFlow, Transport},
    model::{RegistrationSettings, Tenant, TenantSettings},
    provider::Intent,
};

use crate::support::{Browser, World, kind, refused, sign_in_at};

fn open() -> TenantSettings {
    TenantSettings {
        registration: RegistrationSettings {
            enabled: Some(true),
            ..Default::default()
        },
        ..Default::default()
    }
}

fn sign_up_at(tenant: &Tenant) -> StartFlow {
    StartFlow {
        intent: Intent::SignUp,
        ..sign_in_at(tenant)
    }
}

async fn open_tenant(world: &World) -> Tenant {
    let acme = world.tenant("acme").await;
    world.put_settings(&acme, open()).await;
    acme
}

async fn told(
    world: &World,
    browser: &mut Browser,
    values: &[(&str, &str)],
) -> Vec<(String, String)> {
    match browser.fill(world, "password", values).await.unwrap() {
        Progress::Invalid { errors, .. } => errors.into_iter().map(|e| (e.field, e.code)).collect(),
        other => panic!("{values:?} is not invalid: {other:?}"),
    }
}

/// S40: what is switched off is off.
#[tokio::test]
async fn s40_nobody_registers_where_registration_is_off() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let denied = Browser::start(&world, sign_up_at(&acme)).await;
    assert_eq!(kind(denied), ErrorKind::Denied);
    let start = StartFlow {
        intent: Intent::SignUp,
        ..StartFlow::sign_in(Transport::Cookie)
    };
    assert_eq!(
        kind(Browser::start(&world, start).await),
        ErrorKind::Invalid
    );
}

/// S40: also when it is switched off while somebody fills in the form.
#[tokio::test]
async fn s40_registration_that_was_switched_off_meanwhile_is_off() {
    let world = World::new().await;
    let acme = open_tenant(&world).await;
    let mut browser = Browser::start(&world, sign_up_at(&acme)).await.unwrap();
    world.put_settings(&acme, TenantSettings::default()).await;
    let values = [("user_name", "ada"), ("new_password", "ada's word")];
    let late = browser.fill(&world, "password", &values).await;
    assert_eq!(kind(late), ErrorKind::Denied);
    let users = world.platform.users();
    let operator = gatelodge_core::access::Caller::operator();
    let found = users.by_login(&operator, acme.id, "ada").await;
    assert_eq!(kind(found), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_new_account_is_signed_in_at_once() {
    let world = World::new().await;
    let acme = open_tenant(&world).await;
    let mut browser = Browser::start(&world, sign_up_at(&acme)).await.unwrap();
    let values = [
        ("user_name", " ada "),
        ("display_name", "Ada L."),
        ("email", "ada@example.com"),
        ("new_password", "ada's word"),
    ];
    browser.fill(&world, "password", &values).await.unwrap();
    let session = world.session(&browser).await;
    assert_eq!(session.user.user_name.as_str(), "ada");
    assert_eq!(session.user.display_name.as_str(), "Ada L.");
    assert!(!session.user.email_verified);
    assert!(session.grants.is_empty());
    assert_eq!(browser.amr(), ["pwd"]);
    world.signed_in(&acme, "ada", "ada's word").await;
    assert_eq!(world.count(&acme, "user.create").await, 1);
    assert_eq!(world.count(&acme, "session.start").await, 2);
}

#[tokio::test]
async fn a_taken_name_is_said_to_be_taken() {
    let world = World::new().await;
    let acme = open_tenant(&world).await;
    world.user(&acme, "Straße", "a good word").await;
    let mut browser = Browser::start(&world, sign_up_at(&acme)).await.unwrap();
    let values = [("user_name", "STRASSE"), ("new_password", "ada's word")];
    let taken = [("user_name".to_owned(), "taken".to_owned())];
    assert_eq!(told(&world, &mut browser, &values).await, taken);
    let values = [("user_name", "ada"), ("new_password", "ada's word")];
    browser.fill(&world, "password", &values).await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn fields_that_cannot_be_right_are_named() {
    let world = World::new().await;
    let acme = open_tenant(&world).await;
    let mut browser = Browser::start(&world, sign_up_at(&acme)).await.unwrap();
    for (values, field, code) in [
        (vec![("new_password", "ada's word")], "user_name", "missing"),
        (vec![("user_name", "ada")], "new_password", "missing"),
        (
            vec![("user_name", "a\u{7}da"), ("new_password", "ada's word")],
            "user_name",
            "invalid",
        ),
        (
            vec![
                ("user_name", "ada"),
                ("email", "ada@"),
                ("new_password", "ada's word"),
            ],
            "email",
            "invalid",
        ),
        (
            vec![("user_name", "ada"), ("new_password", "abc")],
            "new_password",
            "too_short",
        ),
        (
            vec![
                ("user_name", "ada"),
                ("new_password", "good word"),
                ("must_change", "x"),
            ],
            "must_change",
            "unknown",
        ),
    ] {
        let wrong = told(&world, &mut browser, &values).await;
        assert_eq!(wrong, [(field.to_owned(), code.to_owned())]);
    }
}

#[tokio::test]
async fn what_the_tenant_requires_is_not_left_blank() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut settings = open();
    settings.registration.email_required = Some(true);
    settings.registration.display_name_required = Some(true);
    world.put_settings(&acme, settings).await;
    let mut browser = Browser::start(&world, sign_up_at(&acme)).await.unwrap();
    for (display_name, email, missing) in [
        ("Ada", "", "email"),
        ("Ada", "   ", "email"),
        ("", "ada@example.com", "display_name"),
        (" \t", "ada@example.com", "display_name"),
    ] {
        let values = [
            ("user_name", "ada"),
            ("display_name", display_name),
            ("email", email),
            ("new_password", "ada's word"),
        ];
        let wrong = told(&world, &mut browser, &values).await;
        assert_eq!(wrong, [(missing.to_owned(), "missing".to_owned())]);
    }
}

#[tokio::test]
async fn a_locked_tenant_takes_nobody_in() {
    let world = World::new().await;
    let acme = open_tenant(&world).await;
    world.lock_tenant(&acme).await.unwrap();
    let mut browser = Browser::start(&world, sign_up_at(&acme)).await.unwrap();
    let values = [("user_name", "ada"), ("new_password", "ada's word")];
    let progress = browser.fill(&world, "password", &values).await.unwrap();
    assert!(refused(&progress));
    let users = world.platform.users();
    let operator = gatelodge_core::access::Caller::operator();
    let found = users.by_login(&operator, acme.id, "ada").await;
    assert_eq!(kind(found), ErrorKind::NotFound);
}

#[tokio::test]
async fn of_racing_sign_ups_with_one_name_exactly_one_succeeds() {
    let world = World::new().await;
    let acme = open_tenant(&world).await;
    let world = std::sync::Arc::new(world);
    let mut tasks = Vec::new();
    for racer in 0..8 {
        let mut browser = Browser::start(&world, sign_up_at(&acme)).await.unwrap();
        let world = world.clone();
        tasks.push(tokio::spawn(async move {
            let word = format!("word {racer}");
            let values = [("user_name", "ada"), ("new_password", word.as_str())];
            browser.fill(&world, "password", &values).await.unwrap();
            browser.token().is_some()
        }));
    }
    let mut made = 0;
    for task in tasks {
        made += u32::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
}
