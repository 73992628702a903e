//! What holds for this provider beyond what holds for every one.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use gatelodge_core::{
    ErrorKind,
    model::ProviderId,
    provider::{
        Answer, Display, Effect, FieldKind, MessageChannel, Registry, Role, Step, Turn, Who,
    },
};
use gatelodge_provider_one_time_code::register;
use serde_json::json;

use super::world::{
    MAILBOX, TELEPHONE, World, buttons, by_mail, by_sms, configured, errors, form, is_proven,
    looked_into, says,
};

const MINUTE: u64 = 60;

#[tokio::test]
async fn opening_a_page_sends_nothing_and_shows_enough_of_the_address() {
    let provider = by_mail();
    let world = World::with(&*provider, MAILBOX).await;
    let count = world.count_sent();
    for _ in 0..3 {
        let begun = world.begin(&*provider).await;
        assert!(begun.effects.is_empty());
        assert!(form(&begun).fields.is_empty());
        assert_eq!(buttons(&begun), ["send"]);
        assert_eq!(form(&begun).actions[0].label, "Send code");
        let [Display::Text { value, .. }] = &form(&begun).display[..] else {
            panic!("{begun:?}");
        };
        assert_eq!(value, "a…@teaparty.example");
    }
    assert_eq!(world.count_sent(), count);
}

#[tokio::test]
async fn the_code_that_was_sent_proves_who_it_is() {
    let provider = by_mail();
    let world = World::with(&*provider, MAILBOX).await;
    let sent = world.ask(&*provider).await;
    let [field] = &form(&sent).fields[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(
        (&*field.name, field.kind, field.role, &*field.autocomplete),
        ("code", FieldKind::Code, Role::Code, "one-time-code")
    );
    assert_eq!(buttons(&sent), ["send_again"]);
    let proven = world.answer(&*provider, &sent, &world.newest()).await;
    let Step::Proven { proof } = &proven.step else {
        panic!("{proven:?}");
    };
    let user = world.facts.subject.as_ref().unwrap().id;
    assert_eq!(proof.who, Who::Subject { user });
    assert!(proof.mailbox.is_none());
    assert!(matches!(proven.effects[..], [Effect::Replace { .. }]));
}

/// S06, v5.0.0-6.5.5: a second before the end, and a second after it.
#[tokio::test]
async fn s06_a_code_ends_when_it_was_said_to() {
    for (minutes, provider) in [
        (10, by_mail()),
        (10, by_sms()),
        (
            3,
            configured(json!({"channel": "mail", "lifetime_minutes": 3})),
        ),
    ] {
        let address = match provider.describe().amr.as_str() {
            "sms" => TELEPHONE,
            _ => MAILBOX,
        };
        for (late, is_right) in [(-1, true), (0, false), (1, false)] {
            let wait = (MINUTE * minutes).checked_add_signed(late).unwrap();
            let mut world = World::with(&*provider, address).await;
            let sent = world.ask(&*provider).await;
            world.pass(wait);
            let turn = world.answer(&*provider, &sent, &world.newest()).await;
            assert_eq!(is_proven(&turn), is_right, "{minutes} minutes {late} s");
            if !is_right {
                assert_eq!(turn, Turn::refused("expired_code"));
            }
            // The same for setting up.
            let mut world = World::new();
            let named = world.name(&*provider, address).await;
            world.pass(wait);
            let answer = Answer::fields([("code", world.newest().as_str())]);
            let turn = world.go_on(&*provider, &named, answer).await;
            assert_eq!(turn.step == Step::Enrolled {}, is_right);
        }
    }
}

/// S15, v5.0.0-6.5.1.
#[tokio::test]
async fn s15_a_code_counts_once() {
    let provider = by_mail();
    let world = World::with(&*provider, MAILBOX).await;
    let sent = world.ask(&*provider).await;
    let code = world.newest();
    let (one, other) = tokio::join!(
        world.answer(&*provider, &sent, &code),
        world.answer(&*provider, &sent, &code)
    );
    assert!(is_proven(&one) && is_proven(&other));
    // Of two answers that come at once, the effects of one are lost.
    assert!(world.apply(&one.effects));
    assert!(!world.apply(&other.effects));
    // Also at a server that has just started.
    for provider in [provider, by_mail()] {
        let again = world.answer(&*provider, &sent, &code).await;
        assert_eq!(again, Turn::refused("wrong_code"));
    }
}

#[tokio::test]
async fn only_the_newest_code_counts() {
    let provider = by_mail();
    let mut world = World::with(&*provider, MAILBOX).await;
    let first = world.ask(&*provider).await;
    let old = world.newest();
    world.pass(MINUTE);
    let second = world.press(&*provider, &first, "send_again").await;
    let new = world.newest();
    assert_ne!(old, new);
    for at in [&first, &second] {
        let turn = world.answer(&*provider, at, &old).await;
        assert_eq!(turn, Turn::refused("wrong_code"));
    }
    assert!(is_proven(&world.answer(&*provider, &second, &new).await));
    // The same for setting up.
    let named = world.name(&*provider, "alice@wonder.example").await;
    let old = world.newest();
    world.pass(MINUTE);
    let again = Answer::Action {
        action: "send_again".to_owned(),
    };
    let named = world.go_on(&*provider, &named, again).await;
    let turn = world.go_on(&*provider, &named, Answer::fields([("code", old.as_str())]));
    assert_eq!(turn.await, Turn::refused("wrong_code"));
}

/// v5.0.0-6.6.2.
#[tokio::test]
async fn a_code_counts_only_where_it_was_asked_for() {
    let provider = by_mail();
    let mut world = World::with(&*provider, MAILBOX).await;
    let one = world.ask(&*provider).await;
    let code = world.newest();
    world.pass(MINUTE);
    let other = world.ask(&*provider).await;
    let turn = world.answer(&*provider, &other, &code).await;
    assert_eq!(turn, Turn::refused("wrong_code"));
    let code = world.newest();
    let turn = world.answer(&*provider, &one, &code).await;
    assert_eq!(turn, Turn::refused("wrong_code"));
    assert!(is_proven(&world.answer(&*provider, &other, &code).await));
    // A flow that has asked for nothing does not even take one.
    let begun = world.begin(&*provider).await;
    let turn = world.answer(&*provider, &begun, &code).await;
    assert_eq!(turn, Turn::refused("unsupported_answer"));
}

/// v5.0.0-6.6.3: at most one a minute and five an hour, whatever flow or server.
#[tokio::test]
async fn codes_are_sent_at_a_pace_and_whoever_waits_is_told_so() {
    let provider = by_mail();
    let mut world = World::with(&*provider, MAILBOX).await;
    let before = world.count_sent();
    let sent = world.ask(&*provider).await;
    let code = world.newest();
    // Sooner than after a minute there is none, here, in another flow, or elsewhere.
    world.pass(MINUTE - 1);
    let again = world.press(&*provider, &sent, "send_again").await;
    assert!(says(&again, "in a minute") && again.effects.is_empty());
    assert_eq!(form(&again).fields.len(), 1, "the first one can be entered");
    let elsewhere = by_mail();
    let refused = world.ask(&*elsewhere).await;
    assert!(says(&refused, "in a minute") && refused.effects.is_empty());
    assert_eq!(buttons(&refused), ["send"]);
    assert_eq!(world.count_sent(), before + 1);
    assert!(is_proven(&world.answer(&*provider, &again, &code).await));
    world.pass(1);
    for _ in 1..5 {
        world.ask(&*elsewhere).await;
        world.pass(MINUTE);
    }
    assert_eq!(world.count_sent(), before + 5);
    let refused = world.ask(&*provider).await;
    assert!(says(&refused, "in 55 minutes"), "{refused:?}");
    world.pass(55 * MINUTE - 1);
    assert!(says(&world.ask(&*provider).await, "in a minute"));
    assert_eq!(world.count_sent(), before + 5);
    world.pass(1);
    world.ask(&*provider).await;
    assert_eq!(world.count_sent(), before + 6);
}

#[tokio::test]
async fn each_of_three_addresses_gets_codes_of_its_own_and_there_is_no_fourth() {
    let provider = by_mail();
    let mut world = World::new();
    for name in ["ann", "bea", "cat"] {
        world
            .enrol(&*provider, &format!("{name}@wonder.example"))
            .await;
        world.pass(MINUTE);
    }
    let begun = world.begin(&*provider).await;
    assert_eq!(buttons(&begun), ["send", "send_2", "send_3"]);
    let labels: Vec<_> = form(&begun).actions.iter().map(|a| &*a.label).collect();
    assert_eq!(labels[1], "Send code to b…@wonder.example");
    assert!(form(&begun).display.is_empty());
    let second = world.press(&*provider, &begun, "send_2").await;
    let code = world.newest();
    let to = world.sent.lock().unwrap().last().unwrap().to.clone();
    assert_eq!(to.unwrap().expose(), "bea@wonder.example");
    // Another one can be chosen, and has a pace of its own.
    assert_eq!(buttons(&second), ["send_again", "other_address"]);
    let begun = world.press(&*provider, &second, "other_address").await;
    let third = world.press(&*provider, &begun, "send_3").await;
    let turn = world.answer(&*provider, &third, &code).await;
    assert_eq!(turn, Turn::refused("wrong_code"));
    let turn = world.answer(&*provider, &third, &world.newest()).await;
    assert!(is_proven(&turn));

    let full = world.begin_enrolment(&*provider).await;
    assert!(form(&full).fields.is_empty() && says(&full, "no more"));
    let turn = world.go_on(&*provider, &full, Answer::fields([])).await;
    assert_eq!(turn, Turn::refused("nothing_to_set_up"));
}

#[tokio::test]
async fn where_nothing_can_be_sent_nothing_is_offered() {
    for (provider, address, other) in [
        (by_mail(), MAILBOX, MessageChannel::Sms),
        (by_sms(), TELEPHONE, MessageChannel::Mail),
    ] {
        let mut world = World::with(&*provider, address).await;
        let offered = world.begin(&*provider).await;
        let named = world.name(&*provider, "+49 30 999999").await;
        let count = world.count_sent();
        world.facts.channels = vec![other];
        let begun = world.begin(&*provider).await;
        assert_eq!(begun, Turn::refused("no_channel"));
        let turn = world.press(&*provider, &offered, "send").await;
        assert_eq!(turn, Turn::refused("no_channel"));
        let begun = world.begin_enrolment(&*provider).await;
        assert!(form(&begun).fields.is_empty() && says(&begun, "cannot send"));
        let again = Answer::Action {
            action: "send_again".to_owned(),
        };
        if matches!(named.step, Step::Prompt { .. }) {
            let turn = world.go_on(&*provider, &named, again).await;
            assert_eq!(turn, Turn::refused("no_channel"));
        }
        assert_eq!(world.count_sent(), count);
    }
}

/// S43: what cannot be read is no address, and a line in the log.
#[tokio::test]
async fn s43_a_corrupt_record_is_left_out_and_told_in_the_log() {
    let provider = by_mail();
    let mut world = World::with(&*provider, MAILBOX).await;
    let sent = world.ask(&*provider).await;
    let code = world.newest();
    let good = world.own().remove(0);
    for data in [
        Vec::new(),
        b"\xff\xfe".to_vec(),
        b"{}".to_vec(),
        b"{\"to\":\"a@b.example\",\"code\":null,\"sent\":7}".to_vec(),
        vec![0; 60 * 1024],
    ] {
        world.records.lock().unwrap()[1].1.data.0 = data;
        let log = Log::default();
        let guard = log.listen();
        let turn = world.answer(&*provider, &sent, &code).await;
        let begun = world.begin(&*provider).await;
        drop(guard);
        assert_eq!(turn, Turn::refused("wrong_code"));
        assert!(buttons(&begun).is_empty() && says(&begun, "nothing"));
        let told = log.text();
        assert!(
            told.contains("ERROR") && told.contains("cannot be read"),
            "{told}"
        );
        assert!(told.contains(&good.id.to_string()), "{told}");
    }
    // Another address of the same person still works.
    world.pass(MINUTE);
    world.enrol(&*provider, "alice@wonder.example").await;
    let sent = world.ask(&*provider).await;
    let code = world.newest();
    assert!(is_proven(&world.answer(&*provider, &sent, &code).await));
}

#[tokio::test]
async fn what_can_be_no_code_or_address_is_invalid() {
    let mail = by_mail();
    let world = World::with(&*mail, MAILBOX).await;
    let sent = world.ask(&*mail).await;
    for (code, error) in [
        ("", "required"),
        ("1234567", "malformed"),
        ("123456789", "malformed"),
        ("1234567x", "malformed"),
        ("１２３４５６７８", "malformed"),
        ("1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8", "too_long"),
    ] {
        let turn = world.answer(&*mail, &sent, code).await;
        assert_eq!(errors(&turn), [("code", error)], "{code:?}");
    }
    let sms = by_sms();
    let long = "7".repeat(300);
    for (provider, address, error) in [
        (&mail, "", "required"),
        (&mail, "alice", "malformed"),
        (&mail, "a@b.example, c@d.example", "malformed"),
        (&mail, long.as_str(), "too_long"),
        (&sms, "", "required"),
        (&sms, "030 123456", "malformed"),
        (&sms, "alice@wonder.example", "malformed"),
        (&sms, long.as_str(), "too_long"),
    ] {
        let turn = world.name(&**provider, address).await;
        assert_eq!(errors(&turn), [("address", error)], "{address:?}");
    }
}

#[tokio::test]
async fn nobody_and_a_foreign_state_are_refused() {
    let provider = by_mail();
    let mut world = World::with(&*provider, MAILBOX).await;
    let sent = world.ask(&*provider).await;
    let named = world.name(&*provider, "alice@wonder.example").await;
    let answer = Answer::fields([("code", world.newest().as_str())]);
    let turn = world.resume(&*provider, &named, answer.clone()).await;
    assert_eq!(turn, Turn::refused("foreign_state"));
    let turn = world.go_on(&*provider, &sent, answer.clone()).await;
    assert_eq!(turn, Turn::refused("foreign_state"));
    world.facts.subject = None;
    for turn in [
        world.resume(&*provider, &sent, answer.clone()).await,
        world.go_on(&*provider, &named, answer).await,
        world.begin_enrolment(&*provider).await,
    ] {
        assert_eq!(turn, Turn::refused("no_subject"));
    }
}

/// S17: a code stands in the message and nowhere else: neither in what the person
/// sees, nor in what is kept, nor in a log.
#[tokio::test]
async fn s17_a_code_stands_in_its_message_only() {
    let log = Log::default();
    let guard = log.listen();
    for (provider, address) in [(by_mail(), MAILBOX), (by_sms(), TELEPHONE)] {
        let mut world = World::new();
        let mut turns = vec![world.name(&*provider, address).await];
        let answer = Answer::fields([("code", world.newest().as_str())]);
        turns.push(world.go_on(&*provider, &turns[0], answer).await);
        world.pass(600);
        turns.push(world.ask(&*provider).await);
        let sent = turns[2].clone();
        turns.push(world.press(&*provider, &sent, "send_again").await);
        turns.push(world.answer(&*provider, &sent, "1234 5678").await);
        for message in world.sent.lock().unwrap().iter() {
            let code = message.code.as_ref().unwrap().expose();
            let plain = code.replace(' ', "");
            for turn in &turns {
                let step = serde_json::to_string(&turn.step).unwrap();
                let seen = [step, format!("{turn:?}"), looked_into(&turn.state)];
                assert!(
                    seen.iter()
                        .all(|s| !s.contains(code) && !s.contains(&plain)),
                    "{seen:?}"
                );
            }
            for record in world.own() {
                let kept = looked_into(&record.data);
                assert!(!kept.contains(&plain) && !record.label.contains(&plain));
            }
        }
    }
    drop(guard);
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn the_registry_makes_it_from_its_table_and_names_a_wrong_key() {
    let mut registry = Registry::new();
    register(&mut registry);
    for (table, field) in [
        (json!({}), "channel"),
        (json!({"channel": "fax"}), "channel"),
        (
            json!({"channel": "sms", "lifetime_minutes": 30}),
            "lifetime_minutes",
        ),
    ] {
        let table = table.as_object().unwrap().clone();
        let id = ProviderId::new("codes").unwrap();
        let error = registry.configure(id, "one-time-code", table).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::Invalid, Some(field))
        );
    }
    for channel in ["mail", "sms"] {
        let table = json!({"channel": channel}).as_object().unwrap().clone();
        let id = ProviderId::new(format!("{channel}-code")).unwrap();
        registry.configure(id, "one-time-code", table).unwrap();
    }
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
