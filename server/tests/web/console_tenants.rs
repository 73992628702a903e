use axum::http::StatusCode;
use gatelodge_core::model::{Grant, Tenant};

use crate::{
    browser::Browser,
    world::{PASSWORD, World},
};

const LIST: &str = "/t/acme/console/tenants";

fn page(tenant: &Tenant) -> String {
    format!("{LIST}/{}", tenant.id)
}

#[tokio::test]
async fn a_tenant_is_made_renamed_and_found() {
    let (world, tenant) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let list = browser.get(LIST).await;
    let fields = [("name", "northwind"), ("display_name", "Northwind Traders")];
    let made = browser.submit_on(&list, LIST, &fields).await;
    made.assert_says("The organisation has been created.");
    made.assert_says("http://localhost:8080/t/northwind/sign-in");
    let path = made.path.split('?').next().unwrap().to_owned();

    let again = browser.submit(&list, LIST, &fields).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    again.assert_says("There is already an organisation with this name.");
    assert_eq!(
        again.value("display_name").as_deref(),
        Some("Northwind Traders")
    );

    let fields = [("name", "southwind"), ("display_name", "Southwind")];
    let renamed = browser.submit_on(&made, &path, &fields).await;
    renamed.assert_says("Saved.");
    let stale = browser.submit(&made, &path, &fields).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    let found = browser.get(&format!("{LIST}?q=SOUTH")).await;
    found.assert_says("Southwind");
    assert!(!found.links().contains(&page(&tenant)));
    assert_eq!(
        browser.get("/t/southwind/sign-in").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn settings_are_set_kept_and_taken_back() {
    let (world, tenant) = World::acme().await;
    let mut browser = world.signed_in("acme", "ada").await;
    let (path, settings) = (page(&tenant), format!("{}/settings", page(&tenant)));
    let shown = browser.get(&path).await;
    shown.assert_says("In force now: 30 minutes.");
    let fields = [
        ("registration", "on"),
        ("idle_minutes", "10"),
        ("absolute_minutes", ""),
    ];
    let saved = browser.submit_on(&shown, &settings, &fields).await;
    saved.assert_says("Saved.");
    assert_eq!(saved.value("idle_minutes").as_deref(), Some("10"));
    assert_eq!(
        world.browser().get("/t/acme/sign-up").await.status,
        StatusCode::OK
    );

    for wrong in ["0", "43201", "ten", "-1", "1.5"] {
        let fields = [("registration", "on"), ("idle_minutes", wrong)];
        let again = browser.submit(&saved, &settings, &fields).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert_eq!(again.value("idle_minutes").as_deref(), Some(wrong));
        again.assert_says("xpected");
    }
    let stale = browser.submit(&shown, &settings, &fields).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    let fields = [("registration", "inherit")];
    let back = browser.submit_on(&saved, &settings, &fields).await;
    back.assert_says("Saved.");
    assert_eq!(back.value("idle_minutes"), None);
    let closed = world.browser().get("/t/acme/sign-up").await;
    assert_eq!(closed.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_tenant_is_locked_and_unlocked_but_never_the_own_one() {
    let (world, own) = World::acme().await;
    let other = world.tenant("other").await;
    world.user(other.id, "eve", &[]).await;
    let mut eve = world.signed_in("other", "eve").await;
    let mut browser = world.signed_in("acme", "ada").await;
    let path = page(&other);
    let shown = browser.get(&path).await;
    let lock = format!("{path}/lock");
    let wrong = browser.submit(&shown, &lock, &[("duration", "2y")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [("duration", "unlimited"), ("keep_sessions", "true")];
    let locked = browser.submit_on(&shown, &lock, &fields).await;
    locked.assert_says("Until somebody unlocks it.");
    assert_eq!(eve.get("/t/other/account").await.status, StatusCode::OK);
    let refused = world.browser().sign_in("/t/other", "eve", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    browser
        .submit_on(&locked, &format!("{path}/unlock"), &[])
        .await;
    world.signed_in("other", "eve").await;

    let shown = browser.get(&page(&own)).await;
    assert!(!shown.has_form(&format!("{}/lock", page(&own))));
    let proof = shown.form("/t/acme/sign-out").hidden("csrf").to_owned();
    let fields = [("csrf", proof.as_str()), ("duration", "1h")];
    let refused = browser.post(&format!("{}/lock", page(&own)), &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
}

async fn delete(
    browser: &mut Browser,
    path: &str,
    fields: &[(&str, &str)],
) -> crate::browser::Answer {
    let ask = browser.get(path).await;
    browser.submit_on(&ask, path, fields).await
}

#[tokio::test]
async fn a_tenant_is_deleted_when_its_name_is_typed_and_its_sessions_may_end() {
    let (world, _) = World::acme().await;
    let other = world.tenant("other").await;
    world.user(other.id, "eve", &[]).await;
    let mut eve = world.signed_in("other", "eve").await;
    let mut browser = world.signed_in("acme", "ada").await;
    let path = format!("{}/delete", page(&other));
    browser
        .get(&path)
        .await
        .assert_says("1 open session ends at once.");
    let mistyped = delete(&mut browser, &path, &[("typed", "othr")]).await;
    assert_eq!(mistyped.status, StatusCode::UNPROCESSABLE_ENTITY);
    let open = delete(&mut browser, &path, &[("typed", "other")]).await;
    assert_eq!(open.status, StatusCode::CONFLICT);
    open.assert_says("open sessions");
    let fields = [("typed", "other"), ("force", "true")];
    let done = delete(&mut browser, &path, &fields).await;
    done.assert_says("The organisation has been deleted.");
    assert_eq!(
        eve.get("/t/other/account").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_tenants_own_administrator_sees_and_changes_only_what_is_theirs() {
    let (world, tenant) = World::acme().await;
    world.tenant("other").await;
    world
        .user(tenant.id, "carol", &[Grant::TenantAdministrator])
        .await;
    let mut browser = world.signed_in("acme", "carol").await;
    let list = browser.get(LIST).await;
    list.assert_says("acme");
    assert!(!list.says("other<") && !list.has_form(LIST));
    let shown = browser.get(&page(&tenant)).await;
    assert!(shown.has_form(&format!("{}/settings", page(&tenant))));
    assert!(!shown.has_form(&page(&tenant)) && !shown.body.contains("/delete"));
    let proof = shown.form("/t/acme/sign-out").hidden("csrf").to_owned();
    for (path, fields) in [
        (LIST.to_owned(), [("name", "mine"), ("display_name", "")]),
        (page(&tenant), [("name", "mine"), ("display_name", "mine")]),
        (
            format!("{}/lock", page(&tenant)),
            [("duration", "1h"), ("reason", "")],
        ),
        (
            format!("{}/delete", page(&tenant)),
            [("typed", "acme"), ("force", "true")],
        ),
    ] {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &proof));
        let refused = browser.post(&path, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
}
