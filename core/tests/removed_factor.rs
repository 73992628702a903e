//! Second factors that people remove from their own account.

use std::sync::Arc;

use gatelodge_core::{
    ErrorKind, Result,
    engine::{Progress, ReplyAnswer, StartFlow, StepBody, Transport},
    model::{RecordId, SecondFactorRule, SecondFactorSettings, Tenant, TenantSettings},
    provider::{Intent, Provider},
};

use crate::{
    providers::Code,
    support::{Browser, WRONG, World, kind, provider, refused},
};

const REMOVE: &str = "duty:remove-factor";

/// Ada with the second factor `code`, in the browser that set it up; `spare` stands in
/// for it, and `other` is another one.
async fn house() -> (World, Tenant, Browser) {
    let more: Vec<(&str, Arc<dyn Provider>)> = vec![
        ("spare", Arc::new(Code::spare())),
        ("other", Arc::new(Code::default())),
    ];
    let world = World::with(|plan| plan.more = more).await;
    let acme = world.tenant("acme").await;
    world.user(&acme, "ada", "ada's word").await;
    let browser = world.enrol_code(&acme, "ada", "ada's word", "123456").await;
    (world, acme, browser)
}

/// The record of what is set up with a provider.
async fn factor(world: &World, browser: &Browser, of: &str) -> RecordId {
    let caller = world.caller(browser).await;
    let factors = world.platform.accounts().factors(&caller).await.unwrap();
    let found = factors
        .iter()
        .find(|method| method.provider == provider(of));
    found.expect("it is set up").credentials[0].id
}

async fn removing(world: &World, browser: &Browser, factor: RecordId) -> Result<Browser> {
    let start = StartFlow {
        intent: Intent::Remove,
        session: Some(world.session(browser).await),
        factor: Some(factor),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    browser.again(world, start).await
}

/// The same, with everything proven.
async fn proven(world: &World, browser: &Browser, factor: RecordId) -> Browser {
    let mut flow = removing(world, browser, factor).await.unwrap();
    flow.word(world, "ada", "ada's word").await.unwrap();
    flow.code(world, "123456").await.unwrap();
    assert_eq!(flow.asked_by(), [REMOVE]);
    flow
}

async fn say_so(world: &World, flow: &mut Browser) -> Progress {
    let remove = ReplyAnswer::Action("remove".to_owned());
    flow.answer(world, REMOVE, remove).await.unwrap()
}

async fn set_up(world: &World, browser: &Browser, of: &str, value: &str) -> Browser {
    let mut flow = browser.enrolling(world, of).await;
    flow.word(world, "ada", "ada's word").await.unwrap();
    flow.code(world, "123456").await.unwrap();
    flow.fill(world, of, &[("new_code", value)]).await.unwrap();
    assert!(world.knows(&flow).await);
    flow
}

async fn require(world: &World, acme: &Tenant) {
    let settings = TenantSettings {
        second_factor: SecondFactorSettings {
            everyone: Some(SecondFactorRule::Required),
            ..SecondFactorSettings::default()
        },
        ..TenantSettings::default()
    };
    world.put_settings(acme, settings).await;
}

#[tokio::test]
async fn a_factor_is_removed_after_a_proof_and_a_question() {
    let (world, acme, browser) = house().await;
    let mut elsewhere = Browser::at_tenant(&world, &acme).await;
    elsewhere.word(&world, "ada", "ada's word").await.unwrap();
    elsewhere.code(&world, "123456").await.unwrap();
    let id = factor(&world, &browser, "code").await;
    let mut flow = removing(&world, &browser, id).await.unwrap();
    assert_eq!(flow.asked_by(), ["password"]);
    flow.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(flow.asked_by(), ["code"]);
    flow.code(&world, "123456").await.unwrap();
    let Some(StepBody::Prompt { form, .. }) = flow.view.step.clone().map(|step| step.body) else {
        panic!("a question");
    };
    assert!(form.fields.is_empty() && form.actions[0].id == "remove");
    assert!(world.knows(&browser).await && world.knows(&elsewhere).await);

    say_so(&world, &mut flow).await;
    assert!(world.knows(&flow).await, "the session goes on anew");
    assert!(!world.knows(&browser).await && !world.knows(&elsewhere).await);
    let caller = world.caller(&flow).await;
    let left = world.platform.accounts().factors(&caller).await.unwrap();
    assert!(left.is_empty());
    let next = world.signed_in(&acme, "ada", "ada's word").await;
    assert_eq!(next.amr(), ["pwd"]);
    assert_eq!(world.count(&acme, "user.remove_factor").await, 1);
}

/// S12: it is not removed without the factor itself, or what stands in for it.
#[tokio::test]
async fn s12_nothing_is_removed_before_everything_is_proven() {
    let (world, _, browser) = house().await;
    let id = factor(&world, &browser, "code").await;
    let mut flow = removing(&world, &browser, id).await.unwrap();
    let remove = || ReplyAnswer::Action("remove".to_owned());
    let early = flow.answer(&world, REMOVE, remove()).await;
    assert_eq!(kind(early), ErrorKind::NotFound);
    assert!(refused(&flow.word(&world, "ada", WRONG).await.unwrap()));
    flow.word(&world, "ada", "ada's word").await.unwrap();
    let early = flow.answer(&world, REMOVE, remove()).await;
    assert_eq!(kind(early), ErrorKind::NotFound);
    let pressed = flow.answer(&world, "code", remove()).await.unwrap();
    assert!(matches!(pressed, Progress::Invalid { .. }));
    flow.code(&world, "123456").await.unwrap();
    for other in [
        ReplyAnswer::Go,
        ReplyAnswer::Action("later".to_owned()),
        crate::support::fields(&[("code", "123456")]),
    ] {
        let answered = flow.answer(&world, REMOVE, other).await.unwrap();
        assert!(matches!(answered, Progress::Invalid { .. }));
    }
    assert_eq!(factor(&world, &browser, "code").await, id);
    assert!(world.knows(&browser).await && flow.token().is_none());
}

/// S12: what stands in for a lost factor is proof enough.
#[tokio::test]
async fn s12_who_lost_it_proves_what_stands_in_for_it() {
    let (world, acme, browser) = house().await;
    let browser = set_up(&world, &browser, "spare", "777777").await;
    let id = factor(&world, &browser, "code").await;
    let mut flow = removing(&world, &browser, id).await.unwrap();
    flow.word(&world, "ada", "ada's word").await.unwrap();
    assert_eq!(flow.asked_by(), ["code", "spare"]);
    let values = [("code", "777777")];
    flow.fill(&world, "spare", &values).await.unwrap();
    say_so(&world, &mut flow).await;
    assert!(world.knows(&flow).await);
    // What only stands in for others is asked of nobody alone.
    world.signed_in(&acme, "ada", "ada's word").await;
}

#[tokio::test]
async fn the_last_one_stays_where_one_is_required() {
    let (world, acme, browser) = house().await;
    let browser = set_up(&world, &browser, "spare", "777777").await;
    require(&world, &acme).await;
    let id = factor(&world, &browser, "code").await;
    let error = removing(&world, &browser, id).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused);
    // What stands in for it is not the last one, and another one may be.
    let spare = factor(&world, &browser, "spare").await;
    let mut flow = proven(&world, &browser, spare).await;
    say_so(&world, &mut flow).await;
    let browser = set_up(&world, &flow, "other", "999999").await;
    let mut flow = proven(&world, &browser, id).await;
    say_so(&world, &mut flow).await;
    assert!(world.knows(&flow).await);
    let last = factor(&world, &flow, "other").await;
    let error = removing(&world, &flow, last).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

/// S12: what became required, or the last one, since the flow began stays too.
#[tokio::test]
async fn s12_the_rule_is_asked_again_when_it_is_removed() {
    let (world, acme, browser) = house().await;
    let id = factor(&world, &browser, "code").await;
    let mut flow = proven(&world, &browser, id).await;
    require(&world, &acme).await;
    assert!(refused(&say_so(&world, &mut flow).await));
    assert_eq!(factor(&world, &browser, "code").await, id);
    let reasons = world.refusals(Some(acme.id)).await;
    assert_eq!(reasons, ["second_factor_required"]);

    // Two flows, each of which removes one of the last two.
    let browser = set_up(&world, &browser, "other", "999999").await;
    let other = factor(&world, &browser, "other").await;
    let mut one = proven(&world, &browser, id).await;
    let mut two = proven(&world, &browser, other).await;
    say_so(&world, &mut one).await;
    assert!(world.knows(&one).await);
    assert!(refused(&say_so(&world, &mut two).await));
    assert_eq!(factor(&world, &one, "other").await, other);
}

/// S35: nobody removes what is another's, and nothing without a session.
#[tokio::test]
async fn s35_only_the_owner_finds_it() {
    let (world, acme, browser) = house().await;
    world.user(&acme, "eve", "eve's word").await;
    let eve = world.signed_in(&acme, "eve", "eve's word").await;
    let id = factor(&world, &browser, "code").await;
    assert_eq!(kind(removing(&world, &eve, id).await), ErrorKind::NotFound);
    let start = StartFlow {
        intent: Intent::Remove,
        factor: Some(id),
        ..StartFlow::sign_in(Transport::Cookie)
    };
    let alone = Browser::start(&world, start.clone()).await;
    assert_eq!(kind(alone), ErrorKind::Unauthenticated);
    let start = StartFlow {
        factor: None,
        session: Some(world.session(&browser).await),
        ..start
    };
    let nothing = browser.again(&world, start).await;
    assert_eq!(kind(nothing), ErrorKind::NotFound);
    // What can start a sign-in is not removed here: it could be the last way in.
    let caller = world.caller(&browser).await;
    let methods = world.platform.accounts().sign_in_methods(&caller).await;
    let word = methods.unwrap()[0].credentials[0].id;
    assert_eq!(
        kind(removing(&world, &browser, word).await),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn what_is_removed_meanwhile_is_not_removed_twice() {
    let (world, acme, browser) = house().await;
    let id = factor(&world, &browser, "code").await;
    let mut flow = proven(&world, &browser, id).await;
    let operator = gatelodge_core::access::Caller::operator();
    let users = world.platform.users();
    let ada = world.session(&browser).await.user.id;
    users
        .remove_factor(&operator, (acme.id, ada), id)
        .await
        .unwrap();
    assert!(refused(&say_so(&world, &mut flow).await));
    assert!(flow.token().is_none());
    assert_eq!(world.count(&acme, "user.remove_factor").await, 1);
}
