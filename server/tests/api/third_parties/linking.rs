//! S22, S24: an account is linked to an identity by its owner and by nothing else, least of
//! all by an address; and what is linked is the identity that it was proven for.

use std::time::Duration;

use gatelodge_core::access::Caller;
use serde_json::{Value, json};

use super::{
    House, Visitor, connection, preset,
    visitor::{form_of, forms_of, unescaped},
};
use crate::support::{Answer, Person, World, on_each_storage};

on_each_storage!(
    s22_no_address_links_an_account_however_far_it_is_proven,
    s22_an_account_made_beforehand_with_somebodys_address_is_never_theirs,
    s24_a_link_is_made_to_the_identity_that_was_proven,
    s24_an_identity_of_somebody_is_nobody_elses,
);

const NEW: &str = "duty:new-account";
const KNOWN: &str = "There is an account here with your address.";

/// What a third party says of an address, and how far that proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proven {
    Claimed,
    Checked,
    Owned,
}

/// A connection, what its third party says beside the address, and what that is worth.
fn sayings() -> Vec<(&'static str, Value, Proven)> {
    use Proven::{Checked, Claimed, Owned};
    vec![
        ("plain", json!({"email_verified": true}), Checked),
        ("plain", json!({"email_verified": false}), Claimed),
        ("plain", json!({"email_verified": null}), Claimed),
        ("plain", json!({"email_verified": "true"}), Claimed),
        ("plain", json!({"email_verified": 1}), Claimed),
        ("plain", json!({"email_verified": "yes"}), Claimed),
        ("speaking", json!({"email_verified": true}), Owned),
        ("speaking", json!({"email_verified": false}), Claimed),
        ("google", json!({"email_verified": true}), Checked),
        (
            "google",
            json!({"email_verified": true, "hd": "example.com"}),
            Owned,
        ),
        (
            "google",
            json!({"email_verified": false, "hd": "example.com"}),
            Claimed,
        ),
        ("entra", json!({"email_verified": true}), Claimed),
        (
            "entra",
            json!({"email_verified": null, "xms_edov": true}),
            Owned,
        ),
        (
            "entra",
            json!({"email_verified": true, "xms_edov": false}),
            Claimed,
        ),
    ]
}

async fn of_everybody(world: &World, new_accounts: &str) -> House {
    let rule = json!({"new_accounts": new_accounts});
    let speaks = json!({
        "new_accounts": new_accounts, "authoritative_domains": ["example.com"],
    });
    let connections = vec![
        connection("plain", rule.clone()),
        connection("speaking", speaks),
        preset("google", "google", rule.clone()),
        preset("entra", "microsoft", rule),
    ];
    House::on(world, connections, |_| {}).await
}

/// What there is of a user that nobody else may change.
async fn kept(house: &House, person: &Person) -> (Value, usize) {
    let users = house.world.platform.users();
    let read = users
        .read(&Caller::operator(), person.tenant, person.id)
        .await;
    let user = serde_json::to_value(read.unwrap().user).unwrap();
    (user, house.links(person).await.len())
}

async fn s22_no_address_links_an_account_however_far_it_is_proven(world: &World) {
    for policy in ["create", "ask", "refuse"] {
        let house = of_everybody(world, policy).await;
        let verified = house.world.invited("vera").await;
        let unverified = house.world.person_with_password("home", "una").await;
        // What is made at once is what could go wrong most.
        let step = if policy == "create" { 1 } else { 4 };
        let all = sayings().into_iter().step_by(step);
        for (number, (id, mut said, proven)) in all.enumerate() {
            for (local, is_verified) in [(&verified, true), (&unverified, false)] {
                let why = format!("{policy}, {id}, {said}, verified: {is_verified}");
                said["email"] = local.mailbox().into();
                house.says(id, &said);
                let before = kept(&house, local).await;
                let mut visitor = house.visitor();
                let subject = format!("{policy}-{number}-{is_verified}");
                let page = visitor.come("/t/home", id, &subject).await;
                let who = visitor.is_who().await;
                assert!(who.is_none_or(|(_, name)| name != local.name), "{why}");
                let text = unescaped(&page.text());
                let is_known = text.contains(KNOWN);
                // Only who proved the address to be theirs, of an account that had proven it,
                // learns that there is one.
                let may_know = is_verified && proven > Proven::Claimed;
                assert_eq!(is_known, may_know, "{why}: {text}");
                assert!(house.links(local).await.is_empty(), "{why}");
                assert_eq!(before, kept(&house, local).await, "{why}");
            }
        }
        // And both still get in by what is theirs.
        for local in [&verified, &unverified] {
            house.visitor().sign_in(local).await;
        }
    }
}

/// Whoever registered the victim's address before the victim came has an account of their
/// own, and the victim another.
async fn s22_an_account_made_beforehand_with_somebodys_address_is_never_theirs(world: &World) {
    let house = of_everybody(world, "create").await;
    for (id, said) in [
        ("plain", json!({"email_verified": true})),
        ("speaking", json!({"email_verified": true})),
        (
            "google",
            json!({"email_verified": true, "hd": "example.com"}),
        ),
        ("entra", json!({"email_verified": null, "xms_edov": true})),
    ] {
        let victim = format!("victim-of-{id}@example.com");
        let attacker = house
            .user_at("home", &format!("attacker-{id}"), &victim)
            .await;
        let mut own = house.visitor();
        own.sign_in(&attacker).await;
        let mut said = said;
        said["email"] = victim.into();
        said["preferred_username"] = format!("victim-by-{id}").into();
        house.says(id, &said);
        let mut visitor = house.visitor();
        let page = visitor.come("/t/home", id, "victim").await;
        let who = visitor.is_who().await;
        let who = who.unwrap_or_else(|| panic!("{page}"));
        assert_eq!(who.1, format!("victim-by-{id}"), "an account of their own");
        // Nobody can reach the one by the other.
        assert!(house.links(&attacker).await.is_empty(), "{id}");
        let page = visitor.open("/t/home/account").await;
        assert!(!page.text().contains("attacker"), "{id}: {page}");
        assert_eq!(own.is_who().await.unwrap().1, attacker.name, "{id}");
        let mut again = house.visitor();
        again.sign_in(&attacker).await;
        assert_eq!(again.is_who().await.unwrap().1, attacker.name, "{id}");
    }
    let people = house.people("home").await;
    assert_eq!(people.len(), 8, "{people:?}");
    let mut people = people.iter();
    assert!(people.all(|(name, by)| by.is_empty() == name.starts_with("attacker")));
}

/// Opens the way by which somebody new links an account that is there.
async fn to_link(visitor: &mut Visitor<'_>, subject: &str) -> Answer {
    let page = visitor.come("/t/home", "plain", subject).await;
    let form = form_of(&page, NEW);
    visitor.send(&form, &[("action", "link")]).await
}

async fn s24_a_link_is_made_to_the_identity_that_was_proven(world: &World) {
    let asks = json!({"new_accounts": "ask"});
    let both = ["plain", "twin"].map(|id| connection(id, asks.clone()));
    let house = House::on(world, both.into(), |_| {}).await;
    let ada = house.user_at("home", "ada", "ada@elsewhere.example").await;
    let eve = house.user_at("home", "eve", "eve@elsewhere.example").await;

    // What is said of them upstream changes between the page and the link.
    let mut visitor = house.visitor();
    let page = to_link(&mut visitor, "ada-1").await;
    let other = json!({"email": "other@people.example", "sub": "somebody-else"});
    house.says("plain", &other);
    house.world.pass(Duration::from_secs(60));
    visitor.enter(&page, "ada").await;
    assert_eq!(visitor.is_who().await.unwrap().1, "ada");
    let links = house.links(&ada).await;
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].name, "ada-1@people.example", "as it was proven");
    house.party("plain", |liar| liar);

    // Another identity comes in the same sign-in, by another third party; the same one is
    // not to be had again.
    let mut visitor = house.visitor();
    let page = to_link(&mut visitor, "first").await;
    let form = form_of(&page, "twin");
    let mut same = form.clone();
    for (name, value) in &mut same.hidden {
        if name == "provider" {
            *value = "plain".to_owned();
        }
    }
    let answer = visitor.clone().submit(&same, &[]).await;
    assert!(answer.status.is_client_error(), "{answer}");
    let url = visitor.choose(&page, "twin").await;
    let other = visitor.return_from("twin", &url, "second").await;
    assert!(visitor.session().await.is_none(), "{other}");
    if let Some(form) = forms_of(&other, "password").first() {
        let fields = [("user_name", "eve"), ("password", crate::support::PASSWORD)];
        visitor.send(form, &fields).await;
    }
    let links = house.links(&eve).await;
    let names: Vec<_> = links.iter().map(|link| link.name.as_str()).collect();
    assert!(!names.contains(&"second@people.example"), "{names:?}");

    // The address of the account changes before its owner signs in: nothing hangs on it.
    let mut visitor = house.visitor();
    let page = to_link(&mut visitor, "late").await;
    let before = house.links(&eve).await.len();
    visitor.enter(&page, "nobody").await;
    assert!(visitor.session().await.is_none());
    assert_eq!(house.links(&eve).await.len(), before);
    // After ten minutes the proof of the identity is over, too.
    house.world.pass(Duration::from_secs(600));
    let form = form_of(&page, "password");
    let fields = [("user_name", "eve"), ("password", crate::support::PASSWORD)];
    visitor.send(&form, &fields).await;
    assert_eq!(house.links(&eve).await.len(), before, "it came too late");
}

async fn s24_an_identity_of_somebody_is_nobody_elses(world: &World) {
    let refuses = json!({"new_accounts": "refuse"});
    let house = House::on(world, vec![connection("plain", refuses)], |_| {}).await;
    let ada = house.user_at("home", "ada", "ada@elsewhere.example").await;
    let eve = house.user_at("home", "eve", "eve@elsewhere.example").await;
    let mut adas = house.visitor();
    adas.sign_in(&ada).await;
    adas.link(&ada, "plain", "one").await;
    assert_eq!(house.links(&ada).await.len(), 1);

    let mut eves = house.visitor();
    eves.sign_in(&eve).await;
    let page = eves.link(&eve, "plain", "one").await;
    let text = unescaped(&page.text());
    assert!(text.contains("linked to somebody else here"), "{text}");
    assert!(!text.contains("ada"), "nor whose it is: {text}");
    assert!(house.links(&eve).await.is_empty());
    assert_eq!(eves.is_who().await.unwrap().1, "eve");
    assert_eq!(house.links(&ada).await.len(), 1);

    // Two link the same one at the same moment: one has it.
    let (mut one, mut other) = (adas, eves);
    let to_one = one.leave_to_link(&ada, "plain").await;
    let to_other = other.leave_to_link(&eve, "plain").await;
    let ends = tokio::join!(
        one.return_from("plain", &to_one, "two"),
        other.return_from("plain", &to_other, "two")
    );
    let links = (house.links(&ada).await.len(), house.links(&eve).await.len());
    assert!(
        links == (2, 0) || links == (1, 1),
        "{links:?}: {} {}",
        ends.0,
        ends.1
    );
}
