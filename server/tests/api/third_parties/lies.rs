//! Every lie that can be told, told to connections of each kind: nobody gets in by it, no
//! account and no link comes of it, and the person is told the same as of any other.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use gatelodge_core::{provider::Intent, secret::Secret};
use gatelodge_provider_oidc::{Liar, Lie};
use serde_json::{Value, json};

use super::{House, Visitor, connection, preset, some_at_a_time, visitor::unescaped};
use crate::support::{Answer, World, on_each_storage};

on_each_storage!(
    s25_s26_s31_s32_no_lie_of_a_third_party_gets_anybody_in,
    s25_s26_s31_s32_no_lie_gets_anybody_in_by_a_form,
    s25_s26_s31_s32_no_lie_of_a_known_service_gets_anybody_in,
);

const TENANTS: [&str; 8] = [
    "home", "away", "north", "east", "south", "west", "up", "down",
];
/// Longer ones do not get to the router at all.
const LONG: usize = 60_000;

/// What became of a lie.
#[derive(Debug)]
struct Told {
    lie: Lie,
    id: String,
    /// Where it ended, without what differs by chance.
    end: String,
    is_signed_in: bool,
}

type Make = fn(&str) -> (String, Value);

fn rich(more: Value) -> Value {
    let mut keys = json!({
        "new_accounts": "create", "organisations": ["looking-glass.example"],
        "organisation_claim": "organisation", "audiences": ["trusted-client"],
    });
    for (key, value) in more.as_object().unwrap() {
        keys[key] = value.clone();
    }
    keys
}

fn by_redirect(id: &str) -> (String, Value) {
    connection(id, rich(json!({})))
}

fn by_form(id: &str) -> (String, Value) {
    connection(
        &format!("posting-{id}"),
        rich(json!({"response_mode": "form_post"})),
    )
}

async fn s25_s26_s31_s32_no_lie_of_a_third_party_gets_anybody_in(world: &World) {
    wall(world, by_redirect).await;
}

async fn s25_s26_s31_s32_no_lie_gets_anybody_in_by_a_form(world: &World) {
    wall(world, by_form).await;
}

/// Microsoft's and Google's own rules.
async fn s25_s26_s31_s32_no_lie_of_a_known_service_gets_anybody_in(world: &World) {
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let entra = json!({"new_accounts": "create", "organisations": [tenant]});
    let google = json!({"new_accounts": "create", "organisations": ["looking-glass.example"]});
    let own = [
        Lie::ForeignIssuer,
        Lie::TemplateIssuer,
        Lie::OtherTenantsIssuer,
        Lie::NoTenant,
        Lie::TenantWithoutShape,
        Lie::OldIssuer,
        Lie::NoObject,
        Lie::ForeignOrganisation,
        Lie::NoOrganisation,
        Lie::AlgorithmNone,
        Lie::ForeignNonce,
    ];
    // One client of the service for each lie, and an honest one, whose keys all have.
    let mut connections = Vec::new();
    for (service, name, keys) in [("entra", "microsoft", entra), ("google", "google", google)] {
        connections.push(preset(service, name, keys.clone()));
        for number in 0..own.len() {
            let id = format!("{service}-{number}");
            connections.push(preset(&id, name, keys.clone()));
        }
    }
    let house = House::on(world, connections, |_| {}).await;
    let mut lies = Vec::new();
    for service in ["entra", "google"] {
        honest(&house, service).await;
        let config = house.outside.config(service);
        for (number, lie) in own.into_iter().enumerate() {
            if lie.applies(&config) {
                lies.push((lie, format!("{service}-{number}")));
            }
        }
    }
    assert!(lies.len() > 14, "{lies:?}");
    let before = (house.people("home").await, house.sessions("home").await);
    let told = lies
        .into_iter()
        .map(|(lie, id)| tell(&house, lie, id, "home"));
    let told = some_at_a_time(8, told).await;
    let after = (house.people("home").await, house.sessions("home").await);
    assert_eq!(before, after, "nobody is made, linked or signed in");
    let reasons = reasons(&house).await;
    for one in &told {
        assert!(!one.is_signed_in, "{one:?}");
        assert!(reasons.contains_key(&one.id), "{one:?} has no reason");
    }
    // A key that is for personal accounts only: those that are kept are over by now.
    house.world.pass(std::time::Duration::from_secs(90_000));
    house.party("entra", |liar| {
        named(liar, "entra").telling(Lie::PersonalKeyForTenant)
    });
    let mut visitor = house.visitor();
    let page = visitor.come("/t/home", "entra", "mallory").await;
    assert!(visitor.session().await.is_none(), "{page}");
}

/// With a name for an account, so that one is made if somebody is believed.
fn named(liar: Liar, id: &str) -> Liar {
    liar.saying("preferred_username", format!("somebody-by-{id}").into())
}

/// Without a lie somebody gets in: what is refused is refused for the lie.
async fn honest(house: &House, id: &str) {
    house.party(id, |liar| named(liar, id));
    let mut visitor = house.visitor();
    let page = visitor.come("/t/home", id, "honest").await;
    assert!(visitor.session().await.is_some(), "{id}: {page}");
}

async fn wall(world: &World, make: Make) {
    let mut lies = Vec::new();
    let mut connections = vec![make("truth")];
    for (number, lie) in Lie::ALL.iter().enumerate() {
        let (id, mut table) = make(&format!("lie-{number}"));
        // A flow knows all that is offered in its tenant: not too many.
        let tenant = TENANTS[number % TENANTS.len()];
        table["tenants"] = json!([tenant]);
        connections.push((id.clone(), table));
        lies.push((*lie, id, tenant));
    }
    let truth = connections[0].0.clone();
    let house = House::on(world, connections, |_| {}).await;
    for tenant in &TENANTS[2..] {
        house.world.tenant(tenant).await;
    }
    lies.retain(|(lie, id, _)| lie.applies(&house.outside.config(id)));
    assert!(lies.len() > 90, "{}", lies.len());
    honest(&house, &truth).await;
    let before = everybody(&house).await;
    // Those that show only where somebody proves anew who they are need a session.
    let (anew, usual): (Vec<_>, Vec<_>) = lies
        .into_iter()
        .partition(|(lie, ..)| lie.intent() == Intent::Reprove);
    let told = usual
        .into_iter()
        .map(|(lie, id, tenant)| tell(&house, lie, id, tenant));
    let told = some_at_a_time(8, told).await;
    let after = everybody(&house).await;
    assert_eq!(before, after, "nobody is made, linked or signed in");
    for one in &told {
        assert!(!one.is_signed_in, "{one:?}");
    }
    same_for_all(&told);
    let reasons = reasons(&house).await;
    let is_read = |one: &&Told| has_flow(one.lie) && !one.end.starts_with("413");
    for one in told.iter().filter(is_read) {
        assert!(reasons.contains_key(&one.id), "{one:?} has no reason");
    }
    let anew = anew
        .into_iter()
        .map(|(lie, id, tenant)| prove_anew(&house, lie, id, tenant));
    some_at_a_time(1, anew).await;
}

/// Who is there, with what is linked to them and how many sessions.
async fn everybody(house: &House) -> Vec<(BTreeMap<String, Vec<String>>, usize)> {
    let mut all = Vec::new();
    for tenant in TENANTS {
        if house.has(tenant).await {
            all.push((house.people(tenant).await, house.sessions(tenant).await));
        }
    }
    all
}

/// Whether a lie is told where its flow is known: one with another `state` is not.
fn has_flow(lie: Lie) -> bool {
    let unknown = [Lie::ForeignState, Lie::NoState, Lie::EmptyState];
    !unknown.contains(&lie) && !is_before(lie) && !is_no_answer(lie)
}

/// Whether the third party gives no answer that says anything, when the code is redeemed.
fn is_no_answer(lie: Lie) -> bool {
    let none = [
        Lie::SlowTokens,
        Lie::HugeTokens,
        Lie::RedirectingTokens,
        Lie::NotBearer,
    ];
    none.contains(&lie)
}

/// Whether it shows before the browser leaves.
fn is_before(lie: Lie) -> bool {
    [
        Lie::OtherMetadataIssuer,
        Lie::MetadataIssuerWithSlash,
        Lie::MetadataTwice,
        Lie::TokenEndpointInClear,
        Lie::KeysInClear,
        Lie::AuthorizationInClear,
        Lie::HugeMetadata,
        Lie::HugeKeys,
        Lie::SlowMetadata,
        Lie::RedirectingMetadata,
        Lie::RedirectingKeys,
    ]
    .contains(&lie)
}

/// Somebody comes by a third party that lies.
async fn tell(house: &House, lie: Lie, id: String, tenant: &str) -> Told {
    house.party(&id, |liar| named(liar, &id).telling(lie));
    let mut visitor = house.visitor();
    let end = match leave(&mut visitor, &id, tenant).await {
        Err(answer) => {
            assert!(is_before(lie), "{lie:?}: {answer}");
            // Not a word of what is wrong.
            format!("not sent: {} {}", answer.status, answer.code())
        }
        Ok(url) => {
            let mut brought = house.outside.authorize(&id, &url, "mallory");
            let is_long = |code: &Secret| code.expose().len() > LONG;
            if brought.get("code").is_some_and(is_long) && !id.starts_with("posting") {
                brought.insert("code".to_owned(), Secret::new("7".repeat(LONG)));
            }
            let page = visitor.back(&id, &brought).await;
            plain(&page, &id)
        }
    };
    Told {
        is_signed_in: visitor.session().await.is_some(),
        lie,
        id,
        end,
    }
}

/// To the third party by the API: the page would have a button for each of them.
async fn leave(visitor: &mut Visitor<'_>, id: &str, tenant: &str) -> Result<url::Url, Answer> {
    let browser = &mut visitor.browser;
    let body = json!({"transport": "cookie", "tenant": tenant});
    let flow = browser.post("/api/v1/sign-in/flows", &body).await;
    let path = crate::support::flow_path(&flow.expect(201).json());
    let answer = browser.post(&path, &json!({"provider": id})).await;
    if answer.status != 200 {
        return Err(answer);
    }
    let step = answer.json()["step"].clone();
    Ok(step["url"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .parse()
        .unwrap())
}

/// A page without what differs by chance.
fn plain(page: &Answer, id: &str) -> String {
    let text = unescaped(&page.text());
    let notice = "That did not work. Try again, or sign in another way.";
    let barred = "That account may not sign in here.";
    let kind = match () {
        () if text.contains(notice) => "failed",
        () if text.contains(barred) => "barred",
        () => "",
    };
    assert!(!text.contains("mallory"), "{id}: {text}");
    format!("{} {kind}", page.status)
}

/// What a person is told tells nobody which lie it was.
fn same_for_all(told: &[Told]) {
    let ends = |of: &dyn Fn(Lie) -> bool| -> BTreeSet<&str> {
        let told = told.iter().filter(|one| of(one.lie));
        told.map(|one| one.end.as_str()).collect()
    };
    let is_barred = |lie| matches!(lie, Lie::ForeignOrganisation | Lie::NoOrganisation);
    let is_lost = |lie| matches!(lie, Lie::ForeignState | Lie::NoState | Lie::EmptyState);
    let is_large = |lie| lie == Lie::HugeCode;
    let usual = ends(&|lie| {
        let is_other = is_barred(lie) || is_lost(lie) || is_large(lie);
        !(is_other || is_before(lie) || is_no_answer(lie))
    });
    assert_eq!(usual, ["200 OK failed"].into(), "{told:#?}");
    assert_eq!(ends(&is_barred), ["200 OK barred"].into(), "{told:#?}");
    assert_eq!(ends(&is_lost).len(), 1, "{told:#?}");
    let none = ["503 Service Unavailable "].into();
    assert_eq!(ends(&is_no_answer), none, "{told:#?}");
    assert_eq!(ends(&is_before).len(), 1, "{told:#?}");
}

/// The reasons in the audit log, by connection.
async fn reasons(house: &House) -> BTreeMap<String, String> {
    let mut reasons = BTreeMap::new();
    for tenant in TENANTS {
        if !house.has(tenant).await {
            continue;
        }
        for event in house.events(tenant).await {
            let mut changes = event.changes.into_iter();
            let change = changes.find(|change| change.field == "provider");
            if let Some((id, reason)) = change.and_then(|change| change.new).zip(event.reason) {
                reasons.insert(id, reason);
            }
        }
    }
    reasons
}

async fn prove_anew(house: &House, lie: Lie, id: String, tenant: &str) {
    let id = id.as_str();
    house.party(id, |liar| liar);
    let mut visitor = house.visitor();
    let url = leave(&mut visitor, id, tenant).await.expect("it is honest");
    visitor.return_from(id, &url, id).await;
    assert!(visitor.session().await.is_some(), "{lie:?}");
    house.world.pass(std::time::Duration::from_secs(600));
    house.party(id, |liar| liar.telling(lie));
    let body = json!({"transport": "cookie", "intent": "reprove"});
    let flow = visitor.browser.post("/api/v1/sign-in/flows", &body).await;
    let path = crate::support::flow_path(&flow.expect(201).json());
    let go = json!({"provider": id});
    let sent = visitor.browser.post(&path, &go).await.expect(200).json();
    let url = sent["step"]["url"].as_str().unwrap().parse().unwrap();
    let page = visitor.return_from(id, &url, id).await;
    let flow = visitor.browser.call(Method::GET, &path).send().await;
    let flow = flow.expect(200).json();
    assert_eq!(flow["state"], "active", "{lie:?}: {flow} {page}");
    assert_eq!(house.refusals(tenant, id).await.len(), 1, "{lie:?}");
}
