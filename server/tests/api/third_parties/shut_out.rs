//! S21: whoever is shut out here, or by the third party, does not get in by one, neither
//! anew nor with what was begun before.

use axum::http::Method;
use gatelodge_provider_oidc::Lie;
use serde_json::{Value, json};

use super::{House, Visitor, connection, preset};
use crate::support::{Person, World, on_each_storage};

on_each_storage!(
    s21_who_is_locked_or_deactivated_gets_in_by_no_third_party,
    s21_a_connection_that_is_switched_off_lets_nobody_in,
    s21_whom_the_third_party_bars_is_out_everywhere,
);

/// Ada, with a password, linked at `plain`; and an administrator of the platform.
async fn ada(house: &House) -> (Person, String) {
    let ada = house.user_at("home", "ada", "ada@elsewhere.example").await;
    let mut visitor = house.visitor();
    visitor.sign_in(&ada).await;
    visitor.link(&ada, "plain", "ada").await;
    assert_eq!(house.links(&ada).await.len(), 1);
    house.world.tenant("lodge").await;
    let root = house.world.person("lodge", "root").await;
    let grant = gatelodge_core::model::Grant::PlatformAdministrator;
    house.world.grant(&root, grant).await;
    (ada, house.world.session(&root).await)
}

async fn s21_who_is_locked_or_deactivated_gets_in_by_no_third_party(world: &World) {
    let off = json!({"active": false});
    let none = json!({});
    let events: [(&str, Method, bool, &str, Option<&Value>); 5] = [
        ("lock", Method::PUT, true, "/lock", Some(&none)),
        ("deactivate", Method::PATCH, true, "", Some(&off)),
        ("delete", Method::DELETE, true, "", None),
        ("tenant lock", Method::PUT, false, "/lock", Some(&none)),
        ("tenant delete", Method::DELETE, false, "?force=true", None),
    ];
    // One by one, and each on the heap: together they are too much for a stack.
    let one =
        async |(event, method, of_user, rest, body): (&str, Method, bool, &str, Option<&Value>)| {
            let refuses = json!({"new_accounts": "refuse"});
            let house = House::on(world, vec![connection("plain", refuses)], |_| {}).await;
            let (ada, root) = ada(&house).await;
            let mut inside = house.visitor();
            inside.come("/t/home", "plain", "ada").await;
            assert!(inside.session().await.is_some());
            // One that left before it happened, with a page that it opened before.
            let mut before = house.visitor();
            let url = before.leave("/t/home", "plain").await;
            let mut nowhere = house.visitor();
            let unnamed = nowhere.leave("", "plain").await;
            let path = match of_user {
                true => format!("{}{rest}", ada.path()),
                false => format!("/api/v1/tenants/home{rest}"),
            };
            let mut call = house.world.call(method, path).bearer(&root);
            if let Some(body) = body {
                call = call.json(body);
            }
            let done = call.send().await;
            assert!(done.status.is_success(), "{event}: {done}");
            assert!(inside.session().await.is_none(), "{event}: it ends");
            let page = before.return_from("plain", &url, "ada").await;
            assert!(before.session().await.is_none(), "{event}: {page}");
            let page = nowhere.return_from("plain", &unnamed, "ada").await;
            assert!(nowhere.session().await.is_none(), "{event}: {page}");
            let mut anew = house.visitor();
            let url = anew.leave("", "plain").await;
            let page = anew.return_from("plain", &url, "ada").await;
            assert!(anew.session().await.is_none(), "{event}: {page}");
            if event != "tenant delete" {
                assert_eq!(house.sessions("home").await, 0, "{event}");
            }
        };
    for event in events {
        Box::pin(one(event)).await;
    }
}

async fn s21_a_connection_that_is_switched_off_lets_nobody_in(world: &World) {
    let creates = json!({"new_accounts": "create"});
    let both = ["plain", "twin"].map(|id| connection(id, creates.clone()));
    let house = House::on(world, both.into(), |_| {}).await;
    let (ada, _) = ada(&house).await;
    let mut before = house.visitor();
    let url = before.leave("/t/home", "plain").await;
    let brought = house.outside.authorize("plain", &url, "ada");
    let mut unnamed = house.visitor();
    let to = unnamed.leave("", "plain").await;
    let without_tenant = house.outside.authorize("plain", &to, "ada");
    let mut asked = house.visitor();
    let page = asked.open("/t/home/sign-in?again=1").await;

    // It is gone from the configuration, or is for other tenants: the server starts anew.
    let gone = house.world.later_server(3, |plan| {
        plan.connections.retain(|(id, _)| id != "plain");
    });
    let elsewhere = house.world.later_server(5, |plan| {
        for (id, table) in &mut plan.connections {
            if id == "plain" {
                table["tenants"] = json!(["away"]);
            }
        }
    });
    for (server, why) in [(gone.await, "gone"), (elsewhere.await, "of others")] {
        let at = |visitor: &Visitor<'_>| {
            let mut moved = Visitor::new(&house, &server);
            moved.browser.cookies = visitor.browser.cookies.clone();
            moved
        };
        let people = house.people("home").await;
        for (visitor, brought) in [(&before, &brought), (&unnamed, &without_tenant)] {
            let mut visitor = at(visitor);
            let answer = visitor.arrive("plain", brought).await;
            let page = visitor.follow(answer).await;
            assert!(visitor.session().await.is_none(), "{why}: {page}");
        }
        let form = super::visitor::form_of(&page, "plain");
        let mut visitor = at(&asked);
        let answer = visitor.submit(&form, &[]).await;
        let sent = visitor.follow(answer).await;
        // A page that was open before may still lead there, and then nowhere.
        if let Some(url) = super::visitor::away(&sent) {
            let page = visitor.return_from("plain", &url, "ada").await;
            assert!(visitor.session().await.is_none(), "{why}: {page}");
        }
        let mut anew = Visitor::new(&house, &server);
        let page = anew.open("/t/home/sign-in").await;
        assert!(super::visitor::forms_of(&page, "plain").is_empty(), "{why}");
        assert!(!super::visitor::forms_of(&page, "twin").is_empty(), "{why}");
        // Nor is anybody linked by it, and nobody loses their own way in.
        anew.sign_in(&ada).await;
        let link = anew.open("/t/home/account/connections/plain/link").await;
        assert!(link.status.is_client_error(), "{why}: {link}");
        assert_eq!(people, house.people("home").await, "{why}");
    }
}

async fn s21_whom_the_third_party_bars_is_out_everywhere(world: &World) {
    let rule = json!({
        "new_accounts": "create", "organisations": ["acme.example"], "organisation_claim": "org",
    });
    let google = json!({"new_accounts": "create", "organisations": ["acme.example"]});
    let connections = vec![
        connection("plain", rule),
        preset("google", "google", google),
        connection(
            "domain",
            json!({"new_accounts": "create", "allowed_domains": ["acme.example"]}),
        ),
    ];
    let house = House::on(world, connections, |_| {}).await;
    for id in ["plain", "google", "domain"] {
        let fine = json!({"email": format!("ada-by-{id}@acme.example"), "hd": "acme.example"});
        house.says(id, &fine);
        let (mut one, mut other, mut left) = (house.visitor(), house.visitor(), house.visitor());
        for visitor in [&mut one, &mut other] {
            let page = visitor.come("/t/home", id, "ada").await;
            assert!(visitor.session().await.is_some(), "{id}: {page}");
        }
        let url = left.leave("/t/home", id).await;
        let people = house.people("home").await;
        match id {
            "domain" => house.says(id, &json!({"email": "ada@elsewhere.example"})),
            // It shows in what is said of them, in place of what was said before.
            _ => house.party(id, |liar| liar.telling(Lie::ForeignOrganisation)),
        }
        let page = left.return_from(id, &url, "ada").await;
        let text = page.text();
        assert!(
            text.contains("That account may not sign in here."),
            "{id}: {text}"
        );
        for visitor in [&one, &other, &left] {
            assert!(visitor.session().await.is_none(), "{id}");
        }
        // A stranger of elsewhere has no account made.
        let mut stranger = house.visitor();
        stranger.come("/t/home", id, "stranger").await;
        assert!(stranger.session().await.is_none(), "{id}");
        assert_eq!(people, house.people("home").await, "{id}");
        let barred = house.events("home").await.into_iter();
        let barred = barred.filter(|event| {
            let mut changes = event.changes.iter();
            event.action == "user.bar" && changes.any(|c| c.new.as_deref() == Some(id))
        });
        assert_eq!(barred.count(), 1, "{id}");
        // And who may come again comes again.
        house.says(id, &fine);
        let mut again = house.visitor();
        again.come("/t/home", id, "ada").await;
        assert!(again.session().await.is_some(), "{id}");
    }
}
