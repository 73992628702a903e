//! The rules of the profiles: what they demand, what they say and what they break.

use std::time::Duration;

use gatelodge_core::{
    environment::later,
    model::MustChange,
    provider::{Effect, Intent, Proof, Provider, Renewal, Step, Turn},
};
use gatelodge_provider_password::PasswordProvider;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::{GOOD, OTHER, World, configured, errors, provider};

const DAY: Duration = Duration::from_secs(86_400);

/// The profile `legacy` with these keys too.
fn legacy(keys: Value) -> PasswordProvider {
    let mut table = json!({"profile": "legacy", "acknowledge_nonconformance": true});
    let more = keys.as_object().unwrap().clone();
    table.as_object_mut().unwrap().extend(more);
    configured(table)
}

fn codes(turn: &Turn) -> Vec<&str> {
    errors(turn).into_iter().map(|(_, code, _)| code).collect()
}

/// Changes the password from one to another.
async fn change(world: &World, provider: &PasswordProvider, from: &str, to: &str) -> Turn {
    let answer = [("current_password", from), ("new_password", to)];
    let turn = world.enrol(provider, &answer).await;
    world.apply(turn.effects.clone());
    turn
}

fn former(world: &World) -> usize {
    let stored: Value = serde_json::from_str(&world.stored()).unwrap();
    stored["former"].as_array().map_or(0, Vec::len)
}

/// v5.0.0-6.2.1: 8 and 15 characters, by profile.
#[tokio::test]
async fn a_profile_decides_how_long_a_password_is() {
    for (provider, minimum) in [
        (provider(), 15),
        (configured(json!({"profile": "asvs"})), 8),
        (
            configured(json!({"profile": "nist", "minimum_length": 8})),
            8,
        ),
        (legacy(json!({})), 15),
        (legacy(json!({"minimum_length": 12})), 12),
    ] {
        let world = World::new();
        let text: String = "zq xv jw kp by gt nm".chars().take(minimum).collect();
        let short: String = text.chars().take(minimum - 1).collect();
        let turn = world.enrol(&provider, &[("new_password", &short)]).await;
        assert_eq!(codes(&turn), ["too_short"], "{minimum}");
        let turn = world.enrol(&provider, &[("new_password", &text)]).await;
        assert_eq!(turn.step, Step::Enrolled {}, "{minimum}");
    }
}

/// v5.0.0-6.2.4 and v5.0.0-6.2.11 hold in every profile.
#[tokio::test]
async fn no_profile_lowers_the_floor_of_the_list_or_of_context_words() {
    for provider in [
        configured(json!({"profile": "asvs"})),
        legacy(json!({"minimum_length": 8, "required_types": ["digit"]})),
    ] {
        let world = World::new();
        for (password, code) in [
            ("1qaz2wsx", "common"),
            ("QWERTYUIOP1", "common"),
            ("gatelodge1", "context_word"),
            ("alice.liddell2026", "context_word"),
        ] {
            let turn = world.enrol(&provider, &[("new_password", password)]).await;
            assert_eq!(codes(&turn), [code], "{password}");
        }
    }
}

/// v5.0.0-6.2.5 is what only `legacy` leaves, knowingly.
#[tokio::test]
async fn kinds_of_characters_are_demanded_where_that_is_configured() {
    let all = json!({"minimum_length": 8, "required_types": ["upper", "lower", "digit", "symbol"]});
    let provider = legacy(all);
    let world = World::new();
    for (password, missing) in [
        ("quiet herons", &["missing_upper", "missing_digit"][..]),
        ("QUIET HERONS 7", &["missing_lower"]),
        ("Quiet herons", &["missing_digit"]),
        ("Quietherons7", &["missing_symbol"]),
        (
            "7",
            &[
                "too_short",
                "missing_upper",
                "missing_lower",
                "missing_symbol",
            ],
        ),
    ] {
        let turn = world.enrol(&provider, &[("new_password", password)]).await;
        assert_eq!(codes(&turn), missing, "{password}");
        let hints = errors(&turn)
            .iter()
            .filter(|e| e.2.contains(" of 4, "))
            .count();
        assert_eq!(hints, 1, "one hint for all reasons");
    }
    let turn = world
        .enrol(&provider, &[("new_password", "quiet herons 7")])
        .await;
    let [(_, _, message)] = errors(&turn)[..] else {
        panic!("{turn:?}");
    };
    assert!(
        message.starts_with("The password needs a capital letter."),
        "{message}"
    );
    for password in ["Quiet herons 7", "Ähren-Feld ٣x", "Quiet7\u{1f600}herons"] {
        let turn = world.enrol(&provider, &[("new_password", password)]).await;
        assert_eq!(turn.step, Step::Enrolled {}, "{password}");
    }
}

#[tokio::test]
async fn the_form_says_the_rules_beforehand() {
    for (provider, minimum, said, unsaid) in [
        (
            provider(),
            15,
            &["At least 15", "no kind of character is demanded"][..],
            "days",
        ),
        (
            configured(json!({"profile": "asvs", "history": 1})),
            8,
            &[
                "At least 8",
                "the password that you had before the present one",
            ],
            "days",
        ),
        (
            legacy(json!({
                "minimum_length": 12, "required_types": ["digit", "symbol"], "history": 5,
                "maximum_age_days": 90,
            })),
            12,
            &[
                "At least 12 characters, among them at least a digit and a symbol.",
                "a space too",
                "the 5 passwords that you had before",
                "changed after 90 days",
            ],
            "no kind of character",
        ),
    ] {
        let (form, _) = World::new().begin_enrolment(&provider).await;
        let help = form.fields[0].help.clone().unwrap();
        assert_eq!(form.fields[0].min_length, Some(minimum));
        for words in said {
            assert!(help.contains(words), "{help}");
        }
        assert!(!help.contains(unsaid), "{help}");
    }
}

#[tokio::test]
async fn the_present_password_and_the_ones_before_are_not_used_again() {
    let provider = configured(json!({"history": 2}));
    let world = World::with_password(&provider, "the first of some herons").await;
    let words = ["second", "third", "fourth"].map(|nth| format!("the {nth} of some herons"));
    let mut present = "the first of some herons".to_owned();
    for next in &words {
        let turn = change(&world, &provider, &present, next).await;
        assert_eq!(turn.step, Step::Enrolled {});
        present.clone_from(next);
    }
    assert_eq!(former(&world), 2, "no more are kept than are compared");
    for (password, code) in [
        ("the fourth of some herons", "unchanged"),
        ("the third of some herons", "used_before"),
        ("the second of some herons", "used_before"),
    ] {
        let turn = change(&world, &provider, &present, password).await;
        let [(field, found, message)] = errors(&turn)[..] else {
            panic!("{turn:?}");
        };
        assert_eq!((field, found), ("new_password", code));
        assert!(!message.contains("heron"), "{message}");
        if code == "used_before" {
            assert_eq!(
                message,
                "This was one of your last 2 passwords; choose one that is new."
            );
        }
    }
    let turn = change(&world, &provider, &present, "the first of some herons").await;
    assert_eq!(turn.step, Step::Enrolled {}, "it was long ago");
}

/// Whoever gets back in does not get around the history.
#[tokio::test]
async fn who_forgot_the_password_cannot_go_back_to_an_old_one_either() {
    let provider = configured(json!({"history": 3}));
    let mut world = World::with_password(&provider, GOOD).await;
    change(&world, &provider, GOOD, OTHER).await;
    world.facts.intent = Intent::Recover;
    let turn = world.enrol(&provider, &[("new_password", GOOD)]).await;
    assert_eq!(codes(&turn), ["used_before"]);
    let turn = world.enrol(&provider, &[("new_password", OTHER)]).await;
    assert_eq!(codes(&turn), ["unchanged"]);
}

#[tokio::test]
async fn without_a_history_only_the_present_password_is_refused() {
    let provider = provider();
    let world = World::with_password(&provider, GOOD).await;
    change(&world, &provider, GOOD, OTHER).await;
    assert_eq!(former(&world), 0);
    let turn = change(&world, &provider, OTHER, GOOD).await;
    assert_eq!(turn.step, Step::Enrolled {});
}

/// v5.0.0-6.2.8: former passwords are compared as exactly as the present one.
#[tokio::test]
async fn s43_a_former_password_is_compared_in_nfc_and_to_its_last_byte() {
    let provider = configured(json!({"history": 5}));
    let composed = "caf\u{e9} on the quay at noon";
    let world = World::with_password(&provider, composed).await;
    let long = format!("{} end", "a pond of grey herons ".repeat(4));
    change(&world, &provider, composed, &long).await;
    change(&world, &provider, &long, OTHER).await;
    let decomposed = "cafe\u{301} on the quay at noon";
    let turn = change(&world, &provider, OTHER, decomposed).await;
    assert_eq!(codes(&turn), ["used_before"]);
    let turn = change(&world, &provider, OTHER, &long).await;
    assert_eq!(codes(&turn), ["used_before"]);
    for (from, new) in [
        (OTHER, format!("{long} ")),
        (&format!("{long} "), long.replace("end", "enX")),
    ] {
        assert!(new.len() > 73, "beyond what bcrypt reads");
        let turn = change(&world, &provider, from, &new).await;
        assert_eq!(turn.step, Step::Enrolled {}, "{new}");
    }
}

/// A corrupt former hash is no former password, and breaks nothing.
#[tokio::test]
async fn s43_a_history_that_cannot_be_read_lets_the_change_happen() {
    let provider = configured(json!({"history": 24}));
    let world = World::with_password(&provider, GOOD).await;
    let mut stored: Value = serde_json::from_str(&world.stored()).unwrap();
    stored["former"] = json!(["", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAA"]);
    world.records.lock().unwrap()[0].data.0 = stored.to_string().into_bytes();
    let turn = change(&world, &provider, GOOD, OTHER).await;
    assert_eq!(turn.step, Step::Enrolled {});
    world.records.lock().unwrap()[0].data.0 = b"{}".to_vec();
    let mut world = world;
    world.facts.intent = Intent::Recover;
    let turn = world.enrol(&provider, &[("new_password", GOOD)]).await;
    assert_eq!(turn.step, Step::Enrolled {});
}

/// What the age of the password says at a sign-in.
async fn renewal(world: &World, provider: &PasswordProvider) -> Option<Renewal> {
    let turn = world.sign_in(provider, &[("password", GOOD)]).await;
    match turn.step {
        Step::Proven {
            proof: Proof { renew, .. },
        } => renew,
        other => panic!("{other:?}"),
    }
}

/// v5.0.0-6.4.5: a warning before, a duty after, never a refusal.
#[tokio::test]
async fn an_old_password_is_right_and_has_to_be_changed() {
    let provider = legacy(json!({"maximum_age_days": 90, "warn_days": 7}));
    let mut world = World::with_password(&provider, GOOD).await.signing_in();
    let start = world.facts.now;
    let due = later(start, 90 * DAY);
    let aged = |due| {
        Some(Renewal {
            reason: MustChange::Age,
            due,
        })
    };
    let millisecond = Duration::from_millis(1);
    for (after, expected) in [
        (Duration::ZERO, None),
        (83 * DAY - millisecond, None),
        (83 * DAY, aged(Some(due))),
        (90 * DAY - millisecond, aged(Some(due))),
        (90 * DAY, aged(None)),
        (4_000 * DAY, aged(None)),
    ] {
        world.facts.now = later(start, after);
        assert_eq!(renewal(&world, &provider).await, expected, "{after:?}");
    }
    let wrong = world.sign_in(&provider, &[("password", OTHER)]).await;
    assert_eq!(wrong, Turn::refused("wrong_password"));
}

/// v5.0.0-6.2.10.
#[tokio::test]
async fn no_password_grows_old_where_that_is_not_demanded() {
    for provider in [
        provider(),
        configured(json!({"profile": "asvs"})),
        legacy(json!({})),
    ] {
        let mut world = World::with_password(&provider, GOOD).await.signing_in();
        world.facts.now = later(world.facts.now, 3_650 * DAY);
        assert_eq!(renewal(&world, &provider).await, None);
    }
}

/// The clock goes two years forth and back again.
#[tokio::test]
async fn a_clock_that_jumps_locks_nobody_out() {
    let provider = legacy(json!({"maximum_age_days": 90}));
    let mut world = World::with_password(&provider, GOOD).await.signing_in();
    let start = later(Timestamp::UNIX_EPOCH, 20_000 * DAY);
    world.facts.now = start;
    world.facts.intent = Intent::Recover;
    let turn = world.enrol(&provider, &[("new_password", OTHER)]).await;
    world.apply(turn.effects);
    let turn = world.enrol(&provider, &[("new_password", GOOD)]).await;
    world.apply(turn.effects);
    let mut world = world.signing_in();
    assert_eq!(renewal(&world, &provider).await, None);
    world.facts.now = later(start, 730 * DAY);
    let old = renewal(&world, &provider).await;
    assert_eq!(old.map(|old| old.due), Some(None));
    world.facts.now = start;
    assert_eq!(
        renewal(&world, &provider).await,
        None,
        "back again, it is fresh"
    );

    // Set while the clock was ahead: it is fresh until that time comes, and then as long as any.
    world.facts.now = later(start, 730 * DAY);
    world.facts.intent = Intent::Recover;
    let turn = world.enrol(&provider, &[("new_password", OTHER)]).await;
    world.apply(turn.effects);
    let turn = world.enrol(&provider, &[("new_password", GOOD)]).await;
    world.apply(turn.effects);
    let mut world = world.signing_in();
    world.facts.now = start;
    assert_eq!(renewal(&world, &provider).await, None);
    world.facts.now = later(start, 820 * DAY);
    assert_eq!(
        renewal(&world, &provider).await.map(|old| old.due),
        Some(None)
    );
    world.facts.now = Timestamp::MAX;
    assert!(renewal(&world, &provider).await.is_some());
}

#[tokio::test]
async fn a_new_password_is_young_and_a_stronger_hash_of_the_old_one_is_not() {
    let weak = legacy(json!({
        "maximum_age_days": 90, "history": 2, "memory_kib": 12_288, "iterations": 3,
    }));
    let strong = legacy(json!({"maximum_age_days": 90, "history": 2}));
    let mut world = World::with_password(&weak, OTHER).await;
    change(&world, &weak, OTHER, GOOD).await;
    let mut world = {
        world.facts.now = later(world.facts.now, 100 * DAY);
        world.signing_in()
    };
    let turn = world.sign_in(&strong, &[("password", GOOD)]).await;
    assert!(matches!(turn.effects[..], [Effect::Replace { .. }]));
    world.apply(turn.effects);
    assert!(world.stored().contains("m=19456,t=2"));
    assert_eq!(former(&world), 1, "a stronger hash forgets nothing");
    assert!(renewal(&world, &strong).await.is_some());
    world.facts.intent = Intent::Enrol;
    let turn = change(&world, &strong, GOOD, "some other grey herons").await;
    assert_eq!(turn.step, Step::Enrolled {});
    let world = world.signing_in();
    let turn = world
        .sign_in(&strong, &[("password", "some other grey herons")])
        .await;
    assert!(matches!(turn.step, Step::Proven { proof } if proof.renew.is_none()));
}

#[tokio::test]
async fn a_password_is_listed_since_its_last_change() {
    let provider = provider();
    let mut world = World::with_password(&provider, GOOD).await;
    let listed = async |world: &World| {
        let enrolment = provider.enrolment().unwrap();
        enrolment.list(&world.context()).await.unwrap()[0].created_at
    };
    let first = world.facts.now;
    assert_eq!(listed(&world).await, first);
    world.facts.now = later(first, DAY);
    assert_eq!(listed(&world).await, first);
    let turn = change(&world, &provider, GOOD, "some other grey herons").await;
    assert_eq!(turn.step, Step::Enrolled {});
    assert_eq!(listed(&world).await, later(first, DAY));
}

/// What was kept before times were noted is as old as its record.
#[tokio::test]
async fn an_old_record_without_a_time_is_as_old_as_it_is_there() {
    let provider = legacy(json!({"maximum_age_days": 90}));
    let mut world = World::with_password(&provider, GOOD).await.signing_in();
    let mut stored: Value = serde_json::from_str(&world.stored()).unwrap();
    stored.as_object_mut().unwrap().remove("set_at");
    world.records.lock().unwrap()[0].data.0 = stored.to_string().into_bytes();
    assert_eq!(renewal(&world, &provider).await, None);
    world.facts.now = later(world.facts.now, 90 * DAY);
    assert!(renewal(&world, &provider).await.is_some());
}

/// Key, and the ids of what it breaks.
fn broken(provider: &PasswordProvider) -> Vec<(Option<String>, Vec<String>)> {
    let rules = provider.rules().into_iter();
    let broken = rules.filter(|rule| !rule.breaks.is_empty());
    broken
        .map(|rule| {
            (
                rule.key,
                rule.breaks.into_iter().map(|one| one.id).collect(),
            )
        })
        .collect()
}

#[tokio::test]
async fn the_rules_say_which_requirements_they_fall_short_of() {
    const NIST: &str = "NIST SP 800-63B-4, 3.1.1.2";
    const ASVS: &str = "OWASP ASVS 5.0.0, ";
    let none: Vec<(Option<String>, Vec<String>)> = Vec::new();
    assert_eq!(broken(&provider()), none);
    assert_eq!(broken(&configured(json!({"history": 24}))), none);
    let key = |key: &str| Some(key.to_owned());
    let length = vec![(key("minimum_length"), vec![NIST.to_owned()])];
    assert_eq!(broken(&configured(json!({"profile": "asvs"}))), length);
    assert_eq!(broken(&configured(json!({"minimum_length": 14}))), length);
    assert_eq!(
        broken(&configured(json!({"minimum_length": 18}))),
        [(None, vec![format!("{ASVS}6.2.4")])]
    );
    let everything = legacy(json!({
        "minimum_length": 12, "required_types": ["symbol"], "maximum_age_days": 30,
    }));
    assert_eq!(
        broken(&everything),
        [
            (key("minimum_length"), vec![NIST.to_owned()]),
            (
                key("required_types"),
                vec![NIST.to_owned(), format!("{ASVS}6.2.5")]
            ),
            (
                key("maximum_age_days"),
                vec![NIST.to_owned(), format!("{ASVS}6.2.10")]
            ),
        ]
    );
    let texts: Vec<String> = everything
        .rules()
        .into_iter()
        .map(|rule| rule.text)
        .collect();
    assert!(texts.iter().all(|text| text.ends_with('.')));
    assert!(
        texts.iter().any(|text| text == "It has at least a symbol."),
        "{texts:?}"
    );
}
