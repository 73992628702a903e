/// Hands the list of all cases to another macro: the one list that the tests of
/// a backend and the table of case functions are both made from. A case
/// function that is missing here does not compile: it is dead code, denied.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            units {
                a_unit_knows_its_scope
                a_unit_without_a_statement_can_be_ended_either_way
                a_unit_sees_its_own_writes
                no_write_is_seen_by_others_before_it_is_committed
                every_write_is_seen_by_others_once_it_is_committed
                rolling_back_undoes_every_write
                dropping_a_unit_undoes_every_write
                a_unit_dropped_at_any_await_point_leaves_all_or_nothing
                a_cancelled_wait_for_a_unit_holds_nobody_up
                a_failed_statement_leaves_nothing_of_a_dropped_unit
                a_failed_statement_leaves_nothing_of_a_rolled_back_unit
                a_unit_with_a_failed_statement_cannot_be_committed
                a_read_unit_refuses_every_write
                a_read_unit_reads_everything
                a_read_unit_sees_one_consistent_state
                a_read_unit_is_not_held_up_by_a_write_unit
                what_a_commit_made_is_there_in_the_next_unit
                write_units_wait_for_their_turn
            }
            isolation {
                platform_methods_are_refused_in_a_tenant_unit
                tenant_methods_are_refused_in_a_platform_unit
                platform_methods_are_refused_once_a_tenant_was_entered
                every_tenant_method_works_once_its_tenant_was_entered
                a_tenant_and_its_first_user_are_made_in_one_unit
                a_unit_that_entered_a_tenant_reaches_that_one_only
                entering_a_tenant_is_refused_in_a_tenant_unit
                no_write_in_a_tenant_changes_another
                another_tenant_is_not_there
                another_tenants_users_are_not_there
                another_tenants_applications_are_not_there
                another_tenants_records_are_not_there
                another_tenants_messages_are_not_there
                another_tenants_sessions_are_not_there
                another_tenants_audit_events_are_not_there
                nothing_is_found_in_a_tenant_that_does_not_exist
            }
            tenants {
                a_tenant_comes_back_as_it_was_made
                a_tenant_that_was_never_made_is_not_found
                a_taken_tenant_name_or_id_is_refused
                a_display_name_may_repeat
                a_master_that_is_not_there_is_not_found
                an_update_changes_name_display_name_and_lock_only
                a_tenant_updates_itself
                an_update_cannot_take_another_tenants_name
                a_stale_tenant_is_not_written
                pages_of_tenants_make_up_the_whole_list
                a_page_stays_where_it_is_while_tenants_are_made
                tenants_are_searched_by_the_key_of_both_names
                ancestors_and_descendants_follow_four_levels
                a_tenant_with_sub_tenants_is_not_deleted
                tenant_settings_come_back_as_they_were_stored
                settings_that_were_never_stored_have_no_other_version
                a_tenant_reads_its_masters_settings_and_changes_its_own_only
                an_anchor_is_there_for_every_unit_that_reaches_it
            }
            deletion {
                a_deleted_tenant_takes_its_own_along
                a_deleted_tenant_leaves_its_sessions_and_audit_events
                an_audit_event_about_a_deleted_tenant_can_still_be_written
                a_tenant_made_again_under_the_name_inherits_nothing
                a_deleted_sub_tenant_is_no_descendant_any_more
                a_deleted_user_takes_grants_and_records_along
                a_deleted_user_leaves_sessions_and_audit_events
                a_user_made_again_under_the_name_inherits_nothing
                a_second_deletion_finds_nothing
            }
            users {
                a_user_comes_back_as_it_was_made
                a_user_that_was_never_made_is_not_found
                a_taken_user_name_or_id_is_refused
                an_unverified_address_may_repeat
                a_verified_address_belongs_to_one_user
                the_same_verified_address_is_free_in_another_tenant
                an_update_changes_everything_but_id_and_creation
                an_update_cannot_take_another_users_name
                a_stale_user_is_not_written
                a_user_signs_in_by_name_or_verified_address
                no_login_text_is_too_odd_to_be_looked_up
                at_most_two_candidates_are_named
                a_name_goes_before_an_address_among_candidates_too
                pages_of_users_make_up_the_whole_list
                a_page_stays_where_it_is_while_users_come_and_go
                users_are_searched_by_the_key_of_name_display_name_and_address
            }
            grants {
                a_grant_is_held_until_it_is_withdrawn
                granting_twice_and_withdrawing_what_is_absent_change_nothing
                an_unknown_user_is_granted_nothing
                holders_are_named_by_tenant_and_user
                at_most_a_thousand_holders_are_named
            }
            applications {
                an_application_comes_back_as_it_was_made
                an_application_that_was_never_made_is_not_found
                an_application_is_found_by_the_platform_too
                a_taken_application_name_is_refused
                a_name_is_free_in_another_tenant
                a_taken_audience_or_application_id_is_refused_in_every_tenant
                an_application_of_another_tenant_is_not_made
                an_application_needs_its_tenant
                audiences_and_origins_are_compared_byte_by_byte
                pages_of_applications_make_up_the_whole_list
                an_update_of_an_application_changes_everything_but_id_tenant_and_creation
                an_update_cannot_take_another_applications_name_or_audience
                a_stale_application_is_neither_written_nor_removed
                an_application_is_removed_once
                origins_follow_the_application
            }
            records {
                a_record_comes_back_as_it_was_made
                a_record_is_found_by_its_key
                a_taken_record_key_is_refused
                a_taken_record_id_is_refused
                a_record_of_an_unknown_user_is_not_found
                a_record_of_another_provider_is_not_there
                a_users_records_are_listed_by_id
                at_most_a_thousand_records_of_a_user_are_listed
                an_update_changes_key_label_expiry_and_bytes_only
                a_stale_record_is_not_written
                a_record_is_removed_once
                a_users_records_of_one_provider_are_removed_together
                the_records_of_all_users_are_removed_together
                an_expired_record_is_found_until_it_is_removed
                records_are_removed_from_the_millisecond_after_their_end
                expired_records_are_removed_of_all_providers_and_piece_by_piece
            }
            owners {
                the_owners_of_a_key_are_named_by_tenant
                a_record_of_nobody_or_of_another_provider_has_no_owner_here
                at_most_a_hundred_owners_are_named
                an_expired_record_has_its_owner_until_it_is_removed
                a_record_without_its_key_or_its_row_has_no_owner
                a_deleted_user_or_tenant_owns_nothing
                owners_are_named_to_the_platform_only
                records_that_are_put_and_removed_change_who_owns
            }
            record_keys {
                keys_and_whose_they_are_are_listed_page_by_page
            }
            outbox {
                a_message_is_claimed_as_it_was_added
                a_message_that_was_put_is_claimed
                messages_of_all_tenants_are_claimed_sorted
                a_message_is_claimed_from_the_moment_it_is_due
                a_message_that_has_expired_is_not_claimed
                a_claimed_message_is_due_again_when_its_claim_ends
                those_due_for_longest_are_claimed_first_and_no_more_than_asked
                a_rolled_back_message_is_never_claimed
                a_message_to_an_unknown_user_is_not_found
                a_taken_message_id_is_refused
                a_postponed_message_changes_nothing_but_its_time
                a_stale_message_is_neither_postponed_nor_settled
                a_message_is_settled_once
                messages_are_removed_from_the_millisecond_after_their_end
                expired_messages_are_removed_piece_by_piece
                messages_that_a_wrong_clock_made_are_removed
            }
            flows {
                a_flow_is_reached_by_its_handle_from_every_scope
                a_flow_that_was_never_made_is_not_found
                a_taken_flow_handle_is_refused
                a_step_replaces_expiry_and_bytes
                a_step_on_a_stale_flow_is_refused
                deleting_a_flow_tells_whether_it_was_there
                a_flow_carries_256_kib_of_any_bytes
                flows_are_removed_from_the_millisecond_after_their_end
                expired_flows_are_removed_piece_by_piece
            }
            sessions {
                a_session_comes_back_as_it_was_made
                a_session_that_was_never_made_is_not_found
                a_taken_token_or_session_id_is_refused
                pages_of_sessions_make_up_the_whole_list
                a_page_stays_where_it_is_while_sessions_begin
                a_list_of_valid_sessions_agrees_with_the_model
                filters_of_sessions_hold_together
            }
            session_ends {
                a_session_ends_once_and_keeps_its_end
                all_but_one_session_of_a_user_end_together
                all_valid_sessions_of_a_tenant_end_together
                activity_is_noted_for_sessions_of_all_tenants
                activity_never_moves_backwards
                activity_of_an_ended_or_unknown_session_changes_nothing
                a_timed_out_session_ended_the_moment_it_was_reached
                ending_timed_out_sessions_agrees_with_the_model
                timed_out_sessions_end_piece_by_piece
                an_ended_session_is_still_found_and_listed
            }
            limits {
                a_counter_comes_back_as_it_was_stored
                a_counter_is_reached_from_every_scope
                clearing_a_counter_leaves_the_others
                counters_are_removed_from_the_millisecond_after_their_end
                expired_counters_are_removed_piece_by_piece
            }
            audit {
                an_event_comes_back_as_it_was_written
                the_platform_writes_for_any_tenant_and_for_none
                an_event_id_is_written_once
                events_are_listed_newest_first_page_by_page
                a_page_stays_where_it_is_while_events_are_written
                events_are_filtered_by_action_object_and_time
            }
            installation {
                a_value_is_stored_and_replaced
                a_stale_value_is_not_written
                a_value_is_removed_once
                a_value_carries_64_kib_of_any_bytes
            }
            archive {
                a_snapshot_sees_one_state_in_every_scope
                a_snapshot_is_read_while_others_commit
                a_snapshot_only_reads
                rows_are_what_the_repositories_stored
                a_unit_sees_the_rows_that_it_put
                a_kind_of_another_scope_is_refused
                pieces_of_rows_make_up_the_whole
                a_page_may_end_between_two_grants_of_a_user
                names_are_sorted_by_their_bytes
                tenants_of_which_there_is_any_row_are_listed
                another_tenants_rows_are_not_there
                a_row_of_another_tenant_is_not_put
            }
            archive_writes {
                every_kind_of_row_comes_back_as_it_was_put
                rows_that_were_put_are_found_by_the_repositories
                a_row_that_is_put_replaces_the_one_of_its_key
                rows_of_a_tenant_that_is_gone_are_put_and_removed
                masters_follow_tenants_that_are_put
                masters_follow_a_tenant_that_is_put_below_another
                a_taken_unique_key_is_not_put
                a_broken_reference_is_not_put
                rows_are_removed_by_their_keys
                removing_what_is_not_there_is_no_error
                audit_events_stay_as_they_are
                a_user_that_is_removed_takes_its_own_along
                a_tenant_that_is_removed_takes_its_own_along
                a_tenant_with_sub_tenants_is_not_removed
            }
            names {
                user_names_written_differently_are_one
                user_names_written_alike_are_two
                tenant_names_written_differently_are_one
                tenant_names_written_alike_are_two
                a_search_takes_every_character_literally
                a_search_among_tenants_takes_every_character_literally
                the_longest_names_are_kept_and_found
                long_names_that_differ_at_their_end_are_two
                a_record_carries_64_kib_of_any_bytes
                times_of_tenants_users_and_locks_come_back_exactly
                times_of_records_flows_and_counters_come_back_exactly
                times_of_sessions_and_audit_events_come_back_exactly
                times_of_messages_come_back_exactly
            }
            races {
                one_of_many_users_gets_the_name
                one_of_many_users_gets_the_verified_address
                one_of_many_tenants_gets_the_name
                one_of_many_records_gets_the_key
                one_of_many_applications_gets_the_audience
                a_record_is_used_up_by_one_of_many
                a_record_is_changed_by_one_of_many
                a_message_is_claimed_by_one_of_many
                a_message_is_settled_by_one_of_many
                a_flow_takes_one_of_many_steps
                a_flow_is_deleted_by_one_of_many
                a_value_is_stored_by_one_of_many
                settings_are_stored_by_one_of_many
                one_of_many_sessions_gets_the_token
                a_session_is_ended_by_one_of_many
                every_try_is_counted
                no_change_of_a_user_is_lost
                a_users_anchor_keeps_a_limit_on_sessions
                a_tenants_anchor_keeps_the_last_administrator
                a_tenant_gets_a_sub_tenant_or_is_deleted
                nothing_is_made_in_a_tenant_that_is_deleted_meanwhile
                no_record_is_left_of_a_user_deleted_meanwhile
                no_message_is_left_of_a_user_deleted_meanwhile
                what_has_expired_is_removed_once_by_many
            }
            holds {
                a_held_tenant_is_there_for_every_unit_that_reaches_it
                no_session_begins_in_a_tenant_that_is_locked_meanwhile
                a_tenant_that_is_held_is_deleted_afterwards
                sessions_are_touched_and_ended_in_any_order_at_once
            }
            changes {
                every_kind_of_change_is_delivered_once_committed
                all_changes_of_many_units_are_delivered
                what_was_committed_can_be_read_when_its_change_arrives
                nobody_is_told_of_what_was_not_committed
                nobody_is_told_before_the_commit
                two_feeds_both_get_every_change
                a_quiet_feed_keeps_confirming
                a_dropped_wait_for_the_feed_loses_nothing
            }
            closing {
                a_check_answers_while_the_storage_is_open
                a_closed_storage_is_unavailable
                closing_twice_is_no_different
                closing_lets_an_open_unit_finish
            }
        }
    };
}

/// One named test for each case of the suite.
///
/// Takes what makes a fresh, empty storage: a function or closure without
/// arguments that answers a future of a [`Harness`](crate::Harness). Use it at
/// the root of a test target, or in a module of its own; twice need two modules.
#[macro_export]
macro_rules! storage_suite {
    ($factory:expr $(,)?) => {
        async fn storage_suite_harness() -> $crate::Harness {
            ($factory)().await
        }

        $crate::for_each_case! { __storage_suite_tests () }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __storage_suite_tests {
    (() $($module:ident { $($case:ident)+ })+) => {$(
        mod $module {$(
            #[test]
            fn $case() {
                $crate::hidden::run(
                    concat!(stringify!($module), "::", stringify!($case)),
                    super::storage_suite_harness,
                );
            }
        )+}
    )+};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __storage_suite_table {
    (() $($module:ident { $($case:ident)+ })+) => {
        /// Every case.
        pub(crate) static CASES: &[Case] = &[$($(
            Case {
                name: concat!(stringify!($module), "::", stringify!($case)),
                run: |world| Box::pin($module::$case(world)),
            },
        )+)+];
    };
}
