//! Somebody comes whom nobody here is linked to.

use gatelodge_core::{
    ErrorKind,
    engine::{Notice, Progress, StartFlow},
    model::{RegistrationSettings, User},
    provider::{Intent, NewAccounts, Offering, Verified},
};

use super::{
    House, NEW, Person, buttons_of, come, creating, fields_of, form_of, house, house_where,
    house_with, press,
};
use crate::support::{Browser, fields, kind, refused, sign_in_at};

fn eve() -> Person {
    Person::new("eve-1").called("eve").named("Eve Adams")
}

fn invalid(progress: &Progress) -> Vec<(String, String)> {
    let Progress::Invalid { errors, .. } = progress else {
        panic!("an invalid answer: {progress:?}");
    };
    let errors = errors.iter();
    errors.map(|e| (e.field.clone(), e.code.clone())).collect()
}

fn error(field: &str, code: &str) -> Vec<(String, String)> {
    vec![(field.to_owned(), code.to_owned())]
}

async fn made(house: &House, browser: &Browser) -> User {
    house.world.session(browser).await.user.clone()
}

#[tokio::test]
async fn where_nobody_may_register_nobody_is_made() {
    let house = house().await;
    let (mut browser, _) = house.comes("code", eve()).await;
    assert_eq!(browser.asked_by(), [NEW]);
    assert!(fields_of(&browser).is_empty());
    assert_eq!(buttons_of(&browser), ["link", "back"]);
    let filled = browser.fill(&house.world, NEW, &[("user_name", "eve")]);
    assert_eq!(
        invalid(&filled.await.unwrap()),
        error("answer", "unexpected")
    );
    assert!(house.names().await.is_empty());
}

#[tokio::test]
async fn where_nothing_can_be_linked_either_they_are_refused() {
    let house = house_where(|rule| rule.linking = false).await;
    let (browser, progress) = house.comes("code", eve()).await;
    assert!(refused(&progress));
    assert_eq!(browser.view.notice, Some(Notice::NotLinked));
    assert!(
        browser.asked_by().contains(&"google".to_owned()),
        "all ways are open"
    );
    assert_eq!(
        house.world.refusals(Some(house.acme.id)).await,
        ["not_linked"]
    );
}

#[tokio::test]
async fn where_people_register_they_are_asked_and_decide() {
    let house = house().await;
    house.open_registration().await;
    for start in [
        sign_in_at(&house.acme),
        StartFlow {
            intent: Intent::SignUp,
            ..sign_in_at(&house.acme)
        },
    ] {
        house.abroad.says("code", Person::new("new").called("new"));
        let mut browser = Browser::start(&house.world, start).await.unwrap();
        come(&house.world, &mut browser, "google", "code").await;
        assert_eq!(browser.asked_by(), [NEW]);
    }
    assert!(house.names().await.is_empty(), "nothing is made unasked");

    let person = eve().address("eve@example.org", Verified::Mailbox);
    let (mut browser, _) = house.comes("code", person).await;
    let known = [
        ("user_name".to_owned(), Some("eve".to_owned())),
        ("display_name".to_owned(), Some("Eve Adams".to_owned())),
    ];
    assert_eq!(fields_of(&browser), known);
    let values = [("user_name", "eva"), ("display_name", "Eva")];
    browser.fill(&house.world, NEW, &values).await.unwrap();
    let user = made(&house, &browser).await;
    assert_eq!(user.user_name.as_str(), "eva");
    assert_eq!(user.display_name.as_str(), "Eva");
    assert_eq!(user.email.as_ref().unwrap().as_str(), "eve@example.org");
    assert!(user.email_verified);
    assert_eq!(house.links(&user).await.len(), 1);
    assert_eq!(house.world.count(&house.acme, "user.create").await, 1);
    assert_eq!(
        house.world.count(&house.acme, "user.link_identity").await,
        1
    );

    let (again, _) = house.comes("code", eve()).await;
    assert_eq!(made(&house, &again).await.id, user.id);
}

/// The connection's own rule comes before what the tenant says of registration.
#[tokio::test]
async fn a_connections_rule_comes_before_the_tenants() {
    let house = house_where(creating).await;
    let (browser, progress) = house.comes("code", eve()).await;
    assert!(matches!(progress, Progress::Complete(_)));
    assert_eq!(made(&house, &browser).await.user_name.as_str(), "eve");

    let house = house_where(|rule| rule.new_accounts = Some(NewAccounts::Refuse)).await;
    house.open_registration().await;
    let (browser, _) = house.comes("code", eve()).await;
    assert!(fields_of(&browser).is_empty());

    let house = house_where(|rule| rule.new_accounts = Some(NewAccounts::Ask)).await;
    let (browser, _) = house.comes("code", eve()).await;
    assert_eq!(fields_of(&browser).len(), 2);
    assert!(house.names().await.is_empty());
}

#[tokio::test]
async fn a_taken_name_is_asked_about() {
    let house = house_where(creating).await;
    house.user("eve").await;
    let (mut browser, progress) = house.comes("code", eve()).await;
    assert!(matches!(progress, Progress::Next { .. }));
    assert_eq!(fields_of(&browser)[0].1.as_deref(), Some("eve"));
    let fill = browser.fill(&house.world, NEW, &[("user_name", "EVE")]);
    assert_eq!(invalid(&fill.await.unwrap()), error("user_name", "taken"));
    let fill = browser.fill(&house.world, NEW, &[("user_name", "eve2")]);
    assert!(matches!(fill.await.unwrap(), Progress::Complete(_)));
    assert_eq!(house.names().await, ["eve", "eve2"]);
}

#[tokio::test]
async fn what_an_account_needs_and_nobody_said_is_asked_for() {
    let house = house_where(creating).await;
    house
        .register(RegistrationSettings {
            email_required: Some(true),
            display_name_required: Some(true),
            ..RegistrationSettings::default()
        })
        .await;
    let (mut browser, _) = house.comes("code", Person::new("1").called("eve")).await;
    let names: Vec<_> = fields_of(&browser)
        .into_iter()
        .map(|field| field.0)
        .collect();
    assert_eq!(names, ["user_name", "display_name", "email"]);
    for (values, wrong) in [
        (
            vec![("user_name", "eve"), ("email", "e@example.org")],
            ("display_name", "missing"),
        ),
        (
            vec![("user_name", "eve"), ("display_name", "Eve")],
            ("email", "missing"),
        ),
        (
            vec![
                ("user_name", "eve"),
                ("display_name", "Eve"),
                ("email", "no address"),
            ],
            ("email", "invalid"),
        ),
        (
            vec![
                ("user_name", "eve"),
                ("display_name", "Eve"),
                ("email", "e@example.org"),
                ("grant", "x"),
            ],
            ("grant", "unknown"),
        ),
    ] {
        let filled = browser.fill(&house.world, NEW, &values).await.unwrap();
        assert_eq!(invalid(&filled), error(wrong.0, wrong.1));
    }
    let values = [
        ("user_name", "eve"),
        ("display_name", "Eve"),
        ("email", "e@example.org"),
    ];
    browser.fill(&house.world, NEW, &values).await.unwrap();
    let user = made(&house, &browser).await;
    assert!(!user.email_verified, "what is typed is proven by nobody");

    // What is known is not asked for, and not to be replaced.
    let person = Person::new("2")
        .called("bob")
        .address("bob@example.org", Verified::Mailbox);
    let (mut browser, _) = house.comes("code", person).await;
    let values = [
        ("user_name", "bob"),
        ("display_name", "Bob"),
        ("email", "ceo@example.org"),
    ];
    let filled = browser.fill(&house.world, NEW, &values).await.unwrap();
    assert_eq!(invalid(&filled), error("email", "unknown"));
    browser.fill(&house.world, NEW, &values[..2]).await.unwrap();
    let user = made(&house, &browser).await;
    assert_eq!(user.email.unwrap().as_str(), "bob@example.org");
}

/// S22: an address is the new account's own only where its mailbox or its domain's
/// owner says so.
#[tokio::test]
async fn s22_only_a_proven_address_is_stored_as_verified() {
    for (verified, expected) in [
        (Verified::Claimed, false),
        (Verified::Provider, false),
        (Verified::Mailbox, true),
        (Verified::DomainOwner, true),
    ] {
        let house = house_where(creating).await;
        let person = eve().address("eve@example.org", verified);
        let (browser, _) = house.comes("code", person).await;
        let user = made(&house, &browser).await;
        assert_eq!(user.email.unwrap().as_str(), "eve@example.org");
        assert_eq!(user.email_verified, expected, "{verified:?}");
    }
    let house = house_where(|rule| {
        creating(rule);
        rule.authoritative_domains = vec!["example.org".to_owned()];
    })
    .await;
    let person = eve().address("eve@example.org", Verified::Provider);
    let (browser, _) = house.comes("code", person).await;
    assert!(made(&house, &browser).await.email_verified);
}

/// S22: what is another's name or verified address is nobody else's verified address.
#[tokio::test]
async fn s22_an_address_that_is_somebody_elses_is_stored_unverified() {
    for is_name in [true, false] {
        let house = house_where(|rule| {
            creating(rule);
            rule.linking = false;
        })
        .await;
        match is_name {
            true => house.user("ada@example.org").await,
            false => house.user_at("ada", "ada@example.org", true).await,
        };
        let person = eve().address("Ada@example.org", Verified::DomainOwner);
        let (browser, _) = house.comes("code", person).await;
        let user = made(&house, &browser).await;
        assert!(!user.email_verified);
        assert_eq!(user.user_name.as_str(), "eve");
    }
}

/// An address that becomes somebody's while the person still decides.
#[tokio::test]
async fn s22_an_address_that_became_somebody_elses_meanwhile_is_stored_unverified() {
    let house = house().await;
    house.open_registration().await;
    let person = eve().address("ada@example.org", Verified::Mailbox);
    let (mut browser, _) = house.comes("code", person).await;
    house.user_at("ada", "ada@example.org", true).await;
    browser
        .fill(&house.world, NEW, &[("user_name", "eve")])
        .await
        .unwrap();
    let user = made(&house, &browser).await;
    assert!(!user.email_verified);
}

/// A name that looks like an address is one's own proven one, or its first part.
#[tokio::test]
async fn nobody_is_named_like_an_address_that_is_not_proven_theirs() {
    let house = house().await;
    house.open_registration().await;
    for (name, address, expected) in [
        ("ceo@acme.example", None, "ceo"),
        ("ceo@acme.example", Some(Verified::Claimed), "ceo"),
        (
            "ceo@acme.example",
            Some(Verified::Provider),
            "ceo@acme.example",
        ),
        ("", Some(Verified::Mailbox), "ceo@acme.example"),
    ] {
        let mut person = Person::new("1").called(name);
        if let Some(verified) = address {
            person = person.address("ceo@acme.example", verified);
        }
        let (browser, _) = house.comes("code", person).await;
        let (field, value) = fields_of(&browser).remove(0);
        assert_eq!(
            (field.as_str(), value.as_deref()),
            ("user_name", Some(expected))
        );
    }
}

#[tokio::test]
async fn where_no_tenant_is_known_nobody_is_made() {
    let house = house_where(creating).await;
    house.abroad.says("code", eve());
    let mut browser = Browser::anywhere(&house.world).await;
    come(&house.world, &mut browser, "google", "code").await;
    assert!(fields_of(&browser).is_empty());
    assert_eq!(buttons_of(&browser), ["link", "back"]);
    assert!(house.names().await.is_empty());
}

#[tokio::test]
async fn where_registration_was_closed_meanwhile_nobody_is_made() {
    let house = house().await;
    house.open_registration().await;
    let (mut browser, _) = house.comes("code", eve()).await;
    house.register(RegistrationSettings::default()).await;
    let filled = browser
        .fill(&house.world, NEW, &[("user_name", "eve")])
        .await;
    assert_eq!(kind(filled), ErrorKind::Denied);
    assert!(house.names().await.is_empty());
}

#[tokio::test]
async fn whoever_goes_back_leaves_nothing_behind() {
    let house = house().await;
    house.user("ada").await;
    let (mut browser, _) = house.comes("code", eve()).await;
    browser
        .answer(&house.world, NEW, press("back"))
        .await
        .unwrap();
    assert!(browser.view.linking.is_none());
    browser
        .word(&house.world, "ada", "ada's own word")
        .await
        .unwrap();
    let ada = made(&house, &browser).await;
    assert!(house.links(&ada).await.is_empty());
}

/// S26: the question is for the browser that came, and its old proof is worth nothing.
#[tokio::test]
async fn s26_only_the_browser_that_came_decides() {
    let house = house().await;
    house.open_registration().await;
    house.abroad.says("code", eve());
    let mut browser = Browser::at_tenant(&house.world, &house.acme).await;
    let before = browser.clone();
    come(&house.world, &mut browser, "google", "code").await;
    for binding in [None, before.handle.binding] {
        let mut elsewhere = browser.clone();
        elsewhere.handle.binding = binding;
        let filled = elsewhere
            .fill(&house.world, NEW, &[("user_name", "eve")])
            .await;
        assert_eq!(kind(filled), ErrorKind::NotFound);
    }
    let filled = browser
        .fill(&house.world, "google", &[("user_name", "eve")])
        .await;
    assert_eq!(
        kind(filled),
        ErrorKind::NotFound,
        "another provider than asked"
    );
    browser
        .fill(&house.world, NEW, &[("user_name", "eve")])
        .await
        .unwrap();
    assert!(browser.token().is_some());
}

/// Two windows of one person: one account, whatever they type.
#[tokio::test]
async fn of_two_who_come_with_one_identity_at_once_one_is_made() {
    let house = house().await;
    house.open_registration().await;
    let (mut one, _) = house.comes("code", eve()).await;
    let (mut two, _) = house.comes("code", eve()).await;
    let (world, name) = (&house.world, |name| fields(&[("user_name", name)]));
    let (first, second) = tokio::join!(
        one.answer(world, NEW, name("eve")),
        two.answer(world, NEW, name("eva")),
    );
    let outcomes = [first, second];
    let complete = |p: &gatelodge_core::Result<Progress>| matches!(p, Ok(Progress::Complete(_)));
    let refusals = outcomes
        .iter()
        .filter(|p| matches!(p, Ok(Progress::Refused { .. })));
    assert_eq!(refusals.count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|p| complete(p)).count(), 1);
    assert_eq!(house.names().await.len(), 1);
    assert_eq!(world.count(&house.acme, "user.link_identity").await, 1);
}

#[tokio::test]
async fn who_is_asked_is_offered_only_ways_that_are_there() {
    let house = house_with(|plan| {
        let elsewhere = Offering {
            tenants: Some(vec![
                gatelodge_core::model::TenantName::new("other").unwrap(),
            ]),
            ..Offering::default()
        };
        plan.only_word = true;
        plan.offerings = [("password", elsewhere.clone()), ("twin", elsewhere)].into();
    })
    .await;
    let (browser, progress) = house.comes("code", eve()).await;
    assert!(
        refused(&progress),
        "there is nothing to sign in with, to link"
    );
    assert_eq!(browser.view.notice, Some(Notice::NotLinked));
}

/// A network that has tried too many names is asked, and can go on later.
#[tokio::test]
async fn who_is_not_made_at_once_can_go_on_later() {
    let mut rule = gatelodge_core::provider::Admission::default();
    creating(&mut rule);
    let house = house_with(|plan| {
        plan.offerings = super::offering(rule);
        plan.limits.network.free_tries = 1;
    })
    .await;
    house.user("ada").await;
    let mut wrong = Browser::at_tenant(&house.world, &house.acme).await;
    wrong.word(&house.world, "ada", "wrong word").await.unwrap();
    let (mut browser, progress) = house.comes("code", eve()).await;
    assert!(matches!(progress, Progress::Next { .. }));
    let values = [("user_name", "eve")];
    let early = browser.fill(&house.world, NEW, &values).await;
    assert_eq!(kind(early), ErrorKind::Limited);
    house.world.pass(crate::support::minutes(2));
    browser.fill(&house.world, NEW, &values).await.unwrap();
    assert!(browser.token().is_some());
}

#[tokio::test]
async fn a_second_factor_that_is_required_is_set_up_before_the_session() {
    let house = house_where(creating).await;
    let settings = gatelodge_core::model::TenantSettings {
        second_factor: gatelodge_core::model::SecondFactorSettings {
            everyone: Some(gatelodge_core::model::SecondFactorRule::Required),
            ..Default::default()
        },
        ..Default::default()
    };
    house.world.put_settings(&house.acme, settings).await;
    let (mut browser, _) = house.comes("code", eve()).await;
    assert!(browser.token().is_none());
    assert_eq!(browser.asked_by(), ["code"]);
    assert!(
        form_of(&browser)
            .fields
            .iter()
            .any(|field| field.name == "new_code")
    );
    browser
        .fill(&house.world, "code", &[("new_code", "123456")])
        .await
        .unwrap();
    assert!(house.world.knows(&browser).await);
}
