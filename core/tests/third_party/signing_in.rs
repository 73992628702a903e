//! Who is linked to an identity signs in by it, and nobody else.

use gatelodge_core::{
    engine::{Notice, Progress},
    model::{FactorClass, UserStatus},
    provider::{Intent, Proof, Purpose, Renewal, Verified, Who},
    service::UserPatch,
};

use super::{NEW, Person, come, house, house_where, linked_in};
use crate::support::{Browser, minutes, provider, refused};

fn ada() -> Person {
    Person::new("ada-1").address("ada@example.org", Verified::DomainOwner)
}

#[tokio::test]
async fn a_linked_identity_signs_in() {
    let house = house().await;
    let user = house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    let (browser, _) = house.comes("code", Person::new("ada-1")).await;
    let session = house.world.session(&browser).await;
    assert_eq!(session.user.id, user.id);
    let factor = &session.session.factors[0];
    assert_eq!(factor.class, FactorClass::Federated);
    assert_eq!(factor.provider, provider("google"));
    let link = &house.links(&user).await[0];
    assert_eq!(
        factor.credential,
        Some(link.id),
        "the session names its link"
    );
    assert_eq!(house.names().await, ["ada"]);

    let mut anywhere = Browser::anywhere(&house.world).await;
    come(&house.world, &mut anywhere, "google", "code").await;
    assert_eq!(house.world.session(&anywhere).await.user.id, user.id);
}

/// S25: the key is connection, issuer and subject; all of it.
#[tokio::test]
async fn s25_the_same_subject_elsewhere_is_somebody_else() {
    let house = house().await;
    house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    for (connection, person) in [
        ("twin", ada()),
        ("google", ada().at_issuer("https://third.example/")),
        ("google", Person::new("ADA-1")),
        ("google", Person::new("ada-12")),
    ] {
        house.abroad.says("other", person);
        for mut browser in [
            Browser::at_tenant(&house.world, &house.acme).await,
            Browser::anywhere(&house.world).await,
        ] {
            come(&house.world, &mut browser, connection, "other").await;
            assert_eq!(browser.asked_by(), [NEW], "by {connection}");
            assert!(browser.token().is_none());
        }
    }
}

/// Parts of the key cannot be moved from one to the other.
#[tokio::test]
async fn issuer_and_subject_are_not_run_together() {
    let house = house().await;
    house.user("ada").await;
    let person = Person::new("b/ada").at_issuer("https://a.example/");
    house.linked("ada", "google", person).await;
    let shifted = Person::new("/ada").at_issuer("https://a.example/b");
    let (browser, _) = house.comes("code", shifted).await;
    assert!(browser.token().is_none());
}

/// An address is no key, however well it is proven, and whosever it is.
#[tokio::test]
async fn s22_an_address_signs_nobody_in() {
    let house = house().await;
    house.user_at("ada", "ada@example.org", true).await;
    house.linked("ada", "google", ada()).await;
    let stranger = Person::new("eve-1").address("ada@example.org", Verified::DomainOwner);
    let (browser, progress) = house.comes("code", stranger).await;
    assert!(matches!(progress, Progress::Next { .. }));
    assert_eq!(browser.asked_by(), [NEW]);
    assert!(browser.token().is_none());
}

#[tokio::test]
async fn a_second_factor_is_asked_for_after_a_third_party_too() {
    let house = house().await;
    house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    let (world, acme) = (&house.world, &house.acme);
    world
        .enrol_code(acme, "ada", "ada's own word", "123456")
        .await;
    let (mut browser, _) = house.comes("code", ada()).await;
    assert!(browser.token().is_none());
    assert_eq!(browser.asked_by(), ["code"]);
    browser.code(world, "123456").await.unwrap();
    assert_eq!(browser.amr(), ["fed", "otp", "mfa"]);
}

enum Closed {
    UserLocked,
    UserDeactivated,
    TenantLocked,
}

/// S21: who is locked out comes in by no third party, and gets no second account.
#[tokio::test]
async fn s21_who_is_locked_out_is_refused_and_not_made_anew() {
    for closed in [
        Closed::UserLocked,
        Closed::UserDeactivated,
        Closed::TenantLocked,
    ] {
        let house = house_where(super::creating).await;
        let (world, acme) = (&house.world, &house.acme);
        let user = house.user("ada").await;
        house.linked("ada", "google", ada()).await;
        let place = (acme.id, user.id);
        match closed {
            Closed::UserLocked => drop(world.lock_user(place).await.unwrap()),
            Closed::TenantLocked => drop(world.lock_tenant(acme).await.unwrap()),
            Closed::UserDeactivated => {
                let change = world.alter_user(place, |user| user.status = UserStatus::Deactivated);
                change.await;
            }
        }
        house.abroad.says("code", ada());
        for mut browser in [
            Browser::at_tenant(world, acme).await,
            Browser::anywhere(world).await,
        ] {
            let progress = come(world, &mut browser, "google", "code").await;
            assert!(refused(&progress));
            assert_eq!(browser.view.notice, Some(Notice::Failed));
        }
        assert_eq!(house.names().await, ["ada"]);
        assert_eq!(world.refusals(None).await, ["no_account"; 1]);
        assert_eq!(world.refusals(Some(acme.id)).await, ["no_account"; 1]);
    }
}

#[tokio::test]
async fn s21_in_a_locked_tenant_nobody_is_made() {
    let house = house_where(super::creating).await;
    house.world.lock_tenant(&house.acme).await.unwrap();
    let (browser, _) = house.comes("code", Person::new("1").called("eve")).await;
    assert!(browser.token().is_none());
    assert!(house.names().await.is_empty());
}

/// T9: each account of several has its own link, and the session names it.
#[tokio::test]
async fn who_has_accounts_in_several_tenants_chooses() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    house.user("ada").await;
    let second = world.user(&other, "ada", "ada's own word").await;
    house.linked("ada", "google", ada().keeping("first")).await;
    linked_in(&house, &other, "ada", ("google", ada().keeping("second"))).await;

    house.abroad.says("code", ada());
    let mut browser = Browser::anywhere(world).await;
    let before = browser.handle.binding.clone();
    come(world, &mut browser, "google", "code").await;
    assert_eq!(browser.asked_by(), ["duty:choose-tenant"]);
    assert!(browser.token().is_none());
    assert_ne!(
        before.unwrap().hash(),
        browser.handle.binding.clone().unwrap().hash()
    );
    let fill = browser.fill(world, "duty:choose-tenant", &[("tenant", "nowhere")]);
    assert!(matches!(fill.await.unwrap(), Progress::Invalid { .. }));
    let fill = browser.fill(world, "duty:choose-tenant", &[("tenant", "other")]);
    fill.await.unwrap();
    let session = world.session(&browser).await;
    assert_eq!((session.tenant.id, session.user.id), (other.id, second.id));
    let link = super::links_of(world, &other, &second).await.remove(0);
    assert_eq!(session.session.factors[0].credential, Some(link.id));
}

/// Somebody whom one of the tenants has locked out is not asked about it.
#[tokio::test]
async fn s21_only_open_accounts_are_there_to_choose() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    house.user("ada").await;
    let second = world.user(&other, "ada", "ada's own word").await;
    house.linked("ada", "google", ada()).await;
    linked_in(&house, &other, "ada", ("google", ada())).await;
    world.lock_user((other.id, second.id)).await.unwrap();
    house.abroad.says("code", ada());
    let mut browser = Browser::anywhere(world).await;
    come(world, &mut browser, "google", "code").await;
    assert_eq!(world.session(&browser).await.tenant.id, house.acme.id);
}

/// A link that is gone by the time of the choice leads nowhere.
#[tokio::test]
async fn a_link_that_is_removed_during_the_choice_is_worth_nothing() {
    let house = house().await;
    let world = &house.world;
    let other = world.tenant("other").await;
    house.user("ada").await;
    let second = world.user(&other, "ada", "ada's own word").await;
    house.linked("ada", "google", ada()).await;
    linked_in(&house, &other, "ada", ("google", ada())).await;
    house.abroad.says("code", ada());
    let mut browser = Browser::anywhere(world).await;
    come(world, &mut browser, "google", "code").await;
    let link = super::links_of(world, &other, &second).await.remove(0);
    let users = world.platform.users();
    let operator = gatelodge_core::access::Caller::operator();
    let removed = users.unlink_identity(&operator, (other.id, second.id), link.id);
    removed.await.unwrap();
    let fill = browser.fill(world, "duty:choose-tenant", &[("tenant", "other")]);
    assert!(refused(&fill.await.unwrap()));
    assert!(browser.token().is_none());
}

/// What is proven goes no further than signing in, and says what it has to.
#[tokio::test]
async fn a_third_party_that_says_too_much_or_nonsense_is_refused() {
    let house = house_where(super::creating).await;
    house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    let long = "x".repeat(256);
    let people = [
        (ada().by(provider("twin")), "malformed_identity"),
        (Person::new(""), "malformed_identity"),
        (Person::new(&long), "malformed_identity"),
        (ada().at_issuer(""), "malformed_identity"),
        (ada().at_issuer(&"x".repeat(2_049)), "malformed_identity"),
        (ada().keeping(&"x".repeat(16_385)), "malformed_identity"),
        (
            ada().twisted(|proof| proof.purpose = Purpose::NewCredential),
            "not_for_third_parties",
        ),
        (
            ada().twisted(|proof| proof.scope = Some("account".to_owned())),
            "not_for_third_parties",
        ),
        (
            ada().twisted(|proof| proof.mailbox = Some("ada@example.org".to_owned())),
            "not_for_third_parties",
        ),
        (
            ada().twisted(|proof| {
                proof.renew = Some(Renewal {
                    reason: gatelodge_core::model::MustChange::Age,
                    due: None,
                });
            }),
            "not_for_third_parties",
        ),
        (
            ada().twisted(|proof| proof.who = Who::Candidates { users: Vec::new() }),
            "not_an_identity",
        ),
    ];
    for (person, reason) in people {
        let (browser, progress) = house.comes("code", person).await;
        assert!(refused(&progress), "{reason}");
        assert!(browser.token().is_none());
        let refusals = house.world.refusals(Some(house.acme.id)).await;
        assert!(refusals.contains(&reason.to_owned()), "{refusals:?}");
    }
    assert_eq!(house.names().await, ["ada"]);
}

/// Whoever takes a link away holds its owner's row, so this comes before or after it.
#[tokio::test]
async fn a_link_that_is_removed_while_its_owner_is_away_is_worth_nothing() {
    let house = std::sync::Arc::new(house().await);
    let user = house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    let link = house.links(&user).await.remove(0);
    let shared = house.clone();
    let removal = async move {
        let users = shared.world.platform.users();
        let operator = gatelodge_core::access::Caller::operator();
        let place = (shared.acme.id, user.id);
        users
            .unlink_identity(&operator, place, link.id)
            .await
            .unwrap();
    };
    house.world.storage.before_write(3, Box::pin(removal));
    let (browser, progress) = house.comes("code", ada()).await;
    assert!(refused(&progress), "{progress:?}");
    assert!(browser.token().is_none());
    assert_eq!(
        house.abroad.brought("code"),
        1,
        "a code is worth one exchange"
    );
}

/// What is said to be its time of proof is the session's.
#[tokio::test]
async fn the_time_of_the_proof_is_the_third_partys() {
    let house = house_where(super::creating).await;
    let early =
        |proof: &mut Proof| proof.at = Some(jiff::Timestamp::from_second(1_789_990_000).unwrap());
    let person = Person::new("1").called("eve").twisted(early);
    for _ in 0..2 {
        let (browser, _) = house.comes("code", person.clone()).await;
        let session = house.world.session(&browser).await;
        let at = session.session.auth_time();
        assert_eq!(at.as_second(), 1_789_990_000, "new or known");
    }
}

#[tokio::test]
async fn who_is_renamed_here_is_still_found() {
    let house = house().await;
    let user = house.user("ada").await;
    house.linked("ada", "google", ada()).await;
    let users = house.world.platform.users();
    let patch = UserPatch {
        user_name: Some(gatelodge_core::model::UserName::new("countess").unwrap()),
        ..UserPatch::default()
    };
    let operator = gatelodge_core::access::Caller::operator();
    let place = (house.acme.id, user.id);
    users.update(&operator, place, None, patch).await.unwrap();
    house.world.pass(minutes(60 * 24 * 365));
    let (browser, _) = house.comes("code", ada()).await;
    assert_eq!(house.world.session(&browser).await.user.id, user.id);
    assert_eq!(house.abroad.intents(), [Intent::Link, Intent::SignIn]);
}
