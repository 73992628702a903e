//! What holds for this provider beyond what holds for every one.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use gatelodge_core::{
    ErrorKind,
    model::{ProviderId, RecordId},
    provider::{
        Answer, Display, Effect, Entry, FieldKind, Form, LinkPurpose, Provider, Registry, Role,
        Step, Turn, Who,
    },
};
use gatelodge_provider_totp::register;
use serde_json::json;

use super::world::{World, app, configured, errors, is_proven, provider};

#[tokio::test]
async fn an_app_that_was_set_up_confirms_with_the_present_code() {
    let provider = provider();
    let (world, app) = World::with_app(&provider).await;
    let code = app.code(world.step());
    let turn = world.sign_in(&provider, &code).await;
    let Step::Proven { proof } = &turn.step else {
        panic!("{turn:?}");
    };
    let user = world.facts.subject.as_ref().unwrap().id;
    assert_eq!(proof.who, Who::Subject { user });
    assert!(matches!(
        turn.effects[..],
        [Effect::Replace { version: 1, .. }]
    ));
    let (first, rest) = code.split_at(3);
    for spaced in [format!("{first} {rest}"), format!(" {first}\u{a0}{rest} ")] {
        assert!(is_proven(&world.sign_in(&provider, &spaced).await));
    }
}

/// S15, v5.0.0-6.5.1: neither the same code nor an older one counts again.
#[tokio::test]
async fn s15_a_code_counts_once_and_no_older_one_after_it() {
    let provider = provider();
    let (mut world, app) = World::with_app(&provider).await;
    let refused = Turn::refused("wrong_code");
    let step = world.step();
    let turn = world.sign_in(&provider, &app.code(step)).await;
    assert!(world.apply(turn.effects));
    for spent in [step, step - 1] {
        assert_eq!(world.sign_in(&provider, &app.code(spent)).await, refused);
    }
    // The next one does, and takes those before it along.
    let turn = world.sign_in(&provider, &app.code(step + 1)).await;
    assert!(is_proven(&turn) && world.apply(turn.effects));
    world.pass(30);
    for spent in [step, step + 1] {
        assert_eq!(world.sign_in(&provider, &app.code(spent)).await, refused);
    }
    let turn = world.sign_in(&provider, &app.code(step + 2)).await;
    assert!(is_proven(&turn));
    // Another instance of the provider knows it as well.
    assert!(world.apply(turn.effects));
    let restarted = super::world::provider();
    let again = world.sign_in(&restarted, &app.code(step + 2)).await;
    assert_eq!(again, refused);
}

/// S15: of two answers that come at once, the effects of one are lost.
#[tokio::test]
async fn s15_of_two_answers_at_once_one_finds_the_version_that_it_read() {
    let provider = provider();
    let (world, app) = World::with_app(&provider).await;
    let code = app.code(world.step());
    let (one, other) = tokio::join!(
        world.sign_in(&provider, &code),
        world.sign_in(&provider, &code)
    );
    assert!(is_proven(&one) && is_proven(&other));
    assert!(world.apply(one.effects));
    assert!(!world.apply(other.effects));
}

#[tokio::test]
async fn the_code_that_sets_an_app_up_is_spent_by_that() {
    let provider = provider();
    let world = World::new();
    let app = world.enrolled(&provider, "").await;
    let step = world.step();
    for spent in [step, step - 1] {
        let turn = world.sign_in(&provider, &app.code(spent)).await;
        assert_eq!(turn, Turn::refused("wrong_code"));
    }
    assert!(is_proven(
        &world.sign_in(&provider, &app.code(step + 1)).await
    ));
}

/// v5.0.0-6.5.8: the borders of the window, by the server's clock.
#[tokio::test]
async fn a_code_is_right_one_step_early_and_late_and_not_two() {
    let provider = provider();
    let (mut world, app) = World::with_app(&provider).await;
    world.pass(300);
    let step = world.step();
    for (offset, right) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let code = app.code(step.checked_add_signed(offset).unwrap());
        let turn = world.sign_in(&provider, &code).await;
        assert_eq!(is_proven(&turn), right, "{offset}");
    }
    let strict = configured(json!({"skew": 0}));
    for (offset, right) in [(-1, false), (0, true), (1, false)] {
        let code = app.code(step.checked_add_signed(offset).unwrap());
        assert_eq!(is_proven(&world.sign_in(&strict, &code).await), right);
    }
}

#[tokio::test]
async fn a_wrong_code_can_be_tried_again_with_the_same_seed() {
    let provider = provider();
    let world = World::new();
    let (form, begun) = world.begin_enrolment(&provider).await;
    let app = app(&form);
    let wrong = app.code(world.step() + 5);
    let turn = world
        .finish_enrolment(&provider, &begun, &[("code", &wrong)])
        .await;
    assert_eq!(turn, Turn::refused("wrong_code"));
    let right = app.code(world.step());
    let turn = world
        .finish_enrolment(&provider, &begun, &[("code", &right)])
        .await;
    assert_eq!(turn.step, Step::Enrolled {});
    assert!(world.apply(turn.effects));
    assert_eq!(world.stored(0)["last_step"], world.step());
    // Whoever begins anew gets another seed.
    let (other, _) = world.begin_enrolment(&provider).await;
    assert_ne!(*super::world::app(&other).base32(), *app.base32());
}

#[tokio::test]
async fn what_an_app_needs_is_shown_as_picture_and_text() {
    let provider = provider();
    let mut world = World::new();
    let (form, _) = world.begin_enrolment(&provider).await;
    let [
        Display::Qr { value: uri, .. },
        Display::Secret { value: key, .. },
    ] = &form.display[..]
    else {
        panic!("{form:?}");
    };
    let seed = app(&form).base32();
    assert_eq!(seed.len(), 32, "160 bits");
    let expected = format!(
        "otpauth://totp/Looking-Glass%20House:alice.liddell?secret={}&issuer=Looking-Glass%20House",
        *seed
    );
    assert_eq!(uri.expose(), expected);
    assert_eq!(key.expose().replace(' ', ""), *seed);
    assert!(key.expose().split(' ').all(|group| group.len() == 4));
    let [code, name] = &form.fields[..] else {
        panic!("{form:?}");
    };
    assert_eq!(
        (&*code.name, code.kind, code.role, &*code.autocomplete),
        ("code", FieldKind::Code, Role::Code, "one-time-code")
    );
    assert_eq!(
        (&*name.name, name.role, name.required),
        ("name", Role::Other, false)
    );

    // The configuration's issuer wins; a colon would end it in the format.
    let named = configured(json!({"issuer": "Tea & Party"}));
    world.facts.subject.as_mut().unwrap().user_name = "alice:x".to_owned();
    let (form, _) = world.begin_enrolment(&named).await;
    let Display::Qr { value, .. } = &form.display[0] else {
        panic!("{form:?}");
    };
    let label = "otpauth://totp/Tea%20%26%20Party:alice-x?secret=";
    assert!(value.expose().starts_with(label), "{}", value.expose());
}

#[tokio::test]
async fn each_of_several_apps_confirms_and_keeps_its_own_steps() {
    let provider = provider();
    let mut world = World::new();
    let phone = world.enrolled(&provider, " Phone ").await;
    let tablet = world.enrolled(&provider, "Tablet").await;
    world.pass(60);
    let step = world.step();
    let turn = world.sign_in(&provider, &phone.code(step)).await;
    assert!(is_proven(&turn) && world.apply(turn.effects));
    let turn = world.sign_in(&provider, &phone.code(step)).await;
    assert_eq!(turn, Turn::refused("wrong_code"));
    let turn = world.sign_in(&provider, &tablet.code(step)).await;
    assert!(is_proven(&turn) && world.apply(turn.effects));
    let listed = provider.enrolment().unwrap().list(&world.context()).await;
    let labels: Vec<_> = listed.unwrap().into_iter().map(|c| c.label).collect();
    assert_eq!(labels, ["Phone", "Tablet"]);
}

#[tokio::test]
async fn whoever_sets_another_app_up_is_told_that_the_first_goes_on_working() {
    let provider = provider();
    let world = World::new();
    let says = |form: Form| form.message.unwrap().contains("goes on working");
    assert!(!says(world.begin_enrolment(&provider).await.0));
    world.enrolled(&provider, "Phone").await;
    assert!(says(world.begin_enrolment(&provider).await.0));
}

/// A code that is right for two apps by chance is spent with both.
#[tokio::test]
async fn a_code_of_two_apps_counts_once() {
    let provider = provider();
    let (world, app) = World::with_app(&provider).await;
    let mut twin = world.records.lock().unwrap()[0].clone();
    twin.id = RecordId::generate(&world.environment);
    world.records.lock().unwrap().push(twin);
    let code = app.code(world.step());
    let turn = world.sign_in(&provider, &code).await;
    assert!(is_proven(&turn) && world.apply(turn.effects));
    let again = world.sign_in(&provider, &code).await;
    assert_eq!(again, Turn::refused("wrong_code"));
}

#[tokio::test]
async fn no_more_than_five_apps_can_be_set_up() {
    let provider = provider();
    let world = World::new();
    let (form, early) = world.begin_enrolment(&provider).await;
    for number in 0..5 {
        world.enrolled(&provider, &format!("App {number}")).await;
    }
    let code = app(&form).code(world.step());
    let late = world
        .finish_enrolment(&provider, &early, &[("code", &code)])
        .await;
    assert_eq!(late, Turn::refused("too_many"));
    let (form, begun) = world.begin_enrolment(&provider).await;
    assert!(form.fields.is_empty() && form.display.is_empty());
    assert!(form.message.unwrap().contains("5 apps"));
    let turn = world.finish_enrolment(&provider, &begun, &[]).await;
    assert_eq!(turn, Turn::refused("too_many"));
}

#[tokio::test]
async fn a_changed_configuration_leaves_what_was_set_up_as_it_is() {
    let (mut world, app) = World::with_app(&provider()).await;
    let changed = configured(json!({"digits": 8, "period": 60, "algorithm": "SHA256"}));
    let turn = world.sign_in(&changed, &app.code(world.step())).await;
    assert!(is_proven(&turn) && world.apply(turn.effects));
    let stored = world.stored(0);
    assert_eq!(
        (&stored["digits"], &stored["period"]),
        (&json!(6), &json!(30))
    );
    assert_eq!(stored["algorithm"], "SHA1");
    world.pass(60);
    let turn = world.sign_in(&changed, &app.code(world.step())).await;
    assert!(is_proven(&turn));
}

/// S43: what cannot be read is a refused sign-in and a line in the log.
#[tokio::test]
async fn s43_a_corrupt_record_is_refused_and_told_in_the_log() {
    let provider = provider();
    let (world, app) = World::with_app(&provider).await;
    let good = world.records.lock().unwrap()[0].clone();
    let stored = world.stored(0);
    let seed = stored["seed"].as_str().unwrap().to_owned();
    let with = |key: &str, value: serde_json::Value| {
        let mut stored = stored.clone();
        stored[key] = value;
        stored.to_string().into_bytes()
    };
    let code = app.code(world.step());
    for data in [
        Vec::new(),
        b"\xff\xfe".to_vec(),
        b"{}".to_vec(),
        with("seed", json!("!!!!")),
        with("seed", json!("")),
        with("algorithm", json!("MD5")),
        with("digits", json!(0)),
        with("digits", json!(40)),
        with("period", json!(0)),
        with("last_step", json!(-1)),
        with("unknown", json!(1)),
    ] {
        world.records.lock().unwrap()[0].data.0 = data;
        let log = Log::default();
        let guard = log.listen();
        let turn = world.sign_in(&provider, &code).await;
        drop(guard);
        assert_eq!(turn, Turn::refused("wrong_code"));
        let told = log.text();
        assert!(
            told.contains("ERROR") && told.contains("cannot be read"),
            "{told}"
        );
        assert!(told.contains(&good.id.to_string()), "{told}");
        assert!(!told.contains(&seed) && !told.contains(&*code), "{told}");
    }
    // Another app of the same person still works.
    let mut other = good.clone();
    other.id = RecordId::generate(&world.environment);
    world.records.lock().unwrap().push(other);
    assert!(is_proven(&world.sign_in(&provider, &code).await));
}

#[tokio::test]
async fn what_can_be_no_code_or_name_is_invalid() {
    let provider = provider();
    let (world, app) = World::with_app(&provider).await;
    for (code, error) in [
        ("", "required"),
        ("12345", "malformed"),
        ("123456789", "malformed"),
        ("12345x", "malformed"),
        ("１２３４５６", "malformed"),
        ("1 2 3 4 5 6 7 8 9", "too_long"),
    ] {
        let turn = world.sign_in(&provider, code).await;
        assert_eq!(errors(&turn), [("code", error)], "{code:?}");
    }
    let (_, begun) = world.begin_enrolment(&provider).await;
    let code = app.code(world.step());
    for (name, error) in [
        ("x".repeat(61), "too_long"),
        ("a\u{7}b".to_owned(), "malformed"),
    ] {
        let answer = [("code", code.as_str()), ("name", name.as_str())];
        let turn = world.finish_enrolment(&provider, &begun, &answer).await;
        assert_eq!(errors(&turn), [("name", error)]);
    }
}

#[tokio::test]
async fn nobody_a_foreign_state_and_a_link_are_refused() {
    let provider = provider();
    let (mut world, app) = World::with_app(&provider).await;
    let (_, enrolling) = world.begin_enrolment(&provider).await;
    let answer = Answer::fields([("code", app.code(world.step()).as_str())]);
    let turn = provider
        .resume(&world.context(), enrolling.state.clone(), answer.clone())
        .await;
    assert_eq!(turn.unwrap(), Turn::refused("foreign_state"));
    let entry = Entry::Link {
        purpose: LinkPurpose::Reset,
        token: "t".into(),
    };
    let turn = provider.begin(&world.context(), entry).await.unwrap();
    assert_eq!(turn, Turn::refused("unsupported_entry"));
    world.facts.subject = None;
    let turn = provider
        .resume(&world.context(), enrolling.state.clone(), answer)
        .await;
    assert_eq!(turn.unwrap(), Turn::refused("no_subject"));
    let turn = provider.enrolment().unwrap().begin(&world.context()).await;
    assert_eq!(turn.unwrap(), Turn::refused("no_subject"));
}

#[tokio::test]
async fn a_decoy_is_refused_like_a_wrong_code() {
    let provider = provider();
    let world = World::new();
    let turn = world.sign_in(&provider, "123456").await;
    assert_eq!(turn, Turn::refused("wrong_code"));
}

#[tokio::test]
async fn an_app_can_be_taken_back() {
    let provider = provider();
    let (world, app) = World::with_app(&provider).await;
    let enrolment = provider.enrolment().unwrap();
    let listed = enrolment.list(&world.context()).await.unwrap();
    assert_eq!((listed.len(), &*listed[0].label), (1, "Authenticator app"));
    let stranger = RecordId::generate(&world.environment);
    let error = enrolment.remove(&world.context(), stranger).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    let effects = enrolment.remove(&world.context(), listed[0].id).await;
    assert!(world.apply(effects.unwrap()));
    let turn = world.sign_in(&provider, &app.code(world.step())).await;
    assert_eq!(turn, Turn::refused("wrong_code"));
}

#[tokio::test]
async fn the_registry_makes_it_from_its_table_and_names_a_wrong_key() {
    let mut registry = Registry::new();
    register(&mut registry);
    let id = ProviderId::new("totp").unwrap();
    let table = json!({"digits": 7}).as_object().unwrap().clone();
    let error = registry.configure(id.clone(), "totp", table).unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Invalid, Some("digits"))
    );
    registry.configure(id, "totp", Default::default()).unwrap();
}

/// What is logged meanwhile.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
