//! S27, S28: where a browser goes in the end, after it came back from a third party: to a
//! page of this server, or to an address of the application, exactly as it is registered.

use std::time::Duration;

use gatelodge_core::{access::Caller, model::ReturnAddress, service::ApplicationPatch};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{House, visitor::encoded};
use crate::{
    return_to::ELSEWHERE,
    support::{Answer, World, flow_path, on_each_storage},
};

on_each_storage!(
    s28_no_third_party_leads_elsewhere_in_the_end,
    s27_a_client_gets_its_browser_back_at_its_registered_address_alone,
    s27_the_code_for_a_client_counts_once_and_in_its_own_sign_in,
);

const BACK: &str = "https://app.example.org/back";

async fn s28_no_third_party_leads_elsewhere_in_the_end(world: &World) {
    let house = House::usual(world).await;
    // Those of all kinds; all of them are tried where nothing lies between.
    for (number, elsewhere) in ELSEWHERE.into_iter().step_by(5).enumerate() {
        let id = if number % 2 == 0 { "plain" } else { "posting" };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("return_to", elsewhere)
            .append_pair("again", "1");
        let mut visitor = house.visitor();
        let page = visitor
            .open(&format!("/t/home/sign-in?{}", query.finish()))
            .await;
        if page.status != 200 {
            assert!(page.status.is_client_error(), "{elsewhere:?}: {page}");
            continue;
        }
        let url = visitor.choose(&page, id).await;
        let mut brought = house.outside.authorize(id, &url, &format!("ada-by-{id}"));
        // Nor does what a callback says of it.
        brought.insert("return_to".to_owned(), elsewhere.into());
        let mut answer = visitor.arrive(id, &brought).await;
        while let Some(to) = answer.header("location") {
            let to = house.world.origin.parse::<Url>().unwrap().join(to).unwrap();
            assert_eq!(
                to.host_str(),
                Some("id.example.org"),
                "{elsewhere:?}: {answer}"
            );
            answer = visitor.get(&to[url::Position::BeforePath..]).await;
        }
        assert!(visitor.session().await.is_some(), "{elsewhere:?}: {answer}");
    }
    // What is a path of this server is kept all the way.
    for id in ["plain", "posting"] {
        let mut visitor = house.visitor();
        let path = "/t/home/sign-in?return_to=%2Ft%2Fhome%2Faccount%3Fx%3D1";
        let page = visitor.open(path).await;
        let url = visitor.choose(&page, id).await;
        let page = visitor.return_from(id, &url, &format!("ada-by-{id}")).await;
        assert_eq!(page.path, "/t/home/account?x=1", "{page}");
    }
}

/// A client that begins a sign-in and sends a browser to the third party.
struct Client {
    flow: Value,
    url: Url,
}

async fn begin(house: &House, return_to: &str) -> Answer {
    let body = json!({
        "transport": "token", "tenant": "home", "application": "shop", "return_to": return_to,
    });
    let call = house.world.post("/api/v1/sign-in/flows").json(&body);
    call.send().await
}

async fn client(house: &House, id: &str) -> Client {
    let flow = begin(house, BACK).await.expect(201).json();
    let sent = choose(house, &flow, id).await.expect(200).json();
    let url = sent["step"]["url"].as_str().unwrap().parse().unwrap();
    Client { flow, url }
}

async fn choose(house: &House, flow: &Value, id: &str) -> Answer {
    let body = json!({"provider": id});
    let call = house.world.post(flow_path(flow)).json(&body);
    call.send().await
}

async fn bring(house: &House, flow: &Value, id: &str, code: &str) -> Answer {
    let body = json!({"provider": id, "answer": {"code": code}});
    let call = house.world.post(flow_path(flow)).json(&body);
    call.send().await
}

/// The browser comes back: the code with which it is led on to the application.
async fn code_for(house: &House, id: &str, url: &Url, subject: &str) -> String {
    let mut browser = house.visitor();
    let brought = house.outside.authorize(id, url, subject);
    let answer = browser.arrive(id, &brought).await.expect(303);
    assert!(answer.header("set-cookie").is_none(), "{answer}");
    assert!(
        browser.session().await.is_none(),
        "the session is the client's"
    );
    let to: Url = answer.header("location").unwrap().parse().unwrap();
    assert_eq!(&to[..url::Position::AfterPath], BACK, "{answer}");
    let query: Vec<(String, String)> = to.query_pairs().into_owned().collect();
    assert_eq!(query.len(), 1, "{to}");
    assert_eq!(query[0].0, "code");
    for secret in ["code", "state"] {
        assert!(!to.as_str().contains(brought[secret].expose()), "{to}");
    }
    // The same callback leads nobody on a second time.
    let again = browser.arrive(id, &brought).await;
    assert_eq!(again.status, 404, "{again}");
    query[0].1.clone()
}

async fn s27_a_client_gets_its_browser_back_at_its_registered_address_alone(world: &World) {
    let house = House::usual(world).await;
    let home = house.tenant("home").await;
    let shop = house.world.application(home, "shop").await;
    for id in ["plain", "posting"] {
        let client = client(&house, id).await;
        let code = code_for(&house, id, &client.url, &format!("ada-by-{id}")).await;
        let done = bring(&house, &client.flow, id, &code).await.expect(200);
        let token = done.json()["session"]["token"].as_str().unwrap().to_owned();
        assert!(house.world.accepts(&token).await, "{id}");
    }
    // What only looks like it is no address of the application.
    for other in [
        "https://app.example.org/back/",
        "https://app.example.org/back?x=1",
        "https://app.example.org/back#x",
        "https://app.example.org/Back",
        "https://app.example.org/back/../back",
        "https://app.example.org/%62ack",
        "https://app.example.org//back",
        "https://app.example.org:443/back",
        "https://app.example.org.evil.example/back",
        "https://app.example.org@evil.example/back",
        "https://evil.example/https://app.example.org/back",
        "https://APP.example.org/back",
        "http://app.example.org/back",
        "https://app.example.org\\back",
        " https://app.example.org/back",
        "https://app.example.org/back\n",
        "https://app.example.org",
        "javascript:alert(1)//https://app.example.org/back",
    ] {
        let answer = begin(&house, other).await;
        let answer = answer.expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), ["return_to"], "{other:?}");
    }
    // Without one there is no way back, so that nobody is sent away.
    for more in [
        json!({}),
        json!({"return_to": "/account"}),
        json!({"application": "shop"}),
    ] {
        let mut body = json!({"transport": "token", "tenant": "home"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let call = house.world.post("/api/v1/sign-in/flows").json(&body);
        let flow = call.send().await.expect(201).json();
        let answer = choose(&house, &flow, "plain").await;
        let answer = answer.expect_problem(422, "validation_failed");
        assert_eq!(answer.fields(), ["return_to"], "{more}");
    }
    // One that is withdrawn meanwhile is none any more.
    let client = client(&house, "plain").await;
    let brought = house.outside.authorize("plain", &client.url, "ada");
    let patch = ApplicationPatch {
        return_to: Some(vec![
            ReturnAddress::new("https://app.example.org/other").unwrap(),
        ]),
        ..ApplicationPatch::default()
    };
    let applications = house.world.platform.applications();
    applications
        .update(&Caller::operator(), (home, shop.id), None, patch)
        .await
        .unwrap();
    let mut browser = house.visitor();
    let answer = browser.arrive("plain", &brought).await;
    assert_eq!(answer.status, 404, "{answer}");
}

async fn s27_the_code_for_a_client_counts_once_and_in_its_own_sign_in(world: &World) {
    let house = House::usual(world).await;
    let home = house.tenant("home").await;
    house.world.application(home, "shop").await;
    let (victim, attacker) = (client(&house, "plain").await, client(&house, "plain").await);
    let sessions = house.sessions("home").await;
    let code = code_for(&house, "plain", &victim.url, "victim").await;
    let attackers = code_for(&house, "plain", &attacker.url, "attacker").await;
    for (flow, code, why) in [
        (&attacker.flow, code.as_str(), "the code of another sign-in"),
        (&victim.flow, "", "none"),
        (&victim.flow, "x", "made up"),
        (&victim.flow, code.as_str(), "spent by the first of these"),
        (&victim.flow, attackers.as_str(), "the attacker's own"),
        (&attacker.flow, attackers.as_str(), "spent as well"),
    ] {
        let answer = bring(&house, flow, "plain", code).await;
        assert!(answer.status.is_client_error(), "{why}: {answer}");
    }
    assert_eq!(house.sessions("home").await, sessions);

    // It is over after a minute, and is no session token, handle or state.
    let late = client(&house, "plain").await;
    let code = code_for(&house, "plain", &late.url, "victim").await;
    let mut browser = house.visitor();
    let answer = browser.get(&format!("/callback/plain?handle={code}")).await;
    assert_eq!(answer.status, 404, "{answer}");
    assert!(!house.world.accepts(&code).await);
    house.world.pass(Duration::from_secs(60));
    let answer = bring(&house, &late.flow, "plain", &code).await;
    assert!(answer.status.is_client_error(), "{answer}");

    // A browser with a cookie of ours gets nothing by a client's callback either.
    let client = client(&house, "plain").await;
    let mut eve = house.visitor();
    eve.come("/t/home", "plain", "eve").await;
    let who = eve.is_who().await;
    let brought = house.outside.authorize("plain", &client.url, "victim");
    let answer = eve
        .get(&format!("/callback/plain?{}", encoded(&brought)))
        .await;
    assert_eq!(answer.status, 303, "{answer}");
    assert_eq!(eve.is_who().await, who);
}
