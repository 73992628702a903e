#![doc = include_str!("../README.md")]
//! # Example
//!
//! ```no_run
//! # mod gatelodge_provider_pin {
//! #     pub fn register(_: &mut gatelodge_core::provider::Registry) {}
//! # }
//! // providers/pin/tests/suite.rs
//! use gatelodge_core::provider::{Answer, Registry};
//! use gatelodge_provider_suite::{Fixture, Person, Purpose, Replay, Seen, provider_suite};
//!
//! struct Pin;
//!
//! impl Fixture for Pin {
//!     fn register(&self, registry: &mut Registry) {
//!         gatelodge_provider_pin::register(registry);
//!     }
//!
//!     fn replay(&self) -> Replay {
//!         Replay::Proves
//!     }
//!
//!     fn right(&self, person: &mut Person, seen: &Seen<'_>) -> Answer {
//!         seen.filled(person, &person.number().to_string())
//!     }
//!
//!     fn wrong(&self, person: &Person, seen: &Seen<'_>) -> Vec<Answer> {
//!         match seen.purpose {
//!             Purpose::Prove => vec![seen.filled(person, "100001")],
//!             Purpose::Enrol => Vec::new(),
//!         }
//!     }
//! }
//!
//! provider_suite!(Pin);
//! # fn main() {}
//! ```
#![deny(
    dead_code,
    reason = "a case that is not in the list below would never run"
)]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a suite speaks by panicking"
)]

mod bench;
mod carry;
mod cases;
mod fixture;
mod house;
mod post;
mod records;
mod run;
mod silent;
mod stage;
mod tour;

pub use fixture::{Fixture, Person, Purpose, Replay, Seen};
pub use post::Post;
pub use run::{cases, run, run_silent, silent_cases};

/// Expands to one test per case. The argument is an expression that makes the
/// [`Fixture`]; it is evaluated several times in each test.
///
/// For two providers or two configurations, call it in two modules.
#[macro_export]
macro_rules! provider_suite {
    ($fixture:expr $(,)?) => {
        $crate::__each_case!($crate::__tests[$fixture]);
    };
}

/// The list of cases, the only one: functions that are not in it do not
/// compile, nor do names without a function.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_case {
    ($with:path [$($arguments:tt)*]) => {
        $with! { [$($arguments)*]
            description::it_describes_itself_the_same_each_time,
            description::the_description_is_consistent,
            description::an_unknown_configuration_key_is_refused_by_name,
            begin::beginning_has_no_effects_however_often,
            begin::it_can_begin_whatever_the_flow_is_for,
            begin::an_entry_it_does_not_know_is_refused,
            steps::forms_are_well_formed,
            steps::steps_are_well_formed,
            steps::the_state_fits_into_the_flow,
            steps::effects_are_well_formed,
            proof::the_right_answer_proves_exactly_the_subject,
            proof::a_known_subject_proves_itself_again,
            proof::another_instance_takes_over_at_any_step,
            proof::people_at_the_same_time_are_not_mixed_up,
            proof::a_repeated_answer_counts_as_often_as_declared,
            proof::of_two_racing_answers_as_many_count_as_declared,
            proof::only_one_that_finds_the_tenant_names_candidates,
            answers::a_wrong_answer_is_refused_without_effects,
            answers::after_wrong_answers_the_right_one_still_proves,
            answers::a_missing_field_is_invalid,
            answers::a_malformed_answer_is_invalid,
            answers::an_unknown_field_does_no_harm,
            answers::an_oversized_answer_is_invalid,
            answers::odd_characters_are_no_fault,
            answers::an_answer_of_another_kind_is_not_taken,
            states::a_state_it_did_not_make_is_refused,
            states::a_damaged_state_is_no_fault,
            states::the_state_of_setting_up_does_not_sign_in,
            states::the_state_of_somebody_else_proves_nothing_of_the_subject,
            isolation::somebody_elses_answer_does_not_prove_the_subject,
            isolation::the_same_name_in_another_tenant_is_somebody_else,
            isolation::who_set_nothing_up_proves_nothing,
            isolation::a_stranger_looks_like_anybody_with_a_wrong_answer,
            isolation::a_stranger_never_proves_anything,
            kept::a_damaged_record_proves_nothing,
            kept::an_expired_record_proves_nothing,
            kept::another_subjects_records_stay_as_they_are,
            enrolment::enrolment_is_there_exactly_when_declared,
            enrolment::what_was_set_up_is_listed_and_proves,
            enrolment::beginning_to_set_up_changes_nothing,
            enrolment::a_credential_that_cannot_be_is_invalid,
            enrolment::what_was_removed_proves_no_longer,
            enrolment::only_what_the_subject_has_can_be_removed,
            enrolment::setting_up_again_keeps_as_many_as_declared,
            third_party::a_third_party_is_there_exactly_when_declared,
            third_party::a_third_party_and_nobody_else_proves_identities,
            third_party::what_is_kept_fits_beside_an_identity,
            third_party::nobody_is_barred_for_what_was_not_kept,
            third_party::what_it_finds_out_about_itself_is_said_in_words,
            secrets::no_secret_is_shown_in_debug_or_errors,
            secrets::no_secret_is_given_back_to_the_person,
            time::the_same_inputs_give_the_same_turns,
            time::times_come_from_the_context,
            engine::in_the_engine_the_right_answers_give_one_session,
            engine::in_the_engine_a_step_is_answered_once,
            engine::in_the_engine_wrong_answers_give_nothing,
            engine::in_the_engine_a_repeated_answer_counts_as_declared,
            engine::in_the_engine_of_racing_answers_as_many_count_as_declared,
            engine::in_the_engine_another_tenants_answer_gives_nothing,
            engine::in_the_engine_who_may_not_sign_in_is_refused_like_a_wrong_answer,
            engine::in_the_engine_unknown_people_look_like_known_ones,
            engine::in_the_engine_guessing_is_limited_for_known_and_unknown_alike,
            engine::in_the_engine_a_second_factor_is_demanded_once_set_up,
            engine::in_the_engine_no_secret_is_shown,
        }
    };
}

/// Expands to one test per case, for a provider that keeps people signed in
/// ([`Silent`](gatelodge_core::provider::Silent)) and does nothing else. The argument
/// is its `register`; an empty table is all that it is configured with.
#[macro_export]
macro_rules! silent_suite {
    ($register:expr $(,)?) => {
        $crate::__each_silent_case!($crate::__silent_tests[$register]);
    };
}

/// The list of those cases, the only one.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_silent_case {
    ($with:path [$($arguments:tt)*]) => {
        $with! { [$($arguments)*]
            what_keeps_people_signed_in_is_no_other_step,
            an_unknown_key_of_its_table_is_refused_by_name,
            each_token_is_worth_one_sign_in_and_gives_the_next,
            a_proof_is_as_old_as_the_sign_in_and_names_its_record,
            an_end_does_not_move,
            a_lifetime_that_became_shorter_holds,
            a_token_counts_in_its_tenant_only,
            a_damaged_token_is_refused_and_harms_nobody,
            a_token_fits_into_a_cookie,
            another_instance_recognises_the_token,
            who_loses_a_race_looks_again_and_is_known,
            a_copy_ends_the_device_and_leaves_the_others,
            of_two_who_see_a_copy_one_ends_the_device,
            a_device_that_was_revoked_is_gone,
            what_is_listed_is_the_subjects_and_can_be_removed,
            a_damaged_device_proves_nothing,
            no_token_is_shown_in_debug,
            the_same_inputs_give_the_same_tokens,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __silent_tests {
    ([$register:expr] $($case:ident),+ $(,)?) => {$(
        #[test]
        fn $case() {
            $crate::run_silent(
                ::core::stringify!($case),
                $register,
                ::core::default::Default::default(),
            );
        }
    )+};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$fixture:expr] $($module:ident :: $case:ident),+ $(,)?) => {$(
        #[test]
        fn $case() {
            $crate::run(::core::stringify!($case), || ::std::boxed::Box::new($fixture));
        }
    )+};
}
