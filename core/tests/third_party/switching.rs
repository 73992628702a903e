//! T9: going on to one's account in another tenant without signing in again.

use std::{sync::Arc, time::Duration};

use gatelodge_core::{
    ErrorKind, Result,
    access::Caller,
    engine::{Progress, Reply, ResumeDevice, Resumed, StartFlow, SwitchTenant, Transport},
    model::{
        AtLimit, FactorClass, SecondFactorRule, SecondFactorSettings, SessionSettings, Tenant,
        TenantName, TenantSettings, User,
    },
    provider::{LinkPurpose, Offering, Verified},
    secret::Secret,
    service::{OtherTenant, TenantRef},
};

use super::{House, Person, come, house, house_with, linked_in, press};
use crate::{
    providers::Link,
    support::{Browser, fields, kind, minutes, sign_in_at},
};

fn ada() -> Person {
    Person::new("ada-1").address("ada@example.org", Verified::DomainOwner)
}

/// Ada has accounts in `acme` and `other`, linked to one identity; she is signed in to
/// `acme` by it.
struct Ada {
    house: House,
    other: Tenant,
    there: User,
    browser: Browser,
}

async fn ada_of(house: House) -> Ada {
    let other = house.world.tenant("other").await;
    house.user("ada").await;
    let there = house
        .world
        .user(&other, "countess", "countess's own word")
        .await;
    house.linked("ada", "google", ada()).await;
    linked_in(&house, &other, "countess", ("google", ada())).await;
    let (browser, _) = house.comes("code", ada()).await;
    Ada {
        house,
        other,
        there,
        browser,
    }
}

async fn signed_in() -> Ada {
    ada_of(house().await).await
}

impl Ada {
    async fn switch(&self, from: &Browser, to: &Tenant) -> Result<Browser> {
        self.switch_back_to(from, to, None).await
    }

    async fn switch_back_to(
        &self,
        from: &Browser,
        to: &Tenant,
        return_to: Option<&str>,
    ) -> Result<Browser> {
        let switch = SwitchTenant {
            session: self.house.world.session(from).await,
            tenant: TenantRef::Id(to.id),
            return_to: return_to.map(str::to_owned),
            device: from.device.clone(),
        };
        let sign_in = self.house.world.platform.sign_in();
        let switched = sign_in.switch(switch, &from.client).await?;
        let mut browser = Browser {
            handle: switched.handle,
            done: None,
            ..from.clone()
        };
        browser.note(&switched.progress);
        Ok(browser)
    }

    async fn elsewhere(&self, browser: &Browser) -> Vec<String> {
        let caller = self.house.world.caller(browser).await;
        let accounts = self.house.world.platform.accounts();
        let others: Vec<OtherTenant> = accounts.elsewhere(&caller).await.unwrap();
        others
            .into_iter()
            .map(|other| other.name.to_string())
            .collect()
    }

    /// Neither shown nor possible.
    async fn is_nowhere(&self, browser: &Browser, why: &str) {
        assert!(self.elsewhere(browser).await.is_empty(), "{why}");
        let refused = self.switch(browser, &self.other).await;
        assert_eq!(kind(refused), ErrorKind::NotFound, "{why}");
        let caller = Caller::operator();
        let users = self.house.world.platform.users();
        let read = users.read(&caller, self.other.id, self.there.id).await;
        assert!(read.is_ok(), "{why}: the account itself is there");
    }
}

#[tokio::test]
async fn who_came_by_a_third_party_goes_on_to_another_tenant() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    assert_eq!(ada.elsewhere(&ada.browser).await, ["other"]);
    world.pass(minutes(20));
    let there = ada
        .switch_back_to(&ada.browser, &ada.other, Some("/account"))
        .await
        .unwrap();
    let session = world.session(&there).await;
    assert_eq!(
        (session.tenant.id, session.user.id),
        (ada.other.id, ada.there.id)
    );
    assert!(world.knows(&ada.browser).await, "the old session stays");
    assert_eq!(
        there.done.as_ref().unwrap().return_to.as_deref(),
        Some("/account")
    );

    // The proof keeps its age, and is the other tenant's own record.
    let before = world.session(&ada.browser).await;
    assert_eq!(session.session.auth_time(), before.session.auth_time());
    let factor = &session.session.factors[0];
    assert_eq!(factor.class, FactorClass::Federated);
    let link = super::links_of(world, &ada.other, &ada.there)
        .await
        .remove(0);
    assert_eq!(factor.credential, Some(link.id));
    assert_ne!(factor.credential, before.session.factors[0].credential);
    assert_eq!(ada.elsewhere(&there).await, ["acme"]);
    let back = ada.switch(&there, &ada.house.acme).await.unwrap();
    assert_eq!(world.session(&back).await.user.id, before.user.id);
    assert_eq!(
        ada.house.abroad.brought("code"),
        1,
        "nobody was asked again"
    );
}

#[tokio::test]
async fn what_the_other_tenant_demands_is_still_to_come() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    world
        .enrol_code(&ada.other, "countess", "countess's own word", "123456")
        .await;
    let mut there = ada.switch(&ada.browser, &ada.other).await.unwrap();
    assert!(there.token().is_none());
    assert_eq!(there.asked_by(), ["code"]);
    let mut stolen = there.clone();
    stolen.handle.binding = None;
    assert_eq!(
        kind(stolen.code(world, "123456").await),
        ErrorKind::NotFound
    );
    there.code(world, "654321").await.unwrap();
    assert!(there.token().is_none());
    there.code(world, "123456").await.unwrap();
    assert_eq!(there.amr(), ["fed", "otp", "mfa"]);
}

/// The second factor of one tenant is none of another's.
#[tokio::test]
async fn a_second_factor_does_not_go_along() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    let acme = &ada.house.acme;
    world
        .enrol_code(acme, "ada", "ada's own word", "123456")
        .await;
    let mut browser = Browser::at_tenant(world, acme).await;
    come(world, &mut browser, "google", "code").await;
    browser.code(world, "123456").await.unwrap();
    let there = ada.switch(&browser, &ada.other).await.unwrap();
    assert_eq!(there.amr(), ["fed"]);

    let settings = TenantSettings {
        second_factor: SecondFactorSettings {
            everyone: Some(SecondFactorRule::Required),
            ..SecondFactorSettings::default()
        },
        ..TenantSettings::default()
    };
    world.put_settings(&ada.other, settings).await;
    let there = ada.switch(&browser, &ada.other).await.unwrap();
    assert!(there.token().is_none(), "what is required is set up first");
}

#[tokio::test]
async fn a_session_that_began_otherwise_leads_nowhere() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    let by_word = world
        .signed_in(&ada.house.acme, "ada", "ada's own word")
        .await;
    ada.is_nowhere(&by_word, "by word").await;
}

/// A device's token shows too little.
#[tokio::test]
async fn a_session_that_a_device_began_leads_nowhere() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    let mut browser = Browser::at_tenant(world, &ada.house.acme).await;
    let reply = Reply {
        step: None,
        provider: "password".to_owned(),
        answer: fields(&[("user_name", "ada"), ("password", "ada's own word")]),
        device: None,
        stay: true,
    };
    browser.send(world, reply).await.unwrap();
    let resume = ResumeDevice {
        token: browser.done.clone().unwrap().kept.unwrap().token,
        tenant: None,
        transport: Transport::Cookie,
        application: None,
        return_to: None,
        lane: None,
    };
    let resumed = world
        .platform
        .sign_in()
        .resume_device(resume, &browser.client)
        .await;
    let Resumed::Known { progress, .. } = resumed.unwrap() else {
        panic!("the device is known");
    };
    browser.note(&progress);
    assert!(world.knows(&browser).await);
    ada.is_nowhere(&browser, "by a device").await;
}

#[tokio::test]
async fn a_limited_session_leads_nowhere() {
    let link = Arc::new(Link {
        scope: Some("account".to_owned()),
    });
    let ada = ada_of(house_with(|plan| plan.more.push(("link", link))).await).await;
    let world = &ada.house.world;
    let token = "a token that nobody guesses";
    let browser = world
        .signed_in(&ada.house.acme, "ada", "ada's own word")
        .await;
    let mut enrolling = browser.enrolling(world, "link").await;
    enrolling
        .word(world, "ada", "ada's own word")
        .await
        .unwrap();
    enrolling
        .fill(world, "link", &[("token", token)])
        .await
        .unwrap();
    let start = StartFlow {
        link: Some((LinkPurpose::SignIn, Secret::new(token))),
        ..sign_in_at(&ada.house.acme)
    };
    let mut limited = Browser::start(world, start).await.unwrap();
    limited
        .answer(world, "link", press("confirm"))
        .await
        .unwrap();
    assert!(world.knows(&limited).await);
    let refused = ada.switch(&limited, &ada.other).await;
    assert!(matches!(
        kind(refused),
        ErrorKind::Denied | ErrorKind::NotFound
    ));
}

/// S21: who is locked out there, or in a tenant that is, does not get in by the side door.
#[tokio::test]
async fn s21_nobody_switches_to_where_they_are_locked_out() {
    let ada = signed_in().await;
    ada.house
        .world
        .lock_user((ada.other.id, ada.there.id))
        .await
        .unwrap();
    ada.is_nowhere(&ada.browser, "locked").await;
    let ada = signed_in().await;
    ada.house.world.lock_tenant(&ada.other).await.unwrap();
    ada.is_nowhere(&ada.browser, "tenant locked").await;
}

#[tokio::test]
async fn nobody_switches_by_what_is_unlinked_or_not_theirs() {
    // Another identity, another connection, nobody's tenant, one's own.
    let ada = signed_in().await;
    let world = &ada.house.world;
    ada.house.user("eve").await;
    ada.house
        .linked("eve", "google", Person::new("eve-1"))
        .await;
    ada.house
        .linked("eve", "twin", super::Person::new("ada-1"))
        .await;
    for (connection, code, person) in [
        ("google", "eve", Person::new("eve-1")),
        ("twin", "twin", Person::new("ada-1")),
    ] {
        ada.house.abroad.says(code, person);
        let mut eve = Browser::at_tenant(world, &ada.house.acme).await;
        come(world, &mut eve, connection, code).await;
        assert!(world.knows(&eve).await);
        ada.is_nowhere(&eve, code).await;
    }
    let empty = world.tenant("empty").await;
    for tenant in [&empty, &ada.house.acme] {
        let refused = ada.switch(&ada.browser, tenant).await;
        assert_eq!(kind(refused), ErrorKind::NotFound);
    }
    // Unlinked there.
    let link = super::links_of(world, &ada.other, &ada.there)
        .await
        .remove(0);
    let (users, operator) = (world.platform.users(), Caller::operator());
    let place = (ada.other.id, ada.there.id);
    users
        .unlink_identity(&operator, place, link.id)
        .await
        .unwrap();
    ada.is_nowhere(&ada.browser, "unlinked").await;
}

#[tokio::test]
async fn nobody_switches_to_where_the_connection_is_not_offered() {
    let house = house_with(|plan| {
        let offering = Offering {
            tenants: Some(
                ["acme", "other"]
                    .map(|name| TenantName::new(name).unwrap())
                    .to_vec(),
            ),
            ..Offering::default()
        };
        plan.offerings = [("google", offering)].into();
    });
    let ada = ada_of(house.await).await;
    assert_eq!(ada.elsewhere(&ada.browser).await, ["other"]);
    // Renamed, it is another one for this.
    let patch = gatelodge_core::service::TenantPatch {
        name: Some(TenantName::new("renamed").unwrap()),
        ..Default::default()
    };
    let operator = Caller::operator();
    let tenants = ada.house.world.platform.tenants();
    tenants
        .update(&operator, ada.other.id, None, patch)
        .await
        .unwrap();
    ada.is_nowhere(&ada.browser, "not offered").await;
}

#[tokio::test]
async fn a_session_that_is_over_leads_nowhere() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    let session = world.session(&ada.browser).await;
    let switch = || SwitchTenant {
        session: session.clone(),
        tenant: TenantRef::Id(ada.other.id),
        return_to: None,
        device: None,
    };
    let caller = world.caller(&ada.browser).await;
    // Ended at another server, of which this one does not know yet.
    let node = world.another_node().await;
    node.sessions().sign_out(&caller).await.unwrap();
    let (sign_in, client) = (world.platform.sign_in(), &ada.browser.client);
    let refused = sign_in.switch(switch(), client).await;
    assert_eq!(kind(refused), ErrorKind::Unauthenticated);
    let accounts = world.platform.accounts();
    assert!(accounts.elsewhere(&caller).await.unwrap().is_empty());

    let (idle, _) = ada.house.comes("again", self::ada()).await;
    let session = world.session(&idle).await;
    world.pass(Duration::from_secs(60 * 60 * 24 * 2));
    let late = SwitchTenant {
        session,
        ..switch()
    };
    let refused = sign_in.switch(late, client).await;
    assert_eq!(kind(refused), ErrorKind::Unauthenticated);
}

fn absolute(minutes: u32) -> TenantSettings {
    TenantSettings {
        session: SessionSettings {
            idle_minutes: Some(minutes),
            absolute_minutes: Some(minutes),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    }
}

/// No session outlives what its tenant allows from the proof on, however often somebody
/// goes to and fro.
#[tokio::test]
async fn going_to_and_fro_makes_no_proof_younger() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    world.put_settings(&ada.other, absolute(60)).await;
    world.put_settings(&ada.house.acme, absolute(100)).await;
    let mut browser = Browser::at_tenant(world, &ada.house.acme).await;
    come(world, &mut browser, "google", "code").await;
    let proven = world.now();
    let ends_after = |browser: &Browser| {
        let end = browser.done.as_ref().unwrap().session.expires_at;
        end.duration_since(proven).as_mins()
    };
    world.pass(minutes(59));
    let there = ada.switch(&browser, &ada.other).await.unwrap();
    assert_eq!(ends_after(&there), 60);
    let back = ada.switch(&there, &ada.house.acme).await.unwrap();
    assert_eq!(ends_after(&back), 100);
    world.pass(minutes(1));
    assert!(world.knows(&back).await);
    assert!(!world.knows(&there).await);
    ada.is_nowhere(&back, "too old there").await;
}

/// Nor does a second factor that is given only when the time is over.
#[tokio::test]
async fn a_proof_that_gets_too_old_on_the_way_leads_to_no_session() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    let (other, name, word) = (&ada.other, "countess", "countess's own word");
    world.enrol_code(other, name, word, "123456").await;
    world.put_settings(other, absolute(25)).await;
    world.pass(minutes(24));
    let mut there = ada.switch(&ada.browser, other).await.unwrap();
    assert_eq!(there.asked_by(), ["code"]);
    world.pass(minutes(1));
    let progress = there.code(world, "123456").await.unwrap();
    assert!(crate::support::refused(&progress));
    assert!(there.token().is_none());
}

#[tokio::test]
async fn the_other_tenants_limit_of_sessions_holds() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    let settings = TenantSettings {
        session: SessionSettings {
            limit: Some(1),
            at_limit: Some(AtLimit::Refuse),
            ..SessionSettings::default()
        },
        ..TenantSettings::default()
    };
    world.put_settings(&ada.other, settings).await;
    let users = world.platform.sessions();
    let ended = users
        .end_of_user(&Caller::operator(), ada.other.id, ada.there.id)
        .await;
    ended.unwrap();
    ada.switch(&ada.browser, &ada.other).await.unwrap();
    let refused = ada.switch(&ada.browser, &ada.other).await;
    assert_eq!(kind(refused), ErrorKind::Refused);
}

/// What is asked for in between is no way to stay.
#[tokio::test]
async fn no_device_is_kept_by_switching() {
    let ada = signed_in().await;
    let world = &ada.house.world;
    world
        .enrol_code(&ada.other, "countess", "countess's own word", "123456")
        .await;
    let mut there = ada.switch(&ada.browser, &ada.other).await.unwrap();
    let reply = Reply {
        step: None,
        provider: "code".to_owned(),
        answer: fields(&[("code", "123456")]),
        device: None,
        stay: true,
    };
    let progress = there.send(world, reply).await.unwrap();
    let Progress::Complete(completed) = progress else {
        panic!("signed in");
    };
    assert!(completed.kept.is_none());
}

/// Somebody is locked out between the look and the deed.
#[tokio::test]
async fn s21_who_is_locked_out_meanwhile_does_not_get_in() {
    let ada = Arc::new(signed_in().await);
    let shared = ada.clone();
    let lock = async move {
        let place = (shared.other.id, shared.there.id);
        shared.house.world.lock_user(place).await.unwrap();
    };
    // After the flow is stored.
    ada.house.world.storage.before_write(1, Box::pin(lock));
    let refused = ada.switch(&ada.browser, &ada.other).await;
    assert_eq!(kind(refused), ErrorKind::NotFound);
    let refusals = ada.house.world.refusals(Some(ada.other.id)).await;
    assert_eq!(refusals, ["user_locked"]);
}

#[tokio::test]
async fn a_switch_leads_to_no_foreign_page() {
    let ada = signed_in().await;
    for path in ["https://evil.example/", "//evil.example"] {
        let refused = ada
            .switch_back_to(&ada.browser, &ada.other, Some(path))
            .await;
        assert_eq!(kind(refused), ErrorKind::Invalid);
    }
}
