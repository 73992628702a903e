//! The suite can fail: each of its cases is seen to fail on a storage with a
//! fitting defect.
#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, panic::catch_unwind, sync::Arc};

use gatelodge_storage_suite::{
    Harness, hidden,
    memory::{Flaw, MemoryStorage},
};

macro_rules! flaws {
    ($($name:ident $flaw:ident [$($case:literal,)+])+) => {
        /// Each defect, and cases that it must break.
        const FLAWS: &[(Flaw, &[&str])] = &[$((Flaw::$flaw, &[$($case),+])),+];

        mod the_suite_finds_a_storage_that {$(
            #[test]
            fn $name() {
                for case in [$($case),+] {
                    super::assert_found(super::Flaw::$flaw, case);
                }
            }
        )+}
    };
}

/// A defect that shows only when units really meet is given several chances.
const CHANCES: u32 = 20;

fn assert_found(flaw: Flaw, case: &str) {
    let is_found = (0..CHANCES).any(|_| {
        let outcome = catch_unwind(|| {
            hidden::run(case, async || {
                Harness::new(Arc::new(MemoryStorage::flawed(flaw)))
            });
        });
        outcome.is_err()
    });
    assert!(is_found, "{case} does not see the defect {flaw:?}");
}

#[test]
fn every_case_is_seen_to_fail() {
    let seen: BTreeSet<_> = FLAWS
        .iter()
        .flat_map(|(_, cases)| cases.iter().copied())
        .collect();
    let all: BTreeSet<_> = hidden::names().collect();
    assert_eq!(seen, all);
}

#[test]
fn every_defect_is_found() {
    let found: Vec<_> = FLAWS.iter().map(|(flaw, _)| *flaw).collect();
    assert_eq!(found, Flaw::ALL);
}

flaws! {
    leaks_tenants LeaksTenants [
        "applications::an_application_of_another_tenant_is_not_made",
        "isolation::another_tenants_applications_are_not_there",
        "holds::a_held_tenant_is_there_for_every_unit_that_reaches_it",
        "isolation::a_unit_that_entered_a_tenant_reaches_that_one_only",
        "isolation::no_write_in_a_tenant_changes_another",
        "isolation::another_tenant_is_not_there",
        "isolation::another_tenants_users_are_not_there",
        "isolation::another_tenants_records_are_not_there",
        "isolation::another_tenants_sessions_are_not_there",
        "isolation::another_tenants_audit_events_are_not_there",
        "isolation::nothing_is_found_in_a_tenant_that_does_not_exist",
        "deletion::a_tenant_made_again_under_the_name_inherits_nothing",
        "archive::a_row_of_another_tenant_is_not_put",
        "isolation::another_tenants_messages_are_not_there",
    ]
    mixes_tenants MixesTenants [
        "applications::origins_follow_the_application",
        "isolation::a_unit_that_entered_a_tenant_reaches_that_one_only",
        "isolation::no_write_in_a_tenant_changes_another",
        "isolation::another_tenant_is_not_there",
        "isolation::another_tenants_users_are_not_there",
        "isolation::another_tenants_records_are_not_there",
        "isolation::another_tenants_sessions_are_not_there",
        "isolation::another_tenants_audit_events_are_not_there",
        "isolation::nothing_is_found_in_a_tenant_that_does_not_exist",
        "audit::the_platform_writes_for_any_tenant_and_for_none",
        "archive::rows_are_what_the_repositories_stored",
        "archive::another_tenants_rows_are_not_there",
        "isolation::another_tenants_messages_are_not_there",
    ]
    shares_names SharesNames [
        "applications::a_name_is_free_in_another_tenant",
        "users::the_same_verified_address_is_free_in_another_tenant",
        "records::a_taken_record_key_is_refused",
    ]
    shares_audiences SharesAudiences [
        "applications::a_taken_audience_or_application_id_is_refused_in_every_tenant",
    ]
    folds_audiences FoldsAudiences [
        "applications::audiences_and_origins_are_compared_byte_by_byte",
    ]
    hides_applications HidesApplications [
        "applications::an_application_is_found_by_the_platform_too",
    ]
    ignores_scope IgnoresScope [
        "isolation::platform_methods_are_refused_in_a_tenant_unit",
        "isolation::tenant_methods_are_refused_in_a_platform_unit",
        "isolation::platform_methods_are_refused_once_a_tenant_was_entered",
        "archive::a_kind_of_another_scope_is_refused",
        "owners::owners_are_named_to_the_platform_only",
    ]
    enters_from_tenants EntersFromTenants [
        "isolation::entering_a_tenant_is_refused_in_a_tenant_unit",
    ]
    writes_in_read_units WritesInReadUnits [
        "units::a_read_unit_refuses_every_write",
        "archive::a_snapshot_only_reads",
    ]
    ignores_versions IgnoresVersions [
        "applications::a_stale_application_is_neither_written_nor_removed",
        "tenants::a_stale_tenant_is_not_written",
        "tenants::tenant_settings_come_back_as_they_were_stored",
        "tenants::settings_that_were_never_stored_have_no_other_version",
        "users::a_stale_user_is_not_written",
        "records::a_stale_record_is_not_written",
        "flows::a_step_on_a_stale_flow_is_refused",
        "installation::a_stale_value_is_not_written",
        "races::a_record_is_changed_by_one_of_many",
        "races::a_flow_takes_one_of_many_steps",
        "races::a_value_is_stored_by_one_of_many",
        "races::settings_are_stored_by_one_of_many",
        "races::no_change_of_a_user_is_lost",
        "outbox::a_stale_message_is_neither_postponed_nor_settled",
    ]
    keeps_versions KeepsVersions [
        "tenants::a_tenant_updates_itself",
        "installation::a_value_is_stored_and_replaced",
        "outbox::a_claimed_message_is_due_again_when_its_claim_ends",
    ]
    forgets_rollback ForgetsRollback [
        "units::rolling_back_undoes_every_write",
        "units::dropping_a_unit_undoes_every_write",
        "units::a_unit_dropped_at_any_await_point_leaves_all_or_nothing",
        "units::a_failed_statement_leaves_nothing_of_a_dropped_unit",
        "units::a_failed_statement_leaves_nothing_of_a_rolled_back_unit",
        "isolation::a_tenant_and_its_first_user_are_made_in_one_unit",
        "outbox::a_rolled_back_message_is_never_claimed",
    ]
    commits_failed_units CommitsFailedUnits [
        "units::a_unit_with_a_failed_statement_cannot_be_committed",
    ]
    shows_uncommitted ShowsUncommitted [
        "units::no_write_is_seen_by_others_before_it_is_committed",
        "units::a_read_unit_is_not_held_up_by_a_write_unit",
    ]
    hides_own_writes HidesOwnWrites [
        "units::a_unit_sees_its_own_writes",
        "archive::a_unit_sees_the_rows_that_it_put",
    ]
    reads_the_latest ReadsTheLatest [
        "units::a_read_unit_sees_one_consistent_state",
    ]
    writes_side_by_side WritesSideBySide [
        "units::write_units_wait_for_their_turn",
        "races::every_try_is_counted",
        "races::a_users_anchor_keeps_a_limit_on_sessions",
        "races::a_tenants_anchor_keeps_the_last_administrator",
        "holds::no_session_begins_in_a_tenant_that_is_locked_meanwhile",
        "holds::a_tenant_that_is_held_is_deleted_afterwards",
        "holds::sessions_are_touched_and_ended_in_any_order_at_once",
    ]
    compares_exactly ComparesExactly [
        "tenants::a_taken_tenant_name_or_id_is_refused",
        "tenants::an_update_cannot_take_another_tenants_name",
        "tenants::tenants_are_searched_by_the_key_of_both_names",
        "users::a_taken_user_name_or_id_is_refused",
        "users::an_update_cannot_take_another_users_name",
        "users::users_are_searched_by_the_key_of_name_display_name_and_address",
        "names::user_names_written_differently_are_one",
        "names::tenant_names_written_differently_are_one",
        "names::the_longest_names_are_kept_and_found",
    ]
    drops_accents DropsAccents [
        "names::user_names_written_alike_are_two",
        "names::tenant_names_written_alike_are_two",
    ]
    trusts_unverified TrustsUnverified [
        "users::an_unverified_address_may_repeat",
        "users::a_verified_address_belongs_to_one_user",
        "users::at_most_two_candidates_are_named",
    ]
    reads_patterns ReadsPatterns [
        "names::a_search_takes_every_character_literally",
        "names::a_search_among_tenants_takes_every_character_literally",
    ]
    repeats_rows RepeatsRows [
        "record_keys::keys_and_whose_they_are_are_listed_page_by_page",
        "applications::pages_of_applications_make_up_the_whole_list",
        "tenants::pages_of_tenants_make_up_the_whole_list",
        "tenants::a_page_stays_where_it_is_while_tenants_are_made",
        "users::pages_of_users_make_up_the_whole_list",
        "sessions::pages_of_sessions_make_up_the_whole_list",
        "sessions::a_page_stays_where_it_is_while_sessions_begin",
        "audit::events_are_listed_newest_first_page_by_page",
        "audit::a_page_stays_where_it_is_while_events_are_written",
        "archive::pieces_of_rows_make_up_the_whole",
        "archive::tenants_of_which_there_is_any_row_are_listed",
    ]
    ignores_limits IgnoresLimits [
        "users::at_most_two_candidates_are_named",
        "users::a_page_stays_where_it_is_while_users_come_and_go",
        "grants::at_most_a_thousand_holders_are_named",
        "records::at_most_a_thousand_records_of_a_user_are_listed",
        "archive::pieces_of_rows_make_up_the_whole",
        "outbox::those_due_for_longest_are_claimed_first_and_no_more_than_asked",
        "owners::at_most_a_hundred_owners_are_named",
    ]
    lists_backwards ListsBackwards [
        "grants::a_grant_is_held_until_it_is_withdrawn",
        "records::a_users_records_are_listed_by_id",
        "audit::an_event_comes_back_as_it_was_written",
        "archive::pieces_of_rows_make_up_the_whole",
        "archive::a_page_may_end_between_two_grants_of_a_user",
        "archive::names_are_sorted_by_their_bytes",
        "owners::the_owners_of_a_key_are_named_by_tenant",
    ]
    ignores_filters IgnoresFilters [
        "deletion::an_audit_event_about_a_deleted_tenant_can_still_be_written",
        "grants::holders_are_named_by_tenant_and_user",
        "records::a_record_of_another_provider_is_not_there",
        "records::a_users_records_of_one_provider_are_removed_together",
        "records::the_records_of_all_users_are_removed_together",
        "sessions::a_list_of_valid_sessions_agrees_with_the_model",
        "sessions::filters_of_sessions_hold_together",
        "session_ends::all_valid_sessions_of_a_tenant_end_together",
        "audit::events_are_filtered_by_action_object_and_time",
        "owners::a_record_of_nobody_or_of_another_provider_has_no_owner_here",
    ]
    ignores_references IgnoresReferences [
        "applications::an_application_needs_its_tenant",
        "tenants::a_master_that_is_not_there_is_not_found",
        "records::a_record_of_an_unknown_user_is_not_found",
        "archive_writes::a_broken_reference_is_not_put",
        "outbox::a_message_to_an_unknown_user_is_not_found",
    ]
    expires_early ExpiresEarly [
        "records::records_are_removed_from_the_millisecond_after_their_end",
        "flows::flows_are_removed_from_the_millisecond_after_their_end",
        "limits::counters_are_removed_from_the_millisecond_after_their_end",
        "outbox::messages_are_removed_from_the_millisecond_after_their_end",
    ]
    hides_expired HidesExpired [
        "records::a_record_comes_back_as_it_was_made",
        "records::an_expired_record_is_found_until_it_is_removed",
        "sessions::a_session_comes_back_as_it_was_made",
        "session_ends::an_ended_session_is_still_found_and_listed",
        "limits::a_counter_comes_back_as_it_was_stored",
        "limits::a_counter_is_reached_from_every_scope",
        "limits::clearing_a_counter_leaves_the_others",
        "archive_writes::rows_that_were_put_are_found_by_the_repositories",
        "owners::an_expired_record_has_its_owner_until_it_is_removed",
    ]
    never_expires NeverExpires [
        "units::every_write_is_seen_by_others_once_it_is_committed",
        "records::expired_records_are_removed_of_all_providers_and_piece_by_piece",
        "flows::expired_flows_are_removed_piece_by_piece",
        "session_ends::timed_out_sessions_end_piece_by_piece",
        "limits::expired_counters_are_removed_piece_by_piece",
        "races::what_has_expired_is_removed_once_by_many",
        "outbox::expired_messages_are_removed_piece_by_piece",
        "owners::an_expired_record_has_its_owner_until_it_is_removed",
    ]
    claims_twice ClaimsTwice [
        "outbox::a_claimed_message_is_due_again_when_its_claim_ends",
        "races::a_message_is_claimed_by_one_of_many",
    ]
    claims_at_any_time ClaimsAtAnyTime [
        "outbox::a_message_is_claimed_from_the_moment_it_is_due",
        "outbox::a_message_that_has_expired_is_not_claimed",
    ]
    trusts_any_clock TrustsAnyClock [
        "outbox::messages_that_a_wrong_clock_made_are_removed",
    ]
    claims_in_any_order ClaimsInAnyOrder [
        "outbox::messages_of_all_tenants_are_claimed_sorted",
        "outbox::those_due_for_longest_are_claimed_first_and_no_more_than_asked",
    ]
    ends_again EndsAgain [
        "session_ends::a_session_ends_once_and_keeps_its_end",
        "session_ends::all_but_one_session_of_a_user_end_together",
        "session_ends::activity_of_an_ended_or_unknown_session_changes_nothing",
        "races::a_session_is_ended_by_one_of_many",
    ]
    ends_at_clean_up EndsAtCleanUp [
        "session_ends::a_timed_out_session_ended_the_moment_it_was_reached",
        "session_ends::ending_timed_out_sessions_agrees_with_the_model",
    ]
    touches_backwards TouchesBackwards [
        "session_ends::activity_never_moves_backwards",
    ]
    leaves_rows LeavesRows [
        "deletion::a_deleted_tenant_takes_its_own_along",
        "deletion::a_deleted_user_takes_grants_and_records_along",
        "archive_writes::a_user_that_is_removed_takes_its_own_along",
        "archive_writes::a_tenant_that_is_removed_takes_its_own_along",
        "owners::a_deleted_user_or_tenant_owns_nothing",
    ]
    removes_history RemovesHistory [
        "deletion::a_deleted_tenant_leaves_its_sessions_and_audit_events",
        "deletion::a_deleted_user_leaves_sessions_and_audit_events",
        "archive::tenants_of_which_there_is_any_row_are_listed",
        "archive_writes::a_user_that_is_removed_takes_its_own_along",
        "archive_writes::a_tenant_that_is_removed_takes_its_own_along",
    ]
    forgets_masters ForgetsMasters [
        "tenants::ancestors_and_descendants_follow_four_levels",
        "tenants::a_tenant_reads_its_masters_settings_and_changes_its_own_only",
        "archive_writes::masters_follow_tenants_that_are_put",
    ]
    orphans_tenants OrphansTenants [
        "tenants::a_tenant_with_sub_tenants_is_not_deleted",
        "races::a_tenant_gets_a_sub_tenant_or_is_deleted",
        "archive_writes::a_tenant_with_sub_tenants_is_not_removed",
    ]
    changes_fixed_fields ChangesFixedFields [
        "applications::an_update_of_an_application_changes_everything_but_id_tenant_and_creation",
        "tenants::an_update_changes_name_display_name_and_lock_only",
        "users::an_update_changes_everything_but_id_and_creation",
        "records::an_update_changes_key_label_expiry_and_bytes_only",
        "outbox::a_postponed_message_changes_nothing_but_its_time",
    ]
    keeps_seconds KeepsSeconds [
        "applications::an_application_comes_back_as_it_was_made",
        "tenants::a_tenant_comes_back_as_it_was_made",
        "users::a_user_comes_back_as_it_was_made",
        "records::a_record_is_found_by_its_key",
        "session_ends::activity_is_noted_for_sessions_of_all_tenants",
        "names::times_of_tenants_users_and_locks_come_back_exactly",
        "names::times_of_records_flows_and_counters_come_back_exactly",
        "names::times_of_sessions_and_audit_events_come_back_exactly",
        "archive_writes::every_kind_of_row_comes_back_as_it_was_put",
        "names::times_of_messages_come_back_exactly",
    ]
    truncates_bytes TruncatesBytes [
        "flows::a_flow_is_reached_by_its_handle_from_every_scope",
        "flows::a_step_replaces_expiry_and_bytes",
        "flows::a_flow_carries_256_kib_of_any_bytes",
        "installation::a_value_carries_64_kib_of_any_bytes",
        "names::a_record_carries_64_kib_of_any_bytes",
        "archive_writes::every_kind_of_row_comes_back_as_it_was_put",
        "outbox::a_message_is_claimed_as_it_was_added",
    ]
    forgets_announcements ForgetsAnnouncements [
        "changes::every_kind_of_change_is_delivered_once_committed",
    ]
    announces_at_once AnnouncesAtOnce [
        "changes::nobody_is_told_of_what_was_not_committed",
        "changes::nobody_is_told_before_the_commit",
    ]
    stays_open StaysOpen [
        "closing::a_closed_storage_is_unavailable",
        "closing::closing_twice_is_no_different",
    ]
    accepts_duplicates AcceptsDuplicates [
        "applications::a_taken_application_name_is_refused",
        "applications::an_update_cannot_take_another_applications_name_or_audience",
        "races::one_of_many_applications_gets_the_audience",
        "records::a_taken_record_id_is_refused",
        "flows::a_taken_flow_handle_is_refused",
        "sessions::a_taken_token_or_session_id_is_refused",
        "audit::an_event_id_is_written_once",
        "races::one_of_many_users_gets_the_name",
        "races::one_of_many_users_gets_the_verified_address",
        "races::one_of_many_tenants_gets_the_name",
        "races::one_of_many_records_gets_the_key",
        "races::one_of_many_sessions_gets_the_token",
        "archive_writes::a_taken_unique_key_is_not_put",
        "outbox::a_taken_message_id_is_refused",
    ]
    forgets_its_scope ForgetsItsScope [
        "units::a_unit_knows_its_scope",
        "isolation::every_tenant_method_works_once_its_tenant_was_entered",
    ]
    refuses_to_end_reads RefusesToEndReads [
        "units::a_unit_without_a_statement_can_be_ended_either_way",
        "units::a_read_unit_reads_everything",
    ]
    commits_late CommitsLate [
        "units::what_a_commit_made_is_there_in_the_next_unit",
    ]
    takes_display_names TakesDisplayNames [
        "tenants::a_display_name_may_repeat",
    ]
    changes_anchors ChangesAnchors [
        "tenants::an_anchor_is_there_for_every_unit_that_reaches_it",
    ]
    deletes_nothing DeletesNothing [
        "applications::an_application_is_removed_once",
        "deletion::a_deleted_sub_tenant_is_no_descendant_any_more",
        "deletion::a_user_made_again_under_the_name_inherits_nothing",
        "deletion::a_second_deletion_finds_nothing",
        "races::nothing_is_made_in_a_tenant_that_is_deleted_meanwhile",
        "races::no_record_is_left_of_a_user_deleted_meanwhile",
        "archive_writes::rows_are_removed_by_their_keys",
        "races::no_message_is_left_of_a_user_deleted_meanwhile",
    ]
    chokes_on_nul ChokesOnNul [
        "tenants::a_tenant_that_was_never_made_is_not_found",
        "users::no_login_text_is_too_odd_to_be_looked_up",
    ]
    prefers_addresses PrefersAddresses [
        "users::a_user_signs_in_by_name_or_verified_address",
        "users::a_name_goes_before_an_address_among_candidates_too",
    ]
    always_changes AlwaysChanges [
        "grants::granting_twice_and_withdrawing_what_is_absent_change_nothing",
        "grants::an_unknown_user_is_granted_nothing",
    ]
    truncates_keys TruncatesKeys [
        "names::long_names_that_differ_at_their_end_are_two",
    ]
    fails_checks FailsChecks [
        "closing::a_check_answers_while_the_storage_is_open",
    ]
    closes_at_once ClosesAtOnce [
        "closing::closing_lets_an_open_unit_finish",
    ]
    breaks_feeds BreaksFeeds [
        "changes::every_kind_of_change_is_delivered_once_committed",
        "changes::all_changes_of_many_units_are_delivered",
        "changes::what_was_committed_can_be_read_when_its_change_arrives",
        "changes::two_feeds_both_get_every_change",
        "changes::a_quiet_feed_keeps_confirming",
        "changes::a_dropped_wait_for_the_feed_loses_nothing",
    ]
    denies_its_feed DeniesItsFeed [
        "changes::what_was_committed_can_be_read_when_its_change_arrives",
    ]
    blocks_when_cancelled BlocksWhenCancelled [
        "units::a_cancelled_wait_for_a_unit_holds_nobody_up",
    ]
    ignores_missing IgnoresMissing [
        "applications::an_application_that_was_never_made_is_not_found",
        "users::a_user_that_was_never_made_is_not_found",
        "records::a_record_is_removed_once",
        "flows::a_flow_that_was_never_made_is_not_found",
        "flows::deleting_a_flow_tells_whether_it_was_there",
        "sessions::a_session_that_was_never_made_is_not_found",
        "installation::a_value_is_removed_once",
        "races::a_record_is_used_up_by_one_of_many",
        "races::a_flow_is_deleted_by_one_of_many",
        "outbox::a_message_is_settled_once",
        "races::a_message_is_settled_by_one_of_many",
    ]
    snapshots_the_latest SnapshotsTheLatest [
        "archive::a_snapshot_sees_one_state_in_every_scope",
        "archive::a_snapshot_is_read_while_others_commit",
    ]
    puts_new_versions PutsNewVersions [
        "archive_writes::every_kind_of_row_comes_back_as_it_was_put",
        "archive_writes::rows_that_were_put_are_found_by_the_repositories",
        "outbox::a_message_that_was_put_is_claimed",
    ]
    puts_only_new PutsOnlyNew [
        "archive_writes::a_row_that_is_put_replaces_the_one_of_its_key",
        "owners::records_that_are_put_and_removed_change_who_owns",
    ]
    keeps_masters KeepsMasters [
        "archive_writes::masters_follow_a_tenant_that_is_put_below_another",
    ]
    misses_the_removed MissesTheRemoved [
        "archive_writes::removing_what_is_not_there_is_no_error",
    ]
    forgets_the_deleted ForgetsTheDeleted [
        "archive::tenants_of_which_there_is_any_row_are_listed",
        "archive_writes::rows_of_a_tenant_that_is_gone_are_put_and_removed",
    ]
    sorts_names_by_letter SortsNamesByLetter [
        "archive::names_are_sorted_by_their_bytes",
    ]
    splits_grants SplitsGrants [
        "archive::a_page_may_end_between_two_grants_of_a_user",
    ]
    rewrites_events RewritesEvents [
        "archive_writes::audit_events_stay_as_they_are",
    ]
    keeps_keys KeepsKeys [
        "owners::a_record_without_its_key_or_its_row_has_no_owner",
        "records::an_update_changes_key_label_expiry_and_bytes_only",
    ]
}
