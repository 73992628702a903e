//! Providers that say what is not so: the engine believes none of it.

use std::sync::Arc;

use gatelodge_core::{
    Error, ErrorKind,
    engine::{Progress, ReplyAnswer, StepView},
    model::{RecordId, Tenant, TenantId, User, UserId},
    provider::{
        Description, Effect, ExternalIdentity, NewRecord, Proof, RecordOwner, State, Step, Turn,
        Who,
    },
};

use crate::{
    providers::{Liar, describe},
    support::{Browser, World, kind, provider, refused},
};

/// A world with one liar, and two people in it. The lie may be about the second.
async fn told(lie: impl Fn((TenantId, UserId)) -> Liar) -> (World, Tenant, User) {
    // The ids of a seeded world are the same each time.
    let rehearsal = people(World::new().await).await;
    let victim = (rehearsal.1.id, rehearsal.3.id);
    let liar: Arc<Liar> = Arc::new(lie(victim));
    let world = World::with(|plan| plan.more = vec![("liar", liar)]).await;
    let (world, acme, ada, eve) = people(world).await;
    assert_eq!((acme.id, eve.id), victim);
    (world, acme, ada)
}

async fn people(world: World) -> (World, Tenant, User, User) {
    let acme = world.tenant("acme").await;
    let ada = world.user_with(&acme, "ada", Default::default()).await.0;
    let eve = world.user_with(&acme, "eve", Default::default()).await.0;
    (world, acme, ada, eve)
}

async fn believed(world: &World, acme: &Tenant, name: &str) -> Progress {
    let mut browser = Browser::at_tenant(world, acme).await;
    let said = browser.fill(world, "liar", &[("user_name", name)]).await;
    said.unwrap()
}

fn proven(who: Who) -> Turn {
    Turn::proven(Proof::of(who))
}

#[tokio::test]
async fn a_proof_of_another_than_the_subject_is_refused() {
    let (world, acme, _) =
        told(|(_, eve)| Liar::saying(move |_| Ok(proven(Who::Subject { user: eve })))).await;
    for name in ["ada", "nobody"] {
        assert!(refused(&believed(&world, &acme, name).await), "{name}");
    }
    assert_eq!(world.refusals(Some(acme.id)).await, ["not_the_subject"; 2]);
    let progress = believed(&world, &acme, "eve").await;
    assert!(
        matches!(progress, Progress::Complete(_)),
        "here it is no lie"
    );
}

#[tokio::test]
async fn a_decoy_never_signs_in() {
    let (world, acme, _) = told(|_| {
        Liar::saying(|facts| {
            let subject = facts.subject.as_ref().map(|subject| subject.id);
            Ok(proven(Who::Subject {
                user: subject.unwrap(),
            }))
        })
    })
    .await;
    assert!(refused(&believed(&world, &acme, "nobody").await));
}

#[tokio::test]
async fn candidates_come_only_from_providers_that_find_tenants() {
    let (world, acme, _) =
        told(|eve| Liar::saying(move |_| Ok(proven(Who::Candidates { users: vec![eve] })))).await;
    assert!(refused(&believed(&world, &acme, "ada").await));
    let reasons = world.refusals(Some(acme.id)).await;
    assert_eq!(reasons, ["candidates_not_allowed"]);
}

#[tokio::test]
async fn an_unlinked_identity_is_nobody() {
    let (world, acme, _) = told(|_| {
        Liar::saying(|_| {
            let identity = ExternalIdentity {
                connection: provider("liar"),
                issuer: "https://third.example".to_owned(),
                subject: "ada".to_owned(),
                claims: Default::default(),
            };
            Ok(proven(Who::External { identity }))
        })
    })
    .await;
    assert!(refused(&believed(&world, &acme, "ada").await));
}

#[tokio::test]
async fn nothing_is_set_up_while_signing_in() {
    let (world, acme, ada) = told(|_| Liar::saying(|_| Ok(Turn::step(Step::Enrolled {})))).await;
    for name in ["ada", "nobody"] {
        assert!(refused(&believed(&world, &acme, name).await));
    }
    let after = world.read_user((acme.id, ada.id)).await;
    assert_eq!(after.credential_epoch, ada.credential_epoch);
}

#[tokio::test]
async fn a_lost_condition_refuses_the_whole_turn() {
    let record = RecordId::from_uuid(uuid::Uuid::max());
    let with = NewRecord {
        owner: RecordOwner::Subject,
        key: None,
        label: String::new(),
        expires_at: None,
        data: State::default(),
    };
    for effect in [
        Effect::UseUp { record, version: 1 },
        Effect::Replace {
            record,
            version: 7,
            with,
        },
    ] {
        let (world, acme, _) = told(move |_| {
            let effect = effect.clone();
            Liar::saying(move |facts| {
                let subject = facts.subject.as_ref().map(|subject| subject.id);
                let user = subject.unwrap();
                Ok(proven(Who::Subject { user }).with_effect(effect.clone()))
            })
        })
        .await;
        assert!(refused(&believed(&world, &acme, "ada").await));
        assert_eq!(world.refusals(Some(acme.id)).await, ["used_up"]);
        let actions = world.actions(&acme).await;
        assert!(!actions.contains(&"session.prove".to_owned()));
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_is_a_fault_and_nothing_is_kept() {
    let (world, acme, _) = told(|_| {
        Liar::saying(|facts| {
            let subject = facts.subject.as_ref().map(|subject| subject.id);
            let record = NewRecord {
                owner: RecordOwner::Subject,
                key: None,
                label: String::new(),
                expires_at: None,
                data: State(vec![0; 61 * 1024]),
            };
            Ok(proven(Who::Subject {
                user: subject.unwrap(),
            })
            .with_effect(Effect::Put { record }))
        })
    })
    .await;
    for _ in 0..15 {
        let mut browser = Browser::at_tenant(&world, &acme).await;
        let said = browser.fill(&world, "liar", &[("user_name", "ada")]).await;
        assert_eq!(kind(said), ErrorKind::Internal, "and never a counted try");
    }
    let actions = world.actions(&acme).await;
    assert!(!actions.contains(&"session.start".to_owned()));
}

#[tokio::test]
async fn a_fault_is_no_refusal_and_no_try() {
    let (world, acme, _) =
        told(|_| Liar::saying(|_| Err(Error::new(ErrorKind::Unavailable, "gone")))).await;
    for _ in 0..15 {
        let mut browser = Browser::at_tenant(&world, &acme).await;
        let said = browser.fill(&world, "liar", &[("user_name", "ada")]).await;
        assert_eq!(kind(said), ErrorKind::Unavailable);
    }
    assert!(world.refusals(Some(acme.id)).await.is_empty());
}

#[tokio::test]
async fn a_state_that_is_too_large_is_a_fault() {
    let (world, acme, _) = told(|_| {
        Liar::saying(|_| {
            let state = State(vec![0; 16 * 1024 + 1]);
            Ok(Turn::step(Step::Wait { poll_after_ms: 500 }).with_state(state))
        })
    })
    .await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let said = browser.fill(&world, "liar", &[("user_name", "ada")]).await;
    assert_eq!(kind(said), ErrorKind::Internal);
}

/// What a refusal shows is what is stored: the step can be answered again.
#[tokio::test]
async fn a_step_with_a_lost_effect_is_not_taken() {
    let (world, acme, _) = told(|_| {
        Liar::saying(|_| {
            let record = RecordId::from_uuid(uuid::Uuid::max());
            let turn = Turn::step(Step::Wait { poll_after_ms: 500 });
            Ok(turn.with_effect(Effect::UseUp { record, version: 1 }))
        })
    })
    .await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let step = browser.step().to_owned();
    for _ in 0..2 {
        let said = browser.fill(&world, "liar", &[("user_name", "ada")]).await;
        assert!(refused(&said.unwrap()));
        assert_eq!(browser.step(), step);
    }
}

/// L9: a refusal waits until the provider's slowest answer could have come,
/// whatever it is refused for.
#[tokio::test]
async fn refusals_of_a_slow_provider_are_held_back_alike() {
    let (world, acme, _) = told(|_| Liar {
        description: Description {
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 700,
            ..describe("liar")
        },
        ..Liar::saying(|facts| {
            let subject = facts.subject.as_ref().map(|subject| subject.id);
            Ok(proven(Who::Subject {
                user: subject.unwrap(),
            }))
        })
    })
    .await;
    let locked = world.user_with(&acme, "locked", Default::default()).await.0;
    world.lock_user((acme.id, locked.id)).await.unwrap();
    let until = world.now() + jiff::SignedDuration::from_millis(700);
    for name in ["locked", "nobody"] {
        match believed(&world, &acme, name).await {
            Progress::Refused { hold_until, .. } => assert_eq!(hold_until, Some(until)),
            other => panic!("{name} is not refused: {other:?}"),
        }
    }
}

/// A liar that begins when it is chosen, with `first`.
fn eager(
    first: impl Fn((TenantId, UserId)) -> Turn + Send + Sync + Copy + 'static,
) -> impl Fn((TenantId, UserId)) -> Liar {
    move |eve| Liar {
        description: Description {
            inline: false,
            finds_tenant: true,
            ..describe("liar")
        },
        first: Box::new(move |_| Ok(first(eve))),
        then: Box::new(|_| Ok(Turn::refused("no"))),
    }
}

/// `begin` proves nothing and changes nothing: opening a page is no act.
#[tokio::test]
async fn beginning_proves_nothing_and_has_no_effects() {
    let (world, acme, _) = told(eager(|eve| proven(Who::Candidates { users: vec![eve] }))).await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    assert!(refused(&browser.go(&world, "liar").await.unwrap()));
    assert!(browser.token().is_none());

    let (world, acme, _) = told(eager(|_| {
        let record = NewRecord {
            owner: RecordOwner::Nobody,
            key: Some("planted".into()),
            label: String::new(),
            expires_at: None,
            data: State::default(),
        };
        Turn::step(Step::Wait { poll_after_ms: 500 }).with_effect(Effect::Put { record })
    }))
    .await;
    // The same key twice would be a lost effect: a refusal.
    for _ in 0..2 {
        let mut browser = Browser::at_tenant(&world, &acme).await;
        let begun = browser.go(&world, "liar").await.unwrap();
        assert!(matches!(begun, Progress::Next { .. }), "{begun:?}");
    }
}

#[tokio::test]
async fn a_provider_that_fails_to_begin_does_not_stand_in_the_way() {
    let (world, acme, _) = told(|_| Liar {
        first: Box::new(|_| Err(Error::internal("broken"))),
        ..Liar::saying(|_| Ok(Turn::refused("no")))
    })
    .await;
    let browser = Browser::at_tenant(&world, &acme).await;
    assert_eq!(browser.asked_by(), ["password"]);
}

/// S47: what a provider says for the audit log is one short word.
#[tokio::test]
async fn s47_a_reason_that_is_no_plain_word_is_not_written_down() {
    for reason in ["", "Wrong", "a\nb", "\u{1b}[31m", &"x".repeat(65)] {
        let reason = reason.to_owned();
        let (world, acme, _) = told(move |_| {
            let reason = reason.clone();
            Liar::saying(move |_| Ok(Turn::refused(&reason)))
        })
        .await;
        assert!(refused(&believed(&world, &acme, "ada").await));
        assert_eq!(world.refusals(Some(acme.id)).await, ["malformed_reason"]);
    }
}

/// S12: a second factor that finds tenants cannot change who it is.
#[tokio::test]
async fn s12_a_second_factor_cannot_bring_another_person_in() {
    let (world, acme, ada) = told(|eve| Liar {
        description: Description {
            first_step: false,
            second_factor: true,
            enrolment: true,
            finds_tenant: true,
            ..describe("liar")
        },
        first: Box::new(|_| Ok(Turn::prompt(crate::providers::form([])))),
        then: Box::new(move |facts| {
            use gatelodge_core::provider::Intent;
            let record = NewRecord {
                owner: RecordOwner::Subject,
                key: None,
                label: String::new(),
                expires_at: None,
                data: State::default(),
            };
            Ok(match facts.intent {
                Intent::Enrol => Turn::step(Step::Enrolled {}).with_effect(Effect::Put { record }),
                _ => proven(Who::Candidates {
                    users: vec![eve, eve],
                }),
            })
        }),
    })
    .await;
    world.user(&acme, "bob", "bob's word").await;
    let browser = world.signed_in(&acme, "bob", "bob's word").await;
    let mut enrolling = browser.enrolling(&world, "liar").await;
    enrolling.word(&world, "bob", "bob's word").await.unwrap();
    enrolling.fill(&world, "liar", &[]).await.unwrap();
    let mut browser = Browser::at_tenant(&world, &acme).await;
    browser.word(&world, "bob", "bob's word").await.unwrap();
    assert_eq!(browser.asked_by(), ["liar"]);
    assert!(refused(&browser.fill(&world, "liar", &[]).await.unwrap()));
    assert!(browser.token().is_none());
    assert_eq!(world.read_user((acme.id, ada.id)).await.version, 1);
}

/// Setting something up is no proof, whatever the provider calls it.
#[tokio::test]
async fn setting_up_proves_nothing() {
    let (world, acme, _) = told(|_| Liar {
        description: Description {
            enrolment: true,
            ..describe("liar")
        },
        first: Box::new(|_| Ok(Turn::prompt(crate::providers::form([])))),
        then: Box::new(|facts| {
            let user = facts.subject.as_ref().map(|subject| subject.id);
            Ok(proven(Who::Subject {
                user: user.unwrap(),
            }))
        }),
    })
    .await;
    world.user(&acme, "bob", "bob's word").await;
    let browser = world.signed_in(&acme, "bob", "bob's word").await;
    let mut enrolling = browser.enrolling(&world, "liar").await;
    enrolling.word(&world, "bob", "bob's word").await.unwrap();
    assert!(refused(&enrolling.fill(&world, "liar", &[]).await.unwrap()));
    assert!(enrolling.token().is_none());
}

#[tokio::test]
async fn an_answer_of_another_kind_is_invalid() {
    let (world, acme, _) = told(|_| Liar::saying(|_| Ok(Turn::refused("no")))).await;
    let mut browser = Browser::at_tenant(&world, &acme).await;
    let Some(StepView { id, .. }) = browser.view.step.clone() else {
        panic!("there is a step");
    };
    for answer in [
        ReplyAnswer::Browser(serde_json::json!({"id": "x"})),
        ReplyAnswer::Action("made up".to_owned()),
    ] {
        let progress = browser.answer(&world, "liar", answer).await.unwrap();
        assert!(matches!(progress, Progress::Invalid { .. }));
    }
    assert_eq!(browser.step(), id);
}
