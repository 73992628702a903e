//! What is meant to work: each way once, as a person takes it.

use axum::http::Method;
use serde_json::json;

use super::{House, connection, visitor::form_of};
use crate::support::on_each_storage;

on_each_storage!(
    who_comes_by_a_third_party_is_made_asked_or_known,
    who_has_an_account_links_it_and_unlinks_it,
    who_has_accounts_in_two_tenants_chooses_and_switches,
);

async fn who_comes_by_a_third_party_is_made_asked_or_known(world: &crate::support::World) {
    let house = House::usual(world).await;
    // Made, and known from then on: by a redirect and by a form.
    for id in ["plain", "posting"] {
        let subject = format!("alice-by-{id}");
        for again in [false, true] {
            let mut visitor = house.visitor();
            let page = visitor.come("/t/home", id, &subject).await;
            page.expect(200);
            let (tenant, _) = visitor.is_who().await.expect("she is signed in");
            assert_eq!((tenant.as_str(), again), ("home", again));
            assert!(
                visitor.browser.named("flow").is_empty(),
                "the flow is over: {:?}",
                visitor.browser.cookies
            );
        }
    }
    let people = house.people("home").await;
    let expected = ["plain", "posting"].map(|id| {
        let name = format!("alice-by-{id}@people.example");
        (name, vec![id.to_owned()])
    });
    assert_eq!(people, expected.into());

    // Asked, where the connection says so.
    let asks = json!({"new_accounts": "ask"});
    let house = House::on(world, vec![connection("plain", asks)], |_| {}).await;
    let mut visitor = house.visitor();
    let page = visitor.come("/t/home", "plain", "bob").await;
    assert!(visitor.session().await.is_none());
    let form = form_of(&page, "duty:new-account");
    visitor.send(&form, &[("user_name", "bob")]).await;
    let who = visitor.is_who().await;
    assert_eq!(who, Some(("home".to_owned(), "bob".to_owned())));

    // Linked by signing in to the account that is there.
    let ada = house.user_at("home", "ada", "ada@elsewhere.example").await;
    let mut visitor = house.visitor();
    let page = visitor.come("/t/home", "plain", "ada").await;
    let form = form_of(&page, "duty:new-account");
    let page = visitor.send(&form, &[("action", "link")]).await;
    assert!(house.links(&ada).await.is_empty(), "nothing is proven yet");
    visitor.enter(&page, "ada").await;
    let who = visitor.is_who().await;
    assert_eq!(who, Some(("home".to_owned(), "ada".to_owned())));
    assert_eq!(house.links(&ada).await.len(), 1);
    let mut visitor = house.visitor();
    visitor.come("/t/home", "plain", "ada").await;
    let who = visitor.is_who().await;
    assert_eq!(who, Some(("home".to_owned(), "ada".to_owned())));
}

async fn who_has_an_account_links_it_and_unlinks_it(world: &crate::support::World) {
    let both = ["plain", "posting"].map(|id| {
        let mode = if id == "posting" {
            "form_post"
        } else {
            "query"
        };
        connection(id, json!({"new_accounts": "refuse", "response_mode": mode}))
    });
    let house = House::on(world, both.into(), |_| {}).await;
    // An enrolled way in has to stay: the password was given, and is none of those.
    let ada = house.user_at("home", "ada", "ada@elsewhere.example").await;
    let mut visitor = house.visitor();
    visitor.sign_in(&ada).await;
    for id in ["plain", "posting"] {
        visitor.link(&ada, id, "ada").await.expect(200);
        assert!(visitor.session().await.is_some(), "{id}");
    }
    let links = house.links(&ada).await;
    let by: Vec<_> = links.iter().map(|link| link.connection.as_str()).collect();
    assert_eq!(by, ["plain", "posting"]);

    let call = visitor
        .browser
        .call(Method::GET, "/api/v1/account/identities");
    let listed = call.send().await.expect(200).json();
    assert_eq!(listed["items"][0]["connection"], "plain");
    assert_eq!(listed["items"][0]["name"], "ada@people.example");

    let path = format!("/t/home/account/factors/{}/remove", links[0].id);
    let page = visitor.open(&path).await;
    let form = form_of(&page, "password");
    let fields = [("password", crate::support::PASSWORD)];
    let page = visitor.send(&form, &fields).await;
    assert_eq!(house.links(&ada).await.len(), 2, "not unasked");
    let form = form_of(&page, "duty:remove-factor");
    visitor
        .send(&form, &[("action", "remove")])
        .await
        .expect(200);
    let links = house.links(&ada).await;
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].connection.as_str(), "posting");
    let mut stranger = house.visitor();
    stranger.come("/t/home", "plain", "ada").await;
    assert!(stranger.session().await.is_none(), "it is unlinked");
}

async fn who_has_accounts_in_two_tenants_chooses_and_switches(world: &crate::support::World) {
    let house = House::usual(world).await;
    for tenant in ["home", "away"] {
        let mut visitor = house.visitor();
        visitor.come(&format!("/t/{tenant}"), "plain", "ada").await;
        assert_eq!(visitor.is_who().await.unwrap().0, tenant);
    }
    // Where no tenant is named, she is asked for it once she is known.
    let mut visitor = house.visitor();
    let page = visitor.come("", "plain", "ada").await;
    assert!(visitor.session().await.is_none());
    let form = form_of(&page, "duty:choose-tenant");
    let field = page.text();
    assert!(field.contains("home") && field.contains("away"), "{field}");
    let page = visitor.send(&form, &[("tenant", "away")]).await;
    let who = visitor.is_who().await;
    assert_eq!(who.unwrap_or_else(|| panic!("{page}")).0, "away");

    // On from there without signing in again: by the API, and by the page.
    let listed = visitor
        .browser
        .call(Method::GET, "/api/v1/account/tenants")
        .send()
        .await;
    assert_eq!(listed.expect(200).json()["items"][0]["name"], "home");
    let body = json!({"transport": "cookie", "intent": "switch", "tenant": "home"});
    let mut by_api = visitor.clone();
    by_api
        .browser
        .post("/api/v1/sign-in/flows", &body)
        .await
        .expect(201);
    assert_eq!(by_api.is_who().await.unwrap().0, "home");
    let page = visitor.open("/t/away/account").await;
    let forms = super::visitor::forms(&page);
    let form = forms
        .iter()
        .find(|form| form.action.ends_with("/account/switch"));
    let form = form.unwrap_or_else(|| panic!("{page}"));
    let page = visitor.send(form, &[]).await;
    assert_eq!(page.path, "/t/home/account");
    assert_eq!(visitor.is_who().await.unwrap().0, "home");
}
