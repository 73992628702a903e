use axum::http::StatusCode;
use gatelodge_core::model::{Grant, Tenant, User};

use crate::{
    browser::{Answer, Browser},
    world::{PASSWORD, World},
};

const NEW: &str = "entirely different words here";

fn users(tenant: &Tenant) -> String {
    format!("/t/acme/console/tenants/{}/users", tenant.id)
}

fn page(tenant: &Tenant, user: &User) -> String {
    format!("{}/{}", users(tenant), user.id)
}

async fn change(browser: &mut Browser, page: &str, rest: &str, fields: &[(&str, &str)]) -> Answer {
    let shown = browser.get(page).await;
    browser
        .submit_on(&shown, &format!("{page}{rest}"), fields)
        .await
}

#[tokio::test]
async fn a_new_user_gets_a_first_password_once_and_has_to_change_it() {
    let (world, tenant) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let list = browser.open("/t/acme/console").await;
    assert_eq!(list.path, users(&tenant));
    let fields = [
        ("user_name", "grace"),
        ("display_name", "Grace Hopper"),
        ("email", "grace@acme.example"),
        ("first_password", "generate"),
    ];
    let created = browser.submit(&list, &users(&tenant), &fields).await;
    assert_eq!(created.status, StatusCode::OK);
    created.assert_says("Grace Hopper can sign in now");
    created.assert_says("http://localhost:8080/t/acme/sign-in");
    let password = created.inside("<output");
    assert_eq!(password.len(), 26);
    let list = browser.get(&users(&tenant)).await;
    list.assert_says("Grace Hopper");
    assert!(!list.says(&password));

    let mut grace = world.browser();
    let duty = grace.sign_in("/t/acme", "grace", &password).await;
    duty.assert_says("Your administrator asks for another password");
    assert!(grace.cookies_like("gl-session-").is_empty());
    let done = grace
        .submit_on(&duty, "/t/acme/sign-in", &[("new_password", NEW)])
        .await;
    assert_eq!(done.path, "/t/acme/account");
    done.assert_says("Hello, Grace Hopper");
    let again = world.browser().sign_in("/t/acme", "grace", &password).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_form_for_a_new_user_comes_back_with_what_was_wrong() {
    let (world, tenant) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let list = browser.get(&users(&tenant)).await;
    for (name, email, said) in [
        ("bob", "", "There is already a user with this name."),
        ("", "", "A user name has 1 to 254 characters"),
        ("grace", "grace@", "Expected one e-mail address"),
    ] {
        let fields = [
            ("user_name", name),
            ("email", email),
            ("first_password", "none"),
        ];
        let again = browser.submit(&list, &users(&tenant), &fields).await;
        assert!(again.status.is_client_error());
        again.assert_says(said);
        assert_eq!(again.value("user_name").unwrap_or_default(), name);
    }
}

#[tokio::test]
async fn names_are_changed_over_the_version_that_was_shown() {
    let (world, tenant) = World::acme().await;
    let bob = world.user(tenant.id, "carol", &[]).await;
    let path = page(&tenant, &bob);
    let mut browser = world.signed_in("acme", "ada").await;
    let shown = browser.get(&path).await;
    let fields = |name| {
        [
            ("user_name", "carol"),
            ("display_name", name),
            ("email", ""),
        ]
    };
    let saved = browser.submit_on(&shown, &path, &fields("Carol One")).await;
    saved.assert_says("Saved.");
    saved.assert_says("Carol One");
    // The page that was read before the change no longer counts.
    let stale = browser.submit(&shown, &path, &fields("Carol Two")).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    stale.assert_says("This was changed while you looked at it.");
    stale.assert_says("Carol One");
    assert!(!stale.says("Carol Two"));
}

#[tokio::test]
async fn a_lock_refuses_ends_sessions_and_can_be_lifted() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let mut own = world.signed_in("acme", "carol").await;
    let path = page(&tenant, &carol);
    let mut browser = world.signed_in("acme", "ada").await;
    let fields = [("reason", "badge lost"), ("duration", "1d")];
    let locked = change(&mut browser, &path, "/lock", &fields).await;
    locked.assert_says("Locked until tomorrow");
    locked.assert_says("badge lost");
    assert!(own.get("/t/acme/account").await.location().is_some());
    let refused = world.browser().sign_in("/t/acme", "carol", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let open = change(&mut browser, &path, "/unlock", &[]).await;
    open.assert_says("Unlocked.");
    world.signed_in("acme", "carol").await;
}

#[tokio::test]
async fn a_user_is_deactivated_and_activated_again() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let path = page(&tenant, &carol);
    let mut browser = world.signed_in("acme", "ada").await;
    let ask = browser.get(&format!("{path}/deactivate")).await;
    ask.assert_says("Deactivate carol?");
    let done = browser
        .submit_on(&ask, &format!("{path}/deactivate"), &[])
        .await;
    done.assert_says("Deactivated.");
    let refused = world.browser().sign_in("/t/acme", "carol", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let done = browser
        .submit_on(&done, &format!("{path}/activate"), &[])
        .await;
    done.assert_says("The account can be used again.");
    world.signed_in("acme", "carol").await;
}

#[tokio::test]
async fn a_user_is_deleted_when_the_name_is_typed() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let mut own = world.signed_in("acme", "carol").await;
    let path = page(&tenant, &carol);
    let mut browser = world.signed_in("acme", "ada").await;
    let delete = format!("{path}/delete");
    let ask = browser.get(&delete).await;
    ask.assert_says("1 open session ends at once.");
    let again = browser.submit(&ask, &delete, &[("typed", "karol")]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("This is not the name.");
    let done = browser
        .submit_on(&again, &delete, &[("typed", "carol")])
        .await;
    done.assert_says("The user has been deleted.");
    assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
    assert!(own.get("/t/acme/account").await.location().is_some());
}

#[tokio::test]
async fn grants_are_given_and_taken_by_ticks() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let path = page(&tenant, &carol);
    let mut browser = world.signed_in("acme", "ada").await;
    let mut own = world.signed_in("acme", "carol").await;
    assert_eq!(own.get(&users(&tenant)).await.status, StatusCode::FORBIDDEN);
    let given = [("tenant_administrator", "true")];
    change(&mut browser, &path, "/grants", &given).await;
    assert_eq!(own.get(&users(&tenant)).await.status, StatusCode::OK);
    change(&mut browser, &path, "/grants", &[]).await;
    assert_eq!(own.get(&users(&tenant)).await.status, StatusCode::FORBIDDEN);
}

/// S37: nobody gives what one does not hold, nor manages who holds more.
#[tokio::test]
async fn s37_a_tenant_administrator_reaches_nobody_above() {
    let (world, tenant) = World::acme().await;
    let carol = world
        .user(tenant.id, "carol", &[Grant::TenantAdministrator])
        .await;
    let eve = world.user(tenant.id, "eve", &[]).await;
    let chief = world.user(tenant.id, "chief", &Grant::ALL).await;
    let mut browser = world.signed_in("acme", "carol").await;
    let shown = browser.get(&page(&tenant, &eve)).await;
    assert!(!shown.body.contains("platform_administrator"));
    let grants = format!("{}/grants", page(&tenant, &eve));
    let fields = [("platform_administrator", "true")];
    let refused = browser.submit(&shown, &grants, &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // One's own account cannot be raised either.
    let own = page(&tenant, &carol);
    let shown = browser.get(&own).await;
    let refused = browser
        .submit(&shown, &format!("{own}/grants"), &fields)
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // The one above is seen and not touched.
    let path = page(&tenant, &chief);
    let above = browser.get(&path).await;
    let proof = above.form("/t/acme/sign-out").hidden("csrf").to_owned();
    assert_eq!(above.forms().len(), 1, "only the sign-out button");
    for rest in [
        "",
        "/lock",
        "/unlock",
        "/grants",
        "/delete",
        "/deactivate",
        "/sessions/end-all",
    ] {
        let fields = [
            ("csrf", proof.as_str()),
            ("typed", "chief"),
            ("user_name", "x"),
            ("display_name", "x"),
            ("tenant_administrator", "true"),
        ];
        let refused = browser.post(&format!("{path}{rest}"), &fields).await;
        let harmless = rest == "/grants" && refused.location().is_some();
        assert!(
            harmless || refused.status == StatusCode::FORBIDDEN,
            "{rest}: {}",
            refused.status
        );
    }
    world.signed_in("acme", "chief").await;
}

#[tokio::test]
async fn sessions_of_a_user_are_listed_and_ended() {
    let (world, tenant) = World::acme().await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let mut own = world.signed_in("acme", "carol").await;
    let path = page(&tenant, &carol);
    let mut browser = world.signed_in("acme", "ada").await;
    let done = change(&mut browser, &path, "/sessions/end", &[]).await;
    done.assert_says("The session has ended.");
    assert!(own.get("/t/acme/account").await.location().is_some());
    let mut two = [
        world.signed_in("acme", "carol").await,
        world.signed_in("acme", "carol").await,
    ];
    change(&mut browser, &path, "/sessions/end-all", &[]).await;
    for own in &mut two {
        assert!(own.get("/t/acme/account").await.location().is_some());
    }
}

#[tokio::test]
async fn the_list_is_searched_and_paged() {
    let (world, tenant) = World::acme().await;
    let operator = gatelodge_core::access::Caller::operator();
    for number in 0..60 {
        world.pass(std::time::Duration::from_millis(2));
        let new = gatelodge_core::service::NewUser {
            user_name: gatelodge_core::model::UserName::new(&format!("u{number:02}x")).unwrap(),
            display_name: None,
            email: None,
            credential: Default::default(),
        };
        world
            .platform
            .users()
            .create(&operator, tenant.id, new)
            .await
            .unwrap();
    }
    let mut browser = world.signed_in("acme", "ada").await;
    let list = users(&tenant);
    let first = browser.get(&format!("{list}?q=x")).await;
    first.assert_says("u49x");
    assert!(!first.says("u50x") && !first.says(">bob<"));
    let next = first
        .links()
        .into_iter()
        .find(|link| link.contains("cursor="))
        .unwrap();
    assert!(next.contains("q=x&cursor="), "{next}");
    let second = browser.get(&next).await;
    second.assert_says("u50x");
    second.assert_says("u59x");
    assert!(!second.says("u49x"));
    assert!(second.links().contains(&format!("{list}?q=x")));
    let forged = browser.get(&format!("{list}?cursor=AAAA")).await;
    assert_eq!(forged.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nobody_else_sees_the_console() {
    let (world, tenant) = World::acme().await;
    let other = world.tenant("other").await;
    let stranger = world
        .user(other.id, "eve", &[Grant::TenantAdministrator])
        .await;
    let carol = world.user(tenant.id, "carol", &[]).await;
    let mut bob = world.signed_in("acme", "bob").await;
    let mut eve = world.signed_in("other", "eve").await;
    assert_eq!(
        bob.get("/t/acme/console").await.status,
        StatusCode::FORBIDDEN
    );
    let account = bob.get("/t/acme/account").await;
    assert!(!account.body.contains("console"));
    for rest in ["", "/users", "/delete", &format!("/users/{}", carol.id)] {
        let path = format!("/t/acme/console/tenants/{}{rest}", tenant.id);
        assert_eq!(bob.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
        // S34, S35: another tenant is not there, whichever address is used.
        let path = format!("/t/other/console/tenants/{}{rest}", tenant.id);
        assert_eq!(eve.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for id in [carol.id.to_string(), "x".to_owned()] {
        let crossed = format!("/t/other/console/tenants/{}/users/{id}", other.id);
        assert_eq!(eve.get(&crossed).await.status, StatusCode::NOT_FOUND);
    }
    let own = format!(
        "/t/other/console/tenants/{}/users/{}",
        other.id, stranger.id
    );
    assert_eq!(eve.get(&own).await.status, StatusCode::OK);
}
