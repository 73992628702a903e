//! Linking an identity to an account that is there, which has to be proven itself.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind, Result,
    engine::{Notice, Progress, StartFlow, Transport},
    model::{SecondFactorRule, SecondFactorSettings, TenantSettings},
    provider::{Intent, NewAccounts, Proof, Subject, Turn, Verified},
};

use super::{
    House, NEW, Person, buttons_of, come, fields_of, form_of, house, house_where, house_with,
    leave, link, linked_in, press,
};
use crate::{
    providers::{Liar, Link},
    races::{ALIGNMENTS, aligned},
    support::{Browser, Post, kind, provider, refused, sign_in_at},
};

fn ada() -> Person {
    Person::new("ada-1").named("Ada at the third party")
}

/// A newcomer who has chosen to sign in to an account that is there.
async fn linking(house: &House, code: &str, person: Person) -> Browser {
    let (mut browser, _) = house.comes(code, person).await;
    browser
        .answer(&house.world, NEW, press("link"))
        .await
        .unwrap();
    browser
}

/// S22: a local address counts only if it is verified, the third party's only if that
/// says so, and even then it only suggests. Nothing is joined.
#[tokio::test]
async fn s22_an_address_at_most_suggests_an_account() {
    let policies = [
        None,
        Some(NewAccounts::Create),
        Some(NewAccounts::Ask),
        Some(NewAccounts::Refuse),
    ];
    let degrees = [
        Verified::Claimed,
        Verified::Provider,
        Verified::Mailbox,
        Verified::DomainOwner,
    ];
    for policy in policies {
        for verified in degrees {
            for is_local_verified in [true, false] {
                let house = house_where(|rule| rule.new_accounts = policy).await;
                let ada = house
                    .user_at("ada", "ada@example.org", is_local_verified)
                    .await;
                let eve = Person::new("eve-1").called("eve");
                let eve = eve.address("ADA@example.org", verified);
                let (browser, progress) = house.comes("code", eve).await;
                let what = format!("{policy:?} {verified:?} {is_local_verified}");
                assert!(house.links(&ada).await.is_empty(), "{what}");
                let may_suggest = verified >= Verified::Provider && is_local_verified;
                let creates = policy == Some(NewAccounts::Create) && !may_suggest;
                assert_eq!(browser.token().is_some(), creates, "{what}");
                if creates {
                    let made = house.world.session(&browser).await.user.clone();
                    assert_ne!(made.id, ada.id, "{what}");
                    continue;
                }
                assert!(matches!(progress, Progress::Next { .. }), "{what}");
                let message = form_of(&browser).message.unwrap();
                let suggests = message.contains("an account here with your address");
                assert_eq!(suggests, may_suggest, "{what}");
                let may_make = policy.is_some_and(|policy| policy != NewAccounts::Refuse);
                assert_eq!(!fields_of(&browser).is_empty(), may_make, "{what}");
            }
        }
    }
}

/// nOAuth: who is here cannot be told from an answer to an address that anybody can claim.
#[tokio::test]
async fn s22_a_claimed_address_tells_nothing() {
    let house = house().await;
    house.user_at("ada", "ada@example.org", true).await;
    let claims = |address| Person::new("eve").address(address, Verified::Claimed);
    let (known, _) = house.comes("one", claims("ada@example.org")).await;
    let (unknown, _) = house.comes("two", claims("eva@example.org")).await;
    let (known, unknown) = (form_of(&known), form_of(&unknown));
    assert_eq!(known.message, unknown.message);
    assert_eq!(known.actions, unknown.actions);
    assert_eq!(known.fields, unknown.fields);
}

/// S24: the account is proven with all that it asks for, in this flow, and linked to
/// the very identity that came.
#[tokio::test]
async fn s24_an_identity_is_linked_once_the_account_is_proven() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let user = house.user("ada").await;
    world
        .enrol_code(acme, "ada", "ada's own word", "123456")
        .await;
    let mut browser = linking(&house, "code", ada()).await;
    let linking = browser.view.linking.clone().unwrap();
    assert_eq!(linking.name, "Ada at the third party");
    let ways = browser.asked_by();
    assert!(!ways.contains(&"google".to_owned()), "{ways:?}");

    browser.word(world, "ada", "wrong word").await.unwrap();
    assert!(house.links(&user).await.is_empty());
    browser.word(world, "ada", "ada's own word").await.unwrap();
    assert!(house.links(&user).await.is_empty(), "not by half a proof");
    browser.code(world, "654321").await.unwrap();
    assert!(house.links(&user).await.is_empty());
    browser.code(world, "123456").await.unwrap();
    assert!(world.knows(&browser).await);
    assert_eq!(house.links(&user).await.len(), 1);
    assert_eq!(world.count(acme, "user.link_identity").await, 1);

    let (mut next, _) = house.comes("code", ada()).await;
    next.code(world, "123456").await.unwrap();
    assert_eq!(world.session(&next).await.user.id, user.id);
}

/// S24: what comes by another third party meanwhile takes nobody's place.
#[tokio::test]
async fn s24_another_identity_does_not_take_the_place_of_the_first() {
    let house = house().await;
    let world = &house.world;
    let user = house.user("ada").await;
    let mut browser = linking(&house, "code", ada()).await;
    house.abroad.says("evil", Person::new("eve-1"));
    let progress = come(world, &mut browser, "twin", "evil").await;
    assert!(refused(&progress));
    assert_eq!(browser.view.notice, Some(Notice::NotLinked));
    browser.word(world, "ada", "ada's own word").await.unwrap();
    let links = house.links(&user).await;
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].connection, provider("google"));
    assert_eq!(links[0].name, "Ada at the third party");
}

/// S24: another flow of the same browser links nothing.
#[tokio::test]
async fn s24_another_flow_links_nothing() {
    let house = house().await;
    let user = house.user("ada").await;
    let browser = linking(&house, "code", ada()).await;
    let mut other = browser
        .again(&house.world, sign_in_at(&house.acme))
        .await
        .unwrap();
    other
        .word(&house.world, "ada", "ada's own word")
        .await
        .unwrap();
    assert!(other.token().is_some());
    assert!(house.links(&user).await.is_empty());
    let mut stolen = browser.clone();
    stolen.handle.binding = other.handle.binding.clone();
    let answer = stolen.word(&house.world, "ada", "ada's own word").await;
    assert_eq!(kind(answer), ErrorKind::NotFound);
}

/// An account that another third party proves can be linked, too; a choice in between
/// forgets nothing.
#[tokio::test]
async fn who_comes_to_be_linked_is_not_forgotten_by_a_choice() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    let first = house.user("ada").await;
    let second = world.user(&other, "ada", "ada's own word").await;
    house.linked("ada", "twin", ada()).await;
    linked_in(&house, &other, "ada", ("twin", ada())).await;
    house.abroad.says("new", Person::new("ada at google"));
    house.abroad.says("known", ada());
    let mut browser = Browser::anywhere(world).await;
    come(world, &mut browser, "google", "new").await;
    browser.answer(world, NEW, press("link")).await.unwrap();
    come(world, &mut browser, "twin", "known").await;
    assert_eq!(browser.asked_by(), ["duty:choose-tenant"]);
    let chosen = browser.fill(world, "duty:choose-tenant", &[("tenant", "other")]);
    assert!(matches!(chosen.await.unwrap(), Progress::Complete(_)));
    assert_eq!(house.links(&first).await.len(), 1);
    let links = super::links_of(world, &other, &second).await;
    assert_eq!(links.len(), 2);
    assert!(
        links
            .iter()
            .any(|link| link.connection == provider("google"))
    );
}

/// Nor does one that signs in while somebody is to be linked.
#[tokio::test]
async fn a_limited_proof_of_the_account_does_not_link_who_came() {
    let limited = Liar::saying(|facts| {
        let proof = |subject: &Subject| Proof {
            scope: Some("account".to_owned()),
            ..Proof::of_subject(subject.id)
        };
        let subject = facts.subject.as_ref();
        Ok(subject.map_or(Turn::refused("nobody"), |subject| {
            Turn::proven(proof(subject))
        }))
    });
    let house = house_with(|plan| plan.more.push(("limited", Arc::new(limited)))).await;
    let user = house.user("ada").await;
    let mut browser = linking(&house, "code", ada()).await;
    let named = browser.fill(&house.world, "limited", &[("user_name", "ada")]);
    assert!(matches!(named.await.unwrap(), Progress::Complete(_)));
    assert!(house.links(&user).await.is_empty());
}

/// What is good for one page only links nothing for good.
#[tokio::test]
async fn a_limited_proof_links_nothing() {
    let link = Arc::new(Link {
        scope: Some("account".to_owned()),
    });
    let house = house_with(|plan| plan.more.push(("link", link))).await;
    let user = house.user("ada").await;
    let world = &house.world;
    let browser = world.signed_in(&house.acme, "ada", "ada's own word").await;
    let mut enrolling = browser.enrolling(world, "link").await;
    enrolling
        .word(world, "ada", "ada's own word")
        .await
        .unwrap();
    enrolling
        .fill(world, "link", &[("token", "a token that nobody guesses")])
        .await
        .unwrap();
    let start = StartFlow {
        link: Some((
            gatelodge_core::provider::LinkPurpose::SignIn,
            gatelodge_core::secret::Secret::new("a token that nobody guesses"),
        )),
        ..sign_in_at(&house.acme)
    };
    let mut limited = Browser::start(world, start).await.unwrap();
    limited
        .answer(world, "link", press("confirm"))
        .await
        .unwrap();
    assert!(world.knows(&limited).await);
    let begun = super::link(world, &limited, "google").await;
    assert_eq!(kind(begun), ErrorKind::Denied);
    assert!(house.links(&user).await.is_empty());
}

/// S23: linking is for who is signed in and proves it again, all of it.
#[tokio::test]
async fn s23_an_identity_is_linked_after_a_fresh_proof() {
    let post = Arc::new(Post::default());
    let house = house_with(|plan| plan.messages = post.messages()).await;
    let (world, acme) = (&house.world, &house.acme);
    let user = house.user_at("ada", "ada@example.org", true).await;
    let signed_in = world
        .enrol_code(acme, "ada", "ada's own word", "123456")
        .await;
    house.abroad.says("code", ada());
    let mut browser = link(world, &signed_in, "google").await.unwrap();
    assert_eq!(browser.asked_by(), ["password"]);
    assert_eq!(kind(browser.go(world, "google").await), ErrorKind::NotFound);
    browser.word(world, "ada", "ada's own word").await.unwrap();
    assert_eq!(browser.asked_by(), ["code"]);
    assert_eq!(kind(browser.go(world, "google").await), ErrorKind::NotFound);
    browser.code(world, "123456").await.unwrap();
    assert_eq!(browser.asked_by(), ["google"]);
    assert!(house.links(&user).await.is_empty());
    come(world, &mut browser, "google", "code").await;
    assert!(world.knows(&browser).await);
    assert!(
        !world.knows(&signed_in).await,
        "a new session took its place"
    );
    assert_eq!(house.abroad.intents(), [Intent::Link]);
    let caller = world.caller(&browser).await;
    let own = world.platform.accounts().identities(&caller).await.unwrap();
    assert_eq!(own, house.links(&user).await);
    assert_eq!(own[0].name, "Ada at the third party");
    while world.platform.deliver().await.unwrap().is_some() {}
    let subjects = post.sent().into_iter().map(|mail| mail.rendered.subject);
    assert!(
        subjects
            .into_iter()
            .any(|subject| subject == "identity_linked of acme")
    );
}

/// S23: without a session, or with another's proof, nothing is linked.
#[tokio::test]
async fn s23_nobody_links_to_an_account_that_is_not_proven() {
    let house = house().await;
    let (world, acme) = (&house.world, &house.acme);
    let ada = house.user("ada").await;
    let eve = house.user("eve").await;
    let start = StartFlow {
        intent: Intent::Link,
        target: Some(provider("google")),
        ..sign_in_at(acme)
    };
    let begun = Browser::start(world, start).await;
    assert_eq!(kind(begun), ErrorKind::Unauthenticated);

    let signed_in = world.signed_in(acme, "ada", "ada's own word").await;
    let mut browser = link(world, &signed_in, "google").await.unwrap();
    let answer = browser.word(world, "eve", "eve's own word").await.unwrap();
    assert!(refused(&answer), "another's proof");
    assert_eq!(browser.asked_by(), ["password"]);
    browser.word(world, "ada", "ada's own word").await.unwrap();
    let state = leave(world, &mut browser, "google").await;
    house.abroad.says("code", Person::new("1"));
    world
        .platform
        .sessions()
        .sign_out(&world.caller(&signed_in).await)
        .await
        .unwrap();
    let parameters = [("state", state.as_str()), ("code", "code")];
    let back = browser
        .come_back(world, "google", &parameters)
        .await
        .unwrap();
    assert!(refused(&back), "the session has ended");
    for user in [ada, eve] {
        assert!(house.links(&user).await.is_empty());
    }
}

#[tokio::test]
async fn an_identity_of_somebody_else_stays_theirs() {
    let house = house().await;
    let world = &house.world;
    let user = house.user("ada").await;
    let eve = house.user("eve").await;
    house.linked("ada", "google", ada()).await;
    house.abroad.says("code", ada());
    let signed_in = world.signed_in(&house.acme, "eve", "eve's own word").await;
    let mut browser = link(world, &signed_in, "google").await.unwrap();
    browser.word(world, "eve", "eve's own word").await.unwrap();
    let progress = come(world, &mut browser, "google", "code").await;
    assert!(refused(&progress));
    assert_eq!(browser.view.notice, Some(Notice::LinkedElsewhere));
    assert!(house.links(&eve).await.is_empty());
    assert_eq!(house.links(&user).await.len(), 1);
    let (next, _) = house.comes("code", ada()).await;
    assert_eq!(world.session(&next).await.user.id, user.id);
}

#[tokio::test]
async fn linking_the_same_identity_again_changes_nothing() {
    let house = house().await;
    let user = house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    house.linked("ada", "google", ada()).await;
    assert_eq!(house.links(&user).await.len(), 1);
    assert_eq!(
        house.world.count(&house.acme, "user.link_identity").await,
        1
    );
}

/// Two people link one identity at once: it is one's, and the other is refused.
#[tokio::test]
async fn an_identity_is_linked_exactly_once() {
    for steps in 0..ALIGNMENTS {
        let house = house().await;
        let world = &house.world;
        let users = [house.user("ada").await, house.user("eve").await];
        let mut ada = linking(&house, "code", Person::new("1")).await;
        let mut eve = linking(&house, "code", Person::new("1")).await;
        let outcomes = aligned(
            steps,
            ada.word(world, "ada", "ada's own word"),
            eve.word(world, "eve", "eve's own word"),
        );
        let outcomes: [Result<Progress>; 2] = outcomes.await.into();
        let count = |fits: fn(&Progress) -> bool| {
            let told = outcomes.iter().flatten();
            told.filter(|progress| fits(progress)).count()
        };
        assert_eq!(
            count(|p| matches!(p, Progress::Complete(_))),
            1,
            "{outcomes:?}"
        );
        assert_eq!(count(refused), 1, "{outcomes:?}");
        let links = [house.links(&users[0]).await, house.links(&users[1]).await];
        assert_eq!(links.concat().len(), 1);
    }
}

#[tokio::test]
async fn where_linking_is_off_nothing_is_linked() {
    let house = house_where(|rule| {
        rule.linking = false;
        rule.new_accounts = Some(NewAccounts::Ask);
    })
    .await;
    let (world, acme) = (&house.world, &house.acme);
    house.user_at("ada", "ada@example.org", true).await;
    let person = ada().address("ada@example.org", Verified::DomainOwner);
    let (mut browser, _) = house.comes("code", person).await;
    assert_eq!(buttons_of(&browser), ["back"]);
    let pressed = browser.answer(world, NEW, press("link")).await.unwrap();
    assert!(matches!(pressed, Progress::Invalid { .. }));
    let signed_in = world.signed_in(acme, "ada", "ada's own word").await;
    let begun = link(world, &signed_in, "google").await;
    assert_eq!(kind(begun), ErrorKind::NotFound);
    let caller = world.caller(&signed_in).await;
    let connections = world
        .platform
        .accounts()
        .connections(&caller)
        .await
        .unwrap();
    let ids: Vec<_> = connections.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["twin"]);
}

/// What is no third party cannot be linked.
#[tokio::test]
async fn only_connections_to_third_parties_are_linked() {
    let house = house().await;
    house.user("ada").await;
    let signed_in = house
        .world
        .signed_in(&house.acme, "ada", "ada's own word")
        .await;
    for target in ["password", "code", "nothing"] {
        let begun = link(&house.world, &signed_in, target).await;
        assert_eq!(kind(begun), ErrorKind::NotFound, "{target}");
    }
    let start = StartFlow {
        intent: Intent::Link,
        session: Some(house.world.session(&signed_in).await),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    let begun = signed_in.again(&house.world, start).await;
    assert_eq!(kind(begun), ErrorKind::NotFound, "nothing named");
}

/// A linked identity proves its account again, and no other.
#[tokio::test]
async fn a_linked_identity_is_proof_enough_to_link_another() {
    let house = house().await;
    let world = &house.world;
    let user = house.user("ada").await;
    house.user("eve").await;
    let signed_in = house.linked("ada", "google", ada()).await;
    house.linked("eve", "google", Person::new("eve-1")).await;
    house.abroad.says("hers", ada());
    house.abroad.says("another's", Person::new("eve-1"));
    house.abroad.says("nobody's", Person::new("new"));
    house.abroad.says("second", Person::new("ada-2"));
    let mut browser = link(world, &signed_in, "twin").await.unwrap();
    assert_eq!(
        browser.asked_by(),
        ["password", "google"],
        "not what is not set up"
    );
    for code in ["another's", "nobody's"] {
        let progress = come(world, &mut browser, "google", code).await;
        assert!(refused(&progress), "{code}");
    }
    come(world, &mut browser, "google", "hers").await;
    assert_eq!(browser.asked_by(), ["twin"]);
    come(world, &mut browser, "twin", "second").await;
    assert!(world.knows(&browser).await);
    assert_eq!(house.links(&user).await.len(), 2);
    let intents = house.abroad.intents();
    assert_eq!(
        intents[intents.len() - 4..],
        [
            Intent::Reprove,
            Intent::Reprove,
            Intent::Reprove,
            Intent::Link,
        ]
    );
}

/// Signing in to link goes through all that is due, as always.
#[tokio::test]
async fn nothing_is_linked_before_what_is_due_is_done() {
    let house = house().await;
    let user = house.user("ada").await;
    let settings = TenantSettings {
        second_factor: SecondFactorSettings {
            everyone: Some(SecondFactorRule::Required),
            ..SecondFactorSettings::default()
        },
        ..TenantSettings::default()
    };
    house.world.put_settings(&house.acme, settings).await;
    let mut browser = linking(&house, "code", ada()).await;
    browser
        .word(&house.world, "ada", "ada's own word")
        .await
        .unwrap();
    assert_eq!(browser.asked_by(), ["code"]);
    assert!(house.links(&user).await.is_empty());
    browser
        .fill(&house.world, "code", &[("new_code", "123456")])
        .await
        .unwrap();
    assert!(house.world.knows(&browser).await);
    assert_eq!(house.links(&user).await.len(), 1);
}
