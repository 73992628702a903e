//! Setting addresses up, and taking them back.

use gatelodge_core::{
    ErrorKind,
    model::RecordId,
    provider::{Answer, FieldKind, MessageChannel, Role, Step, Turn},
};

use super::world::{
    MAILBOX, TELEPHONE, World, buttons, by_mail, by_sms, errors, form, is_proven, says,
};

const MINUTE: u64 = 60;

#[tokio::test]
async fn an_address_counts_once_the_code_that_was_sent_to_it_was_entered() {
    let provider = by_mail();
    let world = World::new();
    let begun = world.begin_enrolment(&*provider).await;
    let [field] = &form(&begun).fields[..] else {
        panic!("{begun:?}");
    };
    assert_eq!(
        (&*field.name, field.kind, field.role, &*field.autocomplete),
        ("address", FieldKind::Email, Role::Other, "email")
    );
    // The account's own address, unless another one is typed.
    assert_eq!(field.value.as_deref(), Some(MAILBOX));
    assert!(begun.effects.is_empty());

    let named = world.name(&*provider, "Alice@Wonder.example").await;
    assert!(says(&named, "A…@wonder.example"), "{named:?}");
    assert!(!format!("{:?}", named.step).contains("Alice@"));
    assert!(world.own().is_empty(), "it is not proven yet");
    let message = world.sent.lock().unwrap()[0].clone();
    assert_eq!(message.to.unwrap().expose(), "Alice@wonder.example");
    assert_eq!(message.channel, MessageChannel::Mail);
    assert_eq!(message.template, "code");
    let lasts = message.expires_at.duration_since(world.facts.now);
    assert_eq!(lasts.as_secs(), 600);
    let code = world.newest();
    assert_eq!(code.len(), "1234 5678".len());

    let wrong = if code.starts_with('1') {
        "2222 2222"
    } else {
        "1111 1111"
    };
    let refused = world
        .go_on(&*provider, &named, Answer::fields([("code", wrong)]))
        .await;
    assert_eq!(refused, Turn::refused("wrong_code"));
    assert!(world.own().is_empty());
    let right = Answer::fields([("code", code.as_str())]);
    let enrolled = world.go_on(&*provider, &named, right).await;
    assert_eq!(enrolled.step, Step::Enrolled {});
    let enrolment = provider.enrolment().unwrap();
    let listed = enrolment.list(&world.context()).await.unwrap();
    let labels: Vec<_> = listed.iter().map(|listed| &*listed.label).collect();
    assert_eq!(labels, ["A…@wonder.example"]);
}

/// v5.0.0-6.6.1
#[tokio::test]
async fn a_number_gets_codes_in_one_piece_and_its_owner_is_told_the_risk() {
    let provider = by_sms();
    let mut world = World::new();
    let begun = world.begin_enrolment(&*provider).await;
    let [field] = &form(&begun).fields[..] else {
        panic!("{begun:?}");
    };
    assert_eq!((field.kind, &*field.autocomplete), (FieldKind::Text, "tel"));
    assert_eq!(field.value, None);
    assert!(says(&begun, "telephone company"), "{begun:?}");
    assert!(says(&begun, "authenticator app"), "{begun:?}");
    world.enrol(&*provider, TELEPHONE).await;
    world.pass(600);
    let sent = world.ask(&*provider).await;
    let message = world.sent.lock().unwrap()[1].clone();
    assert_eq!(message.to.unwrap().expose(), "+49301234711");
    assert_eq!(message.channel, MessageChannel::Sms);
    assert_eq!(message.template, "second_factor_code");
    let code = world.newest();
    assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()));
    assert!(is_proven(&world.answer(&*provider, &sent, &code).await));
    assert_eq!(provider.describe().amr, "sms");
    assert_eq!(by_mail().describe().amr, "otp");
}

/// Nobody floods the mailboxes and telephones of others by setting them up.
#[tokio::test]
async fn a_user_sets_addresses_up_at_a_pace_whichever_they_are() {
    let provider = by_sms();
    let mut world = World::new();
    for number in 0..5 {
        let named = world
            .name(&*provider, &format!("+49 30 123456{number}"))
            .await;
        assert_eq!(world.count_sent(), number + 1);
        assert_eq!(buttons(&named), ["send_again", "other_address"]);
        world.pass(MINUTE - 1);
        let early = world.name(&*provider, "+49 30 999999").await;
        assert!(says(&early, "another one in") && early.effects.is_empty());
        let typed = form(&early).fields[0].value.as_deref();
        assert_eq!(typed, Some("+4930999999"));
        let again = Answer::Action {
            action: "send_again".to_owned(),
        };
        let again = world.go_on(&*provider, &named, again).await;
        assert!(says(&again, "another one in") && again.effects.is_empty());
        world.pass(1);
    }
    let late = world.name(&*by_sms(), "+49 30 999999").await;
    assert!(says(&late, "in 55 minutes"), "{late:?}");
    assert_eq!(world.count_sent(), 5);
    // What slows somebody down is no factor that is set up.
    assert!(world.own().is_empty());
    let enrolment = provider.enrolment().unwrap();
    assert!(enrolment.list(&world.context()).await.unwrap().is_empty());
    world.pass(60 * MINUTE);
    world.enrol(&*provider, "+49 30 999999").await;
    assert_eq!(world.own().len(), 1);
}

#[tokio::test]
async fn no_address_is_set_up_twice() {
    let provider = by_mail();
    let mut world = World::new();
    // Two flows at once for one address.
    let one = world.name(&*provider, MAILBOX).await;
    let first = world.newest();
    world.pass(MINUTE);
    let other = world
        .name(&*provider, "ALICE.liddell@TeaParty.example")
        .await;
    let second = world.newest();
    let right = |code: &str| Answer::fields([("code", code)]);
    let enrolment = provider.enrolment().unwrap();
    let context = world.context();
    let turn = enrolment.resume(&context, other.state.clone(), right(&second));
    let late = turn.await.unwrap();
    world.go_on(&*provider, &one, right(&first)).await;
    assert!(!world.apply(&late.effects), "it has the same key");
    let turn = world.go_on(&*provider, &other, right(&second)).await;
    assert_eq!(turn, Turn::refused("set_up_already"));
    world.pass(MINUTE);
    let again = Answer::Action {
        action: "send_again".to_owned(),
    };
    let turn = world.go_on(&*provider, &other, again).await;
    assert_eq!(turn, Turn::refused("set_up_already"));
    let turn = world.name(&*provider, MAILBOX).await;
    assert_eq!(errors(&turn), [("address", "set_up_already")]);
    let begun = world.begin_enrolment(&*provider).await;
    assert_eq!(form(&begun).fields[0].value, None, "another one is wanted");
}

/// v5.0.0-6.5.6
#[tokio::test]
async fn an_address_can_be_taken_back_and_a_code_on_its_way_with_it() {
    let provider = by_mail();
    let world = World::with(&*provider, MAILBOX).await;
    let sent = world.ask(&*provider).await;
    let enrolment = provider.enrolment().unwrap();
    let stranger = RecordId::generate(&world.environment);
    let error = enrolment.remove(&world.context(), stranger).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    let effects = enrolment.remove(&world.context(), world.own()[0].id).await;
    assert!(world.apply(&effects.unwrap()));
    let turn = world.answer(&*provider, &sent, &world.newest()).await;
    assert_eq!(turn, Turn::refused("wrong_code"));
    let turn = world.press(&*provider, &sent, "send_again").await;
    assert_eq!(turn, Turn::refused("unknown_address"));
}
