//! Signing in by one factor: right, wrong, and what outsiders learn.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind,
    engine::{FlowState, Progress, StartFlow, StepBody, Transport},
    model::UserStatus,
    service::{TenantRef, UserPatch},
};

use crate::{
    providers::TwoSteps,
    support::{Browser, WRONG, World, kind, refused, sign_in_at, views_equal},
};

#[tokio::test]
async fn the_right_word_gives_a_session() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    assert_eq!(browser.view.tenant.as_deref(), Some("acme"));
    assert_eq!(browser.asked_by(), ["password"]);

    browser.word(&world, "Ada", "ada's word").await.unwrap();
    assert_eq!(browser.view.state, FlowState::Complete);
    assert!(browser.view.step.is_none());
    let session = world.session(&browser).await;
    assert_eq!((session.user.id, session.tenant.id), (ada.id, acme.id));
    assert_eq!(browser.amr(), ["pwd"]);
    assert_eq!(session.session.auth_time(), world.now());
    let actions = world.actions(&acme).await;
    assert_eq!(
        actions,
        [
            "session.prove",
            "session.start",
            "tenant.create",
            "user.create"
        ]
    );
}

#[tokio::test]
async fn a_wrong_word_can_be_answered_again() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let step = browser.step().to_owned();
    assert!(refused(&browser.word(&world, "ada", WRONG).await.unwrap()));
    assert_eq!(browser.step(), step);
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn the_same_name_in_two_tenants_is_two_accounts() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let at_acme = world.user(&acme, "ada", "acme's word").await;
    let at_other = world.user(&other, "ada", "other's word").await;
    for (tenant, word, user) in [
        (&acme, "acme's word", at_acme.id),
        (&other, "other's word", at_other.id),
    ] {
        let browser = world.signed_in(tenant, "ada", word).await;
        assert_eq!(world.session(&browser).await.user.id, user);
    }
    let mut crossed = Browser::at_tenant(&world, &acme).await;
    assert!(refused(
        &crossed.word(&world, "ada", "other's word").await.unwrap()
    ));

    let mut browser = Browser::anywhere(&world).await;
    let values = [
        ("tenant", "OTHER"),
        ("user_name", "ada"),
        ("password", "other's word"),
    ];
    browser.fill(&world, "password", &values).await.unwrap();
    assert_eq!(world.session(&browser).await.user.id, at_other.id);
}

#[tokio::test]
async fn a_name_that_is_unique_needs_no_tenant() {
    let world = World::new().await;
    let (acme, _) = (world.tenant("acme").await, world.tenant("other").await);
    let ada = world.user(&acme, "ada", "ada's word").await;
    let mut browser = Browser::anywhere(&world).await;
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(world.session(&browser).await.user.id, ada.id);
}

#[tokio::test]
async fn a_verified_address_signs_in_and_an_unverified_one_does_not() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let address = gatelodge_core::model::Email::new("ada@example.com").unwrap();
    world
        .alter_user((acme.id, ada.id), |user| user.email = Some(address))
        .await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let by_address = browser.word(&world, "Ada@Example.com", "ada's word").await;
    assert!(refused(&by_address.unwrap()));
    world
        .alter_user((acme.id, ada.id), |user| user.email_verified = true)
        .await;
    let by_address = browser.word(&world, "Ada@Example.com", "ada's word").await;
    assert!(matches!(by_address.unwrap(), Progress::Complete(_)));
}

/// Everybody whom a sign-in refuses, with the right word.
async fn refused_people(world: &World) -> Vec<(&'static str, &'static str, &'static str)> {
    let acme = world.tenant("acme").await;
    let closed = world.tenant("closed").await;
    for (name, tenant) in [
        ("ada", &acme),
        ("locked", &acme),
        ("off", &acme),
        ("shut in", &closed),
        ("twin", &acme),
        ("twin", &closed),
    ] {
        world.user(tenant, name, "the word").await;
    }
    world.user_with(&acme, "wordless", Default::default()).await;
    let users = world.platform.users();
    let operator = gatelodge_core::access::Caller::operator();
    let locked = users.by_login(&operator, acme.id, "locked").await.unwrap();
    world.lock_user((acme.id, locked.user.id)).await.unwrap();
    let off = users.by_login(&operator, acme.id, "off").await.unwrap();
    let patch = UserPatch {
        status: Some(UserStatus::Deactivated),
        ..UserPatch::default()
    };
    let place = (acme.id, off.user.id);
    users.update(&operator, place, None, patch).await.unwrap();
    world.lock_tenant(&closed).await.unwrap();
    vec![
        ("ada", WRONG, "wrong_word"),
        ("nobody", "the word", "no_word"),
        ("wordless", "the word", "no_word"),
        ("locked", "the word", "user_locked"),
        ("off", "the word", "user_deactivated"),
        ("shut in", "the word", "tenant_locked"),
        ("twin", "the word", "no_word"),
    ]
}

/// L9, S41: an outsider sees the same bytes whoever is refused and why.
#[tokio::test]
async fn s41_all_refusals_look_alike_and_only_the_audit_log_tells_why() {
    let world = World::new().await;
    let people = refused_people(&world).await;
    let mut browser = Browser::anywhere(&world).await;
    let before = serde_json::to_string(&browser.view).unwrap();
    for (name, word, _) in &people {
        let progress = browser.word(&world, name, word).await.unwrap();
        let Progress::Refused { view, hold_until } = progress else {
            panic!("`{name}` is not refused: {progress:?}");
        };
        assert_eq!(serde_json::to_string(&view).unwrap(), before, "{name}");
        assert_eq!(hold_until, None);
    }
    let asked = world.word.asked();
    assert_eq!(asked, people.len(), "the provider worked for each of them");

    let mut told = world.refusals(None).await;
    for tenant in ["acme", "closed"] {
        let found = world.found(tenant).await;
        told.extend(world.refusals(Some(found.id)).await);
    }
    told.sort_unstable();
    let mut reasons: Vec<_> = people.iter().map(|person| person.2).collect();
    reasons.sort_unstable();
    assert_eq!(told, reasons);
}

/// L9: the same in a tenant, named by the address or by the person.
#[tokio::test]
async fn s41_refusals_in_a_named_tenant_look_alike() {
    let world = World::new().await;
    let people = refused_people(&world).await;
    let acme = world.found("acme").await;
    let mut at_acme = Browser::at_tenant(&world, &acme).await;
    let before = serde_json::to_string(&at_acme.view).unwrap();
    for (name, word, _) in people.iter().filter(|person| person.0 != "twin") {
        let progress = at_acme.word(&world, name, word).await.unwrap();
        assert!(refused(&progress), "{name}");
        assert_eq!(
            serde_json::to_string(&at_acme.view).unwrap(),
            before,
            "{name}"
        );
    }
    let mut anywhere = Browser::anywhere(&world).await;
    let before = serde_json::to_string(&anywhere.view).unwrap();
    for (tenant, name) in [
        ("acme", "locked"),
        ("acme", "nobody"),
        ("closed", "shut in"),
        ("closed", "nobody"),
        ("no such tenant", "ada"),
        ("no such tenant", "nobody"),
    ] {
        let values = [
            ("tenant", tenant),
            ("user_name", name),
            ("password", "the word"),
        ];
        let progress = anywhere.fill(&world, "password", &values).await.unwrap();
        assert!(refused(&progress), "{name} at {tenant}");
        assert_eq!(serde_json::to_string(&anywhere.view).unwrap(), before);
    }
}

/// L9: a provider that asks for the name first tells nothing by its second step.
#[tokio::test]
async fn s41_a_second_step_looks_the_same_for_known_and_unknown_names() {
    let world = World::with(|plan| {
        plan.more = vec![("two", Arc::new(TwoSteps { notes: true }))];
    })
    .await;
    refused_people(&world).await;
    let acme = world.found("acme").await;
    for start in [StartFlow::sign_in(Transport::Cookie), sign_in_at(&acme)] {
        let mut views = Vec::new();
        for name in [
            "ada", "nobody", "wordless", "locked", "off", "shut in", "twin",
        ] {
            let mut browser = Browser::start(&world, start.clone()).await.unwrap();
            let next = browser.fill(&world, "two", &[("user_name", name)]).await;
            assert!(
                matches!(next, Ok(Progress::Next { .. })),
                "{name}: {next:?}"
            );
            let wrong = browser.fill(&world, "two", &[("word", WRONG)]).await;
            assert!(refused(&wrong.unwrap()), "{name}");
            views.push(browser.view);
        }
        for view in &views {
            assert!(views_equal(view, &views[0]), "{view:?} {:?}", views[0]);
        }
    }
}

#[tokio::test]
async fn a_person_is_locked_while_the_word_is_compared_and_stays_out() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let platform = world.platform.clone();
    let place = (acme.id, ada.id);
    world.word.meanwhile(Box::pin(async move {
        let operator = gatelodge_core::access::Caller::operator();
        let users = platform.users();
        users
            .lock(&operator, place, Default::default())
            .await
            .unwrap();
    }));
    let mut browser = Browser::at_tenant(&world, &acme).await;
    assert!(refused(
        &browser.word(&world, "ada", "ada's word").await.unwrap()
    ));
    assert_eq!(world.refusals(Some(acme.id)).await, ["user_locked"]);
}

/// S20: a word that is changed while it is compared signs nobody in.
#[tokio::test]
async fn s20_a_credential_that_changes_while_the_word_is_compared_stays_changed() {
    let world = Arc::new(World::new().await);
    let acme = world.tenant("acme").await;
    let ada = world.user(&acme, "ada", "ada's word").await;
    let (changed, place) = (world.clone(), (acme.id, ada.id));
    world.word.meanwhile(Box::pin(async move {
        let change = changed.alter_user(place, |user| user.credential_epoch += 1);
        change.await;
    }));
    let mut browser = Browser::at_tenant(&world, &acme).await;
    assert!(refused(
        &browser.word(&world, "ada", "ada's word").await.unwrap()
    ));
    assert_eq!(world.refusals(Some(acme.id)).await, ["credential_changed"]);
    browser.word(&world, "ada", "ada's word").await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn an_unknown_tenant_is_no_place_to_sign_in() {
    let world = World::new().await;
    let start = StartFlow {
        tenant: Some(TenantRef::parse("nowhere")),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    assert_eq!(
        kind(Browser::start(&world, start).await),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn answers_that_can_never_be_right_name_the_field() {
    let world = World::new().await;
    let mut browser = Browser::anywhere(&world).await;
    let long = "a".repeat(70_000);
    for (values, field, code) in [
        (vec![("user_name", "ada")], "password", "missing"),
        (
            vec![("user_name", ""), ("password", "word")],
            "user_name",
            "missing",
        ),
        (
            vec![
                ("user_name", "ada"),
                ("password", "word"),
                ("admin", "true"),
            ],
            "admin",
            "unknown",
        ),
        (
            vec![("user_name", "ada"), ("password", long.as_str())],
            "password",
            "too_long",
        ),
        (
            vec![("user_name", "ada"), ("password", "abc")],
            "password",
            "too_short",
        ),
    ] {
        let progress = browser.fill(&world, "password", &values).await.unwrap();
        let Progress::Invalid { errors, .. } = progress else {
            panic!("{field} is not invalid: {progress:?}");
        };
        let told: Vec<_> = errors
            .iter()
            .map(|e| (e.field.as_str(), e.code.as_str()))
            .collect();
        assert_eq!(told, [(field, code)]);
    }
    assert_eq!(world.word.asked(), 0);
}

#[tokio::test]
async fn only_what_is_offered_can_be_answered() {
    let world = World::new().await;
    let mut browser = Browser::anywhere(&world).await;
    let Some(StepBody::Choose { providers, .. }) = browser.view.step.clone().map(|s| s.body) else {
        panic!("a first step is a choice");
    };
    assert_eq!(providers.len(), 1);
    for provider in ["code", "made up", "duty:change-credential", ""] {
        let answer = browser.fill(&world, provider, &[("code", "1")]).await;
        assert_eq!(kind(answer), ErrorKind::NotFound, "{provider}");
    }
}
