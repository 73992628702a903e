//! Tenants that are found late: by a provider that finds them, or not at all.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind,
    access::Caller,
    engine::{Progress, StepBody},
    model::{TenantId, UserId},
    service::DeleteTenant,
};

use crate::{
    providers::Finder,
    support::{Browser, World, kind, refused},
};

struct Found {
    world: World,
    finder: Arc<Finder>,
    acme: (gatelodge_core::model::Tenant, UserId),
    other: (gatelodge_core::model::Tenant, UserId),
}

impl Found {
    async fn new() -> Self {
        let finder = Arc::new(Finder::default());
        let made = finder.clone();
        let world = World::with(|plan| {
            plan.limits.network.free_tries = 5;
            plan.more = vec![("finder", made)];
        })
        .await;
        let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
        let at_acme = world.user(&acme, "ada", "acme's word").await.id;
        let at_other = world.user(&other, "ada", "other's word").await.id;
        Self {
            world,
            finder,
            acme: (acme, at_acme),
            other: (other, at_other),
        }
    }

    fn both(&self) -> Vec<(TenantId, UserId)> {
        vec![self.at_acme(), self.at_other()]
    }

    fn at_acme(&self) -> (TenantId, UserId) {
        (self.acme.0.id, self.acme.1)
    }

    fn at_other(&self) -> (TenantId, UserId) {
        (self.other.0.id, self.other.1)
    }
}

async fn ticket(found: &Found, browser: &mut Browser, ticket: &str) -> Progress {
    let values = [("ticket", ticket)];
    let answered = browser.fill(&found.world, "finder", &values).await;
    answered.unwrap()
}

async fn choose(found: &Found, browser: &mut Browser, tenant: &str) -> Progress {
    let values = [("tenant", tenant)];
    let duty = "duty:choose-tenant";
    browser.fill(&found.world, duty, &values).await.unwrap()
}

#[tokio::test]
async fn a_ticket_for_nobody_is_refused() {
    let found = Found::new().await;
    found.finder.issue("nobody", Vec::new());
    let stranger = (found.acme.0.id, found.other.1);
    found.finder.issue("stranger", vec![stranger]);
    let mut browser = Browser::anywhere(&found.world).await;
    for name in ["nobody", "stranger", "made up"] {
        assert!(refused(&ticket(&found, &mut browser, name).await), "{name}");
    }
}

#[tokio::test]
async fn a_ticket_for_one_person_signs_in_without_naming_a_tenant() {
    let found = Found::new().await;
    found.finder.issue("one", vec![found.at_other()]);
    found.finder.issue("noted", vec![found.at_acme()]);
    for (name, user) in [("one", found.other.1), ("noted", found.acme.1)] {
        let mut browser = Browser::anywhere(&found.world).await;
        ticket(&found, &mut browser, name).await;
        assert_eq!(found.world.session(&browser).await.user.id, user);
    }
}

#[tokio::test]
async fn a_person_with_two_accounts_chooses_the_tenant() {
    let found = Found::new().await;
    found.finder.issue("both", found.both());
    let mut browser = Browser::anywhere(&found.world).await;
    ticket(&found, &mut browser, "both").await;
    let Some(StepBody::Prompt { form, provider }) = browser.view.step.clone().map(|s| s.body)
    else {
        panic!("a tenant is chosen from a form");
    };
    assert_eq!(provider, "duty:choose-tenant");
    let names: Vec<_> = form.fields[0]
        .choices
        .iter()
        .map(|c| c.value.as_str())
        .collect();
    assert_eq!(names, ["acme", "other"]);
    for wrong in ["", "third", "ACME"] {
        let progress = choose(&found, &mut browser, wrong).await;
        assert!(matches!(progress, Progress::Invalid { .. }), "{wrong}");
    }
    choose(&found, &mut browser, "other").await;
    let session = found.world.session(&browser).await;
    assert_eq!(session.user.id, found.other.1);
    assert_eq!(session.session.factors.len(), 1);
}

#[tokio::test]
async fn the_chosen_tenants_second_factor_is_demanded() {
    let found = Found::new().await;
    let (tenant, word) = (&found.other.0, "other's word");
    found.world.enrol_code(tenant, "ada", word, "123456").await;
    found.finder.issue("both", found.both());
    let mut browser = Browser::anywhere(&found.world).await;
    ticket(&found, &mut browser, "both").await;
    choose(&found, &mut browser, "other").await;
    assert!(browser.token().is_none());
    assert_eq!(browser.asked_by(), ["code"]);
    browser.code(&found.world, "123456").await.unwrap();
    assert_eq!(found.world.session(&browser).await.user.id, found.other.1);
}

#[tokio::test]
async fn only_accounts_that_may_sign_in_can_be_chosen() {
    let found = Found::new().await;
    found.finder.issue("both", found.both());
    let mut early = Browser::anywhere(&found.world).await;
    ticket(&found, &mut early, "both").await;
    found.world.lock_user(found.at_other()).await.unwrap();

    assert!(refused(&choose(&found, &mut early, "other").await));
    choose(&found, &mut early, "acme").await;
    assert_eq!(found.world.session(&early).await.user.id, found.acme.1);
    let mut late = Browser::anywhere(&found.world).await;
    ticket(&found, &mut late, "both").await;
    assert_eq!(found.world.session(&late).await.user.id, found.acme.1);
}

/// S03: a proof of two accounts dies for the one whose credential changed.
#[tokio::test]
async fn s03_a_choice_does_not_revive_what_was_proven_before_a_change() {
    let found = Found::new().await;
    found.finder.issue("both", found.both());
    let mut browser = Browser::anywhere(&found.world).await;
    ticket(&found, &mut browser, "both").await;
    found
        .world
        .alter_user(found.at_other(), |user| user.credential_epoch += 1)
        .await;
    assert!(refused(&choose(&found, &mut browser, "other").await));
    assert!(browser.token().is_none());
}

#[tokio::test]
async fn a_named_tenant_narrows_the_choice() {
    let found = Found::new().await;
    found.finder.issue("both", found.both());
    let mut browser = Browser::at_tenant(&found.world, &found.acme.0).await;
    ticket(&found, &mut browser, "both").await;
    assert_eq!(found.world.session(&browser).await.user.id, found.acme.1);
}

#[tokio::test]
async fn one_account_said_twice_is_one_account() {
    let found = Found::new().await;
    let twice = vec![found.at_acme(), found.at_acme()];
    found.finder.issue("twice", twice);
    let mut browser = Browser::anywhere(&found.world).await;
    ticket(&found, &mut browser, "twice").await;
    assert_eq!(found.world.session(&browser).await.user.id, found.acme.1);
}

#[tokio::test]
async fn nothing_is_changed_for_several_accounts() {
    let found = Found::new().await;
    found.finder.issue("noted", found.both());
    let mut browser = Browser::anywhere(&found.world).await;
    assert!(refused(&ticket(&found, &mut browser, "noted").await));
    let crowd = vec![found.at_acme(); 101];
    found.finder.issue("crowd", crowd);
    assert!(refused(&ticket(&found, &mut browser, "crowd").await));
}

#[tokio::test]
async fn a_right_ticket_is_not_counted_as_a_try() {
    let found = Found::new().await;
    found.finder.issue("both", found.both());
    for _ in 0..12 {
        let mut browser = Browser::anywhere(&found.world).await;
        let progress = ticket(&found, &mut browser, "both").await;
        assert!(matches!(progress, Progress::Next { .. }));
    }
}

#[tokio::test]
async fn a_name_of_several_tenants_is_refused_like_an_unknown_one() {
    let found = Found::new().await;
    let mut browser = Browser::anywhere(&found.world).await;
    let before = serde_json::to_string(&browser.view).unwrap();
    for name in ["ada", "nobody"] {
        let progress = browser.word(&found.world, name, "acme's word").await;
        assert!(refused(&progress.unwrap()), "{name}");
        assert_eq!(serde_json::to_string(&browser.view).unwrap(), before);
    }
}

/// S34: a flow of a tenant that is gone does not sign anybody in elsewhere.
#[tokio::test]
async fn s34_a_flow_of_a_deleted_tenant_leads_nowhere_else() {
    let world = World::new().await;
    let (home, away) = (world.tenant("home").await, world.tenant("away").await);
    world.user(&away, "only", "only's word").await;
    let mut browser = Browser::at_tenant(&world, &home).await;
    let operator = Caller::operator();
    let how = DeleteTenant::default();
    let tenants = world.platform.tenants();
    tenants.delete(&operator, home.id, how).await.unwrap();
    let elsewhere = browser.word(&world, "only", "only's word").await;
    assert_eq!(kind(elsewhere), ErrorKind::NotFound);
}
