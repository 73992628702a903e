//! Every case fails for some provider that does not behave.

use std::{collections::BTreeSet, panic};

use gatelodge_provider_suite::{Fixture, cases, run, run_silent, silent_cases};

use crate::providers::{issued_code, keepsake, mailed_link, pin, third_party};

/// A flaw of a provider and the cases that show it.
type Shown = (&'static str, &'static [&'static str]);

const PIN: &[Shown] = &[
    (
        "takes_any_key",
        &["an_unknown_configuration_key_is_refused_by_name"],
    ),
    (
        "changes_its_label",
        &["it_describes_itself_the_same_each_time"],
    ),
    ("has_no_amr", &["the_description_is_consistent"]),
    ("says_it_stands_in", &["the_description_is_consistent"]),
    ("has_an_empty_rule", &["the_description_is_consistent"]),
    (
        "hides_enrolment",
        &["enrolment_is_there_exactly_when_declared"],
    ),
    (
        "acts_at_the_beginning",
        &["beginning_has_no_effects_however_often"],
    ),
    (
        "fails_to_begin_for_sign_up",
        &["it_can_begin_whatever_the_flow_is_for"],
    ),
    ("takes_any_entry", &["an_entry_it_does_not_know_is_refused"]),
    ("prefills", &["forms_are_well_formed"]),
    ("tells_it_in_prose", &["steps_are_well_formed"]),
    ("has_a_large_state", &["the_state_fits_into_the_flow"]),
    ("keeps_long_labels", &["effects_are_well_formed"]),
    (
        "proves_somebody_else",
        &["the_right_answer_proves_exactly_the_subject"],
    ),
    (
        "does_not_prove_again",
        &["a_known_subject_proves_itself_again"],
    ),
    (
        "keeps_the_flow_in_memory",
        &["another_instance_takes_over_at_any_step"],
    ),
    (
        "mixes_people_up",
        &["people_at_the_same_time_are_not_mixed_up"],
    ),
    (
        "names_candidates",
        &["only_one_that_finds_the_tenant_names_candidates"],
    ),
    (
        "accepts_anything",
        &[
            "a_wrong_answer_is_refused_without_effects",
            "a_stranger_never_proves_anything",
            "who_set_nothing_up_proves_nothing",
            "in_the_engine_wrong_answers_give_nothing",
        ],
    ),
    (
        "acts_on_a_refusal",
        &["a_wrong_answer_is_refused_without_effects"],
    ),
    (
        "holds_a_grudge",
        &[
            "after_wrong_answers_the_right_one_still_proves",
            "in_the_engine_who_may_not_sign_in_is_refused_like_a_wrong_answer",
        ],
    ),
    ("refuses_what_is_missing", &["a_missing_field_is_invalid"]),
    (
        "refuses_what_is_too_long",
        &["an_oversized_answer_is_invalid"],
    ),
    (
        "takes_weak_ones",
        &[
            "a_malformed_answer_is_invalid",
            "a_credential_that_cannot_be_is_invalid",
        ],
    ),
    (
        "fails_on_unknown_fields",
        &["an_unknown_field_does_no_harm"],
    ),
    (
        "fails_on_control_characters",
        &["odd_characters_are_no_fault"],
    ),
    (
        "takes_any_kind_of_answer",
        &["an_answer_of_another_kind_is_not_taken"],
    ),
    ("takes_any_state", &["a_state_it_did_not_make_is_refused"]),
    (
        "panics_on_foreign_states",
        &["a_state_it_did_not_make_is_refused"],
    ),
    ("fails_on_a_cut_state", &["a_damaged_state_is_no_fault"]),
    (
        "takes_the_state_of_setting_up",
        &["the_state_of_setting_up_does_not_sign_in"],
    ),
    (
        "accepts_anybodys",
        &[
            "somebody_elses_answer_does_not_prove_the_subject",
            "the_state_of_somebody_else_proves_nothing_of_the_subject",
            "in_the_engine_another_tenants_answer_gives_nothing",
        ],
    ),
    (
        "knows_people_by_name",
        &["the_same_name_in_another_tenant_is_somebody_else"],
    ),
    (
        "accepts_who_set_nothing_up",
        &[
            "who_set_nothing_up_proves_nothing",
            "a_stranger_never_proves_anything",
        ],
    ),
    (
        "tells_strangers",
        &[
            "a_stranger_looks_like_anybody_with_a_wrong_answer",
            "in_the_engine_unknown_people_look_like_known_ones",
        ],
    ),
    (
        "accepts_what_it_cannot_read",
        &["a_damaged_record_proves_nothing"],
    ),
    ("remembers_records", &["an_expired_record_proves_nothing"]),
    (
        "removes_what_others_have",
        &["another_subjects_records_stay_as_they_are"],
    ),
    ("lists_nothing", &["what_was_set_up_is_listed_and_proves"]),
    (
        "clears_when_setting_up_begins",
        &["beginning_to_set_up_changes_nothing"],
    ),
    ("removes_nothing", &["what_was_removed_proves_no_longer"]),
    (
        "removes_anything",
        &["only_what_the_subject_has_can_be_removed"],
    ),
    ("piles_up", &["setting_up_again_keeps_as_many_as_declared"]),
    (
        "tells_the_secret_in_the_reason",
        &["no_secret_is_shown_in_debug_or_errors"],
    ),
    (
        "echoes",
        &[
            "no_secret_is_shown_in_debug_or_errors",
            "no_secret_is_given_back_to_the_person",
            "a_wrong_answer_is_refused_without_effects",
            "in_the_engine_guessing_is_limited_for_known_and_unknown_alike",
            "in_the_engine_no_secret_is_shown",
        ],
    ),
    (
        "keeps_it_for_nobody",
        &["in_the_engine_a_second_factor_is_demanded_once_set_up"],
    ),
    ("draws_itself", &["the_same_inputs_give_the_same_turns"]),
    ("has_its_own_clock", &["times_come_from_the_context"]),
];

const THIRD_PARTY: &[Shown] = &[
    ("redirects_inline", &["the_description_is_consistent"]),
    ("redirects_in_the_clear", &["steps_are_well_formed"]),
    (
        "cannot_go_without_tenant",
        &["only_one_that_finds_the_tenant_names_candidates"],
    ),
    (
        "does_not_bind_the_nonce",
        &[
            "a_state_it_did_not_make_is_refused",
            "a_repeated_answer_counts_as_often_as_declared",
            "of_two_racing_answers_as_many_count_as_declared",
        ],
    ),
    (
        "fails_on_a_wrong_code",
        &[
            "a_wrong_answer_is_refused_without_effects",
            "no_secret_is_shown_in_debug_or_errors",
        ],
    ),
    (
        "takes_everybody_for_one",
        &["the_right_answer_proves_exactly_the_subject"],
    ),
    (
        "wants_to_be_changed",
        &["the_right_answer_proves_exactly_the_subject"],
    ),
    (
        "hides_what_it_is",
        &["a_third_party_is_there_exactly_when_declared"],
    ),
    (
        "does_not_say_what_it_is",
        &["a_third_party_is_there_exactly_when_declared"],
    ),
    (
        "names_candidates",
        &[
            "a_third_party_and_nobody_else_proves_identities",
            "only_one_that_finds_the_tenant_names_candidates",
        ],
    ),
    ("has_a_long_issuer", &["steps_are_well_formed"]),
    ("has_a_long_subject", &["steps_are_well_formed"]),
    ("has_no_subject", &["steps_are_well_formed"]),
    ("keeps_too_much", &["what_is_kept_fits_beside_an_identity"]),
    (
        "bars_whom_it_does_not_know",
        &["nobody_is_barred_for_what_was_not_kept"],
    ),
    (
        "does_not_say_what_to_do",
        &["what_it_finds_out_about_itself_is_said_in_words"],
    ),
];

const MAILED_LINK: &[Shown] = &[
    (
        "uses_up_at_the_beginning",
        &["beginning_has_no_effects_however_often"],
    ),
    (
        "names_the_token_in_the_template",
        &[
            "effects_are_well_formed",
            "no_secret_is_shown_in_debug_or_errors",
        ],
    ),
    ("sends_what_is_over", &["effects_are_well_formed"]),
    ("waits_for_ever", &["steps_are_well_formed"]),
    (
        "does_not_use_up",
        &[
            "a_repeated_answer_counts_as_often_as_declared",
            "of_two_racing_answers_as_many_count_as_declared",
        ],
    ),
    (
        "removes_instead_of_using_up",
        &["of_two_racing_answers_as_many_count_as_declared"],
    ),
    (
        "does_not_compare_the_subject",
        &["somebody_elses_answer_does_not_prove_the_subject"],
    ),
];

const ISSUED_CODE: &[Shown] = &[
    (
        "does_not_use_up",
        &[
            "a_repeated_answer_counts_as_often_as_declared",
            "in_the_engine_a_repeated_answer_counts_as_declared",
            "in_the_engine_of_racing_answers_as_many_count_as_declared",
        ],
    ),
    (
        "names_nobody",
        &[
            "the_right_answer_proves_exactly_the_subject",
            "in_the_engine_the_right_answers_give_one_session",
            "in_the_engine_a_step_is_answered_once",
        ],
    ),
];

const KEEPSAKE: &[Shown] = &[
    (
        "can_be_chosen",
        &["what_keeps_people_signed_in_is_no_other_step"],
    ),
    (
        "takes_any_key",
        &["an_unknown_key_of_its_table_is_refused_by_name"],
    ),
    (
        "never_rotates",
        &["each_token_is_worth_one_sign_in_and_gives_the_next"],
    ),
    (
        "is_always_fresh",
        &["a_proof_is_as_old_as_the_sign_in_and_names_its_record"],
    ),
    ("slides", &["an_end_does_not_move"]),
    (
        "ignores_the_setting",
        &["a_lifetime_that_became_shorter_holds"],
    ),
    (
        "takes_anything",
        &[
            "a_token_counts_in_its_tenant_only",
            "a_damaged_token_is_refused_and_harms_nobody",
        ],
    ),
    (
        "fails_on_nonsense",
        &[
            "a_damaged_token_is_refused_and_harms_nobody",
            "a_device_that_was_revoked_is_gone",
        ],
    ),
    ("is_too_long", &["a_token_fits_into_a_cookie"]),
    (
        "remembers_by_itself",
        &["another_instance_recognises_the_token"],
    ),
    (
        "has_no_window",
        &["who_loses_a_race_looks_again_and_is_known"],
    ),
    (
        "forgives_copies",
        &["a_copy_ends_the_device_and_leaves_the_others"],
    ),
    (
        "ends_it_twice",
        &["of_two_who_see_a_copy_one_ends_the_device"],
    ),
    ("revokes_nothing", &["a_device_that_was_revoked_is_gone"]),
    (
        "removes_anything",
        &["what_is_listed_is_the_subjects_and_can_be_removed"],
    ),
    ("fails_on_damage", &["a_damaged_device_proves_nothing"]),
    ("tells_it_to_the_log", &["no_token_is_shown_in_debug"]),
    (
        "rolls_its_own_dice",
        &["the_same_inputs_give_the_same_tokens"],
    ),
];

#[test]
fn each_flaw_of_a_keepsake_is_shown_by_its_cases() {
    let mut missed = Vec::new();
    for (flaw, cases) in KEEPSAKE {
        let table = crate::providers::table(flaw);
        for case in *cases {
            let table = table.clone();
            let run = || run_silent(case, keepsake::register, table);
            if panic::catch_unwind(panic::AssertUnwindSafe(run)).is_ok() {
                missed.push((flaw, case));
            }
        }
    }
    assert!(missed.is_empty(), "flaws that were not noticed: {missed:?}");
    let shown = KEEPSAKE.iter().flat_map(|(_, cases)| cases.iter().copied());
    let shown: BTreeSet<&str> = shown.collect();
    assert_eq!(shown, silent_cases().collect());
}

#[test]
fn each_flaw_of_an_issued_code_is_shown_by_its_cases() {
    assert_shown(ISSUED_CODE, |flaw| Box::new(issued_code::Fixture { flaw }));
}

#[test]
fn each_flaw_of_a_pin_is_shown_by_its_cases() {
    assert_shown(PIN, |flaw| Box::new(pin::Fixture { flaw }));
}

#[test]
fn each_flaw_of_a_third_party_is_shown_by_its_cases() {
    assert_shown(THIRD_PARTY, |flaw| Box::new(third_party::Fixture { flaw }));
}

#[test]
fn each_flaw_of_a_mailed_link_is_shown_by_its_cases() {
    assert_shown(MAILED_LINK, |flaw| Box::new(mailed_link::Fixture { flaw }));
}

#[test]
fn there_is_no_case_that_no_flaw_fails() {
    let shown: BTreeSet<&str> = [PIN, THIRD_PARTY, MAILED_LINK, ISSUED_CODE]
        .into_iter()
        .flatten()
        .flat_map(|(_, cases)| cases.iter().copied())
        .collect();
    let all: BTreeSet<&str> = cases().collect();
    assert_eq!(shown, all);
}

#[test]
#[should_panic(expected = "there is no case `a_case_that_is_not_there`")]
fn a_case_that_is_not_there_fails() {
    run("a_case_that_is_not_there", || {
        Box::new(pin::Fixture::default())
    });
}

fn assert_shown(flaws: &'static [Shown], make: fn(&'static str) -> Box<dyn Fixture>) {
    let mut missed = Vec::new();
    for (flaw, cases) in flaws {
        for case in *cases {
            let outcome = panic::catch_unwind(|| run(case, move || make(flaw)));
            if outcome.is_ok() {
                missed.push((flaw, case));
            }
        }
    }
    assert!(missed.is_empty(), "flaws that were not noticed: {missed:?}");
}
