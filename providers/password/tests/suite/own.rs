//! What holds for this provider beyond what holds for every one.

use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use gatelodge_core::{
    ErrorKind,
    model::{FactorClass, ProviderId, RecordId},
    provider::{
        Answer, Display, Effect, Entry, FieldKind, Intent, LinkPurpose, PastProof, Provider,
        Registry, Role, Step, Who,
    },
};
use gatelodge_provider_password::register;
use serde_json::json;

use super::world::{GOOD, OTHER, World, configured, errors, provider, refused};

#[tokio::test]
async fn a_password_that_was_set_signs_in_and_no_other_does() {
    let provider = provider();
    let world = World::with_password(&provider, GOOD).await.signing_in();
    let turn = world
        .sign_in(&provider, &[("user_name", "alice"), ("password", GOOD)])
        .await;
    let Step::Proven { proof } = &turn.step else {
        panic!("{turn:?}");
    };
    let user = world.facts.subject.as_ref().unwrap().id;
    assert_eq!(proof.who, Who::Subject { user });
    assert!(turn.effects.is_empty());
    for wrong in [
        OTHER,
        "Correct horse battery staple",
        "correct horse battery staple ",
        "c",
    ] {
        let turn = world.sign_in(&provider, &[("password", wrong)]).await;
        assert_eq!(turn, refused("wrong_password"), "{wrong}");
    }
}

#[tokio::test]
async fn a_decoy_is_refused_after_the_memory_of_a_hash_was_used() {
    let provider = provider();
    let world = World::new().signing_in();
    assert_eq!(provider.hasher().load().memory_bytes, 0);
    let turn = world.sign_in(&provider, &[("password", GOOD)]).await;
    assert_eq!(turn, refused("no_password"));
    assert_eq!(provider.hasher().load().memory_bytes, 19_456 * 1024);
}

#[tokio::test]
async fn s43_a_corrupt_record_is_a_wrong_password() {
    let provider = provider();
    let world = World::with_password(&provider, GOOD).await.signing_in();
    for data in [
        &b""[..],
        b"\xff\xfe",
        b"{}",
        br#"{"hash":"$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAA"}"#,
    ] {
        world.records.lock().unwrap()[0].data.0 = data.to_vec();
        let turn = world.sign_in(&provider, &[("password", GOOD)]).await;
        assert_eq!(turn, refused("wrong_password"));
    }
}

#[tokio::test]
async fn s43_a_megabyte_is_invalid_for_known_and_unknown_alike_without_a_hash() {
    let provider = provider();
    let megabyte = "x".repeat(1 << 20);
    let known = World::with_password(&configured(json!({})), GOOD)
        .await
        .signing_in();
    let unknown = World::new().signing_in();
    let turn = known.sign_in(&provider, &[("password", &megabyte)]).await;
    assert_eq!(
        errors(&turn),
        [(
            "password",
            "too_long",
            "A password can have at most 1024 bytes."
        )]
    );
    assert_eq!(
        turn,
        unknown.sign_in(&provider, &[("password", &megabyte)]).await
    );
    let turn = unknown
        .enrol(&provider, &[("new_password", &megabyte)])
        .await;
    assert_eq!(errors(&turn)[0].1, "too_long");
    assert_eq!(provider.hasher().load().memory_bytes, 0);
}

#[tokio::test]
async fn a_missing_password_or_subject_is_invalid_and_a_foreign_state_refused() {
    let provider = provider();
    let mut world = World::new().signing_in();
    for answer in [&[][..], &[("password", "")], &[("new_password", GOOD)]] {
        let turn = world.sign_in(&provider, answer).await;
        assert_eq!(errors(&turn)[0].1, "required");
    }
    let enrolling = world.begin_enrolment(&provider).await.1.state;
    let answer = Answer::fields([("password", GOOD)]);
    let turn = provider
        .resume(&world.context(), enrolling, answer.clone())
        .await
        .unwrap();
    assert_eq!(turn, refused("foreign_state"));
    world.facts.subject = None;
    let turn = world.sign_in(&provider, &[("password", GOOD)]).await;
    assert_eq!(errors(&turn)[0].0, "user_name");
    let entry = Entry::Link {
        purpose: LinkPurpose::Reset,
        token: "t".into(),
    };
    let turn = provider.begin(&world.context(), entry).await.unwrap();
    assert_eq!(turn, refused("unsupported_entry"));
}

#[tokio::test]
async fn a_weaker_hash_is_replaced_at_sign_in_once() {
    let weak = configured(json!({"memory_kib": 12_288, "iterations": 3}));
    let world = World::with_password(&weak, GOOD).await.signing_in();
    assert!(world.stored().contains("m=12288,t=3"));
    let strong = provider();
    let wrong = world.sign_in(&strong, &[("password", OTHER)]).await;
    assert_eq!(wrong, refused("wrong_password"));
    let turn = world.sign_in(&strong, &[("password", GOOD)]).await;
    assert!(matches!(
        turn.effects[..],
        [Effect::Replace { version: 1, .. }]
    ));
    world.apply(turn.effects);
    assert!(world.stored().contains("m=19456,t=2"));
    let turn = world.sign_in(&strong, &[("password", GOOD)]).await;
    assert!(matches!(turn.step, Step::Proven { .. }) && turn.effects.is_empty());
}

#[tokio::test]
async fn equal_passwords_have_different_hashes() {
    let provider = provider();
    let world = World::new();
    let mut stored = Vec::new();
    for _ in 0..2 {
        world.records.lock().unwrap().clear();
        let turn = world.enrol(&provider, &[("new_password", GOOD)]).await;
        world.apply(turn.effects);
        stored.push(world.stored());
    }
    assert_ne!(stored[0], stored[1]);
    assert_eq!(world.drawn.load(Ordering::Relaxed), 2);
}

/// v5.0.0-6.2.6 and v5.0.0-6.2.7: what a password manager needs to know.
#[tokio::test]
async fn the_forms_say_what_each_field_is() {
    let provider = provider();
    let world = World::with_password(&provider, GOOD).await;
    let (form, _) = world.begin_enrolment(&provider).await;
    let [current, new] = &form.fields[..] else {
        panic!("{form:?}");
    };
    assert_eq!(
        (&*current.name, current.kind),
        ("current_password", FieldKind::Password)
    );
    assert_eq!(
        (&*new.name, new.kind),
        ("new_password", FieldKind::NewPassword)
    );
    assert_eq!(
        (&*current.autocomplete, &*new.autocomplete),
        ("current-password", "new-password")
    );
    assert_eq!(
        (new.role, new.min_length, new.max_length),
        (Role::Secret, Some(15), None)
    );
    assert!(
        new.help
            .as_ref()
            .unwrap()
            .contains("At least 15 characters")
    );
    let world = world.signing_in();
    let (form, _) = world.begin(&provider).await;
    let [who, password] = &form.fields[..] else {
        panic!("{form:?}");
    };
    assert_eq!(
        (&*who.autocomplete, who.role),
        ("username", Role::Identifier)
    );
    assert_eq!(
        (&*password.autocomplete, password.role),
        ("current-password", Role::Secret)
    );
}

#[tokio::test]
async fn the_first_form_tells_nothing_of_a_claimed_subject() {
    let provider = provider();
    let mut world = World::with_password(&provider, GOOD).await.signing_in();
    let claimed = world.begin(&provider).await;
    world.facts.subject = None;
    assert_eq!(claimed, world.begin(&provider).await);
}

#[tokio::test]
async fn who_is_known_is_only_asked_for_the_password() {
    let provider = provider();
    let mut world = World::with_password(&provider, GOOD).await;
    world.facts.intent = Intent::Reprove;
    let (form, _) = world.begin(&provider).await;
    assert_eq!(form.fields.len(), 1);
    assert!(matches!(&form.display[..], [Display::Text { value, .. }] if value == "alice.liddell"));
}

/// v5.0.0-6.2.3.
#[tokio::test]
async fn a_change_needs_the_present_password() {
    let provider = provider();
    let world = World::with_password(&provider, GOOD).await;
    let turn = world.enrol(&provider, &[("new_password", OTHER)]).await;
    assert_eq!(errors(&turn)[0].0, "current_password");
    let wrong = [("current_password", OTHER), ("new_password", OTHER)];
    assert_eq!(
        world.enrol(&provider, &wrong).await,
        refused("wrong_password")
    );
    let same = [("current_password", GOOD), ("new_password", GOOD)];
    assert_eq!(
        errors(&world.enrol(&provider, &same).await)[0].1,
        "unchanged"
    );
    let right = [("current_password", GOOD), ("new_password", OTHER)];
    let turn = world.enrol(&provider, &right).await;
    assert!(
        matches!(turn.effects[..], [Effect::Replace { version: 1, .. }]),
        "{turn:?}"
    );
    world.apply(turn.effects);
    let world = world.signing_in();
    let turn = world.sign_in(&provider, &[("password", GOOD)]).await;
    assert_eq!(turn, refused("wrong_password"));
    let turn = world.sign_in(&provider, &[("password", OTHER)]).await;
    assert!(matches!(turn.step, Step::Proven { .. }));
}

#[tokio::test]
async fn who_just_proved_or_recovers_is_not_asked_for_the_present_password() {
    let provider = provider();
    let mut world = World::with_password(&provider, GOOD).await;
    world.facts.intent = Intent::Recover;
    let turn = world.enrol(&provider, &[("new_password", OTHER)]).await;
    assert_eq!(turn.step, Step::Enrolled {});
    world.facts.intent = Intent::SignIn;
    world.facts.proofs = vec![PastProof {
        provider: world.facts.provider.clone(),
        class: FactorClass::Knowledge,
        amr: "pwd".to_owned(),
        at: world.facts.now,
    }];
    let turn = world.enrol(&provider, &[("new_password", OTHER)]).await;
    assert_eq!(turn.step, Step::Enrolled {});
    world.facts.proofs[0].provider = ProviderId::new("oidc").unwrap();
    let turn = world.enrol(&provider, &[("new_password", OTHER)]).await;
    assert_eq!(errors(&turn)[0].0, "current_password");
}

/// v5.0.0-6.2.1, v5.0.0-6.2.4 and v5.0.0-6.2.11.
#[tokio::test]
async fn a_refused_password_comes_with_its_reason_and_a_hint() {
    let provider = provider();
    let world = World::new();
    for (password, code, text) in [
        (
            "fourteen chars",
            "too_short",
            "The password has 14 characters; it needs at least 15.",
        ),
        ("1qaz2wsx3edc4rfv", "common", "list of common passwords"),
        ("alice.liddell2026", "context_word", "the user name"),
        ("Alice Liddell 2026", "context_word", "name"),
        (
            "wonderland7wonderland7",
            "context_word",
            "the e-mail address",
        ),
        (
            "LOOKING-GLASS 1871",
            "context_word",
            "the name of the organisation",
        ),
        (
            "login.teaparty.example",
            "context_word",
            "the name of this site",
        ),
        (
            "gatelodgegatelodge",
            "context_word",
            "the name of this site",
        ),
    ] {
        let turn = world.enrol(&provider, &[("new_password", password)]).await;
        let [(field, found, message)] = errors(&turn)[..] else {
            panic!("{password}: {turn:?}");
        };
        assert_eq!((field, found), ("new_password", code), "{password}");
        assert!(
            message.contains(text) && message.contains(" of 4, "),
            "{message}"
        );
        assert!(!message.contains(password), "{message}");
    }
    assert_eq!(provider.hasher().load().memory_bytes, 0);
}

#[tokio::test]
async fn a_credential_is_listed_and_can_be_taken_back() {
    let provider = provider();
    let world = World::with_password(&provider, GOOD).await;
    let enrolment = provider.enrolment().unwrap();
    let listed = enrolment.list(&world.context()).await.unwrap();
    assert_eq!((listed.len(), &*listed[0].label), (1, "Password"));
    let stranger = RecordId::generate(&world.environment);
    let error = enrolment
        .remove(&world.context(), stranger)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    world.apply(
        enrolment
            .remove(&world.context(), listed[0].id)
            .await
            .unwrap(),
    );
    assert!(enrolment.list(&world.context()).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_registry_makes_it_from_its_table_and_names_a_wrong_key() {
    let mut registry = Registry::new();
    register(&mut registry);
    let id = ProviderId::new("password").unwrap();
    let table = json!({"minimum_length": 4}).as_object().unwrap().clone();
    let error = registry
        .configure(id.clone(), "password", table)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Invalid, Some("minimum_length"))
    );
    registry
        .configure(
            id.clone(),
            "password",
            json!({}).as_object().unwrap().clone(),
        )
        .unwrap();
    assert_eq!(registry.provider(&id).unwrap().description.amr, "pwd");
}

#[tokio::test]
async fn a_full_queue_is_an_error_with_a_time_to_come_back() {
    let provider = configured(json!({"threads": 1, "queue": 1}));
    let world = World::new().signing_in();
    let attempts = (0..8).map(|_| world.try_sign_in(&provider));
    let results = futures_util::future::join_all(attempts).await;
    let busy: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(!busy.is_empty());
    for error in busy {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.retry_after().unwrap().as_secs() >= 1);
    }
}

#[tokio::test]
async fn it_is_busy_while_its_queue_is_full_and_at_no_other_time() {
    let provider = configured(json!({"threads": 1, "queue": 2}));
    let world = World::new().signing_in();
    assert_eq!(provider.busy(), None);
    let mut attempts = Vec::new();
    // The thread takes some away meanwhile, but not as fast as they come.
    let wait = (0..100).find_map(|_| {
        let mut attempt = Box::pin(world.try_sign_in(&provider));
        assert!(attempt.as_mut().now_or_never().is_none(), "there was room");
        attempts.push(attempt);
        provider.busy()
    });
    assert!(wait.unwrap().as_secs() >= 1);
    for answer in futures_util::future::join_all(attempts).await {
        answer.unwrap();
    }
    assert_eq!(provider.busy(), None);
}

#[tokio::test]
async fn nothing_secret_shows_in_debug() {
    let provider = provider();
    let world = World::new();
    let turn = world.enrol(&provider, &[("new_password", GOOD)]).await;
    let shown = format!("{provider:?} {turn:?} {:?}", world.context());
    assert!(
        !shown.contains("argon2") && !shown.contains("horse"),
        "{shown}"
    );
}
